"""``rla runs``: lines, groups, CSV, JSON, on a terminal and in a pipe."""

import csv
import io
import json
import math
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.cli import fields, listed
from rla_hooks.cli.fields import Field, columns_of, wrong
from rla_hooks.cli.lines import Column, fitted, plain
from rla_hooks.query import bulk
from rla_hooks.query.entry import read_entry

pytestmark = pytest.mark.usefixtures("quiet")
RLA = Path(sys.executable).parent / "rla"
RETURNS = {("ppo", 0): 10.5, ("ppo", 1): 30.25, ("sac", 0): 7.0, ("sac", 1): math.nan, ("sac", 2): 9.5}


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Five runs of one task, of which one failed, and one of another task."""
    root = tmp_path_factory.mktemp("listing") / "root"

    @rla.track(record=["algo"], task="cartpole", log_root=root, writers=["csv"], backup="none")
    def train(algo, seed, lr=0.1, net=(64, 64)):
        rla.log({"perf/return": 100.0, "loss": 0.5}, step=0)
        rla.log({"perf/return": RETURNS[algo, seed], "loss": 0.25 * seed}, step=100)
        if (algo, seed) == ("sac", 2):
            raise ValueError("of no use")

    for algo, seed in RETURNS:
        if (algo, seed) == ("sac", 2):
            with pytest.raises(ValueError, match="of no use"):
                train(algo, seed, lr=0.01)
        else:
            train(algo, seed)
    with rla.run(task="walker", log_root=root, writers=["csv"], backup="none", tags=["good", "paper"], note="a\nb"):
        pass
    return root


@pytest.fixture
def listing(rla_command, log_root):
    """The lines that ``rla runs`` prints, as lists of cells."""

    def call(*arguments):
        code, out, err = rla_command("runs", *arguments, "--log-root", log_root)
        assert (code, err) == (0, "")
        return [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]

    return call


def test_extremes_of_all_runs_are_read_together(log_root, monkeypatch):
    """A column of them does not read the runs one by one."""
    calls, real = [], bulk.summaries_of_runs
    monkeypatch.setattr(bulk, "summaries_of_runs", lambda *args: calls.append(args) or real(*args))
    found = rla.runs(log_root)
    values = fields.values_of(found, ["max.loss"])["max.loss"]
    assert values == [getattr(run.summary("loss"), "max", None) for run in found] and any(values) and len(calls) == 1


def test_runs_are_listed_with_what_is_known_of_them(listing, log_root):
    """Ids, local times, tasks, status, rows, steps, the parameters that differ, labels where there are some."""
    head, first, *_, failed, last = listing()
    assert head == "id started task status rows step tags parameters note wrong".split()
    runs = rla.runs(log_root)
    started = f"{runs[0].started.astimezone():%Y-%m-%d %H:%M:%S}"
    assert first == [runs[0].id, started, "cartpole", "finished", "2", "100", "algo=ppo seed=0 lr=0.1"]
    assert failed[3:] == ["failed", "2", "100", "algo=sac seed=2 lr=0.01", "ValueError: of no use"]
    assert last[2:] == ["walker", "finished", "0", "good, paper", "a\\nb"]
    assert [line[0] for line in listing()[1:]] == [run.id for run in runs]


def test_a_run_reads_the_same_beside_other_runs(log_root):
    """The parameters of its name are in the order of the name, whichever of them differ."""
    found = rla.runs(log_root, task="cartpole")
    assert fields.parameters([found[0], found[1]]) == ["algo=ppo seed=0", "algo=ppo seed=1"]
    assert [text.split()[:2] for text in fields.parameters(found)[:2]] == [["algo=ppo", f"seed={n}"] for n in (0, 1)]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--task", "walker"], [5]),
        (["--where", "algo == 'ppo' or seed == 2"], [0, 1, 4]),
        (["--name", "*algo=sac*"], [2, 3, 4]),
        (["--tags", "paper,good"], [5]),
        (["--since", "1 day"], [0, 1, 2, 3, 4, 5]),
        (["-n", "2"], [4, 5]),
        (["--sort", "-last.perf/return", "-n", "3"], [1, 0, 4]),
        (["--sort", "-perf/return", "-n", "1"], [1]),
        (["--sort", "lr,-seed", "--task", "cartpole"], [4, 1, 3, 0, 2]),
    ],
)
def test_runs_are_chosen_and_sorted(arguments, numbers, listing, log_root, rla_command):
    """By the arguments of rla.runs; a metric may be sorted by without a prefix; the alias ls does the same."""
    ids = [run.id for run in rla.runs(log_root)]
    assert [ids.index(line[0]) for line in listing(*arguments)[1:]] == numbers
    _, out, _ = rla_command("ls", *arguments, "--json", "--log-root", log_root)
    assert [ids.index(line["id"]) for line in json.loads(out)] == numbers


def test_columns_are_parameters_and_metrics(listing):
    """By the names of the filter language; a metric's name means its last value; numbers have all digits in a pipe."""
    head, *lines = listing("-c", "algo,lr, perf/return ,min.perf/return,`net`,host", "--task", "cartpole", "-n", "4")
    assert head == ["id", "started", "status", "algo", "lr", "perf/return", "min.perf/return", "net", "host", "wrong"]
    assert lines[0][3:7] == ["ppo", "0.1", "30.25", "30.25"]
    assert lines[2][5:8] == ["nan", "100.0", "[64, 64]"]
    assert listing("-c", "algo", "-c", "seed")[0] == ["id", "started", "task", "status", "algo", "seed", "wrong"]
    assert listing("-c", "status,id")[0][-3:] == ["status", "id", "wrong"]


def test_a_column_that_no_run_has_is_a_mistake(rla_command, log_root):
    """With the nearest names."""
    code, out, err = rla_command("runs", "-c", "perf/retrun", "--log-root", log_root)
    assert (code, out) == (2, "")
    assert err.startswith("rla: no run has 'perf/retrun'.") and "last.perf/return" in err


def test_groups_have_mean_and_spread(listing, log_root, rla_command):
    """Of the runs with a finite number, of which there may be fewer; the standard deviation is that of a sample."""
    assert listing("--by", "algo", "-c", "perf/return", "--task", "cartpole") == [
        ["algo", "runs", "perf/return"],
        ["ppo", "2", "20.4 ± 14.0"],
        ["sac", "3", "8.25 ± 1.77 (2 of 3)"],
    ]
    _, out, _ = rla_command("runs", "--by", "algo,lr", "-c", "loss", "--json", "--log-root", log_root)
    groups = {tuple(each["by"].values()): each for each in json.loads(out)}
    assert list(groups) == [("ppo", 0.1), ("sac", 0.01), ("sac", 0.1), (None, None)]
    assert {key: group["runs"] for key, group in groups.items()} == dict(zip(groups, (2, 1, 2, 1)))
    losses = [0.0, 0.25]
    assert groups["ppo", 0.1]["metrics"]["loss"] == {
        "mean": 0.125,
        "std": statistics.stdev(losses),
        "min": 0.0,
        "max": 0.25,
        "n": 2,
        "runs": 2,
    }
    assert groups["sac", 0.01]["metrics"]["loss"]["std"] is None
    assert groups[None, None]["metrics"]["loss"] == {**dict.fromkeys(("mean", "std", "min", "max")), "n": 0, "runs": 1}


def test_groups_are_sorted_by_what_they_show(listing, rla_command, log_root):
    """By their values unless asked for a metric or the number of runs; the limit is one of groups."""
    assert [line[0] for line in listing("--by", "seed")[1:]] == ["0", "1", "2", "1"]  # one run has no seed
    assert [line[0] for line in listing("--by", "algo", "-c", "loss", "--sort", "-loss", "-n", "2")[1:]] == [
        "sac",
        "ppo",
    ]
    assert [line[1] for line in listing("--by", "status", "--sort", "-runs")[1:]] == ["5", "1"]
    assert listing("--by", "task")[0] == ["task", "runs", "last.perf/return", "last.loss"]
    code, _, err = rla_command("runs", "--by", "algo", "-c", "loss", "--sort", "los", "--log-root", log_root)
    assert code == 2
    assert err == "rla: groups are sorted by algo, runs, loss, last.loss, not by 'los'. Did you mean 'loss'?\n"


def test_csv_is_read_back_with_the_same_values(rla_command, log_root):
    """By the csv module and by pandas; always the same fields, and one for each parameter."""
    pandas = pytest.importorskip("pandas")
    runs = rla.runs(log_root)
    _, out, _ = rla_command("runs", "--csv", "--log-root", log_root)
    rows = list(csv.DictReader(io.StringIO(out)))
    fixed = "id name started task status seconds rows step title tags note".split()
    assert list(rows[0]) == [*fixed, "algo", "seed", "lr", "net", "wrong"]
    for row, run in zip(rows, runs, strict=True):
        assert (row["id"], row["name"], row["task"]) == (run.id, run.name, run.task)
        assert datetime.fromisoformat(row["started"]) == run.started
        assert json.loads(row["tags"]) == run.tags
    assert json.loads(rows[0]["net"]) == [64, 64] and rows[5]["note"] == "a\\nb"
    frame = pandas.read_csv(io.StringIO(out))
    assert frame["lr"].tolist()[:5] == [0.1, 0.1, 0.1, 0.1, 0.01] and math.isnan(frame["lr"][5])
    _, out, _ = rla_command("runs", "--csv", "-c", "perf/return", "--log-root", log_root, "--task", "cartpole")
    assert pandas.read_csv(io.StringIO(out))["perf/return"].tolist()[:3] == [10.5, 30.25, 7.0]
    _, out, _ = rla_command("runs", "--csv", "--by", "algo", "-c", "loss", "--log-root", log_root)
    assert out.splitlines()[0] == "algo,runs,loss.mean,loss.std,loss.min,loss.max,loss.n"
    assert out.splitlines()[1].startswith("ppo,2,0.125,0.1767766952966")


def test_json_is_a_list_of_objects(rla_command, log_root):
    """Plain names, times in ISO's form, NaN as null; the values of -c beside them; each object on its line."""
    runs = rla.runs(log_root)
    _, out, _ = rla_command("runs", "--json", "--log-root", log_root, "-c", "lr,max.loss")
    objects = json.loads(out, parse_constant=pytest.fail)
    assert len(out.splitlines()) == len(objects) + 2 == 8
    for each, run in zip(objects, runs, strict=True):
        assert (each["id"], each["name"], each["status"], each["tags"]) == (run.id, run.name, run.status, run.tags)
        assert datetime.fromisoformat(each["started"]) == run.started
        assert each["hparams"] == run.hparams and each["rows"] == run.info["rows"]
    assert objects[1]["columns"] == {"lr": 0.1, "max.loss": 0.5}
    assert objects[3]["last"] == {"perf/return": None, "loss": 0.25}
    assert objects[4]["error"].endswith("ValueError: of no use\n")
    assert objects[5]["log_dir"] == str(runs[5].log_dir)


def test_an_empty_listing_is_no_mistake(rla_command, log_root, tmp_path):
    """The message goes to stderr and says where it looked; JSON is an empty list. A root that is not there is one."""
    code, out, err = rla_command("runs", "--log-root", log_root, "--where", "seed == 9", "--name", "*x*")
    assert (code, out) == (0, "")
    assert (
        err
        == f"none of the 6 runs in {log_root} is one with --where seed == 9 and --name *x*. See them all: rla runs\n"
    )
    assert rla_command("runs", "--log-root", log_root, "--where", "seed == 9", "--json")[1] == "[\n]\n"
    assert rla_command("runs", "--log-root", log_root, "--where", "seed == 9", "--csv")[1].startswith("id,name,")
    code, out, err = rla_command("runs", "--log-root", tmp_path / "nowhere")
    assert (code, out) == (2, "") and err.startswith(f"rla: there is no folder {tmp_path}/nowhere (from --log-root)")


def test_an_empty_listing_says_what_is_near(rla_command, log_root):
    """A folder in the log root or around it, tags and groups that no run has."""
    for folder in (log_root / "log", log_root / "log" / "cartpole"):
        assert rla_command("runs", "--log-root", folder)[2].endswith(f"A log root is near: --log-root {log_root}\n")
    missing = rla_command("runs", "--log-root", log_root / "rla_data")[2]  # beside log/, where RLA's users have runs
    assert missing.endswith(f"rla_data (from --log-root). A log root is near: --log-root {log_root}\n")
    _, _, err = rla_command("runs", "--log-root", log_root, "--tags", "good,papr")
    assert err.endswith("is one with --tags good,papr. No run has the tag 'papr'. Did you mean 'paper'?\n")
    assert "No run has the group 'x'." in rla_command("runs", "--log-root", log_root, "--group", "x")[2]


def test_numbers_of_a_terminal_read_as_in_names():
    """What is seen there can be typed: the run is called lr=1.0."""
    cells = {
        brief: [str(cell) for cell in columns_of([Field("lr", [1.0, 1e-05, 1 / 3])], brief)[0].cells]
        for brief in (None, True)
    }
    assert cells == {None: ["1.0", "1e-05", "0.3333333333333333"], True: ["1.0", "1e-05", "0.333333"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lr=0.1"], "rla runs takes no words, but got 'lr=0.1'. Choose runs by --task lr=0.1, --name '*lr=0.1*'"),
        (["--json", "--csv"], "--json, --csv and --watch exclude each other"),
        (["--watch"], "--watch needs a terminal"),
        (["--where", "lr <"], "the filter cannot be used"),
        (["--sort", "nothing"], "no run has nothing, by which to sort"),
        (["--since", "soon"], "since"),
    ],
)
def test_mistakes_are_told(arguments, message, rla_command, log_root):
    """On stderr, without a traceback, with exit code 2."""
    code, out, err = rla_command("runs", *arguments, "--log-root", log_root)
    assert (code, out) == (2, "") and err.startswith("rla: ") and message in err


def test_a_wrong_filter_is_pointed_at(rla_command, log_root):
    """The lines of the message keep their places."""
    _, _, err = rla_command("runs", "--where", "lr < < 1", "--log-root", log_root)
    first, filter_line, pointer = err.splitlines()
    assert first.startswith("rla: ") and filter_line.strip() == "lr < < 1"
    assert filter_line[pointer.index("^") :] == "< 1"


def test_what_is_wrong_is_one_text(log_root):
    """The last line of the traceback, the number of warnings, damage."""
    finished, failed = rla.runs(log_root)[0], rla.runs(log_root)[4]
    assert (wrong(finished), wrong(failed)) == (None, "ValueError: of no use")
    run_json = {**finished.run_json, "warnings": [{"text": "a"}, {"text": "b"}]}
    entry = read_entry(finished.paths)._replace(run_json=run_json, problems=("x is empty",))
    damaged = rla.SavedRun(finished.paths, entry)
    assert wrong(damaged) == "2 warnings; x is empty"


COLUMNS = [
    Column("id", ["abcdefgh", "ijklmnop"], 0, 8, 8),
    Column("value", ["-1234.5678", "7"], 3, 4, 8, True),
    Column("text", ["x" * 40, "诗" * 10], 2, 6, 10),
    Column("rest", ["y" * 12, ""], 4, 10, 12),
    Column("more", ["spare", ""], 7, 2, 5),
]


@pytest.mark.parametrize(
    ("width", "line", "dropped"),
    [
        (84, f"abcdefgh  -1234.5678  {'x' * 40}  {'y' * 12}  spare", []),
        (60, f"abcdefgh  -1234.5678  {'x' * 16}…  {'y' * 12}  spare", []),
        (47, f"abcdefgh  -1234.5678  {'x' * 10}…  {'y' * 12}", ["more"]),
        (40, "abcdefgh  -1234.5678  xxxxx…  yyyyyyyyy…", ["more"]),
        (30, "abcdefgh  -1234.5678  xxxxxxx…", ["rest", "more"]),
        (20, "abcdefgh  xxxxxxxxx…", ["value", "rest", "more"]),
        (9, "abcdefgh", ["value", "text", "rest", "more"]),
    ],
)
def test_columns_fit_the_terminal(width, line, dropped, monkeypatch):
    """The least important go first, spare ones before a text is cut, numbers never; wide letters count for two."""
    monkeypatch.setattr("rla_hooks.cli.cells.ellipsis", lambda: "…")
    lines, without_room = fitted(COLUMNS, width)
    assert (lines[1].plain, without_room) == (line, dropped)
    assert all(each.cell_len <= width for each in lines)


def test_a_pipe_gets_all_of_every_cell():
    """Below each other, also where letters are wide; no blanks at the end."""
    assert list(plain(COLUMNS)) == [
        f"id             value  text{' ' * 36}  rest          more",
        f"abcdefgh  -1234.5678  {'x' * 40}  {'y' * 12}  spare",
        f"ijklmnop           7  {'诗' * 10}",
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("columns", "variables"), [(80, {}), (200, {"NO_COLOR": "1"}), (80, {"PYTHONIOENCODING": "ascii"})]
)
def test_a_terminal_gets_colours_and_lines_that_fit(columns, variables, log_root):
    """A line a run, no longer than the terminal is wide; a failed run is red, unless colours are off."""
    shown = _on_terminal(["runs", "--log-root", str(log_root)], columns, variables)
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert len(lines) == 7 and max(map(len, lines)) <= columns
    assert ("\x1b[31mfailed" in shown) == ("NO_COLOR" not in variables)
    assert shown.isascii() or "PYTHONIOENCODING" not in variables
    assert ("ValueError: of no use" in lines[5]) == (columns == 200)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_watching_goes_on_until_ctrl_c(tmp_path):
    """A run that comes is shown at the next look; Ctrl-C is the way to end it, and no error."""
    (tmp_path / "log").mkdir()
    utf8 = {"PYTHONIOENCODING": "utf-8"}
    process, terminal = _start(["runs", "--watch", "--interval", "0.1", "--log-root", str(tmp_path)], 70, utf8)
    try:
        _read_until(terminal, "no runs in")
        long = {"hyper_parameters": {"text": "x" * 100}, "record": ["text"]}
        with rla.run(task="newcomer", log_root=tmp_path, writers=["csv"], backup="none", **long):
            line = _read_until(terminal, "xxx…").partition("xxx…")[0].rpartition("\n")[2] + "xxx…"
            assert len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) == 68  # of 70: ^C finds room behind it
        _read_until(terminal, "finished")
        process.send_signal(signal.SIGINT)
        rest = _read_until(terminal, None)
        assert process.wait(120) == 0
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_the_watched_listing_is_no_higher_than_the_terminal(log_root, monkeypatch):
    """The newest runs are seen, and how many are not."""
    wanted = listed.Wanted(log_root, None, {}, [], [], None, None)
    lines = listed.in_height(listed.lines_of(wanted, 200), 5)
    assert [str(line).split()[0] for line in lines] == ["id", "...", *(run.id for run in rla.runs(log_root)[-3:])]
    assert "3 more" in str(lines[1])
    assert len(listed.in_height(listed.lines_of(wanted, 200), 7)) == 7


def _start(arguments, columns, variables):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"TERM": "xterm-256color", **variables}
    process = subprocess.Popen([RLA, *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    return process, ours


def _read_until(terminal, text, seconds=120):
    """What the terminal shows, up to this text, or up to its end."""
    shown, end = "", time.monotonic() + seconds
    while text is None or text not in shown:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"{text!r} has not come: {shown!r}")
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux: the other side was closed
            data = b""
        if not data:
            break
        shown += data.decode("utf-8", "replace")
    return shown


def _on_terminal(arguments, columns, variables):
    process, terminal = _start(arguments, columns, variables)
    shown = _read_until(terminal, None)
    os.close(terminal)
    assert process.wait(120) == 0, shown
    return shown


def test_what_runs_differ_in_is_seen_where_room_is_short(tmp_path, in_terminal, rla_command):
    """A narrow terminal drops what all runs have before it cuts that; a pipe has the order of the name."""

    @rla.track(record=["algo", "lr"], log_root=tmp_path, task="t", writers=["csv"], backup="none", tags=["good"])
    def train(algo="ppo", lr=0.0003, env="Hopper-v4"):
        rla.log({"return": 1.0}, step=100_000)

    train()
    train(env="Walker2d-v4")
    text = re.sub(r"\x1b\[[0-9;]*m", "", in_terminal("runs", "--log-root", tmp_path))
    assert "  env=Hopper-v4 algo=ppo" in text and "  env=Walker2d-v4 algo=ppo" in text and "  finished  " in text
    assert "  algo=ppo lr=0.0003 env=Walker2d-v4\n" in rla_command("runs", "--log-root", tmp_path)[1]


def test_what_runs_are_sorted_by_is_shown(listing):
    """Unless columns are asked for; a name that has a column gets no second one."""
    assert [line[-3:] for line in listing("--sort", "-perf/return", "-n", "2")[:2]] == [
        ["step", "perf/return", "parameters"],
        ["100", "30.25", "algo=ppo seed=1"],
    ]
    assert listing("--sort", "-step")[0].count("step") == 1 and "perf/return" not in listing("--sort", "step")[0]
    assert "perf/return" not in listing("--sort", "-perf/return", "-c", "seed")[0]


def test_each_name_to_sort_by_is_a_metric_or_another(log_root, rla_command):
    """A metric's name means its last value, beside other names and for groups."""
    sort = "--sort", "seed,-perf/return", "-c", "seed,perf/return"
    lines = rla_command("runs", *sort, "--log-root", log_root)[1].splitlines()
    assert [line.split()[-2:] for line in lines[1:3]] == [["0", "10.5"], ["0", "7.0"]]
    for columns in ([], ["-c", "last.perf/return"]):
        by = "--by", "algo", "--sort", "-perf/return", *columns
        lines = rla_command("runs", *by, "--log-root", log_root)[1].splitlines()
        assert [line.split()[0] for line in lines[1:3]] == ["ppo", "sac"]


def test_csv_is_what_export_writes(tmp_path, rla_command):
    """Each name once, and lists as JSON; but for texts, which stay on one line."""
    odd = {"wrong": 5, "name": "n", "c": [1, math.nan], "b": "line1\nline2", "flag": True}
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", hyper_parameters=odd):
        pass
    (row,) = csv.DictReader(io.StringIO(rla_command("runs", "--csv", "--log-root", tmp_path)[1]))
    assert (row["hparams.wrong"], row["hparams.name"], row["wrong"]) == ("5", "n", "")
    assert (json.loads(row["c"]), row["b"], row["flag"]) == ([1, None], "line1\\nline2", "true")


def test_an_error_is_told_by_its_first_line(tmp_path, rla_command):
    """Of a text of several lines the last one may say nothing."""
    with pytest.raises(ValueError, match="boom"), rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
        raise ValueError("boom\n  in two\nlines")
    assert "ValueError: boom\n" in rla_command("runs", "--log-root", tmp_path)[1]


def test_sorted_lines_begin_with_the_first(log_root):
    """Where a terminal has not room for all."""
    wanted = listed.Wanted(log_root, None, {}, [], [], "name", None)
    lines = listed.lines_of(wanted, 200)
    assert listed.in_height(lines, 5, first=True)[:4] == lines[:4]


def test_names_in_backquotes(tmp_path, rla_command):
    """As a filter has them: a doubled one is one, a comma is none between names. They may be given in several -c."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", hyper_parameters={"a`b": 1, "c,d": 2}):
        pass
    out = rla_command("runs", "-c", "`a``b`", "-c", "`c,d`", "--log-root", tmp_path)[1]
    assert out.splitlines()[1].split()[-2:] == ["1", "2"]


def test_an_endless_interval_is_a_mistake(rla_command):
    """Nobody waits for it."""
    for command in ("runs", "tail"):
        code, _, err = rla_command(command, "--every", "inf")
        assert code == 2 and "86400" in err.replace(",", "")
