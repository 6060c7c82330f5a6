"""Attacks on running trainings, by the hundred, and what was lost: nothing, or this ends with 1.

make kills          or          python tests/benchmarks/kills.py [kill|preempt|resume-keras|... ] [--rounds N]

A round is one training in a process of its own, to which something happens at a random moment. The training notes each
row and each checkpoint in a file of its own, once the call has returned; what is noted must be there afterwards, as
read by csv and TensorBoard rather than by rla_hooks. To add an attack, write a function that yields what was lost in a
round, and add it to ATTACKS. Rounds are drawn from --seed; their moments also depend on the machine's load.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import exact
from attacked import LOADED, Training, only_run, rows_in_csv
from commanded import commands, copies
from lives import ForkedLife, Story

import rla_hooks as rla
from rla_hooks.tester import Tester

# --- attacks: each yields what was lost in one round ------------------------------------------------------------------


def kill(folder, draw):
    """kill -9 while it logs, grows the header and saves; then the run goes on in another process and ends well."""
    root = folder / "root"
    training = Training(folder, root)
    training.wait_for("begun")
    time.sleep(draw.uniform(0, 0.15))
    training.process.kill()
    list(training.end())
    run = only_run(root)
    if run.status != "killed":
        yield f"the run reads as {run.status}"
    yield from training.lost(run)
    tester = Tester.load(run.paths.tester_pkl)
    tester.log({"loss/after": 1 / 7}, step=1)
    tester.finish()
    run = only_run(root)
    rows = sum(len(rows_in_csv(run, prefix)[0]) for prefix in ("", "after"))
    if (run.status, run.info["rows"]) != ("finished", rows):
        yield f"taken up again it is {run.status} with {run.info['rows']} rows; in the files are {rows}"
    yield from training.lost(run)
    left = [path.name for path in root.rglob("*.tmp")]
    if left:
        yield f"temporary files are left: {left}"


def interrupt(folder, draw):
    """Ctrl-C, once or twice, caught by the program or not."""
    root, mode = folder / "root", draw.choice(["caught", "passes"])
    training = Training(folder, root, mode=mode)
    training.wait_for("begun")
    times = draw.choice([1, 2])
    for _ in range(times):
        time.sleep(draw.uniform(0, 0.1))
        training.process.send_signal(signal.SIGINT)
    yield from training.end()
    run = only_run(root)
    allowed = {"interrupted"} if mode == "passes" else {"finished"} if times == 1 else {"finished", "interrupted"}
    if run.status not in allowed:
        yield f"Ctrl-C ({times} times, {mode}): the run reads as {run.status}"
    rows = len(rows_in_csv(run, "")[0])
    if run.info["rows"] != rows:
        yield f"Ctrl-C ({times} times, {mode}): run.json counts {run.info['rows']} rows, and {rows} are in the file"
    yield from training.lost(run)


def writers(folder, draw):
    """A training and two processes that have loaded its Tester log and save side by side."""
    root, steps = folder / "root", 400
    trainings = [Training(folder, root, steps=4 * steps)]
    trainings[0].wait_for("row")
    pkl = str(next((root / "archive_tester").rglob("tester.pkl")))
    trainings += [Training(folder, root, prefix, steps, pkl, LOADED) for prefix in ("a", "b")]
    for training in draw.sample(trainings, len(trainings)):
        yield from training.end()
    run = only_run(root)
    for training in trainings:
        yield from training.lost(run)
    logged = sum(len(training.noted("row")) for training in trainings)
    found = {"run.json": run.info["rows"], "metrics()": len(run.metrics())}
    if run.status != "finished" or set(found.values()) != {logged}:
        yield f"{logged} rows were logged, {found} of them are counted; the run reads as {run.status}"


def disk(folder, draw):
    """A small disk that is full for a while, or to the end."""
    mount = folder / "disk"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(mount)], stderr=subprocess.DEVNULL
    ).returncode:
        raise SystemExit("the attack on disks needs the right to mount a tmpfs: run it as root, or leave it out")
    try:
        root = mount / "root"
        training = Training(folder, root, steps=4000)
        yield from _with_full_disk(training, mount, draw)
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)


def _with_full_disk(training, mount, draw):
    training.wait_for("row")
    time.sleep(draw.uniform(0, 0.1))
    filler = mount / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    if draw.random() < 0.5:
        time.sleep(draw.uniform(0.02, 0.2))
        filler.unlink()
    yield from training.end()
    run = only_run(training.root)
    stated = sum(gap["rows"] for gap in run.info["gaps"] if gap["writer"] == "csv")
    rows, garbage = rows_in_csv(run, "")
    yield from garbage
    if run.status != "finished" or len(rows) + stated < 4000:
        yield f"the run reads as {run.status}: of 4000 rows {len(rows)} are there, {stated} are stated as missing"


def zones(folder, draw):
    """Three machines in three time zones share a log root: the order of their runs is the order of their starts."""
    root, started = folder / "root", []
    for number, zone in enumerate(draw.sample(["Asia/Shanghai", "UTC", "America/Los_Angeles"], 3)):
        training = Training(folder, root, prefix=str(number), steps=3, TZ=zone)
        yield from training.end()
        started.append(number)
    order = [int(key.removeprefix("loss/")) for run in rla.runs(root) for key in run.info["last"] if "loss/" in key]
    if order != started:
        yield f"the runs were started in the order {started} and are listed as {order}"


# Trainings of several lives: see training.py and lives.py. They are attacked after a random number of rows.


def _stopped_and_resumed(kind, folder, draw, steps, pause, signals):
    """One life is stopped at a random moment, and further ones go on until all is done; then each row is looked for."""
    arguments = (kind, folder, folder / "root")
    life = ForkedLife(*arguments, 1, 5, steps, pause=pause)
    while not Story(folder / "notes").begun and life.process.poll() is None:
        time.sleep(0.01)
    rows = draw.randrange(steps)
    while Story(folder / "notes").rows < rows and life.process.poll() is None:
        time.sleep(0.005)
    time.sleep(draw.uniform(0, 0.1))
    life.process.send_signal(draw.choice(signals))
    yield from life.end()
    number = 1
    while not (story := Story(folder / "notes")).done:
        number += 1
        if number > 4:
            yield "three further lives were not enough"
            return
        yield from ForkedLife(*arguments, number, 5, steps, pause=pause).end()
    wrong, _ = story.account(folder / "root")
    yield from wrong
    runs = rla.runs(folder / "root")
    unfinished = [run for run in runs if run.status != "finished"]
    if any(story.saved[run.name] for run in unfinished) or len(runs) - len(unfinished) != 1:
        yield f"the runs read as {[run.status for run in runs]}, where one was to go on"


def resume_cartpole(folder, draw):
    """PPO is killed, and resumed."""
    yield from _stopped_and_resumed("cartpole", folder, draw, 40, 0.02, [signal.SIGKILL])


def resume_keras(folder, draw):
    """A Keras fit is killed, and resumed."""
    yield from _stopped_and_resumed("keras", folder, draw, 20, 0.005, [signal.SIGKILL])


def preempt(folder, draw):
    """A training is asked to save and stop, and goes on in another process."""
    signals = [signal.SIGTERM, signal.SIGUSR1]
    yield from _stopped_and_resumed("plain", folder, draw, 150, 0.005, signals)


# Trainings that go on by rla.load_state: see exact.py.


def exact_dqn(folder, draw):
    """DQN in torch is killed, and its end compared with that of one that was not. So for the others."""
    yield from exact.killed_and_continued("dqn", folder, draw)


def exact_ppo(folder, draw):
    yield from exact.killed_and_continued("ppo", folder, draw)


def exact_keras(folder, draw):
    yield from exact.killed_and_continued("keras", folder, draw)


def exact_jax(folder, draw):
    yield from exact.killed_and_continued("jax", folder, draw)


def exact_sac(folder, draw):
    yield from exact.killed_and_continued("sac", folder, draw)


ATTACKS = {
    kill: 300, interrupt: 300, writers: 10, disk: 10, zones: 10, resume_cartpole: 20, resume_keras: 20, preempt: 20,
    exact_dqn: 20, exact_ppo: 20, exact_keras: 20, exact_jax: 20, exact_sac: 20,
    commands: 5, copies: 60,
}  # fmt: skip


def _name(attack):
    return attack.__name__.replace("_", "-")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [_name(attack) for attack in ATTACKS]
    parser.add_argument("attacks", nargs="*", metavar="|".join(names), help="those to run; all without")
    parser.add_argument("--rounds", type=int, help="of each attack; else " + ", ".join(map(str, ATTACKS.values())))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", rla.RLAWarning)
    lost_any = False
    for attack, rounds in ATTACKS.items():
        if arguments.attacks and _name(attack) not in arguments.attacks:
            continue
        rounds, start = arguments.rounds or rounds, time.monotonic()
        losses = [line for number in range(rounds) for line in _round(attack, f"{arguments.seed}/{number}")]
        lost_any |= bool(losses)
        seconds = time.monotonic() - start
        print(f"{_name(attack):15} {rounds:4} rounds in {seconds:4.0f} s, lost: {len(losses) or 'nothing'}", flush=True)
        for line in losses[:20]:
            print(f"    {line}")
    return lost_any


def _round(attack, seed):
    with tempfile.TemporaryDirectory(prefix="rla-kills-") as folder:
        try:
            yield from (f"{seed}: {line}" for line in attack(Path(folder), random.Random(f"{attack.__name__}/{seed}")))
        except AssertionError as error:
            yield f"{seed}: {error}"


if __name__ == "__main__":
    sys.exit(main())
