"""rla import: runs of the original RLA become runs of ours in another log root; the old one stays as it is."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.tester import Tester
from rla_hooks.upkeep.importing import carry_out_import, plan_import

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
PLACE = "demo/2022/03/01"
LEAF = "21-13-03-230208 10.0.0.7 &lr=0.1"


def state_of(root: Path) -> list[tuple[str, int, int]]:
    """All that is in a log root, with sizes and times."""
    found = ((str(path.relative_to(root)), path.lstat()) for path in root.rglob("*"))
    return sorted((name, state.st_size, state.st_mtime_ns) for name, state in found)


@pytest.fixture
def old(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def one(tmp_path):
    """Makes a run of RLA with this leaf, csv, and files; returns its log root."""

    def make(csv: bytes | None = b"loss,time-step\n0.5,0\n", leaf=LEAF, task="demo", files=(), root="one"):
        log = tmp_path / root / "log" / task / "2022/03/01" / leaf
        log.mkdir(parents=True)
        (log / "log.txt").write_bytes(b"")
        if csv is not None:
            (log / "progress.csv").write_bytes(csv)
        for tree, name, data in files:
            path = tmp_path / root / tree / task / "2022/03/01" / leaf / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / root

    return make


def test_the_copies_are_runs_of_ours_with_all_that_the_old_ones_have(old, tmp_path):
    """Under the same ids; rows are equal; nothing of the old root has changed, and verify finds nothing wrong."""
    before = state_of(old)
    told = []
    done = upkeep.import_runs(old, log_root=tmp_path / "new", progress=lambda *numbers: told.append(numbers))
    assert (len(done.runs), done.there, done.problems, told[-1]) == (4, 0, (), (4, 4))
    assert state_of(old) == before
    olds, news = rla.runs(old), rla.runs(tmp_path / "new")
    for one, other in zip(olds, news, strict=True):
        assert (one.id, one.hparams, one.record, one.task) == (other.id, other.hparams, other.record, other.task)
        assert (one.started, other.status, other.problems, other.hints) == (other.started, "unknown", (), ())
        assert one.info.get("last", {}) == other.last and one.info.get("rows") == other.info["rows"]
        rows, copied = one.metrics(), other.metrics()
        assert copied[list(rows)].equals(rows)
        assert other.run_json["imported"]["name"] == one.name and " " not in other.name
    assert news[2].ended.timestamp() == 1669286791.5 and news[0].ended is None
    assert [path.name for path in (news[0].log_dir / "tb").iterdir()] == ["events.out.tfevents.1646140386.host-a"]
    assert upkeep.verify(log_root=tmp_path / "new") == []
    assert os.listdir(tmp_path / "new" / ".trash") == ["lock"]


def test_what_was_imported_is_passed_over_and_what_is_new_is_not(old, one, tmp_path):
    """Also when somebody has moved or archived it; a run that has changed since is told."""
    new = tmp_path / "new"
    (old / "log" / PLACE).mkdir(parents=True)
    assert len(upkeep.import_runs(old, log_root=new, task="demo_task").runs) == 3
    assert len(upkeep.import_runs(old, log_root=new).runs) == 1
    again = upkeep.import_runs(old, log_root=new)
    assert (again.runs, again.there, again.problems) == ((), 4, ())
    upkeep.move(rla.runs(new)[0], "elsewhere")
    upkeep.archive(rla.runs(new)[1])
    shutil.copytree(one() / "log" / "demo", old / "log" / "demo", dirs_exist_ok=True)
    more = upkeep.import_runs(old, log_root=new)
    assert ([run.name for run in more.runs], more.there) == ([f"{PLACE}/{LEAF}"], 4)
    with open(old / "log" / PLACE / LEAF / "progress.csv", "a") as file:
        file.write("0.25,100\n")
    grown = upkeep.import_runs(old, log_root=new)
    (run,) = rla.runs(new, task="demo")
    told = f"{run.id} has changed since it was imported. For the new state: rla rm {run.id}, and import again"
    assert (grown.runs, grown.problems) == ((), (told,))
    upkeep.delete(run)
    assert len(upkeep.import_runs(old, log_root=new).runs) == 1
    assert rla.runs(new, task="demo")[0].info["last_step"] == 100


@pytest.mark.parametrize(
    ("task", "leaf", "name", "record"),
    [
        ("demo", "21-13-03-230208 10.0.0.7 ", "demo/2022/03/01/21-13-03-230208_10.0.0.7", {}),
        (
            "demo",
            "21-13-03-230208 10.0.0.7 &info=the 'best' one&lr=1e-3",
            "demo/2022/03/01/21-13-03-230208_10.0.0.7_&info=the%20%27best%27%20one&lr=1e-3",
            {"info": "the 'best' one", "lr": 0.001},
        ),
        ("a task's/sub", LEAF, "a%20task%27s/sub/2022/03/01/21-13-03-230208_10.0.0.7_&lr=0.1", {"lr": 0.1}),
        ("demo", "21-13-03-230208_10.0.0.7_&x=1&x=1&odd", f"{PLACE}/21-13-03-230208_10.0.0.7_&x=1&odd=", None),
    ],
)
def test_names_become_valid_and_keep_what_they_say(one, tmp_path, task, leaf, name, record):
    """Blanks between the parts become _, in values they are escaped; the old name is in run.json."""
    upkeep.import_runs(one(leaf=leaf, task=task), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert run.name == name and run.run_json["imported"]["name"] == f"{task}/2022/03/01/{leaf}"
    assert run.task == task
    if record is not None:
        assert {key: str(value) for key, value in run.record.items()} == {k: str(v) for k, v in record.items()}


def test_two_runs_of_one_name_get_two(one, tmp_path):
    """A name with blanks and one with _ are the same to us: the second gets the next microsecond."""
    root = one()
    one(leaf=LEAF.replace(" ", "_"), csv=b"loss,time-step\n7,0\n")
    upkeep.import_runs(root, log_root=tmp_path / "new")
    leaves = [run.name.rpartition("/")[2] for run in rla.runs(tmp_path / "new")]
    assert leaves == ["21-13-03-230208_10.0.0.7_&lr=0.1", "21-13-03-230209_10.0.0.7_&lr=0.1"]
    assert len(upkeep.import_runs(root, log_root=tmp_path / "new").runs) == 0


def test_a_name_that_is_no_utf_8_is_known_again(one, tmp_path):
    """As programs in China have written it: run.json can have its bytes only escaped."""
    root = one(leaf=os.fsdecode("21-13-03-230208 10.0.0.7 &info=最好".encode("gbk")))
    assert len(upkeep.import_runs(root, log_root=tmp_path / "new").runs) == 1
    again = upkeep.import_runs(root, log_root=tmp_path / "new")
    assert (again.runs, again.there, again.problems) == ((), 1, ())
    assert upkeep.verify(log_root=tmp_path / "new") == []


def test_rows_in_a_folder_without_a_date_are_told(one, tmp_path):
    """Nobody knows when that run was, and what of its path is the task."""
    root = one()
    shutil.copytree(root / "log" / PLACE / LEAF, root / "log" / "demo" / "best")
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    assert len(done.runs) == 1 and len(done.problems) == 1
    assert done.problems[0].startswith("demo/best has rows, and no name of a run: <task>/<YYYY>/")


# Rows


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"time-step,loss\n0,0.5\n", None),
        (b"loss,time-step,timestamp\n0.5,0,1.5\n", b"time-step,timestamp,loss\n0,1.5,0.5\n"),
        (b"a,b,time-step\n1,2,0\n3\n1,2,0,4\n\n", b"time-step,a,b\n0,1,2\n,3,\n0,1,2,4\n\n"),
        (b'"a,b",time-step\n"x\ny",0\n', b'time-step,"a,b"\n0,"x\ny"\n'),
        (b"a,time-step,a\n1,0,2\n", None),
        (b"\xff,time-step\n1,0\n", b"time-step,\xff\n0,1\n"),
        (b"a,time-step\r\n1,0\r\n", b"time-step,a\n0,1\n"),
        (b"a,time-step", None),
        (b"a,time-step\n1,0\n" + b"x" * 140_000 + b",1\n", None),
    ],
)
def test_rows_are_copied_cell_by_cell(one, tmp_path, before, after):
    """With step and time first; what csv cannot take apart is copied as it is."""
    upkeep.import_runs(one(csv=before), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert (run.log_dir / "progress.csv").read_bytes() == (before if after is None else after)


@pytest.mark.parametrize("csv", [b"a,time-step\n1,0\n0,1", b"time-step,a\n0,1\n0,1"])
def test_half_a_row_at_the_end_goes_beside(one, tmp_path, csv):
    """So that nobody takes it for a row."""
    upkeep.import_runs(one(csv=csv), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert (run.log_dir / "progress.csv").read_bytes() == b"time-step,a\n0,1\n"
    assert (run.log_dir / "progress.torn-1.txt").read_bytes() == b"0,1"
    assert run.info["rows"] == 1 and upkeep.verify(log_root=tmp_path / "new") == []


def test_columns_that_came_late_stay_where_rla_has_put_them(one, tmp_path):
    """RLA appends them, and commas to the rows before."""
    upkeep.import_runs(one(csv=b"loss,time-step,mse\n0.5,0,\n0.25,1,9\n"), log_root=tmp_path / "new")
    frame = rla.runs(tmp_path / "new")[0].metrics()
    assert frame["mse"].dropna().tolist() == [9] and frame["time-step"].tolist() == [0, 1]


# Checkpoints and the pickle


def test_checkpoints_get_a_manifest(one, tmp_path):
    """Those of TensorFlow become folders as ours have them; all other files are there under their names."""
    files = [
        ("checkpoint", name, b"12")
        for name in (
            *("checkpoint-80.pt", "checkpoint_80.pt", "best_9.pt", "notes.txt", "checkpoint"),
            *("checkpoint-20.index", "checkpoint-20.data-00000-of-00001", "checkpoint-20.meta", "part-1.index"),
        )
    ]
    upkeep.import_runs(one(files=files), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert [(each.path.name, each.name, each.step, each.size) for each in run.checkpoints()] == [
        ("best-9.pt", "best", 9, 2),
        ("checkpoint-20.tf", "checkpoint", 20, 6),
        ("checkpoint-80.pt", "checkpoint", 80, 2),
        ("checkpoint_80.of_rla.pt", "checkpoint", 80, 2),
    ]
    assert sorted(path.name for path in (run.checkpoint_dir / "checkpoint-20.tf").iterdir()) == [
        *("variables.data-00000-of-00001", "variables.index", "variables.meta")
    ]
    assert {"notes.txt", "checkpoint", "part-1.index"} <= {path.name for path in run.checkpoint_dir.iterdir()}
    assert rla.latest_checkpoint(run, "best") == run.checkpoint_dir / "best-9.pt"
    assert upkeep.verify(log_root=tmp_path / "new") == []


def test_an_empty_file_takes_no_checkpoint_the_name(one, tmp_path):
    """The whole one gets it, and the other is told."""
    files = [("checkpoint", "checkpoint-80.pt", b""), ("checkpoint", "checkpoint_80.pt", b"12")]
    done = upkeep.import_runs(one(files=files), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert [(each.path.name, each.path.read_bytes()) for each in run.checkpoints()] == [("checkpoint-80.pt", b"12")]
    assert done.problems[0].endswith("checkpoint-80.pt' has no place: the copy has another file checkpoint-80.pt")


def test_a_checkpoint_of_torch_is_loaded_from_the_copy(one, tmp_path):
    """As one that we have saved."""
    torch = pytest.importorskip("torch")
    root = one()
    folder = root / "checkpoint" / PLACE / LEAF
    folder.mkdir(parents=True)
    torch.save({"policy": {"w": torch.ones(2)}, "epoch": 3}, folder / "checkpoint_80.pt")
    upkeep.import_runs(root, log_root=tmp_path / "new")
    step, content = rla.load_checkpoint(run=rla.runs(tmp_path / "new")[0])
    assert step == 80 and content["epoch"] == 3 and content["policy"]["w"].tolist() == [1.0, 1.0]


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_the_tester_can_be_loaded_and_the_old_pickle_never_runs(one, tmp_path):
    """What it has as plain data is in ours; the old one is kept under a name that nothing unpickles."""
    root = one()
    content = {
        "hyper_param": {"lr": 0.1, "net": {"width": 64}, "bad": Attack(tmp_path / "harm")},
        "custom_data": {"time-step": 900, "best": [1.5], "bad": Attack(tmp_path / "harm")},
        "private_config": {"DL_FRAMEWORK": "torch", "REMOTE_SETTING": {"password": ""}},
    }
    path = root / "archive_tester" / PLACE / f"{LEAF}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(content))
    upkeep.import_runs(root, log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert run.hparams == {"lr": 0.1, "net.width": 64, "bad": "<posix.mkdir(...)>"}
    tester = Tester.load(run.paths.tester_pkl)
    assert tester.hyper_param["net"] == {"width": 64} and tester.get_custom_data("best") == [1.5]
    assert (run.paths.archive_dir / "of_rla.pkl").read_bytes() == path.read_bytes()
    assert not (tmp_path / "harm").exists()


def test_no_password_gets_into_the_new_root(one, tmp_path):
    """Of the config that RLA pickles, prints and backs up, and of hyper-parameters: lists show none, either."""
    config = {"REMOTE_SETTING": {"username": "me", "password": "geheim99"}}
    rows = b"| sigma | 0.5 |\n" * 40_000  # more than is looked into at once
    log = b"\0\0k: REMOTE_SETTING, v: " + str(config["REMOTE_SETTING"]).encode() + b"\n"
    printed = b"key: password, value: geheim99\nkey: lr, value: 0.1\n"
    files = [
        ("log", "backup.txt", printed + rows + log),
        ("log", "parameter.yaml", b"lr: 0.1\nftp: {user: me, password: geheim99}\n"),
        ("hyperparameter", "parameter.json", b'{"password": "geheim99"}'),
        ("code", "rla_config.yaml", b"REMOTE_SETTING:\n  username: me\n  password: geheim99\n"),
        ("code", "main.py", b"print(1)\n"),
        ("code", ".env", b"X=geheim99"),
    ]
    root = one(files=files)
    path = root / "archive_tester" / PLACE / f"{LEAF}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"private_config": config, "hyper_param": {"lr": 0.1}}))
    assert rla.runs(root)[-1].hparams == {"lr": 0.1, "ftp.user": "me", "ftp.password": "***"}
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    copies = [each for each in (tmp_path / "new").rglob("*") if each.is_file()]
    assert [each for each in copies if b"geheim99" in each.read_bytes()] == []
    assert (run.log_dir / "backup.txt").read_bytes() == (printed + rows + log).replace(b"geheim99", b"***", 1).replace(
        b"'geheim99'", b"'***'"
    )
    assert {each.name for each in run.code_dir.iterdir()} == {"rla_config.yaml", "main.py"}
    left = sorted(line.rpartition("/")[2] for line in done.problems)
    assert left == [".env' may hold a secret", f"{LEAF}.pkl' may hold a password: tester.pkl has the plain data of it"]
    assert [*upkeep.verify(log_root=tmp_path / "new")] == []


@pytest.mark.parametrize(("data", "kept"), [(b"no pickle", True), (b"no pickle, password", False)])
def test_a_pickle_that_cannot_be_read_is_kept_unless_it_names_a_password(one, tmp_path, data, kept):
    """Nobody can say what is in it."""
    root = one()
    path = root / "archive_tester" / PLACE / f"{LEAF}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    upkeep.import_runs(root, log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert (run.paths.archive_dir / "of_rla.pkl").exists() == kept


# Trouble


def test_links_and_special_files_are_left_and_told(one, tmp_path):
    """Nothing outside of the run is read, nothing waits for a FIFO, and the rest of the run is there."""
    (tmp_path / "secret.txt").write_text("secret")
    root = one(csv=None, files=[("results", "0-y.png", b"")])
    log, results = root / "log" / PLACE / LEAF, root / "results" / PLACE / LEAF
    os.mkfifo(log / "progress.csv")
    pickled = root / "archive_tester" / PLACE / f"{LEAF}.pkl"
    pickled.parent.mkdir(parents=True)
    os.mkfifo(pickled)
    (log / "link.txt").symlink_to(tmp_path / "secret.txt")
    (results / "folder").symlink_to(tmp_path)
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert sorted(line.rpartition("/")[2] for line in done.problems if "the archived Tester" not in line) == [
        f"{LEAF}.pkl' is no regular file",
        *("folder' is a link, which is not followed", "link.txt' is a link, which is not followed"),
        "progress.csv' is no regular file",
    ]
    assert sorted(path.name for path in run.log_dir.iterdir()) == ["log.txt", "parameter.json", "run.json", "tb"]
    assert [path.name for path in run.figures()] == ["0-y.png"] and len(run.run_json["notes"]) == 5
    assert "secret" not in "".join(path.read_text() for path in (tmp_path / "new").rglob("*.txt"))


def test_a_run_that_is_a_link_is_left(one, tmp_path):
    """The log root that it leads to can be imported."""
    root = one()
    shutil.move(root / "log" / PLACE / LEAF, tmp_path / "elsewhere")
    (root / "log" / PLACE / LEAF).symlink_to(tmp_path / "elsewhere")
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    assert not done.runs and "is a link to " in done.problems[0]


def test_a_damaged_run_is_imported_with_what_can_be_read(one, tmp_path):
    """The parameter file is broken: the name tells the rest, and run.json that it was so."""
    root = one(files=[("log", "parameter.json", b'{"lr": ')])
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert run.hparams == {"lr": 0.1} and run.problems == ()
    assert "parameter.json cannot be read" in done.problems[0] and "parameter.json" in run.run_json["notes"][0]["text"]
    assert (run.log_dir / "parameter.of_rla.json").read_bytes() == b'{"lr": '


KILLED = """
import os, sys
left = int(sys.argv[3])
def hook(event, arguments):
    global left
    if event == sys.argv[4]:
        left -= 1
        if left == 0:
            os._exit(9)
sys.addaudithook(hook)
from rla_hooks import upkeep
upkeep.import_runs(sys.argv[1], log_root=sys.argv[2])
"""


@pytest.mark.parametrize(("number", "event"), [(3, "shutil.copyfile"), (2, "os.rename"), (7, "os.rename"), (9, "open")])
def test_an_import_that_was_killed_goes_on(one, tmp_path, number, event):
    """No list has half a run; the next import removes what was left, and takes what was in its place already."""
    files = [(tree, "a.txt", b"1") for tree in ("code", "results", "checkpoint", "tmp_data")]
    root = one(files=files)
    one(leaf=LEAF.replace("21-", "22-"), files=files)
    command = [sys.executable, "-c", KILLED, root, tmp_path / "new", str(number), event]
    assert subprocess.run([*map(str, command)], cwd=tmp_path, check=False).returncode == 9
    seen = rla.runs(tmp_path / "new") if (tmp_path / "new" / "log").is_dir() else []
    assert all((run.results_dir / "a.txt").is_file() and run.run_json for run in seen)
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    assert done.problems == () and len(done.runs) == 2 - len(seen) == 2 - done.there
    assert upkeep.verify(log_root=tmp_path / "new") == [] and len(rla.runs(tmp_path / "new")) == 2
    assert os.listdir(tmp_path / "new" / ".trash") == ["lock"]
    paths = [run.paths for run in rla.runs(tmp_path / "new")]
    assert all((each.log_root / "tmp_data" / each.name / "a.txt").is_file() for each in paths)


def test_two_imports_at_once_copy_each_run_once(old, tmp_path):
    """The one that waits for the other finds its runs there, though they were not when it made its plan."""
    first, second = (plan_import(old, log_root=tmp_path / "new") for _ in range(2))
    assert (len(carry_out_import(first).runs), carry_out_import(first).there) == (4, 4)
    late = carry_out_import(second)
    assert (late.runs, late.there, late.problems) == ((), 4, ()) and len(rla.runs(tmp_path / "new")) == 4


def test_a_run_without_rows_is_no_run_of_no_rows(one, tmp_path):
    """RLA had begun nothing: how many rows there are is not known, before as after; it can be opened all the same."""
    upkeep.import_runs(one(csv=None), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    assert run.info["rows"] is None and upkeep.verify(log_root=tmp_path / "new") == []
    with rla.open(run) as opened:
        opened.log({"eval/return": 1.0}, step=3)
    (again,) = rla.runs(tmp_path / "new")
    assert (again.status, again.info["rows"], again.last) == ("unknown", 1, {"eval/return": 1.0})


def test_other_files_in_the_way_stay(one, tmp_path):
    """The run is not imported, and no part of it is left."""
    root = one(files=[("results", "a.png", b"1")])
    taken = tmp_path / "new" / "results" / PLACE / "21-13-03-230208_10.0.0.7_&lr=0.1"
    taken.mkdir(parents=True)
    (taken / "mine.png").write_bytes(b"12")
    done = upkeep.import_runs(root, log_root=tmp_path / "new")
    assert not done.runs and "was not imported: other files are there already" in done.problems[0]
    assert (taken / "mine.png").read_bytes() == b"12" and not (tmp_path / "new" / "log" / "demo").exists()


def test_roots_that_cannot_be_imported(one, tmp_path, make_run):
    """No folder, no log root, a part of one, one of ours, or the same one: before anything is changed."""
    root = one()
    before = state_of(root)
    with pytest.raises(ConfigError, match="is no folder"):
        upkeep.import_runs(tmp_path / "gone", log_root=tmp_path / "new")
    with pytest.raises(ConfigError, match=r"has no folder log/, .* Did you mean .*one"):
        upkeep.import_runs(root / "log" / "demo", log_root=tmp_path / "new")
    for inside in (root, root / "new"):
        with pytest.raises(ConfigError, match=r"the old one, which stays as it is\. Give another folder: --log-root"):
            upkeep.import_runs(root, log_root=inside)
    for number, tree in enumerate(("log", "checkpoint", "checkpoint/sub", ".trash")):  # its folder is in the old root
        linked = tmp_path / f"linked{number}"
        linked.mkdir()
        (linked / tree.partition("/")[0]).symlink_to(root / tree)
        with pytest.raises(ConfigError, match=r"of the new log root .* the old one, which stays"):
            upkeep.import_runs(root, log_root=linked)
    with pytest.raises(ConfigError, match="has no runs of the original RLA of the task 'other'"):
        upkeep.import_runs(root, log_root=tmp_path / "new", task="other")
    make_run(1.0)
    ours = rla.runs()[-1].paths.log_root
    with pytest.raises(ConfigError, match="It has 1 run of rla_hooks, or of another tool, which need no import"):
        upkeep.import_runs(ours, log_root=tmp_path / "new")
    rla.runs()[-1].paths.run_json.write_text("{")  # damaged, and ours still
    with pytest.raises(ConfigError, match="It has 1 run of rla_hooks"):
        upkeep.import_runs(ours, log_root=tmp_path / "new")
    assert not (tmp_path / "new").exists() and state_of(root) == before


def test_a_disk_that_is_too_small_is_told_first(one, tmp_path):
    """By the sizes of the files."""
    root = one()
    with open(root / "log" / PLACE / LEAF / "huge.bin", "wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free + (1 << 30))
    with pytest.raises(RLAError, match=r"free, and the runs have .*\. Nothing was changed\."):
        upkeep.import_runs(root, log_root=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_imported_run_is_not_resumed(one, tmp_path):
    """RLA noted nothing of what began it; the error says so."""
    upkeep.import_runs(one(), log_root=tmp_path / "new")
    (run,) = rla.runs(tmp_path / "new")
    with pytest.raises(ConfigError, match="the original RLA has made it, which notes neither how it ended"):
        rla.start(task="demo", log_root=tmp_path / "new", resume=run.id, lr=0.1)
    assert rla.runs(tmp_path / "new")[0].status == "unknown"


# The command


def test_the_command_shows_the_plan_and_does_it(old, tmp_path, command):
    """--dry-run does nothing; what is printed has the old names, the new ones, and how much is copied."""
    new = tmp_path / "new"
    said = command("import", old, "--log-root", new, "--dry-run")
    lines = said.out.splitlines()
    assert said.code == 0 and lines[0].split() == ["id", "run", "becomes", "rows", "files", "size"]
    assert lines[-1].startswith("4 runs, ") and not new.exists()
    assert json.loads(command("import", old, "--log-root", new, "--dry-run", "--json").out)["runs"][0]["to"]
    said = command("import", old, "--log-root", new)
    assert said.code == 0 and said.out.splitlines()[-1].startswith("4 runs imported into ")
    again = json.loads(command("import", old, "--log-root", new, "--json").out)
    assert (again["runs"], again["there"], again["problems"]) == ([], 4, [])
    assert command("import", old, "--log-root", new).out == "0 runs, 0 files, 0 B; 4 runs there already\n"


def test_the_command_tells_what_is_left(one, tmp_path, command):
    """Its exit code says so, too."""
    root = one()
    (root / "log" / PLACE / LEAF / "link").symlink_to("/")
    said = command("import", root, "--log-root", tmp_path / "new")
    assert said.code == 1 and "not all could be imported" in said.err and "is a link, which is not" in said.err
    assert command("import", tmp_path / "gone", "--log-root", tmp_path / "new").code == 2
