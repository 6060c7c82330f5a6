"""The methods of torch's and tensorboardX's SummaryWriter, such as ``add_scalar``, on a run.

``logger.experiment`` of the Lightning integration has them, too. Without a step, a row gets the step after the last
row's, and a picture that of the last row. What a run has no place for, such as ``add_audio``, warns once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rla_hooks.core.figures import RunFigures
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.errors import ConfigError
from rla_hooks.texts import cut, shown, text_of
from rla_hooks.writers.base import Histogram, Text

_MAX_SHOWN = 1_000_000  # characters of a text in TensorBoard


class WrittenRun(Protocol):
    """What SummaryWriter uses of a run."""

    ownership: Ownership
    logger: Logger
    guard: Guard
    figures: RunFigures

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None: ...
    def add_hyper_params(self, params: Mapping[str, Any]) -> None: ...
    def flush(self) -> None: ...


def _unsupported(word: str, advice: str = "") -> Callable[..., None]:
    """Return a method that takes everything, gives one warning and does nothing."""

    def method(self: Any, *arguments: Any, **options: Any) -> None:
        if self._run.ownership.is_writing:
            self._run.guard.warn(("word", word), f"{word} has no effect: a run has no place for it. {advice}".strip())

    method.__name__ = word
    method.__doc__ = f"Warn once that nothing is shown. {advice}".strip()
    return method


class SummaryWriter:
    """Offers the methods of torch's SummaryWriter for a run. What cannot be shown gives one warning for each tag."""

    def __init__(self, run: WrittenRun):
        self._run = run

    def add_scalar(
        self, /, tag: str, scalar_value: Any, global_step: int | None = None, walltime: Any = None, **options: Any
    ) -> None:
        """Log one value. Consecutive calls of one step make one row.

        The row is written by a call of another step or with a tag that it has, by any other call that writes, by
        ``flush``, a checkpoint and the end of the run. walltime: the row's time, in seconds since the epoch.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     for step in range(2):
        ...         run.add_scalar("loss", 0.5, step)
        ...         run.add_scalar("return", 3.0, step)
        >>> rla.runs()[-1].metrics()[["time-step", "loss", "return"]].values.tolist()
        [[0.0, 0.5, 3.0], [1.0, 0.5, 3.0]]
        """
        self._run.ownership.need_started("add_scalar")
        self._run.logger.add_scalar(tag, scalar_value, global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None, walltime: Any = None
    ) -> None:
        """Log a row of several values, as ``<main_tag>/<key>``."""
        self._run.ownership.need_started("add_scalars")
        self._run.logger.log({main_tag: tag_scalar_dict}, global_step, walltime)

    def add_text(self, tag: str, text_string: Any, global_step: int | None = None, walltime: Any = None) -> None:
        """Show a text (Markdown) in TensorBoard's Text tab."""
        with self._showing("text", tag):
            self._run.logger.write_media(
                text_of(tag), Text(cut(text_of(text_string), _MAX_SHOWN)), global_step, walltime
            )

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
            content = _histogram(_array(values), bins, max_bins)
            self._run.logger.write_media(text_of(tag), content, global_step, walltime)

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
        self,
        /,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any] | None = None,
        *unused: Any,
        **options: Any,
    ) -> None:
        """Add hyper-parameters to the run's, and log the metrics as a row."""
        self._run.add_hyper_params(hparam_dict)
        if metric_dict:
            self._run.log(metric_dict, options.get("global_step"))

    # --- the writer itself ----------------------------------------------------------------------------------------

    def get_logdir(self) -> str | None:
        """Return the run's log folder as a text; None if tracking is off."""
        paths = self._run.ownership.paths
        return None if paths is None else str(paths.log_dir)

    def close(self) -> None:
        """Write the row that ``add_scalar`` has left open. The run goes on: ``finish``, or its owner, ends it."""
        self._run.flush()

    # --- what a run has no place for ------------------------------------------------------------------------------

    add_audio = _unsupported("add_audio", "Save the file in run.results_dir.")
    add_custom_scalars = _unsupported("add_custom_scalars")
    add_custom_scalars_marginchart = _unsupported("add_custom_scalars_marginchart")
    add_custom_scalars_multilinechart = _unsupported("add_custom_scalars_multilinechart")
    add_embedding = _unsupported("add_embedding", "Show a projection by add_figure.")
    add_graph = _unsupported("add_graph", "With Lightning, RLALogger(log_graph=True) shows it.")
    add_histogram_raw = _unsupported("add_histogram_raw", "add_histogram shows the values themselves.")
    add_image_with_boxes = _unsupported("add_image_with_boxes", "Draw the boxes, and show them by add_image.")
    add_mesh = _unsupported("add_mesh", "Show a picture of it by add_image.")
    add_onnx_graph = _unsupported("add_onnx_graph")
    add_openvino_graph = _unsupported("add_openvino_graph")
    add_pr_curve = _unsupported("add_pr_curve", "Draw it, and show it by add_figure.")
    add_pr_curve_raw = _unsupported("add_pr_curve_raw", "Draw it, and show it by add_figure.")
    add_summary = _unsupported("add_summary")
    add_event = _unsupported("add_event")
    add_tensor = _unsupported("add_tensor", "Save it by save_checkpoint.")
    export_scalars_to_json = _unsupported("export_scalars_to_json", "All rows are in progress.csv.")

    @contextmanager
    def _showing(self, kind: str, tag: str) -> Iterator[None]:
        """Give one warning for what cannot be shown or saved; the training goes on."""
        self._run.ownership.need_started(f"adding the {kind} {shown(tag)}")
        with self._run.guard.warn_on_error(f"the {kind} {shown(tag)}", "was not shown", ending="", kind=kind):
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
