"""What nobody expected: it becomes a message, and a file with the details for the developers."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from importer.clarityq.api_key import blotted
from importer.common.files import private_opener
from importer.common.text import shell_word
from importer.errors import (
    DefectError,
    ExitCode,
    ImporterError,
    JournalError,
    StoppedError,
    first_of,
)
from importer.jobs.identity import job_name
from importer.settings import ImportSettings

_NAME = "defect-{}.txt"
#: How exceptions end that others than Python raise when there is not enough memory.
_LACK_OF_MEMORY = (
    "can't start new thread", "failed to map segment from shared object", "Cannot allocate memory",
)  # fmt: skip
#: Characters of the exception's own words that are shown.
_MOST_SHOWN = 300


def explained(
    error: BaseException,
    folder: Path | None,
    *,
    keys: Iterable[str],
    resume: str = "",
) -> ImporterError:
    """Return `error` as a message, and write its details down if it is a defect.

    They are in a file in `folder`, or in one for temporary files. `keys` are secrets that
    appear nowhere, and `resume` says how what was interrupted is resumed.
    """
    secrets = [key.strip() for key in keys if key.strip()]

    def redact(text: str) -> str:
        return blotted(text, secrets)

    details = redact("".join(traceback.format_exception(error)))
    error = first_of(error)
    kept = f". What was recorded is kept. {resume}" if resume else ""
    if _is_ctrl_c(error):
        return StoppedError(ExitCode.SIGINT, f"stopped{kept}")
    words = redact(str(error)).strip().splitlines() or [""]
    if isinstance(error, MemoryError) or any(map(words[0].endswith, _LACK_OF_MEMORY)):
        return JournalError(f"there is not enough memory for this{kept}")
    what = ": ".join(filter(None, [type(error).__name__, words[0][:_MOST_SHOWN]]))
    text = f"a defect of the importer: {what}{kept}"
    path = _written(details, folder)
    if path is None:
        (*_, frame) = traceback.extract_tb(error.__traceback__) or [None]
        where = "" if frame is None else f" in {Path(frame.filename).name}, line {frame.lineno}"
        return DefectError(f"{text}. Please report it (it was raised{where})")
    return DefectError(f"{text}. Please report it; the details are in {shell_word(str(path))}")


def _is_ctrl_c(error: BaseException | None) -> bool:
    """Return whether Ctrl-C is the cause: Python wraps it while it makes a class."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def folder_at_work(settings: ImportSettings) -> Path | None:
    """Return the folder of the job that a run of `settings` was at work on; None without one."""
    folders = settings.job.jobs_dir.glob(f"{job_name(settings)}-*")
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _temporary_folder() -> Path | None:
    with suppress(OSError):  # there is none where something can be written
        return Path(tempfile.gettempdir())
    return None


def _written(details: str, folder: Path | None) -> Path | None:
    """Write the details to a private file and return its path; None if that is not possible."""
    for place in (folder, _temporary_folder()):
        if place is not None:
            path = place / _NAME.format(f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}")
            with (
                suppress(OSError),
                open(
                    path, "x", encoding="utf-8", errors="backslashreplace", opener=private_opener
                ) as file,
            ):
                file.write(details)
                return path
    return None
