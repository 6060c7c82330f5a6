"""Times and durations as people write them: ``2 days``, ``1h 30min``, ``2026-01-31``, ``2026-01-31 12:00``."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from rla_hooks.errors import ConfigError
from rla_hooks.texts import shown

UNITS = {
    **dict.fromkeys(("ms",), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
DURATIONS = "90s, 10min, 2h, 3d, 1w, 1h30min"
DATES = "2026-01-31, 2026-01-31 12:00, 2026-01-31T12:00:00Z"
#: A number with a unit, several times; of the filter language, too.
DURATION = rf"(?:\d+(?:\.\d*)?|\.\d+)\s*(?:{'|'.join(sorted(UNITS, key=len, reverse=True))})(?![^\W\d_])"
_LONGEST = 2000  # characters of a time or a duration
_CLOCK = r"[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?(?:Z|[+-]\d\d:?\d\d))?"
DATE = rf"\d{{4}}-\d\d-\d\d(?:{_CLOCK})?(?![\w:.-])"
_SPAN = re.compile(rf"\s*([+-])?\s*((?:{DURATION}\s*){{1,6}})(ago)?\s*", re.IGNORECASE)
_PART = re.compile(r"([\d.]+)\s*([a-z]+)", re.IGNORECASE)
_DATE = re.compile(rf"\s*{DATE}\s*", re.IGNORECASE)


class Span(NamedTuple):
    """What a text that stands for a time means: all moments from ``begin`` to before ``end``, in seconds since 1970.

    A date is its whole day, ``12:00`` a whole minute; a moment has ``begin == end``.
    """

    begin: float
    end: float


class Duration(NamedTuple):
    """A duration; ``is_ago``: it counts back from now."""

    seconds: float
    is_ago: bool


def seconds_of(value: Any) -> Any:
    """Return a time as seconds since 1970, and any other value as it is.

    >>> seconds_of(datetime.fromisoformat("1970-01-02T00:00:00+00:00")), seconds_of(None)
    (86400.0, None)
    """
    return value.timestamp() if isinstance(value, datetime) else value


def duration_of(text: str) -> Duration | None:
    """Return what a text says as a duration, None if it says none. A minus sign and ``ago`` count back from now.

    >>> duration_of("1h 30min"), duration_of("2 parsecs")
    (Duration(seconds=5400.0, is_ago=False), None)
    >>> duration_of("-2 days") == duration_of("2 days ago") == Duration(172800.0, is_ago=True)
    True
    """
    match = _SPAN.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    sign, parts, ago = match.groups()
    seconds = sum(float(number) * UNITS[unit.lower()] for number, unit in _PART.findall(parts))
    return Duration(seconds, sign == "-" or ago is not None)


def span_of(text: str) -> Span | None:
    """Return the time that a text means, None if it means none. Without a zone it is local time.

    >>> span_of("1970-01-02T00:00Z"), span_of("soon")
    (Span(begin=86400.0, end=86460.0), None)
    """
    if len(text) > _LONGEST or _DATE.fullmatch(text) is None:
        return None
    plain = re.sub(r"\s*z$", "+00:00", text.strip(), flags=re.IGNORECASE).upper()
    plain = re.sub(r"\s*([+-]\d\d):?(\d\d)$", r"\1:\2", plain) if len(plain) > len("2026-01-31") else plain
    plain = re.sub(r"\.(\d+)", lambda digits: f".{digits[1]:0<6}", plain)  # Python 3.10 takes three or six digits
    width = {0: timedelta(days=1), 1: timedelta(minutes=1), 2: timedelta(seconds=1)}
    clock = plain[len("2026-01-31") :].partition("+")[0].partition("-")[0]
    with suppress(ValueError, OverflowError, OSError):
        begin = datetime.fromisoformat(plain)
        # Of local times the end is found on the clock: the day on which the clocks go back has 25 hours.
        end = begin + (timedelta(0) if "." in clock else width[clock.count(":")])
        return Span(begin.timestamp(), end.timestamp())
    return None


def since_of(given: object, name: str = "since") -> float:
    """Return the moment that an argument of this name means, in seconds since 1970. Raises ConfigError.

    >>> since_of(datetime.fromisoformat("1970-01-02T00:00:00+00:00")), since_of("1970-01-02 00:00Z")
    (86400.0, 86400.0)
    """
    if isinstance(given, timedelta):
        return time.time() - abs(given.total_seconds())
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(given, datetime):
            return given.timestamp()
        if isinstance(given, date):
            return datetime(given.year, given.month, given.day).timestamp()
    if isinstance(given, str):
        duration, span = duration_of(given), span_of(given)
        if duration is not None:
            return time.time() - duration.seconds
        if span is not None:
            return span.begin
    raise ConfigError(
        f"{name} is {shown(given, 100)}. Allowed: how long ago ('2 days', '90 min', '1h30min'), "
        f"a time ({DATES}; local without a zone), a datetime, date or timedelta."
    )
