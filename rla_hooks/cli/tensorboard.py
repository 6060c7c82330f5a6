"""``rla tb``: TensorBoard over some runs, with short names.

TensorBoard gets a temporary folder of symbolic links, one for each run; nothing is copied. Both of its loaders (of
2.21: the fast one in Rust, and the one in Python) follow links to folders, and go on reading files that grow there.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.common import Archived, Json, Limit, LogRoot, Task, Where, app

if TYPE_CHECKING:
    from rla_hooks.query import Runs, SavedRun

_LONGEST = 200  # bytes of a name: a part of a path has at most 255
_UNSAFE = re.compile(r'[/\\:*?"<>|,\x00-\x1f]')  # in file names, and in --logdir_spec
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
_FIXED = "--logdir", "--logdir_spec"


@app.command("tb", context_settings=_PASSED_ON)
def tensorboard(
    run: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]... [--OPTION]...",
            autocompletion=completion.runs,
            help="Runs, by default the latest; then options of TensorBoard's.",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port of the page; 0 takes a free one.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; by default on this machine only.")] = None,
    show: Annotated[bool, typer.Option("--print", help="Print a command that does it, and end.")] = False,
    where: Where = None,
    limit: Limit = None,
    task: Task = None,
    log_root: LogRoot = None,
    archived: Archived = False,
    as_json: Json = False,
) -> None:
    """Open TensorBoard over exactly these runs, with short names: what they differ in.

    Nothing is copied, and runs that go on are followed. Options that are not of this command are passed on to
    TensorBoard, with all that stands behind them. It ends with Ctrl-C.

    Examples:

        rla tb
        rla tb --where "algo == 'ppo' and lr < 1e-3" --port 6007
        rla tb latest latest~1 --reload_interval 5
    """
    from rla_hooks.cli.objects import print_json
    from rla_hooks.cli.several import several

    texts, options = _split(run or [])
    options += [f"--port={port}"] if port is not None else []
    options += [f"--host={host}"] if host is not None else []
    found = several(texts, log_root, task, where, limit, default=["latest"])
    folders = _folders(found)
    if as_json:
        names = {str(folder): name for name, folder in folders.items()}
        about = ({"name": names.get(str(run.tensorboard_dir)), "id": run.id} for run in found)
        print_json({"command": _command(_spec(folders), options), "runs": list(about)})
    elif show:
        from rla_hooks.texts import shell_path

        print(" ".join(map(shell_path, ["tensorboard", *_spec(folders), *options])))
    else:
        raise typer.Exit(_serve(folders, options))


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split into runs, and what is TensorBoard's: from the first word on that begins as an option does."""
    from rla_hooks.errors import ConfigError

    at = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    for word in words[at:]:
        if word.partition("=")[0] in _FIXED:
            raise ConfigError(
                f"{word.partition('=')[0]} is given, but rla tb chooses the runs. Leave it out, or call tensorboard"
            )
    return list(words[:at]), list(words[at:])


def _folders(found: Runs) -> dict[str, Path]:
    """Return the folder of events of each run that has any, or may get some, by the name that it gets."""
    from rla_hooks.cli.several import short_names
    from rla_hooks.errors import RLAError
    from rla_hooks.life import is_running
    from rla_hooks.texts import counted

    folders: dict[str, Path] = {}
    for run, name in zip(found, short_names(found), strict=True):
        if _has_events(run) or is_running(run.status):
            folders[_free(_short(_UNSAFE.sub("_", name)), folders)] = run.tensorboard_dir
    left = len(found) - len(folders)
    if not folders:
        raise RLAError(
            f"no files of TensorBoard's are in {counted(len(found), 'run')}. They need the writer 'tensorboard': "
            'LOG_USED, or writers=["csv", "tensorboard"]. Without: rla plot METRIC'
        )
    if left:
        typer.echo(f"rla: {left} of {len(found)} runs are left out: they have no files of TensorBoard's", err=True)
    return folders


def _short(name: str) -> str:
    return name.encode()[:_LONGEST].decode(errors="ignore")


def _free(name: str, taken: dict[str, Path]) -> str:
    """The name, or with a number where a copy of the run has it."""
    return next(
        each
        for number in range(1, len(taken) + 2)
        if (each := name if number == 1 else f"{name}-{number}") not in taken
    )


def _has_events(run: SavedRun) -> bool:
    with suppress(OSError), os.scandir(run.tensorboard_dir) as entries:
        return any("tfevents" in entry.name for entry in entries)
    return False


def _spec(folders: dict[str, Path]) -> list[str]:
    """The option that names the folders without links, for a command to copy; TensorBoard's fast loader has it not."""
    from rla_hooks.errors import RLAError
    from rla_hooks.texts import shell_path

    if len(folders) == 1:
        return ["--logdir", *map(str, folders.values())]
    for folder in folders.values():
        if "," in str(folder):  # which --logdir_spec takes for the end of one
            raise RLAError(f"no option of TensorBoard's can name {shell_path(folder)}, as it has a comma")
    return ["--logdir_spec", ",".join(f"{name}:{folder}" for name, folder in folders.items())]


def _command(logdir: Sequence[str], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tensorboard.main", *logdir, *options]


def _serve(folders: dict[str, Path], options: Sequence[str]) -> int:
    """Run TensorBoard until it ends, or we are told to; return its exit code."""
    names = list(folders)
    shown = ", ".join(names[:5]) + (f", and {len(names) - 5} more" if len(names) > 5 else "")
    typer.echo(f"rla: {len(names)} run{'s' * (len(names) != 1)}: {shown}", err=True)
    with _ends_on_signals(), tempfile.TemporaryDirectory(prefix="rla-tb-", ignore_cleanup_errors=True) as place:
        try:
            for name, folder in folders.items():
                os.symlink(os.path.abspath(folder), os.path.join(place, name), target_is_directory=True)
            logdir = ["--logdir", place]
        except OSError:  # Windows, without the right to make links
            logdir = _spec(folders)
        # In the folder of links: what lies in the user's own could hide a module of TensorBoard's.
        child = _start(_command(logdir, options), place)
        try:
            return child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(child)


def _start(command: Sequence[str], folder: str) -> subprocess.Popen[Any]:
    """Start a program that ignores Ctrl-C, at which it may print a traceback; this one ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python, too, goes on ignoring what it is started with
    try:
        return subprocess.Popen(command, cwd=folder)
    finally:
        signal.signal(signal.SIGINT, before)


def _end(child: subprocess.Popen[Any]) -> None:
    """End a process, by force after some seconds, or where the user presses Ctrl-C once more."""
    try:
        if child.poll() is None:
            child.terminate()
        child.wait(timeout=5)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()


@contextmanager
def _ends_on_signals() -> Iterator[None]:
    """Let SIGTERM, and the end of the terminal, end this process as an exception does: what is temporary is removed."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
