"""``rla init`` and ``rla version``, as typed in a terminal."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rla_hooks as rla
from rla_hooks import config
from rla_hooks.config import reading
from rla_hooks.config.template import TEMPLATE

pytestmark = pytest.mark.usefixtures("quiet", "own_home")


def test_the_file_sets_every_default(command, tmp_path):
    """Read back it is what no file at all would be, up to where it came from."""
    bare = config.load(cwd=tmp_path)
    assert command("init") == (f"wrote {tmp_path}/rla_config.yaml\n", "", 0)
    read = config.load()
    assert read.source == tmp_path / "rla_config.yaml" and bare.source is None
    assert read.replaced(source=None, raw={}) == bare.replaced(source=None, raw={})
    assert config.load(cwd=tmp_path) == read


def test_every_key_stands_in_the_file():
    """In the order of nobody's choice, but none is missing, and none is unknown."""
    content = yaml.safe_load(TEMPLATE)
    keys = {
        f"{key}.{inner}" if isinstance(value, dict) else key
        for key, value in content.items()
        for inner in (value if isinstance(value, dict) else [None])
    }
    assert keys == set(reading._KEYS)


def test_each_key_has_a_line_that_says_what_it_is():
    """A comment stands above it, or beside it, or above its section."""
    lines = TEMPLATE.splitlines()
    sections = {"REMOTE_SETTING"}
    for number, line in enumerate(lines):
        name = re.match(r" *(\w+):", line)
        if name and name[1] not in sections and not line.startswith("  "):
            inner = [each for each in lines[number + 1 : number + 3] if each.startswith("  #")]
            assert lines[number - 1].startswith("#") or inner, line
    assert max(map(len, lines)) <= 120 and TEMPLATE.isascii()


def test_with_the_file_a_run_is_as_without(command, tmp_path):
    """The writers are the default ones still: a framework's progress bar keeps stdout."""
    command("init")
    with rla.run("t", backup="none") as run:
        run.quiet_stdout()
        rla.log({"a": 1})
    assert rla.runs()[-1].log_dir.is_relative_to(tmp_path / "rla_data")
    assert "stdout" not in [writer.name for writer in run.logger.output_formats]


@pytest.mark.parametrize("name", ["rla_config.yaml", "rla_config.yml"])
def test_a_file_that_is_there_is_never_overwritten(name, command, tmp_path):
    """Unless --force says so, for the very name."""
    (tmp_path / name).write_text("LOG_USED: csv\n")
    done = command("init")
    assert done.code == 2 and done.out == "" and f"{name} is there already, and nothing was written" in done.err
    assert "rla init --print" in done.err and (tmp_path / name).read_text() == "LOG_USED: csv\n"
    done = command("init", "--force")
    if name.endswith(".yaml"):
        assert done.code == 0 and (tmp_path / name).read_text() == TEMPLATE
    else:
        assert done.code == 2 and "one would hide the other" in done.err
        assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_dead_link_is_not_written_through(command, tmp_path):
    """What it points to is outside."""
    (tmp_path / "rla_config.yaml").symlink_to(tmp_path / "outside")
    done = command("init")
    assert done.code == 1 and "cannot be written: File exists" in done.err
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("folder", ["/data/my runs", "../there", "a: b # c", "诗'\"\n", "x" * 300, "~/runs", "yes"])
def test_a_log_root_may_be_given(folder, command, tmp_path):
    """It stands in the file as it was given, whatever it is; all other lines are the same."""
    assert command("init", "--log-root", folder).code == 0
    assert yaml.safe_load((tmp_path / "rla_config.yaml").read_text())["LOG_ROOT"] == folder
    assert config.load().log_root == Path(os.path.abspath(os.path.expanduser(folder)))
    lines = [line for line in TEMPLATE.splitlines() if not line.startswith("LOG_ROOT")]
    assert [each for each in (tmp_path / "rla_config.yaml").read_text().splitlines() if each[:8] != "LOG_ROOT"] == lines


def test_print_writes_nothing(command, tmp_path):
    """The file, byte for byte, as it can be piped; also where there is one."""
    assert command("init", "--print") == (TEMPLATE, "", 0)
    assert command("init", "--print", "--json").json == {"path": None, "content": TEMPLATE}
    assert list(tmp_path.iterdir()) == []


def test_a_config_above_is_named(command, tmp_path, monkeypatch):
    """From now on it does not count here."""
    (tmp_path / "rla_config.yaml").write_text("LOG_ROOT: there\n")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    done = command("init")
    assert done.out.splitlines()[1] == f"it now counts in this folder, in place of {tmp_path}/rla_config.yaml"
    assert (tmp_path / "rla_config.yaml").read_text() == "LOG_ROOT: there\n"
    (tmp_path / "inner" / "rla_config.yaml").unlink()
    assert command("init", "--json").json == {"path": f"{tmp_path}/inner/rla_config.yaml", "content": TEMPLATE}


def test_a_folder_that_cannot_be_written_is_told(mounted, command, monkeypatch):
    """In one line, with exit code 1."""
    disk = mounted("tmpfs", "ro")
    monkeypatch.chdir(disk)
    done = command("init")
    assert done.code == 1 and "rla_config.yaml cannot be written: Read-only file system" in done.err


def test_the_version_is_told(command):
    """Both ways, and as JSON."""
    assert command("version").out == f"rla_hooks {rla.__version__}, Python {platform.python_version()}\n"
    assert command("version", "--json").json == {"rla_hooks": rla.__version__, "python": platform.python_version()}
    assert command("--version").out == f"rla_hooks {rla.__version__}\n"


def test_the_version_in_a_process_of_its_own():
    """Nothing heavy is imported for it."""
    code = (
        "import sys; sys.argv = ['rla', 'version', '--json']\n"
        "from rla_hooks.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'rich', 'pandas', 'yaml') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert json.loads(done.stdout.splitlines()[0])["rla_hooks"] == rla.__version__
    assert done.stdout.splitlines()[1:] == ["[]"]


@pytest.mark.skipif(os.name != "posix", reason="other systems delete no folder that is in use")
@pytest.mark.parametrize("name", ["init", "doctor"])
def test_a_working_directory_that_is_gone_is_told(name, tmp_path, monkeypatch):
    """A shell may still stand in it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = subprocess.run([Path(sys.executable).parent / "rla", name], capture_output=True, text=True)
    assert done.returncode == 1 and "the working directory is gone. Change to one" in done.stdout + done.stderr
