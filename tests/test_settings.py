"""What a run is to be: everything is checked, in one error, before anything is created."""

from __future__ import annotations

from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


def test_both_spellings_configure_the_same(tmp_path):
    """RLA's later words mean the earlier ones."""
    (tmp_path / "c.yaml").write_text("LOG_USED: [csv]\nPROJECT_TYPE: {backup_code_by: none}\n")
    one, two = Tester(), Tester()
    one.configure(task_name="t", private_config_path="c.yaml", log_root="root")
    two.configure(task_table_name="t", rla_config="c.yaml", data_root="root")
    assert one.task_name == two.task_name == "t"
    assert one.config == two.config and one.config.log_root == tmp_path / "root"
    assert two.config.writers == ("csv",) and two.private_config["LOG_USED"] == ["csv"]


def test_every_mistake_of_configure_is_told_at_once(tmp_path):
    """Unknown words, words given twice, the task and the config come in one error."""
    with pytest.raises(ConfigError) as caught:
        Tester().configure(
            task_name="../x", task_table_name="t", private_config_path={"LOG_USD": 1}, writers=["cvs"], task_nam="u"
        )
    problems = "\n".join(caught.value.problems)
    for part in ("'../x' climbs", "both 'task_table_name' and 'task_name'", "LOG_USD", "'cvs'", "got 'task_nam'"):
        assert part in problems, part
    assert "Did you mean 'task_name'" in problems and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", [None, 3, "", " ", "/a", "~/a", "C:\\a", "a/../b", ".."])
def test_a_task_must_be_a_relative_name(task, tmp_path):
    """What is no name, empty, absolute or climbing is refused."""
    with pytest.raises(ConfigError, match="the task"):
        Tester().configure(task_name=task)


def test_failed_configure_changes_nothing(tmp_path):
    """A Tester that was configured keeps its task when a second call is wrong."""
    tester = Tester()
    tester.configure(task_name="t", log_root="root")
    with pytest.raises(ConfigError):
        tester.configure(task_name="")
    assert tester.task_name == "t"


def test_record_and_backup_mistakes_come_together(tmp_path):
    """An unknown record parameter and folders that are missing are one error, with nothing created."""
    tester = Tester(script=tmp_path / "main.py")
    tester.configure(
        "t",
        {"BACKUP_CONFIG": {"lib_dir": "nowhere"}, "PROJECT_ROOT": str(tmp_path)},
        log_root="root",
        run_file=Path("gone.py"),
        backup="lib",
    )
    tester.set_hyper_param(lr=1)
    tester.add_record_param(["lrr", "seed"])
    with pytest.raises(ConfigError) as caught:
        tester.log_files_gen()
    problems = "\n".join(caught.value.problems)
    for part in (
        "'lrr' is no hyper-parameter",
        "Did you mean 'lr'",
        "'seed' is no",
        "nowhere",
        "gone.py', which is no file",
    ):
        assert part in problems, part
    assert list(tmp_path.iterdir()) == []


def test_run_files_and_ignore_file_reach_the_backup(tmp_path):
    """One path or several, as text or Path; files of ignore rules are added to those of the config."""
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("1\n")
    tester = Tester()
    for given, expected in (("a.py", ["a.py"]), (Path("a.py"), ["a.py"]), (["a.py", Path("b.py")], ["a.py", "b.py"])):
        tester.configure("t", {}, "root", run_file=given, ignore_file_path="more.ignore", code_root=str(tmp_path))
        options = tester.backup_options()
        assert options["run_files"] == [tmp_path / name for name in expected]
        assert options["ignore_files"] == (str(tmp_path / "more.ignore"),)
        assert options["project_root"] == tmp_path


def test_hyper_parameters_are_kept_and_recorded_once(tmp_path):
    """The objects stay the user's; record keys are kept in order, each once; both can be cleared or replaced."""
    tester, value = Tester(), [1]
    tester.set_hyper_param(a=value, b=2)
    assert tester.hyper_param["a"] is value
    tester.update_hyper_param("c", 3)
    tester.add_record_param(["b", "a"])
    tester.add_record_param("b")
    assert tester.hyper_param_record == ["b", "a"] and tester.record_problems() == []
    tester.clear_record_param()
    tester.add_record_param("c")
    assert tester.hyper_param_record == ["c"] and tester.parameters() == {"a": [1], "b": 2, "c": 3}
    tester.add_record_param("typo")
    with pytest.warns(RLAWarning, match="the record parameters c are none of the new hyper-parameters"):
        tester.set_hyper_param(z=1)
    assert tester.parameters() == {"z": 1} and tester.hyper_param_record == ["typo"]
    assert len(tester.record_problems()) == 1, "what never was a hyper-parameter is a mistake"


def test_secrets_of_the_config_are_not_kept(tmp_path):
    """The password stands neither in private_config nor in any file of the run."""
    tester = Tester()
    remote = {"REMOTE_SETTING": {"username": "me", "password": "hunter2"}}
    tester.configure("t", remote, "root", writers=["csv", "log"], backup="none")
    assert tester.private_config["REMOTE_SETTING"] == {"username": "me", "password": "***"}
    tester.log_files_gen()
    tester.finish()
    files = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert len(files) >= 4 and not any(b"hunter2" in path.read_bytes() for path in files)
    assert Tester.load(tester.pkl_file).private_config["REMOTE_SETTING"]["username"] == "me"


def test_a_row_callback_gets_every_row(tmp_path):
    """RLA's log_callback_fn is called with each row's values."""
    rows = []
    tester = Tester()
    tester.configure("t", {}, "root", writers=["csv"], backup="none", log_callback_fn=rows.append)
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.log({"a": 2, "b": "x"})
    tester.finish()
    assert rows == [{"a": 1}, {"a": 2, "b": "x"}]


def test_a_key_that_looks_misspelt_is_told_when_a_run_starts(tmp_path):
    """With the file that has it; the run starts, and has the key as the user's own."""
    (tmp_path / "c.yaml").write_text("LOG_USD: [csv]\nPROJECT_TYPE: {backup_code_by: none}\nMINE: 3\n")
    tester = Tester()
    tester.configure("t", "c.yaml", log_root="root", writers=[])
    with pytest.warns(
        RLAWarning, match=r"c\.yaml: unknown key 'LOG_USD'\. .*Did you mean 'LOG_USED'\? As it is"
    ) as told:
        tester.log_files_gen()
    tester.finish()
    assert len(told) == 1 and tester.private_config["MINE"] == 3
    assert Tester.load(tester.pkl_file).private_config["LOG_USD"] == ["csv"]


def test_the_master_node_sends_nothing(tmp_path):
    """SEND_LOG_FILE without a remote is a mistake that is told at the start; on RLA's master node it does not count."""
    tester = Tester()
    tester.configure("t", {"SEND_LOG_FILE": True}, "root", writers=["csv"], backup="none")
    with pytest.raises(rla.ConfigError, match="REMOTE_SETTING names no remote"):
        tester.log_files_gen()
    options = {"writers": ["csv"], "backup": "none"}
    tester.configure("t", {"SEND_LOG_FILE": True}, log_root="root", is_master_node=True, **options)
    tester.log_files_gen()
    tester.finish()
    assert len(rla.runs("root")) == 1
