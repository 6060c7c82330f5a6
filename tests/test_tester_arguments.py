"""``tester.configure`` in the orders of arguments that RLA had in 2020 and in 2024."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")
CONFIG = {"LOG_USED": "csv", "PROJECT_TYPE": {"backup_code_by": "source"}}


@pytest.fixture(autouse=True)
def project(tmp_path):
    testing.reset()
    (tmp_path / "main.py").write_text("print(1)\n")
    (tmp_path / "rules.ignore").write_text("*.log\n")
    return tmp_path


def _configured(*places, **named):
    tester = Tester()
    tester.configure("t", CONFIG, *places, **named)
    root, files = tester.config.log_root, tester.settings.run_files
    return root.name, [file.name for file in files], [Path(file).name for file in tester.config.ignore_files]


@pytest.mark.parametrize(
    "places, named, root, files, rules",
    [
        ((), {}, "rla_data", [], []),
        (("logs",), {}, "logs", [], []),
        (("main.py",), {}, "rla_data", ["main.py"], []),
        (("main.py", "logs"), {}, "logs", ["main.py"], []),
        (("main.py",), {"log_root": "logs"}, "logs", ["main.py"], []),
        (("main.py",), {"data_root": "logs"}, "logs", ["main.py"], []),
        (("logs", "rules.ignore"), {}, "logs", [], ["rules.ignore"]),
        (("logs", "rules.ignore", "main.py"), {}, "logs", ["main.py"], ["rules.ignore"]),
        (("logs", None, ["main.py", "rules.ignore"], True), {}, "logs", ["main.py", "rules.ignore"], []),
        (("logs",), {"run_file": "main.py"}, "logs", ["main.py"], []),
        ((None,), {"log_root": "logs"}, "logs", [], []),
        ((Path("main.py"), Path("logs")), {}, "logs", ["main.py"], []),
    ],
)
def test_arguments_by_position(places, named, root, files, rules):
    """The third is run_file if a file has its name, as in 2020, else the log root, as in 2024."""
    assert _configured(*places, **named) == (root, files, rules)


@pytest.mark.parametrize("third, meant", [("logs", "log_root='logs'"), ("main.py", "run_file='main.py'")])
def test_what_the_third_argument_was_taken_for_is_said_once(third, meant, capfd):
    """One line on stderr for the process; by name there is no doubt, and none."""
    _configured(log_root="logs")
    assert capfd.readouterr().err == ""
    _configured(third)
    _configured(third)
    line = f"rla: the third argument of tester.configure is taken as {meant}. Name it, to be sure.\n"
    assert capfd.readouterr().err == line


def test_the_program_is_found_beside_itself(tmp_path):
    """It may have been started in another folder: RLA does not look for run_file where the source is backed up."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "train.py").write_text(
        "from rla_hooks import tester\n"
        "for log_root in ({}, {'log_root': 'logs'}):\n"
        "    tester.configure('t', {'LOG_USED': 'csv'}, 'train.py', **log_root)\n"
        "    print(tester.run_file, tester.config.log_root.name)\n"
    )
    said = subprocess.run([sys.executable, "exp/train.py"], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    file = tmp_path / "exp" / "train.py"
    assert said.stdout.splitlines() == [f"{file} rla_data", f"{file} logs"], said.stderr


def test_a_program_that_is_not_there_is_no_log_root():
    """RLA of 2020 did not look: where the log root is given, too, the code backup does without it."""
    with pytest.warns(RLAWarning, match="run_file is 'gone.py', which is no file: the code backup does without it"):
        assert _configured("gone.py", "logs") == ("logs", [], [])
    assert _configured("gone.py") == ("gone.py", [], [])


@pytest.mark.parametrize(
    "places, named, said",
    [
        (("a", "rules.ignore"), {"ignore_file_path": "rules.ignore"}, "'ignore_file_path' by position and by name"),
        (("logs",), {"data_root": "other"}, "'log_root' by position and by name. Give one"),
        (("a", None, None, False, None, None, 7), {}, "9 arguments by position. Allowed: 8"),
        (("main.py", "logs", "rules.ignore"), {}, "5 arguments, and the third is a file. Name them"),
        ((3,), {}, "log_root is 3"),
    ],
)
def test_too_much_is_a_mistake_before_anything_is_created(places, named, said, tmp_path):
    """It is told with the other mistakes."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=said):
        _configured(*places, **named)
    assert sorted(tmp_path.iterdir()) == before


def test_ignore_files_begin_at_the_project(tmp_path):
    """As in RLA, where the config's folder, or code_root, is the project; else at the working directory."""
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj" / "rla_config.yaml").write_text("LOG_USED: csv\n")
    (tmp_path / "proj" / "mine.ignore").write_text("*.tmp\n")
    tester = Tester()
    for options in ({}, {"code_root": "proj"}):
        given = ["mine.ignore", "rules.ignore", "gone.ignore"]
        tester.configure("t", "proj/rla_config.yaml", log_root="logs", ignore_file_path=given, **options)
        expected = ("proj/mine.ignore", "rules.ignore", "gone.ignore")
        assert tester.config.ignore_files == tuple(str(tmp_path / name) for name in expected)


def test_a_script_of_2020_and_one_of_2024_leave_their_code(tmp_path):
    """lib_dir and backup_code_dir begin at the config's folder; the file of the program lies beside."""
    (tmp_path / "build" / "lib").mkdir(parents=True)
    (tmp_path / "build" / "lib" / "net.py").write_text("x = 1\n")
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "main.py").write_text("print(2)\n")
    config = "PROJECT_TYPE: {backup_code_by: lib}\nBACKUP_CONFIG: {lib_dir: ./build/lib/}\nDL_FRAMEWORK: torch\n"
    (tmp_path / "rla_config.yaml").write_text(config)
    tester = Tester()
    tester.configure("t", str(tmp_path / "exp/../rla_config.yaml"), "exp/main.py", "logs")
    tester.log_files_gen()
    assert (tester.code_dir / "build/lib/net.py").is_file() and (tester.code_dir / "main.py").is_file()
    (tmp_path / "rla_config.yaml").write_text(
        "PROJECT_TYPE: {backup_code_by: source}\nLOG_USED: [csv, stdout]\nMY_KEY: 3\n"
        "BACKUP_CONFIG: {backup_code_dir: [exp], ignore_code_paths: [.gitignore, .backupcode_ignore]}\n"
    )
    tester.configure("t", rla_config="rla_config.yaml", data_root="logs", is_master_node=True)
    tester.log_files_gen()
    tester.finish()
    assert (tester.code_dir / "exp" / "main.py").is_file() and tester.private_config["MY_KEY"] == 3
    assert tester.is_master_node is True
