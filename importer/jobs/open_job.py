"""Jobs and their folders: which job a command means, and whether it is new or goes on.

A job is named after its first input and a hash of everything that decides what is sent where. The
same command therefore finds the same job. Each start from scratch gets a folder of its own with
the next number: `feedback-1f0c2a9b-1`, `feedback-1f0c2a9b-2`, …; the highest number counts.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from importer.common.files import private_opener
from importer.common.text import did_you_mean
from importer.errors import (
    InputChangedError,
    InputError,
    JobHeldError,
    JournalError,
    SettingsError,
)
from importer.jobs.journal import FILE_NAME, SqliteJournal
from importer.jobs.ledger import Ledger
from importer.jobs.records import CARRIED_OVER, InputFile
from importer.model import OutcomeKind, RunEnd
from importer.settings import FIELDS, ImportSettings

_BLOCK = 4 * 1024 * 1024
_FOLDER = re.compile(r"(?P<name>.+-[0-9a-f]{8})-(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Job:
    """An open job.

    Requests of earlier runs may take effect until `quiet_at` (Unix seconds).
    """

    folder: Path
    journal: SqliteJournal
    quiet_at: float = 0.0
    #: The product's ledger, if there is one, and the job's number in it.
    ledger: tuple[Ledger, int] | None = None

    @property
    def carried_over(self) -> Path | None:
        """Return the file of the rows that earlier jobs have left over, None without such rows."""
        inputs = [Path(file.path) for file in self.journal.inputs()]
        return inputs[0] if inputs[0].name == CARRIED_OVER else None


def job_name(settings: ImportSettings) -> str:
    """Return the name of the job that these settings mean, without the folder's number."""
    identity = json.dumps(
        [
            [str(path.absolute()) for path in settings.inputs],
            settings.product_id,
            "sandbox" if settings.sandbox else settings.base_url,
            settings.format,
            settings.delimiter,
            settings.encoding,
            sorted(settings.columns.items()),
            sorted(settings.ratings.words.items()),
            settings.long_comments,
        ],
        ensure_ascii=True,
    )
    digest = hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()
    stem = re.sub(r"[^\w.-]+", "-", Path(settings.inputs[0]).name.split(".")[0])[:40]
    return f"{stem.strip('-.') or 'import'}-{digest}"


def fingerprint(
    paths: Sequence[Path], stopped: Callable[[], bool] = lambda: False
) -> list[InputFile]:
    """Return each file with its size and a digest of its content. Raises `InputError`.

    Gives up early, with a useless result, when `stopped` says so.
    """
    found = []
    for path in paths:
        digest = hashlib.blake2b(digest_size=16)
        size = 0
        try:
            with path.open("rb") as file:
                while (block := file.read(_BLOCK)) and not stopped():
                    digest.update(block)
                    size += len(block)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        found.append(InputFile(str(path.absolute()), size, digest.hexdigest()))
    return found


@contextmanager
def open_job(settings: ImportSettings, inputs: Sequence[InputFile]) -> Iterator[Job]:
    """Hold the job that `settings` mean: go on with it, or start it.

    Raises `JobHeldError` if another run holds it, `InputChangedError` if an unfinished job began
    with other content, and `SettingsError` if the jobs folder or the journal cannot be used.
    """
    name = job_name(settings)
    try:
        settings.jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--jobs-dir {settings.jobs_dir}: {error.strerror}") from None
    with ExitStack() as stack:
        stack.enter_context(_lock(settings.jobs_dir, name))
        ledger = None
        try:
            path = ledger_path(settings)
            if settings.skip_unchanged or settings.carry_over or path.exists():
                # One job of the product at a time: the ledger has to know what each one sends.
                stack.enter_context(_lock(settings.jobs_dir, path.stem))
                ledger = Ledger(path)
                stack.callback(ledger.close)
            job = _find_or_create(settings, name, inputs, ledger)
            if ledger is not None:
                job = replace(
                    job,
                    quiet_at=max(job.quiet_at, ledger.quiet_at()),
                    ledger=(
                        ledger,
                        ledger.enrol(job.folder.name, is_new=job.journal.last_run() is None),
                    ),
                )
        except JournalError as error:
            raise SettingsError(str(error)) from None
        except OSError as error:
            raise SettingsError(f"--jobs-dir {settings.jobs_dir}: {error.strerror}") from None
        stack.callback(job.journal.close)
        yield job


def job_folders(jobs_dir: Path) -> list[Path]:
    """Return the folders of all jobs, by name and number."""
    found = []
    for folder in jobs_dir.iterdir() if jobs_dir.is_dir() else ():
        match = _FOLDER.fullmatch(folder.name)
        if match and (folder / FILE_NAME).is_file():
            found.append((match["name"], int(match["number"]), folder))
    return [folder for _, _, folder in sorted(found)]


def find_job(jobs_dir: Path, text: str) -> Path:
    """Return the folder of the job that `text` names: a path, a name, or the beginning of one.

    Of a job's folders it is the latest. Raises `SettingsError` if there is none, or no single one.
    """
    if (Path(text) / FILE_NAME).is_file():
        return Path(text)
    folders = job_folders(jobs_dir)
    exact = [folder for folder in folders if folder.name == text]
    named = exact or [folder for folder in folders if folder.name.startswith(text)]
    jobs = {folder.name.rpartition("-")[0] for folder in named}
    if len(jobs) > 1:
        raise SettingsError(f"{text!r} may be any of the jobs {', '.join(sorted(jobs))}")
    if named:
        return named[-1]
    hint = did_you_mean(text, (folder.name for folder in folders), cutoff=0.3)
    raise SettingsError(
        f"there is no job {text!r} in {jobs_dir}{hint} (clarityq-import jobs lists them)"
    )


def ledger_path(settings: ImportSettings) -> Path:
    """Return where the ledger of the product is, or would be."""
    service = "sandbox" if settings.sandbox else settings.base_url
    digest = hashlib.blake2b(service.encode(), digest_size=4).hexdigest()
    return settings.jobs_dir / f"ledger-{settings.product_id}-{digest}.sqlite"


def _find_or_create(
    settings: ImportSettings, name: str, inputs: Sequence[InputFile], ledger: Ledger | None
) -> Job:
    numbers = {
        int(match["number"]): folder
        for folder in settings.jobs_dir.iterdir()
        if (match := _FOLDER.fullmatch(folder.name)) and match["name"] == name
    }
    latest = max(numbers, default=0)
    quiet_at = 0.0
    if latest and not settings.restart:
        folder = numbers[latest]
        if not (folder / FILE_NAME).exists():
            if any(folder.glob("summary.json")):
                raise SettingsError(
                    f"{folder} has lost its {FILE_NAME}: put it back to go on, or start over "
                    "with --restart"
                )
            return _create(folder, settings, inputs, ledger)  # killed before the journal was there
        journal = SqliteJournal(folder)
        try:
            quiet_at = _quiet_at(journal)
            if _goes_on(settings, folder, journal, inputs):
                return Job(folder, journal, quiet_at)
        except BaseException:
            journal.close()
            raise
        journal.close()
    elif latest:
        with suppress(JournalError), closing(SqliteJournal(numbers[latest])) as journal:
            quiet_at = _quiet_at(journal)
    job = _create(settings.jobs_dir / f"{name}-{latest + 1}", settings, inputs, ledger)
    return replace(job, quiet_at=quiet_at)


def _quiet_at(journal: SqliteJournal) -> float:
    run = journal.last_run()
    return 0.0 if run is None else run.quiet_at


def _goes_on(
    settings: ImportSettings, folder: Path, journal: SqliteJournal, inputs: Sequence[InputFile]
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
            "cannot be told apart any more. Bring the old content back to go on, or import the "
            "new content from its first row with --restart"
        )
    return True


def _create(
    folder: Path, settings: ImportSettings, inputs: Sequence[InputFile], ledger: Ledger | None
) -> Job:
    if settings.retry is not None:
        raise SettingsError(f"there is no job to retry for these inputs in {settings.jobs_dir}")
    folder.mkdir(mode=0o700, exist_ok=True)
    carried = folder / CARRIED_OVER
    if settings.carry_over and ledger is not None and _carry_over(carried, ledger, settings):
        inputs = [*fingerprint([carried]), *inputs]
    facts = {
        "product_id": settings.product_id,
        "base_url": "sandbox" if settings.sandbox else settings.base_url,
    }
    return Job(folder, SqliteJournal.create(folder, inputs, facts))


def _carry_over(path: Path, ledger: Ledger, settings: ImportSettings) -> bool:
    """Write what earlier jobs have left over as an input of this one; return whether there is any.

    The columns have the names that they have in the other inputs; the ratings are the API's words.
    """
    with open(
        path, "w", encoding="utf-8", errors="surrogatepass", newline="", opener=private_opener
    ) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([settings.columns.get(field, field) for field in FIELDS])
        any_rows = False
        for cells in ledger.left_overs():
            writer.writerow(cells)
            any_rows = True
    if not any_rows:
        path.unlink()
    return any_rows


@contextmanager
def _lock(jobs_dir: Path, name: str) -> Iterator[None]:
    """Hold the lock of a job; the system lets go of it when the process ends, however it ends."""
    holder = jobs_dir / f".{name}.holder"
    lock = FileLock(jobs_dir / f".{name}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        try:
            who = holder.read_text("utf-8")
        except OSError:
            who = "another process"
        raise JobHeldError(
            f"the job {name} is being worked on by {who}: wait for it to end, or stop it"
        ) from None
    except OSError as error:
        raise SettingsError(f"--jobs-dir {jobs_dir} cannot be written: {error.strerror}") from None
    try:
        with open(holder, "w", encoding="utf-8", opener=private_opener) as file:
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path) -> bool:
    """Return whether a run is working on the job in `folder` right now."""
    name = folder.name.rpartition("-")[0]
    lock = FileLock(folder.parent / f".{name}.lock", mode=0o600)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
