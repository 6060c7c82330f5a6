"""Runs that differ only in their seeds are one group, and the legend says what each group is."""

from __future__ import annotations

import math

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError
from rla_hooks.plot.groups import chosen_runs, grouped, label_of, names_of


@pytest.fixture
def make(tmp_path, quiet):
    """Makes runs with these parameters, and returns all."""

    def make_runs(*parameters, task="t"):
        for each in parameters:
            with rla.run(task=task, log_root=tmp_path, writers=["csv"], backup="none", **each):
                rla.log({"loss": 1.0}, step=0)
        return rla.runs(tmp_path)

    return make_runs


def test_long_floats_are_short_in_labels_and_tables_where_they_stay_apart(make):
    """0.1 + 0.2 and what float32 makes of 0.1; the numbers themselves stay exact."""
    rates = 0.1 + 0.2, 0.10000000149011612, 12345678.0, math.nan, 1e-05, "auto"
    runs = make(*({"lr": rate} for rate in rates))
    found = grouped(runs, "lr")
    labels = ["lr=1e-05", "lr=0.1", "lr=0.3", "lr=12345678.0", "lr=nan", "auto"]
    assert [group.label for group in found] == labels and found[2].values == (0.1 + 0.2,)
    table = rla.score_table(runs, "loss", by="lr")
    assert [line.split("|")[1].strip() for line in table.markdown(notes=False).splitlines()[2:]] == [
        label.removeprefix("lr=") for label in labels
    ]
    runs = make({"lr": 0.3})
    assert [group.label for group in grouped(runs, "lr")][2:4] == ["lr=0.3", "lr=0.30000000000000004"]


def test_what_differs_but_for_seeds_tells_groups_apart(make):
    """Whatever the parameter of the seed is called; values are in their own order, none is the last."""
    runs = make(
        *({"lr": lr, "seed": seed, "env.random_seed": 1 - seed, "width": 64} for seed in (0, 1) for lr in (1, 0.5))
    )
    runs = make({"lr": None, "seed": 7, "width": 64})
    found = grouped(runs, None)
    assert [(group.label, group.values) for group in found] == [
        ("lr=0.5", (0.5,)),
        ("lr=1", (1,)),
        ("lr=none", (None,)),
    ]
    assert [[run.hparams["seed"] for run in group.runs] for group in found] == [[0, 1], [0, 1], [7]]
    assert names_of(runs, None) == ["lr"] and names_of(runs, ["lr", "lr"]) == ["lr"]
    assert names_of(runs, None, without=["lr"]) == []


def test_equal_values_are_one_group(make):
    """1 is 1.0 and no true; lists are compared by their content; nothing to tell apart is one group."""
    runs = make({"a": 1, "net": [64, 64]}, {"a": 1.0, "net": [64, 64]}, {"a": True, "net": [64]})
    assert [len(group.runs) for group in grouped(runs, ["a", "net"])] == [2, 1]
    assert [group.label for group in grouped(runs, ["a", "net"])] == ["a=1, net=[64, 64]", "a=true, net=[64]"]
    assert [(group.label, group.values, len(group.runs)) for group in grouped(runs, [])] == [("", (), 3)]


def test_built_in_names_tell_apart_too(make):
    """As in tables and filters: the task, the host, and hparams.task where a parameter has the name."""
    make({"task_id": 1}, task="a")
    runs = make({"task_id": 2}, task="b")
    assert [group.label for group in grouped(runs, "task")] == ["a", "b"]
    assert [group.label for group in grouped(runs, ["hparams.task_id"])] == ["hparams.task_id=1", "hparams.task_id=2"]


def test_labels_of_odd_values():
    """A text that looks like a number or a list has quotes; what controls a terminal is escaped, long ones are cut."""
    assert label_of(["a", "b", "c", "d"], ["x", "1e-3", "none", "x, y"]) == "x, b='1e-3', c='none', d='x, y'"
    assert label_of(["a"], ["\x1b[31m"]) == r"\x1b[31m" and label_of(["$lr$"], [0.1]) == "$lr$=0.1"
    assert label_of(["a"], ["x" * 1000]).startswith("x" * 60 + "…") and label_of(["b", "c"], [True, {"d": 1}]) == (
        'b=true, c={"d": 1}'
    )


def test_labels_that_are_cut_stay_distinct(make):
    """Two long values that begin alike are numbered."""
    runs = make({"path": "x" * 100 + "a"}, {"path": "x" * 100 + "b"})
    one, other = (group.label for group in grouped(runs, "path"))
    assert other == one + " (2)"


def test_the_legend_is_a_mapping_or_a_function(make):
    """Keys are labels, values, or tuples of several values; what it does not name keeps its label."""
    runs = make(*({"algo": algo, "lr": lr} for algo in ("ppo", "sac") for lr in (0.1, 0.2)))
    assert [each.label for each in grouped(runs, "algo", {"ppo": "PPO"})] == ["PPO", "sac"]
    assert [each.label for each in grouped(runs, "lr", {0.1: "low", "lr=0.2": "high"})] == ["low", "high"]
    labels = [each.label for each in grouped(runs, ["algo", "lr"], {("ppo", 0.1): "A"})]
    assert labels == ["A", "ppo, lr=0.2", "sac, lr=0.1", "sac, lr=0.2"]
    labels = [each.label for each in grouped(runs, ["algo", "lr"], lambda v: f"{v['algo'].upper()} {v['lr']}")]
    assert labels == ["PPO 0.1", "PPO 0.2", "SAC 0.1", "SAC 0.2"]


@pytest.mark.parametrize(
    ("by", "legend", "message"),
    [
        ("algoo", None, r"no run has the parameter 'algoo'\. Known: algo, lr\. Did you mean 'algo'\?"),
        ("loss", None, "It is a metric: give it as metrics="),
        (["a", "b"], None, "2 mistakes"),
        (5, None, r"by is 5\. Allowed"),
        ("algo", {"PPO": "x"}, r"none of its keys is a curve\. Known: ppo, sac\. Did you mean 'ppo'"),
        ("algo", lambda values: "x", "gives 'x' to several curves"),
        ("algo", ["x"], r"legend is \['x'\]\. Allowed: a mapping"),
    ],
)
def test_mistakes(make, by, legend, message):
    """Each says what is known or allowed."""
    runs = make(*({"algo": algo, "lr": 0.1} for algo in ("ppo", "sac")))
    with pytest.raises(ConfigError, match=message):
        grouped(runs, by, legend)


def test_what_may_be_given_as_runs(make, tmp_path, monkeypatch):
    """Runs, a list, one run, or a task's name; their query says how they were chosen."""
    runs = make({"a": 1}, {"a": 2})
    assert chosen_runs(runs, "plot") is runs and chosen_runs([*runs], "plot") == runs
    assert chosen_runs(runs[0], "plot") == [runs[0]]
    query = chosen_runs([*runs], "plot").query
    assert query == f"""rla.runs({str(tmp_path)!r}, where="id in ['{runs[0].id}', '{runs[1].id}']")"""
    assert eval(query) == runs
    monkeypatch.setenv("RLA_CONFIG", str(tmp_path / "rla_config.yaml"))
    (tmp_path / "rla_config.yaml").write_text(f"LOG_ROOT: {tmp_path}\n")
    assert chosen_runs("t", "plot") == runs
    for wrong in (None, 5, ["latest"], {}):
        with pytest.raises(ConfigError, match=r"^plot: runs is .* Allowed: what rla.runs"):
            chosen_runs(wrong, "plot")
    with pytest.raises(
        ConfigError, match=r"^plot: there are no runs \(rla.runs\(task='t'\)\[2:\]\), so there is nothing"
    ):
        chosen_runs(rla.Runs(runs, "rla.runs(task='t')")[2:], "plot")
