"""Finds the job that a command means, or begins it, while the product is held.

Which job that is stands in docs/reference.md: J2 to J8, A2 to A4, A15.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from importer.common.file_system import journal_mode
from importer.common.text import listed
from importer.errors import InputChangedError, JournalError, SettingsError
from importer.jobs.commands import Again, starting_over, to_see_which
from importer.jobs.ends import has_same_content, successors_of
from importer.jobs.folders import base_name
from importer.jobs.identity import product_key
from importer.jobs.inputs import CurrentInputs, undone_job
from importer.jobs.job import Job
from importer.jobs.journal import Journal
from importer.jobs.journal_head import check_latest
from importer.jobs.journal_reader import JournalReader
from importer.jobs.own_commands import has_undo_to_begin, how_to_resume, how_to_undo
from importer.jobs.product_jobs import clear_removed, holding
from importer.jobs.records import WITHDRAWN, InputFile, JobRecord, JobState
from importer.jobs.succession import Succession
from importer.jobs.undo_rows import told_of_undos
from importer.jobs.undo_void import taken_back
from importer.model import NOT_IMPORTED, OutcomeKind
from importer.settings import ImportSettings

_AS_THEY_ARE = CurrentInputs()


class GivenBefore(NamedTuple):
    """A job of the same command and content of which nothing is left to do.

    Its rows have joined a later job, or it was taken back.
    """

    number: int
    name: str
    #: The name of the later one, or of the undo; empty if that had nothing to send.
    by: str
    is_taken_back: bool
    #: The command that imports its inputs once more all the same.
    again: Again
    #: The command that goes on with the undo; empty if that has ended.
    goes_on: str = ""


class Product(Succession):
    """The jobs of the product that certain settings mean, for one run.

    Its methods raise `JournalError` when a journal or the ledger cannot be used.
    """

    def resumable(self, now: CurrentInputs = _AS_THEY_ARE) -> Job | None:
        """Open the job that the settings mean, if it has something left to do.

        `now` are the inputs that the settings mean.
        Raises `InputChangedError` if the job is unfinished and an input is another now,
        `UnfinishedJobError` if another job is in the way, and `SettingsError` if the rows that are
        to be tried again cannot be.
        """
        if self._settings.retry is not None:
            return self._retried(self.meant(), now)
        job = self.goes_on_with(now)
        if job is None:
            return None
        journal = self._journal(job)
        with _closed_after_error(journal):
            if job.state is JobState.ENDED:
                journal.try_again([OutcomeKind.NOT_COMPLETED], given_up=self.given_up_rows())
            return self._opened(job, journal)

    def goes_on_with(self, now: CurrentInputs = _AS_THEY_ARE) -> JobRecord | None:
        """Return the job that `resumable` opens; nothing changes. Raises what that raises."""
        job = self._gone_on_with()
        if job is None or job.folder is None:
            return None
        if job.state is JobState.UNFINISHED:
            # What has sent nothing is begun anew: today's settings decide what may be sent.
            return job if job.sent_anything and self._is_as_begun(job, now) else None
        return job if job.state is JobState.ENDED and self._waits(job, now) else None

    def works_from_copies_in(self) -> Path | None:
        """Return the folder of the job that goes on with the copies of its inputs, if one does.

        Otherwise new copies are taken: for a new job, and in the place of an unfinished one with
        `--carry-over`. Of what is no local file nobody can tell whether it is still the same, so a
        job that has ended is not gone on with but by `retry`. Raises what `resumable` raises.
        """
        if self._settings.retry is not None:
            job = self.meant()
            return None if job is None else job.folder
        job = self._gone_on_with()
        is_unfinished = job is not None and job.state is JobState.UNFINISHED and job.sent_anything
        if job is None or not is_unfinished or self._takes_over(job):
            return None
        return job.folder

    def _gone_on_with(self) -> JobRecord | None:
        """Return the latest job of the settings' name, unless the command starts over."""
        if self._settings.job.restart:
            return None
        check_latest(self.jobs_dir, self._name)
        return self.meant()

    def meant(self) -> JobRecord | None:
        """Return the latest job of the settings' name; None if there is none."""
        retry = self._settings.retry
        if retry is not None and retry.folder:
            return next((job for job in self.jobs if job.name == retry.folder), None)
        same = (job for job in reversed(self.jobs) if base_name(job.name) == self._name)
        return next(same, None)

    def may_be_replaced(self, sizes: Sequence[int]) -> bool:
        """Return whether inputs of these sizes may be those of a job that was replaced.

        That is one whose rows have joined a later one; no if the command starts over. One that had
        sent nothing is begun anew (A4).
        """
        return not self._settings.job.restart and any(
            sizes == [file.size for file in _inputs_sent(job)]
            for job in self.jobs
            if job.state is JobState.REPLACED
        )

    def replaced_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:
        """Return the latest job that had these inputs if its rows have joined a later one.

        Whatever the inputs are called: but an undo is of the same job. None also of one that was
        taken back.
        """
        undone = undone_job(file.path for file in inputs)
        for job in reversed(self.jobs):
            its = _inputs_sent(job)
            is_same = its and has_same_content(its, inputs)
            if is_same and undone_job(file.path for file in its) == undone:
                return self._replaced(job)
        return None

    def _replaced(self, job: JobRecord) -> GivenBefore | None:
        assert job.folder is not None  # noqa: S101 -- its inputs are known
        with JournalReader(job.folder) as journal:
            if job.state is not JobState.REPLACED or WITHDRAWN in journal.facts():
                return None
        by = next((folder.name for folder in successors_of(self.jobs, job)), "a later job")
        again = starting_over(self._settings, self._key_source)
        return GivenBefore(job.number, job.name, by, is_taken_back=False, again=again)

    def taken_back_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:
        """Return the latest job of the settings' name that had these inputs if it was taken back.

        None if the command starts over, or is an undo, which is worked out anew; or if there are no
        rows, of which nothing comes.
        """
        is_undo = undone_job(file.path for file in inputs) is not None
        if self._settings.job.restart or is_undo or not any(file.rows for file in inputs):
            return None
        same = [job for job in reversed(self.jobs) if base_name(job.name) == self._name]
        withdrawn = [job for job in same if job.number in self.withdrawn]
        if not any(has_same_content(_inputs(one), inputs) for one in withdrawn):
            return None  # without a look at what all the others have read
        job = next(one for one in same if has_same_content(_inputs(one), inputs))
        told = told_of_undos(self.jobs)
        if job.number not in taken_back(told):
            return None
        undos = [undo for undo, one in told.items() if one.undoes == job.number]
        undo = self.jobs[max(undos) - 1] if undos else None
        again = starting_over(self._settings, self._key_source)
        return GivenBefore(
            job.number, job.name, undo.name if undo else "", is_taken_back=True, again=again,
            goes_on=self._going_on(job, undo),
        )  # fmt: skip

    def _going_on(self, job: JobRecord, undo: JobRecord | None) -> str:
        """Return the command that goes on with the undo of a job; empty if that has ended."""
        assert job.folder is not None  # noqa: S101 -- its inputs are known
        if undo is None:
            with JournalReader(job.folder) as journal:
                return how_to_undo(journal) if has_undo_to_begin(journal.facts()) else ""
        if undo.state is not JobState.UNFINISHED or undo.folder is None:
            return ""
        return how_to_resume(undo.folder, self._key_source)

    def _is_as_begun(self, job: JobRecord, now: CurrentInputs) -> bool:
        """Return whether the inputs are those of the unfinished job; False: it is replaced."""
        assert job.folder is not None  # noqa: S101 -- its journal is there
        with JournalReader(job.folder) as journal:
            changed = now.changed_from(job.folder, journal.inputs())
        if not changed:
            return True
        if self._may_replace(job):
            return False
        takes_over = ""
        if job.keeps_bodies:
            takes_over = "; or take its rows over with --carry-over"
        elif self._settings.ledger.carry_over:
            takes_over = ". It began without --carry-over, so its rows cannot be taken over"
        raise InputChangedError(
            f"{', '.join(changed)} changed since the unfinished job {job.folder} began: its rows "
            "cannot be told apart any more. Bring the old content back to resume; or give the job "
            f"up with --restart, and import the new content from its first row{takes_over}"
        )

    def _waits(self, job: JobRecord, now: CurrentInputs) -> bool:
        """Return whether there are rows that wait for their conversation: just those again.

        To begin it anew beside an unfinished one would send all its rows over what is newer.
        """
        assert job.folder is not None  # noqa: S101 -- its journal is there
        other = self.unfinished_other_than(job)
        if other is not None and self._settings.job.replace:
            return False
        with JournalReader(job.folder) as journal:
            if next(journal.left_overs(waiting=True), None) is None:
                return False
            given_up = self.given_up_rows()  # for which all journals are opened
            if all(given_up.has(*row) for row in journal.left_overs(waiting=True)):
                return False
            paths = [file.path for file in journal.inputs()]
            if undone_job(paths) is not None and not all(Path(path).exists() for path in paths):
                return False  # dropped with the comments in it (U12): it is worked out anew
            if now.changed_from(job.folder, journal.inputs()):
                return False
        if other is not None:
            raise self._in_the_way(other)
        if job.number < self.floor:
            raise self._below_floor(job)
        return True

    def _retried(self, job: JobRecord | None, now: CurrentInputs) -> Job:
        retry = self._settings.retry
        assert retry is not None  # noqa: S101 -- only then is this asked
        if job is None or job.folder is None:
            raise SettingsError(f"there is no job to retry for these inputs in {self.jobs_dir}")
        if job.state is JobState.REPLACED:
            raise SettingsError(
                f"the job {job.name} was replaced: its rows have joined a later job, and only that "
                f"one can be retried (clarityq-import jobs lists it). {_left_over_in(job.folder)}"
            )
        if job.state is JobState.GIVEN_UP:
            raise SettingsError(
                f"the job {job.name} was given up: its rows are not tried again. "
                f"{_left_over_in(job.folder)}"
            )
        if job.number < self.floor:
            raise self._below_floor(job)
        if (other := self.unfinished_other_than(job)) is not None:
            raise self._in_the_way(other)
        if job.state is JobState.UNFINISHED and not job.sent_anything:
            raise SettingsError(
                f"the job {job.name} has sent nothing yet, so no row of it can be tried again: run "
                f"its own command\n  {how_to_resume(job.folder, self._key_source)}"
            )
        journal = self._journal(job)
        with _closed_after_error(journal):
            if changed := now.changed_from(journal.folder, journal.inputs()):
                raise InputChangedError(
                    f"{', '.join(changed)} changed since the job {job.folder} began: bring the old "
                    "content back to retry, or import the new content with clarityq-import run"
                )
            chosen = journal.try_again(retry.kinds, retry.reasons, self.given_up_rows())
            if job.state is JobState.UNFINISHED:
                self.remarks.append(
                    f"the job {job.name} is not finished: its pending rows are sent as well"
                )
            if not chosen and job.state is JobState.ENDED:
                raise SettingsError(
                    f"the job {job.name} has no rows that could be tried again: none that is not "
                    "completed, or that failed, of those that --only and --reason name, and that "
                    "was not given up. A row of a "
                    "conversation in ERROR is tried only with --reason conversation_error"
                )
            return self._opened(job, journal)

    def _below_floor(self, job: JobRecord) -> SettingsError:
        return SettingsError(
            f"rows of the job {job.name} cannot be tried again: the later job {self.floor} of this "
            "product is missing, and may have set the same conversations. To send all rows of the "
            "job all the same, run its own command with --restart"
        )

    def _opened(self, job: JobRecord, journal: Journal) -> Job:
        # Before its run begins: until then the ledger knows all of a job at rest, and not after.
        self.catch_up()
        if self.floor > int(journal.facts()["floor"]):
            journal.know_floor(self.floor)
        return self._job(job, journal)


def _inputs_sent(job: JobRecord) -> Sequence[InputFile]:
    """Return the inputs of a job that has sent something; none if it has not, or is unknown."""
    return _inputs(job) if job.sent_anything else []


def _inputs(job: JobRecord) -> Sequence[InputFile]:
    """Return the inputs of a job; none if its folder is gone, or its journal cannot be read."""
    if job.folder is not None:
        with suppress(JournalError), JournalReader(job.folder) as journal:
            return journal.inputs()
    return []


def _left_over_in(folder: Path) -> str:
    """Return in which files the rows of a job are that were not imported. Raises `JournalError`."""
    with JournalReader(folder) as journal:
        files = [folder / name for name in journal.written_files()]
        has_any = any(journal.totals().outcomes[kind] for kind in NOT_IMPORTED)
    if not has_any:
        return "No row of it was rejected or failed"
    if there := [str(file) for file in files if file.exists()]:
        return f"Those that were not imported are in {listed(there)}"
    which = to_see_which(folder)
    return f"Those that were not imported are in no file. To see which they are: {which}"


@contextmanager
def hold_product(settings: ImportSettings, key_source: Sequence[str] = ()) -> Iterator[Product]:
    """Hold the product that the settings mean, from before the survey to the end of the run.

    `key_source` are the options that say where the key is: commands that are printed have them.
    Raises `JobHeldError` if another run holds it, and `SettingsError` if the jobs folder, the
    ledger, or two of the journals cannot be used.
    """
    jobs_dir = settings.job.jobs_dir
    try:
        jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--jobs-dir {jobs_dir}: {error.strerror}") from None
    journal_mode(jobs_dir)  # before it is locked, where locks may not work
    key = product_key(settings)
    with holding(jobs_dir, key, lambda: Product(settings, key_source)) as product:
        clear_removed(jobs_dir)
        yield product


@contextmanager
def _closed_after_error(journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        journal.close()
        raise
