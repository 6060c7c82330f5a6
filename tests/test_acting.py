"""Acts beside all that goes on in a log root meanwhile: readers, other acts, runs that start, Ctrl-C, other users."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import layout, upkeep
from rla_hooks.errors import RLAError
from rla_hooks.labels import Labels, change
from rla_hooks.layout import RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import read_entry
from rla_hooks.run_folders import run_names
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.acting import carry_out
from rla_hooks.upkeep.deleting import plan_delete
from rla_hooks.upkeep.moving import plan_move
from rla_hooks.upkeep.renames import Renames

pytestmark = pytest.mark.usefixtures("quiet")
NOBODY = 65534


@pytest.fixture
def root(four_runs):
    return four_runs


def runs_in(root: Path) -> list[SavedRun]:
    """The runs of a log root, without a cache, which another user could not write."""
    places = [RunPaths(root, name) for name in run_names(root)]
    return [SavedRun(place, read_entry(place)) for place in places]


def code_of(child) -> int | None:
    """The exit code of a forked child; None as long as it lives."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def seen(root: Path) -> dict[str, str]:
    """The status of each run of the task demo, by its id."""
    return {run.id: run.status for run in rla.runs(root, task="demo")}


def seeds(root: Path) -> list[int]:
    return [run.hparams["seed"] for run in rla.runs(root)]


def test_who_lists_meanwhile_sees_whole_runs(root, forked):
    """Runs are deleted and brought back again and again; each list, filter and table is one of a moment."""

    def act():
        for _ in range(5):
            upkeep.delete(runs_in(root)[:2])
            upkeep.undo(root)

    child, counts = forked(act), set()
    while (code := code_of(child)) is None:
        for run in rla.runs(root, where="seed >= 0"):
            assert run.status in ("finished", "unknown")  # gone between the list and the look at it
        counts.add(len(rla.runs(root).table("loss")))
    assert code == 0 and counts <= {2, 3, 4}
    assert seeds(root) == [0, 1, 2, 3] and [run.metrics()["loss"][0] for run in rla.runs(root)] == [1, 0.5, 1 / 3, 0.25]


def test_two_acts_at_once_are_done_one_after_the_other(root, forked):
    """Each has a number of its own."""
    one, two = plan_delete(runs_in(root)[:2]), plan_delete(runs_in(root)[2:])
    children = [forked(lambda plan=plan: carry_out(plan)) for plan in (one, two)]
    assert [child.ended() for child in children] == [0, 0]
    assert [(act.number, len(act.runs)) for act in upkeep.acts(root)] == [(1, 2), (2, 2)] and not seeds(root)
    assert upkeep.undo(root, 1).number == 1 and len(seeds(root)) == 2


def test_the_second_of_two_is_told_who_is_at_work(root, forked):
    """And since when; nothing is changed. Of a process that was killed nothing is left."""
    read_end, write_end = os.pipe()

    def hold():
        with acting(root, "delete 40 runs"):
            os.write(write_end, b"x")
            signal.pause()

    child = forked(hold)
    os.read(read_end, 1)
    told = rf"(?s)delete 40 runs \(process {child.pid} on .*, since \d\d:\d\d:\d\d UTC"
    with pytest.raises(RLAError, match=told), acting(root, "delete", wait=0.0):
        pass
    assert upkeep.acts(root) == []
    os.kill(child.pid, signal.SIGKILL)
    child.ended()
    assert upkeep.delete(rla.runs(root)[0]).number == 1


def test_an_act_whose_note_could_not_be_written_is_not_disturbed(root, forked):
    """On a full disk nobody stands in the lock, which is held all the same."""
    read_end, write_end = os.pipe()

    def hold():
        with acting(root, "delete 40 runs"):
            os.truncate(root / ".trash" / "lock", 0)
            os.write(write_end, b"x")
            signal.pause()

    child = forked(hold)
    os.read(read_end, 1)
    with pytest.raises(RLAError, match="another process tidies"), acting(root, "delete", wait=0.0):
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.ended()


def test_a_run_that_is_stuck_half_way_is_carried_on_by_the_next_command(root, monkeypatch):
    """A disk fails in the middle, also on the way back; until it works again, nothing of the run is freed."""
    rename, count = Renames._rename, []

    def fail(self, source, target):
        count.append(source)
        if len(count) > 2:
            raise OSError(errno.EROFS, "Read-only file system")
        rename(self, source, target)

    monkeypatch.setattr(Renames, "_rename", fail)
    run = rla.runs(root)[0]
    act = upkeep.delete(run)
    assert "is half way, and carried on by the next command: Read-only file system" in act.problems[0]
    emptied = upkeep.empty_trash(root)
    assert emptied.numbers == () and "act 1 stays: it was killed" in emptied.problems[0]
    monkeypatch.undo()
    assert len(upkeep.acts(root)[0].runs) == 1
    assert [(root / kind / run.name).exists() for kind in layout.KINDS] == [False] * len(layout.KINDS)
    assert len(upkeep.undo(root).runs) == 1 and seeds(root) == [0, 1, 2, 3]


def test_a_running_run_that_is_deleted_by_who_is_killed_stays_deleted(root):
    """Its process has saved a checkpoint since, into a folder of the same name."""
    run = rla.runs(root)[0]
    upkeep.delete(run)
    journal = root / ".trash" / "1" / "act.json"
    journal.write_text(journal.read_text().replace('{"state": "done",  ', '{"state": "begun", '))
    run.checkpoint_dir.mkdir(parents=True)
    (run.checkpoint_dir / "late.pt").write_bytes(b"weights")
    assert [len(act.runs) for act in upkeep.acts(root)] == [1] and seeds(root) == [1, 2, 3]
    (gone,) = rla.runs(root / ".trash" / "1")
    assert rla.latest_checkpoint(gone) is not None and os.listdir(run.checkpoint_dir) == ["late.pt"]
    shutil.rmtree(run.checkpoint_dir)
    assert len(upkeep.undo(root).runs) == 1


def test_a_run_that_starts_or_grows_after_the_plan_stays(root):
    """Each is told, and the others go."""
    plan = plan_delete(rla.runs(root))
    with rla.open(rla.runs(root)[0]) as run:
        rla.log({"eval": 1.0}, step=0)
    with open(rla.runs(root)[1].paths.progress_csv, "a") as file:
        file.write("1,2.0,0.5\n")
    with rla.open(rla.runs(root)[3]):
        rla.log({"eval": 1.0}, step=0)
        act = carry_out(plan)
    assert [run.name in act.problems[0], len(act.problems), len(act.runs), seeds(root)] == [True, 3, 1, [0, 1, 3]]
    assert [line.endswith("has grown meanwhile") for line in act.problems] == [True, True, False]
    assert "is being added to (process" in act.problems[2]


def _killed(root: Path, how: str) -> None:
    """kill -9 of a process that trains in this root, or that adds to its first run."""
    run = rla.open(rla.runs(root)[0]) if how == "adds" else rla.start(task="demo", log_root=root, backup="none", seed=4)
    run.log({"loss": 1.0}, step=0)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("how", ["trains", "adds"])
def test_a_run_whose_process_was_killed_goes_as_any_other(root, forked, how):
    """Its run.json says for ever that it is running, or that somebody adds to it; so it says when it is back."""
    assert forked(lambda: _killed(root, how)).ended() == -signal.SIGKILL
    run = rla.runs(root)[0 if how == "adds" else -1]
    for act in (upkeep.delete, upkeep.archive, lambda run: upkeep.move(run, "other")):
        done = act(run)
        assert [each.id for each in done.runs] == [run.id] and not done.problems and run.id not in seen(root)
        upkeep.undo(root)
    assert len(upkeep.rename(run, {"seed": 7}).runs) == 1 and seen(root)[run.id] == run.status


def test_a_run_that_has_started_or_ended_since_it_was_listed(root):
    """What is now counts, not what was when somebody made the list."""
    runs = rla.runs(root)
    with rla.open(runs[0]):
        rla.log({"eval": 1.0}, step=0)
        listed = rla.runs(root)
        act = upkeep.delete(runs[0])
        assert not act.runs and "is being added to" in act.problems[0] and not upkeep.acts(root)
        with pytest.raises(RLAError, match="is being added to"):
            upkeep.delete(listed[0])
    assert len(upkeep.delete(listed[0]).runs) == 1


def test_a_run_that_is_labelled_after_the_plan_goes(root):
    """That is no growth."""
    plan = plan_delete(rla.runs(root)[0])
    with rla.open(rla.runs(root)[1]) as other:
        other.tag("seen")
    change(rla.runs(root)[0].paths.labels_json, Labels(tags=["bad"]))
    assert len(carry_out(plan).runs) == 1


def test_a_run_that_is_resumed_while_it_goes_says_that_it_is_gone(root, forked):
    """It waits for the lock of run.json, and is not half here and half there."""
    run = rla.runs(root)[0]
    upkeep.delete(run)
    with pytest.raises((rla.RLAError, OSError)), rla.open(run):
        pass
    assert not run.log_dir.exists()


def test_ctrl_c_lets_the_run_at_hand_be_whole(root):
    """The act has what was done, and can be undone; between two runs, and in the middle of one."""
    act, gone = None, []

    def progress(done, total):
        gone.append(done)
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        upkeep.delete(rla.runs(root), progress=progress)
    act = caught.value.act
    assert str(caught.value) == "2 of 4 runs were deleted; rla undo brings them back"
    assert len(act.runs) == 2 and gone == [1, 2] and seeds(root) == [2, 3]
    assert [len(each.runs) for each in upkeep.acts(root)] == [2] and len(upkeep.undo(root).runs) == 2


def test_ctrl_c_in_the_middle_of_a_run(root, monkeypatch):
    """Its other folders follow; there and back."""
    rename, count = Renames._rename, []

    def interrupted(self, source, target):
        rename(self, source, target)
        count.append(source)
        if len(count) == 7:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Renames, "_rename", interrupted)
    with pytest.raises(KeyboardInterrupt, match="2 of 4 runs were deleted"):
        upkeep.delete(rla.runs(root))
    assert len(count) == 10 and seeds(root) == [2, 3] and seeds(root / ".trash" / "1") == [0, 1]
    count.clear()
    with pytest.raises(KeyboardInterrupt, match="2 of 2 runs were brought back"):
        upkeep.undo(root)
    assert seeds(root) == [0, 1, 2, 3] and not (root / ".trash" / "1").exists()


def as_nobody(action):
    """Call it as another user than root."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    action()


@pytest.fixture
def shared():
    """A log root for all users: a run of theirs in the task theirs, and three of nobody's in the task mine."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can be another user")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # which all may enter: TMPDIR may be for one user alone
    folder.chmod(0o755)
    for seed in range(4):
        task = "mine" if seed else "theirs"
        with rla.run(task=task, log_root=folder / "root", writers=["csv"], backup="none", seed=seed):
            rla.log({"loss": 1.0}, step=0)
    for path in (folder / "root", *(folder / "root").iterdir()):
        path.chmod(0o777)
        for each in (path / "mine").rglob("*"):
            os.chown(each, NOBODY, NOBODY)
        if (path / "mine").exists():
            os.chown(path / "mine", NOBODY, NOBODY)
    yield folder / "root"
    shutil.rmtree(folder)


def test_runs_of_other_users_are_refused_before_anything_is_changed(shared, forked):
    """With the folder; the own ones go, and all who may write to the log root may write to its trash."""

    def act():
        plan = plan_delete(runs_in(shared))
        assert len(plan.items) == 3 and "this user may not write to" in plan.refused[0].reason
        with pytest.raises(RLAError, match="1 run cannot be deleted, and nothing was changed"):
            upkeep.delete(runs_in(shared))
        assert len(carry_out(plan).runs) == 3
        assert upkeep.undo(shared).number == 1

    assert forked(lambda: as_nobody(act)).ended() == 0
    assert len(runs_in(shared)) == 4 and (shared / ".trash").stat().st_mode & 0o777 == 0o777
    assert len(upkeep.delete(runs_in(shared)).runs) == 4

    def other():
        with pytest.raises(RLAError, match="Permission denied"):
            upkeep.undo(shared)
        assert upkeep.acts(shared)[0].trouble is None

    assert forked(lambda: as_nobody(other)).ended() == 0
    assert len(upkeep.undo(shared).runs) == 4


def test_an_act_of_another_user_that_was_killed_stands_in_nobodys_way(shared, forked):
    """Only its user can finish it."""
    upkeep.delete([run for run in runs_in(shared) if run.task == "theirs"])
    file = shared / ".trash" / "1" / "act.json"
    file.write_text(file.read_text().replace('"state": "done", ', '"state": "begun",', 1))

    def act():
        assert upkeep.delete(runs_in(shared)[0]).number == 2
        assert [each.number for each in upkeep.acts(shared)] == [1, 2] and upkeep.undo(shared).number == 2

    assert forked(lambda: as_nobody(act)).ended() == 0
    assert '"state": "begun"' in file.read_text()
    assert upkeep.acts(shared)[0].trouble is None and '"state": "done"' in file.read_text()


def test_a_run_that_cannot_be_moved_after_all_is_put_back_whole(shared, forked):
    """What stands in its way is told at the end, and the others go."""

    def act():
        plan = plan_delete([run for run in runs_in(shared) if run.task == "mine"])
        stuck = runs_in(shared)[2]
        stuck.paths.archive_dir.chmod(0o500)  # after the plan; its former folder is noted in it
        done = carry_out(plan)
        assert len(done.runs) == 2 and len(done.problems) == 1
        assert stuck.name in done.problems[0] and "stays: Permission denied" in done.problems[0]
        names = [run.name for run in runs_in(shared)]
        assert stuck.name in names and all((shared / kind / stuck.name).exists() for kind in layout.KINDS)
        assert len(upkeep.undo(shared).runs) == 2

    assert forked(lambda: as_nobody(act)).ended() == 0
    assert len(runs_in(shared)) == 4


def test_a_log_root_that_cannot_be_written_is_told(shared, forked):
    """As an error, with what is needed."""
    shared.chmod(0o755)

    def act():
        (run,) = [run for run in runs_in(shared) if run.hparams["seed"] == 1]
        with pytest.raises(RLAError, match="this user may not write to"):
            upkeep.delete(run)

    assert forked(lambda: as_nobody(act)).ended() == 0


def test_runs_that_start_while_empty_folders_are_removed_find_their_place(tmp_path, forked):
    """Those of their date and task, which others remove, are made again."""
    root = tmp_path / "starts"

    def start():
        for number in range(60):
            paths = layout.create(root, "a/b", {}, datetime(2026, 1, 31, 12, 0, 0, number))
            for kind in layout.KINDS:
                shutil.rmtree(root / kind / paths.name)

    child = forked(start)
    while (code := code_of(child)) is None:
        for kind in layout.KINDS:
            for folder in ("a/b/2026/01/31", "a/b/2026/01", "a/b/2026", "a/b", "a"):
                with suppress(OSError):
                    (root / kind / folder).rmdir()
    assert code == 0


def test_a_run_that_has_moved_since_the_plan_is_told(root):
    """Another act was faster."""
    plan = plan_move(rla.runs(root), "other")
    upkeep.delete(rla.runs(root)[1])
    act = carry_out(plan)
    assert len(act.runs) == 3 and len(act.problems) == 1 and "seed=1" in act.problems[0]
