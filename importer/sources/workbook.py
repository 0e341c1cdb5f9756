"""Rows from a sheet of a workbook: Excel's and LibreOffice's own formats. Needs the extra `excel`.

The sheet is held in memory as long as it is read.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum

from importer.common.text import shell_word, trimmed
from importer.errors import InputError
from importer.settings import ImportSettings, InputFormat
from importer.settings.groups import Reading
from importer.sources.cell_text import as_text
from importer.sources.header_line import Line, better_skip, check_is_header, header_hint
from importer.sources.location import known_kind
from importer.sources.record_source import RecordSource
from importer.sources.row_maker import Record

#: Rows among which a header is looked for.
_MOST_LINES = 100
_ERROR_CELLS = re.compile(rb'<c [^>]*t="e"')
_SURPLUS = "there is something to the right of the last column"


def open_file(path: Path, name: str, settings: ImportSettings) -> WorkbookSource:
    """Open a workbook; see `registry`."""
    sheet, skip = _sheet(path, name, settings.reading.sheet), settings.reading.skip_lines
    check_is_header(name, [_top(sheet)], settings.mapping.columns, skip)
    try:
        return WorkbookSource(path, name, _header(sheet, name, skip), settings, sheet.name)
    except InputError as error:
        if not (hint := header_hint([_top(sheet)], settings.mapping.columns, skip)):
            raise
        raise InputError(f"{error}{hint}") from None


def first_rows(
    path: Path, name: str, reading: Reading, most: int
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the columns and the first rows, at most so many; see `preview`."""
    sheet = _sheet(path, name, reading.sheet)
    skip = reading.skip_lines
    rows = [cells for _, cells in islice(_rows(sheet, skip), 1, 1 + most)]
    return _header(sheet, name, skip), rows


def find_skip(path: Path, name: str, reading: Reading, columns: Mapping[str, str]) -> int | None:
    """Return how many rows seem to be above the header; see `header_line.better_skip`.

    Raises `InputError` if there is none.
    """
    tables = [_top(_sheet(path, name, reading.sheet))]
    found = better_skip(tables, columns, reading.skip_lines)
    check_is_header(name, tables, columns, reading.skip_lines if found is None else found)
    return found


def _top(sheet: CalamineSheet) -> Sequence[Line]:
    return [*islice(_rows(sheet), _MOST_LINES)]


def _header(sheet: CalamineSheet, name: str, skip: int) -> list[str]:
    """Return the columns. Raises `InputError` if there is none."""
    _, header = next(_rows(sheet, skip), (1, []))
    while header and not trimmed(header[-1]):
        header = header[:-1]
    if not header:
        raise InputError(f"{name}: the sheet {sheet.name!r} is empty")
    return header


class WorkbookSource(RecordSource):
    """One sheet of a workbook; a `RowSource`. Its lines are the rows of the sheet."""

    format = InputFormat.EXCEL

    def __init__(
        self, path: Path, name: str, header: Sequence[str], settings: ImportSettings, sheet: str
    ) -> None:
        super().__init__(path, name, header, settings)
        self._sheet = sheet
        self._skip = settings.reading.skip_lines
        self._share = 0.0

    def records(self) -> Generator[Record, None, None]:
        """Yield a record for each row that holds something; see `RecordSource`."""
        sheet = _sheet(self.path, self.name, self._sheet)
        self._make.noticed.error_cells = _error_cells(self.path)
        width, height = len(self.header), max(1, sheet.total_height)
        rows, header = _rows(sheet, self._skip), self.header
        next(rows, None)
        for line, cells in rows:
            self._share = line / height
            if cells[:width] == header:
                self._make.noticed.repeated_headers += 1
            elif any(cells[width:]):
                yield Record(line, [", ".join(cells), *[""] * (width - 1)], _SURPLUS)
            else:
                yield Record(line, [*cells[:width], *[""] * (width - len(cells))])
        self._share = 1.0

    def progress(self) -> float:
        """Return the share of the sheet's rows that was read; see `RowSource`."""
        return min(1.0, self._share)


def _sheet(path: Path, name: str, wanted: str | None) -> CalamineSheet:
    """Return the sheet that is wanted, or the only one that holds something."""
    try:
        book = CalamineWorkbook.from_path(str(path))
        known = [one.name for one in book.sheets_metadata if one.typ is SheetTypeEnum.WorkSheet]
        if wanted is not None:
            found = [one for one in known if one == wanted]
        else:
            found = [one for one in known if book.get_sheet_by_name(one).height]
        if len(found) == 1:
            return book.get_sheet_by_name(found[0])
    except (CalamineError, OSError, ValueError) as error:
        kind = known_kind(path, name)
        why = f"it is {kind}" if kind else f"or it is damaged: {error}"
        raise InputError(f"{name} is no workbook, {why}") from None
    names = ", ".join(map(repr, known)) or "none"
    if wanted is not None:
        raise InputError(f"{name} has no sheet {wanted!r}; its sheets are {names}")
    if not found:
        raise InputError(f"{name}: its sheets are empty ({names})")
    raise InputError(
        f"{name} has {len(found)} sheets that hold something: name one of {names} with "
        f"--sheet {shell_word(found[0])}"
    )


def _error_cells(path: Path) -> int:
    """Return how many cells of a workbook hold an error: the reader takes them for empty ones.

    Of the formats only Excel's newer one is looked through; 0 for the others.
    """
    found = 0
    with suppress(BadZipFile), ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                with archive.open(name) as sheet:
                    found += sum(1 for _ in _ERROR_CELLS.finditer(sheet.read()))
    return found


def _rows(sheet: CalamineSheet, skip: int = 0) -> Generator[tuple[int, list[str]], None, None]:
    """Yield the rows below the first ones that are not empty, with their numbers in the sheet."""
    for line, row in enumerate(sheet.iter_rows(), start=1):
        if line <= skip:
            continue
        cells = [cell if type(cell) is str else as_text(cell) for cell in row]
        if any(map(trimmed, cells)):
            yield line, cells
