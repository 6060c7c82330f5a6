"""A file that is replaced is the old one or the new one, whole, whatever happens in between."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rla_hooks import atomic
from rla_hooks.atomic import is_abandoned, replacing, temporary_in, write_bytes, write_json


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_is_replaced_and_no_other_is_left(weird_tmp_path, sync):
    """New and existing targets, also with the longest name that a file may have."""
    path = weird_tmp_path / ("x" * 255)
    write_bytes(path, b"one", sync)
    write_bytes(str(path), b"two", sync)
    assert path.read_bytes() == b"two" and list(weird_tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_block_that_raises_leaves_the_old_file(tmp_path, error):
    """The error passes through; the temporary file is removed."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.parent == tmp_path and path.read_bytes() == b"old"
        raise error
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_target_that_cannot_be_replaced_raises_and_leaves_nothing(tmp_path):
    """A folder in its place, a folder that is missing, a block that wrote nothing."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "folder", tmp_path / "missing" / "x", tmp_path / "file" / "x"):
        with pytest.raises(OSError):
            write_bytes(path, b"data")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_full_disk_leaves_the_old_file(small_disk):
    """No half file and no temporary one."""
    path = small_disk / "file"
    write_bytes(path, b"old")
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"x" * (2 << 20))
    assert path.read_bytes() == b"old" and list(small_disk.iterdir()) == [path]


@pytest.mark.norerun
def test_a_killed_process_leaves_the_old_or_the_new_file(tmp_path):
    """Two files are replaced over and over until kill -9; readers never saw a third."""
    path = tmp_path / "file"
    code = """
        import itertools, sys
        from rla_hooks.atomic import write_bytes
        for n in itertools.count():
            write_bytes(sys.argv[1], bytes([65 + n % 2]) * 100_000, sync=False)
            if n == 1: print("go", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"go\n"
        seen = {path.read_bytes() for _ in range(300)}
        child.kill()
    assert seen | {path.read_bytes()} <= {b"A" * 100_000, b"B" * 100_000}


def test_the_name_of_a_temporary_file_tells_whether_it_is_abandoned(tmp_path):
    """It says which process writes it: what a killed one left may be removed, and nothing else."""
    code = """
        import sys
        from rla_hooks.atomic import replacing
        with replacing(sys.argv[1]) as temporary:
            temporary.write_bytes(b"half")
            print(temporary.name, flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        name = child.stdout.readline().strip()
        assert (tmp_path / name).read_bytes() == b"half" and not is_abandoned(name)
        child.kill()
    assert is_abandoned(name)
    with replacing(tmp_path / "other") as temporary:
        assert not is_abandoned(temporary.name)
        temporary.touch()
    assert is_abandoned(temporary.name), "a name of ours that is not in use is that of an earlier process"
    assert not any(map(is_abandoned, ["file", ".x.tmp", name + "x", name.replace(name[8:16], "0badc0de")]))


@pytest.mark.parametrize("of_folder", [True, False])
def test_a_folder_that_cannot_be_synced_is_no_trouble_but_a_file_is(tmp_path, monkeypatch, of_folder):
    """Some network file systems refuse the sync of a folder; then the file is there all the same."""
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == of_folder:
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    path = tmp_path / "file"
    if of_folder:
        write_bytes(path, b"new")
        assert path.read_bytes() == b"new"
    else:
        with pytest.raises(OSError, match="Invalid argument"):
            write_bytes(path, b"new")
        assert list(tmp_path.iterdir()) == []


def test_json_is_readable_and_reads_back(tmp_path):
    """Chinese stays Chinese, NaN is NaN, lone surrogates survive."""
    content = {"诗": [1, 0.1, None, True, math.inf], "s": "\udc80\n", "n": math.nan}
    write_json(tmp_path / "file", content)
    text = (tmp_path / "file").read_text("utf-8")
    assert text.startswith('{\n  "诗": [\n    1,') and text.endswith("\n}\n") and '"\\udc80\\n"' in text
    assert str(json.loads(text)) == str(content)


def test_content_that_is_no_json_leaves_the_old_file(tmp_path):
    """The error comes before anything is touched."""
    write_json(tmp_path / "file", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "file", {"x": object()})
    assert json.loads((tmp_path / "file").read_text()) == [1] and len(list(tmp_path.iterdir())) == 1


def test_a_temporary_file_of_another_container_is_left_alone(tmp_path):
    """Containers may have the host's name, and numbers of their own: one that is free here may be in use there."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root can make a PID namespace")
    code = (
        "import os, sys, time; from pathlib import Path; from rla_hooks.atomic import temporary_in\n"
        "os.getpid = lambda: 2**22 - 2  # no process here has it\n"
        "with temporary_in(Path(sys.argv[1])) as path: print(path.name, flush=True); sys.stdin.read()"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as container:
        name = container.stdout.readline().strip()
        if not name:
            pytest.skip("a PID namespace cannot be made here")
        assert not is_abandoned(name)
        container.stdin.close()
    assert is_abandoned(name.replace(name.split("-")[1], _counted_here()))


def _counted_here():
    with temporary_in(Path(".")) as path:
        return path.name.split("-")[1]
