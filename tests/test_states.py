"""``rla.save_state`` and ``rla.load_state``: the continued run equals the uninterrupted one."""

from __future__ import annotations

import datetime
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.core import process_end, state_loading
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning, RunError
from rla_hooks.hooks import Every
from rla_hooks.state import writing

pytestmark = pytest.mark.usefixtures("quiet")

OPTIONS = {"task": "t", "log_root": "root", "backup": "none", "writers": ["csv"]}


class Agent:
    """An object with a state of its own, which it changes with all random streams."""

    def __init__(self):
        self.weights = np.zeros(4)
        self.seen = []
        self.rng = np.random.default_rng(7)

    def step(self):
        self.weights += self.rng.random(4) + np.random.random() + random.random()
        self.seen.append(float(self.weights[0]))
        return float(self.weights.sum())


def train(steps, dies_at=None, every=3, wait=True, **more):
    """A training; returns its agent and its buffer."""
    random.seed(1)
    np.random.seed(2)
    agent, ring = Agent(), np.zeros((100, 4), np.float32)
    state = rla.load_state(models={"agent": agent}, buffers=ring)
    for step in range(state.step + 1 if state else 0, steps):
        ring[step] = agent.step()
        rla.log({"weight": ring[step, 0]}, step=step)
        rla.save_state(step, models={"agent": agent}, buffers=ring, every=every, wait=wait, **more)
        if step == dies_at:
            raise KeyboardInterrupt
    return agent, ring


def saved_run():
    return rla.runs("root")[-1]


def states_of(run):
    return [(entry.step, entry.file) for entry in Manifest(run.checkpoint_dir).complete() if entry.name == "state"]


@pytest.mark.norerun
def test_ctrl_c_while_an_old_state_is_deleted_leaves_no_entry_of_it():
    """Large folders take their time: what is gone is not listed, so that nothing reads as damaged."""

    def press(frame, event, argument):
        if frame.f_code.co_name == "rmtree":
            sys.settrace(None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS):
        rla.save_state(0, models=np.zeros(3), keep=1)
        sys.settrace(press)
        try:
            rla.save_state(1, models=np.zeros(3), keep=1)
        finally:
            sys.settrace(None)
    run = saved_run()
    assert run.status == "interrupted" and states_of(run) == [(1, "state-1")]
    assert not Manifest(run.checkpoint_dir).missing()


@pytest.mark.parametrize("wait", [True, False], ids=["waits", "beside"])
def test_a_continued_run_equals_the_uninterrupted_one(wait):
    """Weights, buffer, rows and random numbers, whether it died at a save or after one; rows after it are cut."""
    with rla.run(**OPTIONS):
        agent, ring = train(20)
        numbers = random.random(), np.random.random(), agent.rng.random()
    rows = saved_run().metrics()[["time-step", "weight"]]
    for dies_at in (6, 10):
        with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS) as run:
            train(20, dies_at, wait=wait)
        assert states_of(run)[-1][0] == dies_at // 3 * 3
        with rla.run(**OPTIONS, resume=run.name):
            other, others_ring = train(20, wait=wait)
            assert (random.random(), np.random.random(), other.rng.random()) == numbers
        assert np.array_equal(other.weights, agent.weights) and other.seen == agent.seen
        assert np.array_equal(others_ring, ring)
        assert saved_run().metrics()[["time-step", "weight"]].equals(rows)
        assert [step for step, _ in states_of(run)] == [12, 15, 18]


def test_a_fork_goes_on_from_a_state():
    """With the rows up to there; the states before are there, too, as links, and checkpoints of models beside them."""

    def main(steps=10, lr=0.1):
        agent, _ = train(steps)
        rla.save_checkpoint({"w": agent.weights}, step=steps)
        return agent

    function = rla.track(**OPTIONS)(main)
    first = function()
    original = saved_run()
    other = function.fork(original, steps=10, lr=0.2)
    fork = saved_run()
    assert fork.name != original.name and np.array_equal(other.weights, first.weights)
    assert fork.metrics()["weight"].tolist() == original.metrics()["weight"].tolist()
    assert (fork.checkpoint_dir / "state-6/state.json").stat().st_nlink == 2
    assert np.array_equal(function.fork(original, step=3, steps=10, lr=0.3).weights, first.weights)


def test_objects_may_be_passed_alone_or_by_name():
    """What cannot be changed in place is new: in the dict that was passed, and in what is returned."""
    with rla.run(**OPTIONS) as run:
        assert rla.load_state(models=[1]) is None and states_of(run) == []
        given = {"steps": 5, "returns": [1.0], "shape": (1, 2)}
        rla.log({"x": 1}, step=4)
        path = rla.save_state(models=given, buffers=np.arange(3), extra={"rng": np.random.default_rng(1)})
        assert path == run.checkpoint_dir / "state-4" and states_of(run) == [(4, "state-4")]
        returns, ring, rng = [], np.zeros(3, int), np.random.default_rng(2)
        into = {"steps": 0, "returns": returns, "shape": (0, 0)}
        state = rla.load_state(models=into, buffers={"model": ring}, extra={"rng": rng})
        assert into == given and returns == [1.0] and into["returns"] is returns and ring.tolist() == [0, 1, 2]
        assert state.step == 4 and state.missing == [] and state.extra["rng"] is rng
        assert rng.random() == np.random.default_rng(1).random()
        assert state.restored == {"models": given, "buffers": {"model": ring}}
        new = rla.load_state(models=dict(given), buffers=ring)
        assert new.extra["rng"].random() == np.random.default_rng(1).random()


def test_the_newest_and_the_best_stay():
    """By a metric, the greater or the smaller the better; checkpoints of models are counted apart."""
    scores = [5, 9, 1, 7, 2, 3, 4]
    for mode, best in (("max", 1), ("min", 2)):
        with rla.run(**OPTIONS) as run:
            rla.new_saver(max_to_keep=1)
            for step, score in enumerate(scores):
                rla.log({"return": score}, step=step)
                rla.save_checkpoint({"w": [step]}, step=step)
                rla.save_state(models=[step], keep=2, keep_best=1, monitor="return", mode=mode)
            rla.save_state(models=[0], keep=2, step=9, monitor="unknown", mode=mode)
            assert [step for step, _ in states_of(run)] == [best, 6, 9]
            listed = Manifest(run.checkpoint_dir).complete()
            assert [entry.file for entry in listed if entry.name == "checkpoint"] == ["checkpoint-6.pkl"]
            assert listed[0].info == {"writer": "state", "monitor": "return", "mode": mode, "score": scores[best]}
            assert sorted(path.name for path in run.checkpoint_dir.glob("state*")) == [
                f"state-{n}" for n in (best, 6, 9)
            ]
            rla.save_state(models=[1], keep=None, step=9)
            assert states_of(run)[-1] == (9, "state-9.1") and not (run.checkpoint_dir / "state-9").exists()


def test_every_so_many_steps_or_so_long():
    """By a number, an interval of time or Every; a state that was loaded counts."""
    with rla.run(**OPTIONS) as run:
        assert [bool(rla.save_state(step, models=[1], every=4)) for step in range(6)] == [
            True,
            *[False] * 3,
            True,
            False,
        ]
        rla.load_state(models=[0])
        assert [bool(rla.save_state(step, models=[1], every=4)) for step in (5, 7, 8)] == [False, False, True]
        hour = datetime.timedelta(hours=1)
        assert not rla.save_state(9, models=[1], every=hour)
        assert [bool(rla.save_state(step, models=[1], every=Every(5, 3600))) for step in (8, 9, 13)] == [
            False,
            True,
            False,
        ]
        assert [step for step, _ in states_of(run)] == [4, 8, 9]


def test_the_first_call_after_a_signal_saves(monkeypatch):
    """Whatever ``every`` says, once for each request to stop."""
    with rla.run(**OPTIONS):
        rla.save_state(0, models=[1], every=100)
        monkeypatch.setattr(process_end, "preempted_by", lambda: "SIGTERM")
        assert [bool(rla.save_state(step, models=[1], every=100)) for step in (1, 2)] == [True, False]


def test_what_changes_after_a_save_beside_the_training_is_not_in_it(monkeypatch):
    """Small and large arrays; the next save waits for it, and so does a load, and the end."""
    weights, ring = np.zeros(3), np.zeros(20 << 20, np.uint8)
    with rla.run(**OPTIONS) as run:
        for step in range(3):
            weights[:] = step
            ring[step << 20] = step + 1
            path = rla.save_state(step, models=weights, buffers=ring, wait=False)
            assert path.name == f"state-{step}"
            weights[:], ring[step << 20] = 99, 99
            ring[step << 20] = step + 1
            if step == 1:
                assert rla.load_state(models=weights, buffers=np.zeros_like(ring)).step == 1 and weights[0] == 1
        rla.current_run().states.finish_saving()
        assert rla.load_state(models=weights, buffers=ring).step == 2 and weights.tolist() == [2, 2, 2]
        assert [ring[step << 20] for step in range(4)] == [1, 2, 3, 0]
        rla.save_state(3, models=weights, buffers=ring, wait=False)
    assert states_of(run)[-1][0] == 3 and Manifest(run.checkpoint_dir).newest("state").step == 3


def test_an_error_beside_the_training_is_a_warning(monkeypatch):
    """The former state stays; the next one is saved when there is room again."""
    with rla.run(**OPTIONS) as run:
        rla.save_state(0, models=[1])

        def full(self):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(writing.Writing, "finish", full)
            with pytest.warns(RLAWarning, match=r"step 1 was not saved: .*No space left.*The training goes on"):
                rla.save_state(1, models=[1], wait=False)  # says it by itself if the thread was quick
                run.states.finish_saving()
            for wait in (False, True):
                rla.save_state(2, models=[1], wait=wait)  # said once
                run.states.finish_saving()
        assert rla.save_state(3, models=[1]) and [step for step, _ in states_of(run)] == [0, 3]
    assert sorted(path.name for path in run.checkpoint_dir.iterdir()) == ["manifest.json", "state-0", "state-3"]


def test_a_disk_without_room_gives_one_warning(monkeypatch):
    """Before a byte is written."""
    with rla.run(**OPTIONS) as run:
        usage = shutil.disk_usage(".")
        monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
        with pytest.warns(RLAWarning, match="needs .* bytes, and the disk has 1,048,576 free"):
            assert rla.save_state(0, models=np.zeros(1 << 20)) is None
        assert states_of(run) == []


def test_everything_that_does_not_fit_is_named_and_nothing_changes():
    """Shapes, types, names on both sides, kinds; with partial=True what fits is restored."""
    with rla.run(**OPTIONS):
        first = {"w": np.ones(3), "v": np.ones(2, np.float32), "n": [1]}
        rla.save_state(0, models={"policy": first, "critic": np.ones(2)}, buffers=np.ones(4))
        before = random.getstate()
        random.random()
        moved = random.getstate()
        other = {"w": np.zeros(4), "v": np.zeros(2), "n": [0]}
        critic, given = np.zeros(2), {"policy": other, "critic": None, "q": np.zeros(1)}
        given["critic"] = critic
        with pytest.raises(CheckpointError) as caught:
            rla.load_state(models=given, optimizers=[1])
        for words in (
            "policy.w has shape (4,) and in the state (3,)",
            "policy.v has dtype float64 and in the state float32",
            "models.q is not in the state (there is: policy, critic)",
            "optimizers.model is not in the state",
            "buffers.model is in the state, and was not passed",
            "nothing was restored",
        ):
            assert words in str(caught.value)
        assert other["n"] == [0] and critic.tolist() == [0, 0] and random.getstate() == moved
        state = rla.load_state(models=given, optimizers=[1], partial=True)
        assert other["n"] == [0] and critic.tolist() == [1, 1] and random.getstate() == before
        assert len(state.missing) == 5 and list(state.restored["models"]) == ["critic"]


class Ring:
    """A replay buffer."""

    def __init__(self):
        self.data, self.position, self.rng = np.zeros(20 << 20, np.uint8), 0, np.random.default_rng(0)


@pytest.mark.parametrize("wait", [True, False], ids=["waits", "beside"])
def test_a_buffer_that_another_thread_fills_is_an_error(wait, monkeypatch):
    """The former state stays, and so do no files of the new one; nothing hangs."""
    ring = Ring()
    with rla.run(**OPTIONS) as run:
        rla.save_state(0, buffers=ring)
        link = writing.Former.link

        def filled(self, digest, target):
            ring.position += 1
            return link(self, digest, target)

        monkeypatch.setattr(writing.Former, "link", filled)
        with pytest.warns(RLAWarning, match=r"buffers\.model was changed while it was saved .*position was 0 and is 5"):
            assert rla.save_state(1, buffers=ring, wait=wait) is None
        monkeypatch.undo()
        assert [step for step, _ in states_of(run)] == [0] and rla.load_state(buffers=ring).step == 0
        assert ring.position == 0 and rla.save_state(2, buffers=ring)
    assert sorted(path.name for path in run.checkpoint_dir.iterdir()) == ["manifest.json", "state-0", "state-2"]


@pytest.mark.parametrize("wait", [True, False], ids=["waits", "beside"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda ring: ring["at"].append(1), r"ring\.at had 1 items and has 2"),
        (lambda ring: ring.update(more=0), r"ring had 2 items and has 3"),
        (lambda ring: ring["at"].__setitem__(0, 7), r"ring\.at\[0\] was 0 and is 7"),
    ],
    ids=["longer", "new", "other"],
)
def test_a_small_buffer_that_another_thread_fills_is_an_error(change, told, wait, monkeypatch):
    """It is written in one piece, before the models, and compared with what it was then."""
    ring = {"data": np.zeros(10), "at": [0]}
    with rla.run(**OPTIONS) as run:
        rla.save_state(0, models=np.zeros(3), buffers={"ring": ring})
        begin = writing.Writing.begin

        def filled(self):
            begin(self)
            change(ring)

        monkeypatch.setattr(writing.Writing, "begin", filled)
        with pytest.warns(RLAWarning, match=rf"buffers\.{told}.*another thread fills it"):
            assert rla.save_state(1, models=np.zeros(3), buffers={"ring": ring}, wait=wait) is None
    assert [step for step, _ in states_of(run)] == [0]


def test_a_part_that_is_damaged_is_written_again():
    """A resume goes back behind it, and comes to the same bytes: it must not link the file that is damaged."""
    ring = np.zeros((3, 8 << 20), np.uint8)

    def go_on(steps):
        state = rla.load_state(buffers=ring)
        for step in range(state.step + 1 if state else 0, steps):
            ring[step] = step + 1
            rla.save_state(step, buffers=ring)

    with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS) as run:
        go_on(2)
        raise KeyboardInterrupt
    file = next(each for each in run.checkpoint_dir.glob("state-1/**/*.npy") if each.stat().st_nlink == 1)
    with open(file, "r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"x")
    with pytest.warns(RLAWarning, match="state-1 has changed"), rla.run(resume=saved_run(), **OPTIONS):
        go_on(3)
    manifest = Manifest(run.checkpoint_dir)
    assert [(each.step, manifest.trouble(each)) for each in manifest.complete()] == [(0, None), (1, None), (2, None)]


class Stubborn:
    """Says that it takes a state, and then refuses it."""

    def __init__(self, refuses=False):
        self.refuses, self.value = refuses, 1

    def get_state(self):
        return {"value": self.value}

    def set_state(self, state):
        if self.refuses:
            self.refuses = False
            raise ValueError("no")
        self.value = state["value"]


def test_an_object_that_refuses_its_state_leaves_all_as_it_was():
    """Also those that had theirs already."""
    with rla.run(**OPTIONS):
        rla.save_state(0, models={"a": np.ones(2), "b": Stubborn()})
        weights, stubborn = np.zeros(2), Stubborn(refuses=True)
        stubborn.value = 5
        with pytest.raises(CheckpointError, match=r"models\.b, a Stubborn, raised ValueError: no"):
            rla.load_state(models={"a": weights, "b": stubborn})
        assert weights.tolist() == [0, 0] and stubborn.value == 5


def test_a_damaged_state_is_passed_over_with_a_warning():
    """A flipped bit anywhere, a file that is missing; if all are damaged, that is an error."""
    weights = np.zeros(3)
    with rla.run(**OPTIONS) as run:
        for step in range(3):
            rla.save_state(step, models=np.full(3, step, float))
        file = run.checkpoint_dir / "state-2/models/model.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        with pytest.warns(RLAWarning, match=r"state-2 has changed since it was written.*Step 1 is loaded instead"):
            assert rla.load_state(models=weights).step == 1
        with pytest.raises(CheckpointError, match="has changed since"):
            rla.load_state(models=weights, step=2)
        (run.checkpoint_dir / "state-1/state.json").unlink()
        with pytest.warns(RLAWarning):
            assert rla.load_state(models=weights).step == 0
        shutil.rmtree(run.checkpoint_dir / "state-0")
        with pytest.raises(CheckpointError, match="States are there of the steps: 2"):
            rla.load_state(models=weights)
        with pytest.raises(CheckpointError, match="No state of step 7"):
            rla.load_state(models=weights, step=7)


def test_states_and_checkpoints_are_not_taken_for_each_other():
    """What loads one says what the other is for."""
    with rla.run(**OPTIONS) as run:
        rla.save_state(1, models=[1])
        assert rla.latest_checkpoint(run) is None and rla.latest_checkpoint(run, "state").name == "state-1"
        with pytest.raises(CheckpointError, match=r"rla\.load_state"):
            rla.load_checkpoint()
        for given in ({"checkpoint_name": "state"}, {"run": run.checkpoint_dir / "state-1"}):
            with pytest.raises(CheckpointError, match=r"is a whole state\. Restore it with rla\.load_state"):
                rla.load_checkpoint(**given)
        rla.save_checkpoint({"w": [2]}, step=2)
        assert rla.load_state(models=[0]).step == 1 and rla.load_checkpoint()[0] == 2
        assert rla.latest_checkpoint(run).name == "checkpoint-2.pkl"


def test_what_cannot_be_stored_is_an_error_at_first_and_a_warning_later():
    """A program that never could be resumed is told at its beginning; a training that goes on is not stopped."""
    with rla.run(**OPTIONS) as run:
        for _ in range(2):
            with pytest.raises(CheckpointError, match=r"models\.a is a function.*; models\.b is an object") as told:
                rla.save_state(0, models={"a": lambda: 1, "b": object()})
            assert str(told.value).count("Give its class get_state() and set_state(state)") == 1
        rla.save_state(1, models=[1])
        with pytest.warns(RLAWarning, match=r"state of step 2 was not saved: .*models\.a is a function"):
            assert rla.save_state(2, models={"a": lambda: 1}) is None
        assert [step for step, _ in states_of(run)] == [1]
        problems = {"keep": 0, "keep_best": -1, "mode": "best"}
        with pytest.raises(ConfigError) as caught:
            rla.save_state(3, models=[1], **problems)
        assert len(caught.value.problems) == 3
        for every in ("10", 0, 1.5, True):
            with pytest.raises(ConfigError):
                rla.save_state(3, models=[1], every=every)


def test_arrays_in_extra_have_a_folder_of_their_own():
    """Also where they are in parts; a state that has them in the folder of before is read."""
    large = np.arange(5 << 20)
    with rla.run(**OPTIONS) as run:
        path = rla.save_state(1, extra={"seen": np.ones(3), "large": large})
        assert sorted(each.name for each in (path / "extra").iterdir()) == ["values", "values.safetensors"]
        (path / "extra").rename(path / "%2E")
        text = (path / "state.json").read_text().replace('"extra/values', '"%2E/values')
        (path / "state.json").write_text(text)
        manifest = Manifest(run.checkpoint_dir)
        manifest.forget(*manifest.entries())
        manifest.add(path.name, "state", 1, info={"writer": "state"})
        extra = rla.load_state().extra
    assert extra["seen"].tolist() == [1, 1, 1] and np.array_equal(extra["large"], large)


def test_the_state_of_another_run():
    """By its id, by the path of one state, with a run open and without; run.json says so."""
    with rla.run(**OPTIONS) as first:
        for step in range(2):
            rla.save_state(step, models=np.full(2, step + 1.0))
    weights = np.zeros(2)
    assert rla.load_state(models=weights, run=first.checkpoint_dir).step == 1 and weights[0] == 2
    assert rla.load_state(models=weights, run=first.checkpoint_dir / "state-0").step == 0 and weights[0] == 1
    with rla.run(**OPTIONS) as second:
        assert rla.load_state(models=weights, run=first.name).step == 1
        assert rla.load_state(models=weights) is None
    assert second.record.content["loaded_from"][-1]["file"] == "state-1"
    with pytest.raises(RunError):
        rla.load_state(models=weights)


def test_who_does_not_write_saves_nothing(monkeypatch):
    """With tracking off, and on another rank; that one restores the objects, and keeps its own random numbers."""
    with rla.run(**OPTIONS) as run:
        rla.save_state(1, models=np.ones(2))
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(**OPTIONS):
        assert rla.save_state(2, models=[1]) is None and rla.load_state(models=[1]) is None
    monkeypatch.delenv("RLA_MODE")
    follower, weights = rla.Run.silent(run.paths), np.zeros(2)
    random.random()
    before = random.getstate()
    assert follower.save_state(2, models=weights) is None
    assert follower.load_state(models=weights).step == 1 and weights.tolist() == [1, 1] and random.getstate() == before


def test_a_state_that_another_process_deletes_meanwhile(monkeypatch):
    """The next one is taken."""
    with rla.run(**OPTIONS) as run:
        rla.save_state(1, models=[1])
        rla.save_state(2, models=[2])
        chosen = state_loading._chosen

        def delete(manifest, step):
            entry = chosen(manifest, step)
            if entry.step == 2:
                shutil.rmtree(run.checkpoint_dir / entry.file)
            return entry

        monkeypatch.setattr(state_loading, "_chosen", delete)
        into = [0]
        assert rla.load_state(models={"model": into}).step == 1 and into == [1]
        assert os.listdir(run.checkpoint_dir)


def test_a_state_that_is_being_written_when_the_program_ends_is_complete(tmp_path):
    """The program waits for it, though the interpreter starts no threads any more."""
    code = """if True:
        import time
        import numpy as np
        import rla_hooks as rla
        from rla_hooks.state import writing

        begin = writing.Writing._finish
        writing.Writing._finish = lambda self: (time.sleep(0.2), begin(self))[1]  # the program is at its end by then
        rla.start(task="t", log_root="root", backup="none", writers=["csv"])
        rla.save_state(3, models=np.ones(5), buffers=np.ones(20 << 20, np.uint8), wait=False)
    """
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path, timeout=100)
    weights = np.zeros(5)
    assert rla.load_state(models=weights, run=rla.runs("root")[-1], partial=True).step == 3 and weights.all()
