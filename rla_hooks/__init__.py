"""rla_hooks records every training run in plain folders: parameters, code, metrics, figures, checkpoints.

    import rla_hooks as rla

    @rla.track(record=["info", "lr"])
    def main(info="baseline", lr=1e-3):
        rla.log({"perf/return": 10.0}, step=0)
        rla.simple_plot(name="returns", data=[[1, 2, 3]])

Each name below loads its module when it is first used, so that ``import rla_hooks`` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rla_hooks._version import __version__

if TYPE_CHECKING:
    from rla_hooks.appending import open as open
    from rla_hooks.core.preemption import should_stop
    from rla_hooks.core.run import Run
    from rla_hooks.errors import CheckpointError, ConfigError, RLAError, RLAWarning, RunError
    from rla_hooks.face import (
        State,
        current_run,
        is_resumed,
        load_checkpoint,
        load_state,
        log,
        new_saver,
        save_checkpoint,
        save_figure,
        save_state,
        simple_hist,
        simple_plot,
        simple_scatter,
    )
    from rla_hooks.launch import report, sweep
    from rla_hooks.paper_tables import score_table
    from rla_hooks.plot import (
        plot_bars,
        plot_curves,
        plot_images,
        plot_intervals,
        plot_profiles,
        plot_sample_efficiency,
        plot_sweep,
    )
    from rla_hooks.query import Runs, SavedRun, latest_checkpoint, runs, sql
    from rla_hooks.tester import Tester
    from rla_hooks.tracking import run, start, track

# fmt: off
__all__ = [
    "CheckpointError", "ConfigError", "RLAError", "RLAWarning", "Run", "RunError", "Runs", "SavedRun",
    "State", "Tester", "__version__", "current_run", "is_resumed", "latest_checkpoint", "load_checkpoint",
    "load_state", "log", "new_saver", "plot_bars", "plot_curves", "plot_images", "plot_intervals",
    "plot_profiles", "plot_sample_efficiency", "plot_sweep", "report", "run", "runs", "save_checkpoint",
    "save_figure", "save_state", "score_table", "should_stop", "simple_hist", "simple_plot", "simple_scatter",
    "sql", "start", "sweep", "track",
]
_HOME = {
    "core.preemption": ["should_stop"],
    "core.run": ["Run"],
    "errors": ["CheckpointError", "ConfigError", "RLAError", "RLAWarning", "RunError"],
    "launch": ["report", "sweep"],
    "paper_tables": ["score_table"],
    "query": ["Runs", "SavedRun", "latest_checkpoint", "runs", "sql"],
    "tester": ["Tester"],
    "tracking": ["run", "start", "track"],
}
# fmt: on

#: RLA's names at the top, and the module that has them. They are not in __all__: a star import gives the names above.
_RLA_NAMES = {
    **dict.fromkeys(
        ("ExperimentLoader", "exp_loader", "fork_log_file_fn", "update_hyper_parameters_fn"), "easy_log.exp_loader"
    ),
    "ImgRecorder": "easy_log.complex_data_recorder",
    "MatplotlibRecorder": "easy_log.complex_data_recorder",
    "exp_manager": "easy_log.tester",
    "experiment_data_query": "query_tool",
    "plot_func": "easy_plot.plot_func_v2",
    "plot_res_func": "easy_plot.plot_func",
    "single_experiment_query": "query_tool",
    "time_step_holder": "easy_log.tester",
    "time_tracker": "easy_log.time_used_recorder",
    **dict.fromkeys(["DEFAULT_TIMESTAMP", "DEFAULT_X_NAME", "FRAMEWORK", "FTP_PROTOCOL_NAME"], "const"),
    **dict.fromkeys(["LOG_NAME_FORMAT_VERSION", "PLATFORM_TYPE"], "const"),
    **dict.fromkeys(["ARCHIVED_TABLE", "ARCHIVE_TESTER", "CHECKPOINT", "CODE", "HYPARAMETER"], "easy_log.const"),
    **dict.fromkeys(["HYPARAM_FILE_NAME", "LOG", "LoadTesterMode", "LogDataType"], "easy_log.const"),
    **dict.fromkeys(["OTHER_RESULTS", "TMP_DATA", "default_log_types"], "easy_log.const"),
}


def __getattr__(name: str) -> Any:
    if name == "logger":  # RLA's and baselines' own line: from rla_hooks import logger
        return importlib.import_module(f"{__name__}.easy_log.logger")
    if name == "open":  # not in __all__: after a star import, open must still be Python's
        return importlib.import_module(f"{__name__}.appending").open
    if name not in __all__ and name not in _RLA_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _HOME.items() if name in names), _RLA_NAMES.get(name, "face"))
    home = "plot" if name.startswith("plot_") and name in __all__ else home  # which has the list of them
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_RLA_NAMES, "logger", "open"})
