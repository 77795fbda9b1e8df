"""Moments and spans of time as text: RFC 3339 in UTC, and durations such as ``30d``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def utc_now() -> datetime:
    """The clock of a running gateway. Everything else is handed the time."""
    return datetime.now(UTC)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, so that text order is time order."""
    # Not strftime, whose %Y writes the year 800 with three digits on some systems.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_duration(text: str) -> timedelta:
    """Read ``45s``, ``10m``, ``12h``, ``30d`` or ``2w``.

    Raises:
        ValueError: it is none of these, or is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write a number and s, m, h, d or w, such as 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
