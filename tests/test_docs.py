"""The pages for users and for engineers say what the code does: settings, variables, the files to touch."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import config
from rla_hooks.config import reading

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
CODE = [*sorted((ROOT / "rla_hooks").rglob("*.py")), *sorted((ROOT / "integrations").rglob("*.py"))]


def _first_column(heading: str) -> list[str]:
    """The names in the first column of the table below a heading of the settings page."""
    section = SETTINGS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)


def test_the_settings_page_has_all_keys():
    """Each once, and none that does not exist."""
    assert sorted(_first_column("Config keys")) == sorted(reading._KEYS)


@pytest.mark.parametrize("number", range(SETTINGS.count("```yaml\n")))
def test_the_settings_page_says_the_defaults(own_home, tmp_path, number):
    """Its config file has every key, and gives the settings that hold without one."""
    file = tmp_path / "rla_config.yaml"
    file.write_text(re.findall(r"^```yaml\n(.*?)^```", SETTINGS, re.MULTILINE | re.DOTALL)[number])
    written, default = config.load(file), config.load({}, cwd=tmp_path)
    for name in vars(default).keys() - {"source", "raw"}:
        assert getattr(written, name) == getattr(default, name), name
    keys = [f"{key}.{inner}" for key, value in written.raw.items() if isinstance(value, dict) for inner in value]
    keys += [key for key, value in written.raw.items() if not isinstance(value, dict)]
    assert sorted(keys) == sorted(reading._KEYS)


# --- environment variables --------------------------------------------------------------------------------------------


def _constants(tree: ast.Module) -> dict[str, list[str]]:
    """The texts of a module's constants by name, and of the loops over them."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            found[node.targets[0].id] = [text for text in texts if isinstance(text, str)]
    loops = [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    for loop in loops:
        if isinstance(loop.target, ast.Name) and isinstance(loop.iter, ast.Name) and loop.iter.id in found:
            found[loop.target.id] = found[loop.iter.id]
    return found


def _is_environ(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def _variables(text: str) -> set[str]:
    """The environment variables that a file of code reads, sets or deletes. One that cannot be told is "?"."""
    if "environ" not in text and "getenv" not in text:
        return set()
    tree = ast.parse(text)
    constants = _constants(tree)
    named: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_environ(node.value):
            named.append(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if _is_environ(node.func.value) or node.func.attr == "getenv":
                named.append(node.args[0])
        elif isinstance(node, ast.Compare) and _is_environ(node.comparators[0]):
            named.append(node.left)
    found: set[str] = set()
    for name in named:
        if isinstance(name, ast.Constant):
            found.add(str(name.value))
        else:
            found.update(constants.get(ast.unparse(name).rpartition(".")[2], ["?"]))
    return found


def test_variables_are_found():
    """However the code spells them."""
    assert _variables("import os\nos.environ['A']; os.environ.get('B', ''); os.getenv('C')") == {"A", "B", "C"}
    assert _variables("import os\nX = 'A'\nos.environ.pop(X)\nos.environ[Y]") == {"A", "?"}
    assert _variables("import os\nX = ('A', 'B')\nfor each in X:\n    each in os.environ") == {"A", "B"}


def test_the_settings_page_has_all_environment_variables():
    """Each once, and none that the code does not know. Those in the paths of a config are the user's choice."""
    used = set().union(*(_variables(file.read_text()) for file in CODE if file.name != "checks.py"))
    assert sorted(_first_column("Environment variables")) == sorted(used)


# --- the pages for engineers ------------------------------------------------------------------------------------------


def _paths(page: Path) -> list[str]:
    """What a page names in code style that looks like a file or folder of this project."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    tops = ("rla_hooks/", "integrations/", "tests/", "docs/", "examples/")
    return [span for span in spans if re.fullmatch(r"[\w./-]+", span) and span.startswith(tops)]


def _floors() -> list[list[str]]:
    """The public modules and folders on each floor, the ground first: FLOORS of tests/test_packaging.py."""
    tree = ast.parse((ROOT / "tests" / "test_packaging.py").read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    return [[name for name in floor.split() if name[0] != "_"] for floor in ast.literal_eval(assigned["FLOORS"])]


def test_the_table_of_folders_has_each_one_from_the_top_down():
    """What CONTRIBUTING.md says of who may import whom, by the order of its rows, is what the imports are held to."""
    page = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Where things go\n")[2].partition("\n## ")[0]
    told = re.findall(r"`(?:rla_hooks/)?(\w+)(?:/|\.py)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    folders = {path.parent.name for path in (ROOT / "rla_hooks").glob("*/__init__.py")}
    assert folders - {*told} == set()
    levels = [level for name in told for level, floor in enumerate(_floors()) if name in floor]
    assert len(levels) == len(told) == len({*told}) and levels == sorted(levels, reverse=True)


def test_the_picture_of_imports_is_the_tested_one():
    """The lines of docs/architecture.md are the floors of tests/test_packaging.py, the ground at the bottom."""
    floors = _floors()
    section = (ROOT / "docs" / "architecture.md").read_text().partition("## Who imports whom")[2]
    drawn = re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    drawn = drawn.replace("\n  ", " ")  # an indented line goes on
    assert [sorted(line.split()) for line in drawn.splitlines()] == [sorted(floor) for floor in reversed(floors)]


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"], ids=lambda page: page.name
)
def test_the_paths_exist(page):
    """Every file and folder that the page names is there."""
    named = _paths(page)
    assert len(named) >= 10
    assert [path for path in named if not (ROOT / path).exists()] == []


# --- words ------------------------------------------------------------------------------------------------------------


def test_the_page_of_words_names_arguments_that_exist():
    """Each is one of the function beside it."""
    page = (ROOT / "docs" / "words.md").read_text().partition("## Arguments\n")[2]
    rows = re.findall(r"^\| (`.+?`) \| `rla\.(\w+)` \|", page, re.MULTILINE)
    named = [(function, name) for names, function in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(named) > 20
    assert [each for each in named if each[1] not in inspect.signature(getattr(rla, each[0])).parameters] == []


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["reliability.md", "trials.md"])
def test_the_pages_name_tests_that_exist(page):
    """A promise whose test was renamed or removed is one that nobody checks."""
    names = re.findall(r"`((?:test_\w+\.py)?(?:::\w+)?)`", (ROOT / "docs" / page).read_text())
    assert len(names) > 20
    file = ""
    for name in filter(None, names):
        named, _, function = name.partition("::")
        file = named or file
        folder = ROOT / "tests" if (ROOT / "tests" / file).exists() else ROOT / "tests" / "integrations"
        text = (folder / file).read_text()
        assert not function or f"def {function}(" in text, f"tests/{file} has no {function}"


def test_the_reliability_page_names_all_attacks():
    """With the rounds that ``make kills`` runs."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    script = (ROOT / "tests" / "benchmarks" / "kills.py").read_text()
    attacks = re.findall(r"(\w+): (\d+)", script.partition("ATTACKS = {")[2].partition("}")[0])
    told = re.findall(r"^\| `([\w-]+)`: .*\| (\d+) \| nothing \|$", page, re.MULTILINE)
    assert [(name.replace("_", "-"), rounds) for name, rounds in attacks] == told
