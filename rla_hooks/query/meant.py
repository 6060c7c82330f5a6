"""Which runs somebody means by a word: on the command line, and in ``rla.open``."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from urllib.parse import unquote

from rla_hooks.errors import RLAError
from rla_hooks.query.moved import former_names, parsed
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import counted

LATEST = "latest"
_LATEST = re.compile(r"latest(?:~(\d{1,9}))?")
# 2026-01-31, 01-31, 21:28, 21-28-12, 21-28-12-405928, 2026-01-31 21:28, 2026/01/31/21-28-12
_TIME = re.compile(r"(?:\d{4}[-/])?\d\d(?:[-/:. T]\d\d){1,4}(?:[-.]\d{1,6})?")
_OFFSETS = 0, 4, 8  # of the year, the month and the hour in a time of digits only
_FEWEST_LETTERS = 3  # of an id


def meant(text: str, among: Sequence[SavedRun]) -> Sequence[SavedRun]:
    """Return those of the runs, oldest first, that a text means: none, one or several.

    text: the id of a run or its first letters (three or more), its name, its title, a part of one of these, the time of
    its start (of the day, of the year, or both), ``latest``, or ``latest~2`` (the last but two). Whole ids and names go
    before parts; a name that a run had before ``rla mv`` or ``rename`` is a whole one, too. Raises
    :class:`~rla_hooks.errors.RLAError` for a ``latest~N`` that is not there.

    >>> import rla_hooks as rla
    >>> for seed in range(3):
    ...     with rla.run(task="demo", record=["seed"], writers=["csv"], backup="none", seed=seed):
    ...         pass
    >>> [run.hparams["seed"] for run in meant("seed=1", rla.runs()) + meant("latest~2", rla.runs())]
    [1, 0]
    """
    number = _LATEST.fullmatch(text)
    if number:
        back = int(number[1] or 0)
        if back >= len(among):
            raise RLAError(
                f"{text} is not there: of {counted(len(among), 'run')} the oldest is latest~{len(among) - 1}"
            )
        return [among[-1 - back]]
    return (
        [run for run in among if text in (run.id, run.name)]
        or [run for run in among if text in former_names(run.run_json)]
        or [run for run in among if _fits(text, run)]
    )


def is_pattern(text: str) -> bool:
    """Whether a text may mean several runs on purpose.

    >>> is_pattern("ppo*seed=2"), is_pattern("seed=2")
    (True, False)
    """
    return "*" in text or "?" in text


def _fits(text: str, run: SavedRun) -> bool:
    word = text.casefold()
    names = [each.casefold() for each in (run.name, unquote(run.name), run.task, run.title or "") if each]
    if is_pattern(word):
        return any(fnmatch.fnmatchcase(name, f"*{word}*") for name in names)
    return (
        any(word in name for name in names)
        or (len(word) >= _FEWEST_LETTERS and run.id.casefold().startswith(word))
        or (_TIME.fullmatch(text) is not None and _is_time_of(text, run))
    )


def _is_time_of(text: str, run: SavedRun) -> bool:
    """Whether a run started at this time, as clocks show it here or as its name has it."""
    digits = re.sub(r"\D", "", text)
    named = parsed(run.name)
    times = [run.started.astimezone(), *([named.time] if named else [])]
    begins_with_year = re.match(r"\d{4}", text) is not None
    starts = _OFFSETS[:1] if begins_with_year else _OFFSETS[1:]
    return any(f"{time:%Y%m%d%H%M%S%f}".startswith(digits, start) for time in times for start in starts)
