"""RLATracker for Accelerator.

from rla_hooks.integrations.accelerate import RLATracker

accelerator = Accelerator(log_with=RLATracker())
accelerator.init_trackers("project", config={"lr": 0.1})
accelerator.log({"loss": 0.5}, step=0)
accelerator.end_training()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations import _versions

_versions.check("accelerate", (1, 0), "pip install 'rla-hooks[accelerate]'")  # before the import, which says less

# ruff: noqa: E402
from accelerate import PartialState
from accelerate.tracking import GeneralTracker

from rla_hooks import hooks
from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Handle, OwnRun, Run, WarnOnce

__all__ = ["RLATracker"]


class RLATracker(GeneralTracker):
    """Records what an Accelerator logs in the open run; if there is none, in a new one.

    project_name: the task of a new run, unless ``task`` is given; accelerate gives it to trackers that are asked for by
    their name. options: those of ``rla.run``; but ``record`` is a mapping of names and values. Only the main process
    writes. ``end_training`` ends a run of the tracker's own. Raises ConfigError with all mistakes.
    """

    name = "rla_hooks"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, project_name: str | None = None, **options: Any):
        super().__init__()
        if options.get("task") is None and project_name is not None:
            options["task"] = project_name
        own = OwnRun("RLATracker", "accelerate", **options)
        hooks.check_arguments("RLATracker", (), {}, own)
        self._planned = hooks.attach_or_plan(own)
        run = self._planned.resolve()
        if run.made_by_hook:
            run.quiet_stdout()  # scripts have progress bars
        self._warn = WarnOnce()

    @property
    def tracker(self) -> Run:
        """The run: what ``accelerator.get_tracker("rla_hooks", unwrap=True)`` gives."""
        return self._find().resolve()

    def _find(self) -> Handle:
        """Return the run that the user has open, else the tracker's own."""
        run = hooks.open_run()
        return self._planned if run is None else Handle(run)

    def _started(self) -> Run | None:
        """The run, started if it was only planned; None on all processes but the main one."""
        return self._find().ensure_started() if PartialState().is_main_process else None

    def start(self) -> None:
        """Start the run. ``init_trackers`` calls it, if accelerate is new enough; else the first call starts it."""
        self._started()

    def store_init_configuration(self, values: Any) -> None:
        """Add the config of ``init_trackers``, a mapping, dataclass or namespace, to the hyper-parameters."""
        run = self._started()
        if run is not None:
            run.add_hyper_params(dict(hooks.config_fields(values) or ()))

    def log(self, values: Mapping[str, Any], step: int | None = None, wait: bool | None = None, **unknown: Any) -> None:
        """Log a row; nested mappings become names with slashes. wait: as in ``rla.log``.

        Other keyword arguments, which ``log_kwargs`` has for this tracker, give one warning.
        """
        for name in unknown:
            self._warn(name, f"RLATracker.log knows no argument {name!r}. Known: values, step, wait. It is left out.")
        run = self._started()
        if run is not None:
            run.log(hooks.flat(values), step, wait=wait)

    def log_images(self, values: Mapping[str, Any], step: int | None = None, **unknown: Any) -> None:
        """Save images under the run's results, and show them in TensorBoard.

        values: by name an array of images (N, H, W, C), or a list of arrays or PIL images. Of several images of a name
        the files are numbered.
        """
        run = self._started()
        if run is None:
            return
        for name, images in values.items():
            try:
                several = [*images]
            except TypeError:  # a single picture of PIL
                several = [images]
            for number, image in enumerate(several):
                run.save_figure(name if len(several) == 1 else f"{name}/{number}", image, step)

    def finish(self) -> None:
        """End a run of the tracker's own; one that the user has open goes on."""
        run = self._find().run
        if run is None or not PartialState().is_main_process:
            return
        if run.made_by_hook:
            run.finish()
        else:
            run.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "on_init_end":  # a Trainer calls it first
            raise ConfigError(
                "RLATracker is made for Accelerator(log_with=...). For a Trainer of transformers write: from "
                "rla_hooks.integrations.transformers import RLACallback"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
