"""The command ``rla``, as typed in a terminal."""

import contextlib
import json
import os
import re
import shlex
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


def _rla(*arguments, **environment):
    environment = {"COLUMNS": "200", "PATH": "", **environment}
    return subprocess.run([RLA, *map(str, arguments)], capture_output=True, text=True, env=environment)


def test_runs_are_listed_with_status_and_rows(log_root):
    """One line a run, oldest first; markup in names is shown, not obeyed; a killed run's rows come from its files."""
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
    assert re.split("  +", lines[2])[2:6] == ["my task", "killed", "2", "7"]
    assert "run.json cannot be read" in lines[3]


def test_show_names_the_folders_and_the_command(log_root):
    """The newest run's tree and a TensorBoard command that a shell takes as it is; a part of a name chooses another."""
    newest = _rla("show", "--files", "--log-root", log_root)
    assert "info=broken" in newest.stdout and "progress.csv" in newest.stdout
    assert f"tensorboard --logdir '{log_root}/log/my%20task'" in newest.stdout
    assert "info=bad" in _rla("show", "info=bad", "--log-root", log_root).stdout


def test_show_leaves_out_temporary_files(tmp_path):
    """A run that goes on keeps room for its ending in hidden files; they say nothing to a user."""
    running = rla.start(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    assert [path.name for path in running.log_dir.iterdir() if path.name.endswith(".tmp")]
    shown = _rla("show", "--files", "--log-root", tmp_path).stdout
    running.finish()
    assert "run.json" in shown and ".tmp" not in shown


def test_mistakes_are_one_line(log_root, tmp_path):
    """What the user can mend comes without a traceback; a log root without runs is no mistake."""
    done = _rla("show", "nothing like it", "--log-root", log_root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"rla: none of the 4 runs in '{log_root}' has the id, the name or the time 'nothing like it'. "
        "See them all: rla runs\n"
    )
    none = f"no runs in {tmp_path} (from --log-root). Another log root: --log-root\n"
    listed, empty = _rla("runs", "--log-root", tmp_path), _rla("show", "--log-root", tmp_path)
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", none)
    assert (empty.returncode, empty.stderr) == (2, f"rla: {none}")
    assert list(tmp_path.iterdir()) == []


EVIL = "\x1b]0;PWNED\x07\x1b[31mred\u202e"


@pytest.fixture(scope="module")
def hostile_root(tmp_path_factory):
    """Runs of somebody who wants the terminal, or has file names of another encoding."""
    root = tmp_path_factory.mktemp("hostile") / f"root{EVIL}"

    @rla.track(record=["info"], task=f"task{EVIL}", log_root=root, writers=["csv"], backup="none")
    def train(info):
        rla.log({"loss": 0.5}, step=0)
        return rla.current_run()

    first, run = train("plain"), train(EVIL)
    content = json.loads((run.log_dir / "run.json").read_text())
    content |= {"last_step": f"x\udcff{EVIL}", "rows": {"a": [EVIL]}, "warnings": [{"text": "a"}, {"text": "b"}]}
    (run.log_dir / "run.json").write_text(json.dumps(content))
    (run.log_dir / f"file{EVIL}").write_text("")
    with contextlib.suppress(OSError):  # macOS takes UTF-8 only
        Path(os.fsdecode(os.fsencode(run.log_dir) + b"/caf\xe9")).write_text("")
    (first.log_dir / "run.json").write_text(json.dumps({"format": 99, "status": f"new{EVIL}"}))
    return root


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
@pytest.mark.parametrize(
    "arguments",
    [
        *[["runs"], ["show"], ["show", "--files"], ["show", "info=plain"], ["show", EVIL], ["runs", "--csv"]],
        *[["runs", "--json"], ["runs", "--by", "info,task"], ["runs", "-c", "info,step,note"], ["path", "--json"]],
    ],
)
def test_nothing_is_printed_raw(arguments, encoding, hostile_root):
    """No control character of a name, a file or an argument reaches the terminal, and none of them is an error."""
    done = _rla(*arguments, "--log-root", hostile_root, PYTHONIOENCODING=encoding, FORCE_COLOR="", TERM="xterm")
    assert done.returncode == (2 if EVIL in arguments else 0) and "Traceback" not in done.stderr
    output = done.stdout + done.stderr
    assert "PWNED" in output or "plain" in arguments[-1]
    assert not [character for character in output if not character.isprintable() and character != "\n"]


def test_the_number_of_warnings_is_shown(hostile_root):
    """Those that run.json holds, since Python may show none of them."""
    head, _, line = _rla("runs", "--log-root", hostile_root).stdout.splitlines()
    assert line[head.index("wrong") :] == "2 warnings"


@pytest.mark.parametrize("columns", ["20", "60", "300"])
def test_in_a_pipe_a_run_is_one_line(columns, log_root):
    """Whatever the terminal's width, nothing is cut, so that grep finds runs by what they were given."""
    lines = _rla("runs", "--log-root", log_root, COLUMNS=columns).stdout.splitlines()
    assert len(lines) == 5 and all(line == line.rstrip() for line in lines)
    assert [info for info in ("[bold]good[/]", "bad", "dead", "broken") if f"info={info}" in "".join(lines)]
    (name,) = (run.name for run in rla.runs(log_root) if run.record["info"] == "bad")
    assert f"/{name}\n" in _rla("show", "info=bad", "--files", "--log-root", log_root, COLUMNS=columns).stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("command", ["runs", "show", "runs --json", "runs --csv"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_pipe_that_is_closed_early_is_no_error(command, reader, log_root):
    """As with `rla runs | head -1`: no traceback, also not at the end of Python."""
    line = f"{shlex.quote(str(RLA))} {command} --log-root {shlex.quote(str(log_root))} | {reader}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
@pytest.mark.parametrize("command", ["show", "runs --json"])
def test_output_that_cannot_be_written(command, log_root):
    """A full disk is told in a line, with exit code 1; output that nobody wants is no error."""
    line = f"{shlex.quote(str(RLA))} {command} --log-root {shlex.quote(str(log_root))}"
    done = subprocess.run(f"{line} >/dev/full", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "rla: No space left on device\n")
    done = subprocess.run(f"{line} >&- 2>&-", shell=True)
    assert done.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
def test_rows_that_cannot_be_read_hide_no_other_run(tmp_path):
    """Of a FIFO in place of progress.csv a line says that it is no file, and the command goes on."""
    for seed in range(2):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", seed=seed) as run:
            rla.log({"loss": 0.5 + seed}, step=0)
            rla.log({"loss": 0.25 + seed}, step=1)
    (run.log_dir / "progress.csv").unlink()
    os.mkfifo(run.log_dir / "progress.csv")
    for command, wanted in [
        (["show"], "seed  1"),
        (["compare"], "loss last  0.25"),
        (["plot", "loss", "*"], "loss"),
        (["tail"], ""),
        (["export", "--format", "csv"], "0.25"),
        (["runs", "-c", "min.loss"], "0.25"),
    ]:
        done = _rla(*command, "--log-root", tmp_path)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert wanted in done.stdout
        assert ("is a FIFO" in done.stderr) is (command[0] not in ("tail", "runs"))


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_printed_paths_can_be_pasted_into_a_shell(log_root):
    """A run's name has ampersands, which end a command; a task may have blanks and quotes."""
    shown = _rla("show", "info=bad", "--log-root", log_root).stdout
    (path,) = (line.partition("the run: ")[2] for line in shown.splitlines() if line.startswith("the run: "))
    done = subprocess.run(f"cd {path} && ls", shell=True, capture_output=True, text=True)
    assert "progress.csv" in done.stdout.split(), done.stderr


def test_a_tree_is_bounded(tmp_path):
    """Thousands of files, folders in folders in folders, links in a circle: some lines, and how many more there are."""

    @rla.track(log_root=tmp_path, task="t", writers=["csv"], backup="none")
    def train():
        return rla.current_run()

    run = train()
    deep = run.log_dir.joinpath(*["deep"] * 30)
    deep.mkdir(parents=True)
    (deep / "circle").symlink_to(run.log_dir)
    for number in range(1000):
        (run.results_dir / f"{number:04}").touch()
    lines = _rla("show", "--files", "--log-root", tmp_path).stdout.splitlines()
    assert len(lines) < 60 and any("... 992 more" in line for line in lines) and "circle" not in "".join(lines)


def test_the_path_that_a_run_prints_can_be_pasted(tmp_path, capsys):
    """At its start, and where the user asks for its folders."""
    with rla.run(
        task="my task",
        log_root=tmp_path,
        writers=["stdout"],
        backup="none",
        record=["lr"],
        hyper_parameters={"lr": 0.1},
    ) as run:
        run.print_log_dir()
    lines = capsys.readouterr().out.splitlines()
    shown = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}
    assert shlex.split(shown["run"]) == shlex.split(shown["log_dir"]) == [str(run.log_dir)]
