"""Reads the column by which the newest row of a conversation wins (`--newest-by`).

A column holds one kind of value: numbers, times with a zone, or times without one. They are
compared as what they mean, never as text, and a value of another kind is refused. Sans-I/O.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from importer.common.text import shown

#: Digits after the point, or below a second, that are compared.
_DIGITS = 18
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(E[+-]?\d{1,3})?", re.ASCII)
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"([T ](?P<time>\d\d:\d\d(:\d\d)?)([.,](?P<fraction>\d+))? ?"
    r"(?P<zone>Z|UTC|[+-]\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_MOST = 2**63 - 1


class NewestKind(StrEnum):
    """What the values of the column are."""

    NUMBER = "number"
    TIME_WITH_ZONE = "time with zone"
    TIME = "time"


class Newest(NamedTuple):
    """A value that can be compared: whole units (seconds of a time), and 10**-18 of one."""

    whole: int
    fraction: int


#: Of a row without a value: it is older than all others.
OLDEST = Newest(-_MOST - 1, 0)


class NewestBy:
    """Reads the values of `column`.

    `kind` is what they are; without it, the first value that can be read decides (`learn`).
    """

    def __init__(self, column: str, kind: NewestKind | None = None) -> None:
        self.column = column
        self.kind = kind

    def learn(self, text: str) -> None:
        """Let a cell decide on the kind, if none has yet. It is given the cell of every row."""
        if self.kind is None and (plain := text.strip()):
            with suppress(ValueError):
                self.kind, _ = self._read(plain.upper(), text)

    def read(self, text: str) -> Newest:
        """Return the value of a cell, whose kind is known. Raises `ValueError`, in words."""
        plain = text.strip()
        if not plain:
            return OLDEST
        kind, value = self._read(plain.upper(), text)
        if kind is not self.kind:
            raise ValueError(
                f"{self.column} {shown(text)} is a {kind}; the first value of the column is a "
                f"{self.kind}"
            )
        return value

    def _read(self, plain: str, text: str) -> tuple[NewestKind, Newest]:
        if _NUMBER.fullmatch(plain):
            value = _number(plain)
            if abs(value.whole) < _MOST:
                return NewestKind.NUMBER, value
        elif found := _TIME.fullmatch(plain):
            try:
                return _time(found)
            except ValueError:
                pass  # such as the 30th of February
        raise ValueError(
            f"{self.column} {shown(text)} is neither a number nor a time such as "
            "2026-01-31T18:30:00Z"
        )


def _number(plain: str) -> Newest:
    if plain.isdigit():
        return Newest(int(plain), 0)
    number = Decimal(plain)
    whole = number.to_integral_value("ROUND_FLOOR")
    return Newest(int(whole), int((number - whole).scaleb(_DIGITS)))


def _time(found: re.Match[str]) -> tuple[NewestKind, Newest]:
    zone = (found["zone"] or "").replace("UTC", "Z")
    spelt = f"{found['date']}T{found['time'] or '00:00'}{zone}"
    moment = datetime.fromisoformat(spelt)
    kind = NewestKind.TIME_WITH_ZONE if zone else NewestKind.TIME
    since = (moment if zone else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    fraction = (found["fraction"] or "")[:_DIGITS].ljust(_DIGITS, "0")
    return kind, Newest(since.days * 86_400 + since.seconds, int(fraction))
