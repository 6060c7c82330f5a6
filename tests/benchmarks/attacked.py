"""A training in a process of its own that notes what it does: kills.py attacks it, and asks it what was lost."""

import csv
import os
import signal
import subprocess
import sys
import time
import types

import rla_hooks as rla

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
        rows, garbage = rows_in_csv(run, self.prefix)
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


def rows_in_csv(run, prefix):
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


def only_run(root):
    (run,) = rla.runs(root)
    if run.problems:
        raise AssertionError(f"{run.name} reads as damaged: {run.problems}")
    return run
