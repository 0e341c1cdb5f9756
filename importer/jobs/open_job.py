"""Opens the job that a command means: a new one, or one to resume.

The same command finds the same job (`identity`). Of a job that was started over more than once, the
folder with the highest number counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from importer.common.file_system import journal_mode
from importer.errors import InputChangedError, JournalError, SettingsError
from importer.jobs.carry_over import CARRIED_OVER, write_carried_over
from importer.jobs.folders import folders_of
from importer.jobs.identity import fingerprint, job_name, ledger_path
from importer.jobs.journal import FILE_NAME, Journal
from importer.jobs.ledger import Ledger, LedgerSession
from importer.jobs.lock import hold
from importer.jobs.records import InputFile
from importer.model import OutcomeKind, RunEnd
from importer.settings import ImportSettings


@dataclass(frozen=True, slots=True)
class Job:
    """An open job.

    Requests of earlier runs may take effect until `quiet_at` (Unix seconds).
    """

    folder: Path
    journal: Journal
    quiet_at: float = 0.0
    #: The product's ledger, if there is one, as this job uses it.
    ledger: LedgerSession | None = None

    @property
    def carried_over(self) -> Path | None:
        """Return the file of the rows that earlier jobs have left over, None without such rows."""
        inputs = [Path(file.path) for file in self.journal.inputs()]
        return inputs[0] if inputs[0].name == CARRIED_OVER else None


@contextmanager
def open_job(settings: ImportSettings, inputs: Sequence[InputFile]) -> Iterator[Job]:
    """Hold the job that `settings` mean: resume it, or start it.

    Raises `JobHeldError` if another run holds it, `InputChangedError` if an unfinished job began
    with other content, and `SettingsError` if the jobs folder or the journal cannot be used.
    """
    name = job_name(settings)
    try:
        settings.job.jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--jobs-dir {settings.job.jobs_dir}: {error.strerror}") from None
    journal_mode(settings.job.jobs_dir)  # before it is locked, where locks may not work
    with ExitStack() as stack:
        stack.enter_context(hold(settings.job.jobs_dir, name))
        ledger = None
        try:
            path = ledger_path(settings)
            if settings.ledger.skip_unchanged or settings.ledger.carry_over or path.exists():
                # One job of the product at a time: the ledger has to know what each one sends.
                stack.enter_context(hold(settings.job.jobs_dir, path.stem))
                ledger = Ledger(path)
                stack.callback(ledger.close)
            job = _find_or_create(settings, name, inputs, ledger)
            if ledger is not None:
                job = replace(
                    job,
                    quiet_at=max(job.quiet_at, ledger.quiet_at()),
                    ledger=ledger.enrol(job.folder.name, is_new=job.journal.last_run() is None),
                )
        except JournalError as error:
            raise SettingsError(str(error)) from None
        except OSError as error:
            raise SettingsError(f"--jobs-dir {settings.job.jobs_dir}: {error.strerror}") from None
        stack.callback(job.journal.close)
        yield job


def _find_or_create(
    settings: ImportSettings, name: str, inputs: Sequence[InputFile], ledger: Ledger | None
) -> Job:
    numbers = folders_of(settings.job.jobs_dir, name)
    latest = max(numbers, default=0)
    quiet_at = 0.0
    if latest and not settings.job.restart:
        folder = numbers[latest]
        if not (folder / FILE_NAME).exists():
            if any(folder.glob("summary.json")):
                raise SettingsError(
                    f"{folder} has lost its {FILE_NAME}: put it back to resume, or start over "
                    "with --restart"
                )
            return _create(folder, settings, inputs, ledger)  # killed before the journal was there
        journal = Journal(folder)
        try:
            quiet_at = _quiet_at(journal)
            if _resumes(settings, folder, journal, inputs):
                return Job(folder, journal, quiet_at)
        except BaseException:
            journal.close()
            raise
        journal.close()
    elif latest:
        with suppress(JournalError), closing(Journal(numbers[latest])) as journal:
            quiet_at = _quiet_at(journal)
    job = _create(settings.job.jobs_dir / f"{name}-{latest + 1}", settings, inputs, ledger)
    return replace(job, quiet_at=quiet_at)


def _quiet_at(journal: Journal) -> float:
    run = journal.last_run()
    return 0.0 if run is None else run.quiet_at


def _resumes(
    settings: ImportSettings, folder: Path, journal: Journal, inputs: Sequence[InputFile]
) -> bool:
    """Return whether the job in `folder` has something left to do; reopen what may be tried."""
    began_with = [file for file in journal.inputs() if Path(file.path).name != CARRIED_OVER]
    same = [(file.size, file.digest) for file in began_with] == [
        (file.size, file.digest) for file in inputs
    ]
    run = journal.last_run()
    if settings.retry is not None and same:
        reopened = journal.reopen(settings.retry.kinds, settings.retry.reasons)
        if not reopened and run is not None and run.end is RunEnd.FINISHED:
            raise SettingsError(f"the job {folder.name} has no such rows that could be tried again")
        return True
    if run is not None and run.end is RunEnd.FINISHED:
        return same and journal.reopen([OutcomeKind.NOT_COMPLETED]) > 0
    if not same and journal.nothing_sent():
        return False
    if not same:
        changed = [
            file.path
            for old, file in zip(began_with, inputs, strict=True)
            if (old.size, old.digest) != (file.size, file.digest)
        ]
        raise InputChangedError(
            f"{', '.join(changed)} changed since the unfinished job {folder} began: its rows "
            "cannot be told apart any more. Bring the old content back to resume, or import the "
            "new content from its first row with --restart"
        )
    return True


def _create(
    folder: Path, settings: ImportSettings, inputs: Sequence[InputFile], ledger: Ledger | None
) -> Job:
    if settings.retry is not None:
        raise SettingsError(f"there is no job to retry for these inputs in {settings.job.jobs_dir}")
    folder.mkdir(mode=0o700, exist_ok=True)
    carried = folder / CARRIED_OVER
    if settings.ledger.carry_over and ledger and write_carried_over(carried, ledger, settings):
        inputs = [*fingerprint([carried]), *inputs]
    facts = {"product_id": settings.target.product_id, "base_url": settings.target.service}
    return Job(folder, Journal.create(folder, inputs, facts))
