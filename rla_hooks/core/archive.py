"""archive_tester/<run name>/tester.pkl: the Tester as a pickle of plain data, with a format number.

    {"format": 1, "name": "cartpole/2026/...", "task": "cartpole", "hyper_param": {"lr": 0.1}, "custom_data": {}, ...}

It holds no classes, so they can be renamed without losing old runs, and reading it cannot run foreign code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import plaindata
from rla_hooks.atomic import write_bytes
from rla_hooks.core.settings import RunSettings
from rla_hooks.core.time_step import TimeStepHolder
from rla_hooks.encoding import KeyPath
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.layout import ARCHIVE, RunPaths
from rla_hooks.smallfiles import read_bytes, read_json
from rla_hooks.texts import cut, printable, shown

FORMAT = 1
_LIMIT = 1 << 29  # bytes; a file that says it is larger, as a sparse one may, would fill the memory
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "task": str,
    "parent": (str, type(None)),
    "hyper_param": dict,
    "hyper_param_record": list,
    "private_config": dict,
    "writers": list,
    "time_step": (int, type(None)),
    "custom_data": dict,
}


def save(path: Path, content: Mapping[str, Any], custom_data: Mapping[str, Any]) -> list[str]:
    """Write tester.pkl. Returns a line for each part of the custom data that is no plain data and is left out."""
    left_out: list[str] = []
    encoder = _WithStates(left_out)
    encoded = encoder.encode_or_omit({"format": FORMAT, **content, "custom_data": dict(custom_data)})
    data = plaindata.pack(encoded)
    if len(data) > _LIMIT:
        left_out.append(f"the custom data, which has {len(data):,} bytes; at most {_LIMIT:,} are stored")
        data = plaindata.pack({**encoded, "custom_data": {}})
    write_bytes(path, data, sync=False)
    return left_out


class _WithStates(plaindata.PlainEncoder):
    """Takes the state of an object that has one: RLA's programs keep optimizers in their custom data."""

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        leaf = super().encode_leaf(value, keys)
        if leaf is not NotImplemented or type(value) in self.containers:
            return leaf
        from rla_hooks.checkpoints.state_dicts import has_state, state_of  # late: a plain run does without

        if has_state(value):
            with self.entered(value, keys):
                return self.encode(state_of(value, keys), keys)
        return leaf


def content_of(
    settings: RunSettings, paths: RunPaths, parameters: Mapping[str, Any], time_step: TimeStepHolder
) -> dict[str, Any]:
    """Return what :func:`save` writes for a run."""
    return {
        "name": paths.name,
        "task": settings.task_name,
        "parent": settings.parent,
        "hyper_param": all_parameters(parameters, paths),
        "hyper_param_record": list(settings.hyper_param_record),
        "private_config": settings.private_config,
        "writers": settings.writer_names,
        "time_step": time_step.get_time() if time_step.is_set else None,
    }


def all_parameters(own: Mapping[str, Any], paths: RunPaths) -> dict[str, Any]:
    """Return the hyper-parameters, with those that another process of the run has added to parameter.json."""
    try:
        return read_json(paths.parameter_json) | dict(own)
    except (OSError, ValueError):
        return dict(own)


def settings_of(content: Mapping[str, Any], paths: RunPaths) -> RunSettings:
    """Return the settings of an archived run; its code is not backed up again. Raises :class:`RunError`."""
    settings = RunSettings(
        hyper_param=content["hyper_param"], hyper_param_record=content["hyper_param_record"], parent=content["parent"]
    )
    config = {key: value for key, value in content["private_config"].items() if key == "DL_FRAMEWORK"}
    try:
        settings.configure(content["task"], config, paths.log_root, writers=content["writers"], backup="none")
    except ConfigError as error:
        raise _refused(paths.tester_pkl, error) from error
    assert settings.config is not None
    settings.config.raw = content["private_config"]
    return settings


def load(path: Path) -> tuple[dict[str, Any], RunPaths]:
    """Read a tester.pkl, or the one in a folder; return its content, and the paths where its run is now.

    Raises OSError if there is no such file, :class:`RunError` if :func:`save` did not write it.
    """
    path = path.absolute()
    if path.is_dir():
        path = path / "tester.pkl"
    try:
        content = plaindata.loads(read_bytes(path, _LIMIT))
    except ValueError as error:
        raise _refused(path, error) from error
    wrong = _what_is_wrong(content)
    if wrong:
        raise _refused(path, wrong)
    depth = content["name"].count("/") + 1
    root = path.parents[min(depth + 1, len(path.parents) - 1)]
    if path.parent != root / ARCHIVE / content["name"]:
        renamed = _renamed(path, content)
        if renamed is not None:
            return renamed
        name = printable(content["name"][:500])
        raise RunError(
            f"{printable(path)} does not stand at <log root>/{ARCHIVE}/{name}/tester.pkl, so the other folders of its "
            "run cannot be found. Move all folders of a run together."
        )
    return content, RunPaths(root, content["name"])


def _renamed(path: Path, content: dict[str, Any]) -> tuple[dict[str, Any], RunPaths] | None:
    """Return the content and the paths of a run that has got another name since (rla mv), as its run.json says."""
    parts = path.parent.parts
    for at in (number for number, part in enumerate(parts) if part == ARCHIVE):
        paths = RunPaths(Path(*parts[:at]), "/".join(parts[at + 1 :]))
        try:
            noted = read_json(paths.run_json)
        except (OSError, ValueError):
            continue
        former, task = noted.get("former_names"), noted.get("task")
        if noted.get("name") == paths.name and isinstance(former, list) and content["name"] in former:
            return content | {"name": paths.name, "task": task if isinstance(task, str) else content["task"]}, paths
    return None


def _refused(path: Path, why: object) -> RunError:
    """The error for a file that may hold anything, on one line."""
    return RunError(f"{printable(path)} is no archived Tester of rla_hooks: {printable(cut(str(why), 1000))}")


def _what_is_wrong(content: Any) -> str | None:
    if not isinstance(content, dict):
        return f"it holds a {type(content).__name__}"
    if content.get("format") != FORMAT:
        return f"its format is {shown(content.get('format'), 50)}, this version reads {FORMAT}"
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(content.get(name), kind)]
    return f"damaged fields: {', '.join(wrong)}" if wrong else None
