"""What a sweep shows: on a terminal, while it is stopped, and of secrets."""

import concurrent.futures
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla

TRAIN = """
import os, sys, time
import rla_hooks as rla

@rla.track(writers=["csv", "stdout"] if {stdout} else None, backup="none")
def main(seed, ends=True):
    rla.log({{"perf/return": seed}}, step=0)
    open(f"began-{{seed}}", "w").close()
    try:
        while seed == 1 and not ends:
            time.sleep(0.01)
    except KeyboardInterrupt:
        while os.path.exists("stay"):
            try:
                time.sleep(0.01)
            except KeyboardInterrupt:
                pass
        raise
"""


class Terminal:
    """A program on a terminal of its own, whose keys are typed here."""

    def __init__(self, command, folder):
        fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")

        def prepare():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # in a shell's background it is ignored

        self._ours, theirs = os.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"COLUMNS": "150", "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=prepare,
        )
        os.close(theirs)

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def wait(self, happened, seconds=120.0):
        """Read what is shown until that has happened."""
        until = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < until, self.shown
            if select.select([self._ours], [], [], 0.05)[0]:
                try:
                    self.shown += os.read(self._ours, 65536).decode(errors="replace")
                except OSError:  # the last process has left the terminal
                    time.sleep(0.05)
        return self.shown

    def ended(self):
        self.wait(lambda: self.process.poll() is not None)
        try:
            while select.select([self._ours], [], [], 0.2)[0]:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:
            pass
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path, own_home):
    """Types ``rla sweep train.py:main ...`` on a terminal."""
    pytest.importorskip("joblib")
    if os.name == "nt":
        pytest.skip("it has no such terminals")
    opened = []

    def start(*words, stdout=False):
        (tmp_path / "train.py").write_text(TRAIN.format(stdout=stdout))
        code = "import sys; from rla_hooks.cli import main; sys.argv[0] = 'rla'; sys.exit(main())"
        opened.append(Terminal([sys.executable, "-c", code, "sweep", "train.py:main", *words], tmp_path))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def _plain(shown):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")


def test_a_terminal_shows_the_bar_and_nothing_of_the_runs(terminal, tmp_path):
    """The plan, a question, counts, a table without a column of values where there are none."""
    shown = terminal("seed=0..2", "--jobs", "2")
    shown.wait(lambda: "begin? [Y/n]" in shown.shown)
    shown.type("\n")
    assert shown.ended() == 0
    text = _plain(shown.shown)
    assert "3 settings of main on local, 2 at once: 3 new" in text and "3/3" in text and "3 finished" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["#", "seed", "status", "took", "id"] in lines and [line[:3] for line in lines if len(line) > 5][-1][
        0
    ] == "2"
    assert "run:" not in text and "finished:" not in text and "perf/return" not in text
    log = next(Path(run.log_dir / "log.txt") for run in rla.runs(tmp_path / "rla_data"))
    assert "run: " in log.read_text()


def test_no_is_an_answer(terminal, tmp_path):
    """Nothing begins, and that is said."""
    shown = terminal("seed=0")
    shown.wait(lambda: "begin? [Y/n]" in shown.shown)
    shown.type("n\n")
    assert shown.ended() == 1 and "rla: nothing was begun" in shown.shown and "1 setting of main" in shown.shown
    assert not [*tmp_path.glob("began-*")]


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_on_a_terminal(times, terminal, tmp_path):
    """Once it ends the run in order, with the table; the second one kills a run that takes its time."""
    (tmp_path / "stay").touch()
    shown = terminal("seed=0..3", "ends=false", "--yes")
    shown.wait(lambda: (tmp_path / "began-1").exists())
    shown.type("\x03")
    shown.wait(lambda: "stopping 1 run" in shown.shown)
    if times == 2:
        shown.type("\x03")
    else:
        (tmp_path / "stay").unlink()
    assert shown.ended() == 130
    text = _plain(shown.shown)
    status = "interrupted" if times == 1 else "killed"
    rows = [line.split()[1:4] for line in text.splitlines() if re.match(r"^[0-3] +[0-3] ", line)]
    assert rows[:2] == [["0", "False", "finished"], ["1", "False", status]], text
    assert {run.status for run in rla.runs(tmp_path / "rla_data")} == {"finished", status}
    assert not (tmp_path / "began-2").exists() and "Traceback" not in text


def test_secrets_are_masked(tmp_path, capfd):
    """In the table, in the line of a failure, in what is kept of it."""

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(api_key, db):
        raise RuntimeError(f"login failed: password={db['password']}")

    key, password = "Zq9xT4vB7nM2kL5p", "hunter2-and-more"
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        rla.sweep(main, {"api_key": [key], "db": [{"password": password}]}, on=threads, retries=1)
    said = capfd.readouterr().err
    assert key not in said and password not in said and said.count("login failed: password=***") == 2
    assert said.splitlines()[-1].split()[1] == "***"
    for twice in ({"api_key": [key, key], "db": [1]}, [{"api_key": key, "db": {"password": password}}] * 2):
        with pytest.raises(rla.ConfigError, match="more than once") as error:
            rla.sweep(main, twice)
        assert key not in str(error.value) and password not in str(error.value)
