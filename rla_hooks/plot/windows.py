"""A figure in pyplot, whose windows show it, and with which a program goes on: ``plt.title``, ``plt.savefig``."""

from __future__ import annotations

import matplotlib
from matplotlib.figure import Figure

_WINDOWLESS = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}  # backends of matplotlib
_OURS: list[Figure] = []


def give_to_pyplot(figure: Figure) -> bool:
    """Make a figure pyplot's current one; return whether pyplot has windows here.

    Where it has none, one that was given before leaves pyplot: a loop over many tasks would fill the memory. Raises
    what the library of ``$MPLBACKEND`` raises.

    >>> from matplotlib import pyplot
    >>> pyplot.switch_backend("agg")
    >>> figure = Figure()
    >>> give_to_pyplot(figure)
    False
    >>> pyplot.gcf() is figure
    True
    """
    from matplotlib import pyplot

    manager = pyplot.figure().canvas.manager  # chooses a backend that works here
    has_windows = manager is not None and matplotlib.get_backend().casefold() not in _WINDOWLESS
    if manager is not None:
        manager.canvas.figure = figure
        figure.set_canvas(manager.canvas)
    if not has_windows:
        for former in _OURS:
            pyplot.close(former)
        _OURS[:] = [figure]
    return has_windows
