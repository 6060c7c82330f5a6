"""A run that goes on with other code says so, and keeps the difference."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")

PROGRAM = """
import sys
import rla_hooks as rla
import model, unused_data

@rla.track(task="t", writers=["csv"], resume="auto")
def main():
    run = rla.current_run()
    if run.is_resumed:
        rla.load_checkpoint()
    rla.save_checkpoint({"w": model.width()}, step=1)
    if len(sys.argv) > 1:
        raise KeyboardInterrupt

main()
"""


@pytest.mark.parametrize("marker", ["pyproject.toml", None])
def test_changed_modules_are_a_warning_with_the_size_of_the_diff(tmp_path, marker):
    """Of those that are imported, in a project or not; a password in one is masked on both sides, and no change."""
    if marker:
        (tmp_path / marker).touch()
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "model.py").write_text("password = 'hunter2hunter2'\n\ndef width():\n    return 8\n")
    (tmp_path / "unused_data.py").write_text("")
    (tmp_path / "other.py").write_text("a = 1\n")

    def run(*arguments):
        return subprocess.run([sys.executable, "train.py", *arguments], timeout=60, capture_output=True, text=True)

    assert run("stop").returncode != 0
    (tmp_path / "other.py").write_text("a = 2\n")
    done = run("stop")
    assert "code has changed" not in done.stderr
    (tmp_path / "model.py").write_text(
        "password = 'hunter2hunter2'\n\ndef width():\n    more = 8\n    return 2 * more\n"
    )
    done = run()
    assert done.returncode == 0 and "the code has changed since the run was started: 1 file, +2 -1 lines" in done.stderr
    (saved,) = rla.runs()
    assert "1 file, +2 -1 lines" in str(saved.run_json["warnings"][-1])
    diff = (saved.code_dir / ".rla" / "resume-2.diff").read_text()
    assert "-    return 8\n+    more = 8\n+    return 2 * more\n" in diff and "hunter2" not in diff
