"""Images as a SummaryWriter is given them: axes in any order, batches that become a grid, boxes, videos.

What comes out has the axes (H, W) or (H, W, C), or (T, H, W, C) for a video, and the pixels that torch's SummaryWriter
would show.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from rla_hooks.errors import ConfigError
from rla_hooks.figures.saving import as_array, render

_COLUMNS = 8  # of the grid that a batch of images becomes


def in_order(array: np.ndarray, given: str, wanted: str) -> np.ndarray:
    """Return the array with its axes in the order ``wanted``; a wanted axis that is not given has one element.

    >>> in_order(np.zeros((3, 4, 5)), "CHW", "HWC").shape, in_order(np.zeros((5, 4)), "WH", "HWC").shape
    ((4, 5, 3), (4, 5, 1))
    """
    axes = given.upper() if isinstance(given, str) else ""
    if len(axes) != array.ndim or len(set(axes)) < len(axes) or set(axes) - set(wanted):
        raise ConfigError(
            f"it has {array.ndim} axes of shape {array.shape}, dataformats is {given!r}. Allowed: one letter of "
            f"{wanted} for each axis."
        )
    array = array.transpose([axes.index(axis) for axis in wanted if axis in axes])
    for position, axis in enumerate(wanted):
        if axis not in axes:
            array = array[(slice(None),) * position + (None,)]
    return array


def picture(image: Any, dataformats: str) -> np.ndarray:
    """Return an image, or a batch of images as a grid of up to 8 columns, with the axes (H, W, C).

    >>> picture(np.zeros((10, 3, 4, 5)), "NCHW").shape
    (8, 40, 3)
    """
    array = as_array(image)
    if isinstance(dataformats, str) and "N" in dataformats.upper():
        batch = in_order(array, dataformats, "NHWC")
        return to_bytes(_grid(batch, min(len(batch), _COLUMNS)))
    return to_bytes(in_order(array, dataformats, "HWC"))


def to_bytes(array: np.ndarray) -> np.ndarray:
    """Return floats of 0 to 1 as bytes, cut as torch does it; any other array as it is."""
    if array.dtype.kind == "f" and array.size and array.min() >= 0 and array.max() <= 1:  # none of them NaN
        return (array.astype(np.float32) * 255).astype(np.uint8)
    return array


def _grid(batch: np.ndarray, columns: int) -> np.ndarray:
    """Lay the images of a batch (N, H, W, C) out in rows, on black."""
    number, height, width, channels = batch.shape
    if not batch.size:
        raise ConfigError(f"the batch of shape (N, H, W, C) = {batch.shape} is empty")
    rows = -(-number // columns)
    empty = np.zeros((rows * columns - number, height, width, channels), batch.dtype)
    tiles = np.concatenate([batch, empty]).reshape(rows, columns, height, width, channels)
    grid: np.ndarray = tiles.swapaxes(1, 2).reshape(rows * height, columns * width, channels)
    return grid


def frames(video: Any, dataformats: str = "NTCHW") -> np.ndarray:
    """Return a video with the axes (T, H, W, C); several at once become a grid in each frame.

    >>> frames(np.zeros((4, 10, 3, 8, 9))).shape
    (10, 16, 18, 3)
    """
    batch = in_order(as_array(video), dataformats, "NTHWC")
    if not batch.size:
        raise ConfigError(f"the video of shape (N, T, H, W, C) = {batch.shape} is empty")
    whole = 1 << (len(batch) - 1).bit_length()  # as torch has it: a power of two
    columns = whole >> (len(batch).bit_length() - 1) // 2
    return to_bytes(np.stack([_grid(frame, columns) for frame in batch.swapaxes(0, 1)]))


def stacked(images: Sequence[Any]) -> np.ndarray:
    """Return images as a batch."""
    return np.stack([as_array(image) for image in images])


def of_figures(figures: Sequence[Any], close: bool = False) -> np.ndarray:
    """Return several matplotlib figures of one size as a grid. close: also those of pyplot."""
    drawn = [np.asarray(Image.open(io.BytesIO(render(each, "png", each.dpi))).convert("RGB")) for each in figures]
    pyplot = sys.modules.get("matplotlib.pyplot")
    if close and pyplot is not None:
        for each in figures:
            pyplot.close(each)
    if len({each.shape for each in drawn}) > 1:
        raise ConfigError(f"the figures have the sizes {[each.shape[:2] for each in drawn]}. Allowed: one size")
    return _grid(np.stack(drawn), min(len(drawn), _COLUMNS))


def with_boxes(
    image: Any, boxes: Any, rescale: float = 1, dataformats: str = "CHW", labels: str | Sequence[str] | None = None
) -> np.ndarray:
    """Return an image with red boxes, each of which is (left, top, right, bottom) in pixels.

    labels: one for each box, drawn at its foot; another number of them is ignored.

    >>> with_boxes(np.zeros((3, 8, 8)), [[1, 1, 6, 6]])[1, 1].tolist()
    [255, 0, 0]
    """
    drawn = Image.fromarray(_as_rgb(picture(image, dataformats)))
    corners = as_array(boxes).astype(np.float64).reshape(-1, 4)
    names: Sequence[str] = [labels] if isinstance(labels, str) else labels if labels is not None else ()
    pen = ImageDraw.Draw(drawn)
    for number, (left, top, right, bottom) in enumerate(corners.tolist()):
        pen.line([(left, top), (left, bottom), (right, bottom), (right, top), (left, top)], fill="red", width=2)
        if len(names) == len(corners):
            text = str(names[number])
            _, _, wide, high = pen.textbbox((0, 0), text)
            pen.rectangle([(left, bottom - high - 2), (left + wide + 2, bottom)], fill="red")
            pen.text((left + 1, bottom - high - 1), text, fill="black")
    size = max(1, int(drawn.width * rescale)), max(1, int(drawn.height * rescale))
    return np.asarray(drawn if size == drawn.size else drawn.resize(size, Image.Resampling.LANCZOS))


def _as_rgb(array: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = array[..., :3] if array.shape[-1] > 2 else np.repeat(array[..., :1], 3, axis=-1)
    top = 255 if pixels.dtype.kind == "b" else 1
    return np.asarray((np.nan_to_num(pixels) * top).clip(0, 255), dtype=np.uint8)
