"""The values of a listing of runs, and how they read on a terminal, in a pipe and in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rla_hooks.cli.cells import MAX_CELL, text_of_value
from rla_hooks.cli.lines import Column
from rla_hooks.endings import FAILED, FINISHED, INTERRUPTED, KILLED, PREEMPTED, PRUNED
from rla_hooks.errors import ConfigError
from rla_hooks.life import is_running
from rla_hooks.progress import MAX_LAST
from rla_hooks.query import UNKNOWN, SavedRun
from rla_hooks.query.names import BUILT_IN, Getter, is_known
from rla_hooks.query.names import values_of as values_by_name
from rla_hooks.query.tables import differing
from rla_hooks.texts import cut, printable

_STYLES = {FINISHED: "green", FAILED: "red", KILLED: "red", INTERRUPTED: "yellow", PREEMPTED: "yellow"}
_STYLES |= {PRUNED: "dim", UNKNOWN: "magenta"}
_ROOM = 24  # characters that a narrow terminal has for the parameters of a run
_WHERE_ANY = ("restarts", "title", "tags", "note", "wrong")  # columns that are there where some run has a value
_BESIDE: dict[str, Getter] = {"title": lambda run: run.title, "note": lambda run: run.note}  # no filter asks for them


class Field(NamedTuple):
    """One value of each run, or of each group of runs; the rest as in :class:`rla_hooks.cli.lines.Column`."""

    name: str
    values: Sequence[Any]
    rank: int = 5
    least: int = 6
    widest: int = 20


def default_fields(found: Sequence[SavedRun], exact: bool = True, also: Sequence[str] = ()) -> list[Field]:
    """Return what a listing shows of runs, unless it is asked for something else.

    exact: with all digits. also: names of which the value is shown, too, such as those by which the runs are sorted.
    """
    tasks = [run.task for run in found]
    fields = [
        Field("id", [run.id for run in found], 0, 8, 8),
        Field("started", [run.started for run in found], 2, 11, 19),
        Field("task", tasks, 3 if len(set(tasks)) > 1 else 8, 8, 16),
        Field("status", [run.status for run in found], 1, 8, 11),
        Field("restarts", [len(run.restarts) or None for run in found], 6),
        Field("rows", [run.info.get("rows") for run in found], 7),
        Field("step", [run.info.get("last_step") for run in found], 5),
        Field("title", [run.title for run in found], 4, 10, 24),
        Field("tags", [", ".join(run.tags) or None for run in found], 6, 6, 16),
        Field("parameters", parameters(found, exact), 3, _ROOM, 40),
        Field("note", [run.note for run in found], 9, 10, 20),
        Field("wrong", [wrong(run) for run in found], 4, 10, 24),
    ]
    known = {field.name for field in fields}
    at = len(fields) - len(("parameters", "note", "wrong"))
    fields[at:at] = _chosen(found, [name for name in also if name not in known])
    return [field for field in fields if field.name not in _WHERE_ANY or any(field.values)]


def _chosen(found: Sequence[SavedRun], names: Iterable[str]) -> list[Field]:
    return [Field(name, values, 3, 6, 14) for name, values in values_of(found, names).items()]


def exact_fields(found: Sequence[SavedRun]) -> list[Field]:
    """Return what a CSV file has of runs: always the same fields, and one for each parameter."""
    first = ["id", "name", "started", "task", "status", "seconds", "rows", "step", "title", "tags", "note"]
    taken, known = {*first, "wrong"}, BUILT_IN | _BESIDE
    fields = [Field(name, [known[name](run) for run in found]) for name in first]
    for name in dict.fromkeys(name for run in found for name in run.hparams):
        head = f"hparams.{name}" if name in taken else name
        fields.append(Field(head, [run.hparams.get(name) for run in found]))
    return [*fields, Field("wrong", [wrong(run) for run in found])]


def chosen_fields(found: Sequence[SavedRun], names: Sequence[str]) -> list[Field]:
    """Return what a listing shows where names are asked for: which runs these are, and the value of each name."""
    chosen = _chosen(found, names)
    about = {field.name: field for field in default_fields(found)}
    if len({run.task for run in found}) == 1:
        del about["task"]
    before, after = (
        [about[name] for name in part if name in about and name not in names]
        for part in (["id", "started", "task", "status"], ["wrong"])
    )
    return [*before, *chosen, *after]


def values_of(found: Sequence[SavedRun], names: Iterable[str]) -> dict[str, list[Any]]:
    """Return the value of each name of each run. A name is one of the filter language, or a metric: its last value.

    Raises ConfigError for a name that no run has.
    """
    return {name: _values(found, name) for name in names}


def _values(found: Sequence[SavedRun], name: str) -> list[Any]:
    if name in BUILT_IN or any(name in run.hparams for run in found):
        return values_by_name(found, name)
    if any(name in run.last for run in found):
        return values_by_name(found, f"last.{name}")
    if any(len(run.last) >= MAX_LAST for run in found):  # its rows have more metrics
        from rla_hooks.query.bulk import summaries_of_runs  # late: it needs numpy

        kind, _, metric = name.partition(".") if name.startswith(("last.", "min.", "max.")) else ("last", "", name)
        summaries = [each.get(metric) for each in summaries_of_runs(found, [metric])]
        if any(summaries):
            return [getattr(each, kind, None) for each in summaries]
    if name in _BESIDE:
        return [_BESIDE[name](run) for run in found]
    from rla_hooks.query.candidates import GivenCandidates
    from rla_hooks.query.filter import names_near

    known = {*GivenCandidates(found).names()}
    if is_known(name, known):
        return values_by_name(found, name)
    raise ConfigError(f"no run has {name!r}. {names_near(name, known)}")


def parameters(found: Sequence[SavedRun], exact: bool = True) -> list[str]:
    """Return a text of each run: the parameters of its name, and the others in which those of its task differ.

    Those of the name come first, in its order, so that a run reads the same beside whatever other runs it is listed. On
    a terminal (not exact), where longer texts may be cut, those in which runs differ come before those that all have.
    """
    tasks = [run.task for run in found]
    of_task: dict[str, list[SavedRun]] = {}
    for run, task in zip(found, tasks, strict=True):
        of_task.setdefault(task, []).append(run)
    names = {task: differing(members) for task, members in of_task.items()}
    pairs = [_pairs(run, names[task], exact) for run, task in zip(found, tasks, strict=True)]
    if not exact and any(len(" ".join(each.values())) > _ROOM for each in pairs):
        pairs = [
            {name: each[name] for name in sorted(each, key=lambda name: name not in names[task])}
            for each, task in zip(pairs, tasks, strict=True)
        ]
    return [" ".join(each.values()) for each in pairs]


def _pairs(run: SavedRun, differ: Sequence[str], exact: bool) -> dict[str, str]:
    values = run.record | run.hparams
    names = dict.fromkeys([*run.record, *differ])
    return {name: f"{name}={text_of_value(values[name], exact)}" for name in names if name in values}


def wrong(run: SavedRun) -> str | None:
    """Say what is wrong with a run: its error, warnings, damaged files, and whether its folder was moved."""
    warnings, error = run.info.get("warnings"), run.info.get("error")
    parts = [first_line_of(error)] if isinstance(error, str) else []
    if isinstance(warnings, list) and warnings:
        parts.append(f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}")
    return "; ".join([*parts, *run.problems, *run.hints]) or None


def first_line_of(error: str) -> str:
    """Return the kind of an error and the first line of its text, out of its traceback.

    >>> first_line_of("Traceback (most recent call last):\\n  File ...\\n    f()\\nValueError: a\\nb")
    'ValueError: a'
    """
    _, head, rest = error.rpartition("Traceback (most recent call last):\n")
    lines = (rest if head else error).strip("\n").split("\n")
    return next((line for line in lines if line and not line.startswith(" ")), lines[-1])


def columns_of(fields: Iterable[Field], brief: bool | None = None) -> list[Column]:
    """Return the columns of a listing.

    brief: None for a pipe; else for a terminal, where numbers have six digits, and in a narrow one times have no year.
    """
    return [_column(field, brief) for field in fields]


def _column(field: Field, brief: bool | None) -> Column:
    styles = [style_of(value) if field.name == "status" else "" for value in field.values]
    if field.name == "wrong":
        styles = ["red" for _ in field.values]  # yellow cannot be read on a light terminal
    texts = [_text(value, brief) for value in field.values]
    cells = [printable(text if brief is None else cut(text, MAX_CELL)) for text in texts]
    return Column(
        printable(field.name), cells, field.rank, field.least, field.widest, are_numbers(field.values), styles
    )


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether the values are numbers, or None, but not all of them None."""
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given)


def style_of(status: object) -> str:
    """Return the colour of a status, for rich."""
    text = status if isinstance(status, str) else ""
    return _STYLES.get(text, "cyan" if is_running(text) else "")


def _text(value: Any, brief: bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone():{'%m-%d %H:%M' if brief else '%Y-%m-%d %H:%M:%S'}}"
    return text_of_value(value, exact=brief is None)
