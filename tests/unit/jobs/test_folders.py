"""The folders of jobs, which of them are meant, and what names a row of one (F3, J6, J13)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from importer.errors import SettingsError
from importer.jobs.find_job import find_job
from importer.jobs.folders import (
    NamedRow,
    claim_folder,
    folders_of,
    job_folders,
    unfinished_surveys,
)
from importer.jobs.identity import ProductKey, told_apart
from importer.jobs.journal_file import FILE_NAME
from importer.settings import SANDBOX
from tests.support.jobs import SUCCEEDED, Desk

JOB, OTHER = "in-1f0c2a9b", "in-2f0c2a9b"


def folder(jobs_dir: Path, name: str, *files: str) -> Path:
    made = jobs_dir / name
    made.mkdir()
    for file in files:
        (made / file).touch()
    return made


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (f"{JOB}-1", NamedRow(f"{JOB}-1")),
        (f" {JOB}-1#17\n", NamedRow(f"{JOB}-1", 17, is_known=True)),
        (f"{JOB}-1@17", NamedRow(f"{JOB}-1", 17)),
        (f"{JOB}-1#x", NamedRow(f"{JOB}-1#x")),
        (f"{JOB}-1#", NamedRow(f"{JOB}-1#")),
        ("in-1", None),
        ("", None),
    ],
)
def test_a_row_is_named_by_its_job_and_number(text: str, row: NamedRow | None) -> None:
    assert NamedRow.parse(text) == row
    if row is not None:
        assert str(row) == text.strip()


def test_folders_of_jobs_come_by_name_and_number(tmp_path: Path) -> None:
    assert job_folders(tmp_path / "none") == unfinished_surveys(tmp_path / "none") == []
    found = [folder(tmp_path, name, FILE_NAME) for name in (f"{JOB}-2", f"{JOB}-10", f"{OTHER}-1")]
    folder(tmp_path, "copies", FILE_NAME)
    folder(tmp_path, f"{JOB}-12", "summary.json")
    folder(tmp_path, "other")
    (tmp_path / f"{JOB}-14").touch()
    survey = folder(tmp_path, f"{JOB}-13")
    assert job_folders(tmp_path) == found
    assert unfinished_surveys(tmp_path) == [survey]
    assert sorted(folders_of(tmp_path, JOB)) == [2, 10, 12, 13, 14]


def test_a_job_gets_the_next_folder_that_was_never_used(tmp_path: Path) -> None:
    def claim(*taken: str, restart: bool = False) -> str:
        return claim_folder(tmp_path, JOB, restart=restart, taken=taken).name

    assert claim(f"{JOB}-1", f"{JOB}-2") == f"{JOB}-3"
    os.utime(tmp_path / f"{JOB}-3", (1, 1))
    assert claim() == f"{JOB}-3", "a survey that was stopped goes on there"
    assert (tmp_path / f"{JOB}-3").stat().st_mtime > 1, "so that nobody takes it for an old one"
    assert (tmp_path / f"{JOB}-3").stat().st_mode & 0o777 == 0o700
    assert claim(f"{JOB}-3") == f"{JOB}-4"
    (tmp_path / f"{JOB}-4" / FILE_NAME).touch()
    folder(tmp_path, f"{OTHER}-9", FILE_NAME)
    assert claim() == f"{JOB}-5"
    (tmp_path / f"{JOB}-5" / "summary.json").touch()
    with pytest.raises(SettingsError, match="has lost its"):
        claim()
    assert claim(f"{JOB}-6", restart=True) == f"{JOB}-7"


def test_a_job_is_meant_by_a_path_its_name_or_the_beginning_of_one(desk: Desk) -> None:
    first = desk.night([SUCCEEDED])
    other, second = desk.night([SUCCEEDED], "another"), desk.night([SUCCEEDED])
    here = desk.jobs_dir
    assert find_job(Path("elsewhere"), str(here / first)) == here / first
    assert find_job(here, first) == here / first
    assert find_job(here, second[:-2]) == here / second, "of its folders it is the latest"
    assert find_job(here, "an") == here / other
    survey, _ = folder(here, f"{JOB}-1"), folder(here, f"x{JOB}-1")
    for text in ("in-", str(survey)):
        with pytest.raises(SettingsError, match="is not begun yet"):
            find_job(here, text)
    with pytest.raises(SettingsError, match=rf"did you mean.*{other}"):
        find_job(here, "other")
    with pytest.raises(SettingsError, match=f"it could be {second[:-2]}, {other[:-2]}$"):
        find_job(here, "a")
    tenth = folder(here, f"{first}0", FILE_NAME)
    assert [find_job(here, text).name for text in (first, first[:-2])] == [first, tenth.name]


def test_products_are_told_apart_by_what_differs() -> None:
    one, other = ProductKey("p", "s"), ProductKey("q", "s")
    elsewhere, rehearsal = ProductKey("p", "t"), ProductKey("p", SANDBOX)
    assert told_apart([one, rehearsal]) == {one: "", rehearsal: ""}
    assert told_apart([one, other]) == {one: "p", other: "q"}
    assert told_apart([one, elsewhere, rehearsal]) == {
        one: "p at s", elsewhere: "p at t", rehearsal: "p",
    }  # fmt: skip
