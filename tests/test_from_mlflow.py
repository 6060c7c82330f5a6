"""docs/from_mlflow.md: its code runs and prints what it promises, and the calls in its table exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rla_hooks as rla

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "from_mlflow.md").read_text()


def test_the_code_runs(quiet, tmp_path, capsys):
    pytest.importorskip("pandas")
    (tmp_path / "rla_config.yaml").write_text("PROJECT_TYPE: {backup_code_by: none}\n")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "from_mlflow", "exec"), {"__name__": "page"})
    promised = re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines()[-2:] == promised
    (run,) = rla.runs()
    assert (run.tags, run.record) == (["sketch"], {"lr": 0.1})
    assert (run.results_dir / "split.json").read_text() == '{"x": [1, 2]}' and run.info["result"] == {"loss": 1 / 3}


def test_the_calls_of_the_table_exist(quiet):
    """Those of a run, and those of the package."""
    ours = "\n".join(line.rpartition(" | ")[2] for line in PAGE.partition("## The calls")[2].splitlines())
    of_run, of_package = set(re.findall(r"`run\.(\w+)", ours)), set(re.findall(r"rla\.(\w+)", ours))
    assert len(of_run) >= 3 and len(of_package) >= 8
    run = rla.Run.silent()
    assert [name for name in of_run if not hasattr(run, name)] == []
    assert [name for name in of_package if not hasattr(rla, name)] == []
    assert [name for name in re.findall(r"\[-1\]\.(\w+)", ours) if not hasattr(rla.SavedRun, name)] == []
