"""docs/frameworks.md: the Python of each section runs by itself, and prints what it promises."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "frameworks.md"
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.read_text().split("\n## ")[1:]}
CODE = {
    name: "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for name, text in SECTIONS.items()
}
# What the programs import is there before they start, for all of them at once.
MODULES = ("torch", "gymnasium", "stable_baselines3", "transformers", "keras")


@pytest.mark.parametrize("section", [name for name, code in CODE.items() if code and name != "Ray Tune"])
def test_the_section_runs(section, warm, tmp_path):
    """As a program by somebody who has copied it; what comments behind ``print(...)`` say is printed.

    That of Ray Tune runs in test_sweep_ray.py, where a Ray is.
    """
    for name in MODULES:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"there is no {name}")
    (tmp_path / "program.py").write_text(CODE[section])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    done = warm(*MODULES).run("program.py", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^ *print\(.*\)  # (.+)$", CODE[section], re.MULTILINE)
    assert [line for line in promised if line not in done.stdout.splitlines()] == []
