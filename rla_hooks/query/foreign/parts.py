"""What a reader of another tool's files gives, and the steps of rows that call them something else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy

from rla_hooks.rows.pieces import FileRows, Piece
from rla_hooks.writers.base import STEP

# Which column is the time step, the first of these that a table has; without any the rows are counted.
STEP_COLUMNS = (
    "time/total_timesteps",  # Stable-Baselines3
    "total_timesteps",
    "timesteps_total",
    "global_step",
    "step",  # Lightning
    "epoch",  # Keras
)


Problems = dict[str, str]  # of the files that cannot be read: a line for each, by its name


@contextmanager
def noting(path: Path, problems: Problems) -> Iterator[None]:
    """Read a file, or note that it cannot be read, and go on; one that is gone by now is no problem."""
    try:
        yield
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        problems[path.name] = f"{path.name} cannot be read: {error}"


class Part(Protocol):
    """Some files of a run."""

    files: Sequence[Path]
    repeats_hparams: bool  #: in other words than hparams.yaml, if that is there: Lightning writes both

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        """Return the rows, of each file that is joined by time: these metrics, or all but those of ``without``.

        Each has the column ``time-step``, and ``timestamp`` where the times are known. A file that cannot be read is
        noted in ``problems``, and the others give what they have.
        """

    def hparams(self) -> Mapping[str, Any]:
        """Return the hyper-parameters in these files. Raises OSError, or ValueError where they are damaged."""

    def started(self) -> float | None:
        """Return when the files say that the run started, in seconds since 1970; None if they do not."""


def with_steps(rows: FileRows, steps: str | None) -> FileRows:
    """Return the rows with a column of time steps: that of another name, or else the numbers of the rows."""
    piece = rows.pieces.get(steps) if steps else None
    if piece is None or piece.values.dtype.kind == "O":
        piece = Piece(numpy.arange(rows.length), None)
    elif piece.values.dtype.kind == "f":
        with numpy.errstate(invalid="ignore"):  # NaN, infinities, 1e30: no integer is equal to them
            whole = piece.values.astype(numpy.int64, casting="unsafe")
        if (whole == piece.values).all():
            piece = Piece(whole, piece.rows)
    return rows._replace(names=[STEP, *rows.names], pieces={STEP: piece, **rows.pieces})


def steps_of(names: Iterable[str]) -> str | None:
    """Return the column that holds the time step: :data:`STEP_COLUMNS`."""
    known = {*names}
    return next((name for name in (STEP, *STEP_COLUMNS) if name in known), None)
