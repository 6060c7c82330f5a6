"""The tree of forks that ``rla show`` prints."""

from __future__ import annotations

import json
import re

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


def _edit(run, **changes):
    path = run.log_dir / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _lines(out, head, count):
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(head))
    return [re.sub(r"\s{2,}", "|", line.strip()) for line in lines[at + 1 : at + 1 + count]]


def test_forks_are_a_tree(command, tmp_path):
    """One way to the run, all ways from it; each line has what is different in the run."""
    root, runs = tmp_path / "root", []

    def fork(of, step, **hyper_parameters):
        run = rla.start("t", log_root=root, writers=["csv"], backup="none", hyper_parameters=hyper_parameters)
        run.finish()
        runs.append(run)
        if of is not None:
            _edit(run, forked_from={"run": of.name, "id": ids()[of.name], "step": step, "file": "f"})
        return run

    def ids():
        return {run.name: run.id for run in rla.runs(root)}

    first = fork(None, None, lr=0.1, seed=1)
    second = fork(first, 20, lr=0.2, seed=1)
    fork(first, 20, lr=0.3, seed=1)
    third = fork(second, 40, lr=0.2, seed=2)
    fork(second, 50, lr=0.2, seed=1)
    a, b, c, d, e = (ids()[run.name] for run in runs)
    assert _lines(command("show", a, "--log-root", root).out, "forks", 5) == [
        f"{a}|finished|t|<- this run",
        f"├─ {b}|finished|from step 20|lr=0.2",
        f"│|├─ {d}|finished|from step 40|seed=2",
        f"│|└─ {e}|finished|from step 50",
        f"└─ {c}|finished|from step 20|lr=0.3",
    ]
    out = command("show", d, "--log-root", root).out
    assert _lines(out, "forks", 3) == [
        f"{a}|finished|t",
        f"└─ {b}|finished|from step 20|lr=0.2",
        f"└─ {d}|finished|from step 40|seed=2|<- this run",
    ]
    assert f"forked from  {b} at step 40\n" in out
    facts = json.loads(command("show", b, "--json", "--log-root", root).out)
    assert facts["ancestors"] == [{"id": a, "name": first.name, "forked_at": 20}]
    assert [(each["id"], each["step"], each["status"], each["forks"]) for each in facts["forks"]] == [
        (d, 40, "finished", []),
        (e, 50, "finished", []),
    ]
    assert facts["forks"][0]["name"] == third.name


def test_a_source_that_is_not_here_is_named(command, tmp_path):
    """By its id and its name."""
    run = rla.start("t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    run.finish()
    _edit(run, forked_from={"run": "t/2026/01/31/12-00-00-000000_1_", "id": "abcdefgh", "step": 7, "file": "f"})
    lines = _lines(command("show", "--log-root", tmp_path / "root").out, "forks", 2)
    assert lines[0] == "abcdefgh|t/2026/01/31/12-00-00-000000_1_|not in this log root"
    assert lines[1].startswith("└─ ") and lines[1].endswith("from step 7|t|<- this run")
