"""The ``>>>`` examples of all docstrings run, each in an empty folder and as the first thing a process does."""

import ast
import doctest
import functools
import importlib
import inspect
import re
import warnings
from pathlib import Path

import pytest

import rla_hooks as rla

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = ("torch", "tensorflow", "keras", "tf_keras", "pytorch_lightning", "lightning", "gymnasium")
# Whose names need an example each: what users and authors of hooks import.
PUBLIC = ["rla_hooks"]
PUBLIC += [f"rla_hooks.{name}" for name in ("hooks", "testing", "config", "query", "checkpoints", "statistics")]


@functools.cache
def _modules() -> dict[str, Path]:
    """All files of the package by the names that they are imported by."""
    found = {}
    for top, package in ((ROOT / "rla_hooks", "rla_hooks"), (ROOT / "integrations", "rla_hooks.integrations")):
        for file in sorted(top.rglob("*.py")):
            parts = [package, *file.relative_to(top).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def _docstrings(file: Path) -> list[tuple[str, str, int]]:
    """The docstrings with examples in a file, found without importing it: name, text, line."""
    found = []

    def look(node: ast.AST, name: str) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                look(inner, f"{name}.{inner.name}")
            elif not isinstance(inner, ast.expr):
                look(inner, name)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node, clean=False)
            if text and ">>>" in text:
                found.append((name.lstrip("."), text, node.body[0].lineno - 1))

    look(ast.parse(file.read_text()), "")
    return found


EXAMPLES = [
    pytest.param(module, text, line, id=f"{module}:{name}" if name else module)
    for module, file in _modules().items()
    for name, text, line in _docstrings(file)
]


@pytest.mark.parametrize(("module", "text", "line"), EXAMPLES)
def test_the_example_runs(module, text, line, quiet):
    """It prints what the docstring says, and needs nothing but its own lines and the names of its module."""
    file = _modules()[module]
    for framework in FRAMEWORKS:
        if re.search(rf"^\s*(>>> )?(import|from) {framework}\b", f"{file.read_text()}", re.MULTILINE):
            pytest.importorskip(framework)
    if re.search(r"\.(metrics|series)\(", text):
        pytest.importorskip("pandas")
    if "open_remote(" in text:
        pytest.importorskip("fsspec")
    content = vars(importlib.import_module(module)).copy()
    example = doctest.DocTestParser().get_doctest(text, content, module, str(file), line)
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest makes errors of ours
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


def _public_names() -> list[tuple[str, str]]:
    """The classes and functions that a module names in ``__all__``; without one, those that it defines."""
    found = []
    for module in PUBLIC:
        content = importlib.import_module(module)
        own = [name for name, thing in vars(content).items() if getattr(thing, "__module__", None) == module]
        names = getattr(content, "__all__", None) or [name for name in own if not name.startswith("_")]
        things = {name: getattr(content, name) for name in names}
        # What a backend has to have is a Protocol, which nobody calls.
        found += [
            (module, name) for name, it in things.items() if callable(it) and not getattr(it, "_is_protocol", False)
        ]
    return found


@pytest.mark.parametrize(("module", "name"), _public_names())
def test_each_public_name_has_an_example(module, name):
    """All classes and functions: the example stands in the docstring of the name itself."""
    thing = getattr(importlib.import_module(module), name)
    text = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert text and ">>>" in text, f"{module}.{name} has no example in its docstring"


def test_the_examples_are_found():
    """Those of functions, classes and methods."""
    ids = [each.id for each in EXAMPLES]
    assert "rla_hooks.errors:WarnOnce" in ids and len(ids) >= 10
    assert "track" in rla.__all__
