"""Checkpoints of the original RLA, which has no list of them: what the names of the files tell.

checkpoint/<run name>/checkpoint_900.pt           torch since 2022: a pickled dict of state dicts
                      checkpoint-900.pt           torch before
                      checkpoint.pt               the very first versions, for one that is written anew each time
                      checkpoint-900.index        TensorFlow's Saver, with .data-00000-of-00001 and .meta
                      checkpoint_900-1.index      tf.train.Checkpoint, which appends a count of its own
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import read_bytes

TORCH, GRAPH, OBJECTS = "torch", "variables", "objects"  # the latter two as our own files of TensorFlow are called
_NUMBERED = pattern(r"(.+?)[-_]([0-9]{1,18})")
_COUNTED = pattern(r"(.+?)_([0-9]{1,18})-[0-9]{1,18}")
_SHARD = pattern(r"(.+)\.data-[0-9]{5}-of-([0-9]{5})")
_OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"  # a key that every file of tf.train.Checkpoint has
_MAX_FILES = 100_000
_MAX_INDEX = 64 << 20  # bytes


class OldCheckpoint(NamedTuple):
    """A complete checkpoint of RLA. path: the .pt file, or TensorFlow's .index file.

    files: all that belong to it. kind: ``torch``, ``variables`` (of a session) or ``objects``. step: 0 where the name
    tells none. time: seconds since 1970. size: bytes of all files.
    """

    path: Path
    name: str
    step: int
    time: float
    size: int
    kind: str
    files: tuple[Path, ...]


def old_checkpoints(folder: Path) -> list[OldCheckpoint]:
    """Return the complete checkpoints in a checkpoint folder of RLA, in the order of their steps, newest last.

    Those of TensorFlow are complete if all their parts are there. Links are not followed.

    >>> folder = Path("old/checkpoint/demo")
    >>> folder.mkdir(parents=True)
    >>> for name in ("checkpoint_100.pt", "checkpoint-20.index", "checkpoint-20.data-00000-of-00001"):
    ...     _ = (folder / name).write_bytes(b"weights")
    >>> [(each.path.name, each.step, each.kind) for each in old_checkpoints(folder)]
    [('checkpoint-20.index', 20, 'variables'), ('checkpoint_100.pt', 100, 'torch')]
    """
    states: dict[str, os.stat_result] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry, _ in zip(entries, range(_MAX_FILES)):
            with suppress(OSError):
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(state.st_mode) and state.st_size:
                    states[entry.name] = state
    shards = _shards_of(states)
    found = []
    for name in states:
        stem, _, end = name.rpartition(".")
        if end == "pt" and stem:
            found.append(_made(folder, states, _name_and_step(stem), TORCH, [name]))
        elif end == "index" and stem in shards:
            meta = [f"{stem}.meta"] if f"{stem}.meta" in states else []
            kind = _kind_of(folder / name)
            found.append(_made(folder, states, _name_and_step(stem, kind), kind, [name, *shards[stem], *meta]))
    return sorted(found, key=lambda each: (each.step, each.time, each.path.name))


def _made(
    folder: Path, states: dict[str, os.stat_result], called: tuple[str, int], kind: str, names: list[str]
) -> OldCheckpoint:
    files = tuple(folder / name for name in names)
    size = sum(states[name].st_size for name in names)
    return OldCheckpoint(files[0], *called, states[names[0]].st_mtime, size, kind, files)


def _shards_of(states: dict[str, os.stat_result]) -> dict[str, list[str]]:
    """The files of data by the stem of their index, where all are there."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for name in sorted(states):
        if match := _SHARD.fullmatch(name):
            found.setdefault(match[1], []).append(name)
            counts[match[1]] = int(match[2])
    return {stem: names for stem, names in found.items() if len(names) == counts[stem]}


def _name_and_step(stem: str, kind: str = TORCH) -> tuple[str, int]:
    match = (_COUNTED.fullmatch(stem) if kind == OBJECTS else None) or _NUMBERED.fullmatch(stem)
    return (match[1], int(match[2])) if match else (stem, 0)


def _kind_of(index: Path) -> str:
    try:
        return OBJECTS if _OBJECT_GRAPH in read_bytes(index, _MAX_INDEX) else GRAPH
    except (OSError, ValueError):
        return GRAPH
