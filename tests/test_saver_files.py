"""Files of TensorFlow 1's Saver, as RLA wrote them, are restored into a session: all that fits, or nothing."""

from __future__ import annotations

import os

import pytest

from rla_hooks.checkpoints import old_files
from rla_hooks.errors import CheckpointError


@pytest.fixture(scope="module")
def v1():
    """TensorFlow 1's API, or a skip."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow")
    import tensorflow as tf

    return tf.compat.v1


@pytest.fixture
def session(v1):
    with v1.Graph().as_default(), v1.Session() as session:
        yield session


def _variables(v1, **shapes):
    return {name: v1.get_variable(name.replace("_", "/"), shape) for name, shape in shapes.items()}


@pytest.fixture
def saved(v1, tmp_path):
    """A checkpoint of step 80, as a program of RLA has saved it; returns its folder and the values."""
    folder = tmp_path / "a [b]"
    folder.mkdir()
    with v1.Graph().as_default(), v1.Session() as session:
        variables = _variables(v1, policy_w=(3, 2), policy_b=(2,), value_w=(3,))
        session.run(v1.global_variables_initializer())
        v1.train.Saver(save_relative_paths=True).save(session, str(folder / "checkpoint"), global_step=80)
        return folder, session.run(variables)


def test_variables_come_back_into_the_session(v1, session, saved):
    """Bit-equal, and returned as arrays by their names, too."""
    folder, values = saved
    variables = _variables(v1, policy_w=(3, 2), policy_b=(2,), value_w=(3,))
    step, content = old_files.load(folder)
    assert step == 80 and sorted(content["session"]) == ["policy/b", "policy/w", "value/w"]
    found = session.run(variables)
    assert all((found[name] == values[name]).all() for name in values)


def test_the_prefix_is_a_regular_expression(v1, session, saved):
    """What it does not select stays as it is, and need not be in the file."""
    folder, values = saved
    variables = _variables(v1, policy_w=(3, 2), value_w=(3,), other=(5,))
    session.run(v1.global_variables_initializer())
    before = session.run(variables)
    old_files.load(folder, 80, var_prefix="policy|no")
    after = session.run(variables)
    assert (after["policy_w"] == values["policy_w"]).all()
    assert (after["value_w"] == before["value_w"]).all() and (after["other"] == before["other"]).all()


def test_nothing_changes_where_a_variable_does_not_fit(v1, session, saved):
    """Another shape, a variable that is not in the file, a prefix that selects none."""
    folder, _ = saved
    variables = _variables(v1, policy_w=(3, 2), value_w=(4,), new=(1,))
    session.run(v1.global_variables_initializer())
    before = session.run(variables)
    with pytest.raises(CheckpointError, match=r"value/w has shape \(4,\) and in the file \(3,\); new is not in"):
        old_files.load(folder)
    with pytest.raises(CheckpointError, match="no variable of the session begins with 'critic'"):
        old_files.load(folder, var_prefix="critic")
    after = session.run(variables)
    assert all((after[name] == before[name]).all() for name in before)


def test_a_program_without_a_session_gets_the_arrays(v1, saved):
    """It may put them where it wants; a damaged file says so."""
    folder, values = saved
    _, content = old_files.load(folder)
    assert (content["session"]["policy/b"] == values["policy_b"]).all()
    data = next(folder.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:10])
    with pytest.raises(CheckpointError, match="cannot be read by tensorflow"):
        old_files.load(folder)


def test_a_graph_needs_a_session(v1, saved):
    """In graph mode there is nowhere to put them else."""
    with v1.Graph().as_default(), pytest.raises(CheckpointError, match="there is no default session"):
        old_files.load(saved[0])
