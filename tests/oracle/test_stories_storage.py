"""Stories about the disk: full between two stores, locked by others, read-only, copied in part."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.oracle.answers import OK, slow
from tests.oracle.drive import Desk, Ended, conversation, rows
from tests.oracle.marks import promise
from tests.oracle.service import Service
from tests.oracle.test_stories_jobs import begin, leave
from tests.oracle.test_stories_ledger import SKIP, ledger, sent

HOLD = 10.0
"""Seconds for which somebody else has a database locked."""

LAST = 200


def goes_on_to_the_end(desk: Desk, service: Service, ended: Ended) -> None:
    """Resume a run until it ends, and see that every row is stored and known to be."""
    for _ in range(3):
        if ended.code:
            ended = desk.run("tuesday.csv", options=SKIP)
    assert ended.code == 0, ended.text
    assert {f[1] for f in service.quiescent().values()} == {f"b {n}" for n in range(1, LAST + 1)}
    desk.write("wednesday.csv", rows(range(1, LAST + 1), "b"))
    before = len(service.puts)
    assert desk.run("wednesday.csv", options=SKIP).code == 0
    assert sent(service, before) == []


def two_nights(desk: Desk) -> None:
    """Import a first night, and write the file of the second."""
    desk.write("monday.csv", rows(range(1, LAST + 1), "a"))
    assert desk.run("monday.csv", options=SKIP).code == 0
    desk.write("tuesday.csv", rows(range(1, LAST + 1), "b"))


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
@promise("E1", "J3", "A7", "A14")
@pytest.mark.parametrize("kilobytes", [4, 16, 32, 48, 64, 96, 128, 192])
def test_no_file_can_grow_further_at_some_point_of_a_run(
    desk: Desk, service: Service, kilobytes: int
) -> None:
    # As on a full disk, a write fails; where in the order of stores depends on the limit.
    two_nights(desk)
    before = len(service.puts)
    desk.prefix = ["prlimit", f"--fsize={kilobytes * 1024}"]
    ended = desk.run("tuesday.csv", options=SKIP)
    desk.prefix = []
    assert ended.code in {0, 2, 3}, ended.text
    assert "Traceback" not in ended.text
    if ended.code == 2:
        assert len(service.puts) == before
    goes_on_to_the_end(desk, service, ended)


def fill(desk: Desk, kilobytes: int | None) -> None:
    """Leave so much of a small disk, or all of it again."""
    filler = desk.jobs_folder / "filler"
    if kilobytes is None:
        filler.unlink()
    else:
        free = shutil.disk_usage(desk.jobs_folder).free
        filler.write_bytes(bytes(max(0, free - kilobytes * 1024)))


def works(*command: str) -> bool:
    """Do a command of the system, and tell whether it could be done."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk; skip the story where that is not allowed."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount and works(mount, "-t", "tmpfs", "-o", "size=2M", "none", str(folder))):
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        works(umount, "-l", str(folder))


@promise("E1", "J3", "A7", "A14")
@pytest.mark.parametrize(
    "kilobytes",
    [
        0,
        12,
        40,
        100,
        150,
        220,
        300,
    ],
)
def test_a_disk_that_is_full_at_some_point_of_a_run(
    desk: Desk, service: Service, kilobytes: int
) -> None:
    with small_disk(desk.jobs_folder):
        two_nights(desk)
        before = len(service.puts)
        fill(desk, kilobytes)
        ended = desk.run("tuesday.csv", options=SKIP)
        fill(desk, None)
        assert ended.code in {0, 2, 3}, ended.text
        assert "Traceback" not in ended.text
        if ended.code == 2:
            assert len(service.puts) == before
        goes_on_to_the_end(desk, service, ended)
        desk.audit()


@promise("J17")
def test_after_a_full_disk_the_command_that_resumes_is_printed(desk: Desk) -> None:
    with small_disk(desk.jobs_folder):
        two_nights(desk)
        fill(desk, 150)
        ended = desk.run("tuesday.csv", options=SKIP)
        fill(desk, None)
        assert ended.code == 3, ended.text
        assert ended.steps, ended.text
        assert desk.follow(ended.steps[-1]).code == 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a database as a backup or a curious person does, for a while."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        time.sleep(HOLD)
        db.execute("ROLLBACK")


@promise("J3", "E1", "A14")
@pytest.mark.parametrize("store", ["journal", "ledger"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_database_that_somebody_locks_for_ten_seconds_costs_no_row(
    desk: Desk, service: Service, store: str, when: str
) -> None:
    two_nights(desk)
    service.rules.append(lambda _: slow(OK, 0.02))
    if when == "before":
        leave(desk, service, "tuesday.csv", 5, SKIP)
    else:
        running = begin(desk, service, "tuesday.csv", 5, SKIP)
    journal = desk.job("tuesday.csv").folder / "journal.sqlite"
    with locked(ledger(desk) if store == "ledger" else journal):
        if when == "before":
            running = desk.start_run("tuesday.csv", options=SKIP)
    ended = running.wait()
    assert ended.code in {0, 2, 3, 4}, ended.text
    assert "Traceback" not in ended.text
    service.rules.clear()
    goes_on_to_the_end(desk, service, ended)


@promise("J3", "A7", "A14", "A11")
@pytest.mark.parametrize("milliseconds", [0, 20, 60, 120, 250])
def test_a_kill_between_the_last_answer_and_the_end_loses_nothing(
    desk: Desk, service: Service, milliseconds: int
) -> None:
    two_nights(desk)
    running = begin(desk, service, "tuesday.csv", LAST, SKIP)
    time.sleep(milliseconds / 1000)
    goes_on_to_the_end(desk, service, running.kill())


@promise("A14", "A16", "J14")
def test_a_job_is_resumed_from_a_copy_of_its_folder_alone(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 61)))
    leave(desk, service, "night.csv", 5)
    done = desk.job("night.csv").outcomes["succeeded"]
    elsewhere = desk.folder / "else where"
    elsewhere.mkdir()
    shutil.copytree(desk.job("night.csv").folder, elsewhere / desk.job("night.csv").folder.name)
    before = len(service.puts)
    ended = desk.run("night.csv", options=["--jobs-dir", str(elsewhere)])
    assert ended.code == 0, ended.text
    assert len(service.puts) - before == 60 - done


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def write_protect(desk: Desk) -> None:
    """Let the following commands see the jobs folder as read-only, whoever runs them."""
    probe = ["unshare", "-m", "sh", "-c", READ_ONLY, str(desk.jobs_folder), "true"]
    if shutil.which("unshare") is None or not works(*probe):
        pytest.skip("needs the right to mount")
    desk.prefix = probe[:-1]


@promise("E1")
def test_a_run_with_a_read_only_jobs_folder_sends_nothing(desk: Desk, service: Service) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    assert desk.run("night.csv").code == 0
    write_protect(desk)
    desk.write("next.csv", rows(range(1, 11)))
    ended = desk.run("next.csv")
    assert ended.code == 2, ended.text
    assert "Traceback" not in ended.text
    assert len(service.puts) == 10


@promise("J11", "J12", "J13", "J14", "E3")
def test_a_read_only_jobs_folder_can_be_looked_at(desk: Desk) -> None:
    desk.write("night.csv", rows(range(1, 11)))
    assert desk.run("night.csv").code == 0
    name = str(desk.job("night.csv").folder)
    write_protect(desk)
    assert "night" in desk.do("jobs").out
    assert desk.do("jobs", "show", name).code == 0
    assert desk.do("explain", name, "00000001-0000-4000-8000-000000000000").code == 0
    assert desk.do("outcomes", name, "-o", str(desk.folder / "o.csv")).code == 0


@promise("J13", "J11")
def test_explain_names_the_jobs_that_were_pruned_and_of_which_it_tells_nothing(
    desk: Desk,
) -> None:
    desk.write("wrong.csv", rows(range(1, 31)))
    assert desk.run("wrong.csv", limit="2").code == 6
    wrong = desk.job("wrong.csv").folder.name
    assert desk.do("jobs", "abandon", wrong).code == 0
    desk.write("right.csv", rows(range(1, 3)))
    assert desk.run("right.csv").code == 0
    assert "gone" not in desk.do("explain", conversation(1)).text
    assert desk.do("jobs", "prune", "--keep-last", "1").code == 0
    told = f"What 1 job had of it whose folder is gone is not known: {wrong}."
    ended = desk.do("explain", conversation(1))
    assert (ended.code, ended.text.count(told)) == (0, 1), ended.text
    ended = desk.do("explain", conversation(30))
    assert (ended.code, told in ended.text) == (2, True), ended.text
