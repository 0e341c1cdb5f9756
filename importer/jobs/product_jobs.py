"""The jobs of a product in one jobs folder, while their lock is held."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from importer.common.files import sync_folder
from importer.errors import JournalError, SettingsError
from importer.jobs.carry_over import still_to_send
from importer.jobs.census import take_census
from importer.jobs.doubts import Doubt
from importer.jobs.folders import job_folders
from importer.jobs.forget import Forgotten, JournalEraser, tomb_of
from importer.jobs.identity import ProductKey
from importer.jobs.journal import Journal
from importer.jobs.journal_head import Head, read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import rank_of
from importer.jobs.ledger import Ledger
from importer.jobs.ledger_lines import Lines
from importer.jobs.lock import hold
from importer.jobs.records import FIGURES, GivenUp, JobRecord, JobState, Line, Unsure
from importer.jobs.undo_rows import given_up_rows, told_of_undos
from importer.model import Rank

#: What the folder of a job becomes that is being removed.
_REMOVED = ".removed-"

_Product = TypeVar("_Product", bound="ProductJobs")


class ProductJobs:
    """All jobs of a product, and what they have done to its conversations.

    Made by `hold_jobs`. Its methods raise `JournalError` when a journal or the ledger cannot be
    used.
    """

    def __init__(self, jobs_dir: Path, key: ProductKey) -> None:
        self.jobs_dir = jobs_dir
        self.key = key
        #: What a person should know of folders that cannot be used.
        self.remarks: list[str] = []
        self._ledger = Ledger(key.ledger(jobs_dir))
        self._caught_up = False
        try:
            self._take_census()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def _take_census(self) -> None:
        heads, self.remarks = read_heads(self.jobs_dir)
        heads = [head for head in heads if head.product == self.key]
        known = self._ledger.jobs()
        census = take_census(heads, known, self._ledger.floor)
        #: By number, ascending.
        self.jobs: list[JobRecord] = census.jobs
        #: Nothing at or below this number is sure.
        self.floor: int = census.floor
        self._last_run: int = census.last_run
        lasted = max((head.lasted_run for head in heads), default=0)
        #: Conversations were forgotten: they may be known by what stands for them only.
        self.has_forgotten = self._ledger.has_forgotten or any(head.has_forgotten for head in heads)
        if self.has_forgotten and not self._ledger.has_forgotten:
            self._ledger.note_forgotten()  # it was made anew
        #: The numbers of the jobs that were taken back when this was read.
        self.withdrawn = {head.number for head in heads if head.withdrawn}
        #: The numbers of the jobs of which nothing is tried again that is left over.
        self.given_up = self._ledger.given_up()
        new = {head.number for head in heads if head.left_overs_given_up} - self.given_up
        self.given_up |= new
        self._ledger.note_given_up(new)
        self._ledger.note_jobs(self.jobs)
        self._ledger.raise_to(floor=census.floor, quiet_run=max(0, lasted - 1))
        missed = {job.number for job in known if job.state is JobState.MISSING}
        self.remarks += [
            f"job {job.number} of this product ({job.name or 'of an unknown name'}) is missing: "
            "what it and the jobs before it have sent counts as unknown"
            for job in self.jobs
            if job.state is JobState.MISSING and job.number not in missed
        ]

    @property
    def next_number(self) -> int:
        """The number of the next job to begin."""
        return len(self.jobs) + 1

    @property
    def next_run(self) -> int:
        """The number of the next run of any job."""
        return self._last_run + 1

    @property
    def waits_for_missing(self) -> bool:
        """Whether requests of a missing job may still take effect (docs/reference.md, A15).

        A run then waits for `--late-effect` before its first request.
        """
        quiet = self._ledger.quiet_run
        return any(job.state is JobState.MISSING and job.last_run > quiet for job in self.jobs)

    def figures(self, most: int) -> list[str]:
        """Return what is kept to compare later jobs with, of the latest that ended."""
        found: list[str] = []
        for job in reversed(self.jobs):
            if job.state is JobState.ENDED and job.folder is not None and len(found) < most:
                with JournalReader(job.folder) as journal:
                    found += filter(None, [journal.facts().get(FIGURES)])
        return found[::-1]

    def number_of(self, name: str) -> int | None:
        """Return the number of the job whose folder has, or had, this name; None if none has."""
        return next((job.number for job in reversed(self.jobs) if job.name == name), None)

    def name_of(self, number: int) -> str:
        """Return the name of the folder that the job of this number has, or had."""
        return self.jobs[number - 1].name

    # What the ledger knows of conversations.

    def catch_up(self) -> None:
        """Take in what the journals hold that the ledger has not (docs/reference.md, A14).

        A microsecond or two for each new row; nothing for journals without.
        """
        if self._caught_up:
            return
        known = {job.number: job for job in self._ledger.jobs()}
        for job in self.jobs:
            index = known[job.number]
            if job.is_here and not (index.complete and index.entries == job.entries):
                # A journal that is shorter than before was put back: all of it is new.
                self._take_in(job, index.entries if index.entries <= job.entries else 0)
        self._caught_up = True

    def _take_in(self, job: JobRecord, known: int, *, synced: bool = False) -> None:
        assert job.folder is not None  # noqa: S101 -- its journal is there
        with closing(Journal(job.folder)) as journal:
            journal.sync()  # nothing that lasts may rest on what does not
            doubts = journal.doubts()
        self._ledger.take_in(job, known, doubts, synced=synced)

    def lines(self, part: int) -> Lines:
        """Return the conversations whose keys begin with the byte `part`, by key."""
        self.catch_up()
        return self._ledger.lines(part)

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        """Return the lines of those of the conversations that have one."""
        self.catch_up()
        keys = list(keys)
        found = self._ledger.look_up(keys)
        if self.has_forgotten:
            tombs = {tomb_of(key, self.key): key for key in keys if key not in found}
            for tomb, line in self._ledger.look_up(tombs).items():
                found[tombs[tomb]] = line._replace(key=tombs[tomb])
        return found

    def conversations(self) -> int:
        """Return how many conversations are known."""
        self.catch_up()
        return self._ledger.conversations()

    def unsure(self, *, after_run: int = 0) -> Iterator[Unsure]:
        """Yield the rows of all jobs that are open or in doubt, those of later runs only."""
        quiet = self._ledger.quiet_run
        known = {job.number: job for job in self._ledger.jobs()}
        states = {job.number: job.state for job in self.jobs}
        journals = [
            job
            for job in self.jobs
            if job.has_doubts
            and job.last_run > after_run
            and not (known[job.number].complete and known[job.number].entries == job.entries)
        ]
        found = [
            (doubt.key, job.number, ranks.get(doubt.seq, Rank(job.number, job.number)), doubt.run,
             doubt.in_doubt)
            for job in journals
            for ranks, doubts in [self._doubts(job)]
            for doubt in doubts
        ]  # fmt: skip
        read = {job.number for job in journals}
        found += [
            (key, number, rank_of(rank), run, in_doubt)
            for key, number, rank, run, in_doubt in self._ledger.doubts()
            if number not in read
        ]
        for key, number, rank, run, in_doubt in found:
            if run > after_run:
                unfinished = states[number] is JobState.UNFINISHED
                yield Unsure(key, rank, number, run, in_doubt, run > quiet, unfinished)

    def _doubts(self, job: JobRecord) -> tuple[dict[int, Rank], list[Doubt]]:
        assert job.folder is not None  # noqa: S101 -- its journal is there
        with closing(Journal(job.folder)) as journal:
            doubts = journal.doubts()
            return (journal.ranked() if doubts else {}), doubts

    def forget(self, forgotten: Forgotten) -> Counter[str]:
        """Take conversations out of the ledger, which knows all journals until then."""
        self.catch_up()
        self.has_forgotten = True
        return self._ledger.erase(forgotten, forgotten.tombs(self.key))

    def drop_comments(
        self, job: JobRecord, drop_files: Callable[[], None], rewrite: Callable[[], None]
    ) -> bool:
        """Take the comments out of the job's journal, and of what the ledger has of it.

        `drop_files` removes the files that hold some, and `rewrite` writes those anew that are made
        from the journal. Returns whether there may have been any. The job is at rest.
        """
        assert job.folder is not None  # noqa: S101 -- its journal is there
        self.catch_up()
        with closing(JournalEraser(job.folder)) as journal:
            if not journal.has_comments():
                return False
            drop_files()
            self._ledger.erase_comments_of(journal.run_numbers())
            journal.erase_comments()
        rewrite()
        # Last: killed in between, the journal still says that there is more to do.
        with closing(JournalEraser(job.folder)) as journal:
            journal.note_no_comments()
        return True

    # What ends a job.

    def given_up_rows(self) -> GivenUp:
        """Return which of the rows that are left over are not tried again (A17)."""
        return given_up_rows(self.jobs, self.given_up)

    def abandon(self, job: JobRecord, now: float) -> int:
        """Give the job up for good, or if it has ended what it has left over (A17).

        Return how many rows of its own were left over, or to be sent by an unfinished job that has
        taken them over; 0 for a job that was not finished. Raises `SettingsError` if there is
        nothing to give up.
        """
        if job.folder is None:
            raise SettingsError(f"the job {job.name} is gone: nothing is left to give up")
        if job.state is not JobState.UNFINISHED:
            then = given_up_rows(self.jobs, self.given_up | {job.number})
            with JournalReader(job.folder) as journal:
                left_over = {
                    key
                    for version, key in journal.left_overs()
                    if version == job.number and then.has(version, key)
                }
            left_over |= still_to_send(job, self.jobs, self.given_up)
            if not left_over or job.number in self.given_up:
                raise SettingsError(
                    f"the job {job.name} has ended already: nothing is left to give up"
                )
            self.give_up_left_overs(job, now)
            return len(left_over)
        with closing(Journal(job.folder)) as unfinished:
            unfinished.give_up(now)
        # It is done then: a ledger that cannot be written hears of it from the journal later.
        with suppress(JournalError):
            self._replace(replace(job, state=JobState.GIVEN_UP))
        return 0

    def give_up_left_overs(self, job: JobRecord, now: float) -> None:
        """Let nobody try again what the job has left over of its own rows (A17)."""
        assert job.folder is not None  # noqa: S101 -- its journal is there
        with closing(Journal(job.folder)) as journal:
            journal.give_up_left_overs(now)
        self.given_up.add(job.number)
        with suppress(JournalError):  # as above
            self._ledger.note_given_up([job.number])

    @staticmethod
    def note_undo_waits(job: JobRecord, *, clears: bool) -> None:
        """Note that an undo of the job waits for another one; it `clears` what is unknown."""
        assert job.folder is not None  # noqa: S101 -- as above
        with closing(Journal(job.folder)) as journal:
            journal.note_undo_waits(clears=clears)

    def note_withdrawn(
        self,
        job: JobRecord,
        after_all: Iterable[tuple[bytes, int]],
        leaves: Mapping[str, int | str] = MappingProxyType({}),
        unknown_before: Iterable[tuple[bytes, int]] = (),
    ) -> None:
        """Note that the job is taken back: from now on it counts for nothing (U1).

        `after_all` are the rows of earlier jobs that are sent now: key, and who brought it (U2).
        What its undo `leaves` is told by the facts of its journal; `unknown_before` are the
        conversations of which it does not know what they held: key, and who came last to it (U3).
        """
        assert job.folder is not None  # noqa: S101 -- as above
        told = told_of_undos(self.jobs)
        undos = (undo for undo, one in told.items() if one.undoes == job.number)
        with closing(Journal(job.folder)) as journal:
            journal.note_withdrawn(
                len(self.jobs), max(undos, default=0), after_all, unknown_before, leaves
            )

    @staticmethod
    def is_at_rest(job: JobRecord) -> bool:
        """Return whether the job is there, and no run works on its pending rows any more."""
        return job.is_here and job.state.is_at_rest

    def may_be_pruned(self, job: JobRecord) -> bool:
        """Return whether the job's folder may be removed (docs/reference.md, A16)."""
        return self.is_at_rest(job) and job.number < len(self.jobs)

    def prune(self, job: JobRecord) -> None:
        """Remove the job's folder, once all that others have to know of it lasts elsewhere."""
        assert job.folder is not None  # noqa: S101 -- it may be pruned
        assert self.may_be_pruned(job)  # noqa: S101
        index = self._ledger.jobs()[job.number - 1]
        self._take_in(job, index.entries if index.entries <= job.entries else 0, synced=True)
        # Renamed first: half a folder would look like a job that has lost its journal.
        gone = job.folder.with_name(_REMOVED + job.folder.name)
        job.folder.rename(gone)
        sync_folder(self.jobs_dir)
        _remove(gone)
        self._replace(replace(job, folder=None, state=JobState.PRUNED))

    def _replace(self, *changed: JobRecord, synced: bool = False) -> None:
        """Let these records take the place of those with their numbers, or join them."""
        by_number = {job.number: job for job in (*self.jobs, *changed)}
        self.jobs = [by_number[number] for number in sorted(by_number)]
        self._ledger.note_jobs(changed, synced=synced)


@contextmanager
def hold_jobs(jobs_dir: Path, key: ProductKey) -> Iterator[ProductJobs]:
    """Hold a product: nobody else works on its jobs meanwhile (docs/reference.md, A1).

    Raises what `holding` raises.
    """
    with holding(jobs_dir, key, lambda: ProductJobs(jobs_dir, key)) as product:
        yield product


@contextmanager
def holding(jobs_dir: Path, key: ProductKey, read: Callable[[], _Product]) -> Iterator[_Product]:
    """Hold the product that `read` reads.

    Raises `JobHeldError` if another process holds it, and `SettingsError` if the jobs folder, the
    ledger, or two of the journals cannot be used.
    """
    with hold(jobs_dir, key.name):
        try:
            product = read()
        except JournalError as error:
            raise SettingsError(str(error)) from None
        with closing(product):
            yield product


def read_heads(jobs_dir: Path) -> tuple[list[Head], list[str]]:
    """Return the heads of all journals in the jobs folder, and why others cannot be used."""
    heads, remarks = [], []
    for folder in job_folders(jobs_dir):
        try:
            heads.append(read_head(folder))
        except JournalError as error:
            remarks.append(str(error))
    return heads, remarks


def clear_removed(jobs_dir: Path) -> None:
    """Remove what is left of folders whose removal was interrupted."""
    for folder in jobs_dir.glob(f"{_REMOVED}*"):
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove what is known to nobody any more, as far as possible: others may be doing so, too."""
    shutil.rmtree(folder, ignore_errors=True)
