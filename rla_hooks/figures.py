"""Figures: what a user drew, an array that is a picture, and RLA's simple plots.

    <folder>/<name>.png              save(folder, "curve", figure)
    <folder>/<name>-<step>.png       save(folder, "eval/frame", array, step=100)   (sub-folders with "/")
    <folder>/<name>.pdf              save(folder, "curve", figure, pretty=True)

Only matplotlib's object interface is used. pyplot is never imported, so the user's backend, rcParams and
open figures stay as they are, and figures may be drawn in any thread. Plots follow the rcParams (colours,
style sheet, font) that hold when they are drawn.

The file is longer than most: checking what people pass as curves and drawing them belong together.
"""

from __future__ import annotations

import functools
import io
import operator
import struct
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import normalize_kwargs
from matplotlib.collections import PathCollection
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from rla_hooks import atomic
from rla_hooks.errors import ConfigError, WarnOnce

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what a PNG file holds as it is
_ARRAYS = "(H, W), (H, W, C) or (C, H, W) with C in 1, 3, 4, of bool, integers or floats"
_SIZE = (7.0, 4.4)  # inches of the axes with their labels; a legend outside comes on top
_HUGE = 1e300  # beyond this the margins of an axis overflow a float
_DENSE = 20_000  # points of a curve from which on it is thinned: no picture is that wide
_LEGEND_ROWS, _LEGEND_ENTRIES, _LEGEND_INSIDE = 18, 35, 4
_MARKERS = 50  # along a curve with a line: more of them are a blob
_NO_LINE = ("", " ", "None", "none")
_DASHES = ("-", "--", ":", "-.")
# Families with Chinese, Japanese and Korean glyphs, tried after the user's own font where they are installed.
_WIDE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
_MISSING_GLYPH = "\N{WHITE SQUARE}"

_warn = WarnOnce()
_pdf_lock = threading.Lock()


@dataclass
class Picture:
    """A written figure: its file, and its PNG with the size in pixels (also where the file is a PDF)."""

    path: Path
    png: bytes
    width: int
    height: int


def save(
    folder: Path,
    name: str,
    figure_or_array: Any,
    step: int | None = None,
    pretty: bool = False,
    dpi: int = 100,
) -> Picture:
    """Write a figure or an image below ``folder`` and return it; an existing file of that name is replaced.

    Figures: a matplotlib Figure, Axes, a list or array of Axes, a seaborn grid, the module pyplot (its
    current figure). With ``pretty`` they are written as PDF with TrueType fonts. Images are always PNG: PIL
    images, and arrays or tensors of shape (H, W), (H, W, C), (C, H, W) with 1, 3 or 4 channels, of bool,
    integers in 0..255 or floats in 0..1. Others are stretched from their minimum to their maximum, with one
    warning. Raises :class:`ConfigError` for what is no picture, :class:`OSError` where the disk refuses.
    """
    savefig = _savefig_of(figure_or_array)
    document = None
    if savefig is not None:
        path = _path(folder, name, step, pretty)
        png = savefig("png", dpi)
        document = savefig("pdf", dpi) if pretty else None
    else:
        path = _path(folder, name, step, pretty=False)
        png = _image_png(figure_or_array, (str(folder), str(name)))
    _make_parent(Path(folder), path)
    atomic.write_bytes(path, document or png, sync=False)
    width, height = struct.unpack(">II", png[16:24])
    return Picture(path, png, width, height)


def exists(folder: Path, name: str, step: int | None = None, pretty: bool = False) -> bool:
    """Return whether :func:`save` wrote this figure already (RLA's ``cover=False`` leaves it as it is)."""
    return _path(folder, name, step, pretty).is_file()


# -- names ---------------------------------------------------------------------------------------------------


def _path(folder: Path, name: str, step: int | None, pretty: bool) -> Path:
    return Path(folder).joinpath(*_safe_parts(name, _step_text(step), ".pdf" if pretty else ".png"))


def _safe_parts(name: str, step: str = "", suffix: str = "") -> list[str]:
    """Split a name at "/" into safe path parts; the last one carries step and suffix within 255 bytes."""
    from rla_hooks.layout import PART_LIMIT, safe_part

    parts = [part for part in name.split("/") if part not in ("", ".")] if isinstance(name, str) else []
    if not parts:
        raise ConfigError(
            f"a figure's name is {name!r} ({type(name).__name__}). Allowed: a text that is not empty, with "
            "'/' for sub-folders. Give a name such as 'learning_curve' or 'eval/returns'."
        )
    *folders, last = parts
    if suffix and last.endswith(suffix) and last != suffix:
        last = last[: -len(suffix)]
    end = step + suffix
    return [*map(safe_part, folders), safe_part(last, PART_LIMIT - len(end)) + end]


def _step_text(step: Any) -> str:
    if step is None:
        return ""
    try:
        value = step.item() if hasattr(step, "item") else step
        return f"-{operator.index(int(value) if isinstance(value, float) and value.is_integer() else value)}"
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(
            f"a figure's step is {step!r} ({type(step).__name__}). Allowed: a whole number or None. "
            "Give step=int(...)."
        ) from None


def _make_parent(folder: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.parent.resolve()
    if not target.is_relative_to(folder.resolve()):  # a sub-folder may be somebody's symbolic link
        raise ConfigError(
            f"the figure would be written to {str(target)!r}, which is outside {str(folder)!r}. "
            "Allowed: folders inside. Remove the symbolic link or choose another name."
        )


# -- figures that a user drew --------------------------------------------------------------------------------


def _savefig_of(thing: Any) -> Callable[[str, int], bytes] | None:
    """Return what draws ``thing`` as (format, dpi) -> bytes, or None where it is not a figure."""
    if callable(getattr(thing, "gcf", None)) and callable(getattr(thing, "get_fignums", None)):
        if not thing.get_fignums():  # gcf() would open one
            raise ConfigError(
                "pyplot was given and has 0 figures open. Allowed: a figure, or pyplot with one. "
                "Draw before saving."
            )
        thing = thing.gcf()
    while isinstance(thing, (list, tuple)) or (isinstance(thing, np.ndarray) and thing.dtype == object):
        if getattr(thing, "ndim", 1) == 0 or not len(thing):
            return None
        thing = thing[0]  # what df.hist() and plt.subplots() return: arrays of Axes, (figure, axes)
    figure = thing
    for _ in range(4):  # a legend's, an Axes', a sub-figure's figure
        if not isinstance(figure, Figure):
            figure = getattr(figure, "figure", None)
    saver = getattr(thing, "savefig", None)  # a seaborn grid's own knows about its legend
    if not isinstance(figure, Figure):
        return functools.partial(_render, None, saver) if callable(saver) else None
    return functools.partial(_render, figure, saver if callable(saver) else figure.savefig)


def _render(figure: Figure | None, savefig: Callable[..., Any], kind: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    try:
        with _agg_canvas(figure), _type_42(kind == "pdf"):
            savefig(buffer, format=kind, dpi=dpi)
    except Exception as error:  # anything: a figure runs its artists' code, and backends raise what they like
        raise ConfigError(
            f"the figure cannot be drawn at dpi={dpi!r}: {type(error).__name__}: {error}. "
            f"Allowed: a figure that its own savefig can write as {kind}. "
            f"Try figure.savefig('test.{kind}') to see where it fails."
        ) from error
    return buffer.getvalue()


@contextmanager
def _agg_canvas(figure: Figure | None) -> Iterator[None]:
    """Draw without the window: a GUI's canvas redraws itself after saving, which only its thread may do."""
    if figure is None:
        yield
        return
    canvas = figure.canvas
    FigureCanvasAgg(figure)
    try:
        yield
    finally:
        figure.set_canvas(canvas)


@contextmanager
def _type_42(wanted: bool) -> Iterator[None]:
    """Embed TrueType fonts in a PDF: journals refuse the default, and text stays editable.

    There is only the rcParam. `rc_context` would put back all of them, over what other threads changed.
    """
    if not wanted:
        yield
        return
    with _pdf_lock:
        before = matplotlib.rcParams["pdf.fonttype"]
        matplotlib.rcParams["pdf.fonttype"] = 42
        try:
            yield
        finally:
            matplotlib.rcParams["pdf.fonttype"] = before


# -- arrays that are pictures --------------------------------------------------------------------------------


def _image_png(thing: Any, subject: object) -> bytes:
    if isinstance(thing, Image.Image) and thing.mode not in ("F", "I"):
        image = thing if thing.mode in _PNG_MODES else thing.convert("RGB")
        if not image.width or not image.height:
            _no_picture(thing, f"an empty image of {image.width} x {image.height} pixels")
    else:
        image = Image.fromarray(_pixels(thing, subject))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _pixels(thing: Any, subject: object) -> np.ndarray:
    """Return an array or tensor as uint8 of shape (H, W), (H, W, 3) or (H, W, 4)."""
    if thing is None or isinstance(thing, (str, bytes)):
        _no_picture(thing, f"{thing!r:.60} ({type(thing).__name__})")
    try:
        array = _as_array(thing)
    except Exception as error:  # foreign conversions raise what they like
        _no_picture(thing, f"{type(thing).__name__}, which gives no array ({error})")
    said = f"shape {array.shape}, dtype {array.dtype}"
    if array.dtype.kind not in "biuf":
        _no_picture(thing, said)
    if array.ndim == 3 and array.shape[-1] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3, 4)):
        _no_picture(thing, said)
    if array.size == 0:
        _no_picture(thing, said + ", which is empty")
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return np.ascontiguousarray(_to_bytes(array, subject))


def _no_picture(thing: Any, said: str) -> NoReturn:
    raise ConfigError(
        f"a {type(thing).__name__} cannot be saved as a figure: it is {said}. "
        f"Allowed: a matplotlib figure or Axes, a PIL image, or an array of shape {_ARRAYS}. "
        "Give one picture at a time, such as images[0]."
    )


def _to_bytes(array: np.ndarray, subject: object) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * 255
    low, high = array.min(), array.max()  # NaN where there is one
    if array.dtype.kind in "iu" and 0 <= low and high <= 255:
        return array.astype(np.uint8)
    values = array.astype(np.float64)
    if array.dtype.kind in "iu" or not (low >= 0 and high <= 1):
        _warn(
            ("range", subject),
            f"the image holds values from {low} to {high} ({array.dtype}); it is stretched to 0..255. Give "
            "integers in 0..255 or floats in 0..1 to keep the brightness.",
            stacklevel=6,
        )
        colours = _stretch(values[..., :3] if array.ndim == 3 else values)
        if (
            array.ndim == 3 and array.shape[-1] == 4
        ):  # opacity is no brightness: stretched it would hide the picture
            alpha = np.nan_to_num(values[..., 3:], nan=1.0, posinf=1.0)
            colours = np.concatenate([colours, np.clip(alpha / max(alpha.max(), 1.0), 0, 1)], axis=-1)
        values = colours
    return np.rint(values * 255).astype(np.uint8)


def _stretch(values: np.ndarray) -> np.ndarray:
    """Map the finite values onto 0..1; NaN and -inf become 0, inf becomes 1."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return (values == np.inf).astype(np.float64)
    low, high = finite.min() / 2, finite.max() / 2  # halves: the span of two huge numbers is no float
    span = (high - low) or 1.0
    return np.nan_to_num(np.clip((values / 2 - low) / span, 0, 1), nan=0.0)


def _as_array(thing: Any) -> np.ndarray:
    """Return an array, tensor or nested list as numpy array; float types that numpy lacks as float32."""
    if hasattr(thing, "detach"):
        thing = thing.detach()
        thing = thing.cpu() if hasattr(thing, "cpu") else thing
        try:
            return np.asarray(thing.numpy())
        except TypeError:  # torch's bfloat16 has no numpy form
            return np.asarray(thing.float().numpy())
    if not isinstance(thing, np.ndarray) and callable(getattr(thing, "numpy", None)):
        thing = thing.numpy()
    array = np.asarray(thing)
    # ml_dtypes' bfloat16 and float8, which JAX and TensorFlow give, have the kind "V"
    return array.astype(np.float32) if array.dtype.kind == "V" and array.dtype.names is None else array


# -- simple plots --------------------------------------------------------------------------------------------


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
    legend_outside: bool | None = None,
    **line_options: Any,
) -> Figure:
    """Draw curves: ``data`` (or ``y``) over their index or over ``x``.

    A list of curves, a 2-D array (its rows), a DataFrame (its columns) or a single curve. ``x`` is one for
    all curves or one for each. NaN and infinities leave gaps. ``labels``, ``colors`` and ``styles``
    (matplotlib's format strings such as ``"x--"``) have one entry a curve. More than four labels, or
    ``legend_outside``, put the legend beside the axes. Other keywords go to ``Axes.plot``.
    Raises :class:`ConfigError`.

    >>> figure = plot_figure([[1, 2, 3], [2, 1]], labels=["reward", "baseline"], styles=["-", "x--"])
    >>> save(folder, "rewards", figure).path.name
    'rewards.png'
    """
    ys, xs = _xy(data, x, y)
    line_options = _normal(line_options, Line2D)
    count = len(ys)
    names = _per_curve("labels", labels, count)
    looks = _looks(colors, styles, count)
    figure, axes = _axes(xlabel, ylabel, title)
    lines = []
    for curve_x, curve_y, look in zip(xs, ys, looks):
        look = {**look, **line_options}
        if look["linestyle"] not in _NO_LINE:
            curve_x, curve_y = _thin(curve_x, curve_y)
            look = {**_markers(curve_y, look.get("marker")), **look}
        with _drawing("Axes.plot", line_options):
            lines += axes.plot(curve_x, curve_y, **{"linewidth": 1.6 if len(curve_y) < 5000 else 1.0, **look})
    if all(np.array_equal(one, np.round(one)) for one in xs):
        _whole_ticks(axes.xaxis)
    _legend(figure, axes, lines, names, legend_outside)
    return figure


def scatter_figure(
    datas: Any,
    texts: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw clouds of points, each an (n, 2) array, with a text at each one's mean. One may stand by itself.

    Points with NaN or infinities are left out. Other keywords go to ``Axes.scatter``.
    Raises :class:`ConfigError`.
    """
    clouds = _clouds(datas)
    notes = _per_curve("texts", texts, len(clouds), "clouds")
    options = _normal(options, PathCollection)
    colors = [look["color"] for look in _looks(None, None, len(clouds))]
    figure, axes = _axes(xlabel, ylabel, title)
    labelled = []
    for cloud, note, color in zip(clouds, notes, colors):
        size = float(np.clip(4000 / max(len(cloud), 1), 6, 36))
        alpha = 0.55 if len(cloud) < 1000 else 0.25
        # A PDF of a million circles opens in no viewer: they become one image in it.
        look = {"s": size, "alpha": alpha, "linewidth": 0, "rasterized": len(cloud) > 5000, "color": color}
        if "c" in options:
            del look["color"]
        with _drawing("Axes.scatter", options):
            axes.scatter(cloud[:, 0], cloud[:, 1], **{**look, **options})
        if note is not None and len(cloud):
            labelled.append((cloud.mean(axis=0), note, color))
    for centre, note, color in labelled:
        frame = {
            "boxstyle": "round,pad=0.25",
            "facecolor": axes.get_facecolor(),
            "edgecolor": color,
            "alpha": 0.85,
        }
        text = axes.annotate(
            "", centre, ha="center", va="center", fontsize=11, bbox=frame, annotation_clip=False
        )
        _write(text, note, 40)
    return figure


def hist_figure(
    data: Any,
    labels: Any = None,
    xlabel: str = "",
    ylabel: str = "",
    colors: Any = None,
    styles: Any = None,
    title: str | None = None,
    legend_outside: bool | None = None,
    **hist_options: Any,
) -> Figure:
    """Draw one histogram a sample, over common bins: 10 to 60, or one a value for few whole numbers.

    ``data`` is a list of samples, or one. NaN and infinities are left out. Of ``styles`` the colour and the
    line count. Other keywords (``bins``, ``density``, ``stacked``...) go to ``Axes.hist``.
    Raises :class:`ConfigError`.
    """
    given = _curves("data", data)
    hist_options = _normal(hist_options, Polygon)
    names = _per_curve("labels", labels, len(given))
    looks = _looks(colors, styles, len(given))
    if "weights" not in hist_options:  # weights belong to the numbers as they were given
        given = [sample[np.isfinite(sample)] for sample in given]
    figure, axes = _axes(xlabel, ylabel, title)
    options = {"histtype": "stepfilled", "color": [look["color"] for look in looks], **hist_options}
    if options.get("bins") is None:
        everything = np.concatenate(given)
        options["bins"] = _bins(everything[np.isfinite(everything)])
    with _drawing("Axes.hist", hist_options):
        drawn: Any = axes.hist(given, **options)[-1]
    given_look = {
        key: hist_options[key] for key in ("edgecolor", "facecolor", "linewidth") if key in hist_options
    }
    groups = [list(drawn)] if len(given) == 1 else [list(group) for group in drawn]
    for patches, look in zip(groups, looks):
        for patch in patches:
            if "linestyle" not in hist_options and look["linestyle"] not in _NO_LINE:
                patch.set_linestyle(look["linestyle"])
            if options["histtype"] == "stepfilled" and "alpha" not in hist_options:
                rgb = to_rgb(patch.get_facecolor())
                patch.set(**{"edgecolor": rgb, "facecolor": (*rgb, 0.3), "linewidth": 1.6, **given_look})
    if not hist_options.get("density") and "weights" not in hist_options:
        _whole_ticks(axes.yaxis)
    _legend(figure, axes, [patches[0] for patches in groups], names, legend_outside)
    return figure


def _normal(options: dict[str, Any], artist: type) -> dict[str, Any]:
    """Return keywords with their long names (linewidth for lw), so that they replace our own."""
    with _drawing(artist.__name__, options):
        return normalize_kwargs(options, artist)


@contextmanager
def _drawing(method: str, options: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise ConfigError(
            f"{method} refuses: {error}. It was given {options!r:.200}. Allowed: the keywords and "
            f"values of matplotlib's {method}. Correct or leave out these keywords."
        ) from error


# -- checking what is to be drawn ----------------------------------------------------------------------------


def _xy(data: Any, x: Any, y: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the curves and their x, one a curve."""
    if data is None and y is None:
        given = "x without y" if x is not None else "no data"
        raise ConfigError(
            f"a plot was given {given}. Allowed: data, or x and y. Pass data=[curve, ...] or y= as well."
        )
    if data is not None and y is not None:
        raise ConfigError(
            "a plot was given data and y. Allowed: one of them. Leave out data to plot y over x."
        )
    ys = _curves("y" if data is None else "data", y if data is None else data)
    if x is None:
        return ys, [np.arange(len(one), dtype=np.float64) for one in ys]
    xs = _curves("x", x)
    if len(xs) == 1:
        xs = xs * len(ys)
    if len(xs) != len(ys):
        raise ConfigError(
            f"x has {len(xs)} curves and y has {len(ys)}. Allowed: one x for all, or one for each. "
            f"Give {len(ys)}."
        )
    for index, (one_x, one_y) in enumerate(zip(xs, ys)):
        if len(one_x) != len(one_y):
            raise ConfigError(
                f"curve {index} has {len(one_x)} numbers in x and {len(one_y)} in y. Allowed: as many in "
                "both. Cut the longer one."
            )
    return ys, xs


def _curves(what: str, value: Any) -> list[np.ndarray]:
    """Return a list of 1-D float64 arrays, with NaN for what cannot be drawn."""
    if callable(getattr(value, "to_numpy", None)) and hasattr(value, "columns"):  # a DataFrame
        value = value.to_numpy().T
    if not isinstance(value, (list, tuple)):
        if isinstance(value, (str, bytes, dict)) or not (
            hasattr(value, "__iter__") or hasattr(value, "__array__")
        ):
            _no_curve(what, value)
        if getattr(value, "ndim", None) == 1 and str(getattr(value, "dtype", "")) != "object":
            value = [value]
        elif hasattr(value, "detach") or hasattr(value, "__array__"):
            value = list(_convert(what, value)) if getattr(value, "ndim", 0) > 0 else _no_curve(what, value)
        else:
            value = list(value)
    flat = [_is_scalar(one) for one in value]
    if value and all(flat):
        value = [value]
    elif any(flat):
        _no_curve(f"{what}[{flat.index(True)}]", value[flat.index(True)])
    curves = [_numbers(what if len(value) == 1 else f"{what}[{i}]", one) for i, one in enumerate(value)]
    if not any(len(curve) for curve in curves):
        raise ConfigError(
            f"{what} is empty: {len(curves)} curves with 0 numbers. Allowed: at least one number. "
            "Plot after recording."
        )
    return curves


def _numbers(what: str, value: Any) -> np.ndarray:
    array = _convert(what, value)
    if array.dtype.kind in "USMmcV" or array.size != max(array.shape, default=-1) * min(array.size, 1):
        _no_curve(what, value, array)
    try:
        numbers = array.astype(np.float64).reshape(-1)
    except (TypeError, ValueError):
        _no_curve(what, value, array)
    return np.where(np.abs(numbers) < _HUGE, numbers, np.nan)


def _convert(what: str, value: Any) -> np.ndarray:
    try:
        return _as_array(value)
    except Exception:  # tensors in a list raise when they need gradients, live on a GPU or are bfloat16
        try:
            return np.asarray([one.item() if hasattr(one, "item") else one for one in value])
        except Exception:
            _no_curve(what, value)


def _is_scalar(value: Any) -> bool:
    ndim = getattr(value, "ndim", None)
    if isinstance(ndim, int):
        return ndim == 0
    return isinstance(value, (str, bytes)) or not hasattr(value, "__iter__")


def _no_curve(what: str, value: Any, array: np.ndarray | None = None) -> NoReturn:
    said = type(value).__name__
    if array is not None:
        said += f", shape {array.shape}, dtype {array.dtype}"
    raise ConfigError(
        f"{what} cannot be drawn: it is no list of numbers ({said}). Allowed: curves, each a sequence or 1-D "
        "array of real numbers. Pass a list such as [[1, 2, 3], [2, 3]]."
    )


def _clouds(datas: Any) -> list[np.ndarray]:
    if not isinstance(datas, (list, tuple)) or (datas and all(_is_pair(one) for one in datas)):
        array = _convert("datas", datas)
        datas = (
            [array]
            if array.ndim == 2
            else list(array)
            if array.ndim == 3
            else _no_cloud("datas", datas, array)
        )
    clouds = []
    for index, one in enumerate(datas):
        array = _convert(f"datas[{index}]", one)
        if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "biufO":
            _no_cloud(f"datas[{index}]", one, array)
        try:
            points = array.astype(np.float64)
        except (TypeError, ValueError):
            _no_cloud(f"datas[{index}]", one, array)
        clouds.append(points[(np.abs(points) < _HUGE).all(axis=1)])
    if not sum(map(len, datas)):
        raise ConfigError(
            f"datas is empty: {len(clouds)} clouds with 0 points. Allowed: at least one point. "
            "Plot after recording."
        )
    return clouds


def _is_pair(value: Any) -> bool:
    return (
        not _is_scalar(value)
        and hasattr(value, "__len__")
        and len(value) == 2
        and all(map(_is_scalar, value))
    )


def _no_cloud(what: str, value: Any, array: np.ndarray) -> NoReturn:
    raise ConfigError(
        f"{what} is no cloud of points ({type(value).__name__}, shape {array.shape}, dtype {array.dtype}). "
        "Allowed: arrays of shape (n, 2), x and y of each point. Pass [np.stack([x, y], axis=1)]."
    )


def _per_curve(what: str, given: Any, count: int, of: str = "curves") -> list[Any]:
    """Return one entry a curve, or as many None."""
    if given is None:
        return [None] * count
    entries = [given] if isinstance(given, str) or not hasattr(given, "__iter__") else list(given)
    if len(entries) != count:
        raise ConfigError(
            f"{what} has {len(entries)} entries for {count} {of} ({entries!r:.120}). Allowed: one for each. "
            f"Give {count}, or leave {what} out."
        )
    return entries


def _looks(colors: Any, styles: Any, count: int) -> list[dict[str, Any]]:
    """Return each curve's colour, line style and marker: as given, else a cycle that repeats with dashes."""
    given_colors, given_styles = _per_curve("colors", colors, count), _per_curve("styles", styles, count)
    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    scratch = Figure().add_subplot() if any(given_styles) else None
    looks = []
    for index, (color, style) in enumerate(zip(given_colors, given_styles)):
        look = {"color": cycle[index % len(cycle)], "linestyle": _DASHES[index // len(cycle) % len(_DASHES)]}
        if style and scratch is not None:
            look.update(_format_string(scratch, style))
        if color is not None:
            if not is_color_like(color):
                raise ConfigError(
                    f"colors[{index}] is {color!r}. Allowed: matplotlib's colours, such as 'r', 'tab:blue', "
                    "'#ff8800' or (1, 0.5, 0). Correct it or leave colors out."
                )
            look["color"] = color
        looks.append(look)
    return looks


def _format_string(scratch: Axes, style: Any) -> dict[str, Any]:
    """Take a format string apart. matplotlib does that only while it plots, so it plots nothing."""
    scratch.set_prop_cycle(color=["none"])
    try:
        if not isinstance(style, str):
            raise ValueError(f"a {type(style).__name__}")
        (line,) = scratch.plot([], [], style)
    except ValueError as error:
        raise ConfigError(
            f"a style is {style!r}: {error}. Allowed: matplotlib's format strings, such as '--', 'x--' or "
            "'ro:'. Correct it or leave styles out."
        ) from None
    look: dict[str, Any] = {"linestyle": line.get_linestyle()}
    if line.get_marker() not in _NO_LINE:
        look["marker"] = line.get_marker()
    return look if line.get_color() == "none" else {**look, "color": line.get_color()}


# -- drawing -------------------------------------------------------------------------------------------------


def _axes(xlabel: Any, ylabel: Any, title: Any) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(True, color="0.5", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    for text, content, size in (
        (axes.xaxis.label, xlabel, 13),
        (axes.yaxis.label, ylabel, 13),
        (axes.title, title, 13),
    ):
        text.set_fontsize(size)
        if content is not None:
            _write(text, content, 80 if text is not axes.yaxis.label else 55)
    return figure, axes


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep of a very dense curve the first, lowest and highest point and one gap of each piece.

    It looks the same. Agg gives up on jagged lines of a million points, and a PDF of them opens in a minute.
    """
    if len(y) <= _DENSE or not np.all(np.diff(x) >= 0):
        return x, y
    width = len(y) // (_DENSE // 4)
    pieces = y[: len(y) // width * width].reshape(-1, width)
    gaps = np.isnan(pieces)
    lowest, highest = (
        np.where(gaps, np.inf, pieces).argmin(axis=1),
        np.where(gaps, -np.inf, pieces).argmax(axis=1),
    )
    starts = np.arange(len(pieces)) * width
    rest = np.arange(pieces.size, len(y))
    keep = np.unique(
        np.concatenate([starts, starts + lowest, starts + highest, starts + gaps.argmax(axis=1), rest])
    )
    return x[keep], y[keep]


def _markers(y: np.ndarray, marker: Any) -> dict[str, Any]:
    """Return which points of a line get a marker: those without a neighbour, and some where it has one."""
    there = np.concatenate([[False], np.isfinite(y), [False]])
    alone = np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])  # a line through one point is invisible
    if marker not in (None, *_NO_LINE):
        some = np.arange(0, len(y), max(1, len(y) // _MARKERS))
        return {"markersize": 5, "markevery": np.union1d(some, alone).tolist()}
    return {"marker": "o", "markersize": 4, "markevery": alone.tolist()} if alone.size else {}


def _whole_ticks(axis: Any) -> None:
    axis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 2.5, 5, 10], integer=True))


def _bins(values: np.ndarray) -> np.ndarray:
    """Return bin edges after Freedman and Diaconis, capped: numpy's "auto" makes millions for one outlier."""
    if values.size == 0:
        return np.linspace(0.0, 1.0, 11)
    low, high = float(values.min()), float(values.max())
    if high - low <= 40 and np.array_equal(values, np.round(values)):
        return np.arange(low - 0.5, high + 1.0)
    middle = float(np.subtract(*np.percentile(values, [75, 25])))
    width = 2 * middle / values.size ** (1 / 3)
    count = int(np.clip((high - low) / width, 10, 60)) if width > 0 else 30
    if not low + (high - low) / count > low:  # all one value, or as good as
        half = abs(low) * 0.05 or 0.5
        low, high = low - half, low + half
    return np.linspace(low, high, count + 1)


def _legend(
    figure: Figure, axes: Axes, handles: Sequence[Any], names: list[Any], outside: bool | None
) -> None:
    entries = [(handle, _short(str(name), 44)) for handle, name in zip(handles, names) if name is not None]
    if not entries:
        return
    more = len(entries) - _LEGEND_ENTRIES
    if more > 1:
        entries[_LEGEND_ENTRIES:] = [(Line2D([], [], linestyle="None"), f"... and {more} more")]
    columns = -(-len(entries) // _LEGEND_ROWS)
    look: dict[str, Any] = {"fontsize": 11, "framealpha": 0.85, "ncols": columns}
    if outside is None:
        outside = len(entries) > _LEGEND_INSIDE
    # The names are set afterwards: matplotlib leaves those out that start with "_".
    blanks = ["-"] * len(entries)
    if outside:
        longest = max(_columns(line) for _, name in entries for line in name.split("\n"))
        figure.set_size_inches(_SIZE[0] + columns * (0.6 + 0.09 * longest), _SIZE[1])
        legend = figure.legend([handle for handle, _ in entries], blanks, loc="outside right upper", **look)
    else:
        legend = axes.legend([handle for handle, _ in entries], blanks, loc="best", **look)
    for text, (_, name) in zip(legend.get_texts(), entries):
        _write(text, name, 44)


def _write(text: Text, content: Any, limit: int) -> None:
    """Set a text that can be drawn whatever it holds: cut, in fonts that are there, math where it is."""
    families = _families()
    shown = _drawable(_short(str(content), limit), families)
    text.set_fontfamily(list(families))
    text.set_parse_math(_is_math(shown))
    text.set_text(shown)


def _short(text: str, limit: int) -> str:
    """Cut out the middle: the names of runs differ at both ends."""
    text = text.expandtabs(4).strip()
    head = limit // 2
    return text if len(text) <= limit else f"{text[:head]} ... {text[len(text) - (limit - head - 5) :]}"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _is_math(text: str) -> bool:
    if "$" not in text:
        return True  # matplotlib's default; nothing to parse
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def _families() -> tuple[str, ...]:
    installed = set(font_manager.fontManager.get_font_names())
    return (*matplotlib.rcParams["font.family"], *(family for family in _WIDE_FONTS if family in installed))


def _drawable(text: str, families: Iterable[str]) -> str:
    """Replace what no font can show by a square, with one warning. matplotlib would warn for each glyph."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    known = _glyphs(tuple(families), tuple(matplotlib.rcParams["font.sans-serif"]))
    shown, missing = [], []
    for character in text:
        if character == "\n" or ord(character) in known:
            shown.append(character)
        else:
            shown.append(_MISSING_GLYPH)
            missing.append(character)
    if missing:
        _warn(
            "glyphs",
            f"no installed font has {''.join(missing)!a:.60}; figures show squares instead. "
            "Install a font such as Noto Sans CJK, or set matplotlib's rcParams['font.family'].",
            stacklevel=6,
        )
    return "".join(shown)


@functools.lru_cache(maxsize=8)
def _glyphs(families: tuple[str, ...], _sans_serif: tuple[str, ...]) -> frozenset[int]:
    """Return the code points that the families can show. What "sans-serif" means belongs to the key."""
    known: set[int] = set()
    for family in families:
        try:
            properties = font_manager.FontProperties(family=[family])
            path = font_manager.findfont(properties, fallback_to_default=False)
        except ValueError:
            continue
        known.update(font_manager.get_font(path).get_charmap())
    if not known:  # none of them is installed: matplotlib takes its own
        known.update(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
    return frozenset(known)
