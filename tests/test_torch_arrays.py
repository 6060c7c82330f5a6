"""numpy arrays beside torch objects are in the checkpoint, and come back as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rla_hooks.checkpoints import Saver
from rla_hooks.errors import CheckpointError, RLAWarning

torch = pytest.importorskip("torch")
from rla_hooks.checkpoints import torch_arrays  # noqa: E402

READ_ONLY = np.arange(3.0)
READ_ONLY.flags.writeable = False
ARRAYS = {
    "reversed": np.arange(6).reshape(2, 3)[:, ::-1],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "no axis": np.array(3.5),
    "empty": np.zeros((0, 3), np.float32),
    "text": np.array(["a", "中文"]),
    "empty text": np.zeros(2, "U0"),
    "bytes": np.array([b"x\0y"]),
    "date": np.array(["2026-01-31", "NaT"], "M8[D]"),
    "big-endian": np.arange(3, dtype=">f4"),
    "unsigned": np.array([2**64 - 1, 0], np.uint64),
    "uint8": np.arange(3, dtype=np.uint8),
    "complex": np.array([1 + 2j, np.nan]),
    "half": np.arange(4, dtype=np.float16),
    "long": np.array([1.5], np.longdouble),
    "bool": np.array([[True, False]]),
    "read-only": READ_ONLY,
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_its_values_shape_and_type(name, tmp_path):
    """At any depth, beside a module; the file is read with weights_only=True."""
    array = ARRAYS[name]
    saver = Saver(tmp_path)
    path = saver.save({"model": torch.nn.Linear(2, 1), "deep": [({"x": array}, 1)]}, 1)
    assert path.suffix == ".pt"
    got = saver.load()[1]["deep"][0][0]["x"]
    assert type(got) is np.ndarray and got.dtype == array.dtype and got.shape == array.shape
    assert got.tobytes() == np.ascontiguousarray(array).tobytes() and got.flags.writeable


@pytest.mark.filterwarnings("error")
def test_random_states_and_statistics_are_kept(tmp_path):
    """numpy's and Python's random states, and the mean and variance of a normaliser."""
    statistics = {"mean": np.array([0.5, -2.0]), "count": np.float64(1e4)}
    content = {"np": np.random.get_state(), "py": random.getstate(), "rms": statistics, "torch": torch.get_rng_state()}
    saver = Saver(tmp_path)
    saver.save({"model": torch.nn.Linear(2, 1), **content}, 1)
    got = saver.load()[1]
    np.random.set_state(got["np"])
    random.setstate(got["py"])
    assert random.getstate() == content["py"] and np.array_equal(np.random.get_state()[1], content["np"][1])
    assert got["rms"]["count"] == 1e4 and got["rms"]["mean"].tolist() == [0.5, -2.0]


def test_arrays_are_restored_in_place(tmp_path):
    """As with plain data; also from a file that has a tensor there, as files of before do; what differs is said."""
    mean, other = np.array([0.5, 1.5]), np.array([1.0])
    saver = Saver(tmp_path)
    saver.save({"model": torch.nn.Linear(2, 1), "rms": {"mean": mean}, "other": torch.ones(1)}, 1)
    mean[:] = 0
    other[:] = 0
    saver.load(into={"rms": {"mean": mean}, "other": other})
    assert mean.tolist() == [0.5, 1.5] and other.tolist() == [1.0]
    with pytest.raises(CheckpointError, match=r"'rms.mean' has shape \(3,\) and in the file \(2,\)"):
        saver.load(into={"rms": {"mean": np.zeros(3)}})


def test_arrays_of_objects_and_other_classes_are_left_out(tmp_path):
    """A mask or a field would be lost; each is named with a way out."""
    odd = {"objects": np.array([None]), "fields": np.zeros(1, [("a", int)]), "masked": np.ma.array([1])}
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning) as caught:
        saver.save({"model": torch.nn.Linear(2, 1), "odd": odd}, 1)
    assert all(f"odd['{name}']" in str(caught[0].message) for name in odd)
    assert saver.load()[1]["odd"] == {}


def test_a_hostile_array_is_refused():
    """A dtype of objects would read pointers from the file; sizes that do not fit are damage."""
    for dtype, shape in (("O", [1]), ("<f8", [7]), ("nonsense", [1]), (["x"], [1])):
        with pytest.raises(CheckpointError, match="holds a numpy array that is damaged"):
            torch_arrays.decode({"x": ("__rla__", "ndarray", dtype, shape, torch.zeros(8, dtype=torch.uint8))})


@pytest.mark.parametrize("name", ["big-endian", "text", "date", "half"])
def test_a_large_array_is_not_copied(name, tmp_path):
    """Neither for the file nor from it, whatever its type; nor is one whose numbers are on the disk."""
    array = ARRAYS[name].copy()
    on_disk = np.memmap(tmp_path / "buffer", array.dtype, "w+", shape=array.shape)
    for each in (array, on_disk):
        encoded = torch_arrays.encode(each, ("x",))
        assert encoded[-1].data_ptr() == each.ctypes.data
        assert torch_arrays.decode(encoded).ctypes.data == each.ctypes.data
