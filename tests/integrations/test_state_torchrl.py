"""Replay buffers of TorchRL go on exactly.

Importing TorchRL changes how the processes of a program start: so it is imported in a process of its own.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "scripts" / "state_torchrl.py"


@pytest.mark.parametrize("what", ["buffers", "prioritized"])
def test_buffers(warm, tmp_path, what):
    """Storages, samplers, writers and streams; what is not filled yet gets its data; other sizes are named."""
    pytest.importorskip("torch")
    for name in ("gymnasium", "torchrl"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"could not find {name}")
    if what == "prioritized" and not _has_trees():
        pytest.skip("this TorchRL's extension is of another torch, and it has no prioritized sampler without")
    (tmp_path / "states").mkdir()
    done = warm("torch", "gymnasium").run(SCRIPT, tmp_path / "states", what, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("equal\n"), done.stderr


def _has_trees():
    """Whether TorchRL's extension can be loaded, which needs the torch that it was built with. Without importing it."""
    found = PathFinder.find_spec("_torchrl", importlib.util.find_spec("torchrl").submodule_search_locations)
    try:
        importlib.util.module_from_spec(found)
    except (ImportError, AttributeError):
        return False
    return True
