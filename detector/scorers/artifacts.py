"""The folders fitted models live in: ``models/forests/<name>/v<N>`` and ``models/half_space/<name>/v<N>``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.errors import ArtifactError
from detector.scorers.codec import MAX_BYTES, from_bytes, structure_from_bytes, structure_to_bytes, to_bytes
from detector.scorers.forest import FlatForest
from detector.scorers.half_space import Structure, build, check_shape

MAX_TEXT_BYTES = 64 * 2**10
SHA256 = r"^[0-9a-f]{64}$"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
VERSION = re.compile(r"v[1-9][0-9]{0,5}")
Status = Literal["experimental", "test", "stable", "deprecated"]
DEFAULT_STRUCTURE = "half_space/default/v1"


class ForestManifest(BaseModel):
    """What a person or a program should know of a fitted forest before using it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["forest/1"] = "forest/1"
    status: Status = "experimental"
    sha256: str = Field(default="0" * 64, pattern=SHA256)
    columns: tuple[str, ...] = Field(min_length=1, max_length=255)
    rows: int = Field(ge=2)
    trees: int = Field(ge=1)
    samples: int = Field(ge=2)
    seed: int = Field(ge=0)
    scikit_learn: str


class StructureManifest(BaseModel):
    """Which of river's random draws a file of half-space trees holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["half_space/1"] = "half_space/1"
    status: Status = "stable"
    sha256: str = Field(default="0" * 64, pattern=SHA256)
    features: int = Field(ge=1)
    trees: int = Field(ge=1)
    height: int = Field(ge=1)
    seed: int = Field(ge=0)
    river: str


M = TypeVar("M", ForestManifest, StructureManifest)


def models_root() -> Path:
    """Return the folder of shipped models: inside the installed package, else beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_models"
    return packed if packed.is_dir() else package.parent / "models"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def save_forest(folder: Path, forest: FlatForest, manifest: ForestManifest, card: str) -> ForestManifest:
    """Return the manifest as written, with the digest; the folder is new, for a version never changes.

    Parameters
    ----------
    folder : Path
        ``.../<name>/v<N>``; made here.
    forest : FlatForest
        What to keep.
    manifest : ForestManifest
        Its description; the digest is filled in.
    card : str
        Markdown for people: what it was fitted on, what it does not see.

    Raises
    ------
    ArtifactError
        If the folder has another name or is there already.
    """
    data = to_bytes(forest)
    sealed = manifest.model_copy(update={"sha256": digest(data)})
    _write(folder, {"forest.npz": data, "card.md": card.encode()}, sealed)
    return sealed


def load_forest(folder: Path) -> tuple[FlatForest, ForestManifest]:
    """Return a forest and its manifest: digest first, then form, then whether the two agree.

    Raises
    ------
    ArtifactError
        If a file is missing, changed or unsound.
    """
    data, manifest = _read(folder, "forest.npz", ForestManifest)
    forest = from_bytes(data)
    said = (manifest.trees, len(manifest.columns), manifest.rows)
    found = (len(forest.feature), forest.features, len(forest.ranks))
    if said != found:
        message = f"trees, columns and rows of {folder} must be {said} as in its manifest, got {found}; refit it"
        raise ArtifactError(message)
    return forest, manifest


def save_structure(folder: Path, structure: Structure, manifest: StructureManifest) -> StructureManifest:
    """Return the manifest as written, with the digest, beside the splits of half-space trees.

    Raises
    ------
    ArtifactError
        If the folder has another name or is there already.
    """
    data = structure_to_bytes(structure, manifest.features)
    sealed = manifest.model_copy(update={"sha256": digest(data)})
    _write(folder, {"structure.npz": data}, sealed)
    return sealed


def half_space_structure(
    seed: int = 0, *, features: int = 8, trees: int = 10, height: int = 6, window: int = 250
) -> Structure:
    """Return river's splits for a seed: read from the shipped file if it holds them, else drawn by river itself.

    Both ways give the same arrays; the file spares the import of river (1.4 s).

    Raises
    ------
    ArtifactError
        If the shipped file was changed.
    ValueError
        If the shape does not fit the arrays.
    """
    check_shape(features=features, trees=trees, height=height, window=window)
    folder = models_root() / DEFAULT_STRUCTURE
    if (folder / "manifest.json").is_file():
        data, manifest = _read(folder, "structure.npz", StructureManifest)
        said = (manifest.seed, manifest.features, manifest.trees, manifest.height)
        if said == (seed, features, trees, height):
            return structure_from_bytes(data, window)
    return build(seed, features=features, trees=trees, height=height, window=window)


def _write(folder: Path, files: dict[str, bytes], manifest: BaseModel) -> None:
    if not (NAME.fullmatch(folder.parent.name) and VERSION.fullmatch(folder.name)):
        message = f"folder of a model must be <name>/v<N> in lower case, got {folder.parent.name}/{folder.name}"
        raise ArtifactError(message)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        message = f"folder of a model must be new, got {folder}; a version never changes, write the next one"
        raise ArtifactError(message) from error
    for name, data in files.items():
        (folder / name).write_bytes(data)
    # last: a folder that broke off half-way has no manifest and cannot be loaded
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _read(folder: Path, name: str, form: type[M]) -> tuple[bytes, M]:
    """Return the bytes of a model file that matches its manifest, and the manifest."""
    try:
        manifest = form.model_validate_json(_bytes(folder / "manifest.json", MAX_TEXT_BYTES))
        data = _bytes(folder / name, MAX_BYTES)
    except OSError as error:
        message = f"files of {folder} must be readable, got {error}; restore the folder"
        raise ArtifactError(message) from error
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "content"
        message = f"{where} of {folder / 'manifest.json'} must be sound, got: {fault['msg']}; restore the file"
        raise ArtifactError(message) from error
    found = digest(data)
    if found != manifest.sha256:
        message = f"sha256 of {folder / name} must be {manifest.sha256}, got {found}; restore the file"
        raise ArtifactError(message)
    return data, manifest


def _bytes(path: Path, most: int) -> bytes:
    """Return the content of a file of bounded size."""
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        message = f"size of {path} must be at most {most} bytes, got more; restore the file"
        raise ArtifactError(message)
    return data
