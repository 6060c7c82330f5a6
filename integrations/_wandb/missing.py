"""What rla_hooks has no place for: each says once what to use, takes every call, and stops no script."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.hooks import open_run

told = WarnOnce()  # of this process


class Nothing:
    """Takes every call and gives nothing: empty, false, and each of its attributes is itself.

    >>> nothing = Nothing()
    >>> bool(nothing.runs("entity/project")), [*nothing.files()], f"{nothing.name}"
    (False, [], '')
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Nothing:
        return self

    def __getitem__(self, key: Any) -> Nothing:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        pass

    def __fspath__(self) -> str:
        return ""

    def __str__(self) -> str:
        return ""


class Artifact(Nothing):
    """Keeps nothing, and says so once."""

    def __init__(self, name: str = "", type: str = "", *args: Any, **kwargs: Any):
        tell_artifact()
        self.name, self.type = name, type
        self.metadata: Any = kwargs.get("metadata") or {}

    def download(self, root: Any = None, *args: Any, **kwargs: Any) -> str:
        """Return the folder of the run's files, in which nothing of it is."""
        run = open_run()
        return str(root or (run.results_dir if run is not None else None) or ".")

    def __str__(self) -> str:
        return str(self.name)


def tell_artifact(*args: Any, **kwargs: Any) -> None:
    told(
        "artifact",
        "wandb.Artifact: rla_hooks keeps no artifacts. Save a model by rla.save_checkpoint({'policy': policy}), a file "
        "by wandb.save(path), a table by wandb.log. The run's code is kept as it is.",
    )


class Api(Nothing):
    """Reads nothing, and says once how saved runs are read."""

    def __init__(self, *args: Any, **kwargs: Any):
        told("api", "wandb.Api: there is no server. Read saved runs by rla.runs(task='my_project'): docs/query.md.")


class AlertLevel(enum.Enum):
    """How urgent an alert is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def tell_monitor(*args: Any, **kwargs: Any) -> None:
    told(
        "monitor_gym",
        "wandb.init: monitor_gym=True records no videos. Use track_episodes(env, video=...) of "
        "rla_hooks.integrations.gymnasium, or wandb.log({'video': wandb.Video(path)}).",
    )


# --- sweeps ---------------------------------------------------------------------------------------------------------

_sweeps: dict[str, dict[str, Any]] = {}  # the first value of each parameter, by the sweep's id
_present: dict[str, Any] = {}  # of the sweep whose function runs


def sweep(sweep: Any, entity: str | None = None, project: str | None = None, *args: Any, **kwargs: Any) -> str:
    """Return a name for :func:`agent`."""
    _tell_sweep()
    name = f"sweep-{len(_sweeps) + 1}"
    parameters = sweep.get("parameters") if isinstance(sweep, Mapping) else None
    found = {key: _first_value(each) for key, each in (parameters or {}).items() if isinstance(each, Mapping)}
    _sweeps[name] = {key: value for key, value in found.items() if value is not None}
    return name


def agent(sweep_id: str, function: Callable[[], Any] | None = None, *args: Any, **kwargs: Any) -> None:
    """Call the function once, with the first value of each parameter of the sweep."""
    _tell_sweep()
    if function is None:
        return
    _present.update(_sweeps.get(sweep_id, {}))
    try:
        function()
    finally:
        _present.clear()


def controller(*args: Any, **kwargs: Any) -> Nothing:
    """Control nothing, and say so once."""
    _tell_sweep()
    return Nothing()


def sweep_values() -> dict[str, Any]:
    """Return the values that a sweep gives to the run that starts now."""
    return dict(_present)


def _tell_sweep() -> None:
    told(
        "sweep",
        "wandb.sweep: wandb.agent calls its function once, with the first value of each parameter. For all of them use "
        "rla.sweep(function, {'lr': [0.1, 0.2]}), with search='random' or a study of Optuna: docs/sweep.md.",
    )


def _first_value(parameter: Mapping[str, Any]) -> Any:
    """Return the first value that a parameter of a sweep may have; the middle of a range."""
    if "value" in parameter:
        return parameter["value"]
    if parameter.get("values"):
        return parameter["values"][0]
    if isinstance(parameter.get("parameters"), Mapping):  # nested
        return {key: _first_value(each) for key, each in parameter["parameters"].items()}
    low, high = parameter.get("min"), parameter.get("max")
    if low is None or high is None:
        return parameter.get("mu")
    is_whole = isinstance(low, int) and isinstance(high, int)
    middle = (low * high) ** 0.5 if "log" in str(parameter.get("distribution")) and low > 0 else (low + high) / 2
    return round(middle) if is_whole else middle


forget_state = told.forget_all  # between two tests
