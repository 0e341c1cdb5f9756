"""What nobody expected: it becomes a message, and a file with the details for the developers."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from functools import reduce
from pathlib import Path

from importer.common.files import private_opener
from importer.common.text import shell_word
from importer.errors import DefectError
from importer.jobs.identity import job_name
from importer.settings import ImportSettings

_NAME = "defect-{}.txt"
#: Characters of the exception's own words that are shown.
_MOST_SHOWN = 300


def explained(
    error: BaseException,
    folder: Path | None,
    *,
    keys: Iterable[str],
    resume: str = "",
) -> DefectError:
    """Return `error` as a message, and write its details down.

    They are in a file in `folder`, or in one for temporary files. `keys` are secrets that
    appear nowhere, and `resume` is the command that resumes what was interrupted.
    """
    secrets = [key.strip() for key in keys if key.strip()]

    def redact(text: str) -> str:
        return reduce(lambda left, key: left.replace(key, "[API key]"), secrets, text)

    details = redact("".join(traceback.format_exception(error)))
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    kind = type(error).__name__
    words = redact(str(error)).strip().splitlines()
    text = f"a defect of the importer: {kind}{f': {words[0][:_MOST_SHOWN]}' if words else ''}"
    if resume:
        text += f". What was recorded is kept. To resume: {resume}"
    path = _written(details, folder)
    where = f"; the details are in {shell_word(str(path))}" if path else f":\n{details}"
    return DefectError(f"{text}. Please report it{where}")


def folder_at_work(settings: ImportSettings) -> Path | None:
    """Return the folder of the job that a run of `settings` was at work on; None without one."""
    folders = settings.job.jobs_dir.glob(f"{job_name(settings)}-*")
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _written(details: str, folder: Path | None) -> Path | None:
    """Write the details to a private file and return its path; None if that is not possible."""
    for place in (folder, Path(tempfile.gettempdir())):
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
