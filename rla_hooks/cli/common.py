"""What the commands share: the app that they join, and their common options.

A command is a function with ``@app.command("name")`` in a module of this folder, and a line for it in ``COMMANDS`` in
:mod:`rla_hooks.cli.commands`. Its module is imported only when the command is called, and what is slow to import (rich,
numpy, ...) only inside of functions. The docstring is the help; its paragraphs that are indented, such as examples, are
shown as they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from rla_hooks._version import __version__
from rla_hooks.cli import completion
from rla_hooks.cli.commands import Commands
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.texts import shell_path

# Plain help: it takes half of the time of rich's, and reads as well in a pipe and on a terminal of ASCII. And plain
# tracebacks of our own mistakes: typer's may show the values of variables.
app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Commands.registered = app.registered_commands


_REMOTE = r"(ssh|sftp|ftps?|s3|gs|file):/"  # a URL, of which a path keeps one slash
_OF_REMOTES = ("runs", "ls")
_ARCHIVED = "rla_hooks.archived"  # in the context of a command: whether it is asked for archived runs


class NotWritten(RLAError):
    """A file that cannot be written: the exit code is 1, as for an output that cannot."""


def text_of_os_error(error: OSError) -> str:
    """Say what a system call complains of: which file, and why."""
    if isinstance(error.filename, (str, os.PathLike)):
        return f"{shell_path(error.filename)}: {error.strerror or error}"
    try:
        os.getcwd()
    except OSError:
        return "the working directory is gone. Change to one that exists"
    return error.strerror or str(error)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rla_hooks {__version__}")
        raise typer.Exit


@app.callback()
def _rla(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find, compare and watch the runs of a log root.

    A run is named by its id or the first letters of it, its name or a part of it, its time, latest, latest~2 (the last
    but two), or the path of its folder.
    """


def _log_root(context: typer.Context, folder: Path | None) -> Path | None:
    """Expand ~, which shells do not do in --log-root=~/logs; with --archived return the log root of archived runs."""
    folder = folder.expanduser() if folder and folder.parts[:1] == ("~",) else folder
    if folder is not None and (re.match(_REMOTE, str(folder)) or _is_named(folder)):
        return _mirror(context, str(folder))
    return completion.archived_root(folder) if context.meta.get(_ARCHIVED) else folder


def _is_named(folder: Path) -> bool:
    """Whether what is given in place of a log root is the name of a remote."""
    if len(folder.parts) != 1 or folder.exists():
        return False
    from rla_hooks.config.reading import log_root_of
    from rla_hooks.remote.named import is_remote

    return is_remote(str(folder), log_root_of(None))


def _mirror(context: typer.Context, text: str) -> Path:
    """Return a log root with the small files of a remote's runs; only lists of runs need no more."""
    from rla_hooks.cli.nothing import call_it
    from rla_hooks.config.reading import log_root_of
    from rla_hooks.remote.listing import mirror
    from rla_hooks.remote.named import resolve
    from rla_hooks.remote.opening import open_remote

    address = resolve(text, log_root_of(None))
    if context.info_name not in _OF_REMOTES:
        raise ConfigError(
            f"--log-root is {address}, and rla {context.info_name} needs the files of runs here. Fetch them: "
            f"rla pull {address}. Lists of runs there: rla runs --log-root {address}"
        )
    return call_it(mirror(open_remote(address)), str(address))


def _note_archived(context: typer.Context, wanted: bool) -> bool:
    context.meta[_ARCHIVED] = wanted
    return wanted


def names_in(texts: Iterable[str | None]) -> list[str]:
    """Return the names in texts that have commas between them, as ``--sort`` reads them: ``a,b`` stands in backquotes.

    >>> names_in(["lr, perf/return", "`a,b`", None, "last.`a``b`"])
    ['lr', 'perf/return', 'a,b', 'last.a`b']
    """
    from rla_hooks.query.sorting import split_names, unquoted  # late: it needs the query

    return list(dict.fromkeys(unquoted(part) for text in texts if text for part in split_names(text) if part))


LogRoot = Annotated[
    Path | None,
    typer.Option(
        "--log-root",
        metavar="FOLDER",
        callback=_log_root,
        help="The log root; by default that of the config found from here.",
    ),
]
# Eager: it must be known when --log-root is read, wherever it stands.
Archived = Annotated[
    bool,
    typer.Option(
        "--archived", is_eager=True, callback=_note_archived, help="Look at the archived runs: see rla archive."
    ),
]
Task = Annotated[
    str | None,
    typer.Option("--task", metavar="TASK", autocompletion=completion.tasks, help="Only runs of this task."),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only runs for which this holds, such as \"lr < 1e-3 and status == 'finished'\"; see docs/query.md.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("-n", "--limit", metavar="N", min=1, help="Only the newest N of the chosen runs.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "-c",
        "--columns",
        metavar="NAMES",
        autocompletion=completion.metrics,
        help="Only these metrics, with commas between them.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAMES",
        autocompletion=completion.columns,
        help="The parameters that tell groups apart, with commas; by default all that differ but seeds.",
    ),
]
Every = Annotated[
    float,
    typer.Option("--every", "--interval", metavar="SECONDS", min=0.05, max=86_400, help="How often to look again."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PrintOnly = Annotated[bool, typer.Option("--print", help="Print the command that does it, and end.")]
ProgramArguments = Annotated[
    list[str] | None, typer.Argument(metavar="ARGUMENT", help="Behind --: further arguments of the program.")
]

_RUN = "Id, part of the name, time, latest, latest~2, or path"
Run = Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.runs, help=f"{_RUN}.")]
LatestRun = Annotated[
    str | None, typer.Argument(metavar="RUN", autocompletion=completion.runs, help=f"{_RUN}; by default the latest.")
]
EachRun = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", autocompletion=completion.runs, help=f"{_RUN}, of each of the runs."),
]
