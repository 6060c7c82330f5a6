"""Repairs: what can be rebuilt is, the damaged file is kept, and undo brings it back; nothing is ever guessed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.errors import RLAError
from rla_hooks.upkeep import verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs cp -a")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A log root of one run, and what is in its files."""
    folder = tmp_path_factory.mktemp("root")
    with rla.run(log_root=folder, task="demo", writers=["csv", "tensorboard"], backup="none", lr=0.1):
        for step in range(30):
            rla.log({"loss": step / 7}, step=step)
            if step % 10 == 0:
                rla.save_checkpoint({"weights": [0.5] * 99, "step": step}, step=step)
    return folder


@pytest.fixture
def root(place, tmp_path):
    subprocess.run(["cp", "-a", str(place), str(tmp_path / "rla_data")], check=True)
    return tmp_path / "rla_data"


@pytest.fixture
def run(root):
    return rla.runs(root)[0]


def content_of(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".trash" not in path.parts
    }


def damage(run):
    """Damage a file of each kind that can be mended, and return how it should be in the end."""
    good = content_of(run.paths.log_root)
    log, saved = f"log/{run.name}", f"checkpoint/{run.name}"
    with open(run.log_dir / "progress.csv", "ab") as file:
        file.write(b"30,17")
    [events] = run.tensorboard_dir.iterdir()
    data = bytearray(events.read_bytes())
    data[-100] ^= 1
    events.write_bytes(bytes(data) + b"half a record")
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"rows": 29, "last": {}, "last_step": None}, indent=2) + "\n")
    (run.log_dir / "parameter.json").write_text('{"lr": 0.1')
    manifest = Manifest(run.checkpoint_dir)
    manifest.forget(*[entry for entry in manifest.entries() if entry.step == 20])
    (run.checkpoint_dir / "checkpoint-0.pkl").unlink()
    store = run.paths.log_root / "code" / ".store"
    store.mkdir()
    (store / ("0" * 64)).write_bytes(b"damaged")
    del good[f"{saved}/checkpoint-0.pkl"]
    changed = {f"{log}/tb/{events.name}", f"{saved}/manifest.json"}
    return {path: data for path, data in good.items() if path not in changed}


def test_what_can_be_rebuilt_is_rebuilt_and_taken_back(root, run):
    """Rows, event files, counts, parameters, the manifest, stored code: all in one act."""
    good = damage(run)
    damaged = content_of(root)
    assert len(verify(None, root)) == 7 and content_of(root) == damaged
    report = verify(None, root, repair=True, asked="rla verify --repair")
    assert len(report) == 7 and all(each.repaired for each in report) and report.damaged == []
    assert report.acts == [1] and report.problems == []
    now = content_of(root)
    assert {path: now.get(path) for path in good} == good
    assert verify(None, root) == []
    entries = Manifest(run.checkpoint_dir).entries()
    assert [(entry.step, entry.info) for entry in entries] == [(10, {}), (20, {"writer": "rla verify"})]
    [act] = upkeep.acts(root)
    assert (act.kind, act.asked, act.files, act.trouble) == ("repair", "rla verify --repair", 6, None)
    assert {each.name for each in act.runs} == {run.name, "code/.store"}
    upkeep.undo(root)
    assert content_of(root) == damaged
    assert upkeep.acts(root) == []


def test_a_flipped_bit_in_a_checkpoint_or_a_row_is_only_told(root, run):
    """Nobody knows what stood there."""
    path = run.checkpoint_dir / "checkpoint-10.pkl"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    rows = run.log_dir / "progress.csv"
    rows.write_bytes(rows.read_bytes().replace(b"0.14285", b"0n14285"))
    before = content_of(root)
    report = verify(run, repair=True)
    assert len(report.damaged) == 2 and report.acts == [] and content_of(root) == before


def test_counts_are_not_taken_from_rows_that_are_damaged_themselves(root, run):
    """Lost rows are told; a count is mended only where the rows are whole."""
    rows = run.log_dir / "progress.csv"
    lines = rows.read_bytes().splitlines(keepends=True)
    rows.write_bytes(b"".join([*lines[:-3], b"27,a,b\n"]))
    report = verify(run, repair=True)
    assert report.acts == [] and len(report.damaged) == 2
    rows.write_bytes(b"".join(lines[:-3]))
    report = verify(run, repair=True)
    assert [each.repaired for each in report] == [True]
    assert (rla.runs(root)[0].info["rows"], rla.runs(root)[0].info["last_step"]) == (27, 26)


def test_a_damaged_manifest_is_made_again(root, run):
    """Of the lines that can be read, and of files that are whole."""
    path = run.checkpoint_dir / "manifest.json"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"step": 10', b'"step: 10').replace(b'"checkpoints"', b'"checkpoints'))
    assert len(verify(run, repair=True).damaged) == 0
    assert [entry.step for entry in Manifest(run.checkpoint_dir).entries()] == [0, 10, 20]
    path.unlink()
    damaged = content_of(root)
    report = verify(run, repair=True)
    assert report.damaged == [] and report.acts == [2]
    assert [entry.step for entry in Manifest(run.checkpoint_dir).entries()] == [0, 10, 20]
    assert rla.latest_checkpoint(run).name == "checkpoint-20.pkl"
    upkeep.undo(root)
    assert not path.exists() and content_of(root) == damaged  # the file that was made goes, too
    path.symlink_to("elsewhere")
    report = verify(run, repair=True)
    assert {each.repair for each in report.damaged} == {None} and report.problems == [] and path.is_symlink()


def test_a_cut_is_finished(root, run):
    """As the next resume would do it, and with the rest of the run mended after it."""
    from rla_hooks import cutting

    [entry] = [each for each in Manifest(run.checkpoint_dir).entries() if each.step == 10]
    cutting.cut_to(run.paths, entry)
    path = run.log_dir / "cut" / "1" / "cut.json"
    path.write_text(path.read_text().replace('"done": true', '"done": false'))
    report = verify(run, repair=True)
    assert (report.damaged == [] and json.loads(path.read_text())["done"]) or report.problems == []


def test_a_run_that_goes_on_is_left_alone(root):
    """Whatever is wrong with it, its process may be writing to the file."""
    live = rla.start(log_root=root, task="live", writers=["csv"], backup="none")
    try:
        rla.log({"loss": 0.5}, step=0)
        (live.checkpoint_dir / "manifest.json").write_text("{")
        with open(live.log_dir / "progress.csv", "ab") as file:
            file.write(b"1,2,3,4,5\n")
        before = content_of(root)
        report = verify(live, repair=True)
        assert len(report.damaged) == 2 and [each.repair for each in report] == [None, None]
        assert content_of(root) == before
    finally:
        live.finish()


def test_a_run_that_was_resumed_since_is_not_taken_back(root, run):
    """Its file has more by now, and undo would lose that."""
    with open(run.log_dir / "progress.csv", "ab") as file:
        file.write(b"30,17")
    assert verify(run, repair=True).acts == [1]
    with open(run.log_dir / "progress.csv", "ab") as file:
        file.write(b"30,1000000000.0,0.5\n")
    with pytest.raises(RLAError, match=r"progress\.csv has changed since it was repaired"):
        upkeep.undo(root)
    assert upkeep.empty_trash(root).files == 1


def test_a_file_that_changes_meanwhile_is_left(root, run):
    """It is told, and the others are mended."""
    with open(run.log_dir / "progress.csv", "ab") as file:
        file.write(b"30,17")
    (run.checkpoint_dir / "checkpoint-0.pkl").unlink()
    manifest = run.checkpoint_dir / "manifest.json"

    def change(done, total):
        manifest.write_bytes(manifest.read_bytes() + b"\n")

    report = verify(run, repair=True, progress=change)
    assert {Path(each.file).name: each.repaired for each in report} == {"progress.csv": True, "checkpoint-0.pkl": False}
    assert report.problems == [f"{manifest} has changed since it was checked"]
    assert not [path for path in root.rglob(".saving-*") if ".trash" not in path.parts]


@pytest.mark.parametrize("what", ["verify", "undo"])
def test_a_kill_at_any_call_leaves_each_file_whole(root, run, what, forked):
    """Damaged or mended, and never none; the next act finishes what was begun."""
    rows = run.log_dir / "progress.csv"
    good = rows.read_bytes()
    with open(rows, "ab") as file:
        file.write(b"30,17")
    damaged = rows.read_bytes()
    parameters = run.log_dir / "parameter.json"
    parameters.write_text('{"lr": 0.1')
    if what == "undo":
        verify(run, repair=True)
    calls = 0
    while True:
        calls += 1
        child = forked(lambda at=calls: _killed_at(at, run, root, what))
        ended = child.ended()
        assert rows.read_bytes() in (good, damaged), calls
        upkeep.acts(root)  # finishes
        is_mended = rows.read_bytes() == good
        assert (parameters.read_text() != '{"lr": 0.1') == is_mended
        if ended == 0:
            break
        if what == "verify" and is_mended:
            upkeep.undo(root)
        if what == "undo" and not is_mended:
            verify(run, repair=True)
    assert calls > 5 and is_mended == (what == "verify")


def _killed_at(at, run, root, what):
    import sys

    count = 0

    def hook(event, args):
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            count += 1
            if count == at:
                os.kill(os.getpid(), 9)

    sys.addaudithook(hook)
    if what == "verify":
        verify(run, repair=True)
    else:
        upkeep.undo(root)
