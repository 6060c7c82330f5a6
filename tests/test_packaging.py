"""What is installed, how light it is, and that imports only go down."""

import ast
import configparser
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"numpy", "pandas", "matplotlib", "torch", "tensorflow", "keras", "lightning", "pytorch_lightning"}

# The layers, from the bottom up: a file imports from its own layer or from those below.
FLOORS = [
    """errors _version atomic delegation locks ranks texts values devices columns parameters encoding plaindata layout
    run_name run_folders filenames endings outcome progress record restarts claims places reserve handles command
    masking life smallfiles labels new_names results patterns fields calls parameter_forms former_parameters
    rerun_arguments machine every old_words path_text torch_tensors""",
    """writers rowfiles rows""",
    """config figures checkpoints snapshot cutting state statistics summaries""",
    """query core""",
    """plot paper_tables upkeep remote""",
    """tester tester_arguments tester_folders tester_words tracked tracked_calls tracking run_block face hooks
    hook_arguments appending former_run resumable resume_checks resume_ranks resume_search same_code forkable
    late_fork rerunnable testing launch __init__""",
    """easy_log easy_plot easy_torch query_tool rla_argparser trackers const utils emb_test cli integrations""",
]
# What reads runs, and what a run's snapshot is made by, never knows the run that is open.
ENTRANCES = FLOORS[5].replace("__init__", "")
NEVER = {
    "query": f"core {ENTRANCES}",
    "plot": f"core {ENTRANCES}",
    "paper_tables": f"core {ENTRANCES}",
    "upkeep": f"core {ENTRANCES}",
    "remote": f"core {ENTRANCES}",
    "cli": f"core {ENTRANCES}",
    "core": "query",
}

# Parts of a run that start from another run; nothing but them reads runs, and a plain run does without.
READS_RUNS = {"core.loading"}


@functools.cache
def _modules() -> dict[str, Path]:
    """Every file by its dotted name below rla_hooks: ``core.logger``, ``writers`` for writers/__init__.py."""
    found = {}
    for top, prefix in ((ROOT / "rla_hooks", ()), (ROOT / "integrations", ("integrations",))):
        for file in sorted(top.rglob("*.py")):
            parts = (*prefix, *file.relative_to(top).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = file
    return found


@functools.cache
def _imported(file: Path) -> frozenset[str]:
    """What a file imports, by dotted names: at its top, inside of functions, and for type checking."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from rla_hooks.core import logger" is the module; "from rla_hooks.errors import RunError" a name in one.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@functools.cache
def _graph() -> dict[str, set[str]]:
    """The modules of rla_hooks that each of them imports."""
    return {name: _own(_imported(file)) for name, file in _modules().items()}


def _own(names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        root, _, inner = name.partition(".")
        if root == "rla_hooks":
            while inner and inner not in _modules():
                inner = inner.rpartition(".")[0]
            found.add(inner or "__init__")
    return found


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles in a graph of imports: for each file that can be reached from itself, one way round."""
    circles = []
    for start in graph:
        queue, came_from = [start], {}
        for module in queue:  # which grows
            for target in sorted(graph.get(module, ())):
                if target == start:
                    way = [module]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    circles.append([start, *reversed(way[:-1]), start] if len(way) > 1 else [start, start])
                    queue.clear()
                    break
                if target not in came_from and target != start:
                    came_from[target] = module
                    queue.append(target)
    return circles


def _floor(module: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if module.partition(".")[0] in floor.split())


def test_imports_only_go_down():
    """No file imports from a floor above its own, and who reads runs never imports who writes them."""
    above, wrong = {}, {}
    for module, imported in _graph().items():
        above[module] = {name for name in imported if _floor(name) > _floor(module)}
        never = set() if module in READS_RUNS else set(NEVER.get(module.partition(".")[0], "").split())
        wrong[module] = {name for name in imported if name.partition(".")[0] in never}
    assert _with_some(above) == {}, "these import what stands above them"
    assert _with_some(wrong) == {}, "these import what they never may"
    assert len(_graph()) > 400


def _with_some(found: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: some for name, some in found.items() if some}


# What a framework's hook may import of rla_hooks: what every author of a hook may.
PUBLIC = set(
    "__init__ hooks endings errors record layout run_name atomic checkpoints figures summaries writers.base "
    "integrations launch".split()
)


def test_integrations_import_public_names_only():
    """Lightning's and Keras' files stand on the kit that anybody's hook can use: nothing private, nothing of core/."""
    private = {}
    for module in (name for name in _graph() if name.startswith("integrations")):
        private[module] = {name for name in _graph()[module] if not {name, name.partition(".")[0]} & PUBLIC}
        for node in ast.walk(ast.parse(_modules()[module].read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rla_hooks":
                inside = node.module.startswith("rla_hooks.integrations")
                private[module] |= {each.name for each in node.names if each.name.startswith("_") and not inside}
    assert _with_some(private) == {} and len(private) > 50


def test_no_module_hides_a_public_name():
    """Importing a sub-module binds its name in its package: no public function or object may have the same one."""
    names, packages = _modules(), 0
    for module, file in names.items():
        public = _public_names(file) if file.name == "__init__.py" else []
        packages += bool(public)
        inner = {name.removeprefix(f"{module}.") for name in names} if module != "__init__" else set(names)
        assert not inner & set(public), f"{module} has a sub-module of the name"
    assert packages >= 5


def _public_names(file: Path) -> list[str]:
    """What ``__all__`` lists in a file."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def test_every_public_name_is_there():
    """Also after all modules that need no framework were imported."""
    code = (
        "import importlib, pkgutil, re, types, rla_hooks\n"
        "packages = [rla_hooks]\n"
        "frameworks = 'integrations|torch|tensorflow|keras|jax|sb3|tianshou|nnx|environments$|ray_trainable'\n"
        "for each in pkgutil.walk_packages(rla_hooks.__path__, 'rla_hooks.'):\n"
        "    if not re.search(frameworks, each.name):\n"
        "        packages.append(importlib.import_module(each.name))\n"
        "for package in packages:\n"
        "    for name in getattr(package, '__all__', ()):\n"
        "        assert not isinstance(getattr(package, name), types.ModuleType), (package.__name__, name)\n"
        "print(len(packages))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 100


def test_there_is_no_circle_of_imports():
    """Neither at run time, nor inside of functions, nor for type checking."""
    assert _circles(_graph()) == []


def test_a_circle_would_be_found():
    """The search above sees a circle of one, of two and of three files, and none where there is none."""
    assert _circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert _circles({"a": {"a"}}) == [["a", "a"]]
    assert ["a", "b", "a"] in _circles({"a": {"b"}, "b": {"a"}})
    assert ["a", "b", "c", "a"] in _circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    looped = {**_graph(), "errors": {"core.logger"}}
    assert any("core.logger" in circle for circle in _circles(looped))


def test_core_names_no_framework():
    """Only a framework's own file imports it."""
    frameworks = {"torch", "tensorflow", "keras", "lightning", "pytorch_lightning", "jax"}
    found = {}
    for module in (name for name in _modules() if not re.search("torch|tensorflow|keras|jax_|nnx|integrations", name)):
        found[module] = frameworks & {name.partition(".")[0] for name in _imported(_modules()[module])}
    assert _with_some(found) == {} and len(found) > 400


def test_hooks_ask_for_the_versions_that_their_extras_bring():
    """Who has an older framework gets one line, and no AttributeError; pip and the hook say the same."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    check = re.compile(r"""_versions\.check\(\s*"(\w+)", \((\d+), (\d+)\),\s*"pip install 'rla-hooks\[([\w-]+)\]""")
    asked = {each for file in (ROOT / "integrations").glob("*.py") for each in check.findall(file.read_text())}
    for name, major, minor, extra in asked:
        brought = config["options.extras_require"][extra].replace("-", "_")
        wanted = (
            rf"^{name}(\[\w+\])?>={major}(\.{minor})?$" if minor == "0" else rf"^{name}(\[\w+\])?>={major}\.{minor}$"
        )
        assert re.search(wanted, brought, re.MULTILINE), f"{name}: {major}.{minor} is not what {extra} brings"
    assert len(asked) > 8


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
