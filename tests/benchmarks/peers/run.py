"""Other trackers beside rla_hooks: what a step costs, what kill -9 loses, how long until the first row is on the disk.

make bench-peers       or       python tests/benchmarks/peers/run.py [--json FILE] [--chart FILE] [wandb|mlflow ...]

Each is installed into an environment of its own, with the versions of constraints.txt, and each measurement is a
process of its own, with a folder of its own as its home, and a time limit. What cannot be installed or does not run is
named with the reason. No network is used but for the installation, no account at all.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from adapters import ADAPTERS, LOGGERS, VARIABLES  # noqa: E402
from machine import describe, in_words  # noqa: E402

INSTALL_LIMIT, LIMIT, FIRST_ROW_LIMIT = 900, 180, 20  # seconds
SETTLE = 5  # seconds that a peer's helper processes have after kill -9
ROUNDS = 3


class NotAvailable(Exception):
    """A peer that cannot be installed, or does not run; the reason is for the table."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", metavar="|".join(ADAPTERS), help="those to measure; all without")
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-peers", metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the cost of a step with the loggers of files")
    arguments = parser.parse_args()
    unknown = set(arguments.peers) - set(ADAPTERS)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}. Known: {', '.join(ADAPTERS)}")
    console = Console()
    results = []
    for name in arguments.peers or ADAPTERS:
        console.print(f"==> {ADAPTERS[name].name}", highlight=False)
        results.append({"peer": ADAPTERS[name].name, **_measure(name, arguments.environments)})
    figures = {"machine": describe(), "peers": results}
    if not console.is_terminal:
        console.width = 150
    console.print(_table(results), in_words(figures["machine"]), highlight=False)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.chart:
        from chart import draw

        draw(figures, arguments.chart)


# --- one peer ---------------------------------------------------------------------------------------------------------


def _measure(name, environments):
    try:
        python = _environment(ADAPTERS[name].installs, environments)
        costs = [_in_folder(_result, python, "cost", name) for _ in range(ROUNDS)]
        return {
            **costs[0],
            **{key: min(each[key] for each in costs) for key in ("step_us", "processor_us")},
            **_in_folder(_killed, python, name),
            "first_row_s": _first_row(python, name),
        }
    except NotAvailable as error:
        return {"not_available": str(error)}


def _environment(installs, environments):
    """The Python of the environment with these packages, which is made if there is none or others are asked for."""
    folder = environments / installs[0]
    asked = "\n".join(installs) + (HERE / "constraints.txt").read_text()
    ready, python = folder / ".ready", folder / "bin" / "python"
    if not ready.is_file() or ready.read_text() != asked:
        _command([sys.executable, "-m", "venv", "--clear", folder], INSTALL_LIMIT)
        ours = ["--editable", ROOT] if installs == LOGGERS else []
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _command([*pip, "--constraint", HERE / "constraints.txt", *installs, *ours], INSTALL_LIMIT)
        ready.write_text(asked)
    return python


def _command(command, limit, **options):
    """What a command prints; NotAvailable with its last line if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, **options)
    except subprocess.TimeoutExpired:
        raise NotAvailable(f"no end within {limit} s") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise NotAvailable(lines[-1].strip()[:200])
    return done.stdout


def _in_folder(function, *arguments):
    with tempfile.TemporaryDirectory(
        prefix="peers-", dir=os.environ.get("BENCH_DIR"), ignore_cleanup_errors=True
    ) as folder:
        return function(*arguments, Path(folder).resolve())


def _start(python, what, name, folder):
    """The command of a measurement, and how its process is started: at home in the folder, told to keep to itself."""
    told = {key: value.format(folder=folder / "data") for key, value in VARIABLES.get(name, {}).items()}
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    (folder / "home").mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    options = {"cwd": folder / "home", "env": {**kept, "HOME": str(folder / "home"), "USER": "bench", **told}}
    return [python, HERE / "measure.py", what, name, folder / "data"], options


def _result(python, what, name, folder):
    command, options = _start(python, what, name, folder)
    return json.loads(_command(command, LIMIT, **options).splitlines()[-1])


def _killed(python, name, folder):
    """Rows that each store lacks after the process was killed."""
    command, options = _start(python, "kill", name, folder)
    done = subprocess.run(command, timeout=LIMIT, capture_output=True, **options)
    if done.returncode != -signal.SIGKILL:
        raise NotAvailable(f"the process that was to be killed ended with {done.returncode}")
    time.sleep(SETTLE)
    return _result(python, "read", name, folder)


# --- time until the first row -----------------------------------------------------------------------------------------


def _first_row(python, name):
    """Seconds from the start of the process, less those of one that only starts; None beyond the limit."""
    bare = min(_seconds([python, HERE / "measure.py"]) for _ in range(5))
    taken = []
    for number in range(ROUNDS + 1):
        seconds = _in_folder(_until_first_row, python, name)
        if seconds is None:
            return None
        if number:  # the first one reads all modules from the disk
            taken.append(seconds)
    return min(taken) - bare


def _seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begin


def _until_first_row(python, name, folder):
    command, options = _start(python, "first", name, folder)
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        while time.perf_counter() < begin + FIRST_ROW_LIMIT:
            if _has_row(folder / "data"):
                return time.perf_counter() - begin
            if process.poll() is not None:
                raise NotAvailable(f"the process ended with {process.returncode} before the first row")
            time.sleep(0.002)
        return None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _has_row(folder):
    """Whether the last of the row's ten names is in a file, or is the name of one that has content."""
    for path in folder.rglob("*"):
        try:
            if path.is_file() and (
                b"metric_9" in (content := path.read_bytes()) or ("metric_9" in path.name and content)
            ):
                return True
        except OSError:
            pass  # it has just been replaced
    return False


# --- the table --------------------------------------------------------------------------------------------------------


def _table(results):
    table = Table(title="a step of 10 scalars with each peer")
    table.add_column("peer")
    table.add_column("version")
    for heading in ("a step waits, µs", "processor, µs a step", "rows of 1,000 lost at kill -9", "first row after, s"):
        table.add_column(heading, justify="right")
    for each in results:
        if "not_available" in each:
            table.add_row(each["peer"], "", f"not available: {each['not_available']}")
        else:
            table.add_row(each["peer"], each["version"], *_cells(each))
    return table


def _cells(result):
    lost = result["lost"]
    same = len(set(lost.values())) == 1
    first = result["first_row_s"]
    return (
        _two_digits(result["step_us"]),
        _two_digits(result["processor_us"]),
        f"{next(iter(lost.values())):,}" if same else ", ".join(f"{store} {rows:,}" for store, rows in lost.items()),
        f"> {FIRST_ROW_LIMIT}" if first is None else "< 0.01" if first < 0.01 else _two_digits(first),
    )


def _two_digits(value):
    """12,345 as 12,000; 0.1234 as 0.12."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


if __name__ == "__main__":
    main()
