"""What to say where no run is found: where it was looked for, and what is near."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rla_hooks.config.reading import load, log_root_of
from rla_hooks.errors import did_you_mean
from rla_hooks.layout import ARCHIVED
from rla_hooks.query import Runs, SavedRun, runs
from rla_hooks.query.given import acts_in, put_away
from rla_hooks.query.near_root import near_root
from rla_hooks.texts import shell_path, shown

_called: dict[str, str] = {}  # log roots that stand for another place: its address, by their paths
SEE_ALL = " See them all: rla runs"
_MAX_SEEN = 1000  # runs whose words are compared, the newest
_MAX_NEAR = 3


def call_it(root: Path, address: str) -> Path:
    """Let a log root that has the lists of another machine be called by that machine's address; return the root."""
    _called[str(root)] = address
    return root


def _text_of(root: Path) -> str:
    return _called.get(str(root)) or shell_path(root)


def no_runs(log_root: Path | None, task: str | None = None, where: str | None = None) -> str:
    """Say that no run is chosen, where they were looked for, and what is near.

    >>> print(no_runs(Path("empty")))
    there is no folder .../empty (from --log-root). Another log root: --log-root
    """
    missing = no_root(log_root)
    if missing:
        return missing
    root = log_root_of(log_root)
    there = runs(root)
    if not there:
        if root.name == ARCHIVED:
            return _none_archived(root)
        if os.path.isdir(root / ARCHIVED) and runs(root / ARCHIVED):
            return f"all runs of {shell_path(root)} are archived. See them: rla runs --archived"
        if acts_in(root):
            return f"no runs in {shell_path(root)} any more. See what was done: rla trash"
        return f"no runs in {_text_of(root)} ({origin_of_root(log_root)}). {_another_root(root)}"
    if task is not None and not runs(root, task):
        tasks = sorted({run.task for run in there})
        near = did_you_mean(task, tasks) or f" Tasks there: {', '.join(map(repr, tasks[:10]))}."
        return f"no runs of the task {shown(task, 100)} in {_text_of(root)} ({origin_of_root(log_root)}).{near}"
    of = "" if task is None else f" of the task {shown(task, 100)}"
    number = len(there if task is None else runs(root, task))
    return f"none of the {_count(number)}{of} in {_text_of(root)} is one with {where}.{SEE_ALL}"


def labels_near(log_root: Path | None, tags: Sequence[str], group: str | None) -> str:
    """Say which tags or group no run has, and what is near or there; nothing if all are there."""
    there = runs(log_root_of(log_root))
    known = {"tag": sorted({tag for run in there for tag in run.tags}), "group": sorted({*_groups(there)})}
    for kind, words in (("tag", tags), ("group", [group] if group else [])):
        for word in words:
            if word not in known[kind]:
                seen = f" There are: {', '.join(map(shown, known[kind][:10]))}." if known[kind] else ""
                return f" No run has the {kind} {shown(word, 100)}.{did_you_mean(word, known[kind]) or seen}"
    return ""


def _groups(found: Runs) -> Iterable[str]:
    return (run.group for run in found if run.group)


def no_root(log_root: Path | None) -> str | None:
    """Say that the log root is not there; None if it is."""
    root = log_root_of(log_root)
    if os.path.isdir(root):
        return None
    if root.name == ARCHIVED and os.path.isdir(root.parent):
        return _none_archived(root)
    what = f"{shell_path(root)} is a file" if os.path.isfile(root) else f"there is no folder {shell_path(root)}"
    return f"{what} ({origin_of_root(log_root)}). {_another_root(root)}"


def _another_root(root: Path) -> str:
    place = near_root(root)
    return f"A log root is near: --log-root {shell_path(place)}" if place else "Another log root: --log-root"


def no_such_run(text: str, among: Runs, log_root: Path | None) -> str:
    """Say that no run is called like that, and which words of runs are near."""
    root = log_root_of(log_root)
    words: dict[str, str] = {}
    for run in among[-_MAX_SEEN:]:
        words |= {word.casefold(): word for word in _words(run)}
    near = difflib.get_close_matches(text.casefold(), words, _MAX_NEAR, 0.7)
    nearest = f" Near: {', '.join(shown(words[word], 100) for word in near)}." if near else ""
    said = f"none of the {_count(len(among))} in {_text_of(root)} has the id, the name or the time {shown(text, 100)}"
    return f"{said}.{put_away(text, root) or nearest} See them all: rla runs"


def _none_archived(archived: Path) -> str:
    return f"no run of {shell_path(archived.parent)} is archived. See: rla archive --help"


def _words(run: SavedRun) -> list[str]:
    return [run.id, run.task, *([run.title] if run.title else []), *(f"{key}={run.record[key]}" for key in run.record)]


def _count(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def origin_of_root(log_root: Path | None) -> str:
    """Say where the log root was taken from."""
    if str(log_root) in _called:
        return "another machine"
    if log_root is not None:
        return "from --log-root"
    config = load()
    if config.source is None:
        return "the default, since no rla_config.yaml was found from here upwards"
    key = "LOG_ROOT in" if config.raw.get("LOG_ROOT") else "the default beside"
    named = ", which RLA_CONFIG names" if os.environ.get("RLA_CONFIG") else ""
    return f"{key} {shell_path(config.source)}{named}"
