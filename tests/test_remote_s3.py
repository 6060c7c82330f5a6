"""Pushes and pulls through a server of S3 on this machine, moto's: ``make remote`` has it, ``make test`` does not."""

import os
import re

import pytest

import rla_hooks as rla
from rla_hooks.remote import Address, RemoteError

NOT_HERE = "does not resolve beside the packages of make test; make remote runs this file"
fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs", reason=f"s3fs {NOT_HERE}")
moto = pytest.importorskip("moto.server", reason=f"moto {NOT_HERE}")

from rla_hooks.remote.listing import mirror  # noqa: E402
from rla_hooks.remote.moving import carry_out  # noqa: E402
from rla_hooks.remote.opening import open_remote  # noqa: E402
from rla_hooks.remote.place import PIECE  # noqa: E402
from rla_hooks.remote.planning import plan_pull, plan_push  # noqa: E402

SECRET = "Hunter2xK9"


@pytest.fixture
def address(unused_port, monkeypatch, tmp_path):
    """An empty bucket of a server of S3, whose buckets all servers of a process have; the secret is in a variable."""
    bucket = re.sub(r"[^a-z0-9]", "-", tmp_path.name.lower())[-40:].strip("-")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=unused_port())
    server.start()
    try:
        monkeypatch.setenv("S3_SECRET", SECRET)
        options = {
            "username": "testing",
            "endpoint_url": f"http://127.0.0.1:{server._port}",
            "password": "${S3_SECRET}",
        }
        address = Address.parse(f"s3://{bucket}/runs", options)
        with pytest.raises(RemoteError, match=f"there is no bucket {bucket!r}"):
            open_remote(address)
        keys = {"key": "testing", "secret": SECRET, "endpoint_url": options["endpoint_url"]}
        fsspec.filesystem("s3", skip_instance_cache=True, **keys).mkdir(bucket)
        yield address
    finally:
        server.stop()


@pytest.fixture
def near(tmp_path):
    """A log root with two runs of the same code, and a large file."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text("x = 1\n")
    for lr in (0.1, 0.2):
        config = {"LOG_ROOT": str(tmp_path / "near"), "PROJECT_ROOT": str(tmp_path / "project"), "LOG_USED": ["csv"]}
        with rla.run(task="demo a", config=config, record=["lr"], lr=lr) as run:
            rla.log({"loss": 0.5}, step=0)
    (run.results_dir / "large.bin").write_bytes(os.urandom(PIECE) * 2 + b"end")
    return tmp_path / "near"


def files_of(root):
    """All files of runs: a pull from a bucket, which knows no links, makes no store of code."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith("code/.store/")}


def test_runs_go_to_a_bucket_and_come_back(address, near, tmp_path):
    """Pushed, listed, pulled; nothing is moved twice; a table that has grown is sent whole; no secret is in a file."""
    assert carry_out(plan_push(open_remote(address), near)).problems == ()
    assert plan_push(open_remote(address), near).same == 2
    assert [run.hparams["lr"] for run in rla.runs(mirror(open_remote(address)))] == [0.1, 0.2]
    assert carry_out(plan_pull(open_remote(address), tmp_path / "back")).problems == ()
    assert plan_pull(open_remote(address), tmp_path / "back").same == 2
    assert files_of(tmp_path / "back") == files_of(near)
    csv = next(near.rglob("progress.csv"))
    csv.write_bytes(csv.read_bytes() + b"1,1.5,0.125\n")
    for move, root in ((plan_push, near), (plan_pull, tmp_path / "back")):
        plan = move(open_remote(address), root)
        assert plan.files == 1 and carry_out(plan).problems == ()
    assert files_of(tmp_path / "back") == files_of(near)
    for name, content in files_of(tmp_path).items():
        assert SECRET.encode() not in content, name


def test_a_wrong_secret_is_told(address, monkeypatch):
    """A server that is gone, and a variable that is not there, are one line each; neither has the secret."""
    gone = Address.parse("s3://bucket/x", {**address.options, "endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(RemoteError) as raised:
        open_remote(gone)
    assert SECRET not in str(raised.value) and "\n" not in str(raised.value)
    monkeypatch.delenv("S3_SECRET")
    with pytest.raises(rla.ConfigError, match="S3_SECRET"):
        open_remote(address)


def test_a_training_is_sent_to_a_bucket(address, tmp_path):
    """SEND_LOG_FILE: at the end of the run the bucket has all of it."""
    config = {"LOG_ROOT": str(tmp_path / "near"), "LOG_USED": ["csv"], "PROJECT_TYPE": {"backup_code_by": "none"}}
    config |= {"SEND_LOG_FILE": True, "SEND_EVERY": 0.2, "SEND": ["log", "code", "results", "checkpoint"]}
    config["REMOTE_SETTING"] = {"url": str(address), "options": address.options}
    with rla.run(task="demo", config=config) as run:
        rla.log({"loss": 0.5}, step=0)
        rla.save_checkpoint({"w": [1.0]}, step=0)
        sender = run.files.sender._process
    assert sender.wait(120) == 0
    assert carry_out(plan_pull(open_remote(address), tmp_path / "back")).problems == ()
    assert files_of(tmp_path / "back") == files_of(tmp_path / "near")
