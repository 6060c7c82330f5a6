"""What the import and the start of a run cost, in fresh processes.

``import rla_hooks`` puts the work off until a name is used, so what a run needs is imported on purpose here, too.
"""

import statistics
import subprocess
import sys
import tempfile
import time

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


def _process(code, *arguments):
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, [float(line) for line in done.stdout.split()]


def _over_bare_python(code):
    return statistics.median(_process(code)[0] - _process("pass")[0] for _ in range(15))


def measure():
    yield "import rla_hooks, over bare Python", _over_bare_python("import rla_hooks"), 0.1, "s"
    yield "import of all that a run needs, over bare Python", _over_bare_python(NEEDED), 0.1, "s"
    with tempfile.TemporaryDirectory() as folder:
        starts = [_process(f"{NEEDED}\n{START}", folder)[1] for _ in range(11)]
    yield "start of a run without backup", statistics.median(first for first, _ in starts) * 1e3, 50, "ms"
    yield "start of a further run", statistics.median(second for _, second in starts) * 1e3, 50, "ms"
