"""What is wrong with the arguments of a sweep, all at once and before anything begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rla_hooks.errors import did_you_mean
from rla_hooks.labels import Labels
from rla_hooks.launch import space, studies
from rla_hooks.texts import listed, shown

if TYPE_CHECKING:
    from rla_hooks.tracked import SweptFunction

GRID, RANDOM = "grid", "random"


def problems_of(
    main: Any, settings: Any, search: Any, given: Mapping[str, Any], mode: Any, metric: Any, group: Any
) -> list[str]:
    """Return a line for each mistake in the arguments, but for where the sweep is to run."""
    found = list(_wrong_values(given))
    limit, is_study = given["limit"], studies.is_study(search)
    if not is_study and search not in (GRID, RANDOM):
        found.append(
            f"search is {shown(search, 100)}. Known: {GRID}, {RANDOM}, or a study of Optuna."
            f"{did_you_mean(search, (GRID, RANDOM))}"
        )
    elif limit is None and search != GRID:
        found.append(
            f"limit is None. Say how many settings: limit=20, with search={'study' if is_study else search!r}."
        )
    if mode not in ("max", "min"):
        found.append(f"mode is {shown(mode, 100)}. Allowed: max, min.")
    if metric is not None and not isinstance(metric, str):
        found.append(f"metric is {shown(metric, 100)}. Allowed: the name of a metric: 'perf/return'.")
    found += Labels(group=group).problems()
    swept: SweptFunction | None = getattr(main, "swept", None)
    name = getattr(main, "__qualname__", shown(main, 100))
    if swept is None:
        return [*found, f"{name} is not tracked, so that its calls are no runs. Write @rla.track above its def."]
    if swept.parameters.has_receiver:
        return [*found, f"{name} is a method. Sweep a function, which makes the object: def main(lr, seed): ..."]
    if is_study and callable(settings):
        return found
    mistakes = space.problems_of(settings, name, swept.parameters)
    if is_study and space.are_paired(settings):
        mistakes.append("the settings are a list, of which a study suggests none. Give the values of each parameter.")
    if not mistakes and not is_study and not space.are_paired(settings):
        values = space.space_of(settings)
        is_drawn = [key for key, value in values.items() if space.is_drawn(value)]
        if search == GRID and is_drawn:
            mistakes.append(
                f"{listed(is_drawn, 20)}: a distribution, of which a grid has no values. Say search='random'."
            )
        elif search == GRID and limit is None and (problem := space.too_many(values)):
            mistakes.append(problem)
    return found + mistakes


def _wrong_values(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name in ("retries", "limit", "seed"):
            least = 1 if name == "limit" else 0
            is_number = isinstance(value, int) and not isinstance(value, bool) and value >= least
            if not is_number and not (value is None and name == "limit"):
                yield f"{name} is {shown(value, 100)}. Allowed: whole numbers from {least} on."
        elif not isinstance(value, bool):
            yield f"{name} is {shown(value, 100)}. Allowed: True, False."
