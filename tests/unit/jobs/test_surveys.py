"""Jobs that were stopped while their inputs were read (docs/reference.md, J17)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.jobs.identity import job_name, product_key
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.key_source import KEY_AS_BEFORE
from importer.jobs.lock import hold
from importer.jobs.surveys import (
    drop_note,
    has_later,
    note_survey,
    stopped_surveys,
    surveys_in,
    unread_before,
)
from importer.settings import ImportSettings
from tests.support.data import PRODUCT
from tests.support.jobs import SUCCEEDED, Desk

OTHER: dict[str, Any] = {"product_id": "00000000-0000-4000-8000-000000000002"}

At = Callable[[float], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Return what sets the clock."""
    return lambda now: monkeypatch.setattr(time, "time", lambda: now)


def stop(desk: Desk, name: str = "a", *key_source: str, **options: Any) -> Path:
    """Let a job be stopped while its inputs are read; return its folder."""
    settings = desk.settings(name, **options)
    folder = desk.jobs_dir / f"{job_name(settings)}-1"
    folder.mkdir(parents=True)
    note_survey(folder, settings, key_source, [])
    return folder


def test_such_a_job_is_known_with_its_commands_until_it_has_a_journal(desk: Desk, at: At) -> None:
    at(7.0)
    folder = stop(desk, "a", "--api-key-file", "/etc/key")
    (survey,) = surveys_in(desk.jobs_dir)
    assert (survey.folder, survey.began_at) == (folder, 7.0)
    assert survey.product == product_key(desk.settings())
    for command, word in ((survey.command, "run"), (survey.plan, "plan")):
        assert command.startswith(f"clarityq-import {word} {desk.folder / 'a.csv'} ")
        assert command.endswith(" --api-key-file /etc/key")
    assert survey.begins == f"Its own command begins it:\n  {survey.command}"
    assert survey.begins_as_newest == (
        f"To see what its rows would change by now:\n  {survey.plan}\n"
        f"To import them, as the newest of their conversations:\n  {survey.command}"
    )
    drop_note(folder)
    stop(desk, "b", carry_over=True)
    assert surveys_in(desk.jobs_dir)[1].begins.startswith(
        "Its own command begins it, before the next import begins:"
    )
    shutil.rmtree(surveys_in(desk.jobs_dir)[1].folder)
    drop_note(folder)
    (survey,) = surveys_in(desk.jobs_dir)
    assert survey.command == ""


def test_it_is_said_where_the_key_may_be_if_no_option_has_said_it(desk: Desk) -> None:
    stop(desk)
    (survey,) = surveys_in(desk.jobs_dir)
    assert survey.begins.endswith(f"\n{KEY_AS_BEFORE}")
    assert survey.begins_as_newest.endswith(f"\n{KEY_AS_BEFORE}")


def test_nothing_shows_what_an_undo_would_change(desk: Desk) -> None:
    undone = desk.jobs_dir / desk.night([SUCCEEDED])
    folder = desk.jobs_dir / "undo-00000000-1"
    folder.mkdir()
    (undone / UNDO_NAME).write_text("")
    settings = ImportSettings.of(
        inputs=[undone / UNDO_NAME], product_id=PRODUCT, jobs_dir=desk.jobs_dir
    )
    note_survey(folder, settings, [], [])
    (survey,) = surveys_in(desk.jobs_dir)
    assert survey.command.startswith(f"clarityq-import undo {undone} ")
    assert (survey.plan, survey.begins_as_newest) == ("", survey.begins)


OTHER_VERSION = '{"settings": {"inputs": ["a.csv"], "product_id": 5}}'


@pytest.mark.parametrize(
    "note", [None, "", '{"product_id": "', "[]", "{}", "\ud800", OTHER_VERSION]
)
def test_of_one_without_a_note_that_can_be_read_it_is_said_that_its_command_begins_it(
    desk: Desk, note: str | None
) -> None:
    folder = stop(desk)
    drop_note(folder)
    if note is not None:
        (folder / "begun.json").write_text(note, errors="surrogatepass")
    (survey,) = surveys_in(desk.jobs_dir)
    assert survey.began_at == folder.stat().st_mtime
    assert survey.begins == "Its own command begins it"
    newest = "and its rows are the newest of their conversations then"
    assert survey.begins_as_newest == f"Its own command begins it, {newest}"


def test_one_is_told_once_and_of_another_product_only_if_that_is_not_at_work(
    desk: Desk, at: At
) -> None:
    mine, other = product_key(desk.settings()), product_key(desk.settings(**OTHER))
    for now, name, options in ((5.0, "a", {}), (6.0, "b", {}), (6.0, "c", OTHER)):
        at(now)
        stop(desk, name, **options)
    told = [*stopped_surveys(desk.jobs_dir, 5.0, mine)]
    assert [Path(one.split(" ")[0]).name[0] for one in told] == ["b", "c"]
    assert told[0].startswith(
        f"{surveys_in(desk.jobs_dir)[1].folder} was stopped before its inputs were read to the "
        "end: nothing of it was sent, how many rows they have is not known, and no other job takes "
        "it over. To see what its rows would change by now:\n"
    )
    with hold(desk.jobs_dir, mine.name), hold(desk.jobs_dir, other.name):
        (told_of_mine,) = stopped_surveys(desk.jobs_dir, 5.0, mine)
    assert told_of_mine == told[0]


def test_before_a_job_those_count_since_the_one_before_it_that_it_has_not_closed(
    desk: Desk, at: At
) -> None:
    at(0.0)
    desk.night([SUCCEEDED])
    with desk.run("b", restart=True, at=20.0):
        pass
    for now, name, options in (
        (10.0, "c", {}), (20.0, "d", {}), (25.0, "e", {}), (26.0, "f", OTHER), (30.0, "g", {}),
        (27.0, "h", {}),
    ):  # fmt: skip
        at(now)
        folder = stop(desk, name, **options)
    drop_note(folder)
    at(30.0)
    last = desk.jobs_dir / desk.night([SUCCEEDED], "z", replace=True, at=30.0)
    with desk.jobs() as product:
        jobs = product.jobs
    assert [one.folder.name[0] for one in unread_before(jobs, last, [])] == ["e"]
    closed = unread_before(jobs, last, jobs[1:2])
    assert [one.folder.name[0] for one in closed] == ["c", "d", "e"]
    assert unread_before(jobs, desk.jobs_dir / jobs[0].name, []) == []


def test_a_later_job_is_one_of_the_same_product_that_has_begun_since(desk: Desk, at: At) -> None:
    at(10.0)
    stop(desk, "b")
    (survey,) = surveys_in(desk.jobs_dir)
    desk.night([SUCCEEDED], at=5.0)
    desk.night([SUCCEEDED], at=20.0, **OTHER)
    damaged = desk.jobs_dir / desk.night([SUCCEEDED], at=20.0, sandbox=True)
    (damaged / "journal.sqlite").write_bytes(b"no journal")
    assert not has_later(survey)
    desk.night([SUCCEEDED], "c", at=20.0)
    assert has_later(survey)
