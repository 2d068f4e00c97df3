"""A new version of a profile, made from an old one: the old one never changes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from detector.errors import ProfileError
from detector.profile.load import list_profiles, models_folder, parse_profile
from detector.profile.model import Profile


def new_version(
    base: str, changes: Mapping[str, Any], root: Path | None = None, target_root: Path | None = None
) -> Profile:
    """Write the next version of `base` and return it: experimental, with the changes, comments and cases kept.

    Nothing is written unless the new version passes schema and lint.

    Parameters
    ----------
    base : str
        Version to start from, for example ``"default/v1"``.
    changes : mapping
        New values by dotted field, for example ``{"budget.alerts": 0.005}``; ``profile.name`` begins another profile.
    root : Path or None
        Models folder that holds `base`; None takes the shipped one.
    target_root : Path or None
        Models folder that is written to; None takes `root`.

    Raises
    ------
    ProfileError
        If a field is unknown, or the result is refused.
    """
    source = (root if root is not None else models_folder()) / "profiles" / base
    if not (source / "profile.toml").is_file():
        raise ProfileError(str(source), [f"base of new version must exist, got {base!r}"])
    target = target_root or root or models_folder()
    document = tomlkit.parse((source / "profile.toml").read_text(encoding="utf-8"))
    name = str(changes.get("profile.name", document["profile"]["name"]))
    # above both folders' versions: two contents never share an id, which alerts and finding ids are made from
    version = max(_next(name, target), _next(name, root if root is not None else models_folder()))
    for field, value in {"profile.status": "experimental", **changes, "profile.version": version}.items():
        _set(document, field, value, str(source))
    folder = target / "profiles" / name / f"v{version}"
    profile = parse_profile(document.unwrap(), str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    # written beside its place and moved there whole: a broken-off version leaves nothing behind
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as made:
        draft = Path(made) / "draft"
        shutil.copytree(source, draft)
        (draft / "profile.toml").write_text(tomlkit.dumps(document), encoding="utf-8")
        draft.rename(folder)
    return profile


def _next(name: str, root: Path) -> int:
    """Return the number after the highest version of `name` in a models folder."""
    numbers = [int(one.rpartition("/v")[2]) for one in list_profiles(root) if one.startswith(f"{name}/v")]
    return max(numbers, default=0) + 1


def _set(document: tomlkit.TOMLDocument, field: str, value: object, path: str) -> None:
    """Set one dotted field; the model says at the end whether it exists."""
    section, _, name = field.partition(".")
    if not name or "." in name:
        raise ProfileError(path, [f"field of changes must be <section>.<name>, got {field!r}"])
    if section not in document:
        document[section] = tomlkit.table()
    document[section][name] = value
