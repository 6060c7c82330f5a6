"""RLACallback for transformers and TRL: real trainings of a tiny GPT-2 on random tokens, as programs of their own."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import socket
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs are forked")

# What the programs import is there before they start. The same names in test_accelerate.py share one Python.
MODULES = ("transformers.trainer", "transformers.models.gpt2.modeling_gpt2")

TINY = """
import json, os, signal, sys, time
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging
import rla_hooks as rla
from rla_hooks.integrations.transformers import RLACallback

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)

def model(trial=None):
    torch.manual_seed(0)
    config = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 32, "n_positions": 64}
    return GPT2LMHeadModel(GPT2Config(**config, bos_token_id=0, eos_token_id=1, pad_token_id=2))

def data(count=12):
    tokens = torch.randint(3, 32, (count, 6), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in tokens]

def trainer(*callbacks, kind=Trainer, made=None, **options):
    defaults = {"output_dir": "out", "max_steps": 6, "per_device_train_batch_size": 2, "logging_steps": 1}
    defaults |= {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "save_steps": 2}
    arguments = TrainingArguments(**{**defaults, **options})
    how = {"model": model()} if made is None else {"model_init": made}
    return kind(args=arguments, train_dataset=data(), eval_dataset=data(4), callbacks=[*callbacks], **how)

class At(TrainerCallback):
    "Does something when the row of a step has been logged; after RLACallback, if it stands behind it."
    def __init__(self, step, act):
        self.step, self.act = step, act
    def on_log(self, args, state, control, logs, **kwargs):
        if state.global_step == self.step and "loss" in logs:
            self.act()

def fail():
    raise ValueError("diverged")

def history(made):
    with open("history.json", "w") as file:
        json.dump(made.state.log_history, file)
"""


@pytest.fixture(scope="session")
def start(warm):
    """Starts a program in a folder, in whose ``root`` its runs are."""
    for name in ("torch", "transformers"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"there is no {name}")
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}

    def start(folder, body, *arguments, **environment):
        folder.mkdir(exist_ok=True)
        (folder / "rla_config.yaml").write_text("LOG_ROOT: root\nPROJECT_TYPE: {backup_code_by: none}\n")
        (folder / "program.py").write_text(TINY + body)
        return warm(*MODULES).start("program.py", *arguments, cwd=folder, env={**bare, **environment})

    return start


@pytest.fixture(scope="session")
def train(start):
    """Runs such a program: its exit code, what it said, its runs, and the history of logs that it has kept."""

    def train(folder, body, *arguments, **environment):
        done = start(folder, body, *arguments, **environment).ended(100)
        kept = folder / "history.json"
        history = json.loads(kept.read_text()) if kept.exists() else None
        runs = rla.runs(folder / "root") if (folder / "root").exists() else []
        said = done.stdout + done.stderr
        return SimpleNamespace(code=done.returncode, said=said, runs=[*runs], history=history)

    return train


def named(key):
    """The name of a column for what a Trainer logs."""
    if key in ("epoch", "step"):
        return {"step": "time-step"}.get(key, key)
    first, _, rest = key.partition("_")
    return f"{first}/{rest}" if first in ("eval", "test") else f"train/{key}"


def rows_of(run):
    """The rows with what stands in them, numbers as numbers."""
    rows = run.metrics().drop(columns="timestamp").to_dict("records")
    return [{key: value for key, value in row.items() if value is not None and value == value} for row in rows]


def expected(history):
    return [{named(key): value for key, value in row.items() if value == value} for row in history]


# --- one whole training -----------------------------------------------------------------------------------------------

WHOLE = """
class Mine(Trainer):
    def log(self, logs, *args):
        super().log({**logs, "note": "a text", "bad": float("nan"), "parts": {"a": 1.0}}, *args)

@rla.track(task="t", record=["learning_rate"])
def main(learning_rate=0.01):
    made = trainer(RLACallback(), kind=Mine, learning_rate=learning_rate, eval_strategy="steps", eval_steps=2,
                   save_total_limit=2, load_best_model_at_end=True, hub_token="hf_abcdefghijklmnop", adam_beta1=0.8)
    made.train()
    made.evaluate()
    made.predict(data(4))
    history(made)

main()
"""


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "here"
    done = train(folder, WHOLE)
    assert done.code == 0, done.said
    (done.run,) = done.runs
    done.folder = folder
    return done


def test_all_that_a_trainer_logs_is_a_row(whole):
    """The same numbers at the same steps, also texts and nested values; NaN; the rows of evaluate and predict."""
    assert whole.run.status == "finished" and whole.run.problems == () and whole.run.info["warnings"] == []
    history = [{"parts/a" if key == "parts" else key: value for key, value in row.items()} for row in whole.history]
    history = [{**row, "parts/a": 1.0} for row in history]
    *rows, predicted = rows_of(whole.run)
    assert rows == expected(history) and len(rows) == 11
    assert set(predicted) == {"time-step"} | {
        f"test/{key}" for key in ("loss", "runtime", "samples_per_second", "steps_per_second")
    }
    assert math.isnan(whole.run.metrics()["train/bad"].iloc[0])


def test_tensorboard_has_the_same_names(whole, read_scalars):
    assert [step for step, _ in read_scalars(whole.run.tensorboard_dir)["train/loss"]] == [1, 2, 3, 4, 5, 6]


def test_checkpoints_outside_of_the_run_are_links(whole):
    """Those that the Trainer has kept, the best one of them; what it has deleted is forgotten."""
    entries = Manifest(whole.run.checkpoint_dir).complete()
    kept = sorted(path.name for path in (whole.folder / "out").glob("checkpoint-*"))
    assert (
        sorted(entry.file for entry in entries) == kept == sorted(p.name for p in whole.run.checkpoint_dir.glob("c*"))
    )
    assert {entry.info["writer"] for entry in entries} == {"transformers"} and kept
    losses = {row["step"]: row["eval_loss"] for row in whole.history if "eval_loss" in row}
    best = rla.latest_checkpoint(whole.run, "best")
    step = min(losses, key=losses.get)
    assert best.is_symlink() and best.resolve() == whole.folder / "out" / f"checkpoint-{step}"
    (entry,) = [entry for entry in entries if entry.file == best.name]
    assert entry.info["score"] == losses[step] and entry.info["monitor"] == "loss"


def test_hyper_parameters_are_those_that_matter(whole):
    """Those that decide what is learned, and others that differ from their defaults; all are in a file."""
    found = whole.run.hparams
    assert found["learning_rate"] == 0.01 and found["adam_beta1"] == 0.8 and found["weight_decay"] == 0.0
    assert found["total_train_batch_size"] == 2 and found["model.class"] == "GPT2LMHeadModel"
    assert found["model.hidden_size"] == 8 and found["model.parameters"] > 1000 and "model.n_embd" not in found
    assert not {"output_dir", "adam_beta2", "logging_steps", "hub_token", "save_steps"} & set(found)
    assert len(found) < 40
    folder = whole.run.results_dir / "transformers"
    arguments = json.loads((folder / "training_arguments.json").read_text())
    config = json.loads((folder / "model_config.json").read_text())
    assert arguments["adam_beta2"] == 0.999 and arguments["logging_steps"] == 1 and config["n_embd"] == 8


def test_a_token_is_nowhere(whole):
    """In no file of the run; the test program is not backed up."""
    files = [path for path in (whole.folder / "root").rglob("*") if path.is_file() and "out" not in path.parts]
    files = [path for path in files if not any(part.is_symlink() for part in path.parents)]
    assert len(files) > 8
    assert [path for path in files if b"hf_abcdefghijklmnop" in path.read_bytes()] == []


# --- a training that goes on ------------------------------------------------------------------------------------------

RESUMED = """
@rla.track(task="t", resume="auto")
def main():
    run = rla.current_run()
    die = [At(9, lambda: os.kill(os.getpid(), signal.SIGKILL))] if sys.argv[1] == "die" else []
    made = trainer(RLACallback(), *die, output_dir=run.checkpoint_dir, max_steps=-1, num_train_epochs=2,
                   eval_strategy="epoch")
    made.train(resume_from_checkpoint=rla.latest_checkpoint(run))
    history(made)

main()
"""


def test_a_killed_training_goes_on_as_one_curve(train, tmp_path):
    """Twelve steps, checkpoints each two, killed after the row of step 9: this row is cut, and comes again."""
    killed = train(tmp_path, RESUMED, "die")
    (run,) = killed.runs
    assert killed.code == -signal.SIGKILL and run.status == "killed", killed.said
    assert run.metrics()["train/loss"].count() == 9 and rla.latest_checkpoint(run).name == "checkpoint-8"
    done = train(tmp_path, RESUMED, "live")
    (run,) = done.runs
    assert done.code == 0 and run.status == "finished" and run.info["warnings"] == [], done.said
    assert rows_of(run) == expected(done.history) and len(rows_of(run)) == 15
    (life,) = run.info["restarts"]
    assert (life["step"], life["rows_cut"]) == (8, 1)
    newest = rla.latest_checkpoint(run)
    assert newest.name == "checkpoint-12" and not newest.is_symlink() and not (tmp_path / "out").exists()


EPOCHS = """
class Stop(TrainerCallback):
    def on_epoch_begin(self, args, state, control, **kwargs):
        if state.global_step == 6 and sys.argv[1] == "die":
            os.kill(os.getpid(), signal.SIGKILL)

@rla.track(task="t", resume="auto")
def main():
    made = trainer(RLACallback(), Stop(), max_steps=-1, num_train_epochs=2, eval_strategy="epoch",
                   logging_strategy="epoch")
    if sys.argv[1] == "live":
        made.evaluate()  # logs no row: it would be in the way of the cut
    made.train(resume_from_checkpoint=rla.latest_checkpoint(rla.current_run()))
    history(made)

@rla.track(task="t")
def look():
    trainer(RLACallback()).evaluate()  # no training comes

main()
if sys.argv[1] == "live":
    look.fork("latest")
"""


def test_the_rows_of_an_epochs_end_belong_to_the_checkpoint_of_its_last_step(train, tmp_path):
    """They come after it, and a training that goes on from there does not log them again."""
    train(tmp_path, EPOCHS, "die")
    done = train(tmp_path, EPOCHS, "live")
    run, look = done.runs
    assert done.code == 0 and rows_of(look)[:-1] == rows_of(run)[:-1] and "eval/loss" in rows_of(look)[-1], (
        "without that of the end"
    )
    assert run.info["restarts"][0]["step"] == 6 and rows_of(run)[2:] == expected(done.history), done.said
    assert [row["time-step"] for row in rows_of(run)] == [6, 6, 12, 12, 12]
    assert rla.latest_checkpoint(run).is_symlink()


OTHER = """
for learning_rate in (0.1, 0.01):
    with rla.run(task="t", learning_rate=learning_rate):
        made = trainer(RLACallback(), learning_rate=learning_rate, output_dir=f"out-{learning_rate}")
        old = rla.runs("root")
        made.train(resume_from_checkpoint=rla.latest_checkpoint(old[0]) if len(old) == 2 else None)

os.rename("out-0.1/checkpoint-4", "moved")
made = trainer(RLACallback(task="elsewhere"))
made.train(resume_from_checkpoint="moved")  # a place that no callback is told
made = trainer(RLACallback(task="told"), resume_from_checkpoint="moved")
made.train(resume_from_checkpoint="moved")

with rla.run(task="two"):
    for output_dir in ("a", "b"):
        trainer(RLACallback(), output_dir=output_dir, max_steps=2).train()
"""


def test_a_new_run_says_what_it_goes_on_from(train, tmp_path):
    """A checkpoint of another run, or some other folder; one that cannot be found is told once.

    And two Trainers of one run, whose checkpoints have the same names.
    """
    done = train(tmp_path, OTHER)
    assert done.code == 0, done.said
    first, second, elsewhere, told, two = done.runs
    assert "resumed_from" not in first.info and first.metrics()["train/loss"].count() == 6
    origin = second.info["resumed_from"]
    assert (origin["id"], origin["step"]) == (first.id, 6) and "checkpoint-6" in origin["file"]
    (note,) = elsewhere.info["warnings"]
    assert "goes on from step 4 of a checkpoint that is neither" in note["text"]
    assert elsewhere.metrics()["time-step"].tolist()[:2] == [5, 6] and "resumed_from" not in elsewhere.info
    assert told.info["warnings"] == [] and told.info["resumed_from"]["file"] == str(tmp_path / "moved")
    links = {
        entry.file: (two.checkpoint_dir / entry.file).resolve() for entry in Manifest(two.checkpoint_dir).complete()
    }
    assert links == {"checkpoint-2": tmp_path / "a/checkpoint-2", "checkpoint-2-2": tmp_path / "b/checkpoint-2"}


# --- how it ends ------------------------------------------------------------------------------------------------------

OWN = """
hook = RLACallback(task="own", record={"info": "alone"})
assert not os.path.exists("root") and hook.run.checkpoint_dir is not None
trainer(hook).predict(data(4))  # alone it makes no run
assert not os.path.exists("root")
how = sys.argv[1]
beside = "tensorboard" if how == "well" else "none"
sys.modules["tensorboard.compat.notf"] = sys  # so that it does not import TensorFlow
if how != "raised":
    first = trainer(hook, report_to=beside, save_strategy="no")
    first.train()
    second = trainer(hook, save_strategy="no", max_steps=3)
    second.train()
    history(first)
last = trainer(hook, At(2, fail), save_strategy="no")
if how == "caught":
    try:
        last.train()
    except ValueError:
        print("went on")
elif how == "raised":
    last.train()
"""


@pytest.mark.parametrize(("how", "status"), [("well", "finished"), ("caught", "failed"), ("raised", "failed")])
def test_a_run_of_its_own_ends_with_the_program(train, tmp_path, how, status):
    """Two trainings are in it, whose steps begin anew; one that was left by an exception makes it fail."""
    done = train(tmp_path, OWN, how)
    (run,) = done.runs
    assert (run.task, run.record, run.status, done.code) == ("own", {"info": "alone"}, status, how == "raised"), (
        done.said
    )
    rows = rows_of(run)
    steps = [row["time-step"] for row in rows]
    if how == "raised":
        assert steps == [1, 2]
    else:
        assert rows[:7] == expected(done.history)
        assert steps[7:] == [1, 2, 3, 3, *([1, 2] if how == "caught" else [])]
    told = {"well": None, "caught": "train() was left by an exception", "raised": "ValueError: diverged"}[how]
    assert run.info["error"] is told or told in str(run.info["error"])
    assert bool([*tmp_path.glob("out/runs/*/events*")]) == (how == "well")  # the Trainer's own writer went on beside


BLOCKS = """
hook = RLACallback()
for number in range(3):
    made = trainer(hook, RLACallback(), *([At(2, fail)] if number == 1 else []), save_strategy="no")
    try:
        with rla.run(task="block", number=number):
            made.train()
    except ValueError:
        with rla.run(task="after"):
            made.evaluate()

import types
class Odd(torch.nn.Module):
    config = types.SimpleNamespace(hidden_size=5, dropout=0.25, anything={"width": 3})
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(32, 4)
    def forward(self, input_ids, labels):
        return {"loss": self.table(input_ids).mean()}

with rla.run(task="odd"):
    trainer(RLACallback(), made=Odd, save_strategy="no", max_steps=1).train()
"""


def test_one_hook_for_several_blocks(train, tmp_path):
    """Each block has the last word on its run, also after an exception. A second hook logs no row twice."""
    done = train(tmp_path, BLOCKS)
    runs = [run for run in done.runs if run.task == "block"]
    assert [run.status for run in runs] == ["finished", "failed", "finished"], done.said
    assert [len(rows_of(run)) for run in runs] == [7, 2, 7]
    assert ["eval/loss" in row for run in done.runs if run.task == "after" for row in rows_of(run)] == [True]
    odd = done.runs[-1]
    known = {"learning_rate": 5e-5, "model.class": "Odd", "model.hidden_size": 5, "model.dropout": 0.25}
    assert known.items() <= odd.hparams.items() and odd.info["warnings"] == [], "a config of any kind"
    assert json.loads((odd.results_dir / "transformers/model_config.json").read_text())["anything"] == {"width": 3}
    assert "diverged" in str(done.runs[1].info["error"]) and done.said.count("two RLACallbacks") == 1


STOPPED = """
@rla.track(task="t")
def main():
    made = trainer(RLACallback(), At(3, lambda: os.kill(os.getpid(), signal.SIGTERM)),
                   eval_strategy="epoch", save_steps=100, max_steps=60, enable_jit_checkpoint=True)
    made.train()
    print("returned at", made.state.global_step)

main()
"""


def test_a_preempted_training_saves_and_stops(train, tmp_path):
    """After the step, also where the Trainer has a handler of SIGTERM of its own; nothing is evaluated."""
    done = train(tmp_path, STOPPED)
    (run,) = done.runs
    assert (done.code, run.status) == (128 + signal.SIGTERM, "preempted") and "returned at 4" in done.said, done.said
    assert rla.latest_checkpoint(run).name == "checkpoint-4" and "eval/loss" not in run.metrics()


RANKS = """
rank = int(os.environ["RANK"])
@rla.track(task="t")
def main():
    act = [At(5, lambda: os.kill(os.getpid(), signal.SIGUSR1))] if rank == 1 else []
    hooks = [RLACallback()] if sys.argv[1] == "all" or rank == 0 else []
    last = 500 if sys.argv[1] == "all" else 4
    made = trainer(*hooks, *act, save_steps=4, max_steps=last, ddp_backend="gloo", per_device_train_batch_size=1)
    made.train()
    if rank == 0:
        history(made)

main()
"""


@pytest.mark.parametrize("who", ["all", "zero"])
def test_two_ranks_are_one_run(start, train, tmp_path, who):
    """Rank zero writes. The signal comes to rank one alone; all stop, unless rank zero has the only hook."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    both = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    other = start(tmp_path, RANKS, who, RANK="1", LOCAL_RANK="1", **both)
    done = train(tmp_path, RANKS, who, RANK="0", LOCAL_RANK="0", **both)
    ended = other.ended()
    (run,) = done.runs
    assert run.status == ("preempted" if who == "all" else "finished"), done.said + ended.stderr
    assert rows_of(run) == expected(done.history) and run.hparams["total_train_batch_size"] == 2
    newest = Manifest(run.checkpoint_dir).complete()[-1]
    assert newest.step == max(row["step"] for row in done.history) < 500
    files = {path.name for path in (run.checkpoint_dir / newest.file).iterdir()}
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= files


# --- searches, TRL, mistakes ------------------------------------------------------------------------------------------

SEARCH = """
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)

def space(trial):
    return {"learning_rate": trial.suggest_categorical("learning_rate", [0.1, 0.2, 0.3])}

class Pruner(optuna.pruners.BasePruner):
    def prune(self, study, trial):
        return trial.number == 1

class Bad(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.is_hyper_param_search and args.learning_rate == 0.3:
            fail()

with rla.run(task="search"):
    made = trainer(RLACallback(tags=["sweep"]), Bad(), made=model, max_steps=4, eval_strategy="steps", eval_steps=2)
    sampler = optuna.samplers.GridSampler({"learning_rate": [0.1, 0.2, 0.3]}, seed=0)
    best = made.hyperparameter_search(space, n_trials=3, backend="optuna", sampler=sampler, pruner=Pruner(),
                                      catch=(ValueError,), hp_name=lambda trial: f"trial {trial.number}")
    made.train()
"""


def test_each_trial_of_a_search_is_a_run(train, tmp_path):
    """Under its parameters, as a child of the open run; pruned and failed ones are called so."""
    pytest.importorskip("optuna")
    done = train(tmp_path, SEARCH)
    assert done.code == 0, done.said
    parent, *trials = done.runs
    assert [run.title for run in trials] == ["trial 0", "trial 1", "trial 2"]
    assert {run.info["parent"] for run in trials} == {parent.name} and {run.task for run in trials} == {"search"}
    assert sorted(run.record["learning_rate"] for run in trials) == [0.1, 0.2, 0.3]
    bad = [run.record["learning_rate"] == 0.3 for run in trials]
    ends = ["pruned" if number == 1 else "finished" for number in range(3)]
    assert [run.status for run in trials] == ["failed" if b else end for b, end in zip(bad, ends)]
    assert parent.status == "finished" and parent.metrics()["train/loss"].count() == 4
    whole = [run for run in trials if run.status == "finished"][0]
    assert [entry.step for entry in Manifest(whole.checkpoint_dir).complete()] == [2, 4]
    assert whole.tags == ["sweep"] and whole.hparams["learning_rate"] == whole.record["learning_rate"]


TRL = """
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

words = ["<unk>", "<eos>", "<pad>", *(f"w{number}" for number in range(29))]
plain = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", eos_token="<eos>", pad_token="<pad>")
text, other = "w1 w2 w3", "w4 w5"
prompts = {"prompt": [text] * 8}
KINDS = {
    "sft": (SFTTrainer, SFTConfig, {"text": [text] * 8}, {"max_length": 8}, {}),
    "dpo": (DPOTrainer, DPOConfig, {**prompts, "chosen": [other] * 8, "rejected": ["w9"] * 8}, {"beta": 0.3},
            {"ref_model": model()}),
    "grpo": (GRPOTrainer, GRPOConfig, prompts, {"num_generations": 2, "max_completion_length": 4},
             {"reward_funcs": lambda completions, **more: [float(len(each)) for each in completions]}),
}
histories = {}
for name, (kind, config, rows, options, more) in KINDS.items():
    with rla.run(task=name):
        args = config(output_dir=name, max_steps=2, logging_steps=1, per_device_train_batch_size=2, report_to="none",
                      use_cpu=True, bf16=False, disable_tqdm=True, save_steps=2, **options)
        made = kind(model(), args=args, train_dataset=Dataset.from_dict(rows), processing_class=tokenizer,
                    callbacks=[RLACallback()], **more)
        made.train()
        histories[name] = made.state.log_history
with open("history.json", "w") as file:
    json.dump(histories, file)
"""


def test_trainers_of_trl(train, tmp_path):
    """SFT, DPO and GRPO: their own metrics, their own arguments, their checkpoints."""
    for name in ("trl", "datasets", "tokenizers"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"there is no {name}")
    done = train(tmp_path, TRL, HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
    assert done.code == 0, done.said
    runs = {run.task: run for run in done.runs}
    for name, run in runs.items():
        history = [{key: value for key, value in row.items() if value is not None} for row in done.history[name]]
        assert rows_of(run) == expected(history) and run.status == "finished" and run.info["warnings"] == []
        assert rla.latest_checkpoint(run).name == "checkpoint-2"
    assert {"train/reward", "train/completions/mean_length"} <= set(runs["grpo"].metrics())
    assert "train/rewards/accuracies" in runs["dpo"].metrics()
    assert (runs["dpo"].hparams["beta"], runs["grpo"].hparams["num_generations"]) == (0.3, 2)


WRONG = """
import pytest
with pytest.raises(rla.ConfigError, match="1 mistake|taks.*Did you mean 'task'"):
    RLACallback(taks="t")
hook = RLACallback()
calls = {"lightning": lambda: hook.setup, "keras": lambda: hook.set_params({}), "sb3": lambda: hook({}, {})}
for framework, call in calls.items():
    with pytest.raises(rla.ConfigError, match=f"rla_hooks.integrations.{framework} import RLACallback"):
        call()
assert not hasattr(hook, "nothing")
import copy, pickle
assert pickle.loads(pickle.dumps(copy.deepcopy(hook))).run.paths == hook.run.paths

os.environ["RLA_MODE"] = "off"
trainer(RLACallback(), save_strategy="no", max_steps=1).train()
print("went on", os.path.exists("root"))
"""


def test_mistakes(train, tmp_path):
    """An unknown option, another framework's Trainer; tracking that is off."""
    done = train(tmp_path, WRONG)
    assert done.code == 0 and "went on False" in done.said, done.said
