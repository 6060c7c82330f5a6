"""``rla show``: one run."""

from __future__ import annotations

from rla_hooks.cli.choose import choose
from rla_hooks.cli.common import LatestRun, LogRoot, Task, Where, app


@app.command("show")
def show(run: LatestRun = None, log_root: LogRoot = None, task: Task = None, where: Where = None) -> None:
    """Show the folders of a run, by default of the newest one.

    Examples:

        rla show
        rla show 21-28-12
    """
    from rla_hooks.cli.folders import print_run

    print_run(choose(run, log_root, where, task).paths)
