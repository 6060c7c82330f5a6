"""What the backup of a project of 1,000 files and 10 MB costs, the first time and unchanged."""

import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from rla_hooks import backup, provenance


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
        project, log_root = Path(folder, "project"), Path(folder, "rla_data")
        _project(project)
        seconds = []
        for name in ("first", "second", "third"):
            code_dir = log_root / "code" / name
            begin = time.perf_counter()
            report = backup.back_up(code_dir, log_root, project_root=project)
            provenance.collect(project, code_dir / backup.NOTES, log_root)
            seconds.append(time.perf_counter() - begin)
            assert report.files == 1003, report
    yield "backup of 1,000 files, 10 MB, the first time", seconds[0], 0.5, "s"
    yield "the same, unchanged", seconds[2], 0.2, "s"
