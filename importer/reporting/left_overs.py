"""The rows that were not imported, as CSV files that can be fixed and imported as they are."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from importer.common.files import atomic_write
from importer.common.text import folded_name, listed, trimmed
from importer.errors import InputError, JournalError
from importer.jobs.folders import OVERTAKEN_JOB, NamedRow
from importer.jobs.forget import Tombs
from importer.jobs.journal import Journal
from importer.jobs.journal_file import JournalFile
from importer.jobs.overtaken import Awaited, awaited_of
from importer.jobs.records import CARRIED_OVER, JobRecord
from importer.model import Outcome, OutcomeKind, Reason
from importer.reporting.edited_files import digest_of, set_aside
from importer.settings import InputFormat
from importer.sources.base import Original, RowSource
from importer.sources.kept_bytes import KEEP_BYTES
from importer.sources.own_columns import (
    OwnColumns,
    find_job_column,
    find_own_columns,
    own_names,
    place_in,
    places_among,
)
from importer.survey.survey_pass import current_inputs

#: What a job's folder holds besides the journal and the left-over files.
SUMMARY_NAME = "summary.json"
REPORT_NAME = "report.html"

#: What to do where a run could not write such a file.
WRITE_AGAIN = (
    "Free some disk space or fix the folder, and run the same command again; nothing is sent twice"
)

#: The left-over file of each kind of outcome that has one.
FILE_OF_KIND = {
    OutcomeKind.REJECTED: "rejected.csv",
    OutcomeKind.FAILED: "failed.csv",
    OutcomeKind.NOT_COMPLETED: "not_completed.csv",
}
#: The names of the left-over files.
LEFT_OVER_NAMES = tuple(FILE_OF_KIND.values())
#: The kind of the rows in each.
KIND_OF_FILE = {name: kind for kind, name in FILE_OF_KIND.items()}
_OVERTAKEN = "row of this conversation was sent or is to be, and this one gives way to it"
_NOT_COMPARED = "; which of them is newer was not looked at"


class _Layout(NamedTuple):
    """The columns of a left-over file: the originals', of all inputs, then our own."""

    columns: list[str]
    own: list[str]
    #: For each input, where its cells go: the place of each of its columns in `columns`.
    places: list[list[int]]
    #: For each input, its columns of ours, if it is a left-over file itself whose rows are no new
    #: ones.
    ours: list[OwnColumns | None]
    #: For each input, the place of the one that may name jobs, also where others of ours are gone.
    jobs: list[int | None]


class LeftOverFiles(NamedTuple):
    """The files that hold rows, and what became of those that somebody had edited, in words.

    `overtaken` counts the rows, by kind and reason, that give way to others which were sent.
    """

    paths: list[Path]
    remarks: list[str]
    overtaken: Counter[tuple[OutcomeKind, Reason]]


def write_left_over_files(
    folder: Path,
    journal: Journal,
    outcomes: Mapping[OutcomeKind, int],
    sources: Sequence[RowSource],
    ended: JobRecord | None = None,
) -> LeftOverFiles:
    """Write the file of each kind of left-over row into `folder`.

    `outcomes` are the counts of the journal; a job that another command ends is given as `ended`.
    A file without rows is removed. The files are in the delimiter and encoding of the first input.
    One that was edited stays if its lines are the same, and else gets another name. Raises
    `InputError` if an input cannot be read again or is another one by now, `JournalError` if the
    journal or the folder cannot be used.
    """
    if any(outcomes[kind] for kind in FILE_OF_KIND):
        _check_unchanged(folder, journal, sources)
    awaited = Awaited.ALL if ended is None else awaited_of(ended)
    is_final = ended is not None or not outcomes[OutcomeKind.PENDING]
    files = LeftOverFiles([], [], Counter())
    fresh: list[Path] = []
    for kind, name in FILE_OF_KIND.items():
        path, written = folder / name, journal.written(name)
        try:
            edited = set_aside(path, written)
            rows, give_way = 0, Counter[tuple[OutcomeKind, Reason]]()
            if outcomes[kind]:
                rows, give_way = _write(path, journal, kind, sources, awaited, is_final=is_final)
            if rows:
                files.paths.append(path)
                files.overtaken.update(give_way)
                digest = digest_of(path)
                if edited is not None and digest == written:
                    edited.replace(path)
                    continue
                fresh.append(path)
                journal.note_written(name, digest)
            else:
                path.unlink(missing_ok=True)
            if edited is not None:
                files.remarks.append(f"{path} had been edited: what was in it is in {edited} now")
        except OSError as error:
            raise JournalError(
                f"{path} cannot be written: {error.strerror}. {WRITE_AGAIN}"
            ) from None
    if files.paths:
        try:
            _check_unchanged(folder, journal, sources)
        except InputError:
            for path in fresh:
                path.unlink()
            raise
    return files


def _check_unchanged(folder: Path, journal: JournalFile, sources: Sequence[RowSource]) -> None:
    """Raise `InputError` for an input that is not what the job has read: its rows are others."""
    now = current_inputs([source for source in sources if source.name != CARRIED_OVER])
    if changed := now.changed_from(folder, journal.inputs()):
        raise InputError(f"{listed(changed)} changed since the job began")


def forgotten_outcomes(journal: JournalFile) -> Iterator[Outcome]:
    """Yield what is still known of the rows of which all but the count is forgotten."""
    for seq in sorted(journal.forgotten_rows()):
        yield from journal.outcomes(first=seq, last=seq)


def rejected_lines(folder: Path, conversation_id: str) -> tuple[Path, list[int]]:
    """Return the file of the job's rejected rows, and its lines that hold this id, wherever.

    A line may be one that could not be split into fields, so that no conversation is known of it.
    """
    path = folder / FILE_OF_KIND[OutcomeKind.REJECTED]
    spellings = (conversation_id.encode(), conversation_id.replace("-", "").encode())
    found = []
    with suppress(OSError), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            folded = line.lower()
            if any(spelling in folded for spelling in spellings):
                found.append(number)
    return path, found


def _write(
    path: Path,
    journal: JournalFile,
    kind: OutcomeKind,
    sources: Sequence[RowSource],
    awaited: Awaited,
    *,
    is_final: bool,
) -> tuple[int, Counter[tuple[OutcomeKind, Reason]]]:
    """Write the file of a kind; return how many rows it holds, and how many give way, by reason.

    Until it `is_final` which rows come after them, that is found out when they are imported.
    """
    rows, give_way = 0, Counter[tuple[OutcomeKind, Reason]]()
    overtaken = journal.overtaken(kind, awaited)
    layout = _lay_out(sources, as_new=journal.is_as_new())
    why = f"a later {_OVERTAKEN}"
    if journal.newest_by() is not None:
        why = f"another {_OVERTAKEN}{_NOT_COMPARED}"
    first = next((s for s in sources if s.name != CARRIED_OVER), sources[0])
    encoding = first.encoding
    with (
        atomic_write(path) as temporary,
        temporary.open("w", encoding=encoding, errors=KEEP_BYTES, newline="") as file,
    ):
        # CRLF, because only then does the csv module quote a carriage return in a comment.
        writer = csv.writer(file, delimiter=first.delimiter, lineterminator="\r\n")
        writer.writerow([*layout.columns, *layout.own])
        for position, original, outcome in _left_over_rows(journal, kind, sources):
            cells = [""] * len(layout.columns)
            places, given = layout.places[position], original.cells
            if outcome.reason is Reason.MALFORMED:
                names = _names_above(sources[position], layout, position, first.delimiter)
                places, given = [0], [f"{names}{given[0]}"]
            for place, cell in zip(places, given, strict=False):
                cells[place] = _encodable(cell, encoding)
            # A line that a person has to write anew may get another id than could be read in it.
            is_read = outcome.reason not in (Reason.MALFORMED, Reason.BAD_BYTES)
            is_known = is_final and is_read and outcome.conversation_id is not None
            named = NamedRow(path.parent.name, outcome.seq, is_known)
            line = given[-1] if outcome.reason is Reason.MALFORMED else ""
            in_line = place_in(line, sources[position].delimiter)
            ours, job_at = layout.ours[position], layout.jobs[position]
            job, row = _origin(named, original, ours, job_at, in_line)
            gives_way = outcome.seq in overtaken or job == OVERTAKEN_JOB
            own = [
                sources[position].name,
                # That of another job tells for itself which rows it gives way to.
                OVERTAKEN_JOB if gives_way and is_final and job == str(named) else job,
                row,
                outcome.reason,
                outcome.http_status,
                outcome.attempts,
                outcome.detail + (f"; {why}" if gives_way else ""),
            ]  # fmt: skip
            writer.writerow([*cells, *own[-len(layout.own) :]])
            rows += 1
            if gives_way and outcome.reason is not None:
                give_way[kind, outcome.reason] += 1
    return rows, give_way


def _names_above(source: RowSource, layout: _Layout, position: int, delimiter: str) -> str:
    """Return what stands above a line that could not be split, which is whole in the first column.

    It is a line with the names of the input's columns, if that has not those of the file; only so
    can the line be read when it is corrected there (`csv.shape`).
    """
    places = layout.places[position]
    is_as_file = places == [*range(len(layout.columns))] and source.delimiter == delimiter
    if source.format is not InputFormat.CSV or is_as_file:
        return ""
    names = io.StringIO(newline="")
    csv.writer(names, delimiter=source.delimiter, lineterminator="\n").writerow(
        layout.columns[place] for place in places
    )
    return names.getvalue()


def _origin(
    named: NamedRow, original: Original, ours: OwnColumns | None, job: int | None, in_line: str
) -> tuple[str, str | int]:
    """Return the job that first brought a row, and its number there, as far as it is known.

    It is `named` here, if it was not in the input; `in_line` is what a line says of it that could
    not be split.
    """
    if ours is not None and (placed := NamedRow.parse(in_line)) is not None and placed.seq:
        return in_line, placed.seq
    if ours is not None and len(original.cells) > ours.row:
        if told := trimmed(original.cells[ours.job]):
            return told, original.cells[ours.row]
        return str(named), original.number  # somebody has added it
    told = trimmed(original.cells[job]) if job is not None and len(original.cells) > job else ""
    return told if NamedRow.parse(told) else str(named), original.number


def _encodable(cell: str, encoding: str) -> str:
    """Return the cell; a character that the encoding lacks, from another input, escaped."""
    try:
        cell.encode(encoding, KEEP_BYTES)
    except UnicodeEncodeError:
        return cell.encode(encoding, "backslashreplace").decode(encoding)
    return cell


def _lay_out(sources: Sequence[RowSource], *, as_new: bool) -> _Layout:
    """Return the columns; `as_new`, rows of left-over files among the inputs are the job's own."""
    columns: list[str] = []
    known: list[str] = []
    places = []
    ours: list[OwnColumns | None] = []
    jobs: list[int | None] = []
    for source in sources:
        header = list(source.header)
        # A left-over file that is imported again does not keep its old remarks.
        own = find_own_columns(header)
        is_new = as_new and source.name != CARRIED_OVER
        ours.append(None if is_new else own)
        jobs.append(None if is_new else find_job_column(source.header))
        if own is not None:
            header = header[: own.start]
        folded = [*map(folded_name, header)]  # what is one column to the readers is one here
        mine = []
        for name, one, place in zip(header, folded, places_among(folded, known), strict=True):
            if place is None:
                columns.append(name)
                known.append(one)
            mine.append(len(columns) - 1 if place is None else place)
        places.append(mine)
    return _Layout(columns, own_names(columns, with_file=len(sources) > 1), places, ours, jobs)


def _left_over_rows(
    journal: JournalFile, kind: OutcomeKind, sources: Sequence[RowSource]
) -> Iterator[tuple[int, Original, Outcome]]:
    """Yield the rows of `kind` with the position of their input and their original cells.

    Both streams are ordered by row: they are walked side by side, and neither is kept in memory.
    What was forgotten is left out, though the inputs still hold it (docs/reference.md, U8).
    """
    gone = Tombs(journal)
    starts = [first for _, first in journal.places()]
    for position, source in enumerate(sources):
        start = starts[position]
        after = starts[position + 1] if position + 1 < len(starts) else None
        rows, again = tee(journal.outcomes(kind, start, None if after is None else after - 1))
        originals = source.originals(row.seq - start + 1 for row in rows)
        for original, outcome in zip(originals, again, strict=False):
            if not (gone and any(map(gone.are_in, original.cells))):
                yield position, original, outcome
