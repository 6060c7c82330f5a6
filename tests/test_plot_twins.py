"""Runs that are no seeds of their own are named: those of the same seed, and forks beside what they come from."""

from __future__ import annotations

import json

import pytest

import rla_hooks as rla
from rla_hooks.errors import RLAWarning


@pytest.fixture
def make_fork(make_run):
    """Makes a run that run.json says was forked from another one, and returns its id."""

    def make(of, **params):
        made = make_run(1.0, 2.0, **params)
        if of is not None:
            (run,) = rla.runs(where=f"id == '{made}'")
            (source,) = rla.runs(where=f"id == '{of}'")
            path = run.log_dir / "run.json"
            noted = {"run": source.name, "id": of, "step": 0, "file": "checkpoint-0.pkl"}
            path.write_text(json.dumps(json.loads(path.read_text()) | {"forked_from": noted}))
        return made

    return make


@pytest.mark.parametrize("draw", ["plot_curves", "plot_bars", "plot_sample_efficiency", "score_table"])
def test_runs_of_the_same_seed_are_named(make_run, draw):
    """A run that was started again makes six seeds of five: a band too narrow."""
    make_run(1.0, 2.0, algo="a", seed=0)
    make_run(1.0, 3.0, algo="a", seed=1)
    again = make_run(1.0, 3.0, algo="a", seed=1)
    with pytest.warns(RLAWarning, match=rf"1 run \({again}\) has the parameters of another one, its seed too"):
        drawn = getattr(rla, draw)("t", "return", by="algo")
    texts = [text.get_text() for text in drawn.figure.texts] if draw != "score_table" else drawn.notes
    assert "1 run with the seed of another one" in " ".join(texts).replace("\n", " ")


def test_runs_without_a_seed_are_no_twins(make_run):
    """Nobody knows whether they are seeds."""
    for _ in range(2):
        make_run(1.0, 2.0, algo="a")
    assert rla.plot_curves("t", "return", by="algo").data["n"].tolist() == [2, 2]


@pytest.mark.parametrize("draw", ["plot_curves", "plot_bars", "plot_sample_efficiency", "score_table"])
def test_a_fork_beside_its_run_is_no_second_seed(make_fork, draw):
    """Its first rows are those of the run: the warning names both, and the figure says how many there are."""
    first = make_fork(None, lr=0.1, seed=0)
    make_fork(None, lr=0.1, seed=1)
    child = make_fork(first, lr=0.2, seed=0)
    make_fork(child, lr=0.3, seed=0)
    with pytest.warns(RLAWarning) as given:
        drawn = getattr(rla, draw)("t", "return", by=[])
    (text,) = [text for each in given if "fork" in (text := str(each.message))]
    assert "2 forks have the rows of another run" in text and f"({child} of {first}, " in text
    texts = [text.get_text() for text in drawn.figure.texts] if draw != "score_table" else drawn.notes
    assert "2 forks of runs of the same group" in " ".join(texts).replace("\n", " ")


def test_forks_of_one_run_share_its_rows(make_fork):
    """Also where that run, or one between, is not drawn; beside runs of other curves a fork is a seed as any other."""
    first = make_fork(None, lr=0.1, seed=0)
    one, middle = make_fork(first, lr=0.2, seed=0), make_fork(first, lr=0.3, seed=0)
    last = make_fork(middle, lr=0.2, seed=0)
    with pytest.warns(RLAWarning, match=rf"1 fork has .* counts as a seed beside it \({last} and {one} of {first}\)"):
        rla.plot_bars(rla.runs(where="lr == 0.2"), "return")
    drawn = rla.plot_curves(rla.runs(where=f"id in ['{first}', '{last}']"), "return", by="lr")
    assert "fork" not in " ".join(text.get_text() for text in drawn.figure.texts)
