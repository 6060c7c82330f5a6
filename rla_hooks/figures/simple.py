"""RLA's simple plots: curves, clouds of points and histograms, each drawn into a new figure.

    figure = plot_figure([[1, 2, 3], [2, 1]], labels=["reward", "baseline"], styles=["-", "x--"])
    figures.save(folder, "rewards", figure)

As in :mod:`rla_hooks.figures` pyplot is never imported. The plots follow the rcParams that hold when they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from rla_hooks.errors import ConfigError
from rla_hooks.figures.saving import as_array
from rla_hooks.texts import shown, text_of

_SIZE = (7.0, 4.4)  # inches; a legend comes on top
_HUGE = 1e300  # beyond this the margins of an axis overflow a float
_DASHES = ("-", "--", ":", "-.")  # one after the other when the colours are used up
_CURVES = (
    "curves, each a list or 1-D array of real numbers, at least one in all. Pass a list such as [[1, 2, 3], [2, 3]]"
)
_CLOUDS = "clouds, each an array of shape (n, 2), at least one point in all. Pass [np.stack([x, y], axis=1)]"
_ROWS = 18  # of a legend, before it gets a further column


def plot_figure(
    data: Any = None,
    x: Any = None,
    y: Any = None,
    labels: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    colors: Any = None,
    styles: Any = None,
    title: str | None = None,
    legend_outside: bool = True,
    **line_options: Any,
) -> Figure:
    """Draw curves: ``data`` (or ``y``) over their index or over ``x``.

    Curves are a list of sequences of any length, a 2-D array (its rows), a DataFrame (its columns), or a single one.
    ``x`` is one for all curves or one for each. NaN and infinities leave gaps. ``labels``, ``colors`` and ``styles``
    (matplotlib's format strings such as ``"x--"``) have one entry a curve. Other keywords go to ``Axes.plot``.
    Raises :class:`ConfigError`.
    """
    xs, ys = _xy(data, x, y)
    labels, colors, styles = _one_each(len(ys), labels=labels, colors=colors, styles=styles)
    figure, axes = _new_figure(xlabel, ylabel, title)
    cycle = rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    axes.set_prop_cycle(cycler(linestyle=_DASHES) * cycler(color=cycle))
    for one_x, one_y, label, color, style in zip(xs, ys, labels, colors, styles):
        with _refusing("Axes.plot", style=style, color=color, **line_options):
            (line,) = axes.plot(one_x, one_y, *([style] if style else []), label=label, **line_options)
            if color is not None:  # not in the call: matplotlib warns where the style has a colour too
                line.set_color(color)
        if len(one_y) == 1 and line.get_marker() == "None":
            line.set_marker("o")  # a line through one point is invisible
    _add_legend(figure, axes, legend_outside)
    return figure


def scatter_figure(
    datas: Any, texts: Any = None, xlabel: str = "", ylabel: str = "", title: str | None = None, **options: Any
) -> Figure:
    """Draw clouds of points, each an (n, 2) array, with a text at each one's mean. One array may stand by itself.

    Points with NaN or infinities are left out. Other keywords go to ``Axes.scatter``. Raises :class:`ConfigError`.
    """
    clouds = _clouds(datas)
    (texts,) = _one_each(len(clouds), texts=texts)
    figure, axes = _new_figure(xlabel, ylabel, title)
    frame = {"boxstyle": "round", "facecolor": axes.get_facecolor(), "edgecolor": "0.7", "alpha": 0.8}
    for cloud, text in zip(clouds, texts):
        with _refusing("Axes.scatter", **options):
            axes.scatter(cloud[:, 0], cloud[:, 1], **{"s": 16, "alpha": 0.6, **options})
        if text is not None and len(cloud):
            axes.annotate(text, cloud.mean(axis=0), ha="center", va="center", bbox=frame)
    return figure


def hist_figure(
    data: Any,
    labels: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    colors: Any = None,
    styles: Any = None,
    title: str | None = None,
    legend_outside: bool = True,
    **hist_options: Any,
) -> Figure:
    """Draw one histogram for each sample, over common bins. ``data`` is a list of samples, or one.

    NaN and infinities are left out. ``styles`` are those of the outlines, such as ``"--"``. Other keywords (``bins``,
    ``density``...) go to ``Axes.hist``. Raises :class:`ConfigError`.
    """
    samples = [sample[np.isfinite(sample)] for sample in _curves("data", data)]
    labels, colors, styles = _one_each(len(samples), labels=labels, colors=colors, styles=styles)
    figure, axes = _new_figure(xlabel, ylabel, title)
    everything = np.concatenate(samples)
    # Not bins="auto": for one outlier that makes millions of bins.
    common: dict[str, Any] = {"bins": int(np.clip(np.sqrt(max(map(len, samples))), 10, 60)), "histtype": "stepfilled"}
    if everything.size:
        common["range"] = (everything.min(), everything.max())
    for index, (sample, label, color, style) in enumerate(zip(samples, labels, colors, styles)):
        with _refusing("Axes.hist", style=style, color=color, **hist_options):
            color = f"C{index}" if color is None else color
            look = {"facecolor": to_rgba(color, 0.35), "edgecolor": color, "linestyle": style or "-", "label": label}
            axes.hist(sample, **{**common, **look, **hist_options})
    _add_legend(figure, axes, legend_outside)
    return figure


# --- what was given ---------------------------------------------------------------------------------------------------


def _xy(data: Any, x: Any, y: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    if (data is None) == (y is None):
        raise ConfigError(
            f"a plot was given {'neither data nor y' if y is None else 'both data and y'}. Allowed: one of them, and x "
            "beside it. Pass data=[curve, ...] or x= and y=."
        )
    ys = _curves("y" if data is None else "data", y if data is None else data)
    xs = [np.arange(len(one)) for one in ys] if x is None else _curves("x", x)
    if len(xs) == 1:
        xs = xs * len(ys)
    if [len(one) for one in xs] != [len(one) for one in ys]:
        raise ConfigError(
            f"x has curves of {[len(one) for one in xs]} numbers and y of {[len(one) for one in ys]}. Allowed: one x "
            "for all or one for each, as long as its y. Cut the longer ones."
        )
    return xs, ys


def _curves(what: str, value: Any) -> list[np.ndarray]:
    if hasattr(value, "columns"):  # a DataFrame
        value = value.T
    try:
        items = list(value if isinstance(value, (list, tuple)) else as_array(value))
    except Exception as error:  # foreign conversions raise what they like; a number is no list
        raise _refused(what, value, _CURVES) from error
    if items and all(getattr(one, "ndim", None) == 0 or not hasattr(one, "__iter__") for one in items):
        items = [items]
    curves = [_floats(f"{what}[{index}]", one, 1, _CURVES) for index, one in enumerate(items)]
    if not any(map(len, curves)):
        raise _refused(what, value, _CURVES)
    return curves


def _clouds(datas: Any) -> list[np.ndarray]:
    items = datas if isinstance(datas, (list, tuple)) else [datas]
    clouds = [_floats(f"datas[{index}]", one, 2, _CLOUDS) for index, one in enumerate(items)]
    if not any(map(len, clouds)) or any(cloud.shape[1] != 2 for cloud in clouds):
        raise _refused("datas", datas, _CLOUDS)
    return [cloud[np.isfinite(cloud).all(axis=1)] for cloud in clouds]


def _floats(what: str, value: Any, dimensions: int, allowed: str) -> np.ndarray:
    """Return a float64 array, with NaN for what cannot be drawn."""
    try:
        if isinstance(value, (list, tuple)):  # also of tensors
            value = [one.item() if getattr(one, "ndim", None) == 0 else one for one in value]
        array = as_array(value)
        if array.ndim != dimensions or array.dtype.kind not in "biufO":
            raise ValueError(f"an array of {array.ndim} dimensions, dtype {array.dtype}")
        numbers = array.astype(np.float64)
    except Exception as error:  # foreign conversions raise what they like
        raise _refused(what, value, allowed) from error
    return np.where(np.abs(numbers) < _HUGE, numbers, np.nan)


def _refused(what: str, value: Any, allowed: str) -> ConfigError:
    shape = f" of shape {tuple(value.shape)}" if hasattr(value, "shape") else ""
    return ConfigError(
        f"{what} cannot be drawn: it is {shown(value, 100)} ({type(value).__name__}{shape}). Allowed: {allowed}."
    )


def _one_each(count: int, **options: Any) -> list[list[Any]]:
    """Return each option as a list with one entry for each thing that is drawn."""
    lists = []
    for what, given in options.items():
        one = isinstance(given, str) or not hasattr(given, "__iter__")
        entries = [None] * count if given is None else [given] if one else list(given)
        if len(entries) != count:
            raise ConfigError(
                f"{what} has {len(entries)} entries where {count} are drawn: {shown(given, 100)}. Allowed: one for "
                f"each. Give {count}, or leave {what} out."
            )
        lists.append(entries)
    return lists


@contextmanager
def _refusing(method: str, **options: Any) -> Iterator[None]:
    """Say which options matplotlib was given where it refuses them."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as error:
        given = {key: value for key, value in options.items() if value is not None}
        raise ConfigError(
            f"{method} refuses {shown(given, 200)}: {text_of(error)}. Allowed: matplotlib's styles such as 'x--', its "
            f"colours, and the keywords of {method}. Correct or leave out what it names."
        ) from error


# --- drawing ----------------------------------------------------------------------------------------------------------


def _new_figure(xlabel: str, ylabel: str, title: str | None) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel, title=title or "")
    axes.grid(True, alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _add_legend(figure: Figure, axes: Axes, outside: bool) -> None:
    """Name what has a label, beside the axes: there it hides nothing. The picture grows by its width."""
    handles, names = axes.get_legend_handles_labels()
    if names and not outside:
        axes.legend(handles, names)
    elif names:
        columns = -(-len(names) // _ROWS)
        figure.legend(handles, names, loc="outside right upper", ncols=columns)
        # Estimated: measuring would lay out the texts, which warns and raises for what a font or math-text lacks.
        figure.set_size_inches(_SIZE[0] + columns * (0.6 + 0.085 * max(map(len, names))), _SIZE[1])
