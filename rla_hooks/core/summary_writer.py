"""The methods of torch's SummaryWriter, such as ``add_scalar``, on a run.

``logger.experiment`` of the Lightning integration has them, too. Without a step, a row gets the step after the last
row's, and a picture that of the last row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rla_hooks.core.figures import RunFigures
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.errors import ConfigError
from rla_hooks.writers.base import Histogram, Text


class WrittenRun(Protocol):
    """What SummaryWriter uses of a run."""

    ownership: Ownership
    logger: Logger
    guard: Guard
    figures: RunFigures

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None: ...
    def add_hyper_params(self, params: Mapping[str, Any]) -> None: ...


class SummaryWriter:
    """Offers the methods of torch's SummaryWriter for a run. What cannot be shown gives one warning for each tag."""

    def __init__(self, run: WrittenRun):
        self._run = run

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: Any = None) -> None:
        """Log a row of one value."""
        self._run.log({tag: scalar_value}, global_step)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None, walltime: Any = None
    ) -> None:
        """Log a row of several values, as ``<main_tag>/<key>``."""
        self._run.log({f"{main_tag}/{key}": value for key, value in tag_scalar_dict.items()}, global_step)

    def add_text(self, tag: str, text_string: Any, global_step: int | None = None, walltime: Any = None) -> None:
        """Show a text (Markdown) in TensorBoard's Text tab."""
        with self._showing("text", tag):
            self._run.logger.write_media(tag, Text(str(text_string)), global_step)

    def add_figure(
        self, tag: str, figure: Any, global_step: int | None = None, close: bool = True, walltime: Any = None
    ) -> None:
        """Save a figure under results/ and show it in the Images tab. A list of figures is numbered.

        close: also close a figure of pyplot, which would keep it in memory until the program ends.
        """
        figures = figure if isinstance(figure, (list, tuple)) else [figure]
        for index, each in enumerate(figures):
            self._run.figures.save_figure(tag if len(figures) == 1 else f"{tag}_{index}", each, global_step)
            pyplot = sys.modules.get("matplotlib.pyplot")
            owner = getattr(each, "figure", each)  # of Axes; that of a figure is itself
            if close and pyplot is not None and isinstance(owner, pyplot.Figure):
                pyplot.close(owner)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: Any = None, dataformats: str = "CHW"
    ) -> None:
        """Save an image array in results/ and show it in the Images tab. dataformats: its axes: CHW, HWC or HW."""
        with self._showing("image", tag):
            self._run.figures.save_figure(tag, _axes_in_order(_array(img_tensor), dataformats, "HWC"), global_step)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: Any = None, dataformats: str = "NCHW"
    ) -> None:
        """Save a batch of images, numbered ``<tag>_0`` and so on. dataformats: its axes, as NCHW or NHWC."""
        with self._showing("images", tag):
            for index, image in enumerate(_axes_in_order(_array(img_tensor), dataformats, "NHWC")):
                self._run.figures.save_figure(f"{tag}_{index}", image, global_step)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "auto",
        walltime: Any = None,
        max_bins: int = 512,
    ) -> None:
        """Show the distribution of an array in TensorBoard's Histograms and Distributions tabs.

        bins: their number or their edges. A name of a rule, such as "auto", gives twice the cube root of the number of
        values, and at most ``max_bins``.
        """
        with self._showing("histogram", tag):
            self._run.logger.write_media(tag, _histogram(_array(values), bins, max_bins), global_step)

    def add_video(
        self, tag: str, vid_tensor: Any, global_step: int | None = None, fps: float = 4, walltime: Any = None
    ) -> Path | None:
        """Save a video as ``results/<run>/<tag>.gif`` and show it in the Images tab.

        vid_tensor: frames of shape (N, T, C, H, W), of which the first video is taken, (T, C, H, W) or (T, H, W, C);
        uint8, or floats of 0 to 1. Returns the path, or None where it could not be saved.
        """
        with self._showing("video", tag):
            return self._run.figures.save_video(tag, vid_tensor, global_step, fps)
        return None

    def add_hparams(
        self, /, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Add hyper-parameters to the run's, and log the metrics as a row."""
        self._run.add_hyper_params(hparam_dict)
        if metric_dict:
            self._run.log(metric_dict, options.get("global_step"))

    @contextmanager
    def _showing(self, kind: str, tag: str) -> Iterator[None]:
        """Give one warning for what cannot be shown or saved; the training goes on."""
        self._run.ownership.need_started(f"adding the {kind} {tag!r}")
        with self._run.guard.warn_on_error(f"the {kind} {tag!r}", "was not shown", ending="", kind=kind):
            yield


def _array(value: Any) -> Any:
    """A numpy array of an array or a tensor."""
    from rla_hooks.figures.saving import as_array

    return as_array(value)


def _axes_in_order(array: Any, given: str, wanted: str) -> Any:
    """Return the array with its axes in the order ``wanted``; a wanted axis that is not given has one element."""
    given = given.upper()
    if len(given) != array.ndim or set(given) - set(wanted):
        raise ConfigError(
            f"the image has {array.ndim} axes of shape {array.shape}, dataformats is {given!r}. Allowed: one letter of "
            f"{wanted} for each axis."
        )
    array = array.transpose([given.index(axis) for axis in wanted if axis in given])
    for position, axis in enumerate(wanted):
        if axis not in given:
            array = array[(slice(None),) * position + (None,)]
    return array


def _histogram(array: Any, bins: Any, max_bins: int) -> Histogram:
    import numpy

    values = numpy.asarray(array, dtype=numpy.float64).ravel()
    values = values[numpy.isfinite(values)]
    if not values.size:
        raise ConfigError("it has no finite values")
    if isinstance(bins, str):  # numpy's own rules make as many bins as memory holds where one value lies far out
        bins = min(2 * round(values.size ** (1 / 3)), max_bins)
    counts, edges = numpy.histogram(values, bins=bins)
    return Histogram(
        minimum=float(values.min()),
        maximum=float(values.max()),
        number=int(values.size),
        total=float(values.sum()),
        total_of_squares=float(values @ values),
        limits=[float(edge) for edge in edges[1:]],
        counts=[float(count) for count in counts],
    )
