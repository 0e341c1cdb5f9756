"""Where an input is: a path, or the address of what is copied before it is read."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlsplit

#: What stands for standard input.
STANDARD_INPUT = "-"
#: What stands for a data frame, of which there is no address.
_FRAME = "dataframe://data-frame"
_LABELS = {STANDARD_INPUT: "standard input", _FRAME: "data frame"}
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.+)", re.DOTALL)
#: How the query of an address is told apart where it is not shown.
_QUERY_MARK = re.compile(r"query-[0-9a-f]{8}")
#: Parameters that sign an address for some time, and say nothing of what is read.
_SIGNING = re.compile(
    r"x-(amz|goog|ms)-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id|sig|s[epkvrt]"
    r"|sk[a-z]+|spr|sip|.*token.*|api[_-]?key|auth.*|hmac",
    re.IGNORECASE,
)


class SourceAddress:
    """An address of an input; what shows it shows no password and no query.

    `str` gives what is recorded: an address that means the same input, and that `read_place` takes
    again. `full` is what was given.
    """

    __slots__ = ("_shown", "full", "scheme")

    def __init__(self, full: str) -> None:
        self.full = full
        parts = urlsplit(full)
        self.scheme = parts.scheme.lower() or STANDARD_INPUT
        self._shown = full if full == STANDARD_INPUT else _without_secrets(parts)

    @property
    def name(self) -> str:
        """What a job and a copy are named after."""
        if self.full == STANDARD_INPUT:
            return "stdin"
        parts = urlsplit(self._shown)
        return parts.path.rstrip("/").rpartition("/")[2] or parts.hostname or parts.scheme

    @property
    def label(self) -> str:
        """What messages and the journal call it."""
        return _LABELS.get(self.full, self._shown)

    @property
    def lacks_query(self) -> bool:
        """Whether it was read from a record, which holds no query, and had one."""
        return _QUERY_MARK.fullmatch(urlsplit(self.full).fragment) is not None

    @property
    def is_cut(self) -> bool:
        """Whether a `#` ends it that is meant as part of a name: it is no web address."""
        fragment = urlsplit(self.full).fragment
        return bool(fragment) and not self.lacks_query and self.scheme not in ("https", "http")

    def hides(self, text: str) -> str:
        """Return `text`, such as an error's, without this address's secrets."""
        parts = urlsplit(self.full)
        text = text.replace(self.full, self._shown)
        for secret in (
            parts.query,
            parts.password,
            *(value for _, value in parse_qsl(parts.query)),
        ):
            if secret and len(secret) > 2:
                text = text.replace(secret, "…")
        return text

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"SourceAddress({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceAddress) and self._shown == other._shown

    def __hash__(self) -> int:
        return hash(self._shown)


class FrameAddress(SourceAddress):
    """Where a data frame is: in the program that imports it."""

    __slots__ = ("table",)

    def __init__(self, table: object) -> None:
        super().__init__(_FRAME)
        #: It has Arrow's stream interface.
        self.table = table


Place: TypeAlias = Path | SourceAddress


def read_place(value: object) -> Place:
    """Return where an input is. Raises `ValueError` in words that follow an option's name."""
    if isinstance(value, SourceAddress):
        return value
    if is_table(value):
        return FrameAddress(value)
    if isinstance(value, str) and (value == STANDARD_INPUT or _ADDRESS.fullmatch(value)):
        try:
            address = SourceAddress(value)
        except ValueError:
            raise ValueError("hold an address that cannot be read") from None
        if address.is_cut:
            raise ValueError("must have %23 in the place of #, which would end the address")
        return address
    if not isinstance(value, (str, os.PathLike)) or not str(value) or "\0" in str(value):
        raise ValueError(f"must be a path; it is {value!r}")
    return Path(value)


def is_table(value: object) -> bool:
    """Return whether a value is a data frame, or another table that Arrow can read."""
    return hasattr(value, "__arrow_c_stream__")


def recorded(place: Place) -> str:
    """Return a place as it is recorded: without secrets, and from wherever a command is run."""
    return str(place.absolute()) if isinstance(place, Path) else str(place)


def has_password(place: Place) -> bool:
    """Return whether a place holds a password."""
    return isinstance(place, SourceAddress) and urlsplit(place.full).password is not None


def _without_secrets(parts: SplitResult) -> str:
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}{at}{host}"
    shown = f"{parts.scheme.lower()}://{netloc}{parts.path}"
    if _QUERY_MARK.fullmatch(parts.fragment):
        return f"{shown}#{parts.fragment}"
    told = [pair for pair in parse_qsl(parts.query, True) if not _SIGNING.fullmatch(pair[0])]
    if not parts.query:
        return shown
    digest = hashlib.blake2b(repr(told).encode(), digest_size=4).hexdigest()
    return f"{shown}#query-{digest}"
