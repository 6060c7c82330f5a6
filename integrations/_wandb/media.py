"""The media of wandb that are no pictures: sounds, histograms, pages and points, which become files of the run.

Each keeps at once what it shows, since scripts use their arrays again, and is written when it is logged.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb.files import Results

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Run


class Media:
    """What ``wandb.log`` writes to a file."""

    caption: str | None = None

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        """Write it; return its file, or None where there is none."""
        raise NotImplementedError


# --- sounds, numbers ----------------------------------------------------------------------------------------------


class Audio(Media):
    """A sound: an array of shape (n,) or (n, channels), int16 or floats of -1 to 1, which becomes a WAV; or a file."""

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None):
        self.caption = caption
        self.path = Path(data_or_path) if isinstance(data_or_path, (str, os.PathLike)) else None
        if self.path is None and sample_rate is None:
            raise ConfigError("wandb.Audio got an array without a sample_rate. Give it: sample_rate=44100.")
        self.content = b"" if self.path else _wav(data_or_path, int(sample_rate or 0))

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        if self.path is not None:
            return results.copy(key, step, self.path)
        return results.write(key, step, ".wav", self.content)


def _wav(given: Any, sample_rate: int) -> bytes:
    import numpy

    from rla_hooks.figures.saving import as_array

    array = as_array(given)
    if array.dtype.kind == "f":
        array = numpy.rint(array.clip(-1, 1) * 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if array.ndim == 1 else array.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(array.astype("<i2").tobytes())
    return buffer.getvalue()


class Histogram(Media):
    """The distribution of values, for TensorBoard's Histograms tab; np_histogram: what ``numpy.histogram`` gave.

    >>> histogram = Histogram([0.0, 1.0, 1.0], num_bins=2)
    >>> histogram.histogram, histogram.bins
    ([1, 2], [0.0, 0.5, 1.0])
    """

    MAX_LENGTH = 512

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64):
        import numpy

        self._values = None
        if np_histogram is None:
            from rla_hooks.figures.saving import as_array

            self._values = as_array(sequence).astype(numpy.float64).ravel()
            finite = self._values[numpy.isfinite(self._values)]
            self._bins = min(num_bins, self.MAX_LENGTH)
            try:
                np_histogram = numpy.histogram(finite, bins=self._bins)
            except ValueError:  # too close together, or too far apart, for so many bins: one of them
                np_histogram = [len(finite)], [finite.min(), finite.max()]
                self._values = None
        counts, edges = np_histogram
        self.histogram, self.bins = numpy.asarray(counts).tolist(), numpy.asarray(edges).tolist()
        if len(self.bins) != len(self.histogram) + 1:
            raise ConfigError(
                f"wandb.Histogram got {len(self.histogram)} counts and {len(self.bins)} edges. Allowed: one edge more "
                "than counts, as numpy.histogram gives them."
            )

    def write(self, run: Run, results: Results, key: str, step: int) -> None:
        if self._values is not None:
            run.add_histogram(key, self._values, step, bins=self._bins)
            return
        from rla_hooks.writers.base import Histogram as Shown

        counts, edges = self.histogram, self.bins
        middles = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
        total = sum(count * middle for count, middle in zip(counts, middles))
        squares = sum(count * middle * middle for count, middle in zip(counts, middles))
        shown = Shown(edges[0], edges[-1], int(sum(counts)), total, squares, edges[1:], [*map(float, counts)])
        run.logger.write_media(key, shown, step)


# --- pages, points and other files --------------------------------------------------------------------------------


class File(Media):
    """A file that the script has made, or content for one."""

    def __init__(self, data_or_path: Any, suffix: str = ".txt", caption: str | None = None):
        self.caption, self.suffix = caption, suffix
        is_path = isinstance(data_or_path, (str, os.PathLike)) and os.path.isfile(data_or_path)
        self.path = Path(data_or_path) if is_path else None
        if hasattr(data_or_path, "read"):
            data_or_path = data_or_path.read()
        self.content = data_or_path if isinstance(data_or_path, bytes) else str(data_or_path).encode()

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        if self.path is not None:
            return results.copy(key, step, self.path)
        return results.write(key, step, self.suffix, self.content)


class Html(File):
    """A page: HTML as a text, the path of a file, or an open one."""

    def __init__(self, data: Any, inject: bool = True, data_is_not_path: bool = False, caption: str | None = None):
        is_text = isinstance(data, str) and (data_is_not_path or len(data) > 1000 or "<" in data)
        super().__init__(io.StringIO(data) if is_text else data, ".html", caption)


class Plotly(File):
    """A figure of plotly, as a page that loads plotly's script from the net when it is opened."""

    def __init__(self, val: Any):
        super().__init__(io.StringIO(val.to_html(include_plotlyjs="cdn")), ".html")


class Molecule(File):
    """A molecule: the path of a file, or its text with ``file_type``."""

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str = "pdb", **unused: Any):
        super().__init__(data_or_path, f".{file_type}", caption)


class Object3D(File):
    """Points of shape (n, 3), (n, 4) with a category or (n, 6) with a colour, as csv; a scene as JSON; or a file."""

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str = "obj", **unused: Any):
        if isinstance(data_or_path, Mapping):
            content = json.dumps({key: _listed(value) for key, value in data_or_path.items()}, default=_listed)
            super().__init__(io.StringIO(content), ".json", caption)
        elif hasattr(data_or_path, "shape") or isinstance(data_or_path, (list, tuple)):
            super().__init__(io.StringIO(_points(data_or_path)), ".csv", caption)
        else:
            super().__init__(data_or_path, f".{file_type.lstrip('.')}", caption)

    @classmethod
    def from_numpy(cls, data: Any) -> Object3D:
        return cls(data)

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str = "obj") -> Object3D:
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_point_cloud(
        cls, points: Sequence[Any], boxes: Sequence[Any], vectors: Any = None, point_cloud_type: str = "lidar/beta"
    ) -> Object3D:
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value if isinstance(value, (list, dict)) else str(value)


def _points(given: Any) -> str:
    from rla_hooks.figures.saving import as_array

    array = as_array(given)
    names = {3: "x,y,z", 4: "x,y,z,category", 6: "x,y,z,r,g,b"}.get(array.shape[-1] if array.ndim == 2 else 0)
    if names is None:
        raise ConfigError(f"wandb.Object3D got shape {array.shape}. Allowed: (n, 3), (n, 4) or (n, 6).")
    lines = (",".join(map(repr, row)) for row in array.tolist())
    return "\n".join([names, *lines, ""])
