"""Groups of runs that are one curve, bar or cell of a figure: those that differ only in their seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rla_hooks.errors import ConfigError, did_you_mean, warn
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.names import BUILT_IN, values_of
from rla_hooks.query.run_list import Runs
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import runs as saved_runs
from rla_hooks.query.tables import all_parameters, differing, metric_names
from rla_hooks.texts import counted, cut, listed, printable, shown

SEEDS = frozenset({"seed", "seeds", "random_seed", "rng_seed", "seed_id", "random_state"})
LABEL = "label"  # the name of what a function says of a run
_LONGEST = 60  # characters of a value in a legend
_LONG_FLOAT = 10  # characters of a float as it is, as 0.30000000000000004 and float32's 0.10000000149011612 have more
_MOST_LISTED = 20  # names in an error
_LONGEST_QUERY = 2000  # characters

Legend = Callable[[dict[str, Any]], Any] | Mapping[Any, str] | None


class Group(NamedTuple):
    """Runs that are averaged. label: for the legend; values: of the columns in ``by``, in their order; runs: seeds."""

    label: str
    values: tuple[Any, ...]
    runs: Sequence[SavedRun]


def chosen_runs(given: Any, what: str, to: str = "draw") -> Runs:
    """Return the runs that a figure is made of: those given, or those of a task. Raises ConfigError where none is.

    what: the name of the call; to: what it does.
    """
    if isinstance(given, str):
        given = saved_runs(task=given)
    elif isinstance(given, SavedRun):
        given = [given]
    elif not isinstance(given, (Runs, list, tuple)) or not all(isinstance(each, SavedRun) for each in given):
        raise ConfigError(f"runs is {shown(given, 100)}. Allowed: what rla.runs(...) returns, or a task's name.", what)
    found = given if isinstance(given, Runs) and given.query else Runs(given, _query_of(given))
    distinct = [*dict.fromkeys(found)]
    if len(distinct) < len(found):
        warn(f"{len(found) - len(distinct)} of {len(found)} runs are given more than once; each counts once")
        found = Runs(distinct, found.query)
    if not found:
        asked = f" ({found.query})" if found.query else ""
        raise ConfigError(
            f"there are no runs{asked}, so there is nothing to {to}. To see what there is: rla runs", what
        )
    return found


def _query_of(runs: Sequence[SavedRun]) -> str:
    """Return the text that chooses these runs; of those of several log roots one that says so."""
    roots = {run.paths.log_root if type(run) is SavedRun else None for run in runs}
    if len(roots) != 1 or None in roots:
        return f"<{counted(len(runs), 'run')}>"
    where = f"id in {[run.id for run in runs]}"
    return cut(f'rla.runs({str(*roots)!r}, where="{where}")', _LONGEST_QUERY)


def names_of(runs: Sequence[SavedRun], by: Sequence[str] | str | None, without: Iterable[str] = ()) -> list[str]:
    """Return the columns that tell groups apart; by default the parameters that differ, but for seeds and ``without``.

    Raises ConfigError for a name that no run has.
    """
    if by is None:
        left_out = {*without}
        return [name for name in differing(runs) if not is_seed(name) and name not in left_out]
    if not isinstance(by, (str, list, tuple)) or not all(isinstance(each, str) for each in by):
        raise ConfigError(f"by is {shown(by, 100)}. Allowed: a parameter's name, or a list of names.")
    names = [by] if isinstance(by, str) else [*dict.fromkeys(by)]
    problems = [problem for name in names if (problem := _unknown(name, runs))]
    if problems:
        raise ConfigError(problems)
    return names


def is_seed(name: str) -> bool:
    """Whether a parameter of this name tells runs apart that are to be averaged.

    >>> is_seed("seed"), is_seed("env.random_seed"), is_seed("lr")
    (True, True, False)
    """
    return name.rpartition(".")[2].lower() in SEEDS


def _unknown(name: str, runs: Sequence[SavedRun]) -> str:
    if name in BUILT_IN or any(value is not None for value in values_of(runs, name)):
        return ""
    known = {*all_parameters(runs), *BUILT_IN}
    if name in known or name.removeprefix("hparams.") in known:  # it is None in all runs
        return ""
    names = listed([cut(printable(each), 100) for each in sorted(all_parameters(runs))], _MOST_LISTED)
    is_metric = " It is a metric: give it as metrics=." if name in metric_names(runs) else ""
    near = printable(did_you_mean(name, known))
    return f"no run has the parameter {cut(printable(repr(name)), 200)}. Known: {names or 'none'}.{near}{is_metric}"


def grouped(
    runs: Sequence[SavedRun], by: Sequence[str] | str | None, legend: Legend = None, without: Iterable[str] = ()
) -> list[Group]:
    """Return the groups of runs that have the same values of ``by``, in the order of these values.

    by: names of parameters, or built-in ones such as ``task``; by default what differs among the runs but for seeds
    (and ``without``). Labels have long floats with six digits, where they stay apart so. legend: the text of a group,
    as a function of its values by their names, or as a mapping from the label, or from the value (of several names:
    from the tuple), to a text.
    Raises ConfigError for a name that no run has, and for a legend that cannot be used.

    >>> import rla_hooks as rla
    >>> for algo, seed in (("ppo", 0), ("ppo", 1), ("sac", 0)):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...         rla.log({"return": 1.0}, step=0)
    >>> [(group.label, group.values, len(group.runs)) for group in grouped(rla.runs(task="demo"), by=None)]
    [('ppo', ('ppo',), 2), ('sac', ('sac',), 1)]
    >>> [group.label for group in grouped(rla.runs(task="demo"), "seed", {"seed=1": "one"})]
    ['seed=0', 'one']
    """
    names = names_of(runs, by, without)
    columns = [values_of(runs, name) for name in names]
    members: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(runs)):
        members.setdefault(tuple(equality_key(column[at]) for column in columns), []).append(at)
    found = [
        (tuple(column[each[0]] for column in columns), [runs[at] for at in each])
        for each in sorted(members.values(), key=lambda each: [_order(column[each[0]]) for column in columns])
    ]
    shown_values = zip(*(brief(column) for column in zip(*(values for values, _ in found)))) if names else [()]
    labels = _distinct([label_of(names, values) for values in shown_values])
    labels = _with_legend(labels, names, [values for values, _ in found], legend)
    return [Group(label, values, some) for label, (values, some) in zip(labels, found)]


def labelled(runs: Sequence[SavedRun], label_of_run: Callable[[SavedRun], Any], legend: Legend = None) -> list[Group]:
    """Return the groups of runs for which a function returns the same text, in the order in which these come.

    >>> import rla_hooks as rla
    >>> for lr in (0.1, 0.01, 0.3):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", lr=lr):
    ...         rla.log({"return": 1.0}, step=0)
    >>> found = labelled(rla.runs(task="demo"), lambda run: "slow" if run.hparams["lr"] < 0.05 else "fast")
    >>> [(group.label, len(group.runs)) for group in found]
    [('fast', 2), ('slow', 1)]
    """
    members: dict[str, list[SavedRun]] = {}
    for run in runs:
        members.setdefault(str(label_of_run(run)), []).append(run)
    labels = _with_legend([*members], [LABEL], [(label,) for label in members], legend)
    return [Group(text, (label,), some) for text, (label, some) in zip(labels, members.items())]


def with_metrics(groups: Sequence[Group], names: Sequence[str], metrics: Sequence[str], legend: Legend) -> list[Group]:
    """Return each group once for each metric, which its label names, too: ``ppo, train/loss``.

    legend: as of :func:`grouped`; the function gets the name as ``"metric"``.
    """
    pairs = [(group, metric) for group in groups for metric in metrics]
    labels = [f"{group.label}, {metric}" if group.label else metric for group, metric in pairs]
    values = [(*group.values, metric) for group, metric in pairs]
    labels = _with_legend(labels, [*names, "metric"], values, legend)
    return [group._replace(label=label) for label, (group, _) in zip(labels, pairs)]


def joined(parts: Iterable[Sequence[SavedRun]], apart: Iterable[str | None]) -> list[str]:
    """Return the parameters, other than seeds and those of ``apart``, in which runs of one part differ."""
    left_out = {name.removeprefix("hparams.") for name in apart if name is not None}
    return [*dict.fromkeys(name for runs in parts for name in names_of(runs, None, left_out))]


def joined_text(what: str, part: str, names: Sequence[str]) -> str:
    """Warn that runs which differ in these parameters count as seeds, and return what the figure says of it."""
    if not names:
        return ""
    warn(
        f"{what}: runs of one {part} also differ in {printable(listed(names, 6))}, and count as its seeds. To tell "
        "them apart name it in by=; to take one value of it: rla.runs(where=...)"
    )
    return f"runs of a {part} also differ in {printable(listed(names, 4))}"


def label_of(names: Sequence[str], values: Sequence[Any]) -> str:
    """Return what a legend calls a group: texts as they are, other values with their names.

    >>> label_of(["algo", "lr", "clip"], ["ppo", 0.1, None]), label_of(["size"], ["10"])
    ('ppo, lr=0.1, clip=none', "size='10'")
    """
    return ", ".join(_pair(name, value) for name, value in zip(names, values))


def brief(values: Sequence[Any]) -> list[Any]:
    """Return values for people: long floats with six digits, unless two would be the same then.

    >>> brief([0.1 + 0.2, 0.1, 12345678.0]), brief([0.1 + 0.2, 0.3])
    ([0.3, 0.1, 12345678.0], [0.30000000000000004, 0.3])
    """
    rounded = [float(f"{value:.6g}") if _is_long_float(value) else value for value in values]
    is_clear = len({*map(equality_key, rounded)}) == len({*map(equality_key, values)})
    return rounded if is_clear else [*values]


def _is_long_float(value: Any) -> bool:
    return isinstance(value, float) and len(repr(value)) > _LONG_FLOAT


def _pair(name: str, value: Any) -> str:
    if isinstance(value, str):
        text = cut(printable(value), _LONGEST)
        return text if _speaks_for_itself(value) else f"{printable(name)}={text!r}"
    if value is None or isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = shown(value) if isinstance(value, (int, float)) else str(value)
    return f"{printable(name)}={cut(printable(text), _LONGEST)}"


def _speaks_for_itself(text: str) -> bool:
    """Whether a text is no number, no true, false or none, and can stand in a list with commas."""
    if not text.strip() or text.lower() in ("true", "false", "none") or "," in text or "=" in text:
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _order(value: Any) -> tuple[int, Any]:
    """What values are sorted by: numbers, texts, all else, and none at the end. NaN comes after the numbers."""
    if isinstance(value, (int, float)):
        return (0, value) if value == value else (1, 0)
    if isinstance(value, str):
        return 2, value
    return (4, "") if value is None else (3, str(value))


def _distinct(labels: list[str]) -> list[str]:
    """Number labels that are the same, as long values are that were cut."""
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found


def _with_legend(labels: list[str], names: list[str], values: list[tuple[Any, ...]], legend: Legend) -> list[str]:
    if legend is None:
        return labels
    if isinstance(legend, Mapping):
        texts, used = [], False
        for label, each in zip(labels, values):
            key = next((key for key in keys_of(label, each) if key in legend), None)
            used |= key is not None
            texts.append(label if key is None else str(legend[key]))
        if legend and not used:
            near = did_you_mean(next(iter(legend)), labels)
            raise ConfigError(
                f"legend has {shown(legend, 200)}, and none of its keys is a curve. Known: "
                f"{listed(labels, _MOST_LISTED)}.{near}"
            )
    elif callable(legend):
        texts = [str(legend(dict(zip(names, each)))) for each in values]
    else:
        raise ConfigError(
            f"legend is {shown(legend, 100)}. Allowed: a mapping from labels to texts, or a function that "
            "takes a dict of a curve's values and returns its text."
        )
    twice = {text for text in texts if texts.count(text) > 1}
    if twice:
        raise ConfigError(
            f"legend gives {listed(sorted(map(repr, twice)), 5)} to several curves. Give each its own "
            "text; to average their runs, leave what tells them apart out of by=."
        )
    return texts


def keys_of(label: str, values: tuple[Any, ...]) -> list[Any]:
    """Return what a mapping may call a group: its label, its value, or of several names the tuple of them."""
    keys: list[Any] = [label, values[0] if len(values) == 1 else values]
    return [key for key in keys if _is_hashable(key)]


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
