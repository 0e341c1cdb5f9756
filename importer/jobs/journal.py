"""The journal of a job: the lasting record of its rows, in one SQLite file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import add, itemgetter
from pathlib import Path

from importer.common.row_set import RowSet
from importer.jobs import sqlite_file
from importer.jobs.doubts import Doubt, open_outcomes, pack_seqs, window_doubts
from importer.jobs.entry import Entry
from importer.jobs.journal_file import AFTER_ALL, UNKNOWN_BEFORE, WRITTEN, JournalFile
from importer.jobs.journal_lines import (
    IS_LEFT_OVER,
    KIND_IDS,
    VERSION,
    Lines,
    deferral_of,
    ids_of,
    insert_outcomes,
    is_set,
    moment_line,
    outcome_lines,
    stored_lines,
)
from importer.jobs.key_source import key_facts
from importer.jobs.keys import conversation_of, key_of, keys_of, own_rank, split_keys
from importer.jobs.records import (
    CLEARS_UNKNOWN,
    GIVEN_UP,
    LEFT_OVERS_GIVEN_UP,
    NOTHING_GIVEN_UP,
    TAKEN_BACK,
    WITHDRAWN,
    GivenUp,
)
from importer.model import Attempt, Deferral, Moment, OutcomeKind, Reason, RunEnd

#: Rows in one statement. Each statement lets go of the interpreter's lock, and to get it back
#: from a busy event loop costs more than a row: so a batch is written with few statements.
_ROWS = (256, 32, 4, 1)
_DOUBT = "INSERT OR REPLACE INTO doubt (seq, run, conversation, in_doubt) VALUES (?, ?, ?, ?)"
_KEPT = "INSERT OR REPLACE INTO kept (seq, conversation, rating, comment) VALUES (?, ?, ?, ?)"

#: The rows of earlier jobs that an undo of this one is to send after all, as this one had taken
#: their place: by which job each was brought. Or the conversations of which it does not know what
#: they held before: which job came last to them. since: the number of the latest job at that time.
_NOTED = """
    CREATE TABLE IF NOT EXISTS {} (
        since        INTEGER NOT NULL,
        conversation BLOB NOT NULL,
        job          INTEGER NOT NULL,
        PRIMARY KEY (since, conversation)
    ) WITHOUT ROWID
"""


class Journal(JournalFile):
    """The record of one job, written by one thread at a time.

    Every method raises `JournalError` when the record cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal in `folder`. Raises `JournalError` if there is none to be used."""
        super().__init__(folder)
        with self._explained():
            # Rows of transactions that a power cut loses are sent again.
            sqlite_file.journal_safely(self._db, self.path)
            (self._entry,) = self._db.execute(
                "SELECT coalesce(max(entries), 0) FROM run"
            ).fetchone()
            self._again = {seq for (seq,) in self._db.execute("SELECT seq FROM again")}
            self._doubtful = {seq for (seq,) in self._db.execute("SELECT seq FROM doubt")}
        # Of the run that is at work:
        self._run = 0
        #: The rows of the two windows, as they stand there, and those of them without an outcome.
        self._windows: list[tuple[Sequence[int], bytes]] = [((), b""), ((), b"")]
        self._marked: set[int] = set()
        self._slot = 0

    # Runs.

    def begin_run(self, number: int, now: float, settings: Mapping[str, object]) -> None:
        """Note, durably, that a run of this number starts `now` (Unix seconds).

        What an earlier run has marked and left without an outcome is in doubt from now on.
        """
        with self._synced():
            self._set_in_doubt(window_doubts(self._db))
            self._db.execute("DELETE FROM doubt_window")
            self._db.execute(
                "INSERT INTO run (number, started_at, first_entry, entries, settings) "
                "VALUES (?, ?, ?, ?, ?)",
                (number, now, self._entry + 1, self._entry, json.dumps(settings)),
            )
        self._run = number

    def end_run(
        self,
        now: float,
        end: RunEnd,
        message: str = "",
        sent_unsettled: Iterable[tuple[int, str]] = (),
    ) -> None:
        """Note, durably, how the run ended.

        `sent_unsettled` are all rows (seq and conversation) for which it made a request and has
        recorded no outcome: of the marked rows exactly these are in doubt (docs/reference.md, A7).
        """
        run = self._run
        with self._synced():
            self._db.execute("DELETE FROM doubt WHERE run = ?", (run,))
            self._db.execute("DELETE FROM doubt_window")
            self._set_in_doubt(
                Doubt(seq, run, key_of(conversation), in_doubt=True)
                for seq, conversation in sent_unsettled
            )
            self._db.execute(
                "UPDATE run SET ended_at = ?, ended = ?, message = ? WHERE number = ?",
                (now, end, message, run),
            )
            if end is RunEnd.FINISHED:
                self._db.execute(
                    "DELETE FROM kept WHERE seq NOT IN "
                    f"(SELECT seq FROM outcome WHERE {IS_LEFT_OVER})"
                )
        self._windows = [((), b""), ((), b"")]
        self._marked.clear()

    def note_lasted(self) -> None:
        """Note that the run has lasted for `--late-effect`."""
        with self._explained():
            self._db.execute("UPDATE run SET lasted = 1 WHERE number = ?", (self._run,))

    def sync(self) -> None:
        """Let all that is recorded last, also after a power cut: it is about to be relied on."""
        with self._synced():
            self._put("synced", str(self._entry))

    def give_up(self, now: float) -> None:
        """Note, durably, that the job is given up for good (docs/reference.md, A17)."""
        with self._synced():
            self._put(GIVEN_UP, str(now))

    def give_up_left_overs(self, now: float) -> None:
        """Note, durably, that what the job has left over is given up (docs/reference.md, A17)."""
        with self._synced():
            self._put(LEFT_OVERS_GIVEN_UP, str(now))

    def note_undo_waits(self, *, clears: bool) -> None:
        """Note that an undo of the job waits for another job; it `clears` what is unknown."""
        with self._synced():
            self._put(CLEARS_UNKNOWN, str(int(clears)))

    def note_withdrawn(
        self,
        latest: int,
        last_undo: int,
        after_all: Iterable[tuple[bytes, int]],
        unknown_before: Iterable[tuple[bytes, int]],
        leaves: Mapping[str, int | str],
    ) -> None:
        """Note, durably, that the job is taken back; `latest` is the number of the latest job.

        If it was taken back before, that stays. `last_undo` is the number of the undo that did it,
        or 0: what was noted since then no undo has sent. `after_all` are the rows of earlier jobs
        that are sent now: the key, and the number of the job that brought it; `unknown_before` the
        same of `JournalFile.unknown_before`. What the undo `leaves` is noted as facts.
        """
        with self._synced():
            for name, value in leaves.items():
                self._put(name, str(value))
            line = (WITHDRAWN, str(latest))
            self._db.execute("INSERT OR IGNORE INTO job (name, value) VALUES (?, ?)", line)
            for table, rows in ((AFTER_ALL, after_all), (UNKNOWN_BEFORE, unknown_before)):
                self._db.execute(_NOTED.format(table))
                self._db.execute(f"DELETE FROM {table} WHERE since >= ?", (last_undo,))
                lines = ((latest, *row) for row in rows)
                self._db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", lines)

    def note_written(self, name: str, digest: str) -> None:
        """Note what was written into the job's file of that `name`: its SHA-256.

        Empty where what is there is not how the job ended.
        """
        with self._explained():
            self._put(f"{WRITTEN}{name}", digest)

    def note_key_source(self, words: Sequence[str]) -> None:
        """Note from where the run has the key, as arguments; they do not hold the key itself."""
        with self._explained():
            for name, value in key_facts(words).items():
                self._put(name, value)

    def note_taken_back(self, words: Sequence[str]) -> None:
        """Note what a left-over file of the job is imported with beside the run's own options.

        They take back what a configuration sets for the inputs.
        """
        with self._explained():
            self._put(TAKEN_BACK, json.dumps(list(words)))

    def know_floor(self, floor: int) -> None:
        """Take back what a floor that was raised since the job began makes unsure.

        Rows that were to be `unchanged` are sent (docs/reference.md, A15).
        """
        with self._synced():
            self._db.execute("DELETE FROM not_sent WHERE reason = ?", (Reason.SAME_AS_STORED,))
            self._put("floor", str(floor))

    # Rows.

    def mark(self, rows: Sequence[tuple[int, str]]) -> None:
        """Note, durably, which rows (seq and conversation) may be sent from now on.

        Together with the rows marked last, and those marked earlier that have no outcome yet, no
        others may be (docs/reference.md, A7).
        """
        seqs = [seq for seq, _ in reversed(rows)]
        joined = keys_of([conversation for _, conversation in rows])
        old_seqs, old_keys = self._windows[self._slot]
        left = [
            Doubt(seq, self._run, key, in_doubt=True)
            for seq, key in zip(old_seqs, split_keys(old_keys), strict=True)
            if seq in self._marked
        ]
        with self._synced():
            self._set_in_doubt(left)
            self._db.execute(
                "INSERT OR REPLACE INTO doubt_window (slot, run, entry, seqs, conversations) "
                "VALUES (?, ?, ?, ?, ?)",
                (self._slot, self._run, self._entry, pack_seqs(seqs), joined),
            )
        self._marked.difference_update(old_seqs)
        self._marked.update(seqs)
        self._windows[self._slot] = seqs, joined
        self._slot = 1 - self._slot

    def write(self, entry: Entry) -> None:
        """Record all of `entry` or, if that fails, nothing."""
        db = self._db
        with self._explained(), sqlite_file.transaction(db):
            if entry.rows:
                self._complete(entry)
            db.executemany(
                sqlite_file.insert("deferral", Deferral._fields, replace=True), entry.deferrals
            )
            db.executemany(sqlite_file.insert("attempt", Attempt._fields), entry.attempts)
            db.executemany(
                sqlite_file.insert("moment", Moment._fields, replace=True),
                map(moment_line, entry.moments),
            )
            db.executemany(
                _KEPT,
                [(f.seq, key_of(f.conversation_id), f.rating, f.comment) for f in entry.left_over],
            )

    def _complete(self, entry: Entry) -> None:
        stored, seqs = entry.stored, entry.seqs()
        # They come in no order, and are stored by their numbers.
        outcomes = sorted(entry.outcomes, key=itemgetter(0))
        if self._again:
            former = self._remove_former(seqs)
            stored.attempts[:] = map(add, stored.attempts, map(former.__getitem__, stored.seqs))
            outcomes = [one._replace(attempts=one.attempts + former[one.seq]) for one in outcomes]
        if self._doubtful:
            known = [*stored.seqs, *(outcome.seq for outcome in outcomes if is_set(outcome))]
            ended = self._doubtful.intersection(seqs)
            self._end_doubts(ended, known)
            self._doubtful -= ended
        self._entry += 1
        for lines in (stored_lines(stored), *outcome_lines(outcomes, entry.bodies)):
            self._insert(lines, entry.at)
        self._db.executemany(
            "UPDATE outcome SET open = 1 WHERE seq = ?", [(seq,) for seq, _ in entry.opened]
        )
        self._db.execute("UPDATE run SET entries = ? WHERE number = ?", (self._entry, self._run))
        self._marked.difference_update(seqs)

    def _insert(self, lines: Lines, at: float) -> None:
        width, values = len(lines.columns), lines.values
        done = 0
        for rows in _ROWS:
            while done + rows * width <= len(values):
                part = values[done : done + rows * width]
                self._db.execute(insert_outcomes(lines.columns, rows), [at, self._entry, *part])
                done += rows * width

    def _remove_former(self, seqs: Iterable[int]) -> Counter[int]:
        """Let rows that were tried again have another outcome; return the PUTs that they had."""
        former: Counter[int] = Counter()
        for seq in self._again.intersection(seqs):
            (former[seq],) = self._db.execute(
                "SELECT attempts FROM outcome WHERE seq = ?", (seq,)
            ).fetchone()
            self._db.execute("DELETE FROM outcome WHERE seq = ?", (seq,))
            self._db.execute("DELETE FROM again WHERE seq = ?", (seq,))
        self._again.difference_update(former)
        return former

    def _end_doubts(self, ended: Collection[int], known: Iterable[int]) -> None:
        """End the doubts about rows that have ended: what this run made of them they say.

        A request of an earlier run stays open, and the row in doubt unless it is `known` what the
        service holds.
        """
        self._db.executemany(
            "DELETE FROM doubt WHERE seq = ? AND run = ?", [(seq, self._run) for seq in ended]
        )
        self._db.executemany(
            "UPDATE doubt SET in_doubt = 0 WHERE seq = ?",
            [(seq,) for seq in known if seq in ended],
        )

    def _set_in_doubt(self, doubts: Iterable[Doubt]) -> None:
        lines = [(doubt.seq, doubt.run, doubt.key, doubt.in_doubt) for doubt in doubts]
        self._db.executemany(_DOUBT, lines)
        self._doubtful.update(seq for seq, _, _, _ in lines)

    def try_again(
        self,
        kinds: Collection[OutcomeKind],
        reasons: Collection[Reason] = frozenset(),
        given_up: GivenUp = NOTHING_GIVEN_UP,
    ) -> int:
        """Choose the rows that are tried again: those that ended so, for these reasons if given.

        Without reasons they are all but those whose conversation is in `ERROR`, which is final.
        What is `given_up` is not tried again.
        Their outcomes stand until they have new ones (docs/reference.md, J8); rows that were chosen
        before are no longer. Returns how many were chosen.
        """
        conditions = (
            f"kind IN ({ids_of(kinds)}) AND conversation IS NOT NULL "
            "AND seq NOT IN (SELECT seq FROM forgotten) AND reason "
        )
        conditions += f"IN ({', '.join('?' * len(reasons))})" if reasons else "IS NOT ?"
        with self._explained(), sqlite_file.transaction(self._db):
            self._db.execute("DELETE FROM again")
            self._db.execute(
                f"INSERT INTO again (seq) SELECT seq FROM outcome WHERE {conditions}",
                tuple(reasons) or (Reason.CONVERSATION_ERROR,),
            )
            if given_up.jobs:
                rows = self._db.execute(
                    f"SELECT seq, {VERSION}, conversation FROM again JOIN outcome USING (seq) "
                    "LEFT JOIN ranked USING (seq)",
                    {"own": own_rank(int(self.facts()["number"]))},
                )
                self._db.executemany(
                    "DELETE FROM again WHERE seq = ?",
                    [(seq,) for seq, version, key in rows if given_up.has(version, key)],
                )
            self._again = {seq for (seq,) in self._db.execute("SELECT seq FROM again")}
            self._db.execute("DELETE FROM deferral WHERE seq IN (SELECT seq FROM again)")
            # Their lines will go, and with them that they are open.
            self._set_in_doubt(
                doubt for doubt in list(open_outcomes(self._db)) if doubt.seq in self._again
            )
        return len(self._again)

    def again(self) -> RowSet:
        """Return the rows that are tried again and have no new outcome yet."""
        return RowSet(sorted(self._again))

    def tried_again(self) -> list[tuple[int, bytes]]:
        """Return the same rows (seq) with the keys of their conversations."""
        return self._all("SELECT seq, conversation FROM outcome JOIN again USING (seq)")

    def begun(self, in_doubt: Iterable[int]) -> int:
        """Return how many rows without an outcome a request was made for, in any run.

        `in_doubt` are those of which this run has made one that may still take effect (seq).
        """
        ((number,),) = self._all(
            "SELECT count(*) FROM ("
            "SELECT seq FROM attempt UNION SELECT seq FROM deferral "
            "UNION SELECT seq FROM doubt WHERE run <> ? UNION SELECT value FROM json_each(?)"
            ") WHERE seq NOT IN (SELECT seq FROM outcome)",
            self._run, json.dumps([*in_doubt]),
        )  # fmt: skip
        return int(number)

    def settled(self) -> RowSet:
        """Return the rows that are done: with an outcome, and not tried again."""
        rows = self.with_outcome()
        for seq in self._again:
            rows.remove(seq)
        return rows

    def deferrals(self) -> dict[int, Deferral]:
        """Return the rows that are still deferred, by seq."""
        with self._explained():
            rows = self._db.execute(
                sqlite_file.select("deferral", Deferral._fields)
                + " WHERE seq NOT IN (SELECT seq FROM outcome) OR seq IN (SELECT seq FROM again)"
            )
            return {deferral.seq: deferral for deferral in map(deferral_of, rows)}

    def last_stored(self) -> str | None:
        """Return the conversation of the last row that has succeeded, by its number; or None."""
        found = self._all(
            "SELECT conversation FROM outcome WHERE kind = ? "
            "AND seq NOT IN (SELECT seq FROM forgotten) ORDER BY seq DESC LIMIT 1",
            KIND_IDS[OutcomeKind.SUCCEEDED],
        )
        return conversation_of(found[0][0]) if found else None

    def _put(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)", (name, value))

    @contextmanager
    def _synced(self) -> Iterator[None]:
        with self._explained(), sqlite_file.synced(self._db):
            yield
