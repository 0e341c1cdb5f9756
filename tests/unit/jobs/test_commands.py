"""The commands that are printed for a person to type next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import trustme

from importer.cli.commands.undo import undo
from importer.jobs.commands import (
    OPTIONS_OF_UNDO,
    command_line,
    how_to_resume,
    replacing_command,
    resuming,
)
from importer.model import RunEnd
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import options_of
from tests.support.data import PRODUCT
from tests.support.jobs import Desk


def settings(**changes: Any) -> ImportSettings:
    return ImportSettings.of(inputs=[Path("in.csv")], product_id=PRODUCT, **changes)


def options(command: str) -> list[str]:
    """Return the options in a command, without their values."""
    return sorted(word for word in shlex.split(command) if word.startswith("--"))


def test_resuming_never_repeats_what_was_meant_for_one_time() -> None:
    begun = settings(restart=True, replace=True, accept_change=True, as_new=True, concurrency=8)
    told = options(command_line(resuming(begun.as_record())))
    assert told == ["--as-new", "--concurrency", "--product-id"]


def test_the_command_of_a_rehearsal_names_no_mock_server_and_a_preset_by_its_name() -> None:
    rehearsed = settings(
        sandbox=True, base_url="http://127.0.0.1:4711", ratings=["stars", "3=CLEAR"]
    )
    words = shlex.split(command_line(resuming(rehearsed.as_record())))
    assert "--base-url" not in words
    assert words[words.index("--ratings") :] == ["--ratings", "stars", "--ratings", "3=CLEAR"]


def test_what_was_stopped_by_its_limit_is_resumed_without_it() -> None:
    begun = settings(limit=9).as_record()
    assert "--limit" not in options(command_line(resuming(begun, RunEnd.LIMIT)))
    assert "--limit" in options(command_line(resuming(begun, RunEnd.SIGINT)))


def test_the_command_that_resumes_a_job_can_be_given_in_any_folder(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = desk.folder / "ca.pem"
    certificates.write_bytes(trustme.CA().cert_pem.bytes())
    monkeypatch.chdir(desk.folder)
    with desk.run(jobs_dir=Path("jobs"), ca_file="ca.pem") as job:
        folder = job.folder
    monkeypatch.chdir("/")
    words = shlex.split(how_to_resume(desk.folder / folder))
    assert words[words.index("--jobs-dir") + 1] == str(desk.jobs_dir)
    assert words[words.index("--ca-file") + 1] == str(certificates)


def test_replacing_keeps_all_that_was_typed() -> None:
    typed = settings(accept_change=True, as_new=True, replace=True)
    told = options(replacing_command(typed))
    assert told == ["--accept-change", "--as-new", "--product-id", "--replace"]


def test_the_options_of_an_undo_are_those_that_its_command_has() -> None:
    every = options_of(SETTINGS_GROUPS.values()).keys()
    assert {one.name for one in undo.params} & every == OPTIONS_OF_UNDO
