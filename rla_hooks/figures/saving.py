"""Figures on disk: what a user drew, and arrays that are pictures.

    <folder>/<name>.png              save(folder, "curve", figure)
    <folder>/<name>-<step>.png       save(folder, "eval/frame", array, step=100)   (sub-folders with "/")
    <folder>/<name>.pdf              save(folder, "curve", figure, pretty=True)

Only matplotlib's object interface is used. pyplot is never imported, so the user's backend, rcParams and open figures
stay as they are, and figures may be saved in any thread.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rla_hooks import atomic
from rla_hooks.errors import ConfigError, WarnOnce
from rla_hooks.filenames import PART_LIMIT, safe_part
from rla_hooks.locks import new_in_child
from rla_hooks.texts import shown, text_of

_CHANNELS = (1, 3, 4)
_FONTS = 42  # of a PDF: TrueType, since journals refuse matplotlib's default
_COMPRESSION = 4  # of PNG: half of the time of 6, and 5 % more bytes
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # of PIL: what a PNG file holds as it is

warn_once = WarnOnce()
forget_state = warn_once.forget_all  # between two tests
drawing = threading.RLock()  # matplotlib's settings and Python's warning filters belong to the whole process
new_in_child(globals(), "drawing")


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
    **options: Any,
) -> Picture:
    """Write a figure or an image below ``folder`` and return it; an existing file of that name is replaced.

    options: of how a figure is printed, such as ``bbox_inches="tight"``, ``facecolor``.

    A figure is a matplotlib Figure, or what has one (Axes, an array of Axes, a seaborn grid); with ``pretty`` it
    becomes a PDF. Images are always PNG: PIL images, and arrays or tensors of shape (H, W), (H, W, C) or (C, H, W)
    with C in 1, 3, 4, of bool, integers in 0..255 or floats in 0..1. Other values are stretched to that range, with
    one warning. Raises :class:`ConfigError` for what is no picture, :class:`OSError` where the disk refuses.
    """
    figure = _figure_of(figure_or_array)
    pretty = pretty and figure is not None
    path = _path(folder, name, step, pretty)
    png = (
        _image(figure_or_array, subject=(str(folder), name))
        if figure is None
        else render(figure, "png", dpi, **options)
    )
    content = render(figure, "pdf", dpi, **options) if figure is not None and pretty else png
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, content, sync=False)
    width, height = struct.unpack(">II", png[16:24])  # where every PNG has them
    return Picture(path, png, width, height)


def exists(folder: Path, name: str, step: int | None = None, pretty: bool = False) -> bool:
    """Return whether :func:`save` wrote this figure already. Raises :class:`ConfigError` for a bad name or step."""
    return _path(folder, name, step, pretty).is_file()


def as_array(thing: Any) -> np.ndarray:
    """Return an array, tensor or nested list as numpy array; float types that numpy lacks become wider ones.

    Raises whatever the conversion of a foreign object raises.
    """
    if hasattr(thing, "detach"):  # torch: numpy takes neither gradients nor GPU memory nor bfloat16
        thing = thing.detach().cpu()
        thing = thing.double() if thing.is_floating_point() else thing
    array = np.asarray(thing)
    # ml_dtypes' bfloat16 and float8, which JAX and TensorFlow give, have the kind "V"
    return array.astype(np.float32) if array.dtype.kind == "V" and array.dtype.names is None else array


def save_video(folder: Path, name: str, frames: Any, step: int | None = None, fps: float = 4) -> Picture:
    """Write frames as an endless GIF under ``folder``, and return it (``png`` holds the GIF).

    frames: shape (T, H, W, C) or (T, C, H, W), or with a batch axis before, of which the first is taken; C is 1, 3
    or 4, uint8 or floats of 0 to 1. Raises :class:`ConfigError` for anything else, OSError for trouble with the disk.
    """
    array = as_array(frames)
    array = array[0] if array.ndim == 5 and len(array) else array
    if array.ndim != 4 or not len(array) or fps <= 0:
        raise ConfigError(
            f"the video {name!r} has shape {array.shape} at {fps} frames a second. Allowed: (T, H, W, C) or "
            "(T, C, H, W) with T above 0, and fps above 0."
        )
    images = [Image.fromarray(_pixels(frame, subject=(str(folder), name))) for frame in array]
    buffer = io.BytesIO()
    images[0].save(buffer, format="GIF", save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)
    path = save_bytes(folder, name, buffer.getvalue(), step, ".gif")
    return Picture(path, buffer.getvalue(), *images[0].size)


def save_bytes(folder: Path, name: str, content: bytes, step: int | None, suffix: str) -> Path:
    """Write ``content`` to the file that a figure of this name would have, with another suffix, and return its path."""
    path = _path(folder, name, step, pretty=False)
    path = path.with_name(path.name.removesuffix(".png") + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, content, sync=False)
    return path


# --- names ------------------------------------------------------------------------------------------------------------


def _path(folder: Path, name: str, step: int | None, pretty: bool) -> Path:
    """Return the file of a figure. Each part of the name is safe, and no link leads out of the folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")] if isinstance(name, str) else []
    if not parts:
        raise ConfigError(
            f"a figure's name is {shown(name)} ({type(name).__name__}). Allowed: a text, not empty, with '/' for "
            "sub-folders. Give a name such as 'learning_curve' or 'eval/returns'."
        )
    *folders, last = parts
    suffix = ".pdf" if pretty else ".png"
    end = _step_text(step) + suffix
    file = safe_part(last.removesuffix(suffix), PART_LIMIT - len(end)) + end
    path = Path(folder).joinpath(*map(safe_part, folders), file)
    if not path.parent.resolve().is_relative_to(Path(folder).resolve()):
        raise ConfigError(
            f"the figure {name!r} would be written to {str(path.parent.resolve())!r}. Allowed: inside {str(folder)!r}. "
            "Remove the symbolic link or choose another name."
        )
    return path


def _step_text(step: Any) -> str:
    if step is None:
        return ""
    with suppress(TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: torch's, for several elements
        if int(step) == step:
            return f"-{int(step)}"
    raise ConfigError(
        f"a figure's step is {shown(step)} ({type(step).__name__}). "
        "Allowed: a whole number or None. Give step=int(...)."
    )


# --- figures that a user drew -----------------------------------------------------------------------------------------


def _figure_of(thing: Any) -> Figure | None:
    if isinstance(thing, np.ndarray) and thing.dtype == object and thing.size:
        thing = thing.flat[0]  # df.hist() and plt.subplots() give arrays of Axes
    # Twice: the figure of Axes may be a sub-figure. That of a Figure is itself.
    figure = getattr(getattr(thing, "figure", None), "figure", None)
    return figure if isinstance(figure, Figure) else None


def render(figure: Figure, kind: str, dpi: float, metadata: dict[str, Any] | None = None, **options: Any) -> bytes:
    """Return a figure as a file of this kind, with TrueType fonts. metadata, options: as ``savefig`` takes them.

    Raises :class:`ConfigError` for a figure that cannot be drawn.
    """
    buffer = io.BytesIO()
    with drawing, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # one for each character; the boxes tell it
        canvas, parameters = figure.canvas, matplotlib.rcParams
        former = parameters["pdf.fonttype"], parameters["ps.fonttype"]
        # There is only the rcParam, and matplotlib 3.11 takes the size of a PDF's fonts from that of PostScript.
        parameters["pdf.fonttype"] = parameters["ps.fonttype"] = _FONTS
        try:
            # Not on the figure's own canvas: a window redraws itself afterwards, which only its thread may do.
            if kind == "png":
                options["pil_kwargs"] = {"compress_level": _COMPRESSION}
            FigureCanvasAgg(figure).print_figure(buffer, format=kind, dpi=dpi, metadata=metadata, **options)
        except Exception as error:  # a figure runs its artists' code, and backends raise what they like
            raise ConfigError(
                f"the figure cannot be drawn at dpi={dpi!r}: {type(error).__name__}: {text_of(error)}. Allowed: a "
                f"figure that matplotlib can write as {kind}. Try figure.savefig('test.{kind}') to see where it fails."
            ) from error
        finally:
            figure.set_canvas(canvas)
            parameters["pdf.fonttype"], parameters["ps.fonttype"] = former
    return buffer.getvalue()


# --- arrays that are pictures -----------------------------------------------------------------------------------------


def _image(thing: Any, subject: object) -> bytes:
    """Return a PIL image or an array as PNG file."""
    if not isinstance(thing, Image.Image) or thing.mode in ("F", "I"):  # these hold numbers of any size
        image = Image.fromarray(_pixels(thing, subject))
    elif 0 in thing.size:
        raise _no_picture(thing, f"an empty image of {thing.width} x {thing.height} pixels")
    else:
        image = thing if thing.mode in _PNG_MODES else thing.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _pixels(thing: Any, subject: object) -> np.ndarray:
    """Return an array or tensor as uint8 of shape (H, W), (H, W, 3) or (H, W, 4)."""
    try:
        array = as_array(thing)
    except Exception as error:  # foreign conversions raise what they like
        raise _no_picture(thing, f"no array ({text_of(error)})") from error
    said = f"of shape {array.shape}, dtype {array.dtype}"
    if array.ndim == 3 and array.shape[2] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, -1)
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in _CHANNELS)
    if not has_shape or array.size == 0 or array.dtype.kind not in "biuf":
        raise _no_picture(thing, said)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    return _to_bytes(array, subject)


def _to_bytes(array: np.ndarray, subject: object) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    top = 255.0 if array.dtype.kind in "iu" else 1.0
    values = array.astype(np.float64)
    if not (values.min() >= 0 and values.max() <= top):  # also where one is NaN
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        warn_once(
            ("image", subject),
            f"the image holds NaN or values outside 0..{top:g} ({array.dtype}, {low:g} to {high:g}); it is stretched. "
            "Allowed: integers in 0..255 or floats in 0..1. Give those to keep the brightness.",
        )
        values = np.nan_to_num((values - low) / ((high - low) or 1.0), nan=0.0, posinf=1.0, neginf=0.0)
        top = 1.0
    return np.rint(values / top * 255).astype(np.uint8)


def _no_picture(thing: Any, said: str) -> ConfigError:
    return ConfigError(
        f"a {type(thing).__name__} cannot be saved as a figure: it is {said}. Allowed: a matplotlib figure or Axes, a "
        "PIL image, or an array of bool, integers or floats of shape (H, W), (H, W, C) or (C, H, W) with C in 1, 3, 4. "
        "Give one picture at a time, such as images[0]."
    )
