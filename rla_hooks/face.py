"""The functions of ``import rla_hooks as rla`` that call a method of the current run, such as ``rla.log``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from rla_hooks.core import registry
from rla_hooks.core.run import Run
from rla_hooks.core.state_arguments import by_role
from rla_hooks.core.state_loading import State as State
from rla_hooks.core.state_loading import load_outside
from rla_hooks.tester import needed_run

P = ParamSpec("P")
R = TypeVar("R")


def current_run() -> Run | None:
    """Return the run that this code runs in, or None outside one.

    In threads that a training starts, it is the training's run; None there while several runs are open side by side.

    >>> import rla_hooks as rla
    >>> print(rla.current_run())
    None
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.current_run() is run
    True
    """
    run: Run | None = registry.current()
    return run


def is_resumed() -> bool:
    """Return whether the current run goes on from a checkpoint, which ``load_checkpoint`` then gives.

    True in a run that is resumed, or forked from another one; the same on all ranks. False in a new run, outside of a
    run, and with ``RLA_MODE=off``.

    >>> import rla_hooks as rla
    >>> @rla.track(task="demo", writers=["csv"], backup="none")
    ... def main(steps):
    ...     first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
    ...     for step in range(first, steps):
    ...         rla.log({"loss": 1.0 / (step + 1)}, step=step)
    ...         rla.save_checkpoint({"weights": [1.0]}, step=step + 1)
    >>> main(steps=3)
    >>> main.resume(rla.runs()[-1], steps=5, allow=["steps"])
    >>> rla.runs()[-1].metrics()["time-step"].tolist()
    [0, 1, 2, 3, 4]
    """
    run = current_run()
    return run is not None and run.is_resumed


def _of_current(method: Callable[Concatenate[Any, P], R]) -> Callable[P, R]:
    """Return a function that calls this method of the current run. It raises RunError outside of a run."""

    what = f"rla.{method.__name__}"

    @functools.wraps(method)
    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(needed_run(what), *args, **kwargs)

    # The signature without self, should anybody ask for it: inspect takes longer to import than all of this package.
    function.__wrapped__ = functools.partial(method, None)  # type: ignore[attr-defined]
    function.__module__, function.__qualname__ = __name__, method.__name__
    return function


def log(values: Mapping[str, Any], step: int | None = None, *, wait: bool | None = None) -> None:
    needed_run("rla.log").log(values, step, wait=wait)  # written out, since it is called at every step


log.__doc__ = Run.log.__doc__


def load_checkpoint(
    step: int | None = None,
    checkpoint_name: str = "checkpoint",
    objects: Mapping[str, Any] | None = None,
    weights_only: bool = True,
    ckp_index: int | None = None,
    *,
    run: Any = None,
) -> tuple[int, dict[str, Any]]:
    if run is None or registry.current() is not None:
        here = needed_run("rla.load_checkpoint")
        return here.load_checkpoint(step, checkpoint_name, objects, weights_only, ckp_index, run=run)
    from rla_hooks.core import loading

    return loading.load_outside(run, ckp_index if step is None else step, checkpoint_name, objects, weights_only)


load_checkpoint.__doc__ = Run.load_checkpoint.__doc__


def load_state(
    *,
    models: Any = None,
    optimizers: Any = None,
    schedulers: Any = None,
    buffers: Any = None,
    normalizers: Any = None,
    env: Any = None,
    extra: Any = None,
    run: Any = None,
    step: int | None = None,
    partial: bool = False,
) -> State | None:
    given = by_role(models, optimizers, schedulers, buffers, normalizers, env)
    if run is None or registry.current() is not None:
        here = needed_run("rla.load_state")
        return here.load_state(**given, extra=extra, run=run, step=step, partial=partial)
    from rla_hooks.core import loading

    return load_outside(loading.source_of(run), given, extra, step, partial)


load_state.__doc__ = Run.load_state.__doc__
new_saver = _of_current(Run.new_saver)
save_checkpoint = _of_current(Run.save_checkpoint)
save_state = _of_current(Run.save_state)
save_figure = _of_current(Run.save_figure)
simple_plot = _of_current(Run.simple_plot)
simple_scatter = _of_current(Run.simple_scatter)
simple_hist = _of_current(Run.simple_hist)
