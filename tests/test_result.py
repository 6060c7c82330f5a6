"""``result`` in run.json: what a tracked function returned, as far as it is plain data."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import errno
import json
import math
import pathlib
import threading

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import atomic
from rla_hooks.reserve import SIZE, Reserve
from rla_hooks.results import plain_data

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"task": "t", "writers": ["csv"], "backup": "none"}


@dataclasses.dataclass
class Score:
    mean: float
    steps: list


class Colour(enum.Enum):
    RED = "red"


Point = collections.namedtuple("Point", "x y")


class Loud:
    """Raises wherever somebody looks at it."""

    def __repr__(self):
        raise RuntimeError("no repr")

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def _result(value):
    """What run.json has, and whether the caller got the very object."""

    @rla.track(**QUICK)
    def main():
        return value

    assert main() is value
    return json.loads(rla.runs()[-1].paths.run_json.read_text()).get("result")


@pytest.mark.parametrize(
    "value, expected",
    [
        (3, 3),
        (0, 0),
        (False, False),
        (2.5, 2.5),
        ("text", "text"),
        ("", ""),
        ([], []),
        ({}, {}),
        ((1, [2, None]), [1, [2, None]]),
        ({"return": 1.5, 3: "three", "none": None}, {"return": 1.5, "3": "three", "none": None}),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.arange(3), [0, 1, 2]),
        ({"a": np.float64(1.5), "b": {"c": np.ones((2, 2))}}, {"a": 1.5, "b": {"c": [[1.0, 1.0], [1.0, 1.0]]}}),
        (Score(1.5, [1]), {"mean": 1.5, "steps": [1]}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Colour.RED, "red"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        ({"model": object(), "return": 1.0, "hook": print}, {"return": 1.0}),
        (2**200, 2**200),
    ],
)
def test_plain_data_is_kept(value, expected):
    """Numbers, texts, lists, mappings and what is like them; of a mapping the entries that are plain."""
    kept = _result(value)
    assert kept == expected and type(kept) is type(expected)
    assert rla.runs()[-1].result == expected


def test_nan_and_infinity_are_kept():
    """As everywhere in run.json."""
    kept = _result([math.nan, math.inf, -math.inf])
    assert math.isnan(kept[0]) and kept[1:] == [math.inf, -math.inf]


LOOP: list = []
LOOP.append(LOOP)
NOT_PLAIN = {
    "none": None,
    "object": object(),
    "class": Score,
    "function": print,
    "list with an object": [1.0, object()],
    "loud": Loud(),
    "loud in a list": [Loud()],
    "mapping of objects": {"model": object()},
    "loop": LOOP,
    "large array": np.zeros(10_000),
    "long list": list(range(2000)),
    "long text": "x" * 200_000,
    "large mapping": {str(key): key for key in range(5000)},
    "generator": (each for each in "abc"),
    "lock": threading.Lock(),
    "huge int": 10**5000,
}


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_what_is_no_plain_data_is_left_out(what):
    """Without a warning, and without a text in its place: parameters have such texts, results are computed with."""
    assert _result(NOT_PLAIN[what]) is None
    saved = rla.runs()[-1]
    assert "result" not in saved.run_json and saved.result is None and saved.status == "finished"


def test_a_result_beyond_ten_kilobytes_is_told_and_left_out():
    """In log.txt: lists of thousands of runs read this file of each."""

    @rla.track(task="t", writers=["log"], backup="none")
    def main(size):
        return "x" * size

    main(9_990)
    main(10_000)
    short, long = rla.runs()
    assert short.result == "x" * 9_990 and long.result is None
    assert "the result is not kept: it has more than 10,000 bytes" in (long.log_dir / "log.txt").read_text()


def test_secrets_in_a_result_are_masked():
    """By the rule that hyper-parameters follow; the caller gets its own."""
    assert _result({"api_key": "a1b2c3d4e5", "return": 3}) == {"api_key": "***", "return": 3}
    assert _result("see ftp://me:hunter22@host") == "see ftp://me:***@host"


def test_a_coroutines_result_is_kept():
    """What it returns in the end."""

    @rla.track(**QUICK)
    async def main(value):
        await asyncio.sleep(0)
        return {"value": value}

    async def both():
        return await asyncio.gather(main(1), main(2))

    assert asyncio.run(both()) == [{"value": 1}, {"value": 2}]
    assert {run.hparams["value"]: run.result for run in rla.runs()} == {1: {"value": 1}, 2: {"value": 2}}


def test_methods_and_nested_calls_have_results_of_their_own():
    """The inner run's does not become the outer one's."""

    class Trainer:
        @rla.track(**{**QUICK, "task": "inner"})
        def train(self):
            return "inner"

    @rla.track(**{**QUICK, "task": "outer"})
    def outer():
        return [Trainer().train(), "outer"]

    outer()
    assert {run.task: run.result for run in rla.runs()} == {"inner": "inner", "outer": ["inner", "outer"]}


def test_a_call_that_fails_has_no_result():
    """Neither has a block."""

    @rla.track(**QUICK)
    def main():
        raise ValueError("as planned")

    with pytest.raises(ValueError, match="as planned"):
        main()
    with rla.run(**QUICK):
        pass
    assert [run.run_json.get("result") for run in rla.runs()] == [None, None]
    assert [run.status for run in rla.runs()] == ["failed", "finished"]


def test_a_result_goes_to_the_run_that_log_files_gen_has_started():
    """RLA's words may start a further run inside of the call: the call's end is its end."""

    @rla.track(**QUICK)
    def main():
        from rla_hooks.tester import Tester

        Tester.over(rla.current_run()).log_files_gen()
        return 5

    main()
    assert [run.result for run in rla.runs()] == [None, 5]


def test_with_rla_mode_off_the_function_only_runs(monkeypatch, tmp_path):
    """Its result is what it returns."""
    monkeypatch.setenv("RLA_MODE", "off")
    value = [object()]
    assert rla.track(**QUICK)(lambda: value)() is value and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", ["ones(())", "ones(1)", "ones((2, 2))", "arange(3)", "tensor(True)"])
def test_tensors_of_torch_are_numbers_and_lists(make):
    """Those that are small; a loss may still have its gradient."""
    torch = pytest.importorskip("torch")
    tensor = eval(make, vars(torch).copy())
    assert plain_data({"a": tensor}) == {"a": tensor.tolist()}
    assert plain_data(torch.ones((), requires_grad=True)) == 1.0
    assert plain_data([torch.ones(3), torch.ones(10_000)]) is None
    assert plain_data(torch.nn.Linear(2, 2)) is None


def test_tensors_like_tensorflows_are_numbers_and_lists():
    """They have no tolist, but numpy()."""

    class Tensor:
        def __init__(self, array):
            self.array, self.shape = array, array.shape

        def numpy(self):
            return self.array

    assert plain_data([Tensor(np.float32(0.5)), Tensor(np.arange(2))]) == [0.5, [0, 1]]
    assert plain_data(Tensor(np.zeros(6000))) is None


def test_no_text_of_an_object_is_asked_for():
    """The repr of a replay buffer may take minutes."""

    class Buffer(collections.deque):
        def __repr__(self):
            raise AssertionError("asked for")

        __str__ = __repr__

    assert plain_data(Buffer([1])) is None and plain_data({"n": 1, "buffer": Buffer()}) == {"n": 1}
    assert plain_data({Buffer: 1}) is not None


def test_plain_data_is_bounded_in_time():
    """Of an endless-looking value only the beginning is looked at."""
    looked = []

    class Counted(dict):
        def __getitem__(self, key):
            looked.append(key)
            return super().__getitem__(key)

    assert plain_data([Counted({str(key): key for key in range(900)}) for _ in range(1000)]) is None
    assert len(looked) <= 6 * 900
    assert plain_data(Counted({str(key): key for key in range(10_000)})) is None and len(looked) <= 6 * 900


def test_on_a_full_disk_the_ending_matters_more(tmp_path, monkeypatch):
    """In the room that is kept for it the result is the first to go."""
    reserve = Reserve(tmp_path / "run.json")
    reserve.keep()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "write_json", full)
    reserve.write_json({"status": "failed", "error": "E" * 8000, "result": "R" * 9000})
    content = json.loads((tmp_path / "run.json").read_text())
    assert content == {"status": "failed", "error": "E" * 8000}
    reserve.write_json({"status": "failed", "result": "R" * 9000})
    assert json.loads((tmp_path / "run.json").read_text())["result"] == "R" * 9000
    assert (tmp_path / "run.json").stat().st_size == SIZE
    reserve.drop()
