"""Opens the inputs of a job: local files where they are, everything else as a copy.

docs/sources.md tells the one rule, and docs/reference.md (J15, J18) what is promised of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from importer.engine.reader import Input
from importer.errors import InputError
from importer.feedback.newest import NewestBy
from importer.jobs.copies import copies_folder, remove_copies
from importer.jobs.journal_file import JournalFile
from importer.jobs.product import Product
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import CARRIED_OVER, InputFile
from importer.model import Row
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import options_of
from importer.settings.places import STANDARD_INPUT, FrameAddress, SourceAddress
from importer.sources.base import RowSource
from importer.sources.carried_rows import CarriedRows
from importer.sources.copies.carriers import open_copy, remove_copy, take_copy
from importer.sources.copies.partial_copy import CopyWatch
from importer.sources.folder import files_of
from importer.sources.registry import open_source
from importer.survey.findings import Findings
from importer.survey.survey_pass import normaliser_of

_NO_WATCH = CopyWatch()


def open_inputs(
    settings: ImportSettings, folder: Path | None = None, watch: CopyWatch = _NO_WATCH
) -> list[RowSource]:
    """Open all inputs and check their headers. The caller closes them.

    `folder` is where the copies of those are, or are put, that are no local files; None if all
    are. Raises `InputError`, and `ScratchError` if there is no room for a copy.
    """
    _check_single(settings)
    with ExitStack() as stack:
        sources: list[RowSource] = []
        for number, place in enumerate(settings.reading.inputs, start=1):
            if isinstance(place, SourceAddress):
                assert folder is not None  # noqa: S101 -- see above
                found = [_opened_copy(place, number, folder, settings, watch)]
            else:
                found = _opened_files(place, settings)
            for source in found:
                stack.callback(source.close)
            sources += found
        stack.pop_all()
    return sources


def open_inputs_of(product: Product, settings: ImportSettings, watch: CopyWatch) -> list[RowSource]:
    """Open the inputs of the job that a product is to go on with or to begin; see `open_inputs`.

    Raises also what `Product.resumable` and `Product.claim_folder` raise.
    """
    if not settings.reading.is_copied:
        return open_inputs(settings)
    folder = copies_to_go_on_with(product, settings)
    if folder is None:
        for place in settings.reading.inputs:  # what is wrong with these is known before a copy
            if isinstance(place, Path):
                for source in _opened_files(place, settings):
                    source.close()
        product.check_sequence()
        folder = product.claim_folder()
        folder = copies_folder(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        if settings.job.restart or settings.ledger.carry_over:
            for number in range(1, len(settings.reading.inputs) + 1):
                remove_copy(number, folder)
    return open_inputs(settings, folder, watch)


def copies_to_go_on_with(product: Product, settings: ImportSettings) -> Path | None:
    """Return the folder of the copies of the job that is to be gone on with; None if none is.

    Raises `InputError` if one of them is gone.
    """
    folder = product.works_from_copies_in()
    if folder is None:
        return None
    copies = copies_folder(folder)
    for number, place in enumerate(settings.reading.inputs, start=1):
        if isinstance(place, SourceAddress) and not any(copies.glob(f"{number}-*")):
            raise InputError(
                f"the job {folder} has no copy of {place.label} any more, so its rows cannot be "
                "read again: import it anew with --restart"
            )
    return copies


def _opened_files(place: Path, settings: ImportSettings) -> list[RowSource]:
    return [open_source(file, settings) for file in files_of(place, settings.reading.format)]


def _opened_copy(
    place: SourceAddress, number: int, folder: Path, settings: ImportSettings, watch: CopyWatch
) -> RowSource:
    copied = take_copy(place, number, folder, settings, watch)
    if copied.is_old:
        _tell_of_old(place, copied.path, watch)
    try:
        return open_copy(copied.path, place.label, settings)
    except InputError:
        if not copied.is_old:  # the same command is to try again with what is there then
            remove_copy(number, folder)
        raise


def _tell_of_old(place: SourceAddress, path: Path, watch: CopyWatch) -> None:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
    holds_data: bool | None = None
    if place.scheme == STANDARD_INPUT:
        from importer.sources.copies import stdin  # noqa: PLC0415 -- seldom needed

        holds_data = stdin.holds_data()
    if holds_data:
        raise InputError(
            f"standard input holds data, and this job is to go on with its copy of {at}. To go "
            "on, give it no input (< /dev/null); to import the new data instead, add --restart"
        )
    watch.told(f"resuming the copy of {at}; {place.label} was not read")
    if holds_data is None:
        watch.not_read(place, at)


def _check_single(settings: ImportSettings) -> None:
    places = settings.reading.inputs
    if sum(isinstance(p, SourceAddress) and p.scheme == STANDARD_INPUT for p in places) > 1:
        raise InputError("standard input (-) can be read once: name it once")
    if sum(isinstance(place, FrameAddress) for place in places) > 1:
        raise InputError("one data frame is imported at a time: put them together first")


def settings_to_read(path: Path, record: Mapping[str, Any], **changes: object) -> ImportSettings:
    """Return settings that read the file as a job with this record has read its inputs."""
    names = options_of([SETTINGS_GROUPS[name] for name in ("reading", "mapping")])
    options: dict[str, Any] = {n: record[n] for n in names if n in record and n != "sql"}
    options |= {"product_id": record["product_id"], **changes, "inputs": [path]}
    return ImportSettings.of(**options)


def carried_source(folder: Path, product: ProductJobs) -> CarriedRows:
    """Return the rows that the job in `folder` has taken over, as a source."""

    def rows() -> Iterable[Row]:
        with closing(JournalFile(folder, read_only=True)) as journal:
            for row in journal.carried():
                origin = product.name_of(row.rank.first)
                rating, comment = str(row.rating or ""), row.comment or ""
                yield Row(row.seq, row.conversation_id, rating, comment, job=origin)

    return CarriedRows(Path(CARRIED_OVER), rows)


def surveyed(
    sources: Sequence[RowSource],
    settings: ImportSettings,
    files: Sequence[InputFile],
    findings: Findings,
) -> list[Input]:
    """Return the `files` of a job, which these sources are, as its survey has understood them."""
    newest_by = settings.mapping.newest_by
    newest = None if newest_by is None else NewestBy(newest_by, findings.newest_kind)
    normalise = normaliser_of(settings, newest)
    return [
        Input(source, normalise, file.first_seq, file.blocks)
        for source, file in zip(sources, files, strict=True)
    ]


def drop_copies(sources: Sequence[RowSource]) -> None:
    """Remove the copies that these sources are."""
    for source in sources:
        if source.name != str(source.path):
            with suppress(OSError):
                source.path.unlink()


def remove_needless_copies(folder: Path, settings: ImportSettings, *, is_done: bool) -> None:
    """Remove the copies of the job in `folder` if no row of it is left over (`is_done`)."""
    if is_done and settings.reading.is_copied and not settings.job.keep_copies:
        remove_copies(folder)
