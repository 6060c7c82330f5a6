"""``@rla.track``: calls become runs, arguments become hyper-parameters, and the function notices nothing."""

from __future__ import annotations

import argparse
import asyncio
import csv
import dataclasses
import enum
import functools
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import MagicMock

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RunError

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def track(tmp_path):
    """The decorator, with runs in a temporary log root and no code backup."""
    return functools.partial(rla.track, task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")


@pytest.fixture
def saved(tmp_path):
    """All runs of the temporary log root, oldest first."""
    return lambda: rla.runs(tmp_path / "root")


@pytest.fixture
def params(saved):
    """The parameter.json of the newest run."""
    return lambda: json.loads((saved()[-1].log_dir / "parameter.json").read_text())


def rows_of(run):
    with open(run.log_dir / "progress.csv", newline="") as file:
        return list(csv.DictReader(file))


# --- arguments ----------------------------------------------------------------------------------------------------


def test_a_bare_decorator_uses_defaults_and_the_functions_name(tmp_path):
    """Without any argument or config, runs land in ./rla_data under the function's name."""

    @rla.track
    def little_task(lr=0.1):
        return lr

    assert little_task() == 0.1
    (run,) = rla.runs()
    assert (run.task, run.status, run.hparams) == ("little_task", "finished", {"lr": 0.1})
    assert run.log_dir.is_relative_to(tmp_path / "rla_data")
    assert any(file.name == "test_tracking.py" for file in run.code_dir.rglob("*.py"))


def test_every_kind_of_parameter_is_recorded(track, params):
    """Positional, keyword-only, default, *args and **kwargs parameters are hyper-parameters as they are bound."""

    @track(record=["c"])
    def f(a, /, b, *rest, c, d=4, **more):
        return a, b, rest, c, d, more

    assert f(1, 2, 3, 3.5, c="x", e=5) == (1, 2, (3, 3.5), "x", 4, {"e": 5})
    assert params() == {"a": 1, "b": 2, "rest": [3, 3.5], "c": "x", "d": 4, "e": 5}
    f(1, 2, c="x")
    assert params() == {"a": 1, "b": 2, "c": "x", "d": 4}


def test_methods_record_no_receiver(track, params):
    """``self`` and ``cls`` are no hyper-parameters, nor do they spoil a lone config."""

    class Agent:
        @track
        def train(self, lr=1):
            return self, lr

        @classmethod
        @track
        def make(cls, config):
            return cls, config

        @staticmethod
        @track
        def helper(x=2):
            return x

    agent = Agent()
    assert agent.train(3) == (agent, 3) and params() == {"lr": 3}
    assert Agent.make({"a": {"b": 1}})[0] is Agent and params() == {"a.b": 1}
    assert agent.helper() == 2 and params() == {"x": 2}


def test_a_function_parameter_named_self_is_kept(track, params):
    """Outside a class ``self`` is a parameter as any other."""

    @track
    def f(self, b=1):
        return self

    assert f(7) == 7 and params() == {"self": 7, "b": 1}


def test_the_name_holds_the_record_parameters(track, saved):
    """Record keys reach through dots into nested configs, and stand in the run's name in the order given."""

    @track(record=["net.width", "lr"])
    def f(lr, net):
        pass

    f(0.1, {"width": 64, "deep": True})
    assert saved()[0].name.endswith("_&net.width=64&lr=0.1")
    assert saved()[0].task == "t"


Point = namedtuple("Point", "x y")


class Typed(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Data:
    x: int
    y: int


def configs():
    import attrs
    from omegaconf import OmegaConf
    from pydantic import BaseModel

    @attrs.define
    class Attrs:
        x: int
        y: int

    class Model(BaseModel):
        x: int
        y: int

    return {
        "dict": {"x": 1, "y": 2},
        "dataclass": Data(1, 2),
        "argparse": argparse.Namespace(x=1, y=2),
        "simple namespace": SimpleNamespace(x=1, y=2),
        "namedtuple": Point(1, 2),
        "NamedTuple": Typed(1, 2),
        "omegaconf": OmegaConf.create({"x": 1, "y": 2}),
        "pydantic": Model(x=1, y=2),
        "attrs": Attrs(x=1, y=2),
    }


@pytest.mark.parametrize("kind", configs())
def test_configs_are_flattened(kind, track, saved, params):
    """A lone config of any kind stands without a prefix, one of several with it; the function gets the object."""
    given = configs()[kind]
    lone = track(record="y")(lambda cfg, **more: cfg)
    assert lone(given) is given and params() == {"x": 1, "y": 2}
    assert saved()[-1].name.endswith("_&y=2")
    several = track(record=["cfg.x"])(lambda cfg, seed=0: cfg)
    assert several(given) is given and params() == {"cfg.x": 1, "cfg.y": 2, "seed": 0}


class Color(enum.Enum):
    RED = "red"


class BadRepr:
    def __repr__(self):
        raise RuntimeError("no")


class BadLength:
    def __len__(self):
        raise RuntimeError("no")

    def __bool__(self):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


class AnyAttribute:
    def __getattr__(self, name):
        return lambda *args, **kwargs: pytest.fail(f"{name} was called")


class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("working outside of the context")


def test_odd_values_are_stored_safe_and_passed_as_they_are(track, params):
    """Whatever is passed in, the run starts, nothing of it is called, and the function gets the very object."""
    torch = pytest.importorskip("torch")
    loop = [1]
    loop.append(loop)
    mock = MagicMock(side_effect=AssertionError("called"))
    given = {
        "function": lambda: pytest.fail("called"),
        "path": Path("a") / "b",
        "enum": Color.RED,
        "np_float": np.float32(0.5),
        "np_array": np.arange(3),
        "big_array": np.zeros((100, 100)),
        "tensor": torch.ones(2, requires_grad=True),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "loop": loop,
        "bad_repr": BadRepr(),
        "bad_length": BadLength(),
        "any_attribute": AnyAttribute(),
        "proxy": Proxy(),
        "mock": mock,
        "nan": float("nan"),
        "huge": 10**400,
        "kind": dict,
        "partial": functools.partial(print, 1),
    }
    seen = {}
    track(lambda **kwargs: seen.update(kwargs))(**given)
    assert all(seen[name] is given[name] for name in given)
    stored = params()
    assert set(stored) == set(given)
    exact = {"path": "a/b", "enum": "red", "np_float": 0.5, "np_array": [0, 1, 2], "tensor": [1.0, 1.0], "kind": "dict"}
    assert {name: stored[name] for name in exact} == exact
    assert stored["loop"] == [1, "<recursive>"] and stored["huge"] == 10**400
    assert "repr raises RuntimeError" in stored["bad_repr"]
    assert "lambda" in stored["function"] and "0x" not in stored["function"]
    assert stored["device"] == "device(type='cpu')" and stored["dtype"] == "torch.float32"
    assert not mock.mock_calls


def test_the_defaults_of_a_lower_decorator_are_its_own(track, params):
    """A decorator below that supplies arguments (gin, hydra) keeps working; what is given is recorded."""

    def supplies(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, lr=0.5, **kwargs)

        return inner

    @track
    @supplies
    def f(seed, lr):
        return seed, lr

    assert f(seed=3) == (3, 0.5) and params() == {"seed": 3}


# --- what is visible, what passes through --------------------------------------------------------------------------


def test_signature_name_and_doc_stay_visible(track):
    """Command-line libraries read these."""

    @track
    def f(a: int, *, b: str = "x") -> int:
        """Documented."""
        return a

    assert (f.__name__, f.__doc__, str(inspect.signature(f))) == (
        "f",
        "Documented.",
        "(a: 'int', *, b: 'str' = 'x') -> 'int'",
    )
    assert f.__wrapped__(1) == 1


def test_results_and_exceptions_pass_unchanged(track, saved):
    """The caller gets the very object and the very exception; a failure keeps its traceback."""
    result, error = object(), KeyError("the reason")

    @track
    def f(fail):
        if fail:
            raise error
        return result

    assert f(False) is result
    with pytest.raises(KeyError) as caught:
        f(True)
    assert caught.value is error
    assert error.__cause__ is None and error.__context__ is None
    assert [run.status for run in saved()] == ["finished", "failed"]
    text = saved()[1].info["error"]
    assert "KeyError: 'the reason'" in text and "raise error" in text
    assert saved()[0].info["error"] is None


@pytest.mark.parametrize("args, kwargs", [((), {}), ((1, 2, 3), {}), ((1,), {"typo": 2}), ((1,), {"a": 2})])
def test_a_wrong_call_raises_pythons_own_error(args, kwargs, track, tmp_path):
    """A missing, surplus or unknown argument is told in the words of the function itself, and nothing is created."""

    def f(a, b=2):
        pytest.fail("called")

    with pytest.raises(TypeError) as plain:
        f(*args, **kwargs)
    with pytest.raises(TypeError) as tracked:
        track(f)(*args, **kwargs)
    assert str(tracked.value) == str(plain.value)
    assert tracked.value.__context__ is None
    assert not (tmp_path / "root").exists()


def test_an_async_wrong_call_leaves_no_coroutine(track, tmp_path, recwarn):
    """A coroutine function that is called wrongly raises too."""

    @track
    async def f(a):
        pytest.fail("called")

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        asyncio.run(f())
    assert not (tmp_path / "root").exists() and not recwarn.list


@pytest.mark.parametrize(
    "wrong, said",
    [
        (classmethod(lambda cls: 1), "above @classmethod"),
        (staticmethod(lambda: 1), "above @staticmethod"),
        (int, "a function or a method"),
        (type("Agent", (), {"__call__": lambda self: 1})(), "a function or a method"),
        ("lr", "record="),
        (["lr"], "record="),
    ],
)
def test_what_is_no_function_is_refused(wrong, said, track):
    """Classes, callables and forgotten keywords get one clear error when they are decorated."""
    with pytest.raises(ConfigError, match=said):
        track(wrong)


def test_generators_are_refused(track):
    """The call of a generator function returns before its body runs, so it would be an empty run."""

    def generator():
        yield

    async def asynchronous():
        yield

    for function in (generator, asynchronous):
        with pytest.raises(ConfigError, match=f"generator function .*{function.__name__}"):
            track(function)


# --- mistakes -------------------------------------------------------------------------------------------------------


def test_all_mistakes_come_in_one_error_before_anything_is_created(track, tmp_path):
    """An unknown record key, an unknown writer, an unknown config key and a bad task are told together."""

    @track(record=["lr", "sed"], writers=["cvs"], task="/abs", config={"LOG_ROT": 1})
    def f(seed=0):
        pytest.fail("called")

    with pytest.raises(ConfigError) as caught:
        f()
    problems = "\n".join(caught.value.problems)
    for part in ("'lr' is no hyper-parameter", "Did you mean 'seed'", "'cvs'", "'/abs' is an absolute", "LOG_ROT"):
        assert part in problems, part
    assert not (tmp_path / "root").exists() and not (tmp_path / "rla_data").exists()


@pytest.mark.parametrize("record", [["lrr"], "lrr", ["net"], ["net.depth"], [1], [["lr"]], [{"lr": 1}]])
def test_a_record_key_that_is_no_parameter_is_refused(record, track, tmp_path):
    """Also a key of a nested config, a group of keys, and a number."""
    f = track(record=record)(lambda lr=1, net={"width": 2}: pytest.fail("called"))
    with pytest.raises(ConfigError, match=r"is no hyper-parameter\. Known: lr, net\.width"):
        f()
    assert not (tmp_path / "root").exists()


def test_record_may_be_none_and_must_be_names(track, saved):
    """None is no record parameter; a number is a mistake with a clear text."""
    track(record=None)(lambda a=1: None)()
    assert "&" not in saved()[0].name
    with pytest.raises(ConfigError, match="the record parameters are 5"):
        track(record=5)(lambda a=1: None)()


@pytest.mark.parametrize("task", ["", "  ", "../up", "a/../../b", "/abs"])
def test_a_bad_task_name_is_refused(task, track, tmp_path):
    """Empty, absolute and climbing names leave nothing behind."""
    with pytest.raises(ConfigError, match="task name"):
        track(task=task)(lambda: None)()
    assert list(tmp_path.iterdir()) == []


# --- config ---------------------------------------------------------------------------------------------------------


def test_the_config_is_found_upwards_by_argument_and_by_variable(tmp_path, monkeypatch):
    """The argument wins over RLA_CONFIG, which wins over the file above the working directory."""
    for name in ("above", "named", "given"):
        (tmp_path / f"{name}.yaml").write_text(f"LOG_ROOT: ./{name}\nPROJECT_TYPE: {{backup_code_by: none}}\n")
    (tmp_path / "above.yaml").rename(tmp_path / "rla_config.yaml")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    rla.track(task="t")(lambda: None)()
    assert len(rla.runs(tmp_path / "above")) == len(rla.runs()) == 1
    monkeypatch.setenv("RLA_CONFIG", str(tmp_path / "named.yaml"))
    rla.track(task="t")(lambda: None)()
    assert len(rla.runs(tmp_path / "named")) == len(rla.runs()) == 1
    rla.track(task="t", config=tmp_path / "given.yaml")(lambda: None)()
    assert len(rla.runs(tmp_path / "given")) == 1
    rla.track(task="t", config={"LOG_USED": "csv"}, log_root=tmp_path / "last", backup="none")(lambda: None)()
    assert [run.info["writers"] for run in rla.runs(tmp_path / "last")] == [["csv"]]


def test_mode_off_leaves_nothing_on_disk(track, tmp_path, monkeypatch):
    """With RLA_MODE=off the function runs, and every door takes what it is given and does nothing."""
    from rla_hooks.easy_log import logger
    from rla_hooks.easy_log.tester import tester, time_step_holder
    from rla_hooks.easy_log.time_used_recorder import time_record, time_record_end

    monkeypatch.setenv("RLA_MODE", "off")

    @track(record=["nonsense"])
    def f(x):
        assert rla.current_run() is None
        rla.log({"a": 1}, step=1)
        rla.new_saver(max_to_keep=2)
        assert rla.save_checkpoint({"a": 1}) is None
        assert rla.save_figure("f", np.zeros((4, 4))) is None
        assert rla.simple_plot(name="p", data=[[1]]) is None
        assert rla.simple_scatter(name="p", datas=[[[1, 2]]]) is None
        assert rla.simple_hist(name="p", data=[[1]]) is None
        logger.record_tabular("a", 1)
        logger.dump_tabular()
        logger.info("text")
        time_step_holder.set_time(7)
        assert logger.timestep() == 7
        time_record("a")
        assert time_record_end("a") >= 0
        tester.set_hyper_param(a=1)
        tester.configure(task_name="t", log_root=tmp_path / "root")
        tester.log_files_gen()
        tester.print_args()
        tester.save_checkpoint({"a": 1})
        return x

    result = object()
    try:
        assert f(result) is result
    finally:
        time_step_holder.clear()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RLA_MODE", "of")
    with pytest.raises(ConfigError, match=r"RLA_MODE is 'of'. Known: on, off"):
        f(1)


def test_other_ranks_run_silently(track, tmp_path, monkeypatch):
    """Where a launcher says that this is rank 1, nothing is written and nothing raises, also in threads."""
    from rla_hooks.easy_log import logger

    monkeypatch.setenv("RANK", "1")

    @track
    def f():
        rla.log({"a": 1})
        with ThreadPoolExecutor() as pool:
            pool.submit(rla.log, {"a": 2}).result()
        rla.save_checkpoint({"a": 1})
        return "done"

    with pytest.warns(rla.RLAWarning, match="rank 1") as told:
        assert f() == "done" and f() == "done"
    assert len(told) == 1
    logger.logkv("a", 1)
    logger.dumpkvs()
    assert list(tmp_path.iterdir()) == []


# --- several runs ---------------------------------------------------------------------------------------------------


def test_nested_calls_have_their_own_runs(track, saved):
    """Each run has its own rows, its own status, and knows its parent."""

    @track(task="outer")
    def outer():
        me = rla.current_run()
        rla.log({"o": 1})
        with pytest.raises(ValueError):
            inner()
        assert rla.current_run() is me
        rla.log({"o": 2})
        return me.name

    @track(task="inner")
    def inner():
        rla.log({"i": 10})
        raise ValueError

    name = outer()
    inner_run, outer_run = sorted(saved(), key=lambda run: run.task)
    assert (inner_run.status, outer_run.status) == ("failed", "finished")
    assert inner_run.info["parent"] == outer_run.name == name and outer_run.info["parent"] is None
    assert [row["o"] for row in rows_of(outer_run)] == ["1", "2"]
    assert [row["i"] for row in rows_of(inner_run)] == ["10"]
    assert rla.current_run() is None
    with pytest.raises(RunError, match=r"rla.log was called outside a run\. Decorate.*Tester\.load\(\.\.\.\) has"):
        rla.log({"a": 1})


def test_threads_do_not_mix(track, saved):
    """Eight threads that call a tracked function at once make eight runs, each with its own rows."""
    barrier = threading.Barrier(8)

    @track
    def f(number):
        barrier.wait(60)
        for step in range(50):
            rla.log({"number": number}, step=step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(f, range(8)))
    runs = saved()
    assert sorted(run.hparams["number"] for run in runs) == list(range(8))
    for run in runs:
        assert [row["number"] for row in rows_of(run)] == [str(run.hparams["number"])] * 50
        assert run.info["parent"] is None


def test_a_pool_in_a_run_makes_sisters(track, saved):
    """Tracked calls of a thread pool are children of the run around the pool, not of each other."""
    barrier = threading.Barrier(4)

    @track(task="child")
    def child(number):
        barrier.wait(60)
        rla.log({"number": number})

    @track(task="mother")
    def mother():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(child, range(4)))
            rla.log({"m": 1})
        return rla.current_run().name

    name = mother()
    assert [run.info["parent"] for run in saved() if run.task == "child"] == [name] * 4


def test_plain_threads_log_to_the_run_around_them(track, saved):
    """A thread or a pool that the training starts logs to its run, also while a sister thread has a run of its own."""
    opened, logged = threading.Event(), threading.Event()

    @track(task="other")
    def other():
        opened.set()
        assert logged.wait(60)

    @track(task="main")
    def f():
        thread = threading.Thread(target=rla.log, args=({"a": 1},))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(2) as pool:
            pool.submit(rla.log, {"a": 2}).result()
            future = pool.submit(other)
            assert opened.wait(60)
            pool.submit(rla.log, {"a": 3}).result()
            logged.set()
            future.result()

    f()
    assert [[row["a"] for row in rows_of(run)] for run in saved() if run.task == "main"] == [["1", "2", "3"]]
    assert [run.info["parent"] is None for run in saved()] == [True, False]


def test_a_thread_beside_two_runs_must_say_which(track):
    """Where runs are open side by side, a foreign thread gets a clear error instead of a guess."""
    barrier, go_on = threading.Barrier(3), threading.Event()

    @track
    def f():
        barrier.wait(60)
        assert go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(f) for _ in range(2)]
        barrier.wait(60)
        try:
            with pytest.raises(RunError, match="which of the 2 open runs"):
                rla.log({"a": 1})
        finally:
            go_on.set()
        [future.result() for future in futures]


def test_tasks_of_asyncio_have_their_own_runs(track, saved):
    """Two coroutines that take turns do not mix, and a coroutine function stays one."""

    @track
    async def f(number):
        for step in range(5):
            rla.log({"number": number}, step=step)
            await asyncio.sleep(0)
        return number

    async def both():
        return await asyncio.gather(f(1), f(2))

    assert inspect.iscoroutinefunction(f)
    assert asyncio.run(both()) == [1, 2]
    for run in saved():
        assert [row["number"] for row in rows_of(run)] == [str(run.hparams["number"])] * 5
        assert run.status == "finished"


def test_a_cancelled_task_is_interrupted(track, saved):
    """asyncio turns Ctrl-C into a cancellation of the main task, so this is no failure."""

    @track
    async def f():
        await asyncio.sleep(60)

    async def cancels():
        task = asyncio.create_task(f())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancels())
    assert [run.status for run in saved()] == ["interrupted"]


# --- command lines --------------------------------------------------------------------------------------------------

HEAD = "import rla_hooks as rla\n@rla.track(record=['lr'], writers=['csv'], backup='none', log_root='root')\n"
MAIN = HEAD + "def main(lr: float = 0.1, name: str = 'x') -> None:\n    '''Trains.'''\n    rla.log({'lr': lr})\n"
COMMAND_LINES = {
    "typer": (MAIN + "import typer\ntyper.run(main)\n", ["--lr", "0.5"]),
    "tyro": (MAIN + "import tyro\ntyro.cli(main)\n", ["--lr", "0.5"]),
    "fire": (MAIN + "import fire\nfire.Fire(main)\n", ["--lr", "0.5"]),
    "argparse": (
        HEAD + "def main(args):\n    rla.log({'lr': args.lr})\n"
        "import argparse\np = argparse.ArgumentParser(description='Trains.')\np.add_argument('--lr', type=float)\n"
        "p.add_argument('--name', default='x')\nmain(p.parse_args())\n",
        ["--lr", "0.5"],
    ),
    "hydra": (
        "import hydra\nfrom omegaconf import DictConfig\nimport rla_hooks as rla\n"
        "@hydra.main(config_path=None, config_name='c', version_base=None)\n"
        + HEAD.splitlines()[1]
        + "\ndef main(cfg: DictConfig):\n    assert isinstance(cfg, DictConfig)\n    rla.log({'lr': cfg.lr})\n"
        "from hydra.core.config_store import ConfigStore\n"
        "ConfigStore.instance().store(name='c', node={'lr': 0.1, 'name': 'x'})\nmain()\n",
        ["lr=0.5", "hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"],
    ),
}


@pytest.mark.parametrize("tool", COMMAND_LINES)
def test_command_line_tools_drive_a_tracked_function(tool, tmp_path):
    """typer, tyro, fire, argparse and Hydra pass what is typed; ``--help`` and a typing mistake create nothing."""
    needs = {"hydra": "hydra"}.get(tool, tool)
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    source, arguments = COMMAND_LINES[tool]
    script = tmp_path / "my_script.py"
    script.write_text(source)
    environment = os.environ | {"NO_COLOR": "1", "PAGER": "cat"}

    def start(*typed):
        return subprocess.Popen(
            [sys.executable, str(script), *typed],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    # fire calls the function before it finds out that arguments are left.
    helped, wrong = start("--help"), start("--help" if tool == "fire" else "--no-such-thing=1")
    text = helped.communicate(timeout=120)[0]
    assert "lr" in text, text
    text += wrong.communicate(timeout=120)[0]
    assert wrong.returncode != 0 or tool == "fire", text
    assert not (tmp_path / "root").exists(), text
    run = start(*arguments)
    assert run.wait(120) == 0, run.stdout.read()
    run.stdout.close()
    (saved,) = rla.runs(tmp_path / "root")
    assert (saved.task, saved.status) == ("my_script", "finished")
    assert saved.hparams == {"lr": 0.5, "name": "x"}
    assert saved.name.endswith("&lr=0.5") and [row["lr"] for row in rows_of(saved)] == ["0.5"]
