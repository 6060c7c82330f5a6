"""What a checkpoint says about the run's metrics is what other readers count in the files at that moment."""

from __future__ import annotations

import copy
import csv
import os
import subprocess
import sys
import time

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.core.logger import Logger
from rla_hooks.core.positions import positions
from rla_hooks.errors import RLAWarning
from rla_hooks.writers.base import Written
from rla_hooks.writers.csv_writer import CsvWriter


@pytest.fixture
def start(tmp_path):
    """Starts a run of these writers."""
    started = []

    def start(*writers, **options):
        options = {"task": "positions", "log_root": tmp_path / "root", "backup": "none", **options}
        started.append(rla.start(writers=[*writers], **options))
        return started[-1]

    yield start
    for run in started:
        run.finish()


def _rows(path):
    with open(path, newline="") as file:
        return len([*csv.DictReader(file)])


def _newest(run):
    return Manifest(run.checkpoint_dir).entries()[-1].written


def _check(run, written, names):
    """The files, and their rows and bytes, are those on the disk."""
    assert set(written) == {each.relative_to(run.log_dir).as_posix() for each in names}
    for name, (rows, size) in written.items():
        assert size == (run.log_dir / name).stat().st_size
        assert rows is None or rows == _rows(run.log_dir / name)


def _files(run):
    return [*run.log_dir.glob("progress*.csv"), *run.paths.tensorboard_dir.glob("*")]


def test_rows_and_bytes_of_all_files(start, read_scalars):
    """Also after columns that come late, and texts of several lines, which end no row."""
    run = start("csv", "tensorboard", "stdout", "log")
    for step in range(40):
        run.log({"loss": step / 3})
        if step % 10 == 0:
            run.log({"loss": 0.5, f"late {step}": 1.0, "text": 'two\n"lines"'})
            run.save_checkpoint({"step": step}, step=step)
            written = _newest(run)
            _check(run, written, _files(run))
            assert written["progress.csv"][0] == run.logger.rows
            assert len(read_scalars(run.paths.tensorboard_dir)["loss"]) == run.logger.rows
    assert len(written) == 2


def test_a_resume_can_cut_a_copy_to_what_was_written(start, read_scalars):
    """Rows came after it, and columns: the first rows of the csv file and bytes of the event file are those of then."""
    run = start("csv", "tensorboard")
    for step in range(10):
        run.log({"loss": float(step)})
    run.save_checkpoint({})
    for step in range(10, 20):
        run.log({"loss": float(step), "late": 1.0})
    written = _newest(run)
    rows, size = written["progress.csv"]
    assert rows == 10 and (run.log_dir / "progress.csv").read_bytes()[size - 1 : size] != b"\n"  # the header is longer
    (name,) = set(written) - {"progress.csv"}
    os.truncate(run.log_dir / name, written[name][1])
    assert [value for _, value in read_scalars(run.paths.tensorboard_dir)["loss"]] == [
        float(step) for step in range(10)
    ]


def test_rows_that_wait_are_written_before(start, on_slow_device):
    """Those whose values a device has not finished, and that which add_scalar has left open."""
    run = start("csv", "tensorboard")
    for step in range(20):
        run.log({"loss": on_slow_device(float(step))}, step=step, wait=False)
    run.add_scalar("open", 1.0, 20)
    assert not (run.log_dir / "progress.csv").exists()
    written = run.positions()
    assert written["progress.csv"][0] == 21
    _check(run, written, _files(run))


class Lines:
    """A writer of somebody else's, with or without word of how far it has come."""

    name = "lines"

    def __init__(self, path, told=None):
        self.path, self.told = path, told
        if told is not None:
            self.written = lambda: told

    def write(self, item):
        with open(self.path, "a") as file:
            file.write("row\n")

    def close(self):
        pass


def test_other_writers_tell_of_their_files_if_they_can(start, tmp_path):
    """Only of such in the run's log folder; an odd answer is none."""
    run = start("csv")
    told = Written(str(run.log_dir / "lines.txt"), 1, 4)
    for writer, expected in [
        (Lines(run.log_dir / "lines.txt", told), {"lines.txt": (1, 4)}),
        (Lines(run.log_dir / "lines.txt"), {}),
        (Lines(tmp_path / "elsewhere.txt", Written(str(tmp_path / "elsewhere.txt"), 1, 4)), {}),
        (Lines(run.log_dir / "lines.txt", ("lines.txt", 1, 4)), {}),
    ]:
        assert positions([writer], run.log_dir) == expected
    run.log({"loss": 0.5})
    assert positions([], run.log_dir) == {"progress.csv": (1, (run.log_dir / "progress.csv").stat().st_size)}


@pytest.mark.parametrize("writers", [("stdout",), ("log",), (), ("csv",)], ids=str)
def test_without_files_there_are_no_positions(writers, start):
    """No writer of metrics, or none that has got a row: the files that come later are all cut."""
    run = start(*writers)
    if writers != ("csv",):
        run.log({"loss": 0.5})
    run.save_checkpoint({})
    assert _newest(run) == {}


def test_a_closed_file_has_its_rows(start):
    """Between two fits, say; the process goes on with the same file, and a new event file."""
    run = start("csv", "tensorboard")
    for _ in range(3):
        run.log({"loss": 0.5})
        run.logger.close()
        written = run.positions()
        _check(run, written, _files(run))
        assert written["progress.csv"][0] == run.logger.rows
    assert len(written) == 4


def test_files_of_other_processes_have_their_sizes(start):
    """And their rows, too, if they are short: a column that comes late would move the bytes."""
    run = start("csv", "tensorboard")
    run.log({"loss": 0.5})
    other = run.log_dir / "progress.other-1.csv"
    other.write_text("time-step,timestamp,loss\n0,1.0,0.5\n\n1,1.0,'\n")
    subprocess.run([sys.executable, "-c", GUEST, run.paths.archive_dir], check=True, timeout=120)
    (of_guest,) = {each.name for each in run.log_dir.glob("progress*.csv")} - {"progress.csv", "progress.other-1.csv"}
    others, own = _newest(run), run.positions()
    _check(run, own, _files(run))
    rows = {"progress.csv": 1, of_guest: 2, "progress.other-1.csv": 2}
    assert {name: rows for name, (rows, _) in own.items() if rows is not None} == rows
    assert {name: rows for name, (rows, _) in others.items() if rows is not None} == rows
    other.write_text("time-step,timestamp,loss\n" + "0,1.0,0.5\n" * 100_000)
    assert run.positions()[other.name] == (None, other.stat().st_size)
    assert others["progress.csv"][1] == own["progress.csv"][1] and set(others) == set(own)


GUEST = """
import sys, rla_hooks as rla
with_rows = rla.Run.open(sys.argv[1])
with_rows.log({"score": 1.0})
with_rows.log({"score": 2.0})
with_rows.save_checkpoint({}, step=1)
"""


def test_what_a_hook_registers_has_the_positions_of_its_choice(start):
    """Those of the moment in which the state was taken; by default those of now."""
    run = start("csv")
    run.log({"loss": 0.5})
    before = run.positions()
    run.log({"loss": 0.5})
    for file, given, rows in [("a.ckpt", before, 1), ("b.ckpt", None, 2)]:
        run.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        (run.checkpoint_dir / file).write_text("weights")
        run.register_checkpoint(run.checkpoint_dir / file, 1, written=given)
        assert _newest(run)["progress.csv"][0] == rows


class Broken(Lines):
    def __init__(self):
        super().__init__(os.devnull)

    def written(self):
        raise OSError("this file system is gone")


def test_trouble_hinders_no_checkpoint(start):
    """There is one warning; the checkpoint has no positions."""
    run = start("csv", Broken())
    run.log({"loss": 0.5})
    with pytest.warns(RLAWarning, match="metrics have come could not be recorded: .* is gone. A resume .* by steps"):
        assert run.save_checkpoint({"w": 1.0}) is not None
    assert run.save_checkpoint({"w": 2.0}, step=2) is not None
    assert _newest(run) is None and run.load_checkpoint()[1] == {"w": 2.0}


def test_too_many_files_are_not_recorded(start):
    """Each checkpoint would list them all."""
    run = start("tensorboard")
    run.log({"loss": 0.5})
    for number in range(1000):
        (run.paths.tensorboard_dir / f"events.out.tfevents.{number}").touch()
    with pytest.warns(RLAWarning, match="1001 files of metrics; at most 1000"):
        run.save_checkpoint({})
    assert _newest(run) is None


def test_who_does_not_write_has_no_positions(start):
    """Nothing is asked, and nothing told."""
    assert rla.Run.silent().positions() is None


def test_a_long_file_of_an_earlier_process_is_not_read_again(tmp_path, monkeypatch):
    """If the newest checkpoint's positions end with it, or are followed by later rows; else it is."""
    from rla_hooks.writers import csv_count

    read = []
    count = csv_count.count_rows
    monkeypatch.setattr(csv_count, "count_rows", lambda file, starts: read.append(file.tell()) or count(file, starts))
    path = tmp_path / "progress.csv"
    header, row = "time-step,timestamp,loss\n", "{0},1.0,0.5\n"
    path.write_text(header + "".join(row.format(step) for step in range(1000)))
    size = path.stat().st_size
    for now, (given, rows) in enumerate([(size, 1000), (size - 1, 1000), (5, 1000), (size + 1, 1000)]):
        before = {"progress.csv": (1000, given)}, float(now)
        assert positions([CsvWriter(path)], tmp_path, (before[0], 5.0)) == {"progress.csv": (rows, size)}
    assert read == [size, len(header), len(header), len(header)]

    writer, noted = CsvWriter(path), time.time()
    logger = Logger([writer])
    logger.log({"loss": 0.5})
    assert logger.positions(tmp_path, ({"progress.csv": (1000, size)}, noted))["progress.csv"][0] == 1001
    assert read[4:] == [size]


def test_a_hint_that_a_longer_header_has_moved_is_not_used(tmp_path):
    """Though a row ends where it says, by chance: the row behind it is older."""
    path = tmp_path / "progress.csv"
    path.write_text("time-step,timestamp,loss\n" + "0,1.0,0.5\n" * 10)
    before = {"progress.csv": (10, path.stat().st_size)}, 5.0
    path.write_text("time-step,timestamp,loss,a12345678\n" + "0,1.0,0.5\n" * 10 + "1,6.0,0.5,1.0\n")
    assert positions([CsvWriter(path)], tmp_path, before)["progress.csv"][0] == 11


def test_only_new_rows_are_read(tmp_path):
    """Also after a column came late: however long the file is, a checkpoint costs what has come since the last."""
    logger = Logger([CsvWriter(tmp_path / "progress.csv")])
    for number in range(5):
        for _ in range(100):
            logger.log({f"loss {number}": 0.5})
        before = logger.positions(tmp_path)
        assert before["progress.csv"] == (100 * (number + 1), (tmp_path / "progress.csv").stat().st_size)
    counted = logger.output_formats[0]._table._count
    assert counted._known[1] == 500


def test_a_copy_of_a_run_records_positions(start):
    """It writes to the same files in the same process."""
    run = start("csv")
    run.log({"loss": 0.5})
    other = copy.deepcopy(run)
    other.log({"loss": 0.5})
    assert run.positions()["progress.csv"][0] == other.positions()["progress.csv"][0] == 2


def test_after_a_cut_the_count_begins_at_the_checkpoint(start, tmp_path):
    """What this process has found before, in files that are others now, is forgotten."""
    run = start("csv", task="cut")
    for step in range(10):
        run.log({"loss": 0.5}, step=step)
        run.save_checkpoint({}, step=step)
    run.finish("interrupted")
    with rla.run("cut", resume=run.name, log_root=tmp_path / "root", writers=["csv"], backup="none") as again:
        assert again.positions()["progress.csv"][0] == 10
        step, _ = again.load_checkpoint(step=5)
        assert again.positions()["progress.csv"] == (6, (run.log_dir / "progress.csv").stat().st_size)
        for step in range(6, 30):
            again.log({"loss": 0.25, "late": 1.0}, step=step)
            assert again.positions()["progress.csv"][0] == step + 1
