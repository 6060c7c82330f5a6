"""RLA's recorders: ``MatplotlibRecorder`` keeps figures of pyplot, ``ImgRecorder`` pictures of numpy.

    <results of the run>/<folder>/<time step>-<name>.png     with add_timestamp, else <folder>/<name>.png

They are shown in TensorBoard, too, at the time step. Figures are PDF where the name ends in ``.pdf``, else PNG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rla_hooks.core.figures import Place, without_ending
from rla_hooks.old_words import tell_modern_name
from rla_hooks.tester import Tester, needed_run

__all__ = ["ImgRecorder", "MatplotlibRecorder", "format_name"]

_PRINTED = {"bbox_inches", "dpi", "edgecolor", "facecolor", "orientation", "pad_inches"}  # options of savefig
_TEXT, _TICKS, _TITLE, _LEGEND = 18, 14, 13, 15  # points


class MatplotlibRecorder:
    """Saves figures that pyplot draws.

    >>> import rla_hooks as rla
    >>> from rla_hooks.easy_log.complex_data_recorder import MatplotlibRecorder
    >>> def draw():
    ...     import matplotlib.pyplot as plt
    ...     plt.plot([1, 2, 3], label="return")
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     run.time_step_holder.set_time(100)
    ...     MatplotlibRecorder.pretty_plot_wrapper("eval/returns", draw, xlabel="episode").name
    '100-returns.png'
    """

    @classmethod
    def save(
        cls,
        name: Any = None,
        fig: Any = None,
        cover: bool = False,
        add_timestamp: bool = True,
        results_dir: Any = None,
        **options: Any,
    ) -> Path | None:
        """Save a figure, or pyplot's current one, in the results of the run.

        cover: replace one of that name, which stays otherwise. results_dir: another folder. options: those of
        ``savefig``. Returns the path; None, after one warning, if nothing was saved.
        """
        tell_modern_name("MatplotlibRecorder.save", "rla.save_figure(name, figure, step)")
        return _record(
            "MatplotlibRecorder.save", name, lambda: _current(fig), cover, add_timestamp, results_dir, options
        )

    @classmethod
    def pretty_plot_wrapper(
        cls,
        name: str,
        plot_func: Callable[[], Any],
        cover: bool = False,
        legend_outside: bool = False,
        pretty_plot: bool = False,
        xlabel: str = "",
        ylabel: str = "",
        title: str = "",
        add_timestamp: bool = True,
        close_all_fig: bool = True,
        results_dir: Any = None,
        **options: Any,
    ) -> Path | None:
        """Let a function draw with pyplot, and save the figure as :meth:`save` does.

        It draws into a new figure, which is not shown. pretty_plot: larger letters, and a grid.
        close_all_fig: close the figures that the function has opened. Those that were open before stay, and the
        current one of them is so again. An error of the function is one warning.
        """
        tell_modern_name("MatplotlibRecorder.pretty_plot_wrapper", "rla.save_figure(name, figure, step)")

        def drawn() -> Any:
            with _figures_apart(close_all_fig) as pyplot:
                plot_func()
                _finish(pyplot, legend_outside, pretty_plot, xlabel, ylabel, title)
                return pyplot.gcf()

        options.setdefault("bbox_inches", "tight")
        what = "MatplotlibRecorder.pretty_plot_wrapper"
        return _record(what, name, drawn, cover, add_timestamp, results_dir, options)


class ImgRecorder:
    """Saves pictures as ``cv2.imwrite`` does, without cv2.

    >>> import numpy, rla_hooks as rla
    >>> from rla_hooks.easy_log.complex_data_recorder import ImgRecorder
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     run.time_step_holder.set_time(100)
    ...     ImgRecorder.save("frame.png", numpy.zeros((4, 4, 3))).name
    '100-frame.png'
    """

    @classmethod
    def save(
        cls,
        name: Any = None,
        img: Any = None,
        cover: bool = False,
        add_timestamp: bool = True,
        results_dir: Any = None,
        **options: Any,
    ) -> Path | None:
        """Save an array as PNG in the results of the run, and return its path.

        img: of shape (H, W), or (H, W, 3) and (H, W, 4) with the colours in the order **blue, green, red**, as cv2 has
        them; of 0 to 255. The rest as in :meth:`MatplotlibRecorder.save`.
        """
        tell_modern_name("ImgRecorder.save", "rla.save_figure(name, array, step), which takes red, green, blue")
        return _record("ImgRecorder.save", name, lambda: _red_first(img), cover, add_timestamp, results_dir, options)


def format_name(name: str, add_timestamp: bool = True, cover: bool = False, results_dir: Any = None) -> str:
    """Return the path that RLA gives a file of this name in a folder, by default that of the run's results.

    cover changes nothing: a folder is made when a file is written.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     run.time_step_holder.set_time(100)
    ...     format_name("imgs/frame.png", results_dir="figures")
    'figures/imgs/100-frame.png'
    """
    run = needed_run("format_name")
    folder = Tester.over(run).results_dir if results_dir is None else results_dir
    return f"{Path(str(folder), _file(run, str(name), add_timestamp))}"


def _file(run: Any, name: str, add_timestamp: bool) -> str:
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{run.time_step_holder.get_time()}-{last}" if add_timestamp else name


def _record(
    what: str,
    name: Any,
    make: Callable[[], Any],
    cover: bool,
    add_timestamp: bool,
    results_dir: Any,
    options: dict[str, Any],
) -> Path | None:
    """Save what a function draws at the place that RLA gives it."""
    run = needed_run(what)
    if run.figures.folder is None:
        return None
    text, pretty = without_ending("figure" if name is None else str(name), options.pop("format", None) == "pdf")
    place: Place = run.figures.folder, _file(run, text, add_timestamp)
    if results_dir is not None:
        place = Path(str(results_dir)), place[1]
    unknown = sorted(options.keys() - _PRINTED)
    if unknown:
        run.guard.warn(
            (what, *unknown), f"{what} leaves out {', '.join(unknown)}. It knows {', '.join(sorted(_PRINTED))}."
        )
    how = {key: value for key, value in options.items() if key in _PRINTED}
    return run.figures.draw(text, make, run.time_step_holder.get_time(), pretty, cover, place, **how)


def _current(figure: Any) -> Any:
    """The figure, or pyplot's current one."""
    if figure is not None:
        return figure
    from matplotlib import pyplot

    if not pyplot.get_fignums():
        raise ValueError("no figure of pyplot is open. Pass fig=, or save before plt.close() and plt.show()")
    return pyplot.gcf()


@contextmanager
def _figures_apart(close: bool) -> Iterator[Any]:
    """Give pyplot a new figure to draw into, which nothing shows. At the end the former one is current again."""
    from matplotlib import pyplot

    from rla_hooks.figures.saving import drawing

    with drawing:  # the settings of matplotlib, which others change while they draw
        before = pyplot.get_fignums()
        current = pyplot.gcf() if before else None
        pyplot.figure()
        try:
            yield pyplot
        finally:
            for number in {*pyplot.get_fignums()} - {*before} if close else ():
                pyplot.close(number)
            if current is not None and pyplot.fignum_exists(current.number):  # type: ignore[attr-defined]
                pyplot.figure(current)


def _finish(pyplot: Any, outside: bool, pretty: bool, xlabel: str, ylabel: str, title: str) -> None:
    """Give the current axes their texts, and a legend if anything has a label."""
    axes = pyplot.gca()
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        at: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if outside else {}
        axes.legend(handles, labels, **at, **({"prop": {"size": _LEGEND}} if pretty else {}))
    for setter, text, size in (
        (axes.set_xlabel, xlabel, _TEXT),
        (axes.set_ylabel, ylabel, _TEXT),
        (axes.set_title, title, _TITLE),
    ):
        if text:
            setter(text, **({"fontsize": size} if pretty else {}))
    if pretty:
        axes.tick_params(labelsize=_TICKS)
        axes.grid(True)


def _red_first(img: Any) -> Any:
    """An array in cv2's order of colours as one of red, green, blue, of whole numbers where it goes beyond 1."""
    import numpy

    from rla_hooks.figures.saving import as_array

    array = as_array(img)
    if array.ndim == 3 and array.shape[2] in (3, 4):
        array = array[..., [2, 1, 0, 3][: array.shape[2]]]
    if array.dtype.kind == "f" and array.size and numpy.nanmax(array) > 1:
        array = numpy.clip(numpy.nan_to_num(array), 0, 255).astype(numpy.uint8)
    return array
