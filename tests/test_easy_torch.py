"""RLA's helpers for torch, which need none of it for plain data."""

from __future__ import annotations

import pytest

import rla_hooks as rla
from rla_hooks.easy_torch.save_tools import load_checkpoint, save_model_dict
from rla_hooks.errors import RunError

pytestmark = pytest.mark.usefixtures("quiet")


def test_a_dict_is_saved_and_loaded(tmp_path):
    """As a checkpoint of the run: it is listed, and another Tester of that run finds it."""
    with pytest.raises(RunError, match="outside a run"):
        save_model_dict({"epoch": 0})
    tester = rla.Tester()
    tester.configure("t", log_root=tmp_path, writers=["csv"], backup="none")
    tester.log_files_gen()
    for step in (3, 7):
        tester.time_step_holder.set_time(step)
        path = save_model_dict({"epoch": step, "weights": [0.5, step]})
    tester.finish()
    (run,) = rla.runs(tmp_path)
    assert [each.step for each in run.checkpoints()][-1] == 7 and run.checkpoints()[-1].path == path
    assert load_checkpoint(rla.Tester.load(run.paths.archive_dir)) == {"epoch": 7, "weights": [0.5, 7]}
