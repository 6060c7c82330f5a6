"""``wandb.Image`` and ``wandb.Video``, which keep at once what they show, and are written when they are logged."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb.files import Results
from rla_hooks.integrations._wandb.media import Media

from rla_hooks.errors import ConfigError, warn
from rla_hooks.hooks import Run


class Image(Media):
    """A picture: an array or tensor, a PIL image, a matplotlib figure, or a file.

    mode: PIL's, such as "L". caption: written to results/captions.csv, and shown in TensorBoard's Text tab.

    >>> import numpy
    >>> Image(numpy.zeros((4, 6, 3), "uint8"), caption="black").image.size
    (6, 4)
    """

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Any = None,
        boxes: Any = None,
        masks: Any = None,
        file_type: str | None = None,
        normalize: bool = True,
    ):
        self.caption = caption
        self.image = _picture(data_or_path, mode)
        if boxes or masks:
            warn("wandb.Image: boxes and masks are not drawn. Draw them into the array, or on a figure.")

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        path = run.save_figure(key, self.image, step)
        if self.caption:
            run.add_text(f"{key}/caption", self.caption, step)
        return path


def is_figure(thing: Any) -> bool:
    """Whether it is a matplotlib figure, or axes, or pyplot, whose present figure is meant."""
    name = type(thing).__module__.partition(".")[0]
    return name in ("matplotlib", "seaborn") or thing is sys.modules.get("matplotlib.pyplot")


def figure_of(thing: Any) -> Any:
    """Return what ``save_figure`` takes: of pyplot its present figure."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return pyplot.gcf() if thing is pyplot else thing


def _picture(thing: Any, mode: str | None) -> Any:
    import PIL.Image

    if isinstance(thing, Image):
        return thing.image
    if isinstance(thing, (str, os.PathLike)):
        with PIL.Image.open(thing) as file:
            file.load()
            return file.copy() if mode is None else file.convert(mode)
    if isinstance(thing, PIL.Image.Image):
        return thing.copy() if mode is None else thing.convert(mode)
    if is_figure(thing):
        from rla_hooks.figures.saving import render

        figure: Any = getattr(figure_of(thing), "figure", None)
        return PIL.Image.open(io.BytesIO(render(getattr(figure, "figure", figure), "png", 100)))
    image = PIL.Image.fromarray(_pixels(thing))
    return image if mode is None else image.convert(mode)


def _pixels(thing: Any) -> Any:
    """Return an array as uint8 of shape (H, W), (H, W, 3) or (H, W, 4); several pictures side by side."""
    import numpy

    from rla_hooks.figures.saving import as_array

    array = as_array(thing)
    if array.ndim > 2:
        array = numpy.squeeze(array)
    if array.ndim == 4:
        array = numpy.concatenate([*map(_channels_last, array)], axis=1)
    array = _channels_last(array)
    if array.ndim not in (2, 3) or not array.size:
        raise ConfigError(
            f"wandb.Image got an array of shape {array.shape}. Allowed: (H, W), (H, W, C) or (C, H, W) with C in 1, 3, "
            "4, or several of these."
        )
    return _bytes(array)


def _channels_last(array: Any) -> Any:
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _bytes(array: Any) -> Any:
    """Return brightness as uint8: floats are of 0 to 1, of -1 to 1, or of 0 to 255 where they are larger."""
    import numpy

    if array.dtype == numpy.uint8:
        return numpy.array(array)
    if array.dtype == numpy.bool_:
        return array.astype(numpy.uint8) * 255
    values = numpy.nan_to_num(array.astype(numpy.float64), nan=0.0)
    if array.dtype.kind == "f" and values.max() <= 1:
        values = (values + 1) / 2 if values.min() < 0 else values
        values = values * 255
    return numpy.rint(values.clip(0, 255)).astype(numpy.uint8)


class Video(Media):
    """A video: frames of shape (T, C, H, W), or several with a batch axis before, side by side; or a file.

    Frames become a GIF, which TensorBoard shows; with ``format="mp4"`` or "webm", and imageio-ffmpeg, that as well.
    """

    FORMATS = ("gif", "mp4", "webm", "ogg")

    def __init__(
        self, data_or_path: Any, caption: str | None = None, fps: int | None = None, format: str | None = None
    ):
        self.caption, self.fps, self.format = caption, fps or 4, format or "gif"
        if self.format not in self.FORMATS:
            raise ConfigError(f"wandb.Video got format={format!r}. Known: {', '.join(self.FORMATS)}.")
        self.path = Path(data_or_path) if isinstance(data_or_path, (str, os.PathLike)) else None
        self.content = data_or_path.read() if hasattr(data_or_path, "read") else None
        self.frames = None if self.path or self.content is not None else _frames(data_or_path)

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        if self.path is not None:
            path = results.copy(key, step, self.path)
        elif self.content is not None:
            path = results.write(key, step, f".{self.format}", self.content)
        else:
            path = run.add_video(key, self.frames, step, self.fps)
            if path is not None and self.format in ("mp4", "webm"):
                path = self._encode(path.with_suffix(f".{self.format}")) or path
            return path
        if path is not None and path.suffix == ".gif":
            _show_gif(run, key, step, path)
        return path

    def _encode(self, path: Path) -> Path | None:
        """Write the frames by ffmpeg, if imageio-ffmpeg is there."""
        try:
            import imageio_ffmpeg
        except ImportError:
            warn(f"wandb.Video: {path.suffix} needs imageio-ffmpeg, so it is a GIF. pip install imageio-ffmpeg")
            return None
        import numpy

        assert self.frames is not None
        height, width = self.frames.shape[2:4]
        even = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))  # which the common encoding needs
        frames = numpy.ascontiguousarray(numpy.pad(self.frames.transpose(0, 2, 3, 1)[..., :3], even, mode="edge"))
        if frames.shape[3] == 1:
            frames = frames.repeat(3, axis=3)
        size = frames.shape[2], frames.shape[1]
        writer = imageio_ffmpeg.write_frames(str(path), size, fps=self.fps, macro_block_size=1)
        writer.send(None)
        for frame in frames:
            writer.send(frame.tobytes())
        writer.close()
        return path


def _frames(given: Any) -> Any:
    """Return frames as uint8 of shape (T, C, H, W)."""
    import numpy

    from rla_hooks.figures.saving import as_array

    array = as_array(given)
    if array.ndim == 5 and len(array):
        array = numpy.concatenate([*array], axis=3)
    if array.ndim != 4 or not array.size:
        raise ConfigError(
            f"wandb.Video got an array of shape {array.shape}. Allowed: (T, C, H, W), or (N, T, C, H, W)."
        )
    if array.shape[1] not in (1, 3, 4) and array.shape[3] in (1, 3, 4):  # often given by mistake
        array = array.transpose(0, 3, 1, 2)
    return _bytes(array)


def _show_gif(run: Run, key: str, step: int, path: Path) -> None:
    """Show a GIF that lies there in TensorBoard's Images tab."""
    import PIL.Image

    from rla_hooks.writers.base import Image as Picture

    with PIL.Image.open(path) as file:
        run.logger.write_media(key, Picture(path.read_bytes(), *file.size), step)
