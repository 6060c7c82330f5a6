"""Each row of the tables of docs/state.md names a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.findall(r"^\| (?!---|.*\| test \|)(.*) \|$", (TESTS.parent / "docs/state.md").read_text("utf-8"), re.M)


def test_every_row_names_a_test_that_exists():
    """The last cell is ``file::function``, below tests/."""
    assert len(ROWS) >= 30
    for row in ROWS:
        found = re.fullmatch(r"`((?:integrations/)?test_\w+\.py)::(test_\w+)`", row.rpartition(" | ")[2])
        assert found, row
        tree = ast.parse((TESTS / found[1]).read_text("utf-8"))
        assert found[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row
