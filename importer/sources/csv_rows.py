"""From the records of a CSV file to rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from importer.model import Reason, Row
from importer.sources.csv_records import Record, kept_byte


class RowMaker:
    """Makes rows of records that have the columns of `header`.

    `places` are the columns of the fields; `encoding` is the file's, for messages.
    """

    def __init__(self, header: Sequence[str], places: Mapping[str, int], encoding: str) -> None:
        self.header = header
        self.places = places
        self._encoding = encoding.removesuffix("-sig")

    def rows(self, records: Iterable[Record], first_seq: int) -> Iterator[Row]:
        """Yield a row for each record; the first one gets `first_seq`."""
        place = self.places
        id_at = place["conversation_id"]
        rating_at, comment_at = place.get("rating"), place.get("comment")
        for seq, (line, fields, problem) in enumerate(records, first_seq):
            if problem is not None:
                yield _bad(seq, line, Reason.MALFORMED, problem)
            elif (byte := kept_byte("".join(fields))) is not None:
                yield _bad(seq, line, Reason.BAD_BYTES, self._undecodable(fields, byte))
            else:
                yield Row(
                    seq,
                    fields[id_at],
                    "" if rating_at is None else fields[rating_at],
                    "" if comment_at is None else fields[comment_at],
                    line,
                )

    def _undecodable(self, fields: list[str], byte: int) -> str:
        column = next(
            (n for n, v in zip(self.header, fields, strict=True) if kept_byte(v) is not None), "?"
        )
        return (
            f"byte 0x{byte:02X} in column {column.strip()!r} is not valid {self._encoding}; "
            "if the whole file is in another encoding, give --encoding, such as cp1252"
        )


def _bad(seq: int, line: int, reason: Reason, detail: str) -> Row:
    return Row(seq, "", "", "", line, reason, detail)
