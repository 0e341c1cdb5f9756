"""Reading by column, against the exact reader: no field, number, line or message may differ.

A failure names the number of the file, from which `spoilt` makes it again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from importer.common.row_set import RowSet
from importer.engine.reader import Input, Item, read_rows
from importer.errors import InputError
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.model import Row
from importer.settings import ImportSettings, LongComments
from importer.sources.base import RowPart
from importer.sources.csv import parts as csv_parts
from importer.sources.csv.file import CsvSource
from importer.survey.findings import Findings
from importer.workflows.check_inputs import check_inputs
from tests.support.parts import all_rows
from tests.support.spoilt import Spoilt, spoilt

Make = Callable[..., ImportSettings]
TABLES = [(), ("thumbs", "skip=SKIP", "odd=SKIP")]
#: Cases of the long run.
MANY = 40_000


class Seen(NamedTuple):
    """What a reading gives: rows, what they become, what `check` finds; and why it ends early."""

    rows: Sequence[Row]
    items: Sequence[Item]
    findings: object
    errors: Sequence[str]


class Differential:
    """Compares the two tiers file by file, and counts what it has compared."""

    def __init__(self, folder: Path, make: Make, figures: Counter[str]) -> None:
        self._folder = folder
        self._make = make
        self._figures = figures

    def compare(self, number: int) -> None:
        case = spoilt(number)
        path = case.write(self._folder)
        settings = self._make(
            path,
            delimiter=case.delimiter,
            encoding=case.encoding,
            skip_lines=case.skip_lines,
            trust_quotes=case.trust_quotes,
            null=case.nulls,
            ratings=RatingTable.parse(TABLES[number % 2]),
            long_comments=LongComments.TRUNCATE if number % 4 < 2 else LongComments.REJECT,
        )
        with patch("importer.sources.csv.records.RECORD_LIMIT", case.record_limit):
            exact = self._see(case, settings, by_column=False)
            quick = self._see(case, settings, by_column=True)
        assert quick == exact, f"file {number} is read differently"
        self._figures["files read in two ways"] += 1
        self._figures["their rows"] += len(exact.rows)
        self._figures["files refused or damaged"] += bool(exact.errors)

    def _see(self, case: Spoilt, settings: ImportSettings, *, by_column: bool) -> Seen:
        errors: list[str] = []
        rows: list[Row] = []
        items: list[Item] = []
        findings: Findings | None = None
        normalise = Normaliser(
            settings.mapping.ratings,
            truncate_comments=settings.mapping.long_comments is LongComments.TRUNCATE,
        )
        with (
            patch("importer.sources.csv.file.BY_COLUMN_FROM", 0 if by_column else 1 << 60),
            patch.multiple(csv_parts, BLOCK=case.block, PIECE=case.piece),
            # The exact reader hands on what it has only when a batch is full.
            patch("importer.engine.reader.BATCH_ROWS", 1),
        ):
            (path,) = settings.reading.inputs
            assert isinstance(path, Path)
            try:
                source = CsvSource(path, {}, **case.options)
            except InputError as error:
                return Seen(rows, items, findings, [str(error)])
            try:
                for part in source.parts(1, 1):
                    rows += all_rows([part])
                    if not isinstance(part, RowPart):
                        self._figures["rows read by column"] += len(part)
                assert source.progress() == 1
            except InputError as error:
                errors.append(str(error))
            try:
                for batch in read_rows([Input(source, normalise)], RowSet()):
                    items += batch
            except InputError as error:
                errors.append(str(error))
            try:
                findings = check_inputs(settings)
            except InputError as error:
                errors.append(str(error))
        self._figures["remarks"] += len(findings.inputs[0].remarks) if findings else 0
        return Seen(rows, items, _ordered(findings), errors)


def _ordered(found: Findings | None) -> object:
    """Return findings so that the order of their parts counts as well."""
    if found is None:
        return None
    return replace(found), list(found.words.items()), list(found.problems.items())


@pytest.fixture
def differential(tmp_path: Path, settings_for: Make, figures: Counter[str]) -> Differential:
    return Differential(tmp_path, settings_for, figures)


def test_spoilt_files_are_read_alike_in_both_ways(differential: Differential) -> None:
    # The last ones: blank lines that fill the first piece; an odd comment in a row without an id.
    for number in [*range(400), 11_779, 11_993]:
        differential.compare(number)


@pytest.mark.long
@pytest.mark.slow
def test_very_many_spoilt_files_are_read_alike(differential: Differential, budget: float) -> None:
    until = time.monotonic() + budget
    for number in range(1000, 1000 + MANY):
        if time.monotonic() > until:
            break
        differential.compare(number)
