"""Runs that come from another machine, beside rsync of the same files, and a training that sends itself.

The other machine is a server of OpenSSH on this one; without it, or without rsync, there is nothing to measure.
"""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from roots import make_root

import rla_hooks as rla
from rla_hooks.core import sender

RUNS, ROUNDS = 1_000, 3
STEPS, PAIRS = 100, 15
PULL = """
import json, sys, time
from pathlib import Path
from rla_hooks.remote import Address
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.opening import open_remote
from rla_hooks.remote.planning import plan_pull
done = carry_out(plan_pull(open_remote(Address.of_setting(json.loads(sys.argv[1]))), Path(sys.argv[2])))
assert not done.problems
"""


def measure():
    servers = _servers()
    if not servers.has_sshd() or not shutil.which("rsync"):
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        (Path(folder) / "server").mkdir()
        server = servers.Sshd(Path(folder) / "server")
        server.start()
        former = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        try:
            yield from _pulls(server, Path(folder))
            yield from _training(server, Path(folder))
        finally:
            server.stop()
            os.environ.pop("XDG_CACHE_HOME")
            if former is not None:
                os.environ["XDG_CACHE_HOME"] = former


def _servers():
    file = Path(__file__).parents[1] / "fixtures" / "servers.py"
    spec = importlib.util.spec_from_file_location("servers", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pulls(server, folder):
    """Whole processes, in turns: rsync -a of all, and a pull of all into an empty log root."""
    _make_runs(folder / "far")
    address, target = server.address(f"{folder}/far"), folder / "target"
    keys = f"-o UserKnownHostsFile={server.folder}/known -i {server.folder}/user -o IdentitiesOnly=yes"
    shell = f"ssh -p {server.port} {keys}"
    copy = ["rsync", "-a", "-e", shell, f"127.0.0.1:{folder}/far/", f"{target}/"]
    pull = [sys.executable, "-I", "-c", PULL, json.dumps(address.given()), target]
    ratios, seconds = [], []
    for _ in range(ROUNDS):
        times = []
        for command in (copy, pull):
            shutil.rmtree(target, ignore_errors=True)
            times.append(_seconds(command))
        ratios.append(times[1] / times[0])
        seconds.append(_seconds(pull))
    yield f"first pull of {RUNS:,} runs of 1 MB over ssh / rsync -a of them", statistics.median(ratios), 1.5, ""
    yield "an unchanged second pull, in seconds", statistics.median(seconds), 2, "s"
    shutil.rmtree(target)
    shutil.rmtree(folder / "far")


def _make_runs(root):
    make_root(root, RUNS, rows=100)
    for run_json in root.glob("log/**/run.json"):
        name = run_json.parent.relative_to(root / "log")
        sizes = {
            "log": ("log.txt", 130_000),
            "results": ("figure.png", 50_000),
            "checkpoint": ("checkpoint-9.pt", 600_000),
        }
        for tree, (leaf, size) in {**sizes, "archive_tester": ("tester.pkl", 200_000)}.items():
            file = root / tree / name / leaf
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(size))


def _seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _training(server, folder):
    """The processor time of a process that trains, from the start of its run to the end, in turns."""
    address = server.address(f"{folder}/sent")
    _train(f"{folder}/warm", address, False)
    ratios = []
    for number in range(PAIRS):
        plain, sent = (_train(f"{folder}/near-{number}-{sends}", address, sends) for sends in (False, True))
        ratios.append(sent / plain)
    yield "a training that sends itself / one that does not: its processor time", statistics.median(ratios), 1.01, ""


def _train(root, address, sends):
    remote = {"url": str(address), "options": address.options}
    config = {
        "LOG_ROOT": root,
        "LOG_USED": ["csv", "tensorboard"],
        "SEND_LOG_FILE": sends,
        "SEND_EVERY": 1,
        "REMOTE_SETTING": remote,
    }
    begin = time.process_time()
    with rla.run(task="bench", config=config, backup="none"):
        for step in range(STEPS):
            sum(each * each for each in range(100_000))  # what a training does between two rows
            rla.log({"loss": 1.0 / (step + 1)}, step=step)
    seconds = time.process_time() - begin
    for process in sender._left:  # it goes on beside the next one otherwise
        process.wait()
    return seconds
