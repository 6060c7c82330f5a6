"""What a run gives: rows of metrics, figures, checkpoints, data that it wants back."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks import lifecycle, ranks
from rla_hooks.core.logger import WARN, Logger, TimeStepHolder
from rla_hooks.core.timers import TimeTracker
from rla_hooks.errors import CheckpointError, ConfigError, RunError, WarnOnce
from rla_hooks.layout import RunPaths
from rla_hooks.parameters import safe
from rla_hooks.writers.base import STEP

if TYPE_CHECKING:
    from rla_hooks.checkpoints.saver import Saver

_DEFAULT_MAX_TO_KEEP = 5


class RunOutputs:
    """The part of a Tester that is used while the run goes on. Nothing here stops a training.

    Folders are None before the run starts, and stay None where tracking is off or another rank writes.
    """

    def __init__(self) -> None:
        self.paths: RunPaths | None = None
        self.logger = Logger()
        self.custom_data: dict[str, Any] = {}
        self._saver: Saver | None = None
        self.timers = TimeTracker()
        self._clocks: dict[str, float] = {}
        self._at_end: list[Callable[[], object]] = []
        self._started = False
        self._process = ranks.process_id
        self._warn = WarnOnce()

    @property
    def name(self) -> str | None:
        """The run name, RLA's log_name."""
        return self.paths.name if self.paths else None

    @property
    def is_writing(self) -> bool:
        """Whether this object, in this process, writes to a run."""
        return self._started and self._process == ranks.process_id

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters flat, in safe form."""
        raise NotImplementedError

    def _need_run(self, what: str) -> None:
        """Say what to call first where a run was meant to be started and is not."""
        if not self._started and not lifecycle.is_silent():
            raise RunError(f"{what} was called before the run has started. Call tester.log_files_gen() first.")

    @property
    def time_step_holder(self) -> TimeStepHolder:
        return self.logger.time_step

    @property
    def log_dir(self) -> Path | None:
        return self.paths.log_dir if self.paths else None

    @property
    def results_dir(self) -> Path | None:
        return self.paths.results_dir if self.paths else None

    @property
    def checkpoint_dir(self) -> Path | None:
        return self.paths.checkpoint_dir if self.paths else None

    @property
    def code_dir(self) -> Path | None:
        return self.paths.code_dir if self.paths else None

    @property
    def tensorboard_dir(self) -> Path | None:
        return self.paths.tensorboard_dir if self.paths else None

    @property
    def pkl_file(self) -> Path | None:
        return self.paths.tester_pkl if self.paths else None

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log a row of metrics. See :meth:`rla_hooks.logger.Logger.log`."""
        if not isinstance(values, Mapping):
            message = (
                f"log got {safe(values)!r}. Allowed: a mapping such as {{'perf/return': 12.0}}; nothing was logged."
            )
            self._warn("log", message)
            return
        if not self._started:
            self._need_run("log")
        self.logger.log(values, step)

    def print_args(self) -> None:
        """Show the hyper-parameters on the console and in log.txt."""
        self._need_run("print_args")
        for key, value in sorted(self.parameters().items()):
            self.logger.message(f"{key}: {value}")

    def print_log_dir(self) -> None:
        """Show where the run's folders are."""
        for kind in ("log_dir", "pkl_file", "checkpoint_dir", "results_dir", "code_dir"):
            self.logger.message(f"{kind}: {getattr(self, kind)}")

    def time_record(self, name: str) -> None:
        """Start the clock ``name``."""
        self._clocks[name] = time.perf_counter()

    def time_record_end(self, name: str) -> float:
        """Stop the clock ``name``, record ``time_used/<name>`` in seconds for the next dump, and return it."""
        if name not in self._clocks:
            raise RunError(f"time_record_end({name!r}) without time_record({name!r}). Running: {list(self._clocks)}.")
        seconds = time.perf_counter() - self._clocks.pop(name)
        self.logger.record(f"time_used/{name}", seconds)
        return seconds

    # --- data beside the metrics ----------------------------------------------------------------------------------

    def add_custom_data(self, key: str, data: Any, dtype: type = list, max_len: int = -1, mode: str = "append") -> None:
        """Keep data that the run should get back when it is loaded: appended to a list or deque, or replaced."""
        if mode not in ("append", "replace"):
            raise ConfigError(f"add_custom_data got mode={mode!r}. Allowed: 'append', 'replace'.")
        if mode == "replace" or not issubclass(dtype, (list, deque)):
            self.custom_data[key] = data
        elif key in self.custom_data:
            kept = self.custom_data[key]
            if not isinstance(kept, (list, deque)):
                raise ConfigError(
                    f"add_custom_data cannot append to {key!r}, which holds a {type(kept).__name__}. "
                    "Pass mode='replace', or take another key."
                )
            kept.append(data)
        elif issubclass(dtype, deque):
            if max_len <= 0:
                raise ConfigError(f"add_custom_data got max_len={max_len} for a deque. Allowed: a number above 0.")
            self.custom_data[key] = deque([data], maxlen=max_len)
        else:
            self.custom_data[key] = [data]

    def get_custom_data(self, key: str) -> Any:
        """Return the data kept under ``key``, or None."""
        return self.custom_data.get(key)

    def clear_custom_data(self, key: str) -> None:
        if self.custom_data.pop(key, None) is None:
            self.logger.message(f"there is no custom data {key!r}", level=WARN)

    # --- checkpoints and figures ----------------------------------------------------------------------------------

    def new_saver(
        self,
        max_to_keep: int | None = _DEFAULT_MAX_TO_KEEP,
        var_prefix: str | None = "",
        objects: Mapping[str, Any] | None = None,
        verbose: bool = True,
    ) -> None:
        """Set how checkpoints are kept: the newest ``max_to_keep`` (None: all) of each checkpoint name.

        ``objects`` are saved by :meth:`save_checkpoint` and restored by :meth:`load_checkpoint` where none are given;
        ``var_prefix`` selects parameters by the beginning of their name.
        """
        from rla_hooks.checkpoints import saver

        self._need_run("new_saver")
        folder = self.checkpoint_dir or Path(os.devnull)
        self._saver = saver.Saver(folder, max_to_keep, var_prefix or "", objects, self._framework())

    def _framework(self) -> str | None:
        """The deep-learning framework that the config names."""
        raise NotImplementedError

    def _need_saver(self) -> Saver:
        if self._saver is None:
            self.new_saver()
        assert self._saver is not None
        return self._saver

    def save_checkpoint(
        self,
        model_dict: Mapping[str, Any] | None = None,
        related_variable: Mapping[str, Any] | None = None,
        checkpoint_name: str = "checkpoint",
        step: int | None = None,
    ) -> Path | None:
        """Save models, optimisers, tensors and plain data by name, complete or not at all, and return the path.

        ``related_variable`` goes to the custom data. Trouble with the disk, or with what is given, gives one warning
        and returns None.
        """
        self._need_run("save_checkpoint")
        if not self.is_writing:
            return None
        if model_dict is not None and not isinstance(model_dict, Mapping):
            self._warn(
                "save_checkpoint",
                f"save_checkpoint got a {type(model_dict).__name__}. Allowed: a mapping such as {{'policy': model}}; "
                "it was saved as 'model'.",
            )
            model_dict = {"model": model_dict}
        step = self.logger.current_step() if step is None else step
        for key, value in (related_variable or {}).items():
            self.add_custom_data(key, value, mode="replace")
        try:
            path = self._need_saver().save(model_dict, step, checkpoint_name)
        except (OSError, ConfigError, CheckpointError) as error:
            what = str(error).rstrip(".")
            self._warn("checkpoint", f"the checkpoint of step {step} was not saved: {what}. The training goes on.")
            return None
        self._warn.rearm("checkpoint")
        self.custom_data[STEP] = step
        self._guarded("tester.pkl", self._archive)
        return path

    def _archive(self) -> None:
        """Save what a loaded Tester gets back."""
        raise NotImplementedError

    def load_checkpoint(
        self,
        step: int | None = None,
        checkpoint_name: str = "checkpoint",
        objects: Mapping[str, Any] | None = None,
        weights_only: bool = True,
        ckp_index: int | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return (step, content) of the newest complete checkpoint, or of the one of ``step``.

        The content holds the state of each object by its name; ``objects`` (or those of :meth:`new_saver`) get
        their state back in place. ``ckp_index`` is RLA's later name for ``step``. Raises
        :class:`~rla_hooks.errors.CheckpointError`.
        """
        self._need_run("load_checkpoint")
        if self.paths is None:
            raise RunError("load_checkpoint was called where nothing is tracked: there is no checkpoint folder.")
        step = ckp_index if step is None else step
        return self._need_saver().load(step, checkpoint_name, objects, weights_only)

    def register_checkpoint(self, path: Path, step: int | None = None, name: str = "checkpoint") -> None:
        """List a file or folder that a framework wrote into the checkpoint folder as complete. Again, if it changed."""
        if not self.is_writing or self.checkpoint_dir is None:
            return
        from rla_hooks.checkpoints.manifest import Manifest

        manifest = Manifest(self.checkpoint_dir)
        file = path.absolute().relative_to(self.checkpoint_dir).as_posix()
        listed = next((entry for entry in manifest.entries() if entry.file == file), None)
        if listed is None or listed.time < path.stat().st_mtime or not manifest.has_size(listed):
            step = self.logger.current_step() if step is None else step
            self._guarded("the list of checkpoints", lambda: manifest.add(file, name, step))

    def forget_deleted_checkpoints(self) -> None:
        """Take what a framework has deleted off the list of checkpoints."""
        if not self.is_writing or self.checkpoint_dir is None:
            return
        from rla_hooks.checkpoints.manifest import Manifest

        manifest = Manifest(self.checkpoint_dir)
        gone = [entry for entry in manifest.entries() if not os.path.lexists(manifest.folder / entry.file)]
        if gone:
            self._guarded("the list of checkpoints", lambda: manifest.forget(*gone))

    def save_figure(self, name: str, figure: Any, step: int | None = None, pretty: bool = False) -> Path | None:
        """Save a matplotlib figure or an image array under results/ and show it in TensorBoard's Images tab.

        ``pretty`` writes a PDF instead of a PNG. Returns the path, or None where it could not be saved.
        """
        self._need_run("save_figure")
        if not self.is_writing:
            return None
        from rla_hooks import figures
        from rla_hooks.writers.base import Image

        assert self.results_dir is not None
        try:
            picture = figures.save(self.results_dir, name, figure, step, pretty)
        except (OSError, ConfigError) as error:
            self._warn(("figure", name), f"the figure {name!r} was not saved: {error}")
            return None
        self.logger.write_media(name, Image(picture.png, picture.width, picture.height), step)
        return picture.path

    def simple_plot(
        self,
        name: str,
        data: Any = None,
        x: Any = None,
        y: Any = None,
        labels: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        colors: Any = None,
        styles: Any = None,
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw curves and save the figure: ``data`` is a list of curves, or ``x`` and ``y`` are lists of them.

        labels, colors, styles: one for each curve; styles are matplotlib's format strings such as ``"x--"``. pretty:
        PDF instead of PNG. A figure of that name which exists is left as it is unless ``cover`` is true. options:
        ``step``, and those of ``Axes.plot``. Returns the path of what was written, or None.
        """
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        return self._draw("plot_figure", name, pretty, cover, options, data=data, x=x, y=y, **looks)

    def simple_scatter(
        self,
        name: str,
        datas: Any,
        texts: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw clouds of points, each an (n, 2) array, with a text at each one's mean. Options as in simple_plot."""
        looks = {"texts": texts, "xlabel": xlabel, "ylabel": ylabel}
        return self._draw("scatter_figure", name, pretty, cover, options, datas=datas, **looks)

    def simple_hist(
        self,
        name: str,
        data: Any,
        labels: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        colors: Any = None,
        styles: Any = None,
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw one histogram for each sequence of numbers. Options as in simple_plot, and those of ``Axes.hist``."""
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        return self._draw("hist_figure", name, pretty, cover, options, data=data, **looks)

    def _draw(
        self, kind: str, name: str, pretty: bool, cover: bool, options: dict[str, Any], **content: Any
    ) -> Path | None:
        self._need_run("drawing a figure")
        if not self.is_writing:
            return None
        from rla_hooks import figures
        from rla_hooks.figures import simple as plots

        assert self.results_dir is not None
        step = options.pop("step", None)
        try:
            if not cover and figures.exists(self.results_dir, name, step, pretty):
                message = f"the figure {name!r} is there already and stays. Pass cover=True to replace it."
                self._warn(("figure", name), message)
                return None
            figure = getattr(plots, kind)(**content, **options)
        except ConfigError as error:
            self._warn(("figure", name), f"the figure {name!r} was not drawn: {error}")
            return None
        return self.save_figure(name, figure, step, pretty)

    def at_end(self, action: Callable[[], object]) -> None:
        """Call ``action`` when the run ends, unless a signal ends it; for what is drawn or saved once, at last."""
        self._at_end.append(action)

    def _guarded(self, what: str, action: Callable[[], object]) -> None:
        """Once a run has started, trouble with a file gives a warning and the training goes on."""
        try:
            action()
        except Exception as error:
            self._warn(what, f"{what} could not be written: {error}. The training goes on.")
