"""What the journal tells of a job afterwards: for the report and for the story of a conversation.

Only reads, also while a run is writing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from importer.feedback.body import COMMENT_BITS, RATINGS
from importer.jobs import sqlite_file
from importer.jobs.journal_file import JournalFile, explaining
from importer.jobs.journal_lines import (
    COLUMNS,
    IS_LEFT_OVER,
    IS_SENT_AND_SET,
    IS_SET,
    IS_SETTLED,
    KIND_IDS,
    RANK,
    RUN_COLUMNS,
    VERSION,
    deferral_of,
    ids_of,
    moment_of,
    outcome_of,
    run_of,
    time_of,
)
from importer.jobs.keys import key_of, own_rank, rank_of
from importer.jobs.records import LastRun
from importer.model import (
    NOT_IMPORTED,
    Attempt,
    Call,
    Deferral,
    Meaning,
    Moment,
    Outcome,
    OutcomeKind,
    Rank,
    Reason,
    RunEnd,
)


class Cause(NamedTuple):
    """Rows that ended in the same way for the same reason, and the first of them."""

    kind: OutcomeKind
    reason: Reason | None
    http_status: int | None
    rows: int
    example: Outcome


class Imported(NamedTuple):
    """What the feedback of succeeded rows says. Figures are in rows, so in conversations."""

    positive: int
    negative: int
    #: Their rating was cleared.
    cleared: int
    #: They have no rating: a comment only.
    unrated: int
    #: They have a comment.
    comments: int


class PastRun(NamedTuple):
    """One run of the job, and the settings that it had (`ImportSettings.as_record`)."""

    run: LastRun
    settings: dict[str, Any]


class JournalReader(JournalFile):
    """Answers questions about the job in a folder, also while it is at work; a context manager.

    Every method raises `JournalError` if the journal cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @explaining
    def runs(self) -> list[PastRun]:
        """Return all runs, the oldest first."""
        return [
            PastRun(run_of(run), json.loads(settings))
            for *run, settings in self._all(
                sqlite_file.select("run", (*RUN_COLUMNS, "settings")) + " ORDER BY number"
            )
        ]

    @explaining
    def closed_run(self) -> LastRun | None:
        """Return the latest run of a job that was replaced or given up; None if there was none.

        One that was killed has that end, and ended when something was recorded last.
        """
        run = self.last_run()
        if run is None or run.end is not None:
            return run
        ((at,),) = self._all(
            "SELECT max(at) FROM (SELECT max(settled_at) AS at FROM outcome "
            "UNION ALL SELECT max(at) FROM attempt UNION ALL SELECT max(looked_at) FROM deferral "
            "UNION ALL SELECT max(at) FROM moment)"
        )
        seen = max(run.started_at, time_of(at or 0.0))
        return replace(run, end=RunEnd.KILLED, ended_at=seen)

    @explaining
    def outcomes_of(self, conversation_id: str) -> list[Outcome]:
        """Return the outcomes of the conversation's rows that have one, in input order."""
        return [
            outcome_of(row)
            for row in self._all(
                sqlite_file.select("outcome", COLUMNS) + " WHERE conversation = ? ORDER BY seq",
                key_of(conversation_id),
            )
        ]

    @explaining
    def attempts(self, seq: int) -> list[Attempt]:
        """Return the row's requests that did not end with stored feedback, the oldest first."""
        rows = self._all(
            sqlite_file.select("attempt", Attempt._fields) + " WHERE seq = ? ORDER BY at", seq
        )
        attempts = map(Attempt._make, rows)
        return [
            attempt._replace(at=time_of(attempt.at), call=Call(attempt.call))
            for attempt in attempts
        ]

    @explaining
    def deferral(self, seq: int) -> Deferral | None:
        """Return where the row stood last that was told to wait; None if it never was."""
        rows = self._all(sqlite_file.select("deferral", Deferral._fields) + " WHERE seq = ?", seq)
        return next(map(deferral_of, rows), None)

    @explaining
    def moments(self) -> list[Moment]:
        """Return how the job went, the oldest moment first."""
        return [
            moment_of(row)
            for row in self._all(sqlite_file.select("moment", Moment._fields) + " ORDER BY at")
        ]

    @explaining
    def imported(self) -> Imported:
        """Return what was imported, as far as it is known what the service holds of it."""
        counts: Counter[Meaning | None] = Counter()
        comments = 0
        for rating, has_comment, rows in self._all(
            "SELECT body >> 62 & 3, body & ? <> 0, count(*) FROM outcome "
            "WHERE kind = ? AND body IS NOT NULL GROUP BY 1, 2",
            COMMENT_BITS, KIND_IDS[OutcomeKind.SUCCEEDED],
        ):  # fmt: skip
            counts[RATINGS[rating]] += rows
            comments += rows if has_comment else 0
        return Imported(
            counts[Meaning.POSITIVE], counts[Meaning.NEGATIVE], counts[Meaning.CLEAR],
            counts[None], comments,
        )  # fmt: skip

    @explaining
    def causes(self, most: int) -> list[Cause]:
        """Return why rows were not imported, the largest groups first."""
        # SQLite takes the other columns from the row that min() has found.
        return [
            Cause(example.kind, example.reason, example.http_status, number, example)
            for number, _, *row in self._all(
                sqlite_file.select("outcome", ("count(*)", "min(seq)", *COLUMNS))
                + f" WHERE kind IN ({ids_of(NOT_IMPORTED)}) "
                "GROUP BY kind, reason, http_status ORDER BY 1 DESC LIMIT ?",
                most,
            )
            for example in [outcome_of(row)]
        ]

    def without_trouble(self, first: int, last: int, *, gave_way: bool = True) -> int:
        """Return how many of these rows have an outcome about which nobody has to do anything.

        With those that `gave_way` to others, or without them.
        """
        kinds = [*NOT_IMPORTED, *([] if gave_way else [OutcomeKind.SUPERSEDED])]
        (found,) = self._all(
            "SELECT count(*) FROM outcome WHERE seq BETWEEN ? AND ? "
            f"AND kind NOT IN ({ids_of(kinds)})",
            first, last,
        )  # fmt: skip
        return int(found[0])

    def sent_and_set(self, *, brought_by: int) -> int:
        """Return how many rows were sent and are set that the job of that number has brought."""
        query = (
            "SELECT count(*) FROM outcome LEFT JOIN ranked USING (seq) "
            f"WHERE {IS_SENT_AND_SET} AND {VERSION} = :brought_by"
        )
        with self._explained():
            names = {**self._own(), "brought_by": brought_by}
            return int(self._db.execute(query, names).fetchone()[0])

    def set_among(
        self, keys: Iterable[bytes], *, brought_by: int | None = None, sent: bool = False
    ) -> set[bytes]:
        """Return those of the conversations of which the job has set a row.

        Only one that the job of the number `brought_by` has brought, if that is given, and one that
        was `sent`, and not unchanged.
        """
        is_set = IS_SENT_AND_SET if sent else IS_SET
        query = (
            "SELECT DISTINCT conversation FROM outcome LEFT JOIN ranked USING (seq) "
            f"WHERE {is_set} AND ({VERSION}) = coalesce(:brought_by, {VERSION}) "
            "AND hex(conversation) IN (SELECT value FROM json_each(:keys))"
        )
        names = {**self._own(), "brought_by": brought_by, "keys": _in_json(keys)}
        with self._explained():
            return {key for (key,) in self._db.execute(query, names)}

    def all_set(self) -> set[bytes]:
        """Return the conversations of which the job has set a row."""
        with self._explained():
            query = f"SELECT DISTINCT conversation FROM outcome WHERE {IS_SET}"
            return {key for (key,) in self._db.execute(query)}

    def left_overs(self, *, waiting: bool = False) -> Iterator[tuple[int, bytes]]:
        """Yield the rows that are left over: the job that has brought this version, and the key.

        With `waiting` only those whose conversation was not completed.
        """
        which = f"kind = {KIND_IDS[OutcomeKind.NOT_COMPLETED]}" if waiting else IS_LEFT_OVER
        query = (
            f"SELECT {VERSION}, conversation FROM outcome LEFT JOIN ranked USING (seq) "
            f"WHERE {which}"
        )
        with self._explained():
            yield from self._db.execute(query, self._own())

    @explaining
    def left_over_ranks(self) -> dict[bytes, Rank]:
        """Return the ranks of the rows, by key, that are left over and could still be sent."""
        query = (
            f"SELECT outcome.conversation, {RANK} FROM kept JOIN outcome USING (seq) "
            f"LEFT JOIN ranked USING (seq) WHERE {IS_LEFT_OVER} "
            "AND seq NOT IN (SELECT seq FROM forgotten)"
        )
        found = self._db.execute(query, self._own())
        return {key: rank_of(rank) for key, rank in found}

    @explaining
    def carried_ranks(self) -> dict[bytes, Rank]:
        """Return the ranks of the rows, by key, that the job has taken over."""
        found = self._db.execute("SELECT conversation, rank FROM carried JOIN ranked USING (seq)")
        return {key: rank_of(rank) for key, rank in found}

    def settled_among(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Rank, bool]]:
        """Yield the settled rows of these conversations: key, rank, and whether it is left over."""
        query = (
            f"SELECT conversation, {RANK}, {IS_LEFT_OVER} FROM outcome LEFT JOIN ranked USING (seq)"
            f" WHERE {IS_SETTLED} AND hex(conversation) IN (SELECT value FROM json_each(:keys))"
        )
        names = {**self._own(), "keys": _in_json(keys)}
        with self._explained():
            for key, rank, is_left_over in self._db.execute(query, names):
                yield key, rank_of(rank), bool(is_left_over)

    def first_brought(self, kind: OutcomeKind) -> list[tuple[int, bytes, int]]:
        """Return the rows of `kind` whose conversation is known, and the jobs that first had them.

        Each as its seq, the key of the conversation, and the number of the job.
        """
        query = (
            f"SELECT outcome.seq, conversation, coalesce(nullif(job, 0), ({RANK}) >> 32) "
            "FROM outcome LEFT JOIN ranked USING (seq) LEFT JOIN placed USING (seq) "
            "WHERE kind = :kind AND conversation IS NOT NULL "
            "AND outcome.seq NOT IN (SELECT seq FROM forgotten)"
        )
        with self._explained():
            return self._db.execute(query, {**self._own(), "kind": KIND_IDS[kind]}).fetchall()

    def ended_among(self, seqs: Iterable[int]) -> set[int]:
        """Return which of these rows have an outcome."""
        query = "SELECT seq FROM outcome WHERE seq IN (SELECT value FROM json_each(?))"
        return {seq for (seq,) in self._all(query, json.dumps([*seqs]))}

    def _own(self) -> dict[str, object]:
        """Return the parameter of `RANK` and `VERSION`."""
        return {"own": own_rank(int(self.facts()["number"]))}

    def with_warning(self, most: int) -> list[Outcome]:
        """Return the first rows that were imported with a warning."""
        return [
            outcome_of(row)
            for row in self._all(
                sqlite_file.select("outcome", COLUMNS)
                + " WHERE warning IS NOT NULL ORDER BY seq LIMIT ?",
                most,
            )
        ]

    def puts_per_row(self) -> dict[int, int]:
        """Return how many rows took how many PUTs; rows that were not sent are left out."""
        return dict(
            self._all(
                "SELECT attempts, count(*) FROM outcome WHERE attempts > 0 GROUP BY attempts "
                "ORDER BY attempts"
            )
        )

    def deferral_waits(self) -> Iterator[float]:
        """Yield how long each deferred row had waited until it was done, in seconds."""
        with self._explained():
            for (seconds,) in self._db.execute(
                "SELECT outcome.settled_at - deferral.since FROM deferral JOIN outcome USING (seq)"
            ):
                yield float(seconds)


def _in_json(keys: Iterable[bytes]) -> str:
    """Return the keys as `hex` has them in SQL."""
    return json.dumps([key.hex().upper() for key in keys])
