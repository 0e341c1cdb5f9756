"""From the records of a file to rows: the same for every format that is read record by record."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from importer.common.text import shown
from importer.common.uuids import canonical_uuid
from importer.model import Reason, Row
from importer.sources.base import Original
from importer.sources.kept_bytes import kept_byte
from importer.sources.noticed import Noticed
from importer.sources.own_columns import find_own_columns

#: The first half of a character beyond 16 bits, as JSON can name it; it stands for no byte.
_HALF = re.compile("[\ud800-\udbff]")


class Record(NamedTuple):
    """A record and the physical line (from 1) on which it starts, None where there are no lines.

    A malformed record has its `problem` in words, and its raw text as its only field. What stands
    in it under `job` and under `conversation_id` is told apart, as far as it is sure.
    """

    line: int | None
    fields: list[str]
    problem: str | None = None
    job: str = ""
    conversation_id: str = ""


class RowMaker:
    """Makes rows of records that have the columns of `header`.

    `places` are the columns of the fields; `encoding` is the file's, for messages. A rating or a
    comment that is one of the `nulls` is empty. `noticed` takes in what is odd. In what the
    importer itself has added to a left-over file, and does not read, any bytes may be.
    """

    def __init__(
        self,
        header: Sequence[str],
        places: Mapping[str, int],
        encoding: str,
        nulls: Collection[str] = (),
    ) -> None:
        self.header = header
        self.places = places
        self.nulls = frozenset(nulls)
        self.noticed = Noticed()
        self._encoding = encoding.removesuffix("-sig")
        #: Whether some bytes were met that are not in the encoding.
        self.met_bad_bytes = False
        own = find_own_columns(header)
        unread = () if own is None else range(own.start, len(header))
        self._unread = {*unread} - {*places.values()}

    def rows(
        self, records: Iterable[Record], first_seq: int, noticed: Noticed | None = None
    ) -> Iterator[Row]:
        """Yield a row for each record; the first one gets `first_seq`.

        What is odd in them goes to `noticed`, if not to that of the maker.
        """
        place = self.places
        id_at = place["conversation_id"]
        rating_at, comment_at = place.get("rating"), place.get("comment")
        newest_at, job_at = place.get("newest"), place.get("job")
        is_ranked = newest_at is not None or job_at is not None
        nulls, see = self.nulls, (noticed or self.noticed).see
        for seq, (line, fields, problem, job, sure_id) in enumerate(records, first_seq):
            if problem is not None:
                yield _bad(seq, line, Reason.MALFORMED, problem, job, sure_id)
            elif kept_byte("".join(fields)) is not None and (told := self._undecodable(fields)):
                left_by = "" if job_at is None else fields[job_at]
                # Bad bytes may have swallowed a delimiter: what is before them is sure.
                is_sure = kept_byte("".join(fields[: id_at + 1])) is None
                named = fields[id_at] if is_sure else ""
                yield _bad(seq, line, Reason.BAD_BYTES, told, left_by, named)
            else:
                conversation = fields[id_at]
                rating = "" if rating_at is None else fields[rating_at]
                comment = "" if comment_at is None else fields[comment_at]
                if nulls:
                    rating = "" if rating.strip() in nulls else rating
                    comment = "" if comment.strip() in nulls else comment
                see(conversation, comment)
                row = Row(seq, conversation, rating, comment, line)
                if is_ranked:
                    row = row._replace(
                        newest="" if newest_at is None else fields[newest_at],
                        job="" if job_at is None else fields[job_at],
                    )
                yield row

    def _undecodable(self, fields: list[str]) -> str:
        """Return what is wrong with the first cell that cannot be read; empty if all can be."""
        for place, cell in enumerate(fields):
            if (byte := kept_byte(cell)) is None or place in self._unread:
                continue
            column = f"column {shown(self.header[place].strip())}"
            if (half := _HALF.search(cell)) is not None:
                return f"{column} holds half a character (\\u{ord(half[0]):x})"
            self.met_bad_bytes = True
            return f"byte 0x{byte:02X} in {column} is not valid {self._encoding}"
        return ""


def originals_among(records: Iterable[Record], numbers: Iterable[int]) -> Iterator[Original]:
    """Yield the records with these numbers, from 1 and in rising order, as they stand there."""
    wanted = iter(numbers)
    next_wanted = next(wanted, None)
    for number, record in enumerate(records, start=1):
        if next_wanted is None:
            return
        if number == next_wanted:
            yield Original(number, record.fields)
            next_wanted = next(wanted, None)


def _bad(
    seq: int, line: int | None, reason: Reason, detail: str, job: str, conversation_id: str
) -> Row:
    """Return a row that cannot be read, but for its conversation, and where it was left over."""
    job = job if kept_byte(job) is None else ""
    conversation = canonical_uuid(conversation_id) or ""
    return Row(seq, conversation, "", "", line, reason, detail, job=job)
