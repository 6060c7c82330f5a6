"""All benchmarks: every figure with a bound is measured against that, most of them as a ratio to a reference.

make bench          or          python tests/benchmarks/run.py [--best-of N] [--json FILE] [step|startup ...]

A file bench_NAME.py has a function ``measure()`` that yields (what, value, bound, unit) for each figure: less is
better, a bound of None is for a figure that says most about the machine. What a figure means, and why it has its
reference, is in docs/benchmarks.md, which must name it.
"""

import argparse
import importlib.util
import json
import sys
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

HERE = Path(__file__).resolve().parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
sys.path.insert(0, str(HERE))

from machine import describe, in_words  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="|".join(NAMES), help="those to run; all without")
    parser.add_argument("--best-of", type=int, default=1, metavar="N", help="run each N times, keep each figure's best")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown or arguments.best_of < 1:
        parser.error(f"known benchmarks: {', '.join(NAMES)}; --best-of takes 1 or more")
    console = Console()
    if not console.is_terminal:
        console.width = 150
    figures, failures = _measure(arguments.names or NAMES, arguments.best_of, console)
    machine = describe()
    console.print(_table(figures, arguments.best_of), in_words(machine), *failures, highlight=False, sep="\n")
    if arguments.json:
        content = {"machine": machine, "best of": arguments.best_of, "figures": figures, "failures": failures}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0 if not failures and all(_holds(figure) for figure in figures) else 1


def _measure(names, rounds, console):
    """The best of each figure, as dicts, and a text for each benchmark that raised an error."""
    best, failures = {}, []
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        for name in progress.track(names, description="measuring"):
            begin = time.monotonic()
            try:
                for _ in range(rounds):
                    for number, (what, value, bound, unit) in enumerate(_load(name).measure()):
                        figure = {"benchmark": name, "figure": what, "value": value, "bound": bound, "unit": unit}
                        former = best.setdefault((name, number), figure)  # some share a name, such as "in seconds"
                        former["value"] = min(former["value"], value)
            except Exception as error:  # the others go on
                failures.append(f"bench_{name}.py failed: {traceback.format_exception_only(error)[-1].strip()}")
            if not console.is_terminal:
                print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return list(best.values()), failures


def _load(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"bench_{name}.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    return bench


def _holds(figure):
    return figure["bound"] is None or figure["value"] <= figure["bound"]


def _table(figures, rounds):
    table = Table(title="rla_hooks benchmarks" + (f", the best of {rounds} runs" if rounds > 1 else ""))
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("")
    for number, figure in enumerate(figures):
        if number and figure["benchmark"] != figures[number - 1]["benchmark"]:
            table.add_section()
        bound, unit = figure["bound"], figure["unit"]
        verdict = "" if bound is None else "holds" if _holds(figure) else "[red]MISSED[/]"
        table.add_row(
            figure["figure"],
            f"{figure['value']:.3g} {unit}",
            "" if bound is None else f"<= {bound:.3g} {unit}",
            verdict,
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
