"""What a former run has left for RLA's loaders: hyper-parameters, custom data, checkpoints; of either kind of run.

It only reads the former run. A run of the original RLA is read by :class:`~rla_hooks.query.old_tester.OldTester`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import Entry, Manifest, Saver, old_files
from rla_hooks.core import archive, loading, registry
from rla_hooks.core.run import Run
from rla_hooks.errors import ConfigError, RunError, did_you_mean, warn
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.masking import MASK, mask_value
from rla_hooks.parameters import config_fields
from rla_hooks.query import rla_runs
from rla_hooks.query.moved import paths_of
from rla_hooks.query.old_tester import OldTester
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import shown, text_of
from rla_hooks.writers.base import STEP

_OBJECT = re.compile(r"<[\w.]+(\(\.\.\.\))?>|<not serializable>|<too deep>")  # what stands for one in RLA's files
_MISSING = object()


def is_of_rla(saved: SavedRun) -> bool:
    """Whether the original RLA has written the run. What has a run.json is ours, wherever it came from."""
    return not saved.run_json and rla_runs.is_of_rla(saved.paths)


def hyper_parameters(saved: SavedRun) -> tuple[dict[str, Any], list[str]]:
    """Return the hyper-parameters that can be given back as they were, and the names of the others.

    These are secrets, and objects of which there is only a text.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none", lr=0.1, net={"act": print}, api_key="a1B2"):
    ...     pass
    >>> hyper_parameters(rla.runs()[-1])
    ({'lr': 0.1}, ['net', 'api_key'])
    """
    if is_of_rla(saved):
        found = OldTester(saved.paths).hyper_param
        lacking = [name for name, value in found.items() if _is_incomplete(mask_value(name, value))]
        return {name: value for name, value in found.items() if name not in lacking}, lacking
    former = FormerParameters(saved.run_json, saved.hparams)
    values = {name: former.value(name) for name in former.names if former.can_restore(name)}
    for name, value in saved.hparams.items():  # those of update_hyper_param
        if name not in former.flat and name.isidentifier() and name not in former.names and value != MASK:
            values[name] = value
    return values, [name for name in former.names if name not in values]


def _is_incomplete(value: Any) -> bool:
    """Whether a text in it stands for an object, or was masked as a secret."""
    if isinstance(value, Mapping):
        return any(map(_is_incomplete, value.values()))
    if isinstance(value, list):
        return any(map(_is_incomplete, value))
    return isinstance(value, str) and (_OBJECT.fullmatch(value) is not None or MASK in value)


def custom_data(saved: SavedRun) -> dict[str, Any]:
    """Return the data of ``add_custom_data``; where it cannot be read, none, with a warning."""
    if is_of_rla(saved):
        return OldTester(saved.paths).custom_data
    try:
        content, _ = archive.load(paths_of(saved).tester_pkl)
    except (OSError, RunError) as error:
        warn(f"the custom data of the run {saved.id} is not there: {text_of(error)}.")
        return {}
    data: dict[str, Any] = content["custom_data"]
    return data


def last_step(saved: SavedRun) -> int:
    """Return the time step of the last checkpoint; without one that of the last row, or 0."""
    noted = custom_data(saved).get(STEP)
    if type(noted) is int:
        return noted
    checkpoints = saved.checkpoints()
    found = checkpoints[-1].step if checkpoints else saved.info.get("last_step")
    return found if type(found) is int else 0


def load(
    saved: SavedRun, var_prefix: str | None, step: int | None, name: str, weights_only: bool
) -> tuple[int, dict[str, Any]]:
    """Return (step, content) of a checkpoint; by default the newest one. Raises CheckpointError.

    If the present run has taken over the log files of this one, its own copy is loaded, and its rows after the
    checkpoint are cut; else run.json and the log of the present run say what was loaded.
    """
    run: Run | None = registry.current()
    forked = None if run is None or not run.is_writing else run.settings.forked
    own = run.checkpoint_dir if run is not None and forked is not None and forked.id == saved.id else None
    if is_of_rla(saved):
        folder = saved.checkpoint_dir
        step, content = old_files.load(folder, step, name, var_prefix, weights_only)
        entry = _listed(own, step, name) or Entry(old_files.steps_in(folder, name)[step].name, name, step, 0.0, 0, "")
    else:
        folder = own or saved.checkpoint_dir
        entry, content = Saver(folder, None, var_prefix or "").load_entry(step, name, None, weights_only)
    if run is not None and own is not None:
        run.checkpoints.loaded(entry)
    elif run is not None and run.is_writing:
        run.checkpoints.loaded_of(loading.Source(folder, saved), entry)
    return entry.step, content


def _listed(folder: Path | None, step: int, name: str) -> Entry | None:
    """Return the checkpoint of a step and a name in a folder of ours."""
    entries = [] if folder is None else Manifest(folder).complete()
    return next((each for each in entries if (each.step, each.name) == (step, name)), None)


# --- names with dots --------------------------------------------------------------------------------------------------


def checked_names(names: str | Iterable[str] | None, own: Mapping[str, Any]) -> list[str]:
    """Return the names of hyper-parameters as a list. Raises ConfigError for those that ``own`` does not have."""
    listed = [names] if isinstance(names, str) else list(names or ())
    for name in listed:
        if not isinstance(name, str) or at(own, name) is _MISSING:
            raise ConfigError(
                f"hp_to_overwrite has {shown(name, 100)}, which is no hyper-parameter of the tester. Known: "
                f"{', '.join(map(str, own)) or 'none'}; nested ones with dots.{did_you_mean(name, map(str, own))}"
            )
    return listed


def at(values: Any, name: str) -> Any:
    """Return the value of a name with dots; a mark of this module's where there is none.

    >>> at({"net": {"width": 64}, "a.b": 1}, "net.width"), at({"a.b": 1}, "a.b")
    (64, 1)
    """
    fields = dict(config_fields(values) or ())
    if name in fields:
        return fields[name]
    first, _, rest = name.partition(".")
    return at(fields[first], rest) if rest and first in fields else _MISSING


def put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set the value of a name with dots; dicts on the way are made, and copied.

    >>> inner = {"width": 64}
    >>> values = {"net": inner}
    >>> put(values, "net.width", 32); values, inner
    ({'net': {'width': 32}}, {'width': 64})
    """
    first, _, rest = name.partition(".")
    if not rest or name in values:
        values[name] = value
        return
    values[first] = dict(config_fields(values.get(first)) or ())
    put(values[first], rest, value)
