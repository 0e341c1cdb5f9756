"""How each kind of value is read from what a person writes, and written again.

`Kind.read` takes texts, the values of TOML and JSON, and Python's own, and raises `ValueError` in
words that follow an option's name. What it returns it takes again, and what `Kind.write` makes of
it, too.
"""

from __future__ import annotations

import codecs
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from importer.common.durations import parse_duration, write_duration
from importer.common.text import did_you_mean
from importer.common.uuids import canonical_uuid
from importer.errors import ExitCode
from importer.feedback.ratings import RatingTable, parse_words
from importer.settings.addresses import read_address, read_hook, read_listen
from importer.settings.places import Place, is_table, read_place, recorded
from importer.settings.values import FIELDS, DataLimit, FailureLimit

#: Codecs that Python counts among those of texts, and that cannot go on after an error.
_CODECS_OF_HOSTS = ("idna", "punycode")
_LONGEST_LABEL = 200

#: The value of some option; its type is that of its field.
Value: TypeAlias = Any


def _itself(value: Value) -> Value:
    return value


def words_of(written: object) -> list[str]:
    """Return what was `written` for a repeatable option as a text for each time it is given."""
    if isinstance(written, Mapping):
        return [f"{key}={value}" for key, value in written.items()]
    return [str(item) for item in (written if isinstance(written, (list, tuple)) else [written])]


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of value.

    `write` returns it as JSON and TOML can hold it, `show` as one types it on a command line;
    `schema` is the JSON Schema of what `read` takes. The option of a `many` kind can be repeated.
    """

    metavar: str
    read: Callable[[Value], Value]
    schema: Mapping[str, object]
    write: Callable[[Value], object] = _itself
    show: Callable[[Value], str] = str
    many: bool = False
    choices: tuple[str, ...] = ()
    #: What was written for a repeatable option, as a text for each time it is given.
    words: Callable[[object], list[str]] = words_of


_TEXT: Mapping[str, object] = {"type": "string"}
_TEXT_OR_NUMBER: Mapping[str, object] = {"type": ["string", "number"]}
_TEXTS_OR_TABLE: Mapping[str, object] = {
    "type": ["string", "array", "object"],
    "items": _TEXT,
    "additionalProperties": _TEXT,
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text; it is {value!r}")  # noqa: TRY004 -- as all readers do
    return value


def _texts(value: object) -> tuple[str, ...]:
    texts = [_text(one).strip() for one in (value if isinstance(value, (list, tuple)) else [value])]
    if not all(texts):
        raise ValueError("must not be empty: an empty cell is empty without it")
    return tuple(texts)


def _flag(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"must be true or false; it is {value!r}")
    return found


def _integer(value: object) -> int:
    try:
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise ValueError(f"{value!r} is not a whole number")


def _number(value: object) -> float:
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{value!r} is not a number")


def _duration(value: Value) -> float:
    try:
        return parse_duration(value)
    except OverflowError:
        raise ValueError(f"{value!r} is too long") from None


def _path(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not str(value) or "\0" in str(value):
        raise ValueError(f"must be a path; it is {value!r}")
    return Path(value)


def _places(value: object) -> tuple[Place, ...]:
    is_one = isinstance(value, (str, bytes, Mapping)) or is_table(value)
    several = isinstance(value, Iterable) and not is_one
    places = tuple(map(read_place, value if several else [value]))  # type: ignore[call-overload]
    if not places:
        raise ValueError("hold no input: name at least one file or address")
    return places


def _sql(value: object) -> str:
    text = str(value) if isinstance(value, Path) else _text(value).strip()
    if text.lower().endswith(".sql") and not any(letter.isspace() for letter in text.strip("./")):
        try:
            text = Path(text).read_text("utf-8-sig").strip()
        except OSError as error:
            raise ValueError(f"{text}: {error.strerror}") from None
        except UnicodeError as error:
            raise ValueError(f"{text}: {error}") from None
    text = text.rstrip("; \n\t")
    if not text:
        raise ValueError("holds no query")
    return text


def _ca_file(value: object) -> Path:
    path = _path(value)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one of these
        raise ValueError(f"{path} cannot be used: {error.strerror}") from None
    return path


def _product(value: object) -> str:
    product = canonical_uuid(str(value))
    if product is None:
        raise ValueError(f"{value!r} is not a UUID: copy it from the dashboard")
    return product


def _name(value: object) -> str:
    name = _text(value)
    if not re.fullmatch(r"\w[\w.-]{0,63}", name, re.ASCII):
        raise ValueError(f"is a name of letters, digits, '-' and '.'; it is {value!r}")
    return name


def _label(value: object) -> str:
    label = _text(value).strip()
    if not label or len(label) > _LONGEST_LABEL or not label.isprintable():
        raise ValueError(
            f"is one line of 1 to {_LONGEST_LABEL} characters, such as 'Ticket 42'; it is {value!r}"
        )
    return label


def _codes(value: object) -> frozenset[ExitCode]:
    """Return exit codes, which are written as `0,1,5`, a number, or a list."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    parts = value if several else str(value).strip("[] ").split(",")
    try:
        codes = frozenset(ExitCode(int(part)) for part in parts)  # type: ignore[attr-defined]
    except (ValueError, TypeError):
        known = ", ".join(str(int(code)) for code in ExitCode)
        raise ValueError(
            f"must be exit codes such as 0,1,5, from {known}; it is {value!r}"
        ) from None
    return codes


def _delimiter(value: object) -> str:
    text = "\t" if value in ("tab", "\\t") else value
    if not isinstance(text, str) or len(text) != 1 or text in '"\r\n':
        raise ValueError(f"must be one character, or 'tab'; it is {value!r}")
    return text


def _encoding(value: object) -> str:
    name = _text(value)
    try:
        "".encode(name)
        is_known = codecs.lookup(name).name not in _CODECS_OF_HOSTS
    except (LookupError, ValueError):
        is_known = False
    if not is_known:
        raise ValueError(f"{name!r} is not known to Python: try utf-8, cp1252 or utf-16")
    return name


def _limit(value: object) -> FailureLimit:
    return value if isinstance(value, FailureLimit) else FailureLimit.parse(str(value))


def _data_limit(value: object) -> DataLimit:
    return value if isinstance(value, DataLimit) else DataLimit.parse(str(value))


def _pairs(value: object) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [(str(key), _text(name)) for key, name in value.items()]
    pairs = []
    for item in value if isinstance(value, (list, tuple)) else [value]:
        key, equals, name = _text(item).partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{item!r} is not FIELD=NAME, such as rating=stars")
        pairs.append((key.strip(), name))
    return pairs


def _columns(value: object) -> Mapping[str, str]:
    columns = dict(_pairs(value))
    for name in columns:
        if name not in FIELDS:
            raise ValueError(
                f"{name}=… is not known: the fields are {', '.join(FIELDS)}"
                f"{did_you_mean(name, FIELDS)}"
            )
    return MappingProxyType(columns)


def _ratings(value: object) -> RatingTable:
    if isinstance(value, RatingTable):
        return value
    if isinstance(value, Mapping):
        return RatingTable(parse_words(value))
    parts = value if isinstance(value, (list, tuple)) else [value]
    return RatingTable.parse(
        [str(part) if isinstance(part, Path) else _text(part) for part in parts]
    )


def _words_of_ratings(written: object) -> list[str]:
    return _ratings(written).parts() if isinstance(written, Mapping) else words_of(written)


def choice(of: type[StrEnum]) -> Kind:
    """Return the kind whose values are those of an enumeration."""
    names = tuple(str(member) for member in of)

    def read(value: object) -> StrEnum:
        if value not in names:
            raise ValueError(
                f"must be one of {', '.join(names)}; it is {value!r}"
                f"{did_you_mean(str(value), names)}"
            )
        return of(str(value))

    return Kind(f"[{'|'.join(names)}]", read, {"enum": list(names)}, write=str, choices=names)


FLAG = Kind("", _flag, {"type": "boolean"}, show=lambda value: str(value).lower())
TEXT = Kind("TEXT", _text, _TEXT)
INTEGER = Kind("N", _integer, {"type": "integer"})
NUMBER = Kind("NUMBER", _number, {"type": "number"}, show=lambda value: f"{value:.10g}")
DURATION = Kind("DURATION", _duration, _TEXT_OR_NUMBER, show=write_duration)
#: A record may be read from another folder.
PATH = Kind("PATH", _path, _TEXT, write=recorded)
CA_FILE = Kind("PATH", _ca_file, _TEXT, write=recorded)
#: Where a job is, is known when its record is read.
JOBS_DIR = Kind("PATH", _path, _TEXT, write=str)
PRODUCT = Kind("UUID", _product, _TEXT)
ADDRESS = Kind("URL", read_address, {"type": "string", "format": "uri"})
HOOK = Kind("URL", read_hook, {"type": "string", "format": "uri"})
LISTEN = Kind("HOST:PORT", read_listen, _TEXT)
CODES = Kind(
    "CODES", _codes, {"type": ["string", "integer", "array"], "items": {"type": "integer"}},
    write=lambda codes: sorted(map(int, codes)),
    show=lambda codes: ",".join(str(int(code)) for code in sorted(codes)),
)  # fmt: skip
NAME = Kind("NAME", _name, _TEXT)
LABEL = Kind("TEXT", _label, _TEXT)
DELIMITER = Kind("TEXT", _delimiter, _TEXT, show=lambda text: "tab" if text == "\t" else text)
SQL = Kind("QUERY|FILE.sql", _sql, _TEXT)
ENCODING = Kind("TEXT", _encoding, _TEXT)
LIMIT = Kind("N|N%", _limit, _TEXT_OR_NUMBER, write=str)
DATA_LIMIT = Kind("N|N%", _data_limit, _TEXT_OR_NUMBER, write=str)
INPUTS = Kind(
    "INPUT...", _places, {"type": ["string", "array"], "items": _TEXT},
    write=lambda places: [recorded(place) for place in places],
    show=lambda places: ", ".join(map(str, places)), many=True,
)  # fmt: skip
TEXTS = Kind(
    "TEXT", _texts, {"type": ["string", "array"], "items": _TEXT}, write=list,
    show=", ".join, many=True,
)  # fmt: skip
COLUMNS = Kind(
    "FIELD=NAME", _columns, _TEXTS_OR_TABLE, write=dict,
    show=lambda columns: ", ".join(f"{field}={name}" for field, name in columns.items()), many=True,
)  # fmt: skip
RATINGS = Kind(
    "TABLE", _ratings, _TEXTS_OR_TABLE, write=lambda table: table.written(),
    show=lambda table: ", ".join(table.parts()), many=True, words=_words_of_ratings,
)  # fmt: skip

#: The kind of a value, by its type; the other kinds are named in the field's annotation.
BY_TYPE: Mapping[type, Kind] = {
    bool: FLAG, str: TEXT, int: INTEGER, float: NUMBER, Path: PATH, FailureLimit: LIMIT,
    DataLimit: DATA_LIMIT, RatingTable: RATINGS,
}  # fmt: skip
