"""The file of a journal: how it is opened, and what it says of a job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from importer.common.row_set import RowSet
from importer.errors import JournalError
from importer.jobs import sqlite_file
from importer.jobs.bodies import Body
from importer.jobs.doubts import Doubt, doubts_of
from importer.jobs.journal_lines import (
    CANONICAL,
    COLUMNS,
    KIND_IDS,
    KINDS,
    RUN_COLUMNS,
    outcome_of,
    run_of,
)
from importer.jobs.key_source import key_words
from importer.jobs.keys import conversation_of, rank_of
from importer.jobs.overtaken import Awaited, overtaken
from importer.jobs.records import (
    CARRIED_OVER,
    TAKEN_BACK,
    CarriedRow,
    InputFile,
    LastRun,
    Totals,
)
from importer.model import Meaning, Outcome, OutcomeKind, Rank, Reason, Warn

_File = TypeVar("_File", bound="JournalFile")
_P = ParamSpec("_P")
_R = TypeVar("_R")

FILE_NAME = "journal.sqlite"
FORMAT = "7"
#: The table of rows that undos send for earlier jobs: only a job that was taken back has it.
AFTER_ALL, UNKNOWN_BEFORE = "after_all", "unknown_before"
#: The fact that tells up to which entry it holds no comments.
NO_COMMENTS = "without_comments"
#: With the name of a file, the fact that tells what was written into it.
WRITTEN = "written "

#: What to do about that of another job than the one that is at work.
_IF_DAMAGED = (
    "Look at the disk, and bring the file back; or move the job's folder out of the jobs folder, "
    "and what the job and those before it have sent counts as unknown"
)
_MOST = 2**63 - 1
#: Rows that are counted at once.
_BLOCK = 4096

_PENDING = """
    SELECT conversation, seq, rating, comment, ask_status OR seq IN (SELECT seq FROM deferral)
    FROM (
        SELECT seq, conversation, rating, comment, 0 AS ask_status FROM kept
        UNION ALL SELECT seq, conversation, rating, comment, ask_status FROM carried
    )
    WHERE seq NOT IN (SELECT seq FROM outcome)
    ORDER BY conversation
"""


def explaining(
    method: Callable[Concatenate[_File, _P], _R],
) -> Callable[Concatenate[_File, _P], _R]:
    """Let a method of a `JournalFile` raise `JournalError` also where it holds what cannot be."""

    @wraps(method)
    def explained_method(self: _File, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with explained(self.path):
            return method(self, *args, **kwargs)

    return explained_method


class JournalFile:
    """What a journal says of its job. Its methods are called by one thread at a time.

    Every method raises `JournalError` when the file cannot be read.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the journal in `folder`. Raises `JournalError` if there is none to be used."""
        self.folder = folder
        self.path = folder / FILE_NAME
        with self._explained():
            self._db = sqlite_file.connect(self.path, read_only=read_only)
            try:
                check_format(self._db, self.path)
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def has_comments(self) -> bool:
        """Return whether something was recorded since the comments were dropped, or never were."""
        ((entries,),) = self._all("SELECT coalesce(max(entries), 0) FROM run")
        return self.facts().get(NO_COMMENTS) != str(entries)

    # What the job began with.

    def written(self, name: str) -> str | None:
        """Return the SHA-256 of what was written into the job's file of that `name`, if known."""
        return self.facts().get(f"{WRITTEN}{name}")

    def written_files(self) -> list[str]:
        """Return the names of the job's files of which it is known what was written into them."""
        found = (
            name for name, digest in self.facts().items() if name.startswith(WRITTEN) and digest
        )
        return sorted(name.removeprefix(WRITTEN) for name in found)

    @explaining
    def key_source(self) -> list[str]:
        """Return from where the latest run had the key, as arguments; empty if no option said."""
        return key_words(self.facts())

    @explaining
    def taken_back(self) -> list[str]:
        """Return what a left-over file is imported with beside the options of the latest run."""
        words: list[str] = json.loads(self.facts().get(TAKEN_BACK, "[]"))
        return words

    def facts(self) -> dict[str, str]:
        """Return what describes the job."""
        with self._explained():
            return dict(self._db.execute("SELECT name, value FROM job"))

    @explaining
    def newest_by(self) -> str | None:
        """Return the column that tells the newest row; None if the last one wins."""
        return newest_by(self.facts())

    @explaining
    def is_as_new(self) -> bool:
        """Return whether the rows of left-over files among the inputs are new ones (`--as-new`)."""
        return bool(json.loads(self.facts().get("settings", "{}")).get("as_new"))

    @explaining
    def label(self) -> str | None:
        """Return who imports this or why, as the latest run said that said so; None if none has."""
        began = self.facts().get("settings", "{}")
        runs = [text for (text,) in self._all("SELECT settings FROM run ORDER BY number DESC")]
        labels = (json.loads(text).get("label") for text in [*runs, began])
        return next(filter(None, labels), None)

    @explaining
    def inputs(self) -> list[InputFile]:
        """Return the files that the job began with."""
        return [
            InputFile.of_line(*row)
            for row in self._all(
                sqlite_file.select("input", InputFile._fields) + " ORDER BY position"
            )
        ]

    @explaining
    def places(self) -> list[tuple[str, int]]:
        """Return where the job's rows come from, in order: the path, and the first row's number.

        Those that were carried over come first, if there are any.
        """
        inputs = [(file.path, file.first_seq) for file in self.inputs()]
        (some,) = self._all("SELECT EXISTS (SELECT 1 FROM carried)")[0]
        return [(CARRIED_OVER, 1), *inputs] if some else inputs

    @explaining
    def survey(self) -> str:
        """Return the findings of the survey, as JSON."""
        return self.facts()["survey"]

    def may_be_encoded(self) -> bool:
        """Return whether an input may be in another encoding than the one it was read in."""
        inputs = json.loads(self.survey()).get("inputs", ())
        return any(one.get("other_encoding") is not None for one in inputs)

    @explaining
    def not_sent(self) -> dict[Reason, RowSet]:
        """Return the rows that are not sent, by why, as it was decided when the job began."""
        return {
            Reason(reason): RowSet.unpack(rows)
            for reason, rows in self._all("SELECT reason, rows FROM not_sent")
        }

    @explaining
    def ranked(self) -> dict[int, Rank]:
        """Return the rows whose rank is not that of the job, by seq, with their rank."""
        return {seq: rank_of(rank) for seq, rank in self._all("SELECT seq, rank FROM ranked")}

    def origins(self, *, of_carried: bool = False) -> set[int]:
        """Return the numbers of the jobs that first brought rows which are not this one's own.

        Of those that it has read (in left-over files, or as an undo), or that were carried over.
        """
        which = "IN" if of_carried else "NOT IN"
        found = self._all(
            f"SELECT DISTINCT rank >> 32 FROM ranked WHERE seq {which} (SELECT seq FROM carried)"
            f"{'' if of_carried else ' UNION SELECT job FROM placed'}"
        )
        return {number for (number,) in found if number}

    def first_carried(self) -> int | None:
        """Return the least number of the jobs that first brought rows which it has taken over."""
        found = self._all("SELECT min(rank >> 32) FROM carried JOIN ranked USING (seq)")[0][0]
        return None if found is None else int(found)

    def carried_count(self) -> int:
        """Return how many rows the job has taken over."""
        return int(self._all("SELECT count(*) FROM carried")[0][0])

    def carried(self) -> Iterator[CarriedRow]:
        """Yield the rows that the job has taken over, by seq."""
        with self._explained():
            for seq, key, rating, comment, ask_status, rank in self._db.execute(
                "SELECT seq, conversation, rating, comment, ask_status, rank "
                "FROM carried JOIN ranked USING (seq) ORDER BY seq"
            ):
                yield CarriedRow(
                    seq, conversation_of(key), rank_of(rank), rating and Meaning(rating),
                    sqlite_file.text(comment), bool(ask_status),
                )  # fmt: skip

    def displaced(self) -> Iterator[CarriedRow]:
        """Yield those of them, by seq, in whose place the job was to send a row of its own."""
        in_its_place = self.not_sent().get(Reason.LATER_ROW, RowSet())
        gone = self.forgotten_rows()
        for row in self.carried():
            if row.seq in in_its_place and row.seq not in gone:
                yield row

    def after_all(self) -> list[tuple[int, bytes, int]]:
        """Return the rows of earlier jobs that undos of this one are to send after all.

        The number of the latest job when that was worked out, the key, and the job that brought it.
        """
        return self._noted(AFTER_ALL)

    def unknown_before(self) -> list[tuple[int, bytes, int]]:
        """Return the conversations of which an undo did not know what they held before the job.

        The same as of `after_all`: who came last to it before the job, 0 if nobody did. Of one that
        clears them only those to which somebody did.
        """
        return self._noted(UNKNOWN_BEFORE)

    def _noted(self, table: str) -> list[tuple[int, bytes, int]]:
        if not self._all(f"SELECT 1 FROM sqlite_master WHERE name = '{table}'"):
            return []
        return self._all(f"SELECT since, conversation, job FROM {table}")

    def bodies(self) -> Iterator[Body]:
        """Yield what the rows would send, or have sent, of which it is here."""
        with self._explained():
            for key, rating, comment in self._db.execute(
                "SELECT conversation, rating, comment FROM carried "
                "UNION ALL SELECT conversation, rating, comment FROM kept"
            ):
                text = sqlite_file.text(comment)
                yield Body(conversation_of(key), rating and Meaning(rating), text)

    def pending(self) -> Iterator[tuple[bytes, int, str, Meaning | None, str | None, bool]]:
        """Yield the rows without an outcome whose bodies are here, by key.

        Key, seq, conversation, rating, comment, and whether its status is asked for first.
        """
        with self._explained():
            for key, seq, rating, comment, ask_status in self._db.execute(_PENDING):
                yield (
                    key, seq, conversation_of(key), rating and Meaning(rating),
                    sqlite_file.text(comment), bool(ask_status),
                )  # fmt: skip

    def run_count(self) -> int:
        """Return how often the command was started on this job."""
        return int(self._all("SELECT count(*) FROM run")[0][0])

    def run_numbers(self) -> set[int]:
        """Return the numbers of the job's runs, through the product."""
        return {number for (number,) in self._all("SELECT number FROM run")}

    @explaining
    def last_run(self) -> LastRun | None:
        """Return how the latest run ended, or None if there was no run yet."""
        rows = self._all(sqlite_file.select("run", RUN_COLUMNS) + " ORDER BY number DESC LIMIT 1")
        return run_of(rows[0]) if rows else None

    @explaining
    def latest_settings(self) -> dict[str, Any]:
        """Return the settings of the latest run (`ImportSettings.as_record`); there was one."""
        ((settings,),) = self._all("SELECT settings FROM run ORDER BY number DESC LIMIT 1")
        found: dict[str, Any] = json.loads(settings)
        return found

    def doubts(self) -> list[Doubt]:
        """Return the rows that are open or in doubt."""
        with self._explained():
            return list(doubts_of(self._db))

    def forgotten_rows(self) -> set[int]:
        """Return the rows of which all but the count is forgotten."""
        return {seq for (seq,) in self._all("SELECT seq FROM forgotten")}

    @explaining
    def totals(self, *, to_do: bool = False) -> Totals:
        """Return the job's figures.

        A row that is tried again counts by the outcome that stands; with `to_do` it is pending.
        """
        tried_again = "WHERE seq NOT IN (SELECT seq FROM again)" if to_do else ""
        outcomes = dict.fromkeys(OutcomeKind, 0)
        reasons: Counter[tuple[OutcomeKind, Reason]] = Counter()
        warnings: Counter[Warn] = Counter()
        puts = 0
        for kind, reason, warning, number, sent in self._all(
            "SELECT kind, reason, warning, count(*), sum(attempts) "
            f"FROM outcome {tried_again} "
            "GROUP BY kind, reason, warning"
        ):
            outcomes[KINDS[kind]] += number
            puts += sent
            if reason is not None:
                reasons[KINDS[kind], Reason(reason)] += number
            if warning is not None:
                warnings[Warn(warning)] += number
        rows = int(self.facts()["rows"])
        outcomes[OutcomeKind.PENDING] = rows - sum(outcomes.values())
        return Totals(rows, outcomes, reasons, warnings, puts)

    def outcomes(
        self, kind: OutcomeKind | None = None, first: int = 1, last: int | None = None
    ) -> Iterator[Outcome]:
        """Yield the recorded outcomes from seq `first` to `last`, by seq; of one kind, if given."""
        with self._explained():
            for row in self._db.execute(
                sqlite_file.select("outcome", COLUMNS)
                + " WHERE seq BETWEEN ? AND ? AND kind = coalesce(?, kind) ORDER BY seq",
                (first, _MOST if last is None else last, None if kind is None else KIND_IDS[kind]),
            ):
                yield outcome_of(row)

    @explaining
    def with_outcome(self) -> RowSet:
        """Return the rows that have an outcome."""
        rows = RowSet()
        of_block = "FROM outcome WHERE seq BETWEEN ? AND ?"
        (end,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM outcome").fetchone()
        if end > int(self.facts()["rows"]):
            raise ValueError(f"an outcome of row {end}")
        for first in range(0, end + 1, _BLOCK):
            block = first, first + _BLOCK - 1
            # Most blocks are done as a whole; to count rows is much cheaper than to read them.
            (count,) = self._db.execute(f"SELECT count(*) {of_block}", block).fetchone()
            if count == _BLOCK:
                rows.add_block(first, _BLOCK)
            elif count:
                for (seq,) in self._db.execute(f"SELECT seq {of_block}", block):
                    rows.add(seq)
        return rows

    def canonical(self) -> Iterator[str]:
        """Yield the recorded outcomes, by seq, as lines of `CANONICAL_COLUMNS`."""
        with self._explained():
            for before, key, after in self._db.execute(CANONICAL):
                yield f"{before}{'' if key is None else conversation_of(key)}{after}"

    def overtaken(self, kind: OutcomeKind, awaited: Awaited = Awaited.ALL) -> set[int]:
        """Return the rows of `kind` (seq) that give way to another row of their conversation.

        `awaited` are the rows without an outcome that are to be sent.
        """
        with self._explained():
            return overtaken(self._db, kind, awaited, everywhere=self.newest_by() is not None)

    def _all(self, query: str, *values: object) -> list[Any]:
        with self._explained():
            return self._db.execute(query, values).fetchall()

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.path)


def newest_by(facts: Mapping[str, str]) -> str | None:
    """Return the column that tells the newest row in the job of these facts; None without one."""
    found: str | None = json.loads(facts.get("settings", "{}")).get("newest_by")
    return found


def attached(db: sqlite_file.Connection, folder: Path) -> AbstractContextManager[None]:
    """Attach the journal in `folder` to another file, as `journal`; see `sqlite_file.attached`."""
    path = folder / FILE_NAME
    return sqlite_file.attached(
        db, path, "journal", what=f"the journal {path}", if_damaged=_IF_DAMAGED
    )


def check_format(db: sqlite_file.Connection, path: Path) -> None:
    """Raise `JournalError` if the journal is not of the format that this version reads."""
    row = db.execute("SELECT value FROM job WHERE name = 'format'").fetchone()
    if (found := row and row[0]) != FORMAT:
        raise JournalError(
            f"{path} has journal format {found}, and this version reads format {FORMAT}: finish "
            "the job with the version that began it, or start over with --restart"
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a message for a person."""
    remedy = (
        "Free some disk space or fix the folder, and run the same command to resume, or start over "
        "with --restart"
    )
    with sqlite_file.explained(f"the journal {path}", remedy):
        try:
            yield
        except sqlite_file.DuplicateError as error:
            raise JournalError(
                f"{path}: a row got a second outcome ({error}); please report this"
            ) from None
