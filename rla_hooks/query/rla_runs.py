"""Runs of the original RLA (polixir/RLAssistant): which they are, and where their hyper-parameters stand.

    log/<task>/<Y>/<m>/<d>/<time> <ip> <info>/     its later versions wrote _ for the blanks
        progress.csv                               sorted columns, first versions without timestamp
        tb/events/events.out.tfevents...
        parameter.json or parameter.yaml           since 2022
        log.txt, backup.txt, warn.txt
    archive_tester/<run name>.pkl                  the pickled Tester with hyper_param

Nothing is noted of how a run ended: its status is ``unknown``, which is no damage. The pickle is read with inert notes
in place of all classes, see :mod:`rla_hooks.query.inert_pickle`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.layout import ARCHIVE, RunPaths
from rla_hooks.parameters import MAX_PARAMETERS, flatten, safe
from rla_hooks.query.moved import parsed
from rla_hooks.smallfiles import parse_object, read_bytes

_PICKLE_LIMIT = 32 << 20  # bytes
_WORDS = {"True": True, "False": False, "None": None}


def is_of_rla(paths: RunPaths) -> bool:
    """Whether a run without a run.json is one that RLA wrote, and none of ours that has lost it.

    Its name has blanks, or it has a file that only RLA writes, or a log.txt and not the folder that each of ours has.
    """
    clock, blank, _ = paths.name.rpartition("/")[2].partition("&")[0].partition(" ")
    if blank and "_" not in clock:
        return True
    if any(map(os.path.isfile, (_archive(paths), _yaml(paths), paths.log_dir / "backup.txt"))):
        return True
    return os.path.isfile(paths.log_txt) and not os.path.isdir(paths.archive_dir)


def read_hparams(paths: RunPaths) -> tuple[dict[str, Any], str | None]:
    """Return the hyper-parameters of a run of RLA, those of nested mappings with dots; and what is damaged."""
    found, problem = read_nested(paths)
    return flat_hparams(found), problem


def read_nested(paths: RunPaths) -> tuple[Mapping[str, Any], str | None]:
    """Return the hyper-parameters of a run of RLA as they were, nested mappings included; and what is damaged.

    Where no file tells them, there are those of its name: numbers, True, False and None, else texts.
    """
    readers: dict[Path, Callable[[bytes], Any]] = {
        _yaml(paths): _of_yaml,
        paths.parameter_json: parse_object,
        _archive(paths): _of_archive,
    }
    problem = None
    for path, read in readers.items():
        try:
            if os.path.lexists(path):
                return _mapping(read(read_bytes(path, _PICKLE_LIMIT))), problem
        except (OSError, ValueError) as error:
            what = path.name if path.parent == paths.log_dir else "the archived Tester"
            problem = problem or f"{what} cannot be read: {error}"
    found = parsed(paths.name)
    return {key: typed(text) for key, text in found.record.items()} if found else {}, problem


def events_folder(paths: RunPaths) -> Path:
    """Return the folder of the event files: RLA's are one deeper than ours."""
    deeper = paths.tensorboard_dir / "events"
    return deeper if os.path.isdir(deeper) else paths.tensorboard_dir


def flat_hparams(content: object) -> dict[str, Any]:
    """Return hyper-parameters as parameter.json has them: one flat dict of plain values."""
    items = list(flatten(_mapping(content)).items())[:MAX_PARAMETERS]
    return {name: safe(value) for name, value in items}


def read_attribute(paths: RunPaths, name: str) -> Any:
    """Return an attribute of the archived Tester of a run of RLA, as plain data and arrays of numpy.

    Nothing of it is run. Raises OSError where there is no file, ValueError where it has no such attribute, or is none.
    """
    from rla_hooks.query.inert_pickle import read_pickle

    return read_pickle(read_bytes(_archive(paths), _PICKLE_LIMIT), name, arrays=True)


def _mapping(content: object) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, not a mapping")
    return content


def typed(text: str) -> Any:
    """Return the number, bool or None that a text shows, else the text.

    >>> typed("16"), typed("1e-3"), typed("True"), typed("None"), typed("Test-v1"), typed("1_000")
    (16, 0.001, True, None, 'Test-v1', '1_000')
    """
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else text
        except ValueError:
            pass
    return text


def _archive(paths: RunPaths) -> Path:
    return paths.log_root / ARCHIVE / f"{paths.name}.pkl"


def _yaml(paths: RunPaths) -> Path:
    return paths.log_dir / "parameter.yaml"


def _of_yaml(data: bytes) -> Any:
    from rla_hooks.query.inert_yaml import read_yaml  # PyYAML, which few runs need

    return read_yaml(data)


def _of_archive(data: bytes) -> Any:
    from rla_hooks.query.inert_pickle import read_pickle

    return read_pickle(data, "hyper_param")
