"""Runs of the original RLA (polixir/RLAssistant): which they are, and where their hyper-parameters stand.

    log/<task>/<Y>/<m>/<d>/<time> <ip> <info>/     its later versions wrote _ for the blanks
        progress.csv                               sorted columns, first versions without timestamp
        tb/events/events.out.tfevents...
        parameter.json or parameter.yaml           since 2022
        log.txt, backup.txt, warn.txt
    hyperparameter/<run name>/parameter.json       or parameter.yaml, in later versions once more
    archive_tester/<run name>.pkl                  the pickled Tester with hyper_param

Nothing is noted of how a run ended: its status is ``unknown``, which is no damage. The pickle is read with inert notes
in place of all classes, see :mod:`rla_hooks.query.inert_pickle`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from rla_hooks.layout import ARCHIVE, HYPARAMETER, RunPaths
from rla_hooks.masking import mask_value
from rla_hooks.parameters import MAX_PARAMETERS, flatten, safe
from rla_hooks.patterns import pattern
from rla_hooks.query.moved import parsed
from rla_hooks.smallfiles import open_regular, parse_object, read_bytes

PICKLE_LIMIT = 32 << 20  # bytes
_PRINTED_LIMIT = 1 << 20  # bytes from the start of a log: the hyper-parameters are its first lines
_ADDRESS = pattern(r" at 0x[0-9a-fA-F]+(?=>)")  # which tells runs apart that do not differ
# As of 2020 in log.txt, and of later versions in backup.txt, behind the step.
_PRINTED = pattern(r"(?:\[BACKUP\] [^ ]+ : )?key: (.+?), value: (.*)")
_WORDS = {"True": True, "False": False, "None": None}


def is_of_rla(paths: RunPaths) -> bool:
    """Whether a run without a run.json is one that RLA wrote, and none of ours that has lost it.

    Its name has blanks, or it has a file that only RLA writes, or RLA's texts and not the folder that each of ours has.
    """
    clock, blank, _ = paths.name.rpartition("/")[2].partition("&")[0].partition(" ")
    if blank and "_" not in clock:
        return True
    if any(map(os.path.isfile, (_archive(paths), _yaml(paths)))):
        return True
    texts = paths.log_txt, paths.log_dir / "backup.txt"
    return any(map(os.path.isfile, texts)) and not os.path.isdir(paths.archive_dir)


def read_hparams(paths: RunPaths) -> tuple[dict[str, Any], str | None]:
    """Return the hyper-parameters of a run of RLA, those of nested mappings with dots; and what is damaged.

    Secrets are masked, as in the parameter.json of runs of ours: they are shown, and imported.
    """
    found, problem = read_nested(paths)
    return {key: mask_value(key, value) for key, value in flat_hparams(found).items()}, problem


def read_nested(paths: RunPaths) -> tuple[Mapping[str, Any], str | None]:
    """Return the hyper-parameters of a run of RLA as they were, nested mappings included; and what is damaged.

    Where no such file tells them, there are those that RLA printed into its logs, and else those of its name: numbers,
    True, False and None, else texts.
    """
    problem = None
    for path, read in _readers(paths):
        try:
            if os.path.lexists(path) and (hparams := _mapping(read(read_bytes(path, PICKLE_LIMIT)))):
                return hparams, problem
        except (OSError, ValueError) as error:
            what = "the archived Tester" if path.suffix == ".pkl" else path.name
            problem = problem or f"{what} cannot be read: {error}"
    for path in (paths.log_dir / "backup.txt", paths.log_txt):
        if printed := _printed(path):
            return printed, problem
    found = parsed(paths.name)
    return {key: typed(text) for key, text in found.record.items()} if found else {}, problem


def without_record(paths: RunPaths, problems: Sequence[str]) -> str:
    """Return why what needs the run.json of a run cannot do its work, by the run's problems.

    >>> run = RunPaths(Path("rla_data"), "demo/2026/01/31/12-30-00-123456_10.0.0.7")
    >>> without_record(run, ["run.json is missing"])
    'it is damaged: run.json is missing'
    >>> without_record(run, [])
    'it has no run.json, which tells what started it: it begins just now, or was killed as it began'
    """
    if problems:
        return f"it is damaged: {'; '.join(problems)}"
    why = "it is of the original RLA" if is_of_rla(paths) else "it begins just now, or was killed as it began"
    return f"it has no run.json, which tells what started it: {why}"


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

    return read_pickle(read_bytes(_archive(paths), PICKLE_LIMIT), name, arrays=True)


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


def _readers(paths: RunPaths) -> Iterator[tuple[Path, Callable[[bytes], Any]]]:
    """The files that may have the hyper-parameters, the best first."""
    for folder in (paths.log_dir, paths.log_root / HYPARAMETER / paths.name):
        yield folder / "parameter.yaml", _of_yaml
        yield folder / "parameter.json", parse_object
    yield _archive(paths), _of_archive


def _printed(path: Path) -> dict[str, Any]:
    """Return the hyper-parameters that RLA printed at the start of a run; those of its last start count."""
    try:
        with open_regular(path) as file:
            lines = file.read(_PRINTED_LIMIT).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    matches = filter(None, map(_PRINTED.fullmatch, lines))
    return dict(islice(((match[1], _of_print(match[2])) for match in matches), MAX_PARAMETERS))


def _of_print(text: str) -> Any:
    """Return the value that a text shows: a nested one, too. An object is a text, without where it was in memory.

    >>> _of_print("{'seed': 8, 'layers': (64, 64)}"), _of_print("[<function relu at 0x7f1e369de560>]")
    ({'seed': 8, 'layers': (64, 64)}, '[<function relu>]')
    """
    if text[:1] in ("{", "[", "("):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(text)
    return typed(_ADDRESS.sub("", text))


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
