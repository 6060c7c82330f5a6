"""The figures of a run: saves them in results/ and shows them in TensorBoard's Images tab."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership, State, writing_disabled
from rla_hooks.core.logger import Logger
from rla_hooks.layout import RunPaths
from rla_hooks.texts import shown, text_of
from rla_hooks.writers.base import Image

Place = tuple[Path, str]  # a folder, and the name of a file in it, without its ending
_ENDINGS = (".pdf", ".png", ".jpg", ".jpeg", ".svg", ".eps", ".ps", ".tif", ".tiff", ".webp", ".bmp", ".gif")


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
        self,
        name: str,
        figure: Any,
        step: int | None = None,
        walltime: Any = None,
        pretty: bool = False,
        place: Place | None = None,
        **options: Any,
    ) -> Path | None:
        """Do what :meth:`save_figure` does. walltime: the time in TensorBoard, in seconds since the epoch.

        place: where the file is, if it is not ``<results>/<name>-<step>``. options: as ``figures.save`` takes them.
        """
        self._ownership.need_started("save_figure")
        if self.folder is None:
            return None
        try:
            from rla_hooks.figures import saving  # its import may fail, too: with no file handle left, say

            folder, file, number = (self.folder, name, step) if place is None else (*place, None)
            picture = saving.save(folder, file, figure, number, pretty, **options)
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
        title: str | None = None,
        legend_outside: bool = True,
        save_path: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Path | None:
        """Draw curves and save the figure in the run.

        data: a list of curves, over their index; or x and y: lists of them. labels, colors, styles: one for each curve;
        styles are matplotlib's format strings such as ``"x--"``. pretty: PDF instead of PNG. cover: replace a figure of
        that name, which is kept otherwise. save_path: the file, if it is not to be in the run. title, xlabel, ylabel:
        texts. legend_outside: the legend stands beside the axes, not in them. options: ``step``, and
        those of ``Axes.plot``. Returns the path; None, after one warning, if nothing was drawn. Raises RunError if no
        run has started.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_plot(name="returns", data=[[1, 2, 3], [1, 1, 2]], labels=["ours", "baseline"]).name
        'returns.png'
        """
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        looks |= {"title": title, "legend_outside": legend_outside, "save_path": save_path}
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
        save_path: str | os.PathLike[str] | None = None,
        title: str | None = None,
        **options: Any,
    ) -> Path | None:
        """Draw clouds of points and save the figure in the run.

        datas: arrays of shape (n, 2). texts: one for each cloud, written at its mean. options: ``step``, and those of
        ``Axes.scatter``. pretty, cover, save_path, title, xlabel, ylabel: as of :func:`simple_plot`.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_scatter("states", [[[0.0, 1.0], [1.0, 2.0]]], texts=["start"]).name
        'states.png'
        """
        looks = {"texts": texts, "xlabel": xlabel, "ylabel": ylabel, "title": title, "save_path": save_path}
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
        save_path: str | os.PathLike[str] | None = None,
        title: str | None = None,
        legend_outside: bool = True,
        **options: Any,
    ) -> Path | None:
        """Draw one histogram for each sequence of numbers, over common bins, and save the figure in the run.

        data: the sequences. options: ``step``, and those of ``Axes.hist``. labels, colors, styles, pretty, cover,
        save_path, title, xlabel, ylabel, legend_outside: as of :func:`simple_plot`.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=[], backup="none"):
        ...     rla.simple_hist("returns", [[1, 2, 2, 3]], labels=["ours"]).name
        'returns.png'
        """
        looks = {"labels": labels, "xlabel": xlabel, "ylabel": ylabel, "colors": colors, "styles": styles}
        looks |= {"title": title, "legend_outside": legend_outside, "save_path": save_path}
        return self._draw("hist_figure", name, pretty, cover, options, data=data, **looks)

    def _draw(
        self, kind: str, name: str, pretty: bool, cover: bool, options: dict[str, Any], **content: Any
    ) -> Path | None:
        step, path = options.pop("step", None), content.pop("save_path")
        place = None
        if path is not None:
            folder, file = os.path.split(str(path))
            file, pretty = without_ending(file, pretty)
            place = Path(folder), file
        make = functools.partial(_simple, kind, content | options)
        return self.draw(name, make, step, pretty, cover, place)

    def draw(
        self,
        name: str,
        make: Callable[[], Any],
        step: int | None = None,
        pretty: bool = False,
        cover: bool = False,
        place: Place | None = None,
        **options: Any,
    ) -> Path | None:
        """Save what a function draws; one that is there stays, unless ``cover``. The rest as in :meth:`add`.

        Whatever the function raises is one warning. It is not called where this process writes no figures.
        """
        self._ownership.need_started("drawing a figure")
        if self.folder is None:
            return None
        try:
            from rla_hooks.figures import saving

            folder, file, number = (self.folder, name, step) if place is None else (*place, None)
            if not cover and saving.exists(folder, file, number, pretty):
                message = f"the figure {shown(name)} is there already and stays. Pass cover=True to replace it."
                self._guard.warn(("figure", shown(name)), message)
                return None
            figure = make()
        except Exception as error:  # of the user's objects
            subject = "figures" if isinstance(error, OSError) else ("figure", shown(name))
            self._guard.warn(subject, f"the figure {shown(name)} was not drawn: {text_of(error)}")
            return None
        return self.add(name, figure, step, pretty=pretty, place=place, **options)


def _simple(kind: str, given: dict[str, Any]) -> Any:
    from rla_hooks.figures import simple

    return getattr(simple, kind)(**given)


def without_run() -> RunFigures:
    """Return what draws figures where no run is open: into files that have a place of their own.

    >>> without_run().simple_plot("returns", [[1, 2, 3]], save_path="figures/returns.png").name
    'returns.png'
    """
    state = State.FOLLOWER if writing_disabled() else State.GUEST
    return RunFigures(Ownership(RunPaths(Path(), ""), state), Logger(), Guard())


def without_ending(file: str, pretty: bool) -> tuple[str, bool]:
    """Return the name of a picture's file without its ending, and whether it is a PDF: figures are PDF or PNG.

    >>> without_ending("imgs/react.pdf", False), without_ending("react.jpg", True), without_ending("lr=0.1", True)
    (('imgs/react', True), ('react', False), ('lr=0.1', True))
    """
    base, ending = os.path.splitext(file)
    if ending.lower() not in _ENDINGS:
        return file, pretty
    return base, ending.lower() == ".pdf"
