"""Fitted models as bytes, without pickle: everything is checked before it is believed."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detector.errors import ArtifactError
from detector.scorers.forest import FlatForest, ladder_of
from detector.scorers.half_space import Structure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_BYTES = 64 * 2**20


class Form(NamedTuple):
    """What an array in a file must be: its type and its number of axes."""

    dtype: str
    axes: int


FOREST = {
    "feature": Form("|u1", 2),
    "threshold": Form("<f4", 2),
    "value": Form("<f8", 2),
    "denominator": Form("<f8", 0),
    "features": Form("<i8", 0),
    "ranks": Form("<f8", 1),
}
STRUCTURE = {"feature": Form("|i1", 2), "threshold": Form("<f8", 2), "features": Form("<i8", 0)}


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as an uncompressed npz; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            # a ZipInfo of our own has no clock in it
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def unpack(data: bytes, forms: Mapping[str, Form]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz that holds exactly the arrays asked for.

    Sizes are checked against the bytes that are there before anything is allocated.

    Parameters
    ----------
    data : bytes
        Content of the file.
    forms : mapping of str to Form
        Arrays wanted, by name.

    Raises
    ------
    ArtifactError
        If the bytes are anything else.
    """
    if len(data) > MAX_BYTES:
        message = f"size of a model file must be at most {MAX_BYTES} bytes, got {len(data)}; refit with fewer trees"
        raise ArtifactError(message)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = sorted(member.filename for member in members)
            if names != sorted(f"{name}.npy" for name in forms):
                message = f"arrays of a model file must be {sorted(forms)}, got {names}; restore the file"
                raise ArtifactError(message)
            if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > len(data) for member in members):
                raise ArtifactError("arrays of a model file must be stored uncompressed; restore the file")
            return {name: _array(name, archive.read(f"{name}.npy"), form) for name, form in forms.items()}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        message = f"content of a model file must be a sound npz, got {error}; restore the file"
        raise ArtifactError(message) from error


def _array(name: str, data: bytes, form: Form) -> NDArray[Any]:
    """Return one array from the bytes of an npy of version 1."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        message = f"version must be 1.0, got {version}"
        raise ValueError(message)
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    body = data[stream.tell() :]
    if dtype.str != form.dtype or len(shape) != form.axes or is_fortran or min(shape, default=0) < 0:
        message = f"{name} of a model file must be {form.dtype} with {form.axes} axes, got {dtype.str} {shape}"
        raise ValueError(message)
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(body):
        message = f"{name} of a model file must hold {shape}, got {len(body)} bytes"
        raise ValueError(message)
    return np.frombuffer(body, dtype=dtype).reshape(shape).copy()


def _must(is_so: bool, rule: str, got: object) -> None:
    if not is_so:
        message = f"{rule}, got {got}; refit the model or restore the file"
        raise ArtifactError(message)


def _check_heap(feature: NDArray[Any], threshold: NDArray[Any], features: int) -> int:
    """Return the depth of perfect trees whose nodes all look at an existing column."""
    trees, inner = feature.shape
    depth = int(inner + 1).bit_length() - 1
    _must(1 <= trees <= 1_000, "trees of a model file must be 1 to 1,000", trees)
    _must(1 <= depth <= 12 and inner == 2**depth - 1, "nodes of a tree must be 2 ** depth - 1, depth 1 to 12", inner)
    _must(threshold.shape == feature.shape, f"shape of thresholds must be {feature.shape}", threshold.shape)
    _must(1 <= features <= 255, "features of a model file must be 1 to 255", features)
    low, high = int(feature.min()), int(feature.max())
    _must(low >= 0 and high < features, f"feature of a node must be 0 to {features - 1}", (low, high))
    return depth


def to_bytes(forest: FlatForest) -> bytes:
    """Return a forest as bytes, for a file or a checkpoint; the same forest gives the same bytes."""
    return pack(
        {
            "feature": forest.feature,
            "threshold": forest.threshold,
            "value": forest.value,
            "denominator": np.array(forest.denominator, np.float64),
            "features": np.array(forest.features, np.int64),
            "ranks": forest.ranks,
        }
    )


def from_bytes(data: bytes) -> FlatForest:
    """Return the forest that :func:`to_bytes` wrote.

    Whatever passes can be scored with safely: no value in it can lead a walk outside the arrays.

    Raises
    ------
    ArtifactError
        If the bytes are not a sound forest.
    """
    arrays = unpack(data, FOREST)
    feature, threshold, value, ranks = (arrays[name] for name in ("feature", "threshold", "value", "ranks"))
    features, denominator = int(arrays["features"]), float(arrays["denominator"])
    depth = _check_heap(feature, threshold, features)
    _must(not np.isnan(threshold).any(), "threshold of a node must be a number", "NaN")
    _must(value.shape == (len(feature), 2**depth), f"leaves of a tree must be {2**depth}", value.shape)
    _must(bool((np.isfinite(value) & (value >= 0)).all()), "path length of a leaf must be finite, at least 0", "other")
    _must(bool(np.isfinite(denominator) and denominator > 0), "denominator must be finite, above 0", denominator)
    _must(1 <= len(ranks) <= 2**20, "ranks of a forest must be 1 to 1,048,576", len(ranks))
    is_ordered = bool((np.diff(ranks) >= 0).all() and ranks[0] >= 0 and ranks[-1] <= 1)  # false for NaN too
    _must(is_ordered, "ranks of a forest must be ascending, between 0 and 1", "other")
    return FlatForest(feature, threshold, value, denominator, depth, features, ranks, ladder_of(len(ranks)))


def structure_to_bytes(structure: Structure, features: int) -> bytes:
    """Return the splits of half-space trees as bytes; the window is a setting and not among them."""
    return pack(
        {"feature": structure.feature, "threshold": structure.threshold, "features": np.array(features, np.int64)}
    )


def structure_from_bytes(data: bytes, window: int) -> Structure:
    """Return the splits that :func:`structure_to_bytes` wrote, for a window in events.

    Raises
    ------
    ArtifactError
        If the bytes are not sound half-space trees.
    """
    arrays = unpack(data, STRUCTURE)
    feature, threshold = arrays["feature"], arrays["threshold"]
    depth = _check_heap(feature, threshold, int(arrays["features"]))
    _must(bool(((threshold > 0) & (threshold < 1)).all()), "threshold of a node must be inside (0, 1)", "other")
    return Structure(feature, threshold, depth, window)
