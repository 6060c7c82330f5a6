"""labels.json: what people note about a run, changed by several processes at once, and never more than that."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.labels import MAX_TAGS, Labels, change

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def path(run_paths):
    """The labels.json of a run that has none yet."""
    return run_paths.labels_json


def _read(path):
    return json.loads(path.read_text())


# --- what stands in the file ------------------------------------------------------------------------------------------


def test_tags_are_added_and_removed(path):
    """Each stands there once, in the order in which they came; what nobody names stays."""
    assert change(path, Labels(["a", "b", "a"])) == _read(path) == {"format": 1, "tags": ["a", "b"]}
    change(path, Labels(["c", "b"]), remove=["a", "never there"])
    assert _read(path)["tags"] == ["b", "c"]
    change(path, Labels(), remove=["b", "c"])
    assert _read(path)["tags"] == []


def test_a_tag_that_is_removed_and_added_is_there(path):
    """Adding comes last."""
    change(path, Labels(["a"]))
    assert change(path, Labels(["a"]), remove=["a"])["tags"] == ["a"]


def test_note_title_and_group_are_replaced_kept_or_removed(path):
    """None leaves what is there, the empty text removes it; a note may grow by lines."""
    change(path, Labels(note="first", title="T", group="g"))
    change(path, Labels(note="second"), append=True)
    assert _read(path) == {"format": 1, "note": "first\nsecond", "title": "T", "group": "g"}
    change(path, Labels(note="third", title=""))
    assert _read(path) == {"format": 1, "note": "third", "title": None, "group": "g"}
    assert change(path, Labels(note=""))["note"] is None
    assert change(path, Labels(note="alone"), append=True)["note"] == "alone"


def test_unknown_keys_and_a_newer_format_stay(path):
    """A later version's labels survive a change by this one."""
    path.write_text(json.dumps({"format": 7, "colour": "red", "tags": ["a", 3], "nested": {"x": [1]}}))
    change(path, Labels(["b"]))
    assert _read(path) == {"format": 7, "colour": "red", "tags": ["a", 3, "b"], "nested": {"x": [1]}}


def test_secrets_are_masked(path):
    """As those of the start of a run are."""
    change(path, Labels(["ftp://me:hunter22@host"], note="the password: hunter22", title="api_key=hunter22"))
    assert "hunter22" not in path.read_text()
    assert _read(path)["tags"] == ["ftp://me:***@host"] and _read(path)["note"] == "the password: ***"


def test_where_nothing_changes_nothing_is_written(path):
    """The file is as old as it was; where there is none, none is made."""
    change(path, Labels(), remove=["a"])
    assert not path.exists()
    change(path, Labels(["a"]))
    os.utime(path, (1, 1))
    change(path, Labels(["a"]), remove=["b"])
    assert path.stat().st_mtime == 1
    assert [file.name for file in path.parent.iterdir() if file.name != "tb"] == ["labels.json"]


def test_an_empty_file_is_none(path):
    """A process that was killed after it had made the file for its lock has left one."""
    path.touch()
    assert change(path, Labels(["a"]))["tags"] == ["a"]


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["", " a", "a ", "-a", "a\nb", "\x1b[31m", "x" * 101, "\udc80", "\u202e"])
def test_bad_tags_are_told_and_change_nothing(tag, path):
    """All mistakes at once, the file as before."""
    change(path, Labels(["good"]))
    with pytest.raises(ConfigError, match=r"the tag .* Allowed: a text of 1 to 100 characters") as caught:
        change(path, Labels([tag, "fine"], title="two\nlines", note="x" * 100_001, group=["g"]))
    assert len(caught.value.problems) == 4 and len(str(caught.value)) < 1500
    assert _read(path)["tags"] == ["good"]


def test_lengths_are_bounded_over_many_changes(path):
    """Tags and notes that grow by and by meet their limits, too."""
    change(path, Labels([f"tag {number}" for number in range(MAX_TAGS)], note="x" * 99_999))
    with pytest.raises(ConfigError, match=r"would have 1,001 tags. Allowed: 1,000"):
        change(path, Labels(["one more"]))
    with pytest.raises(ConfigError, match=r"note is 'x.* Allowed: a text of at most 100,000 characters"):
        change(path, Labels(note="y"), append=True)
    assert len(_read(path)["tags"]) == MAX_TAGS and len(_read(path)["note"]) == 99_999


@pytest.mark.parametrize("content", ["{", "[]", '{"tags": "a"}', "[" * 300 + "]" * 300])
def test_a_damaged_file_is_left_alone(content, path):
    """Somebody's labels may still be saved from it by hand."""
    path.write_text(content)
    with pytest.raises(RLAError, match=r"labels\.json'? is damaged: .* Nothing was changed: mend the file"):
        change(path, Labels(["a"]))
    assert path.read_text() == content


@pytest.mark.parametrize("given", [5, [], {"tags": 5}, {"tags": "abc"}, {"tags": [["a"]], "note": {}}])
def test_what_somebody_has_written_in_place_of_what_was_given_hinders_nothing(given, path):
    """The labels of the next start count then as new ones."""
    path.write_text(json.dumps({"format": 1, "tags": ["mine"], "given": given}))
    change(path, Labels(["a"], note="n"), at_start=True)
    written = _read(path)
    assert (written["tags"], written["note"], written["given"]) == (["mine", "a"], "n", {"tags": ["a"], "note": "n"})


@pytest.mark.skipif(os.name != "posix", reason="needs links and FIFOs")
def test_a_link_and_a_fifo_are_not_followed(path, tmp_path):
    """A log root from a stranger must not lead out of itself, nor hang."""
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(RLAError, match="is a link, so it is not changed"):
        change(path, Labels(["a"]))
    assert not (tmp_path / "outside").exists()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RLAError, match=r"is damaged: it is a FIFO"):
        change(path, Labels(["a"]))


def test_a_folder_that_is_gone_is_told(path, tmp_path):
    """A run that somebody has just deleted does not come back as a file."""
    with pytest.raises(RLAError, match="cannot be written: No such file"):
        change(tmp_path / "gone" / "labels.json", Labels(["a"]))
    assert not (tmp_path / "gone").exists()


def test_a_read_only_disk_is_told(mounted):
    """The labels stay as they were."""
    disk = mounted("tmpfs", "size=1m")
    change(disk / "labels.json", Labels(["a"]))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for file in (disk / "labels.json", disk / "new.json"):
        with pytest.raises(RLAError, match=r"cannot be written: Read-only file system.*The labels are as they were"):
            change(file, Labels(["b"]))
    assert _read(disk / "labels.json")["tags"] == ["a"]


def test_a_full_disk_leaves_no_empty_file(small_disk):
    """Neither the old labels are lost nor a file of nothing left."""
    change(small_disk / "labels.json", Labels(["a"]))
    with (small_disk / "fill").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    for name in ("labels.json", "new.json"):
        with pytest.raises(RLAError, match="cannot be written: No space left"):
            change(small_disk / name, Labels(["b"], note="y" * 10_000))
    assert sorted(file.name for file in small_disk.iterdir()) == ["fill", "labels.json"]
    assert _read(small_disk / "labels.json")["tags"] == ["a"]


# --- several at once --------------------------------------------------------------------------------------------------


def _tag_many(path, name, start):
    start.wait(30)
    for number in range(25):
        change(path, Labels([f"{name}-{number}"], note=f"{name}-{number}"), append=True)


@pytest.mark.usefixtures("spawnable")
@pytest.mark.norerun
def test_processes_that_tag_at_once_lose_nothing(path):
    """Each tag and each line of the note of four processes is there, and the file was whole at every moment."""
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    start = context.Event()
    processes = [context.Process(target=_tag_many, args=(path, name, start)) for name in "abcd"]
    for process in processes:
        process.start()
    start.set()
    end = time.monotonic() + 60
    while any(process.is_alive() for process in processes) and time.monotonic() < end:
        data = path.read_bytes() if path.exists() else b""
        assert not data or json.loads(data)["tags"]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    expected = {f"{name}-{number}" for name in "abcd" for number in range(25)}
    content = _read(path)
    assert set(content["tags"]) == expected and len(content["tags"]) == 100
    assert sorted(content["note"].split("\n")) == sorted(expected)
    own = [[line for line in content["note"].split("\n") if line[0] == name] for name in "abcd"]
    assert own == [[f"{name}-{number}" for number in range(25)] for name in "abcd"]


# --- labels and the run -----------------------------------------------------------------------------------------------


def test_a_run_keeps_labels_that_it_gets_while_it_trains(path, tmp_path):
    """Those of its start, of another process, and its own; run.json says nothing of them."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", tags=["start"], title="T") as run:
        change(run.paths.labels_json, Labels(["outside"], note="seen"))
        run.tag("inside", "-start")
        run.set_note("and this", append=True)
        run.set_title("U")
        rla.log({"a": 1})
    saved = rla.runs(tmp_path)[-1]
    assert (saved.tags, saved.note, saved.title) == (["outside", "inside"], "seen\nand this", "U")
    assert saved.status == "finished" and not {"tags", "note", "title", "group"} & set(saved.run_json)


def test_labels_change_no_other_file_of_the_run(tmp_path):
    """How it ended, its rows and its parameters are the same bytes, of the same age."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv", "log"], backup="none", lr=0.1):
        rla.log({"a": 1})
    saved = rla.runs(tmp_path)[-1]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    change(saved.paths.labels_json, Labels(["a"], "note", "title", "group"))
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before
    made = set(tmp_path.rglob("*")) - set(files)
    assert [file for file in made if file.is_file()] == [saved.paths.labels_json]


def test_a_bad_label_of_an_open_run_stops_no_training(tmp_path, warnings_as_text):
    """It gives a warning; before the start it is an error, with the others."""
    with pytest.raises(ConfigError, match=r"(?s)2 mistakes.*the tag '-x'.*title is 'a\\nb'"):
        rla.start(tags=["-x"], title="a\nb")
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        run.tag("a\nb")
        run.set_title(3)
        run.tag("good")
    assert rla.runs(tmp_path)[-1].tags == ["good"]
    assert warnings_as_text and "labels.json could not be written: the tag 'a\\nb'" in warnings_as_text[0]
    warnings_as_text.clear()


def test_a_silent_run_takes_labels_and_writes_nothing(tmp_path, monkeypatch):
    """With RLA_MODE=off."""
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(task="t", log_root=tmp_path / "root") as run:
        run.tag("a")
        run.set_note("n")
    assert not (tmp_path / "root").exists()
