"""What RLA's ``plot_results`` takes beside the data: how curves are averaged, and how the figure looks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.plot.checks import Mistakes, is_number
from rla_hooks.texts import listed, shown

_note = WarnOnce()
forget_state = _note.forget_all  # for rla_hooks.testing.reset

DEFAULTS: dict[str, Any] = {
    "average_group": True, "shaded_std": False, "shaded_err": True, "shaded_range": True, "figsize": None,
    "legend_outside": True, "resample": 0, "vary_len_plot": False, "smooth_step": 1.0, "tiling": "symmetric",
    "title": None, "pretty": False, "bound_line": None, "colors": None, "log": False, "ylim": None, "xlim": None,
    "show_number": True, "skip_legend": False, "use_marker": False, "markers": None, "legend_ncol": 1,
    "rescale_idx": None, "split_fn": None, "replace_legend_sort": None, "save_path": None,
}  # fmt: skip
_IGNORED = {
    "legend_outside": "the legend stands below the panels, where it hides no curve",
    "legend_ncol": "the legend has as many columns as fit the width",
    "show_number": "the figure always says how many seeds there are",
    "split_fn": "a panel for each value of a parameter: rla.plot_curves(runs, metrics, split='env')",
    "replace_legend_sort": "colours and texts belong to the curves in the order of their names",
}
_TILINGS = ("symmetric", "horizontal", "vertical", None)


def options_of(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the options, with RLA's defaults for those that are not given; a note says, once, which are ignored.

    Raises :class:`~rla_hooks.errors.ConfigError` for unknown ones, and for values that cannot be used.

    >>> options_of({"shaded_range": False}, "plot_func")["resample"]
    0
    """
    mistakes = Mistakes(where)
    for name in given:
        if name not in DEFAULTS:
            mistakes.add(f"there is no {name!r}. Known: {listed([*DEFAULTS], 40)}.{did_you_mean(name, DEFAULTS)}")
    options = DEFAULTS | dict(given)
    mistakes.choice("tiling", options["tiling"], _TILINGS)
    for name in ("xlim", "ylim"):
        mistakes.range(name, options[name])
    resample = options["resample"]
    if not isinstance(resample, int) or isinstance(resample, bool) or not 0 <= resample <= 100_000 or resample == 1:
        mistakes.wrong("resample", resample, "0 for the steps as they were logged, or a number of points from 2 on.")
    for name in ("smooth_step", "rescale_idx"):
        if options[name] is not None and not (is_number(options[name]) and options[name] > 0):
            mistakes.wrong(name, options[name], "a number above 0.")
    for line in options["bound_line"] or ():
        if not isinstance(line, (list, tuple)) or len(line) != 4 or not is_number(line[0]):
            mistakes.wrong(
                "bound_line", line, "lists of [height, colour, line style, text], [[20, 'grey', '--', 'BC']]."
            )
    mistakes.raise_any()
    for name, why in _IGNORED.items():
        if name in given and given[name] != DEFAULTS[name]:
            _note(("option", name), f"{where}: {name}={shown(given[name], 60)} is left out: {why}.")
    return options


def columns_of(tiling: str | None, panels: int) -> int:
    """Return how many panels RLA puts in a row.

    >>> [columns_of(tiling, 4) for tiling in ("symmetric", "horizontal", "vertical")], columns_of("symmetric", 3)
    ([2, 4, 1], 3)
    """
    if tiling == "horizontal":
        return panels
    return 1 if tiling != "symmetric" else math.ceil(panels / math.isqrt(panels))


def arguments_of(options: Mapping[str, Any], panels: int) -> dict[str, Any]:
    """Return the arguments of ``rla.plot_curves`` that mean the same."""
    columns = columns_of(options["tiling"], panels)
    shaded = {"stderr": "shaded_err", "std": "shaded_std", "minmax": "shaded_range"}
    size = options["figsize"] or ("neurips" if columns <= 3 else 2.0 * columns)
    markers = [*options["markers"]] if options["markers"] is not None else True
    return {
        "band": [band for band, name in shaded.items() if options[name]],
        "resample": options["resample"] or "auto",
        "overlap": not options["vary_len_plot"],
        "columns": columns,
        "size": tuple(size) if isinstance(size, (list, tuple)) else size,
        "title": options["title"] or None,
        "colors": None if options["colors"] is None else [*options["colors"]],
        "markers": markers if options["use_marker"] else None,
        "log": "y" if options["log"] else None,
        "y_range": options["ylim"],
        "individual": not options["average_group"],
        "baselines": {str(text): height for height, _, _, text in options["bound_line"] or ()} or None,
        "legend": False if options["skip_legend"] else None,
    }


def check_lengths(what: str, given: Any, count: int, of: str) -> list[str]:
    """Return texts, of which there have to be so many. Raises ConfigError."""
    texts = [given] if isinstance(given, str) else [*map(str, given)]
    if len(texts) != count:
        raise ConfigError(f"{what} has {len(texts)} texts: {shown(texts, 200)}. Allowed: {count}, one for each {of}.")
    return texts
