"""Completion with the tab key, asked for as the shells do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.cli import completion
from rla_hooks.cli.commands import COMMANDS

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.skipif(os.name != "posix", reason="needs a shell")]
RLA = Path(sys.executable).parent / "rla"


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two runs, the second with the labels and names of somebody who wants a shell to run them."""
    root = tmp_path_factory.mktemp("completion") / "root"
    for task in ("cartpole", "$(touch evil)", "my task"):
        with rla.run(task=task, log_root=root, writers=["csv"], backup="none", lr=0.1) as run:
            rla.log({"perf/return": 1.0, "`id`": 2.0}, step=0)
        if task != "cartpole":
            content = json.loads((run.log_dir / "run.json").read_text())
            content["id"] = "\\$(touch evil)" if task == "my task" else content["id"]
            (run.log_dir / "run.json").write_text(json.dumps(content))
    return root


def _bash(words, folder, **more):
    """What is offered for the last of these words, and what was printed on stderr."""
    environment = {**os.environ, "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), **more}
    environment |= {"_RLA_COMPLETE": "complete_bash"}
    done = subprocess.run([RLA], capture_output=True, text=True, env=environment, cwd=folder)
    return done.stdout.split(), done.stderr


def test_commands_options_tasks_runs_and_columns_are_offered(log_root, tmp_path):
    """Each where it fits, for the log root on the line; what a shell would evaluate is not among them."""
    given = ["--log-root", str(log_root)]
    runs = rla.runs(log_root)
    assert _bash(["rla", ""], tmp_path) == (list(COMMANDS), "")
    assert _bash(["rla", "run"], tmp_path) == (["runs"], "")
    assert _bash(["rla", "runs", "--ta"], tmp_path) == (["--tags", "--task"], "")
    assert _bash(["rla", "runs", *given, "--task", ""], tmp_path) == (["cartpole"], "")
    first, second, third = runs[0].id, runs[1].id, runs[2].name  # whose id is no plain word
    assert _bash(["rla", "path", *given, ""], tmp_path) == (["latest", third, second, first], "")
    assert _bash(["rla", "path", *given, second[:3]], tmp_path) == ([second], "")
    assert _bash(["rla", "path", *given, "--task", "cartpole", ""], tmp_path) == (["latest", first], "")
    assert _bash(["rla", "runs", *given, "-c", "lr,per"], tmp_path) == (["lr,perf/return"], "")
    assert _bash(["rla", "runs", *given, "-c", ""], tmp_path) == (["lr", "perf/return"], "")
    assert _bash(["rla", "plot", *given, ""], tmp_path) == (["perf/return"], "")
    assert _bash(["rla", "path", "latest", "ch"], tmp_path) == (["checkpoint"], "")


def test_acts_archived_runs_and_targets_are_offered(log_root, tmp_path):
    """Of undo and trash the numbers, the last first; of --restore and --archived the runs that are archived."""
    shutil.copytree(log_root, tmp_path / "root")
    root = tmp_path / "root"
    first = rla.runs(root)[0].id
    upkeep.delete(rla.runs(root)[1:])
    upkeep.archive(rla.runs(root))

    def offered(complete, text="", **given):
        context = SimpleNamespace(params={"log_root": root, **given})
        return [word if isinstance(word, str) else word[0] for word in complete(context, text)]

    assert completion.acts(SimpleNamespace(params={"log_root": root}), "") == [
        ("2", "archive 1 run"),
        ("1", "delete 2 runs"),
    ]
    assert offered(completion.runs) == ["latest"]
    assert offered(completion.runs, archived=True) == offered(completion.runs, restore=True) == ["latest", first]
    assert offered(completion.runs_and_tasks, restore=True) == ["latest", first, "cartpole"]
    assert _bash(["rla", "trash", "--log-root", str(root), "show", ""], tmp_path) == (["2", "1"], "")


def test_what_fails_is_silent(tmp_path, write_config):
    """No log root, a config that cannot be read, a command that there is not: nothing is printed into the line."""
    assert _bash(["rla", "runs", "--task", "c"], tmp_path) == ([], "")
    assert _bash(["rla", "nothing", "--task", ""], tmp_path)[1] == ""
    write_config(tmp_path, "LOG_ROOT: [\n")
    assert _bash(["rla", "path", "l"], tmp_path) == (["latest"], "")
    assert _bash(["rla", "runs", "-c", "l"], tmp_path, RLA_CONFIG="/nowhere/x.yaml") == ([], "")


def test_the_words_for_other_shells_are_evaluated_by_none(log_root, tmp_path):
    """zsh evaluates the answer twice, the help texts of runs as well: only plain letters are in it."""
    line = f"rla path --log-root {log_root} "
    answers = {}
    for shell, more in (("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})):
        environment = {**os.environ, "_RLA_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **more}
        done = subprocess.run([RLA], capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.stderr == ""
        answers[shell] = done.stdout
    run = rla.runs(log_root)[0]
    assert f'"{run.id}":"finished cartpole/' in answers["zsh"]
    assert f"{run.id}\tfinished cartpole/" in answers["fish"]
    assert not set("$`\\();") & set("".join(answers["zsh"].splitlines()[1:-1]).replace("))", ""))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes(log_root, tmp_path):
    """With the script that ``--install-completion`` writes, and that can be had without writing anything."""
    environment = {**os.environ, "_RLA_COMPLETE": "source_bash"}
    script = subprocess.run([RLA], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert script.returncode == 0 and "complete -o default -F _rla_completion rla" in script.stdout
    code = (
        f"{script.stdout}\nCOMP_WORDS=('{RLA}' runs --log-root '{log_root}' --task c); COMP_CWORD=5\n"
        f"_rla_completion '{RLA}' c\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("cartpole\n", "")


def test_completion_is_installed_only_when_asked(tmp_path, log_root):
    """Into the files of the shell in the home folder; other commands write nothing there."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    subprocess.run([RLA, "runs", "--log-root", log_root], env=environment, check=True, capture_output=True)
    _bash(["rla", "path", ""], tmp_path, **environment)
    assert {entry.name for entry in tmp_path.iterdir()} <= {".cache"}
    command = [RLA, "--install-completion", "bash"]
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"  # else it is that of the parent process
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rla" in (tmp_path / ".bashrc").read_text()
