"""The numbers of a table, by metric and task, and the columns that they become."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.paper_tables.asked import Asked
from rla_hooks.paper_tables.grid import Column, Entry, Key, best_only, marked
from rla_hooks.paper_tables.measures import measured, steps_to
from rla_hooks.paper_tables.rounding import Measured
from rla_hooks.plot.data_columns import free_name
from rla_hooks.plot.groups import brief, label_of
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.frames import AnyColumn, column_of
from rla_hooks.texts import cut, printable

if TYPE_CHECKING:
    from rla_hooks.paper_tables.measures import Curve
    from rla_hooks.plot.groups import Group
    from rla_hooks.plot.scores import Scores

_LONGEST = 60  # characters of a value
_TITLES = {"mean": "mean", "iqm": "IQM", "best": "best", "steps": "steps to {}"}


class Part(NamedTuple):
    """The numbers of one metric on one task. counts: of how many runs, by group; columns: the numbers of each group.

    reached: how many runs of each group reached the threshold; None where none was asked for.
    """

    metric: str
    task: Any
    counts: list[int]
    columns: dict[str, list[Measured]]
    reached: list[int]

    def only(self, places: Sequence[int]) -> Part:
        """Return the numbers of these groups alone."""
        columns = {name: [numbers[at] for at in places] for name, numbers in self.columns.items()}
        reached = [self.reached[at] for at in places] if self.reached else []
        return self._replace(counts=[self.counts[at] for at in places], columns=columns, reached=reached)


def part_of(
    scores: Scores,
    task: Any,
    groups: Sequence[Group],
    want: Asked,
    curves: Mapping[int, Curve | None],
) -> Part:
    """Return the numbers of one metric on one task, for each of these groups. curves: of each run, by its ``id()``."""
    found = {_key(group.values): of_task.get(task, []) for group, of_task in scores.groups}
    of_group = [found.get(_key(group.values), []) for group in groups]
    higher = scores.metric not in want.lower
    columns = {
        name: [measured(name, [each.value for each in some], want.settings, higher) for some in of_group]
        for name in want.columns_of(scores.metric)
        if name != "steps"
    }
    reached: list[int] = []
    if "steps" in want.columns_of(scores.metric):
        columns["steps"] = []
        for some in of_group:
            theirs = [curve for each in some if (curve := curves[id(each.run)]) is not None]
            steps, count = steps_to(theirs, want.thresholds[scores.metric], higher, want.settings)
            columns["steps"].append(steps)
            reached.append(count)
    return Part(scores.metric, task, [len(some) for some in of_group], columns, reached)


def _key(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(equality_key, values))


def grid_columns(parts: Sequence[Part], want: Asked, seeds: Sequence[int], tasks: str | None) -> Iterator[Column]:
    """Yield the columns of numbers. seeds: how many runs each row has: an entry of fewer says so."""
    metrics = len({part.metric for part in parts})
    for part in parts:
        for name, numbers in part.columns.items():
            title = _TITLES[name].format(f"{want.thresholds[part.metric]:g}" if name == "steps" else "")
            over = part.metric
            if tasks is not None:
                of_task = label_of([tasks], [part.task])
                title = title if len(part.columns) > 1 else of_task if name != "steps" else f"{of_task}, {title}"
                over = over if len(part.columns) == 1 else of_task if metrics == 1 else f"{over}, {of_task}"
            entries = [
                Entry(number, _note(part, name, at, seeds[at]) if part.counts[at] else "")
                for at, number in enumerate(numbers)
            ]
            higher = name != "steps" and part.metric not in want.lower
            yield Column(over, title, best_only(entries, higher) if name == "best" else marked(entries, higher))


def _note(part: Part, column: str, at: int, seeds: int) -> str:
    count = part.counts[at]
    if column == "steps" and part.reached[at] < count:
        return f"{part.reached[at]} of {count}"
    return "" if count == seeds else f"n = {count}"


def seeds_of(parts: Sequence[Part]) -> list[int]:
    """Return how many runs each row has: the number that most of its columns have."""
    rows = zip(*(part.counts for part in parts), strict=True)
    return [Counter(count for count in row if count).most_common(1)[0][0] for row in rows]


def keys_of(columns: Mapping[str, Sequence[Any]]) -> list[Key]:
    """Return the first columns of a table: the values of the parameters by which rows are told apart."""
    return [Key(name, _texts_of(values), all(map(_is_number, values))) for name, values in columns.items()]


def _texts_of(values: Sequence[Any]) -> list[str]:
    """Values as people write them; texts in quotes where one would look like another value, such as 1 and "1"."""
    texts = [*map(value_text, brief(values))]
    if len({*zip(texts, map(equality_key, values))}) == len({*texts}):
        return texts
    return [repr(text) if isinstance(value, str) else text for text, value in zip(texts, values, strict=True)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def value_text(value: Any) -> str:
    """Return a value of a parameter as people write it.

    >>> value_text(0.1), value_text(None), value_text(True), value_text([64, 64])
    ('0.1', 'none', 'true', '[64, 64]')
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    is_nested = isinstance(value, (list, tuple, dict))
    text = json.dumps(value, ensure_ascii=False, default=str) if is_nested else str(value)
    return cut(printable(text), _LONGEST)


def data_of(by: Mapping[str, Sequence[Any]], parts: Sequence[Part], tasks: str | None) -> dict[str, AnyColumn]:
    """Return the numbers as columns: one row for each group, metric and task."""
    names = [name for part in parts for name in part.columns]
    own = ["metric", "n", "reached", *(f"{name}{end}" for name in dict.fromkeys(names) for end in ("", *_ENDS))]
    rows = [(part, at) for part in parts for at in range(len(part.counts))]
    found: dict[str, AnyColumn] = {}
    for name, values in by.items():
        found[free_name(name, own)] = column_of([values[at] for _, at in rows])
    if tasks is not None:
        found[free_name(tasks, own)] = column_of([part.task for part, _ in rows])
    found["metric"] = column_of([part.metric for part, _ in rows])
    found["n"] = column_of([part.counts[at] for part, at in rows])
    for name in dict.fromkeys(names):
        numbers = [part.columns[name][at] if name in part.columns else None for part, at in rows]
        for place, end in enumerate(("", *_ENDS)[: 1 if name == "best" else 3]):
            found[f"{name}{end}"] = column_of([_or_none(number, place) for number in numbers])
        if name == "steps":
            found["reached"] = column_of([part.reached[at] if part.reached else None for part, at in rows])
    return found


_ENDS = "_low", "_high"


def _or_none(number: Measured | None, place: int) -> float | None:
    return None if number is None or number[place] != number[place] else number[place]
