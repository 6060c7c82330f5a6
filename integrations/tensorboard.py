"""SummaryWriter for scripts that have one of torch or tensorboardX: their calls, recorded in a run.

    from rla_hooks.integrations.tensorboard import SummaryWriter

    writer = SummaryWriter(f"runs/{run_name}")
    writer.add_text("hyperparameters", table)
    writer.add_scalar("charts/episodic_return", 12.0, global_step)
    writer.close()

Neither torch nor TensorFlow is imported, but by ``add_graph`` and ``add_onnx_graph``. This file is longer than others
since editors and type checkers want the signatures of both libraries.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from rla_hooks.integrations._tensorboard import hyperparameters, sharing
from rla_hooks.integrations._tensorboard.file_writer import FileWriter

from rla_hooks import hooks
from rla_hooks.hooks import Argument, OwnRun, Run, WarnOnce
from rla_hooks.summaries import as_torch
from rla_hooks.writers.base import Graph

__all__ = ["SummaryWriter"]

P = ParamSpec("P")
R = TypeVar("R")
_TAGS = ("tag", "main_tag")  # names of the first argument that a prefix goes before
_LONGEST_TITLE = 500  # characters


def _word(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method that calls this one of the run; its signature and docstring stay."""
    names = [*inspect.signature(method).parameters][1:]  # without the run
    at = names.index("global_step") if "global_step" in names else len(names)
    has_tag = names[0] in _TAGS

    @functools.wraps(method)
    def word(self: SummaryWriter, *args: Any, **kwargs: Any) -> Any:
        for name, value in self._defaults.items():
            if name in names[len(args) :] and kwargs.get(name) is None:
                kwargs[name] = value
        step = args[at] if len(args) > at else kwargs.get("global_step")
        if has_tag and self._prefix:
            args = (f"{self._prefix}{args[0]}", *args[1:]) if args else args
            kwargs |= {name: f"{self._prefix}{kwargs[name]}" for name in _TAGS if name in kwargs}
        return method(self._started(step), *args, **kwargs)

    return cast("Callable[Concatenate[Any, P], R]", word)


class SummaryWriter:
    """Takes the calls of torch's and tensorboardX's SummaryWriter, and records them in a run.

    It joins the run that is open; else it starts one with the first value, or with the table of hyper-parameters that
    ``add_text("hyperparameters", ...)`` gives. log_dir: becomes the run's title; an empty folder of that name is made,
    since scripts save their models there. Without it, comment is the title. Writers of one log_dir share a run, and
    ``runs/x/train`` and ``runs/x/eval`` are two parts of one (docs/frameworks.md). max_queue, flush_secs,
    filename_suffix, comet_config: without effect, since each row is written at once. purge_step: nothing is purged.
    write_to_disk: False records nothing. options: those of ``rla.run`` for a run of its own; the task is the script's
    name by default.

    >>> import rla_hooks as rla
    >>> with SummaryWriter("runs/dqn__1", task="demo", writers=["csv"], backup="none") as writer:
    ...     writer.add_text("hyperparameters", "|param|value|\\n|-|-|\\n|lr|0.1|")
    ...     writer.add_scalar("charts/return", 12.0, 100)
    >>> run = rla.runs()[-1]
    >>> run.title, run.hparams, run.status, run.metrics()["charts/return"].tolist()
    ('runs/dqn__1', {'lr': 0.1}, 'finished', [12.0])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
        write_to_disk: bool = True,
        logdir: str | os.PathLike[str] | None = None,
        comet_config: Any = None,
        **options: Any,
    ):
        self._given = log_dir or logdir or None
        is_path = self._given is None or isinstance(self._given, (str, os.PathLike))
        self.purge_step, self.max_queue, self.flush_secs = purge_step, max_queue, flush_secs
        self.filename_suffix = filename_suffix
        if options.get("title") is None and is_path:
            options["title"] = _title(sharing.folder_of(self._given), comment)
        self._own = OwnRun("SummaryWriter", hooks.script_task(), **options)
        table = {"log_dir": Argument(self._given, lambda given: is_path, "the path of a folder")}
        table |= {
            name: Argument(None) for name in ("comment", "purge_step", "max_queue", "flush_secs", "write_to_disk")
        }
        hooks.check_arguments("SummaryWriter", (), table, self._own)
        self._warn = WarnOnce()
        self._defaults: dict[str, Any] = {}  # of use_metadata
        self._is_closed = False
        self._writes = write_to_disk
        if write_to_disk:
            self._shared, self._prefix, self._former = sharing.place_of(self._given, self._own)
        else:
            self._shared, self._prefix, self._former = sharing.SharedRun(hooks.Handle(Run.silent()), None), "", None
        self._is_settled = False  # whether nothing is to be decided with the next value
        self._joined = 0  # which run of the user's tells this writer of its end
        self._is_left = False  # whether that has come
        run = self._shared.handle.resolve()
        if run.made_by_hook:
            run.quiet_stdout()  # the script prints what it wants to

    # --- the run --------------------------------------------------------------------------------------------------

    def _started(self, step: Any = None) -> Run:
        """Return the run, started; with a writer that was closed, it goes on. step: of what is to be written."""
        if not self._is_settled:
            self._begin(step)
        return self._shared.handle.ensure_started()

    def _begin(self, step: Any, is_new: bool = False) -> None:
        """Decide which run the next value belongs to. is_new: not to that of a former writer of the folder."""
        self._is_settled = True
        if self._is_left and hooks.open_run() is not None:  # a further call of a tracked function, say
            self._shared, self._prefix, self._former = sharing.place_of(self._given, self._own)
            self._is_closed = False
        self._is_left = False
        former, self._former = self._former, None
        if former is not None and former.goes_on_at(step) and not is_new:
            self._shared = former
            former.reopen()
        elif former is not None:
            sharing.remember(self._shared)
        if self._is_closed:
            self._is_closed = False
            self._shared.reopen()
        if self.purge_step and not self._shared.handle.resolve().is_resumed:
            self._warn(
                "purge_step",
                f"purge_step={self.purge_step!r} has no effect: this run is a new one. To go on with a former one, "
                "and cut what came after its checkpoint, open the run by rla.run(resume='auto') or @rla.track.",
            )
        self.purge_step = None
        run = self._shared.handle.resolve()
        if not run.made_by_hook and self._joined != id(run):
            self._joined = id(run)
            run.at_end(self._leave)
        if self._given and self._writes:
            with suppress(OSError, ValueError):  # where scripts save their models, since the libraries make it
                os.makedirs(self._given, exist_ok=True)

    def _leave(self) -> None:
        """The run that the writer has joined ends: what comes later belongs to the one that is open then."""
        self._is_settled, self._is_left = False, True

    @property
    def log_dir(self) -> str:
        """The run's log folder, which is there: a script may put files of its own in it.

        Without tracking (``RLA_MODE=off``) it is the given one, made now.
        """
        handle = self._shared.handle
        run = handle.run if self._is_closed else self._started()
        paths = None if run is None else run.paths
        if paths is not None:
            folder = os.path.join(paths.log_dir, *self._prefix.split("/")[:-1])
        else:
            folder = os.fsdecode(self._given or "runs")
        with suppress(OSError):
            os.makedirs(folder, exist_ok=True)
        return folder

    logdir = log_dir

    def get_logdir(self) -> str:
        """Return :attr:`log_dir`."""
        return self.log_dir

    @property
    def file_writer(self) -> FileWriter:
        """What takes messages of TensorBoard."""
        return FileWriter(self)

    def _get_file_writer(self) -> FileWriter:
        return self.file_writer

    @property
    def all_writers(self) -> dict[str, FileWriter] | None:
        """The file writer by the given log_dir; None after ``close``."""
        return None if self._is_closed else {os.fsdecode(self._given or "runs"): self.file_writer}

    @property
    def default_bins(self) -> list[float]:
        """The edges of the bins of ``add_histogram``."""
        from rla_hooks.summaries.histograms import default_edges

        return [*default_edges().tolist()]

    # --- scalars and texts ----------------------------------------------------------------------------------------

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
        display_name: str = "",
        summary_description: str = "",
    ) -> None:
        """Log one value. Consecutive calls of one step make one row. The arguments after walltime have no effect."""
        if self._defaults:
            global_step = self._defaults.get("global_step") if global_step is None else global_step
            walltime = self._defaults.get("walltime") if walltime is None else walltime
        key = f"{self._prefix}{tag}" if self._prefix else tag
        self._started(global_step).logger.add_scalar(key, scalar_value, global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Show a text in the Text tab. A table of two columns with the tag hyperparameters becomes the run's."""
        parameters = hyperparameters.parse(tag, text_string)
        if parameters:
            if not self._is_settled:
                self._begin(None, is_new=True)
            # Before the run starts: so they stand in parameter.json from the start.
            self._shared.handle.resolve().add_hyper_params(parameters)
            text_string = as_torch.masked_table(text_string, parameters)
        self._add_text(tag, text_string, global_step, walltime)

    _add_text = _word(as_torch.add_text)
    add_scalars = _word(Run.add_scalars)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: int | None = None,
        name: str | None = None,
    ) -> None:
        """Add hyper-parameters to the run's, and log the metrics as a row, in the same run.

        A run has one set of them: what a later call gives otherwise stands in its row, as ``hparams/<name>``.
        """
        if isinstance(run_name, int) and global_step is None:  # tensorboardX has the step there
            global_step = run_name
        if isinstance(metric_dict, Mapping) and self._prefix:
            metric_dict = {f"{self._prefix}{key}": value for key, value in metric_dict.items()}
        if isinstance(hparam_dict, Mapping) and self._shared.handle.run is None:
            self._shared.handle.resolve().add_hyper_params(hparam_dict)
        self._started(global_step).add_hparams(hparam_dict, metric_dict, global_step=global_step)

    # --- media ----------------------------------------------------------------------------------------------------

    add_image = _word(as_torch.add_image)
    add_images = _word(as_torch.add_images)
    add_image_with_boxes = _word(Run.add_image_with_boxes)
    add_figure = _word(as_torch.add_figure)
    add_video = _word(as_torch.add_video)
    add_audio = _word(Run.add_audio)
    add_histogram = _word(as_torch.add_histogram)
    add_histogram_raw = _word(Run.add_histogram_raw)
    add_pr_curve = _word(Run.add_pr_curve)
    add_pr_curve_raw = _word(Run.add_pr_curve_raw)
    add_mesh = _word(Run.add_mesh)
    add_tensor = _word(Run.add_tensor)
    add_embedding = _word(Run.add_embedding)
    add_openvino_graph = _word(Run.add_openvino_graph)
    export_scalars_to_json = _word(Run.export_scalars_to_json)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Show several scalars in one chart: ``{category: {title: ["Multiline", tags]}}``, or ``"Margin"``."""
        with self._showing("layout", "of custom scalars"):
            self._started().add_custom_scalars(as_torch.with_prefix(layout, self._prefix))

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show these scalars in one chart."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show a scalar with a margin: tags of the value, its lower and its upper limit."""
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True
    ) -> None:
        """Show the graph of a torch module, as torch traces it with this input."""
        with self._showing("graph", type(model).__name__):
            from torch.utils.tensorboard import _pytorch_graph

            trace: Any = _pytorch_graph.graph  # has no types
            definition, _ = trace(model, input_to_model, verbose, use_strict_trace)
            self._started().logger.write_media("graph", Graph(definition.SerializeToString()), 0)

    def add_onnx_graph(self, prototxt: Any) -> None:
        """Show the graph in an ONNX file, which the package onnx reads."""
        with self._showing("graph", os.fspath(prototxt)):
            from torch.utils.tensorboard import _onnx_graph

            load: Any = _onnx_graph.load_onnx_graph
            graph = load(prototxt)
            definition = graph[0] if isinstance(graph, tuple) else graph
            self._started().logger.write_media("graph", Graph(definition.SerializeToString()), 0)

    # --- the end --------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write the row that ``add_scalar`` has left open."""
        run = self._shared.handle.run
        if run is not None:
            run.flush()

    def close(self) -> None:
        """End the run, if it was started here and no other writer of it is open; else write what is left.

        It ends as failed or interrupted where an exception is on its way. A later call of a method goes on with it.
        """
        error = sys.exc_info()[1]
        self._close(None if isinstance(error, StopIteration) else error)  # data that has come to its end

    def _close(self, error: BaseException | None) -> None:
        if not self._is_closed:
            self._is_closed, self._is_settled = True, False
            self._shared.end(error)

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._close(error)

    @contextmanager
    def use_metadata(self, *, global_step: int | None = None, walltime: float | None = None) -> Iterator[SummaryWriter]:
        """The step and the time of all calls in the block that give none."""
        given = {"global_step": global_step, "walltime": walltime}
        before, self._defaults = self._defaults, {key: value for key, value in given.items() if value is not None}
        try:
            yield self
        finally:
            self._defaults = before

    @contextmanager
    def _showing(self, kind: str, tag: Any) -> Iterator[None]:
        """Give one warning for what cannot be shown; the training goes on."""
        try:
            yield
        except Exception as error:  # of the user's objects
            self._warn((kind, str(tag)), f"the {kind} {tag!r} was not shown: {type(error).__name__}: {error}")


def _title(folder: str, comment: str) -> str | None:
    """What a run is called after the folder that a writer was given, or its comment; None if there is neither."""
    text = folder or str(comment).strip("_ ")
    return "".join(char if char.isprintable() else "?" for char in text)[:_LONGEST_TITLE] or None
