"""Whether runs of one name are one run on both sides, and whether a run is on the other side under another name.

A run has its id for ever; its name changes with ``rla mv`` and ``rla rename``. Two machines that are alike to the
microsecond may give two runs one name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.layout import ARCHIVED, LOG, RUN_JSON, TRASH
from rla_hooks.query import runs as runs_of
from rla_hooks.query.given import acts_in
from rla_hooks.query.moved import former_names
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.place import Place
from rla_hooks.remote.planning import Plan
from rla_hooks.remote.together import together
from rla_hooks.smallfiles import read_json


def strangers(plan: Plan) -> dict[str, str]:
    """Return the runs of a plan whose name another run has on the other side, with what is to be said of each."""
    names = [run.name for run in plan.runs if not run.is_new]
    found = {}
    for name, there in _records_there(plan.place, names).items():
        here = _record_at(plan.root / LOG / name)
        if here.get("id") and there.get("id") and here["id"] != there["id"]:
            found[name] = (
                f"another run has this name there: its id is {there['id']}, here it is {here['id']}. Nothing of it was "
                "moved. Give the one here another name: rla rename"
            )
    return found


def without_those_elsewhere(plan: Plan, all_there: Path | None) -> tuple[Plan, list[str]]:
    """Return a plan without new runs that the other side has under another name or has put away, and a line for each.

    all_there: a log root with the small files of the remote's runs; None where these are not at hand: then a run that
    was moved there is not noticed by a push.
    """
    new = {run.name for run in plan.runs if run.is_new}
    if not new or (not plan.is_push and not _has_runs(plan.root)):
        return plan, []
    if plan.is_push:
        records, known = {name: _record_at(plan.root / LOG / name) for name in new}, dict(_known(all_there, "there"))
    else:
        records = (
            {name: _record_at(all_there / LOG / name) for name in new} if all_there else {name: {} for name in new}
        )
        known = dict(_known(plan.root, "here"))
    ids = {name: str(record.get("id")) for name, record in records.items()}
    told = {name: where for name in sorted(new) if (where := known.get(ids[name]) or known.get(name))}
    left = tuple(run for run in plan.runs if run.name not in told)
    return plan._replace(runs=left), [f"left as it is: {name} {where}" for name, where in told.items()]


def _known(root: Path | None, side: str) -> Iterator[tuple[str, str]]:
    """Yield ids and former names of runs, also of those put away, with what is to be said of them."""
    if root is None:
        return
    for number in acts_in(root):
        for run in runs_of(root / TRASH / str(number)):
            text = f"was deleted {side}: rla undo {number} brings it back"
            yield from ((run.id, text), (run.name, text))
    if (root / ARCHIVED).is_dir():
        for run in runs_of(root / ARCHIVED):
            yield from ((word, f"is archived {side}") for word in (run.id, run.name))
    for run in runs_of(root):
        text = f"is {side} under another name: {run.name}"
        yield run.id, text
        yield from ((str(each), text) for each in former_names(run.run_json))


def _has_runs(root: Path) -> bool:
    return any((root / each).is_dir() for each in (LOG, ARCHIVED, TRASH))


def _records_there(place: Place, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}

    def read(name: str) -> None:
        with tempfile.TemporaryDirectory(prefix="rla-") as folder, suppress(RemoteError):
            place.fetch(f"{LOG}/{name}/{RUN_JSON}", Path(folder, RUN_JSON))
            found[name] = _record_at(Path(folder))

    together(read, names, place.at_once, place.stopped)
    return found


def _record_at(folder: Path) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        content = read_json(folder / RUN_JSON)
        return content if isinstance(content, Mapping) else {}
    return {}
