"""``rla doctor``: facts for a bug report, what is wrong, and no secrets."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.cli import disks, doctor

pytestmark = pytest.mark.usefixtures("quiet", "own_home")


@pytest.fixture(autouse=True)
def calm(monkeypatch, tmp_path):
    """The machine's own disks and variables do not decide these tests."""
    for name in [*os.environ]:
        if name.startswith("RLA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(disks, "room", lambda folder: disks.Room(10 << 30, 20 << 30, 10**6))
    monkeypatch.setattr(disks, "file_system", lambda folder: "ext4")


@pytest.fixture
def root(tmp_path):
    """The log root of this folder, with a run."""
    with rla.run("t", writers=["csv"], backup="none"):
        rla.log({"a": 1})
    return tmp_path / "rla_data"


def test_a_sound_machine_has_no_problem(root, command):
    """Exit code 0, and the facts as they are."""
    done = command("doctor", "--json")
    told = done.json
    assert done.code == 0 and told["ok"] is True and told["problems"] == []
    assert told["versions"]["rla_hooks"] == rla.__version__
    assert told["versions"]["Python"].startswith(platform.python_version())
    import numpy

    assert told["versions"]["numpy"] == numpy.__version__
    assert told["log root"]["folder"].endswith("rla_data") and told["log root"]["exists"] is True
    assert "the default, since no rla_config.yaml" in told["log root"]["from"]
    assert told["log root"]["can be written"] is True and told["log root"]["locks"] == "work"
    assert (told["log root"]["free"], told["log root"]["free inodes"]) == ("10.7 GB of 21.5 GB", 10**6)
    assert (told["cache"]["files"], told["cache"]["size"]) == (0, "0 bytes")
    text = command("doctor")
    assert text.out.endswith("no problem was found\n") and "  locks              work\n" in text.out
    assert "\x1b" not in text.out


def test_nothing_is_left_behind(root, command):
    """The file that tried the log root is gone; where there is no root, none is made."""
    before = sorted(root.rglob("*"))
    command("doctor")
    assert sorted(root.rglob("*")) == before
    shutil.rmtree(root)
    told = command("doctor", "--json").json
    assert told["ok"] is True and told["log root"]["exists"] is False and not root.exists()


def test_no_framework_is_imported(root):
    """Versions come from the packages' metadata."""
    code = (
        "import sys; sys.argv = ['rla', 'doctor', '--json']\n"
        "from rla_hooks.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([n for n in ('torch', 'tensorflow', 'keras', 'numpy', 'pandas', 'jax') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_secrets_and_the_home_folder_are_not_shown(root, command, monkeypatch, tmp_path):
    """The report is made for the public."""
    monkeypatch.setenv("RLA_API_TOKEN", "a1b2c3d4e5f6")
    monkeypatch.setenv("RLA_PROXY", "https://me:hunter22@host/")
    for arguments in (["doctor"], ["doctor", "--json"]):
        said = command(*arguments).out
        assert "a1b2c3d4e5f6" not in said and "hunter22" not in said and "RLA_API_TOKEN" in said
        assert str(tmp_path) not in said
    assert command("doctor", "--json").json["log root"]["folder"] == "~/rla_data"
    beside = tmp_path.with_name(f"{tmp_path.name}2")  # only begins like the home folder
    assert command("doctor", "--log-root", beside, "--json").json["log root"]["folder"] == str(beside)


def test_a_wrong_config_is_a_problem(root, command, tmp_path):
    """Each mistake, with the file; the rest of the report is there."""
    (tmp_path / "rla_config.yaml").write_text("LOG_USED: [cvs]\nLOG_ROT: x\n")
    done = command("doctor", "--json")
    assert done.code == 1 and len(done.json["problems"]) == 2
    unknown_key, wrong_value = done.json["problems"]
    assert "Did you mean 'LOG_ROOT'" in unknown_key and done.json["terminal"]["encoding"]
    assert wrong_value.startswith("~/rla_config.yaml: LOG_USED has 'cvs'")
    text = command("doctor")
    assert text.code == 1 and text.out.count("problem: ") == 2 and "no problem" not in text.out


def test_a_root_that_cannot_be_written_is_a_problem(mounted, command, monkeypatch):
    """A disk that is mounted read-only, and a folder that cannot be made there."""
    disk = mounted("tmpfs", "ro")
    done = command("doctor", "--log-root", disk, "--json")
    assert done.code == 1 and done.json["log root"]["can be written"] is False
    assert "cannot be written: Read-only file system. Reading works" in done.json["problems"][0]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    done = command("doctor", "--log-root", disk / "new", "--json")
    assert "does not exist, and cannot be made in" in done.json["problems"][0]


def test_a_root_that_is_a_file_is_a_problem(command, tmp_path):
    """So is a link that leads nowhere."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        done = command("doctor", "--log-root", tmp_path / name)
        assert done.code == 1 and "is no folder, or a link that leads nowhere" in done.out


def test_a_full_disk_is_a_problem(root, command, monkeypatch):
    """Of bytes, and of inodes."""
    monkeypatch.setattr(disks, "room", lambda folder: disks.Room(5000, 20 << 30, 12))
    problems = command("doctor", "--json").json["problems"]
    assert "nearly full: 5.0 kB are left" in problems[0] and "takes only 12 more files" in problems[1]
    monkeypatch.setattr(disks, "room", lambda folder: disks.Room(10 << 30, 20 << 30, None))
    assert command("doctor").code == 0


def test_locks_that_do_not_work_are_a_problem(root, command, monkeypatch):
    """Two processes would not see each other."""
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", lambda file, how: None)
    done = command("doctor", "--json")
    assert done.code == 1 and done.json["log root"]["locks"] == "do not work"
    assert "locks do not work in the log root" in done.json["problems"][0]


def test_a_network_disk_is_a_hint(root, command, monkeypatch):
    """It works, so the exit code is 0."""
    monkeypatch.setattr(disks, "file_system", lambda folder: "nfs4")
    done = command("doctor", "--json")
    assert done.code == 0 and done.json["log root"]["on the network"] is True
    assert [hint.split()[0:2] for hint in done.json["hints"] if "nfs4" in hint] == [["the", "log"], ["the", "cache"]]
    assert "hint: the log root lies on a file system of other machines (nfs4)" in command("doctor").out


@pytest.mark.parametrize("mode, code", [("off", 0), ("of", 1), ("on", 0)])
def test_rla_mode_is_looked_at(mode, code, root, command, monkeypatch):
    """A mode that turns tracking off is a hint, one that nobody knows a problem."""
    monkeypatch.setenv("RLA_MODE", mode)
    done = command("doctor", "--json")
    assert done.code == code and done.json["environment"]["RLA_MODE"] == mode
    assert ("RLA_MODE" in json.dumps(done.json["hints"] + done.json["problems"])) is (mode != "on")


def test_git_is_looked_at(root, command, tmp_path, monkeypatch):
    """The repository of this folder: commit, branch and the number of changed files; no git is a hint."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    options = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=trunk"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *options, *arguments], check=True, cwd=tmp_path)
    told = command("doctor", "--json").json["git"]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=tmp_path).stdout.strip()
    assert (told["repository"], told["commit"], told["branch"], told["changed files"]) == ("~", commit, "trunk", 1)
    monkeypatch.setenv("PATH", "")
    done = command("doctor", "--json")
    assert done.code == 0 and done.json["git"]["git"] == "not found" and "git is not installed" in done.json["hints"][0]


def test_a_cache_that_cannot_be_used_is_a_problem(root, command, monkeypatch, tmp_path, mounted):
    """Read-only, or in the way of it a file; one that works tells its size."""
    (tmp_path / "cache" / "rla_hooks").mkdir(parents=True)
    (tmp_path / "cache" / "rla_hooks" / "index-0.sqlite").write_bytes(b"x" * 5000)
    told = command("doctor", "--json").json["cache"]
    assert (told["folder"], told["files"], told["size"]) == ("~/cache/rla_hooks", 1, "5.0 kB")
    disk = mounted("tmpfs", "size=1m")
    (disk / "rla_hooks").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    done = command("doctor", "--json")
    assert done.code == 1 and "cannot be written: Read-only file system" in done.json["problems"][0]


def test_half_installed_packages_are_a_hint(root, command, monkeypatch):
    """Their metadata may be damaged."""

    def version(name):
        if name == "torch":
            raise KeyError("Version")
        raise doctor.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor.metadata, "version", version)
    done = command("doctor", "--json")
    assert done.code == 0 and "the package torch is half installed: KeyError" in done.json["hints"][0]
    assert list(done.json["versions"]) == ["rla_hooks", "Python", "platform"]


# --- file systems -----------------------------------------------------------------------------------------------------

MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:21 / {0}/disk\\040one rw,noatime shared:1 - nfs4 server:/x rw
24 23 0:22 / {0}/disk\\040one/deep rw - fuse.sshfs me@host: rw
25 22 0:23 / {0}/twice rw - ext4 /dev/sdb rw
26 22 0:24 / {0}/twice rw - tmpfs tmpfs rw
half a line
"""


@pytest.mark.parametrize(
    "folder, kind",
    [
        ("disk one", "nfs4"),
        ("disk one/a/b", "nfs4"),
        ("disk one/deep/a", "fuse.sshfs"),
        ("disk onetwo", "ext4"),
        ("twice/a", "tmpfs"),
        ("", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder, kind, tmp_path, monkeypatch):
    """Blanks in names are escaped there; of two mounts on one point the later one is seen."""
    monkeypatch.undo()
    (tmp_path / "mounts").write_text(MOUNTS.format(tmp_path))
    assert disks.file_system(tmp_path / folder, str(tmp_path / "mounts")) == kind
    assert disks.file_system(tmp_path, str(tmp_path / "none")) is None


def test_a_real_mount_is_told_by_its_type(mounted, monkeypatch):
    """As the system names it."""
    monkeypatch.undo()
    disk = mounted("tmpfs", "size=1m")
    assert disks.file_system(disk) == "tmpfs"
    assert disks.room(disk).total == 1 << 20
    assert disks.try_writing(disk) == (None, True) and list(disk.iterdir()) == []


def test_the_nearest_folder_that_exists(tmp_path):
    """For a log root that is not made yet."""
    assert disks.existing(tmp_path / "a" / "b") == tmp_path == disks.existing(tmp_path)
    assert Path(disks.existing(Path("/nowhere/at/all"))) == Path("/")
