"""Where settings come from, what they may be, and how mistakes in them are told."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections import OrderedDict, UserDict
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pytest

from rla_hooks import config
from rla_hooks.config import reading

RLA_EXAMPLE = """\
PROJECT_TYPE:
  backup_code_by: 'source'
BACKUP_CONFIG:
  backup_code_dir:
    - 'project'
  lib_dir: './build/lib/'
  ignore_code_paths:
    - '.gitignore'
    - '.backupcode_ignore'
LOG_USED:
  - 'stdout'
  - 'log'
  - 'tensorboard'
  - 'csv'
DL_FRAMEWORK: 'tensorflow'
SEND_LOG_FILE: False
REMOTE_SETTING:
  ftp_server: ''
  username: ''
  password: ''
  port: ''
  remote_log_root: ''
  file_transfer_protocol: 'sftp'
"""


pytestmark = pytest.mark.usefixtures("own_home")


# --- where they come from ---


def test_defaults(tmp_path):
    """With no config at all everything has its default, and nothing appears on disk."""
    found = config.load(cwd=tmp_path)
    assert found == config.Config(
        log_root=tmp_path / "rla_data",
        writers=("csv", "tensorboard", "stdout", "log"),
        backup="source",
        backup_dirs=(),
        lib_dir=None,
        project_root=None,
        ignore=(),
        ignore_files=(),
        max_file_mb=10.0,
        dl_framework=None,
        tables_per_second=2.0,
        send_log_file=False,
        remote={},
        source=None,
        raw={},
    )
    assert list(tmp_path.iterdir()) == []


def test_defaults_follow_the_working_directory(tmp_path, monkeypatch):
    """Where no folder is given, the working directory is meant, as it is at the time of the call."""
    monkeypatch.chdir(tmp_path)
    assert config.load().log_root == tmp_path / "rla_data"


def test_relative_cwd_gives_absolute_paths(tmp_path, monkeypatch):
    """A relative folder is no reason for relative paths: the program may change its directory later."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.load(cwd="sub").log_root == tmp_path / "sub" / "rla_data"


def test_found_upwards(tmp_path, write_config):
    """A config in a folder above counts, and its relative paths start at its own folder."""
    path = write_config(tmp_path / "project", "LOG_ROOT: ../data")
    below = tmp_path / "project" / "a" / "b"
    below.mkdir(parents=True)
    found = config.load(cwd=below)
    assert found.source == path == config.find(below)
    assert found.log_root == tmp_path / "data"


def test_nearest_file_wins(tmp_path, write_config):
    """The nearest config wins as a whole: the one above adds nothing to it."""
    write_config(tmp_path, "LOG_USED: [csv]\nDL_FRAMEWORK: torch")
    near = write_config(tmp_path / "a", "LOG_USED: [log]")
    found = config.load(cwd=tmp_path / "a")
    assert (found.source, found.writers, found.dl_framework) == (near, ("log",), None)


def test_yaml_before_yml(tmp_path, write_config):
    """Both endings are found; in one folder .yaml comes first."""
    short = write_config(tmp_path, "LOG_USED: [log]", "rla_config.yml")
    assert config.find(tmp_path) == short
    long = write_config(tmp_path, "LOG_USED: [csv]", "rla_config.yaml")
    assert config.find(tmp_path) == long


def test_search_ends_at_home(tmp_path, monkeypatch, write_config):
    """A search that starts in the home folder looks no further; one from elsewhere goes to the root."""
    outer = write_config(tmp_path, "LOG_USED: [csv]")
    home = tmp_path / "home" / "me"
    work = home / "work"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    assert config.find(work) is None
    assert config.find(home) is None
    assert config.find(tmp_path / "home") == outer
    inner = write_config(home, "LOG_USED: [log]")
    assert config.find(work) == inner


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_only_files_are_found(tmp_path, write_config):
    """A folder or a pipe that has the name of a config is passed by; reading the pipe would never end."""
    outer = write_config(tmp_path, "LOG_USED: [csv]")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "rla_config.yaml").mkdir()
    os.mkfifo(tmp_path / "a" / "b" / "rla_config.yaml")
    assert config.find(tmp_path / "a" / "b") == outer


def test_search_in_a_folder_that_is_not_there(tmp_path, write_config):
    """The search does not need its first folder to exist."""
    path = write_config(tmp_path, "")
    assert config.find(tmp_path / "nowhere" / "at all") == path


def test_search_through_a_link_goes_where_the_folder_is(tmp_path, write_config):
    """Like Git, the search goes up from the folder itself, not from the link to it."""
    path = write_config(tmp_path / "real", "")
    (tmp_path / "real" / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "sub")
    assert config.find(tmp_path / "link") == path


def test_environment_wins_over_the_found_file(tmp_path, monkeypatch, write_config):
    """RLA_CONFIG wins over a file in the folder; relative to the working directory, with ~ for home."""
    write_config(tmp_path, "LOG_USED: [csv]")
    other = write_config(tmp_path / "other", "LOG_USED: [log]", "mine.yaml")
    for value in (str(other), "other/mine.yaml", "~/other/mine.yaml", "$HOME/other/mine.yaml"):
        monkeypatch.setenv("RLA_CONFIG", value)
        found = config.load(cwd=tmp_path)
        assert (found.source, found.writers) == (other, ("log",)), value


@pytest.mark.parametrize("value", ["", "  "])
def test_empty_environment_variable_is_unset(tmp_path, monkeypatch, value, write_config):
    """`RLA_CONFIG= python main.py` means: none."""
    monkeypatch.setenv("RLA_CONFIG", value)
    path = write_config(tmp_path, "")
    assert config.load(cwd=tmp_path).source == path


def test_argument_wins_over_the_environment(tmp_path, monkeypatch, write_config):
    """What the program says wins over RLA_CONFIG, which may even be wrong then."""
    monkeypatch.setenv("RLA_CONFIG", str(tmp_path / "missing.yaml"))
    path = write_config(tmp_path, "LOG_USED: [log]", "given.yaml")
    assert config.load(path).source == path
    assert config.load("given.yaml", cwd=tmp_path).source == path
    assert config.load({"LOG_USED": ["csv"]}, cwd=tmp_path).writers == ("csv",)


def test_empty_mapping_is_a_config(tmp_path, write_config):
    """An empty mapping is an answer: no file is looked for."""
    write_config(tmp_path, "LOG_USED: [log]")
    found = config.load({}, cwd=tmp_path)
    assert found.source is None
    assert found.writers == reading.DEFAULT_WRITERS


def test_file_with_an_odd_name(tmp_path, write_config):
    """A path that exists is taken as it stands, be there a $, a blank, a quote or a newline in it."""
    folder = tmp_path / 'it\'s $HERE\n"now"'
    path = write_config(folder, "LOG_ROOT: data", "$x.yaml")
    assert config.load(str(path)).log_root == folder / "data"
    assert config.load(path).log_root == folder / "data"


@pytest.mark.parametrize("make", [dict, OrderedDict, UserDict, MappingProxyType])
def test_every_mapping_will_do(make, tmp_path):
    """A mapping need not be a dict, at either level; it is not changed, and `raw` is a plain copy of it."""
    given = {"BACKUP_CONFIG": make({"lib_dir": "lib"}), "LOG_USED": ("csv",), "DL_FRAMEWORK": None}
    before = copy.copy(given)
    found = config.load(make(given), cwd=tmp_path)
    assert (found.lib_dir, found.writers, given) == ("lib", ("csv",), before)
    assert found.raw == {"BACKUP_CONFIG": {"lib_dir": "lib"}, "LOG_USED": ["csv"], "DL_FRAMEWORK": None}
    assert type(found.raw["BACKUP_CONFIG"]) is dict


def test_omegaconf(tmp_path):
    """A config of Hydra's kind is a mapping with lists of its own type."""
    omegaconf = pytest.importorskip("omegaconf")
    given = omegaconf.OmegaConf.create({"LOG_USED": ["log", "csv"], "BACKUP_CONFIG": {"backup_code_dir": ["src"]}})
    found = config.load(given, cwd=tmp_path)
    assert (found.writers, found.backup_dirs) == (("log", "csv"), ("src",))
    assert found.raw == {"LOG_USED": ["log", "csv"], "BACKUP_CONFIG": {"backup_code_dir": ["src"]}}


def test_raw_does_not_follow_the_given_mapping(tmp_path):
    """A list that the user changes later leaves the settings as they were."""
    given = {"LOG_USED": ["csv"], "BACKUP_CONFIG": {"lib_dir": "a"}}
    found = config.load(given, cwd=tmp_path)
    given["LOG_USED"].append("log")
    given["BACKUP_CONFIG"]["lib_dir"] = "b"
    assert found.raw == {"LOG_USED": ["csv"], "BACKUP_CONFIG": {"lib_dir": "a"}}


def test_arguments_win(tmp_path, write_config):
    """The arguments of the decorator win over the file; a relative one starts at the working directory."""
    write_config(
        tmp_path / "conf",
        "LOG_ROOT: data\nLOG_USED: [csv]\nPROJECT_TYPE: {backup_code_by: lib}\nPROJECT_ROOT: .",
    )
    found = config.load(
        tmp_path / "conf" / "rla_config.yaml",
        cwd=tmp_path,
        log_root="here",
        writers=["log"],
        backup="none",
        project_root="code",
    )
    assert found.log_root == tmp_path / "here"
    assert found.project_root == tmp_path / "code"
    assert (found.writers, found.backup) == (("log",), "none")


def test_no_writers_at_all(tmp_path):
    """An empty list is a choice, in the file as in the argument; it is not 'unset'."""
    assert config.load({"LOG_USED": []}, cwd=tmp_path).writers == ()
    assert config.load({"LOG_USED": ["csv"]}, cwd=tmp_path, writers=[]).writers == ()


# --- what they may be ---


def test_rla_example_config(tmp_path, write_config):
    """RLA's own example loads as it stands, although no folder of it exists and half of it is ''."""
    path = write_config(tmp_path, RLA_EXAMPLE)
    found = config.load(path)
    assert found.writers == ("stdout", "log", "tensorboard", "csv")
    assert (found.backup, found.backup_dirs, found.lib_dir) == ("source", ("project",), "./build/lib/")
    assert found.project_root == tmp_path
    assert found.ignore_files == (str(tmp_path / ".gitignore"), str(tmp_path / ".backupcode_ignore"))
    assert (found.dl_framework, found.send_log_file) == ("tensorflow", False)
    assert found.remote == {"file_transfer_protocol": "sftp"}
    assert found.raw["REMOTE_SETTING"]["password"] == ""
    assert [path.name for path in tmp_path.iterdir()] == ["rla_config.yaml"]


def test_first_rla_example_config(tmp_path, write_config):
    """The example of RLA's first versions has '' for a list, and the path of a file for IGNORE_RULE."""
    text = "PROJECT_TYPE: {backup_code_by: lib}\nBACKUP_CONFIG:\n  backup_code_dir:\n    ''\n"
    text += "PROJECT_ROOT: './'\nIGNORE_RULE: './.gitignore'\nLOG_ROOT: '../'\nSEND_LOG_FILE: False\n"
    found = config.load(write_config(tmp_path / "project", text))
    assert (found.backup, found.backup_dirs, found.ignore) == ("lib", (), ())
    assert found.project_root == tmp_path / "project"
    assert found.ignore_files == (str(tmp_path / "project" / ".gitignore"),)
    assert found.log_root == tmp_path


def test_everything_set(tmp_path):
    """Every key reaches its field."""
    given = {
        "LOG_ROOT": "data",
        "LOG_USED": "log, csv",
        "PROJECT_TYPE": {"backup_code_by": "lib"},
        "PROJECT_ROOT": "code",
        "BACKUP_CONFIG": {
            "backup_code_dir": "src",
            "lib_dir": "lib",
            "ignore_code_paths": [".gitignore", "/etc/ignore"],
            "max_file_mb": 3,
        },
        "IGNORE_RULE": ["*.mp4", "!keep.mp4"],
        "DL_FRAMEWORK": "torch",
        "TABLES_PER_SECOND": 0.5,
        "LOG_WAIT": False,
        "SYSTEM_METRICS": 10,
        "SEND_LOG_FILE": True,
        "SEND_EVERY": 5,
        "SEND": ["log", "checkpoint"],
        "REMOTE_SETTING": {
            "url": "ssh://me@host/data",
            "options": {"client_keys": "~/.ssh/lab"},
            "ftp_server": "host",
            "username": "me",
            "password": "secret",
            "port": "22",
            "remote_log_root": "/logs",
            "remote_data_root": "/data",
            "file_transfer_protocol": "ftp",
        },
    }
    assert {name.partition(".")[0] for name in reading._KEYS} == set(given)
    found = config.load(given, cwd=tmp_path)
    assert found == config.Config(
        log_root=tmp_path / "data",
        writers=("log", "csv"),
        backup="lib",
        backup_dirs=("src",),
        lib_dir="lib",
        project_root=tmp_path / "code",
        ignore=("*.mp4", "!keep.mp4"),
        ignore_files=(str(tmp_path / "code" / ".gitignore"), os.path.abspath("/etc/ignore")),
        max_file_mb=3.0,
        dl_framework="torch",
        tables_per_second=0.5,
        log_wait=False,
        system_metrics=10.0,
        send_log_file=True,
        send_every=5.0,
        send=("log", "checkpoint"),
        remote={**given["REMOTE_SETTING"], "port": 22},
        source=None,
        raw=given,
    )


def test_null_means_unset(tmp_path):
    """Every key and every section may be null, or the '' of RLA's examples."""
    expected = config.load({}, cwd=tmp_path)
    for nothing in (None, "", " \n"):
        given: dict = {}
        for name in reading._KEYS:
            section, _, key = name.rpartition(".")
            (given.setdefault(section, {}) if section else given)[key] = nothing
        found = config.load(given, cwd=tmp_path)
        assert found == config.Config(**{**vars(expected), "raw": given})
        sections = {name.partition(".")[0]: nothing for name in reading._KEYS}
        found = config.load(sections, cwd=tmp_path)
        assert found == config.Config(**{**vars(expected), "raw": sections})


def test_config_with_all_lines_commented_out(tmp_path, write_config):
    """An empty file is a config in which everything has its default."""
    for text in ("", "# LOG_ROOT: x\n", "---\n", "{}", "\ufeff", "null"):
        assert config.load(write_config(tmp_path, text)).writers == reading.DEFAULT_WRITERS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("csv", ("csv",)),
        ("csv,log", ("csv", "log")),
        (" log ,csv, ", ("log", "csv")),
        (["log", "csv", "log"], ("log", "csv")),
        (("stdout",), ("stdout",)),
        ([], ()),
        (",", ()),
    ],
)
def test_writers(tmp_path, value, expected):
    """A list, one name, or names with commas; the order is kept and a second mention is dropped."""
    assert config.load({"LOG_USED": value}, cwd=tmp_path).writers == expected
    assert config.load({}, cwd=tmp_path, writers=value).writers == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("torch", "torch"),
        ("pytorch", "torch"),
        ("tensorflow", "tensorflow"),
        ("tf", "tensorflow"),
        (None, None),
    ],
)
def test_framework(tmp_path, value, expected):
    """RLA's two words, and the short forms that its own comments and its users have for them."""
    assert config.load({"DL_FRAMEWORK": value}, cwd=tmp_path).dl_framework == expected


@pytest.mark.parametrize("key", ["TABLES_PER_SECOND", "BACKUP_CONFIG.max_file_mb"])
@pytest.mark.parametrize("value", [1, 0.1, float("inf"), 10**400, 2**63])
def test_numbers_over_zero(tmp_path, key, value):
    """Whole and broken numbers, infinity for 'no limit', and whole numbers that no float can hold."""
    section, _, name = key.rpartition(".")
    found = config.load({section: {name: value}} if section else {name: value}, cwd=tmp_path)
    number = found.max_file_mb if section else found.tables_per_second
    assert isinstance(number, float)
    assert number == (float("inf") if value == 10**400 else value)


@pytest.mark.parametrize(("value", "port"), [(22, 22), ("2222", 2222), (1, 1), (65535, 65535)])
def test_port(tmp_path, value, port):
    """A port may stand in quotes, as in RLA's examples."""
    assert config.load({"REMOTE_SETTING": {"port": value}}, cwd=tmp_path).remote == {"port": port}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*.mp4", ("*.mp4",)),
        ("*.mp4\n\n!a.mp4\n", ("*.mp4", "!a.mp4")),
        (["*.mp4", "b\nc", ""], ("*.mp4", "b", "c")),
        (["trailing\\ "], ("trailing\\ ",)),
        (["#comment"], ("#comment",)),
        ([".gitignore", "x"], (".gitignore", "x")),
    ],
)
def test_ignore_rule(tmp_path, value, expected):
    """Lines as Git reads them: what stands in them is left alone."""
    found = config.load({"IGNORE_RULE": value}, cwd=tmp_path)
    assert (found.ignore, found.ignore_files) == (expected, ())


def test_paths_are_expanded(tmp_path, monkeypatch):
    """Strings have ~ and variables expanded; absolute paths stay; '..' is worked out."""
    monkeypatch.setenv("DATA", str(tmp_path / "big disk"))
    for text, expected in [
        ("~/data", tmp_path / "data"),
        ("~", tmp_path),
        ("$DATA/x", tmp_path / "big disk" / "x"),
        ("${DATA}", tmp_path / "big disk"),
        (str(tmp_path / "a" / ".." / "b"), tmp_path / "b"),
        ("./a//b/", tmp_path / "conf" / "a" / "b"),
        ("中文 'x'", tmp_path / "conf" / "中文 'x'"),
    ]:
        found = config.load({"LOG_ROOT": text, "BACKUP_CONFIG": {"backup_code_dir": [text]}}, cwd=tmp_path / "conf")
        assert found.log_root == expected, text
        assert found.log_root.is_absolute()
        assert found.project_root is not None
        assert Path(os.path.abspath(found.project_root / found.backup_dirs[0])) == expected, text


def test_path_objects_are_taken_literally(tmp_path):
    """A path that a program made has a $ or a ~ in its name because the folder has."""
    for name in ("$NOT_SET", "~nobody", "${x}", "100$"):
        assert config.load({}, cwd=tmp_path, log_root=Path(name)).log_root == tmp_path / name
        assert config.load({"LOG_ROOT": PurePosixPath(name)}, cwd=tmp_path).log_root == tmp_path / name
    assert config.load({}, cwd=tmp_path, log_root="a $ b").log_root == tmp_path / "a $ b"


def test_project_root(tmp_path, write_config):
    """As in RLA the project is the folder of the config, but only where the config names parts of it."""
    assert config.load(write_config(tmp_path, "LOG_ROOT: data")).project_root is None
    for backup in ("backup_code_dir: [src]", "lib_dir: lib"):
        assert config.load(write_config(tmp_path, f"BACKUP_CONFIG: {{{backup}}}")).project_root == tmp_path
    below = tmp_path / "below"
    below.mkdir()
    path = write_config(tmp_path, "PROJECT_ROOT: code\nBACKUP_CONFIG: {ignore_code_paths: .gitignore}")
    found = config.load(path, cwd=below)
    assert (found.project_root, found.ignore_files) == (
        tmp_path / "code",
        (str(tmp_path / "code" / ".gitignore"),),
    )
    found = config.load(path, cwd=below, project_root="mine")
    assert (found.project_root, found.ignore_files) == (below / "mine", (str(below / "mine" / ".gitignore"),))


def test_merged_mappings_are_no_repetition(tmp_path, write_config):
    """YAML's '<<' lets a mapping replace what it took over from another, also when that one did so, too."""
    text = "REMOTE_SETTING: &a\n  <<: &b {<<: &c {port: 1, username: me}, port: 2}\n  port: 3\n"
    assert config.load(write_config(tmp_path, text)).remote == {"port": 3, "username": "me"}


# --- the rest ---


def test_config_pickles_and_copies(tmp_path, write_config):
    """A Tester that is sent to another process takes its settings along."""
    found = config.load(write_config(tmp_path, RLA_EXAMPLE))
    assert pickle.loads(pickle.dumps(found)) == found
    assert copy.deepcopy(found) == found


def test_every_key_has_a_field():
    """A key of the table whose field nobody added to Config would fail in the middle of a run's start."""
    names = vars(reading.Config(Path())).keys()
    assert {key.field.partition(".")[0] for key in reading._KEYS.values()} <= names


def test_yaml_is_loaded_for_a_file_only(tmp_path):
    """Without a config file PyYAML, which costs a good part of the import, is not loaded."""
    code = "import sys; from rla_hooks import config; config.load(); assert 'yaml' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
