"""A run's commit and its diff give back the tree it was started from, and finding out never hurts."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path

import pytest

from rla_hooks.snapshot import git as _git
from rla_hooks.snapshot import provenance
from rla_hooks.snapshot.backup import back_up
from rla_hooks.snapshot.provenance import collect, without_credentials

SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@b.c",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Git without the settings of whoever runs the tests."""
    for key, value in SETTINGS.items():
        monkeypatch.setenv(key, value)


def git(folder: Path, *arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, input=data, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture
def project(tmp_path):
    """A repository with one commit."""
    project = tmp_path / "pro ject"
    project.mkdir()
    git(project, "init", "-q", "-b", "main")
    (project / "train.py").write_text("lr = 1\nsteps = 2\n")
    (project / "old.py").write_text("old\n")
    (project / "picture.bin").write_bytes(bytes(range(256)))
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / ".gitignore").write_text("*.log\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "first")
    return project


@pytest.fixture
def look(tmp_path):
    """Collects into a folder and gives the answer and the diff's bytes."""

    def look(project):
        log_root = tmp_path / "rla_data"
        target = log_root / "code" / "run" / ".rla"
        about = collect(project, target, log_root)
        diff = target / "git.diff"
        return about, diff.read_bytes() if diff.exists() else None

    return look


def _tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if relative.parts[0] != ".git" and (path.is_symlink() or path.is_file()):
            data = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            found[str(relative)] = (path.lstat().st_mode & 0o120111, data)
    return found


def _restored(project: Path, about: dict, diff: bytes, folder: Path) -> dict[str, tuple[int, bytes]]:
    git(folder.parent, "clone", "-q", str(project), str(folder))
    git(folder, "checkout", "-q", about["git"]["commit"])
    git(folder, "apply", "--whitespace=nowarn", "-", data=diff)
    return _tree(folder)


def test_a_clean_tree_is_its_commit(project, look):
    """Commit and branch are told, and there is no diff."""
    about, diff = look(project)
    assert about["git"] == {
        "commit": git(project, "rev-parse", "HEAD").strip(),
        "branch": "main",
        "dirty": False,
        "remote": None,
        "diff": None,
        "diff_complete": True,
    }
    assert diff is None
    assert about["python"] == platform.python_version()
    assert about["implementation"] == platform.python_implementation()
    assert about["platform"] == platform.platform()


def test_commit_and_diff_give_back_the_exact_tree(project, look, tmp_path):
    """Edits, staged edits, removals, modes, binaries, links, and untracked files of every odd name."""
    (project / "train.py").write_bytes(b"lr = 3\r\nsteps = 2")
    (project / "old.py").unlink()
    (project / "picture.bin").write_bytes(bytes(range(255, -1, -1)))
    (project / "run.sh").chmod(0o755)
    (project / "staged.py").write_text("staged\n")
    git(project, "add", "staged.py")
    (project / "sub dir").mkdir()
    names = ["my new file.py", "sub dir/a b", "诗.py", 'quote".py', "tab\there", "line\nbreak", "back\\slash", "' "]
    for number, name in enumerate(names):
        (project / name).write_bytes(b"text %d\n" % number * number + b"end" * (number % 2))
    (project / os.fsdecode(b"latin\xe9.txt")).write_bytes(b"caf\xe9\n")
    (project / "empty").touch()
    (project / "tool").write_text("#!/bin/sh\n")
    (project / "tool").chmod(0o755)
    (project / "link to").symlink_to("train.py")
    (project / "diff --git a").write_text("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    about, diff = look(project)
    assert about["git"]["dirty"] and about["git"]["diff_complete"]
    assert _restored(project, about, diff, tmp_path / "again") == _tree(project)


def test_the_users_git_settings_do_not_shape_the_diff(project, look, tmp_path):
    """Colours, prefixes, orders and a foreign diff program of the repository's config are not used."""
    (project / "train.py").write_text("lr = 3\n")
    (project / "order").write_text("*.py\n")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/called'\necho foreign\n")
    program.chmod(0o755)
    (project / ".gitattributes").write_text("*.py diff=mine\n")
    for key, value in {
        "color.ui": "always",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.external": str(program),
        "diff.mine.textconv": str(program),
        "diff.mine.command": str(program),
        "diff.orderFile": "order",
        "diff.context": "0",
        "core.pager": str(program),
        "core.fsmonitor": str(program),
        "core.quotePath": "false",
        "status.renames": "true",
        "status.showUntrackedFiles": "all",
        "diff.ignoreSubmodules": "none",
    }.items():
        git(project, "config", key, value)
    about, diff = look(project)
    assert not (tmp_path / "called").exists()
    assert _restored(project, about, diff, tmp_path / "again") == _tree(project)


def test_git_variables_of_a_hook_do_not_point_elsewhere(project, look, monkeypatch, tmp_path):
    """A run started by a git hook still describes its own repository."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    commit = git(project, "rev-parse", "HEAD").strip()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    about, _ = look(project)
    assert about["git"]["commit"] == commit and about["git"]["dirty"] is False


def test_the_repository_is_only_read(project, look):
    """Not even the index is refreshed."""
    (project / "train.py").touch()
    before = {path: path.stat().st_mtime_ns for path in (project / ".git").rglob("*")}
    look(project)
    assert {path: path.stat().st_mtime_ns for path in (project / ".git").rglob("*")} == before


def test_secrets_do_not_enter_the_diff(project, look):
    """Neither tracked nor untracked ones; the diff says which are missing and still applies."""
    (project / "server.pem").write_text("old hunter2\n")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "a mistake")
    (project / "server.pem").write_text("new hunter2\n")
    (project / ".env").write_text("PASSWORD=hunter2\n")
    (project / ".ssh").mkdir()
    (project / ".ssh" / "config").write_text("hunter2\n")
    (project / "train.py").write_text("lr = 3\n")
    about, diff = look(project)
    assert b"hunter2" not in diff and b"lr = 3" in diff
    for name in (b"server.pem", b".env", b".ssh/config"):
        assert b"# left out: " + name + b" (may hold a secret)\n" in diff
    assert about["git"]["diff_complete"] is False
    git(project, "stash", "-q")
    git(project, "apply", data=diff)
    assert (project / "train.py").read_text() == "lr = 3\n"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize("changed", [True, False], ids=["changed", "new"])
def test_the_diff_of_a_private_file_is_private(project, tmp_path, changed):
    """Its content is in there; the diff of public files is public."""
    for number, (name, mode) in enumerate((("public.py", 0o644), ("private.py", 0o600))):
        (project / name).write_text("1\n")
        (project / name).chmod(mode)
        if changed:
            git(project, "add", name)
            git(project, "commit", "-qm", name)
            (project / name).write_text("2\n")
        collect(project, tmp_path / str(number), tmp_path / "logs")
        found = (tmp_path / str(number) / "git.diff").stat().st_mode
        assert bool(found & 0o044) is (mode == 0o644)


def test_only_secrets_changed(project, look):
    """Where all changes are secret the diff holds the note alone."""
    (project / "token.key").write_text("1\n")
    git(project, "add", "-A")
    about, diff = look(project)
    assert about["git"]["dirty"] is True
    assert diff == b"# left out: token.key (may hold a secret)\n"


def test_the_log_root_and_caches_are_no_untracked_files(project, tmp_path):
    """A log root inside the project, a virtual environment and caches make no tree dirty."""
    log_root = project / "rla [data]*"
    for name in ("log/run/progress.csv", "code/run/train.py"):
        (log_root / name).parent.mkdir(parents=True)
        (log_root / name).write_text("1\n")
    for name in ("__pycache__/a.pyc", "my env/pyvenv.cfg", "my env/lib/a.py", "pkg.egg-info/PKG-INFO", "sub/b.pyc"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("1\n")
    about = collect(project, log_root / "code" / "run" / ".rla", log_root)
    assert about["git"]["dirty"] is False
    assert not (log_root / "code" / "run" / ".rla" / "git.diff").exists()
    (project / "rla data").mkdir()
    (project / "rla data" / "mine.py").write_text("1\n")
    assert collect(project, log_root / "code" / "run" / ".rla", log_root)["git"]["dirty"] is True


def test_a_link_to_the_log_root_is_no_untracked_file(project, tmp_path):
    """Nor is it news for the backup; a link elsewhere is."""
    (tmp_path / "scratch").mkdir()
    (project / "logs").symlink_to(tmp_path / "scratch")
    assert collect(project, tmp_path / "target", project / "logs")["git"]["dirty"] is False
    report = back_up(project / "logs" / "code" / "run", project / "logs", project_root=project)
    assert report.left_out == {}
    (project / "data").symlink_to(tmp_path)
    assert collect(project, tmp_path / "target", project / "logs")["git"]["dirty"] is True


def test_a_project_that_is_its_own_log_root(project):
    """With LOG_ROOT at the top of the project, its trees are no untracked files, the rest is."""
    (project / "log").mkdir()
    (project / "log" / "progress.csv").write_text("1\n")
    target = project / "code" / "run" / ".rla"
    assert collect(project, target, project)["git"]["dirty"] is False
    (project / "new.py").write_text("1\n")
    assert collect(project, target, project)["git"]["dirty"] is True
    assert b"progress.csv" not in (target / "git.diff").read_bytes()
    assert b"new.py" in (target / "git.diff").read_bytes()


def test_binary_and_large_untracked_files_are_named_but_not_held(project, look):
    """The diff stays text of a bounded size."""
    (project / "model.bin").write_bytes(b"\0\1\2")
    (project / "huge.txt").write_bytes(b"x" * (provenance.MAX_FILE + 1))
    (project / "small.txt").write_text("small\n")
    about, diff = look(project)
    assert b"# left out: model.bin (not text)\n" in diff and b"# left out: huge.txt (too large)\n" in diff
    assert b"+small\n" in diff and len(diff) < 1000
    assert about["git"]["diff_complete"] is False


def test_a_huge_diff_is_cut_between_files_and_says_so(project, look, monkeypatch):
    """What is there still applies; a line tells that more was there."""
    for number in range(50):
        (project / f"{number:02}.txt").write_text("a\n" * 100)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "more")
    for number in range(50):
        (project / f"{number:02}.txt").write_text("b\n" * 100)
        (project / f"new{number:02}.txt").write_text("c\n" * 100)
    monkeypatch.setattr(provenance, "MAX_DIFF", 5000)
    about, diff = look(project)
    assert len(diff) < 6000 and about["git"]["diff_complete"] is False
    assert b"# left out: further changes of tracked files (diff too large)\n" in diff
    assert re.search(rb"# left out: \d+ untracked files from new\d\d.txt on \(diff too large\)\n", diff)
    git(project, "stash", "-q")
    git(project, "apply", data=diff)
    assert (project / "00.txt").read_text() == "b\n" * 100


def test_the_diff_is_stored_once_for_all_runs(project, tmp_path):
    """Ten runs of the same dirty tree share diff and package list."""
    (project / "train.py").write_text("lr = 3\n")
    for number in range(10):
        collect(project, tmp_path / "data" / "code" / f"run{number}" / ".rla", tmp_path / "data")
    for name in ("git.diff", "packages.txt"):
        assert len({path.stat().st_ino for path in (tmp_path / "data").glob(f"code/run*/.rla/{name}")}) == 1
        assert len(list((tmp_path / "data").glob(f"code/run*/.rla/{name}"))) == 10


def test_a_sub_folder_belongs_to_its_repository(project, look):
    """The diff is that of the whole repository, as git apply wants it."""
    (project / "sub").mkdir()
    (project / "train.py").write_text("lr = 3\n")
    about, diff = look(project / "sub")
    assert about["git"]["branch"] == "main" and b"a/train.py" in diff


def test_a_detached_head_has_no_branch(project, look):
    """The commit stands, the branch is None."""
    git(project, "checkout", "-q", "--detach")
    about, _ = look(project)
    assert about["git"]["branch"] is None
    assert about["git"]["commit"] == git(project, "rev-parse", "HEAD").strip()


def test_a_repository_without_a_commit(tmp_path, look):
    """There is nothing a diff could build on."""
    project = tmp_path / "fresh"
    project.mkdir()
    git(project, "init", "-q", "-b", "trunk")
    (project / "train.py").write_text("1\n")
    about, diff = look(project)
    assert about["git"]["commit"] is None and about["git"]["branch"] == "trunk"
    assert about["git"]["dirty"] is True and about["git"]["diff"] is None and diff is None


def test_a_linked_work_tree_and_a_merge_conflict(project, look, tmp_path):
    """Where .git is a file and the index holds conflicts, the answer still comes."""
    git(project, "checkout", "-q", "-b", "side")
    (project / "train.py").write_text("side\n")
    git(project, "commit", "-qam", "side")
    git(project, "checkout", "-q", "main")
    (project / "train.py").write_text("main\n")
    git(project, "commit", "-qam", "main")
    tree = tmp_path / "linked"
    git(project, "worktree", "add", "-q", "-b", "third", str(tree), "main")
    subprocess.run(["git", "merge", "side"], cwd=tree, capture_output=True)
    about, diff = look(tree)
    assert about["git"]["branch"] == "third" and about["git"]["dirty"] is True
    assert b"<<<<<<<" in diff
    assert _restored(project, about, diff, tmp_path / "again") == {
        key: value for key, value in _tree(tree).items() if key != ".git"
    }


def test_outside_of_git(tmp_path, look):
    """A plain folder, an empty folder named .git and no folder at all have no git."""
    (tmp_path / "plain" / ".git").mkdir(parents=True)
    for folder in (tmp_path / "plain", tmp_path / "missing", None):
        about, diff = look(folder)
        assert about["git"] is None and diff is None
        assert about["packages"] == "packages.txt"


def test_git_is_not_installed(project, look, monkeypatch, tmp_path):
    """What only git knows is None, and nothing is claimed to be clean."""
    monkeypatch.setenv("PATH", str(tmp_path))
    about, diff = look(project)
    assert about["git"]["remote"] is about["git"]["dirty"] is about["git"]["diff"] is None
    assert about["git"]["diff_complete"] is False and diff is None


def test_git_hangs(project, look, monkeypatch, tmp_path):
    """A git that never answers is ended with all it started; the rest of the answer comes."""
    programs = tmp_path / "programs"
    programs.mkdir()
    os.mkfifo(tmp_path / "held")
    script = f"#!/bin/sh\nexec 3<>'{tmp_path}/held'\ntouch '{tmp_path}/started'\nsleep 1000\n"
    (programs / "git").write_text(script)
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for seconds in (0.3, 3.0, 30.0):  # it must have started what has to be ended
        monkeypatch.setattr(_git, "TIMEOUT", seconds)
        about, _ = look(project)
        if (tmp_path / "started").exists():
            break
    assert about["git"]["commit"] and about["git"]["dirty"] is None
    assert about["python"] == platform.python_version()
    assert (tmp_path / "started").exists()
    deadline = time.monotonic() + 60
    while (held := _is_held(tmp_path / "held")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not held


def _is_held(pipe: Path) -> bool:
    """Whether a living process still has the pipe open: only then can one start to write to it."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_folder_that_cannot_be_written(project, tmp_path):
    """A file in the way of the target costs the files, not the answer."""
    (tmp_path / "in the way").write_text("")
    (project / "train.py").write_text("lr = 3\n")
    about = collect(project, tmp_path / "in the way" / ".rla", tmp_path / "data")
    assert about["git"]["dirty"] is True and about["git"]["diff"] is None and about["packages"] is None
    assert about["git"]["diff_complete"] is False


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host/a.git", "https://host/a.git"),
        ("https://secret@host:8443/a.git", "https://host:8443/a.git"),
        ("https://secret:x-oauth@host/a.git?access_token=secret#secret", "https://host/a.git"),
        ("https://me:sec@ret@host/a.git", "https://host/a.git"),
        ("ssh://git:secret@host:22/a.git", "ssh://git@host:22/a.git"),
        ("git@host:me/a.git", "git@host:me/a.git"),
        ("/a folder/a.git", "/a folder/a.git"),
        ("file:///a/b.git", "file:///a/b.git"),
        ("http://[secret@host/a", "http://"),
        ("ext::sh -c secret", "ext::"),
    ],
)
def test_a_remote_is_told_without_credentials(project, look, url, shown):
    """Neither passwords nor tokens nor an address that cannot be read are written."""
    assert without_credentials(url) == shown
    git(project, "remote", "add", "backup", "https://other/host.git")
    git(project, "remote", "add", "origin", url)
    assert look(project)[0]["git"]["remote"] == shown


def test_the_only_remote_need_not_be_called_origin(project, look):
    """Any remote is better than none."""
    git(project, "remote", "add", "upstream", "https://host/up.git")
    assert look(project)[0]["git"]["remote"] == "https://host/up.git"
