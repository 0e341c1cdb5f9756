"""Files that are whole or not there, and that only their owner may read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.common.files import atomic_write, clear_unfinished, private_opener
from importer.jobs.bodies import FILE_NAME as BODIES
from importer.jobs.bodies import keep_bodies
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.journal_create import create_journal
from importer.jobs.journal_file import FILE_NAME as JOURNAL
from importer.jobs.records import NewJob
from importer.workflows import undo_job


def test_a_file_takes_the_place_of_the_old_one_when_it_is_complete() -> None:
    path = Path("figures.txt")
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in Path().iterdir()] == ["figures.txt"]


def write_half(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_a_file_that_could_not_be_written_leaves_the_old_one_and_does_no_harm_later() -> None:
    path = Path("figures.txt")
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    assert [file.name for file in Path().iterdir()] == ["figures.txt"], "it may hold comments"
    with atomic_write(path) as temporary:
        assert temporary.read_text() == ""
    assert path.read_text() == ""


def test_a_file_is_in_the_way_of_no_other_and_of_nobody_who_writes_the_same() -> None:
    path, other = Path("figures.txt"), Path("figures.txt.new")
    other.write_text("of the user")
    with atomic_write(path) as first:
        first.write_text("first")
        with atomic_write(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert other.read_text() == "of the user"


def test_what_killed_writers_have_left_is_cleared_away() -> None:
    path = Path("figures.txt")
    killed = atomic_write(path)
    killed.__enter__().write_text("half")
    path.write_text("whole")
    clear_unfinished(Path())
    assert [file.name for file in Path().iterdir()] == ["figures.txt"]


def kept_bodies(folder: Path) -> Path:
    keep_bodies(folder, [])
    return folder / BODIES


def input_of_undo(folder: Path) -> Path:
    undo_job._write(folder / UNDO_NAME, [])
    return folder / UNDO_NAME


def journal(folder: Path) -> Path:
    create_journal(folder, NewJob([], 0), number=1, job_id="a").close()
    return folder / JOURNAL


@pytest.mark.parametrize("write", [kept_bodies, input_of_undo, journal])
def test_what_a_job_goes_on_from_outlasts_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Path]
) -> None:
    events: list[tuple[str, int]] = []

    def noted(what: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def do(file: Any, *args: Any) -> Any:
            found = file.stat() if isinstance(file, Path) else os.fstat(file)
            events.append((what, found.st_ino))
            return done(file, *args)

        return do

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("replace", Path.replace))
    file, folder = write(tmp_path).stat().st_ino, tmp_path.stat().st_ino
    assert events[:3] == [("fsync", file), ("replace", file), ("fsync", folder)]


def test_others_may_not_read_them() -> None:
    with atomic_write(Path("a")):
        pass
    with open("b", "w", opener=private_opener):
        pass
    assert {Path(name).stat().st_mode & 0o777 for name in "ab"} == {0o600}
