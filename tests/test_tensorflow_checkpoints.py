"""Checkpoints of TensorFlow in every style, and of Keras on it: bit-equal, whole or not at all."""

from __future__ import annotations

import errno
import operator
import os
import re
import textwrap
import threading

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.checkpoints import Saver
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning
from rla_hooks.tester import Tester


@pytest.fixture(scope="module")
def tf():
    """The real TensorFlow, or a skip."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return pytest.importorskip("tensorflow")


@pytest.fixture
def saver(tmp_path):
    return Saver(tmp_path / "checkpoints")


def _policy(tf, seed, size=3):
    module = tf.Module()
    module.body = tf.Module()
    module.body.w = tf.Variable(tf.random.stateless_normal([size, 2], [seed, 0]))
    module.b = tf.Variable(tf.zeros([2], tf.bfloat16))
    return module


def _v1(tf):
    """A graph with a variable for the policy and one beside it, trained by momentum: (graph, step, loss)."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        with v1.variable_scope("policy"):
            weight = v1.get_variable("weight", [2], initializer=v1.constant_initializer([1.0, -2.0]))
        other = v1.get_variable("other", [], initializer=v1.constant_initializer(5.0))
        loss = tf.reduce_sum((weight - 3.0) ** 2) + other**2
        step = v1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
        v1.global_variables_initializer()
    return graph, step, loss


# --- eager ------------------------------------------------------------------------------------------------------------


def test_objects_of_tensorflow_come_back_bit_equal(tf, saver):
    """Modules, variables and tf.train.Checkpoint, nested and beside plain data; TensorFlow reads the files itself."""
    policy, count = _policy(tf, 1), tf.Variable(7, dtype=tf.int64)
    tracked = tf.train.Checkpoint(inner=tf.Variable([np.nan, np.inf, -0.0]))
    models = {"agent": {"policy": policy, "parts": [count, tracked]}, "note": {"a": (1, "x")}}
    path = saver.save(models, step=5)
    assert (path.name, path.is_dir()) == ("checkpoint-5.tf", True)
    names = [name for name, _ in tf.train.list_variables(str(path / "objects"))]
    assert "agent/policy/body/w/.ATTRIBUTES/VARIABLE_VALUE" in names

    fresh = {"agent": {"policy": _policy(tf, 2), "parts": [tf.Variable(0, dtype=tf.int64), None]}}
    fresh["agent"]["parts"][1] = tf.train.Checkpoint(inner=tf.Variable([0.0, 0.0, 0.0]))
    step, content = saver.load(into=fresh)
    assert (step, content["note"]) == (5, {"a": (1, "x")})
    assert fresh["agent"]["policy"].body.w.numpy().tobytes() == policy.body.w.numpy().tobytes()
    assert int(fresh["agent"]["parts"][0]) == 7
    assert fresh["agent"]["parts"][1].inner.numpy().tobytes() == tracked.inner.numpy().tobytes()


def test_what_does_not_fit_changes_nothing(tf, saver):
    """The error names each variable that differs; also of an object that has no variables yet."""
    saver.save({"policy": _policy(tf, 1), "count": tf.Variable(1)}, step=1)
    policy, count = _policy(tf, 2, size=4), tf.Variable(0)
    before = policy.body.w.numpy()
    with pytest.raises(CheckpointError, match=r"policy\.body/w' has shape \(4, 2\) and in the file \(3, 2\)"):
        saver.load(into={"policy": policy, "count": count})
    assert np.array_equal(policy.body.w, before) and int(count) == 0
    with pytest.raises(CheckpointError, match=r"'policy\.b' is only in the file"):
        saver.load(into={"policy": tf.Module()})


def test_var_prefix_selects(tf, tmp_path):
    """Only variables whose path begins so are saved and restored; one that selects nothing says so."""
    saver = Saver(tmp_path, var_prefix="policy/body")
    saver.save({"policy": _policy(tf, 1)}, step=1)
    fresh = _policy(tf, 2)
    fresh.b.assign([1, 1])
    saver.load(into={"policy": fresh})
    assert np.array_equal(fresh.body.w, _policy(tf, 1).body.w) and fresh.b.numpy().tolist() == [1, 1]
    with pytest.raises(CheckpointError, match="var_prefix 'nothing' selects none of policy"):
        Saver(tmp_path, 1, var_prefix="nothing").save({"policy": _policy(tf, 1), "epoch": 2}, step=2)
    assert saver.steps() == [1]


def test_a_full_disk_leaves_no_half_folder(tf, small_disk):
    """TensorFlow's words for it become an OSError; the former checkpoint is whole."""
    saver = Saver(small_disk / "checkpoints", max_to_keep=1)
    saver.save({"v": tf.Variable(np.zeros(1000))}, step=1)
    with pytest.raises(OSError):
        saver.save({"v": tf.Variable(np.random.default_rng(0).random(1 << 18))}, step=2)
    assert sorted(path.name for path in saver.folder.iterdir()) == ["checkpoint-1.tf", "manifest.json"]
    assert saver.load()[0] == 1


def test_a_full_disk_under_a_session(tf, small_disk, session):
    """The error is one line, though TensorFlow's has the traces of its operations."""
    large = tf.compat.v1.get_variable("large", initializer=np.random.default_rng(0).random(1 << 18))
    session.run(large.initializer)
    saver = Saver(small_disk / "checkpoints")
    with pytest.raises(OSError) as caught:
        saver.save(None, step=2)
    assert (caught.value.errno, caught.value.strerror) == (errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename.endswith("checkpoint-2.tf") and not saver.steps()


def test_a_damaged_file_is_noticed(tf, saver):
    """One changed byte in TensorFlow's data is found before anything is read."""
    path = saver.save({"v": tf.Variable(np.arange(100.0))}, step=1)
    data = next(path.glob("objects.data*"))
    content = bytearray(data.read_bytes())
    content[40] ^= 1
    data.write_bytes(content)
    with pytest.raises(CheckpointError, match="has changed since it was written"):
        saver.load()


def _changed_list(tf):
    module = tf.Module()
    module.layers = [tf.Variable(1.0)]
    module.layers[0] = tf.Variable(2.0)
    return module


def _number_as_key(tf):
    module = tf.Module()
    module.heads = {0: tf.Variable(1.0)}
    return module


def _broken(tf):
    class Broken(tf.__internal__.tracking.AutoTrackable):
        def _trackable_children(self, *args, **kwargs):
            raise RuntimeError("no children today")

    return Broken()


@pytest.mark.parametrize(
    "make, said",
    [(_changed_list, "list element was replaced"), (_number_as_key, "non-string key"), (_broken, "no children today")],
)
def test_an_object_that_tensorflow_cannot_look_into(tf, saver, make, said):
    """It is left out, and the others are saved; alone it is an error, as it is on loading."""
    with pytest.warns(RLAWarning, match=rf"bad.*{said}"):
        saver.save({"bad": make(tf), "good": tf.Variable(1.0)}, step=1)
    assert list(saver.load()[1]) == ["good"]
    with pytest.raises(CheckpointError, match=rf"nothing could be saved: bad.*{said}"):
        saver.save({"bad": make(tf)}, step=2)
    saver.save({"bad": tf.Module(), "good": tf.Variable(1.0)}, step=3)
    with pytest.raises(CheckpointError, match=rf"checkpoint-3.tf does not fit.*bad.*{said}"):
        saver.load(into={"bad": make(tf)})


def test_a_state_that_is_no_variable_is_told(tf, saver):
    """Tables, iterators, the state of Python objects: where they are; the variables beside them are saved."""

    class Count(tf.train.experimental.PythonState):
        def serialize(self):
            return "5"

        def deserialize(self, text):
            pass

    module = tf.Module()
    module.w = tf.Variable(1.0)
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    module.iterator = iter(tf.data.Dataset.range(3))
    with pytest.warns(RLAWarning) as caught:
        saver.save({"m": module, "c": tf.train.Checkpoint(count=Count(), v=tf.Variable(1.0))}, step=1)
    for place in (r"m\['table'\]", r"m\['iterator'\]", r"c\['count'\]"):
        assert re.search(rf"{place}: the state of a <class '.*'> cannot be stored", str(caught[0].message))
    assert list(saver.load()[1]["m"]) == ["w"] and list(saver.load()[1]["c"]) == ["v"]
    with pytest.raises(CheckpointError, match="nothing could be saved: m: the state of a"):
        saver.save({"m": module.table}, step=2)


def test_two_variables_of_one_name(tf, saver):
    """One of them would be lost: the object is left out, and told."""
    module = tf.Module()
    module.parts = {"a/b": tf.Variable(1.0), "a": {"b": tf.Variable(2.0)}}
    with pytest.raises(CheckpointError, match="nothing could be saved: m: 'parts/a/b' is the name of two variables"):
        saver.save({"m": module}, step=1)


def test_each_object_is_walked_once(tf, saver):
    """An agent may be large: its parts are asked what they are made of once in a save, and once in a restore."""
    asked = []

    class Part(tf.Module):
        def _trackable_children(self, *args, **kwargs):
            asked.append(self)
            return super()._trackable_children(*args, **kwargs)

    def make(value):
        agent = Part()
        agent.actor, agent.critic = Part(), Part()
        agent.actor.w, agent.critic.w = tf.Variable(value), tf.Variable(value)
        return agent

    first, second = make(1.0), make(2.0)
    saver.save({"agent": first}, step=1)
    assert sorted(map(id, asked)) == sorted(map(id, (first, first.actor, first.critic)))
    asked.clear()
    saver.load(into={"agent": second})
    assert sorted(map(id, asked)) == sorted(map(id, (second, second.actor, second.critic)))
    assert float(second.critic.w) == 1.0


@pytest.mark.parametrize("counted", [0, 1])
def test_the_counter_of_a_checkpoint_may_be_missing(tf, saver, tmp_path, counted):
    """tf.train.Checkpoint makes it at its own first save; it does not matter which side had one."""
    pair = [tf.train.Checkpoint(v=tf.Variable(float(i))) for i in range(2)]
    pair[counted].save(tmp_path / "own")
    saver.save({"c": pair[0]}, step=1)
    saver.load(into={"c": pair[1]})
    assert float(pair[1].v) == 0.0 and (counted == 0 or int(pair[1].save_counter) == 1)


@pytest.mark.parametrize("keys", [["module", "model"], ["model"]])
def test_eager_objects_where_a_graph_is_the_default(tf, keras_model, saver, keys):
    """A module, and a compiled Keras model alone and beside it, are saved and restored all the same."""
    models = {"module": _policy(tf, 1), "model": keras_model()}
    fresh = {"module": _policy(tf, 2), "model": keras_model()}
    _train(models["model"], 1)
    with tf.Graph().as_default(), tf.compat.v1.Session():
        saver.save({key: models[key] for key in keys}, step=1)
        saver.load(into={key: fresh[key] for key in keys})
    assert all(map(np.array_equal, _train(models["model"], 2), _train(fresh["model"], 2)))
    assert np.array_equal(fresh["module"].body.w, models["module"].body.w) == ("module" in keys)


@pytest.mark.parametrize("folder", ["a[1]b", "back\\slash"])
def test_a_folder_whose_name_looks_like_a_pattern(tf, tmp_path, session, folder):
    """TensorFlow takes what it shall read for one; the files are read all the same."""
    saver = Saver(tmp_path / folder)
    v = tf.Variable([1.0])
    session.run(v.initializer)
    saver.save({"session": session, "v": v}, step=1)
    assert saver.load(into={"session": session})[1]["v"].tolist() == [1.0]


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_a_step_may_be_a_variable(tf, saver, dtype):
    """That is what optimizer.iterations is, in Keras too; one of a float or of several numbers is none."""
    assert saver.save({"x": 1}, step=tf.Variable(3, dtype=dtype)).name == "checkpoint-3.pkl"
    keras = pytest.importorskip("keras")
    assert saver.save({"x": 1}, step=keras.optimizers.SGD().iterations).name == "checkpoint-0.pkl"
    for bad in (tf.Variable(3.0), tf.Variable(True), tf.Variable([1, 2])):
        with pytest.raises(ConfigError, match="step is"):
            saver.save({"x": 1}, step=bad)


# --- graphs and sessions ----------------------------------------------------------------------------------------------


def test_a_session_goes_on_as_if_never_interrupted(tf, saver):
    """Without objects the default session is saved, with the slots of its optimizer; restored, it trains on alike."""
    v1 = tf.compat.v1
    graph, step, loss = _v1(tf)
    with v1.Session(graph=graph).as_default() as session:
        with graph.as_default():
            session.run(v1.global_variables_initializer())
        graph.finalize()  # nothing may be added to it
        for _ in range(3):
            session.run(step)
        path = saver.save(None, step=3)
        expected = [session.run([step, loss])[1] for _ in range(3)]
    assert {name for name, _ in tf.train.list_variables(str(path / "variables"))} == {
        "policy/weight",
        "policy/weight/Momentum",
        "other",
        "other/Momentum",
    }
    with v1.Session(graph=graph).as_default() as session:
        saver.load()
        assert [session.run([step, loss])[1] for _ in range(3)] == expected


@pytest.mark.usefixtures("quiet")
def test_a_session_of_the_original_rla_is_restored_from_its_import(tf, tmp_path):
    """Its Saver wrote the files; rla import has put them where ours are, and noted no more than their names."""
    graph, step, _ = _v1(tf)
    leaf = "demo/2022/03/01/21-13-03-230208 10.0.0.7 &lr=0.1"
    for tree in ("log", "checkpoint"):
        (tmp_path / "old" / tree / leaf).mkdir(parents=True)
    (tmp_path / "old" / "log" / leaf / "log.txt").touch()
    with graph.as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(step)
        prefix = str(tmp_path / "old" / "checkpoint" / leaf / "checkpoint")
        tf.compat.v1.train.Saver().save(session, prefix, global_step=900)
        before = session.run(tf.compat.v1.global_variables())
        upkeep.import_runs(tmp_path / "old", log_root=tmp_path / "new")
        session.run(step)
        found, _ = rla.load_checkpoint(run=rla.runs(tmp_path / "new")[0])
        assert found == 900 and all(map(np.array_equal, session.run(tf.compat.v1.global_variables()), before))


@pytest.mark.parametrize("prefix", ["policy/", "pol(icy|ice)/.*"])
def test_var_prefix_selects_in_a_session(tf, tmp_path, prefix):
    """RLA's way to restore the policy alone; other variables stay as they are."""
    v1 = tf.compat.v1
    graph, step, _ = _v1(tf)
    saver = Saver(tmp_path, max_to_keep=1, var_prefix=prefix)
    with graph.as_default(), v1.Session().as_default() as session:
        session.run(v1.global_variables_initializer())
        saver.save(None, step=0)
        session.run(step)
        weight, other = v1.global_variables()[:2]
        before = session.run(other)
        assert session.run(weight).tolist() != [1.0, -2.0]
        saver.load()
        assert session.run(weight).tolist() == [1.0, -2.0]
        assert session.run(other) == before != 5.0


def test_var_prefix_needs_no_optimizer_in_a_session(tf, tmp_path):
    """As with tf.train.Saver, what only the file has is passed over; where that is all of it, it is told."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session().as_default() as session:
        weight = v1.get_variable("policy/weight", [2])
        step = v1.train.AdamOptimizer(0.1).minimize(v1.reduce_sum(weight))
        session.run(v1.global_variables_initializer())
        session.run(step)
        trained = session.run(weight).tolist()
        Saver(tmp_path).save(None, step=0)
    with tf.Graph().as_default(), v1.Session().as_default() as session:
        weight = v1.get_variable("policy/weight", [2])
        session.run(weight.initializer)
        with pytest.raises(CheckpointError, match="policy/weight/Adam' is only in the file"):
            Saver(tmp_path).load()
        Saver(tmp_path, var_prefix="policy").load()
        assert session.run(weight).tolist() == trained
    with tf.Graph().as_default(), v1.Session().as_default() as session:
        session.run(v1.get_variable("critic/weight", [2]).initializer)
        with pytest.raises(CheckpointError, match="policy/weight' is only in the file"):
            Saver(tmp_path, var_prefix="policy").load()


def test_a_session_of_another_graph(tf, saver):
    """Which variables differ is told, and nothing is changed."""
    v1 = tf.compat.v1
    graph, _, _ = _v1(tf)
    with graph.as_default(), v1.Session().as_default() as session:
        session.run(v1.global_variables_initializer())
        saver.save(None, step=0)
    with tf.Graph().as_default(), v1.Session().as_default() as session:
        weight = v1.get_variable("policy/weight", [3])
        session.run(weight.initializer)
        before = session.run(weight)
        with pytest.raises(CheckpointError, match=r"policy/weight' has shape \(3,\) and in the file \(2,\)"):
            saver.load()
        assert np.array_equal(session.run(weight), before)


@pytest.fixture
def session(tf):
    """An open default session with the variables of _v1."""
    graph, _, _ = _v1(tf)
    with graph.as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        yield session


def _other(session):
    """The variable beside the policy, whose first value is 5."""
    return session.graph.get_collection("variables")[1]


def test_a_session_that_cannot_be_read(tf, tmp_path, session):
    """It is an error that says why, and the former checkpoint stays."""
    saver = Saver(tmp_path, max_to_keep=1)
    saver.save(None, step=1)
    extra = tf.compat.v1.get_variable("extra", [2])
    with pytest.raises(CheckpointError, match=r"session: .*Run .*initializer\(\) first.*extra"):
        saver.save({"epoch": 3}, step=2)
    session.run(extra.initializer)
    session.close()
    with pytest.raises(CheckpointError, match=r"agent\['s'\]: the session is closed. Pass an open one"):
        saver.save({"agent": {"s": session}, "epoch": 3}, step=2)
    with pytest.raises(CheckpointError, match="There is nothing to save"):
        saver.save(None, step=2)
    module = tf.Module()
    module.w = extra
    message = r"module: its values are in a session\. Pass"
    with tf.Graph().as_default(), tf.compat.v1.Session(), pytest.raises(CheckpointError, match=message):
        saver.save({"module": module, "epoch": 3}, step=2)
    assert saver.steps() == [1]


def test_a_closed_session_that_is_the_default(tf, tmp_path):
    """Also where the program around it runs eagerly, nothing empty takes the place of the former checkpoint."""
    saver = Saver(tmp_path, max_to_keep=1)
    graph, _, _ = _v1(tf)
    with tf.compat.v1.Session(graph=graph).as_default() as session:
        with graph.as_default():
            session.run(tf.compat.v1.global_variables_initializer())
        saver.save(None, step=1)
        session.close()
        with pytest.raises(CheckpointError, match=r"There is nothing to save.* no open default session"):
            saver.save(None, step=2)
        with pytest.raises(CheckpointError, match=r"the session is closed\. Pass an open one\. Build"):
            saver.load()


def test_the_default_session_is_saved_beside_plain_data(tf, saver, session):
    """As RLA does, whatever the dict holds; DL_FRAMEWORK: torch passes over it."""
    assert saver.save({"epoch": 3}, step=1).name == "checkpoint-1.tf"
    session.run(_other(session).assign(1.0))
    assert saver.load()[1]["epoch"] == 3 and session.run(_other(session)) == 5.0
    assert Saver(saver.folder, framework="torch").save({"epoch": 3}, step=2).name == "checkpoint-2.pkl"


def test_no_default_session(tf, saver, session):
    """A program in graph mode is told what to do, where it saves without objects or with plain data, and on loading."""
    saver.save({"epoch": 3}, step=1)
    do = r"default session \(each thread has its own\)\. .*'session': session"
    results = []

    def elsewhere():
        with session.graph.as_default():
            for action in (lambda: saver.save(None, 2), saver.load, lambda: saver.load(into={"x": np.ones(1)})):
                try:
                    results.append(action())
                except CheckpointError as error:
                    results.append(str(error))
            with pytest.warns(RLAWarning, match=f"variables of TensorFlow's graph: there is no open {do}"):
                results.append(saver.save({"epoch": 4}, 3).name)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert re.search(f"There is nothing to save: no object was passed, and there is no open {do}", results[0])
    assert re.search(f"checkpoint-1.tf holds the variables of a session, and there is no {do}", results[1])
    assert "'x' is not in it" in results[2]
    assert results[3] == "checkpoint-3.pkl"


def test_an_eager_program_needs_no_session(tf, saver):
    """Without objects, its checkpoint is an empty one, also from a tf.function that is traced."""
    assert saver.save(None, step=1).name == "checkpoint-1.pkl"
    tf.function(lambda: saver.save({"x": 1}, step=2) and None, autograph=False)()
    assert saver.load() == (2, {"x": 1})


def test_a_closed_session_is_noticed_before_anything_changes(tf, saver, session):
    """Arrays beside it keep their values."""
    array = np.ones(2)
    saver.save({"session": session, "array": array}, step=1)
    array[:] = 5
    session.close()
    with pytest.raises(CheckpointError, match="session: the session is closed"):
        saver.load(into={"session": session, "array": array})
    assert array.tolist() == [5, 5]


def test_many_variables_are_restored_in_few_runs(tf, saver, monkeypatch):
    """One for all, and one more where two share their initial value: TensorFlow prepares each run anew."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        same = tf.constant([1.0, 2.0])
        variables = [v1.Variable(same, use_resource=False) for _ in range(2)]
        variables += [v1.get_variable(f"v{i}", [2], initializer=v1.random_normal_initializer()) for i in range(20)]
        variables.append(v1.Variable(variables[0].initialized_value(), use_resource=False))
        session.run(variables[0].initializer)
        session.run(v1.global_variables_initializer())
        session.run([variables[0].assign([3.0, 4.0]), variables[-1].assign([5.0, 6.0])])
        graph.finalize()
        saver.save(None, step=1)
        before = session.run(variables)
        session.run([variable.initializer for variable in variables])
        runs, run = [], session.run
        monkeypatch.setattr(session, "run", lambda fetches, *rest: runs.append(fetches) or run(fetches, *rest))
        saver.load()
        assert [len(fetches) for fetches in runs if fetches] == [22, 1]
        assert all(map(np.array_equal, run(variables), before))


@pytest.mark.parametrize("kind", ["MonitoredTrainingSession", "SingularMonitoredSession"])
def test_a_session_with_hooks(tf, saver, kind):
    """It is passed as it is, also when it should stop; a closed one is told."""
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        step = v1.train.get_or_create_global_step()
        more = v1.assign_add(step, 1)
        with getattr(v1.train, kind)(hooks=[v1.train.StopAtStepHook(2)]) as session:
            session.run(more)
            saver.save({"session": session}, step=1)
            session.run(more)
            assert session.should_stop()
            saver.load(into={"session": session})
            assert session.run_step_fn(lambda step_context: step_context.session.run(step)) == 1
        with pytest.raises(CheckpointError, match="session: the session is closed"):
            saver.save({"session": session}, step=2)


def test_a_table_in_the_graph_of_a_session(tf, saver, session):
    """It is told, since only the variables of the graph are saved."""
    tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1, name="words")
    with pytest.warns(RLAWarning, match=r"session\[.words.*\]: the state of a <class .*Table.* cannot be stored"):
        saver.save(None, step=1)


def test_an_optimizer_of_tensorflow_1(tf, saver):
    """Its slots are saved where only the session, and not its graph, is the default one."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        weight = v1.get_variable("w", initializer=1.0)
        optimizer = v1.train.AdamOptimizer(0.1)
        step = optimizer.minimize(weight**2)
        initializer = v1.global_variables_initializer()
    with v1.Session(graph=graph).as_default() as session:
        session.run(initializer)
        session.run(step)
        saver.save({"w": weight, "o": optimizer}, step=1)
        expected = [session.run([step, weight])[1] for _ in range(3)]
        saver.load(into={"w": weight, "o": optimizer})
        assert [session.run([step, weight])[1] for _ in range(3)] == expected


RLA_STYLE = """
    import sys
    import tensorflow as tf
    from rla_hooks.easy_log import logger
    from rla_hooks.easy_log.tester import tester

    tf1 = tf.compat.v1
    tf1.disable_v2_behavior()
    tester.configure("graph_task", {"DL_FRAMEWORK": "tensorflow"}, log_root="root", backup="none")
    tester.set_hyper_param(lr=0.5)
    tester.log_files_gen()
    w = tf1.get_variable("policy/w", [], initializer=tf1.constant_initializer(0.0))
    train = w.assign_add(1.0)
    sess = tf1.Session()
    with sess.as_default():
        sess.run(tf1.global_variables_initializer())
        tester.new_saver(var_prefix="", max_to_keep=1)
        for step in range(3):
            tester.time_step_holder.set_time(step)
            logger.record_tabular("w", sess.run(train))
            logger.dump_tabular()
            tester.save_checkpoint()
        sess.run(w.assign(100.0))
        step, _ = tester.load_checkpoint()
        print("restored", step, sess.run(w), sess.run(train))
"""


def test_rlas_own_style(tf, tmp_path, warm):
    """Graph, session, new_saver, save_checkpoint, restore, continue: as RLA's TensorFlow example does it."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(RLA_STYLE))
    done = warm("tensorflow", "keras", "tf_keras").run(script, cwd=tmp_path)  # as the tests of Keras do
    assert done.returncode == 0, done.stderr
    assert "restored 2 3.0 4.0" in done.stdout
    assert [path.name for path in tmp_path.glob("root/checkpoint/**/*.tf")] == ["checkpoint-2.tf"]


# --- the framework that is meant --------------------------------------------------------------------------------------


def test_dl_framework_without_anything_to_save(tf, tmp_path):
    """With DL_FRAMEWORK: tensorflow, no object and no session, the error says what to pass."""
    with pytest.raises(CheckpointError, match=r"There is nothing to save.*\{'model': model\}"):
        Saver(tmp_path, framework="tensorflow").save(None, step=0)


@pytest.mark.parametrize("blocked", [False, True])
def test_a_framework_that_is_missing(tmp_path, monkeypatch, quiet, blocked):
    """It is told when the saver is made, with the line that installs it; where a save makes it, training goes on."""

    def find_spec(name):
        if blocked:
            raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    tester = Tester()
    tester.configure("t", {"DL_FRAMEWORK": "tf"}, tmp_path, backup="none")
    tester.log_files_gen()
    with pytest.raises(CheckpointError, match="DL_FRAMEWORK is 'tensorflow', which is not installed"):
        tester.new_saver()
    with pytest.warns(RLAWarning, match="not saved: DL_FRAMEWORK is 'tensorflow', which.*The training goes on"):
        assert tester.save_checkpoint({"epoch": 1}) is None
    tester.finish()


# --- Keras ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def keras_model(tf):
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("see tests/integrations for other backends")

    def make(width=4):
        stack = [keras.Input((3,)), keras.layers.Dense(width, "tanh"), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        model = keras.Sequential(stack)
        model.compile("adam", "mse")
        return model

    return make


def _train(model, steps):
    x = np.random.default_rng(0).random((8, 3), "float32")
    for _ in range(steps):
        model.train_on_batch(x, x[:, :1])
    return [np.asarray(variable) for variable in model.get_weights()]


def test_a_keras_model_trains_on_as_if_never_interrupted(keras_model, saver):
    """Weights, optimizer and the seed of the dropout are in one file, though names are counted on in a process."""
    model = keras_model()
    _train(model, 2)
    path = saver.save({"agent": model, "epoch": 3}, step=2)
    assert path.name == "checkpoint-2.keras.pkl"
    expected = _train(model, 3)
    fresh = keras_model()
    assert saver.load(into={"agent": fresh})[1]["epoch"] == 3
    assert all(np.array_equal(a, b) for a, b in zip(_train(fresh, 3), expected, strict=True))


def test_another_keras_model_is_refused(keras_model, saver):
    """The layers that differ are named, and nothing has changed."""
    model = keras_model()
    _train(model, 1)
    saver.save({"agent": model}, step=1)
    wide = keras_model(width=5)
    before = wide.get_weights()
    with pytest.raises(CheckpointError, match=r"kernel' has shape \(3, 5\) and in the file \(3, 4\)"):
        saver.load(into={"agent": wide})
    assert all(np.array_equal(a, b) for a, b in zip(wide.get_weights(), before, strict=True))


def test_a_prefix_that_selects_nothing_of_a_keras_model(keras_model, tmp_path):
    """The former checkpoint stays, and the error lists the names."""
    model = keras_model()
    Saver(tmp_path, 1).save({"agent": model}, step=1)
    with pytest.raises(CheckpointError, match=r"var_prefix 'nothing' selects none of agent\."):
        Saver(tmp_path, 1, var_prefix="nothing").save({"agent": model}, step=2)
    assert Saver(tmp_path).steps() == [1]


def test_keras_beside_tensorflow(tf, keras_model, saver):
    """A Keras model and a tf.Module in one checkpoint, which is TensorFlow's."""
    model, module = keras_model(), _policy(tf, 1)
    path = saver.save({"model": model, "module": module}, step=1)
    assert path.suffix == ".tf"
    fresh = {"model": keras_model(), "module": _policy(tf, 2)}
    saver.load(into=fresh)
    assert all(np.array_equal(a, b) for a, b in zip(fresh["model"].get_weights(), model.get_weights(), strict=True))
    assert np.array_equal(fresh["module"].body.w, module.body.w)


def _holder(tf, **parts):
    module = tf.Module()
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def test_a_compiled_keras_model_in_a_module(tf, keras_model, saver):
    """Its optimizer is built for the file, and it trains on alike; another one is told by the names of Keras."""
    model, fresh = keras_model(), keras_model()
    _train(model, 2)
    saver.save({"a": _holder(tf, net=model)}, step=1)
    saver.load(into={"a": _holder(tf, net=fresh)})
    assert all(map(np.array_equal, _train(model, 2), _train(fresh, 2)))
    said = r"'a\.net/optimizer/2' \(adam\w*/\w*dense\w*_kernel_momentum\) has shape \(3, 5\) and in the file \(3, 4\)"
    with pytest.raises(CheckpointError, match=said):
        saver.load(into={"a": _holder(tf, net=keras_model(width=5))})


def test_a_keras_layer_in_a_module_that_is_not_built(tf, keras_model, saver):
    """It has no variables to save or to restore yet: it is named, and told what to do. What is beside it is saved."""
    import keras

    unbuilt = _holder(tf, net=keras.Sequential([keras.layers.Dense(4)]), scale=tf.Variable(1.0))
    said = r"a Sequential that is not built.*call it once"
    with pytest.warns(RLAWarning, match=rf"a\['net'\]: {said}"):
        saver.save({"a": unbuilt}, step=1)
    unbuilt.scale.assign(3.0)
    saver.load(into={"a": unbuilt})
    assert float(unbuilt.scale) == 1.0
    saver.save({"a": _holder(tf, net=keras_model(), scale=tf.Variable(2.0))}, step=2)
    with pytest.raises(CheckpointError, match=rf"variables of 'a\.net' are only in the file: {said}"):
        saver.load(into={"a": unbuilt})
    assert float(unbuilt.scale) == 1.0


def test_a_keras_layer_without_weights_needs_no_call(tf, keras_model, saver):
    """A module with one is restored before it has acted, as a program does that goes on."""
    import keras

    first, second = (_holder(tf, flat=keras.layers.Flatten(), w=tf.Variable(value)) for value in (1.0, 2.0))
    first.flat(tf.ones((1, 2, 2)))
    saver.save({"agent": first}, step=1)
    saver.load(into={"agent": second})
    assert float(second.w) == 1.0
    saver.save({"agent": second}, step=2)


def test_keras_2_before_its_first_step(tf, saver):
    """A compiled model in a module that has not learned yet comes back; so does one that scales its loss, unwarned."""
    keras = pytest.importorskip("tf_keras")

    def make(optimizer):
        model = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
        model.compile(optimizer, "mse")
        return _holder(tf, m=model)

    for step, scaled in enumerate((False, True)):
        adams = [keras.optimizers.Adam() for _ in range(2)]
        if scaled:
            adams = [keras.mixed_precision.LossScaleOptimizer(adam) for adam in adams]
        first, second = map(make, adams)
        saver.save({"policy": first}, step=step)
        saver.load(into={"policy": second})
        assert all(map(np.array_equal, first.m.get_weights(), second.m.get_weights()))


def test_an_agent_whose_optimizer_is_for_a_part_of_it(tf, saver):
    """Which part only the program knows: it is told to build it, and nothing has been built for it."""
    keras = pytest.importorskip("tf_keras")

    def make():
        actor, target = (keras.Sequential([keras.layers.Dense(2, input_shape=(3,))]) for _ in range(2))
        return _holder(tf, actor=actor, target=target, optimizer=keras.optimizers.Adam())

    first, second = make(), make()
    first.optimizer.build(first.actor.trainable_variables)
    saver.save({"agent": first}, step=1)
    with pytest.raises(CheckpointError, match=r"'agent\.optimizer' are only in the file: .*build\(model\."):
        saver.load(into={"agent": second})
    second.optimizer.build(second.actor.trainable_variables)
    saver.load(into={"agent": second})
    assert np.array_equal(first.actor.get_weights()[0], second.actor.get_weights()[0])


@pytest.fixture
def mixed_model(tf, keras_model):
    """Makes a compiled Keras model that has variables of TensorFlow in attributes, lists, dicts and a tf.Module."""
    import keras

    class Mixed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.drop, self.mean = keras.layers.Dense(2), keras.layers.Dropout(0.5), keras.metrics.Mean()
            self.scale, self.listed, self.named = tf.Variable(2.0), [tf.Variable(3.0)], {"a": tf.Variable(4.0)}
            self.module = _holder(tf, v=tf.Variable(5.0), inner=keras.layers.Dense(1))

        def call(self, x):
            return self.module.inner(self.drop(self.dense(x)) * self.scale)

    def make():
        model = Mixed()
        model.compile("adam", "mse")
        _train(model, 1)
        return model

    return make


def _raw(model):
    inner = model.module.inner.variables
    return [model.scale, model.listed[0], model.named["a"], model.module.v, *inner]


@pytest.mark.parametrize("inside", [False, True])
def test_variables_of_tensorflow_in_a_keras_model(tf, mixed_model, saver, inside):
    """Keras does not count them among the model's own; they are saved and restored with it, also inside of a module."""
    model, fresh = mixed_model(), mixed_model()
    for number, variable in enumerate(_raw(model)):
        variable.assign(tf.fill(variable.shape, 10.0 + number))
    saver.save({"m": _holder(tf, k=model) if inside else model}, step=1)
    saver.load(into={"m": _holder(tf, k=fresh) if inside else fresh})
    assert all(map(np.array_equal, _raw(model), _raw(fresh)))
    content = saver.load()[1]["m"]
    found = {path for path in content if "/others/" in path} if inside else {path for path, _ in content["others"]}
    paths = {"scale", "listed/0", "named/a", "module/v", "module/inner/_kernel", "module/inner/bias"}
    assert found == ({f"k/others/{path}" for path in paths} if inside else paths)


def test_other_variables_that_cannot_be_stored(tf, mixed_model, saver):
    """A text is left out and told; of two by one path, one would be lost, so that nothing is saved."""
    model = mixed_model()
    model.text = tf.Variable("a")
    with pytest.warns(RLAWarning, match=r"m\['others'\]\[\d\]\[1\]: a numpy ndarray of dtype object cannot be stored"):
        saver.save({"m": model}, step=1)
    model.scale.assign(9.0)
    saver.load(into={"m": model})
    assert float(model.scale) == 2.0
    model.parts = {"a/b": tf.Variable(1.0), "a": {"b": tf.Variable(1.0)}}
    with pytest.raises(CheckpointError, match=r"nothing could be saved: m: .*two of .* have one name"):
        saver.save({"m": model}, step=2)


def test_a_file_without_the_other_variables(mixed_model, keras_model, saver):
    """Those of before are read all the same; a model that has others than the file is told so."""
    model = mixed_model()
    saver.save({"m": model}, step=1)
    content = saver.load()[1]["m"]
    del content["others"]
    saver.save({"m": content, "plain": keras_model()}, step=2)
    assert list(saver.load()[1]["plain"]) == ["variables"]
    model.scale.assign(9.0)
    saver.load(into={"m": model})
    assert float(model.scale) == 9.0
    del model.scale
    with pytest.raises(CheckpointError, match=r"'m\.scale' is only in the file"):
        saver.load(step=1, into={"m": model})


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_an_optimizer_of_its_own_must_be_built(tf, saver, library):
    """Nothing says for which variables it is: the error tells how to build it, and then it is restored."""
    keras = pytest.importorskip(library)

    def make():
        return tf.Variable([1.0]) if library == "tf_keras" else keras.Variable([1.0]), keras.optimizers.Adam(0.5)

    (weight, adam), (other, fresh) = make(), make()
    adam.apply_gradients([(tf.constant([2.0]), weight)])
    saver.save({"c": tf.train.Checkpoint(optimizer=adam, step=tf.Variable(1))}, step=1)
    into = {"c": tf.train.Checkpoint(optimizer=fresh, step=tf.Variable(0))}
    with pytest.raises(CheckpointError, match=r"2 variables of 'c\.optimizer' are only in.*Call its build"):
        saver.load(into=into)
    fresh.build([other])
    saver.load(into=into)
    other.assign(weight)
    for optimizer, variable in ((adam, weight), (fresh, other)):
        optimizer.apply_gradients([(tf.constant([-1.0]), variable)])
    assert np.array_equal(weight, other)


@pytest.mark.parametrize("optimizers", ["optimizers", "optimizers.legacy"])
def test_keras_2_trains_on_as_if_never_interrupted(tf, saver, optimizers):
    """A compiled tf_keras model and its optimizer of either kind, whose slots do not exist before the first step."""
    keras = pytest.importorskip("tf_keras")
    adam = operator.attrgetter(optimizers)(keras).Adam

    def make():
        model = keras.Sequential([keras.layers.Dense(4, "tanh", input_shape=(3,)), keras.layers.Dense(1)])
        model.compile(adam(0.1), "mse")
        return model

    model, fresh = make(), make()
    saver.save({"agent": model}, step=0)  # to look at it before the optimizer is built must not matter
    _train(model, 2)
    assert saver.save({"agent": model}, step=2).name == "checkpoint-2.tf"
    saver.load(into={"agent": fresh})
    assert all(map(np.array_equal, _train(fresh, 3), _train(model, 3)))
