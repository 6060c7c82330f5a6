"""Places for runs to live in, and readers that owe nothing to rla_hooks."""

from __future__ import annotations

import contextlib
import csv
import heapq
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import rla_hooks as rla
from rla_hooks import devices, errors, layout, ranks, rowfiles, testing
from rla_hooks.checkpoints import Entry, Manifest
from rla_hooks.writers import csv_row, json_writer
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_format import cells_of, count_rows, read_header, row_starts
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.json_writer import JsonWriter
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter

os.environ["MPLBACKEND"] = "agg"  # no window opens while somebody runs the tests
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def pytest_collection_modifyitems(config, items):
    """``make test`` tries a test that fails once more, and lists it; one that is marked ``norerun`` it does not."""
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if item.get_closest_marker("norerun"):
                item.add_marker(pytest.mark.flaky(reruns=0))


# What the developer's shell, or a launcher around the tests, would say to every run.
FOREIGN_VARIABLES = [
    *("RLA_CONFIG", "RLA_MODE", "RLA_RUN_OF_RANK_ZERO", "RLA_RUN_ID", "TF_CONFIG", "TORCHELASTIC_RUN_ID"),
    *("RLA_RESUME", "RLA_RESUMED", "RLA_RESUME_ALLOW", "RLA_RESUME_FROM_START", "RLA_RESUME_SAME_CODE"),
    *("RLA_RESUME_REASON", "RLA_RESTORED_CODE", "RLA_FORK", "RLA_FORK_STEP"),
    *("RLA_RERUN", "RLA_RERUN_SET", "RLA_RERUN_CLAIM"),
    *("RLA_GRACE", "RLA_EXIT_CODE", "RLA_REQUEUE", "OPENAI_LOGDIR", "OPENAI_LOG_FORMAT"),
    *("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "PMIX_NAMESPACE", "SLURM_RESTART_COUNT"),
    *("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", *ranks._RANK_VARIABLES),
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or writes the caches of the developer, but for matplotlib's list of fonts, which takes seconds."""
    folder = tmp_path_factory.mktemp("cache")
    fonts = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "matplotlib")
    if os.name == "posix" and fonts.is_dir():
        (folder / "matplotlib").symlink_to(fonts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def patience():
    """The machine may be busy, and stand still for seconds: what is given up in earnest is waited for in the tests.

    And programs that tests start write a line by one write, also where the developer's Python does not buffer: what
    others write cannot come in between.
    """
    from rla_hooks.query import database
    from rla_hooks.snapshot import git

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "TIMEOUT", 120.0)
        patch.setattr(database, "BUSY", 120.0)
        patch.delenv("PYTHONUNBUFFERED", raising=False)
        yield


@pytest.fixture
def spawnable(monkeypatch):
    """Functions of test files can run in processes that are spawned, which import the file by its name."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])


class _Child:
    """A forked child that calls ``action``, and ends there: no second pytest goes on in it, whatever is raised.

    A child that hangs is ended after five minutes.
    """

    def __init__(self, action: Callable[[], object]):
        self.pid, code = os.fork(), 1
        if self.pid == 0:
            try:
                signal.alarm(300)
                action()
                code = 0
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)

    def ended(self) -> int:
        """Wait for its end; return 0, or 1 if it has raised, or the signal that ended it as a negative number."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture(scope="session")
def forked():
    """Calls a function in a forked child: ``assert forked(function).ended() == 0``."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    return _Child


@pytest.fixture(scope="session")
def run_until():
    """Calls a function in a child that is killed as it begins its n-th system call: ``run_until(action, n)``."""
    module = _beside("system_calls")
    if not module.is_possible:
        pytest.skip("system calls are not known here")
    return module.run_until


def _beside(name: str):
    """The module of a file beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def warm():
    """Gives the WarmPython with these modules, which starts once: ``warm("torch").run("-c", code, cwd=tmp_path)``."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    module, known = _beside("warm"), {}

    def get(*modules: str):
        if modules not in known:
            bare = {key: value for key, value in os.environ.items() if key not in FOREIGN_VARIABLES}
            known[modules] = module.WarmPython(modules, bare)
        return known[modules]

    yield get
    for each in known.values():
        each.close()


@pytest.fixture
def through_files(tmp_path):
    """Writes the tree of an object into the files of a state, and returns it as it is while these are loaded."""
    from rla_hooks.state.reading import StateFolder
    from rla_hooks.state.writing import StatePlan, write

    count = 0

    def through(tree):
        nonlocal count
        count += 1
        plan = StatePlan()
        content = {"objects": plan.add("objects", "it", tree)}
        plan.place()
        write(tmp_path / f"state-{count}", plan, content).finish()
        state = StateFolder(tmp_path / f"state-{count}")
        return state.tree(state.content["objects"])

    return through


@pytest.fixture(scope="session")
def torch_python(warm):
    """Runs programs where torch, with what torchrun and trainings of it import, and Gymnasium are imported already."""
    for module in ("torch", "gymnasium"):
        pytest.importorskip(module)
    return warm("torch", "torch._dynamo", "torch.distributed.run", "gymnasium", "matplotlib.figure")


@pytest.fixture(scope="session")
def nvml(tmp_path_factory):
    """Lines of Python after which a program has NVIDIA's library with two cards: a stand-in, tests/nvml.c.

    Variables of the environment make it fail, or hang: see there.
    """
    compiler = shutil.which("cc")
    if compiler is None or importlib.util.find_spec("pynvml") is None or not sys.platform.startswith("linux"):
        pytest.skip("there is no C compiler, or no nvidia-ml-py")
    library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    named = f"-Wl,-soname,{library.name}"  # by this name, later loads find it
    source = Path(__file__).with_name("nvml.c")
    subprocess.run([compiler, "-shared", "-fPIC", named, "-o", library, source], check=True, timeout=60)
    return (
        f"import ctypes\nctypes.CDLL({str(library)!r})\n"
        "from rla_hooks import machine\nmachine.SIGNS_OF_GPUS = ('/proc',)\n"
    )


@pytest.fixture(scope="session")
def clean_environment():
    """Takes those variables out of the environment for as long as the given MonkeyPatch lasts."""

    def clean(monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in FOREIGN_VARIABLES:
            monkeypatch.delenv(variable, raising=False)

    return clean


@pytest.fixture(autouse=True)
def warnings_as_text(monkeypatch):
    """The tests make warnings errors, which stop no run: one that a test does not expect fails it at its end.

    Tests of such warnings take this list and clear it.
    """
    texts: list[str] = []
    monkeypatch.setattr(errors, "_print_as_text", lambda text, file, line: texts.append(text))
    yield texts
    assert texts == []


@pytest.fixture
def quiet(tmp_path, monkeypatch, clean_environment):
    """No test writes into the repository, sees the developer's environment, or leaves an open run to the next one."""
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    yield
    testing.reset()


@pytest.fixture
def own_home(tmp_path, monkeypatch, clean_environment):
    """No test sees a config or a variable of the machine it runs on: the home folder is the temporary one."""
    clean_environment(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


@pytest.fixture(scope="session")
def write_config():
    """Writes a config file, and the folders above it, and returns its path."""

    def write(folder: Path, text: str | bytes, name: str = "rla_config.yaml") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def run_paths(tmp_path):
    """The folders of a new run."""
    return layout.create(tmp_path / "logs", "task", {"lr": 0.1})


class Training:
    """Writes what a run writes, life after life, without a Run: so a test can stop it anywhere, and cut it back."""

    def __init__(self, paths: layout.RunPaths):
        self.paths = paths
        self.start()

    def start(self) -> None:
        """Begin a life: a process that opens progress.csv again, and another event file."""
        self.csv, self.events = CsvWriter(self.paths.progress_csv), TensorBoardWriter(self.paths.tensorboard_dir)
        self.json = JsonWriter(self.paths.log_dir / "progress.json")

    def steps(self, *steps: int, **values: float | str) -> None:
        for step in steps:
            row = Row(step, 1000.0 + step, {"loss": step + 0.5, **values})
            self.csv.write(row)
            self.json.write(row)
            self.events.write(row)

    def position(self, *others: str) -> dict[str, tuple[int | None, int]]:
        """Where the files of metrics stand, as a checkpoint records it. others: files of other processes."""
        found: dict[str, tuple[int | None, int]] = {}
        for path in rowfiles.files(self.paths.log_dir):
            with open(path, "rb") as file:
                rows = count_rows(file, row_starts(cells_of(read_header(file))))
            found[path.name] = None if path.name in others else rows, path.stat().st_size
        for path in json_writer.files(self.paths.log_dir):
            found[path.name] = None, path.stat().st_size
        for path in self.paths.tensorboard_dir.glob("*tfevents*"):
            found[f"tb/{path.name}"] = None, path.stat().st_size
        return found

    def save(self, step: int, name: str = "checkpoint", *others: str) -> Entry:
        """Save a checkpoint, and return its entry with the position."""
        file = f"{name}-{step}.pkl"
        (self.paths.checkpoint_dir / file).write_text(f"{step}")
        manifest = Manifest(self.paths.checkpoint_dir)
        return manifest.add(file, name, step, written=self.position(*others))

    def stop(self) -> None:
        self.csv.close()
        self.json.close()
        self.events.close()


@pytest.fixture
def training(run_paths):
    """A run that was not finished, of which a test says what it writes."""
    return Training(run_paths)


class _OnSlowDevice:
    """A value that comes only when somebody waits for it, and the family of such values."""

    def __init__(self, *values: float):
        self.values = values

    def holds(self, value: object) -> bool:
        return True

    def fetch(self, values: Sequence[_OnSlowDevice], at_once: bool) -> _OnSlowDevice:
        return _OnSlowDevice(*(each.values[0] for each in values))

    def ready(self) -> bool:
        return False

    def result(self) -> list[float]:
        return [*self.values]


@pytest.fixture
def on_slow_device(monkeypatch):
    """Puts a number on a device that is never ready before it is waited for."""
    monkeypatch.setitem(devices._families, _OnSlowDevice, _OnSlowDevice())
    return _OnSlowDevice


@pytest.fixture
def make_unreadable():
    """Makes a folder below this one that nobody can read, root neither: its path is longer than the system takes."""
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems have other limits of paths")
    made = []

    def make(place: Path) -> None:
        folder = os.open(place, os.O_RDONLY)
        for _ in range(20):
            os.mkdir("x" * 250, dir_fd=folder)
            inner = os.open("x" * 250, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        os.close(folder)
        made.append(place)

    yield make
    for place in made:
        shutil.rmtree(place)


@pytest.fixture(params=["orjson", "python"])
def formatter(request, monkeypatch):
    """What formats the rows of a progress.csv from the first one on: orjson, or Python where that is not installed."""
    if request.param == "orjson":
        monkeypatch.setattr(csv_row, "_dumps", pytest.importorskip("orjson").dumps)
    else:
        monkeypatch.setitem(sys.modules, "orjson", None)
        monkeypatch.setattr(csv_row, "_dumps", None)
        monkeypatch.setattr(csv_row, "_rows", csv_row.LOAD_AFTER)  # so the first row tries to load it
        monkeypatch.setattr(csv_row, "_tried", False)
    return request.param


@pytest.fixture
def weird_tmp_path(tmp_path):
    """A folder that trips whoever splits, quotes or prints paths by hand."""
    folder = tmp_path / "a b'c\"d\ne 诗 %2F"
    folder.mkdir()
    return folder


@pytest.fixture
def mounted(tmp_path):
    """Mounts a file system, and unmounts it at the end: ``mounted("tmpfs", "size=1m")`` returns its folder.

    With a size it is made in a file: ``mounted("ext4", "loop", "2M", "-N", "64")``, with options of mkfs.ext4.
    """
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folders = []

    def mount(kind: str, options: str, size: str = "", *make: str) -> Path:
        folder, device = tmp_path / f"disk{len(folders)}", kind
        folder.mkdir()
        if size:
            device = str(tmp_path / f"image{len(folders)}")
            commands = [["truncate", "-s", size, device], ["mkfs.ext4", "-q", "-F", *make, device]]
        else:
            commands = []
        for command in (*commands, ["mount", "-t", kind, "-o", options, device, str(folder)]):
            try:
                done = subprocess.run(command, capture_output=True)
            except OSError as error:
                pytest.skip(f"{command[0]} cannot be run here: {error}")
            if done.returncode:
                pytest.skip(f"a disk cannot be mounted here: {done.stderr.decode()}")
        folders.append(folder)
        return folder

    yield mount
    testing.reset()  # no run must end on a disk that is gone
    for folder in folders:
        subprocess.run(["umount", "-l", folder], capture_output=True)  # a test may have done it


@pytest.fixture
def small_disk(mounted):
    """A disk of one megabyte."""
    return mounted("tmpfs", "size=1m")


class Sweep(NamedTuple):
    """examples/sweep.py, run: the folder in which it was started, and what it has printed."""

    folder: Path
    out: str


@pytest.fixture(scope="session")
def sweep(tmp_path_factory):
    """The fifteen runs of examples/sweep.py, in rla_data of a folder of their own. Ten seconds, once in a process.

    Tests may add labels and rows to the runs, and no run to the log root.
    """
    pytest.importorskip("gymnasium")
    folder = tmp_path_factory.mktemp("sweep")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    command = [sys.executable, EXAMPLES / "sweep.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "RLAWarning" not in done.stderr, done.stderr
    return Sweep(folder, done.stdout)


@pytest.fixture
def make_run(quiet):
    """Makes a run with these values of a metric, one each ten steps, in rla_data of the test, and returns its id."""

    def make(*values: float | str, metric: str = "return", **params: object) -> str:
        with rla.run(task="t", writers=["csv"], backup="none", **params) as run:
            for number, value in enumerate(values):
                rla.log({metric: value}, step=10 * number)
        return run.record.content["id"]

    return make


@pytest.fixture(scope="session")
def _four_runs(tmp_path_factory, own_cache, clean_environment):
    root = tmp_path_factory.mktemp("four") / "root"
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch)
        for seed in range(4):
            with rla.run(task="demo", log_root=root, record=["seed"], writers=["csv"], backup="none", seed=seed) as run:
                rla.log({"loss": 1.0 / (seed + 1)}, step=0)
                rla.save_checkpoint({"weights": [0.5]}, step=0)
            (run.results_dir / "curve.png").write_bytes(b"a figure")
            (run.code_dir / "train.py").write_bytes(b"code")
    testing.reset()
    return root


@pytest.fixture
def four_runs(_four_runs, quiet, tmp_path):
    """A log root with four finished runs of the task demo, of seeds 0 to 3, which have files in all trees."""
    shutil.copytree(_four_runs, tmp_path / "root", symlinks=True)
    return tmp_path / "root"


@pytest.fixture
def read_rows():
    """Read a progress.csv with the csv module: one dict a row, without the cells that are empty.

    The rows that other processes have written to files beside it are among them, by time.
    """

    def read(path: Path) -> list[dict[str, str]]:
        beside = sorted(path.parent.glob("progress.*-*.csv")) if path.name == "progress.csv" else []
        files = [read_one(path)] if path.exists() or not beside else []
        files += map(read_one, beside)
        return list(heapq.merge(*files, key=lambda row: float(row["timestamp"]))) if beside else files[0]

    def read_one(path: Path) -> list[dict[str, str]]:
        text = path.read_bytes().decode("utf-8")
        assert text == "" or text.endswith("\n"), "the last row is torn"
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return [{key: cell for key, cell in row.items() if cell} for row in rows]

    return read


@pytest.fixture
def frame_of():
    """The rows of files as a pandas DataFrame that is made here, with NaN or None where there is no value."""
    import pandas

    from rla_hooks import rowfiles

    def frame(files):
        found = {}
        for name, (values, present) in rowfiles.columns(files).items():
            series = pandas.Series(values, dtype=values.dtype)
            found[name] = series if present is None else series.where(present)
        return pandas.DataFrame(found)

    return frame


@pytest.fixture
def read_scalars(monkeypatch):
    """Read a folder of event files with TensorBoard's own reader: (step, value) pairs by tag."""
    from tensorboard.backend.event_processing import directory_watcher, event_file_loader, io_wrapper
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat import tensorflow_stub

    for module in (directory_watcher, event_file_loader, io_wrapper):  # as where there is no TensorFlow
        monkeypatch.setattr(module, "tf", tensorflow_stub)

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        reader.Reload()
        return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}

    return read


@pytest.fixture
def read_events():
    """Read the events of a folder as they stand in its files, without what the readers of plugins make of them.

    Those that only tell that a session starts, which every file of ours has, are left out.
    """
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    def read(folder: Path) -> list[Event]:
        files = sorted(folder.glob("*tfevents*"))
        events = [Event.FromString(data) for file in files for data in RawEventFileLoader(str(file)).Load()]
        return [event for event in events if not event.HasField("session_log")]

    return read


@pytest.fixture
def run_example(tmp_path):
    """Runs an example as a newcomer would, in an empty folder, and returns its one run and the finished process.

    python: a warm one that has its framework.
    """

    def run(script: str, *arguments: str, python=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
        if python is None:
            command = [sys.executable, EXAMPLES / script, *arguments]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        else:
            done = python.run(EXAMPLES / script, *arguments, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        assert "RLAWarning" not in done.stderr
        (made,) = rla.runs(tmp_path / "rla_data")
        assert (made.status, made.problems) == ("finished", ())
        assert [entry.name for entry in tmp_path.iterdir()] == ["rla_data"], "all files belong to the run's folders"
        assert (made.code_dir / "examples" / script).read_bytes() == (EXAMPLES / script).read_bytes()
        return made, done

    return run


class Said(NamedTuple):
    """What a command has printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def command(monkeypatch, capfd):
    """Calls ``rla`` in this process, with these arguments: without the half second of a new one."""
    from rla_hooks.cli import main

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["rla", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Said(*capfd.readouterr(), code)

    return call


@pytest.fixture(scope="session")
def rla_process():
    """Calls ``rla`` in a process of its own, which it may replace by another one: the exit code, stdout and stderr."""
    program = "import sys; sys.argv[0] = 'rla'; from rla_hooks.cli import main; main()"

    def call(*arguments: object) -> tuple[int, str, str]:
        words = [sys.executable, "-I", "-c", program, *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture
def rla_command(monkeypatch, capsys):
    """Calls the command ``rla`` in this process, in a pipe: the exit code, stdout and stderr."""
    from rla_hooks.cli import main

    def call(*arguments: object) -> tuple[object, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["rla", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def odd_texts():
    """Texts that somebody may take for a task, a value or a name."""
    return [
        *["a", "ALE/Pong-v5", "../x", "..", ".", "...", "", " ", "a b", "a\nb", "\0", "a\0b", "/", "\\", "C:\\x", "~"],
        *["~root", "-rf", "a&b=c", "50%", "%2F", "%", "诗", "\udc80", "\ud800", "🙂", "é" * 300, "x" * 300],
        *["x" * 10_000, "/" * 100, "a.b", ".hidden", "1e-3", "None", "{'a': 1}", "a" * 255, "a" * 256, "诗" * 85],
        *["诗" * 86, "CON", "a;b|c>d<e*f?g\"h'i`j$k!", "\u202e"],
    ]  # fmt: skip


@pytest.fixture(scope="session")
def in_terminal():
    """Runs a command of ``rla`` in a terminal of its own, and returns what it wrote there.

    ``until``: once this is there, Ctrl-C ends the command.
    """
    if sys.platform == "win32":
        pytest.skip("needs a pseudo terminal")
    import fcntl
    import struct
    import termios

    def run(*arguments: object, columns: int = 80, lines: int = 40, until: str = "", **environment: str) -> str:
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        known = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        child = subprocess.Popen(
            [Path(sys.executable).parent / "rla", *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=known | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | environment,
            start_new_session=True,
        )
        os.close(slave)
        data = b""
        with contextlib.suppress(OSError):  # Linux says at the end that the other side is gone
            while piece := os.read(master, 65536):
                data += piece
                if until and until.encode() in data:
                    child.send_signal(signal.SIGINT)
                    until = ""
        os.close(master)
        assert child.wait() >= 0
        return data.decode().replace("\r\n", "\n")

    return run


@pytest.fixture(scope="session")
def _latex_check():
    spec = importlib.util.spec_from_file_location("latex_check", Path(__file__).parent / "latex_check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    return check


@pytest.fixture(scope="session")
def read_latex(_latex_check):
    """Reads a table of LaTeX strictly: returns its rows as plain texts."""
    return _latex_check.read


@pytest.fixture(scope="session")
def compile_latex(_latex_check):
    """Compiles a table of LaTeX by the TeX that is installed; where there is none the test is skipped."""
    if not any(map(shutil.which, _latex_check.PROGRAMS)):
        pytest.skip(f"none of these is installed: {', '.join(_latex_check.PROGRAMS)}")
    return _latex_check.compiled
