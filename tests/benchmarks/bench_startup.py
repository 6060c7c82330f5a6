"""What the import and the start of a run cost, in fresh processes.

A whole process that tracks an empty function is compared with one that does nothing, in turns, and of each the fastest
is taken: what other programs do at the same time only makes a process slower. The milliseconds depend on the machine;
the ratio to the start of Python itself does so much less.

``import rla_hooks`` puts the work off until a name is used, so what a run needs is imported on purpose here, too.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TURNS = 25
NEEDED = "import rla_hooks, rla_hooks.tester, rla_hooks.tracking"
START = """
import sys, time
import rla_hooks as rla
def main(lr=0.1):
    print(time.perf_counter() - begin)
main = rla.track(record=["lr"], log_root=sys.argv[1], backup="none", writers=["csv", "tensorboard", "log"])(main)
for _ in range(2):
    begin = time.perf_counter()
    main()
"""
EMPTY = """
import rla_hooks as rla

@rla.track(log_root={log_root!r}, backup={backup!r})
def main(lr=0.1):
    pass

main()
"""


def _process(*arguments):
    begin = time.perf_counter()
    # Isolated, so that variables of the environment (PYTHONDONTWRITEBYTECODE) make no start slower.
    done = subprocess.run([sys.executable, "-I", *arguments], capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, done.stdout


def _over_bare_python(code):
    return statistics.median(_process("-c", code)[0] - _process("-c", "pass")[0] for _ in range(15))


def measure():
    yield "import rla_hooks, over bare Python", _over_bare_python("import rla_hooks"), 0.1, "s"
    yield "import of all that a run needs, over bare Python", _over_bare_python(NEEDED), 0.1, "s"
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        starts = [list(map(float, _process("-c", f"{NEEDED}\n{START}", folder)[1].split())) for _ in range(11)]
        yield "start of a run without backup", statistics.median(first for first, _ in starts) * 1e3, 50, "ms"
        yield "start of a further run", statistics.median(second for _, second in starts) * 1e3, 50, "ms"
        yield from _whole_processes(Path(folder, "whole"))


def _whole_processes(folder):
    project, logs = _project(folder / "project"), folder / "rla_data"
    scripts = {backup: project / f"{backup}.py" for backup in ("none", "source")}
    for backup, script in scripts.items():
        script.write_text(EMPTY.format(log_root=str(logs), backup=backup))
    programs = {"bare": ("-c", "pass"), **{backup: (str(script),) for backup, script in scripts.items()}}
    for program in programs.values():  # bytecode, and the first backup
        _process(*program)
    turns = [{name: _process(*program)[0] for name, program in programs.items()} for _ in range(TURNS)]
    best = {name: min(turn[name] for turn in turns) for name in programs}
    what = "@rla.track on an empty function, whole process"
    for backup, bound, told in (("none", 60, "without backup"), ("source", 120, "unchanged backup of 200 files")):
        yield f"{what}, {told}, over bare Python", (best[backup] - best["bare"]) * 1e3, bound, "ms"
        yield "the same / bare Python", best[backup] / best["bare"], None, "times"


def _project(root):
    """A git repository with 200 files of 5 kB."""
    for number in range(200):
        file = root / f"package_{number % 20}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"def f{line}(a, b):\n    return a + {number} * b\n\n" for line in range(120)))
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *arguments], check=True)
    return root
