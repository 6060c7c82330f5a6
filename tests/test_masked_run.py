"""A run with secrets in its project, arguments, labels, git remote and error leaves none in any file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rla_hooks.masking import MASK

KEY = "-----BEGIN OPENSSH PRIVATE" + " KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
PLANTED = "Planted5ecret"
TRAIN = """
import argparse
import pickle

import rla_hooks as rla

parser = argparse.ArgumentParser()
parser.add_argument("--api-key")
parser.add_argument("--n", type=int)
args = parser.parse_args()
p = args.api_key
db, uri = {"host": "h", "password": p + "-db"}, f"https://me:{p}-uri@h/x"
seen = {}


@rla.track(task="t", note=f"the password: {p}", tags=[f"ftp://me:{p}@host"], record=["api_key", "n"])
def main(n, api_key, db=db, uri=uri, items=({"token": p + "-item"},)):
    seen.update(api_key=api_key, db=db, uri=uri)
    rla.log({"loss": 1.0}, step=0)
    run = rla.current_run()
    run.add_hyper_params({"late_secret": p + "-late"})
    run.print_args()
    assert pickle.loads(pickle.dumps(run)).hyper_param["late_secret"] == p + "-late"
    raise ValueError(f"cannot connect to postgres://me:{p}@host with api_key={api_key}")


try:
    main(args.n, args.api_key)
except ValueError as error:
    assert str(error).count(p) == 2
assert seen == {"api_key": p, "db": db, "uri": uri} and db["password"] == p + "-db"
"""
PROJECT = {
    "train.py": TRAIN,
    "rla_config.yaml": f"LOG_ROOT: ./root\nREMOTE_SETTING: {{username: me, password: '{PLANTED}'}}\n",
    "conf/model.yaml": f"lr: 0.1\nwandb_key: {PLANTED}\n",
    "client.py": f'API_KEY = "{PLANTED}"\nnum_tokens = 7\n',
    ".env.bak": f"X={PLANTED}\n",
    "notes/access": f"{KEY}{PLANTED}\n",
    "secrets.py": "def load():\n    return 1\n",
    "changed.yaml": "lr: 0.1\n",
    "settled.yaml": f"password: {PLANTED}\nlr: 0.1\n",
}
REMOTE = f"https://me:{PLANTED}@host/p.git"


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """The log root of a run with secrets in its project, arguments, labels, git remote and error."""
    project = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)

    def git(*words):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=project, check=True)

    git("init", "-q")
    git("add", "settled.yaml", "changed.yaml")
    git("commit", "-qm", "x")
    git("remote", "add", "origin", REMOTE)
    (project / "changed.yaml").write_text(f"lr: 0.2\ntoken: {PLANTED}\n")
    (project / "settled.yaml").write_text(f"password: {PLANTED}\nlr: 0.2\n")
    command = [sys.executable, "train.py", "--api-key", PLANTED, "--n", "7"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    (project / "root/printed.txt").write_text(ran.stdout)
    return project / "root"


def _one(log_root: Path, name: str) -> Path:
    (path,) = log_root.rglob(name)
    return path


def test_no_file_of_a_run_holds_a_secret(log_root):
    """Neither a file's content nor its name, nor what was printed; the function got its own objects (see TRAIN)."""
    files = [path for path in log_root.rglob("*") if path.is_file()]
    assert any(path.name.startswith("events.out") for path in files)
    assert {"run.json", "parameter.json", "labels.json", "tester.pkl", "git.diff", "log.txt"} <= {
        path.name for path in files
    }
    assert [path for path in files if PLANTED.encode() in path.read_bytes() or PLANTED in str(path)] == []


def test_what_was_masked_and_left_out_is_told(log_root):
    """In parameter.json, in the run's name, in run.json, in the code folder's notes, and on the console."""
    parameters = json.loads(_one(log_root, "parameter.json").read_text())
    assert parameters["api_key"] == parameters["db.password"] == parameters["late_secret"] == MASK
    assert parameters["n"] == 7 and parameters["db.host"] == "h" and parameters["uri"] == "https://me:***@h/x"
    content = json.loads(_one(log_root, "run.json").read_text())
    assert content["name"].endswith("&api_key=%2A%2A%2A&n=7") and content["git"]["remote"] == "https://host/p.git"
    assert content["command"][-4:] == ["--api-key", MASK, "--n", "7"]
    assert "postgres://me:***@host with api_key=***" in content["error"]
    assert content["code"]["left_out"] == {"secret": 2, "masked value": 5}
    notes = _one(log_root, "left_out.txt").read_text().splitlines()
    masked = ["changed.yaml", "client.py", "conf/model.yaml", "rla_config.yaml", "settled.yaml"]
    assert notes == [*(f"masked value\t{name}" for name in masked), "secret\t.env.bak", "secret\tnotes/access"]
    assert "left out 5 masked values (changed.yaml, client.py, conf/model.yaml, ...), 2 secrets" in (
        _one(log_root, "printed.txt").read_text()
    )
    labels = json.loads(_one(log_root, "labels.json").read_text())
    assert labels["tags"] == ["ftp://me:***@host"] and labels["note"] == "the password: ***"


def test_the_code_is_kept_but_for_the_secret(log_root):
    """Other files are copied as they are, source files called secrets.py among them."""
    code = _one(log_root, "train.py").parent
    assert (code / "train.py").read_text() == TRAIN and (code / "secrets.py").exists()
    assert (code / "rla_config.yaml").read_text() == PROJECT["rla_config.yaml"].replace(PLANTED, MASK)
    assert (code / "client.py").read_text() == 'API_KEY = "***"\nnum_tokens = 7\n'


def test_the_diff_still_applies(log_root, tmp_path):
    """Secrets in added lines are masked; a file with one in another line is left out, for git would refuse the rest."""
    diff = _one(log_root, "git.diff")
    text = diff.read_text()
    assert (
        "# left out: settled.yaml (holds a secret)\n" in text
        and "# left out: secrets in changed.yaml (masked)\n" in text
    )
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "changed.yaml").write_text("lr: 0.1\n")
    subprocess.run(["git", "apply", str(diff)], cwd=tmp_path, check=True)
    assert (tmp_path / "changed.yaml").read_text() == "lr: 0.2\ntoken: ***\n"
    assert (tmp_path / "client.py").read_text() == 'API_KEY = "***"\nnum_tokens = 7\n'


def test_a_loaded_run_has_the_mask(log_root):
    """tester.pkl has what parameter.json has; a value that comes again is no other one."""
    import rla_hooks as rla

    tester = rla.Tester.load(_one(log_root, "tester.pkl"))
    assert tester.hyper_param["api_key"] == MASK and tester.private_config["REMOTE_SETTING"]["password"] == MASK
    tester.add_hyper_params({"api_key": "another"})
    assert "module.api_key" not in tester.parameters() and tester.parameters()["api_key"] == MASK


def test_the_same_file_is_masked_again(log_root, tmp_path):
    """A second run finds the masked copy in the store, and the original is never there."""
    from rla_hooks.snapshot import backup

    (tmp_path / "setup.cfg").write_text("password = hunter2\n")
    for number in (1, 2):
        report = backup.back_up(tmp_path / f"root/code/{number}", tmp_path / "root", project_root=tmp_path)
        assert report.left_out == {"masked value": ["setup.cfg"]}
        assert (tmp_path / f"root/code/{number}/setup.cfg").read_text() == "password = ***\n"
    stored = [path.read_text() for path in (tmp_path / "root/code/.store").iterdir()]
    assert stored == ["password = ***\n"]


def test_a_config_in_an_older_store_is_masked(tmp_path):
    """Stores made before secrets were masked have the config's password; new runs do not share that file."""
    from rla_hooks.snapshot import backup
    from rla_hooks.snapshot.filestore import FileStore

    (tmp_path / "rla_config.yaml").write_text("REMOTE_SETTING: {password: hunter2}\n")
    (tmp_path / "root/code/old").mkdir(parents=True)
    FileStore.of(tmp_path / "root").put(tmp_path / "rla_config.yaml", tmp_path / "root/code/old/rla_config.yaml")
    backup.back_up(tmp_path / "root/code/new", tmp_path / "root", project_root=tmp_path)
    assert (tmp_path / "root/code/new/rla_config.yaml").read_text() == "REMOTE_SETTING: {password: ***}\n"
