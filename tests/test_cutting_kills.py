"""A cut that is killed, or whose disk fails, at any moment: the run is as before, or the cut can be finished."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from rla_hooks import layout
from rla_hooks.checkpoints import Manifest
from rla_hooks.cutting import cut_to, finish_cut
from rla_hooks.layout import RunPaths

pytestmark = [pytest.mark.norerun, pytest.mark.usefixtures("quiet")]


def test_the_calls_are_counted_and_the_child_dies_before_its_call(run_until, tmp_path):
    """What the other tests of this file stand on."""

    def action():
        with open(tmp_path / "a", "w") as file:
            file.write("text")
        os.replace(tmp_path / "a", tmp_path / "b")

    assert run_until(action) in (["openat", "write", "rename"], ["openat", "write", "renameat"])
    os.unlink(tmp_path / "b")
    assert len(run_until(action, 3)) == 3
    assert (tmp_path / "a").read_text() == "text" and not (tmp_path / "b").exists()


def files_of(paths: RunPaths) -> dict[str, bytes]:
    """All files of the run, by their paths."""
    found = [path for folder in (paths.log_dir, paths.checkpoint_dir) for path in folder.rglob("*")]
    return {str(path.relative_to(paths.log_root)): path.read_bytes() for path in found if path.is_file()}


def prepared(training) -> int:
    """Let the run have a cut and two lives behind it; return the number of the checkpoint's entry to go back to."""
    beside = training.paths.log_dir / "progress.h-1.csv"
    later = training.paths.log_dir / "progress.h-2.csv"
    training.steps(0, 1)
    first = training.save(1)
    training.steps(2)
    training.stop()
    cut_to(training.paths, first)
    training.start()
    beside.write_text("time-step,timestamp,eval\n1,2.0,0.25\n")
    training.steps(2, 3)
    training.save(3, "checkpoint", beside.name)
    training.steps(4, late=0.5)
    training.save(4)
    training.save(4, "best")
    with open(beside, "a") as file:
        file.write("4,3.0,0.125\n")
    later.write_text("time-step,timestamp,eval\n4,8.0,0.5\n")
    training.stop()
    return 1


def records(data: bytes) -> list[bytes]:
    """The records of an event file."""
    found = []
    while data:
        size = struct.unpack_from("<Q", data)[0] + 16
        found.append(data[:size])
        data = data[size:]
    return found


class Scenes:
    """Copies of a run that a test kills, and what must come out in the end."""

    def __init__(self, training, folder: Path):
        self._source, self._folder = training.paths, folder
        self._number, self._entry = 0, prepared(training)
        self.before = files_of(self._source)
        whole = self.copy()
        self.cut(whole)
        self.after = self.view(whole)

    def copy(self, of: RunPaths | None = None) -> RunPaths:
        of = of or self._source
        self._number += 1
        root = self._folder / str(self._number)
        for kind in (layout.LOG, layout.CHECKPOINT):
            shutil.copytree(of.log_root / kind, root / kind)
        return RunPaths(root, of.name)

    def cut(self, paths: RunPaths) -> object:
        return cut_to(paths, Manifest(paths.checkpoint_dir).entries()[self._entry])

    def view(self, paths: RunPaths) -> object:
        """What is in the run's files, whatever the new event file is called, and how often a time was written."""
        files = {path.removeprefix("log/"): data for path, data in files_of(paths).items()}
        events = [each for path in sorted(paths.tensorboard_dir.iterdir()) for each in records(path.read_bytes())[2:]]
        kept = {path: data for path, data in files.items() if "tfevents" not in path and "cut.json" not in path}
        names = [path for path in sorted(files) if "cut.json" in path or "kept" in path or ".saving" in path]
        return kept, events, names


@pytest.fixture
def scenes(training, tmp_path):
    """In memory where that can be: a kill shows the same there, and no call waits for a disk."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Scenes(training, Path(folder))


def left_by_kills(run_through, scenes, paths, action):
    """What a kill of ``action`` would leave of the run at these paths, with the call; last what it leaves itself."""
    left = []
    run_through(action, lambda call: left.append((call, scenes.copy(paths))))
    return [*left, ("the end", paths)]


def test_a_kill_at_every_call_of_the_cut_leaves_a_run_that_is_made_whole(run_through, scenes):
    """Before the folder of the cut has its name nothing has changed; from then on the cut is finished."""
    began, run = 0, scenes.copy()
    left = left_by_kills(run_through, scenes, run, lambda: scenes.cut(run))
    for number, (call, paths) in enumerate(left, 1):
        finished = finish_cut(paths)
        if not (paths.log_dir / "cut" / "2").exists():
            assert files_of(paths) == scenes.before
            assert finished is None and scenes.cut(paths) is not None
            began = number
        assert scenes.view(paths) == scenes.after, f"killed at call {number}, {call}"
        assert finish_cut(paths) is None
        shutil.rmtree(paths.log_root)
    assert 20 < began < len(left) - 10  # there were many calls on both sides


def test_a_kill_at_every_call_of_finishing_it_does_no_harm(run_through, scenes):
    """Again and again."""
    run = scenes.copy()
    left = left_by_kills(run_through, scenes, run, lambda: scenes.cut(run))
    # The first call after the folder of the cut has its name.
    half = next(paths for _, paths in left if (paths.log_dir / "cut" / "2").exists())
    left = left_by_kills(run_through, scenes, half, lambda: finish_cut(half))
    for call, paths in left:
        finish_cut(paths)
        assert scenes.view(paths) == scenes.after, f"killed at the call {call}"
        shutil.rmtree(paths.log_root)
    assert len(left) > 10


def test_a_full_disk_is_told_before_anything_is_changed(small_disk, training):
    """Whatever room there is: too little for all, and nothing has changed; else the cut is done to its end."""
    training = type(training)(layout.create(small_disk / "logs", "task", {}))
    training.steps(*range(1000))
    entry = training.save(999)
    training.steps(*range(1000, 1100))
    for step in range(1000, 1030):
        training.save(step)
    training.stop()
    before, refused = files_of(training.paths), 0
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(b" " * 4096):
                pass
        while True:
            try:
                cut = cut_to(training.paths, entry)
                break
            except OSError as error:
                refused += 1
                assert error.errno == errno.ENOSPC and "cannot be cut back: No space left on device. Nothing" in str(
                    error
                )
                assert files_of(training.paths) == before and not (training.paths.log_dir / "cut").exists()
            file.truncate(max(0, filler.stat().st_size - 4096))
    assert refused > 10 and cut is not None and cut.rows == 100 and len(cut.checkpoints) == 30
    assert finish_cut(training.paths) is None and len(Manifest(training.paths.checkpoint_dir).complete()) == 1


def test_a_disk_that_can_only_be_read_is_told(mounted, training):
    """Before anything is changed."""
    disk = mounted("tmpfs", "size=1m")
    training = type(training)(layout.create(disk / "logs", "task", {}))
    training.steps(0)
    entry = training.save(0)
    training.steps(1)
    training.stop()
    before = files_of(training.paths)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(OSError, match=r"cannot be cut back: .*Nothing was changed"):
        cut_to(training.paths, entry)
    assert files_of(training.paths) == before
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert cut_to(training.paths, entry).rows == 1


def test_what_somebody_adds_to_a_file_in_the_middle_of_a_cut_is_kept(training, tmp_path):
    """A killed cut, then rows of a program that knows nothing of it: they are beside what was cut."""
    scenes_before = training.paths
    training.steps(0)
    entry = training.save(0)
    training.steps(1)
    training.stop()
    cut_to(scenes_before, entry)
    aside = scenes_before.log_dir / "cut" / "1"
    report = json.loads((aside / "cut.json").read_text())
    (aside / "kept").mkdir()
    os.replace(scenes_before.progress_csv, aside / "kept" / "progress.csv")
    (aside / "cut.json").write_text(json.dumps(report | {"done": False}))
    scenes_before.progress_csv.write_text("time-step,timestamp,loss\n" + "7,8.0,9.0\n" * 9)
    assert finish_cut(scenes_before).rows == 1
    assert (aside / "changed-progress.csv").read_text().count("7,8.0,9.0") == 9
    assert scenes_before.progress_csv.read_text().splitlines()[1:] == ["0,1000.0,0.5"]
