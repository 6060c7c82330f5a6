"""RLA's figures of curves over roots of RLA and of rla_hooks: the numbers are those of pandas; each argument counts."""

from __future__ import annotations

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import rla_hooks as rla
from rla_hooks.easy_plot.plot_func import plot_res_func
from rla_hooks.easy_plot.plot_func_v2 import default_key_to_legend, plot_func
from rla_hooks.easy_plot.plot_saved_images import plot_saved_images
from rla_hooks.easy_plot.smoothing import symmetric_ema
from rla_hooks.errors import ConfigError, RLAWarning

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning")]
STEPS = range(0, 500, 10)


@pytest.fixture
def root(tmp_path):
    """A root of RLA's form, with three seeds of two learning rates, of which one run ended early; no other files."""
    chance = np.random.default_rng(0)
    for number, lr in enumerate(["0.1", "0.1", "0.1", "0.01", "0.01", "0.01"]):
        info = "tuned" if number % 2 else "plain"
        name = f"2022/03/01/21-1{number}-00-000000 10.0.0.7 &lr={lr}&seed={number}&info={info}"
        folder = tmp_path / "log" / "demo" / name
        folder.mkdir(parents=True)
        steps = STEPS[:30] if number == 5 else STEPS
        frame = pd.DataFrame({"loss": chance.normal(size=len(steps)), "perf/return": np.arange(len(steps)) * float(lr)})
        frame["time-step"] = steps
        frame.to_csv(folder / "progress.csv", index=False)
        (folder / "log.txt").touch()
    return tmp_path


def rows(root, *seeds):
    """The rows of these seeds as pandas reads them."""
    files = [next(root.glob(f"log/demo/2022/03/01/*seed={seed}&*/progress.csv")) for seed in seeds]
    return [pd.read_csv(file).set_index("time-step") for file in files]


def curve(drawn, label, metric="loss"):
    data = drawn.figure.data
    return data[(data["label"] == label) & (data["metric"] == metric)].set_index("x")


def texts(drawn):
    found = [text.get_text() for legend in drawn.figure.figure.legends for text in legend.get_texts()]
    return [text.split(" (")[0] for text in found]


def plot(root, **options):
    return plot_func(root, "demo", **{"regs": ["2022/03/01/*"], "split_keys": ["lr"], "metrics": ["loss"]} | options)


def test_the_curves_are_those_of_pandas(root, capsys):
    """Mean, standard error and range of the seeds of each learning rate, up to the end of the first run."""
    drawn = plot(root)
    for label, seeds in (("lr=0.1", (0, 1, 2)), ("lr=0.01", (3, 4, 5))):
        table = pd.concat([each["loss"] for each in rows(root, *seeds)], axis=1).dropna()
        mine = curve(drawn, label)
        assert mine.index.tolist() == table.index.tolist()
        np.testing.assert_allclose(mine["y"], table.mean(axis=1), rtol=1e-12)
        np.testing.assert_allclose(mine["high"] - mine["y"], table.sem(axis=1), rtol=1e-9)
        np.testing.assert_allclose(mine["low.minmax"], table.min(axis=1))
        assert set(mine["n"]) == {3}
        curves, ends = drawn
        _, mean, error = curves["ALL"][f"{label}-se"]
        np.testing.assert_allclose(mean, mine["y"])
        assert ends[f"{label}-err"] == pytest.approx([table.mean(axis=1).iloc[-1], table.sem(axis=1).iloc[-1]])
        assert ends[f"{label}-range"] == pytest.approx([table.min(axis=1).iloc[-1], table.max(axis=1).iloc[-1]])
        assert len(error) == len(table)
    assert texts(drawn) == ["lr=0.01", "lr=0.1"]
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "2022/03/01/*: 6 runs" and "save_name" in said.out
    assert said.err.count("easy_plot.plot_func is rla.plot_curves") == 1


def test_a_root_of_ours_is_drawn_likewise(tmp_path):
    """The same script works on new runs; a parameter that a run lacks is NF."""
    for lr in (0.1, 0.2):
        with rla.run(task="demo", log_root=tmp_path, writers=["csv"], backup="none", lr=lr):
            for step in range(3):
                rla.log({"loss": lr * step}, step=step)
    drawn = plot_func(tmp_path, "demo", regs=["20*"], split_keys=["lr", "info"], metrics=["loss"])
    assert texts(drawn) == ["lr=0.1.info=NF", "lr=0.2.info=NF"]
    assert curve(drawn, "lr=0.2.info=NF")["y"].tolist() == [0.0, 0.2, 0.4]


def test_resampled_curves_are_smoothed_to_both_sides(root):
    """As baselines does it: each run on an even grid, then the mean. The figure says so."""
    drawn = plot(root, resample=50, smooth_step=2.0)
    table = [symmetric_ema(each.index, each["loss"], n=50, decay_steps=2.0) for each in rows(root, 0, 1, 2)]
    mine = curve(drawn, "lr=0.1")
    np.testing.assert_allclose(mine.index, table[0][0])
    np.testing.assert_allclose(mine["y"], np.mean([ys for _, ys, _ in table], axis=0), rtol=1e-9)
    assert "exponential mean to both sides, of 2/50 of x" in drawn.figure.figure.texts[0].get_text().replace("\n", " ")


def test_patterns_may_be_curves(root):
    """regs2legends: a text for each pattern, in their order; a run that fits two is refused."""
    regs = ["2022/03/01/*lr=0.1&*", "2022/03/01/*lr=0.01&*"]
    drawn = plot(root, regs=regs, regs2legends=["large", "small"], shaded_range=False, vary_len_plot=True)
    assert texts(drawn) == ["large", "small"] and set(curve(drawn, "small")["n"]) == {2, 3}
    assert list(drawn[0]["ALL"]) == ["large-se", "small-se"]
    with pytest.raises(ConfigError, match=r"fits .* and another pattern of regs"):
        plot(root, regs=["2022/*", *regs], regs2legends=["all", "large", "small"])


def test_several_metrics(root):
    """A panel for each, with labels of their own; or one panel, whose curves name them."""
    both = ["loss", "perf/return"]
    drawn = plot(root, metrics=both, ylabel=["L", "R"], xlabel="epochs", tiling="vertical", figsize=(4, 5))
    assert [axes.get_ylabel() for axes in drawn.figure.axes] == ["L", "R"]
    assert [axes.get_xlabel() for axes in drawn.figure.axes] == ["", "epochs"]
    assert texts(drawn) == ["lr=0.01", "lr=0.1"] and set(drawn[0]) == set(both)
    assert drawn.figure.figure.get_figwidth() == 4 and drawn.figure.axes[0].get_subplotspec().get_gridspec().ncols == 1
    one = plot(root, metrics=both, split_by_metrics=False, legend_ncol=2)
    assert texts(one) == [f"lr={lr} eval:{metric}" for lr in ("0.01", "0.1") for metric in both]
    assert len(one.figure.axes) == 1 and curve(one, "lr=0.1", "perf/return")["y"].tolist()[-1] == pytest.approx(4.9)


def test_a_metric_that_no_run_has_is_left_out(root, monkeypatch, capsys):
    """With its label and its factor, as RLA did, and one line says so; where that is all, it is an error."""
    drawn = plot(root, metrics=["losses", "loss", "perf/return"], ylabel=["A", "B", "C"])
    assert [axes.get_ylabel() for axes in drawn.figure.axes] == ["B", "C"]
    assert "no run has 'losses': it is left out\n" in capsys.readouterr().out
    monkeypatch.chdir(root)
    old = plot_res_func("log/demo", ["2022/*/*/*"], ["lr"], ["losses", "perf/return"], [10], [1], resample=0)
    assert curve(old, "lr=0.1", "perf/return")["y"].iloc[-1] == pytest.approx(49)
    with pytest.raises(ConfigError, match="no run has the metric 'losses'"):
        plot(root, metrics=["losses"])


def test_rows_may_be_cut_and_scaled(root):
    """x_bound is not reached, or a pair that x lies between; a function gets a Series; filters take texts."""
    drawn = plot(root, x_bound=100, scale_dict={"loss": lambda y: y.rolling(2, min_periods=1).max() + 1})
    table = pd.concat([each["loss"].rolling(2, min_periods=1).max() + 1 for each in rows(root, 0, 1, 2)], axis=1)
    np.testing.assert_allclose(curve(drawn, "lr=0.1")["y"], table.mean(axis=1).loc[:90])
    assert curve(plot(root, x_bound=(100, 150), scale_dict={"loss": 2}), "lr=0.1").index.tolist() == [
        110,
        120,
        130,
        140,
    ]
    one = plot(root, hp_filter_dict={"lr": ["0.1"], "seed": [0, 1], "unknown": [3]})
    assert texts(one) == [] and set(one.figure.data["n"]) == {2}
    assert plot(root, rescale_idx=49).figure.data["x"].max() == 49


def test_looks(root):
    """Limits, lines, colours, markers and the title are the figure's."""
    line = [0.5, "red", ":", "BC"]
    drawn = plot(
        root, ylim=(-1, 1), xlim=(0, 100), bound_line=[line], colors=["green", "pink"], title="T", log=False,
        use_marker=True, markers=["v", "d"], pretty=True, average_group=False,
    )  # fmt: skip
    (axes,) = drawn.figure.axes
    assert axes.get_ylim() == (-1, 1) and axes.get_xlim() == (0, 100) and axes.get_title() == "T"
    bound = next(each for each in axes.lines if each.get_label() == "BC")
    assert (bound.get_color(), bound.get_linestyle(), bound.get_ydata()[0]) == ("red", ":", 0.5)
    (legend,) = drawn.figure.figure.legends
    assert texts(drawn) == ["lr=0.01", "lr=0.1", "BC"]
    assert [to_hex(each.get_color()) for each in legend.get_lines()] == ["#008000", "#ffc0cb", "#ff0000"]
    assert [each.get_marker() for each in legend.get_lines()][:2] == ["v", "d"]
    assert not plot(root, skip_legend=True).figure.figure.legends


def test_the_users_function_names_curves(root):
    """What it gives the same text is one curve; it is asked with RLA's arguments."""
    asked = []

    def name(parse_dict, split_keys, y_name, use_y_name):
        asked.append((dict(parse_dict), split_keys, use_y_name))
        return "α=large" if parse_dict["lr"] == "0.1" else "α=small"

    drawn = plot(root, key_to_legend_fn=name)
    assert texts(drawn) == ["α=large", "α=small"] and asked[0] == ({"lr": "0.1"}, ["lr"], False)
    drawn = plot(root, key_to_legend_fn=name, metrics=["loss", "perf/return"], split_by_metrics=False)
    assert texts(drawn)[:2] == ["α=large eval:loss", "α=large eval:perf/return"]
    assert default_key_to_legend({}, [], "loss", False) == ""


def test_options_that_mean_nothing_here_are_told_once(root):
    """Each with the reason."""
    with pytest.warns(RLAWarning) as caught:
        for _ in range(2):
            plot(root, legend_outside=False, show_number=False, legend_ncol=3)
    said = [str(warning.message) for warning in caught if "is left out: " in str(warning.message)]
    assert [text.split("=")[0] for text in said] == [
        f"plot_func: {name}" for name in ("legend_outside", "legend_ncol", "show_number")
    ]


def test_the_file_stands_where_rla_put_it(root, tmp_path):
    """Below results/easy_plot of the root; save_path is any other path."""
    plot(root, save_name="sub/curves.pdf", save_path=None)
    folder = root / "results" / "easy_plot" / "sub"
    assert sorted(path.name for path in folder.iterdir()) == ["curves.csv", "curves.pdf", "curves.png"]
    assert (folder / "curves.pdf").read_bytes().startswith(b"%PDF")
    plot(root, save_path=tmp_path / "paper" / "fig")
    assert (tmp_path / "paper" / "fig.png").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["los"]}, r"no run has the metric 'los'.*Did you mean 'loss'"),
        ({"regs": ["2023/*"]}, r"no run of the task 'demo' in .* fits '2023/\*'\. Allowed: patterns"),
        ({"regs": []}, r"regs is \[\]"),
        ({"regs": [3]}, r"the pattern is 3"),
        ({"regs2legends": ["a", "b"]}, r"the legend has 2 texts: .*Allowed: 1, one for each pattern in regs"),
        ({"ylabel": ["a", "b"]}, r"ylabel has 2 texts.* Allowed: 1, one for each panel"),
        ({"shaded_rang": False}, r"there is no 'shaded_rang'.*Did you mean 'shaded_range'"),
        (
            {"resample": 1.5, "bound_line": [[1]], "xlim": 3},
            r"(?s)3 mistakes.*xlim is 3.*resample is 1.5.*bound_line is \[1\]",
        ),
        ({"hp_filter_dict": [3]}, r"hp_filter_dict is \[3\]\. Allowed: a mapping, such as {'lr': \[0\.1, 0\.2\]}"),
        ({"tiling": "round"}, r"tiling is 'round'\. Known: symmetric"),
        ({"scale_dict": {"loss": "log"}}, r"scale_dict has 'loss': 'log'"),
        ({"scale_dict": {"loss": lambda y: y[1:]}}, r"scale_dict has a function"),
        ({"x_bound": 0}, r"no run has rows there"),
    ],
)
def test_bad_input_says_what_is_allowed(root, options, message):
    """Nothing is written."""
    with pytest.raises(ConfigError, match=message):
        plot(root, save_name="curves", **options)
    assert not (root / "results").exists()


def test_the_older_function_draws_the_same(root, monkeypatch, capsys):
    """Its words of 2022 and of 2020, by name and by position; all metrics stand in one panel."""
    monkeypatch.chdir(root)
    regs = ["/2022/03/01/*"]
    new = plot_res_func("log/demo", regs, param_keys=["lr"], value_keys=["loss"], y_bound=0.5, resample=0)
    table = pd.concat([each["loss"].clip(upper=0.5) for each in rows(root, 0, 1, 2)], axis=1)
    np.testing.assert_allclose(curve(new, "lr=0.1")["y"], table.mean(axis=1))
    assert texts(new) == ["lr=0.01 eval:loss", "lr=0.1 eval:loss"]
    old = plot_res_func(
        f"{root}/log/demo", regs, ["lr"], ["loss", "perf/return"], [10], [1], list("ABCD"), "old.png", 0, x_start=250
    )
    assert texts(old) == ["A", "B", "C", "D"] and len(old.figure.axes) == 1
    assert old.figure.data["x"].min() == 250 and curve(old, "lr=0.1", "perf/return")["y"].iloc[-1] == pytest.approx(49)
    assert (root / "results" / "easy_plot" / "demo" / "old.png").is_file()
    named = plot_res_func("log/demo", ["*/*/*/*lr=0.1&*"], split_keys=[], qualities=["loss"], replace_legend_keys=["X"])
    assert len(curve(named, "X")) == 1000
    assert "plot_res_func is rla.plot_curves" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("demo", ["*"], [], ["loss"]), {}, r"prefix_dir is 'demo'\. Allowed: the folder of a task in a log root"),
        (("log/demo", ["*"], [], ["loss"]), {"smooth": 3}, r"there is no 'smooth'"),
        (("log/demo", ["*"], [], ["loss"], None), {"scale_dict": {}}, r"got scale_dict by position and by name"),
        (("log/demo", ["*"], [], []), {}, r"value_keys is"),
        (
            ("log/demo", ["*"], ["lr"], ["loss"]),
            {"replace_legend_keys": list("abc")},
            r"replace_legend_keys has 3 texts",
        ),
        (("log/demo", ["*"], [], ["loss"], *range(20)), {}, r"got 20 values after value_keys"),
    ],
)
def test_bad_input_of_the_older_function(root, monkeypatch, arguments, options, message):
    """Each message says what is allowed."""
    monkeypatch.chdir(root)
    with pytest.raises(ConfigError, match=message):
        plot_res_func(*arguments, **options)


def test_saved_images(tmp_path):
    """The newest of each run that has one, of each name that fits the patterns."""
    for seed in range(3):
        with rla.run(task="demo", log_root=tmp_path, writers=["csv"], backup="none", seed=seed) as run:
            for step in (0, 90) if seed else ():
                rla.save_figure("x", np.eye(4), step=step)
                (run.results_dir / f"x-{step}.png").rename(run.results_dir / f"{step}-react.png")
    (figure,) = plot_saved_images(tmp_path, "demo", ["20*"], ["*react.png"], max_keep_num=2, verbose=True)
    assert figure.data[["seed", "name", "step"]].values.tolist() == [[1, "react", 90], [2, "react", 90]]
    with pytest.raises(ConfigError, match=r"no picture fits img_names\. There are: .*90-react\.png"):
        plot_saved_images(tmp_path, "demo", ["20*"], ["nothing*"])


def test_figures_show_themselves_in_a_notebook(root, monkeypatch, capsys):
    """IPython shows what it is given below the cell; nothing else is said of saving then."""
    seen = []

    class Notebook:
        kernel = True

        display = type("display", (), {"display": staticmethod(seen.append)})

        def get_ipython(self):
            return self

    monkeypatch.setitem(__import__("sys").modules, "IPython", Notebook())
    drawn = plot(root, summarize_res=False)
    assert seen == [drawn.figure] and capsys.readouterr().out == ""


def test_a_script_goes_on_with_pyplot(root, tmp_path):
    """``plt.title`` and ``plt.savefig`` after plot_func are of its figure, and figures of the program's stay open."""
    own = plt.figure()
    first = plot(root)
    drawn = plot(root, metrics=["perf/return"])
    assert plt.gcf() is drawn.figure.figure and plt.fignum_exists(own.number)
    assert not [number for number in plt.get_fignums() if plt.figure(number) is first.figure.figure]
    plot(root)
    plt.title("all seeds")
    plt.savefig(tmp_path / "after.png")
    assert plt.gca().get_title() == "all seeds" and plt.gca().get_ylabel() == "loss"
    image = plt.imread(tmp_path / "after.png")
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 50  # no empty page
    plt.close("all")


def test_a_window_shows_what_rlas_functions_draw(root, tmp_path):
    """If pyplot has windows here, also where the program does not know pyplot; a broken backend is a warning."""
    (tmp_path / "windows.py").write_text(BACKEND)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from rla_hooks.easy_plot.plot_func_v2 import plot_func\n"
        f"plot_func({str(root)!r}, 'demo', ['*'], ['lr'], ['loss'])\n"
    )
    for backend, told in (("module://windows", "shown loss"), ("module://gone", "result.figure.save")):
        environment = {**os.environ, "MPLBACKEND": backend}
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0 and told in done.stdout, done.stderr
    assert "the figure cannot be shown" in done.stderr


BACKEND = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

class FigureManager(FigureManagerBase):
    def show(self):
        print("shown", self.canvas.figure.axes[0].get_ylabel())

class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
"""
