"""The names of runs: tasks that are safe, names that are capped and told apart, names of the original RLA."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.run_name import check_task, parse, run_leaf

NOW = datetime(2026, 1, 31, 12, 30, 45, 123456)


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("cartpole", "cartpole"),
        ("a/b", "a/b"),
        ("a//b/./c/", "a/b/c"),
        ("my task", "my%20task"),
        ("a\\..\\b", "a%5C..%5Cb"),
        (".store", "%2Estore"),
        ("...", "%2E%2E%2E"),
        ("a/.b", "a/%2Eb"),
        ("诗", "诗"),
        ("a\nb\0", "a%0Ab%00"),
    ],
)
def test_a_task_is_a_safe_relative_path(task, path):
    """Groups stay groups; hidden folders, among them the store of code, cannot be meant."""
    assert check_task(task) == path


@pytest.mark.parametrize(
    "task",
    ["", " ", "\n", "/abs", "//a", "../x", "a/../b", "a/..", "..", ".", "./", "C:\\x", "c:x", "\\\\h\\x", "~", "~/a"],
)
def test_a_task_that_is_empty_absolute_or_climbs_out_is_refused(task):
    """The error shows the name and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        check_task(task)
    assert repr(task) in str(caught.value) and "Give a relative name such as" in str(caught.value)


@pytest.mark.parametrize("task", [None, 5, b"a", Path("a"), ["a"]])
def test_a_task_that_is_no_string_is_refused(task):
    """The error names its type."""
    with pytest.raises(ConfigError, match=rf"\({type(task).__name__}\)\. Allowed: a string"):
        check_task(task)


def test_a_run_name_says_when_where_and_what():
    """It reads as RLA's do."""
    record = {"env/id": "ALE/Pong v5", "lr": 1e-3, "info": "", "诗": None}
    leaf = run_leaf(NOW, "10.0.0.1", record)
    assert leaf == "12-30-45-123456_10.0.0.1_&env%2Fid=ALE%2FPong%20v5&lr=0.001&info=&诗=None"
    name = parse(f"a/b/2026/01/31/{leaf}")
    assert (name.task, name.time, name.ip) == ("a/b", NOW, "10.0.0.1")
    assert name.record == {"env/id": "ALE/Pong v5", "lr": "0.001", "info": "", "诗": "None"}
    assert run_leaf(NOW, "noip", {}) == "12-30-45-123456_noip"


def test_a_run_name_of_many_and_long_values_is_capped_and_still_told_apart():
    """255 bytes at most, with a digest of what was cut; the time can still be read."""
    records = [{f"key{n}": "诗" * 40 for n in range(20)} | {"last": last} for last in (1, 2)]
    leaves = [run_leaf(NOW, "10.0.0.1", record) for record in records]
    assert len(set(leaves)) == 2 and all(len(leaf.encode()) <= 255 for leaf in leaves)
    assert parse(f"t/2026/01/31/{leaves[0]}").time == NOW
    long = [run_leaf(NOW, "ip", {"a": "x" * 1000 + end}) for end in "12"]
    assert long[0] != long[1] and len(long[0]) == len("12-30-45-123456_ip_&a=") + 64


@pytest.mark.parametrize(
    ("leaf", "ip", "record"),
    [
        (
            "21-13-03-230208 11.0.91.89 &env_id=Test-v1&learning_rate=0.0001",
            "11.0.91.89",
            {"env_id": "Test-v1", "learning_rate": "0.0001"},
        ),
        ("18-46-30-917022_172.16.0.147_&env_id=Test-v1&seed=88", "172.16.0.147", {"env_id": "Test-v1", "seed": "88"}),
        ("21-13-03-230208 11.0.91.89 ", "11.0.91.89", {}),
        ("21-13-03-230208_11.0.91.89", "11.0.91.89", {}),
        ("21-13-03-230208 1.2.3.4 &info=two words&a=b=c&f", "1.2.3.4", {"info": "two words", "a": "b=c", "f": ""}),
        ("21-13-03-230208_1.2.3.4_&p=100%&q=%FF", "1.2.3.4", {"p": "100%", "q": "\ufffd"}),
    ],
)
def test_names_of_the_original_rla_are_read(leaf, ip, record):
    """With blanks or with underscores, escaped or not."""
    name = parse(f"my task/2021/12/05/{leaf}")
    assert (name.task, name.ip, name.record) == ("my task", ip, record)
    assert name.time.strftime("%Y/%m/%d") == "2021/12/05"


@pytest.mark.parametrize(
    "name",
    [
        *["", "a", "a/b", "t/2026/01/31", "t/2026/01/31/notes", "t/2026/01/31/tb", "t/2026/13/31/12-30-45-123456_ip"],
        *["t/2026/01/31/12-30-45-123456", "t/2026/01/31/12-30-45-123456_a_b", "t/2026/01/31/12-30-45_ip_"],
        "t/2026/01/31/&a=b",
    ],
)
def test_what_is_no_run_name_raises_valueerror(name):
    """Other folders that lie about are not taken for runs."""
    with pytest.raises(ValueError):
        parse(name)
