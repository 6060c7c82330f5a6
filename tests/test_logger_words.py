"""The logger of RLA and baselines without a run, in a folder of its own, and in a run: the words of both eras."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading

import pytest

import rla_hooks as rla
from rla_hooks.easy_log import logger, time_used_recorder
from rla_hooks.easy_log.tester import tester, time_step_holder
from rla_hooks.errors import ConfigError, RLAError, RLAWarning, RunError
from rla_hooks.testing import MemoryWriter

pytestmark = pytest.mark.usefixtures("quiet")


def start(**options):
    tester.configure(task_name="t", log_root="root", writers=["csv"], backup="none", **options)
    tester.log_files_gen()
    return rla.current_run()


def rows_of(path):
    return [json.loads(line) for line in (path / "progress.json").read_text().splitlines()]


# --- without a run ----------------------------------------------------------------------------------------------------


def test_before_a_run_the_logger_prints_and_creates_nothing(tmp_path, capsys):
    """Messages and tables are on stdout; a warning says once that rows are kept nowhere."""
    logger.info("hello", 3)
    assert logger.get_dir() is None and logger.dump_tabular() == {}
    with pytest.warns(RLAWarning, match="kept nowhere") as given:
        for step in range(3):
            time_step_holder.set_time(step)
            logger.record_tabular("reward", step)
            assert logger.dump_tabular() == {"reward": step}
    assert len(given) == 1
    out = capsys.readouterr().out
    assert out.startswith("hello 3\n") and out.count("| reward    |") == 3 and "| time-step | 2 |" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning")
def test_when_a_run_starts_the_rows_go_to_it(capsys):
    """And after its end they are printed again; a time step that was set before counts."""
    time_step_holder.set_time(5)
    logger.info("before")
    run = start()
    logger.logkv("a", 1)
    logger.dumpkvs()
    tester.finish()
    logger.logkv("a", 2)
    logger.dumpkvs()
    assert rla.runs("root")[0].metrics()["a"].tolist() == [1] and run.logger.last_step == 5
    assert "| a         | 2 |" in capsys.readouterr().out


def test_a_forked_worker_prints_too():
    """As baselines' default logger does in a child of multiprocessing."""
    code = (
        "import os; from rla_hooks import logger; logger.info('parent')\n"
        "if os.fork() == 0: logger.info('child'); os._exit(0)\n"
        "os.wait()"
    )
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "parent\nchild\n" and done.stderr == ""


def test_a_forked_worker_leaves_the_folder_to_its_parent(tmp_path, forked, capfd):
    """What it logs is printed."""
    logger.configure(tmp_path / "d", ["json"])
    logger.logkv("a", 1)
    logger.dumpkvs()

    def work():
        logger.info("child")
        assert logger.get_dir() is None

    assert forked(work).ended() == 0
    assert len(rows_of(tmp_path / "d")) == 1 and capfd.readouterr().out == "child\n"


def test_a_thread_beside_two_runs_must_name_its_run(tmp_path):
    """Also where a folder was configured before: the rows would be neither run's."""
    logger.configure(tmp_path / "d", ["json"])
    said = []

    def log():
        with pytest.raises(RunError) as caught:
            logger.info("x")
        said.append(str(caught.value))

    started = threading.Event(), threading.Event()

    def train(number):
        with rla.run(task=f"t{number}", writers=["csv"], backup="none"):
            started[number].set()
            started[1 - number].wait(30)
            done.wait(30)

    done = threading.Event()
    threads = [threading.Thread(target=train, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    assert all(event.wait(30) for event in started)
    log()
    done.set()
    for thread in threads:
        thread.join()
    assert "which of the 2 open runs" in said[0]
    logger.logkv("a", 1)
    logger.dumpkvs()
    assert len(rows_of(tmp_path / "d")) == 1


def test_clocks_before_a_run_are_of_the_run_that_comes():
    """time_tracker, time_record and ProfileKV need no run."""
    with time_used_recorder.time_tracker("import"):
        time_used_recorder.time_record("a")
    assert 0 <= time_used_recorder.time_record_end("a") < 3600
    run = start()
    time_used_recorder.time_tracker.log(exclude_lst=())
    logger.dumpkvs()
    assert run.logger.last_values["time_used/total calls/import"] == 1


# --- a folder in place of a run ---------------------------------------------------------------------------------------


def test_configure_writes_each_format_into_its_folder(tmp_path, capsys):
    """log.txt, progress.csv, progress.json, tb/, warn.txt: nothing else, and nothing elsewhere."""
    rows = []
    logger.configure(tmp_path / "d", logger_formats := ["stdout", "log", "csv", "json", "tensorboard", "warn"])
    logger.reset()
    logger.configure(tmp_path / "d", logger_formats, framework="tensorflow", log_callback_fn=rows.append)
    logger.logkv("a", 1 / 3)
    logger.logkv("b", 2, exclude="csv")
    assert logger.getkvs() == {"a": 1 / 3, "b": 2}
    assert logger.dumpkvs(step=7) == {"a": 1 / 3, "b": 2} == rows[0]
    logger.warn("careful")
    assert logger.get_dir() == str(tmp_path / "d")
    logger.reset()
    assert logger.get_dir() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d"]
    names = ["log.txt", "progress.csv", "progress.json", "tb", "warn.txt"]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == names
    (row,) = rows_of(tmp_path / "d")
    assert (row["time-step"], row["a"], row["b"]) == (7, 1 / 3, 2)
    assert logger.read_json(tmp_path / "d" / "progress.json")["b"].tolist() == [2]
    frame = logger.read_csv(tmp_path / "d" / "progress.csv")
    assert list(frame.columns) == ["time-step", "timestamp", "a"] and frame["a"].tolist() == [1 / 3]
    frame = logger.read_tb(tmp_path / "d" / "tb")
    assert (
        frame.index.tolist() == [7] and frame["a"].tolist() == pytest.approx([1 / 3]) and frame["b"].tolist() == [2.0]
    )
    out = capsys.readouterr().out
    assert "Logging to" in out and "| a         | 0.3333 |" in out
    assert (tmp_path / "d" / "warn.txt").read_text() == "[WARN] careful\n"


def test_configure_takes_the_variables_of_baselines(tmp_path, monkeypatch, capsys):
    """OPENAI_LOGDIR and OPENAI_LOG_FORMAT; without them a temporary folder."""
    monkeypatch.setenv("OPENAI_LOGDIR", str(tmp_path / "there"))
    monkeypatch.setenv("OPENAI_LOG_FORMAT", "json")
    logger.configure()
    logger.logkv("a", 1)
    logger.dumpkvs()
    assert rows_of(tmp_path / "there")[0]["a"] == 1 and capsys.readouterr().out == ""
    monkeypatch.delenv("OPENAI_LOGDIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    logger.configure()
    logger.configure()
    assert len(list((tmp_path / "temporary").glob("openai-*"))) == 2


def test_a_scope_has_a_folder_of_its_own(tmp_path):
    """Rows within go there, also in a run, and those after it where those before it went."""
    logger.configure(tmp_path / "outer", ["json"])
    with logger.scoped_configure(tmp_path / "inner", ["json"]):
        logger.logkv("a", 1)
        logger.dumpkvs()
    logger.logkv("a", 2)
    logger.dumpkvs()
    run = start()
    with pytest.raises(KeyError), logger.scoped_configure(tmp_path / "eval", ["json"]):
        logger.logkv("a", 3)
        logger.dumpkvs()
        raise KeyError
    with logger.scoped_configure(format_strs=[]):
        logger.logkv("a", 4)
        assert logger.dumpkvs() == {"a": 4}
    logger.logkv("a", 5)
    logger.dumpkvs()
    found = [[row["a"] for row in rows_of(tmp_path / name)] for name in ("outer", "inner", "eval")]
    assert found == [[2], [1], [3]] and run.logger.last_values["a"] == 5 and run.logger.rows == 1
    start()
    tester.finish()
    time_step_holder.set_time(77)
    logger.logkv("a", 6)
    logger.dumpkvs()
    assert rows_of(tmp_path / "outer")[-1]["a"] == 6 and rows_of(tmp_path / "outer")[-1]["time-step"] == 77


def test_configure_in_a_run(tmp_path):
    """Without another folder the rows stay the run's; with one they go there until reset. Each says so."""
    run, seen = start(), []
    with pytest.warns(RLAWarning, match="no effect in a run"):
        logger.configure(log_callback_fn=seen.append)
    logger.configure(run.log_dir)
    logger.logkv("a", 1)
    logger.dumpkvs()
    rla.testing.reset(runs=False)
    with pytest.warns(RLAWarning, match=r"not to the run, until logger\.reset"):
        logger.configure(tmp_path / "d", ["json"])
    time_step_holder.set_time(9)
    logger.logkv("a", 2)
    logger.dumpkvs()
    logger.reset()
    logger.logkv("a", 3)
    logger.dumpkvs()
    assert rla.runs("root")[0].metrics()["a"].tolist() == [1, 3] and [row["a"] for row in seen] == [1, 3]
    assert [(row["time-step"], row["a"]) for row in rows_of(tmp_path / "d")] == [(9, 2)]


def test_a_folder_is_left_with_the_run_that_it_was_chosen_in(tmp_path):
    """A folder that was named inside of a run counts no longer when that has ended."""
    start()
    with pytest.warns(RLAWarning, match="not to the run"):
        logger.configure(tmp_path / "d", ["json"])
    tester.finish()
    assert logger.get_dir() is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", ["cvs"]), r"'cvs'. Known: stdout, log, csv.*Did you mean 'csv'"),
        (("file/x", ["csv"]), "Not a directory.*Allowed: a folder"),
        ((3, ["csv"]), "Allowed: a folder"),
        (("a\0b", ["csv"]), "Allowed: a folder"),
    ],
)
def test_bad_arguments_change_nothing(arguments, said, tmp_path):
    """One clear line; the logger of before goes on."""
    (tmp_path / "file").write_text("")
    logger.configure(tmp_path / "d", ["json"])
    with pytest.raises(ConfigError, match=said):
        logger.configure(*arguments)
    logger.logkv("a", 1)
    logger.dumpkvs()
    assert rows_of(tmp_path / "d")[0]["a"] == 1 and sorted(os.listdir(tmp_path)) == ["d", "file"]


def test_processes_that_do_not_write_create_nothing(tmp_path, monkeypatch, capsys):
    """With tracking off, and on other ranks: every call is accepted."""
    monkeypatch.setenv("RLA_MODE", "off")
    logger.configure(tmp_path / "d")
    with logger.scoped_configure(tmp_path / "e"):
        logger.logkv("a", 1)
        logger.dumpkvs()
    logger.info("x")
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""


# --- baselines' classes -----------------------------------------------------------------------------------------------


def test_the_current_logger_has_the_formats_of_baselines(tmp_path):
    """isinstance works on those of a run, and a format of the user's own gets the rows from then on."""
    memory = MemoryWriter()
    with rla.run(task="t", writers=["csv", "tensorboard", "log", "json", memory], backup="none") as run:
        current = logger.Logger.CURRENT
        kinds = ["CSVOutputFormat", "TensorBoardOutputFormat", "HumanOutputFormat", "JSONOutputFormat", "MemoryWriter"]
        assert [type(each).__name__ for each in current.output_formats] == kinds
        (board,) = [each for each in current.output_formats if isinstance(each, logger.TensorBoardOutputFormat)]
        board.step = 4
        assert time_step_holder.get_time() == board.step == 4 and board.dir == str(run.tensorboard_dir)
        assert board.writer is logger.get_tbx_writer() is run and board.tbx_writer is run
        board.add_hyper_params_to_tb({"lr": 0.1}, {"score": 2.0})

        class Mine(logger.KVWriter, logger.SeqWriter):
            format_name, rows, lines = "mine", [], []

            def writekvs(self, kvs):
                self.rows.append(kvs)

            def writeseq(self, seq):
                self.lines.extend(seq)

        current.output_formats.append(mine := Mine())
        assert mine in logger.get_current().output_formats
        logger.logkv("a", 1)
        logger.logkv("hidden", 2, exclude=("mine",))
        current.dumpkvs()
        current.log("a line")
        logger.get_current().output_formats.remove(mine)
        logger.logkv("a", 2)
        logger.dumpkvs()
        assert isinstance(run.logger, logger.Logger) and current == logger.get_current() != logger.Logger.DEFAULT
        assert current.dir == logger.get_dir() and current.name2val == {}
    assert [(row["time-step"], row["a"]) for row in mine.rows] == [(4, 1)] and "hidden" not in mine.rows[0]
    assert mine.lines == ["a line"] and memory.rows[-1] == (4, {"a": 2})
    assert rla.runs()[-1].hparams == {"lr": 0.1}


def test_a_logger_of_ones_own_is_made_current(tmp_path, capsys):
    """Logger(dir, formats), its words, and Logger.CURRENT = ..."""
    stream = io.StringIO()
    formats = [logger.HumanOutputFormat(stream), logger.make_output_format("json", tmp_path / "d", "-x")]
    mine = logger.Logger(str(tmp_path / "d"), formats)
    logger.Logger.CURRENT = mine
    assert mine == logger.Logger.CURRENT and logger.get_dir() == str(tmp_path / "d")
    logger.logkv("a", 1)
    for value in (1.0, 3.0):
        mine.logkv_mean("m", value)
    mine.logkvs({"b": 2})
    assert mine.dumpkvs() == {"a": 1, "m": 2.0, "b": 2}
    mine.set_level(logger.DISABLED)
    mine.level = logger.INFO
    mine.log("shown")
    mine.set_comm(None)
    mine.close()
    assert json.loads((tmp_path / "d" / "progress-x.json").read_text())["m"] == 2.0
    assert "| m         | 2 |" in stream.getvalue() and stream.getvalue().endswith("shown\n")
    logger.Logger.CURRENT = logger.Logger.DEFAULT
    assert logger.get_dir() is None
    assert capsys.readouterr().out == ""


def test_a_subclass_of_a_format_keeps_its_own_words(tmp_path):
    """Users repair baselines' formats by subclasses."""

    class Shouting(logger.CSVOutputFormat):
        def writekvs(self, kvs):
            super().writekvs({key.upper() if key == "a" else key: value for key, value in kvs.items()})

    logger.Logger.CURRENT = logger.Logger(None, [Shouting(tmp_path / "p.csv")])
    logger.logkv("a", 1)
    logger.dumpkvs(3)
    assert (tmp_path / "p.csv").read_text().splitlines()[0] == "time-step,timestamp,A"
    with pytest.raises(NotImplementedError, match="writekvs"):
        logger.KVWriter().writekvs({})
    with pytest.raises(NotImplementedError, match="writeseq"):
        logger.SeqWriter().message("x")


def test_formats_of_other_loggers_are_taken_and_others_refused(tmp_path):
    """A class of openai/baselines has the same words, but not our base; what is no format changes nothing."""

    class Theirs:
        rows, is_closed = [], False

        def writekvs(self, kvs):
            self.rows.append(kvs["a"])

        def close(self):
            self.is_closed = True

    theirs = Theirs()
    logger.configure(tmp_path / "d", ["json"])
    formats = logger.Logger.CURRENT.output_formats
    with pytest.raises(ConfigError, match=r"object at .* is no output format\. Allowed: a logger\.KVWriter"):
        formats.append(object())
    assert len(formats) == len(logger.Logger.CURRENT.output_formats) == 1
    formats.extend([theirs])
    for value in (1, 2):
        logger.logkv("a", value)
        logger.dumpkvs()
        logger.info("x")
    logger.get_current().close()
    formats.remove(theirs)
    logger.logkv("a", 3)
    logger.dumpkvs()
    assert Theirs.rows == [1, 2] and theirs.is_closed and len(rows_of(tmp_path / "d")) == 3


def test_words_of_all_loggers(capsys):
    """SB3's record and dump, profile, and the helpers of baselines."""
    run = start()

    @logger.profile("work")
    def work(x, *, y):
        return x + y

    assert work(1, y=2) == 3
    with logger.profile_kv("work"):
        pass
    logger.record("a", 1)
    logger.record_mean("m", 2.0)
    logger.dump(step=12)
    assert {"a", "m", "wait_work"} == set(run.logger.last_values) and run.logger.last_step == 12
    assert logger.valid_float_value("3") and not logger.valid_float_value("x") and not logger.valid_float_value([])
    assert logger.get_rank_without_mpi_import() == 0
    with pytest.warns(RLAWarning, match="set_comm"):
        logger.set_comm(object())


# --- readers and TensorBoard's messages -------------------------------------------------------------------------------


def test_what_cannot_be_read_is_said(tmp_path):
    """Which line, which file."""
    (tmp_path / "a.json").write_text('{"a": 1}\n[2]\n')
    (tmp_path / "b.json").write_text("{}\nx\n")
    with pytest.raises(ValueError, match="line 2 is list"):
        logger.read_json(tmp_path / "a.json")
    with pytest.raises(ValueError, match="line 2: Expecting"):
        logger.read_json(tmp_path / "b.json")
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(RLAError, match="no event file"):
            logger.read_tb(place)
    (tmp_path / "monitor.csv").write_text('#{"t_start": 1.0}\nr,l\n1.5,3\n')
    assert logger.read_csv(tmp_path / "monitor.csv")["r"].tolist() == [1.5]


def test_a_summary_of_tensorflow_becomes_values_and_pictures(tmp_path, read_scalars, read_events):
    """Its bytes are enough; what is none is told once. Without a run it goes to the folder."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    image = Summary.Value(
        tag="picture", image=Summary.Image(height=1, width=1, colorspace=4, encoded_image_string=b"x")
    )
    message = Summary(value=[logger.summary_val("loss", 0.5), image])
    with rla.run(task="t", writers=["csv", "tensorboard"], backup="none") as run:
        time_step_holder.set_time(3)
        logger.log_from_tf_summary(message.SerializeToString())
        logger.log_from_tf_summary(Summary(value=[logger.summary_val("return", 2.0)]))
        assert logger.dump_tabular() == {"loss": 0.5, "return": 2.0}
        with pytest.warns(RLAWarning, match="no Summary message.*nothing was logged") as given:
            logger.log_from_tf_summary(b"\xff\xff")
            logger.log_from_tf_summary(7)
        assert len(given) == 1
    assert read_scalars(run.tensorboard_dir)["loss"] == [(3, 0.5)]
    tags = [(event.step, value.tag) for event in read_events(run.tensorboard_dir) for value in event.summary.value]
    assert (3, "picture") in tags
    logger.configure(tmp_path / "d", ["tensorboard"])
    logger.log_from_tf_summary(message)
    logger.dumpkvs(8)
    assert logger.read_tb(tmp_path / "d" / "tb")["loss"].tolist() == [0.5]


def test_without_a_run_there_is_no_writer():
    """What needs a run says how to get one."""
    with pytest.raises(RunError, match=r"tester\.log_files_gen"):
        logger.get_tbx_writer()


def test_rows_go_to_the_function_of_a_logger():
    """It may be exchanged; there is no communicator."""
    first, second = [], []
    mine = logger.Logger(None, [], log_callback_fn=first.append)
    mine.logkv("loss", 1)
    mine.dumpkvs()
    mine.log_callback_fn = second.append
    mine.logkv("loss", 2)
    mine.dumpkvs()
    assert ([row["loss"] for row in first], [row["loss"] for row in second]) == ([1], [2])
    assert mine.log_callback_fn == second.append and mine.comm is None
