"""A table of scores: its numbers as columns, and the same as Markdown, LaTeX and csv."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rla_hooks import atomic
from rla_hooks.errors import ConfigError, did_you_mean, warn
from rla_hooks.paper_tables import latex, markdown
from rla_hooks.paper_tables.escapes import needs_unicode_tex
from rla_hooks.paper_tables.grid import Grid
from rla_hooks.paper_tables.rounding import DIGITS
from rla_hooks.query.frames import AnyColumn, to_frame
from rla_hooks.texts import shell_path, shown

if TYPE_CHECKING:
    import pandas

FORMATS = {"markdown": ".md", "latex": ".tex", "csv": ".csv"}


class ScoreTable:
    """Scores of groups of runs, as :func:`rla_hooks.score_table` makes it. ``print(table)`` shows it as Markdown.

    query: the text that chose the runs; notes: what a reader has to know.

    >>> import rla_hooks as rla
    >>> for lr in (0.1, 0.2):
    ...     for seed in range(5):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", lr=lr, seed=seed):
    ...             rla.log({"return": 100 * lr + seed}, step=0)
    >>> table = rla.score_table(rla.runs(task="demo"), "return", columns="mean")
    >>> print(table.markdown(notes=False))
    |  lr | runs |    return mean |
    | --: | ---: | -------------: |
    | 0.1 |    5 |     12.0 ± 2.0 |
    | 0.2 |    5 | **22.0 ± 2.0** |
    """

    def __init__(self, grid: Grid, columns: Mapping[str, AnyColumn], query: str):
        self.grid = grid
        self.columns = dict(columns)
        self.query = query

    @property
    def notes(self) -> Sequence[str]:
        """What a reader has to know: how the intervals are made, which runs were left out."""
        return self.grid.notes

    def __repr__(self) -> str:
        rows = len(self.grid.columns[0].entries)
        return f"ScoreTable({rows} rows, {len(self.grid.columns)} columns, runs: {self.query})"

    def __str__(self) -> str:
        return self.markdown()

    @functools.cached_property
    def data(self) -> pandas.DataFrame:
        """The numbers: one row for each group and metric (and task). Raises RLAError if pandas is not installed."""
        frame: pandas.DataFrame = to_frame(self.columns)
        return frame

    def markdown(self, digits: int = DIGITS, notes: bool = True) -> str:
        """Return the table as Markdown. digits: of the shorter side of an interval; notes: below the table."""
        return markdown.markdown(self._noted(notes), _checked(digits))

    def latex(
        self, caption: str | None = None, label: str | None = None, digits: int = DIGITS, notes: bool = True
    ) -> str:
        r"""Return the table as LaTeX, for ``\usepackage{booktabs}``, and ``\usepackage[T1]{fontenc}`` with pdfLaTeX.

        caption, label: make a ``table`` of it; the caption is LaTeX of yours. Names of parameters, metrics and values
        are escaped. digits, notes: as in :meth:`markdown`.
        """
        text = latex.latex(self._noted(notes), caption, label, _checked(digits), self.query)
        if needs_unicode_tex(text):
            warn("the table has letters that pdfLaTeX does not know. Compile it by XeLaTeX or LuaLaTeX.")
        return text

    def csv(self) -> str:
        """Return the numbers as csv, with all digits: the rows of ``data``."""
        from rla_hooks.query.plain_rows import csv_text

        return csv_text(self.columns)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table, in the format that the ending says: ``.md``, ``.tex`` or ``.csv``; return the path.

        The folder is made, a file is replaced. Raises :class:`~rla_hooks.errors.ConfigError` for another ending, and a
        path that cannot be written.
        """
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or "\0" in os.fspath(path):
            raise ConfigError(f"path is {shown(path, 100)}. Allowed: the path of a file, such as 'tables/return.tex'.")
        target = Path(path)
        form = next((name for name, ending in FORMATS.items() if ending == target.suffix.lower()), None)
        if form is None:
            near = did_you_mean(target.suffix, FORMATS.values())
            raise ConfigError(f"path is {shell_path(target)}. Its ending may be {', '.join(FORMATS.values())}.{near}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(target, self.text(form).encode("utf-8", "backslashreplace"), sync=False)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"the table cannot be written to {shell_path(target)}: {reason}.") from error
        return target

    def text(self, form: str, digits: int = DIGITS) -> str:
        """Return the table as ``markdown``, ``latex`` or ``csv``, ending in a new line."""
        if form == "csv":
            return self.csv()
        return f"{self.latex(digits=digits) if form == 'latex' else self.markdown(digits)}\n"

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _noted(self, notes: bool) -> Grid:
        return self.grid if notes else self.grid._replace(notes=())


def _checked(digits: object) -> int:
    if not isinstance(digits, int) or isinstance(digits, bool) or not 1 <= digits <= 15:
        raise ConfigError(f"digits is {shown(digits, 100)}. Allowed: a number of digits, from 1 to 15.")
    return digits
