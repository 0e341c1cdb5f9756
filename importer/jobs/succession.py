"""How one job of a product follows another: at most the last one is unfinished.

What becomes of an unfinished job when another begins stands in docs/reference.md: A2 to A5.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from heapq import merge
from operator import attrgetter
from pathlib import Path

from importer.common.durations import format_duration
from importer.common.files import clear_unfinished
from importer.common.text import counted, few_listed, is_or_are
from importer.errors import SettingsError, UnfinishedJobError
from importer.feedback.body import BodyCoder
from importer.jobs.carry_over import carried_rows, displaced_rows, highest_rows, pending_rows
from importer.jobs.copies import copies_folder
from importer.jobs.ends import end_in_words
from importer.jobs.folders import base_name, claim_folder
from importer.jobs.forget import tomb_of
from importer.jobs.identity import job_name, product_key
from importer.jobs.job import Job
from importer.jobs.journal import Journal
from importer.jobs.journal_create import create_journal
from importer.jobs.key_source import key_facts
from importer.jobs.ledger import LeftOver
from importer.jobs.overtaken import awaited_of
from importer.jobs.own_commands import in_the_way
from importer.jobs.placing import PlacedRow, Placing
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import BEGINS, BEGUN_AT, CarriedRow, JobRecord, JobState, NewJob
from importer.jobs.surveys import (
    drop_note,
    note_survey,
    remove_surveys,
    stopped_surveys,
    surveys_begun_by,
    surveys_in,
)
from importer.settings import ImportSettings

_KEY = attrgetter("key")
#: So many jobs are named in a remark.
_MOST_NAMED = 3


class Succession(ProductJobs):
    """The jobs of a product, and how the one that certain settings mean follows them.

    Its methods raise `JournalError` when a journal or the ledger cannot be used.
    """

    def __init__(self, settings: ImportSettings, key_source: Sequence[str] = ()) -> None:
        super().__init__(settings.job.jobs_dir, product_key(settings))
        self._settings = settings
        #: The options that say where the key is.
        self._key_source = list(key_source)
        self._name = job_name(settings)
        self._claimed: Path | None = None
        #: The folders that are left to jobs which were stopped while they read something else.
        self._left: set[str] = set()
        #: How many rows `left_overs` has left out for their age (`--carry-over-for`).
        self.too_old = 0
        #: Makes the numbers of the bodies that are sent.
        self.coder = BodyCoder(*self.key)

    def check_sequence(self) -> JobRecord | None:
        """Return the unfinished job that a new one replaces, None if there is none.

        Raises `UnfinishedJobError` if there is one, and the settings do not say that it is to be
        replaced (docs/reference.md, A2 to A4). One that has sent nothing yet is in nobody's way,
        unless it has taken over rows of earlier jobs.
        """
        job = self.unfinished_other_than(None)
        if job is None or self._may_replace(job):
            return job
        raise self._in_the_way(job)

    def ends(self, replaced: JobRecord | None) -> list[JobRecord]:
        """Return the unfinished jobs as they are once a new one begins, which replaces one."""
        taken = None if replaced is None or not self._takes_over(replaced) else replaced.number
        return [
            replace(job, state=JobState.REPLACED if job.number == taken else JobState.GIVEN_UP)
            for job in self.jobs
            if job.state is JobState.UNFINISHED
        ]

    def _may_replace(self, job: JobRecord) -> bool:
        return self._takes_over(job) or self._gives_up(job)

    def _gives_up(self, job: JobRecord) -> bool:
        rules = self._settings.job
        return rules.replace or (rules.restart and base_name(job.name) == self._name)

    def _takes_over(self, job: JobRecord) -> bool:
        # What is said for this once counts, and not what each night says.
        return self._settings.ledger.carry_over and job.keeps_bodies and not self._gives_up(job)

    def unfinished_other_than(self, job: JobRecord | None) -> JobRecord | None:
        """Return the unfinished job that is in the way of others; None if that is `job`."""
        others = (other for other in self.jobs if job is None or other.number != job.number)
        return next((other for other in others if other.is_in_the_way), None)

    def _in_the_way(self, job: JobRecord) -> UnfinishedJobError:
        return in_the_way(job, self._settings, self._key_source)

    def claim_folder(self, inputs: Sequence[Path] = ()) -> Path:
        """Return the folder of the job that is to begin; it is there, and has no journal yet.

        `inputs` are its files, as far as nothing else keeps what they hold. The folder of a job
        that was stopped while it read something else from them is left to that. Raises
        `SettingsError` if a job of this name has lost its journal, or the jobs folder cannot be
        written.
        """
        try:
            restart = self._settings.job.restart
            taken = {job.name for job in self.jobs}
            if self._claimed is None:
                self._left = {one.folder.name for one in surveys_in(self.jobs_dir) if one.changed}
            folder = claim_folder(
                self.jobs_dir, self._name, restart=restart, taken=taken | self._left
            )
        except OSError as error:
            raise SettingsError(f"--jobs-dir {self.jobs_dir}: {error.strerror}") from None
        if folder != self._claimed:
            note_survey(folder, self._settings, self._key_source, inputs)
        self._claimed = folder
        return folder

    def _waits_for_forgotten(self, job: JobRecord) -> bool:
        """Return whether a request of a row that was forgotten may still take effect (A10).

        Which conversation that is nobody can tell from a row, so all rows wait for it.
        """
        after_run = self._ledger.quiet_run
        return self.has_forgotten and any(
            row.job != job.number for row in self.unsure(after_run=after_run)
        )

    def leave_nothing(self) -> None:
        """Remove the folder that was claimed, if there is nothing in it."""
        if self._claimed is not None:
            with suppress(OSError):
                copies_folder(self._claimed).rmdir()
            if not copies_folder(self._claimed).exists():
                drop_note(self._claimed)
            with suppress(OSError):
                self._claimed.rmdir()

    def give_way(self, name: str, rows: Sequence[PlacedRow]) -> set[PlacedRow]:
        """Return those of the rows, which that job has written, that give way to others of it."""
        number = self.number_of(name)
        if number is None:
            return set()
        buried = {}
        if self.has_forgotten:
            buried = {row._replace(key=tomb_of(row.key, self.key)): row for row in rows}
        found = self._placing().give_way(number, [*rows, *buried])
        return {buried.get(row, row) for row in found}

    def is_placed(self, name: str) -> bool:
        """Return whether rows of that job's left-over files are to be compared with each other."""
        number = self.number_of(name)
        return number is not None and self._placing().is_placed(number)

    def _placing(self) -> Placing:
        ends = {job.number: job for job in self.ends(self.check_sequence())}
        return Placing(self.jobs, lambda job: awaited_of(ends.get(job.number, job)), self.look_up)

    def begin(self, new: NewJob) -> Job:
        """Begin a job: its journal is written whole, and lasts, before it is known to others.

        The job that it replaces, and those in nobody's way, end in the same moment. Raises
        `SettingsError` if the folder cannot be made.
        """
        job = self.unfinished_other_than(new.replaces)
        if job is not None:
            raise self._in_the_way(job)
        ends = self.ends(new.replaces)
        told = [end_in_words(job, self._name, new.inputs) for job in ends]
        record = self._created(new, {job.id: job.state for job in ends})
        self.remarks += told
        since = max((job.began_at for job in self.jobs), default=0.0)
        self.remarks += stopped_surveys(self.jobs_dir, since, self.key)
        self._replace(*ends, record, synced=True)
        assert record.folder is not None  # noqa: S101 -- it was just made
        return self._job(record, Journal(record.folder))

    def _created(self, new: NewJob, ends: dict[str, JobState]) -> JobRecord:
        folder = self.claim_folder()
        begun = surveys_begun_by(folder)
        new.facts = {
            **new.facts, "product_id": self.key.product_id, "base_url": self.key.service,
            BEGINS: json.dumps([one.folder.name for one in begun]),
            "settings": json.dumps(self._settings.as_record()),
            BEGUN_AT: str(time.time()), **key_facts(self._key_source),
        }  # fmt: skip
        job_id = secrets.token_hex(16)
        create_journal(
            folder, new, number=self.next_number, job_id=job_id, floor=self.floor, ends=ends
        ).close()
        drop_note(folder)
        remove_surveys(begun)
        return JobRecord(
            self.next_number, job_id, folder.name, folder, JobState.UNFINISHED,
            keeps_bodies=new.kept is not None, holds_carried=bool(new.carried),
        )  # fmt: skip

    def left_overs(self, now: float) -> Iterator[CarriedRow]:
        """Yield the rows that a job takes over which begins `now` (docs/reference.md, A4, A5).

        They come by key, numbered from 1, and of each conversation only the highest-ranked one is
        there: what earlier jobs have left over, if it ranks above the floor, and the rows of the
        job that is replaced that have no outcome yet. If that has sent nothing, they are only those
        that it has taken over itself: its own may be what a limit has stopped.
        """
        self.catch_up()
        every = list(self._within_their_time(now))
        left_over = [one for one in every if one.row.rank.first >= self.floor]
        if lost := len(every) - len(left_over):
            self.remarks.append(
                f"{counted(lost, 'row')} left over from jobs before the missing job {self.floor} "
                f"may be overtaken, and {is_or_are(lost)} not carried over: those jobs' own "
                "commands bring back what they left over, with --restart"
            )
        job = self.check_sequence()
        pending: Iterable[LeftOver] = ()
        if job is not None and job.folder is not None and self._takes_over(job):
            # Below the floor, too: the new job accounts for those that may not be sent any more.
            if job.sent_anything:
                pending = pending_rows(job.folder, job.number)
            else:
                pending = carried_rows(job.folder)
        ends = {ended.number: ended for ended in self.ends(job)}
        jobs = (ends.get(one.number, one) for one in self.jobs)
        rows = merge(left_over, pending, *map(self._lost_with, jobs), key=_KEY)
        given_up = self.given_up_rows()
        return highest_rows(one for one in rows if not given_up.has(one.row.rank.version, one.key))

    def _lost_with(self, job: JobRecord) -> list[LeftOver]:
        """Return what a job that was given up had taken over and not settled, by key.

        It is left over still, unless another job has come since (docs/reference.md, A17), or the
        job itself has settled a row of its own in its place.
        """
        if job.folder is None or job.state is not JobState.GIVEN_UP or not job.holds_carried:
            return []
        pending = pending_rows(job.folder, job.number)
        rows = merge(pending, displaced_rows(job.folder), key=_KEY)
        lost = [one for one in rows if one.row.rank.version != job.number]
        known = self.look_up(one.key for one in lost)
        return [
            one
            for one in lost
            if one.row.rank.first >= self.floor
            and (one.key not in known or known[one.key].rank < one.row.rank)
        ]

    def _within_their_time(self, now: float) -> Iterator[LeftOver]:
        """Yield what earlier jobs have left over, but for what those have that began too long ago.

        How many these are is told each time.
        """
        kept_for = self._settings.ledger.carry_over_for
        if kept_for is None:
            yield from self._ledger.left_overs()
            return
        ends = (job.number for job in self.jobs if 0 < job.began_at < now - kept_for)
        latest = max(ends, default=0)
        too_old, given_up = Counter[int](), self.given_up_rows()
        for one in self._ledger.left_overs():
            if one.row.rank.first > latest:
                yield one
            elif not given_up.has(one.row.rank.version, one.key):
                too_old[one.row.rank.first] += 1
        self.too_old = rows = too_old.total()
        if rows:
            some = [*filter(None, map(self.name_of, filter(None, sorted(too_old))))]
            self.remarks.append(
                f"{counted(rows, 'row')} left over for longer than {format_duration(kept_for)} "
                f"(--carry-over-for) {is_or_are(rows)} not carried over; "
                f"brought first by {few_listed(some or ['jobs that are gone'], _MOST_NAMED)}"
            )

    def _job(self, job: JobRecord, journal: Journal) -> Job:
        assert job.folder is not None  # noqa: S101 -- its journal is open
        clear_unfinished(job.folder)
        quiet = self._ledger.quiet_run
        return Job(
            job, journal, self._ledger, folder=job.folder, body_of=self.coder,
            next_run=self.next_run,
            waits_for_unknown=self.waits_for_missing or self._waits_for_forgotten(job),
            unsure=lambda: list(self.unsure(after_run=quiet)),
        )  # fmt: skip

    def _journal(self, job: JobRecord) -> Journal:
        assert job.folder is not None  # noqa: S101 -- its journal is there
        return Journal(job.folder)
