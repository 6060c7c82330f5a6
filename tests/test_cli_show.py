"""``rla show``: what is printed of one run, whatever state it is in."""

import json
import os
import re
import shlex
from pathlib import Path

import numpy
import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """A finished run with all that a run can have, and a failed one."""
    root = tmp_path_factory.mktemp("show") / "a [root]"

    @rla.track(record=["seed"], task="my task", log_root=root, writers=["csv"], backup="none", tags=["good", "short"])
    def train(seed, lr=0.1, text="x" * 300, fail=False):
        for step in range(5):
            rla.log({"loss": [4.0, 2.0, float("nan"), 1.0, 3.0][step], "word": f"w{step}"}, step=10 * step)
        rla.log({"count": 7}, step=41)
        rla.save_checkpoint({"w": [1.0]}, step=40)
        rla.save_figure("eval/frame", numpy.zeros((4, 4)))
        if fail:
            _deep(12)

    def _deep(levels):
        if not levels:
            raise ValueError("the [red]reward[/] is no number\nsecond line")
        _deep(levels - 1)

    train(1)
    with pytest.raises(ValueError, match="no number"):
        train(2, fail=True)
    return root


def test_json_has_everything(log_root, command):
    """The facts of run.json, the parameters, and the exact extremes of each metric with their steps."""
    done = command("show", "seed=1", "--json", "--log-root", log_root)
    facts = json.loads(done.out)
    (run,) = (run for run in rla.runs(log_root) if run.hparams["seed"] == 1)
    assert (done.code, facts["id"], facts["name"], facts["status"]) == (0, run.id, run.name, "finished")
    assert facts["hparams"] == {"seed": 1, "lr": 0.1, "text": "x" * 300, "fail": False}
    assert (facts["tags"], facts["rows"], facts["step"]) == (["good", "short"], 6, 41)
    assert facts["metrics"]["loss"] == {
        "count": 5,
        "last": 3.0,
        "min": 1.0,
        "max": 4.0,
        "mean": 2.5,
        "min_step": 30,
        "max_step": 0,
    }
    (listed,) = json.loads(command("runs", "--name", "*seed=1*", "--json", "--log-root", log_root).out)
    assert {name: facts[name] for name in listed} == listed  # and more
    page = (
        (Path(__file__).parents[1] / "docs" / "cli.md")
        .read_text()
        .partition("## rla show")[2]
        .partition("## rla tag")[0]
    )
    assert [name for name in facts if name not in listed and f"`{name}`" not in page] == []
    assert facts["metrics"]["count"]["last"] == 7 and facts["metrics"]["word"]["last"] == "w4"
    assert [(Path(each["file"]).name, each["step"]) for each in facts["checkpoints"]] == [("checkpoint-40.pkl", 40)]
    assert facts["figures"] == [str(run.results_dir / "eval" / "frame.png")]
    assert facts["folders"]["log"] == str(run.log_dir)


def test_it_is_printed_for_people(log_root, command):
    """In a pipe nothing is cut, and each metric is one line with its course."""
    done = command("show", "seed=1", "--log-root", log_root)
    lines = done.out.splitlines()
    assert lines[0].startswith("my task  finished  ")
    assert [line for line in lines if line.split() == ["text", "x" * 300]]
    (loss,) = (line for line in lines if line.split()[:1] == ["loss"])
    assert re.fullmatch(r"  loss +3\.0 +1\.0 \(30\) +4\.0 \(0\) +2\.5  █▃ ▁▆", loss)
    assert "  eval/frame.png" in lines and not [line for line in lines if line != line.rstrip()]
    assert any(line.split()[:3] == ["checkpoint-40.pkl", "step", "40"] for line in lines)
    (command_line,) = (line.removeprefix("command") for line in lines if line.startswith("command"))
    assert shlex.split(command_line)[:2] == ["cd", str(Path.cwd())] or "cd" in command_line


def test_the_last_lines_of_a_traceback_are_shown(log_root, command):
    """The error itself stands at its end; the whole is there on demand. Markup in it is shown, not obeyed."""
    short = command("show", "latest", "--log-root", log_root).out
    assert "  ValueError: the [red]reward[/] is no number\n  second line\n" in short
    assert re.search(r"  the last 8 of \d+ lines: --traceback shows all\n", short)
    whole = command("show", "latest", "--traceback", "--log-root", log_root).out
    assert whole.count("_deep(levels - 1)") > short.count("_deep(levels - 1)") and "the last 8 of" not in whole


def test_the_tree_of_folders_is_an_option(log_root, command):
    """As it was before there was more to show."""
    shown = command("show", "seed=1", "--files", "--log-root", log_root).out
    assert "progress.csv" in shown and "checkpoint-40.pkl" in shown and "the run: " in shown


def _edit(run, **changes):
    content = json.loads((run.log_dir / "run.json").read_text())
    (run.log_dir / "run.json").write_text(json.dumps(content | changes))


@pytest.mark.parametrize("state", ["empty", "running", "silent", "killed", "damaged", "no files"])
def test_a_run_in_any_state_can_be_shown(state, tmp_path, command):
    """Without rows, still running, elsewhere, killed, damaged, or with nothing left but its folder."""
    run = rla.start(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    if state not in ("empty", "no files"):
        rla.log({"loss": 0.5}, step=3)
    if state == "running":
        shown = command("show", "--log-root", tmp_path)
        run.finish()
    else:
        run.finish()
        if state == "killed":
            _edit(run, status="running", pid=2**22 + 1, process="gone", ended=None, seconds=None)
        elif state == "silent":
            _edit(run, status="running", host="elsewhere", pid_namespace="another", ended=None, seconds=None)
        elif state == "damaged":
            (run.log_dir / "run.json").write_text("{")
        elif state == "no files":
            for path in run.log_dir.glob("*.*"):
                path.unlink()
            os.utime(run.log_dir, (0, 0))
        shown = command("show", "--log-root", tmp_path)
    words = {"empty": "finished", "silent": "running", "damaged": "unknown", "no files": "unknown"}
    assert shown.code == 0 and shown.out.splitlines()[0].split()[:2] == ["t", words.get(state, state)]
    assert ("damaged: run.json" in shown.out) == (state in ("damaged", "no files"))
    assert ("0.5 (3)" in shown.out) == (state not in ("empty", "no files"))
    assert json.loads(command("show", "--json", "--log-root", tmp_path).out)["name"] == run.name


def test_a_run_of_the_original_rla_can_be_shown(tmp_path, command):
    """Its columns are sorted by name, and it has no run.json."""
    folder = tmp_path / "log" / "old" / "2021" / "05" / "06" / "12-00-00-000000_10.0.0.5 &lr=0.1"
    folder.mkdir(parents=True)
    (folder / "progress.csv").write_text("loss,time-step,timestamp\n0.5,0,1.0\n0.25,1,2.0\n")
    os.utime(folder, (0, 0))
    shown = command("show", "--log-root", tmp_path)
    assert shown.code == 0 and shown.out.startswith("old  unknown")
    assert re.search(r"  loss +0\.25 +0\.25 \(1\) +0\.5 \(0\)", shown.out)


def test_thousands_of_metrics_are_a_screen_full(tmp_path, command):
    """The first ones, and how many more there are; all of them on demand."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
        rla.log({f"m{number:04}": number for number in range(2000)}, step=0)
    lines = command("show", "--log-root", tmp_path).out.splitlines()
    assert len(lines) < 80 and "  ... and 1960 more: --all" in lines
    assert len(command("show", "--all", "--log-root", tmp_path).out.splitlines()) > 2000


EVIL = "\x1b]0;PWNED\x07\x1b[31mred\u202e"


def test_nothing_is_printed_raw(tmp_path, command):
    """No control character of parameters, metrics, files, errors or warnings reaches the terminal."""
    run = rla.start(
        task="t",
        log_root=tmp_path,
        writers=["csv"],
        backup="none",
        hyper_parameters={EVIL: EVIL},
    )
    rla.log({EVIL: EVIL, "loss": 0.5}, step=0)
    run.finish()
    (run.results_dir / f"{EVIL}.png").touch()
    (run.log_dir / "labels.json").write_text(json.dumps({"tags": [EVIL], "note": EVIL, "title": EVIL, "group": EVIL}))
    _edit(
        run,
        **dict.fromkeys(("error", "signal", "host", "parent", "python", "folder", "result"), EVIL),
        **{key: [EVIL, {"text": EVIL}, {EVIL: [EVIL]}, None] for key in ("warnings", "gaps", "notes", "restarts")},
        git={"commit": EVIL, "branch": EVIL, "dirty": EVIL},
        command=[EVIL, None],
    )
    for options in ([], ["--json"], ["--all", "--traceback"]):
        shown = command("show", *options, "--log-root", tmp_path)
        assert shown.code == 0 and "PWNED" in shown.out
        assert not [each for each in shown.out if not each.isprintable() and each != "\n"]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_breaks_nothing_but_paths(columns, log_root, in_terminal):
    """Tables are cut to its width; paths and commands are whole, so that they can be copied."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", in_terminal("show", "seed=1", "--log-root", log_root, columns=columns))
    lines = text.splitlines()
    tables = [line for line in lines if not re.match(r"(command|the run|checkpoints|figures|see the curves)\b", line)]
    assert max(map(len, tables)) <= columns and any("text" in line and line.endswith("…") for line in lines)
    assert [line for line in lines if line.startswith("the run: ") and line.endswith("&seed=1'")]


def test_the_names_of_metrics_are_whole_on_a_narrow_terminal(tmp_path, in_terminal):
    """Their mean and their course go before a name is cut, and come where there is room."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
        for step in (20_000, 300_000):
            rla.log({"loss/approximate_divergence": -step / 4, "loss/value": 0.5}, step=step)
    shown = {columns: in_terminal("show", "--log-root", tmp_path, columns=columns) for columns in (80, 120)}
    assert all("  loss/approximate_divergence  " in text for text in shown.values())
    assert ["course" in text for text in shown.values()] == [False, True]


def test_a_note_with_a_traceback_is_one_line(tmp_path, command):
    """Its last line says it; --traceback shows all of it."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        rla.log({"loss": 1.0}, step=0)
        run.ending.report("failed", ValueError("tried again"))
    assert "  failed, as was reported: ValueError: tried again\n" in command("show", "--log-root", tmp_path).out
    run_json = json.loads((run.log_dir / "run.json").read_text())
    run_json["notes"][0]["text"] = "failed: Traceback (most recent call last):\n  File x\nKeyError: 'a'\n"
    _edit(run, notes=run_json["notes"])
    assert "\n  failed: KeyError: 'a'\n" in command("show", "--log-root", tmp_path).out
    assert "File x" in command("show", "--traceback", "--log-root", tmp_path).out


def test_a_pipe_has_whole_names_and_all_digits(tmp_path, command):
    """As rla runs has; a terminal has room for six digits."""
    name = f"{'of/' * 60}loss"
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", note="n" * 5000, lr=0.1):
        rla.log({name: 3.023456789123})
    out = command("show", "--log-root", tmp_path).out
    assert f"{name}  3.023456789123  " in out and "n" * 5000 in out
    assert "n" * 5000 in command("runs", "--log-root", tmp_path).out
    assert "3.023456789123" in command("runs", "-c", name, "--log-root", tmp_path).out


def test_more_metrics_than_run_json_keeps(tmp_path, command, monkeypatch):
    """Their names are in the rows."""
    monkeypatch.setattr("rla_hooks.core.files.MAX_LAST", 20)
    for module in ("several", "fields"):
        monkeypatch.setattr(f"rla_hooks.cli.{module}.MAX_LAST", 20)
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
        rla.log({f"m/{number}": number for number in range(300)})
    root = "--log-root", tmp_path
    assert len(command("show", "--json", *root).json["metrics"]) == 300
    assert command("tail", "-c", "m/299", *root).out.endswith("m/299=299\n")
    assert command("plot", "m/299", "--json", *root).json["runs"][0]["y"] == [299.0]
    assert command("runs", "-c", "m/299,max.m/298", *root).out.split()[-2:] == ["299", "298"]
    assert command("runs", "-c", "m/300", *root).code == 2


def test_files_as_json(log_root, command):
    """The files of each folder."""
    found = command("show", "seed=1", "--files", "--json", "--log-root", log_root).json
    assert found["files"]["results"] == ["eval/frame.png"] and "run.json" in found["files"]["log"]
