"""Large files on their way to a remote, and from it: a transfer that breaks off goes on there, and Ctrl-C ends it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import layout

pytest.importorskip("fsspec")

from rla_hooks.remote import Address, rsync
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.opening import open_remote
from rla_hooks.remote.place import PIECE
from rla_hooks.remote.planning import plan_pull, plan_push
from rla_hooks.remote.together import together

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL"),
    pytest.mark.filterwarnings("ignore:.*FTP without TLS"),
]
PROGRAM = """
import json, signal, sys
from pathlib import Path
from rla_hooks.remote import Address, rsync
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.opening import open_remote
from rla_hooks.remote.planning import plan_pull, plan_push

rsync.can_be_used = lambda place: False
signal.signal(signal.SIGINT, signal.default_int_handler)
place = open_remote(Address.of_setting(json.load(sys.stdin)))
plan = (plan_push if sys.argv[2] == "push" else plan_pull)(place, Path(sys.argv[1]))
try:
    print(carry_out(plan))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture(params=["ssh", "ftps", "ftp", "file"])
def address(request, tmp_path, monkeypatch):
    """A remote of each protocol, without rsync, whose log root is the folder far/runs."""
    monkeypatch.setattr(rsync, "can_be_used", lambda place: False)
    (tmp_path / "far").mkdir()
    if request.param == "ssh":
        return request.getfixturevalue("sshd").address(f"{tmp_path}/far/runs")
    if request.param == "file":
        return Address.parse((tmp_path / "far" / "runs").as_uri())
    return request.getfixturevalue("ftpd")(request.param, tmp_path / "far")


@pytest.fixture
def large(tmp_path):
    """A run with a file of some pieces; returns its path in the log root."""
    with rla.run(task="demo", log_root=tmp_path / "near", writers=["csv"], backup="none") as run:
        rla.log({"loss": 0.5})
    name = f"{layout.CHECKPOINT}/{run.name}/large.bin"
    Path(tmp_path, "near", name).write_bytes(os.urandom(PIECE) * 6)
    return name


def files_of(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def break_off(address, root, direction, target, how):
    """Move runs in a process that gets a signal when pieces of a file have come; return its part, and what was said."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM, root, direction], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.stdin.write(json.dumps(address.given()))
    child.stdin.close()
    parts = []
    while not parts:
        assert child.poll() is None, child.stdout.read()
        parts = [each for each in target.glob(".*-*.rla-part") if each.stat().st_size > 2 * PIECE]
        time.sleep(0.001)
    child.send_signal(how)
    said = child.stdout.read()
    child.stdout.close()
    child.wait()
    return parts[0], said


@pytest.mark.parametrize(("direction", "how"), [("push", signal.SIGINT), ("pull", signal.SIGKILL)])
def test_a_large_file_goes_on_where_it_broke_off(address, direction, how, large, tmp_path):
    """After Ctrl-C and a kill the next transfer moves only the rest: a byte that was falsified before stays so.

    What comes by FTP without TLS, and in folders, is compared with the other side: there it is found, and moved anew.
    """
    near, far = tmp_path / "near", tmp_path / "far" / "runs"
    target, move = (far, plan_push) if direction == "push" else (tmp_path / "back", plan_pull)
    if direction == "pull":
        assert carry_out(plan_push(open_remote(address), near)).problems == ()
    root = near if direction == "push" else target
    part, said = break_off(address, root, direction, (target / large).parent, how)
    assert said == ("interrupted\n" if how == signal.SIGINT else "") and not (target / large).exists()
    with open(part, "r+b") as file:
        file.seek(PIECE)
        right = file.read(1)
        file.seek(PIECE)
        file.write(bytes([right[0] ^ 1]))
    done = carry_out(move(open_remote(address), root))
    content = (near / large).read_bytes()
    if address.protocol in ("ftp", "file"):
        assert "other bytes" in done.problems[0] and not (target / large).exists()
        assert carry_out(move(open_remote(address), root)).problems == ()
        assert (target / large).read_bytes() == content
    else:
        assert done.problems == ()
        found = (target / large).read_bytes()
        assert found[PIECE] == right[0] ^ 1
        assert found[:PIECE] + right + found[PIECE + 1 :] == content
    assert not [*target.rglob("*.rla-part")]


def test_what_was_moved_of_another_content_is_not_gone_on_with(large, tmp_path):
    """A file that was replaced after the break is sent from its beginning, and what had come of it is removed."""
    far = tmp_path / "far"
    address, folder = Address.parse(far.as_uri()), (far / large).parent
    break_off(address, tmp_path / "near", "push", folder, signal.SIGKILL)
    file = tmp_path / "near" / large
    file.write_bytes(file.read_bytes()[:PIECE] + os.urandom(PIECE) * 5)
    assert carry_out(plan_push(open_remote(address), tmp_path / "near")).problems == ()
    assert (far / large).read_bytes() == file.read_bytes() and [*folder.glob(".*")] == []


def test_what_differs_after_it_was_sent_is_not_put_in_place(tmp_path, monkeypatch):
    """A disk that falsifies a byte is noticed, also where the file that is sent was not read for long."""
    with rla.run(task="demo", log_root=tmp_path / "near", writers=["csv"], backup="none") as run:
        rla.log({"loss": 0.5})
    csv = layout.RunPaths(tmp_path / "near", run.name).progress_csv
    os.utime(csv, (csv.stat().st_mtime - 60,) * 2)  # so that reading it changes its access time
    place = open_remote(Address.parse((tmp_path / "far").as_uri()))
    put = type(place).put

    def falsifies(self, file, name):
        put(self, file, name)
        if file == csv:
            copy = Path(self.path(name))
            copy.write_bytes(copy.read_bytes().replace(b"0.5", b"0.7"))

    monkeypatch.setattr(type(place), "put", falsifies)
    done = carry_out(plan_push(place, tmp_path / "near"))
    assert done.runs == () and "progress.csv has other bytes there than here" in done.problems[0]
    assert not [*(tmp_path / "far").rglob("progress.csv")]


def test_of_a_long_table_only_the_end_is_read_and_written(address, tmp_path):
    """Rows that come after megabytes are appended on all remotes, and the beginning of the file stays as it is."""
    with rla.run(task="demo", log_root=tmp_path / "near", writers=["csv"], backup="none") as run:
        rla.log({"loss": 0.5})
    csv = layout.RunPaths(tmp_path / "near", run.name).progress_csv
    csv.write_bytes(csv.read_bytes() + b"".join(b"%d,1.0,0.5\n" % step for step in range(100_000)))
    carry_out(plan_push(open_remote(address), tmp_path / "near"))
    carry_out(plan_pull(open_remote(address), tmp_path / "back"))
    name, content = csv.relative_to(tmp_path / "near"), csv.read_bytes() + b"100000,1.0,0.25\n"
    for root in ("far/runs", "back"):  # a byte in the middle that only a transfer of all of it would mend
        copy = bytearray((tmp_path / root / name).read_bytes())
        copy[500_000] ^= 1
        state = (tmp_path / root / name).stat()
        (tmp_path / root / name).write_bytes(copy)
        os.utime(tmp_path / root / name, ns=(state.st_atime_ns, state.st_mtime_ns))
    csv.write_bytes(content)
    carry_out(plan_push(open_remote(address), tmp_path / "near"))
    carry_out(plan_pull(open_remote(address), tmp_path / "back"))
    for root in ("far/runs", "back"):
        copy = bytearray((tmp_path / root / name).read_bytes())
        copy[500_000] ^= 1
        assert bytes(copy) == content


def test_two_machines_push_the_same_runs_at_once(address, tmp_path):
    """Both end well, the one that comes second finds the runs there, and nothing is left of what it sent."""
    for seed in range(3):
        with rla.run(task="demo", log_root=tmp_path / "near", writers=["csv"], backup="none", seed=seed):
            rla.log({"loss": 0.5})
    shutil.copytree(tmp_path / "near", tmp_path / "copy")
    plans = [plan_push(open_remote(address), tmp_path / root) for root in ("near", "copy")]
    assert all(run.is_new for plan in plans for run in plan.runs)
    assert [carry_out(plan).problems for plan in plans] == [(), ()]
    assert files_of(tmp_path / "far" / "runs") == files_of(tmp_path / "near")


def test_an_interrupt_waits_for_no_thread():
    """Ctrl-C ends the wait for what threads do, which are told to stop; an error of one of them is raised."""
    stopped, go_on = threading.Event(), threading.Event()

    def work(number):
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        go_on.wait()

    with pytest.raises(KeyboardInterrupt):
        together(work, range(8), 4, stopped)
    assert stopped.is_set()
    go_on.set()
    with pytest.raises(ZeroDivisionError):
        together(lambda number: 1 // number, range(8), 4, threading.Event())
