"""What the import and the start of a run cost, in fresh processes."""

import statistics
import subprocess
import sys
import tempfile
import time

START = """
import sys, time
import rla_hooks as rla
begin = time.perf_counter()
@rla.track(record=["lr"], log_root=sys.argv[1], backup="none", writers=["csv", "tensorboard", "log"])
def main(lr=0.1):
    print(time.perf_counter() - begin)
main()
"""


def _process(code, *arguments):
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, done.stdout


def measure():
    extra = [_process("import rla_hooks")[0] - _process("pass")[0] for _ in range(15)]
    yield "import rla_hooks, over bare Python", statistics.median(extra), 0.1, "s"
    with tempfile.TemporaryDirectory() as folder:
        starts = [float(_process(START, folder)[1].split()[-1]) for _ in range(11)]
    yield "start of a run without backup, first of its process", statistics.median(starts) * 1e3, 50, "ms"
