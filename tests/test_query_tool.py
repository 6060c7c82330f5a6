"""RLA's queries over runs of rla_hooks and of RLA."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.easy_log import const
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.query_tool import (
    ArchiveQueryResult,
    CkpResult,
    HyperParamResult,
    LogQueryResult,
    OtherQueryResult,
    experiment_data_query,
    extract_valid_index,
    single_experiment_query,
)

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Two runs: the first with all kinds of data, the second with none but parameters and its archive."""
    root = tmp_path_factory.mktemp("query_tool") / "data"
    with rla.run(task="t", log_root=root, writers=["csv"], backup="none", lr=0.1, net={"width": 64}) as run:
        rla.log({"loss": 0.5}, step=7)
        rla.save_checkpoint({"weights": [0.5]}, step=7)
        (run.checkpoint_dir / "own-7.bin").write_bytes(b"7")
        (run.results_dir / "imgs").mkdir()
        (run.results_dir / "imgs" / "b.png").write_bytes(b"")
        (run.results_dir / "a.txt").write_text("a")
        (run.results_dir / ".saving-1").write_text("half")
        os.utime(run.results_dir / "a.txt", (5, 5))
        folder = root / "tmp_data" / run.name
        folder.mkdir(parents=True)
        (folder / "buffer.npy").write_bytes(b"")
    with rla.run(task="t", log_root=root, writers=[], backup="none", lr=0.2):
        pass
    testing.reset()
    return root, rla.runs(root)[0]


def test_each_kind_of_data_is_found(saved):
    """By the start of the run, with RLA's attributes; runs without any are left out."""
    root, run = saved
    start = extract_valid_index(run.name)
    found = {
        kind: experiment_data_query(root, "t", "2*", kind) for kind in const.default_log_types if kind != const.CODE
    }
    assert {kind: [*each] for kind, each in found.items() if len(each) == 1} == {
        kind: [start] for kind in (const.LOG, const.CHECKPOINT, const.OTHER_RESULTS, const.TMP_DATA)
    }
    log, checkpoints, results, data, hyper, archive = (
        found[kind][start]
        for kind in (
            const.LOG,
            const.CHECKPOINT,
            const.OTHER_RESULTS,
            const.TMP_DATA,
            const.HYPARAMETER,
            "archive_tester",
        )
    )
    assert isinstance(log, LogQueryResult) and log.dirname == str(run.log_dir)
    assert isinstance(checkpoints, CkpResult) and checkpoints.all_ckps == ["checkpoint-7.pkl", "own-7.bin"]
    assert os.path.isfile(os.path.join(checkpoints.dirname, checkpoints.all_ckps[0]))
    assert isinstance(results, OtherQueryResult) and results.dirname == str(run.results_dir)
    assert [os.path.relpath(each, results.dirname) for each in results.location] == ["a.txt", "imgs/b.png"]
    assert results.ctime == [5.0, os.path.getmtime(results.location[1])]
    assert data.location == [os.path.join(data.dirname, "buffer.npy")]
    assert isinstance(hyper, HyperParamResult) and hyper.hyper_param == {"lr": 0.1, "net": {"width": 64}}
    assert os.path.isfile(os.path.join(hyper.dirname, const.HYPARAM_FILE_NAME + ".json"))
    assert isinstance(archive, ArchiveQueryResult) and isinstance(archive.exp_manager, rla.Tester)
    assert archive.exp_manager.hyper_param["lr"] == 0.1 and archive.exp_manager is archive.exp_manager
    assert len(found["archive_tester"]) == len(found["hyperparameter"]) == 2
    assert rla.runs(root)[0].problems == () and rla.runs(root)[0].status == "finished"


def test_one_run_is_found_by_its_start(saved):
    """Where it has none of that, or there is no such run, what is near is told."""
    root, run = saved
    start = extract_valid_index(run.name)
    assert single_experiment_query(root, "t", start, const.LOG).dirname == str(run.log_dir)
    assert rla.single_experiment_query(str(root), "t", start, const.CHECKPOINT).all_ckps[0] == "checkpoint-7.pkl"
    other = extract_valid_index(rla.runs(root)[1].name)
    with pytest.raises(RunError, match="has no checkpoint data"):
        single_experiment_query(root, "t", other, const.CHECKPOINT)
    with pytest.raises(RunError, match=f"(?s)no run of task 't' started at '1999.*{start}"):
        single_experiment_query(root, "t", "1999/01/31/12-00-00-000000", const.LOG)
    one = rla.experiment_data_query(root, "t", "*", const.CHECKPOINT, single_res_filter=True)
    assert isinstance(one, CkpResult)
    with pytest.raises(RunError, match=r"2 runs of t/\* in .* have hyperparameter data"):
        experiment_data_query(root, "t", "*", const.HYPARAMETER, single_res_filter=True)
    with pytest.raises(RunError, match=r"no runs of t/1999 in"):
        experiment_data_query(root, "t", "1999", const.LOG, single_res_filter=True)
    assert experiment_data_query(root, "t", "1999", const.LOG) == {}


def test_runs_of_rla_are_found(tmp_path):
    """With blanks in their names; hyper-parameters from each kind of file, and the Tester from its pickle, inertly."""
    found = experiment_data_query(SHIPPED, "demo_task", "2022*", const.LOG)
    assert [*found] == ["2022/03/01/21-13-03-230208", "2022/03/01/21-19-57-875205", "2022/11/24/18-46-30-917022"]
    result = single_experiment_query(SHIPPED, "demo_task", "2022/03/01/21-13-03-230208", const.ARCHIVE_TESTER)
    assert result.dirname.endswith("21-13-03-230208 10.0.0.7 &env_id=Test-v1&learning_rate=0.0001")
    assert result.exp_manager.hyper_param["input_size"] == 16
    (hyper,) = experiment_data_query(SHIPPED, "other_task", "*", const.HYPARAMETER).values()
    assert hyper.hyper_param["optimizer"] == {"name": "adam", "betas": [0.9, 0.999]}
    assert experiment_data_query(SHIPPED, "demo_task", "*", const.CHECKPOINT) == {}


class Attack:
    """Whoever unpickles this as usual makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_hostile_pickle_runs_nothing(tmp_path):
    """The other runs are found, and its own hyper-parameters are those of its name."""
    shutil.copytree(SHIPPED, tmp_path / "old")
    (pickled, _) = sorted((tmp_path / "old" / "archive_tester").rglob("*.pkl"))
    pickled.write_bytes(pickle.dumps({"hyper_param": Attack(tmp_path / "harm")}))
    found = experiment_data_query(tmp_path / "old", "demo_task", "*", const.HYPARAMETER)
    assert len(found) == 3 and not (tmp_path / "harm").exists()
    assert found["2022/03/01/21-13-03-230208"].hyper_param == {"env_id": "Test-v1", "learning_rate": 0.0001}
    assert len(experiment_data_query(tmp_path / "old", "demo_task", "*", const.ARCHIVE_TESTER)) == 2


def test_another_kind_of_data_is_an_error(saved):
    """Those that there are stand in it."""
    for query in (experiment_data_query, single_experiment_query):
        with pytest.raises(ConfigError, match=r"data_type is 'code'. Allowed: log, archive_tester, results, tmp_data"):
            query(saved[0], "t", "*", const.CODE)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("log/t/2026/01/31/12-00-00-000000_10.0.0.5/progress.csv", "2026/01/31/12-00-00-000000"),
        ("2022/03/01/21-13-03-230208 10.0.0.7 &lr=0.1", "2022/03/01/21-13-03-230208"),
        ("2026/01/31", None),
    ],
)
def test_the_start_stands_in_a_path(text, index):
    """In that of a folder, a file, or a name with blanks."""
    assert extract_valid_index(text) == index
