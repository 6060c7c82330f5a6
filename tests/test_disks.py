"""Real disks that fill up, fail, turn read-only or vanish, at the start, in the middle and at the end of a run.

The training goes on, one warning tells each kind of trouble, and what is missing is counted.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError
from rla_hooks.tester import Tester

fcntl = pytest.importorskip("fcntl")
resource = pytest.importorskip("resource")
pytestmark = pytest.mark.usefixtures("quiet")

_EXT4_SHUTDOWN = 0x8004587D  # ioctl: every further access fails with EIO


class Disk:
    """A mounted file system: ``spoil`` makes trouble, ``mend`` ends it where that is possible."""

    mends = True
    keeps_ending = True  # whether run.json can tell the ending in the middle of the trouble
    takes_name = False  # whether a run that starts in the trouble has folders

    def __init__(self, mounted):
        self.folder: Path = self.mount(mounted)

    def mount(self, mounted):
        return mounted("ext4", "loop", "2M", "-m", "0")

    def spoil(self):
        raise NotImplementedError

    def mend(self):
        for ballast in self.folder.glob("ballast*"):
            ballast.unlink()


class Full(Disk):
    def spoil(self):
        with open(self.folder / "ballast", "wb", buffering=0) as file:
            for _ in range(3):  # once all is on the disk, ext4 gives back blocks that it had kept for its lists
                with pytest.raises(OSError):
                    while True:
                        file.write(b"x" * 1024)
                os.sync()


class FullTmpfs(Full):
    takes_name = True

    def mount(self, mounted):
        return mounted("tmpfs", "size=1m")


class WithoutInodes(Disk):
    def mount(self, mounted):
        return mounted("ext4", "loop", "2M", "-N", "64")

    def spoil(self):
        with pytest.raises(OSError):
            for number in range(100):
                (self.folder / f"ballast{number}").touch()


class Failing(Disk):
    mends = keeps_ending = False

    def spoil(self):
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _EXT4_SHUTDOWN, struct.pack("I", 2))
        except OSError as error:
            pytest.skip(f"this kernel's ext4 cannot be shut down: {error}")
        finally:
            os.close(folder)


class ReadOnly(Disk):
    """As ext4 turns when it finds an error."""

    mends = keeps_ending = False

    def mount(self, mounted):
        return mounted("ext4", "loop,errors=remount-ro", "2M")

    def spoil(self):
        number = self.folder.stat().st_dev
        block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
        trigger = Path("/sys/fs/ext4", block, "trigger_fs_error")
        if not os.access(trigger, os.W_OK):
            pytest.skip("this kernel makes no error for tests")
        trigger.write_text("1")


class Unmounted(FullTmpfs):
    mends = keeps_ending = False

    def spoil(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class Moved(Disk):
    """The folder of the logs is elsewhere for a while."""

    keeps_ending = False

    def mount(self, mounted):
        return mounted("tmpfs", "size=1m")

    def spoil(self):
        (self.folder / "logs" / "log").rename(self.folder / "elsewhere")

    def mend(self):
        (self.folder / "elsewhere").rename(self.folder / "logs" / "log")


DISKS = [Full, FullTmpfs, WithoutInodes, Failing, ReadOnly, Unmounted, Moved]
all_disks = pytest.mark.parametrize("kind", DISKS, ids=lambda kind: kind.__name__)


def train(run, steps, late=""):
    """What a training does: rows, and now and then a late key, a checkpoint, a figure, a text."""
    for step in steps:
        rla.log({"loss": 1.0 / (step + 1), "text": "x" * 100}, step=step)
        if step % 20 == 0:
            rla.log({f"eval/{late}{step // 100}": step}, step=step)
            rla.save_checkpoint({"weights": numpy.zeros(2000)}, step=step)
            rla.save_figure(f"frame/{step}", numpy.zeros((8, 8)))
            run.add_text(f"note/{step}", "words")
            run.add_video(f"video/{step}", numpy.zeros((2, 8, 8, 3)))
            run.update_hyper_param("late", step)


def assert_one_a_kind(texts):
    """No two warnings begin alike: ``csv:``, ``the checkpoint of step``, ``run.json could``..."""
    kinds = [" ".join(text.replace("'", " ").split()[:2]) for text in texts]
    assert texts and len(set(kinds)) == len(kinds), texts


def started(disk, **options):
    return rla.start(task="t", log_root=disk.folder / "logs", backup="none", writers=["csv", "tensorboard", "log"])


def rows_of(run, read_rows):
    """The rows of all files, in order: where there is no room to copy one for a late key, they go on in another."""
    return read_rows(run.log_dir / "progress.csv")


def info_of(run):
    return json.loads((run.log_dir / "run.json").read_text())


@all_disks
def test_trouble_in_the_middle_costs_the_rows_of_that_time(kind, mounted, read_rows, warnings_as_text):
    """Each row is in the file or counted; where the trouble ends, the run goes on as if nothing had been."""
    disk = kind(mounted)
    run = started(disk)
    train(run, range(10))
    disk.spoil()
    train(run, range(10, 400), "spoilt")
    if disk.mends:
        disk.mend()
        train(run, range(400, 410), "mended")
    run.finish()
    assert_one_a_kind(warnings_as_text)
    texts = warnings_as_text.copy()
    warnings_as_text.clear()
    if not disk.mends:
        return
    info = info_of(run)
    missing = sum(gap["rows"] for gap in info["gaps"] if gap["writer"] == "csv")
    rows = rows_of(run, read_rows)
    assert (info["status"], info["rows"]) == ("finished", len(rows) + missing)
    assert [row["time-step"] for row in rows[-10:]] == [str(step) for step in range(400, 410)]
    assert [warning["text"] for warning in info["warnings"]] == texts
    assert run.checkpoint_dir.joinpath("checkpoint-400.pkl").is_file()
    assert not [name for name in os.listdir(run.log_dir) if name.endswith(".tmp")]
    *_, last = (run.log_dir / "log.txt").read_text().splitlines()
    assert last.startswith(f"finished: {info['rows']} rows in ")
    assert missing == 0 or f", but {missing} rows are missing in csv, " in last


@all_disks
def test_trouble_at_the_end_changes_nothing_about_the_ending(kind, mounted, read_rows, warnings_as_text):
    """On a full disk run.json says finished, with the gaps and the warnings: there is a reserve for it."""
    disk = kind(mounted)
    run = started(disk)
    train(run, range(10))
    disk.spoil()
    train(run, range(10, 300))
    rla.log({"a last key": 1.0}, step=300)
    run.finish()
    assert_one_a_kind(warnings_as_text)
    texts = warnings_as_text.copy()
    warnings_as_text.clear()
    if not disk.keeps_ending:
        return
    info = info_of(run)
    assert info["status"] == "finished" and rla.runs(disk.folder / "logs")[0].status == "finished"
    missing = sum(gap["rows"] for gap in info["gaps"] if gap["writer"] == "csv")
    assert info["rows"] == len(rows_of(run, read_rows)) + missing
    assert missing or kind is WithoutInodes
    told = [warning["text"] for warning in info["warnings"]]
    assert told == texts[: len(told)] and len(told) >= len(texts) - 1, "the last one may be about the ending itself"


@all_disks
def test_trouble_at_the_start_stops_no_training(kind, mounted, read_rows, warnings_as_text):
    """A run that can have no folders says that it is not tracked; one that has them writes when it can."""
    disk = kind(mounted)
    if kind in (Unmounted, Moved):
        pytest.skip("a disk that is not there at the start is an empty folder")
    disk.spoil()
    if kind is ReadOnly:
        with pytest.raises(ConfigError, match="cannot be written: Read-only file system"):
            started(disk)
        return
    run = started(disk)
    train(run, range(100))
    if disk.mends:
        disk.mend()
    train(run, range(100, 110), "mended")
    run.finish()
    assert_one_a_kind(warnings_as_text)
    texts = warnings_as_text.copy()
    warnings_as_text.clear()
    if not disk.takes_name:
        assert len(texts) == 1 and "untracked: nothing of this run is saved" in texts[0]
        assert (run.name, rla.runs(disk.folder / "logs")) == (None, [])
        assert "there is no folder" in warnings_as_text.pop()
        return
    info = info_of(run)
    assert (info["status"], info["last_step"]) == ("finished", 109)
    assert (
        sum(gap["rows"] for gap in info["gaps"] if gap["writer"] == "csv") + len(rows_of(run, read_rows))
        == (info["rows"])
    )
    assert json.loads((run.log_dir / "parameter.json").read_text()) == {"late": 100}


def test_a_loaded_run_states_its_gap_though_it_ends_on_a_full_disk(mounted, read_rows, warnings_as_text):
    """Its rows and its gap are added to those of the run; what kept room for that is removed."""
    disk = FullTmpfs(mounted)
    with rla.run(task="t", log_root=disk.folder / "logs", backup="none", writers=["csv"]) as run:
        rla.log({"a": 1}, step=0)
    loaded = Tester.load(run.pkl_file)
    loaded.log({"a": 2}, step=1)
    disk.spoil()
    for step in range(2, 400):
        loaded.log({"a": step, "text": "x" * 100}, step=step)
    loaded.finish()
    assert_one_a_kind(warnings_as_text)
    warnings_as_text.clear()
    info = info_of(run)
    (gap,) = info["gaps"]
    assert (info["status"], info["rows"], info["last_step"]) == ("finished", 400, 399)
    assert len(rows_of(run, read_rows)) + gap["rows"] == 400
    assert not list(run.log_dir.glob(".*.tmp"))


def test_what_a_full_disk_refused_at_the_start_is_written_at_the_end(mounted, warnings_as_text):
    """Hyper-parameters and labels, though nothing changes them later."""
    disk = FullTmpfs(mounted)
    disk.spoil()
    options = {"task": "t", "log_root": disk.folder / "logs", "backup": "none", "writers": ["csv"]}
    run = rla.start(**options, tags=["a"], note="why", lr=0.1)
    rla.log({"a": 1})
    disk.mend()
    rla.log({"a": 2})
    run.finish()
    warnings_as_text.clear()
    (found,) = rla.runs(disk.folder / "logs")
    assert found.problems == () and json.loads((run.log_dir / "parameter.json").read_text()) == {"lr": 0.1}
    assert json.loads((run.log_dir / "labels.json").read_text())["note"] == "why"


def test_a_disk_that_takes_most_rows_gives_one_gap(mounted, read_rows, warnings_as_text):
    """Nearly full: rows fit, and the copy that a late key makes does not."""
    disk = FullTmpfs(mounted)
    run = rla.start(task="t", log_root=disk.folder / "logs", backup="none", writers=["csv", "log"])
    for step in range(2000):
        rla.log({"i": step, "text": "y" * 100}, step=step)
    free = os.statvfs(disk.folder).f_bavail * 4096
    (disk.folder / "ballast").write_bytes(b"x" * (free - 150_000))
    for step in range(2000, 2500):
        rla.log({"i": step, **({f"eval/{step}": 1.0} if step % 5 == 0 else {})}, step=step)
    run.finish()
    info, rows = info_of(run), rows_of(run, read_rows)
    assert len(warnings_as_text) <= 1 and len(info["gaps"]) <= 1 and info["rows"] == 2500
    assert len(rows) + sum(gap["rows"] for gap in info["gaps"]) == 2500
    warnings_as_text.clear()


def test_few_file_handles_cost_what_needs_one_and_it_goes_on_later(tmp_path, read_rows, warnings_as_text):
    """Open files are written to; checkpoints and late keys wait until handles are free."""
    run = rla.start(task="t", log_root=tmp_path, backup="none", writers=["csv", "tensorboard", "log"])
    train(run, range(10))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    taken = []
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        train(run, range(10, 100), "late")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in taken:
            os.close(each)
    train(run, range(100, 110))
    run.finish()
    assert_one_a_kind(warnings_as_text)
    warnings_as_text.clear()
    info, rows = info_of(run), rows_of(run, read_rows)
    assert info["status"] == "finished"
    assert info["rows"] == len(rows) + sum(gap["rows"] for gap in info["gaps"] if gap["writer"] == "csv")
    assert rows[-1]["time-step"] == "109" and run.checkpoint_dir.joinpath("checkpoint-100.pkl").is_file()


WITHOUT_HANDLES = """
import os, resource, sys
import rla_hooks as rla
run = rla.start(task="t", log_root=sys.argv[1], writers=["csv"], backup="none")
rla.log({"a": 1})
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 1, before[1]))
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
def made():
    return rla.simple_plot("f", data=[[1, 2]]), rla.save_figure("g", [[0.0]]), rla.save_checkpoint({"a": [1]}, step=1)
assert made() == (None, None, None)
resource.setrlimit(resource.RLIMIT_NOFILE, before)
for each in taken:
    os.close(each)
assert None not in made()
run.finish()
"""


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="needs a list of open files")
def test_what_is_imported_late_may_find_no_file_handle(tmp_path):
    """The first figure and the first checkpoint import their code then: that stops no training, either."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_HANDLES, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hyper_parameters_that_find_no_room_are_written_at_the_end(mounted, warnings_as_text):
    """If there is room then: those of a hook come while the run is open."""
    disk = FullTmpfs(mounted)
    run = started(disk)
    disk.spoil()
    run.add_hyper_params({"width": 64})
    disk.mend()
    run.finish()
    assert json.loads((run.log_dir / "parameter.json").read_text())["width"] == 64
    assert "parameter.json could not be written" in warnings_as_text.pop()
    warnings_as_text.clear()
