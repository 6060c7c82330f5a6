"""RLA's ``plot_util``: rows of runs as DataFrames, and the smoothing of curves."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rla_hooks import rowfiles
from rla_hooks.easy_log.reading import read_json
from rla_hooks.easy_plot.result_cls import CsvResult
from rla_hooks.easy_plot.smoothing import one_sided_ema, smooth, symmetric_ema
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.old_words import tell_modern_name
from rla_hooks.plot.paper import COLORS, MARKERS
from rla_hooks.query.frames import to_frame
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import shell_path

__all__ = [
    "COLORS", "PRETTY_COLORS", "PRETTY_MARKERS", "CsvResult", "Result", "load_results", "one_sided_ema", "plot_results",
    "smooth", "symmetric_ema", "word_replace", "word_replace_back",
]  # fmt: skip
PRETTY_COLORS, PRETTY_MARKERS = COLORS, MARKERS
Result = CsvResult  # its name until 2022
_JSON = "progress.json"  # of a run that writes no csv


def load_results(
    root_dir_or_dirs: Any,
    names: Sequence[str],
    x_bound: Any = (None, None),
    enable_progress: bool = True,
    enable_monitor: bool = True,
    use_buf: bool = False,
    verbose: bool = False,
) -> list[CsvResult]:
    """Return the runs in folders and those below them, each with its rows as a pandas DataFrame in ``progress``.

    names: columns; a run has those of them that it has logged, and one with none of them is left out. x_bound: a column
    and what its values are below, or a pair that they are between. ``metadata`` is that of metadata.json. Raises
    :class:`~rla_hooks.errors.ConfigError` for a folder that is not there. use_buf and enable_monitor change nothing.

    >>> import rla_hooks as rla
    >>> from rla_hooks.easy_plot.plot_util import load_results
    >>> with rla.run(task="demo", log_root="data", writers=["csv"], backup="none"):
    ...     for step in range(3):
    ...         rla.log({"loss": 0.5**step}, step=step)
    >>> (result,) = load_results("data/log/demo", ["loss", "time-step"], x_bound=["time-step", 2])
    >>> result.progress["loss"].tolist()
    [1.0, 0.5]
    """
    tell_modern_name("plot_util.load_results", "rla.runs(log_root), and .metrics() of a run or of all,")
    given = [root_dir_or_dirs] if isinstance(root_dir_or_dirs, (str, os.PathLike)) else root_dir_or_dirs
    found = []
    for folder in _folders(Path(each).expanduser() for each in given):
        frame = _frame(folder, names, x_bound) if enable_progress else None
        if frame is not None:
            found.append(CsvResult(progress=frame, dirname=str(folder), metadata=_metadata(folder)))
        if verbose:
            print(f"{'no such columns' if frame is None else f'{len(frame)} rows'}: {shell_path(folder)}")
    return found


def _folders(roots: Iterable[Path]) -> Iterable[Path]:
    """Yield the folders that have rows, below these."""
    for root in roots:
        if not root.is_dir():
            raise ConfigError(f"there is no folder {shell_path(root)}. Give the folder of a run, or one above.")
        for folder, inner, files in os.walk(root):
            inner.sort()
            if rowfiles.files(Path(folder)) or _JSON in files:
                yield Path(folder)


def _frame(folder: Path, names: Sequence[str], x_bound: Any) -> Any:
    """Return the rows with a pandas DataFrame; None where no column is there."""
    column, bound = (None, None) if x_bound is None else x_bound
    wanted = [*names] if bound is None else [*names, str(column)]
    if files := rowfiles.files(folder):
        read = rowfiles.columns(files, wanted)
        frame = to_frame({name: read[name] for name in dict.fromkeys(wanted) if name in read}, "pandas")
    else:
        frame = read_json(folder / _JSON)
    if bound is not None and column in frame:
        low, high = bound if isinstance(bound, (tuple, list)) else (None, bound)
        frame = frame[(frame[column] < high) & (True if low is None else frame[column] > low)].reset_index(drop=True)
    there = [name for name in names if name in frame]
    return frame[there] if there else None


def _metadata(folder: Path) -> dict[str, Any] | None:
    try:
        return parse_object(read_bytes(folder / "metadata.json"))
    except (OSError, ValueError):
        return None


def plot_results(*args: Any, **kwargs: Any) -> None:
    """Say what to use instead: figures are made of runs here, not of DataFrames.

    >>> plot_results([])
    Traceback (most recent call last):
    rla_hooks.errors.RLAError: plot_util.plot_results is gone. Give the runs to rla.plot_curves(...
    """
    raise RLAError(
        "plot_util.plot_results is gone. Give the runs to rla.plot_curves(runs, metrics, by=...), whose transform= "
        "takes a function of x and y, or their folders to easy_plot.plot_func_v2.plot_func."
    )


def word_replace(string: str) -> str:
    """Return a text that can stand in a command and in the name of a file; :func:`word_replace_back` reads it.

    >>> word_replace("['perf/mse']"), word_replace_back(word_replace("['perf/mse']"))
    ('[||perf--mse||]', ['perf/mse'])
    """
    return string.replace("/", "--").replace("'", "||")


def word_replace_back(strings: str) -> Any:
    """Return the list, text or number that :func:`word_replace` was given as Python text. Nothing is called."""
    try:
        return ast.literal_eval(strings.replace("--", "/").replace("||", "'"))
    except (ValueError, SyntaxError) as error:
        raise ConfigError(f"{strings!r} is no list, text or number. Give one such as [||perf--mse||].") from error
