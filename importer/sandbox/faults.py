"""What the sandbox does wrong on demand, and what decides when."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from importer.common.durations import parse_duration, parse_share
from importer.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares are from 0 to 1, durations in seconds.

    The first two concern conversations, by their id; the others concern single requests.
    """

    not_completed: float = 0.0
    completes_after: float = 10.0
    in_error: float = 0.0

    too_many: float = 0.0
    retry_after: float | None = None
    server_error: float = 0.0
    login_page: float = 0.0
    reset_before: float = 0.0
    reset_after: float = 0.0
    truncated: float = 0.0
    not_json: float = 0.0
    late: float = 0.0
    late_by: float = 5.0
    latency: float = 0.0
    rate_limit: float | None = None
    seed: int = 0

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Faults:
        """Build faults from `NAME=VALUE` texts; `FAULT_NAMES` tells them.

        Raises `SettingsError`.
        """
        faults = cls()
        for text in texts:
            name, _, value = text.partition("=")
            if name not in _PARSERS:
                known = ", ".join(f"{name}={form}" for name, (form, _) in _PARSERS.items())
                raise SettingsError(f"--fault {text!r} is not known; there are {known}")
            form, parse = _PARSERS[name]
            try:
                faults = replace(faults, **parse(value))
            except ValueError as error:
                raise SettingsError(f"--fault {name}={form}: {error}") from None
        return faults


def _share_of(field: str, duration: str | None = None) -> Callable[[str], dict[str, Any]]:
    def parse(value: str) -> dict[str, Any]:
        share, colon, seconds = value.partition(":")
        found: dict[str, Any] = {field: parse_share(share)}
        if colon and duration is not None:
            found[duration] = parse_duration(seconds)
        elif colon:
            raise ValueError(f"{value!r} has a duration, which this fault has not")
        return found

    return parse


def _rate_of(value: str) -> dict[str, Any]:
    if float(value) <= 0:
        raise ValueError(f"{value!r} is not a rate above 0")
    return {"rate_limit": float(value)}


_PARSERS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "not-completed": ("5%:10s", _share_of("not_completed", "completes_after")),
    "in-error": ("1%", _share_of("in_error")),
    "429": ("1% or 1%:2s, with Retry-After", _share_of("too_many", "retry_after")),
    "5xx": ("1%", _share_of("server_error")),
    "login-page": ("1%", _share_of("login_page")),
    "reset-before": ("0.5%", _share_of("reset_before")),
    "reset-after": ("0.5%", _share_of("reset_after")),
    "truncated": ("1%", _share_of("truncated")),
    "not-json": ("1%", _share_of("not_json")),
    "late": ("1%:5s", _share_of("late", "late_by")),
    "latency": ("50ms", lambda value: {"latency": parse_duration(value)}),
    "rate": ("500", _rate_of),
    "seed": ("1", lambda value: {"seed": int(value)}),
}

#: The names that `Faults.parse` knows, each with the form of its value.
FAULT_NAMES = {name: form for name, (form, _) in _PARSERS.items()}


class RequestFault(Enum):
    """What happens to one request."""

    NONE = auto()
    TOO_MANY = auto()
    SERVER_ERROR = auto()
    LOGIN_PAGE = auto()
    RESET_BEFORE = auto()
    RESET_AFTER = auto()
    TRUNCATED = auto()
    NOT_JSON = auto()
    LATE = auto()


class FaultPicker:
    """Decides by the faults' shares; the same seed decides the same way."""

    def __init__(self, faults: Faults) -> None:
        self._random = random.Random(faults.seed)  # noqa: S311 -- not for secrets
        self._faults = faults
        self._first_asked: dict[str, float] = {}
        self._shares = (
            (RequestFault.TOO_MANY, faults.too_many),
            (RequestFault.SERVER_ERROR, faults.server_error),
            (RequestFault.LOGIN_PAGE, faults.login_page),
            (RequestFault.RESET_BEFORE, faults.reset_before),
            (RequestFault.RESET_AFTER, faults.reset_after),
            (RequestFault.TRUNCATED, faults.truncated),
            (RequestFault.NOT_JSON, faults.not_json),
            (RequestFault.LATE, faults.late),
        )

    def for_request(self) -> RequestFault:
        """Return what happens to the next request."""
        left = self._random.random()
        for fault, share in self._shares:
            if left < share:
                return fault
            left -= share
        return RequestFault.NONE

    def conversation_status(self, conversation: str, now: float) -> str:
        """Return where a conversation stands at `now` (seconds of a monotonic clock)."""
        place = self._place(conversation)
        if place < self._faults.in_error:
            return "ERROR"
        if place >= self._faults.in_error + self._faults.not_completed:
            return "COMPLETED"
        first = self._first_asked.setdefault(conversation, now)
        return "COMPLETED" if now - first >= self._faults.completes_after else "IN_PROGRESS"

    def server_status(self) -> int:
        """Return one of the statuses of a failing server."""
        return self._random.choice((500, 502, 503, 504))

    def _place(self, conversation: str) -> float:
        """Return where from 0 to 1 a conversation falls, always the same."""
        key = f"{self._faults.seed}/{conversation}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=7).digest()) / 2**56
