"""The figures of ``rla plot --save`` and ``--show``: the functions of :mod:`rla_hooks.plot`, with the same options."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rla_hooks.cli.figure_options import KINDS, given
from rla_hooks.errors import ConfigError, RLAError, did_you_mean
from rla_hooks.query import Runs
from rla_hooks.texts import printable, shown, text_of

if TYPE_CHECKING:
    from rla_hooks.plot import PaperFigure

_WAY_OUT = "Write a file: --save figure.pdf"


def check_terminal(options: dict[str, Any]) -> None:
    """Raise ConfigError for options that count only for a figure, where none is asked for."""
    names = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if names:
        verb = "counts" if len(names) == 1 else "count"
        raise ConfigError(f"{', '.join(names)} {verb} only for a figure. Add --save FILE, or --show.")


def draw(found: Runs, metrics: Sequence[str], kind: str, options: dict[str, Any]) -> PaperFigure:
    """Draw a figure of this kind, with these options of the command line. Raises ConfigError for one that it lacks."""
    from rla_hooks import plot

    if kind not in KINDS:
        raise ConfigError(f"--kind is {shown(kind, 100)}. Known: {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}")
    arguments = _arguments(kind, {name: value for name, value in options.items() if name != "kind"})
    takes_several = "metrics" in _parameters(kind)
    if len(metrics) != 1 and not takes_several:
        raise ConfigError(f"--kind {kind} draws one metric, but {len(metrics)} are named. Draw one after the other.")
    figure: PaperFigure = getattr(plot, KINDS[kind])(found, [*metrics] if takes_several else metrics[0], **arguments)
    return figure


def _parameters(kind: str) -> list[str]:
    from rla_hooks import plot

    return [*inspect.signature(getattr(plot, KINDS[kind])).parameters]


def _arguments(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as arguments of the function of this kind; those that it does not have are mistakes."""
    problems = []
    for name, value in options.items():
        if value is not None and not _has(kind, name):
            others = ", ".join(each for each in KINDS if _has(each, name))
            problems.append(f"--{name.replace('_', '-')} does not count for --kind {kind}, but for: {others}.")
    try:
        arguments = given(options)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    if "aggregates" in arguments and "aggregate" in _parameters(kind):
        arguments["aggregate"] = ",".join(arguments.pop("aggregates"))
    if kind == "sweep" and "colors" in arguments:  # a colour map, not a list
        arguments["colors"] = ",".join(arguments["colors"])
    return arguments


def _has(kind: str, option: str) -> bool:
    """Whether the function of a kind takes an option, which may be one of several: --baseline of baselines."""
    return bool({option, f"{option}s"} & {*_parameters(kind)})


def show(figure: PaperFigure) -> None:
    """Show a figure in a window, until it is closed. Raises RLAError where there is no display."""
    from matplotlib import pyplot

    from rla_hooks.plot.windows import give_to_pyplot

    try:
        has_windows = give_to_pyplot(figure.figure)
    except Exception as error:  # of MPLBACKEND: its library is not installed, or finds no display
        raise RLAError(f"no window can be opened here: {printable(text_of(error))}. {_WAY_OUT}") from error
    if not has_windows:
        raise RLAError(f"no window can be opened here: matplotlib finds no display. {_WAY_OUT}")
    pyplot.show()
