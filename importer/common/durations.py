"""Durations and shares as people write them: `500ms`, `10min`, `5%`."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)


def parse_duration(text: str | float) -> float:
    """Return the seconds that `text` names: a number of seconds, or a number with a unit.

    Raises `ValueError` for anything else.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    found = _DURATION.fullmatch(str(text))
    unit = found[2].lower() or "s" if found else ""
    if found is None or unit not in _UNITS:
        raise ValueError(f"{text!r} is not a duration: write 30, 500ms, 5s, 10min or 6h")
    return float(found[1]) * _UNITS[unit]


def write_duration(seconds: float) -> str:
    """Return a duration (seconds) as `parse_duration` reads it, such as `500ms` or `90s`."""
    for unit in ("d", "h", "min", "s"):
        if seconds % _UNITS[unit] == 0 and (seconds or unit == "s"):
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{1000 * seconds:.10g}ms"


def parse_share(text: str | float) -> float:
    """Return the share from 0 to 1 that `text` names: `5%` or `0.05`. Raises `ValueError`."""
    plain = str(text).strip()
    try:
        value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if plain == "1":
        raise ValueError("1 may mean one in a hundred or all: write 1% or 100%")
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is not a share: write 5% or 0.05")
    return value


def format_duration(seconds: float) -> str:
    """Return a duration (seconds) in the two largest units that matter, such as `1 h 5 min`."""
    if (milliseconds := round(seconds * 1000)) < 1000:
        return f"{milliseconds} ms" if milliseconds or not seconds else "< 1 ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(i for i, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)
