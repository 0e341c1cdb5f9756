"""CSV files made at random, most of them spoilt; the same number gives the same file."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.data import conversation

_HEADERS = [
    ("conversation_id", "rating", "comment"),
    ("conversation_id", "rating"),
    ("comment", "x", "conversation_id"),
    ("x", "rating", "conversation_id", "x", "comment"),
]
_RATINGS = ["POSITIVE", "NEGATIVE", "CLEAR", "", " ", "\u00a0", "skip", "5", "positive ", "x" * 90]
_RATINGS += ["ＰOSITIVE", "👍🏽", "odd"]
_COMMENTS = [
    "",
    " ",
    "fine",
    "très utile",
    "回答很好 🙏",
    'say "so"',
    "a,b",
    "two\nlines",
    "c\r\nd",
]
_COMMENTS += ["c\rd", "\u2003", "\x1c", "x" * 30, "\u2028", "é" * 2001, "y" * 2001, "z" * 2000]
_COMMENTS += ["GrÃ¼ÃŸe", "\ufffd lost"]
_COMMENTS += ["NULL", " nan\u2003", "\\N", "n/a\x1f", "\u200b", f"see\n{conversation(3)},UP,x"]
_COMMENTS += [f"see\n{conversation(3)}, and so\n{conversation(4)};UP", "x\n" + conversation(5)]
_COMMENTS += ["\x85", "ﬀ", "\ufeffmark", '"', '""', "a;b|c\td", "\t", "\x1f ", "é", "🙏" * 1500]
#: What is put in, in the place of something, or between two bytes.
_PIECES = [
    b'"', b'""', b"\n", b"\r", b"\r\n", b"\n\n", b",", b"\0", b"\xff", b"\xc3", b"\xe2\x82",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b" ", b'"\n', b'\n"', b'","', b"\\", b"'", b"\xc2\x85",
    b"\xe2\x80\xa8", b"x" * 80, b'"x', b'x"', b"\xf4\x90\x80\x80", b"\xc0\x80", b"\x0b", b"\x1c",
    b"\x1a", b"conversation_id,rating,comment\n", b"\n,,,,\n", b',"a\n', b"sep=;\n",
    b"\xe2\x80\x8b",
    conversation(7).encode() + b",UP,x\n", b"a,b,c\n", b",,\n", b'"",""\n', b'" "\n',
    b"\r\n\r\n", b"\n \n",
]  # fmt: skip


class Spoilt(NamedTuple):
    """A file and how it is read. `block` and `piece` are the sizes of the two tiers, in bytes."""

    content: bytes
    name: str
    delimiter: str | None
    encoding: str
    record_limit: int
    block: int
    piece: int
    skip_lines: int
    trust_quotes: bool
    nulls: Sequence[str]

    @property
    def options(self) -> dict[str, Any]:
        """What `CsvSource` is told of the file."""
        names = ("delimiter", "encoding", "skip_lines", "trust_quotes", "nulls")
        return {name: getattr(self, name) for name in names}

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.content)
        return path


def spoilt(number: int) -> Spoilt:
    """Return file `number`."""
    dice = random.Random(number)
    delimiter = dice.choice(",,,;\t|")
    header = dice.choice(_HEADERS)
    encoding = dice.choice(["utf-8"] * 6 + ["cp1252", "utf-16", "latin-1"])
    text = _text(dice, header, delimiter)
    skip_lines = dice.choice([0] * 8 + [1, 3, 40])
    text = 'above, the "table\n' * dice.choice([skip_lines] * 9 + [1]) + text
    content = _mutated(dice, text.encode(encoding, "replace"), len(delimiter.join(header)))
    name = "in.csv"
    if dice.random() < 0.1:
        name, content = "in.csv.gz", gzip.compress(content, 1, mtime=0)
        if dice.random() < 0.6:
            content = _damaged(dice, content)
    limit = dice.choice([1 << 20, 1 << 20, 6000, 400])
    block, piece = dice.choice(
        [(1 << 19, 1 << 14), (64, 64), (200, 50), (399, 40), (1 << 12, 60), (1 << 12, 300)]
    )
    return Spoilt(
        content,
        name,
        delimiter if dice.random() < 0.5 else None,
        encoding,
        # Blocks are always smaller than the longest record.
        limit if block < limit else 1 << 20,
        block,
        piece,
        skip_lines,
        dice.random() < 0.2,
        dice.choice([(), (), ("NULL", "nan"), ("n/a", "POSITIVE", "fine", "\\N")]),
    )


def _text(dice: random.Random, header: Sequence[str], delimiter: str) -> str:
    end = dice.choice(["\n", "\n", "\n", "\r\n", "\r", None])
    quoted = dice.choice([0, 0, 0.2, 1])
    oddness = dice.choice([0, 0, 0.05, 0.3])
    always_more = dice.choice([0] * 9 + [1])
    lines = [delimiter.join(header)]
    for _ in range(dice.choice([1, 3, 10, 30, 80])):
        cells = [_cell(dice, name, delimiter, oddness, quoted) for name in header]
        if dice.random() < oddness / 4:
            cells.append("more")
        if dice.random() < oddness / 4:
            cells.pop()
        lines.append(delimiter.join(cells))
        if dice.random() < oddness / 4:
            lines.append(
                dice.choice(["", delimiter * 5, delimiter, lines[0], "\ufeff" + lines[0].upper()])
            )
        if dice.random() < always_more:
            lines[-1] += delimiter
    text = "".join(line + (end or dice.choice(["\n", "\r\n", "\r"])) for line in lines)
    if dice.random() < 0.3:
        text = text.rstrip("\r\n")
    return "\ufeff" + text if dice.random() < 0.1 else text


def _cell(dice: random.Random, name: str, delimiter: str, oddness: float, quoted: float) -> str:
    is_odd = dice.random() < oddness
    match name:
        case "conversation_id":
            text = conversation(dice.randrange(12))
            text = _odd_id(dice, text) if is_odd else text
        case "rating":
            text = dice.choice(_RATINGS if is_odd else _RATINGS[:2])
        case _:
            all_of_them = is_odd or dice.random() < 0.3
            text = dice.choice(_COMMENTS if all_of_them else _COMMENTS[2:5])
    if dice.random() < quoted or any(sign in text for sign in '"\r\n' + delimiter):
        return '"' + text.replace('"', '""') + '"'
    return text


def _odd_id(dice: random.Random, who: str) -> str:
    return dice.choice(
        [
            who.upper(), who.replace("-", ""), "{" + who + "}", "urn:uuid:" + who, who[:-1],
            who[:-1] + "g", " " + who, "\u200b" + who, who.replace("-", "") + "\u00a0" * 2,
            "\ufeff", "conversation_id", "", who.replace("-", "+", 1), "é" + who[2:], "é" * 18,
            who.replace("-", "_"), who[:8] + who[9:] + "-", "M" + who[1:],
        ]
    )  # fmt: skip


def _mutated(dice: random.Random, content: bytes, header: int) -> bytes:
    data = bytearray(content)
    for _ in range(dice.choice([0, 0, 1, 1, 2, 5])):
        # Files whose header is spoilt are refused by both, so that is done seldom.
        first = 0 if dice.random() < 0.05 else min(header, len(data))
        at = dice.randrange(first, len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[at:at] = dice.choice(_PIECES)
            case 1:
                del data[at : at + dice.choice([1, 2, 5, 40])]
            case 2:
                data[at : at + 1] = dice.choice(_PIECES)
            case _:
                start = dice.randrange(first, len(data) + 1)
                data[at:at] = data[start : start + dice.choice([1, 10, 60])]
    return bytes(data)


def _damaged(dice: random.Random, content: bytes) -> bytes:
    if dice.random() < 0.5:
        return content[: dice.randrange(len(content))] or b"\x1f"
    at = dice.randrange(len(content))
    return content[:at] + dice.randbytes(1) + content[at + 1 :]
