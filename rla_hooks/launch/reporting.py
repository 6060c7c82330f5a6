"""``rla.report``: an intermediate value of the setting that runs."""

from __future__ import annotations

from rla_hooks.tester import needed_run

OBJECTIVE = "objective"  # the metric that it logs


def report(value: float, step: int) -> None:
    """Log how good the present run is so far, as the metric ``objective``, and let Optuna stop it early.

    In a sweep with ``search=study`` the study is told the value, too, and where its pruner says that the run is not
    worth going on, this raises ``optuna.TrialPruned``: the run ends as ``pruned``, and the sweep goes on. In any other
    run only the row is logged. Raises RunError outside of a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step in range(3):
    ...         rla.report(10.0 * step, step)
    >>> rla.runs()[-1].last
    {'objective': 20.0}
    """
    run = needed_run("rla.report")
    run.log({OBJECTIVE: value}, step)
    member = run.settings.sweep
    if member is not None and member.report is not None:
        member.report(value, step)
