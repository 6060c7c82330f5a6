"""Two sweeps of one group at the same moment, of real processes: each setting is begun by one of them."""

import concurrent.futures
import json
import subprocess
import sys

import pytest

import rla_hooks as rla
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.launch.claims import claim_of, held

PROGRAM = """
import json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import rla_hooks as rla


class Together(ThreadPoolExecutor):
    def submit(self, *task):  # both sweeps have made their plan before any run begins
        Path(f"planned-{os.getpid()}").touch()
        while len([*Path().glob("planned-*")]) < 2:
            time.sleep(0.001)
        return super().submit(*task)


@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(lr, seed):
    rla.log({"perf/return": lr + seed}, step=0)
    return lr + seed


runs = rla.sweep(main, {"lr": [0.1, 0.2], "seed": range(4)}, on=Together(2), group="g")
print(json.dumps([run.status for run in runs]))
"""


def test_two_sweeps_at_once_begin_each_setting_once(tmp_path):
    """Both have planned all of them, and each finds that the other one has begun some."""
    (tmp_path / "train.py").write_text(PROGRAM)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweeps = [subprocess.Popen([sys.executable, "-I", "train.py"], cwd=tmp_path, **pipes) for _ in range(2)]
    ends = [each.communicate(timeout=120) for each in sweeps]
    assert [each.returncode for each in sweeps] == [0, 0], ends
    assert all("8 settings of main on Together: 8 new" in said and "failed" not in said for _, said in ends)
    runs = rla.runs(tmp_path / "root")
    assert sorted((run.hparams["lr"], run.hparams["seed"]) for run in runs) == [
        (lr, seed) for lr in (0.1, 0.2) for seed in range(4)
    ]
    assert {run.status for run in runs} == {"finished"} and all(len(run.metrics()) == 1 for run in runs)
    for printed, _ in ends:
        assert set(json.loads(printed)) <= {"finished", "running"}


HOLDER = """
import sys, time
from pathlib import Path
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.launch.claims import held

with held(SweepMember("s", 0, "g", sys.argv[1], claim=sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_claim_of_a_dead_process_is_free(tmp_path):
    """It was killed while its run began: the next one begins the setting, and waits for nobody."""
    file = claim_of(tmp_path, ("t", "main", "g"), {"lr": 0.1})
    command = [sys.executable, "-I", "-c", HOLDER, str(tmp_path), str(file)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    with held(SweepMember("s", 0, "g", tmp_path, claim=str(file))) as claim:
        assert (claim.is_taken, claim.run, claim.member.resume) == (False, None, None)


def _sweep(main, settings, **options):
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        return rla.sweep(main, settings, on=threads, quiet=True, **options)


def test_a_killed_run_that_was_begun_after_the_plan_goes_on(tmp_path):
    """A sweep that knew nothing of it goes on with it; one that somebody has deleted, or moved elsewhere, is none."""

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(lr):
        return lr

    (run,) = _sweep(main, {"lr": [0.1]}, group="g")
    file = next((tmp_path / ".sweeps/claims").iterdir())
    member = SweepMember(run.sweep["id"], 0, "g", tmp_path, claim=str(file))
    with held(member) as claim:
        assert claim.is_taken and claim.run == run
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"status": "running", "pid": 2**22 + 1, "process": "x/1"}))
    with held(member) as claim:
        assert not claim.is_taken and claim.member.resume == str(run.log_dir) and claim.member.from_start
    with held(member.replaced(group="another")) as claim:
        assert not claim.is_taken and claim.member.resume is None
    run.log_dir.rename(tmp_path / "elsewhere")
    with held(member) as claim:
        assert not claim.is_taken and claim.member.resume is None


class Optimizer:
    """An object of which run.json has a text, the same one for all."""

    def __init__(self, lr):
        self.lr = lr


def test_settings_that_look_the_same_are_all_begun(tmp_path):
    """Of objects that are stored as a text, and of secrets, nobody can see later that they differ."""

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(optimizer):
        return optimizer.lr

    assert [run.result for run in _sweep(main, {"optimizer": [Optimizer(1), Optimizer(2)]})] == [1, 2]


def test_a_log_root_that_takes_no_claims_has_runs(tmp_path):
    """A claim is a help, and no condition."""

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(lr):
        return lr

    (tmp_path / ".sweeps").write_text("in the way")
    assert [run.status for run in _sweep(main, {"lr": [0.1, 0.2]})] == ["finished", "finished"]


@pytest.mark.parametrize("other", [{"lr": 0.2}, {"lr": 0.1, "seed": 0}, {"lr": "0.1"}])
def test_other_settings_have_other_claims(other, tmp_path):
    """And so have those of another group; a secret makes no difference, and is in no name."""
    file = claim_of(tmp_path, ("t", "main", "g"), {"lr": 0.1})
    assert file != claim_of(tmp_path, ("t", "main", "g"), other)
    assert file != claim_of(tmp_path, ("t", "main", "h"), {"lr": 0.1})
    assert file == claim_of(tmp_path, ("t", "main", "g"), {"lr": 0.1, "api_key": "hf_1234"})
