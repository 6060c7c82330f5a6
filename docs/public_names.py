"""The directive ``public-names``: what a module offers, from its docstrings.

A page names modules, never their contents, so a name that joins a module's ``__all__`` is on the page at the next
build. Classes of rla_hooks.integrations are read from their source: importing them would import their frameworks.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

INTEGRATIONS = "rla_hooks.integrations"
Definition = ast.ClassDef | ast.FunctionDef


class PublicNames(SphinxDirective):
    """Describes the public names of a module: all, or only its functions, classes or errors.

    ``except``: names that are described elsewhere.
    """

    required_arguments = 1
    option_spec: ClassVar = {
        "only": lambda word: directives.choice(word, ("functions", "classes", "errors")),
        "except": str.split,
    }

    def run(self) -> list[nodes.Node]:
        module, only = self.arguments[0], self.options.get("only")
        names = [name for name in names_of(module) if name not in self.options.get("except", ())]
        if module.startswith(INTEGRATIONS):
            described = [_from_source(module, name) for name in names]
        else:
            described = [_by_import(module, name) for name in names if only in (None, _kind(module, name))]
        text = "\n".join(described)
        return self.parse_text_to_nodes(f"````{{eval-rst}}\n{text}\n````")


def names_of(module: str) -> list[str]:
    """The names in ``__all__``; without one, what is defined in the module and has no underscore."""
    if module.startswith(INTEGRATIONS):
        return _all_in_source(module)
    content = importlib.import_module(module)
    names = getattr(content, "__all__", None) or [name for name in vars(content) if _is_own(content, name)]
    return [name for name in names if not name.startswith("__")]


def _is_own(module: ModuleType, name: str) -> bool:
    return not name.startswith("_") and getattr(getattr(module, name), "__module__", None) == module.__name__


def _kind(module: str, name: str) -> str:
    thing = getattr(importlib.import_module(module), name)
    if not inspect.isclass(thing):
        return "functions"
    return "errors" if issubclass(thing, Exception) else "classes"


def _by_import(module: str, name: str) -> str:
    """The reStructuredText that makes autodoc describe one name."""
    thing = getattr(importlib.import_module(module), name)
    _import_for_types(inspect.getmodule(thing))
    if not inspect.isclass(thing):
        kind = "autofunction" if inspect.isroutine(thing) else "autodata"
        return f".. {kind}:: {module}.{name}\n" + ("   :no-value:\n" if kind == "autodata" else "")
    kind = "autoexception" if issubclass(thing, Exception) else "autoclass"
    inherited = not issubclass(thing, (Exception, tuple)) and any(map(_is_ours, thing.__mro__[1:]))
    return f".. {kind}:: {module}.{name}\n   :members:\n" + ("   :inherited-members:\n" if inherited else "")


def _import_for_types(module: ModuleType | None) -> None:
    """Run what a module imports for type checkers only: without, autodoc cannot tell what its annotations mean."""
    for node in _tree(module.__name__).body if module else []:
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            with suppress(ImportError):  # of pandas, say, where only the docs extra is installed
                exec(compile(ast.Module(node.body, []), module.__name__, "exec"), vars(module))


def _is_ours(thing: type[Any]) -> bool:
    return thing.__module__.partition(".")[0] == "rla_hooks"


# --- from the source, for files that import a framework ---------------------------------------------------------------


def _from_source(module: str, name: str) -> str:
    found = _class(module, name)
    if found is None:
        raise ValueError(f"{module} has no class or function {name}")
    home, definition = found
    text = _first(home, definition, ast.get_docstring) or ""
    signature = _first(home, definition, _signature) or ""
    kind = "function" if isinstance(definition, ast.FunctionDef) else "class"
    body = "\n".join(f"   {line}".rstrip() for line in text.splitlines())
    return f".. py:{kind}:: {name}({signature})\n   :module: {module}\n\n{body}\n"


def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, module
    return ast.parse(Path(spec.origin).read_text())


def _all_in_source(module: str) -> list[str]:
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _class(module: str, name: str) -> tuple[str, Definition] | None:
    """Find a class or function where it is defined, over the imports of rla_hooks; None where it is somebody else's."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and name in [alias.asname or alias.name for alias in node.names]:
            return _class(node.module, name) if node.module and node.module.startswith("rla_hooks") else None
    return None


def _first(module: str, definition: Definition, find: Any) -> str | None:
    """What ``find`` gives for the class, or for the first of its bases in rla_hooks that has it."""
    found = find(definition)
    for base in definition.bases if found is None and isinstance(definition, ast.ClassDef) else []:
        known = _class(module, base.id) if isinstance(base, ast.Name) else None
        found = found if known is None or found is not None else _first(*known, find)
    return found


def _signature(definition: Definition) -> str | None:
    if isinstance(definition, ast.FunctionDef):
        return ast.unparse(definition.args)
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            node.args.args = node.args.args[1:]  # without self
            if node.args.kwarg is not None and node.args.kwarg.arg == "unknown":
                node.args.kwarg = None  # takes wrong names, to say which are right
            return ast.unparse(node.args)
    return None


# --- docstrings -------------------------------------------------------------------------------------------------------


def _mark_examples(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A block that is indented by four or more, and not called in by "::", is text that stands as it is."""
    for index in range(len(lines) - 1, 0, -1):
        before, line = lines[:index], lines[index]
        above = next((each for each in reversed(before) if each), "")
        opens = line.startswith("    ") and not lines[index - 1] and not above.startswith(" ")
        if opens and not above.endswith("::") and not line.lstrip().startswith(">>>"):
            lines[index:index] = ["::", ""]


def _plain_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Sphinx cannot read defaults such as "<factory>" and "<function <lambda>>"; a protocol is never called."""
    if getattr(thing, "_is_protocol", False):
        return "", returns
    if returns and inspect.isgeneratorfunction(getattr(thing, "__wrapped__", None)):
        returns = returns.replace("Iterator", "AbstractContextManager")  # decorated by contextmanager
    return signature and re.sub(r"<(factory|function .*?<lambda>)>", "...", signature), returns


def _skip_field(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """The fields of a named tuple stand in its signature; "Alias for field number 0" says nothing."""
    return True if str(getattr(thing, "__doc__", "")).startswith("Alias for field") else None


def _find_anywhere(app: Sphinx, environment: Any, node: Any, content: nodes.Element) -> nodes.Element | None:
    """Docstrings write ``ConfigError`` in every module; there is one of each name on the site."""
    if node.get("refdomain") != "py" or "." in node["reftarget"]:
        return None
    node["refspecific"] = True  # searches in all modules
    domain = environment.domains.python_domain
    return domain.resolve_xref(
        environment, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, content
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", _mark_examples)
    app.connect("autodoc-process-signature", _plain_signature)
    app.connect("autodoc-skip-member", _skip_field)
    app.connect("missing-reference", _find_anywhere)
    return {"parallel_read_safe": True}
