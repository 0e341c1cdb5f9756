"""What a reader has noticed of a file that a person should know, though it rejects no row."""

from __future__ import annotations

from collections import Counter

from importer.common.text import counted, shell_word, shown, trimmed
from importer.common.uuids import LAST_HYPHEN, UUID_LENGTH, canonical_uuid
from importer.feedback.null_markers import LONGEST_MARKER, is_null_marker

_MOST_MARKERS = 10
#: A cell with white space around a marker may be longer than the marker.
LONGEST_NULL_CELL = LONGEST_MARKER + 2


class Noticed:
    """Counts what is odd in one reading of a file. All figures are in rows."""

    def __init__(self) -> None:
        self.repeated_headers = 0
        self.hollow = 0
        self.padded_ids = 0
        #: Comments that look like null markers, as they stand there.
        self.null_comments: Counter[str] = Counter()
        #: The last physical line, if it has no line end.
        self.unended = ""

    def see(self, conversation_id: str, comment: str) -> None:
        """Count what is odd in the cells of a row."""
        # Nothing is around an id of that length with hyphens.
        if len(conversation_id) != UUID_LENGTH or conversation_id[LAST_HYPHEN] != "-":
            self.see_id(conversation_id)
        if 0 < len(comment) <= LONGEST_NULL_CELL:
            self.see_comment(comment)

    def see_id(self, cell: str) -> None:
        """Count an id with something invisible around it."""
        self.padded_ids += trimmed(cell) != cell and canonical_uuid(cell) is not None

    def see_comment(self, cell: str) -> None:
        """Count a comment that looks like a null marker."""
        if len(cell) <= LONGEST_NULL_CELL and is_null_marker(cell):
            self.null_comments[cell] += 1

    def remarks(self, rows: int) -> list[str]:
        """Return what was noticed as sentences; `rows` are the rows of the file."""
        found = []
        if not rows:
            found.append("no rows: there is nothing to import from it")
        if self.repeated_headers:
            lines = counted(self.repeated_headers, "line")
            found.append(f"passed over {lines} that held the header once more")
        if self.hollow:
            lines = counted(self.hollow, "line")
            found.append(f"passed over {lines} of nothing but delimiters")
        if self.padded_ids:
            found.append(
                f"{self.padded_ids:,} × conversation_id with white space or invisible characters "
                "around it, which is read without"
            )
        if self.null_comments:
            found.append(self._null_remark())
        return found

    def _null_remark(self) -> str:
        most = self.null_comments.most_common(_MOST_MARKERS)
        cells = ", ".join(f"{number:,} × {shown(cell)}" for cell, number in most)
        options = " ".join(
            f"--null {shell_word(word)}"
            for word in dict.fromkeys(trimmed(cell) for cell, _ in most)
        )
        return (
            f"comments that look like no value at all would be sent as they are: {cells}. "
            f"To leave them out: {options}"
        )
