"""``rla show``: one run."""

from __future__ import annotations

from typing import Annotated

import typer

from rla_hooks.cli.common import LogRoot, app
from rla_hooks.cli.folders import print_run
from rla_hooks.cli.listing import no_runs
from rla_hooks.errors import RLAError
from rla_hooks.query import runs


@app.command("show")
def show(run: Annotated[str, typer.Argument(help="A part of the run's name.")] = "", log_root: LogRoot = None) -> None:
    """Show the folders of a run, the newest one unless a part of another's name is given."""
    found = runs(log_root)
    if not found:
        raise RLAError(no_runs(log_root))
    matching = [saved for saved in found if run in saved.name]
    if not matching:
        raise RLAError(f"no run has {run!r} in its name. See them all: rla runs")
    print_run(matching[-1].paths)
