"""Checks a file of JSON lines: each line is an object with a step and a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rla_hooks.upkeep.checking.found import Found
from rla_hooks.upkeep.checking.opening import Disk, unreadable
from rla_hooks.writers.base import STEP, TIME

_MAX_LINE = 16 << 20  # bytes; a longer line is no row


def check_json_lines(path: Path, disk: Disk, is_live: bool = False) -> Iterator[Found]:
    """Yield what is wrong with the file. is_live: somebody writes to it, so that half a row at the end is none."""
    bad, first, at = 0, 0, 0
    try:
        with disk.open(path) as file:
            while line := file.readline(_MAX_LINE):
                if not line.endswith(b"\n") and len(line) < _MAX_LINE:
                    if not is_live:
                        yield Found(path, f"the last row is torn: {len(line)} bytes", at)
                elif not _is_row(line):
                    bad, first = bad + 1, first if bad else at
                at += len(line)
    except OSError as error:
        yield unreadable(path, error)
    if bad:
        yield Found(path, f"{bad} line{'s are' if bad > 1 else ' is'} no row: an object with a step and a time", first)


def _is_row(line: bytes) -> bool:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and STEP in row and TIME in row
