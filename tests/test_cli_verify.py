"""rla verify: what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def runs(make_run):
    """Two runs of three rows; of the second one the last row is torn, and a letter is no number."""
    ids = [make_run(1.0, 2.0, 3.0, seed=seed) for seed in range(2)]
    path = rla.runs()[1].log_dir / "progress.csv"
    path.write_bytes(path.read_bytes().replace(b"2.0\n", b"2n0\n") + b"3,17")
    return ids


def test_each_file_is_told_with_its_run(command, runs):
    """And how much was checked; the exit code says whether something is damaged."""
    said = command("verify")
    run = rla.runs()[1]
    lines = said.out.splitlines()
    assert said.code == 1 and lines[0] == f"{run.id}  {run.name}"
    assert lines[1].startswith("  log/progress.csv  a cell that is no number: '2n0' in 'return', in which a bit")
    assert lines[2].startswith("  log/progress.csv  the last row is torn: 4 bytes behind the last whole row, at byte ")
    assert lines[3].startswith("2 runs, ") and lines[3].endswith(": 1 file of 1 run is damaged") and len(lines) == 4
    said = command("verify", runs[0])
    assert said.code == 0 and said.out.startswith("1 run, ") and said.out.endswith(": nothing is damaged\n")
    assert command("verify", "--where", "seed == 0").code == 0
    assert command("verify", "--task", "no-such-task").code == 2


def test_repair(command, runs):
    """What can be mended is, what cannot is told, and the exit code knows the difference."""
    path = rla.runs()[1].log_dir / "progress.csv"
    damaged = path.read_bytes()
    said = command("verify", "--repair", "--dry-run")
    assert said.code == 1 and "; --repair: it is cut off\n" in said.out and path.read_bytes() == damaged
    said = command("verify", "--repair")
    assert said.code == 1 and "; repaired: it is cut off\n" in said.out
    assert "1 file was repaired (rla undo 1 takes it back), and 1 file of 1 run is damaged" in said.out
    path.write_bytes(path.read_bytes().replace(b"2n0", b"2.0") + b"3,")
    said = command("verify", "--repair", "--json")
    content = json.loads(said.out)
    assert said.code == 0 and content["acts"] == [2] and content["damaged"] == 0 and content["problems"] == []
    assert "repair" in command("trash").out and command("undo").code == 0


def test_json(command, runs):
    """All that a finding has."""
    said = command("verify", "--json")
    content = json.loads(said.out)
    assert said.code == 1 and content["runs"] == 2 and content["damaged"] == 2
    [first, second] = content["findings"]
    assert first["id"] == runs[1] and first["is_damage"] and first["repair"] is None and first["position"] > 0
    assert second["file"].endswith("progress.csv") and second["repair"] == "it is cut off"


def test_many_findings_of_a_run_are_shortened(command, runs):
    """Of thousands of damaged figures the first ones."""
    run = rla.runs()[0]
    for number in range(30):
        (run.results_dir / f"{number:02}.png").write_bytes(b"none")
    said = command("verify", runs[0])
    assert "  and 10 more\n" in said.out and said.out.count("is no PNG") == 20
    assert ": 30 files of 1 run are damaged" in said.out
