"""Acts that are taken back: in which order, what is in the way, and journals that cannot be trusted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query.given import saved_run
from rla_hooks.upkeep.journal import JOURNAL
from rla_hooks.upkeep.undoing import plan_undo

pytestmark = pytest.mark.usefixtures("quiet")
OF_RLA = Path(__file__).parent / "data" / "root_of_rla"


@pytest.fixture
def root(four_runs):
    return four_runs


def seeds(root: Path) -> list[int]:
    return [run.hparams["seed"] for run in rla.runs(root)]


def test_the_last_act_is_undone_first(root):
    """Of any kind; then the one before it, until there is none."""
    upkeep.delete(rla.runs(root)[0])
    upkeep.archive(rla.runs(root)[0])
    upkeep.move(rla.runs(root)[0], "other")
    kinds = [(act.number, act.kind, act.trouble) for act in upkeep.acts(root)]
    assert kinds == [(1, "delete", None), (2, "archive", None), (3, "move", None)]
    assert plan_undo(root).number == 3 and plan_undo(root, 1).kind == "delete"
    assert [upkeep.undo(root).kind for _ in kinds] == ["move", "archive", "delete"] and seeds(root) == [0, 1, 2, 3]
    with pytest.raises(RLAError, match="there is nothing to undo in"):
        upkeep.undo(root)


def test_an_act_that_is_not_there_is_an_error(root):
    """It says which are."""
    upkeep.delete(rla.runs(root)[0])
    with pytest.raises(RLAError, match=r"there is no act 7 in .*There are: 1\."):
        upkeep.undo(root, 7)
    with pytest.raises(RLAError, match="there is nothing to undo"):
        upkeep.undo(root / "log")
    assert not (root / "log" / ".trash").exists()


def test_what_is_in_the_way_is_listed_and_nothing_changes(root):
    """Names that are taken, in whatever tree; empty folders that a running process has made again are not."""
    runs = rla.runs(root)
    upkeep.delete(runs)
    runs[0].paths.results_dir.mkdir(parents=True)
    runs[1].log_dir.mkdir(parents=True)
    runs[2].paths.code_dir.mkdir(parents=True)
    (runs[2].paths.code_dir / "train.py").write_text("other code")
    with pytest.raises(RLAError) as caught:
        upkeep.undo(root)
    lines = str(caught.value).splitlines()
    assert lines[0] == "act 1 cannot be undone, and nothing was changed: "
    assert len(lines) == 3 and runs[1].name in lines[1] and f"code/{runs[2].name}" in lines[2]
    assert all(line.endswith("is there again") for line in lines[1:]) and "code" in upkeep.acts(root)[0].trouble
    runs[1].log_dir.rmdir()
    shutil.rmtree(runs[2].paths.code_dir)
    assert len(upkeep.undo(root).runs) == 4 and seeds(root) == [0, 1, 2, 3]


def test_an_act_whose_runs_have_moved_on_waits_for_the_later_one(root):
    """The error says where they were to be."""
    upkeep.move(rla.runs(root)[0], "other")
    upkeep.delete(rla.runs(root, task="other"))
    with pytest.raises(RLAError, match=r"is no longer at .*other.*: it was moved or deleted since"):
        upkeep.undo(root, 1)
    assert upkeep.undo(root).number == 2 and upkeep.undo(root).number == 1 and seeds(root) == [0, 1, 2, 3]


def test_a_moved_run_that_runs_again_is_not_moved_back(root):
    """Its process would write into nothing."""
    upkeep.move(rla.runs(root)[0], "other")
    with rla.open(rla.runs(root, task="other")[0]):
        rla.log({"eval": 1.0}, step=0)
        with pytest.raises(RLAError, match="is being added to"):
            upkeep.undo(root)
    assert upkeep.undo(root).kind == "move"


def test_lists_filters_and_tables_know_at_once_that_a_run_has_gone_or_come(root):
    """Renaming keeps the times of files; with a list between the acts or without, and for a name that is used again."""

    def known():
        runs = rla.runs(root, where="last.loss > 0")
        return [(run.hparams["seed"], run.metrics()["loss"][0], run.last["loss"], run.name) for run in runs]

    before = known()
    upkeep.delete(rla.runs(root)[:2])
    assert known() == before[2:] and len(rla.sql("SELECT name FROM runs", root)) == 2
    upkeep.undo(root)
    assert known() == before and len(rla.sql("SELECT name FROM runs", root)) == 4
    first, second = rla.runs(root)[:2]
    upkeep.delete(first)
    upkeep.undo(root)
    assert known() == before
    upkeep.delete(first)
    shutil.move(second.log_dir, first.log_dir)  # by hand: another run has the name now
    assert [seed for seed, *_ in known()] == [1, 2, 3] and rla.runs(root)[0].hints
    shutil.move(first.log_dir, second.log_dir)
    upkeep.undo(root)
    assert known() == before


def test_runs_of_the_original_rla_go_and_come_back(tmp_path):
    """Names with blanks, the pickle beside the folders, no run.json; their id is that of their name."""
    root = tmp_path / "root"
    shutil.copytree(OF_RLA, root)
    for path in root.rglob("*"):
        os.utime(path, (0, 0))  # nobody writes to them: also where the sources were just checked out

    def known():
        return [(run.name, run.id, run.hparams, run.record, run.problems) for run in rla.runs(root)]

    before, files = known(), {path for path in root.rglob("*") if path.is_file()}
    assert len(upkeep.delete(rla.runs(root)).runs) == len(before) and not known()
    assert [run.id for run in rla.runs(root / ".trash" / "1")] == [id for _, id, *_ in before]
    upkeep.undo(root)
    assert known() == before
    upkeep.archive(rla.runs(root)[0])
    upkeep.move(rla.runs(root), "new task")
    moved = rla.runs(root)
    assert [run.task for run in moved] == ["new task"] * (len(before) - 1)
    assert [run.hparams for run in moved] == [hparams for _, _, hparams, *_ in before[1:]]
    upkeep.rename(moved[0], {"net": "big"})
    assert rla.runs(root)[0].record["net"] == "big" and " " in rla.runs(root)[0].name.split("%20")[0] + " "
    for _ in range(3):
        upkeep.undo(root)
    assert known() == before and {path for path in root.rglob("*") if path.is_file()} - files == {
        root / ".trash" / "lock"
    }


def test_a_run_of_rla_that_is_written_to_counts_as_running(tmp_path):
    """It says nowhere whether it has ended."""
    root = tmp_path / "root"
    shutil.copytree(OF_RLA, root)
    run = rla.runs(root)[0]
    os.utime(run.paths.progress_csv)
    with pytest.raises(RLAError, match="may be running: its files were written to less than 10 minutes ago"):
        upkeep.delete(run)
    assert len(upkeep.delete(run, running=True).runs) == 1


def test_the_status_of_a_damaged_run_is_not_known_either(root):
    """It can be deleted once nobody writes to it."""
    run = rla.runs(root)[0]
    run.paths.run_json.write_text("{")
    with pytest.raises(RLAError, match="may be running"):
        upkeep.delete(saved_run(run.name, root))
    for path in (run.paths.run_json, run.paths.progress_csv, *run.checkpoint_dir.iterdir()):
        os.utime(path, (0, 0))
    assert upkeep.delete(run.name, log_root=root).runs and upkeep.undo(root).runs


DAMAGE = {
    "cut": lambda text: text[: len(text) // 2],
    "another format": lambda text: text.replace('"format": 1', '"format": 9'),
    "a path that climbs": lambda text: text.replace('[["log/', '[["log/../../'),
    "an absolute path": lambda text: text.replace('[["log/', '[["/log/'),
    "another tree": lambda text: text.replace('[["log/', '[["home/'),
    "a list": lambda text: "[1, 2]",
    "a text for a number": lambda text: text.replace('"files": ', '"files": "many", "was": '),
    "a number for a text": lambda text: text.replace('"to": null', '"to": 5'),
    "news that are none": lambda text: text.replace('"to": null', '"to": null, "news": [1]'),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_journal_moves_nothing(how, root):
    """Nor one that somebody has made up; what lies beside it can be moved back by hand, or freed."""
    upkeep.delete(rla.runs(root)[0])
    file = root / ".trash" / "1" / JOURNAL
    text = file.read_text()
    file.write_text(DAMAGE[how](text))
    (act,) = upkeep.acts(root)
    assert act.kind == "damaged" and "act.json is damaged" in act.trouble
    with pytest.raises(RLAError, match=r"act.json is damaged: .*move it back by hand"):
        upkeep.undo(root)
    assert upkeep.delete(rla.runs(root)[0]).number == 2 and seeds(root) == [2, 3]
    assert upkeep.undo(root).number == 2
    assert upkeep.empty_trash(root, 1).numbers == (1,) and not upkeep.acts(root)


def test_links_that_lead_out_of_the_log_root_are_not_followed(root, tmp_path):
    """Neither in a plan nor at an undo; a link in a run is renamed as a link."""
    run, other = rla.runs(root)[:2]
    outside = tmp_path / "outside"
    shutil.move(root / "checkpoint" / "demo", outside)
    (root / "checkpoint" / "demo").symlink_to(outside)
    with pytest.raises(RLAError, match=r"is not only in this log root: .*leads to"):
        upkeep.delete(run)
    (root / "checkpoint" / "demo").unlink()
    shutil.move(outside, root / "checkpoint" / "demo")
    (run.code_dir / "data").symlink_to(tmp_path)
    upkeep.delete([run, other])
    outside.mkdir()
    (root / "results" / "demo").rename(root / "results" / "aside")
    (root / "results" / "demo").symlink_to(outside)
    act = upkeep.undo(root)
    assert len(act.problems) == 2 and "is not only in this log root" in act.problems[0] and not [*outside.iterdir()]
    assert seeds(root) == [2, 3] and len(rla.runs(root / ".trash" / "1")) == 2
    (root / "results" / "demo").unlink()
    (root / "results" / "aside").rename(root / "results" / "demo")
    assert len(upkeep.undo(root).runs) == 2 and (run.code_dir / "data").is_symlink()


def test_the_trash_frees_what_is_asked_for(root):
    """By numbers, by age, or all; what was archived or moved stays where it is."""
    upkeep.delete(rla.runs(root)[0])
    upkeep.archive(rla.runs(root)[0])
    upkeep.delete(rla.runs(root)[0])
    with pytest.raises(ConfigError, match=r"there is no act 9 in .*There are: 1, 2, 3"):
        upkeep.empty_trash(root, [1, 9])
    assert upkeep.empty_trash(root, older_than="1 hour").numbers == ()
    file = root / ".trash" / "3" / JOURNAL
    file.write_text(file.read_text().replace(json.loads(file.read_text())["time"], "2026-01-31T12:00:00+00:00"))
    told = []
    emptied = upkeep.empty_trash(root, older_than="1 hour", progress=lambda done, total: told.append((done, total)))
    assert (emptied.numbers, emptied.files, emptied.problems, told) == ((3,), 8, (), [(1, 1)])
    assert emptied.bytes > 0 and [act.number for act in upkeep.acts(root)] == [1, 2]
    upkeep.delete(rla.runs(root))
    told.clear()
    emptied = upkeep.empty_trash(root, progress=lambda done, total: told.append((done, total)))
    assert (emptied.numbers, told) == ((1, 2, 3), [(1, 3), (2, 3), (3, 3)])
    assert os.listdir(root / ".trash") == ["lock"] and not seeds(root)
    assert len(rla.runs(root / "archived")) == 1
    assert upkeep.empty_trash(root) == upkeep.empty_trash(root / "log")


def test_a_journal_that_leads_through_a_link_frees_nothing_outside(root, tmp_path):
    """Whoever may write to the trash cannot have the files of another one removed by it."""
    (tmp_path / "data" / "precious").mkdir(parents=True)
    run = rla.runs(root)[0]
    (run.code_dir / "data").symlink_to(tmp_path / "data")
    upkeep.delete(run)
    file = root / ".trash" / "1" / JOURNAL
    code = f".trash/1/code/{run.name}"
    file.write_text(file.read_text().replace(f'"{code}"', f'"{code}/data/precious"'))
    assert upkeep.empty_trash(root).numbers == (1,) and (tmp_path / "data" / "precious").is_dir()


def test_a_folder_in_the_trash_that_is_read_only_is_freed_too(root):
    """As git makes some."""
    run = rla.runs(root)[0]
    inner = run.code_dir / "pack"
    inner.mkdir()
    (inner / "data").write_bytes(b"x")
    inner.chmod(0o500)
    upkeep.delete(run)
    assert upkeep.empty_trash(root).problems == () and os.listdir(root / ".trash") == ["lock"]


def test_links_in_the_trash_are_neither_followed_nor_written_through(root, tmp_path):
    """A folder of an act, the lock and the trash itself: what they lead to stays as it is."""
    outside = tmp_path / "outside"
    (outside / "empty").mkdir(parents=True)
    (outside / "7").mkdir()
    (outside / "precious.txt").write_text("precious")
    upkeep.delete(rla.runs(root)[0])
    trash = root / ".trash"
    for name in ("7", ".emptying-8"):
        (trash / name).symlink_to(outside)
    assert [act.number for act in upkeep.acts(root)] == [1] and upkeep.empty_trash(root).numbers == (1,)
    assert not (trash / ".emptying-8").is_symlink()
    (trash / "lock").unlink()
    (trash / "lock").symlink_to(outside / "precious.txt")
    with pytest.raises(RLAError, match=r"cannot be tidied: .*\.trash/lock"):
        upkeep.delete(rla.runs(root)[0])
    shutil.rmtree(trash)
    trash.symlink_to(outside)
    with pytest.raises(RLAError, match="the trash must be a folder, and is a link"):
        upkeep.delete(rla.runs(root)[0])
    assert upkeep.acts(root) == []
    with pytest.raises(RLAError, match="must be a folder"):
        upkeep.empty_trash(root)
    assert sorted(path.name for path in outside.iterdir()) == ["7", "empty", "precious.txt"]
    assert (outside / "precious.txt").read_text() == "precious" and seeds(root) == [1, 2, 3]


def test_the_trash_of_another_log_root_is_not_emptied(root, tmp_path):
    """A journal that somebody has made up names it through a link."""
    other = tmp_path / "other"
    shutil.copytree(root, other)
    for each in (root, other):
        upkeep.delete(rla.runs(each)[0])
    (root / "log" / "link").symlink_to(other)
    file = root / ".trash" / "1" / JOURNAL
    file.write_text(file.read_text().replace('"anchors": [""]', '"anchors": ["", "log/link"]'))
    upkeep.empty_trash(root)
    assert len(upkeep.undo(other).runs) == 1 and seeds(other) == [0, 1, 2, 3]


def test_a_folder_in_the_trash_that_is_no_act_is_in_nobodys_way(root):
    """Not even with the last number, after which no act could be listed."""
    upkeep.delete(rla.runs(root)[0])
    folder = root / ".trash" / "999999999"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(RLAError, match=r"no number is left after 999999999.*Nothing was changed"):
        upkeep.delete(rla.runs(root)[0])
    assert [act.number for act in upkeep.acts(root)] == [1] and upkeep.undo(root).number == 1
    assert seeds(root) == [0, 1, 2, 3] and (folder / "notes.txt").exists()


def test_a_journal_that_is_a_fifo_is_not_waited_for(root):
    """It is one that cannot be read."""
    upkeep.delete(rla.runs(root)[0])
    (root / ".trash" / "2").mkdir()
    os.mkfifo(root / ".trash" / "2" / JOURNAL)
    assert [act.kind for act in upkeep.acts(root)] == ["delete", "damaged"]
    assert upkeep.empty_trash(root, 2).numbers == (2,)
