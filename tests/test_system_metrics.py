"""system.csv: the use of the machine during a run, by a thread that is there only where it was asked for."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import life
from rla_hooks.errors import ConfigError
from rla_hooks.hooks import OwnRun, attach_or_plan
from rla_hooks.machine.samples import Samples

pytestmark = pytest.mark.usefixtures("quiet")
OPTIONS = {"task": "machine", "log_root": "root", "writers": ["csv"], "backup": "none"}
psutil = pytest.importorskip("psutil")


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("rla_hooks")]


def rows_in(path):
    try:
        with open(path, newline="") as file:
            return [*csv.DictReader(file)]
    except FileNotFoundError:
        return []


def until(condition, seconds=60):
    """Wait for what a thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def no_thread_of_before():
    """A run does not wait long for its thread, which may still write its last row when the next test begins."""
    until(lambda: threads() == [])


def until_rows(run, count):
    until(lambda: len(rows_in(run.paths.system_csv)) >= count)
    return rows_in(run.paths.system_csv)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run of a second with a child that uses memory, and its rows as Python's csv reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("measured"))
        code = "import time; held = bytearray(b'x') * (200 << 20); print(flush=True); time.sleep(600)"
        with rla.run(**OPTIONS, system_metrics=0.1) as run:
            rla.log({"loss": 0.5}, step=7)
            before = len(until_rows(run, 2))
            child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
            with child:
                child.stdout.readline()
                rla.log({"loss": 0.4}, step=8)
                begun = len(rows_in(run.paths.system_csv)) + 1
                rows = until_rows(run, begun + 2)
                child.kill()
        yield run, rows_in(run.paths.system_csv), rows[: before - 1], rows[begun:]


def test_the_rows_are_of_this_machine(measured):
    """As psutil tells it: its memory, its cores, the disk of the log root."""
    run, rows, _, _ = measured
    total = psutil.virtual_memory().total / (1 << 30)
    free = psutil.disk_usage(str(run.log_dir)).free / (1 << 30)
    for row in rows:
        assert abs(float(row["timestamp"]) - time.time()) < 3600
        assert 0 <= float(row["cpu/percent"]) <= 100 and float(row["cpu/load"]) >= 0
        assert 0 < float(row["memory/used_gib"]) < total
        assert float(row["memory/percent"]) == pytest.approx(100 * float(row["memory/used_gib"]) / total, abs=0.2)
        assert float(row["disk/free_gib"]) == pytest.approx(free, rel=0.5)
    assert rows[0]["time-step"] == "7" and rows[-1]["time-step"] == "8"


def test_the_whole_tree_of_processes_counts(measured):
    """A child of this one with its 200 MB."""
    _, _, before, during = measured
    assert {int(row["process/count"]) + 1 for row in before} == {int(row["process/count"]) for row in during}
    gained = float(during[-1]["process/rss_gib"]) - float(before[0]["process/rss_gib"])
    assert 0.19 < gained < 0.5
    if os.path.exists("/proc/self/smaps_rollup"):
        shares = [float(row["process/pss_gib"]) for row in before if row["process/pss_gib"]]
        assert 0 < shares[0] <= float(before[0]["process/rss_gib"])
    assert all(float(row["process/cpu_percent"]) >= 0 for row in during)


MANY = """
import os
read, write = os.pipe()
for _ in range(1000):
    if not os.fork():
        os.close(write)
        os.read(read, 1)  # until the parent is gone
        os._exit(0)
print(flush=True)
input()
"""


@pytest.mark.skipif(not os.path.exists("/proc/thread-self/children"), reason="psutil looks at all processes there")
def test_a_thousand_children_count(tmp_path):
    """The system gives some hundreds of their numbers at each read."""
    with subprocess.Popen([sys.executable, "-ISc", MANY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        found = Samples(tmp_path).take()
        parent.communicate()
    assert found["process/count"] >= 1002


def test_a_clock_that_is_set_is_no_use_of_the_processor(tmp_path, monkeypatch):
    """psutil's times at which processes have begun follow the clock: none of them begins anew."""
    begin, clock = time.monotonic(), iter(range(1000))
    samples = Samples(tmp_path)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: next(clock))
    time.sleep(0.05)
    percent = samples.take()["process/cpu_percent"]
    assert percent / 100 * (time.monotonic() - begin) < sum(psutil.Process().cpu_times()[:2]) / 2


def test_metrics_stay_clean(measured):
    """The rows of metrics, and what is read of them, have no column of the machine."""
    run, _, _, _ = measured
    (saved,) = rla.runs(run.paths.log_root)
    assert [*saved.metrics()] == ["time-step", "timestamp", "loss"]
    assert (saved.info["rows"], saved.last) == (2, {"loss": 0.4})


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_a_frame_has_all_rows(measured, frame):
    """Its numbers are those of the file."""
    run, rows, _, _ = measured
    pytest.importorskip(frame)
    (saved,) = rla.runs(run.paths.log_root)
    found = saved.system_metrics(frame=frame)
    assert [*found.columns] == [*rows[0]]
    assert [*found["process/rss_gib"]] == [float(row["process/rss_gib"]) for row in rows]


def test_the_command_shows_what_was_used(measured, command):
    """Shares and the memory of the processes, as a table; all as JSON."""
    run, rows, _, _ = measured
    out = command("show", "--log-root", run.paths.log_root).out
    table = out.partition("\nsystem\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table[1:5]] == [
        "cpu/percent",
        "memory/percent",
        "process/cpu_percent",
        "process/rss_gib",
    ]
    assert "more" in table[-1]
    facts = command("show", "--log-root", run.paths.log_root, "--json").json["system_metrics"]
    assert facts["process/rss_gib"]["max"] == max(float(row["process/rss_gib"]) for row in rows)


def test_no_thread_and_no_file_unless_asked():
    """Neither without the setting, nor with one that turns it off; nothing is loaded for it."""
    code = f"""
import rla_hooks as rla, sys, threading
rla.start(**{OPTIONS})
print(threading.active_count(), "psutil" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "1 False", done.stderr
    for off in (False, 0):
        with rla.run(**OPTIONS, config={"SYSTEM_METRICS": 10}, system_metrics=off) as run:
            assert threads() == []
        assert not run.paths.system_csv.exists()


def test_the_thread_ends_with_the_run():
    """And no other one: of two runs each has its own."""
    with rla.run(**OPTIONS, config={"SYSTEM_METRICS": 30}):
        (outer,) = threads()
        with rla.run(**OPTIONS, system_metrics=30):
            assert len(threads()) == 2
        until(lambda: threads() == [outer])  # the run waits for a moment only
        assert outer.daemon
    until(lambda: threads() == [])


def test_a_forked_child_measures_nothing(forked):
    """Its parent goes on; the end of the child ends nothing there."""
    with rla.run(**OPTIONS, system_metrics=0.1) as run:
        until_rows(run, 1)

        def child():
            assert len(threads()) == 0
            rla.current_run().finish()
            assert [*run.log_dir.glob("system*")] == [run.paths.system_csv]

        assert forked(child).ended() == 0
        until_rows(run, len(rows_in(run.paths.system_csv)) + 2)


def test_other_ranks_measure_nothing(monkeypatch, warnings_as_text):
    """They write nothing at all."""
    monkeypatch.setenv("RANK", "1")
    with rla.run(**OPTIONS, system_metrics=0.1):
        assert threads() == []
    (told,) = warnings_as_text
    assert "is rank 1" in told
    warnings_as_text.clear()


def test_a_run_that_goes_on_appends():
    """A second life with columns that the first had not, as on another machine."""
    for number in range(2):
        with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS, system_metrics=0.1, resume="auto") as run:
            run.save_checkpoint({"weights": [1.0]}, step=1)
            count = len(rows_in(run.paths.system_csv))
            if number:
                assert count
                rla.load_checkpoint()
                until_rows(run, count + 1)
            else:
                until_rows(run, 1)
            raise KeyboardInterrupt
        file = run.paths.system_csv
        file.write_text(file.read_text().replace("memory/percent", "gpu/0/percent"))
    (saved,) = rla.runs("root")
    assert len(saved.system_metrics()) == len(rows_in(file)) > count
    assert {"gpu/0/percent", "process/rss_gib"} < {*saved.system_metrics()}
    assert not (saved.log_dir / "cut").exists()


def test_a_former_life_measures_no_longer():
    """The run goes on elsewhere, with a thread of its own."""
    run = rla.start(**OPTIONS, system_metrics=0.1)
    (thread,) = threads()
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"life": "another"}))
    thread.join(60)
    assert not thread.is_alive()


def test_a_full_disk_is_one_warning(small_disk, warnings_as_text):
    """The training goes on, and the rows come again when there is room."""
    with rla.run(**OPTIONS | {"log_root": small_disk / "root"}, system_metrics=0.1) as run:
        until_rows(run, 1)
        fill = small_disk / "fill"
        with open(fill, "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        count = len(rows_in(run.paths.system_csv))
        until(lambda: warnings_as_text)
        fill.unlink()
        until_rows(run, count + 2)
    (told,) = [text for text in warnings_as_text if "system.csv" in text]
    assert told.startswith("system.csv could not be written: ") and told.endswith("The training goes on.")
    warnings_as_text.clear()
    (saved,) = rla.runs(small_disk / "root")
    assert saved.status == "finished" and len(saved.system_metrics()) >= count + 2


def test_what_cannot_be_measured_is_one_warning(monkeypatch, warnings_as_text):
    """The other columns are there."""
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: 1 / 0)
    with rla.run(**OPTIONS, system_metrics=0.1) as run:
        rows = until_rows(run, 3)
    assert warnings_as_text == ["system.csv has not all columns network/...: division by zero."]
    warnings_as_text.clear()
    assert "process/rss_gib" in rows[-1] and not [name for name in rows[-1] if name.startswith("network/")]
    (saved,) = rla.runs("root")
    assert [each["text"] for each in saved.run_json["warnings"]] == [
        "system.csv has not all columns network/...: division by zero."
    ]


def test_psutil_is_asked_for_before_the_training(tmp_path):
    """On a Python without it: one error with all mistakes, and nothing is created."""
    code = f"""
import sys
sys.path[:0] = [{str(Path(rla.__file__).parents[1])!r}]
import rla_hooks as rla
try:
    with rla.run(task="machine", log_root="root", backup="nothing", system_metrics=10):
        pass
except rla.ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "pip install 'rla-hooks[system]'" in done.stdout, done.stderr
    assert "nothing" in done.stdout and not (tmp_path / "root").exists()


@pytest.mark.parametrize("value", [True, -1, 0.01, "ten", float("nan"), float("inf"), [10]], ids=str)
def test_odd_intervals_are_refused(value):
    """With what is allowed; also by a hook."""
    with pytest.raises(ConfigError, match=r"the argument system_metrics is .* Allowed: seconds, from 0\.1 on"):
        rla.start(**OPTIONS, system_metrics=value)
    with pytest.raises(ConfigError, match="SYSTEM_METRICS is"):
        rla.start(**OPTIONS, config={"SYSTEM_METRICS": value})
    assert "system_metrics" in OwnRun("MyHook", **OPTIONS, system_metrics=value).problems()[0]
    assert not Path("root").exists()


def test_a_hook_passes_it_on():
    """The run that it makes is measured."""
    handle = attach_or_plan(OwnRun("MyHook", **OPTIONS, system_metrics=30))
    assert threads() == []
    handle.ensure_started()
    assert len(threads()) == 1


def test_a_run_that_measures_is_no_silent_one(tmp_path):
    """What is written to system.csv shows those who cannot see the process that it lives."""
    (tmp_path / "run.json").touch()
    os.utime(tmp_path / "run.json", (1e9, 1e9))
    assert life.last_write([tmp_path]) == 1e9
    (tmp_path / "system.csv").touch()
    assert life.last_write([tmp_path]) > 1.5e9


# --- GPUs -------------------------------------------------------------------------------------------------------------

FORK = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns about forks beside threads
if os.fork():
    os.wait()
"""
PROGRAM = f"""
import time
import rla_hooks as rla
with rla.run(**{OPTIONS | {"writers": ["csv", "log"]}}, system_metrics=0.1) as run:
    end = time.monotonic() + 60
    while not run.paths.system_csv.exists() and time.monotonic() < end and WAIT:
        time.sleep(0.02)
"""


def test_gpus_are_measured(nvml, warm, tmp_path, monkeypatch):
    """By NVIDIA's library: their use, memory, temperature and power; what a card does not tell is left out."""
    done = warm("psutil", "pynvml").run("-c", nvml + PROGRAM.replace("WAIT", "True"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (saved,) = rla.runs("root")
    row = rows_in(saved.paths.system_csv)[0]
    first = {"percent": "75", "memory_percent": "25.0", "memory_gib": "20.0", "celsius": "61", "watts": "350.2"}
    second = {"memory_percent": "50.0", "memory_gib": "40.0", "celsius": "61"}
    expected = {f"gpu/0/{name}": value for name, value in first.items()}
    expected |= {f"gpu/1/{name}": value for name, value in second.items()}
    assert {name: row[name] for name in row if name.startswith("gpu/")} == expected


@pytest.mark.parametrize("named, numbers", [("1", {"1"}), ("GPU-1f", {"0"}), ("", set()), ("MIG-7", {"0", "1"})])
def test_only_gpus_that_the_program_may_use(nvml, warm, tmp_path, named, numbers):
    """As CUDA_VISIBLE_DEVICES names them."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": named}
    program = warm("psutil", "pynvml").start(
        "-c", nvml + PROGRAM.replace("WAIT", "True"), cwd=tmp_path, env=environment
    )
    assert program.ended().returncode == 0
    (saved,) = rla.runs("root")
    row = rows_in(saved.paths.system_csv)[0]
    assert {name.split("/")[1] for name in row if name.startswith("gpu/")} == numbers


@pytest.mark.parametrize("where", ["init", "use"])
def test_a_driver_that_hangs_keeps_nobody(nvml, warm, tmp_path, where):
    """The run, its forks and the program go on and end; the thread does not come back."""
    code = nvml + PROGRAM.replace("WAIT", "False") + FORK
    done = warm("psutil", "pynvml").start("-c", code, cwd=tmp_path, env=os.environ | {"NVML_HANGS": where}).ended()
    assert (done.returncode, done.stderr) == (0, "")
    (saved,) = rla.runs("root")
    assert saved.status == "finished" and saved.system_metrics().empty


def test_without_a_driver_the_rest_is_measured(nvml, warm, tmp_path):
    """The log says why there are no columns of GPUs."""
    environment = os.environ | {"NVML_FAILS": "init"}
    program = warm("psutil", "pynvml").start(
        "-c", nvml + PROGRAM.replace("WAIT", "True"), cwd=tmp_path, env=environment
    )
    assert program.ended().returncode == 0
    (saved,) = rla.runs("root")
    assert "process/rss_gib" in saved.system_metrics()
    assert "system.csv has no columns of the GPUs: " in (saved.log_dir / "log.txt").read_text()
