"""Makes a table of the scores of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rla_hooks.paper_tables.asked import asked
from rla_hooks.paper_tables.grid import Grid, Key
from rla_hooks.paper_tables.measures import Settings, check_settings
from rla_hooks.paper_tables.notes import notes_of
from rla_hooks.paper_tables.parts import data_of, grid_columns, keys_of, part_of, seeds_of
from rla_hooks.paper_tables.table import ScoreTable
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.groups import Legend, chosen_runs, grouped
from rla_hooks.plot.score_rule import score_rule
from rla_hooks.plot.scores import scores_of
from rla_hooks.plot.task_curves import Range, curves_of, range_of
from rla_hooks.plot.task_scale import Normalize, check_normalize
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.writers.base import STEP


def score_table(
    runs: Sequence[SavedRun] | str,
    metrics: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    *,
    tasks: str | None = None,
    score: str = "last",
    window: int | None = None,
    threshold: float | Mapping[str, float] | None = None,
    lower_is_better: str | Sequence[str] = (),
    level: float = 0.95,
    method: str = "t",
    reps: int = 2000,
    seed: int = 0,
    x: str = STEP,
    x_range: Range = None,
    normalize: Normalize = None,
    legend: Legend = None,
) -> ScoreTable:
    """Return the scores of groups of runs as a table for a paper: ``.markdown()``, ``.latex()``, ``.csv()``, ``.data``.

    runs: what :func:`runs` returns, or the name of a task. metrics: one or several. by: the parameters that tell
    rows apart, by default all that differ but seeds; runs that differ in nothing else are the seeds of a row. tasks: a
    name, such as ``env``, each of whose values has columns of its own. legend: the names of rows, as in
    :func:`plot_curves`.

    score, window, x, x_range, normalize: the number that a run has, as in :func:`plot_bars`: its last value.
    columns: of ``mean``, ``iqm`` (the interquartile mean), ``best`` (of the seeds), ``steps`` (by when ``threshold`` is
    reached); by default all that can be told, for several tasks the mean. threshold: a number, or one for each metric.
    lower_is_better: the metrics of which less is better, such as ``"loss"``.

    level: of the intervals. method: of the mean's interval: ``t``, ``percentile`` or ``bca``, see
    :func:`rla_hooks.statistics.mean_interval`. reps, seed: of the bootstrap, which gives the interval of IQM.

    The best number of a column is bold. A dagger marks those whose intervals overlap its interval, which is
    no test: :func:`rla_hooks.statistics.difference` is one. A single run has no interval, and is marked, too.

    >>> import rla_hooks as rla
    >>> for algo, gain in (("dqn", 8), ("ppo", 10)):
    ...     for seed in range(5):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...             for step in range(4):
    ...                 rla.log({"return": gain * step + seed}, step=step)
    >>> table = rla.score_table("demo", "return", columns=["mean", "best", "steps"], threshold=20)
    >>> print(table.markdown(notes=False))
    | algo | runs |    return mean | return best | return steps to 20 |
    | ---- | ---: | -------------: | ----------: | -----------------: |
    | dqn  |    5 |     26.0 ± 2.0 |          28 |   3.0 [2.0, 3.0] † |
    | ppo  |    5 | **32.0 ± 2.0** |      **34** |          **2 ± 0** |
    """
    mistakes = Mistakes("score_table")
    settings = Settings(level, method, reps, seed)
    want = asked(mistakes, metrics, columns, threshold, lower_is_better, settings, tasks is not None)
    mistakes.note_raised(
        lambda: score_rule(score, window),
        lambda: range_of(x_range),
        lambda: check_normalize(normalize),
        lambda: check_settings(settings),
    )
    mistakes.raise_any()
    found = chosen_runs(runs, "score_table", to="show")
    with mistakes.raised():
        scored = [scores_of(found, metric, by, tasks, score, window, x, x_range, normalize) for metric in want.metrics]
        groups = grouped(found, by, legend, without=[tasks] if tasks else [])
    parts = []
    for scores in scored:
        curves = curves_of(found, scores.metric, x, x_range) if scores.metric in want.thresholds else []
        of_run = dict(zip((id(run) for run in found), curves))
        parts += [part_of(scores, task, groups, want, of_run) for task in scores.tasks]
    there = [at for at in range(len(groups)) if any(part.counts[at] for part in parts)]
    parts, groups = [part.only(there) for part in parts], [groups[at] for at in there]
    by_columns = {name: [group.values[at] for group in groups] for at, name in enumerate(scored[0].by)}
    keys = keys_of(by_columns) if legend is None else [Key("", [group.label for group in groups])]
    seeds = seeds_of(parts)
    columns_of_numbers = [*grid_columns(parts, want, seeds, tasks)]
    joined = dict.fromkeys(name for scores in scored for name in scores.joined())
    notes = notes_of(want, scored, columns_of_numbers, seeds, [*joined])
    grid = Grid([*keys, Key("runs", [*map(str, seeds)], is_number=True)], columns_of_numbers, notes)
    return ScoreTable(grid, data_of(by_columns, parts, tasks), found.query)
