"""Texts for people: foreign ones made harmless, counts with their nouns, names that were meant."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

#: Format characters that nobody sees: zero-width ones, byte order marks, marks of direction.
_UNSEEN = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(rf"^[\s{_UNSEEN}]+|[\s{_UNSEEN}]+$")
#: Lone surrogates: no text that could be decoded holds one.
_UNDECODED = re.compile("[\ud800-\udfff]")
#: Options or a command at the end of a text.
_OPTIONS_AT_END = re.compile(r": (--[a-z]|clarityq-import )[^:]*$")
_NOTHING = re.compile(rf"[\s{_UNSEEN}]*")


def trimmed(text: str) -> str:
    """Return `text` without the white space and the invisible characters around it."""
    # Asked for every cell: nearly all begin and end with a sign of ASCII, which surely shows.
    if text and "!" <= text[0] <= "~" and "!" <= text[-1] <= "~":
        return text
    return _AROUND.sub("", text)


def is_blank(text: str) -> bool:
    """Return whether `text` holds nothing but white space and invisible characters."""
    if text and "!" <= text[0] <= "~":
        return False
    return _NOTHING.fullmatch(text) is not None


def composed(text: str) -> str:
    """Return `text` with composed letters (NFC), so that names that look the same are the same."""
    return unicodedata.normalize("NFC", text)


def shell_word(text: str) -> str:
    """Return `text` as one types it in a shell, whatever characters or bytes it holds."""
    if text.isprintable():
        return shlex.quote(text)
    shown_as = {ord("\\"): "\\\\", ord("'"): "\\'"}
    parts = (
        c.translate(shown_as)
        if c.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in _bytes_of(c))
        for c in text
    )
    return f"$'{''.join(parts)}'"


def _bytes_of(character: str) -> bytes:
    try:
        return os.fsencode(character)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte of a file's name
        return character.encode("utf-8", "surrogatepass")


def escaped(text: str, *, keep: str = "") -> str:
    """Return `text` with control characters and marks escaped, but for those in `keep`.

    They could steer a terminal, or reorder what stands beside them.
    """
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def printable(text: str) -> str:
    """Return `text` as one that every encoding of Unicode has: odd bytes of a name are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def readable(text: str) -> str:
    """Return `text` with the usual sign for what could not be decoded in the place of it."""
    return _UNDECODED.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(value: str, limit: int = 40) -> str:
    r"""Return `value` quoted for a message: control characters escaped, cut at `limit`.

    Backslashes are as they are: people look for `\N` in their file, and paste it.
    """
    text = escaped(readable(value if len(value) <= limit else value[: limit - 1] + "…"))
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"


def sentence(text: str) -> str:
    """Return `text` with a full stop, unless it ends with a mark of its own or with options.

    Whoever pastes these would paste the stop with them.
    """
    is_ended = text.endswith((".", "?", "!")) or _OPTIONS_AT_END.search(text) is not None
    return text if is_ended else f"{text}."


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `12,000 rows`: a count with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_or_are(number: int) -> str:
    """Return the verb of so many things."""
    return "is" if number == 1 else "are"


def was_or_were(number: int) -> str:
    """Return the verb of so many things that are past."""
    return "was" if number == 1 else "were"


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def few_listed(words: Sequence[str], most: int) -> str:
    """Return the first words as a sentence lists them, and how many others there are."""
    others = len(words) - most
    return listed([*words[:most], *([counted(others, "other")] if others > 0 else [])])


def size_text(size: int) -> str:
    """Return `12 bytes`, `3.4 MB`: so many bytes for people."""
    if size < 1000:
        return counted(size, "byte")
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 1000:
            return f"{number:.3g} {unit}"
    return f"{number / 1000:,.3g} TB"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name in `known` that is most like `name`, or None if none is.

    `cutoff` is how much alike they must be, from 0 (anything) to 1 (the same).
    """
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the end of a message on the unknown `name`: the name that was meant, or nothing."""
    meant = nearest(name, known, cutoff)
    return "" if meant is None else f"; did you mean {meant!r}?"


def folded_name(name: str) -> str:
    """Return a column's name without what does not matter: case, and what nobody sees around it."""
    return composed(trimmed(name)).casefold()
