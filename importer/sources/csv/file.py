"""Rows from CSV files of any common dialect, compressed or not, in bounded memory."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from importer.errors import InputError
from importer.model import Row
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import BY_COLUMN_FROM, Original, Part, RowPart
from importer.sources.columns import find_columns
from importer.sources.csv.encodings import (
    LIKELY_CODEC,
    Letters,
    Watched,
    has_one_byte_letters,
    is_beyond_ascii_utf8,
    other_encoding,
)
from importer.sources.csv.records import RecordReader
from importer.sources.csv.sample import Sample
from importer.sources.csv.shape import Shape
from importer.sources.kept_bytes import KEEP_BYTES, kept_byte
from importer.sources.location import DAMAGED, FAILURES, check_is_text, open_binary, unreadable
from importer.sources.noticed import Noticed
from importer.sources.row_maker import Record, RowMaker, originals_among

_SAMPLE = 64 * 1024
_UTF8 = "utf-8-sig"
#: A name that only the header of a left-over file has.
_OURS = b"http_status"


def open_file(path: Path, name: str, settings: ImportSettings) -> CsvSource:
    """Open a CSV file; see `registry`."""
    reading, mapping = settings.reading, settings.mapping
    return CsvSource(
        path, mapping.columns, name=name, delimiter=reading.delimiter, encoding=reading.encoding,
        newest_by=mapping.newest_by, skip_lines=reading.skip_lines,
        trust_quotes=reading.trust_quotes, nulls=mapping.nulls,
    )  # fmt: skip


class CsvSource:
    """One CSV file; a `RowSource`."""

    format = InputFormat.CSV

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, str],
        *,
        name: str | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        newest_by: str | None = None,
        skip_lines: int = 0,
        trust_quotes: bool = False,
        nulls: Collection[str] = (),
    ) -> None:
        self.path = path
        self.name = name or str(path)
        self.encoding = encoding
        self._codec = encoding
        self._size = max(1, path.stat().st_size)
        self._read = self._rows = 0
        start = self._start()
        self._has_mark = start.startswith(codecs.BOM_UTF8)
        if codecs.lookup(encoding).name == "utf-8":
            self._codec = _UTF8  # which reads files with and without a byte order mark
        elif self._has_mark and has_one_byte_letters(encoding):
            self.encoding = self._codec = _UTF8  # the mark is certain, and the option is not
        elif _OURS in start.partition(b"\n")[0] and self._may_be_utf8():
            self.encoding = self._codec = _UTF8  # as a spreadsheet saves what was to be fixed
        check_is_text(self.name, start, self._codec)
        sample = Sample(start.decode(self._codec, KEEP_BYTES), skip_lines)
        self._dialect = sample.dialect(columns, delimiter, trust_quotes=trust_quotes)
        self.delimiter = self._dialect.delimiter
        sample.check_is_header(self.name, columns)
        try:
            self.header, places = self._read_header(columns, newest_by)
        except InputError as error:
            if self._may_be_utf8():
                told = self._told_utf8()
                raise InputError(f"{error}. {told[:1].upper()}{told[1:]}") from None
            if not (hint := sample.hint(columns, self._codec, self._find_other_encoding)):
                raise
            raise InputError(f"{error}{hint}") from None
        self._shape = Shape(self.header, places, self.delimiter)
        self._make = RowMaker(self.header, places, self._codec, nulls)
        self._letters = Letters(self._codec)

    @property
    def other_encoding(self) -> str | None:
        """See `RowSource`; of a file of which all rows were read."""
        is_said = self._codec == _UTF8 and self._has_mark  # so that the option changes nothing
        if not self._make.met_bad_bytes or is_said:
            return None
        return self._letters.other_encoding() if has_one_byte_letters(self._codec) else ""

    @property
    def other_letters(self) -> str:
        """See `RowSource`."""
        return self._letters.other_letters() if self.other_encoding else ""

    @property
    def misread(self) -> int:
        """See `RowSource`."""
        return self._make.noticed.misread

    def _find_other_encoding(self) -> str | None:
        """Return in which encoding the whole file, read for that, may be; see `other_encoding`."""
        if self._codec == _UTF8 and self._has_mark:
            return None
        if not has_one_byte_letters(self._codec):
            return ""
        stream, raw = open_binary(self.path, self.name)
        # Of a damaged file the rows before the damage are read, and their bytes tell.
        with raw, stream:
            return other_encoding(_until_damaged(stream), self._codec)

    def _read_header(
        self, columns: Mapping[str, str], newest_by: str | None
    ) -> tuple[Sequence[str], dict[str, int]]:
        with contextlib.closing(self._records(None)) as records:
            first = next(records, None)
        if first is None:
            raise InputError(f"{self.name} has no header: it holds nothing but blank lines")
        if first.problem is not None:
            raise InputError(f"{self.name}, line {first.line}: the header: {first.problem}")
        header = first.fields
        try:
            return header, find_columns(self.name, header, columns, newest_by)
        except InputError:
            codec = codecs.lookup(self._codec).name.removesuffix("-sig")
            if kept_byte("".join(header)) is None or not has_one_byte_letters(codec):
                raise
        # The names as a person can read them, and paste them beside the encoding that is proposed.
        raw = [name.encode(codec, KEEP_BYTES) for name in header]
        meant = other_encoding(raw, None) or LIKELY_CODEC
        likely = [name.decode(meant, "replace") for name in raw]
        find_columns(self.name, likely, columns, newest_by)
        raise InputError(f"{self.name}: its header cannot be read")

    def batches(self, first_seq: int, size: int) -> Iterator[Sequence[Row]]:
        """Yield all rows; see `RowSource`."""
        self._begin()
        with contextlib.closing(self._data(self._make.noticed, watch=True)) as records:
            rows = self._make.rows(records, first_seq)
            while batch := list(islice(rows, size)):
                self._rows += len(batch)
                yield batch

    def parts(self, first_seq: int, size: int) -> Iterator[Part]:
        """Yield all rows, by column where that is sure to be exact; see `RowSource`."""
        if self._size < BY_COLUMN_FROM:
            yield from map(RowPart, self.batches(first_seq, size))
            return
        from importer.sources.csv.blocks import Blocks, ByteStream  # noqa: PLC0415 -- loads numpy
        from importer.sources.csv.parts import (  # noqa: PLC0415 -- as above
            BLOCK,
            TwoTierReader,
            is_parsed_alike,
        )

        if not is_parsed_alike(self.delimiter):
            yield from map(RowPart, self.batches(first_seq, size))
            return
        self._begin()
        stream, raw = open_binary(self.path, self.name)
        with raw, stream, self._explained():
            found = Blocks(
                cast("ByteStream", self._watched(stream)),
                self._codec,
                BLOCK,
                compressed=stream is not raw,
                newline=self._dialect.newline,
            )
            reader = TwoTierReader(found, self._make, self._dialect, self._shape, BLOCK)
            for part in reader.parts(first_seq):
                self._read = raw.tell()
                self._rows += len(part.rows) if isinstance(part, RowPart) else len(part)
                yield part
        self._read = self._size

    def _begin(self) -> None:
        takes_utf8 = self._codec != _UTF8 and has_one_byte_letters(self._codec)
        self._rows, self._make.noticed = 0, Noticed(self.encoding if takes_utf8 else None)
        self._letters = Letters(self._codec)

    def _watched(self, stream: BinaryIO) -> BinaryIO:
        """Return the stream so that what is beyond ASCII in it is noted, where that tells."""
        if not has_one_byte_letters(self._codec):
            return stream
        return cast("BinaryIO", Watched(stream, self._letters.see))

    def originals(self, numbers: Iterable[int]) -> Iterator[Original]:
        """Yield the rows with these numbers; see `RowSource`."""
        with contextlib.closing(self._data(Noticed())) as records:
            yield from originals_among(records, numbers)

    def progress(self) -> float:
        """Return the share of the file's bytes that was read; see `RowSource`."""
        return min(1.0, self._read / self._size)

    def remarks(self) -> Sequence[str]:
        """Return what the latest reading noticed; see `RowSource`."""
        noticed = self._make.noticed
        remarks = noticed.remarks(self._rows, self._make.nulls)
        if self._may_be_cut(noticed.unended):
            remarks.append(
                "the last line has no line end: if the file was cut off there, the last row is not "
                "whole"
            )
        if self._rows and self._letters.are_utf8():
            remarks.append(self._told_utf8())
        elif noticed.misread:
            remarks.append(
                "some lines are UTF-8 and others are not, so no encoding is right for all: a "
                "program that writes UTF-8 may have edited some. Save all of it in one, and give "
                f"the same command with that: --encoding utf-8, or {self.encoding}"
            )
        return remarks

    def _told_utf8(self) -> str:
        return (
            "all of it is valid UTF-8, with letters beyond ASCII: is --encoding "
            f"{self.encoding} right? It turns them into others, such as ü into Ã¼"
        )

    def _may_be_utf8(self) -> bool:
        """Return whether the file holds UTF-8 and is read in an encoding that takes any bytes."""
        if self._codec == _UTF8 or not has_one_byte_letters(self._codec):
            return False
        stream, raw = open_binary(self.path, self.name)
        with raw, stream, self._explained():
            return is_beyond_ascii_utf8(iter(partial(stream.read, _SAMPLE), b""))

    def _may_be_cut(self, line: str) -> bool:
        """Return whether the last `line`, which has no line end, is short or ends in a comment."""
        fields = next(csv.reader([line], delimiter=self.delimiter), [])
        if not fields or line.endswith('"'):
            return False
        ends_in_comment = len(fields) - 1 == self._make.places.get("comment") and bool(fields[-1])
        return len(fields) < len(self.header) or ends_in_comment

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _data(self, noticed: Noticed, *, watch: bool = False) -> Generator[Record, None, None]:
        records = self._records(self._shape, noticed, watch=watch)
        next(records)
        return records

    def _records(
        self, shape: Shape | None, noticed: Noticed | None = None, *, watch: bool = False
    ) -> Generator[Record, None, None]:
        """Yield the header and then the rows, which must fit `shape` if it is given."""
        stream, raw = open_binary(self.path, self.name)
        seen, newline = self._watched(stream) if watch else stream, self._dialect.newline
        with (
            raw,
            stream,
            io.TextIOWrapper(seen, self._codec, errors=KEEP_BYTES, newline=newline) as text,
            self._explained(),
        ):
            reader = RecordReader(text, self._dialect, noticed=noticed)
            for number, record in enumerate(reader):
                reader.shape = shape
                if number % 256 == 0:
                    self._read = raw.tell()
                yield record
            self._read = self._size

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a stream raises into `InputError`."""
        try:
            yield
        except UnicodeError as error:
            raise InputError(f"{self.name} is not {self._codec}: {error}") from None
        except FAILURES as error:
            raise unreadable(self.name, error) from None

    def _start(self) -> bytes:
        """Return the beginning of the file, decompressed."""
        stream, raw = open_binary(self.path, self.name)
        with raw, stream:
            try:
                return stream.read(_SAMPLE)
            except DAMAGED as error:
                raise InputError(
                    f"{self.name} is damaged or cut off, or not what its name says: {error}"
                ) from None
            except OSError as error:
                raise unreadable(self.name, error) from None


def _until_damaged(stream: BinaryIO) -> Iterator[bytes]:
    with contextlib.suppress(*FAILURES):
        yield from iter(partial(stream.read, _SAMPLE), b"")
