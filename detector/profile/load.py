"""A profile's folder becomes a checked profile, or an error that names every fault of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

import detector
from detector.errors import ProfileError
from detector.profile.catalog import faults_of_version
from detector.profile.lint import lint
from detector.profile.model import Profile

DEFAULT: Final = "default/v1"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/v[1-9][0-9]{0,5}")
_MAX_BYTES: Final = 1_024 * 1_024


def models_folder() -> Path:
    """Return the folder of profiles and fitted models: inside the installed package, or beside it in a checkout."""
    package = Path(detector.__file__).resolve().parent
    packaged = package / "_models"
    return packaged if packaged.is_dir() else package.parent / "models"


def load_profile(name: str = DEFAULT, root: Path | None = None) -> Profile:
    """Return a profile that passed digest, schema and lint, in this order.

    Parameters
    ----------
    name : str, default="default/v1"
        Name and version.
    root : Path or None
        The models folder; None takes the shipped one. A folder without `catalog.lock.json` is an analyst's own and
        asks for no digest.

    Raises
    ------
    ProfileError
        With every fault that was found. The last good profile stays in use.
    """
    folder = root if root is not None else models_folder()
    if not _NAME.fullmatch(name):
        raise ProfileError(name, [f"name of profile must be <name>/v<number>, got {name!r}"])
    path = folder / "profiles" / name / "profile.toml"
    if not path.is_file():
        known = ", ".join(list_profiles(folder)) or "none"
        raise ProfileError(str(path), [f"name of profile must be one of those that exist, got {name!r}; here: {known}"])
    changed = faults_of_version(folder, "profiles", name)
    if changed:
        raise ProfileError(str(path), changed)
    profile = read_profile(path)
    if profile.id != name:
        raise ProfileError(str(path), [f"profile.name and version must be those of its folder, got {profile.id!r}"])
    return profile


def read_profile(path: Path) -> Profile:
    """Return the profile in a TOML file that passed schema and lint; its digest is not asked for."""
    if path.stat().st_size > _MAX_BYTES:
        raise ProfileError(str(path), [f"size of file must be at most {_MAX_BYTES} bytes, got {path.stat().st_size}"])
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(str(path), [f"file must be TOML, got {error}"]) from error
    return parse_profile(table, str(path))


def parse_profile(table: Mapping[str, Any], path: str = "<table>") -> Profile:
    """Return the profile in a table of sections that passed schema and lint.

    Parameters
    ----------
    table : mapping
        Sections by name, as `tomllib` reads them.
    path : str
        What errors call the source.
    """
    try:
        profile = Profile.model_validate(dict(table))
    except ValidationError as error:
        raise ProfileError(path, [_fault(one) for one in error.errors(include_url=False)]) from None
    faults = [f"{issue.field}: {issue.message}" for issue in lint(profile) if issue.severity == "error"]
    if faults:
        raise ProfileError(path, faults)
    return profile


def with_mode(profile: Profile, mode: Literal["enforce", "shadow"]) -> Profile:
    """Return the profile in another mode of response, linted again: only a stable one may enforce."""
    table = profile.model_dump()
    table["response"]["mode"] = mode
    return parse_profile(table, f"{profile.id} with mode {mode}")


def list_profiles(root: Path | None = None) -> list[str]:
    """Return names and versions of the profiles in a models folder, sorted by name, then version."""
    folder = (root if root is not None else models_folder()) / "profiles"
    found = [f"{path.parent.parent.name}/{path.parent.name}" for path in folder.glob("*/v*/profile.toml")]
    versions = [name.rpartition("/v") for name in found if _NAME.fullmatch(name)]
    return [f"{name}/v{number}" for name, _, number in sorted(versions, key=lambda part: (part[0], int(part[2])))]


def _fault(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails is private
    """Return one fault as a sentence with the dotted field."""
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{field} of profile must be a known field, got an unknown one: mind the spelling"
    if error["type"] == "missing":
        return f"{field} of profile must be given, got nothing"
    rule = str(error["msg"]).removeprefix("Input should be ").replace("Input should be ", "")
    return f"{field} of profile must be {rule}, got {error['input']!r:.80}"
