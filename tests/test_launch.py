"""rla.sweep: what runs, what is skipped, what goes on, and what is said before anything begins."""

import concurrent.futures
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.errors import RLAWarning
from rla_hooks.launch import space
from rla_hooks.launch.engines import _share

PROGRAM = """
import os, sys, time
import rla_hooks as rla

@rla.track(task="t", log_root={root!r}, writers=["csv"], backup="none")
def main(lr, seed=0, steps=2):
    first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
    for step in range(first, steps):
        rla.log({{"perf/return": lr * (seed + 1) + step}}, step=step)
        {each_step}
        rla.save_checkpoint({{"step": step}}, step=step + 1)
    return lr * (seed + 1)
"""
SETTINGS = {"lr": [0.1, 0.2], "seed": range(3)}
ROWS = [(lr, seed, [lr * (seed + 1), lr * (seed + 1) + 1]) for lr in (0.1, 0.2) for seed in range(3)]


def _installed(*packages):
    return all(importlib.util.find_spec(each) for each in packages)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's, with the tracked function ``main``; its steps do what is given."""

    def make(each_step="pass"):
        (tmp_path / "user_training.py").write_text(PROGRAM.format(root=str(tmp_path / "root"), each_step=each_step))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        sys.modules.pop("user_training", None)
        return importlib.import_module("user_training").main

    yield make
    sys.modules.pop("user_training", None)


def _rows(runs):
    return [(run.hparams["lr"], run.hparams["seed"], run.metrics(merge=True)["perf/return"].tolist()) for run in runs]


def _lines(error):
    return error.value.problems


# --- engines ----------------------------------------------------------------------------------------------------------

ENGINES = {
    "threads": lambda: {"on": concurrent.futures.ThreadPoolExecutor(2)},
    "processes": lambda: {"on": concurrent.futures.ProcessPoolExecutor(2)},
    "joblib": lambda: {"on": "local", "jobs": 2},
    "submitit": lambda: {"on": "slurm", "jobs": 3, "cluster": {"cluster": "local", "timeout_min": 5}},
}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_runs(engine, module, quiet):
    """Two times three settings: the same rows, in the order of the settings, with group, sweep and index."""
    if engine in ("joblib", "submitit") and not _installed(engine):
        pytest.skip(f"there is no {engine}")
    options = ENGINES[engine]()
    runs = rla.sweep(module(), SETTINGS, group="lr sweep", **options)
    assert _rows(runs) == ROWS
    assert {run.status for run in runs} == {"finished"} and {run.group for run in runs} == {"lr sweep"}
    assert [run.sweep["index"] for run in runs] == [*range(6)]
    assert len({run.sweep["id"] for run in runs}) == 1
    assert [run.result for run in runs] == [lr * (seed + 1) for lr, seed, _ in ROWS]
    assert {tuple(run.run_json["command"][1:]) for run in runs} == {tuple(sys.orig_argv[1:])}
    assert rla.runs("root", where="group == 'lr sweep'", sort="lr,seed") == [*runs]
    of_sweep = f"sweep == '{runs[0].sweep['id']}' and sweep.index >= 4"
    assert rla.runs("root", where=of_sweep, sort="sweep.index") == [*runs[4:]]
    if hasattr(options["on"], "shutdown"):
        options["on"].shutdown()


def test_a_function_of_a_notebook_is_swept(tmp_path, quiet):
    """joblib sends the function itself, with what it needs, where no other process can import it."""
    pytest.importorskip("joblib")
    factor = 2.0

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(lr):
        return lr * factor

    assert [run.result for run in rla.sweep(main, {"lr": [1.0, 2.0]}, quiet=True)] == [2.0, 4.0]


def test_the_cores_and_gpus_are_divided(monkeypatch):
    """Each slot has its part; what the user has set stays."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    shares = [_share(slot, 2) for slot in range(2)]
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["4,7", "5"]
    assert all(int(share["OMP_NUM_THREADS"]) >= 1 and "MKL_NUM_THREADS" not in share for share in shares)
    assert [_share(slot, 4)["CUDA_VISIBLE_DEVICES"] for slot in range(4)] == ["4", "5", "7", "4"]


def test_a_worker_has_its_share(tmp_path, monkeypatch, quiet):
    """The process of a setting sees it from its first import on; with divide=False it is left alone."""
    pytest.importorskip("joblib")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(seed):
        return [os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("OMP_NUM_THREADS")]

    seen = [run.result for run in rla.sweep(main, {"seed": [0, 1]}, jobs=2, quiet=True)]
    assert sorted(gpu for gpu, _ in seen) in (["0", "1"], ["0", "0"], ["1", "1"]) and all(cores for _, cores in seen)
    (run,) = rla.sweep(main, {"seed": [2]}, divide=False, quiet=True)
    assert run.result == ["0,1", None]


# --- what exists ------------------------------------------------------------------------------------------------------


def _threads():
    return concurrent.futures.ThreadPoolExecutor(1)


def test_what_has_finished_is_skipped(module, quiet):
    """A larger sweep of the same group runs what is new; resume=False runs all again."""
    main = module()
    first = rla.sweep(main, {"lr": [0.1], "seed": [0, 1]}, on=_threads(), group="g")
    more = rla.sweep(main, {"lr": [0.1], "seed": [0, 1, 2]}, on=_threads(), group="g")
    assert [run.id for run in more[:2]] == [run.id for run in first] and len(rla.runs("root")) == 3
    assert {run.sweep["id"] for run in more} == {first[0].sweep["id"]}
    again = rla.sweep(main, {"lr": [0.1], "seed": [0]}, on=_threads(), group="g", resume=False)
    assert again[0].id != first[0].id and len(rla.runs("root")) == 4
    other = rla.sweep(main, {"lr": [0.1], "seed": [0]}, on=_threads(), group="other")
    assert other[0].id != first[0].id


def test_an_unfinished_run_goes_on_from_its_checkpoint(module, tmp_path, quiet):
    """And one without a checkpoint begins anew; both stay the runs that they were."""
    main = module("if seed < 2 and step == seed and not os.path.exists('mended'): raise ValueError('boom')")
    stopped = rla.sweep(main, {"lr": [1.0], "seed": range(3)}, on=_threads(), group="g")
    assert [run.status for run in stopped] == ["failed", "failed", "finished"]
    (tmp_path / "mended").touch()
    runs = rla.sweep(main, {"lr": [1.0], "seed": range(3)}, on=_threads(), group="g")
    assert [run.id for run in runs] == [run.id for run in stopped]
    assert _rows(runs) == [(1.0, seed, [seed + 1.0, seed + 2.0]) for seed in range(3)]
    assert {run.status for run in runs} == {"finished"} and [len(run.restarts) for run in runs] == [1, 1, 0]


def test_a_failure_stops_no_other_and_is_tried_again(module, capfd):
    """As often as retries says, in the same run; the reason is told at once."""
    main = module("if seed == 1 and step == 1: raise ValueError('boom')")
    runs = rla.sweep(main, {"lr": [1.0], "seed": range(3)}, on=_threads(), retries=2)
    assert [run.status for run in runs] == ["finished", "failed", "finished"]
    assert len(runs[1].restarts) == 2 and "boom" in runs[1].run_json["error"]
    said = capfd.readouterr().err
    assert said.count("lr=1.0, seed=1 failed: ValueError: boom. It is tried again") == 2
    assert "3 settings of main on ThreadPoolExecutor: 3 new" in said
    assert [line.split()[:4] for line in said.splitlines()[-3:]] == [
        ["0", "1.0", "0", "finished"],
        ["1", "1.0", "1", "failed"],
        ["2", "1.0", "2", "finished"],
    ]


def test_a_run_that_could_not_be_written_is_told_as_such(mounted, capfd):
    """On a disk without inodes the function runs, its value is there, and nobody reads None for its status."""
    disk = mounted("tmpfs", "size=1m,nr_inodes=2")

    @rla.track(task="t", log_root=disk / "root", writers=["csv"], backup="none")
    def main(lr):
        return lr

    with pytest.warns(RLAWarning, match="goes on untracked"), concurrent.futures.ThreadPoolExecutor(1) as threads:
        assert len(rla.sweep(main, {"lr": [0.5]}, on=threads)) == 0
    assert capfd.readouterr().err.splitlines()[-1].split() == ["0", "0.5", "untracked", "0.5"]


def test_a_worker_that_dies_is_replaced(module, capfd):
    """Its setting is tried again, in the run that was killed, and the other process goes on."""
    pytest.importorskip("joblib")
    main = module("if seed == 0 and not os.path.exists('died'): open('died', 'w').close(); os.kill(os.getpid(), 9)")
    runs = rla.sweep(main, {"lr": [1.0], "seed": range(3)}, jobs=2, retries=1)
    assert [run.status for run in runs] == ["finished"] * 3
    assert [[each["status"] for each in run.restarts] for run in runs] == [["killed"], [], []]
    assert "lr=1.0, seed=0 killed: its process died. It is tried again" in capfd.readouterr().err


def test_a_dry_run_only_shows_the_plan(module, tmp_path, capfd):
    """Nothing is created."""
    assert rla.sweep(module(), SETTINGS, on=_threads(), dry_run=True) == []
    assert "6 settings of main on ThreadPoolExecutor: 6 new" in capfd.readouterr().err
    assert not (tmp_path / "root").exists()


def test_the_best_is_by_the_metric(module, capfd):
    """The table has its last value in place of what the function returned."""
    rla.sweep(module(), {"lr": [1.0]}, on=_threads(), metric="perf/return")
    assert capfd.readouterr().err.splitlines()[-1].split()[:4] == ["0", "1.0", "finished", "2"]


# --- stopped and killed -----------------------------------------------------------------------------------------------

SWEEP = """
if __name__ == "__main__":
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    done = rla.sweep(main, {"lr": [1.0], "seed": range(4)}, jobs=2, group="g", retries=1)
    print(*(run.status for run in done))
"""
WAITS = "while seed == 2 and step == 1 and not os.path.exists('go'): time.sleep(0.01)"


@pytest.fixture
def program(tmp_path):
    """Starts the program of a sweep in which one setting waits; ``go`` lets it go on."""
    pytest.importorskip("joblib")
    if os.name == "nt":
        pytest.skip("it has no such signals")
    (tmp_path / "train.py").write_text(PROGRAM.format(root=str(tmp_path / "root"), each_step=WAITS) + SWEEP)
    processes = []

    def start():
        command = [sys.executable, "-I", "train.py"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=tmp_path, text=True, start_new_session=True, **pipes))
        return processes[-1]

    yield start
    for each in processes:
        if each.poll() is None:
            each.kill()
        each.communicate()


def _statuses(root):
    """The statuses in run.json by seed."""
    files = [file for file in Path(root).glob("log/t/*/*/*/*/run.json") if (file.parent / "parameter.json").exists()]
    return {
        json.loads((file.parent / "parameter.json").read_text())["seed"]: json.loads(file.read_text())["status"]
        for file in files
    }


def _wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")


BEFORE = {0: "finished", 1: "finished", 2: "running", 3: "finished"}


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_a_stopped_sweep_goes_on_where_it_was(how, program, tmp_path):
    """Its runs end as interrupted, also where the sweep itself was killed; afterwards one run a setting is there."""
    root = tmp_path / "root"
    stopped = program()
    _wait_until(lambda: _statuses(root) == BEFORE)
    if how == "Ctrl-C":
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    else:
        os.kill(stopped.pid, getattr(signal, how))
    _, said = stopped.communicate(timeout=120)
    _wait_until(lambda: _statuses(root)[2] == "interrupted")
    assert "its process died" not in said and (how != "SIGTERM" or "stopping 1 run; Ctrl-C" in said)
    assert stopped.returncode == {"Ctrl-C": -signal.SIGINT, "SIGTERM": 143, "SIGKILL": -9}[how]
    before = {run.id for run in rla.runs(root)}
    (tmp_path / "go").touch()
    again = program()
    printed, said = again.communicate(timeout=120)
    assert printed.splitlines()[-1] == "finished finished finished finished", said
    assert "4 settings of main on local, 2 at once: 1 to go on, 3 finished" in said
    assert {run.id for run in rla.runs(root)} == before and len(before) == 4
    assert _rows(rla.runs(root, sort="seed")) == [(1.0, seed, [seed + 1.0, seed + 2.0]) for seed in range(4)]


def test_a_run_that_another_sweep_has_is_left_alone(program, tmp_path):
    """A second sweep of the group skips what has finished, and what is running."""
    first = program()
    _wait_until(lambda: _statuses(tmp_path / "root") == BEFORE)
    printed, said = program().communicate(timeout=120)
    assert "1 running elsewhere" in said and "3 finished" in said
    (tmp_path / "go").touch()
    first.communicate(timeout=120)
    assert len(rla.runs(tmp_path / "root")) == 4 and printed.splitlines()[-1].split().count("running") == 1


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_all_mistakes_are_said_at_once(module, tmp_path):
    """Before anything is created."""
    settings = {"Lr": [1], "seed": [], "lr": [1.0]}
    with pytest.raises(rla.ConfigError) as error:
        rla.sweep(module(), settings, on="slum", jobs=0, retries=-1, search="gird", mode="most", limit=0)
    lines = _lines(error)
    starts = ["retries is -1", "limit is 0", "search is 'gird'", "mode is 'most'", "main has no parameter 'Lr'"]
    starts += ["seed has no values", "on is 'slum'", "jobs is 0"]
    assert [line[: len(start)] for line, start in zip(lines, starts)] == starts and len(lines) == len(starts)
    assert lines[4].endswith("Known: seed, lr, steps. Did you mean 'lr'?") and "'slurm'" in lines[6]
    assert not (tmp_path / "root").exists()


def test_a_value_stands_in_a_grid_once(module):
    """Else two settings would be one run; NaN is itself, also in what exists."""
    with pytest.raises(rla.ConfigError, match=r"seed has the value 1 more than once\. Give it once"):
        rla.sweep(module(), {"lr": [1.0], "seed": [1, 2, 1]}, on=_threads())
    main = module()
    runs = rla.sweep(main, {"lr": [float("nan")], "seed": [0]}, on=_threads(), quiet=True)
    assert rla.sweep(main, {"lr": [float("nan")], "seed": [0]}, on=_threads(), quiet=True) == runs


@pytest.mark.parametrize("settings", [{}, None, [], {"seed": [1]}, {3: [1]}])
def test_an_empty_grid_is_a_mistake(settings, module):
    """And so is one that lacks what has no default."""
    with pytest.raises(rla.ConfigError, match=r"no settings|needs 'lr'|no name of a parameter"):
        rla.sweep(module(), settings, on=_threads())


def test_only_a_tracked_function_is_swept():
    """Neither a plain one, nor a method."""

    class Trainer:
        @rla.track
        def fit(self, lr): ...

    def plain(lr): ...

    with pytest.raises(rla.ConfigError, match=r"plain is not tracked.*@rla\.track above its def"):
        rla.sweep(plain, {"lr": [1]}, on=_threads())
    with pytest.raises(rla.ConfigError, match=r"is a method\. Sweep a function"):
        rla.sweep(Trainer.fit, {"lr": [1]}, on=_threads())


def test_the_mistakes_of_the_decorator_come_first(tmp_path):
    """A record parameter that does not exist, say: nothing has been started."""

    @rla.track(record=["lrr"], task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def main(lr): ...

    with pytest.raises(rla.ConfigError, match="the record parameter 'lrr' is no hyper-parameter"):
        rla.sweep(main, {"lr": [1]}, on=_threads())
    assert not (tmp_path / "root").exists()


def test_what_cannot_be_pickled_is_said(module, tmp_path):
    """With what to do about it: by joblib, and by processes of Python's own."""
    pytest.importorskip("joblib")
    with pytest.raises(rla.ConfigError, match="the values of a setting cannot be sent to another process: TypeError"):
        rla.sweep(module(), {"lr": [threading.Lock()]})
    lock = threading.Lock()

    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def main(lr):
        return lock

    with pytest.raises(rla.ConfigError, match=r"the function cannot be sent.*inside of it"):
        rla.sweep(main, {"lr": [1.0]})
    pool = concurrent.futures.ProcessPoolExecutor(1)
    with pool, pytest.raises(rla.ConfigError, match=r"the function cannot be sent.*top of a module"):
        rla.sweep(main, {"lr": [1.0]}, on=pool)
    assert not (tmp_path / "root").exists()


def test_why_a_process_has_died_before_its_run_is_said(module, monkeypatch, tmp_path, capfd):
    """Such as a module that it cannot import: one that has been deleted since, say."""
    pytest.importorskip("joblib")
    main = module()
    (tmp_path / "user_training.py").unlink()
    assert rla.sweep(main, {"lr": [1.0]}) == []
    said = capfd.readouterr().err
    assert "lr=1.0 killed: its process died before the run began: BrokenProcessPool: " in said
    assert "user_training" in said


def test_options_of_a_cluster_are_checked_by_submitit(module):
    """And taken with on='slurm' only."""
    pytest.importorskip("submitit")
    with pytest.raises(rla.ConfigError, match="submitit does not take the options"):
        rla.sweep(module(), {"lr": [1.0]}, on="slurm", cluster={"cluster": "local", "gpu": 1})
    with pytest.raises(rla.ConfigError, match="timeout_min: options of a cluster"):
        rla.sweep(module(), {"lr": [1.0]}, on=_threads(), cluster={"timeout_min": 1})


# --- settings ---------------------------------------------------------------------------------------------------------


def test_random_settings_are_the_same_for_the_same_seed():
    """Of a grid none comes twice; distributions are asked for plain numbers."""
    values = {"lr": [0.1, 0.2, 0.3], "seed": [*range(10)]}
    chosen = space.drawn(values, 12, seed=3)
    assert chosen == space.drawn(values, 12, seed=3) != space.drawn(values, 12, seed=4)
    assert len({tuple(each.values()) for each in chosen}) == 12 and all(each in space.grid(values) for each in chosen)
    stats = pytest.importorskip("scipy.stats")
    drawn = space.drawn({"lr": stats.loguniform(1e-5, 1e-2), "seed": [1]}, 3, seed=0)
    assert all(type(each["lr"]) is float and 1e-5 <= each["lr"] <= 1e-2 for each in drawn)
    assert len({each["lr"] for each in drawn}) == 3


def test_settings_may_be_a_list(module, quiet):
    """For values that belong together; another sweep with more of them goes on, and chance draws among them."""
    main = module()
    pairs = [{"lr": 0.1, "seed": 3}, {"lr": 0.2, "steps": 1}]
    runs = rla.sweep(main, pairs, on=_threads(), group="g")
    assert [(run.hparams["lr"], run.hparams["seed"], run.hparams["steps"]) for run in runs] == [
        (0.1, 3, 2),
        (0.2, 0, 1),
    ]
    more = rla.sweep(main, [*pairs, {"lr": 0.3}], on=_threads(), group="g")
    assert [run.id for run in more[:2]] == [run.id for run in runs] and len(more) == 3
    assert len(space.settings_of(pairs, True, 5, 0)) == 2 and len(space.settings_of(pairs, True, 1, 0)) == 1


def test_mistakes_in_a_list_of_settings_are_said(module, tmp_path):
    """Each once."""
    with pytest.raises(rla.ConfigError) as error:
        rla.sweep(module(), [{"Lr": 0.1}, {"Lr": 0.2}, {"lr": 1.0}, {"lr": 1.0}], on=_threads())
    starts = ["main has no parameter 'Lr'", "main needs 'lr'", "the setting {'lr': 1.0} is there more than once"]
    assert [line[: len(start)] for line, start in zip(_lines(error), starts)] == starts and len(_lines(error)) == 3
    assert not (tmp_path / "root").exists()


def test_a_huge_grid_is_drawn_from_without_being_made():
    """And refused as a grid."""
    values = {f"x{number}": [*range(100)] for number in range(6)}
    assert len(space.drawn(values, 5, seed=0)) == 5
    assert "1,000,000,000,000 settings" in space.too_many(values)


def test_a_random_sweep_runs_as_many_as_asked(module, quiet):
    """The same ones the next time, so that they are skipped then."""
    options = {"search": "random", "limit": 2, "seed": 5}
    runs = rla.sweep(module(), SETTINGS, on=_threads(), **options)
    assert len(runs) == 2 and rla.sweep(module(), SETTINGS, on=_threads(), **options) == runs


def test_tracking_that_is_off_stays_off(module, monkeypatch, tmp_path):
    """With RLA_MODE=off the function is called for each setting, and there are no runs."""
    monkeypatch.setenv("RLA_MODE", "off")
    main = module("open(f'{lr}-{seed}', 'w').close()")
    assert rla.sweep(main, SETTINGS, on=_threads(), quiet=True) == []
    assert len([*tmp_path.glob("0.*-*")]) == 6 and not (tmp_path / "root").exists()
