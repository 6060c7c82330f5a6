"""Saved runs as HTML for notebooks: tables without scripts or style sheets, whose colours suit light and dark pages."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rla_hooks.columns import Column, Columns
from rla_hooks.texts import cut, duration, printable, shell_path

_FIRST, _LAST = 5, 15  # runs of a long list
_MOST_PARAMETERS = 12  # columns of a list
_MOST_METRICS = 6
_MOST_LINES = 30  # parameters, and metrics, of one run
_MOST_CURVES = 10  # of one run
_LONGEST = 60  # characters of a cell
_POINTS = 120  # of a curve
_WIDTH, _HEIGHT = 120, 20  # of a curve, in pixels
_COLOURS = {  # that can be read on white and on black
    "finished": "#2e9e5b",
    "running": "#3b82f6",
    "failed": "#e0524d",
    "killed": "#e0524d",
    "interrupted": "#c98512",
    "preempted": "#c98512",
}
_GREY = "#8a8f98"
_LINE = "1px solid rgba(128, 128, 128, 0.3)"
_CELL = f"padding: 2px 10px 2px 0; border: 0; border-bottom: {_LINE}; text-align: left; vertical-align: top"
_TABLE = "border-collapse: collapse; border: 0; margin: 4px 0; font-variant-numeric: tabular-nums"


def runs_html(runs: Sequence[Any], query: str, differing: Callable[[Sequence[Any]], list[str]]) -> str:
    """Return a list of runs as a table: of thousands the first and the last, with what differs and some metrics."""
    is_long = len(runs) > _FIRST + _LAST + 1
    head = list(runs[:_FIRST] if is_long else runs)
    tail = list(runs[-_LAST:]) if is_long else []
    seen = head + tail
    params = differing(runs if len(runs) <= 1000 else seen)
    metrics = list(dict.fromkeys(name for run in reversed(seen) for name in run.last))
    shown_params, shown_metrics = params[:_MOST_PARAMETERS], metrics[:_MOST_METRICS]
    has_tasks = len({run.task for run in seen}) > 1
    names = ["id", *(["task"] if has_tasks else []), "status", "started", "took", *shown_params, *shown_metrics]

    def row(run: Any) -> str:
        cells = [_code(run.id), *([_text(run.task)] if has_tasks else []), _status(run.status), _time(run.started)]
        cells += [_took(run.seconds), *(_value(run.hparams.get(name)) for name in shown_params)]
        return _row([*cells, *(_value(run.last.get(name)) for name in shown_metrics)])

    rows = [*map(row, head)]
    if tail:
        hidden = f"… {len(runs) - len(seen):,} more"
        rows.append(f'<tr><td colspan="{len(names)}" style="{_CELL}; color: {_GREY}">{hidden}</td></tr>')
        rows += map(row, tail)
    left = [(len(params) - len(shown_params), "parameters that differ"), (len(metrics) - len(shown_metrics), "metrics")]
    more = ", ".join(f"{count:,} more {what}" for count, what in left if count)
    count = f"<b>{len(runs):,} run{'' if len(runs) == 1 else 's'}</b>"
    title = f"{count} {_grey(cut(query, 300))}{_grey(f' ({more}: see .table())') if more else ''}"
    return f"<div>{title}{_table(map(_text, names), rows) if rows else ''}</div>"


def run_html(run: Any, columns: Callable[[Iterable[str]], Columns]) -> str:
    """Return one run as tables: what it is, its parameters, its metrics with their curves."""
    facts = {
        "title": run.title,
        "task": run.task,
        "group": run.group,
        "tags": ", ".join(run.tags),
        "note": run.note,
        "started": run.started.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        "took": None if run.seconds is None else duration(run.seconds),
        "host": run.host,
        "rows": run.info.get("rows"),
        "step": run.info.get("last_step"),
        "error": str(run.run_json.get("error") or "").strip().rpartition("\n")[2],  # the last line of the traceback
        "result": run.result,
        "folder": shell_path(run.log_dir),
    }
    cells = {name: _value(value, 300) for name, value in facts.items() if value not in (None, "")}
    if run.note:
        lines = [_text(line, 300) for line in run.note.splitlines()[:_MOST_LINES]]
        cells["note"] = f'<span style="white-space: pre-line">{chr(10).join(lines)}</span>'
    lines = [_row([_grey(name), cell]) for name, cell in cells.items()]
    lines += [_row([_grey("problem"), _text(problem, 300)]) for problem in run.problems]
    parts = [_table((), lines)]
    if run.hparams:
        lines = [_row([_text(name), _value(value)]) for name, value in [*run.hparams.items()][:_MOST_LINES]]
        parts.append(_table(("parameter", "value"), lines, len(run.hparams)))
    if run.last:
        parts.append(_metrics(run.last, columns))
    title = f"<b>{_text(run.name)}</b> {_code(run.id)} {_status(run.status)}"
    columns_of_tables = "".join(f'<div style="margin-right: 32px">{part}</div>' for part in parts)
    return f'<div>{title}<div style="display: flex; flex-wrap: wrap">{columns_of_tables}</div></div>'


def _metrics(last: Mapping[str, Any], columns: Callable[[Iterable[str]], Columns]) -> str:
    names = [*last][:_MOST_LINES]
    try:
        rows = columns([name for name in names if isinstance(last[name], (int, float))][:_MOST_CURVES])
    except (OSError, ValueError, MemoryError):  # the values are worth showing without curves
        rows = {}
    lines = [_row([_text(name), _value(last[name]), _curve(rows.get(name))]) for name in names]
    return _table(("metric", "last", ""), lines, len(last))


def _curve(column: Column | None) -> str:
    """Return the values of a metric as a small curve; where they are too many, the extremes of their parts."""
    if column is None or column.values.dtype.kind not in "if":
        return ""
    import numpy

    values = column.values if column.present is None else column.values[column.present]
    values = values[numpy.isfinite(values)].astype("float64")
    if len(values) < 2:
        return ""
    if len(values) > _POINTS:
        pieces = numpy.array_split(values, _POINTS // 2)
        values = numpy.array([end for piece in pieces for end in (piece.min(), piece.max())])
    low, high = values.min(), values.max()
    span = high / 2 - low / 2  # of halves: the whole may be infinite
    heights = (values / 2 - low / 2) / span if span > 0 else numpy.full(len(values), 0.5)
    across = numpy.linspace(1, _WIDTH - 1, len(values))
    down = _HEIGHT - 1 - heights * (_HEIGHT - 2)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across.tolist(), down.tolist()))
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1"/></svg>'
    )


def _table(head: Iterable[str], rows: Sequence[str], count: int = 0) -> str:
    cells = "".join(f'<th style="{_CELL}; color: {_GREY}; font-weight: normal">{cell}</th>' for cell in head)
    more = f'<tr><td style="{_CELL}; color: {_GREY}">… {count - _MOST_LINES:,} more</td></tr>'
    lines = [f"<tr>{cells}</tr>" if cells else "", *rows, more if count > _MOST_LINES else ""]
    return f'<table style="{_TABLE}">{"".join(lines)}</table>'


def _row(cells: Iterable[str]) -> str:
    return f'<tr style="background: none">{"".join(f"""<td style="{_CELL}">{cell}</td>""" for cell in cells)}</tr>'


def _text(text: object, longest: int = _LONGEST) -> str:
    """Return any text as HTML that shows it and does nothing else; a long one is cut, and whole when pointed at."""
    whole = printable(text)
    if len(whole) <= longest:
        return html.escape(whole)
    return f'<span title="{html.escape(whole[:1000])}">{html.escape(whole[:longest])}…</span>'


def _value(value: Any, longest: int = _LONGEST) -> str:
    if value is None:
        return ""
    if isinstance(value, float):  # with five digits; one that needs no more reads as in the run's name: 1.0
        brief = f"{value:.5g}"
        return _text(brief if math.isfinite(value) and float(brief) != value else value)
    if type(value) is int and value.bit_length() > 1000:
        return _text(f"an integer of {value.bit_length()} bits")
    return _text(value, longest)


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _grey(text: str) -> str:
    return f'<span style="color: {_GREY}">{html.escape(printable(text))}</span>'


def _status(status: str) -> str:
    colour = _COLOURS.get(status.partition(" ")[0], _GREY)
    return f'<span style="color: {colour}">● {_text(status)}</span>'


def _time(time: datetime) -> str:
    return f'<span style="white-space: nowrap">{time.astimezone().strftime("%Y-%m-%d %H:%M")}</span>'


def _took(seconds: float | None) -> str:
    return "" if seconds is None else html.escape(duration(seconds))
