"""The inputs of a job: whether they are still those that it began with, and that they stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.common.text import listed
from importer.errors import InputError, SettingsError
from importer.jobs.commands import command_line, path_argument
from importer.jobs.copies import file_of
from importer.jobs.records import InputFile

#: The input of the undo of a job, in the job's folder.
UNDO_NAME = "undo.jsonl"


def _is_another(_: InputFile) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class CurrentInputs:
    """The inputs that the settings mean now.

    `has_content` tells of one of which only the time of modification differs whether its content
    is still the same. `names` are those of all of them, None if they are as the job has them.
    """

    has_content: Callable[[InputFile], bool] = _is_another
    names: Sequence[str] | None = None

    def changed_from(self, folder: Path, files: Sequence[InputFile]) -> list[str]:
        """Return the names of those `files` of the job in `folder` that are other ones now.

        Size and time of modification decide first. Files that have come or gone, such as in a
        folder, are among them. Raises `InputError` for one that is not there.
        """
        known = [file.path for file in files]
        if self.names is not None and known != [*self.names]:
            return sorted({*known} ^ {*self.names}) or known
        return [
            file.path
            for position, file in enumerate(files)
            if not self._is_same(file_of(folder, position, file), file)
        ]

    def _is_same(self, path: Path, file: InputFile) -> bool:
        try:
            found = path.stat()
        except OSError as error:
            hint = _how_to_undo_again(path) if undone_job([file.path]) else ""
            raise InputError(f"{file.path}: {error.strerror}{hint}") from None
        if found.st_size != file.size:
            return False
        return found.st_mtime_ns == file.modified or self.has_content(file)


def _how_to_undo_again(path: Path) -> str:
    undo = command_line(["undo", path_argument(path.parent)])
    return (
        "; the input of an undo is gone once its comments were dropped. To see what can still be "
        f"taken back:\n  {undo}"
    )


def how_changed(folder: Path, files: Sequence[InputFile], *, may_be: bool = False) -> str:
    """Return, in words, which of these inputs of a job are gone or of another size; or nothing.

    If it `may_be`, also those that were written since: the job is not resumed, which would look.
    """
    now = CurrentInputs() if may_be else CurrentInputs(has_content=lambda _: True)
    try:  # whether the content is another one is for the run to find out
        changed = now.changed_from(folder, files)
    except InputError as error:
        return str(error)
    return f"{listed(changed)} changed since the job began" if changed else ""


def files_of_inputs(folder: Path, files: Sequence[InputFile]) -> list[Path]:
    """Return where the inputs of the job in `folder` are; some may be gone."""
    return [file_of(folder, position, file) for position, file in enumerate(files)]


def check_is_no_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raise `SettingsError` if what is written to `path` would take the place of an input.

    Or become one, in a folder that is an input.
    """
    there = path.resolve()
    for one in inputs:
        if there == one.resolve() or (one.is_dir() and there.is_relative_to(one.resolve())):
            raise SettingsError(
                f"{path} cannot be written: it is an input, or would be one: name another file"
            )


def undone_job(inputs: Iterable[str]) -> str | None:
    """Return the name of the job that one with these inputs takes back; None if it is an import."""
    paths = [Path(name) for name in inputs]
    return paths[0].parent.name if [path.name for path in paths] == [UNDO_NAME] else None
