"""Fifteen real trainings, looked at by the commands: list, filter, compare, label, watch."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def root(sweep, monkeypatch):
    """The commands are typed in the folder of the sweep."""
    monkeypatch.chdir(sweep.folder)
    return sweep.folder / "rla_data"


def test_the_sweep_is_fifteen_runs_that_learn(sweep, root):
    """Three learning rates with five seeds; each run has its rows, its result, its label and its code."""
    runs = rla.runs(root)
    assert len(runs) == 15 and {run.status for run in runs} == {"finished"} and not any(run.problems for run in runs)
    assert {(run.hparams["lr"], run.hparams["seed"]) for run in runs} == {
        (lr, seed) for lr in (0.01, 0.1, 1.0) for seed in range(5)
    }
    means = {lr: np.mean([run.result["return"] for run in runs if run.hparams["lr"] == lr]) for lr in (0.01, 0.1, 1.0)}
    assert means[0.01] < 100 < means[1.0], "a greater learning rate learns more in so few steps"
    for run in runs:
        assert run.group == "learning-rates" and run.last["perf/mean"] == pytest.approx(run.result["return"])
        assert run.info["rows"] == run.result["episodes"] > 10 and 10_000 <= run.info["last_step"] < 10_500
        assert (run.code_dir / "examples" / "sweep.py").is_file()
        assert rla.latest_checkpoint(run).suffix == ".pkl"
    lines = re.findall(r"lr=(\S+) seed=(\d): mean return (\S+) over", sweep.out)
    assert [(float(lr), int(seed)) for lr, seed, _ in lines] == [
        (run.hparams["lr"], run.hparams["seed"]) for run in runs
    ]
    assert [float(mean) for *_, mean in lines] == [round(run.result["return"], 1) for run in runs]


def test_the_commands_that_it_prints_work(sweep, root, command):
    """Each is one command, as it stands there."""
    commands = [shlex.split(line, comments=True) for line in sweep.out.splitlines() if line.startswith("    rla ")]
    assert len(commands) >= 4
    for words in commands:
        done = command(*words[1:])
        assert done.code == 0 and (done.out or "written to" in done.err), (words, done.err)


def test_the_commands_of_the_readme_work(sweep, root, command, tmp_path):
    """Each is one command; its picture has what they print, but for what another processor learns."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    (block,) = re.findall(r"^```console\n\$ python examples/sweep.py\n(.*?)^```", readme, re.M | re.S)
    commands = [shlex.split(line.removeprefix("$ ")) for line in block.splitlines()]
    assert len(commands) >= 9
    printed = {}
    for words in commands:
        words = [str(tmp_path / word) if word.endswith(".csv") else word for word in words]
        done = command(*words[1:])
        assert done.code == 0 and done.out + done.err, words  # an export says on stderr what it wrote
        printed[shlex.join(words)] = [line.split() for line in done.out.splitlines()]
    shown = _in_the_picture()
    assert len(shown) == 3
    for line, table in list(shown.items())[:2]:  # the last one says what would be deleted
        again = printed[line]
        assert [len(words) for words in again] == [len(words) for words in table] and again[0] == table[0]
    assert [words[:2] for words in again] == [words[:2] for words in table], "each rate with its runs"
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) > 1000


def _in_the_picture() -> dict[str, list[list[str]]]:
    """The words of each line below each command of the terminal that README begins with."""
    svg = (EXAMPLES.parent / "docs" / "sweep_terminal.svg").read_text()
    lines: dict[str, str] = {}
    for number, text in re.findall(r'<text[^>]*#sweep-line-(\d+)\)">(.*?)</text>', svg, re.S):
        lines[number] = lines.get(number, "") + html.unescape(text).replace("\xa0", " ") + " "
    shown: dict[str, list[list[str]]] = {}
    for line in lines.values():
        if line.startswith("$ "):
            below = shown.setdefault(shlex.join(shlex.split(line.removeprefix("$ "))), [])
        elif line.strip():
            below.append(line.split())
    return shown


def test_listing_and_filtering(root, command):
    """The five best of those that a filter chooses, by a metric; equal to what Python says."""
    done = command(
        "runs", "--where", "lr >= 0.1 and seed in [0, 1]", "-c", "lr,seed", "--sort", "-last.perf/mean", "--json"
    )
    best = sorted(
        (run for run in rla.runs(root) if run.hparams["lr"] >= 0.1 and run.hparams["seed"] < 2),
        key=lambda run: -run.last["perf/mean"],
    )
    assert len(best) == 4
    assert done.code == 0 and [run.id for run in best] == re.findall(r'"id": "(\w{8})"', done.out)


def test_groups_are_means_over_the_seeds(root, command):
    """Mean and spread of each learning rate are those of the five results."""
    groups = command("runs", "--by", "lr", "-c", "perf/mean", "--json").json
    assert [(group["by"], group["runs"]) for group in groups] == [({"lr": lr}, 5) for lr in (0.01, 0.1, 1.0)]
    for group in groups:
        results = [run.result["return"] for run in rla.runs(root) if run.hparams["lr"] == group["by"]["lr"]]
        (metric,) = group["metrics"].values()
        assert metric["mean"] == pytest.approx(np.mean(results))
        assert metric["std"] == pytest.approx(np.std(results, ddof=1))


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_watching(root, in_terminal):
    """The runs, and the last rows of one, until Ctrl-C."""
    newest = rla.runs(root)[-1]
    shown = in_terminal("runs", "--watch", "-n", 3, until=newest.id)
    assert newest.id in shown and "Traceback" not in shown
    assert "finished" in in_terminal("tail", "latest", "-f")  # which ends by itself, as the run has


def test_comparing_shows_what_differs(root, command):
    """Learning rates of two runs of one seed, and no parameter that they share."""
    told = command("compare", "lr=1.0&seed=0", "lr=0.01&seed=0").out
    assert "lr" in told and "0.01" in told and "1.0" in told and "gamma" not in told


def test_exporting_gives_every_value(root, command, read_rows, tmp_path):
    """One metric of all runs in a file that the csv module reads; as many rows as were logged."""
    assert command("export", "-c", "perf/mean", "-o", tmp_path / "out.csv").code == 0
    rows = read_rows(tmp_path / "out.csv")
    runs = rla.runs(root)
    assert len(rows) == sum(run.result["episodes"] for run in runs) and {row["metric"] for row in rows} == {"perf/mean"}
    last = {row["id"]: float(row["value"]) for row in rows}
    assert last == {run.id: run.last["perf/mean"] for run in runs}


def test_tagging_by_a_filter(root, command):
    """Those that learned get a tag; a filter on the tag finds them; the runs themselves stay as they were."""
    before = {run.id: run.paths.run_json.read_bytes() for run in rla.runs(root)}
    done = command("tag", "--where", "last.perf/mean > 100", "learned", "-nothing")
    good = [run.id for run in rla.runs(root) if run.last["perf/mean"] > 100]
    assert done.code == 0 and done.out.splitlines()[-1] == f"{len(good)} runs" and 5 <= len(good) < 15
    assert re.findall(r"^(\w{8})  ", done.out, re.MULTILINE) == good
    assert [run.id for run in rla.runs(root, where="'learned' in tags")] == good
    assert command("tag", "--where", "'learned' in tags", "-learned").code == 0
    assert not any("learned" in run.tags for run in rla.runs(root))
    assert {run.id: run.paths.run_json.read_bytes() for run in rla.runs(root)} == before


def test_a_later_evaluation_is_added_to_each(root):
    """rla.open takes the runs one by one; metrics of before and after are found by one filter."""
    for run in rla.runs(root, where="lr == 1.0"):
        with rla.open(run, writers=["csv"]):
            weights = rla.load_checkpoint()[1]["weights"]
            rla.log({"eval/norm": float(np.linalg.norm(weights))}, step=run.info["last_step"])
    found = rla.runs(root, where="last.eval/norm > 0 and status == 'finished'")
    assert [run.hparams["seed"] for run in found] == [0, 1, 2, 3, 4]
    for run in found:
        assert run.last["eval/norm"] == pytest.approx(run.last["policy/norm"]) and run.result["return"] > 100


def test_notes_and_titles(root, command):
    """Chosen by a part of the name that one run has."""
    (run,) = rla.runs(root, where="lr == 0.1 and seed == 3")
    assert command("note", "lr=0.1&seed=3", "a good one", "--json").json["id"] == run.id
    assert command("title", "lr=0.1&seed=3", "the third").code == 0
    (after,) = rla.runs(root, where="lr == 0.1 and seed == 3")
    assert (after.note, after.title, after.result) == ("a good one", "the third", run.result)
    assert json.loads(after.paths.labels_json.read_text())["group"] == "learning-rates"


def test_tidying_up(sweep, tmp_path, monkeypatch, command):
    """The commands of the README on a copy: deleted, archived, moved. Undone, each file is what it was."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    block = re.search(r"^```console\n(\$ rla rm .*?)^```", readme, re.M | re.S)[1]
    remove, archive, move, *others = (shlex.split(line.removeprefix("$ rla ")) for line in block.splitlines())
    folder = shutil.copytree(sweep.folder, tmp_path / "copy")
    monkeypatch.chdir(folder)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    runs = rla.runs("rla_data")
    rows = {run.id: run.metrics() for run in runs}
    assert command(*remove, "--yes").code == 0
    left = [run.id for run in runs if run.last["perf/mean"] >= 100]
    assert [run.id for run in rla.runs("rla_data")] == left and len(left) < 11
    assert command(*archive, "--yes").code == 0
    archived = rla.runs("rla_data/archived")
    assert [run.id for run in archived] == [run.id for run in runs if run.hparams["lr"] == 0.1 and run.id in left]
    assert archived and all(run.metrics().equals(rows[run.id]) for run in archived)
    assert command(*move, "--yes").code == 0
    moved = rla.runs("rla_data", task="baselines")
    assert [run.id for run in moved] == [run.id for run in runs if run.last["perf/mean"] > 200 and run.id in left]
    step, checkpoint = rla.load_checkpoint(run=moved[0])
    assert step >= 10_000 and checkpoint["weights"].shape == (4,) and moved[0].hints == ()
    for words in others:
        assert command(*words, *(["--yes"] if "empty" in words else [])).code == 0, words
    assert {run.task for run in rla.runs("rla_data")} == {"sweep"}
    assert command("undo").code == 0 and command("undo").code == 0
    assert [(run.id, run.name, run.last) for run in rla.runs("rla_data")] == [
        (run.id, run.name, run.last) for run in runs
    ]
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    changed = {path.name for path in files if after.get(path) != files[path]}
    assert changed <= {"run.json"} and {path.name for path in after.keys() - files.keys()} <= {"lock"}


def test_the_figures_and_the_table_of_a_paper(sweep, tmp_path, read_latex):
    """examples/sweep_and_plot.py, of at most 15 lines: a PDF of three pages, a table in Markdown and LaTeX."""
    script = EXAMPLES / "sweep_and_plot.py"
    tree = ast.parse(script.read_text())
    assert len({node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}) - 1 <= 15  # but the docstring
    (tmp_path / "rla_data").symlink_to(sweep.folder / "rla_data")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rla_data", "sweep.md", "sweep.pdf", "sweep.tex"]
    pdf = (tmp_path / "sweep.pdf").read_bytes()
    assert b"/Count 3" in pdf and b"/Type3" not in pdf and b"rla.runs" in pdf
    assert (tmp_path / "sweep.md").read_text() == done.stdout
    table = read_latex((tmp_path / "sweep.tex").read_text())
    assert table.rows[1] == ["lr", "runs", "mean", "IQM", "best", "steps to 150"]
    assert [row[:2] for row in table.rows[2:]] == [["0.01", "5"], ["0.1", "5"], ["1.0", "5"]]
    scores = [run.result["return"] for run in rla.runs(sweep.folder / "rla_data", where="lr == 1.0")]
    assert table.rows[4][4] == f"{max(scores):.4g}"
