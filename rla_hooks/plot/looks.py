"""Colours, markers and baselines that the user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.colors import is_color_like
from matplotlib.markers import MarkerStyle

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.plot.checks import Mistakes, is_number
from rla_hooks.plot.groups import Group, keys_of
from rla_hooks.plot.paper import MARKERS, look_of
from rla_hooks.texts import listed, shown


def check_looks(mistakes: Mistakes, colors: Any, markers: Any, baselines: Any) -> None:
    """Note colours and markers that matplotlib does not know, and baselines that are no numbers."""
    for color in _values("colors", colors, mistakes):
        if not is_color_like(color):
            mistakes.add(
                f"colors has {shown(color, 100)}. Allowed: colours of matplotlib, such as '#004488' or 'tab:red'."
            )
    for marker in _values("markers", None if isinstance(markers, bool) else markers, mistakes):
        if marker is not None and not _is_marker(marker):
            mistakes.add(f"markers has {shown(marker, 100)}. Allowed: markers of matplotlib, such as 'o', 's' or '^'.")
    if baselines is None:
        return
    if not isinstance(baselines, Mapping):
        mistakes.wrong("baselines", baselines, "a mapping from labels to numbers, such as {'random': 20}.")
        return
    for label, value in baselines.items():
        inner = value.values() if isinstance(value, Mapping) else [value]
        if not isinstance(label, str) or not all(map(is_number, inner)):
            mistakes.add(
                f"baselines has {shown(label, 100)}: {shown(value, 100)}. Allowed: a text, and a finite number "
                "or a mapping from metrics, or values of split=, to numbers."
            )


def check_on_log_axis(mistakes: Mistakes, baselines: Mapping[str, Any], scale: float) -> None:
    """Note baselines at or below 0, which a logarithmic axis cannot show."""
    for label, value in baselines.items():
        inner = value.values() if isinstance(value, Mapping) else [value]
        if not all(each * scale > 0 for each in inner):
            mistakes.add(
                f"baselines has {shown(label, 100)}: {shown(value, 100)}, but log has y. Allowed: numbers above 0 "
                "(after scale). Leave it out, or take another axis."
            )


def _values(name: str, given: Any, mistakes: Mistakes) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [*given.values()]
    if isinstance(given, (list, tuple)) and given:
        return [*given]
    mistakes.wrong(name, given, "a list, or a mapping from the labels or values of curves.")
    return []


def _is_marker(marker: Any) -> bool:
    try:
        MarkerStyle(marker)
    except (TypeError, ValueError):
        return False
    return True


def lines_of(groups: Sequence[Group], colors: Any, markers: Any) -> list[dict[str, Any]]:
    """Return the colour, line style and marker of each group. Raises ConfigError for a mapping that names none.

    >>> groups = [Group("ppo", ("ppo",), []), Group("sac", ("sac",), [])]
    >>> [line["color"] for line in lines_of(groups, {"sac": "red"}, None)]
    ['#004488', 'red']
    >>> [line["marker"] for line in lines_of(groups, None, True)]
    ['o', 's']
    """
    lines = [look_of(number, len(groups)) for number in range(len(groups))]
    if isinstance(markers, bool):
        markers = [*MARKERS] if markers else [None]
    for part, given in (("color", colors), ("marker", markers)):
        for number, value in _chosen(f"{part}s", given, groups).items():
            lines[number][part] = value
    return lines


def _chosen(name: str, given: Any, groups: Sequence[Group]) -> dict[int, Any]:
    """What a list, which starts again at its end, or a mapping gives each group."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {number: given[number % len(given)] for number in range(len(groups))}
    found = {}
    for number, group in enumerate(groups):
        key = next((key for key in keys_of(group.label, group.values) if key in given), None)
        if key is not None:
            found[number] = given[key]
    if given and not found:
        labels = [group.label for group in groups]
        near = did_you_mean(next(iter(given)), labels)
        raise ConfigError(
            f"{name} is {shown(given, 200)}, and none of its keys is a curve. Known: {listed(labels, 20)}.{near}"
        )
    return found
