"""A soak: trainings are attacked side by side for minutes, and resumed until they are done; then all is counted.

make soak          or          python tests/benchmarks/soak.py --minutes 20

Each of six lanes runs one training after the other (training.py). At random moments it is killed (-9), preempted
(SIGTERM, SIGUSR1, SIGUSR2), interrupted (Ctrl-C), or two resumes of it are started at once; some are forked at the end.
As root, two lanes lie on small disks that are full now and then. When a training is done, each of its rows and
checkpoints must be accounted for (lives.py): kept, or under cut/, or stated as missing. Ends with 1 if one is not.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from lives import ERRORS, REFUSED, Life, Story
from machine import describe, in_words

import rla_hooks as rla

PLAIN = {"kind": "plain", "steps": (200, 1500), "moment": (0.2, 4.0), "pause": 0.005}
CARTPOLE = {"kind": "cartpole", "steps": (20, 100), "moment": (2.0, 12.0), "pause": 0.0}
ATTACKS = {"kill": 40, "preempt": 20, "interrupt": 15, "two at once": 15, "none": 10}  # of a hundred lives
PREEMPTIONS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
MAX_ATTACKS = 12  # on one training: afterwards it may end
STATED_WITHIN = 1.5  # seconds: how long a row that a full disk has refused may be in no run.json


class Lane(threading.Thread):
    """One training after the other, until the time is over."""

    def __init__(self, number, folder, until, training, draw, disk=None):
        super().__init__(daemon=True)
        self.counts, self.faults, self.stories = Counter(), [], 0
        self._name, self._folder, self._until, self._training = f"lane {number}", folder, until, training
        self._draw, self._disk = draw, disk
        self._root = (disk.folder if disk else folder) / "root"
        self._lives, self._notes_folder = 0, folder

    def run(self):
        while time.monotonic() < self._until and not self.faults:
            self._notes_folder = self._folder / str(self.stories)
            self._notes_folder.mkdir(parents=True)
            try:
                self._tell_story()
            except Exception:
                self.faults.append(f"{self._notes_folder}: {traceback.format_exc()}")
            self.stories += 1
            if not self.faults:
                shutil.rmtree(self._notes_folder)
                if self._disk or self.stories % 20 == 0:
                    shutil.rmtree(self._root, ignore_errors=True)

    # --- one training -------------------------------------------------------------------------------------------------

    def _tell_story(self):
        seed, steps, self._lives = self._draw.randrange(10**6), self._draw.randint(*self._training["steps"]), 0
        self._until_done(seed, steps)
        done = self._story().done
        if done and not self._disk and self._draw.random() < 0.3:
            origin = self._draw.choice([run for run, saved in self._story().saved.items() if saved] or [None])
            if origin:
                self.counts["forks"] += 1
                more = steps + self._draw.randint(*self._training["steps"]) // 2
                self._until_done(seed + 10**6, more, ("fork", origin))
        wrong, counts = self._story().account(self._root, self._disk is not None)
        self.counts += counts
        self.counts["trainings"] += 1
        self.faults += [f"{self._notes_folder}: {line}" for line in wrong]

    def _story(self):
        return Story(self._notes_folder / "notes")

    def _until_done(self, seed, steps, how=("auto", "")):
        attacks = 0
        while not self.faults:
            before = self._story()
            attack = self._draw_attack(before) if attacks < MAX_ATTACKS and time.monotonic() < self._until else "none"
            attacks += 1
            if attack == "two at once":
                run = [run for run, saved in before.saved.items() if saved][-1]
                lives = [self._start(seed, steps, ("resume", run)) for _ in range(2)]
            else:
                lives = [self._start(seed, steps, how)]
            how = ("auto", "")
            self._attack(attack, lives)
            if self._is_done(lives):
                return

    def _draw_attack(self, story):
        attack = self._draw.choices([*ATTACKS], [*ATTACKS.values()])[0]
        can_be_resumed = any(story.saved.values()) and not story.done
        return "kill" if attack == "two at once" and not can_be_resumed else attack

    def _start(self, seed, steps, how):
        self._lives += 1
        its = self._training
        folder = self._notes_folder
        return Life(its["kind"], folder, self._root, self._lives, seed, steps, *how, pause=its["pause"])

    def _attack(self, attack, lives):
        """Do this to the processes, and wait for their end."""
        if attack != "none":
            with self._full_disk():
                self._wait(self._draw.uniform(*self._training["moment"]), lives)
        for life in lives:
            if life.process.poll() is None and attack != "none":
                sent = {"preempt": self._draw.choice(PREEMPTIONS), "interrupt": signal.SIGINT}
                life.process.send_signal(sent.get(attack, signal.SIGKILL))
                self.counts[attack if attack in sent or attack == "two at once" else "kill"] += 1
        for life in lives:
            for line in life.end(REFUSED if self._disk or len(lives) > 1 else ERRORS):
                self.faults.append(f"{self._notes_folder}, life {self._lives}: {line}")

    def _wait(self, seconds, lives):
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(life.process.poll() is None for life in lives):
            time.sleep(0.01)

    @contextmanager
    def _full_disk(self):
        """On a lane with a disk, it is full for a part of the time, and free again before the attack."""
        if self._disk is None or self._draw.random() < 0.3:
            yield
            return
        self.counts["full disks"] += 1
        delay, seconds = self._draw.uniform(0, 1.5), self._draw.uniform(0.1, 2.0)
        filler = threading.Thread(target=self._disk.fill_for, args=(delay, seconds))
        filler.start()
        yield
        filler.join()
        time.sleep(STATED_WITHIN)

    def _is_done(self, lives):
        """Whether one of these lives has come to the end of the training."""
        numbers = {life.said.name.rpartition("-")[2] for life in lives}
        notes = self._notes_folder / "notes"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return any(line.split()[0] in numbers and line.split()[1] == "done" for line in lines)


class Disk:
    """A small disk."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)]
        self.works = subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def fill_for(self, delay, seconds):
        time.sleep(delay)
        filler = self.folder / "filler"
        with open(filler, "wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        time.sleep(seconds)
        filler.unlink()

    def remove(self, copy=None):
        """Take the disk away; ``copy``: a folder that gets what was on it."""
        if self.works:
            if copy:
                shutil.copytree(self.folder, copy, symlinks=True)
            subprocess.run(["umount", "-l", str(self.folder)], check=False)


@contextmanager
def progress(seconds):
    """Give a function that shows how the soak goes: a bar on a terminal, elsewhere a line a minute."""
    if not sys.stdout.isatty():
        told = 0.0

        def tell(passed, text):
            nonlocal told
            if passed - told >= 60:
                told = passed
                print(f"{passed / 60:3.0f} min: {text}", flush=True)

        yield tell
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=seconds)
        yield lambda passed, text: bar.update(task, completed=passed, description=text)


ROWS = ("trainings", "runs", "forks", "lives", "kill", "preempt", "interrupt", "two at once", "full disks")
FOUND = ("kept", "cut", "missing", "untracked", "cuts", "checkpoints", "checkpoints cut")
WORDS = {
    "kill": "kill -9",
    "preempt": "preemptions (SIGTERM, SIGUSR1, SIGUSR2)",
    "interrupt": "Ctrl-C",
    "two at once": "killed after two resumes had started at once",
    "full disks": "times that a disk was full",
    "kept": "rows in progress.csv and TensorBoard",
    "cut": "rows under cut/",
    "untracked": "trainings that began on a full disk, and went untracked",
    "missing": "rows that full disks refused, stated in run.json",
    "checkpoints": "checkpoints listed",
    "checkpoints cut": "checkpoints marked as cut",
}


def report(counts, faults, seconds, began):
    """Print what was done and found, as a table of Markdown."""
    print(f"\nA soak of {seconds / 60:.0f} minutes, {began:%Y-%m-%d}: {in_words(describe())}.\n")
    print("| what | how many |\n| --- | --- |")
    for key in (*ROWS, *FOUND):
        print(f"| {WORDS.get(key, key)} | {counts[key]:,} |")
    print(f"| rows or checkpoints not accounted for, and other faults | {len(faults) or 'none'} |")
    for line in faults[:20]:
        print(f"    {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", rla.RLAWarning)
    seconds, began = arguments.minutes * 60, datetime.now(timezone.utc)
    base = Path(tempfile.mkdtemp(prefix="rla-soak-"))
    os.environ["XDG_CACHE_HOME"] = str(base / "cache")
    start = time.monotonic()
    disks = [Disk(base / f"disk{number}") for number in range(2)]
    lanes = [PLAIN, PLAIN, PLAIN, CARTPOLE, *(PLAIN for disk in disks if disk.works)]
    lanes = [
        Lane(number, base / str(number), start + seconds, training, random.Random(f"{arguments.seed}/{number}"), disk)
        for number, (training, disk) in enumerate(zip(lanes, [None] * 4 + disks))
    ]
    try:
        watch(lanes, start, seconds)
    finally:
        faults = [line for lane in lanes for line in lane.faults]
        for number, disk in enumerate(disks):
            disk.remove(copy=base / f"copy-of-disk{number}" if faults else None)
    counts = sum((lane.counts for lane in lanes), Counter())
    report(counts, faults, time.monotonic() - start, began)
    if not all(disk.works for disk in disks):
        print("No disk was full: that needs the right to mount a tmpfs. Run it as root to have that, too.")
    if faults:
        print(f"What was found is left in {base}.")
    else:
        shutil.rmtree(base, ignore_errors=True)
    return bool(faults)


def watch(lanes, start, seconds):
    """Run the lanes. A fault is told at once, and ends its lane."""
    for lane in lanes:
        lane.start()
    told = 0
    with progress(seconds) as show:
        while any(lane.is_alive() for lane in lanes):
            time.sleep(0.2)
            faults = [line for lane in lanes for line in lane.faults]
            for line in faults[told:]:
                print(f"FAULT {line}", flush=True)
            told = len(faults)
            done, kept = sum(lane.counts["trainings"] for lane in lanes), sum(lane.counts["kept"] for lane in lanes)
            show(time.monotonic() - start, f"{done} trainings, {kept:,} rows, {len(faults)} faults")


if __name__ == "__main__":
    sys.exit(main())
