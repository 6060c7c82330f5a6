"""RLALogger: the methods that Lightning calls on a logger.

``pytorch_lightning.py`` and ``lightning_pytorch.py`` combine this class with the ``Logger`` of their namespace.
"""

from __future__ import annotations

import argparse
import sys
import weakref
from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations._lightning import cli_config
from rla_hooks.integrations._lightning.listing import Listing
from rla_hooks.integrations._lightning.resume import Watch, is_restored, tell
from rla_hooks.integrations._lightning.trainer import add_hyper_params, share

from rla_hooks import hooks
from rla_hooks.endings import FAILED
from rla_hooks.hooks import Argument, Handle, OwnRun, Run, WarnOnce
from rla_hooks.writers.base import Graph

Logger: Any = object  # in place of Lightning's: no framework is imported here


# What needs no run that has started: closing one that nothing was written to must not start it.
_OF_A_PLANNED_RUN = {"close", "flush", "get_logdir", "log_dir", "logdir", "name", "paths", "status", "task_name"}


class Experiment:
    """``logger.experiment``: a proxy for the run, which starts when one of its attributes is first used."""

    def __init__(self, handle: Handle):
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(self._handle.resolve(), name):  # hasattr() starts no run
            raise AttributeError(f"the run has no {name!r}")
        return getattr(self._handle.resolve() if name in _OF_A_PLANNED_RUN else self._handle.ensure_started(), name)

    def __enter__(self) -> Experiment:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Experiment({self._handle.resolve()!r})"


class LoggerHooks(Logger):
    """Writes what a Trainer (or Fabric) logs to a run.

    It joins the run that is open, such as that of ``@rla.track``; if there is none, it creates one when something is
    first logged, which ends with the process. These arguments are for a run that it creates: ``task``, ``config`` (the
    path of an rla_config.yaml), ``log_root``, ``record`` (hyper-parameters that become part of the run's name, with
    their values), ``writers`` (of csv, tensorboard, log, stdout), ``backup`` (source, lib or none), and all further
    options of ``rla.run``; most of them are written out below, since LightningCLI knows no others. ``prefix`` is put
    before every metric; ``log_graph`` writes the module's graph to TensorBoard once, if the module has an
    ``example_input_array``.
    """

    _rank_zero_only: Any  # Lightning's decorator, which knows the rank
    _watch_class: Any  # a Watch that is a Callback
    _callback_class: Any  # RLACallback

    def __init__(
        self,
        task: str | None = None,
        config: str | None = None,
        log_root: str | None = None,
        record: dict[str, Any] | None = None,
        writers: list[Any] | None = None,
        backup: str | None = None,
        prefix: str | None = None,
        log_graph: bool = False,
        tags: list[str] | None = None,
        note: str | None = None,
        title: str | None = None,
        group: str | None = None,
        independent: bool = False,
        resume: Any = None,
        allow: list[str] | None = None,
        same_code: bool = False,
        from_start: bool = False,
        system_metrics: float | None = None,
        **options: Any,
    ):
        super().__init__()
        of_run = options | {"task": task, "config": config, "log_root": log_root, "record": record, "writers": writers}
        of_run |= {"backup": backup, "tags": tags, "note": note, "title": title, "group": group, "resume": resume}
        of_run |= {"allow": allow, "same_code": same_code or None, "from_start": from_start or None}
        of_run |= {"independent": independent or None}
        own = OwnRun("RLALogger", "lightning", **of_run, system_metrics=system_metrics)
        hooks.check_arguments("RLALogger", (), {"prefix": Argument(prefix), "log_graph": Argument(log_graph)}, own)
        self._prefix = f"{prefix}-" if prefix else ""  # with a dash, as in Lightning's own loggers
        self._graph_wanted = log_graph
        self._shared = False  # whether all ranks know the run
        self._module: weakref.ref[Any] | None = None
        self._warn = WarnOnce()
        self.listing = Listing()
        self._is_known = False  # whether Lightning has asked for the experiment
        self._goes_on = False  # whether the run is to know yet what the present fit goes on from
        self.handle = hooks.attach_or_plan(own)
        self._experiment = Experiment(self.handle)
        self.handle.resolve().quiet_stdout()

    # --- where ----------------------------------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """The run, started. On ranks that do not write, it accepts every call and writes nothing."""
        return self.handle.ensure_started()

    @property
    def name(self) -> str:
        """The run's task."""
        return str(self.handle.resolve().task_name)

    @property
    def version(self) -> str:  # like the folders below, None where nothing is tracked, or the rank does not know yet
        """The folder of the run's checkpoints.

        Lightning's default ModelCheckpoint joins save_dir, name, version and "checkpoints"; since this is an absolute
        path, the join lands in the run's checkpoint folder (2.x, ``__resolve_ckpt_dir``).
        """
        return str(self.handle.resolve().checkpoint_dir or "")

    @property
    def save_dir(self) -> str | None:
        """The run's log folder, which is also what ``trainer.log_dir`` gives: one for each run, so nothing collides."""
        folder = self.handle.resolve().log_dir
        return str(folder) if folder else None

    log_dir = save_dir

    @property
    def root_dir(self) -> str | None:
        """The log root."""
        paths = self.handle.resolve().paths
        return str(paths.log_root) if paths else None

    def get_experiment(self) -> Experiment:
        """Lightning calls this twice in every fit, test and predict; so nothing is created here.

        The first time is before callbacks are set up, of which one saves LightningCLI's config.
        """
        folder = None if self._is_known else self.handle.resolve().log_dir
        if folder is not None:
            self._is_known = True
            cli_config.keep_aside(folder)
        return self._experiment

    # --- what -----------------------------------------------------------------------------------------------------

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log a row. Every row is kept: steps may repeat and go back. Without a step, it is the last one plus one.

        Values in nested dicts become ``<key>/<inner key>``, as by TensorBoard's ``add_scalars``.
        """
        if self._rank_zero_only.rank:  # in place of the decorator, which takes as long as the rest of this method
            return
        # The mapping is other loggers' too.
        values = {f"{self._prefix}{key}": value for key, value in metrics.items()} if self._prefix else dict(metrics)
        run = self.handle.ensure_started()
        module = self._module() if self._module else None
        trainer = getattr(module, "_trainer", None)
        if trainer is not None:
            if "epoch" not in values:  # a Trainer gives it with the metrics of a training step
                values["epoch"] = trainer.current_epoch
            stage = trainer.state.stage
            if stage is not None and "stage" not in values:
                values["stage"] = stage._value_  # as value, which goes through two functions of the enum module
            if self._goes_on or self.listing.saved:
                self._log_at_checkpoint(run, trainer, values, step, is_result="epoch" in metrics)
                return
        run.logger.log(values, step)

    def _log_at_checkpoint(
        self, run: Run, trainer: Any, values: dict[str, Any], step: int | None, is_result: bool
    ) -> None:
        """Log a row that may be the first one after a checkpoint was loaded, or the last one of one that was saved."""
        if self._goes_on and is_restored(trainer):  # another callback logs before the one that tells the run
            self._goes_on = False
            tell(run, trainer)
        self.listing.before_row(trainer)
        run.logger.log(values, step)
        if is_result or not trainer.validating:  # not after each batch of a validation
            self.listing.settle(trainer)

    def log_hyperparams(
        self,
        params: Mapping[str, Any] | argparse.Namespace | None = None,
        metrics: Mapping[str, Any] | float | None = None,
        step: int | None = None,
    ) -> None:
        """Add hyper-parameters to the run's, also in several calls. ``metrics`` are logged as a row."""
        fields = hooks.config_fields(params)
        if fields is not None:  # a run that has not started yet takes them along when it does
            add_hyper_params(self.handle.resolve(), dict(fields))
        elif params is not None:
            self._warn(
                "hyperparameters",
                f"log_hyperparams got a {type(params).__name__}; it was left out. Allowed: a mapping, a Namespace or a "
                "dataclass.",
            )
        if metrics is not None:
            self.log_metrics(metrics if isinstance(metrics, Mapping) else {"hp_metric": metrics}, step)

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Lightning calls this in each fit, validate, test and predict, on all ranks. The Trainer is known here first.

        For predict alone, no run is created.
        """
        self._module = weakref.ref(model)
        trainer = getattr(model, "_trainer", None)
        if trainer is not None:
            self.handle.resolve().quiet_stdout()  # for the progress bar
            if trainer.world_size > 1 and not self._shared:
                self._shared = True  # once: a call of the user's own may come from one rank only
                share(self.handle.resolve(), trainer)
            self._watch(trainer)
            if not trainer.is_global_zero:
                return
            if trainer.loggers.count(self) > 1:  # given twice, it would get every row twice
                trainer.loggers = list(dict.fromkeys(trainer.loggers))
            if str(getattr(trainer.state.fn, "value", "")) == "predict":
                return
        run = self.run
        if self._graph_wanted:
            self._graph_wanted = False
            self._add_graph(run, model, input_array)

    def _watch(self, trainer: Any) -> None:
        """See to it that the run knows what a fit goes on from, also without an RLACallback."""
        self._goes_on = bool(trainer.ckpt_path) and trainer.state.fn == "fit"
        tells = (Watch, self._callback_class)
        if self._goes_on and not any(isinstance(each, tells) for each in trainer.callbacks):
            trainer.callbacks = [*trainer.callbacks, self._watch_class(self)]  # the list itself is the user's

    def _add_graph(self, run: Run, model: Any, example: Any) -> None:
        """Write the graph that torch traces with ``example``, else with the module's ``example_input_array``."""
        try:
            if example is None:
                example = getattr(model, "example_input_array", None)
            if example is None:
                self._warn("graph", "log_graph=True needs an example_input_array of the module; no graph was written.")
                return
            from torch.utils.tensorboard import _pytorch_graph

            trace: Any = _pytorch_graph.graph  # has no types
            definition, _ = trace(model, model._apply_batch_transfer_handler(example))
            graph = Graph(definition.SerializeToString())
        except Exception as error:  # of the user's forward, which may raise anything
            self._warn("graph", f"the graph was not written: {type(error).__name__}: {error}")
            return
        run.logger.write_media("graph", graph, 0)

    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Save images (arrays, tensors or figures) in results/ and show them in TensorBoard. Several are numbered."""
        images = images if isinstance(images, (list, tuple)) else [images]
        for index, image in enumerate(images):
            name = f"{self._prefix}{key}" if len(images) == 1 else f"{self._prefix}{key}_{index}"
            self.run.save_figure(name, image, step)

    # --- end ------------------------------------------------------------------------------------------------------

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """List what a ModelCheckpoint has just saved, if it is in the run's checkpoint folder."""
        if not isinstance(checkpoint_callback, self._callback_class):  # RLACallback does so by itself
            module = self._module() if self._module else None
            trainer = getattr(module, "_trainer", None)
            self.listing.add(checkpoint_callback, self.handle.resolve(), trainer, wait=False)

    def finalize(self, status: str) -> None:
        """Pause the run at the end of a fit, validate, test or predict; report the failure of one.

        Lightning calls this with "failed" inside its except block, where the true exception is known, and on all ranks:
        one may have failed while the rank that writes hangs in a collective call.
        """
        self.listing.close()
        run, error = self.handle.resolve(), sys.exc_info()[1]
        if status == "failed":
            run.report(FAILED if error is None else hooks.ending_of(error), error)
        run.forget_deleted_checkpoints()  # a ModelCheckpoint tells what it saves, not what it deletes
        run.flush()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_module": None}
