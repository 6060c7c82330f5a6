"""Attacks on the commands: many at once on one log root, and kill -9 at a system call of those that copy runs."""

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.checkpoints import Manifest
from rla_hooks.cli.app import main

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS))

from system_calls import is_possible, run_until  # noqa: E402

RUNS, ROWS, LANES, SECONDS = 12, 4, 6, 15
COPIES = {  # what is copied, by which command
    "push": ("push", "FAR", "--log-root", "here"),
    "pull": ("pull", "HERE", "--log-root", "far"),
    "import": ("import", "old", "--log-root", "far"),
}


def _import_all():
    """Import what the commands need, before a child is forked for each of them."""
    for module in ("cli.commands", "cli.transfer", "cli.importing", "remote.moving", "upkeep.importing"):
        importlib.import_module(f"rla_hooks.{module}")
    importlib.import_module("fsspec.implementations.local")


def _train(root, runs=RUNS):
    """Make runs; return their ids."""
    ids = []
    for seed in range(runs):
        task = f"t{seed % 3}"
        with rla.run(task=task, log_root=root, record=["seed"], writers=["csv"], backup="none", seed=seed) as run:
            for step in range(ROWS):
                rla.log({"loss": step / 7}, step=step)
            rla.save_checkpoint({"weights": [seed]}, step=step)
        ids.append(run.record.content["id"])
    return ids


def _command(words, folder):
    """Give a command of rla in this process, which is a child; return its exit code, 70 for a traceback."""
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    sys.argv = ["rla", *words]
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        (folder / f"traceback-{os.getpid()}").write_text(f"{words}\n{traceback.format_exc()}")
        return 70
    return 0


def _in_child(action, seconds=None):
    """Call ``action`` in a child, and wait for it; kill -9 after so many seconds. Return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 70
        with contextlib.suppress(BaseException):
            code = action()
        os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _words(draw, far):
    one, some = f"seed == {draw.randrange(RUNS)}", f"seed < {draw.randrange(RUNS)}"
    return draw.choice(
        [
            ["rm", "--where", one, "--yes"],
            ["rm", "--where", some, "--yes"],
            ["archive", "--where", one, "--yes"],
            ["archive", "--restore", "--where", some, "--yes"],
            ["mv", "--where", one, f"u{draw.randrange(3)}", "--yes"],
            *[["undo"]] * 3,
            *[["gc", "--yes"]] * 2,
            ["tag", "--where", some, draw.choice("abc")],
            ["note", "latest", "a note"],
            ["verify", "--repair"],
            ["export", "--table", "-o", f"table-{os.getpid()}.csv", "--force"],
            ["push", far],
        ]
    )


def _lane(number, folder, draw, until):
    draw.seed(f"{draw.random()}/{number}")
    while time.monotonic() < until:
        words = _words(draw, (folder / "far").as_uri())
        _in_child(lambda words=words: _command(words, folder), draw.uniform(0, 0.3) if draw.random() < 0.3 else None)


def commands(folder, draw):
    """Six shells give commands on one log root, a third of which are killed, while another process lists the runs."""
    _import_all()
    root, until = folder / "rla_data", time.monotonic() + SECONDS
    ids = _train(root)
    lanes = []
    for number in range(LANES):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                _lane(number, folder, draw, until)
            os._exit(0)
        lanes.append(pid)
    while time.monotonic() < until:
        twice = [id for id, times in Counter(run.id for run in _listed(root)).items() if times > 1]
        if twice:
            yield f"a list has runs twice: {twice}"
            break
    for pid in lanes:
        os.waitpid(pid, 0)
    yield from (path.read_text() for path in folder.glob("traceback-*"))
    while _in_child(lambda: _command(["undo"], folder)) == 0:
        pass
    yield from _damage(root, ids)


def _listed(root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # now and then all runs are in the trash
        return rla.runs(root)


def _damage(root, ids):
    """Yield what is not as it was, once all acts were undone."""
    runs = _listed(root)
    found = Counter(run.id for run in runs)
    if found != Counter(ids):
        yield f"the runs are {sorted(found.items())}, for {sorted(ids)}"
    for run in runs:
        manifest = Manifest(run.checkpoint_dir)
        if run.problems or len(run.metrics()) != ROWS or len(manifest.complete()) != 1:
            yield f"{run.name}: {run.problems}, {len(run.metrics())} rows, {len(manifest.complete())} checkpoints"
    yield from (f"{each.file}: {each.problem}" for each in upkeep.verify(log_root=root) if each.is_damage)


def copies(folder, draw):
    """kill -9 at a random system call of rla push, pull or import; the same command goes on."""
    if not is_possible:
        raise SystemExit("the attack on copies needs Linux on x86_64 or aarch64")
    _import_all()
    kind = draw.choice([*COPIES])
    _train(folder / "before" / "here", 2)
    shutil.copytree(TESTS / "data" / "root_of_rla", folder / "before" / "old")
    calls = []
    for attempt in ("whole", "killed"):
        place = folder / attempt
        shutil.copytree(folder / "before", place)
        words = [{"FAR": (place / "far").as_uri(), "HERE": (place / "here").as_uri()}.get(w, w) for w in COPIES[kind]]
        number = draw.randrange(len(calls)) + 1 if calls else None
        calls = run_until(lambda words=words, place=place: _command(words, place), number)
        for run in _listed(place / "far") if (place / "far" / "log").is_dir() else ():
            if run.problems or (kind != "import" and len(run.metrics()) != ROWS):
                yield f"{kind}, killed at call {number}: {run.name} is listed, and is not whole: {run.problems}"
        code = _in_child(lambda words=words, place=place: _command(words, place))
        if code:
            yield f"{kind}, killed at call {number}: the same command ends with {code}"
    first, second = (_contents(folder / attempt / "far") for attempt in ("whole", "killed"))
    if first != second:
        differing = {name for name in first | second if first.get(name) != second.get(name)}
        yield f"{kind}, killed at call {number}: {sorted(differing)} are other files than without a kill"


def _contents(root):
    """The files of a log root, but for temporary ones, and for when and from where a run was imported."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and path.suffix != ".tmp" and ".trash" not in path.parts:
            data = path.read_bytes()
            if path.name == "run.json" and "imported" in (content := json.loads(data)):
                data = json.dumps(content | {"imported": None}).encode()
            found[str(path.relative_to(root))] = data
    return found
