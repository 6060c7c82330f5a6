"""Content for TensorBoard's plugins: sounds, precision-recall curves, meshes, charts of several scalars, tensors.

Field numbers are those of ``plugin_data.proto`` of the plugins ``pr_curve`` and ``mesh``, and of ``layout.proto`` of
``custom_scalar``.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rla_hooks.errors import ConfigError
from rla_hooks.figures.saving import as_array
from rla_hooks.writers.base import Audio, Tensor
from rla_hooks.writers.protobuf import delimited, integer

# DataType of types.proto
_FLOAT, _STRING = 1, 7
_TYPES = {
    name: number
    for number, name in enumerate("float32 float64 int32 uint8 int16 int8 - complex64 int64 bool".split(), _FLOAT)
} | {"uint16": 17, "complex128": 18, "float16": 19, "uint32": 22, "uint64": 23}
_MOST_THRESHOLDS = 127  # of a curve, as torch has it
_MOST_BYTES = (1 << 31) - (1 << 16)  # of a message of Protocol Buffers is 2 GB
_TINY = 1e-7
_VERTEX, _FACE, _COLOR = 1, 2, 3  # MeshPluginData.ContentType
_MESH_PARTS = {_VERTEX: "VERTEX", _FACE: "FACE", _COLOR: "COLOR"}


# --- sounds -----------------------------------------------------------------------------------------------------------


def sound(samples: Any, rate: float = 44100) -> Audio:
    """Return one channel of sound as a WAV file. samples: floats of -1 to 1, which are cut there, or int16.

    >>> sound([0.0, 0.5, -0.5], rate=8000).samples
    3
    """
    array = as_array(samples)
    array = array.squeeze() if array.size > 1 else array.ravel()
    if array.ndim != 1 or not array.size or array.dtype.kind not in "biuf":
        raise ConfigError(f"it has shape {array.shape}, dtype {array.dtype}. Allowed: numbers of shape (1, L) or (L,)")
    if array.dtype != np.int16:
        array = np.nan_to_num(array.astype(np.float64)).clip(-1, 1) * np.iinfo(np.int16).max
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(int(rate))
        file.writeframes(array.astype("<i2").tobytes())
    return Audio(buffer.getvalue(), float(rate), len(array))


# --- precision and recall ---------------------------------------------------------------------------------------------


def pr_curve(labels: Any, predictions: Any, thresholds: int = 127, weights: Any = None) -> Tensor:
    """Return the curve of predictions of 0 to 1, of which each is right where its label is true.

    >>> pr_curve([1, 0, 1], [0.9, 0.6, 0.8], thresholds=3).shape
    (6, 3)
    """
    truth = as_array(labels).astype(np.float64).ravel()
    given = as_array(predictions).astype(np.float64).ravel()
    if truth.shape != given.shape:
        raise ConfigError(f"there are {truth.size} labels and {given.size} predictions. Give one for each.")
    weight = np.broadcast_to(1.0 if weights is None else as_array(weights).astype(np.float64).ravel(), truth.shape)
    number = _number_of(thresholds)
    fits = (given >= 0) & (given <= 1)
    buckets = np.floor(given[fits] * (number - 1)).astype(np.int64)
    truth, weight = truth[fits], weight[fits]

    def at_least(weights: np.ndarray) -> np.ndarray:
        """For each threshold, the weight of all predictions that are not below."""
        return np.cumsum(np.bincount(buckets, weights, number)[::-1])[::-1]

    true, false = at_least(truth * weight), at_least((1.0 - truth) * weight)
    missed = true[0] - true
    precision, recall = true / np.maximum(_TINY, true + false), true / np.maximum(_TINY, true + missed)
    return _curve(np.stack([true, false, false[0] - false, missed, precision, recall]), number)


def pr_curve_raw(*rows: Any, thresholds: int = 127) -> Tensor:
    """Return a curve of known counts of true and false positives, true and false negatives, precision and recall."""
    return _curve(np.stack([as_array(row).astype(np.float64).ravel() for row in rows]), _number_of(thresholds))


def _number_of(thresholds: Any) -> int:
    if int(thresholds) < 2:
        raise ConfigError(f"num_thresholds is {thresholds!r}. Allowed: a whole number above 1")
    return min(int(thresholds), _MOST_THRESHOLDS)


def _curve(rows: np.ndarray, number: int) -> Tensor:
    return Tensor("pr_curves", integer(2, number), _FLOAT, rows.shape, rows.astype("<f4").tobytes())


# --- meshes -----------------------------------------------------------------------------------------------------------


def mesh(
    tag: str, vertices: Any, colors: Any = None, faces: Any = None, config: Any = None
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tag and the content of each part of a mesh, or of a cloud of points. Shapes: (B, N, 3).

    config: what the plugin hands to three.js, as a mapping.

    >>> [name for name, _ in mesh("cube", np.zeros((1, 8, 3)), colors=np.zeros((1, 8, 3)))]
    ['cube_VERTEX', 'cube_COLOR']
    """
    given = {_VERTEX: vertices, _FACE: faces, _COLOR: colors}
    arrays = {kind: as_array(part).astype("<f4") for kind, part in given.items() if part is not None}
    for kind, array in arrays.items():
        if array.ndim != 3 or array.shape[2] != 3:
            raise ConfigError(f"{_MESH_PARTS[kind]} has shape {array.shape}. Allowed: (B, N, 3)")
    components = sum(1 << kind for kind in arrays)
    options = "{}" if config is None else json.dumps(config, sort_keys=True)
    for kind, array in arrays.items():
        content = delimited(2, tag) + integer(3, kind) + delimited(5, options)
        content += b"".join(integer(6, size) for size in array.shape) + integer(7, components)
        yield f"{tag}_{_MESH_PARTS[kind]}", Tensor("mesh", content, _FLOAT, array.shape, array.tobytes())


# --- charts of several scalars ----------------------------------------------------------------------------------------

LAYOUT_TAG = "custom_scalars__config__"


def layout(categories: Mapping[str, Mapping[str, Sequence[Any]]]) -> Tensor:
    """Return the layout of charts: ``{category: {title: ["Multiline", tags] or ["Margin", [value, lower, upper]]}}``.

    >>> layout({"loss": {"both": ["Multiline", ["loss/train", "loss/test"]]}}).plugin
    'custom_scalars'
    """
    data = b""
    for category, charts in categories.items():
        drawn = b"".join(delimited(2, _chart(title, *chart)) for title, chart in charts.items())
        data += delimited(2, delimited(1, category) + drawn)
    return Tensor("custom_scalars", b"", _STRING, (), data)


def _chart(title: str, kind: str, tags: Sequence[str], *_: Any) -> bytes:
    if kind != "Margin":
        return delimited(1, title) + delimited(2, b"".join(delimited(1, tag) for tag in tags))
    if len(tags) != 3:
        raise ConfigError(
            f"the margin chart {title!r} has {len(tags)} tags. Allowed: 3, the value, its lower and upper"
        )
    series = b"".join(delimited(field, tag) for field, tag in enumerate(tags, 1))
    return delimited(1, title) + delimited(3, delimited(1, series))


# --- tensors ----------------------------------------------------------------------------------------------------------


def tensor(values: Any) -> Tensor:
    """Return an array of numbers as it is.

    >>> tensor(np.array([[1, 2, 3]])).shape
    (1, 3)
    """
    array = as_array(values)
    exact = str(getattr(values, "dtype", "")).rpartition(".")[2]  # of torch: as_array makes floats wider
    array = array.astype(exact) if exact in _TYPES else array
    kind = _TYPES.get(array.dtype.name)
    if kind is None or array.nbytes > _MOST_BYTES:
        raise ConfigError(f"it has dtype {array.dtype} and {array.nbytes:,} bytes. Allowed: numbers, below 2 GB")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return Tensor("tensor", b"", kind, array.shape, little.tobytes())
