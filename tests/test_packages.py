"""The installed packages are those that Python itself finds."""

from __future__ import annotations

import importlib.metadata
import re

from rla_hooks.snapshot.packages import packages
from rla_hooks.snapshot.provenance import collect


def test_the_packages_are_those_importlib_finds():
    """Names and versions agree with importlib.metadata, sorted, a line each."""

    def normal(name):
        return re.sub(r"[-_.]+", "-", name).lower()

    expected = {}
    for found in importlib.metadata.distributions():
        if found.metadata["Name"] and found.version:
            expected.setdefault(normal(found.metadata["Name"]), found.version)
    assert packages() == [f"{name}=={version}" for name, version in sorted(expected.items())]
    assert any(line.startswith("pytest==") for line in packages())


def test_the_packages_file(tmp_path, monkeypatch):
    """The first of two versions on the path counts; a development install tells its version in PKG-INFO."""
    for name in (
        "one/My_Lib.sub-1.0+cpu.dist-info",
        "two/my_lib.sub-2.0.dist-info",
        "two/dev.egg-info",
        "two/x.dist-info",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "two/dev.egg-info/PKG-INFO").write_text("Metadata-Version: 2.1\nName: dev\nVersion: 3.1\n")
    (tmp_path / "two/old-0.1-py3.11.egg-info").write_text("Metadata-Version: 1.0\n")
    monkeypatch.setattr("sys.path", [str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "no.zip")])
    assert collect(None, tmp_path / "target", tmp_path)["packages"] == "packages.txt"
    assert (tmp_path / "target" / "packages.txt").read_text() == "dev==3.1\nmy-lib-sub==1.0+cpu\nold==0.1\n"
