"""Objects are captured into plain trees and restored in place, exactly; a tree that does not fit changes nothing."""

from __future__ import annotations

import copy
import functools
import random
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy
import pytest

from rla_hooks.errors import CheckpointError
from rla_hooks.state import objects
from rla_hooks.state.objects.normalizers import normalizer_of
from rla_hooks.state.objects.random_state import random_parts


class Step(NamedTuple):
    observation: Any
    action: int
    reward: float


@dataclass
class Episode:
    length: int
    rewards: list


class Mode(Enum):
    TRAIN = 1


class Ring:
    """The replay buffer of many scripts."""

    def __init__(self, size=8, capacity=None):
        self.observations = numpy.zeros((capacity or size, 3), numpy.float32)
        self.position, self.size, self.full = 0, 0, False
        self.stream = numpy.random.default_rng()
        self.last = None
        self.mode, self.encode = Mode.TRAIN, abs

    def add(self, value):
        self.observations[self.position] = self.last = value
        self.position = (self.position + 1) % len(self.observations)
        self.full |= self.position == 0


class Meter:
    """A running normalizer as everybody writes it."""

    def __init__(self, shape=(3,)):
        self.mean, self.var, self.count = numpy.zeros(shape), numpy.ones(shape), 1e-4

    def update(self, value):
        self.count += 1
        self.mean = self.mean + (value - self.mean) / self.count
        self.var = self.var + numpy.square(value - self.mean) / self.count


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "it").tree)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
@pytest.mark.parametrize("legacy", [False, True])
def test_streams_of_numpy(name, legacy, tree_of):
    """A Generator and a RandomState of each kind go on exactly, in half draws and spawned streams, too."""
    kind = numpy.random.RandomState if legacy else numpy.random.Generator

    def begin(seed):
        return kind(getattr(numpy.random, name)(seed))

    def draw(stream):
        halves = [
            int(stream.randint(100)) if legacy else int(stream.integers(100, dtype=numpy.int32)) for _ in range(3)
        ]
        spawned = [] if legacy or not hasattr(stream, "spawn") else [stream.spawn(1)[0].normal()]
        return halves, stream.normal(size=3).tolist(), spawned

    stream = begin(5)
    draw(stream)
    tree = tree_of(stream)
    expected = draw(stream)
    other = begin(6)
    assert objects.restore(other, tree) == []
    assert draw(other) == expected
    holder = {"stream": None}  # made where there is none yet
    assert objects.restore(holder, {"stream": tree}) == []
    assert draw(holder["stream"]) == expected
    wrong = numpy.random.Generator(numpy.random.SFC64() if name != "SFC64" else numpy.random.PCG64())
    before = repr(wrong.bit_generator.state)
    assert objects.restore(wrong, tree, "buffer.rng") != []
    assert repr(wrong.bit_generator.state) == before


def test_streams_of_python(tree_of):
    """random.Random goes on, with the half of a pair of Gaussian numbers that it keeps. SystemRandom is refused."""
    stream = random.Random(3)
    stream.gauss(0, 1)
    tree = tree_of(stream)
    expected = [stream.gauss(0, 1), stream.random(), stream.getrandbits(200)]
    other = random.Random(4)
    assert objects.restore(other, tree) == []
    assert [other.gauss(0, 1), other.random(), other.getrandbits(200)] == expected
    with pytest.raises(CheckpointError, match=r"it\.s is a SystemRandom, which has no state\. Use a random\.Random"):
        objects.capture({"s": random.SystemRandom()}, "it")


def test_random_state_of_the_program(tree_of):
    """The functions of random and numpy.random go on; another kind of stream, and missing libraries, are named."""
    parts = {name: part for name, part in random_parts().items() if name in ("python", "numpy")}
    assert list(parts) == ["numpy", "python"]
    python, legacy = random.getstate(), numpy.random.get_state()
    try:
        random.gauss(0, 1), numpy.random.standard_normal()
        trees = {name: tree_of(part) for name, part in parts.items()}
        expected = [random.gauss(0, 1), numpy.random.standard_normal(), numpy.random.rand()]
        random.seed(9), numpy.random.seed(9)
        for name, part in parts.items():
            assert objects.restore(part, trees[name], name) == []
        assert [random.gauss(0, 1), numpy.random.standard_normal(), numpy.random.rand()] == expected
    finally:
        random.setstate(python), numpy.random.set_state(legacy)
    other = copy.deepcopy(trees["numpy"])
    other["state"]["bit_generator"] = "SFC64"
    assert "set_bit_generator" in objects.restore(parts["numpy"], other, "numpy")[0]
    assert "random state of Python and in the state the random" in objects.restore(parts["python"], other)[0]


def test_a_buffer_of_ones_own(tree_of):
    """Its attributes come back: arrays in place, also the stream and what was None at first; settings stay."""
    ring = Ring()
    for index in range(11):
        ring.add(numpy.full(3, index, numpy.float32))
    tree = tree_of(ring)
    expected = ring.stream.integers(8, size=5)
    other = Ring()
    array, other.mode = other.observations, "eval"
    assert objects.restore(other, tree, "ring") == []
    assert other.observations is array and numpy.array_equal(array, ring.observations)
    assert (other.position, other.full, other.mode) == (3, True, "eval")
    assert numpy.array_equal(other.last, ring.last)
    assert numpy.array_equal(other.stream.integers(8, size=5), expected)


def test_what_does_not_fit_is_named_and_nothing_is_changed(tree_of):
    """Shapes, types, classes, keys: all differences at once, and not one part is restored."""
    tree = tree_of({"ring": Ring(), "meter": Meter(), "count": numpy.arange(3), "more": numpy.ones(1)})
    mine = {"ring": Ring(9), "meter": Ring(), "count": numpy.zeros(3, numpy.int32), "less": numpy.ones(2)}
    mine["ring"].add(numpy.ones(3, numpy.float32))
    before = copy.deepcopy(mine["ring"].observations)
    assert objects.restore(mine, tree, "buffers") == [
        "buffers.ring.observations has shape (9, 3) and in the state (8, 3)",
        "buffers.meter is a Ring and in the state a Meter",
        "buffers.count has dtype int32 and in the state int64",
        "buffers.less is not in the state",
        "buffers.more is only in the state",
    ]
    assert numpy.array_equal(mine["ring"].observations, before) and mine["ring"].position == 1
    frozen = numpy.zeros(3)
    frozen.flags.writeable = False
    assert "cannot be written to" in objects.restore(frozen, numpy.ones(3))[0]
    assert objects.restore({"a": [1]}, {"a": {"rla": "no_such_kind"}})[0].startswith(
        "it.a is a no such kind in the state"
    )
    assert "extra" in objects.restore(5, 6, "steps")[0]
    assert "extra" in objects.restore((numpy.zeros(2), 5), (numpy.zeros(2), 6), "steps")[0]


def test_what_cannot_be_stored():
    """An error says where it is, what it is, and what to do; for all such values at once."""
    circle = []
    circle.append(circle)
    ring = Ring()
    ring.file = open(__file__)  # noqa: SIM115
    with ring.file, pytest.raises(CheckpointError) as caught:
        objects.capture({"ring": ring, "lines": (line for line in "ab"), "circle": circle}, "extra")
    message = str(caught.value)
    assert "extra.ring.file is a TextIOWrapper" in message and "extra.lines is a generator" in message
    assert "extra.circle[0] is a list that contains itself" in message and "ring.mode" not in message
    assert "get_state() and set_state(state)" in message


def test_containers(tree_of):
    """Values of all kinds come back with their types, whatever keys a dict has."""
    values = {
        "numbers": [1, -(10**40), 1.5, float("inf"), 2j, True, None, "a", b"\0"],
        "scalars": [numpy.float32(0.1), numpy.int64(3), numpy.bool_(True), numpy.datetime64("2020-01-01")],
        "tuple": (1, (2.0, numpy.arange(2))),
        "keys": {1: "a", (1, 2): "b", None: "c"},
        "tagged": {"rla": "dict", 5: [1]},
        "sets": {1, 2},
        "frozen": frozenset({"a"}),
        "deque": deque([1, "a", None], maxlen=5),
        "objects": numpy.array([[{}, {"a": 1}]], dtype=object),
        "empty": numpy.array([[{}, {}]], dtype=object),
        "record": Step(numpy.arange(3), 1, 0.5),
        "episode": Episode(3, [1.0, 2.0]),
        "memory": numpy.zeros(0),
        "structured": numpy.zeros(2, [("a", "f4"), ("b", "i8")]),
    }
    tree = tree_of(values)
    made: dict = {}
    assert objects.restore(made, tree) == []
    assert repr(made) == repr(values)
    assert [type(part) for part in made["scalars"]] == [type(part) for part in values["scalars"]]
    assert type(made["record"]) is Step and type(made["episode"]) is Episode


def test_containers_are_filled_in_place(tree_of):
    """Who holds a list, a dict or an array inside of one sees what was restored; classes of dicts stay."""
    array, steps, counts, episode = numpy.zeros(3), deque(maxlen=4), defaultdict(int), Episode(0, [])
    own = OrderedDict(pair=(array, 1), steps=steps, counts=counts, episode=episode)
    tree = tree_of(
        OrderedDict(pair=(numpy.ones(3), 7), steps=deque([1], maxlen=4), counts={"a": 1}, episode=Episode(2, []))
    )
    assert objects.restore(own, tree) == []
    assert array.tolist() == [1, 1, 1] and own["pair"][0] is array and own["pair"][1] == 7
    assert steps == deque([1]) and own["steps"] is steps and type(own["counts"]) is defaultdict
    assert own["episode"] is episode and episode.length == 2
    assert "maxlen 3" in objects.restore(deque(maxlen=3), tree_of(deque(maxlen=4)), "steps")[0]


def test_memory_mapped_arrays(tmp_path):
    """A memory-mapped array is filled where it is."""
    mapped = numpy.memmap(tmp_path / "a.bin", numpy.float32, "w+", shape=(4, 2))
    assert objects.restore({"obs": mapped}, {"obs": numpy.ones((4, 2), numpy.float32)}) == []
    mapped.flush()
    assert numpy.fromfile(tmp_path / "a.bin", numpy.float32).sum() == 8


@pytest.mark.parametrize("kind", [tuple, Step, dict])
def test_a_long_deque_becomes_a_few_arrays(kind, tree_of):
    """A deque of transitions is stored by columns and comes back exactly, each array of its own."""

    def row(index):
        value = numpy.full(2, index, numpy.float32)
        other = None if index % 3 == 0 else numpy.float64(index)
        if kind is Step:
            return Step(value, index, [index] * (index % 2))
        return (value, index / 4, other, index % 2 == 0) if kind is tuple else {"o": value, "a": index, "n": (other, 1)}

    buffer = deque((row(index) for index in range(40)), maxlen=50)
    tree = tree_of(buffer)
    assert tree["items"]["columns"][0]["values"].shape == (40, 2)
    other = deque(maxlen=50)
    assert objects.restore(other, tree) == []
    assert repr(other) == repr(buffer) and type(other[0]) is kind
    assert other[3][0 if kind is not dict else "o"].base is None


def test_long_lists_that_are_not_uniform(tree_of):
    """Mixed elements, huge integers and arrays of different shapes stay a list; mixed columns a list of values."""
    for values in (
        [1, "a"] * 20,
        [10**30] * 40,
        [numpy.zeros(index % 2) for index in range(40)],
        [(index, str(index), numpy.zeros(index % 2)) for index in range(40)],
        [(1,), (1, 2)] * 20,
        [None] * 40,
        [{}] * 40,
        [1.5, None] * 20,
    ):
        made: list = []
        assert objects.restore(made, tree_of(values)) == []
        assert repr(made) == repr(values)


def test_a_class_of_transitions_must_be_found_again(tree_of):
    """A named tuple that a function defines is refused when the state is saved, not when it is loaded."""

    class hidden(NamedTuple):
        a: int

    with pytest.raises(CheckpointError, match=r"whose class is not found as .*hidden\. Define it at the top"):
        objects.capture(deque([hidden(1)] * 40), "buffer")
    with pytest.raises(CheckpointError, match="whose class is not found"):
        objects.capture([hidden(1)], "buffer")
    tree = tree_of([Step(1, 2, 3.0)] * 40)
    tree["items"]["class"] = tree["items"]["class"].replace(":Step", ":Gone")
    assert ":Gone in the state, which is not here" in objects.restore([], tree)[0]
    tree["items"]["class"] = "os:system"
    assert "os:system in the state, which is not here" in objects.restore([], tree)[0]


def test_methods_of_the_object(tree_of):
    """Objects with state_dict and load_state_dict, or get_state and set_state, are asked themselves."""

    class Schedule:
        def __init__(self):
            self.lr, self._hook = 1.0, (line for line in "ab")

        def state_dict(self):
            return {"lr": self.lr}

        def load_state_dict(self, state):
            self.lr = state["lr"]

    class Sampler:
        def __init__(self):
            self.order = numpy.arange(3)

        def get_state(self):
            return self.order

        def set_state(self, state):
            self.order = state

    first, second = {"a": Schedule(), "b": Sampler()}, {"a": Schedule(), "b": Sampler()}
    first["a"].lr, first["b"].order = 0.5, numpy.array([2, 0, 1])
    assert objects.restore(second, tree_of(first)) == []
    assert second["a"].lr == 0.5 and second["b"].order.tolist() == [2, 0, 1]
    assert objects.restore({"a": Sampler(), "b": Sampler()}, tree_of(first), "it") == [
        "it.a is a Sampler and in the state a Schedule"
    ]


def test_a_normalizer_of_ones_own(tree_of):
    """mean, var and count come back exactly; another shape is named."""
    meter, other = Meter(), Meter()
    for value in numpy.random.default_rng(0).normal(size=(5, 3)):
        meter.update(value)
    assert normalizer_of(meter) is meter
    assert objects.restore(other, tree_of(meter)) == []
    meter.update(numpy.ones(3)), other.update(numpy.ones(3))
    assert vars(other)["count"] == meter.count
    assert numpy.array_equal(other.mean, meter.mean) and numpy.array_equal(other.var, meter.var)
    assert objects.restore(Meter((2,)), tree_of(meter), "obs")[0] == "obs.mean has shape (2,) and in the state (3,)"


def test_no_framework_is_imported(warm, tmp_path):
    """What the program has not imported is not imported to store its state."""
    code = (
        "import sys, numpy, random\n"
        "from rla_hooks.state.objects import capture, random_state\n"
        "capture([numpy.ones(2), random.Random(), *random_state.random_parts().values()])\n"
        "print(*sorted({'torch', 'jax', 'tensorflow', 'keras', 'gymnasium'} & set(sys.modules)))"
    )
    assert warm().run("-c", code, cwd=tmp_path).stdout.strip() == ""


def test_objects_that_can_be_called():
    """A normalizer that is called with an observation is kept; compiled functions, and tuples of code, are no state."""

    class Normalizer:
        def __init__(self):
            self.mean, self.longest, self.code = numpy.zeros(2), functools.lru_cache(len), (len, abs)

        def __call__(self, obs):
            self.mean += obs
            return obs - self.mean

    normalizer, other = Normalizer(), Normalizer()
    normalizer(numpy.ones(2))
    tree = objects.capture(normalizer).tree
    assert list(tree["attributes"]) == ["mean"]
    assert objects.restore(other, tree) == [] and other.mean.tolist() == [1, 1]
    assert other.code == (len, abs) and other.longest is not normalizer.longest


def test_kinds_of_one_name_are_told_apart():
    """As are a Sequential of torch and one of Keras."""

    class Deque(Ring):
        pass

    Deque.__name__ = "deque"
    tree = objects.capture(deque([1])).tree
    assert objects.restore(Deque(), tree, "it") == ["it is a deque (object) and in the state a deque (deque)"]
