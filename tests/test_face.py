"""The public names: all there, documented, listed, and loaded only when they are used."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import plot
from rla_hooks.delegation import of_part
from rla_hooks.errors import RunError

pytestmark = pytest.mark.usefixtures("quiet")

NAMES = [name for name in rla.__all__ if name != "__version__"]


def test_the_public_names_are_those_of_the_design():
    """A name that is added or lost shows here."""
    assert sorted(NAMES) == sorted(set(NAMES)) == [
        "CheckpointError", "ConfigError", "RLAError", "RLAWarning", "Run", "RunError", "Runs", "SavedRun", "State",
        "Tester",
        "current_run", "is_resumed",
        "latest_checkpoint", "load_checkpoint", "load_state", "log", "new_saver", "plot_bars", "plot_curves",
        "plot_images",
        "plot_intervals", "plot_profiles", "plot_sample_efficiency", "plot_sweep", "report", "run", "runs",
        "save_checkpoint",
        "save_figure", "save_state", "score_table", "should_stop", "simple_hist", "simple_plot", "simple_scatter",
        "sql", "start", "sweep",
        "track",
    ]  # fmt: skip
    assert isinstance(rla.__version__, str)
    assert [name for name in NAMES if name.startswith("plot_")] == [
        name for name in plot.__all__ if name.startswith("plot_")
    ], "rla_hooks.plot has the list of them"


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name):
    """It can be imported, it is listed, and it says what it does; so do its public methods."""
    value = getattr(rla, name)
    assert name in dir(rla) and value.__module__.startswith("rla_hooks.")
    assert len(inspect.getdoc(value)) > 20
    if name in ("Tester", "SavedRun"):
        undocumented = [
            each
            for each, member in vars(value).items()
            if inspect.isfunction(member) and each[0] != "_" and not member.__doc__
        ]
        assert undocumented == []


FUNCTIONS = [name for name in NAMES if inspect.isfunction(inspect.unwrap(getattr(rla, name)))]


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {"run", "start"}))
def test_every_argument_is_explained(name):
    """In the docstring; rla.run and rla.start send to rla.track for theirs."""
    function = getattr(rla, name)
    words = {*re.findall(r"\w+", inspect.getdoc(function))}
    assert {*inspect.signature(function).parameters} - {"runs", "metric", "main"} - words == set()


def test_an_unknown_name_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="'rla_hooks' has no attribute 'trakc'"):
        rla.trakc  # noqa: B018


def test_the_import_is_light():
    """Neither the import, nor decorating a function, nor dir() loads anything heavy."""
    code = (
        "import sys, rla_hooks as rla\n"
        "@rla.track\ndef main(): pass\n"
        "dir(rla)\n"
        "heavy = {'numpy', 'pandas', 'matplotlib', 'torch', 'tensorflow', 'keras', 'lightning', 'tensorboard', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rla.log({"a": 1}),
        lambda: rla.new_saver(),
        lambda: rla.save_checkpoint({"a": 1}),
        lambda: rla.load_checkpoint(),
        lambda: rla.save_figure("f", np.zeros((2, 2))),
        lambda: rla.simple_plot("p", [[1]]),
        lambda: rla.simple_scatter("p", [[[1, 2]]]),
        lambda: rla.simple_hist("p", [[1]]),
    ],
    ids=lambda call: call.__code__.co_names[1],
)
def test_outside_a_run_every_function_says_what_is_missing(call, tmp_path):
    """It names itself and what to do."""
    with pytest.raises(RunError, match=rf"rla\.{call.__code__.co_names[1]} was called outside a run.*@rla.track"):
        call()
    assert rla.current_run() is None and list(tmp_path.iterdir()) == []


def test_an_argument_that_there_is_not_is_told_with_those_there_are(tmp_path):
    """By the name of the call, not of the part that does it; errors of what it does pass unchanged."""
    with rla.run(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none") as run:
        with pytest.raises(TypeError, match=r"^save_state\(\) got .*'generators'.* It takes: step, models, .*extra, "):
            rla.save_state(1, generators=[])
        with pytest.raises(TypeError, match=r"^save_figure\(\) missing .*'figure'.* It takes: name, figure, step"):
            run.save_figure("f")

    class Part:
        def act(self):
            raise TypeError("no sum of a text")

    class Whole:
        part = Part()
        act = of_part("part", Part.act)

    with pytest.raises(TypeError, match=r"^no sum of a text$"):
        Whole().act()
    with pytest.raises(TypeError, match=r"^act\(\) takes .*2 were given. It takes: nothing\.$"):
        Whole().act(1)


def test_inside_a_run_every_function_reaches_it(tmp_path):
    """Each function does to the current run what the Tester's method of its name does."""

    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def f():
        run = rla.current_run()
        assert isinstance(run, rla.Run)
        rla.log({"a": 1}, step=3)
        rla.new_saver(max_to_keep=1, var_prefix="x", objects={"a": 1})
        assert rla.save_checkpoint(related_variable={"v": 5}, checkpoint_name="best", step=4) == (
            run.checkpoint_dir / "best-4.pkl"
        )
        assert rla.load_checkpoint(4, "best") == (4, {"a": 1}) and run.get_custom_data("v") == 5
        assert rla.save_figure("f", np.zeros((2, 2)), 1) == run.results_dir / "f-1.png"
        assert rla.simple_plot("p", [[1, 2]], pretty=True) == run.results_dir / "p.pdf"
        assert rla.simple_plot("xy", x=[1, 2], y=[[3, 4]]) == run.results_dir / "xy.png"
        assert rla.simple_scatter("s", [[[1, 2]]], ["text"]) == run.results_dir / "s.png"
        assert rla.simple_hist("h", [[1, 2]], ["text"]) == run.results_dir / "h.png"
        return run

    run = f()
    (saved,) = rla.runs(tmp_path / "root")
    assert saved.name == run.name and saved.metrics()[["time-step", "a"]].values.tolist() == [[3, 1]]


def test_no_public_name_is_hidden_by_a_module():
    """A submodule of the same name would take a public name's place as soon as somebody imports it."""
    modules = {path.stem for path in Path(rla.__file__).parent.glob("*.py")}
    assert not modules & set(rla.__all__)


@pytest.mark.parametrize(
    "before", ["", "import rla_hooks.core.logger", "import rla_hooks.easy_log", "import rla_hooks.core.run"]
)
def test_rlas_own_line_gives_rlas_logger(before, tmp_path):
    """``from rla_hooks import logger``, in whatever order modules are imported; it is loaded on first use."""
    code = f"""
import sys, rla_hooks
assert "rla_hooks.easy_log.logger" not in sys.modules
{before}
from rla_hooks import logger
from rla_hooks.easy_log import logger as same
assert logger is same is rla_hooks.logger and "logger" in dir(rla_hooks)
with rla_hooks.run(task="t", log_root={str(tmp_path)!r}, writers=["csv"], backup="none"):
    logger.record_tabular("a", 1)
    logger.dump_tabular()
print(rla_hooks.runs({str(tmp_path)!r})[0].metrics()["a"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[-2] == "[1]", done.stderr


def test_is_resumed_where_nothing_is_tracked(monkeypatch):
    """A program asks it in each run: outside of one, and with tracking off, it is no error."""

    @rla.track(task="t", resume="auto", writers=["csv"], backup="none")
    def main():
        return rla.is_resumed()

    monkeypatch.setenv("RLA_MODE", "off")
    assert (main(), rla.is_resumed()) == (False, False)
    monkeypatch.delenv("RLA_MODE")
    assert (main(), rla.is_resumed()) == (False, False)
