"""What ``rla show`` tells of the lives of a run."""

from __future__ import annotations

import json
import re

import pytest

import rla_hooks as rla
from rla_hooks.cli.lives import lives_of

pytestmark = pytest.mark.usefixtures("quiet")


def _edit(run, **changes):
    path = run.log_dir / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def life(number, status, **more):
    """An entry of ``restarts`` as a resume writes it."""
    found = {"host": f"node{number}", "pid": 1, "process": None, "pid_namespace": None, "status": status}
    found |= {"started": f"2026-01-31T0{number}:00:00+00:00", "ended": None, "seconds": None, "error": None}
    found |= {"signal": None, "rows": 10, "last_step": 10 * number, "job": None}
    found |= {"taken_up": f"2026-01-31T0{number}:30:00+00:00", "reason": "auto", "step": None, "rows_cut": 0}
    return found | {"cut": None} | more


RESTARTS = [
    life(1, "killed", step=8, rows_cut=6, cut=1),
    life(2, "preempted", signal="SIGTERM", step=20, reason="resume="),
    life(3, "failed", error="Traceback (most recent call last):\n  f()\nValueError: [red]no[/]\x1b[2J\nmore", cut=2),
    life(4, "interrupted", signal="SIGINT"),
    {"host": "old", "pid": 1, "process": None, "pid_namespace": None, "status": "killed", "taken_up": "2026-02-01"},
]


@pytest.fixture
def resumed(tmp_path):
    """A run with five restarts; the last one was taken up as before there was a resume."""
    run = rla.start("t", log_root=tmp_path / "root", writers=["csv"], backup="none", lr=0.1)
    rla.log({"loss": 1.0}, step=60)
    run.finish()
    _edit(run, restarts=RESTARTS, resumed="2026-02-01T00:00:00+00:00")
    return run


def _lines(out, head, count):
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(head))
    return [re.sub(r"\s{2,}", "|", line.strip()) for line in lines[at + 1 : at + 1 + count]]


def test_each_life_is_a_line(resumed, command, tmp_path, monkeypatch):
    """When it began, from which step, how it ended, how many rows were cut, and where they are."""
    monkeypatch.setenv("TZ", "UTC")
    out = command("show", "--log-root", tmp_path / "root").out
    head, *lines, where = _lines(out, "lives (6)", 8)
    assert head == "began|from|ended|rows cut|host"
    assert [line.split("|")[0] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert [line.split("|")[2:] for line in lines[:5]] == [
        ["the start", "killed at step 10", "node1"],
        ["step 8 (auto)", "preempted by SIGTERM at step 20", "6 (cut/1)", "node2"],
        ["step 20 (resume=)", r"failed at step 30: ValueError: [red]no[/]\x1b[2J", "node3"],
        ["the start (auto)", "interrupted by SIGINT at step 40", "0 (cut/2)", "node4"],
        ["no checkpoint (auto)", "killed", "old"],
    ]
    assert lines[5].split("|")[2:4] == ["its last row", "finished at step 60"]
    assert where.startswith("what was cut is kept in ") and str(resumed.log_dir / "cut") in where.replace("'", "")
    assert "\nresumed  2026-02-01" in out


def test_changes_of_the_code_are_found(resumed, command, tmp_path):
    """A resume under other code keeps the diff; it is named."""
    notes = resumed.code_dir / ".rla"
    notes.mkdir(parents=True)
    (notes / "resume-2.diff").write_text("+x\n")
    out = command("show", "--log-root", tmp_path / "root").out
    assert "the code of life 3 differs from the first: " in out and out.count("resume-") == 1


def test_a_run_of_one_life_and_no_fork_says_nothing(command, tmp_path):
    """Most runs."""
    rla.start("t", log_root=tmp_path / "root", writers=["csv"], backup="none").finish()
    out = command("show", "--log-root", tmp_path / "root").out
    assert "lives" not in out and "forks" not in out and "forked" not in out and "restarts" not in out


@pytest.mark.parametrize("wrong", [[3, {}, {"step": [], "cut": "x", "rows_cut": None, "error": 3, "status": None}], 7])
def test_whatever_somebody_wrote_is_shown(resumed, command, tmp_path, wrong):
    """restarts may have been edited by hand."""
    _edit(resumed, restarts=wrong, resumed=wrong, forked_from={"id": "x" * 90, "step": wrong}, loaded_from=[3, {}])
    done = command("show", "--log-root", tmp_path / "root")
    assert done.code == 0 and ("lives (3)" in done.out) is isinstance(wrong, list)
    assert command("show", "--json", "--log-root", tmp_path / "root").code == 0
    assert command("runs", "--log-root", tmp_path / "root").code == 0


def test_json_and_the_listing(resumed, command, tmp_path):
    """All that run.json has, exactly; the listing has a column, its JSON and CSV what they had."""
    root = tmp_path / "root"
    facts = json.loads(command("show", "--json", "--log-root", root).out)
    assert facts["restarts"] == RESTARTS and facts["resumed"] == "2026-02-01T00:00:00+00:00"
    assert (facts["forked_from"], facts["ancestors"], facts["forks"], facts["loaded_from"]) == (None, [], [], [])
    head, _ = command("runs", "--log-root", root).out.splitlines()
    assert "restarts" in head.split()
    assert command("runs", "--csv", "--log-root", root).out.count("restarts") == 0
    assert command("runs", "-c", "restarts", "--csv", "--log-root", root).out.splitlines()[1].endswith(",5")
    (listed,) = json.loads(command("runs", "--json", "--log-root", root).out)
    assert listed["status"] == "finished" and listed["forked_from"] is None


def test_a_fork_begins_where_it_was_forked():
    """A fork that was resumed: its first life began at a step of another run."""
    content = {"forked_from": {"id": "abcdefgh", "step": 7}, "started": "2026-01-31T00:00:00+00:00"}
    first, second = lives_of(content, [{"status": "killed", "reason": "auto", "step": 9}], "running")
    assert (first["from"], second["from"]) == ("step 7 of abcdefgh", "step 9 (auto)")
