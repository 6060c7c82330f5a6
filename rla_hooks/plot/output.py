"""A finished figure: its matplotlib Figure, the numbers behind it, and the files that it becomes.

figures/return.pdf      vector graphics, TrueType fonts; the runs' query stands in its metadata
figures/return.png      the same for slides and pages: 300 dots an inch
figures/return.csv      the numbers
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rla_hooks import atomic
from rla_hooks._version import __version__
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.figures.saving import render
from rla_hooks.filenames import PART_LIMIT, safe_part
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.paper import paper_style
from rla_hooks.query.frames import AnyColumn, to_frame
from rla_hooks.query.plain_rows import csv_text
from rla_hooks.texts import printable, shell_path, shown

if TYPE_CHECKING:
    import pandas

_KINDS = (".pdf", ".png", ".svg")
_REFUSED = (".jpg", ".jpeg", ".eps", ".ps", ".tif", ".tiff", ".gif", ".webp", ".csv")
_DPI = 300
_SCREEN_DPI = 200  # in notebooks


class PaperFigure:
    """A figure with the numbers behind it. In a notebook it shows itself.

    figure: matplotlib's, without pyplot; axes: its panels; query: the text that chose the runs.

    >>> from rla_hooks.plot.paper import paper_figure, paper_style
    >>> from rla_hooks.query.frames import column_of
    >>> with paper_style():
    ...     figure, axes = paper_figure()
    ...     _ = axes[0].plot([0, 1], [2, 3])
    >>> drawn = PaperFigure(figure, axes, {"x": column_of([0, 1]), "y": column_of([2, 3])}, "rla.runs()", "demo")
    >>> [path.name for path in drawn.save("demo")]
    ['demo.pdf', 'demo.png', 'demo.csv']
    """

    def __init__(self, figure: Figure, axes: list[Axes], columns: Mapping[str, AnyColumn], query: str, name: str):
        self.figure = figure
        self.axes = axes
        self.columns = dict(columns)
        self.query = query
        self.name = name  # of the file where somebody names only a folder

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"{type(self).__name__}({self.name!r}, {width:.2f} x {height:.2f} inches, runs: {self.query})"

    @functools.cached_property
    def data(self) -> pandas.DataFrame:
        """The numbers behind the figure. Raises :class:`~rla_hooks.errors.RLAError` if pandas is not installed."""
        frame: pandas.DataFrame = to_frame(self.columns)
        return frame

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write PDF, PNG and the numbers as csv, beside each other, and return their paths.

        path: of one of them, with or without its ending (``.svg`` is written beside the others), or a folder that is
        there or ends in ``/``; then the file has the figure's name. Folders are made, files of a figure replaced.
        Raises :class:`~rla_hooks.errors.ConfigError` for a path that cannot be written, and
        where a csv file is there that belongs to no figure.
        """
        base, kinds = target_of(path, self.name)
        _check_csv(base)
        metadata = {"Title": printable(self.name), "Creator": f"rla_hooks {__version__}"}
        query = printable(self.query)
        of_kind: dict[str, dict[str, Any]] = {
            ".pdf": {**metadata, "Subject": query, "CreationDate": None},
            ".png": {"Title": metadata["Title"], "Software": metadata["Creator"], "Description": query},
            ".svg": {**metadata, "Description": query, "Date": None},
        }
        written: list[Path] = []
        layout = self.figure.get_layout_engine()
        try:
            base.parent.mkdir(parents=True, exist_ok=True)
            for kind in kinds:
                with paper_style():
                    content = render(self.figure, kind[1:], _DPI, of_kind[kind])
                self.figure.set_layout_engine("none")  # the other files have the layout of this one
                written.append(_write(base, kind, content))
            written.append(_write(base, ".csv", csv_text(self.columns).encode("utf-8", "backslashreplace")))
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError(
                f"the figure cannot be written to {shell_path(base)}: {reason}. Give another path."
            ) from error
        finally:
            self.figure.set_layout_engine(layout)
        return written

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return the figure for a notebook, at the size it has on paper."""
        width, height = self.figure.get_size_inches() * 100
        with paper_style():
            png = render(self.figure, "png", _SCREEN_DPI)
        return png, {"width": round(width), "height": round(height)}


def target_of(path: Any, name: str) -> tuple[Path, tuple[str, ...]]:
    """Return the path without an ending that files of a figure begin with, and the endings. Raises ConfigError."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or "\0" in os.fspath(path):
        raise ConfigError(f"save is {shown(path, 100)}. Allowed: the path of a file, such as 'figures/return.pdf'.")
    text = os.fspath(path)
    if text.endswith(("/", os.sep)) or os.path.isdir(text):
        return Path(text, safe_part(name, PART_LIMIT - 4)), _KINDS[:2]
    base, ending = os.path.splitext(text)
    if ending.lower() in _REFUSED:
        near = did_you_mean(ending, _KINDS)
        raise ConfigError(
            f"save is {shown(text, 300)}. Allowed: a path without an ending, or with {', '.join(_KINDS)}.{near} PDF, "
            "PNG and csv are written beside each other in any case."
        )
    if ending.lower() not in _KINDS:
        base = text
    kinds = _KINDS if ending.lower() == ".svg" else _KINDS[:2]
    found = Path(base)
    if len(os.fsencode(found.name)) > PART_LIMIT - 4:
        raise ConfigError(
            f"save is {shown(text, 300)}: a file's name has at most {PART_LIMIT} bytes. Give a shorter one."
        )
    return found, kinds


def _check_csv(base: Path) -> None:
    """Raise ConfigError where the numbers would replace a table that stands there without a figure, and is not ours."""
    path = base.with_name(f"{base.name}.csv")
    if path.exists() and not any(base.with_name(base.name + kind).exists() for kind in _KINDS):
        raise ConfigError(
            f"the numbers of the figure would replace {shell_path(path)}, which is there without a figure. Give "
            "another path, or move that file."
        )


def check_save(mistakes: Mistakes, save: Any, name: str | None) -> None:
    """Note a path that no figure can be written to, before it is drawn; None writes none.

    name: of the figure, which its files have in a folder; None where that is not known yet.
    """
    if save is not None:
        with mistakes.noted():
            base, _ = target_of(save, name or "figure")
            if name is not None:
                _check_csv(base)


def _write(base: Path, kind: str, content: bytes) -> Path:
    path = base.with_name(base.name + kind)
    atomic.write_bytes(path, content, sync=False)
    return path
