"""Runs as a whole: what a run has written is whole, and a flipped bit in each kind of its files is found."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.errors import ConfigError
from rla_hooks.upkeep import verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs cp -a")
SHIPPED = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A project with a log root of two runs that have rows, events, checkpoints, code, figures, a cut."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text("print('training')\n")
    (folder / "pyproject.toml").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        options = {"task": "demo", "writers": ["csv", "tensorboard"], "backup": "source", "lr": 0.1}
        for seed in range(2):
            with contextlib.suppress(KeyboardInterrupt), rla.run(**options, seed=seed) as run:
                for step in range(30):
                    rla.log({"loss": step / 7, "text": 'a "quoted" text'}, step=step)
                    if step % 10 == 0:
                        rla.save_checkpoint({"weights": [0.5] * 99, "step": step}, step=step)
                rla.simple_plot(name="curve", data=[[1, 2, 3]])
                if seed:
                    raise KeyboardInterrupt
        with rla.run(**options, seed=1, resume=run):
            rla.load_checkpoint(step=10)
            rla.log({"loss": 0.5, "text": "again"}, step=11)
    return folder


@pytest.fixture
def root(place, tmp_path):
    """A copy of that log root, with its hard links."""
    subprocess.run(["cp", "-a", str(place / "rla_data"), str(tmp_path / "rla_data")], check=True)
    return tmp_path / "rla_data"


def flip(path, at=None):
    """Flip a bit of a file, in its place: other names of it see it, too."""
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        data[len(data) // 2 if at is None else at] ^= 16
        file.seek(0)
        file.write(data)


def test_what_a_run_writes_is_whole(root):
    """Also where it was resumed and cut; everything is read, and nothing is changed."""
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
    calls = []
    report = verify(None, root, progress=lambda *args: calls.append(args))
    assert report == [] and report.damaged == []
    assert calls == [(1, 2), (2, 2)] and report.runs == 2
    sizes = sum(each.stat().st_size for each in root.rglob("*.csv")) + sum(
        each.stat().st_size for each in root.rglob("*tfevents*")
    )
    assert report.bytes > sizes and report.files > 20 and report.seconds > 0
    assert before == {path: path.lstat().st_mtime_ns for path in root.rglob("*")}


def test_a_flipped_bit_in_each_kind_of_file(root):
    """Each is told once, by the run that has it; of stored code by each run that shares it."""
    run = rla.runs(root)[0]
    [events] = run.tensorboard_dir.iterdir()
    files = [
        (run.log_dir / "progress.csv", b"0.14285"),
        (events, None),
        (run.checkpoint_dir / "checkpoint-10.pkl", None),
        (run.results_dir / "curve.png", None),
        (run.log_dir / "parameter.json", b'"seed"'),
        (run.log_dir / "run.json", b'"status"'),
        (run.paths.tester_pkl, b"h"),
        (run.checkpoint_dir / "manifest.json", b'"file"'),
    ]
    for path, text in files:
        flip(path, None if text is None else path.read_bytes().index(text) + (1 if path.suffix == ".csv" else 0))
    flip(run.code_dir / "train.py")
    for path in root.rglob("*"):  # nothing of it is just being written
        os.utime(path, (1e9, 1e9))
    report = verify(None, root)
    found = {Path(root, each.file): each for each in report if each.run == run.name}
    assert {path for path, _ in files} <= set(found)
    assert all(each.is_damage for each in found.values())
    code = [each.run for each in report if each.file.endswith("train.py")]
    assert code == [each.name for each in rla.runs(root)]
    assert found[events].position is not None and found[run.log_dir / "progress.csv"].position > 0


def test_counts_of_a_run_that_has_ended(root):
    """Rows that are gone, a column whose name was changed, and files that are gone."""
    run = rla.runs(root)[0]
    path = run.log_dir / "progress.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-5]))
    [each] = verify(run)
    assert each.problem == "counts 30 rows, and the files of rows have 25; rows are lost"
    assert (
        each.file.endswith("run.json") and each.repair == "its rows, last_step and last values are taken from the rows"
    )
    path.write_bytes(b"".join([lines[0].replace(b"loss", b"lmss"), *lines[1:]]))
    [each] = verify(run)
    assert each.problem.startswith("the header has no column 'loss'") and each.repair is None
    path.unlink()
    [each] = verify(run)
    assert each.problem == "is missing: run.json counts 30 rows"
    (run.code_dir / "train.py").unlink()
    run.paths.tester_pkl.unlink()
    problems = [each.problem for each in verify(run)]
    assert "has 1 files of the 2 that run.json counts" in problems
    assert "is missing: Tester.load cannot go on with the run" in problems


def test_rows_that_could_not_be_written_are_not_missed(root):
    """run.json counts them, and lists the gap."""
    run = rla.runs(root)[0]
    content = json.loads(run.paths.run_json.read_text())
    gap = {"writer": "csv", "rows": 4, "first_step": 3, "last_step": 7, "reason": "No space left on device"}
    run.paths.run_json.write_text(json.dumps(content | {"rows": 34, "gaps": [gap]}))
    assert verify(run) == []
    run.paths.run_json.write_text(json.dumps(content | {"rows": 35, "gaps": [gap]}))
    assert len(verify(run)) == 1


def test_checkpoints(root):
    """Gone, changed in size, not listed though whole, and none of ours."""
    run = rla.runs(root)[0]
    folder = run.checkpoint_dir
    (folder / "checkpoint-0.pkl").unlink()
    with open(folder / "checkpoint-10.pkl", "ab") as file:
        file.write(b"x")
    manifest = Manifest(folder)
    manifest.forget(*[entry for entry in manifest.entries() if entry.step == 20])
    shutil.copy(folder / "checkpoint-20.pkl", folder / "mine-20.pkl")
    (folder / "checkpoint-30.pkl").write_bytes((folder / "checkpoint-20.pkl").read_bytes()[:-9])
    found = {Path(each.file).name: each for each in verify(run)}
    assert found["checkpoint-0.pkl"].problem == "is missing (checkpoint 'checkpoint' of step 0)"
    assert found["checkpoint-0.pkl"].repair == "its entry is taken out of manifest.json"
    assert "bytes instead of" in found["checkpoint-10.pkl"].problem and found["checkpoint-10.pkl"].repair is None
    assert found["checkpoint-20.pkl"].repair == "it is listed in manifest.json"
    assert [found[name].is_damage for name in ("mine-20.pkl", "checkpoint-30.pkl")] == [False, False]
    assert len(found) == 5


def test_event_files_that_are_gone(root):
    """A checkpoint tells how far they had come."""
    [run] = (each for each in rla.runs(root) if not each.restarts)
    [events] = run.tensorboard_dir.iterdir()
    events.unlink()
    [found] = verify(run)
    assert found.file.endswith(events.name) and found.problem.startswith("is missing, and had ")


def test_states(tmp_path):
    """The folder of a state has a checksum, and its parts have; what two states share is read once."""
    with rla.run(log_root=tmp_path, task="demo", writers=[], backup="none") as run:
        values = np.arange(3_000_000.0)
        for step in range(2):
            rla.save_state(step, buffers={"replay": values})
    report = verify(run)
    assert report == [] and report.bytes < 2 * values.nbytes
    [part] = run.checkpoint_dir.glob("state-1/buffers/replay/*.001.npy")
    flip(part)
    found = verify(run)
    assert [Path(each.file).name for each in found] == ["state-0", "state-1"]
    assert all(": buffers/replay/array.001.npy (checkpoint" in each.problem for each in found)
    part.unlink()
    [_, each] = verify(run)
    assert " bytes instead of " in each.problem and "array.001.npy" in each.problem
    os.mkfifo(part)  # it is not opened: nobody writes to it
    [_, each] = verify(run)
    assert "is no regular file: buffers/replay/array.001.npy" in each.problem


def test_a_manifest_that_contradicts_the_name_of_a_file(root):
    """The saver has made the name of both."""
    run = rla.runs(root)[0]
    path = run.checkpoint_dir / "manifest.json"
    path.write_text(path.read_text().replace('"step": 10', '"step": 18'))
    [each] = verify(run)
    assert each.problem.startswith("is called so, and manifest.json says step 18 of 'checkpoint'")


def test_the_code_of_a_run(root):
    """A stored file that no run uses can go; one that runs use is told for each of them."""
    store = root / "code" / ".store"
    name = "0" * 64
    (store / name).write_bytes(b"no longer what it was")
    [each] = verify(None, root)
    assert (each.run, each.file) == (None, f"code/.store/{name}")
    assert each.repair == "no run uses it, and it goes to the trash"
    assert verify(rla.runs(root)) == []


def test_a_cut_that_was_not_finished(root):
    """A resume has been killed in it: the next one finishes it, and so can a repair."""
    run = rla.runs(root)[1]
    path = run.log_dir / "cut" / "1" / "cut.json"
    path.write_text(path.read_text().replace('"done": true', '"done": false'))
    [each] = verify(run)
    assert each.problem == "the cut was not finished: its process was killed" and each.repair == "the cut is finished"
    path.write_text("{}")
    [each] = [each for each in verify(run) if each.file.endswith("cut.json")]
    assert each.problem.startswith("is damaged, or not what a cut writes")


def test_a_renamed_folder_is_no_damage(root):
    """It is told, since somebody may wonder."""
    run = rla.runs(root)[0]
    os.rename(run.log_dir, root / "log" / "best")
    [each] = verify("best", root)
    assert not each.is_damage and each.problem.startswith("renamed or moved: run.json calls it demo/")
    assert verify("best", root).damaged == []


def test_a_run_that_goes_on(root):
    """Half a row and half a record at its end are being written, and a file that is not listed is not yet."""
    run = rla.start(log_root=root, task="live", writers=["csv", "tensorboard"], backup="none")
    try:
        rla.log({"loss": 0.5}, step=0)
        [events] = (run.log_dir / "tb").iterdir()
        for path in (run.log_dir / "progress.csv", events):
            with open(path, "ab") as file:
                file.write(b"1,17")
        (run.checkpoint_dir / "checkpoint-3.pkl").write_bytes(b"half")
        assert verify(run) == []
    finally:
        run.finish()
    assert {Path(each.file).suffix for each in verify(run).damaged} >= {".csv"}


def test_a_run_that_goes_meanwhile(root):
    """Somebody deletes or moves it while another one is checked: nothing is told of it."""
    gone = rla.runs(root)[1]
    assert verify(None, root, progress=lambda done, total: shutil.rmtree(gone.log_dir, ignore_errors=True)) == []


def test_hyper_parameters_that_differ(root):
    """parameter.json and tester.pkl are of the same run."""
    run = rla.runs(root)[0]
    path = run.log_dir / "parameter.json"
    path.write_text(path.read_text().replace("0.1", "0.3"))
    [each] = verify(run)
    assert each.problem == "differs from tester.pkl in lr: 0.3 here, 0.1 in tester.pkl; one of both was changed"


def test_runs_of_other_versions_and_of_rla(tmp_path):
    """Nothing is wrong with them as they are; a row that is torn is found there, too, and a damaged pickle."""
    for name in ("root_format_1", "root_of_rla"):
        shutil.copytree(SHIPPED / name, tmp_path / name)
        for path in (tmp_path / name).rglob("*"):
            os.utime(path, (1e9, 1e9))
        assert verify(None, tmp_path / name).damaged == []
    old = tmp_path / "root_of_rla"
    run = rla.runs(old)[0]
    with open(run.log_dir / "progress.csv", "ab") as file:
        file.write(b"1,2")
    os.utime(run.log_dir / "progress.csv", (1e9, 1e9))
    pickled = old / "archive_tester" / f"{run.name}.pkl"
    pickled.parent.mkdir(parents=True, exist_ok=True)
    pickled.write_bytes(pickle.dumps({"hyper_param": {"lr": 0.1}})[:-1])
    assert [each.problem for each in verify(run)] == [
        "cannot be read: it has no end",
        "the last row is torn: 3 bytes behind the last whole row",
    ]


def test_links_and_special_files_are_not_followed(root, tmp_path):
    """A log root may come from anywhere."""
    run = rla.runs(root)[0]
    secret = tmp_path / "secret.png"
    secret.write_text("secret")
    (run.results_dir / "link.png").symlink_to(secret)
    os.mkfifo(run.results_dir / "fifo.png")
    (run.results_dir / "circle").symlink_to(run.results_dir)
    (run.code_dir / "elsewhere").symlink_to("/")
    os.mkfifo(run.tensorboard_dir / "events.out.tfevents.fifo")
    found = {Path(each.file).name: each for each in verify(run)}
    assert {name: each.is_damage for name, each in found.items()} == {
        "link.png": False,
        "fifo.png": True,
        "events.out.tfevents.fifo": True,
    }


def test_what_is_no_run(root):
    """As in the other functions that take runs; and a word for each kind of run."""
    with pytest.raises(ConfigError, match="fits no run"):
        verify("nothing of the kind", root)
    run = rla.runs(root)[0]
    assert verify([run, run.id, run.log_dir], root).runs == 1


def test_pictures(root):
    """By their ends and lengths, where they have no checksums."""
    folder = rla.runs(root)[0].results_dir
    whole = {
        "a.jpg": b"\xff\xd8\xff\xe0" + bytes(50) + b"\xff\xd9",
        "b.gif": b"GIF89a" + bytes(50) + b";",
        "c.pdf": b"%PDF-1.4\n" + bytes(50) + b"\n%%EOF\n",
        "d.svg": b"<?xml version='1.0'?><svg>" + b" " * 100 + b"</svg>\n",
        "e.mp4": b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov" + b"\0\0\0\x10mdat12345678",
        "f.wav": b"RIFF\x34\0\0\0WAVE" + bytes(48),
        "g.webp": b"RIFF\x34\0\0\0WEBP" + bytes(48),
        "h.png": (folder / "curve.png").read_bytes(),
    }
    for name, data in whole.items():
        (folder / name).write_bytes(data)
    assert verify(None, root) == []
    for name, data in whole.items():
        (folder / name).write_bytes(data[:-9])
    (folder / "i.png").write_bytes(b"")
    (folder / "j.bmp").write_bytes(b"no picture")
    found = {Path(each.file).name: each.problem for each in verify(None, root)}
    assert set(found) == {*whole, "i.png", "j.bmp"} and all("cut off" in found[name] for name in whole), found
    assert found["i.png"] == "is empty" and found["j.bmp"].startswith("is no BMP")
