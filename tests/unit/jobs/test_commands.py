"""The commands that are printed for a person to type next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from importer.clarityq.key_sources import key_from_command
from importer.cli.commands.undo import undo
from importer.jobs.commands import (
    Again,
    command_line,
    path_argument,
    replacing_command,
    to_see_which,
    unsetting,
)
from importer.jobs.identity import product_key
from importer.jobs.key_source import KEY_AS_BEFORE, key_words, lacks_key
from importer.jobs.own_commands import OPTIONS_OF_UNDO, how_to_resume, in_the_way, resuming
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import KEY_SOURCE
from importer.model import RunEnd
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import options_of
from importer.settings.places import read_place
from tests.support.data import PRODUCT
from tests.support.jobs import KEEPING, SUCCEEDED, Desk, answer, finish


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


def test_a_job_is_resumed_as_its_latest_run_was_told_to(desk: Desk) -> None:
    with desk.run(limit=9, concurrency=7) as job:
        answer(job, {1: SUCCEEDED})
        finish(job, RunEnd.LIMIT)
    with desk.run(limit=5, concurrency=8) as job:
        finish(job, RunEnd.SIGINT)
    words = shlex.split(how_to_resume(job.folder))
    assert words[words.index("--concurrency") + 1] == "8"
    assert words[words.index("--limit") + 1] == "5", "the latest run did not come to its limit"


@pytest.mark.parametrize(
    ("begun", "carry_over", "told"),
    [({}, True, True), ({}, False, False), (KEEPING, True, False)],
)
def test_that_rows_cannot_be_carried_over_is_told_to_who_asks_for_it(
    desk: Desk, begun: dict[str, Any], carry_over: bool, told: bool
) -> None:
    with desk.run(**begun) as job:
        finish(job, RunEnd.SIGINT)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        said = str(in_the_way(product.jobs[0], desk.settings("b", carry_over=carry_over)))
    assert ("it began without --carry-over" in said) == told


def test_what_is_typed_after_a_run_that_no_command_began_means_the_same_settings() -> None:
    again = Again.of(settings(skip_lines=2, rate=5, restart=True, limit=9))
    assert again.resume[:2] == ["run", "in.csv"]
    assert options(again.same()) == ["--limit", "--product-id", "--rate", "--skip-lines"]
    assert "--limit" not in again.rest()
    left_over = again.of_file(Path("jobs/in-1/failed.csv"))
    assert left_over.startswith("clarityq-import run jobs/in-1/failed.csv ")
    assert options(left_over) == ["--product-id", "--rate"]


def test_what_follows_a_run_is_said_as_its_command_can_be_typed() -> None:
    run = Again(["run", "in.csv", "--base-url", "http://old", "--rate", "5"], [])
    assert run.rest() == f"{run.same()} --unset limit", "a configuration has set it"
    typed = Again(["run", "in.csv", "--limit", "5"], [])
    assert typed.rest() == "clarityq-import run in.csv"
    both = typed._replace(taken_back=unsetting(["limit"]))
    assert both.rest() == "clarityq-import run in.csv --unset limit", "or that would hold"
    assert run.elsewhere() == "clarityq-import run in.csv --rate 5 --base-url ADDRESS"
    assert run.plan() == "clarityq-import plan in.csv --base-url http://old --rate 5"
    assert run.accepting() == f"{run.same()} --accept-change"
    batch = Again(["batch", "nightly.toml"], [])
    assert batch.rest() == batch.elsewhere() == batch.same() == "clarityq-import batch nightly.toml"
    assert batch.plan() == ""
    assert batch.accepting() == f"write accept-change = true for this import, then {batch.same()}"


@pytest.mark.parametrize("its_own", [(), ("--api-key-command", "pass show key")])
@pytest.mark.parametrize("given", [(), ("--api-key-file", "key.txt")])
def test_what_is_to_be_typed_about_a_job_in_the_way_says_where_the_key_is(
    desk: Desk, its_own: Sequence[str], given: Sequence[str]
) -> None:
    with desk.run() as job:
        job.journal.note_key_source(its_own)
        finish(job, RunEnd.SIGINT)
    with hold_jobs(desk.jobs_dir, product_key(desk.settings())) as product:
        said = str(in_the_way(product.jobs[0], desk.settings("b"), given))
    resume, replace = (line for line in said.splitlines() if line.startswith("  clarityq-import "))
    for command, source in ((resume, its_own or given), (replace, given)):
        assert [word for word in source if word not in shlex.split(command)] == []
    assert said.endswith(KEY_AS_BEFORE) is (not given)


def test_the_file_of_the_key_is_named_wherever_what_is_to_be_typed_is_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    with desk.run() as job:
        job.journal.note_key_source(["--api-key-file", "key.txt"])
        assert job.journal.key_source() == ["--api-key-file", "key.txt"]
        monkeypatch.chdir("/")
        assert job.journal.key_source() == ["--api-key-file", str(desk.folder / "key.txt")]


def test_of_several_commands_each_has_to_say_where_the_key_is() -> None:
    told, is_not = "clarityq-import run a.csv --config x.toml", "clarityq-import retry jobs/a-1"
    assert not lacks_key(f"or:\n  {told}\nor clarityq-import jobs abandon a-1, then {told}")
    assert lacks_key(f"or:\n  {told}\n  {is_not}")
    assert lacks_key(f"first {is_not}, then {told}")
    assert lacks_key("clarityq-import run '--sandbox mode.csv'")
    assert lacks_key("run clarityq-import run a.csv if that's right")
    assert not lacks_key("run clarityq-import run a.csv --sandbox if that's right")


@pytest.mark.parametrize("script", ["get-key", "get 'the \\ \"key"])
def test_a_command_for_the_key_that_names_something_of_its_folder_goes_there_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.chdir(desk.folder)
    Path(script).write_text("#!/bin/sh\ncat key.txt\n", "utf-8")
    Path(script).chmod(0o700)
    Path("key.txt").write_text("a-key", "utf-8")
    for command in ("cat key.txt", shlex.quote(f"./{script}")):
        given = ["--api-key-command", command]
        with desk.run() as job:
            job.journal.note_key_source(given)
            assert job.journal.key_source() == given
            monkeypatch.chdir("/")
            told = shlex.split(command_line(job.journal.key_source()))[-1]
        assert key_from_command(told).reveal() == "a-key"
        monkeypatch.chdir(desk.folder)
    there = desk.folder / "key.txt"
    for command in ("pass '' key", f"pass {'key' * 100}", "cat 'key.txt", f"cat {there}"):
        with desk.run() as job:
            job.journal.note_key_source(["--api-key-command", command])
            monkeypatch.chdir("/")
            assert job.journal.key_source() == ["--api-key-command", command]
        monkeypatch.chdir(desk.folder)


def test_a_file_whose_name_begins_as_an_option_does_is_named_from_its_folder() -> None:
    assert path_argument(Path("-old.csv")) == "./-old.csv"
    assert path_argument(Path("old-1.csv")) == "old-1.csv"
    assert path_argument(read_place("-")) == "-"
    assert to_see_which(Path("-old")) == "clarityq-import outcomes ./-old -o outcomes.csv"


def test_the_options_of_an_undo_are_those_that_its_command_has() -> None:
    every = options_of(SETTINGS_GROUPS.values()).keys()
    assert {one.name for one in undo.params} & every == OPTIONS_OF_UNDO


def test_a_command_for_the_key_stays_as_it_is_where_its_folder_is_not_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    Path("key.txt").write_text("a-key", "utf-8")
    words = ["--api-key-command", "cat key.txt"]
    assert key_words({KEY_SOURCE: json.dumps(words)}) == words
