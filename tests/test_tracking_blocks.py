"""``with rla.run()`` and ``rla.start()``: the same run as a tracked call's, for code that is no function."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning, RunError
from rla_hooks.tester import Tester
from rla_hooks.writers.base import Row

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"writers": ["csv"], "backup": "none"}


@pytest.fixture
def saved(tmp_path):
    """The runs on the disk, oldest first."""
    return lambda: rla.runs(tmp_path / "rla_data")


def test_a_block_is_a_run(saved, read_rows):
    """Its options and hyper-parameters are kept, its rows written, and its end is the run's."""
    with rla.run("task", ["lr"], hyper_parameters={"task": "cartpole", "resume": 3}, lr=0.1, **QUICK) as run:
        assert rla.current_run() is run and run.status == "running" and isinstance(run, rla.Run)
        rla.log({"a": 1}, step=5)
        run.log({"a": 2})
    assert rla.current_run() is None and run.status == "finished"
    (made,) = saved()
    assert (made.task, made.status, made.record) == ("task", "finished", {"lr": 0.1})
    assert made.hparams == {"task": "cartpole", "resume": 3, "lr": 0.1}
    assert [row["time-step"] for row in read_rows(made.log_dir / "progress.csv")] == ["5", "6"]


@pytest.mark.parametrize(
    "error, status",
    [
        (ValueError("boom"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "finished"),
        (SystemExit(3), "failed"),
    ],
)
def test_what_leaves_the_block_ends_the_run(error, status, saved):
    """As what leaves a tracked function; it passes on unchanged."""
    with pytest.raises(type(error)) as caught, rla.run(**QUICK):
        raise error
    assert caught.value is error
    (made,) = saved()
    assert made.status == status and ("boom" in (made.info["error"] or "")) == isinstance(error, ValueError)


def test_every_mistake_is_told_at_once_and_nothing_is_created(tmp_path):
    """Options, labels, record parameters and a resume; the same for a block and a started run."""
    options = {
        "task": "../x",
        "record": ["lrr"],
        "config": {"LOG_USD": 1},
        "writers": ["cvs"],
        "tags": "paper",
        "note": 3,
        "hyper_parameters": {"lr": 1},
        "resume": 3,
        "lr": 2,
    }
    for begin in (lambda: rla.run(**options).__enter__(), lambda: rla.start(**options)):
        with pytest.raises(ConfigError) as caught:
            begin()
        problems = "\n".join(caught.value.problems)
        for part in ("'../x' climbs", "LOG_USD", "'cvs'", "'lrr' is no", "tags is 'paper'", "note is 3", "given twice"):
            assert part in problems, part
        assert "resume is 3" in problems
    assert list(tmp_path.iterdir()) == [] and rla.current_run() is None


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no repr")


def test_mistakes_are_told_in_short_whatever_the_value():
    """A value that cannot be shown, and one of ten thousand characters."""
    for value in (Unshowable(), [Unshowable()], ["x" * 10_000] * 3):
        with pytest.raises(ConfigError, match=r"(?s)hyper_parameters is.*tags is.*note is.*group is") as caught:
            rla.start(tags=[value], note=value, group=value, hyper_parameters=[value])
        assert len(str(caught.value)) < 2000


def test_a_hyper_parameter_with_the_name_of_an_option_goes_in_hyper_parameters(tmp_path):
    """There it is a hyper-parameter as any other; what is no mapping is refused."""
    with rla.run("task", hyper_parameters={"allow": 1, "resume": "x"}, **QUICK) as run:
        assert run.parameters() == {"allow": 1, "resume": "x"}
    with pytest.raises(ConfigError, match=r"hyper_parameters is \[1\]. Allowed: a mapping"):
        rla.start(hyper_parameters=[1])


def test_a_started_run_is_current_until_it_is_finished(saved):
    """Also in the threads that its thread starts; finishing twice does nothing, and the worst ending stays."""
    run = rla.start("task", lr=0.1, **QUICK)
    rla.log({"a": 1})
    with ThreadPoolExecutor(2) as pool:
        pool.submit(rla.log, {"a": 2}).result()
    run.finish()
    before = (run.log_dir / "run.json").read_bytes()
    run.finish()
    assert (run.log_dir / "run.json").read_bytes() == before
    assert rla.current_run() is None
    with pytest.raises(RunError, match="outside a run"):
        rla.log({"a": 3})
    run.finish("failed", ValueError("late"))
    (made,) = saved()
    assert made.status == "failed" and made.info["rows"] == 2 and "late" in made.info["error"]


def test_an_ending_is_one_of_the_known_words(saved):
    """A typo is told, and ends nothing."""
    with rla.run(**QUICK) as run:
        for end in (run.finish, run.report):
            with pytest.raises(
                ConfigError, match=r"'finishd'. Known: finished, pruned, preempted, interrupted, failed. Did you mean"
            ):
                end("finishd")
        assert run.status == "running"


def test_runs_one_after_the_other_leave_nothing_behind(tmp_path):
    """A sweep in one process: no run is kept alive by the ones that were started after it."""
    started, blocks = [], []
    for _ in range(5):
        run = rla.start("sweep", writers=["csv"], backup="none")
        rla.log({"a": 1})
        run.finish()
        started.append(weakref.ref(run))
        with rla.run("sweep", writers=["csv"], backup="none") as run:
            rla.log({"a": 1})
        blocks.append(weakref.ref(run))
    del run
    assert rla.current_run() is None
    gc.collect()
    assert [ref() for ref in [*started, *blocks]] == [None] * 10


def test_nested_runs_know_their_parents(saved):
    """Whatever makes them: a block, a started run, a tracked call."""

    @rla.track(task="call", **QUICK)
    def call():
        assert rla.current_run().parent == inner.name
        last = rla.start("last", **QUICK)
        assert rla.current_run() is last
        return last

    with rla.run("outer", **QUICK) as outer:
        inner = rla.start("inner", **QUICK)
        last = call()
        assert rla.current_run() is last, "a started run is left open, and stays current in its thread"
        last.finish()
        assert rla.current_run() is inner
        inner.finish()
        assert rla.current_run() is outer
    parents = {run.task: run.info["parent"] for run in saved()}
    assert (parents["outer"], parents["inner"]) == (None, outer.name)
    assert parents["last"].startswith("call/")


def test_threads_that_start_runs_do_not_mix(saved, read_rows):
    """Each thread's run is its own, and no child of another thread's."""
    barrier = threading.Barrier(4)

    def work(number):
        run = rla.start("t", number=number, **QUICK)
        barrier.wait(60)
        for step in range(20):
            rla.log({"number": number}, step=step)
        barrier.wait(60)
        run.finish()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for made in saved():
        rows = read_rows(made.log_dir / "progress.csv")
        assert [row["number"] for row in rows] == [str(made.hparams["number"])] * 20
        assert made.info["parent"] is None


def test_tasks_of_asyncio_do_not_mix(saved, read_rows):
    """Two tasks of one thread each log to the run that they have started."""

    async def work(number):
        run = rla.start("t", number=number, **QUICK)
        for step in range(3):
            await asyncio.sleep(0)
            rla.log({"number": number}, step=step)
        run.finish()

    async def both():
        await asyncio.gather(work(1), work(2))

    asyncio.run(both())
    rows = {made.hparams["number"]: read_rows(made.log_dir / "progress.csv") for made in saved()}
    assert {number: [row["number"] for row in rows[number]] for number in rows} == {1: ["1"] * 3, 2: ["2"] * 3}


def _block(task):
    with rla.run(task, **QUICK) as run:
        yield run


def test_blocks_may_end_out_of_order(saved):
    """Two generators whose blocks overlap: the run of the open one is current, and none when both have ended."""
    first, second = _block("first"), _block("second")
    next(first)
    run = next(second)
    assert list(first) == [] and rla.current_run() is run
    with rla.run("inner", **QUICK) as inner:
        assert inner.parent == run.name
    assert list(second) == [] and rla.current_run() is None
    assert {made.status for made in saved()} == {"finished"}


def test_a_block_may_end_in_another_thread(saved):
    """A generator that another thread takes to its end, as a teardown in another task of asyncio does."""
    block, errors = _block("task"), []
    run = next(block)

    def end():
        try:
            list(block)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=end)
    thread.start()
    thread.join(60)
    assert errors == [] and run.status == "finished" and rla.current_run() is None


def test_a_thread_does_not_inherit_the_run_of_a_dead_one():
    """The system gives a new thread the number of an old one, which has left a run open."""
    outer, numbers, found = rla.start("outer", **QUICK), [], []

    def leave_open():
        numbers.append(threading.get_ident())
        rla.start("left_open", **QUICK)

    def look():
        numbers.append(threading.get_ident())
        found.append(rla.current_run())

    for work in (leave_open, *[look] * 50):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert numbers[0] in numbers[1:] and set(found) == {outer}


def test_log_files_gen_in_a_started_run_of_a_thread_goes_on_in_the_new_one(saved):
    """Also where another thread has done so, too: each thread's new run is its own."""
    barrier, names = threading.Barrier(2), {}

    def work(task):
        rla.start(task, **QUICK)
        module.log_files_gen()
        barrier.wait(30)
        rla.log({"a": 1})
        names[task] = rla.current_run().task_name

    from rla_hooks import tester as module

    threads = [threading.Thread(target=work, args=(task,)) for task in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert names == {"one": "one", "two": "two"}


def test_ended_runs_are_not_kept():
    """A process that starts run after run, or starts the next one before the last has ended, keeps the last ones."""
    kept, before = [], None
    for _ in range(6):
        run = rla.start("t", writers=[], backup="none")
        kept.append(weakref.ref(run))
        if before is not None:
            before.finish()
        before = run
    run.finish()
    del run, before
    gc.collect()
    assert sum(each() is not None for each in kept) <= 2


@pytest.mark.parametrize("body, code, status", [("", 0, "finished"), ("raise ValueError('boom')", 1, "failed")])
def test_what_nobody_finishes_ends_with_the_process(body, code, status, tmp_path, saved):
    """As a run of RLA's imperative face; the task is the script's name."""
    (tmp_path / "my_script.py").write_text(
        f"import rla_hooks as rla\nrla.start(writers=['csv'], lr=1)\nrla.log({{'a': 1}})\n{body}\n"
    )
    done = subprocess.run([sys.executable, "my_script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    (made,) = saved()
    assert (made.task, made.status, made.info["rows"]) == ("my_script", status, 1)
    assert (made.code_dir / "my_script.py").is_file()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_may_start_a_run_of_its_own(tmp_path, saved):
    """It knows its parent; the parent's run gets nothing from the child."""
    (tmp_path / "script.py").write_text(
        "import os, rla_hooks as rla\n"
        "quick = {'writers': ['csv'], 'backup': 'none'}\n"
        "rla.start('parent', **quick)\n"
        "rla.log({'a': 1})\n"
        "if os.fork() == 0:\n"
        "    rla.log({'a': 99})\n"
        "    run = rla.start('child', **quick)\n"
        "    rla.log({'b': 2})\n"
        "    run.finish()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "rla.log({'a': 3})\n"
    )
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    child, parent = sorted(saved(), key=lambda run: run.task)
    assert parent.metrics()["a"].tolist() == [1, 3] and child.metrics()["b"].tolist() == [2]
    assert child.info["parent"] == parent.name and (child.status, parent.status) == ("finished", "finished")


def test_mode_off_gives_a_silent_run(tmp_path, monkeypatch):
    """It takes everything and writes nothing, as the free functions do; mistakes are no matter."""
    monkeypatch.setenv("RLA_MODE", "off")
    started = rla.start(writers=["nonsense"], lr=1)
    with rla.run("task", record=["nothing"]) as run:
        for each in (run, started):
            each.log({"a": 1}, step=1)
            each.add_scalar("b", 2)
            each.add_hyper_params({"c": 3})
            each.add_custom_data("k", 1)
            assert each.save_checkpoint({"a": 1}) is None and each.save_figure("f", [[0.0]]) is None
            assert (each.name, each.log_dir, each.status, each.is_writing) == (None, None, None, False)
            each.finish()
        rla.log({"a": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_not_the_writing_rank_is_silent(tmp_path, monkeypatch):
    """Rank 1 of a launcher takes everything, writes nothing, and does not raise."""
    monkeypatch.setenv("RANK", "1")
    told = r"rank 1 \(RANK=1\) and records no run.*RLA_RANK=0 or pass independent=True"
    with pytest.warns(RLAWarning, match=told), rla.run("task", lr=1) as run:
        rla.log({"a": 1})
        assert run.status is None
    started = rla.start("task", lr=1)
    rla.log({"a": 1})
    started.finish()
    assert list(tmp_path.iterdir()) == []


def test_labels_are_kept_in_labels_json(saved):
    """tags, note and group of a block, a started run and a tracked call; without any there is no file."""
    labels = {"tags": ["paper", "seed study", "paper"], "note": "with a new loss", "group": "ablation"}
    with rla.run("block", **labels, **QUICK):
        pass
    rla.start("started", **labels, **QUICK).finish()
    rla.track(task="call", **labels, **QUICK)(lambda: None)()
    with rla.run("none", **QUICK):
        pass
    expected = {"format": 1, "tags": ["paper", "seed study"], "note": "with a new loss", "group": "ablation"}
    expected["given"] = labels
    for made in saved():
        path = made.log_dir / "labels.json"
        assert not path.exists() if made.task == "none" else json.loads(path.read_text()) == expected


def test_log_files_gen_inside_of_a_block_goes_on_in_the_new_run(saved):
    """RLA's words may start a further run inside of a tracked one: rows go there, and the block's end is its end."""
    with rla.run("block", **QUICK) as first:
        rla.log({"a": 1})
        tester = Tester.over(first)
        tester.log_files_gen()
        rla.log({"a": 2})
        assert rla.current_run() is tester.run is not first and first.status == "finished"
    assert tester.status == "finished"
    assert [run.metrics()["a"].tolist() for run in saved()] == [[1], [2]]


# --- writers that are objects -----------------------------------------------------------------------------------------


def test_a_writer_may_be_an_object(saved):
    """It gets every row and what is shown, beside the writers that are named, and is closed with the run."""
    memory = testing.MemoryWriter()
    with rla.run("task", writers=["csv", memory], backup="none", lr=0.1) as run:
        rla.log({"a": 1}, step=3)
        rla.log({"a": 2.5, "b": "text"})
        run.add_text("note", "hello")
    assert memory.rows == [(3, {"a": 1}), (4, {"a": 2.5, "b": "text"})] and memory.closed
    assert "note" in [event.tag for event in memory.media]
    (made,) = saved()
    assert made.info["writers"] == ["csv", "memory"] and len(made.metrics()) == 2


class Placed(testing.MemoryWriter):
    """Writes the steps into a file of the run."""

    def begin_run(self, paths):
        self.file = paths.log_dir / "steps.txt"

    def write(self, item):
        if isinstance(item, Row):
            with self.file.open("a") as file:
                file.write(f"{item.step} ")


def test_a_writer_is_told_the_folders_of_its_run(saved):
    """Runs that are open side by side each have the rows of their own, whichever is current."""
    first, second = (rla.start("task", writers=["csv", Placed()], backup="none") for _ in range(2))
    first.log({"a": 1}, step=1)
    second.log({"a": 2}, step=2)
    second.finish()
    first.finish()
    assert [(run.log_dir / "steps.txt").read_text() for run in saved()] == ["1 ", "2 "]


def test_a_writer_that_cannot_begin_stops_no_training(saved):
    """One warning; the other writers have the rows."""
    writer = testing.MemoryWriter()
    writer.begin_run = lambda paths: 1 / 0
    told = pytest.warns(RLAWarning, match=r"begin_run of the writer memory failed: .*division by zero")
    with told, rla.run("task", writers=["csv", writer], backup="none"):
        rla.log({"a": 1}, step=1)
    assert [len(run.metrics()) for run in saved()] == [1] and writer.rows == [(1, {"a": 1})]


class Lacking:
    name = "half"

    def write(self, item):
        return True


class Broken(testing.MemoryWriter):
    """Refuses some rows, and to be closed."""

    def write(self, item):
        if getattr(item, "step", 0) in (1, 2):
            raise ValueError("no such row")
        return super().write(item)

    def close(self):
        raise OSError("no way")


class Unnameable(testing.MemoryWriter):
    @property
    def name(self):
        raise RuntimeError("not yet")

    @name.setter
    def name(self, value):
        pass


@pytest.mark.parametrize(
    "writers, said",
    [
        ([Unnameable()], "has the writer .*Unnameable.*, which lacks name, a text"),
        ([Lacking()], r"has the writer .*Lacking.*, which lacks close\(\)"),
        (["csv", type("Nameless", (Lacking,), {"name": None, "close": print})()], "which lacks name, a text"),
        ([testing.MemoryWriter], "has .*MemoryWriter.*Known: backup, csv"),
        ([object()], "Known: backup, csv, json, log, stdout, tensorboard, warn"),
        (["csv", testing.MemoryWriter("csv")], "two writers with the name 'csv'"),
        ([testing.MemoryWriter(), testing.MemoryWriter()], "two writers with the name 'memory'"),
    ],
)
def test_a_writer_that_is_none_is_told_before_the_start(writers, said, tmp_path):
    """The error names what is missing, and nothing is created."""
    with pytest.raises(ConfigError, match=said):
        rla.start(writers=writers)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_raises_costs_only_its_own_rows(saved):
    """The training goes on with one warning, run.json states the gap, the others have every row."""
    broken = Broken("mine")
    running = rla.run("task", writers=["csv", broken], backup="none")
    with pytest.warns(RLAWarning, match="mine: ") as caught, running:
        for step in range(5):
            rla.log({"a": step}, step=step)
    assert len([each for each in caught if "no such row" in str(each.message)]) == 1
    assert [step for step, _ in broken.rows] == [0, 3, 4]
    (made,) = saved()
    (gap,) = made.info["gaps"]
    assert (gap["writer"], gap["rows"], gap["first_step"], gap["last_step"]) == ("mine", 2, 1, 2)
    assert made.status == "finished" and made.metrics()["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_writer_may_have_attributes_and_a_comparison_of_its_own(saved, recwarn):
    """A dataclass has no hash; ``flush`` and ``message`` are called where they can be."""

    @dataclasses.dataclass
    class Mine:
        name: str = "mine"
        flush: bool = True
        message: str = "hello"

        def write(self, item):
            pass

        def close(self):
            raise OSError("cannot be closed")

    with pytest.warns(RLAWarning) as caught, rla.run("task", writers=["csv", Mine()], backup="none") as run:
        rla.log({"a": 1})
        run.flush()
    assert [str(each.message) for each in caught] == ["mine: cannot be closed. The training goes on."]
    assert Tester.load(run.pkl_file).config.writers == ("csv",)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda kept: pickle.loads(pickle.dumps(kept))])
def test_a_writer_that_cannot_be_pickled_stays_with_the_original(way):
    """Runs and Testers that have one can be: a lambda and a class of a function can be copied, but not pickled."""

    class Local(testing.MemoryWriter):
        pass

    writer = testing.MemoryWriter("lambda")
    writer.transform = lambda value: value
    tester = Tester()
    tester.configure("task", writers=["csv", writer, Local("local"), testing.MemoryWriter()], backup="none")
    assert [getattr(each, "name", each) for each in way(tester).config.writers] == ["csv", "memory"]
    tester.log_files_gen()
    for kept in (tester, tester.run):
        copied = way(kept)
        copied.log({"a": 1})
        assert [each.name for each in copied.logger.output_formats] == ["csv", "memory"]
    assert writer.rows == []
    tester.finish()


def test_a_writer_that_cannot_be_copied_stays_with_the_original(saved):
    """A copy of the run appends to its files; the object that holds a lock is not carried along."""
    writer = testing.MemoryWriter("locked")
    writer.lock = threading.Lock()
    with rla.run("task", writers=["csv", writer], backup="none") as run:
        rla.log({"a": 1})
        copy.deepcopy(run).log({"a": 2})
        copy.copy(run).log({"a": 3})
    assert [values["a"] for _, values in writer.rows] == [1]
    assert saved()[0].metrics()["a"].tolist() == [1, 2, 3]
