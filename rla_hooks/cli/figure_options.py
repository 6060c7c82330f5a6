"""The options of ``rla plot`` that count only for a figure: what each is on the command line, and in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rla_hooks.cli import completion
from rla_hooks.errors import ConfigError
from rla_hooks.texts import shown

# The figures, and the functions of rla_hooks.plot that draw them.
KINDS = {
    "curves": "plot_curves",
    "bars": "plot_bars",
    "profiles": "plot_profiles",
    "intervals": "plot_intervals",
    "efficiency": "plot_sample_efficiency",
    "sweep": "plot_sweep",
    "images": "plot_images",
}
# Names of the command's parameters that count only for a figure.
OPTIONS = (
    *("kind", "by", "tasks", "split", "score", "window", "band", "estimator", "aggregate", "thresholds", "gamma"),
    *("normalize", "level", "reps", "seed", "resample", "x_range", "y_range", "scale", "log", "share", "baseline"),
    *("legend", "individual", "overlap", "together", "colors", "markers", "step", "columns", "title", "size"),
)


def _option(*names: str, help: str, metavar: str = "NAME", **others: Any) -> Any:
    return typer.Option(*names, metavar=metavar, help=f"Figure: {help}", **others)


Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Write a figure: PDF and PNG, with its numbers as csv beside them."),
]
Show = Annotated[bool, typer.Option("--show", help="Show a figure in a window.")]
Kind = Annotated[str | None, _option("--kind", metavar="KIND", help=f"{', '.join(KINDS)}.")]
By = Annotated[
    str | None,
    _option(
        "--by", metavar="NAMES", autocompletion=completion.columns,
        help="the parameters that tell curves apart; by default all that differ but seeds.",
    ),
]  # fmt: skip
Tasks = Annotated[str | None, _option("--tasks", help="a parameter whose values are the tasks, such as env.")]
Split = Annotated[str | None, _option("--split", help="a parameter, a panel for each of its values.")]
Score = Annotated[str | None, _option("--score", metavar="SCORE", help="of a run: last, mean, max, min or area.")]
Window = Annotated[str | None, _option("--window", metavar="N", help="how many rows mean, max, min take together.")]
Band = Annotated[
    str | None, _option("--band", metavar="BAND", help="ci95, stderr, std, minmax, iqr, none; of curves several.")
]
Estimator = Annotated[str | None, _option("--estimator", help="mean, median or iqm of the seeds.")]
Aggregate = Annotated[str | None, _option("--aggregate", metavar="NAMES", help="mean, median, iqm, optimality_gap.")]
Thresholds = Annotated[str | None, _option("--thresholds", metavar="NUMBERS", help="of a profile, with commas.")]
Gamma = Annotated[str | None, _option("--gamma", metavar="NUMBER", help="of the optimality gap.")]
Normalize = Annotated[
    list[str] | None,
    _option("--normalize", metavar="LOW,HIGH", help="scores that become 0 and 1; TASK=LOW,HIGH; or minmax."),
]
Level = Annotated[str | None, _option("--level", metavar="NUMBER", help="of bootstrap intervals: 0.95.")]
Reps = Annotated[str | None, _option("--reps", metavar="N", help="repetitions of the bootstrap: 2000.")]
Seed = Annotated[str | None, _option("--seed", metavar="N", help="of the bootstrap: 0.")]
Resample = Annotated[str | None, _option("--resample", metavar="N", help="auto, or so many points of a curve.")]
XRange = Annotated[str | None, _option("--x-range", metavar="LOW,HIGH", help="of the x axis: 0,1e6 or ,1e6.")]
YRange = Annotated[str | None, _option("--y-range", metavar="LOW,HIGH", help="of the y axis.")]
Scale = Annotated[str | None, _option("--scale", metavar="NUMBER", help="a factor on y.")]
Log = Annotated[str | None, _option("--log", metavar="AXES", help="x, y or xy: axes of powers of ten.")]
Share = Annotated[str | None, _option("--share", metavar="AXES", help="xy, x, y or none: what panels share.")]
Baseline = Annotated[
    list[str] | None, _option("--baseline", metavar="NAME=NUMBER", help="a line at a number. May be repeated.")
]
Legend = Annotated[
    list[str] | None, _option("--legend", metavar="OLD=NEW", help="another name in the legend. May be repeated.")
]
Individual = Annotated[
    bool | None, typer.Option("--individual/--no-individual", show_default=False, help="Figure: draw each run, too.")
]
Overlap = Annotated[
    bool | None,
    typer.Option(
        "--overlap/--no-overlap", show_default=False, help="Figure: curves only where all of their runs have rows."
    ),
]
Together = Annotated[
    bool | None,
    typer.Option("--together/--no-together", show_default=False, help="Figure: all metrics of curves in one panel."),
]
Colors = Annotated[str | None, _option("--colors", metavar="NAMES", help="with commas; of a sweep a colour map.")]
Markers = Annotated[str | None, _option("--markers", metavar="MARKERS", help="with commas; none for none.")]
Step = Annotated[str | None, _option("--step", metavar="N", help="of images; by default the newest.")]
Columns = Annotated[str | None, _option("--columns", metavar="N", help="panels, or images, in a row.")]
Title = Annotated[str | None, _option("--title", metavar="TEXT", help="what stands above it.")]
Size = Annotated[
    str | None, _option("--size", metavar="SIZE", help="neurips, iclr, icml, icml-wide, jmlr, or inches: 3.25,2.")
]


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that stand on the command line, as Python takes them. Raises ConfigError with all mistakes.

    >>> given({"by": "algo,lr", "band": "none", "x_range": ",1e6", "baseline": ["random=20"], "scale": None})
    {'by': ['algo', 'lr'], 'band': None, 'x_range': (None, 1000000.0), 'baselines': {'random': 20.0}}
    """
    found: dict[str, Any] = {}
    problems = []
    for name, value in options.items():
        if value is None:
            continue
        python_name, convert = _PYTHON.get(name, (name, _same))
        try:
            found[python_name] = convert(value)
        except ValueError as error:
            text = value if not isinstance(value, list) else value[0] if len(value) == 1 else " ".join(value)
            problems.append(f"--{name.replace('_', '-')} is {shown(text, 100)}. Allowed: {error}.")
    if problems:
        raise ConfigError(problems)
    return found


def _same(value: Any) -> Any:
    return value


def _names(text: str) -> list[str]:
    from rla_hooks.cli.common import names_in

    return names_in([text])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError("numbers with commas between them") from None


def _range(text: str) -> tuple[float | None, float | None]:
    low, comma, high = text.partition(",")
    try:
        ends = float(low) if low.strip() else None, float(high) if high.strip() else None
    except ValueError:
        comma = ""
    if not comma:
        raise ValueError("two numbers with a comma between them, of which one may be left out: 0,1e6 or ,1e6")
    return ends


def _band(text: str) -> str | list[str] | None:
    return _names(text) if "," in text else _or_none(text)


def _or_none(text: str) -> str | None:
    return None if text == "none" else text


def _resample(text: str) -> str | int:
    return text if text == "auto" else _whole(text)


def _pairs(texts: Sequence[str], convert: Callable[[str], Any] = str) -> dict[str, Any]:
    """Return what stands on both sides of the last = of each text; a name may have others."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals:
            raise ValueError("NAME=VALUE, of which there may be several")
        found[name] = convert(value)
    return found


def _normalize(texts: Sequence[str]) -> Any:
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0] if texts[0] == "minmax" else _range(texts[0])
    return _pairs(texts, _range)


def _markers(text: str) -> Any:
    return False if text == "none" else _names(text)


def _size(text: str) -> Any:
    if not text[:1].isdigit() and text[:1] != ".":
        return text
    sides = _numbers(text)
    return sides[0] if len(sides) == 1 else tuple(sides)


# The options whose names or values differ in Python.
_PYTHON: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "by": ("by", _names),
    "window": ("window", _whole),
    "band": ("band", _band),
    "aggregate": ("aggregates", _names),
    "thresholds": ("thresholds", _numbers),
    "gamma": ("gamma", _number),
    "normalize": ("normalize", _normalize),
    "level": ("level", _number),
    "reps": ("reps", _whole),
    "seed": ("seed", _whole),
    "resample": ("resample", _resample),
    "x_range": ("x_range", _range),
    "y_range": ("y_range", _range),
    "scale": ("scale", _number),
    "share": ("share", _or_none),
    "baseline": ("baselines", lambda texts: _pairs(texts, _number)),
    "legend": ("legend", _pairs),
    "colors": ("colors", _names),
    "markers": ("markers", _markers),
    "step": ("step", _whole),
    "columns": ("columns", _whole),
    "size": ("size", _size),
}
