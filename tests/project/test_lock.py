"""The lock of the dependencies: complete, hashed, and tied to no index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.project.sources import ROOT

LOCKS = ["requirements.lock", *(f"requirements-{part}.lock" for part in ("worker", "edge", "docs", "kit"))]


def _pins(name: str) -> dict[str, Version]:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in found}


def _project() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build = project["build-system"]["requires"]
    return {"build": build, "base": project["project"]["dependencies"], **project["project"]["optional-dependencies"]}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address(name: str) -> None:
    """A lock works behind any mirror, so it names none."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host| @ ", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    """Each requirement is one exact version with at least one sha256."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n" + (ROOT / name).read_text(encoding="utf-8"))
    pins = [block for block in blocks if "==" in block.split("\n", 1)[0]]
    assert len(pins) == len(_pins(name)) > 0
    assert all("--hash=sha256:" in block for block in pins)


def test_the_lock_holds_everything_the_project_asks_for() -> None:
    """Every dependency of every extra, and the build backend, within its bounds."""
    pins = _pins("requirements.lock")
    for extra, requirements in _project().items():
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), f"{extra}: {requirement}"


def test_the_image_is_built_from_the_same_versions() -> None:
    """The worker's lock is the base part of the whole lock, never another resolution."""
    whole, image = _pins("requirements.lock"), _pins("requirements-worker.lock")
    assert {name: whole.get(name) for name in image} == image
    project = _project()
    asked = {canonicalize_name(Requirement(line).name) for line in project["base"] + project["build"]}
    assert asked <= set(image)


def test_the_edge_is_built_from_the_same_versions_and_none_of_the_learning_libraries() -> None:
    """A part of the whole lock; what is asked for is what the project asks for."""
    whole, edge = _pins("requirements.lock"), _pins("requirements-edge.lock")
    assert {name: whole.get(name) for name in edge} == edge
    lines = (ROOT / "requirements-edge.in").read_text(encoding="utf-8").splitlines()
    asked = {line for line in lines if line and not line.startswith("#")}
    project = _project()
    known = project["base"] + project["build"] + project["gateway"]
    assert asked <= {canonicalize_name(Requirement(line).name) for line in known}
    assert asked <= set(edge)
    assert not {"numpy", "numba", "river", "scikit-learn", "faust-streaming", "aiokafka"} & set(edge)


@pytest.mark.parametrize("part", ["docs", "kit"])
def test_the_site_and_the_tests_of_the_kit_stand_beside_the_same_versions(part: str) -> None:
    """One process sees both locks: what both name is the same; what is asked for is there, in bounds."""
    whole, other = _pins("requirements.lock"), _pins(f"requirements-{part}.lock")
    shared = set(whole) & set(other)
    assert {name: whole[name] for name in shared} == {name: other[name] for name in shared}
    lines = (ROOT / f"requirements-{part}.in").read_text(encoding="utf-8").splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert asked
    assert all(one.specifier.contains(other[canonicalize_name(one.name)]) for one in asked)


def test_every_lock_is_resolved_by_one_command() -> None:
    """`make lock` writes each lock there is, and each that is there is looked at here."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert sorted(re.findall(r"--output-file (\S+)", makefile)) == sorted(LOCKS)
    assert sorted(path.name for path in ROOT.glob("requirements*.lock")) == sorted(LOCKS)


def test_nothing_in_the_lock_must_be_built_from_source() -> None:
    """An installation takes wheels only; `make lock` leaves out what has none, by the name it states."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (left_out,) = re.findall(r"^WITHOUT_WHEEL := (\S+)$", makefile, flags=re.MULTILINE)
    assert left_out not in _pins("requirements.lock")
    assert "--only-binary :all:" in makefile
