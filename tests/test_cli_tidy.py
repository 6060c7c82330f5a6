"""``rla rm``, ``archive``, ``mv``, ``rename``, ``undo`` and ``trash``, as typed in a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def four_runs(tmp_path_factory):
    """A log root of four runs, with 1 to 4 rows."""
    root = tmp_path_factory.mktemp("tidy") / "rla_data"
    for seed in range(4):
        with rla.run(task="t", record=["seed"], log_root=root, writers=["csv"], backup="none", seed=seed):
            for step in range(seed + 1):
                rla.log({"loss": 0.5}, step=step)
    testing.reset()
    return root


@pytest.fixture
def saved(tmp_path, four_runs):
    """These runs in the log root of this folder; ``saved()`` reads them."""
    shutil.copytree(four_runs, tmp_path / "rla_data")
    return lambda: rla.runs(tmp_path / "rla_data")


@pytest.fixture
def seeds(saved):
    """The seeds of the runs that are listed, oldest first; of another log root, those there."""
    return lambda *inner: [run.hparams["seed"] for run in rla.runs(Path("rla_data", *inner))]


@pytest.fixture
def answer(monkeypatch):
    """Makes standard input a terminal, at which somebody has typed these texts; without one Ctrl-D."""
    if sys.platform == "win32":
        pytest.skip("needs a pseudo terminal")
    opened = []

    def typed(*lines: str) -> None:
        master, slave = os.openpty()
        os.write(master, "".join(f"{line}\n" for line in lines).encode() or b"\x04")
        stdin = os.fdopen(slave)
        opened.extend([stdin, os.fdopen(master)])
        monkeypatch.setattr(sys, "stdin", stdin)

    yield typed
    for each in opened:
        each.close()


@pytest.fixture
def running(saved):
    """The oldest run goes on, in this process."""
    path = saved()[0].paths.run_json
    content = json.loads(path.read_text())
    content |= {"status": "running", "ended": None, "seconds": None}
    path.write_text(json.dumps(content))


# --- which runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, left",
    [
        (["seed=1", "seed=3"], [0, 2]),
        (["--where", "seed > 1"], [0, 1]),
        (["--where", "seed > 0", "-n", "1"], [0, 1, 2]),
        (["*seed=?", "--where", "seed < 3"], [3]),
        (["--short", "3"], [2, 3]),
        (["--short", "3", "-n", "1"], [0, 2, 3]),
        (["*seed*", "--short", "3", "--where", "seed > 0"], [0, 2, 3]),
        (["seed=0", "seed=2", "--short", "3"], [1, 2, 3]),
        (["--all"], []),
    ],
)
def test_runs_are_chosen_by_names_and_filters(words, left, seeds, command):
    """Each of what is given must hold; rows are counted by --short; -n keeps the newest."""
    done = command("rm", *words, "--yes")
    assert done.code == 0 and done.err == "" and seeds() == left
    count = "1 run" if len(left) == 3 else f"{4 - len(left)} runs"
    assert done.out.splitlines()[-1] == f"{count} deleted: rla undo 1 takes it back"


@pytest.mark.parametrize(
    "words, said",
    [
        (["rm"], "rla rm got no run. Allowed: rla rm RUN..., or a filter: --where, --task, --short"),
        (["rm", "-n", "2"], "rla rm got no run"),
        (["rm", "nosuch"], "has the id, the name or the time 'nosuch'"),
        (["rm", "seed"], "fits 4 runs"),
        (["rm", "--where", "seed > 7"], "none of the 4 runs"),
        (["rm", "--short", "1"], "each of the 4 runs has 1 rows or more"),
        (["rm", "seed=3", "--short", "2"], "the run has 2 rows or more"),
        (["rm", "--short", "0"], "--short"),
        (["rm", "--task", "t"], "these are all runs of"),
        (["rm", "*"], "Give --all, too"),
        (["rm", "--where", ""], "--where is empty"),
        (["archive", "--where", "seed >= 0"], "Give --all, too"),
        (["archive"], "rla archive got no run"),
        (["archive", "--restore", "seed=1"], "is archived. See: rla archive --help"),
        (["mv"], "rla mv got no run. Allowed: rla mv RUN... TASK"),
        (["mv", "seed=1"], "rla mv got only 'seed=1'"),
        (["mv", "--where", "seed > 1", "seed=1", "other"], "none of the 2 runs"),
        (["rename", "seed=1"], "rla rename got no change"),
        (["rename", "seed=1", "lr"], "'lr' is no change. Allowed: KEY=VALUE"),
        (["rename", "seed=1", "=3"], "'=3' is no change"),
        (["rename", "seed=1", "-lr"], "no 'lr' to remove"),
        (["undo"], "nothing to undo"),
        (["undo", "3"], "nothing to undo"),
        (["trash", "empty", "2"], "there is no act 2. There are: none"),
        (["trash", "burn"], "'burn' is not one of 'list', 'show', 'empty'."),
        (["trash", "--older-than", "soon"], "--older-than is 'soon'"),
        (["gc", "--checkpoints", "--where", " "], "--where is empty, which all runs would fit"),
        (["rm", "latest", "--log-root", "none"], "there is no folder"),
        (["undo", "--log-root", "none"], "there is no folder"),
        (["trash", "--log-root", "none"], "there is no folder"),
    ],
)
def test_mistakes_have_exit_code_2(words, said, saved, command):
    """What is wrong and what is allowed; nothing is changed."""
    before = saved()
    yes = [] if words[0] in ("undo", "trash") and words[-1] != "empty" else ["--yes"]
    done = command(*words, *yes)
    assert done.code == 2 and said in done.err and len(done.err) < 3000
    assert saved() == before and not os.path.exists("rla_data/archived")


# --- the question -----------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_nobody_can_be_asked(seeds, command, monkeypatch):
    """In a pipe, of yes, too, or where standard input is closed: the plan is shown, and --yes is named."""
    with open(os.devnull) as nothing:
        for stdin in (nothing, None):
            monkeypatch.setattr(sys, "stdin", stdin)
            done = command("rm", "seed=1")
            assert done.code == 2 and "nothing was deleted: standard input is no terminal" in done.err
            assert "--yes" in done.err and "seed=1" in done.out and seeds() == [0, 1, 2, 3]
    closed = open(os.devnull)  # noqa: SIM115
    closed.close()
    monkeypatch.setattr(sys, "stdin", closed)
    assert command("rm", "seed=1").code == 2


@pytest.mark.parametrize("typed, is_done", [("y", 1), ("YES", 1), ("n", 0), ("", 0), ("yeah", 0), (None, 0)])
def test_the_question_wants_a_yes(typed, is_done, seeds, command, answer):
    """Whatever else is typed, or Ctrl-D, is a no: exit code 1. It is on stderr, whatever reads stdout."""
    answer(*([] if typed is None else [typed]))
    done = command("rm", "seed=1", "seed=2")
    assert "Delete 2 runs? [y/N] " in done.err and done.code == 1 - is_done
    assert seeds() == ([0, 3] if is_done else [0, 1, 2, 3])
    assert is_done or done.err.endswith("nothing was deleted\n")


@pytest.mark.parametrize("typed, left", [(("y", "4"), []), (("y", "y"), [0, 1, 2, 3]), (("n",), [0, 1, 2, 3])])
def test_all_runs_are_asked_for_twice(typed, left, seeds, command, answer):
    """The second time one types how many they are, which nobody does by habit."""
    answer(*typed)
    done = command("rm", "--where", "seed >= 0")
    assert seeds() == left and done.code == (1 if left else 0)
    assert ("These are all runs of" in done.err) == (typed[0] == "y")


def test_all_runs_that_are_named_are_asked_for_once(seeds, command, answer):
    """So are those of --all: nobody has chosen them by mistake."""
    assert command("rm", "seed=0", "seed=1", "seed=2", "seed=3", "--yes").code == 0 and seeds() == []
    assert command("undo").code == 0 and seeds() == [0, 1, 2, 3]
    answer("y")
    assert command("rm", "--all").code == 0 and seeds() == []


def test_undo_tells_where_runs_are_again(seeds, command):
    """Of an act that gave them other names: from there to here, the other way than the act."""
    assert command("mv", "seed=1", "other", "--yes").code == 0
    (act,) = [line for line in command("trash", "show").out.splitlines() if " -> " in line]
    (undone,) = [line for line in command("undo").out.splitlines() if " -> " in line]
    run_id, here, _, there = act.split()
    assert there.startswith("other/") and undone.split() == [run_id, there, "->", here]


def test_a_dry_run_shows_and_does_nothing(seeds, command):
    """Of each command that changes something: the same table, exit code 0, and no trash."""
    for words in (["rm", "seed=1"], ["archive", "seed=1"], ["mv", "seed=1", "other"], ["rename", "seed=1", "a=2"]):
        done = command(*words, "--dry-run")
        assert done.code == 0 and done.err.endswith(": --dry-run\n") and "seed=1" in done.out
        assert json.loads(command(*words, "--dry-run", "--json").out)["runs"][0]["status"] == "finished"
    assert seeds() == [0, 1, 2, 3] and not {".trash", "archived"} & {*os.listdir("rla_data")}


def test_the_plan_has_runs_files_bytes_and_trees(saved, command):
    """A line a run, oldest first, and a line of sums: what the files on the disk add up to."""
    run = saved()[1]
    (run.checkpoint_dir / "model.bin").write_bytes(bytes(5000))
    files = [path for tree in run.paths.log_root.iterdir() for path in (tree / run.name).rglob("*") if path.is_file()]
    plan = command("rm", "seed=1", "seed=0", "--dry-run", "--json").json
    assert [each["id"] for each in plan["runs"]] == [each.id for each in saved()[1::-1]] or len(plan["runs"]) == 2
    (mine,) = (each for each in plan["runs"] if each["id"] == run.id)
    assert (mine["files"], mine["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    out = command("rm", "seed=1", "--dry-run").out
    assert f"1 run, {len(files)} files, " in out and "checkpoint 4.9 KiB" in out


def test_texts_of_files_do_not_control_the_terminal(command, in_terminal):
    """A task, a title, an error: whatever stands there is escaped."""
    with rla.run(task="bad\x1b[31m", writers=["csv"], backup="none", lr="x\x1b[2J", record=["lr"]):
        rla.log({"loss": 0.5})
    for words in (["rm", "latest", "--yes"], ["trash"], ["undo"], ["mv", "latest", "b\x1b[1m", "--dry-run"]):
        done = command(*words)
        assert "\x1b" not in done.out + done.err, words


# --- runs that are running --------------------------------------------------------------------------------------------


def test_a_running_run_is_left(running, seeds, command):
    """It is told before and at the end, with exit code 1; the others go. With --running it goes, too."""
    done = command("rm", "--where", "seed < 2", "--yes")
    assert done.code == 1 and "left as it is: " in done.out and f"is running (process {os.getpid()}" in done.out
    assert "1 run deleted" in done.out and "1 run was left as it is" in done.err and seeds() == [0, 2, 3]
    alone = command("rm", "seed=0", "--yes")
    assert alone.code == 1 and "nothing was deleted" in alone.err and "is running" in alone.err
    assert command("rm", "seed=0", "--yes", "--running").code == 0 and seeds() == [2, 3]


# --- what is done -----------------------------------------------------------------------------------------------------


def test_json_tells_what_was_done(saved, command):
    """One object: the act, its runs, and those that were left; the same of undo."""
    run = saved()[2]
    done = command("rm", "seed=2", "--yes", "--json").json
    assert (done["act"], done["kind"], done["problems"], done["refused"]) == (1, "delete", [], [])
    assert [(each["id"], each["name"]) for each in done["runs"]] == [(run.id, run.name)] and done["files"] >= 3
    assert done["asked"] == "rla rm seed=2 --yes --json"
    (act,) = command("trash", "--json").json
    assert act["runs"] == done["runs"] and act["trouble"] is None
    assert command("undo", "--json").json["undone"] is True and command("trash", "--json").json == []


def test_archived_runs_are_looked_at_and_brought_back(saved, seeds, command):
    """They are in no list; commands that look find them by --archived; --restore is an act that can be undone."""
    ids = [run.id for run in saved()]
    done = command("archive", "--where", "seed < 2", "--yes")
    assert done.code == 0 and done.out.endswith("2 runs archived: rla undo 1 takes it back\n")
    assert seeds() == [2, 3] and seeds("archived") == [0, 1]
    assert [run["id"] for run in command("runs", "--archived", "--json").json] == ids[:2]
    assert command("show", "latest", "--archived", "--json").json["id"] == ids[1]
    assert "archived" in command("path", "seed=0", "--archived").out
    for words in ("compare --json", "export --json", "tail latest", "plot loss latest --json"):
        assert command(*words.split(), "--archived").code == 0, words
    done = command("show", ids[0])
    assert done.code == 2 and "It is archived: rla show --archived shows it, and rla archive --restore" in done.err
    assert command("archive", "--restore", "seed=1", "--yes").code == 0 and seeds() == [1, 2, 3]
    assert command("undo").code == 0 and seeds() == [2, 3] and seeds("archived") == [0, 1]
    assert command("archive", "seed=2", "seed=3", "--yes").code == 0
    assert command("runs").err.endswith("rla_data are archived. See them: rla runs --archived\n")
    assert command("archive", "--restore", "--all", "--yes").code == 0 and seeds() == [0, 1, 2, 3]
    assert "is archived. See: rla archive --help" in command("runs", "--archived").err


def test_moved_runs_have_another_task(saved, command):
    """Named, or chosen by a filter; their ids stay. A run is no task."""
    ids = [run.id for run in saved()]
    assert command("mv", "seed=0", "seed=1", "other/base", "--yes").code == 0
    assert [(run.task, run.id) for run in saved()] == [
        (task, id) for task, id in zip(["other/base"] * 2 + ["t"] * 2, ids)
    ]
    done = command("mv", "--where", "seed == 2", "new", "--dry-run")
    assert "new/20" in done.out and "becomes" in done.out
    assert command("mv", "--task", "other", "t", "--yes").code == 0 and {run.task for run in saved()} == {"t"}
    done = command("mv", ids[0], ids[1], "--yes")
    assert done.code == 2 and f"'{ids[1]}' is a run. The last word is the task" in done.err
    same = command("mv", "seed=0", "t", "--yes")
    assert same.code == 1 and "has this name already" in same.err


def test_a_renamed_run_has_other_parameters_in_its_name(saved, command):
    """A word with a dash leaves one out; the parameters themselves stay."""
    run = saved()[2]
    done = command("rename", "seed=2", "info=first try", "-seed", "--yes")
    assert done.code == 0 and done.out.endswith("1 run renamed: rla undo 1 takes it back\n")
    renamed = saved()[2]
    assert (renamed.id, renamed.record, renamed.hparams) == (run.id, {"info": "first try"}, {"seed": 2})
    assert command("undo").code == 0 and saved()[2].name == run.name


def test_acts_are_undone_in_any_order(seeds, command):
    """The last one, or that of a number; where a name is taken meanwhile it is said, and nothing is changed."""
    for seed in (0, 1, 2):
        command("rm", f"seed={seed}", "--yes")
    assert seeds() == [3]
    assert command("undo", "2", "--dry-run").out.startswith("act 2 would be undone: 1 run deleted at ")
    assert command("undo", "2").out.startswith("act 2 is undone: 1 run deleted at ") and seeds() == [1, 3]
    name = rla.runs("rla_data/.trash/1")[0].name
    os.makedirs(f"rla_data/log/{name}")
    for words in (["undo", "1", "--dry-run"], ["undo", "1"]):
        done = command(*words)
        assert done.code == 2 and "is there again" in done.err and seeds("..", "rla_data", ".trash", "1") == [0]
    assert re.search(r"--yes +\S*/log/t/\S+ is there again\n", command("trash").out), "on one line"
    os.rmdir(f"rla_data/log/{name}")
    assert command("undo").code == 0 and seeds() == [1, 2, 3]


def test_a_deleted_run_is_said_to_be_deleted(saved, command):
    """Whoever looks for it is told how it comes back."""
    run = saved()[1]
    command("rm", run.id, "--yes")
    done = command("show", run.id)
    assert done.code == 2 and "It was deleted: rla undo 1 brings it back." in done.err
    command("rm", "--all", "--yes")
    assert command("runs").err.endswith("rla_data any more. See what was done: rla trash\n")


# --- the trash --------------------------------------------------------------------------------------------------------


def test_the_trash_is_listed_and_emptied(saved, seeds, command, answer):
    """One line an act, with what emptying frees; it asks; what was moved stays where it is."""
    assert command("trash") == ("", f"the trash of {os.path.abspath('rla_data')} is empty\n", 0)
    command("rm", "seed=0", "--yes")
    command("mv", "seed=1", "other", "--yes")
    lines = command("trash").out.splitlines()
    assert lines[0].split() == ["act", "time", "what", "runs", "frees", "command"] and len(lines) == 3
    assert "rla rm seed=0 --yes" in lines[1] and "iB" in lines[1] and "move" in lines[2] and "iB" not in lines[2]
    assert "seed=0" in command("trash", "show", "1").out and " -> other/" in command("trash", "show").out
    assert command("trash", "empty", "--dry-run").code == 0
    assert command("trash", "empty").code == 2 and "nothing was deleted" in command("trash", "empty").err
    answer("n")
    assert command("trash", "empty").code == 1 and len(command("trash").out.splitlines()) == 3
    answer("y")
    done = command("trash", "empty", "1")
    assert "for good? This act cannot be undone then. [y/N]" in done.err
    assert done.code == 0 and "1 act deleted for good: " in done.out
    assert command("undo", "1").code == 2 and len(command("trash").out.splitlines()) == 2
    assert command("trash", "empty", "--yes", "--json").json == {"acts": [2], "files": 0, "bytes": 0}
    assert seeds() == [1, 2, 3] and saved()[0].task == "other"


def test_filters_stand_in_the_trash_as_they_were_typed(saved, command):
    """In double quotes, as in the documentation; what these would change is in single ones."""
    for where, typed in (
        ("seed == 1 and task != '$x'", """'seed == 1 and task != '"'"'$x'"'"''"""),
        ("seed == 2 and task == 't'", """"seed == 2 and task == 't'\""""),
    ):
        assert command("rm", "--where", where, "--yes").code == 0
        assert command("trash").out.rstrip().endswith(f"  rla rm --where {typed} --yes")


def test_why_an_act_cannot_be_undone_stands_below_the_table(saved, command, in_terminal):
    """On a terminal, where a column has no room for it; in a pipe it is a column."""
    command("mv", "--task", "t", "a", "--yes")
    command("mv", "--task", "a", "b", "--yes")
    shown = in_terminal("trash")
    assert "act 1 cannot be undone: " in shown and "; and 3 more" in shown and "act 2 cannot" not in shown
    assert command("trash").out.splitlines()[0].endswith("cannot be undone")


def test_runs_are_counted_that_emptying_deletes(saved, command):
    """Not those of which old checkpoints alone lie in the trash."""
    with rla.open(saved()[3]):
        rla.new_saver(max_to_keep=5)
        for step in range(3):
            rla.save_checkpoint({"w": [step]}, step=step)
    assert command("gc", "--checkpoints", "--yes").code == 0
    command("rm", "seed=0", "--yes")
    assert "would free 1 run, " in command("trash", "empty", "--dry-run").err


def test_old_acts_are_emptied(seeds, command):
    """Those of before a time, or of longer ago than a duration."""
    command("rm", "seed=0", "--yes")
    assert command("trash", "--older-than", "1h").out == ""
    assert command("trash", "empty", "--older-than", "1h", "--yes").out.startswith("0 acts deleted for good")
    assert command("trash", "empty", "--older-than", "2100-01-01", "--yes").out.splitlines()[-1].startswith("1 act ")


# --- Ctrl-C and terminals ---------------------------------------------------------------------------------------------


def test_ctrl_c_in_the_middle_finishes_the_run_at_hand(seeds, command, monkeypatch):
    """A real signal after the second of four: it is said how far it has come, exit code 130, and undo brings back."""
    from contextlib import contextmanager

    from rla_hooks.cli import plans

    @contextmanager
    def bar(*_):
        yield lambda done, total: os.kill(os.getpid(), signal.SIGINT) if done == 2 else None

    monkeypatch.setattr(plans, "progress_bar", bar)
    done = command("rm", "--all", "--yes")
    assert done.code == 130 and "2 of 4 runs were deleted; rla undo brings them back" in done.err
    assert seeds() == [2, 3] and command("undo").code == 0 and seeds() == [0, 1, 2, 3]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_ctrl_c_at_the_question(seeds, in_terminal):
    """Nothing is done; the table is no wider than the terminal."""
    shown = in_terminal("rm", "--where", "seed < 2", columns=60, until="[y/N]")
    assert "Delete 2 runs? [y/N] " in shown and "nothing was deleted" in shown and "Traceback" not in shown
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()
    assert max(map(len, lines)) <= 60 and seeds() == [0, 1, 2, 3]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar_and_leaves_no_trace_of_it(seeds, in_terminal):
    """It is gone at the end; the last line says what was done."""
    shown = in_terminal("rm", "--all", "--yes", columns=100)
    assert "4 runs deleted: rla undo 1 takes it back" in shown.splitlines()[-1]
    assert seeds() == []
