"""Attacks on running trainings, by the hundred, and what was lost: nothing, or this ends with 1.

make kills          or          python tests/benchmarks/kills.py [kill|preempt|resume-keras|... ] [--rounds N]

A round is one training in a process of its own, to which something happens at a random moment. The training notes each
row and each checkpoint in a file of its own, once the call has returned; what is noted must be there afterwards, as
read by csv and TensorBoard rather than by rla_hooks. To add an attack, write a function that yields what was lost in a
round, and add it to ATTACKS. Rounds are drawn from --seed; their moments also depend on the machine's load.
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path

import exact
from lives import ForkedLife, Story

import rla_hooks as rla
from rla_hooks.tester import Tester

LATE = 37  # steps between two late keys
TRAINING = """
import os, sys
import rla_hooks as rla

root, notes, prefix, steps, mode = sys.argv[1:]
notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def note(what, step):
    os.write(notes, f"{what} {step}\\n".encode())

def train(log, save):
    for step in range(int(steps)):
        late = {f"late/{prefix}{step // 37 % 40}": step} if step % 37 == 0 else {}
        log({f"loss/{prefix}": step / 7, **late}, step=step)
        note("row", step)
        if step % 50 == 49:
            save({"step": [step]}, step=step, checkpoint_name=f"checkpoint{prefix}")
            note("checkpoint", step)
"""
TRACKED = """
@rla.track(task="attack", log_root=root, writers=["csv", "tensorboard", "log"], backup="none")
def main():
    note("begun", 0)
    if mode == "caught":
        try:
            train(rla.log, rla.save_checkpoint)
        except KeyboardInterrupt:
            note("caught", 0)
    else:
        train(rla.log, rla.save_checkpoint)

main()
"""
LOADED = """
from rla_hooks.tester import Tester
tester = Tester.load(mode)
note("begun", 0)
train(tester.log, tester.save_checkpoint)
tester.finish()
"""


class Training:
    """One training in a process of its own, and what it has noted."""

    def __init__(self, folder, root, prefix="", steps=100_000, mode="", program=TRACKED, **variables):
        self.root, self.prefix, self.notes = root, prefix, folder / f"notes{prefix}"
        command = [sys.executable, "-W", "ignore", "-c", TRAINING + program]
        self.process = subprocess.Popen(
            [*command, str(root), str(self.notes), prefix, str(steps), mode],
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, what):
        """Wait until something of this kind is noted."""
        while not self.noted(what) and self.process.poll() is None:
            time.sleep(0.002)

    def noted(self, what):
        """The steps of the rows or checkpoints whose calls have returned."""
        try:
            lines = [line.split() for line in self.notes.read_text().splitlines()]
        except FileNotFoundError:
            return []
        return [int(step) for kind, step in lines if kind == what]

    def end(self, timeout=60):
        """Wait for the process; yield a line if it hangs, or died of an error of ours."""
        try:
            error = self.process.communicate(timeout=timeout)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            yield f"the process hangs for {timeout} s"
        else:
            if error and "KeyboardInterrupt" not in error:
                yield f"the process ended with {error.strip().splitlines()[-1]}"
            if self.process.returncode not in (0, 1, -signal.SIGINT, -signal.SIGKILL):
                yield f"the process ended with {self.process.returncode}"

    def lost(self, run, gaps=0):
        """Yield what was noted and is not there, and what is there and was never logged. gaps: rows stated missing."""
        rows, garbage = _rows_in_csv(run, self.prefix)
        yield from garbage
        for step, row in rows.items():
            late = f"late/{self.prefix}{step // LATE % 40}"
            if step % LATE == 0 and row.get(late) != str(step):
                yield f"row {step} has {row.get(late)!r} under {late}"
        noted = self.noted("row")
        yield from _missing("rows in csv", noted, rows, gaps)
        yield from _missing("rows in TensorBoard", noted, _steps_in_tensorboard(run, f"loss/{self.prefix}"), gaps)
        checkpoints = self.noted("checkpoint")
        if checkpoints and not gaps:
            newest = rla.latest_checkpoint(run, f"checkpoint{self.prefix}")
            if newest is None or int(newest.stem.rpartition("-")[2].partition(".")[0]) < checkpoints[-1]:
                yield f"the newest checkpoint is {newest}, and {checkpoints[-1]} was saved"


def _rows_in_csv(run, prefix):
    """The rows of a training by their steps, from all files of rows; and lines about rows that nobody logged."""
    rows, garbage = {}, []
    for path in sorted(run.log_dir.glob("progress*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                loss = row.get(f"loss/{prefix}")
                if not loss and any(key.startswith("loss/") and cell for key, cell in row.items() if key):
                    continue  # another training's
                try:
                    step = int(row["time-step"])
                    is_ours = float(loss) == step / 7 and float(row["timestamp"]) > 1.7e9 and None not in row
                except (TypeError, ValueError):
                    is_ours = False
                if is_ours:
                    rows[step] = row
                else:
                    garbage.append(f"a garbage row in {path.name}: {str(row)[:200]}")
    return rows, garbage


def _steps_in_tensorboard(run, tag):
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("notf"))  # its own reader, without TensorFlow
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = set()
    for path in run.tensorboard_dir.glob("events.out.tfevents.*"):
        for event in EventFileLoader(str(path)).Load():
            found.update(event.step for value in event.summary.value if value.tag == tag)
    return found


def _missing(what, noted, found, stated):
    missing = [step for step in noted if step not in found]
    if len(missing) > stated:
        yield f"{len(missing)} of {len(noted)} {what} are lost, {stated} are stated; the first one is {missing[0]}"


def _only_run(root):
    (run,) = rla.runs(root)
    if run.problems:
        raise AssertionError(f"{run.name} reads as damaged: {run.problems}")
    return run


# --- attacks: each yields what was lost in one round ------------------------------------------------------------------


def kill(folder, draw):
    """kill -9 while it logs, grows the header and saves; then the run goes on in another process and ends well."""
    root = folder / "root"
    training = Training(folder, root)
    training.wait_for("begun")
    time.sleep(draw.uniform(0, 0.15))
    training.process.kill()
    list(training.end())
    run = _only_run(root)
    if run.status != "killed":
        yield f"the run reads as {run.status}"
    yield from training.lost(run)
    tester = Tester.load(run.paths.tester_pkl)
    tester.log({"loss/after": 1 / 7}, step=1)
    tester.finish()
    run = _only_run(root)
    rows = sum(len(_rows_in_csv(run, prefix)[0]) for prefix in ("", "after"))
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
    run = _only_run(root)
    allowed = {"interrupted"} if mode == "passes" else {"finished"} if times == 1 else {"finished", "interrupted"}
    if run.status not in allowed:
        yield f"Ctrl-C ({times} times, {mode}): the run reads as {run.status}"
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
    run = _only_run(root)
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
    run = _only_run(training.root)
    stated = sum(gap["rows"] for gap in run.info["gaps"] if gap["writer"] == "csv")
    rows, garbage = _rows_in_csv(run, "")
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
