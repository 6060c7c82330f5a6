"""``rla tag``, ``rla note`` and ``rla title``, as typed in a terminal."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def saved(tmp_path):
    """Three runs of the log root of this folder; ``saved()`` reads them again."""
    for seed in range(3):
        with rla.run(task="t", record=["seed"], writers=["csv"], backup="none", tags=["old"], seed=seed):
            rla.log({"loss": 0.5})
    return lambda: rla.runs(tmp_path / "rla_data")


def test_tags_are_added_removed_and_printed(saved, command):
    """A word with one dash in front is removed; what is there then is printed, without and with tags."""
    run = saved()[-1]
    done = command("tag", "latest", "good", "-old", "to show")
    assert done == (f"{run.id}  good, to show\n", "", 0)
    assert [each.tags for each in saved()] == [["old"], ["old"], ["good", "to show"]]
    assert command("tag", "latest").out == f"{run.id}  good, to show\n"
    assert command("tag", run.id, "-good", "-to show").out == f"{run.id}  no tags\n"
    assert command("tag", "latest", "-good", "--json").json == [{"id": run.id, "name": run.name, "tags": []}]


@pytest.mark.parametrize("tag", ["hard", "json", "log-root", "lr=0.1", "诗", "a'b\"c", "2026"])
def test_a_tag_may_look_like_an_option(tag, saved, command):
    """One dash in front makes no option of it."""
    assert command("tag", "latest", tag).code == 0 and saved()[-1].tags == ["old", tag]
    assert command("tag", "latest", f"-{tag}").code == 0 and saved()[-1].tags == ["old"]


def test_help_is_an_option_unless_it_stands_behind_two_dashes(saved, command):
    """So even the tag h can be removed."""
    assert "rla tag [OPTIONS]" in command("tag", "latest", "-h").out
    assert command("tag", "latest", "h").code == 0 and saved()[-1].tags == ["old", "h"]
    assert command("tag", "latest", "new", "--", "-h").code == 0 and saved()[-1].tags == ["old", "new"]


@pytest.mark.skipif("where" not in inspect.signature(rla.runs).parameters, reason="needs the filter")
def test_many_runs_are_tagged_at_once(saved, command):
    """By a filter, a task or a pattern; one line for each run, and their number."""
    for number, chosen in enumerate((["--where", "seed > 0"], ["--where", "seed > 0 and task == 't'", "--task", "t"])):
        done = command("tag", *chosen, f"new-{number}", "-old")
        assert done.out.splitlines()[-1] == "2 runs" and len(done.out.splitlines()) == 3
    assert [run.tags for run in saved()] == [["old"], ["new-0", "new-1"], ["new-0", "new-1"]]
    assert command("tag", "*seed=*", "all").out.endswith("3 runs\n")
    assert all("all" in run.tags for run in saved())
    assert command("tag", "--task", "t", "--json").json[0]["tags"] == ["old", "all"]


def test_a_note_is_set_extended_printed_and_removed(saved, command):
    """What is replaced is shown once more, on stderr."""
    assert command("note", "latest") == ("no note\n", "", 0)
    assert command("note", "latest", "seed", "3", "diverged") == ("seed 3 diverged\n", "", 0)
    assert command("note", "latest", "--append", "- fixed").out == "seed 3 diverged\n- fixed\n"
    assert saved()[-1].note == "seed 3 diverged\n- fixed"
    done = command("note", "latest", "new")
    assert done == ("new\n", "replaced:\n  seed 3 diverged\n  - fixed\n", 0)
    assert command("note", "latest", "--json").json["note"] == "new"
    assert command("note", "latest", "").out == "no note\n" and saved()[-1].note is None


def test_a_note_comes_from_standard_input(saved, command, monkeypatch):
    """With its lines; no terminal is controlled by it when it is printed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("line 1\n\x1b[31mline 2\n\n"))
    assert command("note", "latest", "-").out == "line 1\n\\x1b[31mline 2\n"
    assert saved()[-1].note == "line 1\n\x1b[31mline 2"


def test_a_title_is_set_and_removed(saved, command):
    """One line; a run may then be chosen by it."""
    assert command("title", "latest", "PPO, small nets") == ("PPO, small nets\n", "", 0)
    assert saved()[-1].title == "PPO, small nets"
    assert command("title", "small nets").out == "PPO, small nets\n"
    assert command("title", "latest", "--json").json["title"] == "PPO, small nets"
    assert command("title", "latest", "a\nb").code == 2
    assert command("title", "latest", "").out == "no title\n" and saved()[-1].title is None


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["tag"], "rla tag got no run. Allowed: rla tag RUN TAG..., or"),
        (["tag", "nosuch", "a"], "has the id, the name or the time 'nosuch'"),
        (["tag", "seed", "a"], "fits 3 runs"),
        (["tag", "latest", "a\nb"], r"the tag 'a\nb' cannot be used. Allowed: a text of 1 to 100"),
        (["tag", "latest", "--bad"], "--bad"),
        (["tag", "--where", "", "a"], "--where is empty, which all runs would fit"),
        (["tag", "latest", "a", "--log-root", "none"], "there is no folder"),
        (["note", "latest", "x" * 100_001], "note is 'xxx"),
        (["note"], "Missing argument 'RUN'"),
    ],
)
def test_mistakes_have_exit_code_2(arguments, said, saved, command):
    """One line that says what is allowed; nothing is changed."""
    done = command(*arguments)
    assert done.code == 2 and done.out == "" and said in done.err and len(done.err) < 3000
    assert all((run.tags, run.note) == (["old"], None) for run in saved())


def test_a_tag_to_be_removed_that_is_not_there_is_told(saved, command):
    """Whoever writes -r for an option learns what a dash means; a script that makes sure of it gets the exit code 0."""
    done = command("tag", "latest", "-r", "new")
    assert (done.code, done.err) == (0, "rla: no tag 'r' is there to be removed. -TAG removes a tag\n")
    assert saved()[-1].tags == ["old", "new"]
    assert command("tag", "--task", "t", "-new").err == "", "one of them had it"


def test_a_run_that_cannot_be_changed_hinders_no_other(saved, command):
    """It is told at the end, with exit code 2."""
    saved()[1].paths.labels_json.write_text("{")
    done = command("tag", "--task", "t", "new")
    assert done.code == 2 and "is damaged" in done.err and done.out.endswith("2 runs\n")
    assert [run.tags for run in saved()] == [["old", "new"], [], ["old", "new"]]
    saved()[0].paths.labels_json.write_text("[")
    done = command("tag", "--task", "t", "newer")
    assert "2 runs were not changed:" in done.err and len(done.err.splitlines()) == 3


def test_a_read_only_root_is_a_clear_error(mounted, command):
    """Exit code 2, and where it was."""
    disk = mounted("tmpfs", "size=1m")
    with rla.run(task="t", log_root=disk, writers=["csv"], backup="none"):
        pass
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for words in (["tag", "latest", "a"], ["note", "latest", "n"], ["title", "latest", "t"]):
        done = command(*words, "--log-root", disk)
        assert done.code == 2 and "labels.json" in done.err and "Read-only file system" in done.err
    assert not os.path.exists(rla.runs(disk)[-1].paths.labels_json)


def test_words_stay_in_their_order(saved, command):
    """Also those that begin with dashes; what is named like an option takes its value, whatever that looks like."""
    assert command("note", "latest", "fixed", "-lr", "again").out == "fixed -lr again\n"
    assert command("note", "latest", "--- todo ---").out == "--- todo ---\n"
    assert command("note", "latest", "--", "--append", "b").out == "--append b\n"
    assert command("tag", "--where", "-1 < seed", "good", "-old").out.endswith("3 runs\n")
    assert [run.tags for run in saved()] == [["good"]] * 3
    done = command("tag", "latest", "--lr", "new")
    assert done.code == 2 and "--lr" in done.err and saved()[-1].tags == ["good"]


def test_a_note_and_a_title_are_given_to_the_run_of_a_filter(saved, command):
    """As tags are: latest is the latest of those that it chooses."""
    assert command("title", "latest", "first", "--where", "seed == 0").code == 0
    assert command("note", "latest", "second", "--task", "t", "--where", "seed == 1").code == 0
    assert [(run.title, run.note) for run in saved()] == [("first", None), (None, "second"), (None, None)]


@pytest.mark.parametrize("stdin", ["closed", "bytes"])
def test_standard_input_that_holds_no_text_is_a_mistake(stdin, saved, command, monkeypatch):
    """It is closed, or gives bytes that are no UTF-8."""
    given = io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8")
    monkeypatch.setattr(sys, "stdin", None if stdin == "closed" else given)
    done = command("note", "latest", "-")
    assert done.code == 2 and "standard input" in done.err and saved()[-1].note is None
