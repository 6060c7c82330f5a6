"""The figures of a run: saved under results/, and shown in TensorBoard's Images tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.errors import ConfigError
from rla_hooks.writers.base import Image


class RunFigures:
    """Draws and saves. Whatever cannot be drawn or saved costs one warning by name; the training goes on."""

    def __init__(self, ownership: Ownership, logger: Logger, guard: Guard):
        self._ownership, self._logger, self._guard = ownership, logger, guard

    @property
    def folder(self) -> Path | None:
        """Where figures go; None where this process writes none."""
        paths = self._ownership.paths
        return paths.results_dir if paths is not None and self._ownership.is_writing else None

    def save_figure(self, name: str, figure: Any, step: int | None = None, pretty: bool = False) -> Path | None:
        """Save a matplotlib figure or an image array under results/ and show it in TensorBoard's Images tab.

        ``pretty`` writes a PDF instead of a PNG. Arrays: shape (H, W), (H, W, C) or (C, H, W), C in 1, 3, 4; bool,
        integers of 0 to 255 or floats of 0 to 1. Returns the path, or None where it could not be saved.
        """
        self._ownership.need_started("save_figure")
        if self.folder is None:
            return None
        from rla_hooks.figures import saving

        try:
            picture = saving.save(self.folder, name, figure, step, pretty)
        except (OSError, ConfigError) as error:
            self._guard.warn(("figure", name), f"the figure {name!r} was not saved: {error}", stacklevel=4)
            return None
        self._show(name, picture, step)
        return picture.path

    def save_video(self, name: str, frames: Any, step: int | None = None, fps: float = 4) -> Path | None:
        """Save frames as ``results/<run>/<name>.gif`` and show them. Raises what the conversion of frames raises."""
        if self.folder is None:
            return None
        from rla_hooks.figures import saving

        picture = saving.save_video(self.folder, name, saving.as_array(frames), step, fps)
        self._show(name, picture, step)
        return picture.path

    def _show(self, name: str, picture: Any, step: int | None) -> None:
        self._logger.write_media(name, Image(picture.png, picture.width, picture.height), step)

    def simple_plot(
        self,
        /,  # so that options may have any name
        name: str,
        data: Any = None,
        x: Any = None,
        y: Any = None,
        labels: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        colors: Any = None,
        styles: Any = None,
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw curves and save the figure: ``data`` is a list of curves, or ``x`` and ``y`` are lists of them.

        labels, colors, styles: one for each curve; styles are matplotlib's format strings such as ``"x--"``. pretty:
        PDF instead of PNG. A figure of that name which exists is left as it is unless ``cover`` is true. options:
        ``step``, and those of ``Axes.plot``. Returns the path of what was written, or None.
        """
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        return self._draw("plot_figure", name, pretty, cover, options, data=data, x=x, y=y, **looks)

    def simple_scatter(
        self,
        /,  # so that options may have any name
        name: str,
        datas: Any,
        texts: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw clouds of points, each an (n, 2) array, with a text at each one's mean. Options as in simple_plot."""
        looks = {"texts": texts, "xlabel": xlabel, "ylabel": ylabel}
        return self._draw("scatter_figure", name, pretty, cover, options, datas=datas, **looks)

    def simple_hist(
        self,
        /,  # so that options may have any name
        name: str,
        data: Any,
        labels: Any = None,
        pretty: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        colors: Any = None,
        styles: Any = None,
        cover: bool = False,
        **options: Any,
    ) -> Path | None:
        """Draw one histogram for each sequence of numbers. Options as in simple_plot, and those of ``Axes.hist``."""
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        return self._draw("hist_figure", name, pretty, cover, options, data=data, **looks)

    def _draw(
        self, kind: str, name: str, pretty: bool, cover: bool, options: dict[str, Any], **content: Any
    ) -> Path | None:
        self._ownership.need_started("drawing a figure")
        if self.folder is None:
            return None
        from rla_hooks.figures import saving, simple

        step = options.pop("step", None)
        try:
            if not cover and saving.exists(self.folder, name, step, pretty):
                message = f"the figure {name!r} is there already and stays. Pass cover=True to replace it."
                self._guard.warn(("figure", name), message, stacklevel=5)
                return None
            figure = getattr(simple, kind)(**content, **options)
        except ConfigError as error:
            self._guard.warn(("figure", name), f"the figure {name!r} was not drawn: {error}", stacklevel=5)
            return None
        return self.save_figure(name, figure, step, pretty)
