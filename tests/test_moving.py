"""Runs that get another task, or other pairs in their names: all that leads to them finds them."""

from __future__ import annotations

import json
import os
import signal

import pytest

import rla_hooks as rla
from rla_hooks import run_folders, upkeep
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import index, moves
from rla_hooks.query.family import family_of
from rla_hooks.query.given import saved_run
from rla_hooks.tester import Tester
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.moving import plan_move, plan_rename

pytestmark = pytest.mark.usefixtures("quiet")


def train(root, task="demo", **more):
    settings = {"log_root": root, "record": ["lr"], "writers": ["csv"], "backup": "none", "lr": 0.1}
    with rla.run(task=task, **{**settings, **more}) as run:
        for step in range(3):
            rla.log({"loss": 1.0 / (step + 1)}, step=step)
        rla.save_checkpoint({"weights": [0.5]}, step=2)
        run.save_figure_here = (run.results_dir / "curve.png").write_bytes(b"a figure")
    return saved_run(run)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def test_a_moved_run_is_the_same_run_in_another_task(root):
    """Its id, rows, checkpoints, figures and record; nothing hints at the former name but run.json."""
    before = train(root)
    act = upkeep.move(before, "paper/ablation")
    (run,) = rla.runs(root)
    assert act.runs[0].to == run.name == before.name.replace("demo/", "paper/ablation/", 1)
    assert (run.task, run.id, run.hints, run.problems) == ("paper/ablation", before.id, (), ())
    assert (run.record, run.started, run.status) == ({"lr": 0.1}, before.started, "finished")
    assert run.metrics()["loss"].size == 3 and rla.latest_checkpoint(run).name == "checkpoint-2.pkl"
    assert (run.results_dir / "curve.png").exists() and run.run_json["former_names"] == [before.name]
    assert [each.name for each in rla.runs(root, task="paper")] == [run.name] and not rla.runs(root, task="demo")


def test_what_leads_to_a_run_finds_it_after_a_move(root):
    """Its former name, its path, rla.open, its Tester, its children, and forks."""
    with rla.run(task="demo", log_root=root, writers=["csv"], backup="none") as outer:
        child = train(root)
        rla.save_checkpoint({"weights": [0.5]}, step=0)
    parent = saved_run(outer)
    upkeep.move([parent, child], "a/b/c")
    (moved,) = [run for run in rla.runs(root) if run.id == parent.id]
    (child,) = [run for run in rla.runs(root) if run.id == child.id]
    assert child.parent == parent.name and saved_run(child.parent, root).name == moved.name
    with rla.open(child) as run:
        rla.log({"eval": 2.0}, step=2)
        run.tag("evaluated")
    tester = Tester.load(child.paths.tester_pkl)
    assert (tester.name, tester.hyper_param["lr"]) == (child.name, 0.1)
    tester.log({"eval": 3.0}, step=3)
    tester.finish()
    (child,) = [run for run in rla.runs(root) if run.id == child.id]
    assert child.info["rows"] == 5 and child.tags == ["evaluated"] and child.task == "a/b/c" and not child.hints
    assert not (root / "log" / "demo").exists()


def test_a_moved_run_can_be_resumed_and_forked(root):
    """By its new name and by its former one."""

    @rla.track(task="demo", log_root=root, writers=["csv"], backup="none")
    def main(steps=2):
        begin = rla.load_checkpoint()[0] if rla.current_run().is_resumed else 0
        for step in range(begin, steps):
            rla.log({"loss": 1.0}, step=step)
            rla.save_checkpoint({"weights": [step]}, step=step + 1)

    main()
    (before,) = rla.runs(root)
    upkeep.move(before, "other")
    (run,) = rla.runs(root)
    main.fork(run, steps=3)
    upkeep.move(run, "third")
    (origin,) = rla.runs(root, task="third")
    (fork,) = rla.runs(root, where="forked_from != none")
    assert [each.run.name for each in family_of(fork).ancestors] == [origin.name]
    main.resume(before.name, steps=4, allow=["steps"])
    (origin,) = rla.runs(root, task="third")
    assert len(origin.restarts) == 1 and origin.status == "finished" and origin.info["rows"] == 4
    upkeep.delete(origin)
    assert [rla.latest_checkpoint(run) is not None for run in rla.runs(root)] == [True]


def test_the_pairs_of_the_name_count_after_a_rename(root):
    """Where the text is still that of the parameter its value does; undo gives the former name back."""
    before = train(root, record=["lr", "width"], width=64)
    upkeep.rename(before, {"lr": 0.2, "net": "a/b"})
    (run,) = rla.runs(root)
    assert run.name.endswith("_&lr=0.2&width=64&net=a%2Fb")
    assert run.record == {"lr": "0.2", "width": 64, "net": "a/b"} and run.hparams == before.hparams
    upkeep.rename(run, {"lr": 0.1}, remove=["net", "width"])
    (run,) = rla.runs(root)
    assert run.name.endswith("_&lr=0.1") and run.record == {"lr": 0.1}
    upkeep.undo(root)
    upkeep.undo(root)
    (run,) = rla.runs(root)
    assert (run.name, run.run_json) == (before.name, before.run_json)


def test_all_pairs_can_go(root):
    """Then the name ends with the address, and pairs can be set again."""
    run = train(root)
    upkeep.rename(run, remove=["lr"])
    (run,) = rla.runs(root)
    assert "&" not in run.name and run.record == {}
    upkeep.rename(run, {"lr": 0.1})
    assert rla.runs(root)[0].name == run.name + "_&lr=0.1"


def test_mistakes_are_told_before_anything_changes(root):
    """A task that cannot be, a key that is not there, a name that is taken, the task it has."""
    run = train(root)
    for task in ("../x", "", 3):
        with pytest.raises(ConfigError, match="the task"):
            upkeep.move(run, task)
    with pytest.raises(ConfigError, match=r"has no 'width' to remove. It has: lr"):
        upkeep.rename(run, remove=["width"])
    with pytest.raises(ConfigError, match="got no pairs"):
        upkeep.rename(run)
    with pytest.raises(RLAError, match="has this name already"):
        upkeep.move(run, "demo")
    for task in ("a/" * 70 + "b", "demo/2026/01/31/12-00-00-000000_10.0.0.5/b"):  # too deep; a run without pairs
        with pytest.raises(RLAError, match="would be in no list"):
            upkeep.move(run, task)
    taken = root / "code" / run.name.replace("demo/", "other/", 1)
    taken.mkdir(parents=True)
    with pytest.raises(RLAError, match="is there already"):
        upkeep.move(run, "other")
    assert [each.name for each in rla.runs(root)] == [run.name] and not (root / ".trash").exists()


def test_a_run_that_was_renamed_by_hand_gets_a_name_again(root):
    """Its other folders, under the name in its run.json, come with it."""
    before = train(root)
    (root / "log" / before.name).rename(root / "log" / "best")
    (run,) = rla.runs(root)
    assert run.hints
    upkeep.move(run, "kept")
    (run,) = rla.runs(root)
    assert run.name == before.name.replace("demo/", "kept/", 1) and not run.hints and rla.latest_checkpoint(run)
    upkeep.undo(root)
    (run,) = rla.runs(root)
    assert run.name == "best" and rla.latest_checkpoint(run)


def test_a_copy_goes_without_the_folders_of_its_original(root):
    """What lies under the name in its run.json is another run's."""
    before = train(root)
    copy = root / "log" / "copy"
    copy.mkdir()
    for name in ("run.json", "progress.csv", "parameter.json"):
        (copy / name).write_bytes((before.log_dir / name).read_bytes())
    (run,) = [run for run in rla.runs(root) if run.name == "copy"]
    upkeep.delete(run)
    (left,) = rla.runs(root)
    assert left.name == before.name and rla.latest_checkpoint(left) and upkeep.undo(root).files == 3


def test_two_copies_leave_what_they_share(root):
    """Neither takes the checkpoints of the other with it."""
    before = train(root)
    (root / "log" / before.name).rename(root / "log" / "one")
    (root / "log" / "two").mkdir()
    (root / "log" / "two" / "run.json").write_bytes((root / "log" / "one" / "run.json").read_bytes())
    upkeep.delete("one", log_root=root)
    (left,) = rla.runs(root)
    assert left.name == "two" and rla.latest_checkpoint(left)


def test_a_folder_that_holds_other_runs_is_left_alone(root):
    """A run.json that somebody has put beside runs makes their folder a run, too."""
    run = train(root)
    (root / "log" / "demo" / "run.json").write_bytes(run.paths.run_json.read_bytes())
    with pytest.raises(RLAError, match=r"holds 1 other runs, such as demo/2026|holds 1 other runs"):
        upkeep.delete([each for each in rla.runs(root) if each.name == "demo"])
    assert len(rla.runs(root)) == 2


def test_a_run_without_an_id_keeps_the_one_that_is_made_from_its_name(root):
    """It is written down."""
    run = train(root)
    content = json.loads(run.paths.run_json.read_text())
    del content["id"]
    run.paths.run_json.write_text(json.dumps(content))
    (before,) = rla.runs(root)
    upkeep.move(before, "other")
    assert rla.runs(root)[0].id == before.id == rla.runs(root)[0].run_json["id"]


def test_plans_say_the_new_names(root):
    """Without a change."""
    run = train(root)
    assert plan_move(run, "x").items[0].to == run.name.replace("demo/", "x/", 1)
    assert plan_rename(run, {"seed": 1}).items[0].to == run.name + "&seed=1"


def test_a_run_that_is_a_link_is_not_moved(root, tmp_path):
    """Its run.json, somewhere else, would be changed; it can be deleted, which removes the link."""
    run = train(root)
    run.log_dir.rename(tmp_path / "elsewhere")
    run.log_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RLAError, match=r"is a link to .*elsewhere: move what it leads to"):
        upkeep.move(run, "other")
    upkeep.delete(run)
    assert (tmp_path / "elsewhere" / "run.json").exists() and not rla.runs(root)
    assert upkeep.undo(root).runs and len(rla.runs(root)) == 1


def test_folders_whose_names_trip_whoever_prints_or_splits_them(weird_tmp_path):
    """In a trash of somebody else's, say; and tasks with any letters."""
    root = weird_tmp_path / ".trash" / "root"
    run = train(root, task="a b'c\"d\ne 诗")
    upkeep.delete(run)
    assert [each.task for each in rla.runs(root / ".trash" / "1")] == [run.task]
    upkeep.undo(root)
    upkeep.move(rla.runs(root), "ALE/Pong v5")
    upkeep.rename(rla.runs(root)[0], {"é/=&": "x\ny"})
    (moved,) = rla.runs(root)
    assert moved.task == "ALE/Pong v5" and moved.record == {"lr": 0.1, "é/=&": "x\ny"}
    upkeep.undo(root)
    upkeep.undo(root)
    assert [each.name for each in rla.runs(root)] == [run.name]


def test_a_list_that_is_read_while_runs_move_has_each_once(root, monkeypatch):
    """A run that goes from a folder that was not read yet to one that was; and the other way round."""
    for task in ("b", "a", "c"):
        train(root, task=task)
    folders, acts = (
        run_folders.run_folders,
        [lambda: upkeep.move(rla.runs(root, task="c"), "a"), lambda: upkeep.undo(root)],
    )

    def walk(log_root, task=None):
        found = [*folders(log_root, task)]
        first = [(folder, leaves) for folder, leaves in found if folder.startswith("a/")]
        yield from first
        if task is None and acts:
            acts.pop(0)()
        yield from folders(log_root, "b")
        yield from folders(log_root, "c")
        if task is None and not first:
            yield from folders(log_root, "a")

    monkeypatch.setattr(index, "run_folders", walk)
    assert [run.hparams["lr"] for run in rla.runs(root)] == [0.1] * 3
    assert [run.hparams["lr"] for run in rla.runs(root)] == [0.1] * 3 and not acts


def test_a_list_waits_for_a_move_but_not_for_long(root, forked, monkeypatch):
    """And not for a delete, nor for a process that is gone."""
    train(root)
    read_end, write_end = os.pipe()

    def hold(what):
        with acting(root, what):
            os.write(write_end, b"x")
            signal.pause()

    waited = []
    monkeypatch.setattr(moves.time, "sleep", waited.append)
    monkeypatch.setattr(moves, "LONGEST", 0.05)
    for what, waits in (("delete 3 runs", False), ("move 3 runs", True)):
        child = forked(lambda what=what: hold(what))
        os.read(read_end, 1)
        assert len(rla.runs(root)) == 1 and bool(waited) == waits
        waited.clear()
        os.kill(child.pid, signal.SIGKILL)
        child.ended()
        assert len(rla.runs(root)) == 1 and not waited
