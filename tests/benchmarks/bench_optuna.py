"""What ``optuna_trial`` adds to a trial, beside a SummaryWriter of torch in the same trial.

Each trial suggests 5 parameters and reports 1,000 values, in blocks: bare ones, some that go to a SummaryWriter's
``add_scalar``, too, as those of many scripts do, and some in a block of optuna_trial. Measured is the processor time,
with that of the bare reports taken off. The cost of a trial without reports is that of a run: its folders and files,
the parameters, the value, the tag of the best.
"""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import optuna
from rla_hooks.integrations.optuna import mark_best, optuna_trial
from torch.utils.tensorboard import SummaryWriter

TRIALS, PARAMETERS, REPORTS = 20, 5, 1000


def measure():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        reports, trials = _seconds(Path(folder))
    a_report = {name: statistics.median(each[2:]) / REPORTS for name, each in reports.items()}  # without caches
    a_trial = {name: statistics.median(each[2:]) for name, each in trials.items()}
    ours, theirs = (a_report[name] - a_report["bare"] for name in ("optuna_trial", "SummaryWriter"))
    yield "a report: optuna_trial / SummaryWriter.add_scalar", ours / theirs, 1, "times"
    yield "the same of optuna_trial in microseconds", ours * 1e6, None, "us"
    what = f"a trial of {PARAMETERS} parameters, without its reports, in milliseconds"
    yield what, (a_trial["optuna_trial"] - a_trial["bare"]) * 1e3, None, "ms"


def _seconds(folder):
    """The processor time of the reports of each trial, and that of the rest of it, by what records it."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    kinds = {"bare": _trial, "optuna_trial": _recorded, "SummaryWriter": _written}
    reports, rest = ({name: [] for name in kinds} for _ in range(2))
    for _ in range(TRIALS):
        for name in random.sample([*kinds], len(kinds)):
            start = time.process_time()
            study.optimize(lambda trial, record=kinds[name]: record(trial, folder), n_trials=1, callbacks=[mark_best])
            whole = time.process_time() - start
            reports[name].append(study.trials[-1].user_attrs["seconds"])
            rest[name].append(whole - reports[name][-1])
    return reports, rest


def _trial(trial, folder, report=None):
    total = sum(trial.suggest_float(f"x{number}", 0, 1) for number in range(PARAMETERS))
    start = time.process_time()
    for step in range(REPORTS):
        value = total + 1 / (step + 1)
        trial.report(value, step)
        if report is not None:
            report("intermediate_value", value, step)
    trial.set_user_attr("seconds", time.process_time() - start)
    return total


def _recorded(trial, folder):
    with optuna_trial(trial, log_root=folder / "rla", task="bench", writers=["csv", "tensorboard"], backup="none"):
        return _trial(trial, folder)


def _written(trial, folder):
    with SummaryWriter(folder / "tb" / f"trial-{trial.number}") as writer:
        return _trial(trial, folder, writer.add_scalar)
