"""Fitted models on disk: a round trip keeps every bit, and whatever was changed is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import ArtifactError
from detector.scorers import artifacts
from detector.scorers.codec import from_bytes, pack, structure_from_bytes, structure_to_bytes, to_bytes
from detector.scorers.forest import FlatForest, ladder_of, score
from detector.scorers.forest_fit import fit
from detector.scorers.half_space import build

FOREST = fit(np.random.default_rng(0).gamma(1.0, 1.0, (300, 7)), trees=5, samples=32)
COLUMNS = ("number", "volume", "gap", "outcome", "fan_out", "position", "read_size")
MANIFEST = artifacts.ForestManifest(columns=COLUMNS, rows=300, trees=5, samples=32, seed=0, scikit_learn="1.9.1")


def parts(**changed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of a forest file, some of them changed."""
    arrays: dict[str, np.ndarray] = {
        "feature": FOREST.feature,
        "threshold": FOREST.threshold,
        "value": FOREST.value,
        "denominator": np.array(FOREST.denominator),
        "features": np.array(7, np.int64),
        "ranks": FOREST.ranks,
    }
    return {**arrays, **changed}


@st.composite
def forests(draw: st.DrawFn) -> FlatForest:
    """Draw a forest of any shape with any sound content."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    trees, depth, features = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 255))
    n_ranks = draw(st.integers(1, 20))
    feature = rng.integers(0, features, (trees, 2**depth - 1), dtype=np.uint8)
    threshold = rng.normal(size=feature.shape).astype(np.float32)
    threshold[rng.random(feature.shape) < 0.2] = np.inf
    value = rng.gamma(1.0, 5.0, (trees, 2**depth))
    ranks = np.sort(rng.random(n_ranks))
    return FlatForest(feature, threshold, value, float(rng.gamma(5.0)), depth, features, ranks, ladder_of(n_ranks))


@given(forest=forests())
@settings(max_examples=60, deadline=None)
def test_a_forest_comes_back_from_bytes_to_the_last_bit(forest: FlatForest) -> None:
    """Round trip, and the same bytes again."""
    data = to_bytes(forest)
    back = from_bytes(data)
    for name, was, now in zip(FlatForest._fields, forest, back, strict=True):
        assert np.array_equal(np.asarray(was), np.asarray(now)), name
        assert np.asarray(was).dtype == np.asarray(now).dtype, name
    assert to_bytes(back) == data


def test_a_forest_read_back_scores_as_before() -> None:
    """What is loaded is what was fitted."""
    asked = np.random.default_rng(1).gamma(1.0, 2.0, (200, 7))
    before, after = np.empty(200), np.empty(200)
    score(FOREST, asked, before)
    score(from_bytes(to_bytes(FOREST)), asked, after)
    assert np.array_equal(before, after)


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_is_refused_or_changes_nothing(at: int, bit: int) -> None:
    """Damage is an ArtifactError, never another error and never another forest."""
    data = bytearray(to_bytes(FOREST))
    data[at % len(data)] ^= 1 << bit
    try:
        back = from_bytes(bytes(data))
    except ArtifactError:
        return
    assert to_bytes(back) == to_bytes(FOREST)


@given(data=st.binary(max_size=400), keep=st.integers(0, 6_000))
@settings(max_examples=80, deadline=None)
def test_bytes_that_are_no_forest_are_refused(data: bytes, keep: int) -> None:
    """Noise, and a file cut short with noise behind it."""
    for bad in (data, to_bytes(FOREST)[: min(keep, 3_000)] + data):
        with pytest.raises(ArtifactError):
            from_bytes(bad)


def nan_in(array: np.ndarray) -> np.ndarray:
    """Return a copy whose first element is no number."""
    copy = array.copy()
    copy.flat[0] = np.nan
    return copy


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"feature": np.full_like(FOREST.feature, 7)}, "feature of a node must be 0 to 6"),
        ({"feature": FOREST.feature[:, :-1]}, r"nodes of a tree must be 2 \*\* depth - 1"),
        ({"feature": FOREST.feature[:0], "threshold": FOREST.threshold[:0]}, "trees of a model file must be 1 to"),
        ({"feature": FOREST.feature.astype(np.int64)}, r"feature of a model file must be \|u1 with 2 axes"),
        ({"feature": np.asfortranarray(FOREST.feature)}, "feature of a model file must be"),
        ({"threshold": FOREST.threshold[:-1]}, "shape of thresholds"),
        ({"threshold": nan_in(FOREST.threshold)}, "threshold of a node must be a number"),
        ({"value": FOREST.value[:, :-1]}, "leaves of a tree must be"),
        ({"value": nan_in(FOREST.value)}, "path length of a leaf must be finite"),
        ({"value": -1 - FOREST.value}, "path length of a leaf must be finite"),
        ({"denominator": np.array(0.0)}, "denominator must be finite, above 0"),
        ({"denominator": np.array(np.inf)}, "denominator must be finite, above 0"),
        ({"features": np.array(0, np.int64)}, "features of a model file must be 1 to 255"),
        ({"ranks": FOREST.ranks[::-1].copy()}, "ranks of a forest must be ascending"),
        ({"ranks": nan_in(FOREST.ranks[:1])}, "ranks of a forest must be ascending"),
        ({"ranks": np.array([0.5, 1.5])}, "ranks of a forest must be ascending"),
        ({"ranks": np.zeros(0)}, "ranks of a forest must be 1 to"),
        ({"extra": np.zeros(1)}, "arrays of a model file must be"),
    ],
)
def test_a_forest_that_cannot_be_is_refused(changed: dict[str, np.ndarray], rule: str) -> None:
    """The message names what is wrong, so that no walk leaves the arrays."""
    with pytest.raises(ArtifactError, match=rule):
        from_bytes(pack(parts(**changed)))


def member(name: str, data: bytes, kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return a forest file in which one array's file is replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(to_bytes(FOREST))) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, data if entry == name else old.read(entry), kind if entry == name else None)
    return buffer.getvalue()


def header(descr: str, shape: str, body: bytes = b"") -> bytes:
    """Return an npy file of version 1 with a header of one's own."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


@pytest.mark.parametrize(
    "data",
    [
        header("'<f8'", "(1000000000000,)"),
        header("'<f8'", "(-1,)"),
        header("'|O'", "(1,)", b"cos\nsystem\n."),
        header("[('a', '<f8')]", "(1,)", bytes(8)),
        header("'<f8'", "(2,)", bytes(8)),
        header("'<f8'", "(__import__('os'),)"),
        b"\x93NUMPY\x03\x00",
        b"",
    ],
    ids=["huge", "negative", "objects", "fields", "short", "code", "version", "empty"],
)
def test_an_array_that_lies_about_itself_is_refused(data: bytes) -> None:
    """No allocation by the header's word, no object, no code."""
    with pytest.raises(ArtifactError, match="restore the file"):
        from_bytes(member("ranks.npy", data))


def test_a_compressed_array_is_refused() -> None:
    """A small file cannot unfold into a large one."""
    with pytest.raises(ArtifactError, match="stored uncompressed"):
        from_bytes(member("ranks.npy", header("'<f8'", "(9000,)", bytes(72_000)), zipfile.ZIP_DEFLATED))


def test_a_forest_folder_comes_back(tmp_path: Path) -> None:
    """Forest, manifest and card are written once and read with their digest."""
    folder = tmp_path / "mine" / "v1"
    sealed = artifacts.save_forest(folder, FOREST, MANIFEST, "# Mine\n")
    forest, manifest = artifacts.load_forest(folder)
    assert manifest == sealed
    assert manifest.sha256 == artifacts.digest((folder / "forest.npz").read_bytes())
    assert to_bytes(forest) == to_bytes(FOREST)
    assert (folder / "card.md").read_text() == "# Mine\n"


def test_a_version_is_never_written_twice(tmp_path: Path) -> None:
    """A change needs a new version."""
    artifacts.save_forest(tmp_path / "mine" / "v1", FOREST, MANIFEST, "")
    with pytest.raises(ArtifactError, match="write the next one"):
        artifacts.save_forest(tmp_path / "mine" / "v1", FOREST, MANIFEST, "")
    artifacts.save_forest(tmp_path / "mine" / "v2", FOREST, MANIFEST, "")


@pytest.mark.parametrize("name", ["mine", "mine/1", "mine/v0", "Mine/v1", "mine/v1x", "mi ne/v1"])
def test_a_folder_with_another_name_is_refused(tmp_path: Path, name: str) -> None:
    """The catalogue finds models by name and version."""
    with pytest.raises(ArtifactError, match="<name>/v<N>"):
        artifacts.save_forest(tmp_path / name, FOREST, MANIFEST, "")


def test_a_changed_forest_file_is_refused_by_its_digest(tmp_path: Path) -> None:
    """Even a sound forest, if it is another one."""
    folder = tmp_path / "mine" / "v1"
    artifacts.save_forest(folder, FOREST, MANIFEST, "")
    (folder / "forest.npz").write_bytes(pack(parts(value=FOREST.value + 1)))
    with pytest.raises(ArtifactError, match=r"sha256 of .* must be"):
        artifacts.load_forest(folder)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rows": 299}, "trees, columns and rows"),
        ({"columns": ["a"]}, "trees, columns and rows"),
        ({"format": "forest/2"}, "format of"),
        ({"surprise": 1}, "surprise of"),
        ({"sha256": "x"}, "sha256 of"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(tmp_path: Path, change: dict[str, object], rule: str) -> None:
    """The message names the field and the file."""
    folder = tmp_path / "mine" / "v1"
    artifacts.save_forest(folder, FOREST, MANIFEST, "")
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=rule):
        artifacts.load_forest(folder)


@pytest.mark.parametrize("name", ["manifest.json", "forest.npz"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    """A folder that broke off half-way is no model."""
    folder = tmp_path / "mine" / "v1"
    artifacts.save_forest(folder, FOREST, MANIFEST, "")
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match="restore the folder"):
        artifacts.load_forest(folder)


def test_a_manifest_too_large_is_refused(tmp_path: Path) -> None:
    """Files are read up to a bound."""
    folder = tmp_path / "mine" / "v1"
    artifacts.save_forest(folder, FOREST, MANIFEST, "")
    (folder / "manifest.json").write_bytes(b" " * (artifacts.MAX_TEXT_BYTES + 1))
    with pytest.raises(ArtifactError, match=r"size of .* must be at most"):
        artifacts.load_forest(folder)


def test_half_space_trees_come_back_from_bytes() -> None:
    """The splits are kept; the window is a setting."""
    structure = build(3, features=4, trees=2, height=5, window=10)
    back = structure_from_bytes(structure_to_bytes(structure, 4), window=99)
    assert np.array_equal(back.feature, structure.feature)
    assert np.array_equal(back.threshold, structure.threshold)
    assert (back.height, back.window) == (5, 99)


@pytest.mark.parametrize(
    "changed",
    [{"feature": np.full((2, 3), -1, np.int8)}, {"threshold": np.full((2, 3), 1.0)}, {"threshold": np.zeros((2, 7))}],
)
def test_half_space_trees_that_cannot_be_are_refused(changed: dict[str, np.ndarray]) -> None:
    """No column outside the row, no split at the edge."""
    arrays = {"feature": np.zeros((2, 3), np.int8), "threshold": np.full((2, 3), 0.5), "features": np.array(4)}
    structure_from_bytes(pack(arrays), window=10)
    with pytest.raises(ArtifactError):
        structure_from_bytes(pack({**arrays, **changed}), window=10)


def test_shipped_splits_that_were_changed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is looked at before the splits are used."""
    folder = tmp_path / artifacts.DEFAULT_STRUCTURE
    structure = build(0)
    manifest = artifacts.StructureManifest(features=8, trees=10, height=6, seed=0, river="0.26.1")
    artifacts.save_structure(folder, structure, manifest)
    monkeypatch.setattr(artifacts, "models_root", lambda: tmp_path)
    assert np.array_equal(artifacts.half_space_structure(0).threshold, structure.threshold)
    (folder / "structure.npz").write_bytes(structure_to_bytes(structure._replace(threshold=structure.threshold / 2), 8))
    with pytest.raises(ArtifactError, match="sha256"):
        artifacts.half_space_structure(0)
