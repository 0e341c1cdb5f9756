"""Whether the inputs of a job are still those that it began with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from importer.errors import InputError
from importer.jobs.copies import file_of
from importer.jobs.records import InputFile


def changed_inputs(
    folder: Path, inputs: Iterable[InputFile], same_content: Callable[[InputFile], bool]
) -> list[str]:
    """Return the names of the inputs of the job in `folder` that are other ones now.

    Size and time of modification decide; if only the time differs, `same_content` does. Raises
    `InputError` for a file that is not there.
    """
    return [
        file.path
        for position, file in enumerate(inputs)
        if not _is_same(file_of(folder, position, file), file, same_content)
    ]


def _is_same(path: Path, file: InputFile, same_content: Callable[[InputFile], bool]) -> bool:
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{file.path}: {error.strerror}") from None
    if found.st_size != file.size:
        return False
    return found.st_mtime_ns == file.modified or same_content(file)
