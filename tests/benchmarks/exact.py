"""The trainings of tests/integrations/state_scripts, killed at a random moment: they must go on to the same end."""

import atexit
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SCRIPTS, EXAMPLES = TESTS / "integrations" / "state_scripts", TESTS.parent / "examples"
sys.path[:0] = [str(TESTS), str(SCRIPTS)]

from outcome import outcome  # noqa: E402
from warm import WarmPython  # noqa: E402

import rla_hooks as rla  # noqa: E402

TORCH = ("torch", "torch._dynamo", "gymnasium")
PROGRAMS = {  # the script, its arguments, what is imported before
    "dqn": (EXAMPLES / "exact_resume.py", ("--steps", 401, "--save-every", 40, "--batch", 8), TORCH),
    "ppo": (SCRIPTS / "ppo.py", (), TORCH),
    "keras": (SCRIPTS / "keras_actor_critic.py", (), ("tensorflow", "keras")),
    "jax": (SCRIPTS / "jax_actor_critic.py", (), ("jax", "optax", "gymnasium")),
    "sac": (SCRIPTS / "sac.py", (), ("without_tensorflow", *TORCH, "stable_baselines3.common.env_util")),
}
_warm, _ends = {}, {}


def killed_and_continued(name, folder, draw):
    """Kill the training after a random number of rows, and let it go on; yield what is not as it would have been."""
    said, rows, state, seconds = _uninterrupted(name)
    process, number = _start(name, folder), draw.randrange(len(rows))
    while _lines(folder) <= number and process.poll() is None:
        time.sleep(0.002)
    time.sleep(draw.uniform(0, seconds / len(rows)))
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
    died = process.ended()
    if died.returncode not in (0, -signal.SIGKILL):
        yield f"it ended with {died.returncode}: {died.stderr[-300:]}"
        return
    if not any(run.status == "finished" for run in rla.runs(folder / "rla_data")):  # else it was done before
        done = _start(name, folder).ended()
        if done.returncode != 0:
            yield f"killed after {number} rows it does not go on: {done.stderr[-300:]}"
            return
        if done.stdout != said:
            yield f"killed after {number} rows it ends with {done.stdout!r} for {said!r}"
    others_rows, others_state, _ = outcome(folder / "rla_data")
    if others_rows != rows:
        yield f"killed after {number} rows it has other rows"
    if others_state != state:
        yield f"killed after {number} rows its state of step {others_state[0]} is another one"


def _uninterrupted(name):
    """What the training prints, its rows and its last state, and the seconds that it takes; found out once."""
    if name not in _ends:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            done = _start(name, Path(folder)).ended()
            if done.returncode:
                raise SystemExit(f"{name} fails by itself: {done.stderr[-2000:]}")
            _ends[name] = (done.stdout, *outcome(Path(folder) / "rla_data")[:2], time.monotonic() - began)
    return _ends[name]


def _start(name, folder):
    script, arguments, modules = PROGRAMS[name]
    if modules not in _warm:
        _warm[modules] = WarmPython(modules, os.environ)
        atexit.register(_warm[modules].close)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    return _warm[modules].start(SCRIPTS / "killed.py", "never", script, *arguments, cwd=folder, env=environment)


def _lines(folder):
    """The lines of the first run's rows, with the header."""
    for path in (folder / "rla_data" / "log").rglob("progress.csv"):
        return path.read_bytes().count(b"\n")
    return 0
