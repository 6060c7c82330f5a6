"""What run.json says of the machine: by what the system tells; of GPUs by files and a library as a driver has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

import rla_hooks as rla
from rla_hooks import machine
from rla_hooks.machine import elsewhere, gpus
from rla_hooks.machine.words import in_words

pytestmark = pytest.mark.usefixtures("quiet")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
OPTIONS = {"task": "machine", "log_root": "root", "writers": ["csv"], "backup": "none"}


@pytest.fixture
def fresh(monkeypatch):
    """Nothing is known of the machine yet."""
    monkeypatch.setattr(machine, "_known", {})
    monkeypatch.setattr(gpus, "_told", None)


@pytest.fixture
def driver(fresh, tmp_path, monkeypatch):
    """The folder in /proc of a driver with two GPUs."""
    folder = tmp_path / "nvidia"
    for number in (1, 2):
        gpu = folder / "gpus" / f"0000:{number}8:00.0"
        gpu.mkdir(parents=True)
        lines = [
            "Model: \t\t NVIDIA H100 80GB HBM3",
            "IRQ:   \t\t 181",
            f"GPU UUID: \t GPU-{number}f0c",
            "Bus Type: \t PCIe",
        ]
        (gpu / "information").write_text("\n".join(lines) + "\n")
    told = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (root@host)"
    (folder / "version").write_text(f"{told}\nGCC version:  gcc version 12.2.0\n")
    monkeypatch.setattr(machine, "SIGNS_OF_GPUS", (str(folder),))
    return folder


def only_run():
    (run,) = rla.runs("root")
    return run


def test_the_facts_are_those_of_another_reader(fresh):
    """psutil reads the same of the system."""
    psutil = pytest.importorskip("psutil")
    found = machine.facts()
    assert found["logical_cores"] == psutil.cpu_count()
    assert found["memory"] == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert found["cpu"] and found["system"].split()[0] in ("Linux", "Darwin", "Windows")
    if psutil.cpu_count(logical=False):
        assert found["physical_cores"] == psutil.cpu_count(logical=False)


def test_run_json_has_them(fresh):
    """Of this run and of the next one in the process; ``rla show`` and rla.runs() give them."""
    for _ in range(2):
        rla.start(**OPTIONS).finish()
    one, two = rla.runs("root")
    assert one.machine == two.machine == json.loads((one.log_dir / "run.json").read_text())["machine"]
    assert one.machine == machine.facts()
    assert in_words(one.machine)


def test_the_command_shows_it(command):
    """In a line of ``rla show``, and whole as JSON."""
    rla.start(**OPTIONS).finish()
    assert f"machine  {in_words(machine.facts())}" in command("show", "--log-root", "root").out
    assert command("show", "--log-root", "root", "--json").json["machine"] == machine.facts()


def test_a_run_that_goes_on_elsewhere_says_where(fresh, command, monkeypatch):
    """The machine of the former life stands in its entry of ``restarts``; ``rla show`` tells of both."""
    for cpu in ("slow", "fast", "fast"):
        monkeypatch.setattr(machine, "_known", {"cpu": cpu, "memory": 1 << 30})
        with pytest.raises(KeyboardInterrupt), rla.run(**OPTIONS, resume="auto") as run:
            run.save_checkpoint({"weights": [1.0]}, step=1)
            raise KeyboardInterrupt
    first, second = only_run().restarts
    assert (first["machine"]["cpu"], "machine" in second, only_run().machine["cpu"]) == ("slow", False, "fast")
    out = command("show", "--log-root", "root").out
    cores = f"{os.cpu_count()} cores, 1 GiB"
    assert [line.strip() for line in out.splitlines() if " ran on " in line] == [
        f"life {number} ran on {cpu}, {cores}" for number, cpu in enumerate(("slow", "fast", "fast"), 1)
    ]


@linux
def test_the_cores_that_the_process_may_use(fresh):
    """Those of its affinity."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.facts()["usable_cores"] == 1
    finally:
        os.sched_setaffinity(0, before)
    assert machine.facts()["usable_cores"] == len(before)


def groups(tmp_path, monkeypatch, lines, files):
    """Control groups as a system shows them: /proc/self/cgroup, and files below /sys/fs/cgroup."""
    top = tmp_path / "cgroup"
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"{text}\n")
    (tmp_path / "self").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(machine, "_GROUPS", str(top))
    monkeypatch.setattr(machine, "_OWN_GROUPS", str(tmp_path / "self"))
    return machine.limits()


@pytest.mark.parametrize(
    "lines, files, expected",
    [
        (["0::/"], {"cpu.max": "max 100000", "memory.max": "max"}, (None, None)),
        (["0::/"], {"cpu.max": "150000 100000", "memory.max": "1073741824"}, (1.5, 1 << 30)),
        (  # the tightest of those around; the group itself has no file for memory
            ["0::/slurm/job_7/step_0"],
            {"slurm/job_7/cpu.max": "400000 100000", "slurm/job_7/step_0/cpu.max": "max 100000", "memory.max": "max"}
            | {"slurm/job_7/memory.max": "2000", "slurm/memory.max": "5000"},
            (4.0, 2000),
        ),
        (  # version 1, of which no limit is a number, too
            ["4:memory:/docker/ab", "3:cpu,cpuacct:/docker/ab", "0::/docker/ab"],
            {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000", "cpu.max": "1 100000"}
            | {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/docker/ab/memory.limit_in_bytes": "7000"},
            (0.5, 7000),
        ),
        (["3:cpu,cpuacct:/"], {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, (None, None)),
        (["0::/../../a"], {"cpu.max": "odd text here", "memory.max": ""}, (None, None)),
        (["damaged"], {}, (None, None)),
    ],
    ids=["none", "container", "slurm", "version 1", "version 1 without", "odd", "damaged"],
)
def test_the_limits_of_control_groups(tmp_path, monkeypatch, lines, files, expected):
    """Cores' time and bytes; files as the kernel writes them."""
    assert groups(tmp_path, monkeypatch, lines, files) == expected


X86 = "processor\t: 0\nmodel name\t: Xeon\nsiblings\t: 16\ncpu cores\t: 8\nflags\t\t: fpu\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\nprocessor\t: 1\n"


@pytest.mark.parametrize(
    "text, threads, expected",
    [
        (X86, "", ("Xeon", 16)),
        (ARM.format("fp " * 300), "0\n", ("ARM, implementer 0x41, part 0xd40", 32)),
        ("processor\t: 0\ncpu\t\t: POWER9 (raw)\n", "0-3\n", ("POWER9 (raw)", 8)),
        ("processor\t: 0\n", "0,16\n", (None, 16)),
        ("cpu cores\t: 0\nsiblings\t: 0\n", "", (None, None)),
        ("", "odd", (None, None)),
    ],
    ids=["x86", "arm", "power", "threads", "zero", "nothing"],
)
def test_processors_of_other_kinds(monkeypatch, text, threads, expected):
    """What /proc/cpuinfo and /sys say there, of 32 threads."""
    monkeypatch.setattr(os, "cpu_count", lambda: 32)
    monkeypatch.setattr(machine, "first_bytes", lambda path, most: (text if "cpuinfo" in path else threads)[:most])
    found = machine._processor()
    assert (found["cpu"], found["physical_cores"]) == expected


@linux
@pytest.mark.parametrize("told", [ValueError("no such name"), OSError("no such call"), -1])
def test_a_system_that_does_not_tell_its_memory(monkeypatch, told):
    """A sandbox, say: the run starts, and the limit of a container is still there."""

    def sysconf(name):
        if isinstance(told, Exception):
            raise told
        return told if name == "SC_PHYS_PAGES" else 4096

    monkeypatch.setattr(os, "sysconf", sysconf)
    monkeypatch.setattr(machine, "limits", lambda: (2.0, 1 << 30))
    found = machine._of_linux()
    assert (found["memory"], found["cpu_limit"], found["memory_limit"]) == (None, 2.0, 1 << 30)


@linux
def test_a_system_without_these_libraries_tells_less():
    """macOS' and Windows' own libraries are not here; nothing is raised."""
    assert elsewhere.cpu_and_memory() == {"memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}


# --- GPUs -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(machine.has_gpus(), reason="this machine has a GPU")
def test_a_machine_without_gpus_loads_nothing_for_them():
    """No module, no library, no thread."""
    code = f"""
import sys, threading
import rla_hooks as rla
run = rla.start(**{OPTIONS})
loaded = {{"ctypes", "pynvml", "rla_hooks.machine.gpus", "rla_hooks.machine.words"}} & {{*sys.modules}}
print(loaded, threading.active_count(), run.record.content["machine"]["gpus"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "set() 1 []", done.stderr


def test_gpus_by_the_files_of_the_driver(driver, monkeypatch):
    """Without a library: model, uuid and driver. What CUDA_VISIBLE_DEVICES said stands beside."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = machine.facts()
    model = {"model": "NVIDIA H100 80GB HBM3", "driver": "550.54.15", "memory": None}
    assert found["gpus"] == [{**model, "uuid": "GPU-1f0c"}, {**model, "uuid": "GPU-2f0c"}]
    assert found["visible_gpus"] == "1"
    assert in_words(found).endswith("GiB, 2 x NVIDIA H100 80GB HBM3")


@pytest.mark.parametrize("damage", ["nothing", "no version", "odd"])
def test_a_driver_that_says_less(driver, damage):
    """What is not there is None."""
    if damage == "nothing":
        shutil.rmtree(driver / "gpus")
    (driver / "version").unlink() if damage == "no version" else (driver / "version").write_bytes(
        b"\xff\0 Kernel Module"
    )
    assert {gpu["driver"] for gpu in machine.facts()["gpus"]} == (set() if damage == "nothing" else {None})


def test_without_the_library_the_files_are_all(driver):
    """A thread asks for it, and finds that it is missing; run.json keeps what the files said."""
    rla.start(**OPTIONS).finish()
    _joined()
    assert [gpu["uuid"] for gpu in only_run().machine["gpus"]] == ["GPU-1f0c", "GPU-2f0c"]


def _joined():
    for thread in threading.enumerate():
        if thread.name.startswith("rla_hooks"):
            thread.join(60)
            assert not thread.is_alive()


FORK = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns about forks beside threads
if os.fork():
    os.wait()
"""
PROGRAM = f"""
import sys, threading, time
import rla_hooks as rla
run = rla.start(**{OPTIONS})
for thread in threading.enumerate():
    if thread.daemon and len(sys.argv) < 2:
        thread.join(60)
run.finish()
"""


def test_the_library_tells_more_after_the_start(nvml, warm, tmp_path):
    """With the next version of run.json, here that of the end: the memory of the GPUs."""
    done = warm("pynvml").run("-c", nvml + PROGRAM, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    gpu = {"model": "NVIDIA H100 80GB HBM3", "driver": "550.54.15", "memory": 80 << 30}
    assert only_run().machine["gpus"] == [{**gpu, "uuid": "GPU-1f0c"}, {**gpu, "uuid": "GPU-2f0c"}]
    assert in_words(only_run().machine).endswith("GiB, 2 x NVIDIA H100 80GB HBM3 (80 GiB)")


@pytest.mark.parametrize("trouble", [{"NVML_FAILS": "init"}, {"NVML_HANGS": "init"}], ids=["fails", "hangs"])
def test_a_library_that_fails_stops_nothing(nvml, warm, tmp_path, trouble):
    """Nor does one that never comes back: the program, and its forks, go on and end."""
    code = nvml + PROGRAM + FORK
    done = warm("pynvml").start("-c", code, "hurry", cwd=tmp_path, env=os.environ | trouble).ended()
    assert (done.returncode, done.stderr) == (0, "")
    assert (only_run().status, only_run().machine["gpus"]) == ("finished", [])
