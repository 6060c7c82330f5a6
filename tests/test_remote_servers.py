"""Pushes and pulls through real servers of this machine: OpenSSH, FTP with and without TLS, S3."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.remote import Address, RemoteError

fsspec = pytest.importorskip("fsspec")

from rla_hooks.remote import rsync  # noqa: E402
from rla_hooks.remote.listing import mirror  # noqa: E402
from rla_hooks.remote.moving import carry_out  # noqa: E402
from rla_hooks.remote.opening import open_remote  # noqa: E402
from rla_hooks.remote.planning import plan_pull, plan_push  # noqa: E402

SECRET = "Hunter2xK9"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    """Wait until somebody answers."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not start")


class Sshd:
    """OpenSSH's server on a port and with keys of its own."""

    def __init__(self, folder, *more):
        self.folder, self.port, self.process = folder, free_port(), None
        for name in ("host", "user", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        self.know("known", "host")
        self.know("foreign", "other")
        (folder / "unknown").write_text("")
        lines = [f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"PidFile {folder}/pid"]
        lines += [f"AuthorizedKeysFile {folder}/authorized", "StrictModes no", "PasswordAuthentication no", *more]
        (folder / "config").write_text("\n".join([*lines, "Subsystem sftp internal-sftp", ""]))

    def know(self, name, key):
        kind, public, *_ = (self.folder / f"{key}.pub").read_text().split()
        (self.folder / name).write_text(f"[127.0.0.1]:{self.port} {kind} {public}\n")

    def start(self):
        self.process = subprocess.Popen(
            [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "config"],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.port)

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)  # with the connections that it has
            self.process.wait()

    def address(self, path, known="known", key="user"):
        options = {"client_keys": [str(self.folder / key)], "known_hosts": str(self.folder / known)}
        return Address.parse(f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}", options)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """A server of ssh, as this user."""
    pytest.importorskip("sshfs")
    if not (shutil.which("sshd") or os.path.exists("/usr/sbin/sshd")) or not shutil.which("ssh-keygen"):
        pytest.skip("OpenSSH's server is not here: apt-get install openssh-server")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # it wants this folder when root starts it
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


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


def test_a_wrong_key_and_a_server_that_is_gone_are_told(sshd, tmp_path):
    """A key that the server does not take, a port where nobody answers, a host that there is not: one line each."""
    with pytest.raises(RemoteError, match="refuses the key or the password"):
        open_remote(sshd.address(f"{tmp_path}/far", key="other"))
    with pytest.raises(RemoteError, match="nobody answers"):
        open_remote(Address.parse(f"ssh://127.0.0.1:{free_port()}/x"))
    with pytest.raises(RemoteError, match="there is no host"):
        open_remote(Address.parse("ssh://no-such-host.invalid/x"))


def test_a_run_that_trains_is_sent_over_ssh_while_the_server_comes_and_goes(sshd, tmp_path):
    """The server is stopped and started again: the training goes on, and the remote equals the log root at the end."""
    (tmp_path / "server").mkdir()
    server = Sshd(tmp_path / "server")
    server.start()
    address = server.address(f"{tmp_path}/far")
    config = {"LOG_ROOT": str(tmp_path / "near"), "LOG_USED": ["csv", "log"], "SEND_LOG_FILE": True, "SEND_EVERY": 0.2}
    config |= {"REMOTE_SETTING": {"url": str(address), "options": address.options, "password": ""}}
    config |= {"SEND": ["log", "results", "checkpoint"], "PROJECT_TYPE": {"backup_code_by": "none"}}
    try:
        with rla.run(task="demo", config=config) as run:
            rla.log({"loss": 1.0}, step=0)
            wait_until(lambda: [*(tmp_path / "far").glob("log/**/run.json")])
            server.stop()
            rla.log({"loss": 0.5}, step=1)
            rla.save_checkpoint({"w": [1.0]}, step=1)
            wait_until(lambda: json.loads((run.log_dir / "run.json").read_text()).get("unsent"))
            server.start()
            rla.log({"loss": 0.25}, step=2)
            sender = run.files.sender._process
        wait_until(lambda: sender.poll() is not None)
        wait_until(lambda: is_same(tmp_path / "near", tmp_path / "far"))
    finally:
        server.stop()
    assert rla.runs(tmp_path / "far")[0].status == "finished"


def is_same(near, far):
    try:
        return files_of(near) == files_of(far)
    except OSError:  # a file was there when the folder was listed
        return False


def wait_until(condition):
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


class Ftpd:
    """pyftpdlib's server in a thread, with a user and a password."""

    def __init__(self, folder, tls):
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
        from pyftpdlib.ioloop import IOLoop
        from pyftpdlib.servers import FTPServer

        handler = type("Handler", (TLS_FTPHandler if tls else FTPHandler,), {})
        handler.authorizer = DummyAuthorizer()
        handler.authorizer.add_user("me", SECRET, str(folder), perm="elradfmwMT")
        if tls:
            handler.certfile, handler.tls_control_required, handler.tls_data_required = tls, True, True
        # A loop of its own: else the thread of an earlier server serves this one, too.
        self.server = FTPServer(("127.0.0.1", 0), handler, ioloop=IOLoop())
        self.port = self.server.address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.close_all()


def certificate(folder):
    """A key and a certificate of this machine, which nobody has signed."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here")
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(words, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both, cert


@pytest.mark.parametrize("protocol", ["ftp", "ftps"])
def test_runs_go_over_ftp_and_come_back(protocol, near, tmp_path, monkeypatch):
    """With TLS the certificate is checked; without, a warning says it. The password is read from the environment."""
    pytest.importorskip("pyftpdlib")
    if protocol == "ftps":
        pytest.importorskip("OpenSSL")
    monkeypatch.setenv("NAS_PW", SECRET)
    (tmp_path / "far").mkdir()
    both, cert = certificate(tmp_path) if protocol == "ftps" else (None, None)
    server = Ftpd(tmp_path / "far", both)
    try:
        options = {"ca_file": str(cert)} if cert else {}
        address = Address.parse(f"{protocol}://me:${{NAS_PW}}@127.0.0.1:{server.port}/runs", options)
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            there_and_back(address, near, tmp_path / "back")
        assert any("FTP without TLS" in str(each.message) for each in given) == (protocol == "ftp")
        assert files_of(tmp_path / "far" / "runs") == files_of(near)
        monkeypatch.setenv("NAS_PW", "wrong-password")
        with pytest.raises(RemoteError, match="refuses the key or the password") as raised:
            open_remote(address)
        assert "wrong-password" not in str(raised.value)
        if cert:
            with pytest.raises(RemoteError, match="certificate verify failed"):
                open_remote(Address.parse(f"ftps://me:${{NAS_PW}}@127.0.0.1:{server.port}/runs"))
    finally:
        server.stop()
    for path in [*near.rglob("*"), *(tmp_path / "back").rglob("*")]:
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_runs_go_to_a_bucket_and_come_back(near, tmp_path, monkeypatch):
    """S3 cannot append or rename: files are sent whole, run.json last."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    server.start()
    try:
        monkeypatch.setenv("S3_SECRET", SECRET)
        options = {"username": "testing", "endpoint_url": f"http://127.0.0.1:{server._port}"}
        options["password"] = "${S3_SECRET}"
        address = Address.parse("s3://bucket/runs", options)
        with pytest.raises(RemoteError, match="there is no bucket"):
            open_remote(address)
        keys = {"key": "testing", "secret": SECRET, "endpoint_url": options["endpoint_url"]}
        fsspec.filesystem("s3", **keys).mkdir("bucket")
        plan = plan_push(open_remote(address), near)
        assert carry_out(plan).problems == () and plan_push(open_remote(address), near).same == 2
        assert len(rla.runs(mirror(open_remote(address)))) == 2
        assert carry_out(plan_pull(open_remote(address), tmp_path / "back")).problems == ()
        assert files_of(tmp_path / "back") == files_of(near)
        assert plan_pull(open_remote(address), tmp_path / "back").same == 2
    finally:
        server.stop()


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
