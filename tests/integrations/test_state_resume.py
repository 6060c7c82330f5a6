"""Trainings that kill -9 ends at three points, and that go on by rla.load_state, equal those that were never stopped.

What is compared: the rows, all files of the last state, and what the script itself tells at its end: a sum of the bits
of its weights, optimizer, buffer and environment, and the next random numbers. See state_scripts/.
"""

from __future__ import annotations

import os
import re
import runpy
import signal
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9")

SCRIPTS = Path(__file__).parent / "state_scripts"
OUTCOME = runpy.run_path(str(SCRIPTS / "outcome.py"))["outcome"]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def train(tmp_path):
    """Runs a script in a folder, up to a point at which it dies or to its end; returns what it has printed."""

    def run(python, script, name, point, *arguments, env=()):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")} | dict(env)
        done = python.run(SCRIPTS / "killed.py", point, script, *arguments, cwd=folder, env=environment)
        assert done.returncode == (0 if point == "never" else -signal.SIGKILL), done.stderr
        return done.stdout

    return run


@pytest.fixture
def survives(train, tmp_path):
    """Asserts that a script which dies at each of the points in turn comes to what one comes to that never dies."""

    def check(python, script, points, *arguments, **more):
        expected = train(python, script, "whole", "never", *arguments, **more)
        for point in points:
            train(python, script, "killed", point, *arguments, **more)
        assert train(python, script, "killed", "never", *arguments, **more) == expected
        (rows, state, _), (others_rows, others_state, run) = (
            OUTCOME(tmp_path / name / "rla_data") for name in ("whole", "killed")
        )
        assert len(run.run_json["restarts"]) == len(points)
        assert others_rows == rows != []
        assert others_state == state
        return run

    return check


def test_dqn_in_torch(survives, torch_python):
    """The example, with its replay buffer: amid an episode, while a state is written, and behind one."""
    short = ["--steps", 241, "--save-every", 40, "--batch", 8]
    run = survives(torch_python, EXAMPLES / "exact_resume.py", ["before:75", "while:120", "after:160"], *short)
    assert [each["step"] for each in run.run_json["restarts"]] == [40, 80, 160]


def test_a_plain_script_and_two_lines(survives, torch_python, tmp_path):
    """The lines are those that docs/state.md shows; RLA_RESUME asks for the resume."""
    page = (EXAMPLES.parent / "docs/state.md").read_text("utf-8")
    (change,) = re.findall("```diff\n(.*?)```", page, re.S)
    text = (SCRIPTS / "plain_dqn.py").read_text("utf-8")
    for hunk in re.split("^@@.*\n", change, flags=re.M)[1:]:
        before, after = (
            "".join(line[1:] for line in hunk.splitlines(True) if line[0] in side) for side in (" -", " +")
        )
        assert text.count(before) == 1
        text = text.replace(before, after)
    assert re.findall("^[+-]", change, re.M) == ["-", "+", "+", "+"]
    (tmp_path / "plain_dqn.py").write_text(text, "utf-8")
    points = ["before:13", "while:20", "after:30"]
    run = survives(torch_python, tmp_path / "plain_dqn.py", points, env={"RLA_RESUME": "auto"})
    assert [each["step"] for each in run.run_json["restarts"]] == [10, 15, 30]


def test_ppo_in_torch(survives, torch_python):
    """Two environments in a vector, and an object of the program's own that holds them."""
    run = survives(torch_python, SCRIPTS / "ppo.py", ["before:6", "while:12", "after:16"])
    assert [each["step"] for each in run.run_json["restarts"]] == [4, 8, 16]


def test_actor_critic_in_jax(survives, warm, tmp_path):
    """Parameters, the state of an optimizer of Optax and a typed key in one dict. XLA compiles once for all."""
    pytest.importorskip("optax")
    python = warm("jax", "optax", "gymnasium")
    compiled = {"COMPILED": str(tmp_path / "compiled")}
    run = survives(python, SCRIPTS / "jax_actor_critic.py", ["before:55", "while:120", "after:160"], env=compiled)
    assert [each["step"] for each in run.run_json["restarts"]] == [40, 100, 160]


def test_actor_critic_in_keras(survives, keras_python):
    """A model with a Dropout, its optimizer, the episode so far, on TensorFlow."""
    run = survives(keras_python, SCRIPTS / "keras_actor_critic.py", ["before:35", "while:60", "after:80"])
    assert [each["step"] for each in run.run_json["restarts"]] == [20, 40, 80]


def test_sac_of_sb3(survives, warm):
    """With its replay buffer, and a VecNormalize, amid episodes."""
    pytest.importorskip("stable_baselines3")
    python = warm("without_tensorflow", "torch", "torch._dynamo", "gymnasium", "stable_baselines3.common.env_util")
    survives(python, SCRIPTS / "sac.py", ["before:52", "while:82", "after:122"])
