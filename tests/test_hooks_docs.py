"""docs/hooks.md: its signatures are those of rla_hooks.hooks, and its hook for a made-up trainer works."""

import csv
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import hooks
from rla_hooks.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "hooks.md").read_text()
TRAINER, HOOK, PROGRAM, TEST = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SIGNATURES = [" ".join(span.split()) for span in re.findall(r"^- `([^`]+)`$", PAGE, re.MULTILINE)]


# --- the names --------------------------------------------------------------------------------------------------------


def _signature(name):
    """A name with what it takes and gives, as the page has it: ``Every(steps: int | None = None)``."""
    owner, _, attribute = name.partition(".")
    thing = getattr(hooks, owner)
    thing = inspect.getattr_static(thing, attribute) if attribute else thing
    if isinstance(thing, property):
        return f"{name}: {inspect.signature(thing.fget).return_annotation}"
    is_method = bool(attribute) and not isinstance(thing, staticmethod)
    signature = inspect.signature(getattr(thing, "__func__", thing))
    parameters = [_shown(parameter) for parameter in list(signature.parameters.values())[is_method:]]
    shown = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    shown = re.sub(r"(?<=: )'([^']*)'", r"\1", shown)  # annotations are texts
    ending = "" if inspect.isclass(thing) else f" -> {signature.return_annotation}"
    return name + shown.replace("Ellipsis", "...") + ending


def _shown(parameter):
    annotation = getattr(parameter.annotation, "__forward_arg__", parameter.annotation)
    default = ... if inspect.isfunction(parameter.default) else parameter.default
    return parameter.replace(annotation=annotation, default=default)


def _methods(name):
    """The public methods and properties of a class of the kit, and what happens when it is called."""
    kind = getattr(hooks, name)
    if not inspect.isclass(kind) or name == "Run":  # of which the page has what a hook needs
        return set()
    hidden = getattr(kind, "_fields", ())
    return {f"{name}.{key}" for key in vars(kind) if key == "__call__" or not (key.startswith("_") or key in hidden)}


def test_the_page_has_every_name():
    """Also every method of the classes, but one that tests use and one that a run uses."""
    names = {re.match(r"[\w.]+", line)[0] for line in SIGNATURES}
    known = {name for name in hooks.__all__ if name != "Run"}
    known |= set().union(*map(_methods, hooks.__all__)) - {"WarnOnce.forget_all"}
    assert {name for name in names if not name.startswith("Run.")} == known
    assert len(names) == len(SIGNATURES)


@pytest.mark.parametrize("line", SIGNATURES)
def test_the_signatures_are_as_promised(line):
    """Whoever changes one breaks the hooks of others. An addition is told on the page."""
    assert _signature(re.match(r"[\w.]+", line)[0]) == line


# --- the example ------------------------------------------------------------------------------------------------------


@pytest.fixture
def play(tmp_path):
    """Runs a program in an empty folder, as somebody who has copied it, and returns the finished process."""

    def run(*blocks):
        (tmp_path / "program.py").write_text("\n".join(blocks))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
        command = [sys.executable, "-I", "program.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert "RLAWarning" not in done.stderr
        return done

    return run


def _rows(run):
    with (run.log_dir / "progress.csv").open(newline="") as file:
        return [{key: float(cell) for key, cell in row.items() if key != "timestamp"} for row in csv.DictReader(file)]


def _checkpoints(run):
    return [entry["step"] for entry in json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]]


def test_the_hook_is_short():
    """At most 60 lines, with its imports and docstring."""
    assert len(HOOK.splitlines()) <= 60


def test_the_example_runs(play, tmp_path):
    """A run of the hook's own and one that it joins, each with rows, parameters, checkpoints; figures at a cadence."""
    done = play(TRAINER, HOOK, PROGRAM)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.isalpha()] == ["running", "finished"]
    own, joined = rla.runs(tmp_path / "rla_data")
    assert [(run.task, run.status) for run in (own, joined)] == [("made_up", "finished"), ("study", "finished")]

    assert own.record == {"info": "alone"} and own.hparams == {"info": "alone", "lr": 0.02, "epochs": 4}
    assert [row["time-step"] for row in _rows(own)] == [1, 6, 11, 16]
    assert _rows(own)[0] == {"time-step": 1, "loss": 4.0, "fit/weight": 0.04}
    assert sorted(path.name for path in own.results_dir.iterdir()) == ["loss-10.png", "loss-20.png"]
    assert _checkpoints(own) == [5, 10, 15, 20]

    assert joined.hparams == {"seed": 1, "lr": 0.02, "epochs": 1}
    assert [row["time-step"] for row in _rows(joined)] == [1] and _checkpoints(joined) == [5]
    assert list(joined.results_dir.iterdir()) == []


def test_the_test_of_the_example_passes(play):
    """What the page says of tests prints what it says there."""
    done = play("import rla_hooks as rla", TRAINER, HOOK, TEST)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == re.findall(r"^print\(.*\)  # (.*)$", TEST, re.M)[0]


def test_a_checkpoint_of_the_example_is_read_back(play, tmp_path):
    """The newest has what the trainer had come to."""
    program = (
        'with rla.run(task="again") as run:\n    Trainer(hooks=[RLAHook()]).train()\n    print(run.load_checkpoint())'
    )
    done = play("import rla_hooks as rla", TRAINER, HOOK, program)
    assert done.returncode == 0, done.stderr
    step, weight = re.search(r"^\((\d+), \{'model': \{'weight': ([\d.]+)\}\}\)$", done.stdout, re.MULTILINE).groups()
    assert step == "20" and abs(float(weight) - 2) < 0.01


@pytest.mark.parametrize("caught", [False, True])
def test_an_error_of_the_trainer_is_the_runs_failure(play, tmp_path, caught):
    """With the traceback that leads into the trainer, also where the program survives it."""
    training = "Trainer(lr=0.5, hooks=[RLAHook()]).train()"
    if caught:
        training = f"try:\n    {training}\nexcept FloatingPointError:\n    print('survived')"
    done = play(TRAINER, HOOK, training)
    assert (done.returncode, "survived" in done.stdout) == ((0, True) if caught else (1, False))
    (run,) = rla.runs(tmp_path / "rla_data")
    assert run.status == "failed" and "in update" in run.info["error"]
    assert re.search(r"FloatingPointError: the loss is \d", run.info["error"])


def test_mistakes_are_told_at_once_and_nothing_is_made(play, tmp_path):
    """Names and values of the hook's arguments and of its run's options, with what is known and the nearest."""
    done = play(TRAINER, HOOK, 'RLAHook(log_evry=5, figures=[print], figures_every=0, writers=["cvs"])')
    assert done.returncode == 1 and "RLAHook: 4 mistakes" in done.stderr
    assert "unknown argument 'log_evry'. Known: log_every" in done.stderr
    for text in ("Did you mean 'log_every'?", "figures is", "figures_every is 0", "Did you mean 'csv'?"):
        assert text in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


# --- the kit ----------------------------------------------------------------------------------------------------------


def test_options_that_a_run_does_not_have_are_told_once():
    """By check_arguments beside the hook's own names, else by whoever makes the run."""
    own = hooks.OwnRun("Hook", taks="x", hook=1, log_root="here")
    with pytest.raises(ConfigError) as raised:
        hooks.check_arguments("Hook", ["speling"], {"spelling": hooks.Argument(1)}, own)
    first, *others = raised.value.problems
    assert first == "unknown argument 'speling'. Known: spelling, log_root. Did you mean 'spelling'?"
    assert len(others) == 2 and all("Known: spelling, task, record" in problem for problem in others)
    with pytest.raises(ConfigError, match=r"unknown argument 'taks'\. Known: task") as raised:
        hooks.attach_or_plan(own)
    assert len(raised.value.problems) == 2 and own.problems() == raised.value.problems
