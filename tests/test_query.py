"""Reading runs back: all of them, in order, whatever has become of their files."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import layout
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.record import FORMAT, RunRecord
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs FIFOs, devices and signals")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def run(root):
    """Makes a finished run with the given rows."""

    def make(task="t", *rows, writers=("csv",), **params):
        tester = Tester()
        tester.configure(task_name=task, log_root=root, writers=list(writers), backup="none")
        tester.set_hyper_param(**params)
        tester.add_record_param(list(params))
        tester.log_files_gen()
        for row in rows:
            tester.log(row)
        tester.finish()
        return tester

    return make


def tree(root):
    return sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))


def test_runs_come_newest_last_and_by_task(run, root):
    """The order is that of the start across tasks; a task's filter takes the tasks grouped in it, and no namesakes."""
    names = [run(task, number=i).name for i, task in enumerate(["b", "a", "a/deep", "ab", "my task", "a"])]
    before = tree(root)
    saved = rla.runs(root)
    assert [each.name for each in saved] == names
    assert [each.task for each in saved] == ["b", "a", "a/deep", "ab", "my task", "a"]
    assert [each.hparams["number"] for each in rla.runs(root, task="a")] == [1, 2, 5]
    assert [each.hparams["number"] for each in rla.runs(str(root), task="a/deep")] == [2]
    for each in saved:
        assert each.name in [found.name for found in rla.runs(root, task=each.task)]
    assert rla.runs(root, task="none") == []
    with pytest.warns(RLAWarning, match="there is no folder .*nowhere"):
        assert rla.runs(root / "nowhere") == []
    assert tree(root) == before


def test_a_saved_run_tells_its_folders(run, root):
    """All trees carry the run's name."""
    name = run("t", {"a": 1}, lr=0.1).name
    (saved,) = rla.runs(root)
    folders = {
        "log": saved.log_dir,
        "code": saved.code_dir,
        "checkpoint": saved.checkpoint_dir,
        "results": saved.results_dir,
    }
    assert folders == {kind: root / kind / name for kind in folders}
    assert saved.tensorboard_dir == root / "log" / name / "tb"
    assert (saved.status, saved.hparams, saved.record, saved.problems) == ("finished", {"lr": 0.1}, {"lr": 0.1}, ())
    assert saved.info["rows"] == 1


def test_a_bad_filter_is_a_clear_error(root):
    """A task name that climbs out reads nothing."""
    with pytest.raises(ConfigError, match="climbs out"):
        rla.runs(root, task="../..")


DAMAGES = {
    "no run.json": lambda run: run.paths.run_json.unlink(),
    "empty run.json": lambda run: run.paths.run_json.write_text(""),
    "half run.json": lambda run: os.truncate(run.paths.run_json, 20),
    "list run.json": lambda run: run.paths.run_json.write_text("[]"),
    "bytes run.json": lambda run: run.paths.run_json.write_bytes(b"\xff\xfe{"),
    "deep run.json": lambda run: run.paths.run_json.write_text("[" * 100_000),
    "odd status": lambda run: run.paths.run_json.write_text('{"status": ["running"]}'),
    "odd pid": lambda run: run.paths.run_json.write_text('{"status": "runing", "pid": 1e999}'),
    "folder run.json": lambda run: (run.paths.run_json.unlink(), run.paths.run_json.mkdir()),
    "no parameter.json": lambda run: run.paths.parameter_json.unlink(),
    "half parameter.json": lambda run: os.truncate(run.paths.parameter_json, 3),
    "deep parameter.json": lambda run: run.paths.parameter_json.write_text("[" * 100_000),
    "list parameter.json": lambda run: run.paths.parameter_json.write_text("[1]"),
    "all gone": lambda run: (shutil.rmtree(run.log_dir), run.log_dir.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_listed_and_hides_no_other(damage, run, root):
    """What is wrong stands in `problems`, what can be read is there, and the runs beside it are whole."""
    run("t", {"a": 1}, number=1)
    run("t", {"a": 2}, number=2)
    run("t", {"a": 3}, number=3)
    DAMAGES[damage](rla.runs(root)[1])
    os.utime(rla.runs(root)[1].log_dir, (0, 0))  # long ago: a young one may just be starting
    first, damaged, last = rla.runs(root)
    assert (first.problems, last.problems) == ((), ())
    assert (first.hparams["number"], last.hparams["number"]) == (1, 3)
    assert ("parameter.json" if "parameter" in damage else "run.json") in damaged.problems[0]
    if "parameter" in damage:
        assert damaged.status == "finished" and damaged.hparams == {}
    elif "gone" not in damage:
        assert damaged.status == "unknown" and damaged.hparams == {"number": 2}
        assert damaged.metrics()["a"].tolist() == [2]
    else:
        assert damaged.metrics().empty and len(damaged.problems) == 2


def test_foreign_folders_are_no_runs(run, root):
    """Files and folders that only look a little like runs are passed over, also links in a circle."""
    name = run("t", number=1).name
    for folder in ("t/2026", "t/2026/01/31", "t/2026/13/77/12-00-00-000000_ip_", "t/a/b/c/d", "12-00-00-000000_ip_"):
        (root / "log" / folder).mkdir(parents=True, exist_ok=True)
    (root / "log" / "t" / "2026" / "01" / "31" / "12-00-00-000000_10.0.0.1").write_text("a file")
    (root / "log" / "t" / "2026" / "01" / "31" / ".DS_Store").write_text("")
    (root / "log" / "circle").symlink_to(root / "log")
    assert [each.name for each in rla.runs(root)] == [name]


def test_runs_of_the_original_rla_are_listed(run, root):
    """Folders with blanks are read, in the order of their time; their pickles are never opened."""
    leaf = "21-13-03-230208 11.0.91.89 &env_id=Test-v1&learning_rate=0.0001"
    name = f"demo_task/2022/03/01/{leaf}"
    (root / "log" / name / "tb" / "events").mkdir(parents=True)
    (root / "log" / name / "parameter.json").write_text('{"env_id": "Test-v1", "learning_rate": 0.0001}')
    (root / "log" / name / "progress.csv").write_text("perf/reward,time-step\n1.5,0\n2.5,1\n")
    archive = root / "archive_tester" / "demo_task" / "2022" / "03" / "01" / f"{leaf}.pkl"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(pickle.dumps(os.system))
    under = "demo_task/2022/03/02/21-13-03-230208_11.0.91.89_&env_id=Other"
    (root / "log" / under).mkdir(parents=True)
    new = run("demo_task", number=1).name
    old, newer, own = rla.runs(root, task="demo_task")
    assert (old.name, newer.name, own.name) == (name, under, new)
    assert old.task == "demo_task" and old.status == "unknown"
    assert old.record == {"env_id": "Test-v1", "learning_rate": 0.0001}
    assert old.hparams == {"env_id": "Test-v1", "learning_rate": 0.0001}
    assert old.metrics()["perf/reward"].tolist() == [1.5, 2.5]
    assert rla.latest_checkpoint(old) is None
    loaded = Tester.load_tester("2022/03/01/21-13-03-230208", "demo_task", root)
    assert type(loaded).__name__ == "OldTester" and loaded.hyper_param == old.hparams


def test_metrics_of_ragged_rows(run, root):
    """Late keys leave gaps before them; numbers, infinities and texts come back as they were logged."""
    inf = float("inf")
    run(
        "t", {"a": 1}, {"a": 0.1, "late": inf}, {"text": "NA", 'späť, "x"\n': -inf}, {"text": "None", "a": float("nan")}
    )
    frame = rla.runs(root)[0].metrics()
    assert list(frame.columns) == ["time-step", "timestamp", "a", "late", "text", 'späť, "x"\n']
    assert frame["time-step"].tolist() == [0, 1, 2, 3]
    assert frame["a"].tolist()[:2] == [1, 0.1] and frame["a"].isna().tolist() == [False, False, True, True]
    assert frame["late"].tolist()[1] == inf and frame['späť, "x"\n'].tolist()[2] == -inf
    assert frame["text"].tolist()[2:] == ["NA", "None"] and frame["text"].isna().tolist() == [True, True, False, False]


def test_metrics_of_an_empty_run(run, root):
    """A run without rows, or whose file is empty, has an empty frame."""
    run("t")
    (saved,) = rla.runs(root)
    assert saved.metrics().empty
    (saved.log_dir / "progress.csv").write_text("")
    assert saved.metrics().empty


def test_a_row_that_a_crash_cut_is_survived(run, root):
    """A last row without its end does not hide the rows before it; it is left out, as its last cell may be cut."""
    run("t", {"a": 1, "b": 2}, {"a": 3, "b": 4})
    path = rla.runs(root)[0].log_dir / "progress.csv"
    os.truncate(path, path.stat().st_size - 3)
    assert rla.runs(root)[0].metrics()["a"].tolist() == [1]


def test_the_log_root_comes_from_the_config(run, root, tmp_path, monkeypatch):
    """Without an argument it is the one that a run started here would use."""
    run("t")
    (tmp_path / "rla_config.yaml").write_text("LOG_ROOT: ./root\n")
    assert len(rla.runs()) == 1


def test_the_latest_checkpoint(run, root):
    """It is found by run, by Tester and by folder; a file that is not complete is passed over with None at last."""
    tester = run("t")
    (saved,) = rla.runs(root)
    assert rla.latest_checkpoint(saved) is None
    paths = [tester.save_checkpoint({"step": step}, step=step) for step in (1, 3, 2)]
    for named in (saved, tester, saved.checkpoint_dir, str(saved.checkpoint_dir)):
        assert rla.latest_checkpoint(named) == paths[2]
    best = tester.save_checkpoint({"step": 4}, checkpoint_name="best", step=4)
    assert [rla.latest_checkpoint(saved, name) for name in ("best", "checkpoint", "none")] == [best, paths[2], None]
    best.unlink()
    os.truncate(paths[2], 1)
    with pytest.warns(RLAWarning, match=r"checkpoint-2.pkl has 1 bytes .* Step 3 is taken instead"):
        assert rla.latest_checkpoint(saved) == paths[1]
    for path in paths:
        path.unlink()
    assert rla.latest_checkpoint(saved) is None
    (saved.checkpoint_dir / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.warns(RLAWarning):
        assert rla.latest_checkpoint(saved) is None
    assert rla.latest_checkpoint(Tester()) is None


def test_the_latest_checkpoint_of_a_run_that_is_named(run, root, monkeypatch):
    """By its id or another word; a word that means none is a mistake, since None would train from the beginning."""
    path = run("t").save_checkpoint({"step": 1}, step=1)
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("RLA_CONFIG", "rla_config.yaml")
    (root.parent / "rla_config.yaml").write_text(f"LOG_ROOT: {str(root)!r}\n")
    (saved,) = rla.runs()
    assert [rla.latest_checkpoint(word) for word in (saved.id, "latest", saved.name)] == [path] * 3
    for missing in (Path("not/there"), os.path.abspath("not/there")):
        assert rla.latest_checkpoint(missing) is None, "a folder that no checkpoint has been saved into"
    for wrong, said in (("no/such", "'no/such' fits no run"), (5, "got 5"), (None, "got None"), ("", "got ''")):
        with pytest.raises(ConfigError, match=f"latest_checkpoint.* {said}"):
            rla.latest_checkpoint(wrong)


@needs_posix
@pytest.mark.parametrize("name", ["run.json", "parameter.json"])
@pytest.mark.parametrize("kind", ["FIFO", "device", "link to a device", "sparse", "circle of links"])
def test_what_is_no_file_hides_no_other_run(name, kind, run, root):
    """A FIFO waits for a writer, a device never ends, a sparse file fills the memory: none of them is read."""
    run("t", number=1), run("t", number=2)
    path = rla.runs(root)[0].log_dir / name
    path.unlink()
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to({"circle of links": path}.get(kind, "/dev/zero"))
    first, second = rla.runs(root)
    assert (second.problems, second.status, second.hparams["number"]) == ((), "finished", 2)
    assert len(first.problems) == 1 and name in first.problems[0]


@pytest.fixture
def deep_folder(root):
    """A folder of more levels than Python has of calls, and than a path has of letters."""
    top = root / "log" / "t" / "deep"
    top.mkdir(parents=True)
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("deep", dir_fd=descriptor)
        inner = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    yield top
    subprocess.run(["rm", "-rf", top], check=True)


@needs_posix
def test_odd_folders_hide_no_run(deep_folder, run, root):
    """Folders that no path reaches, links in a circle, names that are no UTF-8, thousands of levels."""
    name = run("t", number=1).name
    (root / "log" / "circle").symlink_to(root / "log")
    (root / "log" / "t" / "11-00-00-000000_ip_").symlink_to(root / "log" / "t" / "11-00-00-000000_ip_")
    assert [each.name for each in rla.runs(root)] == [name]
    with contextlib.suppress(OSError):  # macOS takes UTF-8 only
        os.makedirs(os.fsencode(root / "log" / name.rpartition("/")[0]) + b"/10-00-00-000000_1.1.1.1_&name=caf\xe9")
        assert [each.record["name"] for each in rla.runs(root) if each.name != name] == ["caf\udce9"]
    assert name in [each.name for each in rla.runs(root)]


TRAIN = """
import sys
import rla_hooks as rla
with rla.run(task="t", log_root=sys.argv[1], backup="none", writers=["csv"], hyper_parameters={"n": int(sys.argv[2])}):
    rla.log({"a": 1})
"""


def test_the_order_is_that_of_utc(root):
    """Three machines in three time zones share a disk: their names say local times, run.json says when it was."""
    zones = ["Asia/Shanghai", "UTC", "America/New_York"]
    for number, zone in enumerate(zones):
        command = [sys.executable, "-c", TRAIN, root, str(number)]
        subprocess.run(command, check=True, env={**os.environ, "TZ": zone}, capture_output=True)
    found = rla.runs(root)
    assert [each.hparams["n"] for each in found] == [0, 1, 2]
    assert sorted(found, key=lambda each: each.name) == found[::-1], "the names say another order"
    ends_of_the_calendar = "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
    for damage in ("nonsense", None, 7, *ends_of_the_calendar):
        content = json.loads(found[0].paths.run_json.read_text()) | {"started": damage, "ended": damage}
        found[0].paths.run_json.write_text(json.dumps(content))
        damaged = rla.runs(root, where="n == 0")[0]
        assert f"{damaged.started.astimezone():%Y/%m/%d}" in damaged.name and damaged.ended is None
        assert len(rla.runs(root)) == 3


def test_the_night_the_clocks_go_back(root):
    """02:50 in summer time is before 02:10 in winter time; without run.json the name is read as local time."""
    for leaf, started in [
        ("02-50-00-000000", "2026-10-25T00:50:00+00:00"),
        ("02-10-00-000000", "2026-10-25T01:10:00Z"),
    ]:
        folder = root / "log" / "t" / "2026" / "10" / "25" / f"{leaf}_ip"
        folder.mkdir(parents=True)
        content = {"format": 2, "status": "finished", "started": started.replace("Z", "+00:00")}
        (folder / "run.json").write_text(json.dumps(content))
    (root / "log" / "t" / "2026" / "10" / "26" / "00-00-00-000000_ip").mkdir(parents=True)
    assert [each.name[-18:-10] for each in rla.runs(root)] == ["02-50-00", "02-10-00", "00-00-00"]


def test_a_run_that_is_just_starting_is_running(root):
    """Its folder is there before its files. Much later, the same folder is a damaged run."""
    paths = layout.create(root, "t", {})
    (paths.log_dir / "config.yaml").write_text("of LightningCLI")
    (found,) = rla.runs(root)
    assert (found.status, found.problems, found.info) == ("running", (), {})
    paths.run_json.touch()  # locked, and not written yet
    assert rla.runs(root)[0].problems == ()
    RunRecord(paths.run_json, name=paths.name, task="t").save()
    (found,) = rla.runs(root)
    assert (found.status, found.problems, found.info["rows"]) == ("running", (), 0)
    os.utime(paths.log_dir, (0, 0))
    assert rla.runs(root)[0].problems == ("parameter.json is missing",)
    paths.run_json.unlink()
    os.utime(paths.log_dir, (0, 0))
    assert rla.runs(root)[0].status == "unknown" and len(rla.runs(root)[0].problems) == 2


STARTING = """
import sys
import rla_hooks as rla
for number in range(60):
    with rla.run(task="t", log_root=sys.argv[1], backup="none", writers=["csv"]):
        rla.log({"a": 1})
"""


def test_no_run_looks_damaged_while_it_starts(root):
    """However the reader and sixty runs meet: every one of them is whole at every moment."""
    root.mkdir()
    with subprocess.Popen([sys.executable, "-c", STARTING, root]) as starting:
        while starting.poll() is None:
            assert [each.problems for each in rla.runs(root) if each.problems] == []
    assert [each.status for each in rla.runs(root)] == ["finished"] * 60


KILLED = """
import os, signal, sys
import rla_hooks as rla
with rla.run(task="t", log_root=sys.argv[1], backup="none", writers=["csv"]):
    for step in range(int(sys.argv[2])):
        rla.log({"loss": 1 / (step + 1), "rare": 7.0} if step == 0 else {"loss": 1 / (step + 1)}, step=10 * step)
    print("running", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_posix
@pytest.mark.parametrize("rows", [5, 5000])
def test_a_run_that_did_not_end_shows_what_its_files_hold(rows, root):
    """Rows, step and last values come from progress.csv, while it runs and when it was killed.

    Also the values of a metric that no row near the end has, such as that of an evaluation now and then.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, root, str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "running\n"
    last = {"loss": 1 / rows, "rare": 7.0}
    for status in ("running", "killed"):
        (run,) = rla.runs(root)
        assert (run.status, run.last) == (status, last)
        assert (run.info["rows"], run.info["last_step"]) == (rows, 10 * (rows - 1))
        assert rla.runs(root, where=f"status == '{status}' and last.rare > 0", sort="-last.rare") == [run]
        assert rla.runs(root).table()["rare"].tolist() == [7.0]
        if status == "running":
            process.communicate("\n")


def test_a_newer_run_is_read_as_far_as_known(run, root):
    """Its format is named; status words that this version does not know are shown as they are."""
    run("t", {"a": 1}, number=1)
    path = rla.runs(root)[0].paths.run_json
    for status, shown in (("finished", "finished"), ("preempted", "preempted"), ([], "unknown")):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99, "novel": 1, "status": status}))
        (found,) = rla.runs(root)
        assert found.status == shown and found.info["novel"] == 1 and found.hparams == {"number": 1}
        assert len(found.problems) == 1
    path.write_text(json.dumps({"format": 99, "status": "finished"}))
    assert rla.runs(root)[0].problems == (
        f"run.json has format 99; this version knows formats 1 to {FORMAT}: read as far as known",
    )


@needs_posix
@pytest.mark.parametrize("name", ["run.json", "parameter.json", "progress.csv", "log.txt"])
def test_a_run_with_a_fifo_is_loaded_without_waiting(name, run, root):
    """What lies in place of a file is not waited for; rows go into files of the process's own."""
    run("t", {"a": 1}, writers=["csv", "log"], number=1)
    (saved,) = rla.runs(root)
    (saved.log_dir / name).unlink()
    os.mkfifo(saved.log_dir / name)
    code = "import sys, rla_hooks as rla\nt = rla.Tester.load(sys.argv[1])\nt.log({'a': 2})\nt.finish()"
    done = subprocess.run(
        [sys.executable, "-c", code, saved.paths.archive_dir], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["task", "started", "status", "host", "process", "pid_namespace", "format", "last"])
@pytest.mark.parametrize("value", ["x" * 10**7, 10**30, ["x"] * 10**5, {"a": {"b": {}}}, None])
def test_odd_values_of_run_json_are_survived_soon(key, value, run, root):
    """Whatever stands under a key that is looked at: the run is listed, and the next one is whole."""
    run("t", {"a": 1}, number=1), run("t", {"a": 2}, number=2)
    path = rla.runs(root)[0].paths.run_json
    content = json.loads(path.read_text()) | {"status": "running", "pid": 2**22 + 1}
    path.write_text(json.dumps(content | {key: value}))
    begin = time.process_time()
    found = sorted(rla.runs(root), key=lambda each: each.name)
    assert [each.hparams["number"] for each in found] == [1, 2] and found[1].problems == ()
    assert found[0].task == "t" and all(len(problem) < 1000 for problem in found[0].problems)
    assert found[0].info["last"] is not None and time.process_time() - begin < 2


@pytest.mark.parametrize("value", ["1" + "0" * 400, "NaN", "Infinity", "1e308", "-1", "true", '"long"'])
def test_a_duration_that_is_none_is_unknown(value, run, root):
    """Whatever number stands there, this run and the others are listed, sorted, shown and put into tables."""
    run("t", {"a": 1}, number=1), run("t", {"a": 2}, number=2)
    path = rla.runs(root)[0].paths.run_json
    noted = json.loads(path.read_text()) | {"seconds": "?"}
    path.write_text(json.dumps(noted).replace('"?"', value))
    damaged, whole = rla.runs(root)
    assert damaged.seconds is None and whole.seconds is not None
    assert len(rla.runs(root, where="number > 0", sort="seconds,last.a")) == 2
    assert rla.runs(root, where="seconds == none") == [damaged]
    assert rla.runs(root).table()["seconds"].isna().tolist() == [True, False]
    for text in (rla.runs(root)._repr_html_(), damaged._repr_html_()):
        assert damaged.id in text


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="another user is needed")
def test_a_log_root_that_may_not_be_read_is_no_empty_one(tmp_path):
    """It gives a warning with the folder and the reason; a log root that is not there gives none."""
    root = tmp_path / "data"
    (root / "log").mkdir(parents=True)
    root.chmod(0)
    me = os.geteuid()
    try:
        if me == 0:
            os.seteuid(65534)
        with pytest.warns(RLAWarning, match="data/log cannot be read: Permission denied"):
            assert rla.runs(root) == []
    finally:
        os.seteuid(me)
        root.chmod(0o700)
    with pytest.warns(RLAWarning, match="there is no folder"):
        assert rla.runs(tmp_path / "nothing") == []


def test_folders_that_may_not_be_read_do_not_hide_their_runs_in_silence(root, monkeypatch):
    """The other runs are listed, and a warning names the first folder, why, and how many there are."""
    for day in ("01", "02", "03"):
        (root / "log" / "t" / "2026" / "01" / day / "00-00-00-000000_ip").mkdir(parents=True)
    scandir = os.scandir

    def refused(folder):
        if str(folder).endswith(("/01/01", "/01/02")):  # a superuser may read all
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.warns(RLAWarning, match=r"2026/01/0[12] cannot be read: Permission denied. So it is with 1 more"):
        assert [run.name for run in rla.runs(root)] == ["t/2026/01/03/00-00-00-000000_ip"]
