"""``rla doctor``: what a bug report needs to say of this machine, and what is wrong with it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from rla_hooks._version import __version__
from rla_hooks.cli import disks
from rla_hooks.cli.common import Json, LogRoot, app, text_of_os_error
from rla_hooks.errors import RLAError
from rla_hooks.masking import mask_text, mask_value
from rla_hooks.texts import cut, printable

_PACKAGES = (
    "torch tensorflow keras tf-keras jax pytorch-lightning lightning stable-baselines3 gymnasium numpy pandas polars "
    "duckdb tensorboard matplotlib typer rich lark PyYAML"
).split()
_LEAST_ROOM = 1 << 30  # bytes
_FEWEST_INODES = 10_000
_MAX_FILES = 10_000  # of the cache that are counted
_ENVIRONMENT = "XDG_CACHE_HOME", "TERM", "NO_COLOR", "LANG", "LC_ALL", "RANK", "LOCAL_RANK", "SLURM_PROCID"


class Report:
    """What was found: facts by section and name, hints, and problems. The home folder is written as ~ everywhere."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, Any]] = {}
        self.hints: list[str] = []
        self.problems: list[str] = []
        self.section = ""

    def fact(self, name: str, value: Any) -> None:
        self.facts.setdefault(self.section, {})[name] = _short(value) if isinstance(value, (str, Path)) else value

    def hint(self, text: str) -> None:
        self.hints.append(_short(text))

    def problem(self, text: str) -> None:
        self.problems.append(_short(text))


def _short(text: object) -> str:
    """A text of a report that is made public: secrets are masked, and the home folder, which has a name, becomes ~."""
    home = os.path.expanduser("~").rstrip(os.sep)
    told = mask_text(cut(str(text), 2000))
    return re.sub(re.escape(home) + r"(?![\w.-])", "~", told) if len(home) > 1 else told


@app.command("doctor")
def doctor(log_root: LogRoot = None, as_json: Json = False) -> None:
    """Say what is wrong here, and what a bug report needs: versions, log root, disk, git, cache, terminal.

    Secrets are masked, and the home folder is written as ~. Into the log root a small file is written, for a moment,
    to see whether that works. The exit code is 1 if there is a problem.

    Examples:

        rla doctor
        rla doctor --json > doctor.json
    """
    report = Report()
    sections: dict[str, Callable[[Report], None]] = {
        "versions": _versions,
        "log root": lambda report: _log_root(report, log_root),
        "git": _git,
        "cache": _cache,
        "terminal": _terminal,
        "environment": _environment,
    }
    for section, look in sections.items():
        report.section = section
        try:
            look(report)
        except RLAError as error:
            where = getattr(error, "where", None)
            for problem in getattr(error, "problems", None) or [str(error)]:
                report.problem(f"{where}: {problem}" if where else problem)
        except OSError as error:
            report.problem(f"{section}: {text_of_os_error(error)}")
    if as_json:
        content = {"ok": not report.problems, **report.facts, "hints": report.hints, "problems": report.problems}
        print(json.dumps(content, indent=2))
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


def _versions(report: Report) -> None:
    report.fact("rla_hooks", __version__)
    report.fact("Python", f"{platform.python_version()} ({platform.python_implementation()})")
    report.fact("platform", platform.platform())
    for name in _PACKAGES:
        try:
            report.fact(name, metadata.version(name))
        except metadata.PackageNotFoundError:  # few people have all
            continue
        except Exception as error:  # its files are damaged
            report.hint(f"the package {name} is half installed: {type(error).__name__}. Install it again.")


def _log_root(report: Report, given: Path | None) -> None:
    from rla_hooks.cli.nothing import origin_of_root
    from rla_hooks.config.reading import log_root_of

    root = log_root_of(given)
    report.fact("folder", root)
    report.fact("from", origin_of_root(given))
    there = disks.existing(root)
    report.fact("exists", there == root)
    if os.path.lexists(root) and there != root:
        report.problem(f"the log root {root} is no folder, or a link that leads nowhere. Remove it, or name another.")
    kind, room = disks.file_system(there), disks.room(there)
    report.fact("file system", kind or "unknown")
    report.fact("on the network", None if kind is None else disks.is_network(kind))
    if disks.is_network(kind):
        report.hint(
            f"the log root lies on a file system of other machines ({kind}). Runs are written there as safely, but a "
            "machine that is gone can be told only after ten minutes of silence."
        )
    if room is not None:
        _room(report, room)
    if there == root:
        _writing(report, root)
    elif not os.access(there, os.W_OK):
        report.fact("can be written", False)
        report.problem(f"the log root {root} does not exist, and cannot be made in {there}. Set LOG_ROOT to another.")


def _room(report: Report, room: disks.Room) -> None:
    from rich.filesize import decimal

    report.fact("free", f"{decimal(room.free)} of {decimal(room.total)}")
    if room.inodes is not None:
        report.fact("free inodes", room.inodes)
    if room.free < _LEAST_ROOM:
        report.problem(f"the disk of the log root is nearly full: {decimal(room.free)} are left. Make room there.")
    if room.inodes is not None and room.inodes < _FEWEST_INODES:
        report.problem(
            f"the disk of the log root takes only {room.inodes:,} more files. Delete some, or move the root."
        )


def _writing(report: Report, root: Path) -> None:
    why, locks = disks.try_writing(root)
    report.fact("can be written", why is None)
    report.fact("locks", {True: "work", False: "do not work", None: "unknown"}[locks])
    if why is not None:
        report.problem(
            f"the log root {root} cannot be written: {why}. Reading works; to train, set LOG_ROOT to another."
        )
    elif locks is False:
        report.problem(
            "locks do not work in the log root. Processes that write to one run at once may lose notes in run.json. "
            "Mount it with locks (NFS: without nolock), or set LOG_ROOT to another disk."
        )


def _git(report: Report) -> None:
    from rla_hooks.snapshot.git import GitCall, reason_for_silence, top_of
    from rla_hooks.snapshot.head import head_of

    version = (GitCall(["--version"], os.getcwd()).output(200) or b"").decode("utf-8", "replace").strip()
    report.fact("git", version.removeprefix("git version ") or "not found")
    if not version:
        report.hint("git is not installed, or not on PATH: a run's changes since the last commit are not kept.")
    top = top_of(os.getcwd())
    report.fact("repository", top)
    if top is None:
        return
    commit, branch = head_of(top)
    report.fact("commit", commit)
    report.fact("branch", branch)
    if version:
        call = GitCall(["status", "--porcelain"], top)
        said = call.output(1 << 20)
        report.fact("changed files", None if said is None else said.count(b"\n"))
        if said is None:
            report.hint(f"{reason_for_silence(call, top)}. Until then a run's changes are not kept.")


def _cache(report: Report) -> None:
    from rich.filesize import decimal

    from rla_hooks.query.cache import cache_folder

    folder = cache_folder()
    report.fact("folder", folder)
    if folder is None:
        report.problem("this user has no home folder, so nothing is cached. Set XDG_CACHE_HOME to a folder.")
        return
    sizes = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(_MAX_FILES), entries):
                sizes.append(entry.stat(follow_symlinks=False).st_size)
    except FileNotFoundError:
        pass
    except OSError as error:
        report.problem(f"the cache folder {folder} cannot be read: {error.strerror}. Remove it, or set XDG_CACHE_HOME.")
    report.fact("files", len(sizes))
    report.fact("size", decimal(sum(sizes)))
    there = disks.existing(folder)
    kind = disks.file_system(there)
    report.fact("file system", kind or "unknown")
    why = disks.try_writing(there)[0] if there == folder else None if os.access(there, os.W_OK) else "no permission"
    if why is not None:
        report.problem(
            f"the cache folder {folder} cannot be written: {why}. Every command reads all runs again. Make room there, "
            "or set XDG_CACHE_HOME to a folder of yours."
        )
    elif disks.is_network(kind):
        report.hint(f"the cache lies on a network ({kind}). Commands are faster with XDG_CACHE_HOME on a local disk.")


def _terminal(report: Report) -> None:
    size = shutil.get_terminal_size()
    report.fact("terminal", sys.stdout.isatty())
    report.fact("size", f"{size.columns} x {size.lines}")
    report.fact("encoding", sys.stdout.encoding)
    if sys.stdout.encoding.lower().replace("-", "") != "utf8":
        report.hint(
            f"the terminal's encoding is {sys.stdout.encoding}, so other letters are printed as escapes. Set LANG to a "
            "locale of UTF-8, such as C.UTF-8."
        )


def _environment(report: Report) -> None:
    for name, value in sorted(os.environ.items()):
        if name.startswith("RLA_") or name in _ENVIRONMENT:
            report.fact(name, printable(mask_value(name, value)))
    mode = os.environ.get("RLA_MODE", "").strip().lower()
    if mode == "off":
        report.hint("RLA_MODE is off: programs started here record nothing. Unset it to record runs.")
    elif mode not in ("", "on"):
        report.problem(f"RLA_MODE is {printable(mode)!r}, which stops every run. Known: on, off.")


def _print(report: Report) -> None:
    """Print the report: a line for each fact, then what is wrong."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for section, facts in report.facts.items():
        console.print(section, style="bold", markup=False)
        for name, value in facts.items():
            said = {True: "yes", False: "no", None: "none"}[value] if value is None or type(value) is bool else value
            console.print(f"  {name:<18} {printable(said)}", markup=False)
    for kind, style, texts in (("hint", "yellow", report.hints), ("problem", "bold yellow", report.problems)):
        for text in texts:
            console.print(f"{kind}:", style=style, end=" ", markup=False)
            console.print(printable(text), markup=False)
    if not report.problems:
        console.print("no problem was found", style="green", markup=False)
