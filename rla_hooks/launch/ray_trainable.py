"""A tracked function as a trainable of Ray Tune: its runs are written where it trains."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune
from ray.tune.trainable.function_trainable import wrap_function

from rla_hooks import config
from rla_hooks.calls import is_coroutine
from rla_hooks.command import command_line
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.errors import ConfigError
from rla_hooks.launch.existing import going_on
from rla_hooks.launch.reporting import OBJECTIVE
from rla_hooks.texts import shown


def log_root_of(trial: Any) -> str | None:
    """Return where the runs of a trial are that a tracked function writes; None of any other trainable."""
    return getattr(trial.get_trainable_cls(), "rla_log_root", None)


def trainable(main: Callable[..., Any]) -> Any:
    """Return a trainable for a Tuner that calls a tracked function with the config of each trial.

    Each trial is a run, which is written where the function trains, into the log root that the function has here: all
    nodes of a cluster must see it. Its group is the name of the experiment, its title that of the trial. What the
    function gives to ``rla.report`` Tune gets as the metric ``objective``, and so what it returns, if that is a number;
    it may call ``tune.report`` as well. A trial that is tried again goes on in its run: from its newest checkpoint, or
    as ``tune.get_checkpoint`` says. Raises ConfigError for what is no tracked function.

        tuner = tune.Tuner(trainable(main), param_space={"lr": tune.loguniform(1e-5, 1e-2)})
    """
    swept = getattr(main, "swept", None)
    name = getattr(main, "__qualname__", shown(main, 100))
    if swept is None or swept.parameters.has_receiver or is_coroutine(swept.function):
        raise ConfigError(f"trainable got {name}. Allowed: a function, no method, with @rla.track above its def.")
    here = config.load(swept.where[0], log_root=swept.where[1])  # Tune changes the folder in which trials run
    member = SweepMember(
        "",
        0,
        "",
        here.log_root,
        config=str(here.source) if here.source else None,
        command=command_line(),
        folder=os.getcwd(),
        quiet=True,
    )

    def train(config: dict[str, Any]) -> Any:
        return _call(main, member, config)

    train.__name__ = train.__qualname__ = main.__name__
    made: Any = wrap_function(train)
    made.__name__ = made.__qualname__ = main.__name__  # that of the trials
    made.rla_log_root = str(here.log_root)
    return made


def _call(main: Any, member: SweepMember, values: dict[str, Any]) -> dict[str, Any] | None:
    """Call the function as the present trial."""
    swept, context = main.swept, tune.get_context()
    name, folder = context.get_trial_name(), os.path.basename(os.fspath(context.get_trial_dir()))
    number = re.match(r"_(\d+)", folder.removeprefix(name))
    experiment = context.get_experiment_name()
    member = member.replaced(id=experiment, index=int(number[1]) if number else 0, group=experiment, title=name)
    reports = _Reports()
    member = going_on(member.replaced(report=reports))
    if member.resume is not None and tune.get_checkpoint() is not None:
        member = member.replaced(from_start=False, keeps_rows=True)
    args, kwargs = swept.parameters.as_call(values)
    block = swept.block(tuple(args), kwargs, member)
    value = None
    with block, reports.until_stopped():
        value = block.keep_result(swept.function(*args, **kwargs))
    if reports.stopped is not None:
        raise reports.stopped
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {OBJECTIVE: value} if is_number and value != reports.last else None


class _Reports:
    """Takes what the function gives to rla.report, for Tune, which may end the trial there: by a SystemExit."""

    last: float | None = None
    stopped: SystemExit | None = None

    def __call__(self, value: float, step: int) -> None:
        self.last = float(value)
        try:
            tune.report({OBJECTIVE: self.last, "step": step})
        except SystemExit as stopped:
            self.stopped = stopped
            raise

    @contextmanager
    def until_stopped(self) -> Iterator[None]:
        """Let a trial that Tune ends be one that has ended well; whether it was pruned, the Tuner knows."""
        try:
            yield
        except SystemExit as error:
            if error is not self.stopped:
                raise
