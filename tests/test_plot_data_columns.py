"""The columns of the numbers behind figures: a parameter keeps its column, whatever it is called."""

from __future__ import annotations

import pytest

import rla_hooks as rla

pytest.importorskip("pandas")
pytest.importorskip("scipy")


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (rla.plot_curves, "y"),
        (rla.plot_bars, "score"),
        (rla.plot_profiles, "threshold"),
        (rla.plot_intervals, "statistic"),
        (rla.plot_sample_efficiency, "low"),
    ],
)
@pytest.mark.parametrize("is_n", [True, False])
def test_parameters_named_as_columns_of_a_figure(make_run, draw, name, is_n):
    """They stand as hparams.<name>: the groups could not be told apart in the numbers else."""
    name = "n" if is_n else name
    for value in (1, 2):
        for seed in range(2):
            make_run(1.0 + seed, 2.0, **{name: value, "seed": seed})
    data = draw("t", "return", by=[name]).data
    assert set(data[f"hparams.{name}"]) == {1, 2} and set(data[data[f"hparams.{name}"] == 1]["n"]) == {2}


def test_those_of_tasks_of_sweeps_and_of_images(make_run):
    """So too the name whose values are tasks, those of a map, and those of images."""
    for n in (1, 2):
        for score in ("p", "q"):
            make_run(1.0, 2.0, n=n, score=score)
    data = rla.plot_bars("t", "return", by="n", tasks="score", score="max").data
    assert data[["hparams.n", "hparams.score", "score"]].values.tolist() == [
        [1, "p", 2.0],
        [1, "q", 2.0],
        [2, "p", 2.0],
        [2, "q", 2.0],
    ]
    data = rla.plot_sweep("t", "return", by=["n", "score"]).data
    assert data[["hparams.n", "hparams.score", "score", "n"]].values.tolist() == [
        [1, "p", 2.0, 1],
        [2, "p", 2.0, 1],
        [1, "q", 2.0, 1],
        [2, "q", 2.0, 1],
    ]
    with rla.run(task="images", writers=["csv"], backup="none", width=64):
        rla.save_figure("frame", [[0, 127], [255, 0]])
    data = rla.plot_images("images", "frame", by="width").data
    assert data[["hparams.width", "width"]].values.tolist() == [[64, 2]]
