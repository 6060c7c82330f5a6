"""The backup holds the project's code as it was, what git would keep of it, and no secret."""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError
from rla_hooks.snapshot.backup import BackupReport, back_up, check
from rla_hooks.snapshot.request import project_of


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Git without the settings of whoever runs the tests."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, os.devnull)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)


@pytest.fixture
def project(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    return project


@pytest.fixture
def saved(tmp_path):
    """Backs up into the next run's folder; gives the report and what stands there: path -> content."""

    def saved(log_root=None, **settings):
        log_root = log_root or tmp_path / "rla_data"
        saved.runs += 1
        code = log_root / "code" / f"run{saved.runs}"
        report = back_up(code, log_root, **settings)
        return report, tree(code, without=".rla")

    saved.runs = 0
    return saved


def tree(folder: Path, without: str = ".git") -> dict[str, bytes]:
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file() or path.is_symlink()}
    return {str(short): path.read_bytes() for short, path in paths.items() if short.parts[0] != without}


def fill(folder: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def git(folder: Path, *arguments: str) -> bytes:
    names = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, check=True).stdout


def listed(folder: Path) -> set[str]:
    """What git itself keeps: tracked files and untracked ones that are not ignored."""
    out = git(folder, "ls-files", "-z", "-c", "-o", "--exclude-standard")
    return {path for path in map(os.fsdecode, out.split(b"\0")) if path and os.path.lexists(folder / path)}


# --- what belongs to the project ---


def test_the_whole_project_is_kept_byte_for_byte(project, saved):
    """Odd names and contents come out as they went in."""
    names = ["train.py", "sub/a b.py", "sub/quote'\".py", "line\nbreak.txt", "诗/诗.py", "-x", "a\\b", "中 文"]
    fill(project, *names, os.fsdecode(b"latin\xe9"))
    (project / "empty").touch()
    (project / "run.sh").write_bytes(b"#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    report, found = saved(script=project / "train.py")
    assert found == tree(project)
    assert (report.files, report.bytes) == (len(found), sum(map(len, found.values())))
    assert report.left_out == {}


def test_unchanged_projects_cost_one(project, saved, tmp_path):
    """Five runs of the same project share every inode; a changed file adds one."""
    fill(project, "train.py", "lib/a.py", "lib/b.py")
    for _ in range(5):
        saved(project_root=project)
    (project / "train.py").write_text("changed")
    saved(project_root=project)
    runs = tmp_path / "rla_data" / "code"
    assert len({path.stat().st_ino for path in runs.glob("run*/lib/a.py")}) == 1
    assert len({path.stat().st_ino for path in runs.glob("run*/train.py")}) == 2
    assert (runs / "run1" / "train.py").read_text() == "train.py"


def test_mode_none_creates_nothing(project, saved, tmp_path):
    """No folder, no file, and the line says so."""
    report, _ = saved(mode="none", project_root=project)
    assert (report.files, report.line()) == (0, "code: not backed up")
    assert not (tmp_path / "rla_data").exists()


def test_source_takes_the_named_files_and_folders(project, saved):
    """Files and folders, overlapping and deep ones, keep their place."""
    fill(project, "train.py", "other.py", "lib/a.py", "lib/deep/b.py", "data/c.py")
    wanted = ["train.py", "lib", "./lib/deep/", str(project / "lib" / "a.py")]
    _, found = saved(project_root=project, dirs=wanted)
    assert set(found) == {"train.py", "lib/a.py", "lib/deep/b.py"}
    assert set(saved(project_root=project, dirs=["."])[1]) == set(tree(project))


def test_lib_takes_the_library_alone(project, saved):
    """Mode lib copies lib_dir and the files a run asks for."""
    fill(project, "train.py", "lib/a.py", "data/c.py")
    _, found = saved(mode="lib", project_root=project, lib_dir="lib", run_files=[project / "train.py"])
    assert set(found) == {"train.py", "lib/a.py"}


def test_folders_outside_of_the_project_never_leave_the_backup(project, saved, tmp_path):
    """A path with ../ or an absolute one is kept under its own name, two of one name side by side."""
    fill(tmp_path, "x/common/a.py", "y/common/a.py", "z.py")
    fill(project, "common/a.py")
    dirs = ["common", "../x/common", str(tmp_path / "y/common"), "../z.py"]
    _, found = saved(project_root=project, dirs=dirs)
    assert found == {
        "common/a.py": b"common/a.py",
        "common_2/a.py": b"x/common/a.py",
        "common_3/a.py": b"y/common/a.py",
        "z.py": b"z.py",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"project", "rla_data", "x", "y", "z.py"}


def test_run_files_stand_at_the_top(project, saved, tmp_path):
    """Even ignored ones; not secrets; and none takes another's place."""
    fill(tmp_path, "elsewhere/train.py", "elsewhere/.env")
    fill(project, "train.py", "skipped.py")
    files = [project / "train.py", tmp_path / "elsewhere/train.py", project / "skipped.py", tmp_path / "elsewhere/.env"]
    report, found = saved(project_root=project, ignore=["skipped.py"], run_files=files)
    assert found == {
        "pyproject.toml": b"",
        "train.py": b"train.py",
        "train_2.py": b"elsewhere/train.py",
        "skipped.py": b"skipped.py",
    }
    assert report.left_out == {"secret": [".env"]}


@pytest.mark.parametrize("place", ["home", "temporary"])
def test_the_home_and_the_temporary_folder_are_no_project(tmp_path, monkeypatch, saved, place):
    """A stray setup.py or a dotfiles repository there makes no project; nor does what is above."""
    folder = tmp_path / "above" / place
    fill(tmp_path, "above/setup.py", f"above/{place}/.git/HEAD", f"above/{place}/scripts/train.py")
    fill(folder, "private.py", "scripts/notes.pdf", "scripts/pkg/__init__.py", "scripts/pkg/a.py", "scripts/other/b.py")
    fill(folder, "scripts/pkg/data.bin", "scripts/pkg/loose/c.py", "scripts/config.YAML", "scripts/Makefile")
    monkeypatch.setenv("HOME" if place == "home" else "TMPDIR", str(folder))
    if place == "temporary":
        monkeypatch.setattr(tempfile, "tempdir", None)
    script = folder / "scripts/train.py"
    assert project_of(script) is None
    _, found = saved(script=script)
    assert set(found) == {"train.py", "pkg/__init__.py", "pkg/a.py", "config.YAML", "Makefile"}


def test_a_read_only_container_without_a_temporary_folder_loses_nothing(project, tmp_path):
    """Only the log root can be written: code, commit and packages are kept all the same."""
    logs = tmp_path / "logs"
    logs.mkdir()
    script = (
        "import tempfile, rla_hooks as rla\n"
        "try: raise SystemExit(f'there is {tempfile.gettempdir()}')\n"
        "except FileNotFoundError: pass\n"
        f"with rla.run(task='t', log_root={str(logs)!r}): rla.save_checkpoint({{'x': 1}})\n"
    )
    (project / "train.py").write_text(script)
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "one")):
        git(project, *arguments)
    shell = 'mount --bind "$1" "$1"; for d in / /tmp /var/tmp; do mount -o remount,bind,ro $d; done; exec "$2" train.py'
    command = ["unshare", "-m", "sh", "-c", shell, "sh", str(logs), sys.executable]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("this user cannot make a mount namespace")
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    if "there is" in done.stderr:
        pytest.skip("the file system cannot be made read-only here")
    assert done.returncode == 0 and "RLAWarning" not in done.stderr, done.stderr
    (run,) = rla.runs(logs)
    assert run.status == "finished" and (run.code_dir / "train.py").read_text() == script
    assert run.info["git"]["diff_complete"] and (run.code_dir / ".rla" / "packages.txt").stat().st_size
    assert rla.latest_checkpoint(run)


def test_without_a_script_the_working_directory_counts(project, saved, monkeypatch):
    """So it is in a notebook, for a command installed beside Python, and for a module in site-packages."""
    fill(project, "deep/train.py", ".venv/lib/site-packages/pkg/__main__.py")
    monkeypatch.chdir(project / "deep")
    installed = project / ".venv/lib/site-packages/pkg/__main__.py"
    for script in (None, Path(sys.executable), installed, project / "missing.py"):
        assert project_of(script) == project.resolve()
    assert "deep/train.py" in saved()[1]


# --- what stays out ---


@pytest.mark.parametrize("in_git", [True, False])
def test_the_log_root_stays_out_wherever_it_stands(project, saved, tmp_path, in_git):
    """Inside the project, also reached through a link, above the project, or the project itself."""
    fill(project, "train.py", "deep/data/mine.py", "logs/kept.py", "archived/mine.py")
    if in_git:
        git(project, "init", "-q")
    (tmp_path / "link").symlink_to(project)
    everything = set(tree(project))
    for log_root in (tmp_path / "link/deep/data", project / "deep/data"):
        fill(log_root, "log/a/progress.csv")
        _, found = saved(log_root=log_root, project_root=project)
        assert set(found) == everything - {"deep/data/mine.py"}
    shutil.rmtree(project / "deep/data/code")
    shutil.rmtree(project / "deep/data/log")
    for log_root in (project, project, tmp_path, tmp_path):
        fill(log_root, "log/a/progress.csv", "results/a/b.png", ".trash/1/code/a/b.py", "archived/code/a/b.py")
        assert set(saved(log_root=log_root, project_root=project)[1]) == everything
        for folder in ("log", "results", ".trash", "archived/code"):
            shutil.rmtree(log_root / folder)


@pytest.mark.parametrize("in_git", [True, False])
def test_a_backup_can_itself_be_run_and_backed_up(project, saved, tmp_path, in_git):
    """An old run started again from its code folder has that code as its project."""
    fill(project, "train.py", "lib/a.py", ".env")
    if in_git:
        git(tmp_path, "init", "-q")
    saved(project_root=project)
    again = tmp_path / "rla_data/code/run1"
    _, found = saved(script=again / "train.py")
    assert set(found) == {"pyproject.toml", "train.py", "lib/a.py"}


def test_the_runs_of_another_log_root_stay_out(project, saved):
    """After LOG_ROOT was changed, the old one in the project is not copied run by run."""
    fill(project, "train.py", "old/log/a/progress.csv", "old/code/a/train.py", "old/archive_tester/a/tester.pkl")
    fill(project, "old/note.txt", "code/kept.py", "older/code/.store/00/00", "older/code/a/train.py")
    assert set(saved(project_root=project)[1]) == {"pyproject.toml", "train.py", "old/note.txt", "code/kept.py"}


def test_caches_and_environments_stay_out_in_silence(project, saved):
    """Even where git tracks them; a folder that is only called venv is kept."""
    fill(project, "train.py", "venv/vectorised.py", "my env/pyvenv.cfg", "my env/lib/a.py", "conda/conda-meta/history")
    fill(project, "conda/bin/tool.py", "a.pyc", "pkg.egg-info/PKG-INFO", ".hg/store", ".svn/entries", ".tox/x")
    for cache in "__pycache__ .venv node_modules .mypy_cache .pytest_cache .ruff_cache .ipynb_checkpoints".split():
        fill(project, f"{cache}/a.py", f"deep/{cache}/a.py")
    git(project, "init", "-q")
    git(project, "add", "-f", ".")
    report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml", "train.py", "venv/vectorised.py"}
    assert report.left_out == {}


SECRETS = (
    ".env .env.local .env.production prod.env .envrc server.pem server.key cert.p12 cert.pfx app.keystore "
    "id_rsa id_dsa id_ecdsa id_ed25519 .netrc .npmrc .pypirc .htpasswd credentials "
    "credentials.json secrets.yaml secret.txt ID_RSA service-account-7.json passwords.kdbx .git-credentials "
    ".ENV client_secret_1.json"
).split()
NO_SECRETS = (
    ".env.example .env.sample .env.template id_rsa.pub secrets.py secret.py credentials.py environment.py "
    "env keys.py monkey.py env.py secretary.txt tokens.txt keyboard.json"
).split()


def test_secrets_stay_out_and_are_told(project, saved, tmp_path):
    """Also where git tracks them, at any depth, and never in the store; templates and code stay in."""
    for name in SECRETS:
        fill(project, name, f"deep/{name}")
    fill(project, *NO_SECRETS, ".aws/config", "deep/.ssh/known_hosts", ".gnupg/x")
    git(project, "init", "-q")
    git(project, "add", "-f", ".")
    report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml", *NO_SECRETS}
    expected = [*SECRETS, *(f"deep/{name}" for name in SECRETS), ".aws/", "deep/.ssh/", ".gnupg/"]
    assert sorted(report.left_out["secret"]) == sorted(expected)
    stored = [
        path.read_bytes()
        for path in (tmp_path / "rla_data").rglob("*")
        if path.is_file() and path.parent.name != ".rla"
    ]
    assert not {os.fsencode(name) for name in SECRETS} & set(stored)


def test_large_files_stay_out_and_are_told(project, saved, tmp_path):
    """The cap counts 2**20 bytes a megabyte and lets a file of just that size in."""
    (project / "just.bin").write_bytes(b"x" * 2**20)
    (project / "data").mkdir()
    (project / "data" / "big.bin").write_bytes(b"x" * (2**20 + 1))
    (project / ".env").write_text("A=1")
    report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml", "just.bin"}
    assert report.left_out == {"over 1 MB": ["data/big.bin"], "secret": [".env"]}
    assert report.line() == "code: 2 files, 1.0 MB; left out 1 over 1 MB (data/big.bin), 1 secret (.env)"
    notes = tmp_path / "rla_data/code/run1/.rla/left_out.txt"
    assert notes.read_text() == "over 1 MB\tdata/big.bin\nsecret\t.env\n"
    assert "data/big.bin" in saved(project_root=project, max_file_mb=1.5)[1]


def test_links_are_followed_to_files_of_the_project_only(project, saved, tmp_path):
    """A link to a secret, out of the project, to a folder, to itself or to nothing is left out."""
    fill(tmp_path, "outside.py", "rla_data/log/a.csv")
    fill(project, "real/a.py", ".env", ".git_", ".venv/b.py", ".ssh/c")
    for name, target in {
        "good.py": "real/a.py",
        "twice.py": "good.py",
        "absolute.py": str(project / "real/a.py"),
        "outside.py": "../outside.py",
        "etc": "/etc/passwd",
        "loop": ".",
        "real/up": "..",
        "itself": "itself",
        "nothing": "missing",
        "folder": "real",
        "innocent.txt": ".env",
        "key.txt": ".ssh/c",
        "cached.py": ".venv/b.py",
        "device": "/dev/zero",
    }.items():
        (project / name).symlink_to(target)
    report, found = saved(project_root=project)
    assert found == {
        "pyproject.toml": b"",
        ".git_": b".git_",
        **dict.fromkeys(["real/a.py", "good.py", "twice.py", "absolute.py"], b"real/a.py"),
    }
    left = "cached.py device etc folder innocent.txt itself key.txt loop nothing outside.py real/up".split()
    gone = sorted(report.left_out.get("link", []) + report.left_out.get("unreadable", []))
    assert gone == left
    assert not any(path.is_symlink() for path in (tmp_path / "rla_data").rglob("*"))


def test_pipes_and_sockets_do_not_hang_the_start(project, saved, monkeypatch):
    """They are left out and told."""
    os.mkfifo(project / "pipe")
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml"}
    assert report.left_out == {"special file": ["pipe", "socket"]}


def test_what_cannot_be_read_is_told(project, saved, monkeypatch):
    """A file and a folder without permission, and one that vanishes in between, cost only themselves."""
    fill(project, "train.py", "locked.py", "closed/a.py", "gone.py")
    real_open, real_scandir = os.open, os.scandir

    def refuse(path):  # root may read everything, so the refusal is played
        if os.path.basename(path) in ("locked.py", "closed"):
            raise PermissionError(errno.EACCES, "denied", path)

    def play_open(path, *args, **kwargs):
        refuse(path)
        if os.path.basename(path) == "gone.py":
            os.unlink(path)
        return real_open(path, *args, **kwargs)

    def play_scandir(path):
        refuse(path)
        return real_scandir(path)

    monkeypatch.setattr(os, "open", play_open)
    monkeypatch.setattr(os, "scandir", play_scandir)
    report, found = saved(project_root=project)
    monkeypatch.undo()
    assert set(found) == {"pyproject.toml", "train.py"}
    assert sorted(report.left_out["unreadable"]) == ["closed/", "gone.py", "locked.py"]


def test_a_path_too_long_for_the_backup_is_told(project, saved):
    """The deepest folders the file system can hold do not stop a run; nothing recurses without end."""
    fill(project, "train.py")
    here = os.getcwd()
    try:
        os.chdir(project)
        for _ in range(45):
            os.mkdir("d" * 90)
            os.chdir("d" * 90)
        Path("deep.py").write_text("1")
    finally:
        os.chdir(here)
    report, found = saved(project_root=project)
    assert found["train.py"] == b"train.py"
    assert sum(map(len, report.left_out.values())) == 1
    assert len(report.line()) < 20_000


def test_a_full_disk_is_no_unreadable_file(project, tmp_path):
    """Trouble where the backup is written is raised: the caller decides."""
    (tmp_path / "in the way").write_text("")
    with pytest.raises(OSError):
        back_up(tmp_path / "in the way" / "run", tmp_path / "rla_data", project_root=project)


# --- git's rules ---


def test_in_a_work_tree_git_itself_says_what_is_kept(project, saved, tmp_path):
    """Tracked but ignored files, the user's and the repository's excludes, ignorecase, and every odd pattern."""
    fill(project, *"out/deep/kept.py out/deep/new.py out/x.py run.log other.log gone.py sub/keep.log sub/b.log".split())
    fill(project, *"C.PY a.mine b.info 1z az 中 é x] sub/.gitignore".split(), "line\nbreak", "t\t")
    (project / ".gitignore").write_text("out/\n*.log\n*.py\n[[:digit:]]z\n?\n[a-\n!\n\\\nt\t\n")
    (project / "sub/.gitignore").write_text("!keep.log\n")
    git(project, "init", "-q")
    git(project, "add", "-f", "out/deep/kept.py", "run.log", "gone.py")
    git(project, "config", "core.ignoreCase", "true")
    git(project, "config", "core.excludesFile", str(tmp_path / "mine"))
    (tmp_path / "mine").write_text("*.mine\n")
    (project / ".git/info/exclude").write_text("*.info\n")
    (project / "gone.py").unlink()
    expected = {"pyproject.toml", ".gitignore", "sub/.gitignore", "out/deep/kept.py", "run.log", "sub/keep.log"}
    report, found = saved(project_root=project)
    assert set(found) == listed(project) == expected | {"az", "中", "é", "x]", "line\nbreak"}
    assert report.left_out == {}


def test_a_linked_work_tree_is_one(project, saved, tmp_path):
    """There .git is a file that points elsewhere, and the excludes are those of the repository."""
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "1")
    (project / ".git/info/exclude").write_text("*.tmp\n")
    git(project, "worktree", "add", "-q", str(tmp_path / "linked"))
    fill(tmp_path / "linked", "a.tmp", "a.py")
    assert set(saved(project_root=tmp_path / "linked")[1]) == {"pyproject.toml", "a.py"}


def test_a_tracked_folder_that_became_a_link_is_not_followed(project, saved, tmp_path):
    """Git still lists the files that were in it; they are not taken from wherever the link leads to."""
    fill(project, "lib/a.py")
    fill(tmp_path, "elsewhere/a.py")
    git(project, "init", "-q")
    git(project, "add", ".")
    shutil.rmtree(project / "lib")
    (project / "lib").symlink_to(tmp_path / "elsewhere")
    report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml"} and report.left_out == {"link": ["lib"]}


@pytest.mark.parametrize("outer", [True, False])
def test_a_repository_in_the_project_has_its_own_rules(project, saved, outer):
    """A submodule and a clone are backed up as they would be alone; one that the project ignores is not."""
    fill(project, "lib/a.py", "lib/a.log", "lib/b.tmp", "lib/deep/c.py", "sub/a.py", "sub/b.tmp", "hidden/c.py")
    (project / ".gitignore").write_text("*.log\nhidden/\n")
    for folder in ("lib", "sub", "hidden"):
        (project / folder / ".gitignore").write_text("*.tmp\n")
        git(project / folder, "init", "-q")
    git(project / "sub", "add", ".")
    git(project / "sub", "commit", "-q", "-m", "1")
    if outer:
        git(project, "init", "-q")
        git(project, "add", "sub")
        assert b"160000" in git(project, "ls-files", "--stage")
    found = saved(project_root=project)[1]
    of_lib = {"lib/.gitignore", "lib/a.py", "lib/a.log", "lib/deep/c.py"}
    assert set(found) == {"pyproject.toml", ".gitignore", "sub/.gitignore", "sub/a.py", *of_lib}


ORDINARY = (
    "a b ab a.py *.py *.log build build/ foo foo/ foo* */ * /* /a /src/ src/a src/* src/** **/foo **/foo/ **/build/** "
    "a/**/b /src/*.py [ab] [a-c]* [!a]* ?? x\\  x* A /**/a src/*/b a/b/ *.p? #a"
).split(" ")


def _grow(dice: random.Random, folder: Path, depth: int = 0) -> None:
    for name in dice.sample(["a", "b", "ab", "a.py", "b.log", "build", "foo", "A", "src", "x y"], dice.randint(2, 6)):
        if dice.random() < 0.45 and depth < 3:
            (folder / name).mkdir()
            _grow(dice, folder / name, depth + 1)
        else:
            (folder / name).write_bytes(b"1")
    if dice.random() < (0.25 if depth else 0.8):
        signs = ["", "", "" if depth else "!"]
        lines = [dice.choice(signs) + dice.choice(ORDINARY) for _ in range(dice.randint(1, 5))]
        (folder / ".gitignore").write_text("\n".join(lines))


def test_outside_a_work_tree_ordinary_rules_mean_what_they_mean_to_git(tmp_path, saved):
    """Random trees with random nested rules give the list that git gives once it is there.

    Left out is where pathspec is known to differ: named character classes, "?" (to git a byte), tabs at a
    line's end, and a "!" in a nested file, which can bring back more than with git.
    """
    hidden = 0
    for number in range(60):
        project = tmp_path / f"case{number}"
        project.mkdir()
        _grow(random.Random(number), project)
        found = set(saved(project_root=project)[1])
        everything = set(tree(project))
        git(project, "init", "-q")
        rules = {str(path): path.read_text() for path in project.rglob(".gitignore")}
        assert found == listed(project), f"case {number}: {rules}"
        hidden += len(everything - found)
    assert hidden > 100  # the rules did hide something


CASES = {
    "nested": ({"": "*.log", "sub": "!keep.log"}, "a.log sub/keep.log sub/b.log sub/deep/keep.log"),
    "negation": ({"": "*\n!*/\n!*.py"}, "a.py a.txt sub/b.py sub/b.txt"),
    "anchored": ({"": "/a\nb/c"}, "a sub/a b/c sub/b/c"),
    "below an excluded folder": ({"": "out/\n!out/keep.py", "out": "!keep.py"}, "out/keep.py out/x.py"),
    "folder kept by a nested file": ({"": "build", "sub": "!build/"}, "build/a sub/build/a sub/x/build/a"),
    "star then keep": ({"": "out/*\n!out/keep.py"}, "out/keep.py out/x.py"),
    "folders only": ({"": "x/"}, "x sub/x/a"),
    "stars": ({"": "a/**/b\n**/c\nd/**"}, "a/b a/x/b a/x/y/b z/a/b c s/c d/x d/y/z"),
    "escapes": ({"": "\\#a\n\\!b\nc\\ \n\\*d\ne\\"}, "#a !b c\\ *d xd e e\\"),
    "invalid": ({"": "!\n!/\n/\n\\\n[z-a]\nb\n"}, "a b [z-a] sub/b sub/a"),
    "odd line ends": ({"": "a\r\nb  \n\r\n   \n#d"}, "a b #d d"),
    "byte order mark": ({"": "\ufeffa\nb"}, "a b"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_backup_agrees_with_git_on_known_pitfalls(project, saved, case):
    """Rules that are easily got wrong, with and without git's help."""
    rules, names = CASES[case]
    fill(project, *names.split())
    for folder, text in rules.items():
        (project / folder / ".gitignore").write_bytes(text.encode())
    without_git = saved(project_root=project)[1]
    git(project, "init", "-q")
    gits = listed(project)
    assert set(without_git) == set(saved(project_root=project)[1]) == gits
    assert gits != set(tree(project))


def test_the_rules_of_the_folders_above_hold(tmp_path, saved, monkeypatch):
    """A project that is part of a repository obeys the repository's rules, and only up to its top."""
    part = tmp_path / "repo/part"
    fill(part, ".gitignore", "a.log", "b.tmp", "sub/a.py", "x")
    (tmp_path / ".gitignore").write_text("x\n")
    (tmp_path / "repo/.gitignore").write_text("*.log\n/part/sub/a.py\n")
    (part / ".gitignore").write_text("*.tmp\n!a.log\n")
    git(tmp_path / "repo", "init", "-q")
    assert set(saved(project_root=part)[1]) == {".gitignore", "a.log", "x"} == listed(part)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(saved(project_root=part)[1]) == {".gitignore", "a.log", "x"}


@pytest.mark.parametrize("in_git", [True, False])
def test_rules_are_not_read_through_a_link(project, saved, tmp_path, in_git):
    """Git takes no .gitignore that is a link or a folder; neither does the backup."""
    (tmp_path / "rules").write_text("*.py\n")
    fill(project, "a.py", "sub/b.py", "sub/.gitignore/c.py")
    (project / ".gitignore").symlink_to(tmp_path / "rules")
    if in_git:
        git(project, "init", "-q")
    report, found = saved(project_root=project)
    assert set(found) == {"pyproject.toml", "a.py", "sub/b.py", "sub/.gitignore/c.py"}
    assert report.left_out == {"link": [".gitignore"]}


@pytest.mark.parametrize("in_git", [True, False])
def test_ignore_rules_of_the_config_add_to_gits(project, saved, tmp_path, in_git):
    """They hide what git tracks, too, are relative to the project root, and nonsense among them is passed over."""
    fill(project, "a.py", "b.py", "sub/a.py", "other.log", "data/x", "sub/notes.txt", "sub/kept.txt")
    (project / ".gitignore").write_text("*.log\n")
    if in_git:
        git(project, "init", "-q")
        git(project, "add", ".")
    (tmp_path / "rules").write_text("# mine\n/a.py\r\n*.txt\n")
    ignore = ["data/", "!kept.txt", "[z-a]", "!"]
    _, found = saved(project_root=project, ignore=ignore, ignore_files=[str(tmp_path / "rules")])
    assert set(found) == {"pyproject.toml", ".gitignore", "b.py", "sub/a.py", "sub/kept.txt"}
    _, found = saved(project_root=project, dirs=["sub"], ignore=["/sub/a.py"])
    assert set(found) == {"sub/notes.txt", "sub/kept.txt"}


@pytest.mark.parametrize("in_git", [True, False])
def test_what_is_named_is_taken_although_git_ignores_it(project, saved, in_git):
    """A folder or file in backup_code_dir is meant, as it stands there by name; the rules within it hold."""
    fill(project, "out/a.py", "out/deep/b.tmp", "c.tmp", ".venv/lib/pkg/a.py", "src/a.py", "src/a.tmp")
    (project / ".gitignore").write_text("out/\n*.tmp\n")
    (project / "out/.gitignore").write_text("deep/\n")
    if in_git:
        git(project, "init", "-q")
        git(project, "add", "-f", "out/deep/b.tmp")
    found = saved(project_root=project, dirs=["out", "c.tmp", ".venv/lib/pkg", "src"])[1]
    assert set(found) == {"out/.gitignore", "out/a.py", "c.tmp", ".venv/lib/pkg/a.py", "src/a.py"}


def test_without_git_the_rules_hold_all_the_same(project, saved, monkeypatch, tmp_path):
    """On a machine that has no git, or where it refuses to answer, only tracking is unknown."""
    fill(project, "a.py", "a.log", "tracked.log")
    (project / ".gitignore").write_text("*.log\n")
    git(project, "init", "-q")
    git(project, "add", "-f", "tracked.log")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(saved(project_root=project)[1]) == {"pyproject.toml", ".gitignore", "a.py"}
    (tmp_path / "git").write_text("#!/bin/sh\nexit 128\n")
    (tmp_path / "git").chmod(0o755)
    assert set(saved(project_root=project)[1]) == {"pyproject.toml", ".gitignore", "a.py"}


# --- mistakes ---


def test_all_mistakes_are_told_at_once_and_nothing_is_created(project, tmp_path):
    """Every problem is named with its value, what is near, and what to do."""
    fill(project, "source/a.py")
    settings = {
        "project_root": project,
        "dirs": ["sorce", "source", "", "missing/x"],
        "ignore_files": ["nowhere", "source"],
        "ignore": [1],
        "run_files": [project / "no.py", project / "source"],
        "max_file_mb": 0,
    }
    with pytest.raises(ConfigError) as caught:
        check(**settings)
    assert len(caught.value.problems) == 8
    assert "'sorce'" in str(caught.value) and "Did you mean 'source'?" in str(caught.value)
    with pytest.raises(ConfigError) as again:
        back_up(tmp_path / "rla_data/code/run", tmp_path / "rla_data", **settings)
    assert again.value.problems == caught.value.problems
    assert not (tmp_path / "rla_data").exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"mode": "sorce"}, "Did you mean 'source'?"),
        ({"mode": "lib"}, "lib_dir is None"),
        ({"mode": "lib", "lib_dir": "missing"}, "lib_dir has 'missing'"),
        ({"project_root": Path("/does/not/exist")}, "PROJECT_ROOT is '/does/not/exist'"),
        ({"max_file_mb": float("nan")}, "max_file_mb is nan"),
        ({"max_file_mb": "1"}, "max_file_mb is '1'"),
        ({"dirs": ["a\0b"]}, "backup_code_dir has"),
        ({"ignore_files": ["."]}, "ignore_code_paths has '.'"),
    ],
)
def test_each_mistake_has_its_message(project, settings, word):
    """The value stands in the message."""
    with pytest.raises(ConfigError) as caught:
        check(**{"project_root": project, **settings})
    assert len(caught.value.problems) == 1 and word in str(caught.value)


def test_a_file_of_ignore_rules_that_is_missing_is_only_noted(project, saved):
    """RLA's example config names one that few projects have; the others count."""
    fill(project, "a.py", "b.log")
    (project / "rules").write_text("*.log\n")
    report, found = saved(project_root=project, ignore_files=[".backupcode_ignore", "rules"])
    assert "a.py" in found and "b.log" not in found
    assert report.line().endswith("; no file of ignore rules .backupcode_ignore")


def test_good_settings_pass_the_check(project):
    """What back_up would take is no mistake; with mode none nothing else is looked at."""
    fill(project, "lib/a.py", "rules")
    assert check(project_root=project, dirs=["lib"], ignore=["*.x"], ignore_files=["rules"], max_file_mb=2) is None
    assert check(mode="none", project_root=Path("/does/not/exist"), dirs=["missing"]) is None


def test_the_line_stays_one_line(capsys):
    """Three names a reason, odd ones escaped, numbers and plurals right."""
    report = BackupReport(
        1, 0, {"secret": ["b\n", "a", "c", "d"], "link": ["x"], "over 1 MB": [os.fsdecode(b"\xe9"), "中"]}
    )
    line = report.line()
    assert line == "code: 1 file, 0 kB; left out 1 link (x), 2 over 1 MB (中, \\xe9), 4 secrets (a, b\\n, c, ...)"
    print(line)
    assert capsys.readouterr().out.count("\n") == 1
