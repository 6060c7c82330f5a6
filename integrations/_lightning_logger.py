"""What Lightning asks of a logger, said in the words of a run. No framework is imported here.

``pytorch_lightning.py`` and ``lightning_pytorch.py`` join this with the ``Logger`` of their namespace.
"""

from __future__ import annotations

import argparse
import sys
import weakref
from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations import _runs

from rla_hooks import Run
from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.parameters import config_fields
from rla_hooks.record import FAILED, ending_of
from rla_hooks.writers.base import Graph

_JOIN = "-"  # between prefix and key, as in Lightning's own loggers


class Experiment:
    """``logger.experiment``: the run. It starts with the first use of one of its attributes, not with a look at it."""

    def __init__(self, logger: LoggerHooks):
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(self._logger._run, name):  # a mere question does not start the run
            raise AttributeError(f"the run has no {name!r}")
        return getattr(self._logger.run, name)

    def __repr__(self) -> str:
        return f"Experiment({self._logger._run!r})"


class LoggerHooks:
    """Writes what a Trainer (or Fabric) logs into a run.

    Inside ``@rla.track`` or an open Run it joins that run; alone it makes its own at first real use, which ends
    with the process. The arguments are for a run of its own: ``task``, ``config`` (path of an rla_config.yaml),
    ``log_root``, ``record`` (hyper-parameters that stand in the run's name, with their values), ``writers`` (of csv,
    tensorboard, log, stdout) and ``backup`` (source, lib or none). ``prefix`` is put before every metric;
    ``log_graph`` writes the module's graph to TensorBoard once, if it has an ``example_input_array``.
    """

    def __init__(
        self,
        task: str | None = None,
        config: str | None = None,
        log_root: str | None = None,
        record: dict[str, Any] | None = None,
        writers: list[str] | None = None,
        backup: str | None = None,
        prefix: str | None = None,
        log_graph: bool = False,
        **unknown: Any,
    ):
        super().__init__()
        if unknown:
            known = ["task", "config", "log_root", "record", "writers", "backup", "prefix", "log_graph"]
            raise ConfigError(
                f"RLALogger got {key!r}. Known: {', '.join(known)}.{did_you_mean(key, known)}" for key in unknown
            )
        self._prefix = prefix or ""
        self._log_graph = log_graph
        self._graph_done = False
        self._shared = False  # whether all ranks know the run
        self._module: weakref.ref[Any] | None = None
        self._warn = WarnOnce()
        self._chosen = _runs.join_or_plan(
            task="lightning" if task is None else task,
            config=config,
            log_root=log_root,
            record=record,
            writers=writers,
            backup=backup,
        )

    # --- where ----------------------------------------------------------------------------------------------------

    @property
    def _run(self) -> Run:
        """The run, started or not. One that the user opens before this logger is used takes the place of its own."""
        self._chosen = _runs.settled(self._chosen)
        return self._chosen

    @property
    def run(self) -> Run:
        """The run, started. On ranks that do not write it takes everything and writes nothing."""
        return _runs.started(self._run)

    @property
    def name(self) -> str:
        """The run's task."""
        return str(self._run.task_name)

    @property
    def version(self) -> str:  # like the folders below, None where nothing is tracked, or the rank does not know yet
        """The folder of the run's checkpoints.

        Lightning's default ModelCheckpoint joins save_dir, name, version and "checkpoints"; since this is an absolute
        path, the join lands in the run's checkpoint folder (2.x, ``__resolve_ckpt_dir``).
        """
        return str(self._run.checkpoint_dir or "")

    @property
    def save_dir(self) -> str | None:
        """The run's log folder, which is also what ``trainer.log_dir`` gives: one for each run, so nothing collides."""
        return str(self._run.log_dir) if self._run.log_dir else None

    @property
    def log_dir(self) -> str | None:
        return self.save_dir

    @property
    def root_dir(self) -> str | None:
        """The log root."""
        return str(self._run.paths.log_root) if self._run.paths else None

    def _experiment(self) -> Experiment:
        """Evaluated twice in every fit, test and predict; so nothing is made here."""
        return Experiment(self)

    # --- what -----------------------------------------------------------------------------------------------------

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write a row. Every row is kept: steps may repeat and go back. Without a step it is one after the last.

        Values in nested dicts become ``<key>/<inner key>``, as by TensorBoard's ``add_scalars``.
        """
        # The mapping is other loggers' too.
        values = {self._key(key): value for key, value in metrics.items()} if self._prefix else dict(metrics)
        if dict in map(type, values.values()):
            values = _runs.flat(values)
        module = self._module() if self._module else None
        trainer = getattr(module, "_trainer", None)
        if trainer is not None:
            if "epoch" not in values:
                values["epoch"] = trainer.current_epoch
            stage = trainer.state.stage
            if stage is not None:
                values.setdefault("stage", str(stage.value))
        run = self._chosen
        (run if run.is_writing else self.run).log(values, step)

    def _key(self, key: Any) -> str:
        return f"{self._prefix}{_JOIN}{key}" if self._prefix else str(key)

    def log_hyperparams(
        self,
        params: Mapping[str, Any] | argparse.Namespace | None = None,
        metrics: Mapping[str, Any] | float | None = None,
        step: int | None = None,
    ) -> None:
        """Add hyper-parameters to the run's; those of a second call join them. ``metrics`` are logged as a row."""
        fields = config_fields(params)
        if fields is not None:
            _runs.add_hyper_params(
                self._run, dict(fields)
            )  # a run that has not started yet takes them along when it does
        elif params is not None:
            self._warn(
                "hyperparameters",
                f"log_hyperparams got a {type(params).__name__}; it was left out. Allowed: a mapping, a Namespace or a "
                "dataclass.",
            )
        if metrics is not None:
            self.log_metrics(metrics if isinstance(metrics, Mapping) else {"hp_metric": metrics}, step)

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Called once for each fit, validate, test and predict, on all ranks: here the Trainer is known first.

        A predict-only Trainer makes no run of its own.
        """
        self._module = weakref.ref(model)
        trainer = getattr(model, "_trainer", None)
        if trainer is not None and trainer.world_size > 1 and not self._shared:
            self._shared = True  # once: a call of the user's own may come from one rank only
            _runs.share(self._run, trainer)
        if trainer is not None and not trainer.is_global_zero:
            return
        if trainer is not None and trainer.loggers.count(self) > 1:  # given twice, it would get every row twice
            trainer.loggers = list(dict.fromkeys(trainer.loggers))
        if trainer is None or str(getattr(trainer.state.fn, "value", "")) != "predict":
            run = self.run
            if self._log_graph and not self._graph_done:
                self._graph_done = True
                self._add_graph(run, model, input_array)

    def _add_graph(self, run: Run, model: Any, input_array: Any) -> None:
        array = getattr(model, "example_input_array", None) if input_array is None else input_array
        if array is None:
            self._warn("graph", "log_graph=True needs an example_input_array of the module; no graph was written.")
            return
        try:
            from torch.utils.tensorboard._pytorch_graph import graph

            definition, _ = graph(model, model._apply_batch_transfer_handler(array))
        except Exception as error:  # tracing runs the user's forward
            self._warn("graph", f"the graph was not written: {type(error).__name__}: {error}")
            return
        run.logger.write_media("graph", Graph(definition.SerializeToString()), 0)

    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Save images (arrays, tensors or figures) under results/ and in TensorBoard. Several are numbered."""
        images = images if isinstance(images, (list, tuple)) else [images]
        for index, image in enumerate(images):
            name = self._key(key) if len(images) == 1 else f"{self._key(key)}_{index}"
            self.run.save_figure(name, image, step)

    # --- end ------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Called after every row; they are with the operating system already."""

    def finalize(self, status: str) -> None:
        """The end of a fit, validate, test or predict, which is a pause of the run; or the failure of one.

        Lightning says "failed" inside its except block, where the true reason can be seen; on all ranks, of which one
        may have failed while the one that writes hangs in a collective call.
        """
        error = sys.exc_info()[1]
        if status == "failed":
            self._run.report(FAILED if error is None else ending_of(error), error)
        self._run.forget_deleted_checkpoints()  # a ModelCheckpoint tells what it saves, not what it deletes
        self._run.flush()

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """List what a ModelCheckpoint has just saved, if it lies in the run's checkpoint folder."""
        _runs.list_checkpoint(self._run, checkpoint_callback)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_module": None}
