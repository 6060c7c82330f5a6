"""CSV files of other tools.

progress.csv            Stable-Baselines3's logger, and openai/baselines': time/total_timesteps is the step
*.monitor.csv           Stable-Baselines3's Monitor: a line of JSON, then r, l, t of each episode; its step is the
                        sum of the lengths, its time t_start + t
metrics.csv             Lightning's CSVLogger, with hparams.yaml beside it: step
training.log, *.csv     Keras' CSVLogger, where the first column is called epoch: epoch
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy

from rla_hooks.query.foreign.parts import Problems, noting, steps_of, with_steps
from rla_hooks.query.inert_yaml import read_yaml
from rla_hooks.query.rla_runs import flat_hparams
from rla_hooks.rows.pieces import FileRows, Piece, join_files, joined, piece_of
from rla_hooks.rows.reader import names_of, numbered, read_file
from rla_hooks.smallfiles import open_regular, parse_object, read_bytes
from rla_hooks.texts import is_number
from rla_hooks.writers.base import STEP, TIME

_MAX_LINE = 1 << 20  # bytes
_BLOCK = 20_000  # rows
_MISSING = "NA"  # what Keras writes for a value that it does not have


class Table:
    """A file of rows with a header, with commas: that of SB3's logger, and Lightning's."""

    repeats_hparams = False

    def __init__(self, path: Path):
        self.files: Sequence[Path] = [path]

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        with noting(self.files[0], problems), open_regular(self.files[0]) as file:
            names = names_of(file)[0]
            steps = steps_of(names)
            columns = None if wanted is None else [name for name in (*wanted, steps) if name is not None]
            return [_kept(_of_step(read_file(file, columns), steps), wanted, without)]
        return []

    def hparams(self) -> Mapping[str, Any]:
        return {}

    def started(self) -> float | None:
        return None


class KerasTable(Table):
    """The file of Keras' CSVLogger. Its separator is the user's choice."""

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        with noting(self.files[0], problems), open_regular(self.files[0]) as file:
            separator = keras_separator(file.readline(_MAX_LINE)) or ","
            file.seek(0)
            rows = _read(file, separator, missing=_MISSING)
            return [_kept(_of_step(rows, steps_of(rows.names)), wanted, without)]
        return []


class Monitors:
    """The files of Stable-Baselines3's Monitor in one folder, one of each environment."""

    repeats_hparams = False

    def __init__(self, paths: Sequence[Path]):
        self.files = paths

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        found = []
        for path in self.files:
            with noting(path, problems), open_regular(path) as file:
                begin = _head(file.readline(_MAX_LINE)).get("t_start", 0.0)
                found.append(_with_times(_read(file, ","), begin))
        joined_rows = join_files(found)
        pieces = {name: joined_rows.values(name) for name in joined_rows.names}
        episodes = FileRows(joined_rows.names, joined_rows.length, pieces, None)
        return [_kept(_with_lengths(episodes), wanted, without)]

    def hparams(self) -> Mapping[str, Any]:
        """What stands in the first line beside the time, such as ``env_id``."""
        with open_regular(self.files[0]) as file:
            head = _head(file.readline(_MAX_LINE))
        return {key: value for key, value in head.items() if key != "t_start"}

    def started(self) -> float | None:
        begins = []
        for path in self.files:
            with suppress(OSError), open_regular(path) as file:
                begin = _head(file.readline(_MAX_LINE)).get("t_start")
                begins += [float(begin)] if isinstance(begin, (int, float)) else []
        return min(begins, default=None)


class HparamsYaml:
    """Lightning's hparams.yaml."""

    repeats_hparams = False

    def __init__(self, path: Path):
        self.files: Sequence[Path] = [path]

    def rows(self, wanted: Sequence[str] | None, without: Collection[str], problems: Problems) -> list[FileRows]:
        return []

    def hparams(self) -> Mapping[str, Any]:
        content = read_yaml(read_bytes(self.files[0]))
        return {} if content is None else flat_hparams(content)

    def started(self) -> float | None:
        return None


def keras_separator(header: bytes) -> str | None:
    """Return the separator in the first line of a file that Keras' CSVLogger wrote; None if it did not.

    Its first column is ``epoch``, and others follow; all are names, and none a number.

    >>> [keras_separator(line) for line in (b"epoch,accuracy,loss\\n", b"epoch;loss\\n", b"epoch 3: 0.5\\n")]
    [',', ';', None]
    """
    text = header.decode("utf-8", "replace").strip()
    separator = text[len("epoch") : len("epoch") + 1]
    if not text.startswith("epoch") or separator not in (",", ";", "\t", "|"):
        return None
    cells = text.split(separator)
    return separator if all(cell and not is_number(cell) for cell in cells) else None


def is_monitor(header: bytes) -> bool:
    """Whether the first line of a file is that of SB3's Monitor: ``#{"t_start": ..., "env_id": ...}``."""
    return "t_start" in _head(header)


def _head(line: bytes) -> dict[str, Any]:
    """The JSON in the first line of a Monitor file; empty where there is none."""
    try:
        head = parse_object(line[1:]) if line.startswith(b"#") else {}
    except ValueError:
        return {}
    begin = head.get("t_start")
    if not isinstance(begin, (int, float)) or isinstance(begin, bool) or not 0 <= begin < 1e11:
        head.pop("t_start", None)
    return head


def _of_step(rows: FileRows, steps: str | None) -> FileRows:
    return rows if steps == STEP and STEP in rows.pieces else with_steps(rows, steps)


def _with_times(rows: FileRows, begin: float) -> FileRows:
    """The time of an episode's end is that of the file's begin, and the seconds since then."""
    if "t" not in rows.pieces or rows.pieces["t"].values.dtype.kind == "O":
        return rows
    values, numbers = rows.pieces["t"]
    return rows._replace(names=[*rows.names, TIME], pieces={**rows.pieces, TIME: Piece(values + begin, numbers)})


def _with_lengths(rows: FileRows) -> FileRows:
    """The step of an episode is the number of steps up to its end."""
    lengths = rows.pieces.get("l")
    if lengths is None or lengths.rows is not None or lengths.values.dtype.kind != "i":
        return with_steps(rows, None)
    steps = Piece(numpy.cumsum(lengths.values), None)
    return rows._replace(names=[STEP, *rows.names], pieces={STEP: steps, **rows.pieces})


def _kept(rows: FileRows, wanted: Sequence[str] | None, without: Collection[str]) -> FileRows:
    keep = {STEP, TIME, *(rows.names if wanted is None else wanted)} - {*without}
    pieces = {name: piece for name, piece in rows.pieces.items() if name in keep}
    return rows._replace(pieces=pieces)


def _read(file: BinaryIO, separator: str, missing: str = "") -> FileRows:
    """Read all columns of a file from where it is. Its last row is left out if it has no end."""
    reader = csv.reader(_lines(file), delimiter=separator)
    names: list[str] = []
    blocks: list[tuple[int, dict[str, Piece]]] = []
    texts: set[str] = set()
    rows: list[list[list[str]]] = []
    with suppress(csv.Error):  # in the header: there are no columns
        names = numbered(next(reader, []))
        whole = _whole(reader)
        while block := [*itertools.islice(whole, _BLOCK)]:
            rows.append(block)
    for _ in range(2):  # once more where a column is numbers in one block and texts in another
        blocks = [(len(block), _pieces(block, names, missing, texts)) for block in rows]
        count, pieces, texts = joined(blocks)
        if not texts:
            break
    return FileRows(names, count, pieces, None)


def _whole(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows that can be read: none with a cell of more than 131,072 characters, or with a bare return."""
    while True:
        try:
            yield from filter(None, reader)
            return
        except csv.Error:  # the reader goes on with the next line
            continue


def _pieces(block: list[list[str]], names: list[str], missing: str, texts: Collection[str]) -> dict[str, Piece]:
    found = {}
    for place, name in enumerate(names):
        cells = [row[place] if place < len(row) and row[place] != missing else "" for row in block]
        found[name] = piece_of(cells, name in texts)
    return found


def _lines(file: BinaryIO) -> Iterator[str]:
    while (line := file.readline(_MAX_LINE)).endswith(b"\n"):
        yield line.replace(b"\0", b"").decode("utf-8", "backslashreplace")
