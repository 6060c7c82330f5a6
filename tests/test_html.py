"""Runs as HTML for notebooks: read back by Python's own parser, with names that are hostile, in any number."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.layout import RunPaths
from rla_hooks.query.entry import Entry

pytestmark = pytest.mark.usefixtures("quiet")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp;\x1b[31m\u202e"


class Reader(HTMLParser):
    """Tables as lists of rows of texts; all tags that open and close; all attributes."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.open, self.tags, self.attributes = [], [], set(), []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data


SAFE = {"div", "b", "span", "table", "tr", "td", "th", "code", "svg", "polyline"}


def read(thing):
    reader = Reader(thing._repr_html_())
    assert reader.tags <= SAFE
    assert {name for name, _ in reader.attributes} <= {"style", "title", "colspan", "width", "height", "viewbox"}
    return reader


def plain(number, hparams, last=None, status="finished", task="t", **run_json):
    """A saved run without files."""
    name = f"{task}/2026/01/31/12-00-00-{number:06d}_10.0.0.5_"
    content = {"id": f"run{number:05d}", "last": last or {}, "seconds": 3.0} | run_json
    return rla.SavedRun(RunPaths(Path("root"), name), Entry(name, task, status, content, hparams, {}))


def test_a_list_shows_what_differs_and_the_last_values():
    """A row a run: its id, status, times, the differing parameters and some metrics; values as they are."""
    runs = rla.Runs(
        [
            plain(0, {"lr": 0.1, "same": 1}, {"loss": 0.25, "n": 3}),
            plain(1, {"lr": 1e-5, "same": 1}, {"loss": math.nan}),
        ],
        "rla.runs(where='a < 1')",
    )
    (table,) = read(runs).tables
    assert table[0] == ["id", "status", "started", "took", "lr", "loss", "n"]
    started = runs[0].started.astimezone().strftime("%Y-%m-%d %H:%M")
    assert table[1] == ["run00000", "● finished", started, "3.0 s", "0.1", "0.25", "3"]
    assert table[2][4:] == ["1e-05", "nan", ""]
    assert "<b>2 runs</b>" in runs._repr_html_() and "a &lt; 1" in runs._repr_html_()
    assert read(runs[:0]).tables == [] and "<b>1 run</b>" in runs[:1]._repr_html_()


def test_a_long_list_is_bounded():
    """Of thousands the first 5 and the last 15 are shown, of many columns some, and it says what is missing."""
    many = {f"p{number}": number for number in range(50)}
    runs = rla.Runs(plain(n, {name: value + n for name, value in many.items()}, many) for n in range(5000))
    text = runs._repr_html_()
    (table,) = read(runs).tables
    ids = [row[0] for row in table[1:]]
    assert ids == [f"run{n:05d}" for n in range(5)] + ["… 4,980 more"] + [f"run{n:05d}" for n in range(4985, 5000)]
    assert len(table[0]) == 4 + 12 + 6 and len(text) < 100_000
    assert "38 more parameters that differ, 44 more metrics" in text


@pytest.mark.parametrize("status", "finished running failed killed interrupted unknown pruned preempted".split())
def test_the_status_has_a_colour(status):
    """Each kind has its own, which can be read on white and on black: neither very light nor very dark."""
    text = plain(0, {}, status=status)._repr_html_()
    colour = text.partition(f">● {status}<")[0].rpartition("#")[2][:6]
    red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
    assert 0.1 < (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255 < 0.75


def test_numbers_and_notes_read_as_they_were_given():
    """1.0 is in the name of the run, so it is not shown as 1; a note has its lines."""
    run = plain(0, {"lr": 1.0, "gamma": 1 / 3, "far": 1e300}, {"return": math.inf})
    run = rla.SavedRun(run.paths, run.entry._replace(labels={"note": "first\n<second>"}))
    _, parameters, metrics = read(run).tables
    assert [value for _, value in parameters[1:]] == ["1.0", "0.33333", "1e+300"] and metrics[1][1] == "inf"
    assert 'pre-line">first\n&lt;second&gt;</span>' in run._repr_html_()


def test_hostile_names_are_texts(tmp_path):
    """Whatever stands in names, values, labels and errors is shown as text, with escapes for control characters."""
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    run = plain(0, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, "running " + HOSTILE, error="Traceback\n" + HOSTILE)
    run = rla.SavedRun(
        run.paths, run.entry._replace(task=HOSTILE, name=HOSTILE, labels={"note": HOSTILE, "tags": [HOSTILE]})
    )
    run = rla.SavedRun(run.paths, run.entry._replace(problems=(HOSTILE,)))
    facts, parameters, metrics = read(run).tables
    texts = dict(facts)
    assert [texts[name] for name in ("task", "tags", "note", "error", "problem")] == [shown] * 5
    assert parameters[1][0].rstrip("…") in shown and metrics[1][0].rstrip("…") in shown
    runs = rla.Runs([run, plain(1, {})], HOSTILE)
    assert shown.startswith(read(runs).tables[0][0][5].rstrip("…"))
    long = plain(0, {"x" * 10_000: "y" * 100_000, "big": 10**5000, "list": [[1] * 1000]}, {"x" * 10_000: 1.0})
    assert len(long._repr_html_()) < 20_000 and "16610 bits" in long._repr_html_()


def test_a_run_shows_its_metrics_with_curves(tmp_path):
    """Each number has its curve, drawn from the rows, without scripts; a text and what is never finite have none."""
    with rla.run(task="demo", log_root=tmp_path, writers=["csv"], backup="none", lr=0.1):
        for step in range(1000):
            rla.log({"up": step, "nan": math.nan, "huge": [-1e308, 1e308][step % 2], "text": "warm"}, step=step)
    (saved,) = rla.runs(tmp_path)
    facts, parameters, metrics = read(saved).tables
    assert parameters == [["parameter", "value"], ["lr", "0.1"]]
    assert metrics == [
        ["metric", "last", ""],
        ["up", "999", ""],
        ["nan", "nan", ""],
        ["huge", "1e+308", ""],
        ["text", "warm", ""],
    ]
    assert dict(facts)["rows"] == "1000" and dict(facts)["folder"].strip("'") == str(saved.log_dir)
    text = saved._repr_html_()
    assert text.count("<polyline") == 2
    points = [tuple(map(float, each.split(","))) for each in text.partition('points="')[2].partition('"')[0].split()]
    assert len(points) == 120 and points[0] == (1.0, 19.0) and points[-1] == (119.0, 1.0) and points == sorted(points)


def test_a_run_that_was_damaged_is_shown(tmp_path):
    """Without rows, or with damaged files, what is known stands there, with what is wrong."""
    with rla.run(task="demo", log_root=tmp_path, writers=["csv"], backup="none") as run:
        rla.log({"loss": 1.0}, step=0)
    (run.paths.log_dir / "progress.csv").unlink()
    run.paths.parameter_json.write_text("{")
    (saved,) = rla.runs(tmp_path)
    assert "problem" in dict(read(saved).tables[0])
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"last": {"loss": [1, 2], "n": 10**400}, "error": 5}))
    assert len(read(rla.runs(tmp_path)[0]).tables) == 2
