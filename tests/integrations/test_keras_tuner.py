"""The trials of real searches of keras_tuner are runs: values, executions, scores, how they end, and the best one."""

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("keras_tuner")


@pytest.fixture
def hook(package, keras):
    from rla_hooks.integrations import keras_tuner

    return keras_tuner


@pytest.fixture
def tuner(package, keras, here):
    """A grid search over rates; ``fit``: that of the HyperModel, by default Keras' own."""

    def make(rates=(0.1, 0.2), fit=None, **options):
        class Model(package.HyperModel):
            def build(self, hp):
                rate = hp.Choice("rate", list(rates))
                return keras.model(keras.keras.optimizers.SGD(rate), width=2)

            def fit(self, hp, model, *arguments, **named):
                return (fit or super().fit)(hp, model, *arguments, **named)

        return package.GridSearch(Model(), "val_loss", directory="tuner", project_name="grid", **options)

    return make


@pytest.fixture
def search(keras):
    def search(tuner, *callbacks, **options):
        data = {"x": keras.x[:8], "y": keras.y[:8], "validation_data": (keras.x, keras.y)}
        tuner.search(**data, epochs=2, verbose=0, callbacks=list(callbacks), **options)

    return search


def _tagged(runs):
    return [run.title for run in runs if "best" in run.tags]


def test_a_search(hook, tuner, search, here, runs):
    """Each execution is a run below the tracked one, with the values, also those of the fit, and the trial's score."""

    def fit(hp, model, *arguments, callbacks, **named):
        named["batch_size"] = hp.Choice("batch", [8])
        history = model.fit(*arguments, callbacks=callbacks, **named)
        rla.log({"mine": 1.0})
        if hp.get("rate") == 0.3:
            raise ValueError("cannot be used")
        return history

    tuned = tuner((0.1, 0.2, 0.3), fit, executions_per_trial=2)

    @rla.track(task="main", writers=["csv"])
    def main():
        callback = hook.RLACallback(tuned, task="sweep", record=["rate"], writers=["csv"], tags=["grid"])
        search(tuned, callback)
        assert rla.current_run().task_name == "main"

    main()
    (main_run,) = rla.runs(here / "root", task="main")
    found = rla.runs(here / "root", task="sweep")
    assert [run.title for run in found] == [
        *("trial 0000, execution 1", "trial 0000, execution 2", "trial 0001, execution 1", "trial 0001, execution 2"),
        "trial 0002, execution 1",
    ]
    assert [run.status for run in found] == ["finished"] * 4 + ["failed"] and "cannot be used" in found[4].run_json[
        "error"
    ]
    assert {(run.parent, run.group) for run in found} == {(main_run.name, "grid")}
    assert [run.hparams["rate"] for run in found] == [0.1, 0.1, 0.2, 0.2, 0.3]
    assert all(run.name.endswith(f"&rate={run.hparams['rate']}") and run.hparams["batch"] == 8 for run in found)
    assert [run.hparams["keras_tuner.trial"] for run in found] == ["0000", "0000", "0001", "0001", "0002"]
    for number, run in enumerate(found[:4]):
        trial = tuned.oracle.get_trial(run.hparams["keras_tuner.trial"])
        executions = found[number // 2 * 2 :][:2]
        best = [each.metrics()["val_loss"].min() for each in executions]
        assert run.last["keras_tuner/score"] == trial.score == pytest.approx(sum(best) / 2)
        assert run.metrics()["epoch"].dropna().tolist() == [0, 1]
        assert run.metrics()["mine"].dropna().tolist() == [1.0]
        assert run.checkpoints() == [], "the tuner keeps its own"
        assert run.run_json["last"]["keras_tuner/score"] == trial.score
    assert "keras_tuner/score" not in found[4].last
    best = tuned.oracle.get_best_trials(1)[0].trial_id
    assert _tagged(found) == [f"trial {best}, execution {number}" for number in (1, 2)]
    assert {*found[0].hparams} - {*found[1].hparams} == set() and main_run.run_json["rows"] == 0


def test_a_further_search(hook, tuner, search, keras, here, runs):
    """In the same project: the tag moves to its best. Ctrl-C ends the run of the trial, and passes."""

    def fit(hp, model, *arguments, **named):
        history = model.fit(*arguments, **named)
        if hp.get("rate") == 0.5:
            raise KeyboardInterrupt
        return history

    first = tuner((1e-5,), fit)
    search(first, *(hook.RLACallback(first, name=name, writers=["csv"]) for name in ("a", "b")))
    (run,) = runs()
    assert {"a/loss", "b/loss"} <= set(run.metrics()), "two callbacks of a search share its runs"
    assert _tagged(runs()) == ["trial 0000"]
    second = tuner((0.05, 0.5), fit, overwrite=True)
    callback = hook.RLACallback(second, writers=["csv"])
    with pytest.raises(KeyboardInterrupt):
        search(second, callback)
    assert rla.current_run() is None
    found = [(run.hparams["rate"], run.status, run.tags) for run in runs()]
    assert found == [(1e-5, "finished", []), (0.05, "finished", ["best"]), (0.5, "interrupted", [])]
    keras.fit(keras.model(), callback)
    assert len(runs()) == 4 and "keras_tuner.trial" not in runs()[-1].hparams, "outside of a search as in Keras"


def test_a_hyper_model_with_runs_of_its_own(hook, tuner, search, here, runs):
    """The callback joins them, and adds the values of the trial."""

    def fit(hp, model, *arguments, **named):
        with rla.run(task="own", writers=["csv"]):
            return model.fit(*arguments, **named)

    tuned = tuner((0.1,), fit)
    search(tuned, hook.RLACallback(tuned))
    (run,) = runs()
    assert (run.task, run.hparams["rate"], run.title, run.status) == ("own", 0.1, None, "finished")


def test_mistakes(hook, tuner, keras, here):
    """All at once, before a search."""
    with pytest.raises(ConfigError) as found:
        hook.RLACallback(keras.model(), mode="mix", backup="sauce", resume=True)
    said = str(found.value)
    for text in ("Allowed: the tuner whose search gets", "mode is 'mix'", "Did you mean 'source'?", "resume cannot"):
        assert text in said
    with pytest.raises(
        ConfigError, match=r"record is \['lr'\]. Allowed: names of hyper-parameters of the search: rate"
    ):
        hook.RLACallback(tuner(), record=["lr"])
    assert not (here / "root").exists()


def test_record_may_name_a_parameter_that_few_trials_have(hook, package, keras, here):
    """It stands in the names of those."""

    def build(hp):
        hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["b"]):
            hp.Float("inner", 0, 1)
        return keras.model(width=1)

    hook.RLACallback(package.RandomSearch(build, "val_loss", directory="tuner"), record="inner")


def test_a_fit_in_a_block_of_optuna(keras, here, runs):
    """Keras' callback joins the run of the trial."""
    pytest.importorskip("optuna").logging.set_verbosity(40)
    import optuna
    from rla_hooks.integrations.optuna import optuna_trial

    def objective(trial):
        with optuna_trial(trial, writers=["csv"]):
            rate = trial.suggest_float("rate", 0.01, 0.01)
            model = keras.model(keras.keras.optimizers.SGD(rate))
            return keras.fit(model, keras.RLACallback(save_every=None)).history["loss"][0]

    optuna.create_study().optimize(objective, n_trials=1)
    (run,) = runs()
    assert run.hparams["keras.optimizer.learning_rate"] == run.hparams["rate"]
    assert run.metrics()["loss"].notna().sum() == 1 and run.status == "finished"
