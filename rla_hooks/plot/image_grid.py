"""The images that many runs have saved under one name, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy
from PIL import Image

from rla_hooks.errors import warn
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.data_columns import free_name
from rla_hooks.plot.groups import Legend, chosen_runs, grouped, names_of
from rla_hooks.plot.image_files import ImageFile, chosen_images
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure, check_save
from rla_hooks.plot.paper import check_size, paper_figure, paper_style
from rla_hooks.plot.score_figure import Foot, finished, name_of, with_height, wrapped
from rla_hooks.query.frames import column_of
from rla_hooks.query.names import values_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.tables import differing
from rla_hooks.texts import printable, shown, text_of

Array = numpy.ndarray[Any, Any]
_MOST = 200  # images: a page has no room for more
_DPI = 300
_TITLE = 6  # points
_MOST_COLUMNS = 8
_OWN = ("id", "name", "step", "path", "width", "height")  # columns of data


def plot_images(
    runs: Sequence[SavedRun] | str,
    name: str | None = None,
    *,
    step: int | None = None,
    by: Sequence[str] | str | None = None,
    columns: int | None = None,
    legend: Legend = None,
    title: str | None = None,
    size: Any = "neurips",
    save: Any = None,
) -> PaperFigure:
    """Put the images that runs have saved under a name in a grid: the newest of each run, or those of a step.

    name: as in ``rla.save_figure(name, ...)``; where the runs have only one it may be left out. step: that of all; by
    default the newest of each run, whose step stands above it where steps differ. by: the hyper-parameters that name
    the runs, which are sorted by them; by default all that differ, seeds among them. columns: of the grid.
    legend, title, size: as of ``rla.plot_curves``.

    A run without such an image is left out, and a warning names it; an image that cannot be read says so in its place.
    PNG, JPEG, GIF (its first picture), WebP, BMP and TIFF are read, no PDF. ``data`` has one row an image: id, the
    columns of ``by``, name, step, path, width and height in pixels.

    >>> import rla_hooks as rla
    >>> for seed in range(3):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", seed=seed):
    ...         for step in (0, 10):
    ...             _ = rla.save_figure("frame", [[0, 127], [255, seed]], step=step)
    >>> drawn = rla.plot_images("demo", "frame", save="frames.pdf")
    >>> drawn.data[["seed", "step", "width"]].values.tolist()
    [[0, 10, 2], [1, 10, 2], [2, 10, 2]]
    """
    mistakes = Mistakes("plot_images")
    check_size(mistakes, size)
    check_save(mistakes, save, name_of("plot_images", name) if isinstance(name, str) else None)
    mistakes.text_or_none("name", name)
    mistakes.text_or_none("title", title)
    if step is not None and (not isinstance(step, int) or isinstance(step, bool) or step < 0):
        mistakes.wrong("step", step, "the step that an image was saved with, 0 or more.")
    if columns is not None and (not isinstance(columns, int) or isinstance(columns, bool) or not 0 < columns <= 50):
        mistakes.wrong("columns", columns, "the number of columns of the grid, from 1 to 50.")
    chosen = chosen_runs(runs, "plot_images")
    if len(chosen) > _MOST:
        mistakes.add(f"there are {len(chosen):,} runs. Allowed: {_MOST}. Take some of them: runs[-{_MOST}:]")
    mistakes.raise_any()
    with mistakes.raised():
        names = differing(chosen) if by is None else names_of(chosen, by)
        found = chosen_images(chosen, name, step)
        label_of_run = {id(run): group.label for group in grouped(chosen, names, legend) for run in group.runs}
    order = {key: at for at, key in enumerate(label_of_run)}
    found.sort(key=lambda image: order[id(image.run)])
    labels = [label_of_run[id(image.run)] for image in found]
    with paper_style():
        figure, axes, pixels = _draw(found, labels, columns, title, size, legend is not None)
    table = {"id": column_of([image.run.id for image in found])}
    shown_runs = [image.run for image in found]
    table |= {free_name(each, _OWN): column_of(values_of(shown_runs, each)) for each in names}
    table |= {
        "name": column_of([image.name for image in found]),
        "step": column_of([image.step for image in found]),
        "path": column_of([str(image.path) for image in found]),
        "width": column_of([width for width, _ in pixels]),
        "height": column_of([height for _, height in pixels]),
    }
    numbers = table, chosen.query, name_of("plot_images", found[0].name)
    return finished(figure, axes, Foot(_note(found, step)), numbers, title=None, save=save)


def _draw(
    found: Sequence[ImageFile],
    labels: Sequence[str],
    columns: int | None,
    title: str | None,
    size: Any,
    is_math: bool,
) -> tuple[Any, Any, list[tuple[int | None, int | None]]]:
    count = len(found)
    across = columns or min(_MOST_COLUMNS, math.ceil(math.sqrt(count)))
    across = min(across, count)
    down = math.ceil(count / across)
    width = with_height(size, 1.0)[0]
    room = width / across
    read = [_read(image, int(room * _DPI)) for image in found]
    shape = max((array.shape[0] / array.shape[1] for array, _ in read if array is not None), default=1.0)
    texts = wrapped(labels, room * 7 / _TITLE)
    if len({image.step for image in found}) > 1:
        texts = [f"{text}\n{_step_text(image.step)}".strip() for text, image in zip(texts, found)]
    lines = max(text.count("\n") + 1 for text in texts)
    height = down * (room * min(shape, 3.0) + lines * _TITLE * 1.3 / 72 + 0.06)
    figure, panels = paper_figure(down, across, size=with_height(size, height))
    for panel, text, (array, _) in zip(panels, texts, read):
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(False)
        panel.spines[:].set_visible(False)
        panel.set_title("", fontsize=_TITLE, pad=2)
        set_name(panel.title, text, is_math)
        if array is None:
            panel.text(0.5, 0.5, "cannot be read", ha="center", va="center", fontsize=_TITLE, transform=panel.transAxes)
        else:
            panel.imshow(array, interpolation="antialiased")
            panel.set_anchor("N")  # so that the texts of a row stand on one line
    for panel in panels[count:]:
        panel.set_visible(False)
    if title is not None:
        set_name(figure.suptitle(""), title, is_math=True)
    return figure, panels[:count], [shape for _, shape in read]


def _step_text(step: int | None) -> str:
    return "no step" if step is None else f"step {step:,}"


def _note(found: Sequence[ImageFile], step: int | None) -> str:
    steps = {image.step for image in found}
    (one,) = steps if len(steps) == 1 else (None,)
    newest = "" if step is not None else "newest of each run" if len(steps) > 1 else "the newest of all runs"
    return ", ".join(text for text in (found[0].name, "" if one is None else _step_text(one), newest) if text)


def _read(image: ImageFile, most: int) -> tuple[Array | None, tuple[int | None, int | None]]:
    """Return an image of at most so many pixels a side, and the size that the file has."""
    try:
        with Image.open(image.path) as file:
            size = file.size
            file.draft("RGB", (most, most))  # a large JPEG is read smaller
            if file.mode.startswith("I"):  # 16 bits, which PIL would cut off at 255
                file = Image.fromarray((numpy.asarray(file) >> 8).astype(numpy.uint8))
            is_transparent = file.mode in ("LA", "PA", "RGBA") or "transparency" in file.info
            picture = file.convert("RGBA" if is_transparent else "RGB")
            picture.thumbnail((2 * most, 2 * most))
            return numpy.asarray(picture), size
    except Exception as error:  # of the many decoders: OSError, ValueError, SyntaxError, DecompressionBombError
        warn(f"plot_images: {printable(shown(str(image.path), 300))} cannot be read: {printable(text_of(error))}")
        return None, (None, None)
