"""The run that somebody gives a function: a saved or an open one, words for it, or a path."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import ARCHIVED, LOG, TRASH, TREES, RunPaths
from rla_hooks.query.entry import read_entry
from rla_hooks.query.meant import meant
from rla_hooks.query.moved import parsed
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import runs
from rla_hooks.texts import shell_path, shown

_MAX_LISTED = 10
_MAX_ACTS = 20  # of the trash, among which a run is looked for
_ALLOWED = "Allowed: a run of rla.runs(), its id, its name, or latest."


def saved_run(
    run: Any, log_root: str | os.PathLike[str] | None = None, what: str = "rla.open", without: str | None = None
) -> SavedRun:
    """Return the one run that is meant.

    run: a saved run; an open one; a text that means one run in ``log_root``: an id or its first letters (three or
    more), a name, a title, a part of one of these, the time of a start, ``latest``, ``latest~2`` (the last but two);
    or the path of one of its folders, or of what is in them. what: the call, for errors. without: the name of the run
    that asks, which is meant only where no other one fits.

    Raises :class:`~rla_hooks.errors.ConfigError` for what is no run, fits none, or fits several.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> [saved_run(each).id == run.record.content["id"] for each in (run, "latest", run.name, run.log_dir / "tb")]
    [True, True, True, True]
    """
    if isinstance(run, SavedRun):
        return run
    place = getattr(run, "paths", None)
    if isinstance(place, RunPaths):
        return SavedRun(place, read_entry(place))
    if isinstance(run, (str, os.PathLike)) and str(run).strip():
        place = run_of_path(run)
        if place is not None:
            return SavedRun(place, read_entry(place))
    if not isinstance(run, str) or not run.strip():
        if isinstance(run, os.PathLike):
            raise ConfigError(f"{what}: there is no run at {shell_path(run)}. {_ALLOWED}")
        raise ConfigError(f"{what} got {shown(run, 100)}. {_ALLOWED}")
    return _meant(run, log_root, what, without)


def run_of_path(path: str | os.PathLike[str]) -> RunPaths | None:
    """Return the run whose folder, or a file or a folder in it, has this path; None for a text that is no path."""
    text = os.fspath(path)
    is_path = not isinstance(path, str) or os.sep in text or text in (".", "..")
    if not is_path or "\0" in text or not os.path.exists(text):
        return None
    parts = Path(os.path.abspath(text)).parts
    for at, part in enumerate(parts):
        if part not in TREES:
            continue
        for end in range(at + 2, len(parts) + 1):
            paths = RunPaths(Path(*parts[:at]), "/".join(parts[at + 1 : end]))
            is_run = parsed(paths.name) is not None or (part == LOG and os.path.isfile(paths.run_json))
            if is_run and os.path.isdir(paths.log_dir):  # under its own name, or one that somebody gave its folder
                return paths
    return None


def _meant(text: str, log_root: str | os.PathLike[str] | None, what: str, without: str | None) -> SavedRun:
    found = runs(log_root)
    others = found if without is None else [run for run in found if run.name != without]
    fit = (meant(text, others) if others else []) or (meant(text, found) if found else [])
    if len(fit) == 1:
        return fit[0]
    where = f"in {shell_path(fit[0].paths.log_root)}" if fit else f"among {len(found)} (see rla.runs())"
    listed = ", ".join(f"{run.id} ({run.name})" for run in fit[-_MAX_LISTED:])
    known = f" {'The last of these' if len(fit) > _MAX_LISTED else 'These'}: {listed}." if fit else ""
    fits = f"{shown(text, 100)} fits {len(fit) or 'no'} run{'s' * (len(fit) > 1)} {where}."
    known = known or put_away(text, log_root_of(log_root))
    raise ConfigError(f"{what}: {fits}{known} {_ALLOWED}")


def put_away(text: str, log_root: Path) -> str:
    """Say that the run which a text means was archived, or deleted, and how it comes back; "" where it was neither."""
    with suppress(RLAError, OSError):
        if os.path.isdir(log_root / ARCHIVED) and meant(text, runs(log_root / ARCHIVED)):
            return " It is archived: rla show --archived shows it, and rla archive --restore brings it back."
        for number in reversed(acts_in(log_root)[-_MAX_ACTS:]):
            if meant(text, runs(log_root / TRASH / str(number))):  # each is a log root by itself
                return f" It was deleted: rla undo {number} brings it back."
    return ""


def acts_in(log_root: Path) -> list[int]:
    """Return the numbers of the acts in the trash."""
    with suppress(OSError):
        return sorted(int(name) for name in os.listdir(log_root / TRASH) if name.isdecimal())
    return []
