"""Places for runs to live in, and readers that owe nothing to rla_hooks."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rla_hooks import layout


@pytest.fixture
def run_paths(tmp_path):
    """The folders of a new run."""
    return layout.create(tmp_path / "logs", "task", {"lr": 0.1})


@pytest.fixture
def weird_tmp_path(tmp_path):
    """A folder that trips whoever splits, quotes or prints paths by hand."""
    folder = tmp_path / "a b'c\"d\ne 诗 %2F"
    folder.mkdir()
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def read_rows():
    """Read a progress.csv with the csv module: one dict a row, without the cells that are empty."""

    def read(path: Path) -> list[dict[str, str]]:
        text = path.read_bytes().decode("utf-8")
        assert text == "" or text.endswith("\n"), "the last row is torn"
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [{key: cell for key, cell in row.items() if cell} for row in rows]

    return read


@pytest.fixture
def read_scalars():
    """Read a folder of event files with TensorBoard's own reader: (step, value) pairs by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        reader.Reload()
        return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}

    return read


@pytest.fixture
def read_events():
    """Read the events of a folder as they stand in its files, without what the readers of plugins make of them."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    def read(folder: Path) -> list[Event]:
        files = sorted(folder.glob("*tfevents*"))
        return [Event.FromString(data) for file in files for data in RawEventFileLoader(str(file)).Load()]

    return read
