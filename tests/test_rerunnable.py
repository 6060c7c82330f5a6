"""Which call of a program is the run that ``rla rerun`` asks for, and what becomes of the others."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import ConfigError

pytestmark = pytest.mark.usefixtures("quiet")
OPTIONS = {"log_root": "root", "writers": ["csv"], "backup": "none"}


@pytest.fixture
def asked(monkeypatch):
    """Says that a run is to be repeated, with these new values, as ``rla rerun`` does; the process begins anew."""

    def ask(run, **values):
        testing.reset()
        monkeypatch.setenv("RLA_RERUN", str(run.log_dir))
        monkeypatch.setenv("RLA_RERUN_SET", json.dumps(values))

    return ask


def ids(task=None):
    """The ids of the runs that each run repeats."""
    return [run.rerun_of and run.rerun_of["id"] for run in rla.runs("root", task)]


def test_methods_coroutines_and_configs(asked, capsys):
    """A method keeps its object; a coroutine is awaited; of a config the fields are set in a copy."""

    @dataclasses.dataclass
    class Config:
        lr: float
        steps: int = 3

    class Trainer:
        @rla.track(task="method", **OPTIONS)
        def fit(self, lr, *layers, seed=0, **more):
            return self, lr, layers, seed, more

    @rla.track(task="coroutine", **OPTIONS)
    async def run(config):
        return config

    trainer = Trainer()
    trainer.fit(0.1, 8, 4, seed=1, act="relu")
    asyncio.run(run(Config(0.1)))
    method, coroutine = rla.runs("root")
    asked(method, seed=5)
    assert trainer.fit(9, other=1) == (trainer, 0.1, (8, 4), 5, {"act": "relu"})
    for _ in range(2):  # a program that goes on after any exception
        with pytest.raises(SystemExit) as left:
            trainer.fit(1)
    assert capsys.readouterr().err.count("has been repeated") == 1 and left.value.code == 0
    given = Config(7.0, 9)
    asked(coroutine, steps=4)
    assert asyncio.run(run(given)) == Config(0.1, 4) and given == Config(7.0, 9)
    assert ids() == [None, None, method.id, coroutine.id]


def test_other_functions_and_runs_within_are_as_ever(asked, capsys):
    """Only siblings of the run are left out: neither what runs in it, nor what has another function or task."""

    @rla.track(task="inner", **OPTIONS)
    def inner(depth):
        return inner(depth - 1) if depth else 0

    @rla.track(task="outer", **OPTIONS)
    def outer():
        inner(2)
        inner(0)

    outer()
    of = {run.hparams["depth"]: run for run in rla.runs("root", "inner") if run.parent.startswith("outer")}
    asked(of[2])
    with pytest.raises(SystemExit):
        outer()
    outer_again = rla.runs("root", "outer")[-1]
    assert (outer_again.status, outer_again.rerun_of) == ("finished", None)
    assert ids("inner") == [None] * 4 + [of[2].id, None, None]
    assert "has been repeated: further runs of test_rerunnable.py:" in capsys.readouterr().err


def test_blocks_by_their_parameters_and_by_their_place(asked):
    """Those before it are new runs; of several with the same parameters it is the one with as many before it."""

    def program(count=5):
        for number in range(count):
            with rla.run(task="t", **OPTIONS, seed=number // 2):
                rla.log({"number": number}, step=0)

    program(4)
    fourth = rla.runs("root")[3]
    asked(fourth)
    with pytest.raises(SystemExit):
        program()
    assert ids() == [None] * 7 + [fourth.id] and rla.runs("root")[-1].last == {"number": 3}
    asked(fourth)
    run = rla.start(task="other", **OPTIONS)
    run.finish()
    assert ids("other") == [None]


def test_a_tester_and_a_hook(asked):
    """RLA's own words, and the run that a hook has planned: a second hook of the program joins it, or is none."""
    from rla_hooks.hooks import OwnRun, attach_or_plan

    def with_tester(lr):
        tester = rla.Tester()
        tester.configure(task_name="t", **OPTIONS)
        tester.set_hyper_param(lr=lr)
        tester.log_files_gen()
        tester.finish()

    for lr in (1, 2):
        with_tester(lr)
    attach_or_plan(OwnRun("Hook", task="h", **OPTIONS)).ensure_started().finish()
    second, hook = rla.runs("root")[1:]
    asked(second)
    for lr in (1, 2, 3):
        with_tester(lr)
    assert ids("t") == [None] * 3 + [second.id, None]
    asked(hook)
    for _ in range(2):
        attach_or_plan(OwnRun("Hook", task="h", **OPTIONS)).ensure_started().finish()
    assert ids("h") == [None, hook.id, None]


def test_what_a_program_says_by_itself(asked, monkeypatch):
    """A named resume goes on, "auto" looks for nothing, RLA_MODE=off runs the function as it is."""

    @rla.track(task="t", resume="auto", **OPTIONS)
    def main(lr=0.1):
        if rla.is_resumed():
            rla.load_checkpoint()
        rla.log({"lr": lr}, step=0)
        rla.save_checkpoint({"w": [lr]}, step=1)
        if lr == 0.5:
            raise KeyboardInterrupt
        return lr

    with pytest.raises(KeyboardInterrupt):
        main(0.5)
    first = rla.runs("root")[0]
    asked(first, lr=0.25)
    assert main.resume(first, allow="lr", lr=0.3) == 0.3 and main(0.5) == 0.25
    assert ids() == [None, first.id]
    asked(first)
    monkeypatch.setenv("RLA_MODE", "off")
    assert main(0.75) == 0.75


def test_another_rank_gets_the_arguments_too(asked, monkeypatch, warnings_as_text):
    """It makes no run, and asks for none."""

    @rla.track(task="t", **OPTIONS)
    def main(lr):
        return lr

    main(0.1)
    first = rla.runs("root")[0]
    asked(first, lr=0.25)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(0.5) == 0.25 and len(rla.runs("root")) == 1
    warnings_as_text.clear()


def test_a_run_that_was_moved_to_another_task(asked):
    """The program still has the task of then."""
    from rla_hooks import upkeep

    @rla.track(task="t", **OPTIONS)
    def main(lr):
        return lr

    main(0.1)
    upkeep.move(rla.runs("root"), "kept")
    moved = rla.runs("root")[0]
    assert moved.task == "kept"
    asked(moved)
    assert main(0.5) == 0.1 and ids("t") == [moved.id]


def test_variables_that_are_wrong(asked, monkeypatch):
    """Are errors of the first start, which make no run."""

    @rla.track(task="t", **OPTIONS)
    def main(lr):
        return lr

    main(0.1)
    first = rla.runs("root")[0]
    asked(first)
    monkeypatch.setenv("RLA_RERUN_SET", "{")
    with pytest.raises(ConfigError, match=r"RLA_RERUN_SET is '\{'\. Allowed: JSON of names and values"):
        main(0.1)
    asked(first, lr=0.25)
    monkeypatch.setenv("RLA_RERUN", "/nosuch/run")
    with pytest.raises(ConfigError, match="RLA_RERUN: '/nosuch/run' fits no run"):
        main(0.1)
    assert len(rla.runs("root")) == 1


def test_a_value_that_the_programs_object_does_not_take(asked):
    """Is an error that names the run, before a run is made."""

    class Stiff:
        __dataclass_fields__ = dict.fromkeys("ab")
        a, b = 1, 2

        def __setattr__(self, name, value):
            raise AttributeError("it is frozen")

    @rla.track(task="t", **OPTIONS)
    def main(config):
        return config

    main(Stiff())
    first = rla.runs("root")[0]
    asked(first, a=5)
    with pytest.raises(ConfigError, match=f"the run {first.id} .* cannot be repeated: a cannot be set to 5"):
        main(Stiff())
    assert len(rla.runs("root")) == 1
