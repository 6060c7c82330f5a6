"""``rla runs --by``: one line a group of runs, with the mean and the spread of metrics."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rla_hooks.cli.cells import is_unicode
from rla_hooks.cli.fields import Field, values_of
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.query import SavedRun
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.sorting import order, sort_keys
from rla_hooks.texts import shown

_MOST_METRICS = 4  # without being asked for


class Spread(NamedTuple):
    """The numbers of one metric in the runs of a group. std: with n - 1, None for a single run."""

    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    n: int  # of the runs: those that have a finite number
    runs: int

    def __str__(self) -> str:
        if self.mean is None:
            return ""
        text = _rounded(self.mean, self.std)
        return text if self.n == self.runs else f"{text} ({self.n} of {self.runs})"


class Groups(NamedTuple):
    """Groups of runs: the values that each has in common, how many runs it has, and the spread of each metric."""

    by: dict[str, list[Any]]
    counts: list[int]
    metrics: dict[str, list[Spread]]

    def fields(self) -> list[Field]:
        """Return what a listing shows of the groups."""
        names = [Field(name, values, 0, 8, 24) for name, values in self.by.items()]
        spreads = [Field(name, _aligned(values), 2, 8, 30) for name, values in self.metrics.items()]
        return [*names, Field("runs", self.counts, 1), *spreads]

    def numbers(self) -> list[Field]:
        """Return the same with a number in each field, for a file."""
        fields = [Field(name, values) for name, values in self.by.items()] + [Field("runs", self.counts)]
        for name, spreads in self.metrics.items():
            for part in ("mean", "std", "min", "max", "n"):
                fields.append(Field(f"{name}.{part}", [getattr(spread, part) for spread in spreads]))
        return fields

    def objects(self) -> list[dict[str, Any]]:
        """Return the groups as plain data, for JSON."""
        return [
            {
                "by": {name: values[at] for name, values in self.by.items()},
                "runs": count,
                "metrics": {name: spreads[at]._asdict() for name, spreads in self.metrics.items()},
            }
            for at, count in enumerate(self.counts)
        ]


def grouped(
    found: Sequence[SavedRun], by: Sequence[str], metrics: Sequence[str], sort: str | None, limit: int | None
) -> Groups:
    """Return the groups of the runs that have the same values of ``by``, in the order of these values.

    metrics: without them the first few that are numbers. sort: by one of the names of ``by``, by ``runs``, or by the
    mean of a metric, as :func:`rla_hooks.runs` takes it. limit: the first so many groups.
    """
    keys = values_of(found, by)
    members: dict[str, list[int]] = {}
    for number, values in enumerate(zip(*keys.values(), strict=True)):
        members.setdefault("\n".join(map(equality_key, values)), []).append(number)
    numbers = values_of(found, metrics or _first_metrics(found))
    groups = Groups(
        {name: [values[each[0]] for each in members.values()] for name, values in keys.items()},
        [len(each) for each in members.values()],
        {name: [_spread([values[at] for at in each]) for each in members.values()] for name, values in numbers.items()},
    )
    return _sorted(groups, sort or ",".join(f"`{name}`" for name in by), limit)


def _sorted(groups: Groups, sort: str, limit: int | None) -> Groups:
    known = groups.by | {"runs": groups.counts}
    for name, spreads in groups.metrics.items():
        means = [spread.mean for spread in spreads]
        known.setdefault(name.removeprefix("last."), means)  # a metric's name means its last value
        known[name if name.startswith(("last.", "min.", "max.")) else f"last.{name}"] = means
    keys = sort_keys(sort)
    for key in keys:
        if key.name not in known:
            near = did_you_mean(key.name, known)
            raise ConfigError(f"groups are sorted by {', '.join(known)}, not by {shown(key.name, 100)}.{near}")
    chosen = order(range(len(groups.counts)), keys, known.__getitem__)[:limit]
    return Groups(
        {name: [values[at] for at in chosen] for name, values in groups.by.items()},
        [groups.counts[at] for at in chosen],
        {name: [values[at] for at in chosen] for name, values in groups.metrics.items()},
    )


def _aligned(spreads: Sequence[Spread]) -> list[str]:
    """Return the texts of spreads with their means below each other."""
    parts = [str(spread).partition(" ") for spread in spreads]
    width = max((len(mean) for mean, _, _ in parts), default=0)
    return [f"{mean.rjust(width)}{blank}{rest}".rstrip() for mean, blank, rest in parts]


def _rounded(mean: float, std: float | None) -> str:
    """Return a mean and a spread with three digits of the spread."""
    if std is None:
        return f"{mean:.6g}"
    sign = "±" if is_unicode("±") else "+-"
    if 1e-6 < std < 1e6 and abs(mean) < 1e9:
        decimals = max(0, 2 - math.floor(math.log10(std)))
        return f"{mean:.{decimals}f} {sign} {std:.{decimals}f}"
    return f"{mean:.6g} {sign} {std:.3g}"


def _first_metrics(found: Sequence[SavedRun]) -> list[str]:
    names: dict[str, None] = {}
    for run in found:
        names |= dict.fromkeys(name for name, value in run.last.items() if _number(value) is not None)
        if len(names) >= _MOST_METRICS:
            break
    return [f"last.{name}" for name in names][:_MOST_METRICS]


def _spread(values: Iterable[Any]) -> Spread:
    given = list(values)
    numbers = [number for number in map(_number, given) if number is not None]
    if not numbers:
        return Spread(None, None, None, None, 0, len(given))
    try:
        mean, std = statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None
    except OverflowError:  # the sum of numbers near the greatest
        mean = std = math.inf
    return Spread(mean, std, min(numbers), max(numbers), len(numbers), len(given))


def _number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    try:
        number = float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
