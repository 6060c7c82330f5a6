"""What is installed, how light it is, and that imports only go down."""

import ast
import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"numpy", "pandas", "matplotlib", "torch", "tensorflow", "keras", "lightning", "pytorch_lightning"}

# The floors of the house, from the ground up; a file imports from its own floor or from those below.
LAYERS = [
    """errors _version atomic ranks values layout timers plaindata _checks _strict_yaml config""",
    """writers checkpoints figures plots record _git _trees _sources filestore backup provenance archive query""",
    """logger""",
    """settings outputs tensorboard_words parameter_tables lifecycle handover tester""",
    """current tracking face""",
    """easy_log cli""",
]


def _modules() -> dict[str, Path]:
    files = sorted((ROOT / "rla_hooks").rglob("*.py"))
    return {".".join(file.relative_to(ROOT / "rla_hooks").with_suffix("").parts): file for file in files}


def _imports(file: Path) -> set[str]:
    """Names of the modules of rla_hooks that a file imports while it runs (not only for types)."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rla_hooks":
            module = node.module.partition(".")[2]
            found |= {module} if module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("rla_hooks")}
    return {name.partition(".")[0] for name in found if name}


def _floor(module: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if module.partition(".")[0] in layer.split())


@pytest.mark.parametrize("module", [name for name in _modules() if name != "__init__"])
def test_imports_only_go_down(module):
    """No file imports from a floor above its own."""
    above = {name for name in _imports(_modules()[module]) if _floor(name) > _floor(module)}
    assert not above, f"rla_hooks/{module} imports {above}, which stand above it"


@pytest.mark.parametrize("module", [name for name in _modules() if not re.search("torch|tensorflow|keras", name)])
def test_core_names_no_framework(module):
    """Only a framework's own file imports it."""
    tree = ast.parse(_modules()[module].read_text())
    names = {alias.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    names |= {(n.module or "").partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not names & {"torch", "tensorflow", "keras", "lightning", "pytorch_lightning", "jax"}


def test_the_list_of_packages_is_complete():
    """setup.cfg names every folder with code, so that the wheel misses none."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    folders = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "rla_hooks").rglob("__init__.py")}
    inner = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "integrations").rglob("__init__.py")}
    assert listed == folders | {f"rla_hooks.{name}" for name in inner}


def test_the_import_is_light():
    """A fresh process that imports rla_hooks, and uses its decorator, has loaded no framework and no numpy."""
    code = (
        "import sys, json, rla_hooks as rla\n"
        "rla.track(record=['lr'])(lambda lr=1: lr)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not (HEAVY | {"tensorboard"}) & set(json.loads(done.stdout))


def test_the_folder_refuses_another_name():
    """``import integrations`` would load every class a second time, so it says what to write instead."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import integrations"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "rla_hooks.integrations" in done.stderr
