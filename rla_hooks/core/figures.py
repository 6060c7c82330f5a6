"""The figures of a run: saves them in results/ and shows them in TensorBoard's Images tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.texts import shown, text_of
from rla_hooks.writers.base import Image


class RunFigures:
    """Draws and saves figures. One that cannot be drawn or saved gives one warning, and the training goes on."""

    def __init__(self, ownership: Ownership, logger: Logger, guard: Guard):
        self._ownership, self._logger, self._guard = ownership, logger, guard

    @property
    def folder(self) -> Path | None:
        """Where figures go; None where this process writes none."""
        paths = self._ownership.paths
        return paths.results_dir if paths is not None and self._ownership.is_writing else None

    def save_figure(self, name: str, figure: Any, step: int | None = None, pretty: bool = False) -> Path | None:
        """Save a matplotlib figure or an image under the run's results, and show it in TensorBoard.

        name: with "/" for sub-folders. figure: a Figure or Axes, or an array of shape (H, W), (H, W, C) or (C, H, W), C
        in 1, 3, 4, of bool, integers of 0 to 255 or floats of 0 to 1. step: becomes part of the file's name. pretty:
        PDF instead of PNG. Returns the path; None, after one warning, if it cannot be saved. Raises RunError if no run
        has started.

        >>> import numpy, rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.save_figure("eval/frame", numpy.zeros((4, 4)), step=10).name
        'frame-10.png'
        """
        return self.add(name, figure, step, pretty=pretty)

    def add(
        self, name: str, figure: Any, step: int | None = None, walltime: Any = None, pretty: bool = False
    ) -> Path | None:
        """Do what :meth:`save_figure` does. walltime: the time in TensorBoard, in seconds since the epoch."""
        self._ownership.need_started("save_figure")
        if self.folder is None:
            return None
        try:
            from rla_hooks.figures import saving  # its import may fail, too: with no file handle left, say

            picture = saving.save(self.folder, name, figure, step, pretty)
        except OSError as error:  # one warning for all figures until one can be saved again
            message = f"the figure {shown(name)} was not saved: {text_of(error)}. The training goes on."
            self._guard.warn("figures", message)
            return None
        except Exception as error:  # of the user's objects
            self._guard.warn(("figure", shown(name)), f"the figure {shown(name)} was not saved: {text_of(error)}")
            return None
        self._guard.warn.rearm("figures")
        self._show(name, picture, step, walltime)
        return picture.path

    def save_file(self, name: str, content: bytes, step: int | None, suffix: str) -> Path | None:
        """Save what is no picture as ``results/<run>/<name><suffix>``. Raises ConfigError for a bad name, OSError."""
        if self.folder is None:
            return None
        from rla_hooks.figures import saving

        return saving.save_bytes(self.folder, name, content, step, suffix)

    def save_video(
        self, name: str, frames: Any, step: int | None = None, fps: float = 4, walltime: Any = None
    ) -> Path | None:
        """Save frames as ``results/<run>/<name>.gif`` and show them. Raises what the conversion of frames raises."""
        if self.folder is None:
            return None
        from rla_hooks.figures import saving

        picture = saving.save_video(self.folder, name, saving.as_array(frames), step, fps)
        self._show(name, picture, step, walltime)
        return picture.path

    def _show(self, name: str, picture: Any, step: int | None, walltime: Any = None) -> None:
        self._logger.write_media(name, Image(picture.png, picture.width, picture.height), step, walltime)

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
        """Draw curves and save the figure in the run.

        data: a list of curves, over their index; or x and y: lists of them. labels, colors, styles: one for each curve;
        styles are matplotlib's format strings such as ``"x--"``. pretty: PDF instead of PNG. cover: replace a figure of
        that name, which is kept otherwise. options: ``step``, and those of ``Axes.plot``. Returns the path; None, after
        one warning, if nothing was drawn. Raises RunError if no run has started.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_plot(name="returns", data=[[1, 2, 3], [1, 1, 2]], labels=["ours", "baseline"]).name
        'returns.png'
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
        """Draw clouds of points and save the figure in the run.

        datas: arrays of shape (n, 2). texts: one for each cloud, written at its mean. options: ``step``, and those of
        ``Axes.scatter``. The rest as in :func:`simple_plot`.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_scatter("states", [[[0.0, 1.0], [1.0, 2.0]]], texts=["start"]).name
        'states.png'
        """
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
        """Draw one histogram for each sequence of numbers, over common bins, and save the figure in the run.

        options: ``step``, and those of ``Axes.hist``. The rest as in :func:`simple_plot`.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_hist("returns", [[1, 2, 2, 3]], labels=["ours"]).name
        'returns.png'
        """
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        return self._draw("hist_figure", name, pretty, cover, options, data=data, **looks)

    def _draw(
        self, kind: str, name: str, pretty: bool, cover: bool, options: dict[str, Any], **content: Any
    ) -> Path | None:
        self._ownership.need_started("drawing a figure")
        if self.folder is None:
            return None
        step = options.pop("step", None)
        try:
            from rla_hooks.figures import saving, simple

            if not cover and saving.exists(self.folder, name, step, pretty):
                message = f"the figure {shown(name)} is there already and stays. Pass cover=True to replace it."
                self._guard.warn(("figure", shown(name)), message)
                return None
            figure = getattr(simple, kind)(**content, **options)
        except Exception as error:  # of the user's objects
            subject = "figures" if isinstance(error, OSError) else ("figure", shown(name))
            self._guard.warn(subject, f"the figure {shown(name)} was not drawn: {text_of(error)}")
            return None
        return self.save_figure(name, figure, step, pretty)
