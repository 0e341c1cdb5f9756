"""Inputs that are no local files, through every command: copied, killed, resumed, left over."""

import csv
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from importer.jobs.journal_reader import JournalReader
from tests.support.data import PRODUCT, conversation
from tests.support.file_server import FileServer, serving
from tests.support.object_stores import S3_ENVIRONMENT, gate, put, s3
from tests.support.sandbox_process import SandboxProcess

ROWS = 3000
HEADER = "conversation_id,rating,comment,extra\n"


#: Gives all rows, and then counts to what the database holds, which takes for ever at first.
STOPS_HALF_WAY = """
    WITH RECURSIVE n(x) AS (
        SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < (SELECT most FROM until)
    )
    SELECT * FROM feedback UNION ALL SELECT NULL, NULL, NULL FROM n WHERE x < 0
"""


def table(rows: int = ROWS, comment: str = "fine", padding: int = 0) -> bytes:
    more = "x" * padding
    lines = (f"{conversation(n)},POSITIVE,{comment} {n},x{n}{more}\n" for n in range(rows))
    return (HEADER + "".join(lines)).encode()


def fill(rows: int, comment: str, most: int = 1 << 60) -> None:
    """Let a database hold the same table."""
    with closing(sqlite3.connect("there.db")) as db, db:
        db.execute("DROP TABLE IF EXISTS until")
        db.execute("CREATE TABLE until AS SELECT ? AS most", [most])
        db.execute("DROP TABLE IF EXISTS feedback")
        db.execute("CREATE TABLE feedback (conversation_id, rating, comment)")
        lines = ((conversation(n), "POSITIVE", f"{comment} {n}") for n in range(rows))
        db.executemany("INSERT INTO feedback VALUES (?, ?, ?)", lines)


@pytest.fixture
def service() -> Iterator[SandboxProcess]:
    running = SandboxProcess("latency=2ms")
    yield running
    running.close()


def arguments(service: SandboxProcess, place: str, *more: str, command: str = "run") -> list[str]:
    words = [sys.executable, "-m", "importer", command, place]
    if command != "check":
        words += ["--product-id", PRODUCT, "--base-url", service.url]
    if command == "run":
        words += ["--late-effect", "100ms", "--concurrency", "8", "--defer-first", "100ms"]
    return [*words, *more]


def start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "CLARITYQ_API_KEY": "any"},
    )  # fmt: skip


def finish(words: list[str], content: bytes = b"") -> tuple[int, str]:
    process = start(words)
    out, _ = process.communicate(content)
    return process.returncode, out.decode()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with process:  # which closes its streams
        pass


def until(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.005)


def jobs() -> list[Path]:
    return sorted(path for path in Path("clarityq-jobs").glob("*-*-*") if path.is_dir())


def copies(pattern: str) -> list[Path]:
    return [path for job in jobs() for path in (job / "copies").glob(pattern)]


def settled(folder: Path) -> int:
    try:
        with JournalReader(folder) as journal:
            return journal.totals().settled
    except Exception:  # noqa: BLE001 -- not there yet, or not whole
        return 0


def test_every_command_takes_standard_input(service: SandboxProcess) -> None:
    content = table(50) + b"bad,POSITIVE,x,y\n"
    for command in ("check", "plan"):
        words = arguments(service, "-", "--format", "csv", command=command)
        code, out = finish(words, content)
        assert code == 1, out
        assert "standard input: csv" in out
        assert not Path("clarityq-jobs").exists()
    code, out = finish(arguments(service, "-", "--format", "csv"), content)
    assert code == 1, out
    assert len(service.stored()) == 50
    (job,) = jobs()
    # A row is left over, so the copy stays; the left-over file is CSV with the input's columns.
    (copy,) = (job / "copies").iterdir()
    assert copy.read_bytes() == content
    with (job / "rejected.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["conversation_id"], row["extra"], row["reason"]) == (
        "bad",
        "y",
        "bad_conversation_id",
    )
    summary = json.loads((job / "summary.json").read_text())
    assert summary["inputs"] == ["standard input"]
    code, out = finish([sys.executable, "-m", "importer", "explain", job.name, conversation(7)])
    assert code == 0
    assert "fine 7" in out
    code, out = finish(arguments(service, str(job / "rejected.csv")))
    assert code == 1, out
    # The next night is another job, though the command is the same.
    code, out = finish(arguments(service, "-", "--format", "csv"), table(60))
    assert code == 0, out
    assert len(service.stored()) == 60
    assert not (jobs()[-1] / "copies").exists()


def test_standard_input_that_holds_nothing_or_no_table_is_explained(
    service: SandboxProcess,
) -> None:
    code, out = finish(arguments(service, "-", "--format", "csv"))
    assert code == 2
    assert "standard input is empty" in out
    code, out = finish(arguments(service, "-"), b"a,b\n")
    assert code == 2
    assert "--format csv" in out
    process = start(arguments(service, "-"))
    assert process.stdin is not None
    process.stdin.write(b"conversation_id,rating\n" * 100)
    process.stdin.flush()  # a stream of hours need not end first
    assert process.wait(60) == 2
    process.communicate()
    # Nothing is kept of it: the same command may be given better data.
    code, out = finish(arguments(service, "-", "--format", "csv"), table(5))
    assert code == 0, out


@dataclass
class Origin:
    """Where rows are that are no local file. What it gives stops half-way until `release`."""

    words: list[str]
    release: Callable[[], None]
    #: Lets it hold other rows.
    change: Callable[[], None]
    #: How often it was asked.
    asked: Callable[[], int] = lambda: 0
    #: What is written to standard input.
    content: bytes = b""


@contextmanager
def origin(kind: str, service: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    if kind == "stdin":  # the test itself writes half of it
        words = arguments(service, "-", "--format", "csv")
        yield Origin(words, lambda: None, lambda: None, content=table())
    elif kind == "https":
        with serving(FileServer(table(), opened=Event())) as server:
            assert server.opened is not None
            words = arguments(service, f"{server.url}/a.csv?token=secret-1")
            yield Origin(
                words,
                server.opened.set,
                lambda: vars(server).update(content=table(10, "other"), etag='"2"'),
                lambda: len(server.asked),
            )
    elif kind == "s3":
        pytest.importorskip("obstore")
        with s3() as endpoint, gate(endpoint) as held:
            for name, value in (S3_ENVIRONMENT | {"AWS_ENDPOINT_URL": held.url}).items():
                monkeypatch.setenv(name, value)
            put(endpoint, "a.csv", table(padding=3000))
            words = arguments(service, "s3://exports/a.csv")
            yield Origin(
                words,
                held.opened.set,
                lambda: put(endpoint, "a.csv", table(10, "other")),
                lambda: len(held.asked),
            )
    else:
        pytest.importorskip("sqlalchemy")
        fill(ROWS, "half")
        words = arguments(service, "sqlite:///there.db", "--sql", STOPS_HALF_WAY)

        def release() -> None:
            fill(ROWS, "fine", most=1)

        yield Origin(words, release, lambda: fill(10, "other"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stdin", "https", "s3", "sql"])
def test_a_run_killed_at_any_time_goes_on_by_the_same_command(
    service: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with origin(kind, service, monkeypatch) as there:
        # In its copy: what is there of it is not read.
        process = start(there.words)
        assert process.stdin is not None
        process.stdin.write(there.content[: len(there.content) // 2])
        process.stdin.flush()
        until(lambda: any(part.stat().st_size > 3 for part in copies(".1.part")))
        kill(process)
        (part,) = copies(".1.part")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert not copies("1-*")
        there.release()
        # In its survey, or soon after.
        process = start(there.words)
        assert process.stdin is not None
        process.stdin.write(there.content)
        process.stdin.close()
        until(lambda: bool(copies("1-*")))
        kill(process)
        # While it sends. Whatever is there by now, the job goes on with what it began with.
        there.change()
        asked = there.asked()
        process = start(there.words)
        assert process.stdin is not None
        process.stdin.close()
        until(lambda: any(settled(job) > 300 for job in jobs()))
        kill(process)
        (job,) = jobs()
        if kind == "stdin":
            code, out = finish(there.words, table(10, "other"))
            assert code == 2
            assert "standard input holds data" in out
            assert "--restart" in out
        code, out = finish(there.words)
        assert code == 0, out
        assert "resuming the copy of" in out
        # Where nothing was written to standard input there is nothing to import.
        assert ("this run went on with the copy of" in out) is (kind != "stdin")
        assert there.asked() == asked
        assert jobs() == [job]
    assert service.stored() == {conversation(n): f"fine {n}" for n in range(ROWS)}
    assert not (job / "copies").exists()
    everything = b"".join(path.read_bytes() for path in job.parent.rglob("*") if path.is_file())
    for secret in ("secret-1", S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]):
        assert secret.encode() not in everything
        assert secret not in out


@pytest.mark.slow
def test_what_failed_is_tried_again_from_the_copy() -> None:
    service = SandboxProcess("in-error=30%")
    try:
        with serving(FileServer(table(40))) as server:
            words = arguments(service, f"{server.url}/a.csv?sig=secret-2")
            code, out = finish(words)
            assert code == 1, out
            assert "secret-2" not in out
        (job,) = jobs()
        retry = [
            sys.executable, "-m", "importer", "retry", str(job), "--defer-first", "100ms",
            "--reason", "conversation_error",
        ]  # fmt: skip
        code, out = finish(retry)
        assert code == 1, out
        shutil.rmtree(job / "copies")
        code, out = finish(retry)
        assert code == 2
        assert "has no copy of" in out
        code, out = finish([sys.executable, "-m", "importer", "explain", job.name, conversation(1)])
        assert code == 0
        assert "copy of it is gone" in out
    finally:
        service.close()


@pytest.mark.slow
def test_with_carry_over_new_data_takes_the_place_of_an_unfinished_job(
    service: SandboxProcess,
) -> None:
    words = arguments(service, "-", "--format", "csv", "--carry-over")
    process = start(words)
    assert process.stdin is not None
    process.stdin.write(table())
    process.stdin.close()
    until(lambda: any(settled(job) > 300 for job in jobs()))
    kill(process)
    code, out = finish(words, table(10, "newer"))
    assert code == 0, out
    expected = {conversation(n): f"{'newer' if n < 10 else 'fine'} {n}" for n in range(ROWS)}
    assert service.stored() == expected


def test_an_address_with_a_password_is_no_argument(service: SandboxProcess) -> None:
    code, out = finish(arguments(service, "https://me:secret-3@host/a.csv"))
    assert code == 2
    assert "secret-3" not in out
    assert "holds a password" in out


@pytest.mark.slow
def test_a_batch_takes_addresses(service: SandboxProcess) -> None:
    with serving(FileServer(table(20))) as server:
        Path("batch.toml").write_text(
            f'product_id = "{PRODUCT}"\nbase_url = "{service.url}"\n'
            f'[[import]]\ninput = "{server.url}/a.csv?sig=secret-4"\n'
        )
        code, out = finish([sys.executable, "-m", "importer", "batch", "batch.toml"])
    assert code == 0, out
    assert len(service.stored()) == 20
    assert "secret-4" not in out


def test_a_query_may_not_leave_to_chance_which_row_wins(service: SandboxProcess) -> None:
    pytest.importorskip("sqlalchemy")
    fill(20, "fine")
    with closing(sqlite3.connect("there.db")) as db, db:
        db.execute("INSERT INTO feedback VALUES (?, 'NEGATIVE', 'last')", [conversation(3)])
    words = arguments(service, "sqlite:///there.db", "--sql", "SELECT * FROM feedback")
    code, out = finish(words)
    assert code == 2
    assert f"{conversation(3)} (2 rows)" in out
    assert "--newest-by" in out
    assert service.stored() == {}
    code, out = finish([*words, "--in-order"])
    assert code == 0, out
    assert service.stored()[conversation(3)] == "last"


def test_the_address_of_a_database_comes_from_the_environment(
    service: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    fill(20, "fine")
    words = arguments(service, "", "--sql", "query.sql")
    words.remove("")
    code, out = finish(words)
    assert code == 2
    assert "no such file" in out.lower()
    Path("query.sql").write_text("SELECT * FROM feedback;\n")
    code, out = finish(words)
    assert code == 2
    assert "CLARITYQ_SQL_URL" in out
    monkeypatch.setenv("CLARITYQ_SQL_URL", "sqlite:///there.db")
    code, out = finish(words)
    assert code == 0, out
    assert len(service.stored()) == 20
