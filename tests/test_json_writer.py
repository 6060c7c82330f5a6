"""progress.json: one object a line, which any reader of JSON takes, and which a resume cuts as progress.csv."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pandas
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.cutting import cut_to, finish_cut
from rla_hooks.errors import RLAWarning
from rla_hooks.upkeep import verify
from rla_hooks.writers import json_writer
from rla_hooks.writers.base import Row
from rla_hooks.writers.json_writer import JsonWriter

pytestmark = pytest.mark.usefixtures("quiet")
OPTIONS = {"task": "t", "writers": ["csv", "json"], "backup": "none"}


def strict(text):
    """Parse a line as a reader does that takes only what the standard has: no NaN."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def rows_of(path):
    return [strict(line) for line in path.read_text().splitlines()]


def steps_of(run):
    return [row["time-step"] for row in rows_of(run.log_dir / "progress.json")]


def train(run, first, last, save=()):
    for step in range(first, last):
        rla.log({"loss": 1.0 / (step + 1)}, step=step)
        if step in save:
            rla.save_checkpoint({"step": step}, step=step)


def test_values_read_back_and_each_line_is_standard_json(tmp_path):
    """NaN and infinities are null, texts and large numbers as they were; pandas reads the file as a table."""
    writer = JsonWriter(tmp_path / "progress.json")
    values = {"f": 0.1, "nan": math.nan, "inf": -math.inf, "i": -(2**62), "s": 'a,"b\n\udc80诗', "": 1}
    writer.write(Row(3, 1767225600.25, values))
    writer.write(Row(4, 2.0, {"f": 1e300}))
    first, second = rows_of(tmp_path / "progress.json")
    assert first == {"time-step": 3, "timestamp": 1767225600.25, **values, "nan": None, "inf": None}
    assert second == {"time-step": 4, "timestamp": 2.0, "f": 1e300}
    frame = pandas.read_json((tmp_path / "progress.json").open(), lines=True, dtype=False)
    assert list(frame["time-step"]) == [3, 4]


def test_a_torn_end_is_kept_aside(tmp_path):
    """A power cut in the middle of a row costs that row, and no line after it."""
    path = tmp_path / "progress.json"
    path.write_text('{"time-step": 0, "timestamp": 1.0}\n{"time-st')
    with pytest.warns(RLAWarning, match="torn row"):
        JsonWriter(path).write(Row(1, 2.0, {"a": 1}))
    assert [row["time-step"] for row in rows_of(path)] == [0, 1]
    assert (tmp_path / "progress.torn-1.txt").read_text() == '{"time-st'


def test_a_file_that_another_logger_has_open_is_left_to_it(tmp_path):
    """Their rows stay theirs; ours go to a file beside it."""
    path, line = tmp_path / "progress.json", '{"time-step": 0, "timestamp": 1.0}\n'
    with open(path, "w") as theirs:
        theirs.write(line)
        theirs.flush()
        with pytest.warns(RLAWarning, match="another program"):
            JsonWriter(path).write(Row(1, 2.0, {"a": 1}))
    assert path.read_text() == line
    (ours,) = set(json_writer.files(tmp_path)) - {path}
    assert rows_of(ours)[0]["a"] == 1


def test_a_file_of_that_name_that_is_none_of_rows_is_let_alone():
    """A program's own state in the run's folder: it is neither continued, nor cut, nor checked."""
    with rla.run(**OPTIONS) as run:
        path = run.log_dir / "progress.json"
        path.write_text('{\n  "epoch": 1\n}\n')
        with pytest.warns(RLAWarning, match="is another program's"):
            train(run, 0, 2, save=[0])
        path.write_text('{\n  "epoch": 123456789\n}\n')
    (entry,) = Manifest(run.checkpoint_dir).complete()
    (ours,) = json_writer.files(run.log_dir)
    assert {name for name in entry.written if name.endswith(".json")} == {ours.name}
    assert [finding.problem for finding in verify()] == []
    cut_to(run.paths, entry)
    assert json.loads(path.read_text()) == {"epoch": 123456789} and [row["time-step"] for row in rows_of(ours)] == [0]


def test_a_resume_cuts_it_as_progress_csv():
    """Killed after a checkpoint and continued: both files have each step once, and what was cut is kept."""
    with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS) as run:
        train(run, 0, 5, save=[2])
        raise KeyboardInterrupt
    saved = rla.runs()[-1]
    (entry,) = Manifest(saved.checkpoint_dir).complete()
    lines = (saved.log_dir / "progress.json").read_bytes().splitlines(keepends=True)
    assert entry.written["progress.json"] == (None, sum(map(len, lines[:3])))
    with rla.run(**OPTIONS, resume=run.name) as run:
        step, _ = rla.load_checkpoint()
        train(run, step + 1, 4)
    assert steps_of(saved) == [0, 1, 2, 3] == rla.runs()[-1].metrics()["time-step"].tolist()
    assert [row["time-step"] for row in rows_of(saved.log_dir / "cut" / "1" / "progress.json")] == [3, 4]
    assert json.loads((saved.log_dir / "cut" / "1" / "cut.json").read_text())["rows"] == 2
    assert [finding.problem for finding in verify()] == []


@pytest.mark.parametrize("writers", [["json"], ["csv", "json"]])
def test_a_cut_by_step_where_no_position_is_known(writers):
    """Rows of later steps go, wherever they stand; what is no row stays. In two files they count once."""
    with rla.run(**{**OPTIONS, "writers": writers}) as run:
        train(run, 0, 2, save=[1])
        train(run, 3, 5)
    path = run.log_dir / "progress.json"
    path.write_text(path.read_text() + "no row\n")
    manifest = json.loads((run.checkpoint_dir / "manifest.json").read_text())
    for entry in manifest["checkpoints"]:
        del entry["written"]
    (run.checkpoint_dir / "manifest.json").write_text(json.dumps(manifest))
    cut = cut_to(run.paths, Manifest(run.checkpoint_dir).complete()[0])
    assert cut.rows == 2 and finish_cut(run.paths) is None
    assert path.read_text().splitlines()[2:] == ["no row"] and path.read_text().count('"time-step"') == 2


def test_a_fork_begins_with_its_rows():
    """Up to the checkpoint, with the position that later forks need."""

    @rla.track(**OPTIONS)
    def main(steps=5):
        first = 0
        if rla.is_resumed():
            first = rla.load_checkpoint()[0] + 1
        train(rla.current_run(), first, steps, save=[1, 3])

    main()
    origin = rla.runs()[-1]
    main.fork(origin, step=1, steps=3)
    fork = rla.runs()[-1]
    assert fork.name != origin.name and steps_of(fork) == [0, 1, 2] and steps_of(origin) == [0, 1, 2, 3, 4]
    written = Manifest(fork.checkpoint_dir).complete()[0].written
    assert written["progress.json"] == Manifest(origin.checkpoint_dir).complete()[0].written["progress.json"]


def test_another_process_writes_beside(tmp_path):
    """Each process of a run has a file of its own."""
    with rla.run(**OPTIONS) as run:
        train(run, 0, 1)
        code = f"from rla_hooks import Run; run = Run.open({os.fspath(run.pkl_file)!r}); run.log({{'eval': 1.0}})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    first, second = sorted(json_writer.files(run.log_dir), key=lambda path: path.name != "progress.json")
    assert steps_of(run) == [0] and rows_of(second)[0]["eval"] == 1.0 and first.name == "progress.json"


def test_verify_names_the_damaged_line():
    """A line that is no object, and half a row at the end."""
    with rla.run(**OPTIONS) as run:
        train(run, 0, 3)
    path = run.log_dir / "progress.json"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"[1]\n" + lines[2] + b'{"time')
    found = {finding.position: finding.problem for finding in verify() if finding.file.endswith("progress.json")}
    assert found == {
        len(lines[0]): "1 line is no row: an object with a step and a time",
        len(lines[0]) + 4 + len(lines[2]): "the last row is torn: 6 bytes",
    }


def test_messages_of_a_level_have_a_file_of_their_own():
    """warn.txt and backup.txt, where they were asked for; log.txt has all, and a run without trouble no warn.txt."""
    from rla_hooks.easy_log import logger

    with rla.run(task="t", writers=["log", "warn", "backup"], backup="none") as run:
        logger.info("hello")
        assert not (run.log_dir / "warn.txt").exists()
        logger.warn("careful")
        logger.error("bad")
        logger.backup("kept")
        rla.log({"a": 1})
    assert (run.log_dir / "warn.txt").read_text() == "[WARN] careful\n[ERROR] bad\n"
    assert (run.log_dir / "backup.txt").read_text() == "kept\n"
    text = (run.log_dir / "log.txt").read_text()
    assert all(word in text for word in ("hello", "careful", "bad", "kept"))
