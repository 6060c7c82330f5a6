"""The command ``rla``, as typed in a terminal."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

RLA = Path(sys.executable).parent / "rla"


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """A finished run, a failed one, a killed one and a damaged one."""
    root = tmp_path_factory.mktemp("cli") / "a [root]"

    @rla.track(record=["info"], task="my task", log_root=root, writers=["csv"], backup="none")
    def train(info, fail=False):
        rla.log({"loss": 0.5}, step=0)
        rla.log({"loss": 0.25}, step=7)
        if fail:
            raise ValueError("as planned")
        return rla.current_run()

    train("[bold]good[/]")
    with pytest.raises(ValueError, match="as planned"):
        train("bad", fail=True)
    killed, damaged = train("dead"), train("broken")
    content = json.loads((killed.log_dir / "run.json").read_text())
    content |= {"status": "running", "pid": 2**22 + 1, "process": "gone", "rows": 0}
    (killed.log_dir / "run.json").write_text(json.dumps(content))
    (damaged.log_dir / "run.json").write_text("{")
    return root


def _rla(*arguments):
    environment = {"COLUMNS": "200", "PATH": ""}
    return subprocess.run([RLA, *map(str, arguments)], capture_output=True, text=True, env=environment)


def test_runs_are_listed_with_status_and_rows(log_root):
    """One line a run, oldest first; markup in names is shown, not obeyed; a killed run's rows are counted."""
    done = _rla("runs", "--log-root", log_root)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:]
    assert [word for line in lines for word in ("finished", "failed", "killed", "unknown") if word in line] == [
        "finished",
        "failed",
        "killed",
        "unknown",
    ]
    assert "info=[bold]good[/]" in lines[0] and " 7 " in lines[0]
    assert lines[2].split()[4:6] == ["2", "7"]
    assert "run.json cannot be read" in lines[3]


def test_show_names_the_folders_and_the_command(log_root):
    """The newest run's tree and a TensorBoard command that a shell takes as it is; a part of a name chooses another."""
    newest = _rla("show", "--log-root", log_root)
    assert "info=broken" in newest.stdout and "progress.csv" in newest.stdout
    assert f"tensorboard --logdir '{log_root}/log/my%20task'" in newest.stdout
    assert "info=bad" in _rla("show", "info=bad", "--log-root", log_root).stdout


def test_mistakes_are_one_line(log_root, tmp_path):
    """What the user can mend comes without a traceback; a log root without runs is no mistake."""
    done = _rla("show", "nothing like it", "--log-root", log_root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rla: no run has 'nothing like it' in its name. See them all: rla runs\n"
    assert "no runs" in _rla("runs", "--log-root", tmp_path).stdout
    assert list(tmp_path.iterdir()) == []
