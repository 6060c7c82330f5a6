"""Several figures in one PDF, a page each."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

from rla_hooks import atomic
from rla_hooks._version import __version__
from rla_hooks.errors import ConfigError
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_style
from rla_hooks.texts import printable, shell_path, shown


def save_pages(figures: Sequence[PaperFigure], path: str | os.PathLike[str]) -> Path:
    """Write figures into one PDF, a page each at its own size, with TrueType fonts; return the path.

    The queries that chose their runs stand in the metadata. Folders are made, a file is replaced. Raises
    :class:`~rla_hooks.errors.ConfigError` for a path that cannot be written, and for what is no figure of ours.

    >>> import rla_hooks as rla
    >>> for lr in (0.1, 0.2):
    ...     for seed in range(3):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", lr=lr, seed=seed):
    ...             for step in range(3):
    ...                 rla.log({"return": step * lr + seed}, step=step)
    >>> figures = [draw("demo", "return") for draw in (rla.plot_curves, rla.plot_bars)]
    >>> save_pages(figures, "demo.pdf").stat().st_size > 10_000
    True
    """
    if (
        not isinstance(figures, (list, tuple))
        or not figures
        or not all(isinstance(each, PaperFigure) for each in figures)
    ):
        raise ConfigError(
            f"figures is {shown(figures, 100)}. Allowed: a list of figures, as rla.plot_curves gives them."
        )
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    if not text.lower().endswith(".pdf") or "\0" in text:
        raise ConfigError(f"path is {shown(path, 200)}. Allowed: the path of a PDF file, such as 'figures.pdf'.")
    target = Path(text)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(target, _pdf(figures), sync=False)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"the figures cannot be written to {shell_path(target)}: {reason}. Give another path."
        ) from error
    return target


def _pdf(figures: Sequence[PaperFigure]) -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages  # late: it takes a while

    queries = dict.fromkeys(printable(figure.query) for figure in figures)
    metadata = {"Creator": f"rla_hooks {__version__}", "Subject": "; ".join(queries), "CreationDate": None}
    buffer = io.BytesIO()
    with paper_style(), PdfPages(buffer, metadata=metadata) as pages:
        for figure in figures:
            canvas = figure.figure.canvas
            try:
                pages.savefig(figure.figure)
            finally:
                figure.figure.set_canvas(canvas)
    return buffer.getvalue()
