"""baselines' readers of what its logger has written, as tables of pandas. They read what rla_hooks writes, too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rla_hooks.errors import RLAError
from rla_hooks.old_words import tell_modern_name
from rla_hooks.texts import shell_path
from rla_hooks.writers.base import STEP, TIME

_MODERN = "rla.runs(log_root)[-1].metrics()"


def read_json(fname: str | os.PathLike[str]) -> Any:
    """Return the rows of a progress.json. A last line without its end, which is being written, is left out.

    Raises OSError, and ValueError for a line that is no object.

    >>> Path("progress.json").write_text('{"loss": 0.5}\\n{"loss": 0.25}\\n{"lo')
    33
    >>> read_json("progress.json")["loss"].tolist()
    [0.5, 0.25]
    """
    import pandas

    tell_modern_name("logger.read_json", _MODERN)
    lines = Path(fname).read_bytes().split(b"\n")[:-1]
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{shell_path(fname)}, line {number}: {error}. Allowed: a JSON object a line.") from error
        if isinstance(row, dict):
            rows.append(row)
        elif row is not None:
            raise ValueError(f"{shell_path(fname)}, line {number} is {type(row).__name__}. Allowed: a JSON object.")
    return pandas.DataFrame(rows)


def read_csv(fname: str | os.PathLike[str]) -> Any:
    """Return the rows of a progress.csv; a first line that begins with ``#``, as monitor.csv has it, is passed over.

    Raises OSError; what pandas raises for a file without a header.
    """
    import pandas

    tell_modern_name("logger.read_csv", _MODERN)
    with open(fname, "rb") as file:
        first = file.read(1) == b"#"
    is_exact = int(pandas.__version__.partition(".")[0]) > 2  # pandas 3 reads all digits, and warns of the option
    exact: dict[str, Any] = {} if is_exact else {"float_precision": "round_trip"}
    return pandas.read_csv(fname, index_col=False, skiprows=int(first), **exact)


def read_tb(path: str | os.PathLike[str]) -> Any:
    """Return the scalars of an event file, or of all in a folder: a column for each tag, a row for each step.

    The index is the step. Of several values of one tag and step there is the last one. TensorFlow is not needed.
    Raises OSError, and RLAError where there is no event file, or one that cannot be read.
    """
    from rla_hooks.query.foreign.events import EventFiles
    from rla_hooks.query.frames import to_frame
    from rla_hooks.rows.pieces import join_files

    tell_modern_name("logger.read_tb", _MODERN)
    place = Path(path)
    files = (sorted(place.glob("*tfevents*")) or sorted(place.glob("events.*"))) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        raise RLAError(f"{shell_path(path)} has no event file. Allowed: an event file, or a folder that has some.")
    problems: dict[str, str] = {}
    rows = join_files(EventFiles(files).rows(None, (), problems))
    if problems:
        raise RLAError("; ".join(problems.values()))
    frame = to_frame(rows.columns([STEP, *sorted(name for name in rows.names if name not in (STEP, TIME))]))
    return frame.groupby(STEP).last() if len(frame) else frame
