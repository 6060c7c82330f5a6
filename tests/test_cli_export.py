"""``rla export``: what it writes is read back by pandas, polars and the json module."""

import csv
import io
import json
import math

import pytest

import rla_hooks as rla

pandas = pytest.importorskip("pandas")

pytestmark = pytest.mark.usefixtures("quiet")

LOSSES = [0.1, float("nan"), float("inf"), 2.0**-1074]


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two runs of some rows, and one without any."""
    root = tmp_path_factory.mktemp("export")

    @rla.track(record=["lr"], task="t", log_root=root, writers=["csv"], backup="none")
    def train(lr, label, flag=True, rows=4):
        for step in range(rows):
            rla.log({"loss": LOSSES[step], "late": 7} if step == 3 else {"loss": LOSSES[step]}, step=10 * step)

    train(0.1, "a,b\n\"c'")
    train(1e-5, "=1+1")
    train(1.0, "empty", rows=0)
    return root


def _expected(root):
    """The rows as they were logged: id, lr, step, metric, value."""
    rows = []
    for run in rla.runs(root)[:2]:
        rows += [(run.id, run.hparams["lr"], 10 * step, "loss", LOSSES[step]) for step in range(4)]
        rows += [(run.id, run.hparams["lr"], 30, "late", 7.0)]
    return rows


def _same(found, expected):
    """Whether rows are equal to the last bit, NaN equal to NaN."""
    return [tuple(map(repr, row)) for row in found] == [tuple(map(repr, row)) for row in expected]


def test_csv_is_read_back_exactly(log_root, command, tmp_path):
    """One row a value, on stdout and in a file alike; texts with commas and newlines survive."""
    done = command("export", "--params", "lr", "--log-root", log_root)
    command("export", "--params", "lr", "-o", tmp_path / "out.csv", "--log-root", log_root)
    assert done.code == 0 and (tmp_path / "out.csv").read_text() == done.out
    frame = pandas.read_csv(io.StringIO(done.out), float_precision="round_trip")
    assert list(frame) == ["id", "lr", "time-step", "metric", "value"]
    assert _same(frame.itertuples(index=False, name=None), _expected(log_root))
    names = command("export", "--params", "label", "-c", "late", "--log-root", log_root).out
    assert [row[1] for row in csv.reader(io.StringIO(names))] == ["label", "a,b\n\"c'", "=1+1"]


def test_parquet_is_read_back_exactly(log_root, command, tmp_path):
    """With the types of the columns, by another library than the one that writes."""
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "out.parquet"
    done = command("export", "--params", "lr", "-o", path, "--log-root", log_root)
    assert done.code == 0 and done.err == f"rla: 10 rows of 3 runs written to {path}\n"
    rows = duckdb.sql(f"select * from '{path}'").fetchall()
    assert _same(rows, _expected(log_root))
    assert dict(polars.read_parquet_schema(path)) == {
        "id": polars.String,
        "lr": polars.Float64,
        "time-step": polars.Int64,
        "metric": polars.String,
        "value": polars.Float64,
    }


def test_json_is_strict(log_root, command, tmp_path):
    """A list of objects that every reader takes: NaN and infinities are null."""

    def no_constant(name):
        raise AssertionError(name)

    text = command("export", "--json", "--params", "none", "-c", "loss", "--log-root", log_root).out
    rows = json.loads(text, parse_constant=no_constant)
    losses = [loss if math.isfinite(loss) else None for loss in LOSSES]
    assert [row["value"] for row in rows] == losses * 2 and list(rows[0]) == ["id", "time-step", "metric", "value"]
    command("export", "--params", "none", "-c", "loss", "-o", tmp_path / "x.json", "--log-root", log_root)
    assert (tmp_path / "x.json").read_text() == text


def test_a_table_has_one_row_a_run(log_root, command):
    """Also a run without rows is one; extremes are asked for by name."""
    out = command("export", "--table", "-c", "min.loss,late", "--params", "all", "--log-root", log_root).out
    frame = pandas.read_csv(io.StringIO(out), float_precision="round_trip")
    runs = rla.runs(log_root)
    assert frame["id"].tolist() == [run.id for run in runs] and frame["rows"].tolist() == [4, 4, 0]
    assert frame["flag"].tolist() == [True] * 3 and frame["lr"].tolist() == [0.1, 1e-5, 1.0]
    assert frame["min.loss"].tolist()[:2] == [2.0**-1074] * 2 and math.isnan(frame["min.loss"][2])
    assert pandas.to_datetime(frame["started"]).tolist() == [pandas.Timestamp(run.started) for run in runs]


def test_runs_are_chosen(log_root, command):
    """By name, filter and number."""
    ids = [run.id for run in rla.runs(log_root)]

    def chosen(*options):
        out = command("export", "--table", *options, "--log-root", log_root).out
        return [row["id"] for row in csv.DictReader(io.StringIO(out))]

    assert chosen() == ids and chosen("-n", "2") == ids[1:] and chosen("latest~2") == ids[:1]
    assert chosen("--where", "lr < 0.5") == ids[:2]


def test_a_file_that_is_there_is_kept(log_root, command, tmp_path):
    """Unless it is to be replaced; and where writing fails nothing is left of it."""
    path = tmp_path / "out.csv"
    path.write_text("mine")
    done = command("export", "-o", path, "--log-root", log_root)
    assert done.code == 2 and "is there already" in done.err and path.read_text() == "mine"
    assert command("export", "-o", path, "--force", "--log-root", log_root).code == 0
    assert path.read_text().startswith("id,") and list(tmp_path.iterdir()) == [path]
    done = command("export", "-c", "nothing", "-o", path, "--force", "--log-root", log_root)
    assert done.code == 2 and "loss" in done.err and path.read_text().startswith("id,")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "x.xlsx"], "has no suffix that tells its format. Known: csv, parquet, json."),
        (["--format", "parqet"], "Known: csv, parquet, json. Did you mean 'parquet'?"),
        (["--format", "parquet"], "Give a file: -o metrics.parquet"),
        (["-o", "no/such/x.csv"], "there is no folder no/such."),
        (["-o", "."], "has no suffix that tells its format"),
        (["-o", ".", "--format", "csv"], ". is a folder."),
        (["-c", "los"], "Did you mean 'loss'?"),
        (["--params", "labl"], "Did you mean 'label'?"),
    ],
)
def test_mistakes_are_told(options, said, log_root, command):
    """In one line, before anything is written."""
    done = command("export", *options, "--log-root", log_root)
    assert (done.code, done.out) == (2, "") and said in done.err and done.err.count("\n") == 1


def test_on_a_terminal_nothing_is_raw(log_root, command, in_terminal):
    """Where a pipe and a file get the text as it was given, a terminal gets escapes for what would control it."""
    with rla.run(task="evil", log_root=log_root.parent / "evil", writers=["csv"], backup="none", label="\x1b[31m"):
        rla.log({"loss": 1.0}, step=0)
    options = ("export", "--params", "label", "--log-root", log_root.parent / "evil")
    assert ",\x1b[31m,0,loss,1.0\n" in command(*options).out
    assert ",\\x1b[31m,0,loss,1.0\n" in in_terminal(*options)


def test_csv_and_json_need_no_library_of_frames(log_root, command, monkeypatch):
    """Parquet does, and says what to install."""
    import sys

    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert command("export", "--log-root", log_root).out.count(",late,") == 2
    assert len(command("export", "--json", "--log-root", log_root).json) == 10
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = command("export", "-o", "x.parquet", "--log-root", log_root)
    assert done.code == 2 and done.err.endswith("pip install 'rla-hooks[query]'. Without: -o metrics.csv\n")


def test_options_that_contradict_are_refused(log_root, command, tmp_path):
    """And one that is given twice adds up."""
    for given in (["--json", "--format", "csv"], ["--json", "-o", tmp_path / "x.parquet"]):
        done = command("export", *given, "--log-root", log_root)
        assert done.code == 2 and "--json" in done.err and not [*tmp_path.iterdir()]


def test_a_file_that_cannot_be_written_is_no_mistake_of_words(log_root, command, tmp_path, monkeypatch):
    """So the exit code is 1."""

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rla_hooks.cli.export._write_text", fail)
    done = command("export", "-o", tmp_path / "x.csv", "--log-root", log_root)
    assert done.code == 1 and "cannot be written: No space left on device" in done.err
