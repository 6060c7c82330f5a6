"""``rla plot --save`` and ``--show``: the figures of rla.plot_curves and its kin, from the command line."""

import csv
import inspect
import os
import subprocess
import sys

import pytest

import rla_hooks as rla
from rla_hooks import plot
from rla_hooks.cli import figure_options
from rla_hooks.cli.figure_options import KINDS, OPTIONS

pytestmark = pytest.mark.usefixtures("quiet")
OF_TERMINAL = {"runs", "metric", "metrics", "name", "x", "smooth", "save"}  # not the figure's alone


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two algorithms, two learning rates, three seeds, and an image of each run."""
    root = tmp_path_factory.mktemp("figures")
    for algo, gain in (("dqn", 8), ("ppo", 10)):
        for lr in (0.1, 0.2):
            for seed in range(3):
                with rla.run(task="t", log_root=root, writers=["csv"], backup="none", algo=algo, lr=lr, seed=seed):
                    for step in range(5):
                        rla.log({"perf/return": gain * step * lr + seed, "loss": 1 / (step + gain)}, step=step)
                    rla.save_figure("frame", [[0, seed], [255, 0]])
    return root


def _numbers(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_the_figure_of_python(kind, log_root, command, tmp_path):
    """PDF, PNG and the same numbers; their paths are printed."""
    by = ["algo", "lr"] if kind == "sweep" else ["algo"]
    what = "frame" if kind == "images" else "loss"
    where = "seed < 2" if kind == "sweep" else "seed < 2 and lr == 0.1"
    given = ["--kind", kind, "--by", ",".join(by), "--where", where]
    done = command("plot", what, *given, "--save", tmp_path / "shell.pdf", "--log-root", log_root)
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == [str(tmp_path / f"shell.{ending}") for ending in ("pdf", "png", "csv")]
    assert (tmp_path / "shell.pdf").read_bytes().startswith(b"%PDF")
    runs = rla.runs(log_root, where=where)
    getattr(rla, KINDS[kind])(runs, what, by=by, save=tmp_path / "python.pdf")
    assert _numbers(tmp_path / "shell.csv") == _numbers(tmp_path / "python.csv")
    assert b"seed < 2" in (tmp_path / "shell.pdf").read_bytes()


def test_every_option_of_python_is_one_of_the_command():
    """A parameter that a figure gets must come to the command line, too; and no option is without a figure."""
    parameters = {name for function in KINDS.values() for name in inspect.signature(getattr(plot, function)).parameters}
    of_options = {figure_options._PYTHON.get(name, (name,))[0] for name in OPTIONS if name != "kind"}
    assert parameters - OF_TERMINAL - {"aggregate", "transform"} == of_options  # nobody types a function


def test_all_options_of_curves(log_root, command, tmp_path):
    """They reach plot_curves as Python has them."""
    words = (
        "--by lr --split algo --band minmax --estimator median --smooth 0.5 --resample 3 --x-range ,3 --y-range 1,9 "
        "--scale 2 --log y --share x --baseline random=1 --legend lr=0.1=small --individual --colors red,blue "
        "--markers none --title T --size 3,2 --overlap --columns 1"
    )
    done = command("plot", "perf/return", *words.split(), "--save", tmp_path / "a", "--json", "--log-root", log_root)
    figure = rla.plot_curves(
        rla.runs(log_root), "perf/return", "lr", split="algo", band="minmax", estimator="median", smooth=0.5,
        resample=3, x_range=(None, 3), y_range=(1, 9), scale=2, log="y", share="x", baselines={"random": 1},
        legend={"lr=0.1": "small"}, individual=True, colors=["red", "blue"], markers=False, title="T", size=(3, 2),
        overlap=True, columns=1, save=tmp_path / "b",
    )  # fmt: skip
    assert done.code == 0 and _numbers(tmp_path / "a.csv") == _numbers(tmp_path / "b.csv")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    document = done.json
    assert document["query"] == figure.query and document["files"][0] == str(tmp_path / "a.pdf")
    assert [row["y"] for row in document["data"]] == figure.data["y"].tolist()


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (
            "--kind intervals --aggregate mean,iqm --normalize 0,20 --level 0.9 --reps 50 --seed 3 --score mean "
            "--window 2",
            {"aggregates": ["mean", "iqm"], "normalize": (0, 20), "level": 0.9, "reps": 50, "seed": 3, "score": "mean",
             "window": 2},
        ),
        ("--kind intervals --tasks algo --by lr --normalize ppo=0,20 --normalize dqn=0,9 --gamma 2",
         {"tasks": "algo", "by": "lr", "normalize": {"ppo": (0, 20), "dqn": (0, 9)}, "gamma": 2}),
        ("--kind profiles --thresholds 1,2.5 --reps 50 --normalize minmax",
         {"thresholds": [1, 2.5], "reps": 50, "normalize": "minmax"}),
        ("--kind efficiency --aggregate mean --resample 4 --reps 50", {"aggregate": "mean", "resample": 4, "reps": 50}),
        ("--kind sweep --by lr,algo --colors magma", {"by": ["lr", "algo"], "colors": "magma"}),
        ("--kind bars --no-individual --band none", {"individual": False, "band": None}),
        ("--kind curves --size 3 --smooth 2", {"size": 3.0, "smooth": 2}),
        ("--kind curves --band std,minmax --together", {"band": ["std", "minmax"], "together": True}),
    ],
)  # fmt: skip
def test_options_of_other_kinds(words, options, log_root, command, tmp_path):
    """The picture is the one that Python draws with these arguments."""
    assert command("plot", "loss", *words.split(), "--save", tmp_path / "a", "--log-root", log_root).code == 0
    function = getattr(rla, KINDS[words.split()[1]])
    function(rla.runs(log_root), "loss", **options, save=tmp_path / "b")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert _numbers(tmp_path / "a.csv") == _numbers(tmp_path / "b.csv")


def test_several_metrics_have_commas_between_them(log_root, command, tmp_path):
    """A panel each; of a kind that draws one they are a mistake."""
    done = command("plot", "loss,perf/return", "--by", "algo,lr", "--save", tmp_path / "a", "--log-root", log_root)
    assert done.code == 0 and {row[0] for row in _numbers(tmp_path / "a.csv")[1:]} == {"loss", "perf/return"}
    done = command("plot", "loss,perf/return", "--kind", "profiles", "--save", tmp_path / "a", "--log-root", log_root)
    assert done.code == 2 and "--kind profiles draws one metric, but 2 are named" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--band std", "--band counts only for a figure. Add --save FILE, or --show."),
        ("--by algo --title x", "--by, --title count only for a figure."),
        ("--smooth 0.5", "--smooth is 0.5. Allowed: a number of rows; of a figure, also a weight below 1."),
        ("--smooth inf", "--smooth is inf. Allowed: a number of rows;"),
        ("--save x --smooth inf", "smooth is inf. Allowed: a weight"),
        ("--save x --width 40", "--width and --height count only in the terminal. The size of a figure: --size."),
        ("--save x --kind bar", "--kind is 'bar'. Known: curves, bars, "),
        ("--save x --kind bars --split lr", "--split does not count for --kind bars, but for: curves."),
        ("--save x --x-range 3", "--x-range is '3'. Allowed: two numbers with a comma between them"),
        ("--save x --resample few --scale much", "2 mistakes"),
        ("--save x --baseline 20", "--baseline is '20'. Allowed: NAME=VALUE"),
        ("--save x --baseline random=x", "--baseline is 'random=x'. Allowed: a number."),
        ("--save x --band sd", "band is 'sd'. Known: ci95"),
        ("--save x --by alg", "no run has the parameter 'alg'"),
        ("--save x.jpg", "save is 'x.jpg'"),
    ],
)
def test_mistakes(words, told, log_root, command, tmp_path, monkeypatch):
    """Each says what to write; nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = command("plot", "loss", *words.split(), "--log-root", log_root)
    assert done.code == 2 and told in done.err and not os.listdir(tmp_path)


def test_a_figure_is_of_all_runs_unless_some_are_chosen(log_root, command, tmp_path):
    """In the terminal it is the newest one; by names and -n it is these."""
    by = ["algo", "lr", "seed"]
    for words, expected in (([], 12), (["latest", "latest~1"], 2), (["-n", "4"], 4)):
        command("plot", "loss", *words, "--by", ",".join(by), "--save", tmp_path / "a", "--log-root", log_root)
        rows = _numbers(tmp_path / "a.csv")
        names = [rows[0].index(name) for name in by]
        assert len({tuple(row[at] for at in names) for row in rows[1:]}) == expected


BACKEND = """
import json
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

class FigureManager(FigureManagerBase):
    def show(self):
        figure = self.canvas.figure
        print(json.dumps(["shown", [axes.get_ylabel() for axes in figure.axes], figure.get_size_inches().tolist()]))

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""


def _in_process(log_root, folder, backend, *words):
    (folder / "windows.py").write_text(BACKEND)
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); from rla_hooks.cli import main; main()"
    command = [sys.executable, "-I", "-c", program, "plot", "loss", *words, "--log-root", str(log_root)]
    environment = {**os.environ, "MPLBACKEND": backend}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_a_window_shows_the_figure(log_root, tmp_path):
    """By the backend of matplotlib, until it is closed."""
    done = _in_process(log_root, tmp_path, "module://windows", "--by", "algo", "--size", "3,2", "--show")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('["shown", ["loss"], [3.0, ')


def test_without_a_display_it_says_so(log_root, tmp_path):
    """The figure is written all the same, if that was asked for."""
    done = _in_process(log_root, tmp_path, "agg", "--show", "--save", str(tmp_path / "a"))
    assert (
        done.returncode == 2
        and "no window can be opened here: matplotlib finds no display. Write a file: --save" in (done.stderr)
    )
    assert (tmp_path / "a.pdf").is_file()


def test_a_backend_that_cannot_be_loaded_is_told_in_one_line(log_root, tmp_path):
    """One whose library is missing, or that finds no display."""
    (tmp_path / "broken.py").write_text("raise RuntimeError('The backend needs Tk')")
    done = _in_process(log_root, tmp_path, "module://broken", "--show")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "no window can be opened here: The backend needs Tk. Write a file: --save figure.pdf" in done.stderr
