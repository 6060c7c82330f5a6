"""RLA's older ``plot_res_func``, of its lines of 2020 and 2022, by the path of a task; see also ``plot_func_v2``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.easy_plot.drawing import Drawn, by_pattern, chosen, draw, parameter_texts, present, saved, told
from rla_hooks.easy_plot.looks import DEFAULTS, check_lengths, options_of
from rla_hooks.easy_plot.plot_func_v2 import plot_func
from rla_hooks.easy_plot.plot_util import word_replace, word_replace_back
from rla_hooks.easy_plot.points import transforms
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.layout import LOG, RESULTS
from rla_hooks.old_words import tell_modern_name
from rla_hooks.plot.checks import Mistakes
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, shown

__all__ = [
    "default_key_to_legend", "plot_func", "plot_res_func", "scale_index_to_dict", "show_plt", "word_replace",
    "word_replace_back",
]  # fmt: skip

_LATER = (
    "scale_dict", "replace_legend_keys", "save_name", "resample", "smooth_step", "ylabel", "x_bound", "y_bound",
    "x_start", "use_buf", "remove_outlier", "xlabel", "key_to_legend_fn", "verbose",
)  # fmt: skip
_OLDER = ("misc_scale", "misc_scale_index", *_LATER[1:12])  # the order of 2020, where factors are a list
_EVERY = {*_LATER, *_OLDER, "split_keys", "qualities", "regs2legends"}


def default_key_to_legend(parse_list: Sequence[str], y_name: str) -> str:
    """Return what a curve is called: ``lr=0.1.info=NF eval:loss``; NF: the run has no such parameter.

    >>> default_key_to_legend(["lr=0.1", "info=NF"], "loss")
    'lr=0.1.info=NF eval:loss'
    """
    return f"{'.'.join(parse_list)} eval:{y_name}"


def scale_index_to_dict(measure: Sequence[str], scale_index: Sequence[int], scale: Sequence[float]) -> dict[str, float]:
    """Return a factor for each metric: those of ``scale`` for the metrics with these numbers, else 1.

    >>> scale_index_to_dict(["loss", "return"], [1], [0.01])
    {'loss': 1, 'return': 0.01}
    """
    factors = dict(zip(scale_index, scale))
    return {metric: factors.get(number, 1) for number, metric in enumerate(measure)}


def show_plt() -> None:
    """Show the figures of pyplot that are open. Those of RLA's functions are in what these return, or saved.

    >>> from matplotlib import pyplot
    >>> pyplot.switch_backend("agg")
    >>> show_plt()
    """
    from matplotlib import pyplot

    pyplot.show()


def plot_res_func(
    prefix_dir: str | os.PathLike[str],
    regs: Sequence[str],
    param_keys: Sequence[str] | None = None,
    value_keys: Sequence[str] | None = None,
    *positions: Any,
    **options: Any,
) -> Drawn:
    """Draw the curves of runs in one panel, and return the numbers; ``.figure`` is the figure.

    prefix_dir: ``<log root>/log/<task>``. regs: glob patterns of folders below it. param_keys (``split_keys`` in 2020):
    the parameters that tell curves apart. value_keys (``qualities``): metrics. By position follow ``scale_dict,
    replace_legend_keys, save_name, resample=1000, smooth_step=1.0, ylabel, x_bound, y_bound, x_start, use_buf,
    remove_outlier, xlabel, key_to_legend_fn, verbose``, as in 2022; where the first of them is a list it is
    ``misc_scale`` of 2020, and ``misc_scale_index`` comes next. replace_legend_keys: a text for each pattern, whose
    runs are one curve, or for each curve. Others are those of :func:`~rla_hooks.easy_plot.plot_func_v2.plot_func`.
    save_name: a file in ``<log root>/results/easy_plot/<task>/``.

    Raises :class:`~rla_hooks.errors.ConfigError` with all mistakes, and where there are no runs.

    >>> import rla_hooks as rla
    >>> from rla_hooks.easy_plot.plot_func import plot_res_func
    >>> for seed in range(2):
    ...     with rla.run(task="demo", log_root="data", writers=["csv"], backup="none", lr=0.1, seed=seed):
    ...         for step in range(3):
    ...             rla.log({"return": step + seed}, step=step)
    >>> curves, ends = plot_res_func("data/log/demo", ["20*"], ["lr"], ["return"], resample=0, save_name="return.png")
    20*: 2 runs
    saved: data/results/easy_plot/demo/return.pdf
    saved: data/results/easy_plot/demo/return.png
    saved: data/results/easy_plot/demo/return.csv
    >>> ends["lr=0.1 eval:return-range"]
    [2.0, 3.0]
    """
    tell_modern_name("easy_plot.plot_res_func", "rla.plot_curves(rla.runs(log_root, task=...), metrics, by=[...])")
    given = _by_name(positions, options)
    own = {name: given.pop(name, None) for name in _EVERY}
    mistakes = Mistakes("plot_res_func")
    names = mistakes.names("value_keys", value_keys or own["qualities"], '["perf/return"]')
    keys = param_keys or own["split_keys"]
    keys = mistakes.names("param_keys", keys, '["lr"]') if keys else []
    mistakes.raise_any()
    averaging = {
        "resample": 1000 if own["resample"] is None else own["resample"],
        "smooth_step": own["smooth_step"] or 1.0,
    }
    looks = options_of({**given, **averaging}, "plot_res_func")
    with mistakes.raised():
        root, task = _root_and_task(prefix_dir)
        found = chosen(root, task, regs, None)
        scales = _scales(names, own)
        names = [names[place] for place in present(found, names)]
        to_legend = own["key_to_legend_fn"] or default_key_to_legend

        def by_keys(run: SavedRun, metric: str) -> str:
            return str(to_legend([f"{key}={text}" for key, text in parameter_texts(run, keys).items()], metric))

        texts = own["replace_legend_keys"] or own["regs2legends"]
        is_by_pattern = texts is not None and len(names) == 1 and len(texts) == len(found)
        label = by_pattern(found, texts) if is_by_pattern else by_keys
        told(found, lambda run: label(run, names[0]), bool(own["verbose"]))
        transform = transforms(names, scales, _points(own, looks))
        ylabel = own["ylabel"] if isinstance(own["ylabel"], str) else None
        rename = None
        if texts is not None and not is_by_pattern:
            rename = lambda labels: check_lengths("replace_legend_keys", texts, len(labels), "curve")  # noqa: E731
        drawn = draw(
            found, names, label, looks, is_sorted=not is_by_pattern, together=True, transform=transform,
            xlabel=own["xlabel"], ylabel=ylabel, rename=rename,
        )  # fmt: skip
    saved(drawn, Path(root, RESULTS, "easy_plot", task), own["save_name"], looks["save_path"])
    return drawn


def _by_name(positions: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments after value_keys by their names: those by position in the order of 2020, or of 2022."""
    order = _OLDER if positions and isinstance(positions[0], (list, tuple)) else _LATER
    if len(positions) > len(order):
        raise ConfigError(f"plot_res_func got {len(positions)} values after value_keys. Allowed: {', '.join(order)}.")
    given = dict(zip(order, positions))
    if twice := given.keys() & options.keys():
        raise ConfigError(f"plot_res_func got {', '.join(sorted(twice))} by position and by name. Give one.")
    known = {*_EVERY, *DEFAULTS}
    problems = [
        f"there is no {name!r}. Known: {listed(sorted(known), 50)}.{did_you_mean(name, known)}"
        for name in options
        if name not in known
    ]
    if problems:
        raise ConfigError(problems, "plot_res_func")
    return given | dict(options)


def _root_and_task(prefix_dir: Any) -> tuple[str, str]:
    """Return the log root and the task in ``<log root>/log/<task>``."""
    parts = Path(os.fspath(prefix_dir)).parts
    at = max((number for number, part in enumerate(parts[:-1]) if part == LOG), default=None)
    if at is None:
        raise ConfigError(
            f"prefix_dir is {shown(os.fspath(prefix_dir), 200)}. Allowed: the folder of a task in a log root, such as "
            "'rla_data/log/cartpole'."
        )
    return os.path.join("", *parts[:at]) or ".", "/".join(parts[at + 1 :])


def _scales(names: Sequence[str], own: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if own["scale_dict"] is not None or not own["misc_scale"]:
        return own["scale_dict"]  # type: ignore[no-any-return]
    return scale_index_to_dict(names, own["misc_scale_index"] or [], own["misc_scale"])


def _points(own: Mapping[str, Any], looks: Mapping[str, Any]) -> dict[str, Any]:
    cut: dict[str, Callable[..., Any] | Any] = {name: own[name] for name in ("x_bound", "x_start", "y_bound")}
    cut["remove_outlier"] = bool(own["remove_outlier"])
    return cut | {name: looks[name] for name in ("resample", "smooth_step", "rescale_idx")}
