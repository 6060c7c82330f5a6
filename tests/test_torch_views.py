"""A small part of a large tensor makes a small checkpoint; tensors that share memory share it in the file."""

from __future__ import annotations

import pytest

from rla_hooks.checkpoints import Saver

torch = pytest.importorskip("torch")

LARGE = torch.arange(100_000.0)


@pytest.mark.parametrize(
    "part",
    [LARGE[5:15], LARGE[::1000], LARGE.reshape(100, 1000).T[:2], LARGE[:0], LARGE[7], LARGE.reshape(100, 1000)[:3, :3]],
    ids=["rows", "each thousandth", "transposed", "none", "one", "corner"],
)
def test_a_part_of_a_large_tensor_takes_its_own_room(part, tmp_path):
    """As it is, nested, twice, and as the parameter of a module; its values and shape come back."""
    module = torch.nn.Module()
    module.register_buffer("part", part)
    saver = Saver(tmp_path)
    path = saver.save({"x": part, "deep": [({"x": part}, 1)], "module": module}, 1)
    assert path.stat().st_size < 12_000 + 4 * part.numel()
    got = saver.load()[1]
    for each in (got["x"], got["deep"][0][0]["x"], got["module"]["part"]):
        assert torch.equal(each, part) and each.dtype == part.dtype


def test_what_is_more_than_half_is_not_copied(tmp_path):
    """Parts that make up the large tensor, or most of it, are in the file once, and share its memory."""
    saver = Saver(tmp_path)
    path = saver.save({"whole": LARGE, "first": LARGE[:10], "again": LARGE[:10]}, 1)
    assert path.stat().st_size < 1.1 * LARGE.nbytes
    got = saver.load()[1]
    got["whole"][0] = -1.0
    assert got["first"][0] == got["again"][0] == -1.0


def test_tensors_without_plain_memory_are_kept(tmp_path):
    """Sparse ones, and those that are expanded from one number."""
    sparse, expanded = torch.eye(3).to_sparse(), torch.ones(1).expand(1000)
    saver = Saver(tmp_path)
    assert saver.save({"sparse": sparse, "expanded": expanded}, 1).stat().st_size < 12_000
    got = saver.load()[1]
    assert torch.equal(got["sparse"].to_dense(), torch.eye(3)) and torch.equal(got["expanded"], expanded)
