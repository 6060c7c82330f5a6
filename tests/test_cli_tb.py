"""``rla tb``: a real TensorBoard over runs that are chosen, asked over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

import rla_hooks as rla

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(os.name != "posix", reason="needs links and signals"),
]


@pytest.fixture
def log_root(tmp_path):
    """Three finished runs, one of them without files of TensorBoard's."""
    root = tmp_path / "a [root]"

    @rla.track(record=["algo"], task="t", log_root=root, writers=["csv", "tensorboard"], backup="none")
    def train(algo, lr):
        rla.log({"loss": lr}, step=0)

    train("ppo", 0.5)
    train("a/c: 2", 0.25)
    with rla.run(task="t", log_root=root, writers=["csv"], backup="none", hyper_parameters={"algo": "dqn"}):
        rla.log({"loss": 1.0}, step=0)
    return root


@pytest.fixture
def served(tmp_path):
    """Starts ``rla tb`` with a TensorBoard without TensorFlow, whose import takes longer than all these tests."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "tensorflow.py").write_text("raise ImportError('not here')\n")
    children = []

    def serve(*arguments):
        child = subprocess.Popen(
            [Path(sys.executable).parent / "rla", "tb", *map(str, arguments), "--port", "0", "--reload_interval", "1"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": str(stubs), "TMPDIR": str(tmp_path)},
            start_new_session=True,
        )
        children.append(child)
        for line in child.stderr:
            if match := re.search(r"TensorBoard \S+ at (http://\S+?)/? ", line):
                return child, match[1]
        raise AssertionError("TensorBoard has not started")

    yield serve
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.stderr.close()
        child.wait()


def _ask(url, wanted, seconds=120):
    """Ask until the answer has what is wanted: TensorBoard loads while it answers."""
    end = time.monotonic() + seconds
    while True:
        with urlopen(url, timeout=120) as reply:
            answer = json.load(reply)
        if wanted(answer) or time.monotonic() > end:
            return answer
        time.sleep(0.1)


@pytest.mark.parametrize("loader", ["--load_fast=true", "--load_fast=false"])
def test_exactly_the_chosen_runs_are_served(loader, log_root, served, tmp_path):
    """By short names; what a run writes afterwards is there, too. At the end nothing is left behind."""
    running = rla.start(
        task="t", log_root=log_root, writers=["csv", "tensorboard"], backup="none", hyper_parameters={"algo": "new"}
    )
    rla.log({"loss": 2.0}, step=0)
    child, url = served("--where", "algo == 'ppo' or algo == 'new'", "--log-root", log_root, loader)
    tags = _ask(f"{url}/data/plugin/scalars/tags", lambda answer: len(answer) == 2)
    ids = {run.hparams["algo"]: run.id[:4] for run in rla.runs(log_root)}
    new, ppo = f"algo=new [{ids['new']}]", f"algo=ppo lr=0.5 [{ids['ppo']}]"
    assert {name: list(each) for name, each in tags.items()} == {new: ["loss"], ppo: ["loss"]}
    rla.log({"loss": 3.0}, step=1)
    running.finish()
    points = f"{url}/data/plugin/scalars/scalars?tag=loss&run={quote(new)}"
    assert [point[1:] for point in _ask(points, lambda answer: len(answer) == 2)] == [[0, 2.0], [1, 3.0]]
    assert list(tmp_path.glob("rla-tb-*"))
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    assert child.wait(timeout=120) == 0
    assert not list(tmp_path.glob("rla-tb-*"))
    assert [run.status for run in rla.runs(log_root)] == ["finished"] * 4


def test_a_signal_ends_tensorboard_and_removes_the_links(log_root, served, tmp_path):
    """As a closed terminal or a scheduler sends it, to this process alone."""
    child, url = served("--log-root", log_root, "-n", "3")
    child.terminate()
    assert child.wait(timeout=120) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("rla-tb-*"))
    with pytest.raises(OSError):
        urlopen(url)


def test_the_command_can_be_printed(log_root, command):
    """It needs no links, and can be pasted. Options of TensorBoard's stand in it; what is missing is told."""
    import shlex

    done = command(
        "tb", "--print", "--task", "t", "--log-root", log_root, "--port", "6007", "--samples_per_plugin", "a=1"
    )
    words = shlex.split(done.out)
    assert words[:2] == ["tensorboard", "--logdir_spec"] and words[3:] == ["--samples_per_plugin", "a=1", "--port=6007"]
    runs = rla.runs(log_root)
    assert words[2] == (
        f"algo=ppo lr=0.5 [{runs[0].id[:4]}]:{runs[0].tensorboard_dir},"
        f"algo=a_c_ 2 lr=0.25 [{runs[1].id[:4]}]:{runs[1].tensorboard_dir}"
    )
    assert done.err == "rla: 1 of 3 runs are left out: they have no files of TensorBoard's\n"
    one = command("tb", "algo=ppo", "--print", "--log-root", log_root)
    assert shlex.split(one.out) == ["tensorboard", "--logdir", str(runs[0].tensorboard_dir)]


def test_json_has_the_command_and_the_runs(log_root, command):
    """For a script that starts TensorBoard itself; a run that is left out has no name there."""
    document = command("tb", "--json", "-n", "3", "--log-root", log_root).json
    assert document["command"][:4] == [sys.executable, "-m", "tensorboard.main", "--logdir_spec"]
    assert [each["id"] for each in document["runs"]] == [run.id for run in rla.runs(log_root)]
    assert document["runs"][2]["name"] is None


def test_mistakes_are_told(log_root, command):
    """No runs with files of TensorBoard's; an option that would choose other runs."""
    done = command("tb", "latest", "--log-root", log_root)
    assert done.code == 2 and "no files of TensorBoard's are in 1 run. They need" in done.err
    done = command("tb", "--logdir=x", "--log-root", log_root)
    assert done.code == 2 and done.err.startswith("rla: --logdir is given, but rla tb chooses the runs.")


def test_names_are_short_whatever_the_runs_hold(tmp_path, command):
    """Of two tasks each has its own parameters; many wide letters make no name that a disk refuses."""
    for task, parameters in (("a", dict.fromkeys("abcd", "诗" * 300)), ("b", {"lr": 1})):
        with rla.run(task=task, log_root=tmp_path, writers=["tensorboard"], backup="none", hyper_parameters=parameters):
            rla.log({"loss": 1.0}, step=0)
    with rla.run(task="c", log_root=tmp_path, writers=["csv"], backup="none"):
        rla.log({"loss": 1.0}, step=0)
    (other,) = rla.runs(tmp_path, task="c")
    other.tensorboard_dir.mkdir(exist_ok=True)
    (other.tensorboard_dir / "notes.txt").touch()
    done = command("tb", "--where", "status == 'finished'", "--json", "--log-root", tmp_path)
    first, second, third = (run["name"] for run in done.json["runs"])
    assert len(os.fsencode(first)) <= 255 and "None" not in first and third is None
    assert re.fullmatch(r"b lr=1 \[\w{4,}\]", second)


def test_ctrl_c_ends_it_without_a_traceback(log_root, served):
    """Also while TensorBoard loads."""
    child = subprocess.Popen(
        [Path(sys.executable).parent / "rla", "tb", "--port", "0", "--log-root", log_root, "algo=ppo"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stderr.readline().startswith("rla: 1 run")
    time.sleep(0.5)
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 0 and "Traceback" not in said
