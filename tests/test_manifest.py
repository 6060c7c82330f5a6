"""Reading the list of checkpoints: whatever lies in the folder, and while a saver deletes the oldest ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest, Saver, latest
from rla_hooks.errors import CheckpointError, RLAWarning

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs FIFOs and devices")


@pytest.fixture
def paths(tmp_path):
    """Three checkpoints, of steps 1 to 3."""
    saver = Saver(tmp_path, max_to_keep=None)
    return [saver.save({"x": list(range(100)), "step": step}, step) for step in (1, 2, 3)]


def alter(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def replace_by(make):
    def replace(path):
        path.unlink()
        make(path)

    return replace


DAMAGES = {
    "one bit": alter,
    "cut": lambda path: os.truncate(path, 10),
    "FIFO": replace_by(os.mkfifo),
    "device": replace_by(lambda path: path.symlink_to("/dev/zero")),
    "folder": replace_by(lambda path: path.mkdir()),
}


@needs_posix
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_latest_is_never_a_damaged_one(damage, paths, tmp_path):
    """Also with its size unchanged: the one before it is taken, and a warning says why."""
    assert latest(tmp_path) == paths[2]
    DAMAGES[damage](paths[2])
    with pytest.warns(RLAWarning, match=r"checkpoint-3.pkl .* Step 2 is taken instead"):
        assert latest(tmp_path) == paths[1]
    with pytest.warns(RLAWarning, match=r"checkpoint-3.pkl .* Step 2 is loaded instead"):
        assert Saver(tmp_path).load()[0] == 2


def test_without_a_whole_one_there_is_none(paths, tmp_path):
    """Every damaged one is named; those that somebody has deleted are no reason for a warning."""
    paths[0].unlink()
    paths[1].unlink()
    alter(paths[2])
    with pytest.warns(RLAWarning, match="no whole one before it") as caught:
        assert latest(tmp_path) is None
    assert len(caught) == 1


@needs_posix
def test_a_device_with_a_matching_entry_is_refused(paths, tmp_path):
    """A manifest can list anything: a device has no bytes, and never ends."""
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["checkpoints"][2] |= {"size": 0, "crc32c": "00000000"}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    replace_by(lambda path: path.symlink_to("/dev/zero"))(paths[2])
    with pytest.warns(RLAWarning, match="cannot be read .*it is a device"):
        assert latest(tmp_path) == paths[1]


@needs_posix
def test_a_sparse_file_with_a_matching_entry_is_refused(paths, tmp_path):
    """Its terabyte takes no space, and reading it would take an hour."""
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["checkpoints"][2]["size"] = 1 << 40
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    os.truncate(paths[2], 1 << 40)
    with pytest.warns(RLAWarning, match="is a sparse file"):
        assert latest(tmp_path) == paths[1]


def test_a_whole_file_is_read_once_until_it_changes(paths, tmp_path, monkeypatch):
    """Asking again for the newest of a large checkpoint costs nothing; a change is noticed."""
    read = []
    trouble = Manifest.trouble
    monkeypatch.setattr(Manifest, "trouble", lambda self, entry: read.append(entry.step) or trouble(self, entry))
    assert [latest(tmp_path) for _ in range(3)] == [paths[2]] * 3
    assert read == [3]
    alter(paths[2])
    with pytest.warns(RLAWarning):
        assert latest(tmp_path) == paths[1]


NO_MANIFESTS = {
    "FIFO": os.mkfifo if os.name == "posix" else None,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "sparse": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
    "folder": lambda path: path.mkdir(),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "no format": lambda path: path.write_text('{"checkpoints": []}'),
    "odd format": lambda path: path.write_text('{"format": "\\u001b[31m", "checkpoints": []}'),
}


@needs_posix
@pytest.mark.parametrize("kind", NO_MANIFESTS)
def test_a_manifest_that_is_none_is_a_warning(kind, tmp_path):
    """Reading it neither hangs nor raises, and prints nothing raw."""
    folder = tmp_path / "checkpoint\x1b[31m"
    folder.mkdir()
    NO_MANIFESTS[kind](folder / "manifest.json")
    with pytest.warns(RLAWarning, match="manifest.json .*neither loaded nor deleted") as caught:
        assert latest(folder) is None
    assert "\x1b" not in str(caught[0].message)


def test_a_newer_manifest_is_read_as_far_as_known(paths, tmp_path):
    """Its checkpoints are found and loaded, with a warning; saving into it keeps it aside as it was."""
    content = json.loads((tmp_path / "manifest.json").read_text())
    content |= {"format": 7, "novel": [1]}
    content["checkpoints"][2]["novel"] = True
    content["checkpoints"].append({"another": "kind"})
    newer = json.dumps(content)
    (tmp_path / "manifest.json").write_text(newer)
    with pytest.warns(RLAWarning, match="has format 7; this version knows formats 1 to 2, and reads it as far"):
        assert latest(tmp_path) == paths[2]
    with pytest.warns(RLAWarning, match="has format 7"):
        assert Saver(tmp_path, max_to_keep=None).load()[1]["step"] == 3
    with pytest.warns(RLAWarning, match="has format 7"):
        Saver(tmp_path, max_to_keep=None).save({"x": 4}, 4)
    assert (tmp_path / "manifest.json.damaged-1").read_text() == newer
    assert [entry.step for entry in Manifest(tmp_path).entries()] == [1, 2, 3, 4]


SAVING = """
import sys
from rla_hooks.checkpoints import Saver
saver, step = Saver(sys.argv[1], max_to_keep=1), 0
while True:
    saver.save({"x": list(range(1000)), "step": step}, step)
    step += 1
"""


@pytest.mark.norerun
def test_a_reader_gets_a_checkpoint_while_others_are_deleted(tmp_path):
    """With max_to_keep=1 the only one is deleted at any moment: there is always one, it is whole, and never older."""
    with subprocess.Popen([sys.executable, "-c", SAVING, tmp_path]) as saving, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            while latest(tmp_path) is None:
                assert saving.poll() is None
            before, loads, end = -1, 0, time.monotonic() + 120
            while (before < 50 or loads < 300) and time.monotonic() < end:
                step, content = Saver(tmp_path).load()
                assert content["step"] == step >= before and latest(tmp_path) is not None
                before, loads = step, loads + 1
            assert before > 3
        finally:
            saving.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)


def test_a_step_that_was_deleted_is_a_clear_error(paths, tmp_path):
    """Nothing is waited for."""
    paths[1].unlink()
    with pytest.raises(CheckpointError, match=r"checkpoint-2.pkl is missing. There are complete ones of steps 1, 3"):
        Saver(tmp_path).load(2)


def test_an_unreadable_manifest_is_a_warning(paths, tmp_path):
    """A folder of somebody else hides no other run."""
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "manifest.json").chmod(0)
    with pytest.warns(RLAWarning, match="cannot be read"):
        assert rla.latest_checkpoint(tmp_path) is None


@needs_posix
def test_a_folder_without_a_bottom_is_no_checkpoint(paths, tmp_path):
    """Thousands of levels are more than Python has of calls."""
    paths[2].unlink()
    paths[2].mkdir()
    descriptor = os.open(paths[2], os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("d", dir_fd=descriptor)
            inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        with pytest.warns(RLAWarning, match=r"checkpoint-3.pkl .* Step 2 is taken instead"):
            assert latest(tmp_path) == paths[1]
    finally:
        os.close(descriptor)
        subprocess.run(["rm", "-rf", paths[2]], check=True)


def test_a_save_parses_no_list_of_a_thousand(tmp_path, monkeypatch):
    """What a saver has written it knows; what somebody else has written since it reads."""
    from rla_hooks.checkpoints import manifest

    parsed = []
    parse = manifest.parse_object
    monkeypatch.setattr(manifest, "parse_object", lambda data: parsed.append(len(data)) or parse(data))
    one, two = Saver(tmp_path, max_to_keep=None), Saver(tmp_path, max_to_keep=None)
    for step in range(5):
        one.save({}, step)
    assert parsed == []
    two.save({}, 5, name="other")
    assert len(parsed) == 1
    one.save({}, 6)
    assert len(parsed) == 2 and [entry.step for entry in one.manifest.entries()] == [0, 1, 2, 3, 4, 5, 6]


def test_the_list_has_a_line_for_each_checkpoint(tmp_path):
    """Of any name and info, as JSON; the line of one that was read is that which was written."""
    info = {"score": 0.5, "writer": 'a "hook"\n诗'}
    for step, name in enumerate(["a", "诗 'b'", "c"]):
        Saver(tmp_path).write(lambda path: path.write_text("x"), ".csv", step, name, info)
    lines = (tmp_path / "manifest.json").read_text("utf-8").splitlines()
    assert [json.loads(line.strip().rstrip(","))["name"] for line in lines[3:-2]] == ["a", "诗 'b'", "c"]
    assert [(entry.name, entry.info) for entry in Manifest(tmp_path).entries()][1] == ("诗 'b'", info)


def test_entries_whose_files_are_gone_are_dropped_by_the_next_save(paths, tmp_path):
    """Also those in folders, as frameworks make them."""
    (tmp_path / "deep").mkdir()
    for name in ("one", "two"):
        (tmp_path / "deep" / name).write_text("x")
        Manifest(tmp_path).add(f"deep/{name}", name, 4)
    paths[1].unlink()
    (tmp_path / "deep" / "one").unlink()
    assert [entry.file for entry in Manifest(tmp_path).missing()] == ["checkpoint-2.pkl", "deep/one"]
    Saver(tmp_path, max_to_keep=None).save({}, 5)
    assert [entry.step for entry in Manifest(tmp_path).entries()] == [1, 3, 4, 5]


def test_of_many_entries_all_are_looked_at_in_turn(tmp_path):
    """After a few saves no entry names a file that is gone, and no other is lost."""
    saver = Saver(tmp_path, max_to_keep=None)
    for step in range(130):
        (tmp_path / f"old-{step}").touch()
    listed = [{"file": f"old-{step}", "name": "old", "step": step, "time": 0.0, "size": 0} for step in range(130)]
    content = {"format": 2, "checkpoints": [each | {"crc32c": "00000000", "info": {}} for each in listed]}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    for step in (0, 49, 50, 99, 129):
        (tmp_path / f"old-{step}").unlink()
    for step in range(3):
        saver.save({}, step)
    steps = [entry.step for entry in saver.manifest.entries()]
    assert steps == [*(step for step in range(130) if step not in (0, 49, 50, 99, 129)), 0, 1, 2]


WRITTEN = {"progress.csv": (3, 120), "tb/events.out.tfevents.1": (None, 88)}


def test_positions_come_back_as_they_were_written(paths, tmp_path):
    """And an entry without them, or without a cut, stays byte by byte as older versions wrote it."""
    (tmp_path / "model.h5").write_bytes(b"weights")
    before = (tmp_path / "manifest.json").read_bytes()
    assert b"written" not in before and b"cut" not in before
    Manifest(tmp_path).add("model.h5", "model", 4, written=WRITTEN)
    after = (tmp_path / "manifest.json").read_bytes()
    assert after.startswith(before.removesuffix(b"\n  ]\n}\n")) and b'"written": {"progress.csv": [3, 120]' in after
    *others, entry = Manifest(tmp_path).entries()
    assert entry.written == WRITTEN and entry.cut is None and {each.written for each in others} == {None}


ODD_POSITIONS = [1, [], {"progress.csv": 3}, {"progress.csv": [1]}, {"progress.csv": [1, -1]}, {"a": ["1", 2]}]
ODD_POSITIONS += [
    {"../progress.csv": [1, 2]},
    {"/etc/passwd": [1, 2]},
    {"a": [True, 2]},
    {"a": [1, 2.5]},
    "x",
    [[1, 2]],
]


@pytest.mark.parametrize("odd", ODD_POSITIONS, ids=repr)
def test_positions_that_make_no_sense_are_not_known(odd, paths, tmp_path):
    """The checkpoint is good all the same."""
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["checkpoints"][2]["written"] = odd
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [entry.written for entry in Manifest(tmp_path).entries()] == [None] * 3
        assert latest(tmp_path) == paths[2]


@pytest.mark.parametrize("odd", [0, -1, True, "1", 1.5, [1]], ids=repr)
def test_an_odd_cut_is_never_taken_for_none(odd, paths, tmp_path):
    """It is left out with the usual warning: its rows are gone, most likely."""
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["checkpoints"][2]["cut"] = odd
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.warns(RLAWarning, match="1 entries that cannot be used"):
        assert latest(tmp_path) == paths[1]


def test_what_was_cut_is_no_checkpoint_any_more(paths, tmp_path):
    """Its file is kept, and it is listed with the number of the cut; marking it again changes nothing."""
    manifest = Manifest(tmp_path)
    manifest.mark_cut(manifest.entries()[1:], 1)
    content = (tmp_path / "manifest.json").read_bytes()
    manifest.mark_cut(Manifest(tmp_path).entries()[1:], 2)
    assert (tmp_path / "manifest.json").read_bytes() == content
    assert [entry.cut for entry in Manifest(tmp_path).entries()] == [None, 1, 1]
    assert [entry.step for entry in Manifest(tmp_path).complete()] == Saver(tmp_path).steps() == [1]
    assert latest(tmp_path) == rla.latest_checkpoint(tmp_path) == paths[0] and Manifest(tmp_path).newest(step=3) is None
    assert Saver(tmp_path).load()[0] == 1 and all(path.exists() for path in paths)
    with pytest.raises(CheckpointError, match=r"checkpoint-3.pkl \(step 3\) is none .* \(cut 1\). Its file is kept"):
        Saver(tmp_path).load(3)


def test_a_saver_leaves_what_was_cut_alone(paths, tmp_path):
    """It counts none of it for max_to_keep, deletes none, and saves a step again under another name."""
    manifest = Manifest(tmp_path)
    manifest.mark_cut(manifest.entries()[1:], 1)
    saver = Saver(tmp_path, max_to_keep=2)
    assert [saver.save({"x": 0}, step).name for step in (2, 3)] == ["checkpoint-2.1.pkl", "checkpoint-3.1.pkl"]
    assert saver.steps() == [2, 3] and [path.exists() for path in paths] == [False, True, True]
    assert [entry.cut for entry in manifest.entries()] == [1, 1, None, None]
    saver.save({"x": 1}, 3)  # replaces that of its own life, not the one that was cut
    assert saver.load()[1] == {"x": 1} and paths[2].exists() and not (tmp_path / "checkpoint-3.1.pkl").exists()


def test_a_file_that_a_framework_writes_again_is_another_checkpoint(tmp_path):
    """Its entry was cut; the new one, of the same size and even of an older time, is not."""
    with rla.run(task="cut", log_root=tmp_path, writers=[], backup="none") as run:
        path = run.checkpoint_dir / "last.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
        run.register_checkpoint(path, 1)
        manifest = Manifest(path.parent)
        manifest.mark_cut(manifest.entries(), 1)
        assert rla.latest_checkpoint(run) is None
        path.write_text("two")
        os.utime(path, (1.0, 1.0))
        run.register_checkpoint(path, 1)
        assert [(entry.cut, entry.step) for entry in manifest.entries()] == [(None, 1)]
        assert rla.latest_checkpoint(run) == path
    assert [each.path for each in rla.runs(tmp_path)[-1].checkpoints()] == [path]


def test_entries_that_were_forgotten_come_back_at_their_places(paths, tmp_path):
    """So that the newest one is the newest; not where another checkpoint has the file by now."""
    manifest = Manifest(tmp_path)
    entries = manifest.entries()
    manifest.forget(*entries[:2])
    manifest.put_back(entries[:2])
    assert manifest.entries() == entries
    manifest.forget(entries[0])
    anew = manifest.add(entries[0].file, "other", step=9)
    manifest.put_back(entries[:2])
    assert manifest.entries() == [*entries[1:], anew]


def test_a_manifest_that_is_not_read_in_full(paths, tmp_path):
    """Who deletes checkpoints must know all: neither a damaged manifest nor one of a newer format will do."""
    manifest = Manifest(tmp_path)
    assert manifest.readable() == manifest.entries() != []
    for text in ("no JSON", manifest.path.read_text().replace('"format": 2', '"format": 99')):
        manifest.path.write_text(text)
        with pytest.warns(RLAWarning, match="Checkpoints that it does not list"):
            assert manifest.readable() is None
