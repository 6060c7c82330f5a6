"""Which rows of the files of JSON lines of a run stay: what stands before a position does, since bytes never move."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from rla_hooks.cutting.parts import Part, Range, is_cut, is_regular, joined
from rla_hooks.smallfiles import open_regular
from rla_hooks.writers import json_writer
from rla_hooks.writers.base import STEP, TIME

_MAX_LINE = 16 << 20  # bytes


def parts(
    log_dir: Path, written: Mapping[str, tuple[int | None, int]] | None, step: int, time: float
) -> Iterator[Part]:
    """Yield what is to be done with the files of which something is cut: see :func:`every_part`."""
    return filter(is_cut, every_part(log_dir, written, step, time))


def every_part(
    log_dir: Path, written: Mapping[str, tuple[int | None, int]] | None, step: int, time: float
) -> Iterator[Part]:
    """Yield what stays of each file, and what does not. Raises OSError. Arguments: those of ``csvfiles.every_part``."""
    for path in filter(is_regular, json_writer.files(log_dir)):
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            part = Part(path.name, "replace", size)
            if written is None:
                lines = [(at, _is_late(line, step, time)) for at, line in _lines(file, 0)]
                part.kept = joined(at for at, is_late in lines if not is_late)
                part.lost = joined(at for at, is_late in lines if is_late)
                part.rows = sum(is_late for _, is_late in lines)
            else:
                end = min(size, written.get(path.name, (None, 0))[1])
                part.action = "replace" if path.name in written else "move"
                part.kept, part.lost = joined([(0, end)]), joined([(end, size)])
                part.rows = sum(line.endswith(b"\n") for _, line in _lines(file, end))
        yield part


def _lines(file: BinaryIO, begin: int) -> Iterator[tuple[Range, bytes]]:
    """Yield where each line from ``begin`` on stands, and what it is."""
    file.seek(begin)
    while line := file.readline(_MAX_LINE):
        yield (begin, begin + len(line)), line
        begin += len(line)


def _is_late(line: bytes, step: int, time: float) -> bool:
    """Whether a row is of a later step, or of this step and later than this time. What is no row stays."""
    try:
        row = json.loads(line)
        found = row[STEP]
        return bool(found > step or (found == step and row[TIME] > time))
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
