"""How mistakes in a config are told: all at once, in words that help, and never with the password."""

from __future__ import annotations

import os

import pytest

from rla_hooks import config
from rla_hooks.errors import ConfigError

pytestmark = pytest.mark.usefixtures("own_home")


def problems(given=None, **arguments) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(given, **arguments)
    return caught.value.problems


# --- mistakes ---


def test_all_mistakes_at_once(tmp_path, write_config):
    """One error holds every mistake of the file and of the arguments, and names the file."""
    path = write_config(
        tmp_path,
        "LOG_USD: [csv]\nLOG_USED: [tensorbord, csv, 3]\nPROJECT_TYPE: {backup_code_by: sourc, backup: x}\n"
        "BACKUP_CONFIG: src\nTABLES_PER_SECOND: 0\nREMOTE_SETTING: {port: 70000}\n",
    )
    with pytest.raises(ConfigError) as caught:
        config.load(path, writers="cvs", backup="libs")
    assert [problem.partition(".")[0] for problem in caught.value.problems] == [
        "unknown key 'LOG_USD'",
        "LOG_USED has 'tensorbord'",
        "LOG_USED has 3 (int)",
        "PROJECT_TYPE",
        "BACKUP_CONFIG is 'src' (str)",
        "TABLES_PER_SECOND is 0 (int)",
        "REMOTE_SETTING",
        "the argument writers has 'cvs'",
        "the argument backup is 'libs'",
    ]
    assert str(caught.value).startswith(f"{path}: 9 mistakes:\n  - unknown key")
    assert [path.name for path in tmp_path.iterdir()] == ["rla_config.yaml"]


def test_one_error_for_values_that_are_fine_otherwise(tmp_path):
    """An argument that is right does not excuse the mistake in the file that it replaces."""
    assert problems({"LOG_USED": ["x"]}, cwd=tmp_path, writers=["csv"]) == [
        "LOG_USED has 'x'. Known: backup, csv, json, log, stdout, tensorboard, warn."
    ]


KNOWN = {
    "{TOP}": "LOG_ROOT, LOG_USED, PROJECT_TYPE, PROJECT_ROOT, BACKUP_CONFIG, IGNORE_RULE, DL_FRAMEWORK, "
    "TABLES_PER_SECOND, LOG_WAIT, SYSTEM_METRICS, SEND_LOG_FILE, SEND_EVERY, SEND, REMOTE_SETTING",
    "{BACKUP}": "backup_code_dir, lib_dir, ignore_code_paths, max_file_mb, data_files",
    "{PATH}": "a path; put it in quotes where it looks like a number",
    "{TYPE}": "backup_code_by",
    "{WRITERS}": "backup, csv, json, log, stdout, tensorboard, warn",
}

# A line of YAML, and under it the message that it gives.
WORDING = """\
LOG_USD: 1
    unknown key 'LOG_USD'. Known: {TOP}. Did you mean 'LOG_USED'?
log_used: [csv]
    unknown key 'log_used'. Known: {TOP}. Did you mean 'LOG_USED'?
"Log_Root ": x
    unknown key 'Log_Root '. Known: {TOP}. Did you mean 'LOG_ROOT'?
lib_dir: x
    unknown key 'lib_dir'. Known: {TOP}. Did you mean 'lib_dir' in BACKUP_CONFIG?
BACKUP_CONFIG.lib_dir: x
    unknown key 'BACKUP_CONFIG.lib_dir'. Known: {TOP}. Did you mean 'lib_dir' in BACKUP_CONFIG?
wandb: true
    unknown key 'wandb'. Known: {TOP}. Take it out.
3: 4
    unknown key 3 (int). Known: {TOP}. Take it out.
on: 4
    unknown key True (bool). Known: {TOP}. Take it out.
"": 4
    unknown key ''. Known: {TOP}. Take it out.
BACKUP_CONFIG: [src]
    BACKUP_CONFIG is ['src'] (list). Allowed: a mapping with the keys {BACKUP}.
LOG_USED: csv tensorboard
    LOG_USED is 'csv tensorboard'. Commas stand between the words: csv, tensorboard.
LOG_USED: 3
    LOG_USED is 3 (int). Allowed: a list of {WRITERS}.
LOG_USED: {csv: 1}
    LOG_USED is {'csv': 1} (dict). Allowed: a list of {WRITERS}.
LOG_USED: !!set {csv}
    LOG_USED is {'csv'} (set). Allowed: a list of {WRITERS}.
LOG_USED: !!binary Y3N2
    LOG_USED is b'csv' (bytes). Allowed: a list of {WRITERS}.
LOG_USED: [tensorbord]
    LOG_USED has 'tensorbord'. Known: {WRITERS}. Did you mean 'tensorboard'?
LOG_USED: CSV
    LOG_USED has 'CSV'. Known: {WRITERS}. Did you mean 'csv'?
LOG_USED: jsonl
    LOG_USED has 'jsonl'. Known: {WRITERS}. Did you mean 'json'?
LOG_USED: [null]
    LOG_USED has None (NoneType). Known: {WRITERS}.
LOG_USED: [[csv]]
    LOG_USED has ['csv'] (list). Known: {WRITERS}.
LOG_USED: [{}]
    LOG_USED has {} (dict). Known: {WRITERS}.
PROJECT_TYPE: {backup_code_by: sources}
    PROJECT_TYPE.backup_code_by is 'sources'. Known: lib, none, source. Did you mean 'source'?
PROJECT_TYPE: {backup_code_by: no}
    PROJECT_TYPE.backup_code_by is False (bool). Allowed: lib, none, source.
DL_FRAMEWORK: Torch
    DL_FRAMEWORK is 'Torch'. Known: pytorch, tensorflow, tf, torch. Did you mean 'torch'?
DL_FRAMEWORK: jax
    DL_FRAMEWORK is 'jax'. Known: pytorch, tensorflow, tf, torch.
DL_FRAMEWORK: []
    DL_FRAMEWORK is [] (list). Allowed: pytorch, tensorflow, tf, torch.
LOG_ROOT: 2024
    LOG_ROOT is 2024 (int). Allowed: {PATH}.
LOG_ROOT: [a]
    LOG_ROOT is ['a'] (list). Allowed: {PATH}.
LOG_ROOT: "a\\0b"
    LOG_ROOT is 'a\\x00b' (str). Allowed: {PATH}.
LOG_ROOT: $NOT_SET/x
    LOG_ROOT is '$NOT_SET/x', and there is no environment variable NOT_SET. Set it, or write it out.
PROJECT_ROOT: ~nobody-here/x
    PROJECT_ROOT is '~nobody-here/x', and that user has no home folder. Write the path out.
BACKUP_CONFIG: {backup_code_dir: [src, 3]}
    BACKUP_CONFIG.backup_code_dir has an entry that is 3 (int). Allowed: {PATH}.
BACKUP_CONFIG: {backup_code_dir: {src: null}}
    BACKUP_CONFIG.backup_code_dir is {'src': None} (dict). Allowed: a list of paths.
BACKUP_CONFIG: {max_file_mb: "10"}
    BACKUP_CONFIG.max_file_mb is '10' (str). Allowed: a number over 0, such as 2.5.
IGNORE_RULE: 3
    IGNORE_RULE is 3 (int). Allowed: a list of lines of Git's ignore rules.
IGNORE_RULE: [3]
    IGNORE_RULE has an entry that is 3 (int). Allowed: a text; put it in quotes.
SEND_LOG_FILE: "no"
    SEND_LOG_FILE is 'no' (str). Allowed: true, false.
SEND_LOG_FILE: 0
    SEND_LOG_FILE is 0 (int). Allowed: true, false.
REMOTE_SETTING: {file_transfer_protocol: sftps}
    REMOTE_SETTING.file_transfer_protocol is 'sftps'. Known: ftp, sftp. Did you mean 'sftp'?
SEND: [log, figures]
    SEND has 'figures'. Known: checkpoint, code, log, results.
SEND: {log: 1}
    SEND is {'log': 1} (dict). Allowed: a list of log, code, results, checkpoint.
REMOTE_SETTING: {options: geheim}
    REMOTE_SETTING.options is *** (str). Allowed: a mapping of names, such as {client_keys: [...]}.
REMOTE_SETTING: {username: 12}
    REMOTE_SETTING.username is 12 (int). Allowed: a text; put it in quotes.
""".splitlines()


@pytest.mark.parametrize(("line", "message"), list(zip(WORDING[::2], WORDING[1::2], strict=True)))
def test_wording(tmp_path, line, message, write_config):
    """Every message says what was wrong, the value, what is allowed and, where it can, what to do."""
    expected = message.strip()
    for name, words in KNOWN.items():
        expected = expected.replace(name, words)
    assert problems(write_config(tmp_path, line)) == [expected]


@pytest.mark.parametrize("value", [0, -1, 0.0, float("nan"), float("-inf"), True, "1", [1], 1j])
def test_numbers_that_are_not_over_zero(tmp_path, value):
    """Zero, NaN and truth values are no number of tables in a second."""
    (problem,) = problems({"TABLES_PER_SECOND": value}, cwd=tmp_path)
    assert problem.startswith("TABLES_PER_SECOND is ")
    assert problem.endswith(f"({type(value).__name__}). Allowed: a number over 0, such as 2.5.")


@pytest.mark.parametrize("value", [0, 65536, -22, True, 22.0, "ssh", "٢٢", "22 ", "1" * 5000, [22]])
def test_ports_that_are_none(tmp_path, value):
    """A port is a whole number of 16 bits; digits of other scripts are none."""
    (problem,) = problems({"REMOTE_SETTING": {"port": value}}, cwd=tmp_path)
    assert problem.startswith("REMOTE_SETTING.port is ")
    assert problem.endswith("Allowed: a number from 1 to 65535.")


class Rude:
    """An object that will not be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


def test_values_that_cannot_be_shown(tmp_path):
    """A repr that raises, a list that holds itself and a text of 10 kB all give a short message."""
    loop: list = []
    loop.append(loop)
    wide = [[[["x" * 99] * 99] * 99] * 99] * 99
    given = {"LOG_ROOT": Rude(), "LOG_USED": [Rude(), loop], "PROJECT_ROOT": loop, Rude(): 3}
    given |= {"DL_FRAMEWORK": "x" * 10_000, "y" * 10_000: 1, "BACKUP_CONFIG": Rude(), "IGNORE_RULE": [Rude()]}
    given |= {"SEND_LOG_FILE": wide}
    found = problems(given, cwd=tmp_path)
    assert len(found) == 8
    assert all(len(problem) < 400 for problem in found)


def test_values_of_a_usual_length_are_shown_in_full(tmp_path):
    """A path of 90 letters is not cut: its end is what differs."""
    path = "/" + "x" * 80 + "/end.yaml"
    assert problems({"SEND_LOG_FILE": path}, cwd=tmp_path)[0].startswith(f"SEND_LOG_FILE is {path!r} (str)")


@pytest.mark.parametrize("given", [3, 3.5, b"x.yaml", ["a"], True, object(), Rude(), "a\0b"])
def test_config_that_is_neither_path_nor_mapping(tmp_path, given):
    """What is given instead of a path or a mapping is one clear mistake."""
    (problem,) = problems(given, cwd=tmp_path)
    assert problem.startswith("the argument config is ")
    assert "Allowed: a path" in problem and ("or a mapping" in problem or isinstance(given, str))


def test_missing_file(tmp_path, monkeypatch):
    """The error says which path, and who named it."""
    path = tmp_path / "gone.yaml"
    assert problems(path) == [f"{path} is missing. The argument config names it: correct the path, or make the file."]
    monkeypatch.setenv("RLA_CONFIG", "gone.yaml")
    assert problems(cwd=tmp_path) == [
        (f"{path} is missing. The environment variable RLA_CONFIG names it: correct the path, or make the file.")
    ]
    monkeypatch.setenv("RLA_CONFIG", "$NOT_SET/x.yaml")
    assert problems(cwd=tmp_path)[0].startswith("the environment variable RLA_CONFIG is '$NOT_SET/x.yaml', and there")


def test_deleted_working_directory(tmp_path, monkeypatch):
    """A working directory that is gone is one clear error."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the working directory is gone" in problems()[0]
    monkeypatch.chdir(tmp_path)


def test_file_that_cannot_be_read(tmp_path, write_config):
    """A folder, a link to itself, a file in a file, a name of 5,000 letters: the error names the path."""
    write_config(tmp_path, "", "file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "loop", "file/x.yaml", "x" * 5000):
        with pytest.raises(ConfigError) as caught:
            config.load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "cannot be read: " in str(caught.value)
        assert "The argument config names it" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_file_without_permission(tmp_path, write_config):
    """A file that the user may not read is found, and said to be unreadable, not passed by."""
    path = write_config(tmp_path, "")
    path.chmod(0)
    assert problems(cwd=tmp_path)[0].startswith("cannot be read: Permission denied. It was found upwards")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("LOG_ROOT: a\nLOG_USED: [csv\nSEND_LOG_FILE: true\n", "line 3, column 14: expected ',' or ']'"),
        ("LOG_ROOT: a\n\tLOG_USED: b", "line 2, column 1: found character '\\t'"),
        ("LOG_ROOT: a: b", "line 1, column 12: mapping values are not allowed here"),
        ("LOG_ROOT: 'a", "line 1, column 13: found unexpected end of stream"),
        ("LOG_ROOT: *nothing", "line 1, column 11: found undefined alias 'nothing'"),
        ("LOG_ROOT: a\n---\nLOG_ROOT: b", "line 2, column 1: but found another document"),
        (
            "LOG_ROOT: a\nLOG_USED: csv\nLOG_ROOT: b",
            "line 3, column 1: the key 'LOG_ROOT' stands in line 1 already",
        ),
        ("A:\n  x: 1\n  'x': 2", "line 3, column 3: the key 'x' stands in line 2 already"),
        ("A: {x: 1, x: 1}", "line 1, column 11: the key 'x' stands in line 1 already"),
        ("[a, b]: 1", "line 1, column 1: found unhashable key"),
        ("{a: b}: 1", "line 1, column 1: found unhashable key"),
    ],
)
def test_bad_yaml(tmp_path, text, place, write_config):
    """The line and the column count from 1, as an editor shows them."""
    path = write_config(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}: no valid YAML at {place}")
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "data",
    [
        b"LOG_ROOT: \xff",
        b"\xff\xfe\xfa",
        b"LOG_ROOT: a\x00",
        b"\x80\x04\x95",
        b"A: 2026-13-45",
        b"[" * 20_000,
    ],
    ids=["latin", "half utf-16", "nul", "pickle", "month 13", "deep"],
)
def test_files_that_hold_no_yaml_at_all(tmp_path, data, write_config):
    """Bytes that are no text, a date that is none and endless brackets are mistakes in the file, no crash."""
    (problem,) = problems(write_config(tmp_path, data))
    assert problem.startswith("no valid YAML")
    assert "\n" not in problem


@pytest.mark.parametrize(("text", "shown"), [("- a", "['a'] (list)"), ("csv", "'csv' (str)"), ("3", "3 (int)")])
def test_yaml_that_is_no_mapping(tmp_path, text, shown, write_config):
    """A list or a single value is no config."""
    assert problems(write_config(tmp_path, text)) == [f"holds {shown}. Allowed: a mapping, 'KEY: value' a line."]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "!!python/object/new:os.mkdir ['hacked']",
        "!!python/name:os.system",
        "!!python/module:antigravity",
        "!custom x",
    ],
)
def test_tags_do_not_run(tmp_path, monkeypatch, tag, write_config):
    """A YAML file cannot run anything: tags of Python and of others are refused."""
    monkeypatch.chdir(tmp_path)
    (problem,) = problems(write_config(tmp_path, f"LOG_ROOT: {tag}\n"))
    assert problem.startswith("no valid YAML at line 1, column 11: could not determine a constructor for the tag")
    assert [path.name for path in tmp_path.iterdir()] == ["rla_config.yaml"]


def test_yaml_that_refers_to_itself(tmp_path, write_config):
    """An endless structure, which YAML can say in ten bytes, is a wrong value and nothing else."""
    path = write_config(tmp_path, "LOG_ROOT: &a {x: *a}\nLOG_USED: &b [*b]\nREMOTE_SETTING: &c {password: *c}\n")
    assert [problem.partition(" ")[0] for problem in problems(path)] == [
        "LOG_ROOT",
        "LOG_USED",
        "REMOTE_SETTING.password",
    ]


# --- secrets ---


def test_password_is_never_shown(tmp_path):
    """The password is in `remote` and `raw` for those who need it, and in no repr."""
    given = {"REMOTE_SETTING": {"username": "me", "password": "s3cret"}}
    found = config.load(given, cwd=tmp_path)
    assert found.remote["password"] == found.raw["REMOTE_SETTING"]["password"] == "s3cret"
    assert "s3cret" not in repr(found)
    assert "s3cret" not in str(found)
    assert "'username': 'me', 'password': '***'" in repr(found)
    assert config.hide_secrets(found.raw) == {"REMOTE_SETTING": {"username": "me", "password": "***"}}
    assert given["REMOTE_SETTING"]["password"] == "s3cret"


@pytest.mark.parametrize(
    "remote",
    [
        {"password": 20242024},
        {"password": ["20242024"]},
        {"password": "20242024", "port": 0},
        ["password", "20242024"],
        "me:20242024@host",
    ],
)
def test_mistakes_do_not_show_the_password(tmp_path, remote):
    """An error message ends in log files and bug reports, so it keeps the password to itself."""
    (problem,) = problems({"REMOTE_SETTING": remote}, cwd=tmp_path)
    assert "20242024" not in problem
    assert "REMOTE_SETTING" in problem


def test_hyper_parameters_in_config_get_a_hint():
    """Who comes from another tracker passes them there; a config that has one key of ours is only mistaken."""
    with pytest.raises(
        ConfigError, match=r"(?s)unknown key 'lr'.*Hyper-parameters are .* rla\.run\(task='demo', lr=0\.1\)"
    ):
        config.load({"lr": 0.1, "width": 64})
    assert config.load({"lr": 0.1, "LOG_ROOT": "logs"}).raw["lr"] == 0.1


# A config with a key that is none of ours, and what is said of it when a run starts.
OWN_KEYS = [
    ({"LOG_ROOT": "logs", "LOG_USD": ["csv"]}, ["unknown key 'LOG_USD'. Known: {TOP}. Did you mean 'LOG_USED'?"]),
    (
        {"PROJECT_TYPE": {"BACKUP_CODE_BY": "source"}},
        ["PROJECT_TYPE has the unknown key 'BACKUP_CODE_BY'. Known: {TYPE}. Did you mean 'backup_code_by'?"],
    ),
    (
        {"PROJECT_TYPE": {"LOG_USED": "x"}},
        ["PROJECT_TYPE has the unknown key 'LOG_USED'. Known: {TYPE}. Did you mean 'LOG_USED' at the top level?"],
    ),
    (
        {"LOG_ROOT": "logs", "lib_dir": "x"},
        ["unknown key 'lib_dir'. Known: {TOP}. Did you mean 'lib_dir' in BACKUP_CONFIG?"],
    ),
    ({"LOG_ROOT": "logs", "wandb": True, 3: {"deep": [4]}, "": None, "LOGGING": {"a": {1, 2}}}, []),
    ({"BACKUP_CONFIG": {"main_file": "./main.py"}}, []),
]


@pytest.mark.parametrize("given, notes", OWN_KEYS)
def test_a_key_of_ones_own_is_kept(given, notes, tmp_path):
    """It is no mistake, as in RLA; what nearly is one of ours is noted."""
    found = config.load(given, cwd=tmp_path)
    assert found.raw.keys() == given.keys()
    assert list(found.notes) == [note.format(**{key[1:-1]: words for key, words in KNOWN.items()}) for note in notes]


def test_a_key_that_nearly_is_ours_is_told_with_the_mistakes(tmp_path):
    """Who corrects the one sees the other."""
    found = problems({"LOG_USD": "csv", "LOG_USED": "cvs"}, cwd=tmp_path)
    assert [line.partition(".")[0] for line in found] == ["unknown key 'LOG_USD'", "LOG_USED has 'cvs'"]


def test_an_own_key_may_hold_anything(tmp_path):
    """A list in itself, a million of lists and an object are kept in a plain form; a misspelt password is masked."""
    loop: list[object] = []
    loop += [loop, loop]
    many: object = 1
    for _ in range(60):
        many = [many, many]
    given = {"LOG_ROOT": "x", "mine": loop, "many": many, "object": object(), "REMOTE_SETTING": {"pasword": "20242024"}}
    found = config.load(given | {Rude(): Rude()}, cwd=tmp_path)
    assert found.raw["mine"] == ["<recursive>"] * 2 and found.raw["object"] == "<object object>"
    assert "20242024" not in f"{found!r}{found.raw}{config.hide_secrets(found.raw)}"
