"""Pushes and pulls through real servers of this machine: OpenSSH, FTP with and without TLS, S3."""

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.remote import Address, RemoteError

fsspec = pytest.importorskip("fsspec")

from rla_hooks.errors import WarnOnce  # noqa: E402
from rla_hooks.remote import moving, opening, rsync  # noqa: E402
from rla_hooks.remote.listing import mirror  # noqa: E402
from rla_hooks.remote.moving import carry_out  # noqa: E402
from rla_hooks.remote.opening import open_remote  # noqa: E402
from rla_hooks.remote.planning import plan_pull, plan_push  # noqa: E402

SECRET = "Hunter2xK9"


def train(root, **parameters):
    with rla.run(task="demo a", log_root=root, writers=["csv"], backup="none", record=[*parameters], **parameters):
        for step in range(3):
            rla.log({"loss": 1.0 / (step + 1)}, step=step)


def files_of(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def there_and_back(address, near, back):
    """Push runs, list them there, pull them into another log root; the content of what is there must be known."""
    plan = plan_push(open_remote(address), near)
    assert carry_out(plan).problems == () and len(plan.runs) == 2
    assert plan_push(open_remote(address), near).same == 2
    assert [run.hparams["lr"] for run in rla.runs(mirror(open_remote(address)))] == [0.1, 0.2]
    assert carry_out(plan_pull(open_remote(address), back)).problems == ()
    assert plan_pull(open_remote(address), back).same == 2
    assert files_of(back) == files_of(near)
    csv = next(near.rglob("progress.csv"))
    csv.write_bytes(csv.read_bytes() + b"3,1.5,0.125\n")
    for make, root in ((plan_push, near), (plan_pull, back)):
        plan = make(open_remote(address), root)
        assert [step.offset > 0 for run in plan.runs for step in run.steps] == [True]
        assert carry_out(plan).problems == ()
    assert files_of(back) == files_of(near)


@pytest.fixture
def near(tmp_path):
    for lr in (0.1, 0.2):
        train(tmp_path / "near root", lr=lr)
    return tmp_path / "near root"


@pytest.mark.parametrize("mover", ["rsync", "fsspec"])
def test_runs_go_over_ssh_and_come_back(mover, sshd, near, tmp_path, monkeypatch):
    """By rsync where both ends have it, else file by file; names with blanks, & and = are no trouble."""
    address = sshd.address(f"{tmp_path}/far root")
    if mover == "fsspec":
        monkeypatch.setattr(rsync, "can_be_used", lambda place: False)
    elif not shutil.which("rsync"):
        pytest.skip("rsync is not here: apt-get install rsync")
    else:
        place = open_remote(address)
        place.names()
        assert rsync.can_be_used(place)
    there_and_back(address, near, tmp_path / "back")
    assert files_of(tmp_path / "far root") == files_of(near)


@pytest.mark.parametrize("known", ["foreign", "unknown"])
def test_a_host_with_a_foreign_key_is_refused(known, sshd, near, tmp_path, monkeypatch):
    """A server whose key is another one, or is not known, gets nothing; the error has the line that accepts it."""
    with pytest.raises(RemoteError, match="ssh-keyscan -p") as raised:
        open_remote(sshd.address(f"{tmp_path}/far", known))
    assert "\n" not in str(raised.value) and not (tmp_path / "far").exists()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  UserKnownHostsFile none\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(RemoteError, match="UserKnownHostsFile none"):
        open_remote(Address.parse(f"ssh://127.0.0.1:{sshd.port}/x"))
    with pytest.raises(rla.ConfigError, match="pose as"):
        open_remote(Address.parse("ssh://127.0.0.1/x", {"known_hosts": None}))


def test_a_wrong_key_and_a_server_that_is_gone_are_told(sshd, unused_port, tmp_path):
    """A key that the server does not take, a port where nobody answers, a host that there is not: one line each."""
    with pytest.raises(RemoteError, match="refuses the key or the password"):
        open_remote(sshd.address(f"{tmp_path}/far", key="other"))
    with pytest.raises(RemoteError, match="nobody answers"):
        open_remote(Address.parse(f"ssh://127.0.0.1:{unused_port()}/x"))
    with pytest.raises(RemoteError, match="there is no host"):
        open_remote(Address.parse("ssh://no-such-host.invalid/x"))


def test_what_ssh_says_to_rsync_is_told(sshd, near, tmp_path, monkeypatch, warnings_as_text):
    """Where ssh does not get in, and asyncssh does, one warning has the line of ssh, and the files go over SFTP."""
    if not shutil.which("rsync"):
        pytest.skip("rsync is not here: apt-get install rsync")
    monkeypatch.setattr(moving, "_warn", WarnOnce())
    place = open_remote(sshd.address(f"{tmp_path}/far"))
    plan = plan_push(place, near)
    place.address.options["known_hosts"] = str(sshd.folder / "foreign")
    assert carry_out(plan).problems == ()
    (text,) = warnings_as_text
    assert "ssh says: Host key verification failed. ssh" in text and "must work without a question" in text
    warnings_as_text.clear()
    assert files_of(tmp_path / "far") == files_of(near)


@pytest.mark.parametrize("mover", ["rsync", "fsspec"])
def test_a_run_that_trains_is_sent_over_ssh_while_the_server_comes_and_goes(mover, another_sshd, tmp_path):
    """The server is stopped and started again: the training goes on, and the remote equals the log root at the end.

    All of it: rows, events, code, results, checkpoints and the store, byte by byte. The password, which a server that
    takes the key never asks for, keeps rsync away, and stands in no file of either side.
    """
    server, near, far = another_sshd, tmp_path / "near", tmp_path / "far"
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text("x = 1\n")
    address = server.address(str(far))
    config = {
        "LOG_ROOT": str(near),
        "PROJECT_ROOT": str(tmp_path / "project"),
        "SEND_LOG_FILE": True,
        "SEND_EVERY": 0.2,
    }
    config |= {"SEND": ["log", "code", "results", "checkpoint"]}
    config["REMOTE_SETTING"] = {"url": str(address), "options": address.options}
    config["REMOTE_SETTING"]["password"] = SECRET if mover == "fsspec" else ""
    with rla.run(task="demo", config=config, lr=0.1) as run:
        rla.log({"loss": 1.0}, step=0)
        wait_until(lambda: [*far.glob("log/**/run.json")])
        server.stop()
        rla.log({"loss": 0.5}, step=1)
        rla.save_checkpoint({"w": [1.0]}, step=1)
        (run.results_dir / "table.txt").write_text("0.5")
        wait_until(lambda: json.loads((run.log_dir / "run.json").read_text()).get("unsent"))
        server.start()
        rla.log({"loss": 0.25}, step=2)
        sender = run.files.sender._process
    wait_until(lambda: sender.poll() is not None)
    assert files_of(far) == files_of(near)
    assert {name.partition("/")[0] for name in files_of(far)} == {
        "log",
        "code",
        "results",
        "checkpoint",
        "archive_tester",
    }
    (there,) = rla.runs(far)
    assert there.status == "finished" and [*there.metrics()["loss"]] == [1.0, 0.5, 0.25]
    assert there.run_json["unsent"] is None
    for name, content in (files_of(near) | files_of(far)).items():
        assert SECRET.encode() not in content, name


def wait_until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


@pytest.mark.parametrize("protocol", ["ftp", "ftps"])
def test_runs_go_over_ftp_and_come_back(protocol, ftpd, near, tmp_path, monkeypatch):
    """With TLS the certificate is checked; without, a warning says it. The password is read from the environment."""
    address = ftpd(protocol, tmp_path / "far")
    secret = os.environ["NAS_PW"]
    monkeypatch.setattr(opening, "_warn", WarnOnce())
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        there_and_back(address, near, tmp_path / "back")
    assert any("FTP without TLS" in str(each.message) for each in given) == (protocol == "ftp")
    assert files_of(tmp_path / "far" / "runs") == files_of(near)
    monkeypatch.setenv("NAS_PW", "wrong-password")
    with pytest.raises(RemoteError, match="refuses the key or the password") as raised:
        open_remote(address)
    assert "wrong-password" not in str(raised.value)
    if protocol == "ftps":
        with pytest.raises(RemoteError, match="certificate verify failed"):
            open_remote(Address.parse(f"ftps://me:${{NAS_PW}}@127.0.0.1:{address.port}/runs"))
    for path in [*near.rglob("*"), *(tmp_path / "back").rglob("*")]:
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_a_push_that_is_killed_goes_on(sshd, near, tmp_path):
    """SIGKILL in the middle of a push: no run is half there, and the same command brings the rest."""
    big = next(near.rglob("archive_tester/**/tester.pkl")).with_name("big.bin")
    big.write_bytes(os.urandom(1 << 22) * 8)
    far = sshd.address(f"{tmp_path}/far").given()
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom rla_hooks.remote import Address\n"
        "from rla_hooks.remote.opening import open_remote\nfrom rla_hooks.remote.planning import plan_push\n"
        "from rla_hooks.remote.moving import carry_out\n"
        "place = open_remote(Address.of_setting(json.loads(sys.argv[1])))\n"
        "plan = plan_push(place, Path(sys.argv[2]))\nprint('begins', flush=True)\nprint(carry_out(plan).problems)\n"
    )
    child = subprocess.Popen([sys.executable, "-I", "-c", program, json.dumps(far), near], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"begins\n"
    for _ in range(2000):
        if (tmp_path / "far").exists():
            break
        time.sleep(0.005)
    child.kill()
    child.wait()
    child.stdout.close()
    assert carry_out(plan_push(open_remote(sshd.address(f"{tmp_path}/far")), near)).problems == ()
    found = {name: data for name, data in files_of(Path(tmp_path, "far")).items() if ".rla-part" not in name}
    assert found == files_of(near)
