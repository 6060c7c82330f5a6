"""Trainings of several lives (training.py), and whether the files of their runs hold what these have noted.

A row that was logged is in progress.csv once, or under cut/ once, or stated as missing in run.json. Which of the first
two follows from the notes alone: a life that has loaded a checkpoint goes on behind the row that this one was saved
at. TensorBoard's own reader must show the rows of progress.csv, and no others.
"""

import csv
import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import types
import warnings
from collections import Counter
from pathlib import Path

import rla_hooks as rla
from rla_hooks.atomic import is_temporary

PROGRAM = Path(__file__).with_name("training.py")
PER_LIFE = 100_000  # numbers of rows, as in training.py
# How a life may end that somebody has attacked: by itself, by an error that is told, by a signal, preempted.
CODES = (0, 1, -signal.SIGKILL, *(end for number in (2, 10, 12, 15) for end in (-number, 128 + number)))
ERRORS = (
    "KeyboardInterrupt",
    # torch, alone, too: it swallows a Ctrl-C while it imports NumPy for itself, and fails when it imports it again
    "ImportError: cannot load module more than once per process",
)
REFUSED = (
    *ERRORS,
    "rla_hooks.errors.RunError",
    "rla_hooks.errors.ConfigError: the run ",
    "OSError: [Errno 28]",
)  # alive, finished, full disk

_ERROR = re.compile(r"[\w.]*(Error|Exception|Interrupt)(:|$)")  # the last line of a traceback


class Life:
    """One life of a training: a process."""

    def __init__(self, kind, folder, root, number, seed, steps, how="auto", run="", pause=0.0, job=None):
        self._notes = folder / "notes"
        arguments = (kind, root, self._notes, number, seed, steps, how, run, pause)
        self.said = folder / f"said-{number}"
        variables = {"RLA_RUN_ID": job or str(folder), "CUDA_VISIBLE_DEVICES": ""}
        self.process = self._begin([str(PROGRAM), *map(str, arguments)], variables)

    def _begin(self, command, variables):
        with open(self.said, "wb") as said:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", *command],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def end(self, errors=ERRORS, timeout=120):
        """Wait for the process; yield a line if it hangs, or died of an error that is none of these."""
        size = -1
        while self.process.poll() is None:
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                before, size = size, self._notes.stat().st_size if self._notes.exists() else 0
                if size == before:  # else it is only slow
                    self.process.kill()
                    self.process.wait()
                    yield f"the process hangs for {timeout} s"
        lines = [line for line in self.said.read_text(errors="replace").splitlines() if line.strip()]
        # The last error counts: Ctrl-C may come before Python has begun the program, in the middle of another one.
        told = [line for line in lines if _ERROR.match(line)]
        if self.process.returncode not in CODES or not all(line.startswith(errors) for line in told[-1:]):
            yield f"the process ended with {self.process.returncode}: {' | '.join(told or lines[-3:])}"


class ForkedLife(Life):
    """One life of a training whose process is forked off one that has imported its framework, which takes seconds."""

    _context = None

    def _begin(self, command, variables):
        if ForkedLife._context is None:
            sys.path.insert(0, str(PROGRAM.parents[2] / "examples"))
            os.environ.setdefault("KERAS_BACKEND", "torch")
            ForkedLife._context = multiprocessing.get_context("forkserver")
            ForkedLife._context.set_forkserver_preload(["cartpole", "keras", "rla_hooks.integrations.keras"])
        process = ForkedLife._context.Process(target=run_forked, args=(command, variables, str(self.said)))
        process.start()
        return _AsPopen(process)


class _AsPopen:
    """A process of multiprocessing with the words of subprocess."""

    def __init__(self, process):
        self._process, self.kill = process, process.kill

    returncode = property(lambda self: self._process.exitcode)

    def poll(self):
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("training.py", timeout)


def run_forked(command, variables, said):
    """Run the program in this process."""
    os.environ.update(variables)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = command
    warnings.simplefilter("ignore")
    runpy.run_path(command[0], run_name="__main__")


class Story:
    """What the notes of some lives say that must be in the files of their runs."""

    def __init__(self, notes):
        self.rows = 0
        self._at_step = {}  # the newest row of each step, by run
        self.curves, self.cut, self.saved, self.begun = {}, {}, {}, Counter()
        self.done, self.faults, self.last, self._run_of, self._wants_older = False, [], {}, {}, set()
        lines = notes.read_text().splitlines() if notes.exists() else []
        for line in lines:
            life, what, *about = line.split()
            getattr(self, f"_{what}")(life, *about)

    def _begun(self, life, run):
        self._run_of[life] = run
        self.begun[run] += 1
        for known in (self.curves, self.cut, self.saved):
            known.setdefault(run, [])

    def _loaded(self, life, uid):
        run, uid = self._run_of[life], int(uid)
        curve, saved = self.curves[run], self.saved[run]
        if not curve:  # a fork: it begins with what another run had
            origin = next(each for each, its in self.curves.items() if uid in its)
            newest = self.curves[origin].index(max([uid, *(each[0] for each in self.saved[origin][-1:])]))
            curve += self.curves[origin][: newest + 1]
            saved += [each for each in self.saved[origin] if each[0] in curve]
        if uid not in curve:
            self.faults.append(f"life {life} has loaded a checkpoint of row {uid}, which was cut or never was")
            return
        place = curve.index(uid) + 1
        if saved and saved[-1][0] in curve[place:] and run not in self._wants_older:
            self.faults.append(f"life {life} goes on behind row {uid}; the checkpoint of row {saved[-1][0]} is lost")
        self._wants_older.discard(run)
        self.cut[run] += curve[place:]
        del curve[place:]

    def _loaded_step(self, life, step):
        self._loaded(life, self._at_step[self._run_of[life], int(step)])

    def _row(self, life, uid, step):
        run = self._run_of[life]
        self.curves[run].append(int(uid))
        self.rows += 1
        self._at_step[run, int(step)] = int(uid)
        self.last[int(life)] = int(uid)

    def _saved(self, life, uid, step):
        self.saved[self._run_of[life]].append((int(uid), int(step)))

    def _stopping(self, life):
        pass

    def _older(self, life):
        self._wants_older.add(self._run_of[life])  # until one is loaded: Ctrl-C may come after the cut

    def _done(self, life):
        self.done = True

    def _wrong(self, life, *about):
        self.faults.append(f"life {life}: {' '.join(about)}")

    def account(self, root, is_disk_small=False):
        """Compare with the files; return (what is wrong, how many rows and checkpoints are where).

        is_disk_small: whether the disk may have been full when a run started, which goes untracked then, or lacks
        files that say so.
        """
        found, counts = list(self.faults), Counter()
        runs = {run.name: run for run in rla.runs(root)}
        for name, curve in self.curves.items():
            if name == "None" and is_disk_small:
                counts["untracked"] += 1
                continue
            if name not in runs:
                found.append(f"the run {name} is not there")
                continue
            wrong, its = _account(runs[name], curve, self.cut[name], self.saved[name], self.last, is_disk_small)
            found += [f"{name}: {line}" for line in wrong]
            counts.update(its)
            lives = 1 + len(runs[name].run_json.get("restarts", ()))
            if lives < self.begun[name]:
                found.append(f"{name}: {self.begun[name]} lives have begun, run.json tells of {lives}")
        return found, counts


def _account(run, curve, cut, saved, last, is_disk_small):
    damage = [line for line in run.problems if not (is_disk_small and line == "parameter.json is missing")]
    wrong, counts = damage, Counter(runs=1, lives=1 + len(run.run_json.get("restarts", ())))
    stated = Counter()
    for gap in run.info["gaps"]:
        stated[gap["writer"]] += gap["rows"]
    kept, aside = _uids(run.log_dir), [uid for folder in _cuts(run.log_dir) for uid in _uids(folder)]
    wrong += [f"row {uid} is there {times} times" for uid, times in Counter(kept + aside).items() if times > 1]
    missing = {*curve, *cut} - {*kept} - {*aside}
    wrong += _few("rows are lost", sorted(missing), stated["csv"])
    unnoted = [uid for uid in (*kept, *aside) if uid not in {*curve, *cut}]
    wrong += [f"row {uid} was never logged" for uid in unnoted if uid - 1 != last.get(uid // PER_LIFE, uid - 1)]
    wrong += _order("progress.csv", kept, [uid for uid in curve if uid not in missing], unnoted)
    shown = _in_tensorboard(run.tensorboard_dir)
    gone = {*curve} - {*shown}
    wrong += _few("rows are not in TensorBoard", sorted(gone), stated["tensorboard"])
    wrong += _order("TensorBoard", shown, [uid for uid in curve if uid not in gone], unnoted)
    if run.status == "finished" and not len(kept) <= run.info["rows"] <= len(kept) + stated["csv"]:
        wrong.append(f"run.json counts {run.info['rows']} rows; {len(kept)} are there")
    wrong += _checkpoints(run, saved, {*curve}, counts)
    if run.status == "finished":
        wrong += [f"a temporary file is left: {path}" for path in _temporary(run)]
    counts.update(kept=len(kept), cut=len(aside), missing=len(missing), cuts=len(_cuts(run.log_dir)))
    return wrong, counts


def _few(what, missing, stated):
    if len(missing) > stated:
        yield f"{len(missing)} {what}, {stated} are stated; the first ones are {missing[:5]}"


def _order(where, found, expected, unnoted):
    """A row whose call was killed before it returned may be the last one, where nothing has cut it since."""
    while len(found) > len(expected) and found[-1] in unnoted:
        found = found[:-1]
    if found != expected:
        place = next((n for n, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
        around = slice(max(0, place - 1), place + 3)
        yield f"{where} has {found[around]} from row {place - 1} on, and the training {expected[around]}"


def _uids(folder):
    """By time: where a full disk has no room for a longer header, rows go to a file beside progress.csv."""
    found = []
    for path in sorted(folder.glob("progress*.csv")):
        with open(path, newline="") as file:
            found += [(float(row["timestamp"]), int(row["uid"])) for row in csv.DictReader(file) if row["uid"]]
    return [uid for _, uid in sorted(found, key=lambda row: row[0])]


def _cuts(log_dir):
    return sorted((log_dir / "cut").glob("*/"))


def _in_tensorboard(folder):
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("notf"))  # its own reader, without TensorFlow
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    return [int(event.value) for event in reader.Scalars("uid")] if "uid" in reader.Tags()["scalars"] else []


def _checkpoints(run, saved, curve, counts):
    from rla_hooks.checkpoints import Manifest

    entries = Manifest(run.checkpoint_dir).entries()
    for entry in entries:
        counts["checkpoints"] += entry.cut is None
        counts["checkpoints cut"] += entry.cut is not None
        if not (run.checkpoint_dir / entry.file).exists():
            yield f"the checkpoint {entry.file} (cut: {entry.cut}) has no file"
    steps = [step for uid, step in saved if uid in curve]
    newest = max((entry.step for entry in entries if entry.cut is None), default=0)
    if steps and newest < steps[-1]:
        yield f"the checkpoint of step {steps[-1]} is not listed; the newest one is of step {newest}"


def _temporary(run):
    folders = (run.log_dir, run.checkpoint_dir, run.paths.archive_dir)
    return [path for folder in folders for path in folder.rglob("*") if is_temporary(path.name)]
