"""Reads and checks the config of a run, and reports all mistakes in it at once.

The keys have RLA's names. All are optional; null and the empty string mean "not given", too::

    LOG_ROOT: ./rla_data                 # the folder that holds everything
    LOG_USED: [csv, tensorboard, stdout, log]
    PROJECT_TYPE: {backup_code_by: source}         # source, lib or none
    PROJECT_ROOT: .
    BACKUP_CONFIG:                       # paths in here are relative to PROJECT_ROOT
      backup_code_dir: [my_project]
      lib_dir: ./build/lib/
      ignore_code_paths: [.gitignore]    # files of Git's ignore rules
      max_file_mb: 10
      data_files: false                  # whether folders of data and other tools' outputs are copied, too
    IGNORE_RULE: ["*.mp4", "data/"]      # more lines of Git's ignore rules
    DL_FRAMEWORK: torch                  # torch or tensorflow
    TABLES_PER_SECOND: 2                 # the most tables on stdout and in log.txt
    LOG_WAIT: true                       # whether log waits for values that an accelerator has not computed yet
    SYSTEM_METRICS: 10                   # seconds between two rows of system.csv; false: there is none
    SEND_LOG_FILE: false                 # whether the run sends itself to the remote while it goes on
    SEND_EVERY: 60                       # seconds; and at checkpoints, at flush and at the end
    SEND: [log, code, results]           # and checkpoint
    REMOTE_SETTING: {url: 'ssh://me@host/data/rla_data', options: {}}     # or, as RLA has it:
    REMOTE_SETTING: {ftp_server: '', username: '', password: '', port: '', remote_log_root: '',
                     remote_data_root: '', file_transfer_protocol: sftp}

Further keys are the user's own: they are kept in ``raw``. One that is nearly a key of ours is noted.

To add a key, add a line to ``_KEYS`` and a field to :class:`Config`. This file is longer than others, since the table
of all keys, the class with their values, and the code that fills one from the other are read together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.config import checks
from rla_hooks.config.sections import keys_of, near_keys, unknown_line
from rla_hooks.errors import ConfigError
from rla_hooks.fields import Fields, made_by
from rla_hooks.masking import MASK, mask_value
from rla_hooks.parameters import safe
from rla_hooks.places import find, in_project, main_script, working_directory
from rla_hooks.texts import text_of
from rla_hooks.writers import WRITERS
from rla_hooks.writers.base import Writer

BACKUPS = ("source", "lib", "none")
DEFAULT_WRITERS = ("csv", "tensorboard", "stdout", "log")
FRAMEWORKS = {"torch": "torch", "pytorch": "torch", "tensorflow": "tensorflow", "tf": "tensorflow"}
SENT = ("log", "code", "results", "checkpoint")
ENVIRONMENT = "RLA_CONFIG"


_NO_SETTINGS = (
    "the argument config is for settings such as LOG_ROOT. Hyper-parameters are arguments of the tracked function, or "
    "keyword arguments: rla.run(task='demo', lr=0.1), or rla.run(task='demo', hyper_parameters={'lr': 0.1})."
)


class _Key(NamedTuple):
    field: str  # in Config; "remote.x" is the entry x of Config.remote
    check: Callable[[Any], Any]


_KEYS = {
    "LOG_ROOT": _Key("log_root", checks.path),
    "LOG_USED": _Key("writers", checks.writers(tuple(WRITERS))),
    "PROJECT_TYPE.backup_code_by": _Key("backup", checks.one_of(BACKUPS)),
    "PROJECT_ROOT": _Key("project_root", checks.path),
    "BACKUP_CONFIG.backup_code_dir": _Key("backup_dirs", checks.paths),
    "BACKUP_CONFIG.lib_dir": _Key("lib_dir", checks.path),
    "BACKUP_CONFIG.ignore_code_paths": _Key("ignore_files", checks.paths),
    "BACKUP_CONFIG.max_file_mb": _Key("max_file_mb", checks.positive),
    "BACKUP_CONFIG.data_files": _Key("data_files", checks.flag),
    "IGNORE_RULE": _Key("ignore", checks.rules),
    "DL_FRAMEWORK": _Key("dl_framework", checks.one_of(FRAMEWORKS)),
    "TABLES_PER_SECOND": _Key("tables_per_second", checks.positive),
    "LOG_WAIT": _Key("log_wait", checks.flag),
    "SYSTEM_METRICS": _Key("system_metrics", checks.interval),
    "SEND_LOG_FILE": _Key("send_log_file", checks.flag),
    "SEND_EVERY": _Key("send_every", checks.positive),
    "SEND": _Key("send", checks.some_of(SENT)),
    "REMOTE_SETTING.url": _Key("remote.url", checks.secret),
    "REMOTE_SETTING.options": _Key("remote.options", checks.mapping),
    "REMOTE_SETTING.ftp_server": _Key("remote.ftp_server", checks.text),
    "REMOTE_SETTING.username": _Key("remote.username", checks.text),
    "REMOTE_SETTING.password": _Key("remote.password", checks.secret),
    "REMOTE_SETTING.port": _Key("remote.port", checks.port),
    "REMOTE_SETTING.remote_log_root": _Key("remote.remote_log_root", checks.text),
    "REMOTE_SETTING.remote_data_root": _Key("remote.remote_data_root", checks.text),
    "REMOTE_SETTING.file_transfer_protocol": _Key("remote.file_transfer_protocol", checks.one_of(("ftp", "sftp"))),
}


class Config(Fields):
    """The checked values of a config.

    >>> Config(log_root=Path("/data"), writers=("csv",)).backup
    'source'
    """

    log_root: Path  # absolute
    writers: tuple[str | Writer, ...] = DEFAULT_WRITERS
    backup: str = "source"
    backup_dirs: tuple[str, ...] = ()  # relative to project_root; none: the whole project
    lib_dir: str | None = None  # relative to project_root
    project_root: Path | None = None  # absolute; None: the project around the main script
    ignore: tuple[str, ...] = ()  # lines of Git's ignore rules, beside those that git uses
    ignore_files: tuple[str, ...] = ()  # absolute paths of files with such lines; checked when a run starts
    max_file_mb: float = 10.0
    data_files: bool = False
    dl_framework: str | None = None  # "torch", "tensorflow" or None
    tables_per_second: float = 2.0
    log_wait: bool = True
    system_metrics: float = 0.0  # seconds between two rows of system.csv; 0: there is none
    send_log_file: bool = False
    send_every: float = 60.0  # seconds
    send: tuple[str, ...] = SENT[:3]  # which trees of the run are sent
    remote: dict[str, Any] = made_by(dict)  # the entries of REMOTE_SETTING; port is a number
    source: Path | None = None  # the file it came from
    raw: dict[str, Any] = made_by(dict)  # the mapping as given: RLA's private_config
    notes: tuple[str, ...] = ()  # lines on keys that look like misspelt ones; told when a run starts

    def __repr__(self) -> str:
        values = dict(vars(self))
        values["remote"] = hide_secrets({"REMOTE_SETTING": self.remote})["REMOTE_SETTING"]
        values["raw"] = hide_secrets(self.raw)
        return f"Config({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def hide_secrets(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a config mapping that may be printed and stored, with stars in place of secrets.

    >>> hide_secrets({"REMOTE_SETTING": {"username": "me", "password": "1234"}})
    {'REMOTE_SETTING': {'username': 'me', 'password': '***'}}
    """
    shown: dict[str, Any] = mask_value("config", raw)
    return shown


def load(
    given: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    cwd: str | os.PathLike[str] | None = None,
    log_root: str | os.PathLike[str] | None = None,
    writers: str | Sequence[str | Writer] | None = None,
    backup: str | None = None,
    project_root: str | os.PathLike[str] | None = None,
    system_metrics: float | None = None,
) -> Config:
    """Find, read and check the config. Nothing is created on disk.

    It comes from ``given`` (a path or a mapping), else from the file that the environment variable RLA_CONFIG
    names, else from the nearest ``rla_config.yaml`` in ``cwd`` or above it, else, unless ``cwd`` is given, beside the
    main script or above it (cron and IDEs start programs elsewhere); else all values are defaults. ``log_root``,
    ``writers``, ``backup``, ``project_root`` and ``system_metrics`` override the file.

    Relative paths in a file are relative to the file's folder, those in a mapping or an argument to ``cwd`` (by
    default the working directory, under Hydra the one that it was started in). The default log root is ``rla_data``
    there, or beside a file that the main script led to. ``~`` and ``$VARIABLES`` are expanded in strings, not in path
    objects. Whether files and folders exist is not checked here, but when a run starts.

    Raises :class:`ConfigError` with all mistakes.

    >>> load({"LOG_USED": "csv, log"}, backup="none").writers
    ('csv', 'log')
    """
    here = working_directory() if cwd is None else Path(os.path.abspath(cwd))
    raw, source, beside_script = _read(given, here, cwd is None)
    base = source.parent if source else here
    problems: list[str] = []
    settings = _check(raw, problems)
    is_ours = not raw or any(key in keys_of(_KEYS) for key in raw)
    problems += [] if is_ours else [unknown_line(_KEYS, "", key) for key in raw]
    _make_absolute(settings, base)
    arguments: dict[str, Any] = {}
    for name, value in {
        "LOG_ROOT": log_root,
        "LOG_USED": writers,
        "PROJECT_TYPE.backup_code_by": backup,
        "PROJECT_ROOT": project_root,
        "SYSTEM_METRICS": system_metrics,
    }.items():
        _check_value(name, f"the argument {_KEYS[name].field}", value, arguments, problems)
    _make_absolute(arguments, here)
    notes = near_keys(_KEYS, raw) if is_ours else []
    if problems:
        if isinstance(given, Mapping) and (not given or not is_ours):
            problems.append(_NO_SETTINGS)
        raise ConfigError([*notes, *problems], str(source) if source else None)

    settings = {"log_root": (base if beside_script else here) / "rla_data", **settings, **arguments}
    if "project_root" not in settings and (settings.get("backup_dirs") or settings.get("lib_dir")):
        # RLA's rule, but only where it is needed: a config in the home folder must not have it all backed up.
        settings["project_root"] = base
    root = settings.get("project_root", base)
    settings["ignore_files"] = tuple(os.path.abspath(root / name) for name in settings.get("ignore_files", ()))
    return Config(**settings, source=source, raw=_plain(raw), notes=tuple(notes))


def log_root_of(given: str | os.PathLike[str] | None) -> Path:
    """Return the log root that a reader is asked for, as :func:`load` takes it; by default that of the config."""
    return load().log_root if given is None else _locate(given, working_directory(), "log_root")


def _check(raw: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Return the fields of :class:`Config` that ``raw`` sets, paths as written. Appends mistakes to ``problems``."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        inner = keys_of(_KEYS, f"{key}.") if isinstance(key, str) else []
        if not inner:
            _check_entry("", key, value, found, problems)
        elif isinstance(value, Mapping):
            for inner_key, inner_value in value.items():
                _check_entry(f"{key}.", inner_key, inner_value, found, problems)
        elif not _left_out(value):
            shown = MASK if key == "REMOTE_SETTING" else checks.show(value)
            problems.append(f"{key} is {shown}. Allowed: a mapping with the keys {', '.join(inner)}.")
    _move_ignore_file(found)
    return found


def _check_entry(section: str, key: object, value: Any, found: dict[str, Any], problems: list[str]) -> None:
    if key in keys_of(_KEYS, section):
        _check_value(f"{section}{key}", f"{section}{key}", value, found, problems)


def _check_value(name: str, label: str, value: Any, found: dict[str, Any], problems: list[str]) -> None:
    """Put the checked value of the key ``name`` into ``found``, or its mistakes into ``problems``."""
    if _left_out(value):
        return
    key = _KEYS[name]
    try:
        checked = key.check(value)
    except checks.Mistake as mistake:
        problems.extend(f"{label} {text}" for text in mistake.args)
        return
    group, _, member = key.field.rpartition(".")
    (found.setdefault(group, {}) if group else found)[member] = checked


def _left_out(value: object) -> bool:
    """Whether a value means "not given": RLA's example config has '' for that."""
    return value is None or (isinstance(value, str) and not value.strip())


def _move_ignore_file(found: dict[str, Any]) -> None:
    """Accept what IGNORE_RULE was in RLA's first versions: the path of one file of rules, './.gitignore'."""
    rules = found.get("ignore", ())
    if len(rules) == 1 and re.fullmatch(r"\.[\w-]*ignore", os.path.basename(rules[0])):
        found["ignore"] = ()
        found["ignore_files"] = (*found.get("ignore_files", ()), rules[0])


def _make_absolute(settings: dict[str, Any], start: Path) -> None:
    for name in ("log_root", "project_root"):
        if name in settings:
            settings[name] = Path(os.path.abspath(start / settings[name]))


def _plain(raw: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Return a copy made of dicts and lists. Keys of the user's own may hold anything: of that the plain form."""
    plain: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in keys_of(_KEYS, section):
            key = key if isinstance(key, (str, int, float)) else text_of(key)
            value = MASK if section == "REMOTE_SETTING." else safe(value)  # it may be a misspelt password
        elif isinstance(value, Mapping):
            value = _plain(value, f"{key}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = list(value)
        plain[key] = value
    return plain


def _read(given: object, here: Path, try_script: bool) -> tuple[Mapping[str, Any], Path | None, bool]:
    """Return the mapping that applies, the file that holds it or None, and whether the main script led to the file."""
    if isinstance(given, Mapping):
        return given, None, False
    named, script = os.environ.get(ENVIRONMENT), None
    found: Path | None
    if not _left_out(given):
        found, origin = _locate(given, here, "the argument config"), "The argument config names it"
    elif not _left_out(named):
        origin = f"The environment variable {ENVIRONMENT} names it"
        found = _locate(named, here, f"the environment variable {ENVIRONMENT}")
    else:
        found, origin = find(here), "It was found upwards from the working directory"
        script = main_script() if try_script and found is None else None
        if script is not None:
            found, origin = (
                find(in_project(os.path.realpath(script)).parent),
                "It was found upwards from the main script",
            )
    if found is None:
        return {}, None, False
    from rla_hooks.config.strict_yaml import read_mapping  # loads PyYAML, which a run without a file does not need

    return read_mapping(found, origin), found, script is not None


def _locate(given: object, here: Path, who: str) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigError(
            f"{who} is {checks.show(given)}. Allowed: a path, or a mapping such as {{'LOG_ROOT': './x'}}."
        )
    if isinstance(given, str) and os.path.exists(here / given):  # as written, even with a $ in it
        return Path(os.path.abspath(here / given))
    try:
        return Path(os.path.abspath(here / checks.path(given)))
    except checks.Mistake as mistake:
        raise ConfigError(f"{who} {mistake}") from None
