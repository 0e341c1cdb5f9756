"""What a reader has noticed of a file that a person should know, though it rejects no row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from importer.common.text import counted, shown, trimmed
from importer.common.uuids import LAST_HYPHEN, UUID_LENGTH, canonical_uuid
from importer.feedback.null_markers import LONGEST_MARKER, is_null_marker, null_options

_MOST_MARKERS = 10
#: A cell with white space around a marker may be longer than the marker.
LONGEST_NULL_CELL = LONGEST_MARKER + 2

#: What the bytes 80 to BF are in cp1252: of UTF-8, all bytes of a character but its first one.
#: Those that it lacks are read as controls.
_NEXT = {chr(byte) for byte in range(0x80, 0xC0)}
_NEXT |= {*bytes(range(0x80, 0xC0)).decode("cp1252", "ignore")}
#: Of these, what comes after a letter in texts that are right: other letters, and signs.
_AFTER_LETTER = {*"ŠšŽžŒœŸƒªº\u00a0»›’”‘“…–—•·´\u00ad°²³¹™©®"}
#: And what comes there before the next word, where somebody leaves out the space.
_BEFORE_WORD = {*"¿¡«‹„‚€£¥§"}


def _one_of(signs: set[str]) -> str:
    return f"[{re.escape(''.join(sorted(signs)))}]"


_ANY, _ODD = _one_of(_NEXT), _one_of(_NEXT - _AFTER_LETTER)
_ODDEST = _one_of(_NEXT - _AFTER_LETTER - _BEFORE_WORD)
#: But for a space that does not break lines, which often stands after a letter, and fractions.
_TIGHT = rf"(?![\u00a0¼½¾]){_ANY}"
#: What garbled text looks like: its first sign, and what follows. That is the sign of a character
#: that was lost, or UTF-8 that a program has read as cp1252 and written. Signs that stand around
#: words count only where no right text has them: in the middle of a word, or after a sign that
#: ends none.
_SIGNS = [
    ("\ufffd", ""),
    ("Â", "[\u00a0-\u00bf]"),
    ("Ã", "[\u0080-\u00bfŒœŠšŸŽž€™‚ƒ„†‡ˆ‰‹˜]"),
    ("Ã", rf"(?<![A-ZÀ-Þ“”„‘’«»]Ã)(?:–|{_ANY}(?=\w))"),
    ("Ã", r"–(?=\w)"),
    ("[ÄÅ]", _ODD),
    ("[ÎÏÐÑØÙ×]", f"{_TIGHT}[ÎÏÐÑØÙ×]{_ANY}"),  # such as Greek or Cyrillic
    ("â", f"(?:€|œ{_ANY})"),
    ("[à-ï]", f"(?:{_ODDEST}{_ANY}|{_TIGHT}{_ODDEST})"),
    ("ð", "[Ÿ\u009f]"),  # of emoji
]
#: Text without any first sign is passed over at once.
_GARBLED = re.compile(f"[\ufffdÂ-ð](?:{'|'.join(f'(?<={first}){then}' for first, then in _SIGNS)})")
#: What is in all of them, as UTF-8, and is soon found: a sign that was lost, or two signs of which
#: one might begin a character, and the other go on with it.
_MAY_BE_GARBLED = re.compile(
    b"\xc3(?:[\x82\x83]|[\x84-\xb0](?!\xc2\xa0))[%s]"
    % bytes(sorted({sign.encode()[0] for sign in _NEXT}))
)
_LOST = "\ufffd".encode()


def may_be_garbled(text: bytes) -> bool:
    """Return whether some of this UTF-8 might be garbled; quickly, as most of it is not."""
    return _LOST in text or _MAY_BE_GARBLED.search(text) is not None


class Noticed:
    """Counts what is odd in one reading of a file. All figures are in rows.

    `encoding` is in which its text is read, if that takes any bytes of UTF-8 for letters.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self._encoding = encoding
        self.repeated_headers = 0
        self.hollow = 0
        #: Cells of a workbook with an error in the place of a value.
        self.error_cells = 0
        #: Rows that ended before the last column that is read.
        self.ended_early = 0
        self.padded_ids = 0
        #: Comments that look like null markers, as they stand there.
        self.null_comments: Counter[str] = Counter()
        self.garbled = 0
        #: The first of the garbled comments.
        self.garbled_example = ""
        #: Comments that look garbled because they are UTF-8, which the encoding is not.
        self.misread = 0
        self.misread_example = ""
        #: The last physical line, if it has no line end.
        self.unended = ""

    def see(self, conversation_id: str, comment: str) -> None:
        """Count what is odd in the cells of a row."""
        # Nothing is around an id of that length with hyphens.
        if len(conversation_id) != UUID_LENGTH or conversation_id[LAST_HYPHEN] != "-":
            self.see_id(conversation_id)
        if 0 < len(comment) <= LONGEST_NULL_CELL:
            self.see_comment(comment)
        if not comment.isascii():
            self.see_letters(comment)

    def see_id(self, cell: str) -> None:
        """Count an id with something invisible around it."""
        self.padded_ids += trimmed(cell) != cell and canonical_uuid(cell) is not None

    def see_comment(self, cell: str) -> None:
        """Count a comment that looks like a null marker."""
        if len(cell) <= LONGEST_NULL_CELL and is_null_marker(cell):
            self.null_comments[cell] += 1

    def see_letters(self, comment: str) -> None:
        """Count a comment whose letters are lost: by another program, or in this reading."""
        if not _GARBLED.search(comment):
            return
        if self._encoding is not None and _is_utf8_in(comment, self._encoding):
            self.misread += 1
            self.misread_example = self.misread_example or comment
        else:
            self.garbled += 1
            self.garbled_example = self.garbled_example or comment

    def remarks(self, rows: int, nulls: Collection[str] = ()) -> list[str]:
        """Return what was noticed as sentences.

        `rows` are the rows of the file, `nulls` the words that count as empty there.
        """
        found = []
        if not rows:
            found.append("no rows: there is nothing to import from it")
        if self.repeated_headers:
            lines = counted(self.repeated_headers, "line")
            found.append(f"passed over {lines} that held the header once more")
        if self.hollow:
            lines = counted(self.hollow, "line")
            found.append(f"passed over {lines} of nothing but delimiters or white space")
        if self.error_cells:
            cells = counted(self.error_cells, "cell")
            found.append(
                f"{cells} of the workbook with an error such as #NAME? in place of a value, which "
                "counts as empty: what was there is lost here, so look at them before the import"
            )
        if self.ended_early:
            short = counted(self.ended_early, "row")
            found.append(f"{short} with too few cells: those that are missing count as empty")
        if self.padded_ids:
            found.append(
                f"{self.padded_ids:,} × conversation_id with white space or invisible characters "
                "around it, which is read without"
            )
        if self.null_comments:
            found.append(self._null_remark(nulls))
        if self.garbled:
            looks = "looks" if self.garbled == 1 else "look"
            found.append(
                f"{counted(self.garbled, 'comment')} {looks} as if another program had read it in "
                f"a wrong encoding: {shown(self.garbled_example)}. Such a comment is sent as it is"
            )
        if self.misread:
            looks = "looks" if self.misread == 1 else "look"
            found.append(
                f"{counted(self.misread, 'comment')} {looks} like UTF-8 that is read as "
                f"{self._encoding} here: {shown(self.misread_example)}. Such a comment is sent as "
                "it is read"
            )
        return found

    def _null_remark(self, nulls: Collection[str]) -> str:
        most = self.null_comments.most_common(_MOST_MARKERS)
        cells = ", ".join(f"{number:,} × {shown(cell)}" for cell, number in most)
        options = null_options([trimmed(cell) for cell, _ in most], nulls)
        return (
            f"comments that look like no value at all are sent as they are: {cells}. "
            f"To leave them out: {options}"
        )


def _is_utf8_in(text: str, encoding: str) -> bool:
    """Return whether the bytes of a text are valid UTF-8, as it stands in that encoding."""
    try:
        text.encode(encoding).decode()
    except UnicodeError:
        return False
    return True
