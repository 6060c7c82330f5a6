"""Addresses of remotes, remotes that have a name, and what a push and a pull do, with a folder as the other side."""

import filecmp
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import layout
from rla_hooks.remote import Address, RemoteError
from rla_hooks.remote.address import looks_remote
from rla_hooks.remote.named import add_remote, named_remotes, resolve


def train(root, rows=3, **parameters):
    """A short run of the task demo; returns its name."""
    with rla.run(
        task="demo", log_root=root, writers=["csv", "log"], backup="none", record=[*parameters], **parameters
    ) as run:
        for step in range(rows):
            rla.log({"loss": 1.0 / (step + 1)}, step=step)
    return run.name


def files_of(root):
    """The content of all files of a log root, but those that only organise it."""
    found = {}
    for top, _, names in os.walk(root):
        for name in names:
            path = Path(top, name)
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return {name: data for name, data in found.items() if not name.startswith((".trash", "remotes.json"))}


@pytest.fixture
def place(tmp_path):
    """A log root in another folder, as a remote."""
    pytest.importorskip("fsspec")
    from rla_hooks.remote.opening import open_remote

    return open_remote(Address.parse((tmp_path / "far").as_uri()))


def push(place, root, **options):
    """Push all runs; returns the plan, which is carried out."""
    from rla_hooks.remote.moving import carry_out
    from rla_hooks.remote.planning import plan_push

    plan = plan_push(place, root, **options)
    done = carry_out(plan)
    assert done.problems == ()
    return plan


def pull(place, root, **options):
    """Pull all runs; returns the plan, which is carried out."""
    from rla_hooks.remote.moving import carry_out
    from rla_hooks.remote.planning import plan_pull

    plan = plan_pull(place, root, **options)
    done = carry_out(plan)
    assert done.problems == ()
    return plan


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ssh://me:geheim@lab:2222/data/r", "ssh://me@lab:2222/data/r"),
        ("sftp://lab/~/runs", "ssh://lab/~/runs"),
        ("me@lab:runs/x", "ssh://me@lab/~/runs/x"),
        ("lab:/data", "ssh://lab/data"),
        ("ftps://me:${PW}@nas/r", "ftps://me@nas/r"),
        ("s3://bucket/x/", "s3://bucket/x"),
        ("ssh:/lab/data", "ssh://lab/data"),
        ("file:///mnt/a%20b", "file:///mnt/a%20b"),
    ],
)
def test_an_address_is_read_and_written_without_its_password(text, url):
    """The text of an address is one that means the same place, and has no password."""
    address = Address.parse(text)
    assert str(address) == url and "geheim" not in repr(address) + str(address)
    assert str(Address.parse(url)) == url


@pytest.mark.parametrize(
    "text", ["http://x/y", "shh://x/y", "ssh:///x", "ssh://host", "ssh://h:99999/x", "", "ssh://-oProxy/x"]
)
def test_a_bad_address_says_what_is_allowed(text):
    """What is no address raises, and the error shows no password."""
    with pytest.raises(rla.ConfigError, match="Allowed"):
        Address.parse(text)
    with pytest.raises(rla.ConfigError) as raised:
        Address.parse("shh://me:geheim@host/x")
    assert "geheim" not in str(raised.value) and "ssh" in str(raised.value)


def test_rlas_setting_is_an_address(monkeypatch):
    """The keys of RLA make an address; a variable is read when it is needed; a pickle has no plain password."""
    setting = {"ftp_server": "h", "username": "me", "password": "${LAB_PW}", "port": 2121, "remote_log_root": "/r"}
    address = Address.of_setting({**setting, "file_transfer_protocol": "sftp"})
    assert str(address) == "ssh://me@h:2121/r"
    with pytest.raises(rla.ConfigError, match="LAB_PW"):
        address.with_secrets()
    monkeypatch.setenv("LAB_PW", "hunter22")
    assert address.with_secrets()["password"] == "hunter22" and not address.has_plain_secret()
    plain = Address.of_setting({**setting, "password": "hunter22"})
    assert plain.has_plain_secret() and b"hunter22" not in pickle.dumps(plain) + pickle.dumps(address)
    assert str(Address.of_setting(setting)).startswith("ftp://")
    with pytest.raises(rla.ConfigError, match="neither url nor"):
        Address.of_setting({"username": "me"})


def test_named_remotes_hold_no_password(tmp_path, monkeypatch):
    """A remote is named in the log root, a password only as a variable's name; an unknown name says what is near."""
    monkeypatch.chdir(tmp_path)
    add_remote(tmp_path, "lab", Address.parse("ssh://me:${LAB_PW}@lab/r", {"client_keys": "~/.ssh/lab"}))
    with pytest.raises(rla.ConfigError, match="written out") as raised:
        add_remote(tmp_path, "nas", Address.parse("ftps://me:hunter22@nas/r"))
    assert "hunter22" not in str(raised.value)
    assert [*named_remotes(tmp_path)] == ["lab"] and resolve(None, tmp_path).password == "${LAB_PW}"
    with pytest.raises(rla.ConfigError, match="Did you mean 'lab'"):
        resolve("lap", tmp_path)
    assert looks_remote("me@lab:/x") and not looks_remote("lr=0.1") and not looks_remote("C:\\x")


def test_a_push_sends_what_lacks_and_only_that(tmp_path, place):
    """All files are there afterwards, a second push has nothing to do, and of rows only the new ones are sent."""
    root = tmp_path / "near"
    name = train(root, seed=1)
    train(root, seed=2)
    assert push(place, root).files == 2 * 5
    assert files_of(root) == files_of(tmp_path / "far")
    assert [run.status for run in rla.runs(tmp_path / "far")] == ["finished"] * 2
    assert push(place, root).runs == () and push(place, root).same == 2
    with rla.open(layout.RunPaths(root, name).log_dir):
        rla.log({"loss": 0.1}, step=9)
    (again,) = push(place, root).runs
    offsets = {step.path.rpartition("/")[2]: step.offset for step in again.steps}
    assert any(offset > 0 for offset in offsets.values()) or "progress.csv" not in offsets
    assert files_of(root) == files_of(tmp_path / "far")


def test_a_growing_file_is_appended_to_and_one_that_was_rewritten_is_replaced(tmp_path, place):
    """Bytes are appended from where the other side ends; where its bytes are not the beginning, all is sent."""
    root = tmp_path / "near"
    csv = layout.RunPaths(root, train(root)).progress_csv
    push(place, root)
    far = tmp_path / "far" / csv.relative_to(root)
    first = far.read_bytes()
    inode = far.stat().st_ino
    csv.write_bytes(first + b"9,1.0,0.1\n")
    push(place, root)
    assert far.read_bytes() == csv.read_bytes() and far.stat().st_ino == inode
    csv.write_bytes(b"time-step,timestamp,loss,more\n" + first + b"10,1.0,0.1,5\n")
    push(place, root)
    assert far.read_bytes() == csv.read_bytes() and far.stat().st_ino != inode


def test_a_file_that_grows_after_the_plan_was_made_is_moved_as_it_is_then(tmp_path, place):
    """Rows that come between the look at both sides and the transfer, in a push and in a pull, are no trouble."""
    from rla_hooks.remote.moving import carry_out
    from rla_hooks.remote.planning import plan_pull, plan_push

    root, back = tmp_path / "near", tmp_path / "back"
    csv = layout.RunPaths(root, train(root)).progress_csv
    push(place, root)
    pull(place, back)
    far = tmp_path / "far" / csv.relative_to(root)
    for move, mine, source in ((plan_push, root, csv), (plan_pull, back, far)):
        with open(source, "ab") as file:
            file.write(b"9,1.0,0.1\n")
        plan = move(place, mine)
        with open(source, "ab") as file:
            file.write(b"10,1.0,0.1\n")
        assert carry_out(plan).problems == ()
    assert far.read_bytes() == (back / csv.relative_to(root)).read_bytes()
    assert far.read_bytes().startswith(csv.read_bytes()) and csv.read_bytes().endswith(b"10,1.0,0.1\n")


def test_half_of_a_transfer_goes_on_and_a_run_appears_whole(tmp_path, place, monkeypatch):
    """A push that breaks off leaves no run that is half there; the next one sends only the rest."""
    from rla_hooks.remote.moving import carry_out
    from rla_hooks.remote.planning import plan_push

    root = tmp_path / "near"
    train(root, seed=1)
    plan = plan_push(place, root)
    rename = type(place).rename

    def breaks(self, part, name):
        if name.endswith("log.txt"):
            raise RemoteError("the network is gone")
        rename(self, part, name)

    monkeypatch.setattr(type(place), "rename", breaks)
    done = carry_out(plan)
    assert done.runs == () and "the network is gone" in done.problems[0]
    assert len(rla.runs(tmp_path / "far", task="demo")) == 0
    monkeypatch.undo()
    assert 0 < push(place, root).files < plan.files
    assert files_of(root) == files_of(tmp_path / "far") and not (tmp_path / "far" / ".incoming").exists()


def test_a_pull_fetches_the_runs_of_two_machines(tmp_path, place):
    """What two log roots have pushed into one comes back by one pull; a second one has nothing to do."""
    for name in ("one", "two"):
        train(tmp_path / name, lr=0.1)
        push(place, tmp_path / name)
    assert len(pull(place, tmp_path / "back").runs) == 2
    assert files_of(tmp_path / "back") == files_of(tmp_path / "far")
    assert pull(place, tmp_path / "back").same == 2
    assert len(pull(place, tmp_path / "one").runs) == 1


def test_what_only_the_other_side_has_changed_stays(tmp_path, place):
    """A note that was written there is not undone by a push; with newer=True no newer file is."""
    root = tmp_path / "near"
    labels = layout.RunPaths(root, train(root)).labels_json
    labels.write_text('{"note": "here"}')
    push(place, root)
    far = tmp_path / "far" / labels.relative_to(root)
    far.write_text('{"note": "changed there"}')
    os.utime(far, (2_000_000_000, 2_000_000_000))
    assert push(place, root).runs == ()
    os.utime(labels, (1_900_000_000, 1_900_000_000))
    assert push(place, root).runs == () and push(place, root, newer=True).runs == () and "there" in far.read_text()
    os.utime(labels, (2_100_000_000, 2_100_000_000))
    assert push(place, root).files == 1 and filecmp.cmp(far, labels, shallow=False)


def test_a_pull_takes_no_rows_from_a_run_that_trains_here(tmp_path, place):
    """A run was pushed, and has gone on: what is older there does not replace the rows here."""
    root = tmp_path / "near"
    csv = layout.RunPaths(root, train(root)).progress_csv
    push(place, root)
    longer = csv.read_bytes() + b"9,1.0,0.1\n"
    csv.write_bytes(longer)
    os.utime(csv, (2_000_000_000, 2_000_000_000))
    pull(place, root)
    assert csv.read_bytes() == longer


def test_two_senders_take_turns(tmp_path):
    """While one process moves runs between two places, another one waits, and then says so."""
    from rla_hooks.remote.marks import alone

    address = Address.parse("ssh://lab/x")
    with alone(tmp_path, address, 0.0):
        program = (
            "import sys\nfrom pathlib import Path\nfrom rla_hooks.remote import Address\n"
            "from rla_hooks.remote.marks import alone\n"
            "with alone(Path(sys.argv[1]), Address.parse('ssh://lab/x'), 0.0): pass\n"
        )
        done = subprocess.run([sys.executable, "-I", "-c", program, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "another process moves runs" in done.stderr


def test_code_is_stored_once_there(tmp_path, place):
    """Two runs of the same code share its files there, too: the second push sends no code."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "model.py").write_text("x = 1\n")
    (tmp_path / "p" / "pyproject.toml").write_text("")
    for seed in range(2):
        config = {"LOG_ROOT": str(tmp_path / "near"), "PROJECT_ROOT": str(tmp_path / "p")}
        with rla.run(task="demo", config=config, writers=["csv"], seed=seed):
            rla.log({"loss": 1.0})
    push(place, tmp_path / "near")
    copies = [*(tmp_path / "far" / "code" / "demo").rglob("model.py")]
    assert len(copies) == 2 and len({copy.stat().st_ino for copy in copies}) == 1
    pull(place, tmp_path / "back")
    copies = [*(tmp_path / "back" / "code" / "demo").rglob("model.py")]
    assert len(copies) == 2 and len({copy.stat().st_ino for copy in copies}) == 1


def test_names_that_leave_the_log_root_are_not_fetched():
    """A server that names files outside of the log root, or temporary ones, is not believed."""
    from rla_hooks.remote.files import is_safe, names_in

    bad = [
        "../x",
        "/etc/passwd",
        "log/a/../../x",
        "log//x",
        "log/a/.1234.rla-part",
        "log/a/.saving-1-2-3.tmp",
        "log/a\0b",
    ]
    assert not any(map(is_safe, bad)) and is_safe("log/demo/2026/01/31/x&lr=0.1/tb/events")
    name = "demo/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1"
    assert names_in([f"log/{name}/tb/events", "log/best/run.json", "code/x/y", "log/stray.txt"]) == {name, "best"}


def test_a_run_that_cannot_be_sent_is_told_and_the_others_go_on(tmp_path, place):
    """What is in the way of one run is one line; the run beside it is sent."""
    from rla_hooks.remote.moving import carry_out
    from rla_hooks.remote.planning import plan_push

    name = train(tmp_path / "near", seed=1)
    train(tmp_path / "near", seed=2)
    blocked = tmp_path / "far" / "archive_tester" / name
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder is to be")
    done = carry_out(plan_push(place, tmp_path / "near"))
    assert len(done.runs) == 1 and len(done.problems) == 1 and name in done.problems[0]


def test_the_commands_push_pull_and_list(tmp_path, monkeypatch, rla_command, place):
    """rla remote names one, rla push sends, rla runs lists without a pull, rla pull fetches what a filter chooses."""
    monkeypatch.chdir(tmp_path)
    far = (tmp_path / "far").as_uri()
    for lr in (0.1, 0.2):
        train(tmp_path / "rla_data", lr=lr)
    assert rla_command("remote", "add", "lab", far)[0] == 0
    assert rla_command("remote")[1] == f"lab  {far}\n"
    assert "can be read and written, has 0 runs" in rla_command("remote", "test", "lab")[1]
    code, out, err = rla_command("push", "lab", "--dry-run")
    assert code == 0 and "2 runs, 10 files" in out and "--dry-run" in err and not (tmp_path / "far/log").exists()
    assert "2 runs sent to" in rla_command("push")[1]
    assert "nothing is to be sent" in rla_command("push", "lab")[1]
    code, out, _ = rla_command("runs", "-c", "lr,loss", "--log-root", far)
    assert code == 0 and "0.1" in out and "0.2" in out
    code, out, err = rla_command("pull", far, "lr > 0.15", "--log-root", "back")
    assert code == 0, err
    assert [run.hparams["lr"] for run in rla.runs("back")] == [0.2]
    assert rla_command("sync", far, "--log-root", "back")[0] == 0 and len(rla.runs("back")) == 2
    code, _, err = rla_command("show", "latest", "--log-root", far)
    assert code != 0 and "rla pull" in err
    code, _, err = rla_command("push", "latest", "nowhere")
    assert code != 0 and err.count("\n") <= 3
    code, _, err = rla_command("remote", "ad", "x")
    assert code != 0 and "Did you mean 'add'" in err


def test_where_no_cache_can_be_had_runs_are_moved(tmp_path, monkeypatch, rla_command, place, warnings_as_text):
    """A home folder that is full, read-only or gone: one warning; only a list needs a folder, and says which."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    far = (tmp_path / "far").as_uri()
    train(tmp_path / "rla_data")
    code, out, err = rla_command("push", far)
    assert code == 0 and "1 run sent to" in out, err
    assert rla_command("pull", far, "--log-root", "back")[0] == 0
    assert files_of(tmp_path / "back") == files_of(tmp_path / "far") == files_of(tmp_path / "rla_data")
    code, _, err = rla_command("runs", "--log-root", far)
    assert code == 2 and "Set XDG_CACHE_HOME to a folder of yours" in err
    (text,) = warnings_as_text
    assert "Set the variable XDG_CACHE_HOME" in text
    warnings_as_text.clear()


def test_the_words_of_a_push_and_a_pull_come_in_either_order(tmp_path, monkeypatch, rla_command, place):
    """Which word is the remote is seen from the word; one that is neither a remote nor a run is an error."""
    monkeypatch.chdir(tmp_path)
    for lr in (0.1, 0.2):
        train(tmp_path / "rla_data", lr=lr)
    assert rla_command("remote", "add", "lab", (tmp_path / "far").as_uri())[0] == 0
    assert "1 run sent" in rla_command("push", "lab", "lr > 0.15")[1]
    assert "1 run sent" in rla_command("push", "lr < 0.15", "lab")[1]
    assert "1 run fetched" in rla_command("pull", "lr < 0.15", str(tmp_path / "far"), "--log-root", "one")[1]
    assert "1 run fetched" in rla_command("pull", str(tmp_path / "far"), "lr < 0.15", "--log-root", "two")[1]
    code, _, err = rla_command("pull", "demo/nope")
    assert code != 0 and "'demo/nope'" in err and (tmp_path / "far").as_uri() in err
    code, _, err = rla_command("pull", "lab", "lr > 5")
    assert code != 0 and f"none of the 2 runs in {(tmp_path / 'far').as_uri()}" in err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = rla_command("push", (tmp_path / "far").as_uri())
    assert code != 0 and "the default, since" in err


def test_a_folder_that_is_called_like_a_run_is_no_remote(tmp_path, monkeypatch, rla_command, place):
    """Beside a script there are often folders with the names of tasks: nothing is written into them."""
    monkeypatch.chdir(tmp_path)
    for lr in (0.1, 0.2):
        train(tmp_path / "rla_data", lr=lr)
    for folder in ("demo", "latest", "nas"):
        (tmp_path / folder).mkdir()
    code, _, err = rla_command("push", "latest")
    assert code != 0 and "no remote is given" in err
    far = (tmp_path / "far").as_uri()
    assert "1 run sent" in rla_command("push", far, "latest")[1] and "1 run sent" in rla_command("push", "demo", far)[1]
    assert not [*(tmp_path / "demo").iterdir(), *(tmp_path / "latest").iterdir()]
    assert "2 runs sent" in rla_command("push", "./nas")[1]
    assert "2 runs fetched" in rla_command("pull", "nas", "--log-root", "back")[1], "a log root without a slash"


def test_a_remote_has_a_name_until_it_is_taken_away(tmp_path, monkeypatch, rla_command, place):
    """The runs of a remote are listed by its name, too; a name that is used again, or taken away, is told."""
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "rla_data", lr=0.1)
    far = (tmp_path / "far").as_uri()
    assert rla_command("remote", "add", "lab", far)[0] == 0
    assert f"no runs in {far}" in rla_command("runs", "--log-root", "lab")[2]
    rla_command("push", "lab")
    assert "0.1" in rla_command("runs", "-c", "lr", "--log-root", "lab")[1]
    assert f"replaced: it was {far}" in rla_command("remote", "add", "lab", "ssh://host/x")[1]
    assert rla_command("remote", "rm", "lab")[0] == 0 and rla_command("remote", "--json")[1].strip() == "[]"
    assert (tmp_path / "far" / "log").is_dir()
    code, _, err = rla_command("remote", "rm", "lab")
    assert code != 0 and "no remote 'lab'" in err


def test_the_options_of_a_remote_count_for_its_url(tmp_path, monkeypatch):
    """An address that is given as a URL has the options and the variable of the remote that was named with this URL."""
    monkeypatch.chdir(tmp_path)
    add_remote(tmp_path, "lab", Address.parse("ftps://me:${LAB}@lab/r", {"ca_file": "lab.pem"}))
    found = resolve("ftps://me@lab/r", tmp_path)
    assert found.options == {"ca_file": "lab.pem"} and found.password == "${LAB}"
    assert resolve("ftps://me@lab/other", tmp_path).options == {}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError('rsync: [receiver] write failed on "x": No space left on device (28)'), "is full"),
        (OSError(122, "Disk quota exceeded"), "is full"),
        (OSError("426 No space left on device; transfer aborted."), "is full"),
        (OSError("552 Exceeded storage allocation"), "is full"),
        (OSError(30, "Read-only file system"), "is read-only"),
        (OSError("550 Read-only file system."), "is read-only"),
        (OSError(27, "File too large", "/here/x.npz", None, "/there/x.npz"), "nas/r: a file is larger than the disk"),
        (OSError("Failure"), "df -h"),
        (ConnectionRefusedError(111, "Connection refused"), "on port 21. Does"),
        (OSError("wrong hunter22"), r"wrong \*\*\*"),
    ],
)
def test_what_servers_say_becomes_one_line(error, said, monkeypatch):
    """Full, read-only, over a quota: each server has its own words for it, and one of them says nothing at all."""
    from rla_hooks.remote.errors import remote_error

    monkeypatch.setenv("PW", "hunter22")
    text = str(remote_error(Address.parse("ftp://me:${PW}@nas/r"), error))
    assert re.search(said, text) and text.startswith("ftp://me@nas/r: ") and "\n" not in text


def test_the_page_runs(tmp_path, monkeypatch):
    """The Python of docs/remote.md does what the page says."""
    pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1].joinpath("docs", "remote.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, "docs/remote.md", "exec"), {})
