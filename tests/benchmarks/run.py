"""All benchmarks: every figure with a bound is measured against that, most of them as a ratio to a reference.

make bench            or            python tests/benchmarks/run.py [step|startup|backup ...]
"""

import importlib.util
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent


def main(names):
    names = names or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    console = Console()
    table = Table("figure", "measured", "bound", "", title="rla_hooks benchmarks")
    held = True
    for name in track(names, "measuring", console=console, disable=not console.is_terminal, transient=True):
        spec = importlib.util.spec_from_file_location(name, HERE / f"bench_{name}.py")
        bench = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bench)
        for what, value, bound, unit in bench.measure():
            holds = bound is None or value <= bound
            held = held and holds
            table.add_row(what, f"{value:.3g} {unit}", *_verdict(bound, unit, holds))
    if not console.is_terminal:
        console.width = 140
    console.print(table)
    return 0 if held else 1


def _verdict(bound, unit, holds):
    """The last two cells of a row: empty where the bound is None, for a figure that says most about the machine."""
    if bound is None:
        return "", ""
    return f"<= {bound:g} {unit}", "holds" if holds else "[red]EXCEEDED[/]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
