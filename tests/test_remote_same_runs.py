"""Runs that two log roots have under one name, or one run that they have under two, when they are pushed and pulled."""

import json
import shutil

import pytest

import rla_hooks as rla
from rla_hooks import upkeep

pytest.importorskip("fsspec")

from rla_hooks.remote import Address
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.opening import open_remote
from rla_hooks.remote.planning import plan_pull, plan_push


def train(root, **parameters):
    """A run of three rows; returns it as it is read back."""
    with rla.run(task="demo", log_root=root, writers=["csv"], backup="none", record=[*parameters], **parameters):
        for step in range(3):
            rla.log({"loss": 0.5}, step=step)
    return rla.runs(root)[-1]


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path):
    """A log root in another folder, as a remote."""
    return open_remote(Address.parse((tmp_path / "far").as_uri()))


@pytest.mark.parametrize("move", [plan_push, plan_pull])
def test_another_run_of_the_same_name_keeps_its_rows(move, place, tmp_path):
    """Two machines have given two runs one name: neither side loses a row, and one line says what to do."""
    run = train(tmp_path / "near")
    shutil.copytree(tmp_path / "near", tmp_path / "far")
    far = tmp_path / "far" / run.paths.log_dir.relative_to(tmp_path / "near")
    content = json.loads((far / "run.json").read_text())
    (far / "run.json").write_text(json.dumps({**content, "id": "another1"}))
    (far / "progress.csv").write_text("time-step,timestamp,loss\n0,1.0,0.25\n")
    before = files_of(tmp_path)
    done = carry_out(move(place, tmp_path / "near"))
    assert done.runs == () and "another1" in done.problems[0] and "rla rename" in done.problems[0]
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("act", ["moved", "archived", "deleted"])
def test_a_run_that_was_tidied_away_here_does_not_come_again(act, place, tmp_path, rla_command):
    """After rla mv, archive or rm a pull and a sync pass the run over, and say so; the emptied trash forgets it."""
    run, far, near = train(tmp_path / "near"), (tmp_path / "far").as_uri(), tmp_path / "near"
    assert rla_command("push", far, "--log-root", near)[0] == 0
    if act == "moved":
        upkeep.move(run, "elsewhere")
    elif act == "archived":
        upkeep.archive(run)
    else:
        upkeep.delete(run)
    listed = [each.name for each in rla.runs(near)]
    for command in ("pull", "sync"):
        code, out, err = rla_command(command, far, "--log-root", near)
        said = {"moved": "under another name", "archived": "is archived here", "deleted": "rla undo 1 brings it back"}
        assert code == 0 and said[act] in err, out + err
        assert [each.name for each in rla.runs(near)] == listed
    assert [each.name for each in rla.runs(tmp_path / "far")] == [run.name]
    if act == "deleted":
        upkeep.empty_trash(near)
        assert rla_command("pull", far, "--log-root", near)[0] == 0 and len(rla.runs(near)) == 1


def test_a_run_that_was_moved_there_is_not_sent_again(place, tmp_path, rla_command):
    """A run has another name on the other side by now: a push passes it over, and a pull does not double it here."""
    run, far, near = train(tmp_path / "near"), (tmp_path / "far").as_uri(), tmp_path / "near"
    assert rla_command("push", far, "--log-root", near)[0] == 0
    upkeep.move(rla.runs(tmp_path / "far"), "elsewhere")
    for command in ("push", "pull"):
        code, _, err = rla_command(command, far, "--log-root", near)
        assert code == 0 and "under another name" in err
    assert [each.name for each in rla.runs(near)] == [run.name]
    assert [each.task for each in rla.runs(tmp_path / "far")] == ["elsewhere"]
