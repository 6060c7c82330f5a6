"""What the backup of a project of 1,000 files and 10 MB costs, the first time and unchanged."""

import os
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from rla_hooks.snapshot import backup, provenance


def _project(root):
    """A git repository with 1,000 files of 10 kB, three .gitignore files and some ignored files."""
    random.seed(0)
    for i in range(1000):
        file = root / f"package_{i % 20}" / f"module_{i}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.randbytes(5_000).hex().encode())
    (root / ".gitignore").write_text("*.log\n/data/\n!keep.log\n")
    for i in range(2):
        (root / f"package_{i}" / ".gitignore").write_text("scratch_*\n")
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *arguments], check=True)


def measure():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        rounds = [_round(Path(folder, str(number))) for number in range(5)]
    first, unchanged, bare = (statistics.median(column) for column in zip(*rounds))
    yield "backup of 1,000 files, 10 MB, the first time", first, 0.5, "s"
    yield "the same, unchanged", unchanged, 0.2, "s"
    # Making files is what a disk is slow at; this ratio holds also where the seconds vary.
    yield "the first time / a bare loop that writes 1,000 files", first / bare, 8, "times"


def _round(folder):
    """Seconds of a first backup, of an unchanged one, and of a bare loop that writes as much, on fresh folders."""
    project, log_root = folder / "project", folder / "rla_data"
    _project(project)
    seconds = [_back_up(project, log_root, name) for name in ("first", "second", "third")]
    return seconds[0], seconds[2], _bare_loop(folder / "bare")


def _back_up(project, log_root, name):
    code_dir = log_root / "code" / name
    begin = time.perf_counter()
    look = provenance.Look(project, log_root)
    report = backup.back_up(code_dir, log_root, look.listing, project_root=project)
    look.facts(code_dir / backup.NOTES)
    seconds = time.perf_counter() - begin
    assert report.files == 1003, report
    return seconds


def _bare_loop(folder):
    folder.mkdir()
    content = bytes(10_000)
    begin = time.perf_counter()
    for i in range(1000):
        with open(folder / str(i), "wb") as file:
            file.write(content)
    return time.perf_counter() - begin
