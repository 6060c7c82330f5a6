"""Sweeps and trials on a local Ray, which is started once, in a program: all tests read what that has left."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

ROOT = Path(__file__).resolve().parents[2]
for package in ("ray", "gymnasium", "joblib", "submitit"):
    pytest.importorskip(package)

PROGRAM = """
import os, signal, sys, threading, time
import gymnasium, numpy, ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
import rla_hooks as rla
from rla_hooks.integrations.ray_tune import RLATuneCallback, trainable

HERE = os.path.abspath(os.path.dirname(sys.argv[0]))


def once(name):
    # True in the first process that asks for this name.
    try:
        return bool(os.open(f"{HERE}/{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False


@rla.track(task="cartpole", log_root="root", record=["epsilon", "seed"], writers=["csv"], backup="none")
def main(epsilon, seed, episodes=3):
    env, chance = gymnasium.make("CartPole-v1"), numpy.random.default_rng(seed)
    for episode in range(episodes):
        state, _ = env.reset(seed=seed + 100 * episode)
        total, is_over = 0.0, False
        while not is_over:
            action = int(chance.random() < 0.5) if chance.random() < epsilon else int(state[2] > 0)
            state, reward, terminated, truncated, _ = env.step(action)
            total, is_over = total + reward, terminated or truncated
        rla.log({"perf/return": total}, step=episode)
        if seed == 2 and epsilon == 0.5 and episode == 1 and once(f"failed in {rla.current_run().parameters()}"):
            raise ValueError("boom")
    return total


@rla.track(log_root="root", writers=["csv"], backup="none")
def tracked(lr, steps=4):
    first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
    for step in range(first, steps):
        rla.log({"perf/return": lr * (step + 1)}, step=step)
        rla.report(lr * (step + 1), step)
        rla.save_checkpoint({"step": step}, step=step + 1)
        if lr == 5.0 and step == 1 and once("tracked has failed"):
            raise ValueError("boom")


@rla.track(log_root="root", writers=["csv"], backup="none")
def slow(seed):
    first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
    for step in range(first, 2):
        rla.log({"perf/return": seed + step}, step=step)
        rla.save_checkpoint({"step": step}, step=step + 1)
        if seed == 0 and once("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        open(f"{HERE}/began-{seed}", "w").close()
        while seed and not os.path.exists(f"{HERE}/go"):
            time.sleep(0.01)


def interrupt():
    # Ctrl-C, once two runs wait.
    while not all(os.path.exists(f"{HERE}/began-{seed}") for seed in (1, 2)):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def stopped_and_killed():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    sweep = {"settings": {"seed": range(4)}, "on": "ray", "jobs": 2, "retries": 1, "group": "slow"}
    try:
        rla.sweep(slow, **sweep)
    except KeyboardInterrupt:
        print("stopped", *sorted(run.status for run in rla.runs("root", group="slow")))
    open(f"{HERE}/go", "w").close()
    rla.sweep(slow, **sweep)


def plain(config):
    for step in range(4):
        if config["lr"] < 0:
            raise ValueError("a negative lr")
        tune.report({"score": config["lr"] * (step + 1), "deep": {"word": "x"}, "list": [1, 2]})


def sweeps():
    settings = {"epsilon": [0.1, 0.5], "seed": range(3)}
    for group, options in {
        "ray": {"on": "ray", "jobs": 2, "retries": 1},
        "joblib": {"on": "local", "jobs": 2},
        "submitit": {"on": "slurm", "cluster": {"cluster": "local", "timeout_min": 5}},
    }.items():
        rla.sweep(main, settings, group=group, **options)


def trials(name, function, metric, values, **run_options):
    scheduler = ASHAScheduler(max_t=4, grace_period=2, reduction_factor=2)
    callback = RLATuneCallback(record=["lr"], log_root="root", writers=["csv"], backup="none")
    return tune.Tuner(
        function,
        param_space={"lr": tune.grid_search(values)},
        tune_config=tune.TuneConfig(metric=metric, mode="max", scheduler=scheduler, max_concurrent_trials=1),
        run_config=tune.RunConfig(
            name=name, storage_path=f"{HERE}/store", verbose=0, callbacks=[callback], **run_options
        ),
    ).fit()


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    sweeps()
    stopped_and_killed()
    trials("of plain", plain, "score", [5.0, 1.0, -1.0])
    retry = {"failure_config": tune.FailureConfig(max_failures=1)}
    trials("of tracked", trainable(tracked), "objective", [5.0, 1.0], **retry)
    exec(open(sys.argv[1]).read())  # the section of the docs
    tune.Tuner.restore(f"{HERE}/store/of plain", plain, resume_errored=True).fit()
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which the program has run, and what it has said on stderr."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "train.py").write_text(PROGRAM)
    options = {"cwd": folder, "capture_output": True, "text": True, "timeout": 600}
    section = (ROOT / "docs/frameworks.md").read_text().partition("\n## Ray Tune\n")[2].partition("\n## ")[0]
    (folder / "page.py").write_text("\n".join(re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)))
    ended = subprocess.run([sys.executable, "train.py", "page.py"], **options)
    assert ended.returncode == 0, ended.stderr[-5000:]
    return folder, ended.stderr, ended.stdout


def _runs(done, group):
    return rla.runs(done[0] / "root", group=group, sort="started")


def _rows(runs):
    return [(run.hparams, run.metrics(merge=True)["perf/return"].tolist()) for run in runs]


def test_all_engines_give_the_same_rows(done):
    """Two times three short runs of CartPole, by joblib, submitit's local executor, Ray."""
    found = {name: rla.runs(done[0] / "root", group=name, sort="sweep.index") for name in ("ray", "joblib", "submitit")}
    for runs in found.values():
        assert [run.sweep["index"] for run in runs] == [*range(6)] and len({run.sweep["id"] for run in runs}) == 1
        assert {run.status for run in runs} == {"finished"} and all(len(rows) == 3 for _, rows in _rows(runs))
    assert _rows(found["ray"]) == _rows(found["joblib"]) == _rows(found["submitit"])
    assert [run.result for run in found["ray"]] == [run.result for run in found["joblib"]]


def test_a_failed_task_of_ray_is_tried_again(done):
    """In the same run, whatever worker of Ray has it then."""
    assert sorted(len(run.restarts) for run in _runs(done, "ray")) == [0, 0, 0, 0, 0, 1]
    assert "on ray, 2 at once: 6 new" in done[1] and "ValueError: boom. It is tried again" in done[1]


def test_a_sweep_that_was_stopped_goes_on(done):
    """Ctrl-C ends the tasks of Ray in order; a worker that was killed is replaced. Each setting has one run."""
    assert "stopped finished interrupted interrupted" in done[2].splitlines()
    runs = rla.runs(done[0] / "root", group="slow", sort="seed")
    assert [run.hparams["seed"] for run in runs] == [*range(4)] and {run.status for run in runs} == {"finished"}
    assert [[each["status"] for each in run.restarts] for run in runs] == [
        ["killed"],
        ["interrupted"],
        ["interrupted"],
        [],
    ]
    assert [rows for _, rows in _rows(runs)] == [[seed, seed + 1] for seed in range(4)]
    assert "stopping 2 runs" in done[1] and "seed=0 killed: its process died. It is tried again" in done[1]


def test_each_trial_of_a_tuner_is_a_run(done):
    """With its config and reports, in a group with the experiment's name; one that the scheduler stopped is pruned."""
    best, stopped, failed = _runs(done, "of plain")
    assert [run.status for run in (best, stopped, failed)] == ["finished", "pruned", "failed"]
    assert best.hparams == {
        "lr": 5.0,
        "ray_tune.trial": best.title.removeprefix("plain_"),
        "ray_tune.experiment": "of plain",
    }
    assert best.task == "plain" and best.record == {"lr": 5.0}
    rows = best.metrics()
    assert [*rows] == ["time-step", "timestamp", "score", "deep/word"]
    assert rows["time-step"].tolist() == [1, 2, 3, 4] and rows["score"].tolist() == [5.0, 10.0, 15.0, 20.0]
    assert stopped.info["rows"] == 2 and "a negative lr" in failed.info["error"]
    assert best.parent is None and best.sweep is None


def test_a_restored_trial_goes_on_in_its_run(done):
    """Tuner.restore, in a further life of the experiment, makes no second run of it."""
    *others, failed = _runs(done, "of plain")
    assert [len(run.restarts) for run in (*others, failed)] == [0, 0, 1]


def test_a_tracked_function_is_a_trainable(done):
    """Its runs are written where it trains; Tune gets what it reports, tries it again in its run, and stops it."""
    best, stopped = _runs(done, "of tracked")
    assert (best.status, stopped.status) == ("finished", "pruned")
    assert best.hparams == {"lr": 5.0, "steps": 4} and best.task == "tracked"
    assert _rows([best, stopped]) == [(best.hparams, [5.0, 10.0, 15.0, 20.0]), (stopped.hparams, [1.0, 2.0])]
    assert best.last["objective"] == 20.0 and stopped.info["error"] is None
    assert [each["status"] for each in best.restarts] == ["failed"]
    assert [run.sweep for run in (best, stopped)] == [{"id": "of tracked", "index": number} for number in range(2)]


def test_the_page_does_what_it_says(done):
    """What a comment behind a print of docs/frameworks.md says is printed; both runs are where the program runs."""
    page = (done[0] / "page.py").read_text()
    promised = re.findall(r"^print\(.*\)  # (.+)$", page, re.MULTILINE)
    assert promised and [line for line in promised if line not in done[2].splitlines()] == []


def test_mistakes_are_said_before_anything_begins():
    """A typo in an option, a name that is no text; a function without a decorator, a method."""
    from rla_hooks.integrations.ray_tune import RLATuneCallback, trainable

    with pytest.raises(rla.ConfigError, match=r"record is \[1\](.|\n)*backup is 'sauce'"):
        RLATuneCallback(record=[1], backup="sauce")
    with pytest.raises(rla.ConfigError, match="resume cannot be given here"):
        RLATuneCallback(resume="auto")
    with pytest.raises(rla.ConfigError, match=r"trainable got .*lambda.*@rla\.track above its def"):
        trainable(lambda config: None)
