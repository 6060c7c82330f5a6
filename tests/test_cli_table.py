"""``rla table``: what stands in a paper, from the command line."""

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two algorithms with five seeds each, and one run of another task."""
    root = tmp_path_factory.mktemp("table")
    for algo, gain in (("dqn", 8), ("ppo", 10)):
        for seed in range(5):
            with rla.run(task="t", log_root=root, writers=["csv"], backup="none", algo=algo, seed=seed):
                for step in range(4):
                    rla.log({"perf/return": gain * step + seed, "loss": 1 / (step + gain), "a,b": 1.0}, step=step)
    with rla.run(task="other", log_root=root, writers=["csv"], backup="none", algo="x", seed=0):
        rla.log({"perf/return": 99.0}, step=3)
    return root


def test_markdown_is_the_table_of_python(log_root, command):
    """The same as ``score_table`` of these runs; --by, --task, --where and -n choose."""
    done = command("table", "perf/return", "--task", "t", "--log-root", log_root)
    assert done.code == 0 and done.err == ""
    assert done.out == f"{rla.score_table(rla.runs(log_root, 't'), 'perf/return')}\n"
    assert "| ppo  |    5 |   **32.0 ± 2.0** |" in done.out
    where = command("table", "perf/return", "--where", "seed < 3", "--by", "algo,task", "--log-root", log_root)
    assert [line.split()[1:6:2] for line in where.out.splitlines()[2:5]] == [
        ["dqn", "t", "3"],
        ["ppo", "t", "3"],
        ["x", "other", "1"],
    ]
    assert "|    5 |" in command("table", "perf/return", "--task", "t", "-n", "5", "--log-root", log_root).out


def test_all_options_reach_the_table(log_root, command):
    """Each has the meaning that it has in Python."""
    arguments = "--by algo -c mean,steps --score mean --window 2 --threshold loss=0.1 --lower-is-better loss"
    others = "--level 0.9 --method t --x time-step --digits 3 --tasks task"
    done = command(
        "table", "perf/return", "loss", *arguments.split(), *others.split(), "--task", "t", "--log-root", log_root
    )
    table = rla.score_table(
        rla.runs(log_root, "t"), ["perf/return", "loss"], "algo", ["mean", "steps"], score="mean", window=2,
        threshold={"loss": 0.1}, lower_is_better="loss", level=0.9, tasks="task",
    )  # fmt: skip
    assert done.code == 0 and done.out == table.text("markdown", digits=3)


def test_latex_and_csv(log_root, command, read_latex, tmp_path, read_rows):
    """By --format, or by the ending of a file; a caption makes it LaTeX."""
    latex = command("table", "perf/return", "--task", "t", "--format", "latex", "--log-root", log_root).out
    assert read_latex(latex).rows[1] == ["algo", "runs", "mean", "IQM", "best"]
    done = command(
        "table", "perf/return", "--task", "t", "--caption", "Returns", "--label", "tab:a", "--log-root", log_root
    )
    table = read_latex(done.out)
    assert (table.caption, table.label) == ("Returns", "tab:a")
    file = tmp_path / "table.csv"
    done = command("table", "perf/return", "loss", "--task", "t", "-o", file, "--log-root", log_root)
    assert done.out == "" and done.err == f"rla: a table of 10 runs written to {file}\n"
    rows = read_rows(file)
    assert [(row["algo"], row["metric"]) for row in rows] == [
        (algo, metric) for metric in ("perf/return", "loss") for algo in ("dqn", "ppo")
    ]
    again = command("table", "loss", "--task", "t", "-o", file, "--log-root", log_root)
    assert again.code == 2 and "is there already" in again.err and read_rows(file) == rows
    assert command("table", "loss", "--task", "t", "-o", file, "--force", "--log-root", log_root).code == 0
    assert len(read_rows(file)) == 2


def test_json(log_root, command):
    """The numbers, and the notes."""
    document = command("table", "perf/return", "--task", "t", "--json", "--log-root", log_root).json
    assert [row["mean"] for row in document["rows"]] == [26.0, 32.0] and document["rows"][0]["algo"] == "dqn"
    assert "t interval" in document["notes"][0] and "task='t'" in document["query"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("perf/retrun", "Did you mean 'perf/return'?"),
        ("loss --by alg", "no run has the parameter 'alg'"),
        ("loss --format tex", "--format is 'tex'. Known: markdown, latex, csv"),
        ("loss --format csv --json", "exclude each other"),
        ("loss --format csv --caption x", "count only in LaTeX"),
        ("loss -o table.pdf", "has no suffix that tells its format"),
        ("loss -o no/folder/table.md", "there is no folder no/folder"),
        ("loss --threshold x", "--threshold is 'x'"),
        ("loss --threshold 1 --threshold 2", "Name the metric of each"),
        ("loss --threshold los=1", "which is none of the metrics: loss"),
        ("loss --method x", "method is 'x'"),
        ("loss --x lss", "'lss'"),
        ("loss -c modus", "columns has 'modus'"),
    ],
)
def test_mistakes(arguments, words, log_root, command):
    """Are told in the words of the command line, or of the argument; the exit code is 2."""
    done = command("table", *arguments.split(), "--task", "t", "--log-root", log_root)
    assert done.code == 2 and words in done.err and done.out == ""


def test_names_with_commas_stand_in_backquotes(log_root, command):
    """As everywhere on the command line."""
    done = command("table", "`a,b`", "-c", "best", "--task", "t", "--log-root", log_root)
    assert done.code == 0 and "a,b best" in done.out


def test_what_stands_in_files_controls_no_terminal(tmp_path, command):
    """Names of metrics and values."""
    evil = "\x1b[31mred\u202e"
    for number in range(2):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", label=f"{evil}{number}"):
            rla.log({evil: float(number)}, step=0)
    for form in ("markdown", "latex"):
        out = command("table", evil, "--format", form, "--log-root", tmp_path).out
        assert "red" in out and not [each for each in out if not each.isprintable() and each != "\n"]
