"""Scripts that were written for wandb: each function of ``rla_hooks.integrations.wandb``, and what a run has of it.

test_wandb_scripts.py runs whole scripts.
"""

from __future__ import annotations

import argparse
import copy
import csv
import io
import json
import os
import pickle
import threading
from pathlib import Path

import numpy
import pytest
from rla_hooks.integrations import wandb as module

import rla_hooks as rla
from rla_hooks import hooks
from rla_hooks.errors import ConfigError
from rla_hooks.testing import MemoryWriter

PLAIN = {"writers": ["csv"], "backup": "none"}


@pytest.fixture
def wandb(quiet, monkeypatch):
    """The module, as in a program that has just begun."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    return module  # ``quiet`` forgets its state at the end


@pytest.fixture
def rows(read_rows):
    """The rows of the newest run: its steps, and the values by name."""

    def read(run=None):
        found = read_rows((run or rla.runs()[-1]).paths.progress_csv)
        return [(int(row.pop("time-step")), {key: row[key] for key in row if key != "timestamp"}) for row in found]

    return read


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_count_by_themselves_and_by_step(wandb, rows, warnings_as_text):
    """As wandb 0.31 has them: rows of one step are one row, and a step that has gone by is left out, with a warning."""
    wandb.init(project="p", **PLAIN)
    for number in range(2):
        wandb.log({"loss": number, "nested": {"a": 1, "b": {"c": 2}}})
    wandb.log({"x": 1}, commit=False)
    assert wandb.run.step == 2
    wandb.log({"y": 2})
    wandb.log({"z": 1}, step=10)
    wandb.log({"w": 2}, step=numpy.int64(10))
    wandb.log({"late": 2}, step=5)
    wandb.log({"late": 3}, step=6)
    wandb.log({"v": 3})
    wandb.log({"u": 3, "none": None})
    wandb.log({}, commit=True)
    wandb.log({"end": 1}, step=20)
    wandb.finish()
    assert rows() == [
        (0, {"loss": "0", "nested/a": "1", "nested/b/c": "2"}),
        (1, {"loss": "1", "nested/a": "1", "nested/b/c": "2"}),
        (2, {"x": "1", "y": "2"}),
        (10, {"z": "1", "w": "2", "v": "3"}),
        (11, {"u": "3"}),
        (20, {"end": "1"}),
    ]
    assert len(warnings_as_text) == 1 and "step=5, after step 10" in warnings_as_text.pop()


def test_a_metric_may_have_an_axis_of_its_own(wandb, rows):
    """Its rows are at the step metric, also where a row lacks that; a row of several axes stays at its step."""
    wandb.init(**PLAIN)
    wandb.define_metric("epoch")
    wandb.define_metric("val/*", step_metric="epoch")
    wandb.define_metric("eval/*", step_metric=wandb.define_metric("episode"))
    wandb.log({"loss": 1.0})
    wandb.log({"val/acc": 0.5, "epoch": 7})
    wandb.log({"val/acc": 0.6})
    wandb.log({"val/acc": 0.7, "loss": 0.5, "epoch": 8})
    wandb.log({"eval/return": 5, "episode": 3.0})
    wandb.log({"val/acc": 0.7, "epoch": 8.5})
    wandb.finish()
    assert [(step, len(row)) for step, row in rows()] == [(0, 1), (7, 2), (7, 2), (3, 3), (3, 2), (5, 2)]


def test_the_parts_of_a_row_are_at_their_axis(wandb, rows):
    """Also those that were logged before it; a part that comes after it does not have it twice."""
    wandb.init(**PLAIN)
    wandb.define_metric("*", step_metric="env_step")
    for number in (1, 2):
        wandb.log({"loss": number}, commit=False)
        wandb.log({"acc": number}, commit=False)
        wandb.log({"env_step": 10 * number})
    wandb.log({"loss": 3}, step=5)
    wandb.log({"env_step": numpy.array(50)}, step=5)
    wandb.log({"acc": 6}, step=5)
    wandb.log({"acc": 7}, step=6)
    wandb.finish()
    assert rows() == [
        (10, {"loss": "1", "acc": "1", "env_step": "10"}),
        (20, {"loss": "2", "acc": "2", "env_step": "20"}),
        (50, {"loss": "3", "env_step": "50", "acc": "6"}),
        (50, {"env_step": "50", "acc": "7"}),
    ]


def test_a_step_that_no_file_holds(wandb, rows, warnings_as_text):
    """It is left out: the rows after it are not below it."""
    wandb.init(**PLAIN)
    wandb.log({"a": 1}, step=10**30)
    wandb.log({"b": 2})
    wandb.log({"a": 3}, step=7)
    wandb.finish()
    assert rows() == [(0, {"a": "1", "b": "2"}), (7, {"a": "3"})]
    assert "a step of 100 bits" in warnings_as_text.pop() and not warnings_as_text


def test_the_summary(wandb):
    """The last value of a metric, or what was defined, and what the script sets, which stands in run.json."""
    wandb.init(**PLAIN)
    wandb.define_metric("loss", summary="min,mean")
    wandb.define_metric("acc", summary="best", goal="maximize")
    for loss, acc in ((3.0, 0.1), (1.0, 0.4), (2.0, float("nan"))):
        wandb.log({"loss": loss, "acc": acc, "plain": loss})
    summary = wandb.summary
    assert summary is wandb.run.summary
    assert (summary["loss"], summary["acc.best"], summary.plain) == ({"min": 1.0, "mean": 2.0}, 0.4, 2.0)
    summary["best_epoch"] = 2
    summary.update({"test": {"acc": 0.3}})
    wandb.run.summary.note = "a text"
    assert "plain" in summary and "absent" not in summary and summary.get("absent", 5) == 5
    assert summary["test/acc"] == 0.3 and dict(summary)["best_epoch"] == 2
    with pytest.raises(KeyError):
        summary["absent"]
    assert rla.runs()[-1].result["best_epoch"] == 2, "the first change is written at once"
    wandb.finish()
    own = {"best_epoch": 2, "test/acc": 0.3, "note": "a text"}
    assert rla.runs()[-1].result == {"loss": {"min": 1.0, "mean": 2.0}, "acc": {"best": 0.4}, **own}


def test_a_summary_that_is_long(wandb, warnings_as_text):
    """The short values stand in run.json, all of them in a file."""
    torch = pytest.importorskip("torch")
    wandb.init(**PLAIN)
    wandb.summary["text"] = "x" * 20_000
    wandb.summary.update({f"eval/return/{number}": number for number in range(500)} | {"array": torch.zeros(2000)})
    wandb.finish()
    saved = rla.runs()[-1]
    assert 150 < len(saved.result) < 500 and "text" not in saved.result and saved.result["eval/return/0"] == 0
    found = json.loads((saved.results_dir / "wandb-summary.json").read_text())
    assert len(found) == 502 and found["eval/return/499"] == 499
    assert "all of them are in wandb-summary.json" in warnings_as_text.pop() and not warnings_as_text


def test_the_summary_of_an_interrupted_run(wandb):
    """It is that of its last row."""
    with pytest.raises(KeyboardInterrupt), wandb.init(**PLAIN):
        wandb.define_metric("loss", summary="min")
        wandb.log({"loss": 2.0})
        raise KeyboardInterrupt
    assert (rla.runs()[-1].status, rla.runs()[-1].result) == ("interrupted", {"loss": {"min": 2.0}})


def test_metrics_that_cannot_be_defined_so(wandb):
    """All mistakes are told."""
    wandb.init(**PLAIN)
    with pytest.raises(ConfigError, match=r"define_metric\('loss'\): 2 mistakes(.|\n)*'mim'(.|\n)*'up'"):
        wandb.define_metric("loss", summary="mim", goal="up")


# --- config -----------------------------------------------------------------------------------------------------------


def test_the_config_becomes_the_hyper_parameters(wandb, tmp_path):
    """Set before init, by it, and afterwards; from a Namespace, a file and an assignment."""
    wandb.config.early = 1
    (tmp_path / "config-defaults.yaml").write_text("lr: {desc: rate, value: 0.5}\nfrom_file: 3\n")
    kept = wandb.config
    args = argparse.Namespace(lr=0.1, net={"width": 64}, drop=1)
    run = wandb.init(config=args, config_exclude_keys=["drop"], **PLAIN)
    assert kept is run.config is wandb.config and kept.lr == 0.1 and kept["net"]["width"] == 64
    wandb.config.update({"--seed": 3})
    wandb.config.setdefaults({"seed": 4, "gamma": 0.9})
    wandb.config["tau"] = 0.1
    wandb.config.update({"lr": 0.2}, allow_val_change=True)
    wandb.config = {"assigned": True}
    wandb.finish()
    expected = {"lr": 0.2, "from_file": 3, "early": 1, "net.width": 64, "seed": 3, "gamma": 0.9, "tau": 0.1}
    assert rla.runs()[-1].hparams == {**expected, "assigned": True}
    assert "lr" not in wandb.config, "the next run begins with nothing"


def test_a_value_is_changed_only_on_request(wandb):
    """Of several of which one may not be changed, none is; the same value again is no change."""
    wandb.init(config={"lr": 0.1, "layers": [1, 2]}, **PLAIN)
    wandb.config.lr = 0.1
    wandb.config.update({"layers": [1, 2]})
    with pytest.raises(wandb.errors.ConfigError, match=r"config\.lr is 0\.1, and was to become 0\.3"):
        wandb.config.update({"new": 1, "lr": 0.3})
    assert "new" not in wandb.config
    with pytest.raises(AttributeError, match=r"no 'absent'\. Set: lr, layers"):
        wandb.config.absent  # noqa: B018
    with pytest.raises(wandb.errors.ConfigError, match="Allowed: a mapping"):
        wandb.config.update(5)


def test_the_same_values_again_are_no_change(wandb):
    """NaN and arrays among them. A value does not change with the script's object, and an update sees that it has."""
    values = {"nan": float("nan"), "array": numpy.array([1.0, numpy.nan]), "net": {"sizes": [64, float("nan")]}}
    run = wandb.init(config=values, **PLAIN)
    run.config.update({"nan": float("nan"), "array": numpy.array([1.0, numpy.nan]), "net": {"sizes": (64, numpy.nan)}})
    values["net"]["sizes"][0] = 32
    assert run.config.net["sizes"][0] == 64
    with pytest.raises(wandb.errors.ConfigError):
        run.config.update({"array": numpy.array([2.0, numpy.nan])})
    run.config.update(values, allow_val_change=True)
    run.finish()
    assert rla.runs()[-1].hparams["net.sizes"][0] == 32


# --- the run ----------------------------------------------------------------------------------------------------------


def test_labels_of_all_kinds(wandb):
    """They are made such that a run may have them, at the start and later: no training ends for a name."""
    odd = "-long " + 30 * "name "
    options = {"project": 7, "name": "x" * 600, "group": 5, "notes": 6, "tags": [odd, 3, "a\x1bb"], "magic": True}
    run = wandb.init(**options, **PLAIN)
    saved = rla.runs()[-1]
    assert (saved.task, len(saved.title), saved.group, saved.note) == ("7", 500, "5", "6")
    assert saved.tags == [odd[1:].strip()[:100].strip(), "3", "a?b"]
    run.tags, run.name, run.notes = (odd, "", "late"), "y" * 600, None
    saved = rla.runs()[-1]
    assert (sorted(saved.tags), len(saved.title)) == (sorted([odd[1:].strip()[:100].strip(), "late"]), 500)
    run.finish()


def test_a_copy_of_what_has_the_run(wandb):
    """A deep copy logs to the same run; a pickled one, in a process that was spawned, to a file beside."""
    run = wandb.init(config={"lr": 0.1}, **PLAIN)
    agent = {"logger": run, "weights": [1.0]}
    assert copy.deepcopy(agent)["logger"] is copy.copy(run) is run
    other = pickle.loads(pickle.dumps(run))
    other.log({"x": 1})
    other.finish()
    run.log({"x": 2})
    assert (other.config.lr, other.id) == (0.1, run.id) and rla.runs()[-1].status == "running"
    run.finish()
    (saved,) = rla.runs()
    assert sorted(saved.metrics()["x"].tolist()) == [1, 2] and saved.hparams == {"lr": 0.1}


def test_runs_of_several_threads(wandb):
    """None joins that of another."""
    barrier = threading.Barrier(4, timeout=60)

    def train(number):
        barrier.wait()
        with wandb.init(project="p", reinit="create_new", config={"n": number}, **PLAIN) as run:
            run.log({"x": number})

    threads = [threading.Thread(target=train, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sorted((run.hparams["n"], run.last["x"], run.status) for run in rla.runs())
    assert found == [(number, number, "finished") for number in range(4)]


def test_what_a_run_tells_of_itself(wandb):
    """And where its labels stand."""
    options = {"project": "p", "entity": "me", "name": "my\nrun", "group": "g", "tags": ("a",), "notes": "hello"}
    with wandb.init(**options, job_type="eval", id="my-id", record=["lr"], config={"lr": 0.1}, **PLAIN) as run:
        assert wandb.run is run and rla.current_run().name in run.dir
        told = (run.id, run.name, run.project, run.entity, run.group, run.job_type, run.notes, run.tags, run.path)
        assert told == ("my-id", "my\nrun", "p", "me", "g", "eval", "hello", ("a",), "me/p/my-id")
        assert run.url.startswith("file:///") and not run.resumed and not run.disabled and run.sweep_id is None
        run.tags = [*run.tags, "b"]
        run.name, run.notes = "other", "more"
        run.log({"x": 1})
    assert wandb.run is None
    saved = rla.runs()[-1]
    assert (saved.task, saved.title, saved.group, saved.note) == ("p", "other", "g", "more")
    assert (saved.tags, saved.record, saved.status) == (["a", "eval", "id:my-id", "b"], {"lr": 0.1}, "finished")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda wandb: wandb.finish(), "finished"),
        (lambda wandb: wandb.finish(exit_code=0), "finished"),
        (lambda wandb: wandb.finish(exit_code=1), "failed"),
        (lambda wandb: wandb.run.__exit__(ValueError, ValueError("x"), None), "failed"),
        (lambda wandb: wandb.run.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None), "interrupted"),
    ],
)
def test_how_a_run_ends(wandb, rows, end, status):
    """Once; a row that was not committed is written."""
    run = wandb.init(**PLAIN)
    wandb.log({"x": 1}, commit=False)
    end(wandb)
    run.finish(exit_code=2)
    saved = rla.runs()[-1]
    assert (saved.status, rows()) == (status, [(0, {"x": "1"})])
    assert wandb.run is None and wandb.finish() is None


def test_without_a_run(wandb):
    """wandb.run is None, and what needs one says so; nothing is created."""
    assert wandb.run is None
    for call in (lambda: wandb.log({"x": 1}), lambda: wandb.save("x"), lambda: wandb.summary["x"]):
        with pytest.raises(wandb.Error, match=r"Call wandb\.init\(\) before"):
            call()
    assert wandb.login() is True and len(wandb.util.generate_id()) == 8
    assert os.listdir() == []


def test_a_further_init(wandb):
    """It gives the run that is open, a further one with reinit, and one beside with create_new."""
    first = wandb.init(config={"lr": 0.1}, **PLAIN)
    assert wandb.init(config={"seed": 1}) is first and first.config.seed == 1
    second = wandb.init(reinit=True, **PLAIN)
    assert first.is_finished and wandb.run is second and "lr" not in second.config
    beside = wandb.init(reinit="create_new", **PLAIN)
    assert wandb.run is second
    beside.log({"x": 1})
    beside.finish()
    wandb.finish()
    with pytest.raises(wandb.UsageError, match="reinit is 'no'"):
        wandb.init(reinit="no")
    assert [(run.status, run.info["rows"]) for run in rla.runs()] == [("finished", 0)] * 2 + [("finished", 1)]


def test_in_a_tracked_run_it_joins(wandb):
    """The run is the user's: finish does not end it. A further init there is a run of its own, inside of it."""
    with rla.run(task="mine", title="t", lr=0.1, **PLAIN) as outer:
        rla.log({"x": 0}, step=4)
        wandb.init(project="p", name="n", tags=["a"], notes="from wandb", config={"lr": 0.2, "seed": 1})
        wandb.log({"x": 1})
        assert wandb.run.project == "p" and wandb.run.step == 6
        wandb.finish(exit_code=1)
        assert outer.status == "failed" and wandb.run is None
        with wandb.init(project="p", **PLAIN):
            wandb.log({"x": 5})
        rla.log({"x": 2})
    with rla.run(task="mine", **PLAIN):
        wandb.init()
        wandb.log({"x": 3})
    assert wandb.run is None, "the end of the block is the end of it"
    joined, inner, last = rla.runs()
    assert (joined.status, joined.title, joined.note, joined.tags) == ("finished", "t", "from wandb", ["a"])
    assert joined.hparams == {"lr": 0.1, "module.lr": 0.2, "seed": 1}
    assert (
        joined.metrics()["time-step"].tolist() == [4, 5, 6]
        and "failed, as was reported" in joined.info["notes"][0]["text"]
    )
    assert (inner.task, inner.parent, last.info["rows"]) == ("p", joined.name, 1)


def test_a_hook_in_the_script_joins_it(wandb):
    """The run counts as one that the user has opened."""
    wandb.init(**PLAIN)
    assert hooks.attach_or_plan(hooks.OwnRun("Hook")).run is rla.current_run()


@pytest.mark.parametrize("off", ["mode", "WANDB_MODE", "WANDB_DISABLED", "RLA_MODE"])
def test_nothing_is_recorded(wandb, monkeypatch, off):
    """With mode="disabled", or a variable that says so: everything is taken, and the disk stays as it is."""
    values = {"WANDB_MODE": "disabled", "WANDB_DISABLED": "true", "RLA_MODE": "off"}
    if off in values:
        monkeypatch.setenv(off, values[off])
    run = wandb.init(mode="disabled" if off == "mode" else None, config={"lr": 0.1}, **PLAIN)
    run.config.seed = 3
    wandb.log({"x": 1, "image": wandb.Image(numpy.zeros((2, 2)))}, step=4)
    wandb.summary["best"] = 3
    assert run.disabled and wandb.config.seed == 3 and os.path.isdir(run.dir) and len(run.id) == 8
    assert wandb.summary["best"] == 3 and wandb.save("*") == []
    wandb.finish()
    assert os.listdir() == [] and wandb.run is None


def test_variables_and_settings_name_a_run(wandb, monkeypatch, tmp_path):
    """The argument wins, then settings=, then the variable."""
    texts = {"PROJECT": "p", "NAME": "n", "RUN_GROUP": "g", "TAGS": "a,b", "NOTES": "x", "MODE": "offline"}
    for name, text in {**texts, "DIR": str(tmp_path / "there")}.items():
        monkeypatch.setenv(f"WANDB_{name}", text)
    settings = wandb.Settings(run_group="h", run_name="other", _disable_stats=True)
    wandb.init(name="own", settings=settings, **PLAIN).finish()
    saved = rla.runs(tmp_path / "there" / "rla_data")[-1]
    assert (saved.task, saved.title, saved.group, saved.tags, saved.note) == ("p", "own", "h", ["a", "b"], "x")


def test_mistakes_are_told_at_once(wandb):
    """Nothing is created."""
    with pytest.raises(ConfigError) as raised:
        wandb.init(project="../x", tags=[""], log_rot="here", writers=["cvs"])
    assert len(raised.value.problems) == 4 and "Did you mean 'log_root'?" in str(raised.value)
    with pytest.raises(ConfigError, match=r"unknown argument 'projct'. Known: entity, project, .* mean 'project'\?"):
        wandb.init(projct="x")
    with pytest.raises(wandb.UsageError, match="mode is 'of'"):
        wandb.init(mode="of")
    assert os.listdir() == []


# --- resume -----------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_by_its_id(wandb, rows):
    """Also one that has finished, with other values of the config; its rows and its summary stay."""
    wandb.init(id="x1", config={"lr": 0.1}, **PLAIN)
    wandb.log({"x": 1})
    wandb.summary["first"] = 1
    wandb.finish(exit_code=3)
    run = wandb.init(id="x1", resume="must", config={"lr": 0.2}, **PLAIN)
    assert run.resumed and run.step == 1 and wandb.summary["first"] == 1
    wandb.log({"x": 2})
    wandb.summary["second"] = 2
    wandb.finish()
    (saved,) = rla.runs()
    assert (saved.status, len(saved.restarts), saved.hparams) == ("finished", 1, {"lr": 0.2})
    assert rows() == [(0, {"x": "1"}), (1, {"x": "2"})] and saved.result == {"first": 1, "second": 2}
    run = wandb.init(id=saved.id, resume="allow", **PLAIN)
    assert run.step == 2, "the id of rla_hooks is known as well"
    for step in (1, 2):
        wandb.log({"x": 9}, step=step)
    wandb.finish()
    assert [step for step, _ in rows()] == [0, 1, 1, 2], "the script goes on at a checkpoint of its own"


@pytest.mark.parametrize("id", ["z" * 120, "a  b", "-a\tb", "\x1b漢字", 5, "0123456789abcdef" * 3])
def test_ids_of_all_kinds(wandb, id):
    """A run is found by each, and by no other."""
    wandb.init(id=id, **PLAIN).finish()
    wandb.init(id=f"{id}1", resume="allow", **PLAIN).finish()
    run = wandb.init(id=id, resume="must", **PLAIN)
    assert run.resumed and len(rla.runs()) == 2
    run.finish()


def test_whether_a_run_may_go_on(wandb):
    """As wandb's words say."""
    wandb.init(id="a", **PLAIN).finish()
    for id, resume, resumed in (("a", None, False), ("b", "allow", False), ("a", "allow", True), (None, True, False)):
        run = wandb.init(id=id, resume=resume, **PLAIN)
        assert run.resumed is resumed, (id, resume)
        run.finish()
    with pytest.raises(wandb.UsageError, match=r"no run of .* has the id 'c'"):
        wandb.init(id="c", resume="must", **PLAIN)
    with pytest.raises(wandb.UsageError, match="there is a run of the id 'a'"):
        wandb.init(id="a", resume="never", **PLAIN)
    wandb.init(**PLAIN).finish(exit_code=1)
    assert wandb.init(resume=True, **PLAIN).resumed, "the last one has failed"


# --- media ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def media(wandb):
    """Logs things under ``key``, and gives the files that the run has then."""

    def log(*things, **options):
        run = wandb.init(**{**PLAIN, **options})
        for thing in things:
            run.log({"key": thing})
        folder = rla.current_run().results_dir
        wandb.finish()
        return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}

    return log


def _pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        return numpy.asarray(image)


def test_pictures(wandb, media, tmp_path):
    """Of arrays in all shapes and kinds, PIL images, figures and files, as they were when the picture was made."""
    import PIL.Image
    from matplotlib.figure import Figure

    array = numpy.zeros((4, 6, 3), "uint8")
    array[0, 0] = 200
    figure = Figure()
    figure.subplots().plot([1, 2])
    PIL.Image.fromarray(array).save("here.png")
    things = [
        *(
            wandb.Image(array, caption="a, b"),
            wandb.Image("here.png"),
            wandb.Image(PIL.Image.fromarray(array), mode="L"),
        ),
        *(wandb.Image(figure), figure, PIL.Image.fromarray(array)),
        [wandb.Image(numpy.full((3, 4, 6), 0.5)), wandb.Image(numpy.full((1, 4, 6), -1.0))],
        wandb.Image(numpy.stack([array, array]).astype(float)),
    ]
    array[:] = 99
    figure.clear()
    files = media(*things)
    names = [*(f"key-{step}.png" for step in (0, 1, 2, 3, 4, 5, 7)), "key_0-6.png", "key_1-6.png", "captions.csv"]
    assert sorted(files) == sorted(names)
    for step in (0, 1, 5):
        assert _pixels(files[f"key-{step}.png"])[0, 0].tolist() == [200] * 3
        assert _pixels(files[f"key-{step}.png"]).sum() == 600
    assert _pixels(files["key-2.png"]).shape == (4, 6) and _pixels(files["key-7.png"]).shape == (4, 12, 3)
    assert (_pixels(files["key_0-6.png"]) == 128).all() and (_pixels(files["key_1-6.png"]) == 0).all()
    assert files["captions.csv"].read_text().splitlines() == ["file,caption", 'key-0.png,"a, b"']


def test_videos(wandb, media, tmp_path):
    """Frames become a GIF, or an mp4 as well; a file is copied; a batch stands side by side."""
    import PIL.Image

    frames = numpy.zeros((3, 3, 8, 9), "uint8")
    frames[1] = 255
    first = media(wandb.Video(frames, fps=2, caption="c"), wandb.Video(numpy.stack([frames, frames]), format="gif"))
    assert sorted(first) == ["captions.csv", "key-0.gif", "key-1.gif"]
    with PIL.Image.open(first["key-0.gif"]) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (3, (9, 8), 500)
    with PIL.Image.open(first["key-1.gif"]) as gif:
        assert gif.size == (18, 8)
    assert sorted(media(wandb.Video(str(first["key-0.gif"])), writers=["tensorboard"])) == ["key-0.gif"]
    with pytest.raises(ConfigError, match=r"shape \(3, 8\)"):
        wandb.Video(frames[0, :, :, 0])


def test_an_mp4(wandb, media):
    """By imageio-ffmpeg; sides of odd length are no trouble."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    files = media(wandb.Video(numpy.full((6, 3, 16, 17), 200, "uint8"), fps=6, format="mp4"))
    assert sorted(files) == ["key-0.gif", "key-0.mp4"]
    count, seconds = ffmpeg.count_frames_and_secs(str(files["key-0.mp4"]))
    assert count == 6 and seconds == pytest.approx(1, abs=0.2)


def test_other_media(wandb, media, tmp_path):
    """Sounds, pages, points and scenes."""
    import wave

    sound = wandb.Audio(numpy.array([0.0, 0.5, -1.0]), sample_rate=8000)
    (tmp_path / "page.html").write_text("<p>file</p>")
    points = wandb.Object3D(numpy.arange(6.0).reshape(2, 3))
    scene = wandb.Object3D({"type": "lidar/beta", "points": numpy.zeros((1, 3)), "boxes": numpy.array([])})
    pages = wandb.Html("<p>text</p>"), wandb.Html(str(tmp_path / "page.html")), wandb.Html(io.StringIO("<p>file</p>"))
    files = media(sound, *pages, points, scene)
    with wave.open(str(files["key-0.wav"])) as file:
        assert (file.getframerate(), file.getnchannels(), file.readframes(3)) == (8000, 1, b"\0\0\0\x40\x01\x80")
    assert [files[f"key-{step}.html"].read_text() for step in (1, 2, 3)] == ["<p>text</p>"] + ["<p>file</p>"] * 2
    assert files["key-4.csv"].read_text() == "x,y,z\n0.0,1.0,2.0\n3.0,4.0,5.0\n"
    assert json.loads(files["key-5.json"].read_text())["points"] == [[0.0, 0.0, 0.0]]


def test_tables(wandb, media):
    """They become csv files; media in their cells files of their own; a DataFrame is a table, too."""
    pandas = pytest.importorskip("pandas")
    table = wandb.Table(columns=["a", "b"], data=numpy.arange(4).reshape(2, 2))
    table.add_data(5, 'six, "6"')
    table.add_column("picture", [None, wandb.Image(numpy.zeros((2, 2))), None])
    table.add_computed_columns(lambda number, row: {"twice": 2 * row["a"]})
    assert table.get_column("a", convert_to="numpy").tolist() == [0, 2, 5] and len(table.get_dataframe()) == 3
    assert [number for number, _ in table.iterrows()] == table.get_index() == [0, 1, 2]
    files = media(table, pandas.DataFrame({"x": [1, 2]}), wandb.Table(dataframe=pandas.DataFrame({"y": [1.5]})))
    with open(files["key-0.csv"], newline="") as file:
        assert list(csv.reader(file)) == [
            ["a", "b", "picture", "twice"],
            ["0", "1", "", "0"],
            ["2", "3", "key/picture-row1-0.png", "4"],
            ["5", 'six, "6"', "", "10"],
        ]
    assert "key/picture-row1-0.png" in files
    assert (files["key-1.csv"].read_text(), files["key-2.csv"].read_text()) == ("x\n1\n2\n", "y\n1.5\n")
    with pytest.raises(ConfigError, match=r"has 1 values\. Allowed: 4"):
        table.add_data(1)
    with pytest.raises(ConfigError, match=r"no column 'c'\. Known: a, b"):
        table.get_column("c")


def test_a_data_frame_keeps_its_values(wandb):
    """Whole numbers beside floats, and dates."""
    pandas = pytest.importorskip("pandas")
    dates = pandas.to_datetime(["2020-01-01", "2021-01-01"])
    frame = pandas.DataFrame({"n": [1, 2**60 + 1], "x": [0.5, 1.5], "when": dates})
    assert wandb.Table(dataframe=frame).data == [[1, 0.5, dates[0]], [2**60 + 1, 1.5, dates[1]]]
    assert wandb.Table(dataframe=frame[["when"]]).data == [[dates[0]], [dates[1]]]


def test_charts(wandb, media):
    """Each becomes a figure and its table."""
    table = wandb.Table(columns=["x", "y", "name"], data=[[0, 1.0, "a"], [1, 0.5, "b"], [2, 0.2, "a"]])
    true, probable = [0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
    plot = wandb.plot
    charts = [
        *(plot.line(table, "x", "y", stroke="name"), plot.scatter(table, "x", "y"), plot.bar(table, "name", "y")),
        *(plot.histogram(table, "y", title="t"), plot.line_series([0, 1], [[1, 2], [3, 4]], keys=["p", "q"])),
        *(plot.confusion_matrix(probs=probable, y_true=true, class_names=["no", "yes"]), plot.pr_curve(true, probable)),
        plot.roc_curve(true, probable, labels=["no", "yes"], classes_to_plot=[1]),
    ]
    files = media(*charts)
    assert sorted(files) == sorted(f"key{end}" for n in range(8) for end in (f"-{n}.png", f"_table-{n}.csv"))
    matrix = files["key_table-5.csv"].read_text().splitlines()
    assert matrix == ["Actual,Predicted,nPredictions", "no,no,2", "no,yes,0", "yes,no,1", "yes,yes,1"]
    roc = files["key_table-7.csv"].read_text().splitlines()[1:]
    assert (roc[0], roc[-1]) == ("yes,0.0,0.0", "yes,1.0,1.0") and "yes,0.0,1.0" in roc


def test_numbers_that_are_many(wandb):
    """Histograms, arrays and lists go to TensorBoard, at their step; an array of one number is a number."""
    memory = MemoryWriter()
    wandb.init(writers=[memory], backup="none")
    counts = numpy.histogram([1.0, 2.0, 2.0], bins=2)
    values = {"own": wandb.Histogram([1, 2, 3], num_bins=3), "counted": wandb.Histogram(np_histogram=counts)}
    values["close"] = wandb.Histogram([1e16, 1e16 + 2])  # numbers between which there are no 64 others
    wandb.log({**values, "array": numpy.arange(40), "list": [1, 2.5], "one": numpy.array([4.0]), "empty": []}, step=7)
    wandb.finish()
    shown = {event.tag: event for event in memory.media if event.tag != "hyperparameters"}
    assert {tag: event.content.number for tag, event in shown.items()} == {
        "own": 3,
        "counted": 3,
        "close": 2,
        "array": 40,
        "list": 2,
    }
    assert shown["counted"].content.counts == [1.0, 2.0] and {event.step for event in shown.values()} == {7}
    assert memory.rows == [(7, {"one": 4.0})]


def test_what_cannot_be_logged_stops_nothing(wandb, media, warnings_as_text):
    """One warning for each name; a picture whose file is cut off is read when it is logged."""
    from PIL import Image

    whole = io.BytesIO()
    Image.new("RGB", (64, 64)).save(whole, "PNG")
    media(wandb.Audio("absent.wav"), wandb.Audio("absent.wav"), object(), Image.open(io.BytesIO(whole.getvalue()[:60])))
    assert len(warnings_as_text) == 2
    assert "'key' was not written" in warnings_as_text[0] and "was left out" in warnings_as_text[1]
    warnings_as_text.clear()


# --- files ------------------------------------------------------------------------------------------------------------


def test_saved_files(wandb, tmp_path):
    """Copied, with their folders below base_path; again at the end if they have changed; found again by restore."""
    (tmp_path / "models" / "deep").mkdir(parents=True)
    for name in ("models/a.pt", "models/deep/b.pt", "now.txt"):
        (tmp_path / name).write_text("first")
    run = wandb.init(id="s", **PLAIN)
    assert [os.path.relpath(path, run.dir) for path in wandb.save("models/*.pt", base_path="models")] == ["a.pt"]
    wandb.save("models/**/*.pt")
    wandb.save("now.txt", policy="now")
    own = os.path.join(run.dir, "deep", "own.txt")
    os.makedirs(os.path.dirname(own))
    with open(own, "w") as file:
        file.write("in the folder")
    assert wandb.save(own) == [own]
    for name in ("models/a.pt", "now.txt"):
        (tmp_path / name).write_text("second")
        os.utime(tmp_path / name, (1e9, 1e9))
    wandb.finish()
    wandb.init(id="s", resume="must", **PLAIN)
    expected = {"a.pt": "second", "models/a.pt": "second", "models/deep/b.pt": "first", "now.txt": "first"}
    for name, text in {**expected, "deep/own.txt": "in the folder"}.items():
        with wandb.restore(name) as file:
            assert file.read() == text, name
    assert wandb.restore("absent") is None and wandb.save("absent*") == []


def test_saved_files_of_one_name(wandb, tmp_path, monkeypatch):
    """They lie in folders of their own, all of them in that of the run, wherever a pattern leads."""
    for name in ("here/one/w.pt", "here/two/w.pt", "out/w.pt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path / "here")
    run = wandb.init(**PLAIN)
    for pattern, base, names in (
        ("*/w.pt", None, ["one/w.pt", "two/w.pt"]),
        ("one/../two/w.pt", None, ["two/w.pt"]),
        ("../out/w.pt", None, ["out/w.pt"]),
        ("../out/w.pt", ".", ["out/w.pt"]),
        (tmp_path / "out" / "w.pt", None, ["out/w.pt"]),
        (tmp_path / "here" / "*" / "w.pt", None, ["one/w.pt", "two/w.pt"]),
        (tmp_path / "*" / "*" / "w.pt", None, ["here/one/w.pt", "here/two/w.pt"]),
    ):
        saved = wandb.save(pattern, base_path=base)
        assert [Path(path).relative_to(run.dir).as_posix() for path in saved] == names, pattern
    assert Path(run.dir, "one", "w.pt").read_text() == "here/one/w.pt"
    assert Path(run.dir, "out", "w.pt").read_text() == "out/w.pt"


def test_what_summary_writers_get_is_in_the_run(wandb, rows, warnings_as_text, tmp_path):
    """Of all threads, until the end; then the class is as it was. A call that a run cannot take stops nothing."""
    kind = pytest.importorskip("tensorboardX").SummaryWriter
    before = dict(vars(kind))
    wandb.init(sync_tensorboard=True, **PLAIN)
    with kind(str(tmp_path / "own")) as writer:
        threads = [
            threading.Thread(target=writer.add_scalar, args=("x", n), kwargs={"global_step": n}) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.add_scalars("y", {"a": 1.0}, 9)
        writer.add_image("frame", numpy.zeros((3, 2, 2), "uint8"), 9)
        folder = rla.current_run().results_dir
        wandb.finish()
        writer.add_scalar("x", 5.0, 10)
    assert dict(vars(kind)) == before and [path.name for path in folder.iterdir()] == ["frame-9.png"]
    assert sorted(rows()) == [*((n, {"x": str(n)}) for n in range(8)), (9, {"y/a": "1.0"})]
    assert list((tmp_path / "own").glob("*tfevents*")) and warnings_as_text == []


# --- what there is no place for ---------------------------------------------------------------------------------------


def test_what_is_missing_says_once_what_to_use(wandb, warnings_as_text):
    """And takes every call."""
    wandb.init(monitor_gym=True, **PLAIN)
    for _ in range(2):
        artifact = wandb.Artifact("model", type="model", metadata={"a": 1})
        artifact.add_file("x.pt")
        with artifact.new_file("y") as file:
            file.write("z")
        wandb.log_artifact(artifact, aliases=["best"]).wait()
        assert wandb.run.use_artifact("model:latest").download() == wandb.run.dir
        assert list(wandb.Api().runs("me/p")) == [] and not wandb.Api().run("me/p/x").summary["loss"]
        wandb.alert("Low accuracy", "it is 0.1", level=wandb.AlertLevel.WARN)
    told = [text.partition(":")[0] for text in warnings_as_text]
    assert told == ["wandb.init", "wandb.Artifact", "wandb.Api", "wandb.alert"]
    warnings_as_text.clear()


def test_what_scripts_reach_through_the_package(wandb, rows, warnings_as_text, tmp_path):
    """``tensorboard.patch`` before and after init, the type of a run, a hint for what other hooks do."""
    writers = pytest.importorskip("tensorboardX")
    for before in (True, False):
        if before:
            wandb.tensorboard.patch(root_logdir="logs", pytorch=True)
        run = wandb.init(**PLAIN)
        if not before:
            wandb.tensorboard.patch(save=False)
        with writers.SummaryWriter(str(tmp_path / "events")) as writer:
            writer.add_scalar("loss", 0.5, 3)
        run.finish()
        assert rows() == [(3, {"loss": "0.5"})]
    assert wandb.sdk.wandb_run.Run is wandb.Run is type(run)
    wandb.gym.monitor()
    assert "track_episodes" in warnings_as_text.pop()
    with pytest.raises(AttributeError, match=r"no 'integration'\. rla_hooks has a hook for each framework"):
        wandb.integration  # noqa: B018
    assert not hasattr(wandb, "absent")


def test_a_sweep_calls_its_function_once(wandb, warnings_as_text):
    """With the first value of each parameter, which comes before those of the call."""
    space = {"lr": {"values": [0.1, 0.2]}, "n": {"min": 2, "max": 6}, "seed": {"value": 5}}
    space |= {"wd": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}}
    name = wandb.sweep({"method": "grid", "parameters": space}, project="p")
    seen = []

    def train():
        with wandb.init(config={"lr": 9, "own": 1}, **PLAIN):
            seen.append(wandb.config.as_dict())

    wandb.agent(name, function=train, count=3)
    assert seen == [{"lr": 0.1, "own": 1, "n": 4, "seed": 5, "wd": pytest.approx(1e-3)}]
    assert len(warnings_as_text) == 1 and "Optuna" in warnings_as_text.pop()
    with wandb.init(**PLAIN) as run:
        assert run.config.as_dict() == {}
