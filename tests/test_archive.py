"""tester.pkl: plain data that reads back, never foreign code, and where the run's folders are."""

from __future__ import annotations

import os
import pickle
import shutil

import pytest

from rla_hooks import plaindata
from rla_hooks.core import archive
from rla_hooks.errors import RunError
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def saved(tmp_path):
    """The path of a real tester.pkl."""
    tester = Tester()
    tester.configure(task_name="group/t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    tester.log_files_gen()
    tester.finish()
    return tester.pkl_file


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("content", [Hostile(), {"format": 1, "name": Hostile()}, [Tester], {"custom_data": os.system}])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_runs_nothing(content, protocol, saved, tmp_path):
    """Code in a tester.pkl is refused, not run."""
    saved.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(RunError, match=r"no archived Tester.*nothing"):
        Tester.load(saved)
    assert not (tmp_path / "executed").exists()


def test_a_pickle_of_a_whole_tester_is_refused(saved):
    """What the original RLA wrote, a pickled object, is never unpickled."""
    tester = Tester()
    saved.write_bytes(pickle.dumps(tester))
    with pytest.raises(RunError, match="no archived Tester"):
        Tester.load(saved.parent)


@pytest.mark.parametrize("keep", [0, 1, 10, -1, -5])
def test_a_damaged_file_is_a_clear_error(keep, saved):
    """Empty, cut or altered."""
    data = saved.read_bytes()
    saved.write_bytes(data[:keep])
    with pytest.raises(RunError, match="no archived Tester"):
        Tester.load(saved)


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
@pytest.mark.parametrize("kind", ["FIFO", "device", "sparse"])
def test_what_is_no_file_of_ours_is_refused_at_once(kind, saved):
    """Neither waits for a writer, nor fills the memory."""
    saved.unlink()
    if kind == "FIFO":
        os.mkfifo(saved)
    elif kind == "device":
        saved.symlink_to("/dev/zero")
    else:
        saved.touch()
        os.truncate(saved, 1 << 40)
    with pytest.raises(RunError, match=r"no archived Tester.*(not a regular file|1,099,511,627,776 bytes)"):
        Tester.load(saved.parent)


def test_custom_data_beyond_the_limit_costs_only_itself(tmp_path, monkeypatch):
    """What could not be read again is not written, and that is said."""
    monkeypatch.setattr(archive, "_LIMIT", 1000)
    left_out = archive.save(tmp_path / "tester.pkl", CONTENT, {"buffer": b"x" * 2000, "best": 1.5})
    assert len(left_out) == 1 and left_out[0].startswith("the custom data, which has 2,")
    assert plaindata.loads((tmp_path / "tester.pkl").read_bytes())["custom_data"] == {}


CONTENT = {
    "format": 1,
    "name": "t/2026/01/31/12-00-00-000000_ip",
    "task": "t",
    "parent": None,
    "hyper_param": {},
    "hyper_param_record": [],
    "private_config": {},
    "writers": ["csv"],
    "time_step": None,
    "custom_data": {},
}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"format": 2}, "its format is 2, this version reads 1"),
        ({"format": None}, "its format is None"),
        ({"name": 3, "writers": "csv"}, "damaged fields: name, writers"),
        ({"writers": ["cvs"]}, "'cvs'"),
        ({"task": ""}, "task name is empty"),
        ({"name": "../../../x"}, "does not stand at"),
        ({"name": "a/" * 50 + "b"}, "does not stand at"),
        ({"name": ""}, "does not stand at"),
    ],
)
def test_wrong_content_is_a_clear_error(change, said, tmp_path):
    """Another format, damaged fields, unknown writers, and a name that is not where the file stands."""
    path = tmp_path / "root" / "archive_tester" / CONTENT["name"] / "tester.pkl"
    path.parent.mkdir(parents=True)
    content = CONTENT | change
    custom = content.pop("custom_data")
    archive.save(path, content, custom)
    with pytest.raises(RunError, match=said):
        Tester.load(path)


def test_content_of_another_type_is_a_clear_error(tmp_path):
    """Plain data that is no Tester's."""
    (tmp_path / "tester.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(RunError, match="holds a list"):
        Tester.load(tmp_path)


def test_a_file_that_was_taken_out_says_so(saved, tmp_path):
    """Alone, tester.pkl does not know its run's folders any more; also near the root of the file system."""
    alone = shutil.copy(saved, tmp_path / "tester.pkl")
    with pytest.raises(RunError, match="Move all folders of a run together"):
        Tester.load(alone)


def test_a_missing_file_is_an_os_error(tmp_path):
    """FileNotFoundError, as of open()."""
    with pytest.raises(FileNotFoundError):
        Tester.load(tmp_path / "nothing.pkl")
    with pytest.raises(FileNotFoundError):
        Tester.load(tmp_path)


def test_relative_paths_load(saved, tmp_path, monkeypatch):
    """Also those that go up first."""
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    loaded = Tester.load(os.path.relpath(saved))
    assert loaded.log_dir.resolve().is_dir() and loaded.task_name == "group/t"


@pytest.mark.parametrize("field", ["name", "task", "writers", "parent", "hyper_param_record", "format"])
@pytest.mark.parametrize("value", ["\x1b[31m" * 10_000, ["\x1b[31m" * 10_000], {"\x1b[31m": 1}, "../..", b"\xff", None])
def test_what_an_error_says_of_a_foreign_file_is_short_and_harmless(field, value, saved):
    """The file may hold anything; its error goes to a terminal."""
    content = plaindata.loads(saved.read_bytes())
    saved.write_bytes(plaindata.dumps(content | {field: value}))
    try:
        Tester.load(saved).finish()
    except RunError as error:
        assert str(error).isprintable() and len(str(error)) < 3000
