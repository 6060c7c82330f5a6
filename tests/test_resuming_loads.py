"""What a load cuts, and what comes in between: further loads, signal handlers, event files that a program has open."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.cutting import journal
from rla_hooks.writers.base import Row
from rla_hooks.writers.events import ScalarLayout, file_version

pytestmark = pytest.mark.usefixtures("quiet")

OPTIONS = {"task": "t", "writers": ["csv", "tensorboard"], "backup": "none"}


def killed(best_at: int | None = None, steps: int = 8):
    """A run with checkpoints at steps 3 and 6, and one named best."""
    with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS) as run:
        for step in range(steps):
            rla.log({"loss": float(step)}, step=step)
            if step + 1 in (3, 6):
                rla.save_checkpoint({"w": step}, step=step + 1)
            if step + 1 == best_at:
                rla.save_checkpoint({"w": "best"}, checkpoint_name="best", step=step + 1)
        raise KeyboardInterrupt
    return run


def steps_of(run) -> list[int]:
    (saved,) = (each for each in rla.runs() if each.name == run.name)
    return saved.metrics()["time-step"].tolist()


def cuts_of(run) -> list[tuple[str, int | None]]:
    return [(entry.file, entry.cut) for entry in Manifest(run.checkpoint_dir).entries()]


def test_the_best_one_that_was_saved_beside_the_newest_is_not_cut():
    """No row is between them, and the step is the same; a fork takes it, too."""
    old = killed(best_at=6)
    with rla.run(**OPTIONS, resume=old.name):
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=6)
    assert cuts_of(old) == [("checkpoint-3.pkl", None), ("checkpoint-6.pkl", None), ("best-6.pkl", None)]

    @rla.track(**OPTIONS)
    def main() -> str:
        rla.load_checkpoint()
        return rla.current_run().name

    name = main.fork(old.name, step=6)
    files = [file for file, _ in cuts_of(next(run for run in rla.runs() if run.name == name))]
    assert files == ["checkpoint-3.pkl", "best-6.pkl", "checkpoint-6.pkl"]


def test_a_checkpoint_of_a_later_step_is_cut_even_if_no_row_came_between():
    """It is a later state of the training, which goes on from the earlier one."""
    with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS) as old:
        rla.log({"loss": 0.0}, step=0)
        for step in (1, 2):
            rla.save_checkpoint({"w": step}, step=step)
        raise KeyboardInterrupt
    with rla.run(**OPTIONS, resume=old.name):
        assert rla.load_checkpoint(step=1)[0] == 1
    assert cuts_of(old) == [("checkpoint-1.pkl", None), ("checkpoint-2.pkl", 1)]


def test_the_first_load_decides_where_the_curve_goes_on(warnings_as_text):
    """The best one, which is loaded beside it, takes none of the rows before the newest."""
    old = killed(best_at=3)
    with rla.run(**OPTIONS, resume=old.name) as run:
        step, _ = rla.load_checkpoint()
        assert warnings_as_text == []
        for _ in range(2):
            assert rla.load_checkpoint(checkpoint_name="best")[0] == 3
        assert rla.load_checkpoint() == (6, {"w": 5})
        rla.log({"loss": 0.0}, step=step)
    (told,) = warnings_as_text
    assert "cut to step 6 by the first load (checkpoint-6.pkl), and the load of step 3 (best-3.pkl) cuts" in told
    warnings_as_text.clear()
    assert steps_of(old) == [0, 1, 2, 3, 4, 5, 6]
    restart = json.loads(run.paths.run_json.read_text())["restarts"][-1]
    assert (restart["step"], restart["rows_cut"], restart["cut"]) == (6, 2, 1)


def test_the_newest_after_the_best_is_not_silently_an_older_one(warnings_as_text):
    """The first load has cut it."""
    old = killed(best_at=3)
    with rla.run(**OPTIONS, resume=old.name):
        rla.load_checkpoint(checkpoint_name="best")
        assert warnings_as_text == []
        assert rla.load_checkpoint() == (3, {"w": 2})
    (told,) = warnings_as_text
    assert "cut to step 3 by the first load (best-3.pkl)" in told and "up to step 6, are cut, too" in told
    warnings_as_text.clear()


@pytest.mark.parametrize("how", [lambda run: run.name, lambda run: run.checkpoint_dir / "checkpoint-3.pkl"])
def test_a_load_that_names_the_run_itself_is_a_load(how):
    """As one that names no run: the rows after the checkpoint are cut."""
    old = killed()
    with rla.run(**OPTIONS, resume=old.name) as run:
        assert rla.load_checkpoint(run=how(old), step=3)[0] == 3
        rla.log({"loss": 0.0}, step=3)
    assert steps_of(old) == [0, 1, 2, 3] and "loaded_from" not in json.loads(run.paths.run_json.read_text())


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals")
@pytest.mark.parametrize("at", ["sync_folder", "size_of", "carry_on"])
def test_a_row_of_a_signal_handler_in_the_middle_of_the_cut(at, monkeypatch):
    """It is written when the files are there again, and counted once; nobody is warned."""
    old = killed(steps=40)
    inner, signals = getattr(journal, at), iter([signal.SIGUSR1])

    def with_signal(*arguments):
        for number in signals:
            os.kill(os.getpid(), number)
        return inner(*arguments)

    monkeypatch.setattr(journal, at, with_signal)
    before = signal.signal(signal.SIGUSR1, lambda *_: rla.log({"caught": 1.0}, step=500))
    try:
        with rla.run(**OPTIONS, resume=old.name) as run:
            rla.load_checkpoint()
            assert run.logger.next_step() == 501
            rla.log({"loss": 0.0}, step=6)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert steps_of(old) == [0, 1, 2, 3, 4, 5, 500, 6]
    content = json.loads(run.paths.run_json.read_text())
    assert (content["rows"], content["last_step"]) == (8, 6)


class Foreign:
    """A file of events that another library has open, as torch's SummaryWriter has from the top of a program."""

    def __init__(self, folder: Path, name: str):
        self._file = open(folder / name, "xb", buffering=0)  # noqa: SIM115
        self._file.write(file_version(1.0))

    def add(self, step: int) -> None:
        self._file.write(ScalarLayout(("foreign",)).record(step, 1.0, [float(step)]))

    def close(self) -> None:
        self._file.close()


# torch names its file by the second in which it is opened: before, in, or after that of our newest one
@pytest.mark.parametrize("second", ["0000000001", "1000000000", "9999999998"])
@pytest.mark.parametrize("when", ["before the run", "before the load"])
def test_an_event_file_that_the_program_has_open_is_not_cut(when, second, read_scalars):
    """Its events of this life are shown, and nothing that was cut is."""
    old = killed()
    folder, name = old.tensorboard_dir, f"events.out.tfevents.{second}.host.{os.getpid()}.0"
    writer = Foreign(folder, name) if when == "before the run" else None
    with rla.run(**OPTIONS, resume=old.name):
        writer = writer or Foreign(folder, name)
        begin, _ = rla.load_checkpoint()
        for step in range(begin, 9):
            rla.log({"loss": float(step)}, step=step)
            writer.add(step)
        writer.close()
    values = read_scalars(folder)
    assert values["loss"] == [(step, float(step)) for step in range(9)]
    assert values["foreign"] == [(step, float(step)) for step in range(6, 9)]


def test_names_of_metric_files_that_are_no_files_are_passed_over(warnings_as_text, read_scalars):
    """A link to nowhere, a FIFO and a folder hinder no resume, and there is one warning."""
    old = killed()
    (old.log_dir / "progress.a-1.csv").symlink_to("nowhere")
    os.mkfifo(old.log_dir / "progress.b-1.csv")
    (old.log_dir / "progress.c-1.csv").mkdir()
    (old.tensorboard_dir / "events.out.tfevents.nowhere").symlink_to("nowhere")
    with rla.run(**OPTIONS, resume=old.name):
        rla.load_checkpoint()
        rla.log({"loss": 6.0}, step=6)
        rla.save_checkpoint({"w": 6}, step=7)
    (told,) = warnings_as_text
    assert "progress.a-1.csv and 2 more are no files that can be read" in told
    warnings_as_text.clear()
    with open(old.log_dir / "progress.csv") as file:
        assert len(file.readlines()) == 8
    (old.tensorboard_dir / "events.out.tfevents.nowhere").unlink()
    assert read_scalars(old.tensorboard_dir)["loss"] == [(step, float(step)) for step in range(7)]
    assert Manifest(old.checkpoint_dir).newest().written is not None


def test_a_guest_whose_event_file_a_resume_has_moved_opens_another_one(training, run_paths, read_scalars):
    """So what it logs afterwards is shown, too."""
    from rla_hooks.cutting import cut_to

    training.steps(0, 1)
    entry = training.save(1)
    training.steps(2)
    training.csv.close()
    cut_to(run_paths, entry)
    at = training.events._file._looked
    for step, late in enumerate((0.01, 0.02, 5.0, 5.01)):  # it is looked at again after a tenth of a second
        training.events.write(Row(step, at + late, {"eval": float(step)}))
    values = read_scalars(run_paths.tensorboard_dir)
    assert values["eval"] == [(step, float(step)) for step in range(4)]
    assert values["loss"][:2] == [(0, 0.5), (1, 1.5)]
