"""A run that goes back to a checkpoint: what came after it is cut off, kept aside, and readers see what is left."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rla_hooks.checkpoints import Manifest
from rla_hooks.cutting import Cut, cut_all, cut_to, finish_cut
from rla_hooks.cutting.csvfiles import end_of_rows
from rla_hooks.errors import RLAWarning, RunError
from rla_hooks.layout import RunPaths
from rla_hooks.writers.base import MediaEvent, Text
from rla_hooks.writers.csv_format import count_rows, read_header, row_starts

pytestmark = pytest.mark.usefixtures("quiet")


def steps_of(path: Path) -> list[int]:
    with open(path, newline="") as file:
        return [int(row["time-step"]) for row in csv.DictReader(file)]


def listed(paths: RunPaths) -> list[tuple[int, int | None]]:
    return [(entry.step, entry.cut) for entry in Manifest(paths.checkpoint_dir).entries()]


def hidden_files(paths: RunPaths) -> list[str]:
    """What a cut must not leave: temporary files and folders, and what it had prepared."""
    names = [path for path in paths.log_dir.rglob("*") if path.name.startswith(".saving") or path.name == "kept"]
    return [str(path.relative_to(paths.log_dir)) for path in names]


def test_rows_events_and_checkpoints_after_a_checkpoint_are_cut_and_kept(training, run_paths, read_scalars):
    """The rest goes on as if nothing had come after it."""
    training.steps(0, 1, 2)
    entry = training.save(2)
    training.steps(3, 4)
    training.save(4)
    training.save(4, "best")
    training.stop()
    before, (events,) = run_paths.progress_csv.read_bytes(), run_paths.tensorboard_dir.iterdir()
    whole = events.read_bytes()
    cut = cut_to(run_paths, entry)
    assert cut == Cut(1, 2, "checkpoint-2.pkl", 2, ["checkpoint-4.pkl", "best-4.pkl"])
    kept, aside = run_paths.progress_csv.read_bytes(), run_paths.log_dir / "cut" / "1"
    assert before.startswith(kept) and steps_of(run_paths.progress_csv) == [0, 1, 2]
    assert steps_of(aside / "progress.csv") == [3, 4]
    assert read_scalars(run_paths.tensorboard_dir) == {"loss": [(0, 0.5), (1, 1.5), (2, 2.5)]}
    assert (aside / "tb" / events.name.replace("tfevents", "cut")).read_bytes() == whole
    assert listed(run_paths) == [(2, None), (4, 1), (4, 1)]
    assert (run_paths.checkpoint_dir / "best-4.pkl").exists() and hidden_files(run_paths) == []
    training.start()
    training.steps(3)
    assert steps_of(run_paths.progress_csv) == [0, 1, 2, 3]
    assert read_scalars(run_paths.tensorboard_dir) == {"loss": [(step, step + 0.5) for step in range(4)]}
    assert cut_to(run_paths, replace(entry, written=training.position())) is None


def test_the_report_says_what_was_cut(training, run_paths):
    """cut.json stays."""
    training.steps(0)
    entry = training.save(0)
    training.steps(1, 2)
    training.stop()
    size = run_paths.progress_csv.stat().st_size
    cut_to(run_paths, entry)
    report = json.loads((run_paths.log_dir / "cut" / "1" / "cut.json").read_text())
    assert report["done"] is True and (report["format"], report["rows"], report["step"]) == (1, 2, 0)
    assert report["files"]["progress.csv"] == {
        "action": "replace",
        "size": size,
        "header": len("time-step,timestamp,loss\n"),
        "kept": run_paths.progress_csv.stat().st_size,
        "rows": 2,
    }
    assert [what["action"] for path, what in report["files"].items() if path.startswith("tb/")] == ["move", "add"]


def test_a_header_that_has_grown_and_texts_with_newlines(training, run_paths):
    """Rows count, not bytes: those before are the same bytes behind a longer header."""
    training.steps(0, 1, text='a "\n",b\n\n"')
    entry = training.save(1)
    training.steps(2, late=1.5)
    training.steps(3, text="\n")
    training.stop()
    with open(run_paths.progress_csv, "rb") as file:
        header = read_header(file)
    assert b"late" in header and cut_to(run_paths, entry).rows == 2
    assert steps_of(run_paths.progress_csv) == [0, 1]
    assert steps_of(run_paths.log_dir / "cut" / "1" / "progress.csv") == [2, 3]
    assert run_paths.progress_csv.read_bytes().startswith(header)


def test_steps_that_go_back_by_design_stay(training, run_paths, read_scalars):
    """The position counts, not the step."""
    training.steps(5, 6, 1, 2)
    entry = training.save(2)
    training.steps(0, 3)
    training.stop()
    assert cut_to(run_paths, entry).rows == 2
    assert steps_of(run_paths.progress_csv) == [5, 6, 1, 2]
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(5, 5.5), (6, 6.5), (1, 1.5), (2, 2.5)]


def test_by_step_where_the_position_is_not_known(training, run_paths, read_scalars):
    """As of a run of an earlier version: rows and events after the step, wherever they stand."""
    training.steps(0, 1, 2, 3)
    training.events.write(MediaEvent(0, 1.0, "about", Text("kept")))
    training.events.write(MediaEvent(3, 1.0, "about", Text("cut")))
    entry = replace(training.save(1), written=None)
    training.steps(1, 4)
    training.stop()
    assert cut_to(run_paths, entry).rows == 3
    assert steps_of(run_paths.progress_csv) == [0, 1, 1]
    assert steps_of(run_paths.log_dir / "cut" / "1" / "progress.csv") == [2, 3, 4]
    assert [step for step, _ in read_scalars(run_paths.tensorboard_dir)["loss"]] == [0, 1, 1]


def test_by_step_a_row_of_the_step_that_came_after_the_checkpoint_is_cut(training, run_paths, read_scalars):
    """Many save at the step that comes next: its row would be there twice."""
    training.steps(0, 1)
    entry = replace(training.save(2), written=None, time=1001.5)
    training.steps(2)
    training.stop()
    assert cut_to(run_paths, entry).rows == 1
    assert steps_of(run_paths.progress_csv) == [0, 1]
    assert [step for step, _ in read_scalars(run_paths.tensorboard_dir)["loss"]] == [0, 1]


def test_media_before_the_checkpoint_stay(training, run_paths, read_events):
    """Texts, hyper-parameters and the like are events as others are."""
    training.events.write(MediaEvent(0, 1.0, "about", Text("kept")))
    training.steps(0)
    entry = training.save(0)
    training.events.write(MediaEvent(0, 1.0, "about", Text("cut")))
    training.stop()
    assert cut_to(run_paths, entry) == Cut(1, 0, "checkpoint-0.pkl", 0, [])
    texts = [
        v.tensor.string_val[0]
        for e in read_events(run_paths.tensorboard_dir)
        for v in e.summary.value
        if v.tensor.string_val
    ]
    assert texts == [b"kept"]


def test_all_is_cut(training, run_paths, read_scalars):
    """As for a start from the beginning: no row, no event and no checkpoint is left, and all of it is kept."""
    training.steps(0, 1)
    training.save(1)
    training.stop()
    before = run_paths.progress_csv.read_bytes()
    assert cut_all(run_paths) == Cut(1, None, None, 2, ["checkpoint-1.pkl"])
    assert not run_paths.progress_csv.exists() and read_scalars(run_paths.tensorboard_dir) == {}
    assert (run_paths.log_dir / "cut" / "1" / "progress.csv").read_bytes() == before
    assert cut_all(run_paths) is None


def test_a_run_that_has_written_nothing(run_paths):
    """There is nothing to cut, and no folder is made."""
    assert cut_all(run_paths) is None and finish_cut(run_paths) is None
    assert not (run_paths.log_dir / "cut").exists()


def test_files_beside_are_cut_by_their_size_at_the_end_of_a_row(training, run_paths):
    """Those of other processes; one that came after the checkpoint goes as a whole."""
    beside, later = run_paths.log_dir / "progress.h-1.csv", run_paths.log_dir / "progress.h-2.csv"
    beside.write_text("time-step,timestamp,eval\n0,1.0,0.5\n1,2.0,0.25\n")
    training.steps(0)
    written = training.position()
    written[beside.name] = None, beside.stat().st_size + 4  # in the middle of a row
    entry = replace(training.save(0), written=written)
    with open(beside, "a") as file:
        file.write("2,3.0,0.125\n")
    later.write_text("time-step,timestamp,eval\n7,8.0,0.5\n")
    training.stop()
    assert cut_to(run_paths, entry).rows == 2
    assert steps_of(beside) == [0, 1] and not later.exists()
    aside = run_paths.log_dir / "cut" / "1"
    assert (steps_of(aside / beside.name), steps_of(aside / later.name)) == ([2], [7])


def test_a_torn_end_is_cut_with_the_rows(training, run_paths):
    """A power cut leaves half a row, and half an event."""
    training.steps(0)
    entry = training.save(0)
    training.steps(1)
    training.stop()
    for path in (run_paths.progress_csv, run_paths.log_dir / "progress.json", *run_paths.tensorboard_dir.iterdir()):
        with open(path, "ab") as file:
            file.write(b"2,3")
    assert cut_to(run_paths, entry).rows == 1
    assert (run_paths.log_dir / "cut" / "1" / "progress.csv").read_bytes().endswith(b"\n2,3")
    assert steps_of(run_paths.progress_csv) == [0]


def test_what_is_torn_alone_is_no_reason_to_cut(training, run_paths):
    """The writer sets it aside when it goes on, and the file that it makes for it stays."""
    training.steps(0)
    entry = training.save(0)
    training.stop()
    (run_paths.log_dir / "progress.torn-1.txt").write_text("1,2")
    for path in (run_paths.progress_csv, run_paths.log_dir / "progress.json", *run_paths.tensorboard_dir.iterdir()):
        with open(path, "ab") as file:
            file.write(b"2,3")
    assert cut_to(run_paths, entry) is None
    assert (run_paths.log_dir / "progress.torn-1.txt").exists()


def test_files_that_somebody_has_shortened_or_deleted_are_left_and_told(training, run_paths):
    """What is there is no more than what was there at the checkpoint."""
    training.steps(0, 1, 2)
    entry = training.save(2)
    entry = replace(entry, written={**entry.written, "progress.h-1.csv": (None, 50)})
    training.stop()
    data = run_paths.progress_csv.read_bytes()
    run_paths.progress_csv.write_bytes(data[: data.rindex(b"2,")])
    training.save(3)
    with pytest.warns(RLAWarning) as told:
        assert cut_to(run_paths, entry).rows == 0
    texts = " ".join(str(each.message) for each in told)
    assert re.search(r"progress.csv has \d+ bytes, and had \d+ bytes at the checkpoint: nothing of it is cut", texts)
    assert "progress.h-1.csv is not there any more" in texts
    assert steps_of(run_paths.progress_csv) == [0, 1]


def test_one_cut_after_the_other(training, run_paths, read_scalars):
    """Each goes back further: the positions of before hold though the event files are others now."""
    entries = {}
    for step in range(6):
        training.steps(step)
        entries[step] = training.save(step)
    training.stop()
    assert cut_to(run_paths, entries[4]).number == 1
    training.start()
    training.steps(10, 11)
    entries[11] = training.save(11)
    training.steps(12)
    training.stop()
    assert cut_to(run_paths, entries[11]).rows == 1
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(s, s + 0.5) for s in (0, 1, 2, 3, 4, 10, 11)]
    training.start()
    training.steps(13)
    training.stop()
    cut = cut_to(run_paths, entries[2])
    assert cut == Cut(3, 2, "checkpoint-2.pkl", 5, ["checkpoint-3.pkl", "checkpoint-4.pkl", "checkpoint-11.pkl"])
    assert steps_of(run_paths.progress_csv) == [0, 1, 2]
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(s, s + 0.5) for s in (0, 1, 2)]
    assert listed(run_paths) == [(0, None), (1, None), (2, None), (3, 3), (4, 3), (5, 1), (11, 3)]
    cut_entry = Manifest(run_paths.checkpoint_dir).entries()[3]
    with pytest.raises(RunError, match=r"checkpoint-3.pkl \(step 3\) was cut itself"):
        cut_to(run_paths, cut_entry)
    assert cut_all(run_paths).number == 4 and not run_paths.progress_csv.exists()


def test_again_after_somebody_has_deleted_what_was_cut(training, run_paths, read_scalars):
    """Nothing tells which file the events of the new one are from: they stay up to the step of the checkpoint."""
    training.steps(0, 1)
    entry = training.save(1)
    training.steps(2, 3)
    training.stop()
    cut_to(run_paths, entry)
    shutil.rmtree(run_paths.log_dir / "cut")
    training.start()
    training.steps(2)
    training.stop()
    with pytest.warns(RLAWarning, match="at the checkpoint: nothing of it is cut"):  # of the event file of before
        assert cut_to(run_paths, entry).rows == 1
    assert steps_of(run_paths.progress_csv) == [0, 1]
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(0, 0.5), (1, 1.5)]


@pytest.mark.parametrize("damage", [b"torn", b"\0" * 500])
def test_damage_at_the_end_of_an_event_file_hides_nothing_of_the_next(damage, training, run_paths, read_scalars):
    """As a power cut leaves it: what is behind it in the new file would not be read."""
    training.steps(0)
    training.stop()
    (first,) = run_paths.tensorboard_dir.iterdir()
    with open(first, "ab") as file:
        file.write(damage)
    training.start()
    training.steps(1)
    entry = training.save(1)
    training.steps(2)
    training.stop()
    assert cut_to(run_paths, entry).rows == 1
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(0, 0.5), (1, 1.5)]
    assert (run_paths.log_dir / "cut" / "1" / "tb" / first.name.replace("tfevents", "cut")).exists()


def test_a_progress_csv_of_another_program_is_cut_by_its_rows_and_never_by_steps(training, run_paths):
    """As stable-baselines3 writes it, without steps and times of ours."""
    run_paths.progress_csv.write_text("time/fps,loss\n10,0.5\n")
    entry = training.save(1)
    with open(run_paths.progress_csv, "a") as file:
        file.write("20,0.25\n")
    assert cut_to(run_paths, replace(entry, written=None)) is None
    assert cut_to(run_paths, entry).rows == 1
    assert run_paths.progress_csv.read_text() == "time/fps,loss\n10,0.5\n"


def test_a_checkpoint_before_the_first_row(training, run_paths):
    """The header stays where there was one, and a file goes that was not there."""
    before = training.save(0)
    training.steps(1)
    empty = replace(before, written={"progress.csv": (0, 24)})
    training.stop()
    assert cut_to(run_paths, empty).rows == 1
    assert run_paths.progress_csv.read_text() == "time-step,timestamp,loss\n"
    training.start()
    training.steps(1)
    training.stop()
    assert cut_to(run_paths, before).rows == 1 and not run_paths.progress_csv.exists()


def test_a_life_that_has_logged_nothing_is_cut_again(training, run_paths, read_scalars):
    """Twice to the same checkpoint, with a life in between that got no further than its first row."""
    training.steps(0, 1)
    entry = training.save(1)
    for number in (1, 2, 3):
        training.steps(2)
        training.stop()
        assert cut_to(run_paths, entry).number == number
        training.start()
    assert steps_of(run_paths.progress_csv) == [0, 1]
    assert read_scalars(run_paths.tensorboard_dir)["loss"] == [(0, 0.5), (1, 1.5)]
    assert len([*run_paths.tensorboard_dir.iterdir()]) <= 3


@pytest.mark.parametrize(
    "rows",
    [
        b"0,1.0,a\n1,2.0,b\n",
        b'0,1.0,"a\n\n\nb"\n1,2.0,b\n2,3.0,"x""\n"\n3,4.0,\n',
        b"0,1.0,a\n\n\n1,2.0,b\n",
        b'0,1.0,"stray\n1,2.0,b\n2,3.0,"x\n",\n4,5.0,d\n',
        b'0,1.0,a\n1,2.0,"torn',
        b"0,1.0,a\n" * 300_000 + b'1,2.0,"\n"\n',
    ],
)
def test_rows_are_counted_as_a_checkpoint_counts_them(rows, tmp_path):
    """Whatever is in the file: each number of rows ends where as many are counted."""
    header = b"time-step,timestamp,text\n"
    path, starts = tmp_path / "progress.csv", row_starts(["time-step", "timestamp", "text"])
    path.write_bytes(header + rows)
    with open(path, "rb") as file:
        file.seek(len(header))
        total = count_rows(file, starts)
        assert end_of_rows(file, len(header), starts)[0] == total
        for number in {*range(min(total, 6)), total}:
            found, end = end_of_rows(file, len(header), starts, number)
            (tmp_path / "part.csv").write_bytes((header + rows)[:end])
            with open(tmp_path / "part.csv", "rb") as part:
                part.seek(len(header))
                counted = count_rows(part, starts)
            assert found == number and counted in (number, number - 1)  # a stray quote ends with what follows it
            assert end_of_rows(file, len(header), starts, limit=end)[1] <= end
