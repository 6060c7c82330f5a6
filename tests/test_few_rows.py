"""How far a run has come: its rows and its greatest time step."""

from __future__ import annotations

import math

import pytest

import rla_hooks as rla
from rla_hooks.query.few_rows import greatest_step, rows_of

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    ("writers", "steps", "rows", "greatest"),
    [(["csv"], (0, 900, 7), 3, 900), (["csv"], (), 0, -math.inf), (["tensorboard"], (5, 6), 2, math.inf)],
)
def test_the_greatest_step_need_not_be_the_last(tmp_path, writers, steps, rows, greatest):
    """A run that has gone back to step 7 is no short one; and of one that has event files only, nobody knows."""
    with rla.run(task="t", log_root=tmp_path, writers=writers, backup="none"):
        for step in steps:
            rla.log({"loss": 0.5}, step=step)
    (run,) = rla.runs(tmp_path)
    assert (rows_of(run), greatest_step(run)) == (rows, greatest)


@pytest.mark.parametrize(
    ("content", "greatest"),
    [
        (None, -math.inf),
        ("", -math.inf),
        ("loss\n1\n", math.inf),
        ("time-step\nnan\n3\n\n", 3),
        ("time-step\nx\n", math.inf),
    ],
)
def test_steps_that_are_missing_in_the_file(tmp_path, content, greatest):
    """A file without rows has come nowhere; rows of which nobody knows the step may be many."""
    folder = tmp_path / "log" / "t" / "2022" / "03" / "01" / "21-13-03-230208 10.0.0.7 &lr=0.1"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "progress.csv").write_text(content)
    (run,) = rla.runs(tmp_path)
    assert greatest_step(run) == greatest
