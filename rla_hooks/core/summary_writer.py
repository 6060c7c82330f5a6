"""The methods of torch's and tensorboardX's SummaryWriter, such as ``add_scalar``, on a run.

``logger.experiment`` of the Lightning integration has them, too. Without a step, a row gets the step after the last
row's, and a picture that of the last row. Those for TensorBoard's further plugins are in core/summary_plugins.py. What
a run has no place for, such as ``add_onnx_graph``, warns once.
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
from rla_hooks.texts import cut, shown, text_of
from rla_hooks.writers.base import Graph, Text

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


@contextmanager
def showing(run: WrittenRun, kind: str, tag: Any) -> Iterator[None]:
    """Give one warning for what cannot be shown or saved; the training goes on."""
    run.ownership.need_started(f"adding the {kind} {shown(tag)}")
    with run.guard.warn_on_error(f"the {kind} {shown(tag)}", "was not shown", ending="", kind=kind):
        yield


class SummaryWriter:
    """Offers the methods of torch's SummaryWriter for a run. What cannot be shown gives one warning for each tag."""

    def __init__(self, run: WrittenRun):
        self._run = run
        self._hparams: dict[str, Any] | None = None  # what the first add_hparams was given

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: Any = None,
        new_style: bool = False,
        double_precision: bool = False,
        display_name: str = "",
        summary_description: str = "",
    ) -> None:
        """Log one value. Consecutive calls of one step make one row.

        The row is written by a call of another step or with a tag that it has, by any other call that writes, by
        ``flush``, a checkpoint and the end of the run. walltime: the row's time, in seconds since the epoch. The
        arguments after it have no effect: csv has all digits.

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
        with showing(self._run, "text", tag):
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
            self._run.figures.add(tag if len(figures) == 1 else f"{tag}_{index}", each, global_step, walltime)
            if close:
                close_figure(each)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: Any = None, dataformats: str = "CHW"
    ) -> None:
        """Save an image array in results/ and show it in the Images tab. dataformats: its axes: CHW, HWC or HW."""
        with showing(self._run, "image", tag):
            from rla_hooks.figures.saving import as_array
            from rla_hooks.summaries.pictures import in_order

            image = in_order(as_array(img_tensor), dataformats, "HWC")
            self._run.figures.add(tag, image, global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: int | None = None, walltime: Any = None, dataformats: str = "NCHW"
    ) -> None:
        """Save a batch of images, numbered ``<tag>_0`` and so on. dataformats: its axes, as NCHW or NHWC."""
        with showing(self._run, "images", tag):
            from rla_hooks.figures.saving import as_array
            from rla_hooks.summaries.pictures import in_order

            for index, image in enumerate(in_order(as_array(img_tensor), dataformats, "NHWC")):
                self._run.figures.add(f"{tag}_{index}", image, global_step, walltime)

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
        with showing(self._run, "histogram", tag):
            from rla_hooks.summaries.histograms import histogram

            content = histogram(values, bins, max_bins)
            self._run.logger.write_media(text_of(tag), content, global_step, walltime)

    def add_video(
        self, tag: str, vid_tensor: Any, global_step: int | None = None, fps: float = 4, walltime: Any = None
    ) -> Path | None:
        """Save a video as ``results/<run>/<tag>.gif`` and show it in the Images tab.

        vid_tensor: frames of shape (N, T, C, H, W), of which the first video is taken, (T, C, H, W) or (T, H, W, C);
        uint8, or floats of 0 to 1. Returns the path, or None where it could not be saved.
        """
        with showing(self._run, "video", tag):
            return self._run.figures.save_video(tag, vid_tensor, global_step, fps, walltime)
        return None

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any] | None = None,
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: int | None = None,
        name: str | None = None,
    ) -> None:
        """Add hyper-parameters to the run's, and log the metrics as a row.

        A run has one set of them: what a later call gives otherwise stands in its row, as ``hparams/<name>``. The
        arguments between the metrics and the step have no effect.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     run.add_hparams({"lr": 0.1}, {"score": 7.0})
        >>> rla.runs()[-1].hparams, rla.runs()[-1].metrics()["score"].tolist()
        ({'lr': 0.1}, [7.0])
        """
        if not (isinstance(hparam_dict, Mapping) and isinstance(metric_dict, (Mapping, type(None)))):
            given = f"{shown(hparam_dict)}, {shown(metric_dict)}"
            self._run.guard.warn("add_hparams", f"add_hparams got {given}. Allowed: two mappings; nothing was added.")
            return
        row = dict(metric_dict or {})
        if self._hparams is None:
            self._hparams = dict(hparam_dict)
            self._run.add_hyper_params(hparam_dict)
        else:
            others = {key: value for key, value in hparam_dict.items() if self._differs(key, value)}
            row |= {f"hparams/{key}": _plain(value) for key, value in others.items()}
            if others:
                message = (
                    f"add_hparams was called again with other values: {', '.join(map(text_of, others))}. A run has one "
                    "set of hyper-parameters: these stand in progress.csv, as columns hparams/<name>. Start a run for "
                    "each set."
                )
                self._run.guard.warn("add_hparams again", message)
        if row:
            self._run.log(row, global_step)

    def _differs(self, key: str, value: Any) -> bool:
        known = self._hparams or {}
        return key not in known or text_of(known[key]) != text_of(value)

    # --- the writer itself ----------------------------------------------------------------------------------------

    def get_logdir(self) -> str | None:
        """Return the run's log folder as a text; None if tracking is off."""
        paths = self._run.ownership.paths
        return None if paths is None else str(paths.log_dir)

    def close(self) -> None:
        """Write the row that ``add_scalar`` has left open. The run goes on: ``finish``, or its owner, ends it."""
        self._run.flush()

    # --- what a run has no place for ------------------------------------------------------------------------------

    _no_graph = _unsupported(
        "add_graph",
        "With Lightning, RLALogger(log_graph=True) shows it; so does the SummaryWriter of "
        "rla_hooks.integrations.tensorboard. Graphs and sessions of TensorFlow are shown.",
    )

    def add_graph(self, model: Any = None, *arguments: Any, **options: Any) -> None:
        """Show a graph of TensorFlow, or that of a session, in the Graphs tab. Other models give one warning.

        model: a ``tf.Graph``, a ``tf.compat.v1.Session``, or a ``GraphDef`` message.
        """
        graph = getattr(model, "graph", model)
        graph = graph.as_graph_def() if callable(getattr(graph, "as_graph_def", None)) else graph
        if type(graph).__name__ != "GraphDef":
            self._no_graph(model)
            return
        with showing(self._run, "graph", type(model).__name__):
            self._run.logger.write_media("graph", Graph(graph.SerializeToString()), 0)

    add_onnx_graph = _unsupported("add_onnx_graph")
    add_openvino_graph = _unsupported("add_openvino_graph")


def close_figure(figure: Any) -> None:
    """Close a figure of pyplot, or that of Axes, which stays in memory otherwise; any other one is let alone."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    owner = getattr(figure, "figure", figure)  # of Axes; that of a figure is itself
    if pyplot is not None and isinstance(owner, pyplot.Figure):
        pyplot.close(owner)


def _plain(value: Any) -> Any:
    """A value for a row: a number stays one."""
    return value if isinstance(value, (int, float, str)) else text_of(value)
