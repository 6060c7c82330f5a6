"""``rla sweep``, as somebody types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

TRAIN = """
import rla_hooks as rla

@rla.track(record=["lr"], writers=["csv"], backup="none")
def main(lr=1e-3, seed=0, layers=(8,)):
    if seed == 3:
        raise ValueError("boom")
    return lr * seed
"""


COMMANDS = ("resume", "rerun")


@pytest.fixture
def typed(tmp_path, tmp_path_factory, own_home):
    """Types a command line in a folder with train.py; returns the exit code, stdout and stderr."""
    pytest.importorskip("joblib")
    (tmp_path / "train.py").write_text(TRAIN)
    rla_command = tmp_path_factory.mktemp("bin") / "rla"
    rla_command.write_text("import sys; from rla_hooks.cli import main; sys.exit(main())")

    def run(*words):
        command = [sys.executable, str(rla_command), *(() if words[0] in COMMANDS else ["sweep"]), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    return run


def test_it_sweeps_and_goes_on(typed, tmp_path):
    """The exit code says whether all have ended well; the same command again does what is left."""
    words = ("train.py:main", "lr=1e-4,3e-4", "seed=2..3", "layers=[64, 64]", "--group", "g", "--jobs", "2")
    code, _, said = typed(*words)
    assert code == 1 and said.count("failed: ValueError: boom") == 2
    runs = rla.runs(tmp_path / "rla_data", group="g", sort="lr,seed")
    assert [(run.hparams["lr"], run.hparams["seed"]) for run in runs] == [(1e-4, 2), (1e-4, 3), (3e-4, 2), (3e-4, 3)]
    assert runs[0].hparams["layers"] == [64, 64] and runs[0].task == "train"
    assert runs[0].run_json["command"][-len(words) - 1 :] == ["sweep", *words]
    (tmp_path / "train.py").write_text(TRAIN.replace("raise ValueError", "print"))
    code, _, said = typed(*words)
    assert code == 0 and "2 to begin again, 2 finished" in said
    after = rla.runs(tmp_path / "rla_data", sort="lr,seed")
    assert [run.id for run in after] == [run.id for run in runs] and {run.status for run in after} == {"finished"}


def test_a_file_that_reads_arguments_when_it_is_imported_is_told(typed, tmp_path):
    """Its parser ends the program, and would speak of arguments that nobody has given."""
    (tmp_path / "train.py").write_text(
        TRAIN + "import argparse\nmain(**vars(argparse.ArgumentParser().parse_args()))\n"
    )
    code, _, said = typed("train.py:main", "lr=1e-4")
    assert code == 2 and "rla: train.py ends the program when it is imported (2)" in said
    assert "below if __name__ == '__main__'" in said and not (tmp_path / "rla_data").exists()


@pytest.mark.parametrize("place", ["train.py:main", "train:main"])
def test_one_run_is_resumed_or_repeated_by_what_was_typed(place, typed, tmp_path):
    """Only that run goes on; and only that one is repeated, on the code that it had."""
    (tmp_path / "rla_config.yaml").write_text("PROJECT_ROOT: .")
    (tmp_path / "train.py").write_text(TRAIN.replace(', backup="none"', ""))
    assert typed(place, "seed=2..4", "lr=0.5")[0] == 1
    runs = rla.runs(tmp_path / "rla_data", sort="seed")
    assert [run.status for run in runs] == ["finished", "failed", "finished"]
    (tmp_path / "train.py").write_text(TRAIN.replace(', backup="none"', "").replace("raise ValueError", "return -1 #"))
    code, _, said = typed("resume", runs[1].id, "--from-start")
    assert code == 0 and "only the run" in said
    assert [run.result for run in rla.runs(tmp_path / "rla_data", sort="seed")] == [1.0, -1, 2.0]
    (tmp_path / "train.py").write_text(TRAIN.replace("return lr * seed", "return 'changed'"))
    assert typed("rerun", runs[0].id)[0] == 0
    (again,) = rla.runs(tmp_path / "rla_data", where="rerun_of != none")
    assert (again.hparams["seed"], again.result) == (2, 1.0) and len(rla.runs(tmp_path / "rla_data")) == 4


def test_a_dry_run_and_json_begin_nothing(typed, tmp_path):
    """The one imports the function and shows the plan, the other only says what would be started."""
    code, _, said = typed("train.py:main", "seed=0..4", "--dry-run")
    assert code == 0 and "5 settings of main on local: 5 new" in said
    code, printed, _ = typed("none.py:main", "seed=0..4", "--on", "slurm", "--gpus", "1", "--time", "1d 2h", "--json")
    options = json.loads(printed)["options"]
    assert code == 0 and options["cluster"] == {"gpus_per_node": 1, "timeout_min": 26 * 60}
    started = json.loads(json.loads(printed)["command"][-1])
    assert (
        started.pop("command")[-2:] == ["1d 2h", "--json"]
        and started == options
        and options["settings"] == ["seed=0..4"]
    )
    assert [Path(each).name for each in tmp_path.iterdir() if each.name != "__pycache__"] == ["train.py"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train.py:mian", "lr=1"], "train.py has no 'mian'. Its tracked functions: main. Did you mean 'main'?"),
        (["nothing.py:main", "lr=1"], "there is no file nothing.py"),
        (["no.such:main", "lr=1"], "there is no module 'no.such' here"),
        (["train.py", "lr=1"], "'train.py' names no function"),
        (["train.py:main", "lr"], "'lr' is no setting"),
        (["train.py:main", "lr=high", "seed=1.5"], "lr has 'high'. Allowed: a float, as 0.001 was."),
        (["train.py:main", "learning=1"], "main has no parameter 'learning'"),
        (["train.py:main", "lr=1", "--time", "soon"], "--time is 'soon'"),
        (["train.py:main", "lr=1", "--gpus", "1"], "gpus_per_node: options of a cluster"),
    ],
    ids=lambda value: value[0] if isinstance(value, str) else " ".join(value),
)
def test_a_mistake_is_one_clear_line(words, said, typed, tmp_path):
    """And the exit code is 2; no run begins."""
    code, _, stderr = typed(*words)
    assert code == 2 and said in stderr and "Traceback" not in stderr
    assert not (tmp_path / "rla_data").exists()
