"""Log roots of many runs, in the form that rla_hooks writes, made in seconds: what the benchmarks of reading read."""

import json
import random
from datetime import datetime, timedelta, timezone

BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)
PROCESS = {"host": "vm", "pid": 4242, "process": "cbabf595/163983", "pid_namespace": "cbabf595/pid:[4026531836]"}
ENDING = {"gaps": [], "warnings": [], "notes": [], "restarts": [], "error": None, "signal": None, "reported": False}


def make_root(root, runs, rows=1, parameters=20, metrics=10, task="task", first=0):
    """Make runs that have ended, 200 a day, each with these numbers of rows, hyper-parameters and metrics."""
    chance = random.Random(first)
    for number in range(first, first + runs):
        name, run_json, hparams = small_files(number, chance, rows, parameters, metrics, task)
        folder = root / "log" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(run_json, indent=2) + "\n")
        (folder / "parameter.json").write_text(json.dumps(hparams, indent=2) + "\n")
        with (folder / "progress.csv").open("w") as file:
            file.write(",".join(["time-step", "timestamp", *run_json["last"]]) + "\n")
            begin = BEGIN.timestamp() + number
            for step in range(rows):
                values = [repr(chance.random()) for _ in range(metrics)]
                file.write(f"{step},{begin + step},{','.join(values)}\n")


def small_files(number, chance, rows=1, parameters=20, metrics=10, task="task"):
    """Return the name of a run, and the contents of its run.json and parameter.json."""
    day, second = divmod(number, 200)
    started = BEGIN + timedelta(days=day, seconds=second, microseconds=number)
    hparams = {"lr": number % 10 / 10, "seed": number, "env": "CartPole-v1", "width": 64}
    hparams |= {f"p{each}": chance.random() for each in range(parameters - len(hparams))}
    name = f"{task}/{started:%Y/%m/%d/%H-%M-%S-%f}_10.0.0.5_&lr={hparams['lr']}&seed={number}"
    times = {"started": started.isoformat(), "ended": (started + timedelta(seconds=61)).isoformat(), "seconds": 61.2}
    run_json = {"format": 2, "id": f"{number:08d}", "name": name, "task": task, "parent": None, "rla_hooks": "0.1.0"}
    run_json |= {"writers": ["csv"], "status": "finished", **times, **PROCESS, "owner": PROCESS}
    run_json |= {"command": ["/usr/bin/python3", "train.py"], "folder": "/home/me", "python": "3.11.7", "rows": rows}
    run_json |= {"last_step": rows - 1, "last": {f"perf/m{each}": chance.random() for each in range(metrics)}, **ENDING}
    return name, run_json, hparams
