"""Where runs come from, and which were forked from them, as run.json says."""

from __future__ import annotations

import json
import shutil

import pytest

import rla_hooks as rla
from rla_hooks.query.family import family_of

pytestmark = pytest.mark.usefixtures("quiet")


def _edit(run, **changes):
    path = run.log_dir / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def forked(tmp_path):
    """A function that makes a run, noted as forked from another one."""

    def make(of=None, step=10, log_root=tmp_path / "root", **hyper_parameters):
        run = rla.start("t", log_root=log_root, writers=["csv"], backup="none", hyper_parameters=hyper_parameters)
        run.finish()
        if of is not None:
            _edit(run, forked_from={"run": of.name, "id": of.id, "step": step, "file": f"checkpoint-{step}.pkl"})
        return next(each for each in rla.runs(log_root) if each.name == run.name)

    return make


def _tree(forks):
    return [(fork.run.id, fork.step, _tree(fork.forks)) for fork in forks]


def test_forks_of_forks(forked):
    """Each run finds the way to the first one, and all that come from it in turn."""
    first = forked()
    second, other = forked(first, 20), forked(first, 30)
    third = forked(second, 40)
    family = family_of(first)
    assert family.ancestors == []
    assert _tree(family.forks) == [(second.id, 20, [(third.id, 40, [])]), (other.id, 30, [])]
    chain = [(each.id, each.name, each.step, each.run) for each in family_of(third).ancestors]
    assert chain == [(first.id, first.name, 20, first), (second.id, second.name, 40, second)]
    assert family_of(third).forks == []
    assert third.forked_from == {"run": second.name, "id": second.id, "step": 40, "file": "checkpoint-40.pkl"}
    assert first.forked_from is None and first.restarts == []


def test_a_source_that_was_deleted_moved_or_is_elsewhere(forked, tmp_path):
    """What the fork knows of it is told; one that was renamed is found by its id."""
    first = forked(log_root=tmp_path / "elsewhere")
    second = forked(first)
    third = forked(second)
    assert [(each.id, each.run) for each in family_of(second).ancestors] == [(first.id, None)]
    second.log_dir.rename(second.log_dir.parent / "best")
    family = family_of(third)
    assert [each.run and each.run.log_dir.name for each in family.ancestors] == [None, "best"]
    shutil.rmtree(second.log_dir.parent / "best")
    assert [(each.id, each.run) for each in family_of(third).ancestors] == [(second.id, None)]


def test_an_untruthful_run_json_ends_nothing(forked):
    """Circles, other types and names that lead elsewhere: readers stop, and do not follow."""
    first = forked()
    second = forked(first)
    _edit(first, forked_from={"run": "../../etc", "id": second.id, "step": "x", "file": 3})
    family = family_of(rla.runs(first.paths.log_root)[0])
    assert [each.id for each in family.ancestors] == [second.id] and _tree(family.forks) == [(second.id, 10, [])]
    for wrong in (3, "x", [], {"run": first.name}, {"id": 3}):
        _edit(second, forked_from=wrong, restarts=wrong)
        again = rla.runs(first.paths.log_root)[-1]
        assert again.forked_from is None and again.restarts == [] and family_of(again).ancestors == []


def test_very_many_forks_are_bounded(forked):
    """The nearest ones are listed."""
    first = forked()
    forks = [forked(first) for _ in range(3)]
    forked(forks[0])
    assert _tree(family_of(first, most=3).forks) == [(each.id, 10, []) for each in forks]


def test_filters_know_both(forked):
    """By the id that a run was forked from, and by how often it was resumed."""
    first = forked()
    second = forked(first)
    _edit(second, restarts=[{"status": "killed"}, {"status": "preempted"}])
    root = first.paths.log_root
    for where, found in {
        f"forked_from == '{first.id}'": [second],
        "forked_from == none": [first],
        "restarts > 1": [second],
        "restarts == 0": [first],
    }.items():
        for _ in range(2):  # from the files, and from the index
            assert [run.id for run in rla.runs(root, where=where)] == [run.id for run in found], where
