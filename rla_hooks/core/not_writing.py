"""Processes that write nothing, and what they are told, once: other ranks, and worker processes of the run's process.

A worker process that was forked has copies of its parent's runs. One that was spawned, or comes from a fork server, has
none; it knows from its environment, or from multiprocessing, which passes a configuration on, that its parent has one.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import ranks
from rla_hooks.errors import warn
from rla_hooks.layout import RunPaths

_RANKS_VARIABLE = "RLA_RUN_OF_RANK_ZERO"
_IN_CONFIG = "rla_hooks_run"  # the name in multiprocessing's configuration, which no system shows
_told: set[tuple[str, int]] = set()  # what was told, and in which process
_shared: mmap.mmap | None = None  # one byte that forked children share: whether one of them has been told


def export_run(paths: RunPaths | None) -> None:
    """Tell processes that start from here which run is open: ranks that a launcher starts, and workers. None: none."""
    global _shared
    if _shared is None and hasattr(os, "fork"):
        with suppress(OSError):
            _shared = mmap.mmap(-1, 1)
    text = None if paths is None else json.dumps([str(paths.log_root), paths.name])
    if text is None:
        os.environ.pop(_RANKS_VARIABLE, None)
    else:
        os.environ[_RANKS_VARIABLE] = text
    # There, too: a fork server has the environment of the time when it was started. A child leaves its parent's run.
    config = _config_of_multiprocessing()
    if config is not None and (text is not None or not _is_child()):
        config[_IN_CONFIG] = text


def exported_run() -> RunPaths | None:
    """Return the run that the process which started this one has told of; None if there was none."""
    text = os.environ.get(_RANKS_VARIABLE) or (_config_of_multiprocessing() or {}).get(_IN_CONFIG)
    try:
        log_root, name = json.loads(text or "")
        return RunPaths(Path(log_root), name)
    except (ValueError, TypeError):
        return None


def run_of_parent() -> RunPaths | None:
    """Return the run of the parent, in a process that multiprocessing has started; None elsewhere."""
    return (_inherited or exported_run()) if _is_child() else None


def run_of_importing_parent() -> RunPaths | None:
    """Return the parent's run while a worker imports the program's main script anew, as it is begun; else None.

    By spawn and a fork server, that is: what starts a run there, outside of ``if __name__ == "__main__"``, has started
    the parent's before. The mark is multiprocessing's own (3.10-3.14), by which it refuses to start processes there.
    """
    multiprocessing = sys.modules.get("multiprocessing.process")
    is_import = multiprocessing is not None and hasattr(multiprocessing.current_process(), "_inheriting")
    return (_inherited or exported_run()) if is_import else None


def _is_child() -> bool:
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.parent_process() is not None


def _config_of_multiprocessing() -> dict[str, Any] | None:
    """The configuration that a process's children get, whatever starts them (multiprocessing/process.py, 3.10-3.14)."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    config = getattr(multiprocessing.current_process(), "_config", None) if multiprocessing is not None else None
    return config if isinstance(config, dict) else None


_inherited = exported_run()  # before this process starts a run of its own


def tell_rank() -> None:
    """Say that this rank records no run; not if the recording process has started it, which then is no trap."""
    if _RANKS_VARIABLE in os.environ:
        return
    _tell_once(
        f"this process is rank {ranks.global_rank()} ({ranks.source()}) and records no run, since rank 0 records for "
        "all ranks of a training. If it is a task of its own, set RLA_RANK=0 or pass independent=True."
    )


def tell_child() -> None:
    """Say that a worker process writes nothing to its parent's run; of those that were forked, one says it."""
    if _shared is not None:
        if _shared[0]:
            return
        _shared[0] = 1
    _tell_once(
        "a worker process writes nothing to the run of the process that has started it: what it logs is left out. "
        "Return the values, and log them there; or start a run here."
    )


def _tell_once(message: str) -> None:
    key = message, ranks.process_id
    if key not in _told:
        _told.add(key)
        warn(message, note=lambda text: None)  # no file of a run is this process's


def forget_state() -> None:
    """Tell again, as between two tests."""
    _told.clear()
    if _shared is not None:
        _shared[0] = 0
