"""Every warning about a run stands in its log.txt and run.json, and stops no training."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import pytest

import rla_hooks as rla
from rla_hooks import errors
from rla_hooks.core.guard import Guard
from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning

pytestmark = pytest.mark.usefixtures("quiet")


class LineWriter:
    name = "log"

    def __init__(self):
        self.lines = []

    def write(self, item):
        return False

    def message(self, text):
        self.lines.append(text)

    def close(self):
        pass


@pytest.fixture
def writer():
    return LineWriter()


@pytest.fixture
def guard(writer):
    guard = Guard()
    guard.connect(Logger([writer]), lambda: None)
    return guard


def test_a_warning_is_kept_whatever_pythons_filters_do(guard, writer, capsys, warnings_as_text):
    """Ignored, or made an error: the program goes on, and the warning is in the log and in the list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        guard.warn("a", "first")
        warnings.simplefilter("error")
        guard.warn("b", "second")
    assert writer.lines == ["warning: first", "warning: second"]
    assert [note["text"] for note in guard.notes()] == ["first", "second"] and "T" in guard.notes()[0]["time"]
    assert warnings_as_text == ["second"]
    warnings_as_text.clear()


def test_a_warning_as_an_error_is_printed_on_stderr(capsys, monkeypatch):
    """Also where there is no stderr to print on."""
    monkeypatch.undo()  # of the fixture that catches it
    guard = Guard()
    guard.warn("a", "first")  # this line
    told = capsys.readouterr().err
    assert told.startswith(f"{__file__}:") and "RLAWarning: first\n" in told and "# this line" in told
    monkeypatch.setattr("sys.stderr", None)
    guard.warn("b", "second")


def test_secrets_in_a_warning_are_masked_in_the_files(guard, writer):
    """The text of a foreign error may hold one; who runs the program sees it whole."""
    with pytest.warns(RLAWarning, match="hunter22"):
        guard.warn("a", "postgres://me:hunter22@host/db cannot be reached")
    assert "hunter22" not in writer.lines[0] + guard.notes()[0]["text"] and "@host" in writer.lines[0]


def test_the_list_and_its_texts_are_bounded(guard, monkeypatch):
    """What is too much is counted."""
    monkeypatch.setattr(errors, "_MAX_WARNINGS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(130):
            guard.warn(("value", number), "x" * 5000)
    assert len(guard.notes()) == 101 and guard.notes()[-1]["text"] == "30 further warnings: see log.txt"
    assert len(guard.notes()[0]["text"]) < 2040


def test_an_error_in_the_logs_own_writer_ends_in_one_warning(guard, writer):
    """It cannot be written to the log, and that is no reason to try for ever."""

    def broken(text):
        raise OSError("full")

    writer.message = broken
    with pytest.warns(RLAWarning) as caught:
        guard.warn("a", "first")
        guard.warn("b", "second")
    assert [str(each.message)[:9] for each in caught] == ["first", "log: full", "second"]
    assert len(guard.notes()) == 3


def test_things_of_one_kind_share_the_warning_about_the_disk(guard):
    """Two hundred pictures on a full disk are one warning; another trouble with one of them is its own."""
    with pytest.warns(RLAWarning) as caught:
        for number in range(200):
            with guard.warn_on_error(f"the image '{number}'", kind="image"):
                raise OSError("full")
        with guard.warn_on_error("the image 'x'", kind="image"):
            raise ValueError("no image")
        with guard.warn_on_error("run.json"):
            raise MemoryError
    assert [str(each.message) for each in caught] == [
        "the image '0' could not be written: full. The training goes on.",
        "the image 'x' could not be written: no image. The training goes on.",
        "run.json could not be written: MemoryError. The training goes on.",
    ]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda guard: pickle.loads(pickle.dumps(guard))])
def test_a_copy_knows_what_was_told_and_keeps_what_it_tells_itself(clone):
    """So a copy of a run repeats no warning, and run.json lists none twice."""
    guard = Guard()
    with pytest.warns(RLAWarning):
        guard.warn("a", "first")
        twin = clone(guard)
        assert not twin.warn("a", "first") and twin.warn("b", "second")
    assert [len(guard.notes()), len(twin.notes())] == [1, 1]


def test_warnings_of_a_run_stand_in_its_files(tmp_path):
    """Those of its parts, and those that come from outside of them while it is open, at once."""
    with rla.run(task="t", log_root=tmp_path, backup="none", writers=["log"]) as run, pytest.warns(RLAWarning):
        rla.log({"confusion": [[1, 2]], "loss": 1.0})
        errors.warn("what a hook tells")
        noted = json.loads((run.log_dir / "run.json").read_text())["warnings"]
    texts = [warning["text"] for warning in noted]
    assert len(texts) == 2 and "'confusion' was left out" in texts[0] and texts[1] == "what a hook tells"
    log = (run.log_dir / "log.txt").read_text()
    assert all(f"warning: {text}\n" in log for text in texts)
    assert json.loads((run.log_dir / "run.json").read_text())["warnings"] == noted


class BrokenWriter:
    """It never writes, so all rows are missing there."""

    name = "broken"

    def write(self, item):
        raise OSError("full")

    def close(self):
        pass


def test_a_copy_lists_its_own_gaps_and_warnings_and_none_twice(tmp_path, warnings_as_text):
    """Whichever of the two saves its numbers first, and last."""
    run = rla.start(task="t", log_root=tmp_path, backup="none", writers=[BrokenWriter()])
    for _ in range(3):
        run.log({"a": 1})
    twin = copy.deepcopy(run)
    twin.log({"a": 1})
    twin.flush()
    run.log({"a": 1})
    run.flush()
    twin.log({"a": 1})
    twin.flush()
    run.finish()
    info = json.loads((run.log_dir / "run.json").read_text())
    assert sorted(gap["rows"] for gap in info["gaps"]) == [2, 4] and info["rows"] == 6
    assert len(info["warnings"]) == len(warnings_as_text) == 1
    warnings_as_text.clear()


def test_a_warning_in_a_forked_child_changes_no_number_of_its_parent(tmp_path, warnings_as_text, forked):
    """The child prints it; the run's files are its parent's."""
    run = rla.start(task="t", log_root=tmp_path, backup="none", writers=["csv"])
    run.log({"a": 1})
    assert forked(lambda: run.log(5)).ended() == 0
    assert json.loads((run.log_dir / "run.json").read_text())["rows"] == 0
    run.finish()
    info = json.loads((run.log_dir / "run.json").read_text())
    assert (info["rows"], info["warnings"]) == (1, [])


def test_outside_of_runs_nothing_is_raised_either(warnings_as_text):
    """A hook warns before its run is there, and on ranks that have none."""
    errors.warn("no run is open")
    assert warnings_as_text == ["no run is open"]
    warnings_as_text.clear()
