"""``rla resume`` of one run of a sweep: only that run goes on."""

import concurrent.futures
from pathlib import Path

import pytest

import rla_hooks as rla


@pytest.fixture
def main(tmp_path, monkeypatch):
    """A tracked function that fails at its second step where its seed is above 0, until there is a file ``mended``."""
    monkeypatch.chdir(tmp_path)

    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def main(lr, seed, steps=2):
        first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
        for step in range(first, steps):
            rla.log({"perf/return": lr * seed + step}, step=step)
            if seed and step and not Path("mended").exists():
                raise ValueError("boom")
            rla.save_checkpoint({"step": step}, step=step + 1)

    return main


SETTINGS = {"lr": [0.1, 0.2], "seed": range(3)}


def _sweep(main, settings=SETTINGS, **options):
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return rla.sweep(main, settings, on=threads, group="g", **options)


def _statuses(root="root"):
    return {(run.hparams["lr"], run.hparams["seed"]): run.status for run in rla.runs(root)}


BEFORE = {(lr, seed): "failed" if seed else "finished" for lr in (0.1, 0.2) for seed in range(3)}


@pytest.mark.parametrize("by", ["path", "id"])
def test_only_the_run_that_is_named_goes_on(by, main, tmp_path, monkeypatch, capfd):
    """Here, from its checkpoint, with its group and its place in the sweep; another sweep of the program runs whole."""
    run = _sweep(main)[4]
    assert _statuses() == BEFORE
    (tmp_path / "mended").touch()
    monkeypatch.setenv("RLA_RESUME", run.id if by == "id" else str(run.log_dir))
    capfd.readouterr()
    (again,) = _sweep(main)
    assert f"only the run {run.id} goes on" in capfd.readouterr().err
    assert _statuses() == BEFORE | {(0.2, 1): "finished"}
    assert (again.id, again.group, again.sweep) == (run.id, "g", run.sweep) and len(again.restarts) == 1
    assert again.metrics(merge=True)["perf/return"].tolist() == [0.2, 1.2]
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        assert len(rla.sweep(main, {"lr": [0.3], "seed": [0, 1]}, on=threads, group="other", quiet=True)) == 2


def test_what_may_differ_comes_from_the_sweep(main, tmp_path, monkeypatch, quiet):
    """Of a program whose settings have more steps now, say."""
    run = _sweep(main, {"lr": [0.1], "seed": [0], "steps": [2]})[0]
    monkeypatch.setenv("RLA_RESUME", str(run.log_dir))
    monkeypatch.setenv("RLA_RESUME_ALLOW", "steps")
    (again,) = _sweep(main, {"lr": [0.1], "seed": [0], "steps": [3]})
    assert (again.id, again.hparams["steps"], again.info["last_step"]) == (run.id, 3, 2)


def test_a_run_of_a_study_goes_on_with_what_it_has_stored(main, tmp_path, monkeypatch, quiet):
    """The study suggests nothing, and is told nothing."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = {"lr": optuna.distributions.FloatDistribution(0.1, 1.0), "seed": [1]}
    run = _sweep(main, space, search=study, limit=2)[1]
    (tmp_path / "mended").touch()
    monkeypatch.setenv("RLA_RESUME", str(run.log_dir))
    (again,) = _sweep(main, space, search=study, limit=2)
    assert (again.id, again.status, again.hparams) == (run.id, "finished", run.hparams) and len(study.trials) == 2
    assert len(rla.runs("root")) == 2


def test_a_run_that_cannot_go_on_is_said(main, monkeypatch, quiet):
    """And nothing else begins: one that has finished, one that is not there."""
    runs = _sweep(main)
    monkeypatch.setenv("RLA_RESUME", str(runs[0].log_dir))
    with pytest.raises(rla.ConfigError, match="it has finished"):
        _sweep(main)
    monkeypatch.setenv("RLA_RESUME", "nosuchrun")
    with pytest.raises(rla.ConfigError, match="nosuchrun"):
        _sweep(main)
    assert _statuses() == BEFORE and all(not run.restarts for run in rla.runs("root"))
