"""What the commands share: the app that they join, and their common options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the runs of a log root.")
LogRoot = Annotated[Path | None, typer.Option(help="The log root; else that of the config found from here.")]
Task = Annotated[str | None, typer.Option(help="Only runs of this task.")]
