"""Takes conversations out of the journals and the ledger of a product: no byte of them stays.

What is left of a conversation is a keyed digest in the place of its id: with the counts of its rows
and their ranks it keeps accounts and order as they were.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from importer.common.uuids import canonical_uuid
from importer.jobs import sqlite_file
from importer.jobs.doubts import unpack_seqs
from importer.jobs.identity import ProductKey
from importer.jobs.journal_file import AFTER_ALL, NO_COMMENTS, UNKNOWN_BEFORE, JournalFile
from importer.jobs.keys import conversation_of, key_of, split_keys

#: What stands in a text in the place of an id.
FORGOTTEN = "(forgotten)"

_HEX = "[0-9a-fA-F]"
_UUID = re.compile(rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}|{_HEX}{{32}}")

_IS_GONE = "conversation IN (SELECT key FROM temp.gone)"
_BURY = (
    f"conversation = (SELECT tomb FROM temp.gone WHERE gone.key = conversation) WHERE {_IS_GONE}"
)
#: The fact of a journal that holds what stands for the conversations that were forgotten.
_FORGOTTEN = "forgotten"
#: Where ids may stand in texts: of each table its key and the column.
_TEXTS = (
    ("job", "name", "value"), ("run", "number", "message"), ("run", "number", "settings"),
    ("outcome", "seq", "detail"), ("attempt", "rowid", "detail"),
)  # fmt: skip


class Forgotten:
    """The conversations that are forgotten, by canonical id."""

    def __init__(self, conversation_ids: Collection[str]) -> None:
        self.ids = frozenset(conversation_ids)
        #: Those that were found somewhere.
        self.found: set[str] = set()

    def is_in(self, text: str) -> bool:
        """Return whether `text` holds one of the ids, in any spelling."""
        return self._note(map(canonical_uuid, _UUID.findall(text)))

    def is_in_one_of(self, texts: Iterable[str]) -> bool:
        """Return whether one of the texts does; all of them are looked at."""
        return sum(map(self.is_in, texts)) > 0

    def note_keys(self, keys: Iterable[bytes]) -> bool:
        """Note that conversations of these keys were found; return whether it is one of the ids."""
        return self._note(map(conversation_of, keys))

    def _note(self, ids: Iterable[str | None]) -> bool:
        here = self.ids.intersection(ids)
        self.found |= here
        return bool(here)

    def scrubbed(self, text: str) -> str:
        """Return `text` without the ids."""
        self.is_in(text)
        return _UUID.sub(
            lambda found: FORGOTTEN if canonical_uuid(found[0]) in self.ids else found[0], text
        )

    def tombs(self, product: ProductKey) -> dict[bytes, bytes]:
        """Return what stands for their keys from now on."""
        return {key: tomb_of(key, product) for key in map(key_of, self.ids)}


def tomb_of(key: bytes, product: ProductKey) -> bytes:
    """Return what stands in the jobs of `product` for a forgotten conversation of that key."""
    secret = hashlib.blake2b(f"forgotten {' '.join(product)}".encode(), digest_size=32).digest()
    return hashlib.blake2b(key, digest_size=len(key), key=secret).digest()


class Tombs:
    """What stands for the conversations that were forgotten in a job, to know them again."""

    def __init__(self, journal: JournalFile) -> None:
        facts = journal.facts()
        packed = bytes.fromhex(facts.get(_FORGOTTEN, ""))
        self._tombs = frozenset(split_keys(packed))
        #: As they stand in outcomes in the place of ids, which they look like.
        self.as_ids = frozenset(map(conversation_of, self._tombs))
        self._product = ProductKey.of(facts)

    def __bool__(self) -> bool:
        return bool(self._tombs)

    def are_in(self, text: str) -> bool:
        """Return whether `text` holds the id of one of them, in any spelling."""
        ids = filter(None, map(canonical_uuid, _UUID.findall(text)))
        return any(tomb_of(key_of(one), self._product) in self._tombs for one in ids)


class JournalEraser(JournalFile):
    """A journal, to take conversations out of it. The product is held."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with self._explained():
            sqlite_file.journal_safely(self._db, self.path)

    def erase(
        self, forgotten: Forgotten, tombs: Mapping[bytes, bytes], *, in_files: bool = False
    ) -> Counter[str]:
        """Take the conversations out; return how many lines of which table were theirs.

        `in_files` says that some were found beside the journal.
        """
        found: Counter[str] = Counter()
        with self._explained(), sqlite_file.erasing(self._db, tombs) as changed:
            rows = self._all(
                f"SELECT seq, conversation FROM outcome WHERE {_IS_GONE} "
                f"UNION SELECT seq, conversation FROM doubt WHERE {_IS_GONE}"
            )
            rows += [(seq, key) for seq, key in self._in_windows() if key in tombs]
            seqs = [(seq,) for seq, _ in rows]
            self._db.executemany("INSERT OR IGNORE INTO forgotten (seq) VALUES (?)", seqs)
            rows += self._all(
                f"SELECT seq, conversation FROM kept WHERE {_IS_GONE} "
                f"UNION SELECT seq, conversation FROM carried WHERE {_IS_GONE}"
            )
            forgotten.note_keys(key for _, key in rows)
            for table in ("attempt", "deferral"):
                changed(table, f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM forgotten)")
            changed("kept", f"DELETE FROM kept WHERE {_IS_GONE}")
            changed("carried", f"UPDATE carried SET rating = NULL, comment = NULL, {_BURY}")
            changed("doubt", f"UPDATE doubt SET {_BURY}")
            for table in (AFTER_ALL, UNKNOWN_BEFORE):
                if self._noted(table):
                    changed(table, f"UPDATE {table} SET {_BURY}")
            changed(
                "outcome",
                "UPDATE outcome SET http_status = NULL, updated_at = NULL, detail = NULL, "
                f"body = NULL, {_BURY}",
            )
            found.update(changed.counts)
            found["doubt_window"] += self._bury_windows(tombs)
            for table, key, column in _TEXTS:
                found[table] += self._scrub(table, key, column, forgotten.scrubbed)
            if seqs or in_files:
                packed = b"".join({*self._forgotten(), *tombs.values()}).hex()
                self._db.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", (_FORGOTTEN, packed))
        return +found

    def has_forgotten(self, tombs: Mapping[bytes, bytes]) -> bool:
        """Return whether one of these conversations was taken out, now or before."""
        return not self._forgotten().isdisjoint(tombs.values())

    def _forgotten(self) -> frozenset[bytes]:
        return frozenset(split_keys(bytes.fromhex(self.facts().get(_FORGOTTEN, ""))))

    def erase_comments(self) -> None:
        """Take all comments out, and all details, which may quote them.

        Until `note_no_comments` the journal says that there is more to do.
        """
        with self._explained(), sqlite_file.erasing(self._db, {}) as changed:
            # A row that has lost its comment must not be sent as if it had none.
            self._db.execute(
                "INSERT OR IGNORE INTO forgotten (seq) "
                "SELECT seq FROM carried WHERE comment IS NOT NULL"
            )
            changed("kept", "DELETE FROM kept WHERE comment IS NOT NULL")
            changed("carried", "UPDATE carried SET comment = NULL WHERE comment IS NOT NULL")
            changed("outcome", "UPDATE outcome SET detail = NULL WHERE detail IS NOT NULL")
            changed("attempt", "UPDATE attempt SET detail = '' WHERE detail <> ''")
            self._db.execute(
                "UPDATE job SET value = ? WHERE name = 'survey'", (_without_quotes(self.survey()),)
            )
            self._db.execute(
                "INSERT OR IGNORE INTO job (name, value) VALUES (?, '')", (NO_COMMENTS,)
            )

    def note_no_comments(self) -> None:
        """Note that all of the job is without comments, also what is written from its journal."""
        with self._explained(), sqlite_file.synced(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO job (name, value) "
                "SELECT ?, coalesce(max(entries), 0) FROM run",
                (NO_COMMENTS,),
            )

    def _in_windows(self) -> Iterator[tuple[int, bytes]]:
        for packed, joined in self._all("SELECT seqs, conversations FROM doubt_window"):
            yield from zip(unpack_seqs(packed), split_keys(joined), strict=True)

    def _bury_windows(self, tombs: Mapping[bytes, bytes]) -> int:
        buried = 0
        for slot, joined in self._all("SELECT slot, conversations FROM doubt_window"):
            keys = split_keys(joined)
            here = sum(key in tombs for key in keys)
            if here:
                replaced = b"".join(tombs.get(key, key) for key in keys)
                self._db.execute(
                    "UPDATE doubt_window SET conversations = ? WHERE slot = ?", (replaced, slot)
                )
            buried += here
        return buried

    def _scrub(self, table: str, key: str, column: str, scrub: Callable[[str], str]) -> int:
        lines = [
            (scrubbed, place)
            for place, text in self._all(
                f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL"
            )
            if (scrubbed := scrub(text)) != text
        ]
        self._db.executemany(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", lines)
        return len(lines)


def _without_quotes(survey: str) -> str:
    """Return the findings of a survey without what may quote a comment."""
    findings = json.loads(survey)
    for one in findings["inputs"]:
        one["remarks"] = []
    for problem in findings["problems"].values():
        problem["examples"] = []
    return json.dumps(findings)


def erase_from_ledger(
    db: sqlite_file.Connection, forgotten: Forgotten, tombs: Mapping[bytes, bytes]
) -> Counter[str]:
    """Take the conversations out of a ledger; return how many lines of which table were theirs."""
    with sqlite_file.erasing(db, tombs) as changed:
        for table in ("left_over", "doubt", "conversation"):
            keys = db.execute(f"SELECT key FROM {table} WHERE key IN (SELECT key FROM temp.gone)")
            forgotten.note_keys(key for (key,) in keys)
        changed("left_over", "DELETE FROM left_over WHERE key IN (SELECT key FROM temp.gone)")
        for table in ("doubt", "conversation"):
            tomb = f"(SELECT tomb FROM temp.gone WHERE gone.key = {table}.key)"
            body = "body = NULL, " if table == "conversation" else ""
            changed(
                table,
                f"UPDATE OR REPLACE {table} SET {body}key = {tomb} "
                "WHERE key IN (SELECT key FROM temp.gone)",
            )
        db.execute("INSERT OR REPLACE INTO state (name, value) VALUES ('forgotten', 1)")
    return +changed.counts


def erase_comments_of(db: sqlite_file.Connection, runs: Collection[int]) -> None:
    """Take what is left over of these runs out of a ledger, where it has a comment."""
    marks = ", ".join("?" * len(runs))
    condition = f"run IN ({marks}) AND comment IS NOT NULL"
    query = f"SELECT EXISTS (SELECT 1 FROM left_over WHERE {condition})"
    if db.execute(query, tuple(runs)).fetchone()[0]:
        with sqlite_file.erasing(db, {}):
            db.execute(f"DELETE FROM left_over WHERE {condition}", tuple(runs))
    else:
        sqlite_file.empty_log(db)  # they may be in there still
