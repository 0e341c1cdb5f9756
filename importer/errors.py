"""What can stop a run, one class for each thing that the caller can do about it.

Ordinary responses of the service, refusals included, are values (`importer.clarityq.responses`) and
end as a row's outcome. An exception means that the run as a whole cannot start or continue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """The command's exit codes. Each one means one thing; cron jobs rely on them."""

    OK = 0
    ROWS_NOT_IMPORTED = 1
    USAGE = 2
    ABORTED = 3
    JOB_HELD = 4
    NOT_COMPLETED = 5
    TIME_BOX = 6
    DATA_LIMIT = 7
    DEFECT = 70
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


class ImporterError(Exception):
    """Something a person has to know about and act on. The text says what, where and what next."""

    exit_code: ExitCode = ExitCode.USAGE


class SettingsError(ImporterError):
    """A setting is missing, unknown or out of range: correct it. Nothing was sent."""


class InputError(ImporterError):
    """An input cannot be read: correct the file or the options that describe it."""


class MissingColumnError(InputError):
    """An input has no column of the name that is looked for: name the one that is meant."""


class InputChangedError(ImporterError):
    """The input is not the one that the unfinished job began with: restart, or bring it back."""


class ScratchError(ImporterError):
    """There is not enough room for the survey: free some disk space. Nothing was sent."""


class UnfinishedJobError(ImporterError):
    """Another job of the product is not finished: resume it, or give it up with `--replace`."""


class JobHeldError(ImporterError):
    """Another run is working on the same job: wait for it, or stop it."""

    exit_code = ExitCode.JOB_HELD


class JournalError(ImporterError):
    """The job's journal cannot be read or written: free some disk space or restart the job."""

    exit_code = ExitCode.ABORTED


class StoppedError(ImporterError):
    """The run was told to stop before it had begun: nothing was sent."""

    def __init__(self, exit_code: ExitCode, message: str = "") -> None:
        super().__init__(message or "stopped before anything was sent")
        self.exit_code = exit_code


class DefectError(ImporterError):
    """Something that cannot be: a defect of the importer, to be reported."""

    exit_code = ExitCode.DEFECT


class AccountingError(DefectError):
    """The outcomes do not add up to the rows read."""


@contextmanager
def one_error() -> Iterator[None]:
    """Let a single `ImporterError` out of what a task group raises.

    Tasks that fail together fail for one reason, and the first of them tells it. A group that
    holds anything unexpected is left as it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        expected, unexpected = group.split(ImporterError)
        if expected is None or unexpected is not None:
            raise
        raise first_of(expected) from None


def first_of(error: BaseException) -> BaseException:
    """Return the first exception of a group that is none itself; of any other, the same."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
