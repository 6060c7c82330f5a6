"""Checkpoints are complete or not there, checked before they are read, and never run foreign code.

Tests with ``kit`` are the contract of a backend and run for each; a new backend needs an entry in ``Kit`` only. Those
with ``torch`` are skipped where it is not installed.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from rla_hooks import checkpoints
from rla_hooks.checkpoints import BACKENDS, Backend, Manifest, Saver, backends, checksum, latest, state_dicts
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning

# What the tests start finds the package where they found it: in the sources, or installed.
ELSEWHERE: dict[str, Any] = {
    "cwd": sys.prefix,
    "env": os.environ | {"PYTHONPATH": str(Path(checkpoints.__file__).parents[2])},
}


@pytest.fixture
def torch():
    """The real torch, or a skip."""
    return pytest.importorskip("torch")


class Kit:
    """Models of one backend whose content tells the step they were made for."""

    suffixes: ClassVar = {"plain": ".pkl", "torch": ".pt", "keras": ".keras.pkl", "tensorflow": ".tf", "jax": ".jax"}

    def __init__(self, backend):
        self.name = backend
        self.suffix = self.suffixes[backend]
        self.library = None if backend == "plain" else pytest.importorskip(backend)
        self.torch = self.library if backend == "torch" else None

    def models(self, step):
        weights = np.random.default_rng(step).standard_normal((20, 30))
        weights[0, :3] = np.nan, np.inf, -0.0
        if self.name in ("keras", "tensorflow"):
            weights = self.library.Variable(weights, dtype="float64")
        elif self.name == "jax":
            weights = self.library.numpy.asarray(weights, "float32")
        return {
            "w": self.torch.as_tensor(weights) if self.torch else weights,
            "note": {"step": step, "x": [1, (2,)]},
        }

    def check(self, content, step):
        """Compare what was loaded, or the models that were restored."""
        expected, found = self.models(step), content["w"]
        assert content["note"] == expected["note"]
        if self.name == "keras" and isinstance(found, dict):
            found = found["variables"][0][1]
        assert type(found) is type(expected["w"]) or (hasattr(expected["w"], "assign") and type(found) is np.ndarray)
        assert np.asarray(found).tobytes() == np.asarray(expected["w"]).tobytes()

    def clear(self, models):
        if hasattr(models["w"], "assign"):
            models["w"].assign(np.zeros((20, 30)))
        elif self.name == "jax":
            models["w"] = self.library.numpy.zeros((20, 30))
        else:
            models["w"][...] = 0

    #: What the paths of an agent's body begin with. To plain data and pytrees that says nothing: all is saved.
    prefixes: ClassVar = {"torch": "body", "keras": "agent/body", "tensorflow": "body"}

    @property
    def has_variables(self):
        return self.name in self.prefixes

    def agent(self, seed, width=4):
        """What learns: weights of a body (3, width) and of a head (width, 2), which the seed decides."""
        body, head = draws = [
            np.random.default_rng([seed, size]).standard_normal(shape, "float32")
            for size, shape in [(0, (3, width)), (1, (width, 2))]
        ]
        if not self.has_variables:
            as_own = self.library.numpy.asarray if self.name == "jax" else np.asarray
            return {"body": as_own(body), "head": as_own(head)}
        if self.name == "keras":
            dense = [
                self.library.layers.Dense(size, use_bias=False, name=n) for n, size in [("body", width), ("head", 2)]
            ]
            agent = self.library.Sequential([self.library.Input((3,)), *dense], name="agent")
            agent.set_weights(draws)
            return agent
        agent = self.library.nn.Module() if self.torch else self.library.Module()
        make = (
            (lambda array: self.torch.nn.Parameter(self.torch.as_tensor(array)))
            if self.torch
            else self.library.Variable
        )
        agent.body, agent.head = make(body), make(head)
        return agent

    def weights(self, agent):
        """The bytes of the body and of the head."""
        if self.name == "keras":
            return [array.tobytes() for array in agent.get_weights()]
        parts = [agent.body, agent.head] if self.has_variables else [agent["body"], agent["head"]]
        return [np.asarray(part.detach() if self.torch else part).tobytes() for part in parts]


@pytest.fixture(params=[backend.name for backend in BACKENDS])
def kit(request, monkeypatch):
    """One backend after the other."""
    if request.param == "plain":  # for programs without a framework: torch would take every object with a state
        monkeypatch.setitem(sys.modules, "torch", None)
    return Kit(request.param)


def files_of(path):
    """The files of a checkpoint: itself, or those in the folder it is."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def data_of(path):
    """The largest file of a checkpoint."""
    return max(files_of(path), key=lambda file: file.stat().st_size)


def names(folder):
    return sorted(os.listdir(folder))


def start(code, *arguments):
    """A fresh Python that knows Kit and Saver and runs the code."""
    prelude = (
        "import importlib.util, os, signal, sys\n"
        f"spec = importlib.util.spec_from_file_location('kits', {str(Path(__file__))!r})\n"
        "kits = importlib.util.module_from_spec(spec); spec.loader.exec_module(kits)\n"
        "from rla_hooks.checkpoints import Saver\n"
    )
    command = [sys.executable, "-c", prelude + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **ELSEWHERE)


# --- saving and loading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["plain", "with blank", "quo'te\"s", "new\nline", "中文", "a%20&b=c"])
def test_what_was_saved_comes_back(kit, tmp_path, folder):
    """The newest checkpoint is found in folders of any name and its content is equal bit by bit."""
    saver = Saver(tmp_path / folder / "deep")
    assert saver.save(kit.models(1), 1) == tmp_path / folder / "deep" / f"checkpoint-1{kit.suffix}"
    path = saver.save(kit.models(20), 20)
    step, content = Saver(tmp_path / folder / "deep").load()
    assert step == 20
    kit.check(content, 20)
    step, content = saver.load(step=1)
    assert step == 1
    kit.check(content, 1)
    assert latest(tmp_path / folder / "deep") == path
    assert names(path.parent) == sorted([f"checkpoint-1{kit.suffix}", path.name, "manifest.json"])


def test_the_manifest_says_what_is_there(kit, tmp_path):
    """manifest.json lists file, name, step, time, size and checksum in the order of writing."""
    import google_crc32c

    before = time.time()
    saver = Saver(tmp_path)
    paths = [saver.save(kit.models(step), step, name) for name, step in [("b", 7), ("a", 3)]]
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())

    def data(path):
        named = [file.relative_to(path).as_posix().encode() + file.read_bytes() for file in files_of(path)]
        return b"".join(named) if path.is_dir() else path.read_bytes()

    assert manifest["format"] == 2
    assert [entry.pop("time") >= before for entry in manifest["checkpoints"]] == [True, True]
    assert manifest["checkpoints"] == [
        {
            "file": path.name,
            "name": name,
            "step": step,
            "size": sum(file.stat().st_size for file in files_of(path)),
            "crc32c": f"{google_crc32c.value(data(path)):08x}",
            "info": {},
            "own": True,
        }
        for path, name, step in zip(paths, "ba", (7, 3), strict=True)
    ]


def test_nothing_registered_gives_an_empty_checkpoint(tmp_path):
    """RLA's quickstart saves without any model: that is a checkpoint, too."""
    saver = Saver(tmp_path)
    assert saver.save(None, 0).name == "checkpoint-0.pkl"
    assert saver.load() == (0, {})


def test_registered_objects_are_saved_and_restored(kit, tmp_path):
    """Objects given to the Saver are used where a call names none."""
    objects = kit.models(1)
    saver = Saver(tmp_path, objects=objects)
    saver.save(None, 5)
    kit.clear(objects)
    assert saver.load()[0] == 5
    kit.check(objects, 1)


def test_max_to_keep_counts_per_name(kit, tmp_path):
    """The newest N of each name stay, in the order of writing, whatever their steps are."""
    saver = Saver(tmp_path, max_to_keep=2)
    for step in (1, 2, 30, 4):
        saver.save(kit.models(step), step)
        saver.save(kit.models(step), step, name="best")
    assert saver.steps() == saver.steps("best") == [30, 4]
    files = [f"{name}-{step}{kit.suffix}" for name in ("best", "checkpoint") for step in (30, 4)]
    assert names(tmp_path) == sorted([*files, "manifest.json"])
    everything = Saver(tmp_path / "all", max_to_keep=None)
    for step in range(12):
        everything.save({}, step)
    assert everything.steps() == list(range(12))


def test_the_same_step_again_replaces(kit, tmp_path):
    """A second save of a name and step leaves one checkpoint, the second."""
    saver = Saver(tmp_path, max_to_keep=3)
    saver.save(kit.models(1), 1)
    for step in (7, 8, 9):
        path = saver.save(kit.models(step), 5)
        assert saver.steps() == [1, 5]
        kit.check(saver.load(5)[1], step)
        assert names(tmp_path) == sorted([f"checkpoint-1{kit.suffix}", path.name, "manifest.json"])


def test_files_of_others_are_never_touched(kit, tmp_path):
    """Files that no manifest lists stay as they are, even where they have the name of a checkpoint."""
    foreign = [
        "notes.txt",
        f"checkpoint-1{kit.suffix}",
        f"checkpoint-2{kit.suffix}",
        ".x.tmp",
        ".saving-me.tmp",
    ]
    tmp_path.joinpath("folder").mkdir()
    for name in foreign:
        tmp_path.joinpath(name).write_text(name)
    saver = Saver(tmp_path, max_to_keep=1)
    for step in (1, 2, 3, 2):
        kit.check(Saver(tmp_path).load()[1] if saver.save(kit.models(step), step) else None, step)
    assert [tmp_path.joinpath(name).read_text() for name in foreign] == foreign
    assert names(tmp_path) == sorted([*foreign, "folder", "manifest.json", f"checkpoint-2.1{kit.suffix}"])


def test_a_listed_file_that_was_exchanged_is_not_deleted(tmp_path):
    """Where somebody put a file of theirs in the place of a checkpoint, max_to_keep leaves it there."""
    saver = Saver(tmp_path, max_to_keep=1)
    path = saver.save({"a": 1}, 1)
    path.write_text("mine")
    saver.save({"a": 2}, 2)
    assert path.read_text() == "mine"
    assert saver.steps() == [2]


def test_two_savers_share_a_manifest(kit, tmp_path):
    """Savers of two names in one folder do not forget each other's checkpoints."""
    one, two = Saver(tmp_path, max_to_keep=1), Saver(tmp_path, max_to_keep=2)
    for step in range(4):
        one.save(kit.models(step), step, "one")
        two.save(kit.models(step + 50), step, "two")
    assert (two.steps("one"), one.steps("two")) == ([3], [2, 3])
    kit.check(one.load(2, "two")[1], 52)


SAVER_PROCESS = """
import sys
from rla_hooks.checkpoints import Saver
saver = Saver(sys.argv[1], max_to_keep=None)
print("ready", flush=True)
sys.stdin.readline()
for step in range(25):
    saver.save({"step": step}, step=step, name=sys.argv[2])
"""


@pytest.mark.norerun
def test_processes_share_a_manifest(tmp_path):
    """Savers in several processes list every checkpoint; none falls off because another process wrote the list."""
    command = [sys.executable, "-c", SAVER_PROCESS, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, name], **pipes) for name in ("a", "b")]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate() and process.returncode for process in processes] == [0, 0]
    listed = [(entry.name, entry.step) for entry in Manifest(tmp_path).complete()]
    assert sorted(listed) == [(name, step) for name in ("a", "b") for step in range(25)]


def test_threads_share_a_manifest(tmp_path):
    """Savers in many threads lose nothing and remove no temporary file of each other."""
    saver, errors = Saver(tmp_path, max_to_keep=None), []

    def work(name):
        try:
            for step in range(10):
                saver.save({"x": name * 1000}, step, name)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [saver.steps(name) for name in "abcdef"] == [list(range(10))] * 6
    assert len(names(tmp_path)) == 61


# --- restoring in place -------------------------------------------------------------------------------------


class Counter:
    """An object with a state, as normalisers and environments have it."""

    def __init__(self, count, fails=False):
        self.count, self.fails = count, fails

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        if self.fails:
            raise KeyError("no")
        self.count = state["count"]


def test_models_are_restored_in_place_beside_plain_data(kit, tmp_path):
    """Bit by bit, in dicts, lists and tuples of any depth; objects with a state too; plain data is in the content."""
    note = {"x": [1, (2.5, "y")], "none": None}
    saved = {"a": kit.agent(1), "deep": {"er": [kit.agent(2), (kit.agent(3),)]}, "counter": Counter(4), "note": note}
    assert Saver(tmp_path).save(saved, 7).name == f"checkpoint-7{kit.suffix}"
    into = {"a": kit.agent(5), "deep": {"er": [kit.agent(6), (kit.agent(7),)]}, "counter": Counter(8)}
    step, content = Saver(tmp_path).load(into=into)
    assert (step, content["note"], into["counter"].count) == (7, note, 4)
    assert kit.weights(into["a"]) == kit.weights(kit.agent(1))
    assert kit.weights(into["deep"]["er"][0]) == kit.weights(kit.agent(2))
    assert kit.weights(into["deep"]["er"][1][0]) == kit.weights(kit.agent(3))


def test_some_of_the_saved_models_can_be_restored(kit, tmp_path):
    """The others are not needed, and what was saved is not changed by it."""
    saver = Saver(tmp_path)
    saver.save({"actor": kit.agent(1), "critic": kit.agent(2)}, 1)
    fresh = kit.agent(3)
    for _ in range(2):
        saver.load(into={"critic": fresh})
        assert kit.weights(fresh) == kit.weights(kit.agent(2))


def test_what_does_not_fit_changes_nothing(kit, tmp_path):
    """The error names object, part and both shapes, and says what to do; no object has changed, whichever fits."""
    saver = Saver(tmp_path)
    saver.save({"a": kit.agent(1), "b": kit.agent(2), "counter": Counter(1)}, 1)
    into = {"a": kit.agent(3), "counter": Counter(9), "b": kit.agent(4, width=5)}
    with pytest.raises(CheckpointError) as caught:
        saver.load(into=into)
    text = str(caught.value)
    assert re.search(
        rf"checkpoint-1{kit.suffix} does not fit .*'?b\.\S*body\S* has shape \(3, 5\) and in the .*\(3, 4\)", text
    )
    assert (
        "Build the models as they were when it was saved, or restore fewer of them: with var_prefix, or fewer objects."
        in text
    )
    assert kit.weights(into["a"]) == kit.weights(kit.agent(3)) and into["counter"].count == 9
    assert kit.weights(into["b"]) == kit.weights(kit.agent(4, width=5))


def test_an_object_that_the_file_has_not(kit, tmp_path):
    """Its name is told with those that are there, and what it is where the file has something else by the name."""
    saver = Saver(tmp_path)
    saver.save({"a": kit.agent(1), "b": 5}, 1)
    agent = kit.agent(2)
    with pytest.raises(
        CheckpointError, match=r"'aa(\.body)?' is not in it \(there is: a, b\)\. Did you mean 'a'\? Build"
    ):
        saver.load(into={"a": agent, "aa": kit.agent(3)})
    other = r"'b\.body' is not in it" if kit.name == "plain" else r"'b' is a \w+ and in the file a <class 'int'>"
    with pytest.raises(CheckpointError, match=other):
        saver.load(into={"a": agent, "b": kit.agent(3)})
    assert kit.weights(agent) == kit.weights(kit.agent(2))


def test_an_object_that_refuses_its_state(kit, tmp_path):
    """It is named; models beside it stay, and objects before it get back what they had."""
    saver = Saver(tmp_path)
    saver.save({"a": kit.agent(1), "one": Counter(1), "two": Counter(2)}, 1)
    into = {"a": kit.agent(3), "one": Counter(8), "two": Counter(9, fails=True)}
    with pytest.raises(CheckpointError, match=r"does not fit 'two', a Counter \(KeyError: 'no'\)\. Make it as it was"):
        saver.load(into=into)
    assert kit.weights(into["a"]) == kit.weights(kit.agent(3)) and into["one"].count == 8


def test_var_prefix_selects_variables_of_models(kit, tmp_path):
    """The selected ones are saved and restored, from a whole file too; what is no model is whole."""
    prefix, fresh = kit.prefixes.get(kit.name, "body"), kit.agent(2)
    body, head = kit.weights(kit.agent(1))
    saver = Saver(tmp_path, var_prefix=prefix)
    saver.save({"agent": kit.agent(1), "epoch": 3}, 1)
    Saver(tmp_path).save({"agent": kit.agent(1), "epoch": 3}, 2)
    for step in (1, 2):
        fresh = kit.agent(2)
        assert saver.load(step, into={"agent": fresh})[1]["epoch"] == 3
        assert kit.weights(fresh) == [body, kit.weights(kit.agent(2))[1] if kit.has_variables else head]


@pytest.mark.parametrize(
    "prefix, selected",
    [
        ("policy", ["policy/w:0", "policy.x/w:0"]),
        ("policy.x", ["policy.x/w:0"]),  # the dot of a name is no sign of a regular expression
        ("policy.*", ["policy/w:0", "policy.x/w:0"]),
        ("(policy|critic)/", ["policy/w:0", "critic/b:0"]),
        (r"^(?!critic)", ["policy/w:0", "policy.x/w:0"]),
        (".*w:0$", ["policy/w:0", "policy.x/w:0", "critic[0]/w:0"]),
        ("critic[0]", ["critic[0]/w:0"]),  # literal, though it is a regular expression, too
        ("critic(", []),  # none: it is literal
    ],
)
def test_var_prefix_is_literal_or_a_regular_expression(prefix, selected):
    """RLA gave it to re.match; literal prefixes select what begins so, whatever signs they have."""
    names = ["policy/w:0", "policy.x/w:0", "critic[0]/w:0", "critic/b:0"]
    chosen = state_dicts.PrefixFilter(prefix)
    assert [name for name in names if chosen.selects("session", name)] == selected
    assert bool(chosen.problems()) is not bool(selected)


def test_a_prefix_that_selects_no_variable(kit, tmp_path):
    """It is an error that lists the names, and the former checkpoint stays. Plain data has no variables."""
    Saver(tmp_path, 1).save({"agent": kit.agent(1)}, 1)
    saver = Saver(tmp_path, 1, var_prefix="nothing")
    if not kit.has_variables:
        saver.save({"agent": kit.agent(2)}, 2)
        assert saver.load()[0] == 2
        return
    said = r"var_prefix 'nothing' selects none of agent\.\S*body\S*; agent\.\S*head"
    with pytest.raises(CheckpointError, match=said):
        saver.save({"agent": kit.agent(2), "epoch": 3}, 2)
    with pytest.raises(CheckpointError, match=said):
        saver.load(into={"agent": kit.agent(2)})
    assert saver.steps() == [1]


def test_what_cannot_be_stored_beside_a_model_is_left_out(kit, tmp_path):
    """One warning names it, the rest is saved; where nothing else is there, nothing is saved."""
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning, match=r"bad\['f'\]: a <class 'builtin_function_or_method'> cannot be") as caught:
        for step in (1, 2):
            saver.save({"agent": kit.agent(1), "bad": {"f": print, "n": 5}}, step)
    assert [warning.category for warning in caught].count(RLAWarning) == 1
    step, content = saver.load()
    assert step == 2 and content["bad"] == {"n": 5} and set(content) == {"agent", "bad"}


# --- damage -------------------------------------------------------------------------------------------------


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "flipped": (flip, "has changed since it was written"),
    "truncated": (lambda path: os.truncate(path, path.stat().st_size - 1), "bytes instead of the"),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "bytes instead of the"),
    "empty": (lambda path: os.truncate(path, 0), "bytes instead of the"),
    "missing": (lambda path: shutil.move(path, path.with_name("elsewhere")), "is missing"),
    "foreign": (lambda path: path.write_bytes(os.urandom(path.stat().st_size)), "has changed"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over(kit, tmp_path, damage):
    """A warning names the damaged one, and the one before it is loaded. Asked for by step, it is an error."""
    spoil, message = DAMAGE[damage]
    saver = Saver(tmp_path)
    for step in (1, 2, 3):
        path = saver.save(kit.models(step), step)
    spoil(path if damage == "missing" else data_of(path))
    with pytest.warns(RLAWarning, match=message) as caught:
        step, content = saver.load()
    assert step == 2 and len(caught) == 1 and path.name in str(caught[0].message)
    kit.check(content, 2)
    with pytest.raises(CheckpointError, match=rf"(?s)checkpoint-3.*{message}.*of steps 1, 2\. Pass one of these"):
        saver.load(step=3)


def test_when_all_are_damaged_the_error_says_so(kit, tmp_path):
    """With no whole one left, the error names each file and what is wrong with it."""
    saver = Saver(tmp_path)
    for step in (1, 2):
        flip(data_of(saver.save(kit.models(step), step)))
    with pytest.raises(CheckpointError, match=r"(?s)checkpoint-2\S+ has changed.*checkpoint-1\S+ has changed"):
        saver.load()


def test_errors_say_what_is_there(tmp_path):
    """No checkpoint, a wrong step, a mistyped name: each error says what exists."""
    saver = Saver(tmp_path / "new")
    with pytest.raises(CheckpointError, match=r"No checkpoint 'checkpoint' can be loaded from .*save one first"):
        saver.load()
    assert not (tmp_path / "new").exists()
    assert latest(tmp_path / "new") is None
    saver.save({}, 10, "best")
    with pytest.raises(CheckpointError, match=r"of step 9 .*steps 10\. "):
        saver.load(9, "best")
    with pytest.raises(CheckpointError, match=r"named best\. Did you mean 'best'"):
        saver.load(name="bset")


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'"x"',
        b'{"format": 1}',
        b'{"format": 0, "checkpoints": []}',
        b'{"format": 1, "checkpoints": 5}',
        b"[" * 100_000,
        b'{"format": 1, "checkpoints": [{"file": "x"}, 5, null]}',
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_damaged_manifest_is_kept_aside(tmp_path, text):
    """A manifest that is not ours counts as empty, with a warning; saving keeps it and deletes nothing."""
    saver = Saver(tmp_path, max_to_keep=1)
    old = saver.save({"a": 1}, 1)
    manifest = tmp_path / "manifest.json"
    for number in (1, 2):
        manifest.write_bytes(text)
        with pytest.warns(RLAWarning, match="manifest.json"):
            assert latest(tmp_path) is None
        assert manifest.read_bytes() == text
        with (
            pytest.warns(RLAWarning, match="manifest.json"),
            pytest.raises(CheckpointError, match="No checkpoint"),
        ):
            saver.load()
        with pytest.warns(RLAWarning, match="manifest.json"):
            saver.save({"a": number}, number + 1)
        assert (tmp_path / f"manifest.json.damaged-{number}").read_bytes() == text
        assert saver.load()[1] == {"a": number}
    assert old.exists()


@pytest.mark.parametrize(
    "file", ["../x.pkl", "/etc/passwd", "a/../../b", "a//b", "..", ".", "", "a\\b", "x\0y", "manifest.json"]
)
def test_entries_that_climb_out_are_ignored(tmp_path, file):
    """An entry whose file is not plainly in the folder is neither loaded nor deleted; the good ones stay."""
    saver = Saver(tmp_path / "in", max_to_keep=1)
    saver.save({"a": 1}, 1)
    outside = tmp_path / "x.pkl"
    outside.write_bytes(b"x")
    manifest = tmp_path / "in" / "manifest.json"
    content = json.loads(manifest.read_bytes())
    bad = content["checkpoints"][0] | {"file": file, "step": 2, "size": 1}
    manifest.write_text(json.dumps(content | {"checkpoints": [bad, *content["checkpoints"], bad]}))
    with pytest.warns(RLAWarning, match="2 entries that cannot be used"):
        assert saver.load() == (1, {"a": 1})
    with pytest.warns(RLAWarning):
        saver.save({"a": 3}, 3)
    assert outside.exists()
    assert saver.steps() == [3]


def test_a_file_that_is_no_checkpoint_of_ours_gives_a_clear_error(kit, tmp_path):
    """A listed file with the right checksum but foreign content is refused, and no other is taken."""
    saver = Saver(tmp_path)
    saver.save({}, 1)
    for step, data in enumerate([b"junk", pickle.dumps([1, 2])], start=2):
        (tmp_path / f"checkpoint-{step}{kit.suffix}").write_bytes(data)
        Manifest(tmp_path).add(f"checkpoint-{step}{kit.suffix}", "checkpoint", step)
        with pytest.raises(CheckpointError, match=rf"checkpoint-{step}{kit.suffix} "):
            saver.load()
    (tmp_path / "checkpoint-9.h5").write_bytes(b"x")
    Manifest(tmp_path).add("checkpoint-9.h5", "checkpoint", 9)
    with pytest.raises(
        CheckpointError, match=r"9\.h5 is of a kind .*Known: \*\.tf, \*\.keras\.pkl, \*\.jax, \*\.pt, \*\.pkl"
    ):
        saver.load()


# --- foreign code -------------------------------------------------------------------------------------------


class Hostile:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


def test_a_hostile_file_runs_nothing(kit, tmp_path):
    """A file that would create a folder when it is loaded is refused, and the folder is not there."""
    victim = tmp_path / "victim"
    path = tmp_path / f"checkpoint-1{kit.suffix}"
    if kit.torch:
        kit.torch.save({"w": Hostile(victim)}, path)
    elif kit.name in ("tensorflow", "jax"):
        path.mkdir()
        (path / "content.pkl").write_bytes(pickle.dumps({"w": Hostile(victim)}))
    else:
        path.write_bytes(pickle.dumps({"w": Hostile(victim)}))
    Manifest(tmp_path).add(path.name, "checkpoint", 1)
    with pytest.raises(CheckpointError, match=r"was refused: .*mkdir"):
        Saver(tmp_path).load()
    assert not victim.exists()
    if kit.torch:
        Saver(tmp_path).load(weights_only=False)
        assert victim.exists(), "the file of this test is harmless, so that it shows nothing"
    else:
        with pytest.raises(CheckpointError, match="was refused"):
            Saver(tmp_path).load(weights_only=False)


def test_a_raw_hostile_pickle_named_pt_runs_nothing(torch, tmp_path):
    """A plain pickle in the place of torch's archive is refused as well."""
    path = tmp_path / "checkpoint-1.pt"
    path.write_bytes(pickle.dumps({"w": Hostile(tmp_path / "victim")}))
    Manifest(tmp_path).add(path.name, "checkpoint", 1)
    with pytest.raises(CheckpointError):
        Saver(tmp_path).load()
    assert not (tmp_path / "victim").exists()


# --- death in the middle ------------------------------------------------------------------------------------


def save_or_die(folder, point, again):
    """Save two checkpoints, and die before a file operation of the second one."""
    saver, count = Saver(folder, max_to_keep=1), 0
    saver.save({"made": 1, "x": [1] * 1000}, 1)

    def die(event, arguments):
        nonlocal count
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.truncate"):
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    saver.save({"made": 2, "x": [2] * 2000}, 1 if again else 2)


@pytest.mark.parametrize("again", [False, True], ids=["next", "again"])
@pytest.mark.norerun
def test_killed_before_any_file_operation_a_whole_one_is_left(tmp_path, again, forked):
    """A save is killed before its 1st, 2nd, ... file operation: each time a whole checkpoint is found."""
    found = []
    for point in range(1, 60):
        folder = tmp_path / str(point)
        ended = forked(lambda folder=folder, point=point: save_or_die(folder, point, again)).ended()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _, content = Saver(folder).load()
        made = content["made"]
        assert content == {"made": made, "x": [made] * made * 1000}
        found.append(made)
        Saver(folder, max_to_keep=1).save({}, 3)
        leftovers = [name for name in names(folder) if name.endswith(".tmp")]
        assert leftovers == [], f"killed at {point}"
        assert Saver(folder).steps() == [3]
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    else:
        pytest.fail("the save never ended")
    assert found == sorted(found) and {1, 2} == set(found) and len(found) > 8


LOOP = """
from rla_hooks.checkpoints import checksum
kit, saver, step = kits.Kit(sys.argv[1]), Saver(sys.argv[2], max_to_keep=2), int(sys.argv[3])
checksum.LARGE = int(sys.argv[4])
while True:
    saver.save(kit.models(step), step)
    print(step, flush=True)
    step += 1
"""


@pytest.mark.norerun
def test_killed_at_any_moment_the_newest_is_found(kit, tmp_path):
    """A process that saves all the time is killed again and again: no checkpoint that it told of is lost.

    Every second one computes the checksum in a thread, as for large files.
    """
    if kit.name in ("keras", "jax"):
        pytest.skip("writes files as the plain one does, or as test_states.py has it")
    moments = random.Random(0)
    said = 0
    for number in range({"plain": 6, "torch": 2, "tensorflow": 1}[kit.name]):
        process = start(LOOP, kit.name, tmp_path, said + 1, checksum.LARGE if number % 2 else 1)
        said = int(process.stdout.readline())
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        said = int(([said, *process.communicate()[0].split()])[-1])
        step, content = Saver(tmp_path).load()
        assert said <= step <= said + 1
        kit.check(content, step)
        said = step
    Saver(tmp_path, max_to_keep=2).save(kit.models(said), said + 1)
    assert [name for name in names(tmp_path) if name.endswith(".tmp")] == []


def test_temporary_files_of_the_living_stay(tmp_path):
    """What another process, or another machine, is writing just now is not swept away."""
    from rla_hooks import atomic

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    random_part = "0" * 32
    host, other = atomic._host(), "0badc0de"
    living = [
        f".saving-{host}-{os.getppid()}-{random_part}.tmp",
        f".saving-{other}-{dead.pid}-{random_part}.tmp",
    ]
    swept = [
        f".saving-{host}-{dead.pid}-{random_part}.tmp",
        f".saving-{host}-{os.getpid()}-{random_part}.tmp",
    ]
    for name in [living[0], swept[0]]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").touch()
    for name in [living[1], swept[1]]:
        (tmp_path / name).touch()
    Saver(tmp_path).save({}, 1)
    assert names(tmp_path) == sorted([*living, "checkpoint-1.pkl", "manifest.json"])


# --- trouble with the disk ----------------------------------------------------------------------------------

LIMITED = """
import resource
kit, saver = kits.Kit(sys.argv[1]), Saver(sys.argv[2], max_to_keep=1)
models = kit.models(2) | {"big": kit.torch.ones(300_000) if kit.torch else bytes(1_200_000)}
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    saver.save(models, 2)
except OSError as error:
    print(error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(saver.steps(), *sorted(os.listdir(sys.argv[2])))
saver.save(models, 2)
print(saver.steps())
"""


def test_a_file_that_cannot_be_written_to_the_end_leaves_the_old_one(kit, tmp_path):
    """The file may not grow: OSError, the old checkpoint stays, no rest is left, saving works again."""
    pytest.importorskip("resource")
    if kit.name in ("keras", "tensorflow", "jax"):
        pytest.skip("keras writes as plain does; for others a full disk shows it")
    Saver(tmp_path).save(kit.models(1), 1)
    process = start(LIMITED, kit.name, tmp_path)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert lines == [str(errno.EFBIG), f"[1] checkpoint-1{kit.suffix} manifest.json", "[2]"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, or a skip where one may not be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_the_old_one(kit, small_disk):
    """With no space left: OSError, the old one loads, nothing is left over; with space, saving works again."""
    saver = Saver(small_disk / "run", max_to_keep=1)
    saver.save(kit.models(1), 1)
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(bytes(4096))
    for step in (2, 3):
        with pytest.raises(OSError) as caught:
            saver.save(kit.models(step), step)
        assert caught.value.errno == errno.ENOSPC
    kit.check(saver.load()[1], 1)
    assert names(small_disk / "run") == [f"checkpoint-1{kit.suffix}", "manifest.json"]
    ballast.unlink()
    saver.save(kit.models(4), 4)
    kit.check(saver.load()[1], 4)
    assert names(small_disk / "run") == [f"checkpoint-4{kit.suffix}", "manifest.json"]


def test_a_disk_too_full_for_the_manifest_leaves_no_orphan(small_disk):
    """The checkpoint fits and the manifest does not: the checkpoint is taken back."""
    saver = Saver(small_disk, max_to_keep=None)
    saver.save({"x": 0}, 0)
    with open(small_disk / "ballast", "wb", buffering=0) as stream, pytest.raises(OSError):
        while True:
            stream.write(bytes(4096))
    os.truncate(small_disk / "ballast", (small_disk / "ballast").stat().st_size - 4096)
    with pytest.raises(OSError):
        saver.save({"x": 1}, 1)
    assert names(small_disk) == ["ballast", "checkpoint-0.pkl", "manifest.json"]
    assert saver.load() == (0, {"x": 0})


def test_an_old_one_that_cannot_be_deleted_warns_once(tmp_path):
    """Trouble with deleting is no trouble with saving: one warning, and the next save tries again."""
    saver = Saver(tmp_path, max_to_keep=1)
    old = saver.save({}, 1)
    held = [
        "mount",
        "--bind",
        old,
        old,
    ]  # a file with something mounted on it cannot be deleted, not even by root
    if not shutil.which("mount") or subprocess.run(held, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        with pytest.warns(RLAWarning, match="checkpoint-1.pkl cannot be deleted") as caught:
            for step in (2, 3):
                saver.save({}, step)
        assert len(caught) == 1
        assert saver.steps() == [1, 3]
    finally:
        subprocess.run(["umount", old], check=True)
    saver.save({}, 4)
    assert saver.steps() == [4] and names(tmp_path) == ["checkpoint-4.pkl", "manifest.json"]


# --- arguments ----------------------------------------------------------------------------------------------


def test_a_name_that_windows_refuses_is_escaped_in_the_file_only(tmp_path):
    """The checkpoint keeps its name; blanks and letters stay in the file's, too."""
    saver = Saver(tmp_path)
    assert [saver.save({"w": [step]}, step, name).name for step, name in enumerate(["best:1", "aux.2", "a ü?"])] == [
        *("best%3A1-0.pkl", "%61ux.2-1.pkl", "a ü%3F-2.pkl")
    ]
    assert saver.load(name="best:1") == (0, {"w": [0]}) and saver.steps("a ü?") == [2]
    assert latest(tmp_path, "aux.2").name == "%61ux.2-1.pkl"


@pytest.mark.parametrize("count", [0, -1, True, False, 1.5, "3", [], float("nan"), np.array([1, 2])])
def test_max_to_keep_must_be_a_positive_whole_number(tmp_path, count):
    """Anything else is an error that says what to pass, and no folder is made."""
    with pytest.raises(ConfigError, match=r"max_to_keep is .* at least 1, or None"):
        Saver(tmp_path / "x", max_to_keep=count)
    assert names(tmp_path) == []


@pytest.mark.parametrize("models", [[1], "x", 5, {1: 2}, {None: 1}, object()])
def test_models_must_be_a_dict_with_names(tmp_path, models):
    """The error says what was given and how it should look."""
    with pytest.raises(ConfigError, match=r"\{'policy': model\}"):
        Saver(tmp_path / "x").save(models, 1)
    with pytest.raises(ConfigError, match=r"objects .*\{'policy': model\}"):
        Saver(tmp_path / "x", objects=models)
    with pytest.raises(ConfigError, match=r"objects .*\{'policy': model\}"):
        Saver(tmp_path / "x").load(into=models)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "/a", "a\\b", "a\nb", "a\0", ".x", "x" * 240, 5, None, b"a"]
)
def test_names_must_be_one_safe_part(tmp_path, name):
    """A name that is empty, climbs out or is no file name is refused before anything is made."""
    with pytest.raises(ConfigError, match="checkpoint name"):
        Saver(tmp_path / "x").save({}, 1, name)
    with pytest.raises(ConfigError, match="checkpoint name"):
        Saver(tmp_path / "x").load(None, name)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["with blank", "中文", "a=1&b,c", "quo'te\"", "a-5", "x" * 220, "%2F", "~", "a.pt"])
def test_other_names_are_fine(tmp_path, name):
    """All other names can be saved and loaded."""
    Saver(tmp_path).save({"a": 1}, 1, name)
    assert Saver(tmp_path).load(name=name) == (1, {"a": 1})


@pytest.mark.parametrize(
    "step",
    [
        -1,
        True,
        1.0,
        "1",
        None,
        np.bool_(True),
        np.array([1, 2]),
        np.float64(1),
        2**63,
        pytest.param(10**5000, id="many digits"),
        object(),
    ],
)
def test_steps_must_be_whole_numbers_from_zero(tmp_path, step):
    """Other steps are refused before anything is made."""
    with pytest.raises(ConfigError, match=r"step is .* whole number from 0"):
        Saver(tmp_path / "x").save({}, step)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", [np.int64(3), np.uint8(3), np.array(3)])
def test_steps_of_numpy_are_whole_numbers(tmp_path, step):
    """A numpy integer is as good as an int, for saving and loading."""
    assert Saver(tmp_path).save({}, step).name == "checkpoint-3.pkl"
    assert Saver(tmp_path).load(step)[0] == 3


def test_var_prefix_must_be_a_text(tmp_path):
    """RLA's users may pass None by habit; the error says what '' means."""
    with pytest.raises(ConfigError, match="var_prefix is None"):
        Saver(tmp_path, var_prefix=None)


# --- without a framework ------------------------------------------------------------------------------------


def test_arrays_are_restored_in_place_or_not_at_all(tmp_path):
    """Arrays of the caller get their values; where one shape differs, none has changed."""
    saver = Saver(tmp_path)
    saver.save({"a": np.arange(3.0), "b": {"c": [np.ones((2, 2))]}, "n": 5}, 1)
    a, c = np.zeros(3), np.zeros((2, 2))
    saver.load(into={"a": a, "b": {"c": [c]}, "n": 6})
    assert a.tolist() == [0, 1, 2] and c.tolist() == [[1, 1], [1, 1]]
    a[:] = 7
    with pytest.raises(CheckpointError, match=r"'b\.c\.0' has shape \(3, 2\) and in the file \(2, 2\)"):
        saver.load(into={"a": a, "b": {"c": [np.zeros((3, 2))]}})
    with pytest.raises(CheckpointError, match=r"'aa' is not in it \(there is: a, b, n\)\. Did you mean 'a'\?"):
        saver.load(into={"aa": a})
    with pytest.raises(CheckpointError, match="'n' is an array and in the file a <class 'int'>"):
        saver.load(into={"a": a, "n": np.zeros(1)})
    assert a.tolist() == [7, 7, 7]


def test_objects_with_a_state_are_restored_together(tmp_path):
    """Where one object refuses its state, those before it get back what they had."""
    saver = Saver(tmp_path)
    saver.save({"one": Counter(1), "more": [Counter(2)]}, 1)
    one, two = Counter(10), Counter(20)
    saver.load(into={"one": one, "more": [two]})
    assert (one.count, two.count) == (1, 2)
    one.count = 10
    with pytest.raises(CheckpointError, match=r"does not fit 'more\.0', a Counter \(KeyError: 'no'\)"):
        saver.load(into={"one": one, "more": [Counter(20, fails=True)]})
    assert one.count == 10


def test_unsuitable_values_are_left_out_with_one_warning(tmp_path):
    """The rest is saved, and the warning comes once per Saver, not at every save."""
    models = {
        "good": 1,
        "bad": {"f": print, "q": deque([1], maxlen=3)},
        "table": defaultdict(list, {"s": [1]}),
    }
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning, match=r"bad\['f'\]: a <class 'builtin_function_or_method'>") as caught:
        saver.save(models, 1)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saver.save(models, 2)
    assert saver.load()[1] == {"good": 1, "bad": {"q": deque([1], maxlen=3)}, "table": {"s": [1]}}


@pytest.mark.parametrize("models", [{"f": print}, {"a": {"f": print}, "l": [print, (print,)]}])
def test_where_nothing_can_be_stored_the_former_one_stays(tmp_path, models):
    """An empty checkpoint would take its place; values that are empty by themselves are no reason."""
    saver = Saver(tmp_path, max_to_keep=1)
    saver.save({"rewards": [], "best": None}, 1)
    with pytest.raises(CheckpointError, match=r"nothing could be saved: .*f'?\]?: a <class 'builtin_func"):
        saver.save(models, 2)
    assert names(tmp_path) == ["checkpoint-1.pkl", "manifest.json"]


def test_what_an_object_raises_becomes_one_kind_of_error(tmp_path):
    """A dict that raises when it is walked through ends no training; Ctrl-C and a full memory do come out."""
    pytest.importorskip("torch")  # without a framework no dict is walked through for its objects

    class Raising(dict):
        error: Any = ValueError("no items today")

        def items(self):
            raise self.error

    saver = Saver(tmp_path)
    saver.save({"a": {"b": 1}}, 1)
    models = {"a": Raising(b=1)}
    with pytest.raises(CheckpointError, match=r"\['a'\] cannot be saved: ValueError: no items today"):
        saver.save(models, 2)
    with pytest.raises(CheckpointError, match=r"checkpoint-1.pkl cannot be restored: ValueError: no items today"):
        saver.load(into=models)
    for error in (KeyboardInterrupt(), MemoryError(), OSError("disk")):
        Raising.error = error
        with pytest.raises(type(error)):
            saver.save(models, 2)


def test_no_framework_is_imported():
    """Saving and loading plain data imports neither numpy nor torch, and works where torch does not exist."""
    code = (
        "import sys, tempfile; from rla_hooks.checkpoints import Saver;"
        "assert not {'numpy', 'torch', 'google_crc32c'} & set(sys.modules);"
        "sys.modules['torch'] = None;"
        "saver = Saver(tempfile.mkdtemp()); saver.save({'a': [1]}, 1); assert saver.load() == (1, {'a': [1]});"
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, **ELSEWHERE)


def test_a_torch_file_without_torch_says_what_to_install(tmp_path):
    """The error names the package, not an import that failed somewhere."""
    (tmp_path / "checkpoint-1.pt").write_bytes(b"x")
    Manifest(tmp_path).add("checkpoint-1.pt", "checkpoint", 1)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from rla_hooks.checkpoints import Saver\n"
        "try: Saver(sys.argv[1]).load()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(run, check=True, **ELSEWHERE, capture_output=True, text=True).stdout
    assert told.startswith("CheckpointError") and "rla-hooks[torch]" in told and "checkpoint-1.pt needs torch" in told


# --- a backend that writes folders --------------------------------------------------------------------------

FOLDER_BACKEND = """
from rla_hooks.checkpoints import state_dicts
def matches(models): return "folder" in models
def collect(models, var_prefix): return models, []
def save(path, content):
    (path / "deep").mkdir(parents=True)
    (path / "index").write_text(str(content["folder"]))
    (path / "deep" / "data").write_text("x" * 1000)
    if content["folder"] == 13: raise OSError("unlucky")
def load(path, weights_only): return {"folder": int((path / "index").read_text())}
def restore(models, content, var_prefix): models["folder"] = content["folder"]
"""


def test_another_backend_is_a_file_and_a_line(tmp_path, monkeypatch):
    """A backend that writes folders needs nothing more, and its checkpoints are as safe as files."""
    (tmp_path / "folder_backend.py").write_text(FOLDER_BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(backends, "BACKENDS", [Backend("folder", ".ckpt", "folder_backend"), *BACKENDS])
    saver = Saver(tmp_path / "run", max_to_keep=2)
    for step in (1, 2, 3, 3):
        path = saver.save({"folder": step}, step)
    saver.save({"plain": 4}, 4, "other")
    with pytest.raises(OSError, match="unlucky"):
        saver.save({"folder": 13}, 13)
    assert names(tmp_path / "run") == ["checkpoint-2.ckpt", path.name, "manifest.json", "other-4.pkl"]
    assert json.loads((tmp_path / "run" / "manifest.json").read_bytes())["checkpoints"][0]["size"] == 1001
    into = {"folder": 0}
    assert saver.load(into=into) == (3, {"folder": 3}) and into == {"folder": 3}
    (path / "deep" / "data").rename(path / "deep" / "other")
    with pytest.warns(RLAWarning, match="has changed since"):
        assert saver.load()[0] == 2
    (path / "index").unlink()
    with pytest.warns(RLAWarning, match="bytes instead of"):
        assert saver.load()[0] == 2


# --- torch --------------------------------------------------------------------------------------------------


def network(torch, width=8):
    return torch.nn.Sequential(
        OrderedDict(body=torch.nn.Linear(4, width), norm=torch.nn.BatchNorm1d(width), head=torch.nn.Linear(width, 2))
    )


def equal_states(torch, one, two):
    assert list(one) == list(two)
    return all(torch.equal(one[name], two[name]) and one[name].dtype == two[name].dtype for name in one)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "AdamW"])
def test_training_goes_on_as_if_never_stopped(torch, tmp_path, optimizer):
    """5 steps, save, 5 more; loaded into fresh objects, the same 5 more: equal bit by bit, optimiser and all."""

    def fresh(seed):
        torch.manual_seed(seed)
        model = network(torch)
        extra = {"momentum": 0.9} if optimizer in ("SGD", "RMSprop") else {}
        optim = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01, **extra)
        return {"model": model, "optim": optim, "plan": torch.optim.lr_scheduler.StepLR(optim, 3)}

    def train(objects, steps):
        for step in steps:
            x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
            objects["optim"].zero_grad()
            objects["model"](x).pow(2).mean().backward()
            objects["optim"].step()
            objects["plan"].step()

    straight, resumed = fresh(0), fresh(1)
    saver = Saver(tmp_path)
    train(straight, range(5))
    saver.save(straight, 5)
    train(straight, range(5, 10))
    step, content = saver.load(into=resumed)
    frozen = {name: value.clone() for name, value in content["model"].items()}
    moments = [value.clone() for state in content["optim"]["state"].values() for value in state.values()]
    train(resumed, range(step, 10))
    assert equal_states(torch, straight["model"].state_dict(), resumed["model"].state_dict())
    assert resumed["plan"].get_last_lr() == straight["plan"].get_last_lr()
    left, right = (objects["optim"].state_dict() for objects in (straight, resumed))
    assert left["param_groups"] == right["param_groups"]
    for index in left["state"]:
        assert all(torch.equal(value, right["state"][index][key]) for key, value in left["state"][index].items())
    # What load returned does not change with the training that goes on.
    assert equal_states(torch, frozen, content["model"])
    after = [value for state in content["optim"]["state"].values() for value in state.values()]
    assert all(torch.equal(one, two) for one, two in zip(moments, after, strict=True))


def test_torch_alone_reads_the_file(torch, tmp_path):
    """Without rla_hooks, torch.load reads the file with weights_only=True."""
    model = network(torch)
    path = Saver(tmp_path).save({"policy": model, "nested": {"list": [torch.ones(2, dtype=torch.bfloat16)]}}, 1)
    content = torch.load(path, weights_only=True)
    assert equal_states(torch, model.state_dict(), content["policy"])
    assert content["policy"]._metadata == model.state_dict()._metadata
    assert content["nested"]["list"][0].dtype == torch.bfloat16


def test_tensors_of_all_kinds(torch, tmp_path):
    """Shared, complex, bool, 0-d, empty, sparse, bfloat16 tensors and ones with gradients come back equal."""
    base = torch.arange(6.0)
    grad = torch.ones(3, requires_grad=True)
    grad.note = print  # an attribute that could not be read again
    tensors = {
        "base": base,
        "view": base[2:4],
        "grad": grad,
        "calculated": grad * 2,
        "parameter": torch.nn.Parameter(torch.zeros(2)),
        "complex": torch.tensor([1 + 2j]),
        "bool": torch.tensor(True),
        "empty": torch.zeros(0, 3),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "sparse": torch.eye(3).to_sparse(),
    }
    saver = Saver(tmp_path)
    saver.save({"all": tensors}, 1)
    content = saver.load()[1]["all"]
    assert content["view"].untyped_storage().data_ptr() == content["base"].untyped_storage().data_ptr()
    for name, tensor in tensors.items():
        back = content[name]
        assert (type(back), back.dtype, back.requires_grad) == (torch.Tensor, tensor.dtype, False)
        assert torch.equal(back.to_dense(), tensor.detach().to_dense()), name


def test_tensors_are_restored_in_place(torch, tmp_path):
    """The caller's own tensors get the values, also those with gradients; other shapes are an error."""
    saver = Saver(tmp_path)
    saver.save({"x": torch.arange(3.0), "n": [1]}, torch.tensor(4))
    x = torch.zeros(3, requires_grad=True)
    assert saver.load(torch.tensor(4), into={"x": x, "n": [2]})[0] == 4
    assert x.tolist() == [0, 1, 2] and x.requires_grad and x.is_leaf
    with pytest.raises(CheckpointError, match=r"'x' has shape \(4,\) and in the file \(3,\)"):
        saver.load(into={"x": torch.zeros(4)})


def test_what_torch_would_not_read_again_is_left_out(torch, tmp_path):
    """One warning names place, type and way out of each; everything else is saved and loads."""
    readable = {
        "none": None,
        "int": -(2**70),
        "text": "中\ud800",
        "bytes": b"\xff\0",
        "set": {1, "x"},
        "ordered": OrderedDict(a=1),
        "keys": {(1, "a"): 2, None: 3, np.int64(4): 5},
        "numpy": [np.float32(0.5), np.bool_(True)],
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "size": torch.Size([1]),
    }
    unreadable = {
        "array": np.array([None]),
        "f": lambda: 1,
        "path": Path("x"),
        "empty bytes": b"",
        "frozen": frozenset({1}),
        "huge": 2**3000,
        "queue": deque([1]),
        "cls": torch.nn.Linear,
        "range": range(3),
        "long": np.longdouble(1),
        "date": np.datetime64("2026-01-31"),
    }
    ring = []
    ring.append(ring)
    mixed = {"list": [1, print, 3], "ring": ring, "table": defaultdict(int, a=1), "broken": Broken()}
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning) as caught:
        saver.save({"good": readable, "bad": unreadable, "mixed": mixed, "model": network(torch)}, 1)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "bad['array']: a numpy array of dtype object cannot be stored here. Numbers, text and dates can" in text
    assert "bad['f']: a <class 'function'>" in text and "and 4 more" in text
    content = saver.load()[1]
    assert content["good"] == readable | {"numpy": [0.5, True]}
    assert content["bad"] == {}
    assert content["mixed"] == {"list": [1, None, 3], "ring": [None], "table": {"a": 1}}
    assert set(content["model"]) == set(network(torch).state_dict())


class Broken:
    def state_dict(self):
        raise RuntimeError("no state today")


def test_a_broken_object_does_not_cost_the_others(torch, tmp_path):
    """An object whose state_dict raises is left out with its reason."""
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning, match="env: state_dict.. of a .*Broken.* raised RuntimeError: no state today"):
        saver.save({"env": Broken(), "model": network(torch)}, 1)
    assert set(saver.load()[1]) == {"model"}


def test_a_model_that_differs_is_not_touched(torch, tmp_path):
    """Other names or shapes: the error names the first few, and not one of the objects has changed."""
    saver = Saver(tmp_path)
    model = network(torch)
    optim = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optim.step()
    saver.save({"a": model, "b": model, "optim": optim}, 1)
    same, wide = network(torch), network(torch, width=9)
    fresh = torch.optim.Adam(same.parameters(), lr=0.5)
    before = {name: value.clone() for name, value in same.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        saver.load(into={"optim": fresh, "a": same, "b": wide})
    assert "'b.body.weight' has shape (9, 4) and in the file (8, 4)" in str(caught.value)
    assert "more" in str(caught.value) and "checkpoint-1.pt" in str(caught.value)
    assert equal_states(torch, before, same.state_dict())
    assert fresh.param_groups[0]["lr"] == 0.5 and not fresh.state
    with pytest.raises(CheckpointError, match=r"'a\.0\.weight' is not in the file.*'a\.body\.weight' is only in"):
        saver.load(into={"a": torch.nn.Sequential(torch.nn.Linear(4, 8))})
    with pytest.raises(CheckpointError, match=r"does not fit 'optim', a SGD|does not fit 'optim', a Adam"):
        saver.load(into={"a": same, "optim": torch.optim.Adam([torch.zeros(1, requires_grad=True)])})
    assert equal_states(torch, before, same.state_dict())


@pytest.mark.parametrize("prefix", ["body", "policy.body", "policy.b", r"b(o|i)dy\.", ".*ody"])
def test_var_prefix_selects_parameters(torch, tmp_path, prefix):
    """Only the selected parameters are saved and restored; other parameters stay, other objects are whole."""
    policy, extra = network(torch), {"epoch": 3, "x": torch.ones(1)}
    path = Saver(tmp_path, var_prefix=prefix).save({"policy": policy, "extra": extra}, 1)
    assert list(torch.load(path, weights_only=True)["policy"]) == ["body.weight", "body.bias"]
    for saver in (Saver(tmp_path, var_prefix=prefix), Saver(tmp_path, var_prefix=prefix)):
        other = network(torch)
        before = {name: value.clone() for name, value in other.state_dict().items()}
        _, content = saver.load(into={"policy": other})
        assert content["extra"]["epoch"] == 3
        for name, value in other.state_dict().items():
            expected = policy.state_dict()[name] if name.startswith("body") else before[name]
            assert torch.equal(value, expected), name
        Saver(tmp_path, var_prefix="").save({"policy": policy, "extra": extra}, 2)
    with pytest.raises(CheckpointError, match=r"'policy\.norm\.weight' is not in the file"):
        Saver(tmp_path).load(1, into={"policy": network(torch)})


def test_a_prefix_that_selects_nothing_is_told(torch, tmp_path):
    """A mistyped prefix would save an empty model in the place of the former: an error lists the names."""
    Saver(tmp_path, 1).save({"policy": network(torch)}, 2)
    with pytest.raises(CheckpointError, match=r"var_prefix 'plocy' selects none of policy\.body\.weight; "):
        Saver(tmp_path, 1, var_prefix="plocy").save({"policy": network(torch), "epoch": 3}, 3)
    with pytest.raises(CheckpointError, match=r"var_prefix 'plocy' selects none of policy\.body\.weight"):
        Saver(tmp_path, var_prefix="plocy").load(into={"policy": network(torch)})


def test_nested_models_and_empty_ones(torch, tmp_path):
    """Modules may stand in dicts and lists of any depth; a module without parameters is fine."""
    agent = {"critics": [network(torch), network(torch)], "deep": {"er": (network(torch),)}}
    models = {"agent": agent, "nothing": torch.nn.ReLU()}
    saver = Saver(tmp_path)
    saver.save(models, 1)
    other = {
        "agent": {"critics": [network(torch), network(torch)], "deep": {"er": (network(torch),)}},
        "nothing": torch.nn.ReLU(),
    }
    saver.load(into=other)
    for one, two in [
        (agent["critics"][1], other["agent"]["critics"][1]),
        (agent["deep"]["er"][0], other["agent"]["deep"]["er"][0]),
    ]:
        assert equal_states(torch, one.state_dict(), two.state_dict())
    with pytest.raises(CheckpointError, match=r"'agent\.critics\.2' is not in it"):
        saver.load(into={"agent": {"critics": [network(torch)] * 3}})


def test_tied_weights_stay_tied(torch, tmp_path):
    """A weight that two layers share is stored once and still shared after loading."""
    model = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Linear(300, 300))
    model[1].weight = model[0].weight
    saver = Saver(tmp_path)
    path = saver.save({"m": model}, 1)
    assert path.stat().st_size < 1.2 * 300 * 300 * 4
    saved = model[0].weight.detach().clone()
    torch.nn.init.zeros_(model[0].weight)
    saver.load(into={"m": model})
    assert model[0].weight is model[1].weight and torch.equal(model[0].weight, saved)


@pytest.mark.parametrize("step", [lambda t: t.tensor(3), lambda t: t.tensor([3]), lambda t: t.tensor(3, dtype=t.uint8)])
def test_a_step_may_be_a_tensor(torch, tmp_path, step):
    """A tensor of one whole number is a step; one of a float or a bool is none."""
    assert Saver(tmp_path).save({}, step(torch)).name == "checkpoint-3.pkl"
    for bad in (torch.tensor(3.0), torch.tensor(True), torch.tensor([1, 2])):
        with pytest.raises(ConfigError, match="step is"):
            Saver(tmp_path).save({}, bad)


def test_weights_saved_on_a_device_that_is_not_here_load(torch, tmp_path):
    """Tensors are mapped to the CPU, so a checkpoint of another machine's accelerator can be read."""
    model = network(torch)
    path = tmp_path / "checkpoint-1.pt"
    torch.save({"m": model.state_dict()}, path)
    data = path.read_bytes()
    assert data.count(b"cpu") > 0
    content = Saver(tmp_path)
    Manifest(tmp_path).add(path.name, "checkpoint", 1)
    assert content.load(into={"m": network(torch)})[0] == 1
