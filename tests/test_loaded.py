"""Without a project marker the code that the program has imported is saved all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet", "own_home")


@pytest.fixture
def scripts(tmp_path):
    """A folder that is no project, with code in folders of which none is a package."""
    folder = tmp_path / "scripts"
    files = {
        "lib/nets.py": "import deep.inner\n",
        "lib/deep/inner.py": "",
        "lib/never.py": "",
        "agents/dqn.py": "import nets\n",
        "agents/secret/keys.py": "",
        "venv/lib/python3/site-packages/tool.py": "",
        "odd.module": "",
        "train": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(folder: Path, script: str, code: str, *options: str, cwd: Path | None = None):
    (folder / script).write_text(
        f"import os, sys\nsys.path += [{str(folder / 'lib')!r}, {str(folder / 'venv/lib/python3/site-packages')!r}]\n"
        f"{code}\nimport rla_hooks as rla\n"
        f"with rla.run(task='t', log_root={str(folder / 'logs')!r}, writers=['log']): pass\n"
    )
    done = subprocess.run([sys.executable, *options, folder / script], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = rla.runs(folder / "logs")[-1]
    names = {path.relative_to(found.code_dir).as_posix() for path in found.code_dir.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(".rla")}, found.paths.log_txt.read_text()


def test_every_imported_module_below_the_root_is_saved(scripts, tmp_path):
    """Also from folders on sys.path and without __init__.py; packages of an environment and odd modules stay out."""
    code = (
        "import agents.dqn, tool\n"
        "import types, json\n"
        "sys.modules['odd'], sys.modules['none'] = 3, None\n"
        "sys.modules['lazy'] = type('Lazy', (types.ModuleType,), {'__getattr__': lambda *_: 1 / 0})('lazy')\n"
    )
    names, log = run(scripts, "train.py", code, cwd=tmp_path)
    assert names == {"train.py", "agents/dqn.py", "lib/nets.py", "lib/deep/inner.py"}
    assert f"{scripts} has no project marker (.git, pyproject.toml, ...)" in log


def test_links_secrets_and_ignore_rules_hold_for_modules_too(scripts, tmp_path, write_config):
    """A module behind a link out of the folder is told; one that IGNORE_RULE names is left out."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "far.py").touch()
    (scripts / "lib" / "far.py").symlink_to(tmp_path / "outside" / "far.py")
    (scripts / "lib" / "id_rsa").touch()
    config = "config={'IGNORE_RULE': ['deep/']}"
    (scripts / "train.py").write_text(
        f"import sys, types\nsys.path.append({str(scripts / 'lib')!r})\nimport nets, far\n"
        f"sys.modules['key'] = key = types.ModuleType('key'); key.__file__ = {str(scripts / 'lib/id_rsa')!r}\n"
        f"import rla_hooks as rla\nwith rla.run(task='t', log_root='logs', {config}): pass\n"
    )
    subprocess.run([sys.executable, scripts / "train.py"], cwd=tmp_path, check=True)
    code = rla.runs(tmp_path / "logs")[0].code_dir
    assert {path.name for path in code.rglob("*.py")} == {"train.py", "nets.py"} and not list(code.rglob("id_rsa"))


def test_a_script_with_an_odd_name_is_saved(scripts):
    """It is a loaded module, too."""
    names, _ = run(scripts, "train", "import nets")
    assert names == {"train", "lib/nets.py", "lib/deep/inner.py"}


def test_a_project_is_saved_by_its_own_rules(scripts):
    """With a marker nothing is said, and all of it is copied."""
    (scripts / "pyproject.toml").touch()
    names, log = run(scripts, "train.py", "")
    assert {"lib/never.py", "agents/dqn.py"} <= names and "marker" not in log


def test_modules_cost_little(scripts):
    """Thousands of modules of the installation are passed over by their folders."""
    from rla_hooks.snapshot.loaded import loaded_files

    assert loaded_files(os.path.realpath(scripts)) == []
    own = loaded_files(os.path.realpath(Path(rla.__file__).parents[1]))
    assert os.path.realpath(rla.__file__) in own and not [path for path in own if "site-packages" in path]


LOOP = """
import importlib, pathlib, sys
import rla_hooks as rla
sys.path.insert(0, "lib")
import nets, other

def one(edit=""):
    with rla.run(task="t", log_root="logs", writers=["csv", "log"]):
        pass
    if edit:
        pathlib.Path(edit).write_text(f"# edited after run {len(rla.runs('logs'))}\\n")

one()
one("lib/nets.py")  # loaded: later runs are made of what it was
one("train.py")
one("lib/other.py")
importlib.reload(other)
one()
"""


def test_a_file_that_was_edited_after_it_was_loaded_is_saved_as_it_was_loaded(scripts):
    """The script, too; a module that is loaded again, and what is no module, are as they are now. The log says it."""
    (scripts / "pyproject.toml").touch()
    (scripts / "lib" / "other.py").write_text("")
    (scripts / "train.py").write_text(LOOP)
    subprocess.run([sys.executable, "train.py"], cwd=scripts, check=True)
    runs = rla.runs(scripts / "logs")
    saved = [
        [(run.code_dir / name).read_text() for name in ("lib/nets.py", "train.py", "lib/other.py")] for run in runs
    ]
    assert saved == [["import deep.inner\n", LOOP, ""]] * 4 + [["import deep.inner\n", LOOP, "# edited after run 4\n"]]
    told = [line for run in runs for line in run.paths.log_txt.read_text().splitlines() if line.startswith("code:")]
    edits = ["", "", "1 later edit (lib/nets.py)", *["2 later edits (lib/nets.py, train.py)"] * 2]
    assert [line.partition("left out ")[2] for line in told] == edits
    assert "later edit\ttrain.py" in (runs[-1].code_dir / ".rla" / "left_out.txt").read_text()


def test_a_later_edit_is_known_though_the_run_before_was_deleted(scripts):
    """The copy of the newest run counts, and a touched file is no edit; without any copy the file is as it is now."""
    (scripts / "pyproject.toml").touch()
    (scripts / "lib" / "other.py").write_text("")
    loop = """
import os, shutil

def code(number):
    return rla.runs("logs")[number].code_dir

one()
os.utime("lib/nets.py")
one("lib/nets.py")
shutil.rmtree(code(0))
one()
assert (code(2) / "lib/nets.py").read_text() == "import deep.inner\\n"
shutil.rmtree(code(1))
shutil.rmtree(code(2))
one()
assert (code(3) / "lib/nets.py").read_text() == "# edited after run 2\\n"
told = [run.code_dir for run in rla.runs("logs") if "later edit" in run.paths.log_txt.read_text()]
assert told == [code(2)]
"""
    (scripts / "train.py").write_text(LOOP.partition("one()\n")[0] + loop)
    subprocess.run([sys.executable, "train.py"], cwd=scripts, check=True)
