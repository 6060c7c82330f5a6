"""A cut.json that somebody has damaged or made up: nothing outside of the run is touched, and the error helps."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from rla_hooks.cutting import cut_to, finish_cut, journal
from rla_hooks.errors import RunError

pytestmark = pytest.mark.usefixtures("quiet")


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.fixture
def cut_twice(training, run_paths):
    """A run that was cut at step 2, and at step 3; return the folder of its last cut, and its checkpoints."""
    training.steps(0, 1)
    entries = [training.save(1)]
    training.steps(2)
    entries.append(training.save(2))
    training.steps(3)
    training.stop()
    cut_to(run_paths, entries[1])
    training.start()
    training.steps(3)
    training.stop()
    cut_to(run_paths, entries[1])
    return run_paths.log_dir / "cut" / "2", entries


def _change(folder: Path, **news) -> None:
    content = json.loads((folder / "cut.json").read_text())
    (folder / "cut.json").write_text(json.dumps(content | news))


@pytest.mark.parametrize("action", ["move", "drop", "replace", "add", "else"])
@pytest.mark.parametrize("kind", ["up", "absolute", "below tb", "a file of the run", "stub"])
def test_a_journal_that_names_other_files_touches_nothing(action, kind, cut_twice, run_paths, tmp_path):
    """Whatever it says is to be done with them."""
    folder, _ = cut_twice
    victim = tmp_path / "precious tfevents"
    victim.write_text("precious")
    up = os.path.relpath(victim, run_paths.log_dir)
    path = {"absolute": str(victim), "below tb": f"tb/../{up}", "a file of the run": "run.json"}.get(kind, up)
    (folder / "kept" / "tb").mkdir(parents=True)
    (folder / "kept" / "start").write_text("evil")
    new = Path(os.path.normpath(folder / "kept" / journal.hidden(path)))
    if not new.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text("evil")
    what = {"action": action, "size": 8, "header": 1, "kept": 2, "rows": 0, "start": 0, "of": []}
    _change(folder, done=False, files={path: what | ({"stub": True} if kind == "stub" else {})})
    before = _contents(tmp_path)
    with pytest.raises(RunError, match=r"cut\.json'? cannot be used to finish it: .* Nothing was changed\. Put back"):
        finish_cut(run_paths)
    assert _contents(tmp_path) == before


@pytest.mark.parametrize("name", ["cut", "cut/2", "cut/2/kept", "cut/2/kept/tb", "cut/2/tb", "tb"])
def test_a_folder_that_is_a_link_is_refused(name, cut_twice, run_paths, tmp_path):
    """What is done there would be done elsewhere; in cut/, temporary files are even removed."""
    folder, _ = cut_twice
    (folder / "kept" / "tb").mkdir(parents=True)
    path, elsewhere = run_paths.log_dir / name, tmp_path / "elsewhere"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere, target_is_directory=True)
    _change(folder, done=False)
    (elsewhere / (".saving-0123abcd-4711-" + "0" * 32 + ".tmp")).write_text("of somebody else")
    before = _contents(tmp_path)
    with pytest.raises(RunError, match=f"{name}'? is a link"):
        finish_cut(run_paths)
    assert _contents(tmp_path) == before


@pytest.mark.parametrize("name", ["kept/start", "kept/progress.csv"])
def test_a_prepared_file_that_is_a_link_is_refused(name, cut_twice, run_paths, tmp_path):
    """The rows that come later would be appended to what it points at."""
    folder, _ = cut_twice
    (folder / "kept").mkdir()
    (folder / name).symlink_to(tmp_path / "elsewhere")
    _change(folder, done=False)
    with pytest.raises(RunError, match=f"{name}'? is a link"):
        finish_cut(run_paths)


_DAMAGES = {
    "files": [None, [], {"progress.csv": 3}, {"progress.csv": {}}, {"progress.csv": []}],
    "checkpoints": [None, 5, [3]],
    "rows": [None, "x", -1],
    "step": ["x", 1.5],
    "checkpoint": [3],
    "format": [None, 2],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in _DAMAGES.items() for value in values])
def test_a_damaged_journal(key, value, cut_twice, run_paths):
    """Of a cut that was done it counts as none; of one that was not, the error names it and says what to do."""
    folder, entries = cut_twice
    _change(folder, **{key: value})
    assert finish_cut(run_paths) is None and cut_to(run_paths, entries[0]).rows == 1
    shutil.rmtree(folder.parent / "3")
    _change(folder, done=False)
    with pytest.raises(RunError, match=r"cut/2/cut\.json'? cannot be used .*remove the folder"):
        finish_cut(run_paths)


@pytest.mark.parametrize(
    "news",
    [
        {"of": None},
        {"of": [["a", "b", "c"]]},
        {"start": "x"},
        {"start": -1},
        {"of": [["tb/tfevents", 0, 100]]},
        "itself",
    ],
)
def test_the_record_of_an_event_file_that_was_made_is_damaged(
    news, cut_twice, run_paths, read_scalars, warnings_as_text
):
    """It counts as not known: the file is cut by its steps. One that is made of itself has no end."""
    folder, entries = cut_twice
    for each in (folder.parent / "1", folder):
        files = json.loads((each / "cut.json").read_text())["files"]
        for path, what in files.items():
            if what["action"] == "add":
                what.update({"of": [[path, 0, 100]]} if news == "itself" else news)
        _change(each, files=files)
    cut_to(run_paths, entries[0])
    warnings_as_text.clear()  # that a file is not there any more
    assert read_scalars(run_paths.tensorboard_dir) == {"loss": [(0, 0.5), (1, 1.5)]}


def test_a_file_that_two_cuts_have_made(cut_twice, run_paths, read_scalars, warnings_as_text):
    """Each from the other, which has no end either."""
    folder, entries = cut_twice
    first, second = (json.loads((each / "cut.json").read_text())["files"] for each in (folder.parent / "1", folder))
    (old,) = (path for path, what in first.items() if what["action"] == "add")
    (new,) = (path for path, what in second.items() if what["action"] == "add")
    made = {"action": "add", "size": 0, "start": 0}
    gone = {"action": "drop", "size": 0}
    _change(folder.parent / "1", files={old: made | {"of": [[new, 0, 100]]}, new: gone})
    _change(folder, files={new: made | {"of": [[old, 0, 100]]}, old: gone})
    cut_to(run_paths, entries[0])
    warnings_as_text.clear()  # that a file is not there any more
    assert read_scalars(run_paths.tensorboard_dir) == {"loss": [(0, 0.5), (1, 1.5)]}


@pytest.mark.parametrize("name", ["9" * 200, "007", "²"])
def test_only_the_folders_of_cuts_count(name, cut_twice, run_paths):
    """One that is none has no part in the numbers."""
    folder, entries = cut_twice
    (folder.parent / name).mkdir()
    assert cut_to(run_paths, entries[0]).number == 3


def test_something_else_in_the_place_of_the_folder(cut_twice, run_paths):
    """It is told before anything is changed."""
    folder, entries = cut_twice
    shutil.rmtree(folder.parent)
    folder.parent.symlink_to("/nonexistent/folder")
    with pytest.raises(RunError, match=r"cut'? is a link"):
        cut_to(run_paths, entries[0])
    folder.parent.unlink()
    folder.parent.write_text("x")
    with pytest.raises(RunError, match=r"cut'? is no folder"):
        cut_to(run_paths, entries[0])
