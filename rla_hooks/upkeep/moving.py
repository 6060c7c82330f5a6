"""Moves runs to another task, and gives them other ``key=value`` pairs in their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.new_names import with_pairs, with_task
from rla_hooks.query.moved import noted_name
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.run_folders import is_listable
from rla_hooks.run_name import check_task, is_run_name
from rla_hooks.texts import printable, shell_path
from rla_hooks.upkeep.acting import Act, Progress, carry_out, check_refused
from rla_hooks.upkeep.planning import MOVE, RENAME, Item, Part, Plan
from rla_hooks.upkeep.run_parts import parts_of, runs_given
from rla_hooks.upkeep.run_plans import item_of, plan_runs, why_not


def move(
    runs: Any,
    task: str,
    *,
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
    progress: Progress | None = None,
) -> Act:
    """Move runs to another task: their folders in all trees, and what run.json calls them. Ids stay.

    Arguments and errors are as in ``delete``; a run whose new name is taken is refused.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="sketch", writers=["csv"], backup="none", lr=0.1) as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> act = upkeep.move(rla.runs(task="sketch"), "paper/ablation")
    >>> saved = rla.runs()[-1]
    >>> saved.task, saved.id == run.record.content["id"], saved.hints
    ('paper/ablation', True, ())
    """
    plan = plan_move(runs, task, log_root=log_root, running=running)
    check_refused(plan)
    return carry_out(plan, progress=progress)


def rename(
    run: Any,
    pairs: Mapping[str, Any] | None = None,
    *,
    remove: Iterable[str] = (),
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
    progress: Progress | None = None,
) -> Act:
    """Set ``key=value`` pairs in the name of a run, and remove others; task, date, clock and address stay.

    ``run.record`` has the new ones then, as texts; ``run.hparams`` stay what the program was given. Arguments and
    errors are else as in ``delete``.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", record=["lr"], writers=["csv"], backup="none", lr=0.1):
    ...     rla.log({"loss": 0.5}, step=0)
    >>> act = upkeep.rename(rla.runs()[-1], {"net": "small"})
    >>> rla.runs()[-1].name.partition("&")[2], rla.runs()[-1].record
    ('lr=0.1&net=small', {'lr': 0.1, 'net': 'small'})
    """
    plan = plan_rename(run, pairs, remove=remove, log_root=log_root, running=running)
    check_refused(plan)
    return carry_out(plan, progress=progress)


def plan_move(runs: Any, task: str, *, log_root: str | os.PathLike[str] | None = None, running: bool = False) -> Plan:
    """Return what :func:`move` would do. Nothing is changed."""
    check_task(task)
    return _plan(MOVE, runs, lambda name: with_task(name, task), {"task": task}, log_root, running)


def plan_rename(
    run: Any,
    pairs: Mapping[str, Any] | None = None,
    *,
    remove: Iterable[str] = (),
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
) -> Plan:
    """Return what :func:`rename` would do. Nothing is changed."""
    remove = [remove] if isinstance(remove, str) else [*remove]
    if not pairs and not remove:
        raise ConfigError("rename got no pairs to set or to remove. Give {'lr': 0.1}, or remove=['seed'].")
    return _plan(RENAME, run, lambda name: with_pairs(name, pairs or {}, remove), {}, log_root, running)


def _plan(
    kind: str,
    runs: Any,
    new_name: Callable[[str], str],
    news: Mapping[str, Any],
    log_root: str | os.PathLike[str] | None,
    running: bool,
) -> Plan:
    root, saved = runs_given(runs, log_root, kind)

    def item(run: SavedRun) -> Item | str:
        noted = noted_name(run.run_json)
        new = new_name(noted if noted and not is_run_name(run.name) else run.name)
        reason = "has this name already" if new == run.name else why_not(run, running)
        if not reason and not is_listable(new):
            reason = f"would be in no list, in the folder of another run or too deep: {printable(new)}"
        parts = tuple(Part(source, _place_of(source, run.name, noted, new)) for source in parts_of(run))
        if not reason and run.log_dir.is_symlink():  # its run.json would be changed
            reason = f"is a link to {shell_path(os.path.realpath(run.log_dir))}: move what it leads to"
        if not reason and len({part.target for part in parts}) < len(parts):
            reason = f"has folders under two names, {run.name} and {noted}. Join them by hand first"
        return reason or item_of(run, parts, to=new, **_notes(run, new, news))

    return plan_runs(root, kind, saved, item, running)


def _place_of(source: str, name: str, noted: str | None, new: str) -> str:
    """Where a part of a run is under the run's new name."""
    tree, _, path = source.partition("/")
    for old in filter(None, (name, noted)):
        if path in (old, f"{old}.pkl"):
            return f"{tree}/{new}{path[len(old) :]}"
    raise ValueError(f"{source} is no part of the run {name}")


def _notes(run: SavedRun, new: str, news: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What run.json is to say of a new name, and what it said before: None for what it did not."""
    if not run.run_json:
        return {}
    names = run.run_json.get("former_names")
    former_names = [*(names if isinstance(names, list) else []), run.run_json.get("name") or run.name]
    changed = {**news, "name": new, "former_names": former_names}
    former = {key: run.run_json.get(key) for key in changed}
    # An id that is made from the name would be another one from now on.
    return {"news": changed | ({} if run.run_json.get("id") else {"id": run.id}), "former": former}
