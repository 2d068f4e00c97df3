"""The lock of everything in the models folder: a version that is locked does not change."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from detector.errors import ArtifactError

LOCK: Final = "catalog.lock.json"
KINDS: Final = ("profiles", "forests", "half_space")
_FORMAT: Final = 1


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a version's folder, by relative path, sorted.

    Hidden files and caches are left out: they are no content.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__")) for part in relative.parts):
            found[relative.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def digest(files: dict[str, str]) -> str:
    """Return one sha256 over the names and digests of a version's files."""
    lines = "".join(f"{name}\0{one}\n" for name, one in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_lock(root: Path) -> dict[str, dict[str, Any]] | None:
    """Return the lock's entries by kind and version, or None where there is no lock.

    Raises
    ------
    ArtifactError
        If the lock cannot be read: restore it from version control.
    """
    path = root / LOCK
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ArtifactError(f"format of {path} must be {_FORMAT}, got another: upgrade the detector")
        return {kind: dict(content.get(kind, {})) for kind in KINDS}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} must be a catalog lock, got {error!r}: restore it from version control") from error


def faults_of_version(root: Path, kind: str, name: str) -> list[str]:
    """Return what differs between a version's files and the lock; empty if nothing does or there is no lock.

    Parameters
    ----------
    root : Path
        The models folder.
    kind : {"profiles", "forests", "half_space"}
        Kind of content.
    name : str
        Name and version, for example ``"default/v1"``.
    """
    lock = read_lock(root)
    if lock is None:
        return []
    entry = lock[kind].get(name)
    files = digests(root / kind / name)
    if entry is None:
        if status_of(root / kind / name) == "experimental":
            return []
        return [f"{name} must stand in {LOCK} unless it is experimental, got no entry: `detector profile lock`"]
    changed = sorted(path for path in {*files, *entry["files"]} if files.get(path) != entry["files"].get(path))
    return [f"{path} of {name} must be as locked, got another content: make a new version" for path in changed]


def check(root: Path) -> list[str]:
    """Return every difference between the models folder and its lock, one sentence each."""
    lock = read_lock(root)
    if lock is None:
        return [f"{LOCK} must exist, got nothing: `detector profile lock`"]
    faults = []
    for kind in KINDS:
        present = set(_versions(root, kind))
        for name in sorted(present | set(lock[kind])):
            entry = lock[kind].get(name)
            if name not in present:
                faults.append(f"{kind}/{name} must exist while it is locked, got nothing: deprecate, never delete")
            elif entry is None:
                faults.append(f"{kind}/{name} must stand in {LOCK}, got no entry: `detector profile lock`")
            else:
                faults.extend(faults_of_version(root, kind, name))
                status = status_of(root / kind / name)
                if entry["sha256"] != digest(entry["files"]) or entry["status"] != status:
                    faults.append(f"entry {kind}/{name} of {LOCK} must agree with itself and its files, got otherwise")
    return faults


def lock(root: Path, rewrite: Collection[str] = ()) -> list[str]:
    """Write the lock anew and return the versions that were added or rewritten.

    Parameters
    ----------
    root : Path
        The models folder.
    rewrite : collection of str
        Versions that were never released and may change, for example ``"profiles/default/v1"``.

    Raises
    ------
    ArtifactError
        If a locked version changed and is not experimental: make a new version.
    """
    before = read_lock(root) or {kind: {} for kind in KINDS}
    after: dict[str, Any] = {"format": _FORMAT}
    written = []
    for kind in KINDS:
        after[kind] = {}
        for name in _versions(root, kind):
            files = digests(root / kind / name)
            entry = {"sha256": digest(files), "status": status_of(root / kind / name), "files": files}
            old = before[kind].get(name)
            free = old is None or old["status"] == "experimental" or f"{kind}/{name}" in rewrite
            if not free and old != entry:
                raise ArtifactError(f"{kind}/{name} must be as locked, got a change: make a new version")
            if old != entry:
                written.append(f"{kind}/{name}")
            after[kind][name] = entry
    (root / LOCK).write_text(json.dumps(after, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return written


def status_of(folder: Path) -> str:
    """Return the status a version gives itself: in `profile.toml` or `manifest.json`, else ``stable``."""
    profile, manifest = folder / "profile.toml", folder / "manifest.json"
    try:
        if profile.is_file():
            return str(tomllib.loads(profile.read_text(encoding="utf-8"))["profile"]["status"])
        if manifest.is_file():
            return str(json.loads(manifest.read_text(encoding="utf-8")).get("status", "stable"))
    except (ValueError, KeyError, TypeError, AttributeError):
        # an unreadable version earns no liberties; its loader says what is wrong with it
        return "unreadable"
    return "stable"


def _versions(root: Path, kind: str) -> list[str]:
    """Return the versions of one kind that stand in the folder, sorted."""
    folders = [path for path in (root / kind).glob("*/v*") if path.is_dir()]
    return sorted(f"{path.parent.name}/{path.name}" for path in folders)
