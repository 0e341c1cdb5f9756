"""In which encoding a file may be as a whole (docs/reference.md, V2), whatever its pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from importer.sources.csv import encodings
from importer.sources.csv.encodings import Letters, is_beyond_ascii_utf8, other_encoding

UTF8, CP1252 = "é, größer\n".encode(), "é, größer\n".encode("cp1252")
BOTH = b"\xc3\xa9 \xe9\n"  # a line with a letter in each


def cut(content: bytes) -> Iterator[list[bytes]]:
    """Yield a file in pieces of each size."""
    for size in range(1, len(content) + 1):
        yield [content[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(
    ("content", "said", "other"),
    [
        (b"plain\n" + UTF8 * 2 + b"plain", None, "utf-8"),
        (b"plain\n" + CP1252 * 2 + b"plain", None, "cp1252"),
        (CP1252, "utf-8-sig", "cp1252"),
        (CP1252, "windows-1252", ""),
        (b"plain\n" + BOTH + b"plain", "utf-8", "cp1252"),
        (b"\xc3A\xa9", "utf-8", "cp1252"),
        (b"\x81\n" + CP1252, "utf-8", ""),
        (CP1252 + UTF8.strip(), "utf-8", None),
        (UTF8 + CP1252.strip(), "utf-8", None),
        (CP1252 + UTF8 + BOTH, "latin-1", None),
    ],
)
def test_an_encoding_is_proposed_if_all_can_be_read_in_it_and_no_line_is_in_utf8(
    content: bytes, said: str | None, other: str | None, end: bytes
) -> None:
    for pieces in cut(content.replace(b"\n", end)):
        assert other_encoding(pieces, said) == other, pieces


@pytest.mark.parametrize(
    ("content", "are_utf8"),
    [(UTF8, True), (b"plain", False), (b"plain\n" + UTF8.strip() + b", plain", True),
     (UTF8 + CP1252.strip(), False), (CP1252, False), (b"plain \xc3", False)],
)  # fmt: skip
def test_a_file_that_is_utf8_and_not_all_ascii_is_known_by_all_its_bytes(
    content: bytes, are_utf8: bool
) -> None:
    for pieces in cut(content):
        letters = Letters("cp1252")
        for piece in pieces:
            letters.see(piece)
        assert (letters.are_utf8(), is_beyond_ascii_utf8(pieces)) == (are_utf8, are_utf8), pieces


def test_a_line_that_is_too_long_to_be_kept_is_cut_in_no_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encodings, "_LONGEST_LINE", 8)
    for text, encoding in (("é€😀" * 20, "utf-8"), ("é" * 40, "cp1252"), ("¼" * 40, "cp1252")):
        for pieces in cut(text.encode(encoding)):
            assert other_encoding(pieces, None) == encoding, pieces
