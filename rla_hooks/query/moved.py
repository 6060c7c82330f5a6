"""Runs whose folder somebody has renamed or moved by hand: what run.json calls them, and where their files are.

All trees of a run carry one name. Who moves ``log/<run name>`` to ``log/best`` leaves the checkpoints, the code and the
figures under the old name, which stands in run.json.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from rla_hooks.filenames import part_of_pair
from rla_hooks.layout import ARCHIVE, CHECKPOINT, CODE, RESULTS, RUN_JSON, RunPaths
from rla_hooks.run_name import RunName, parse
from rla_hooks.texts import printable

_LONGEST = 4096  # bytes of a path
_OTHERS = {CHECKPOINT: "checkpoints", CODE: "code", RESULTS: "figures"}


def noted_name(run_json: Mapping[str, Any]) -> str | None:
    """Return the run name in run.json; None where there is none, or one that would lead out of a log root.

    >>> noted_name({"name": "cartpole/2026/01/31/12-00-00-000000_10.0.0.5_"}), noted_name({"name": "/etc/passwd"})
    ('cartpole/2026/01/31/12-00-00-000000_10.0.0.5_', None)
    """
    name = run_json.get("name")
    if not isinstance(name, str) or len(name) > _LONGEST or "\0" in name or "\\" in name:
        return None
    is_inside = not {"", ".", ".."} & set(name.split("/"))
    return name if is_inside and parsed(name) else None


def parsed(name: str | None) -> RunName | None:
    """Return what a run name says; None if it is no run's name."""
    try:
        return None if name is None else parse(name)
    except ValueError:
        return None


def record_of(name: str, run_json: Mapping[str, Any], hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record parameters of a run: see ``SavedRun.record``."""
    found = parsed(noted_name(run_json)) or parsed(name)
    if found is None:
        return {}
    first = next((parsed(noted_name({"name": each})) for each in former_names(run_json)), None)
    if first is None:
        return {key: hparams.get(key, text) for key, text in found.record.items()}
    return {
        key: hparams[key] if key in hparams and text in (first.record.get(key), _text_of(hparams[key])) else text
        for key, text in found.record.items()
    }


def former_names(run_json: Mapping[str, Any]) -> list[Any]:
    """Return the names that a run had before it got its present one (rla_hooks/upkeep/moving.py), the first one first.

    >>> former_names({"former_names": ["demo/2026/01/31/12-00-00-000000_10.0.0.5"]}), former_names({})
    (['demo/2026/01/31/12-00-00-000000_10.0.0.5'], [])
    """
    noted = run_json.get("former_names")
    return noted if isinstance(noted, list) else []


def _text_of(value: object) -> str:
    """What the name of a run has of a value."""
    return unquote(part_of_pair(value))


def folder_of(paths: RunPaths, kind: str, run_json: Mapping[str, Any]) -> Path:
    """Return the folder of a run in the tree ``kind``: under its name, or else under that in run.json, if it is there.

    kind: of :data:`rla_hooks.layout.KINDS`.
    """
    own, noted = paths.log_root / kind / paths.name, noted_name(run_json)
    if noted is None or noted == paths.name or os.path.isdir(own):
        return own
    old = paths.log_root / kind / noted
    return old if os.path.isdir(old) else own


def hints_of(paths: RunPaths, run_json: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line for a run whose folder is not where its run.json says; else nothing."""
    noted = noted_name(run_json)
    if noted is None or noted == paths.name:
        return ()
    old = RunPaths(paths.log_root, noted)
    what = "a copy" if os.path.isfile(old.run_json) else "renamed or moved"
    there = [
        word for kind, word in _OTHERS.items() if folder_of(paths, kind, run_json) == paths.log_root / kind / noted
    ]
    left = f"; its {', '.join(there)} are under that name" if there else ""
    return (f"{what}: {RUN_JSON} calls it {printable(noted)}{left}",)


class _MovedPaths(RunPaths):
    """Those of a run whose folder below log/ was renamed or moved: its other folders have its first name still."""

    def __init__(self, log_root: Path, name: str, first_name: str):
        super().__init__(log_root, name)
        self.first_name = first_name

    @property
    def results_dir(self) -> Path:
        return folder_of(self, RESULTS, {"name": self.first_name})

    @property
    def checkpoint_dir(self) -> Path:
        return folder_of(self, CHECKPOINT, {"name": self.first_name})

    @property
    def code_dir(self) -> Path:
        return folder_of(self, CODE, {"name": self.first_name})

    @property
    def archive_dir(self) -> Path:
        return folder_of(self, ARCHIVE, {"name": self.first_name})


def paths_of(saved: _Saved) -> RunPaths:
    """Return where the files of a saved run are, to write there."""
    paths, first = saved.paths, noted_name(saved.run_json)
    if first is None or first == paths.name or os.path.isfile(RunPaths(paths.log_root, first).run_json):
        return paths  # or it is a copy of a run that is still there, whose folders are not the copy's
    return _MovedPaths(paths.log_root, paths.name, first)


class _Saved(Protocol):
    paths: RunPaths

    @property
    def run_json(self) -> dict[str, Any]: ...
