"""rla.sweep with a study of Optuna: suggestions, reports, pruning, and a sweep that goes on."""

import concurrent.futures

import pytest

import rla_hooks as rla

optuna = pytest.importorskip("optuna")
pytest.importorskip("joblib")
from optuna.distributions import FloatDistribution, IntDistribution  # noqa: E402

SETTINGS = {"lr": FloatDistribution(0.01, 1.0), "seed": IntDistribution(0, 3), "env": ["a", "b"]}


def even():
    """A pruner of trials of even numbers, at their second value; other processes get the class itself."""

    class Even(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number % 2 == 0 and len(trial.intermediate_values) == 2

    return Even()


def threads(count=1):
    return concurrent.futures.ThreadPoolExecutor(count)


@pytest.fixture
def make_study(tmp_path, monkeypatch):
    """Makes a study, in a file that other processes see; the same one for the same name."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    monkeypatch.chdir(tmp_path)

    def make(pruner=None, is_stored=True, seed=0):
        storage = f"sqlite:///{tmp_path / 'study.db'}" if is_stored else None
        options = {"sampler": optuna.samplers.RandomSampler(seed=seed), "pruner": pruner or optuna.pruners.NopPruner()}
        return optuna.create_study(
            study_name="s", storage=storage, load_if_exists=True, direction="maximize", **options
        )

    return make


@pytest.fixture
def main(tmp_path):
    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def main(lr, seed, env, steps=3):
        for step in range(steps):
            rla.report(lr * (seed + 1) + step, step)
        return lr * (seed + 1) + steps - 1

    return main


def test_suggestions_become_hyper_parameters(make_study, main, quiet):
    """Each trial is a run, whose result is the trial's value; the best one is the study's."""
    study = make_study()
    runs = rla.sweep(main, SETTINGS, search=study, limit=4, on=threads(2), group="g")
    assert [trial.number for trial in study.trials] == [run.sweep["index"] for run in runs] == [*range(4)]
    for trial, run in zip(study.trials, runs):
        assert run.hparams == {**trial.params, "steps": 3} and run.group == "g"
        assert (run.result, run.last["objective"]) == (trial.value, trial.value)
        assert list(trial.intermediate_values.values()) == run.metrics()["objective"].tolist()
    assert study.best_value == max(run.result for run in runs)


@pytest.mark.parametrize("engine", ["joblib", "threads"])
def test_pruned_trials_are_pruned_runs(engine, make_study, main, quiet):
    """In other processes by the study's storage; in threads a study in memory does."""
    study = make_study(even(), is_stored=engine == "joblib")
    runs = rla.sweep(main, SETTINGS, search=study, limit=3, on="local" if engine == "joblib" else threads())
    assert [run.status for run in runs] == ["pruned", "finished", "pruned"]
    assert [run.info["rows"] for run in runs] == [2, 3, 2]
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "PRUNED"]


def test_a_study_in_memory_prunes_nothing_elsewhere(make_study, main, quiet, warnings_as_text):
    """A warning says what to do about it; values come all the same."""
    study = make_study(even(), is_stored=False)
    runs = rla.sweep(main, SETTINGS, search=study, limit=1)
    assert runs[0].status == "finished" and study.best_value == runs[0].result
    assert "storage='sqlite:///study.db'" in warnings_as_text[0]
    warnings_as_text.clear()


def test_settings_may_be_asked_of_the_trial(make_study, main, quiet):
    """By a function, as objectives do."""

    def settings(trial):
        return {"lr": trial.suggest_float("lr", 0.1, 1.0), "seed": 1, "env": "a"}

    study = make_study(is_stored=False)
    runs = rla.sweep(main, settings, search=study, limit=2, on=threads(), group="g")
    assert [(run.hparams["lr"], run.hparams["seed"]) for run in runs] == [(t.params["lr"], 1) for t in study.trials]


def test_a_study_goes_on_where_it_was(make_study, main, quiet):
    """A trial that a killed sweep has left open comes again, in its run; the limit counts all trials of the sweep."""
    study = make_study()
    first = rla.sweep(main, SETTINGS, search=study, limit=1, on=threads(), group="g")
    open_trial = study.ask(
        {name: each for name, each in SETTINGS.items() if name != "env"}
        | {"env": optuna.distributions.CategoricalDistribution(["a", "b"])}
    )
    open_trial.set_user_attr("rla_sweep", "g")
    runs = rla.sweep(main, SETTINGS, search=make_study(seed=1), limit=3, on=threads(), group="g")
    states = [trial.state.name for trial in make_study().trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"] and runs[0] == first[0]
    assert {key: runs[1].hparams[key] for key in open_trial.params} == open_trial.params
    assert len(runs) == len(rla.runs("root")) == 3
    assert rla.sweep(main, SETTINGS, search=make_study(), limit=3, on=threads(), group="g") == runs


def test_a_run_that_fails_is_a_failed_trial(make_study, tmp_path, quiet):
    """The sweep goes on."""

    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def main(lr):
        raise ValueError("boom")

    study = make_study(is_stored=False)
    runs = rla.sweep(main, {"lr": FloatDistribution(0, 1)}, search=study, limit=2, on=threads())
    assert [run.status for run in runs] == ["failed", "failed"]
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL"]


def test_a_study_needs_a_limit(make_study, main):
    """Else it would never end."""
    with pytest.raises(rla.ConfigError, match=r"limit is None\. Say how many settings"):
        rla.sweep(main, SETTINGS, search=make_study(is_stored=False))
