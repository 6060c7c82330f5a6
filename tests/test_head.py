"""Commit and branch are known where git itself does not say them, and nothing of a foreign repository is run."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.snapshot import git as git_calls
from rla_hooks.snapshot.backup import back_up
from rla_hooks.snapshot.head import git_folder, head_of
from rla_hooks.snapshot.provenance import Look, collect

pytestmark = pytest.mark.usefixtures("quiet", "plain_git")


@pytest.fixture
def plain_git(monkeypatch):
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(key, os.devnull)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "pro ject"
    project.mkdir()
    git(project, "init", "-q", "-b", "main")
    (project / "train.py").write_text("1\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "one")
    git(project, "remote", "add", "origin", "https://me:token@example.org/p.git")
    return project


@pytest.fixture
def refused(monkeypatch):
    """Gives a folder to another user: really where we may, else by git's own switch for its tests."""

    def refuse(top: Path) -> None:
        if os.geteuid() == 0:
            monkeypatch.delenv("SUDO_UID", raising=False)
            for folder, folders, files in os.walk(top):
                for name in (".", *folders, *files):
                    os.lchown(os.path.join(folder, name), 12345, 12345)
        else:
            monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    return refuse


STATES = {
    "loose": [],
    "packed": [["pack-refs", "--all"]],
    "branch with a slash": [["checkout", "-qb", "feature/a"]],
    "detached": [["checkout", "-q", "--detach"]],
    "changed after packing": [["pack-refs", "--all"], ["commit", "-qm", "two", "--allow-empty"]],
    "unborn": [["checkout", "-q", "--orphan", "new"]],
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("linked", [False, True])
def test_commit_and_branch_are_those_that_git_names(project, tmp_path, state, linked):
    """In the main work tree and in a linked one."""
    top = project
    if linked:
        top = tmp_path / "linked"
        git(project, "worktree", "add", "-qb", "other", str(top))
    for call in STATES[state]:
        git(top, *call)
    commit = None if state == "unborn" else git(top, "rev-parse", "HEAD")
    assert head_of(str(top)) == (commit, git(top, "branch", "--show-current") or None)
    assert os.path.samefile(git_folder(str(top)), project / ".git")


@pytest.mark.parametrize("head", ["", "junk", "ref: refs/../../HEAD", "ref: refs/heads/main\0", "ref: HEAD", "0" * 39])
def test_a_strange_repository_gives_none(tmp_path, head):
    """Damaged, hostile or of a format that is not known; a pipe is not waited for."""
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git" / "packed-refs")
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert head_of(str(tmp_path))[0] is None


def test_a_reference_to_itself_ends(tmp_path):
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    for file in ("HEAD", "refs/heads/a"):
        (tmp_path / ".git" / file).write_text("ref: refs/heads/a\n")
    assert head_of(str(tmp_path)) == (None, "a")


def test_the_repository_of_another_user_is_told_and_runs_nothing(project, tmp_path, refused, capsys):
    """Its commit is known, the way to trust it is told, its files are saved; none of its programs is started."""
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{tmp_path}/ran'\ncat\n")
    spy.chmod(0o755)
    commit = git(project, "rev-parse", "HEAD")
    (project / ".gitattributes").write_text("*.py filter=spy diff=spy\n")
    hooks = project / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / hook).write_bytes(spy.read_bytes())
        (hooks / hook).chmod(0o755)
    for key in ("core.fsmonitor", "filter.spy.clean", "filter.spy.process", "diff.spy.textconv", "diff.spy.command"):
        git(project, "config", key, str(spy))
    git(project, "config", "core.pager", str(spy))
    (project / "train.py").write_text("2\n")
    (tmp_path / "ran").unlink(missing_ok=True)  # git has run them for us, in our own tree
    refused(project)
    os.chdir(project)
    with rla.run(task="t", log_root=tmp_path / "logs", writers=["log"]) as run:
        pass
    found = rla.runs(tmp_path / "logs")[0].info["git"]
    assert (found["commit"], found["branch"], found["dirty"]) == (commit, "main", None)
    assert found["remote"] == "https://example.org/p.git" and not found["diff_complete"]
    assert f"safe.directory '{project}'" in found["problem"]
    assert found["problem"] in run.paths.log_txt.read_text()
    assert (run.code_dir / "train.py").read_text() == "2\n"
    assert not (tmp_path / "ran").exists()


def test_who_trusts_the_repository_gets_all_of_it(project, tmp_path, refused, monkeypatch):
    """What the line says helps."""
    refused(project)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    problem = collect(project, tmp_path / "a", tmp_path)["git"]["problem"]
    subprocess.run(problem.partition("If you trust it: ")[2], shell=True, check=True)
    found = collect(project, tmp_path / "b", tmp_path)["git"]
    assert found["dirty"] is False and found["diff_complete"] and "problem" not in found


def test_a_git_that_fails_is_told_with_its_own_words(project, tmp_path):
    """Here its config is damaged."""
    (project / ".git" / "config").write_text("[core\n")
    found = collect(project, tmp_path / "a", tmp_path)["git"]
    assert found["commit"] and "git failed: fatal: bad config line 1" in found["problem"]


def test_a_git_that_is_missing_or_hangs_is_told(project, tmp_path, monkeypatch):
    """Commit and branch are known all the same."""
    commit = git(project, "rev-parse", "HEAD")
    monkeypatch.setattr(git_calls, "TIMEOUT", 0.2)
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    found = collect(project, tmp_path / "a", tmp_path)["git"]
    assert (found["commit"], found["branch"]) == (commit, "main") and "git is not installed" in found["problem"]
    (programs / "git").write_text("#!/bin/sh\nexec /bin/sleep 1000\n")
    (programs / "git").chmod(0o755)
    found = collect(project, tmp_path / "a", tmp_path)["git"]
    assert found["commit"] == commit and "git did not answer within 0.2 seconds" in found["problem"]


@pytest.fixture
def other_git(tmp_path, monkeypatch):
    """Puts a script in the place of git."""

    def put(script: str) -> None:
        (tmp_path / "programs").mkdir()
        (tmp_path / "programs" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "programs" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:{os.environ['PATH']}")

    return put


def test_a_git_that_a_signal_ends_is_told_as_such(project, tmp_path, other_git):
    """It did not take too long; lack of memory may have killed it."""
    other_git("kill -KILL $$")
    found = collect(project, tmp_path / "a", tmp_path)["git"]
    assert found["commit"] and "git was ended by the signal SIGKILL" in found["problem"]


def test_the_start_of_a_run_waits_for_a_git_that_hangs_once(project, tmp_path, other_git, monkeypatch):
    """The files are listed without it; the calls that follow are hardly waited for."""
    other_git("exec sleep 1000")
    monkeypatch.setattr(git_calls, "TIMEOUT", 0.3)
    look = Look(project, tmp_path / "data")
    monkeypatch.setattr(git_calls, "TIMEOUT", 0.2)
    report = back_up(tmp_path / "data" / "code" / "run", tmp_path / "data", look.listing, project_root=project)
    assert report.files == 1 and look.listing.patience.seconds == 0.2 / 10
    monkeypatch.setattr(git_calls, "TIMEOUT", 1000.0)
    assert "git did not answer" in look.facts(tmp_path / "a")["git"]["problem"]


@pytest.fixture
def no_threads():
    """No thread can be had: none has room for such a stack."""
    before = threading.stack_size(1 << 50)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        threading.Thread().start()
    yield
    threading.stack_size(before)


@pytest.mark.skipif(os.name == "nt", reason="there, subprocess needs threads, too")
def test_git_is_asked_where_no_thread_can_be_had(project, tmp_path, no_threads):
    """A limit of processes, say; the backup has what git keeps, and the changes are known."""
    (project / ".gitignore").write_text("ignored.py\n")
    (project / "ignored.py").write_text("")
    (project / "train.py").write_text("2\n")
    look = Look(project, tmp_path / "data")
    report = back_up(tmp_path / "data" / "code" / "run", tmp_path / "data", look.listing, project_root=project)
    assert report.files == 2
    found = look.facts(tmp_path / "a")["git"]
    assert found["dirty"] is True and found["diff_complete"] and "+2" in (tmp_path / "a" / "git.diff").read_text()


@pytest.mark.skipif(os.name == "nt", reason="there, subprocess needs threads, too")
def test_a_git_that_hangs_is_ended_without_threads(project, tmp_path, no_threads, other_git, monkeypatch):
    """Commit and branch are known all the same."""
    other_git("exec sleep 1000")
    monkeypatch.setattr(git_calls, "TIMEOUT", 0.2)
    found = collect(project, tmp_path / "a", tmp_path)["git"]
    assert found["commit"] and "git did not answer within 0.2 seconds" in found["problem"]
