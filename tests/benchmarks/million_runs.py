"""A filter, SQL, and the reading of columns, over a million runs in the index of a log root: each within 2 s.

python tests/benchmarks/million_runs.py [number of runs]

The index is filled by its own functions with the contents of files of our form; a million real files would say more
about the disk. It takes minutes and, for a million runs, about 2 GB in the folder for temporary files.
"""

import functools
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from roots import small_files

from rla_hooks.query import cache, duck
from rla_hooks.query.candidates import IndexCandidates
from rla_hooks.query.entry import Entry
from rla_hooks.query.filter import Filter
from rla_hooks.query.index import Index, NewRow, store
from rla_hooks.query.selection import Selection
from rla_hooks.query.stored import content_of

WHERE = "lr < 0.3 and env == 'CartPole-v1' and last.perf/m1 > 0.999 and status == 'finished'"
SQL = """select lr, avg("last.perf/m1") as mean, count(*) as n from runs where env = 'CartPole-v1' group by lr"""
AT_ONCE = 1024


def fill(root, runs):
    chance, index = random.Random(1), Index.of_before(root)
    for begin in range(0, runs, AT_ONCE):
        some = []
        for number in range(begin, min(begin + AT_ONCE, runs)):
            name, run_json, hparams = small_files(number, chance)
            entry = Entry(name, "task", "finished", run_json, hparams, {})
            some.append(NewRow(name, b"synthetic", entry.started, True, entry, content_of(entry)))
        assert len(store(index, some)) == len(some)
        if sys.stderr.isatty():
            print(f"\r{begin:,}", end="", file=sys.stderr)


def choose(root):
    """The newest ten runs that fit, as SavedRuns."""
    candidates = IndexCandidates(Index.of_before(root))
    mask = Filter(WHERE).mask(candidates.column, len(candidates))
    return candidates.runs([number for number, fits in enumerate(mask) if fits][-10:])


def read_columns(root):
    """What SQL over one parameter and one metric reads."""
    candidates = IndexCandidates(Index.of_before(root))
    pairs = zip(candidates.column("lr"), candidates.column("last.perf/m1"))
    best: dict[float, float] = {}
    for lr, value in pairs:
        best[lr] = max(value, best.get(lr, value))
    return best


def ask_sql(root):
    candidates = IndexCandidates(Index.of_before(root))
    chosen = Selection(candidates, range(len(candidates)), functools.cache(candidates.column))
    with mock.patch.object(duck, "select", lambda *given: chosen):
        return duck.sql(SQL, frame="polars")


def timed(what, call, *arguments):
    begin, busy = time.perf_counter(), time.process_time()
    result = call(*arguments)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    print(f"{what:<60} {seconds:8.2f} s {busy:8.2f} s of CPU time", flush=True)
    return result


def main(runs=1_000_000):
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = name
        root = Path(name, "root")
        timed(f"filling the index with {runs:,} runs", fill, root, runs)
        (file,) = Path(name, "rla_hooks").glob("index-*.sqlite")
        print(f"{'the index file':<60} {file.stat().st_size / 1e6:8.0f} MB")
        for _ in range(2):
            chosen = timed(f"a filter: the newest {min(10, runs)} that fit", choose, root)
            assert 0 < len(chosen) <= 10 and all(
                run.hparams["lr"] < 0.3 and run.last["perf/m1"] > 0.999 for run in chosen
            )
            assert len(timed("two columns, grouped", read_columns, root)) == 10
            assert timed("SQL: the mean of a metric by a parameter", ask_sql, root)["n"].sum() == runs
            cache.forget_state()
        cache.open_cache(root, Index.of_before(root).cache.kind).write(lambda db: db.execute("DELETE FROM columns"))
        timed("without stored columns: the filter", choose, root)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
