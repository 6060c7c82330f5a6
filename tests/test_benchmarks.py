"""The page on benchmarks names what they measure, and the peers that make bench-peers measures."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "benchmarks"
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()
BENCHES = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def _patterns(text: str) -> list[str]:
    """What the functions of a benchmark yield as names of figures, as patterns: what an f-string fills in is open."""
    found = []
    for function in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]:
        assigned = {
            node.targets[0].id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 4:
                name = node.value.elts[0]
                name = assigned[name.id] if isinstance(name, ast.Name) else name
                parts = name.values if isinstance(name, ast.JoinedStr) else [name]
                found.append("".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts))
    return [pattern.replace(r"\ \ \ \ ", "") for pattern in found]


def _documented(bench: str) -> list[str]:
    """The first column of the table below the benchmark's heading, which holds its name in code style."""
    section = re.split(r"^##+ ", PAGE.partition(f"(`{bench}`)\n")[2], flags=re.MULTILINE)[0]
    return [row.strip() for row in re.findall(r"^\| (.+?) \| ", section, re.MULTILINE)[1:] if not row.startswith("---")]


def test_names_are_found():
    """However a benchmark spells them."""
    text = 'def a():\n    what = f"{1} rows"\n    yield what, 1, 2, "s"\n    yield ("    b / c", 1, None, "s")'
    assert _patterns(text) == [r".+\ rows", r"b\ /\ c"]


@pytest.mark.parametrize("bench", BENCHES)
def test_the_page_names_every_figure(bench):
    """And none that is not measured."""
    patterns, names = _patterns((FOLDER / f"bench_{bench}.py").read_text()), _documented(bench)
    assert patterns and names, f"docs/benchmarks.md has no table for {bench}"
    assert [each for each in patterns if not any(re.fullmatch(each, name) for name in names)] == []
    assert [name for name in names if not any(re.fullmatch(each, name) for each in patterns)] == []


def test_the_page_has_all_peers(monkeypatch):
    """In the order of the table that make bench-peers prints."""
    monkeypatch.syspath_prepend(FOLDER / "peers")
    for name in ("adapters", "readers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from adapters import ADAPTERS

    section = PAGE.partition("## Beside other trackers\n")[2]
    rows = re.findall(r"^\| (.+?) \| ", section, re.MULTILINE)
    assert rows[2:] == [each.name for each in ADAPTERS.values()]
