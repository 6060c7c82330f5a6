"""The log root that somebody means who gave a folder of it, or the folder that it lies in."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from rla_hooks.layout import ARCHIVED, LOG, TREES
from rla_hooks.run_folders import run_folders

_USUAL = "rla_data"
_MOST = 1000  # files and folders that are looked at


def near_root(folder: Path) -> Path | None:
    """Return the log root that a folder without runs is a part of, or that lies in it; None if there is none.

    Of a folder that is not there, also the folder that it would be in: with RLA, runs often lie beside rla_config.yaml.
    What was archived out of a log root, or deleted, is not meant.

    >>> from pathlib import Path
    >>> Path("rla_data/log/demo/2026/01/31/21-28-12-867420_10.0.0.5").mkdir(parents=True)
    >>> [str(near_root(Path(each)).relative_to(Path.cwd())) for each in ("rla_data/log/demo", "rla_data/log", ".")]
    ['rla_data', 'rla_data', 'rla_data']
    """
    place = Path(os.path.abspath(folder))
    for each in (place, *place.parents):
        if each.name in TREES and _has_runs(each.parent):
            return each.parent
    inside = [place / _USUAL if place.is_dir() else place.parent]
    with suppress(OSError), os.scandir(place) as entries:
        folders = [each.name for each in islice(entries, _MOST) if each.is_dir() and each.name[0] != "."]
        inside += sorted(place / name for name in folders if name != ARCHIVED)
    return next(filter(_has_runs, inside), None)


def _has_runs(folder: Path) -> bool:
    return os.path.isdir(folder / LOG) and next(run_folders(folder), None) is not None
