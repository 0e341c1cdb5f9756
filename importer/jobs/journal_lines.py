"""The lines of the journal's tables, made from values and turned back into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, NamedTuple

from importer.jobs.entry import StoredRows
from importer.jobs.keys import conversation_of, keys_of, signed, split_keys
from importer.jobs.records import LastRun
from importer.model import Deferral, Moment, Outcome, OutcomeKind, Reason, RunEnd, Warn

#: The kinds of outcome by the number that stands for them in the table, and the other way round.
KINDS = list(OutcomeKind)
KIND_IDS = {kind: number for number, kind in enumerate(KINDS)}
#: The columns of a line of `outcome`, as `outcome_of` reads them.
COLUMNS = (
    "seq", "kind", "conversation", "attempts", "http_status", "updated_at", "reason", "detail",
    "warning", "settled_at",
)  # fmt: skip
#: The columns of a line of `run`, as `run_of` reads them.
RUN_COLUMNS = ("number", "started_at", "ended_at", "ended", "message")

#: Rows whose outcome is a claim on their conversation.
SETTLED = (
    OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED
)  # fmt: skip


def ids_of(kinds: Iterable[OutcomeKind]) -> str:
    """Return the numbers of the kinds, for `IN (…)`."""
    return ", ".join(str(KIND_IDS[kind]) for kind in kinds)


#: Conditions on lines of `outcome`. Set: what the service holds for the row is known, or was when
#: it answered.
IS_SETTLED = f"kind IN ({ids_of(SETTLED)})"
IS_SET = (
    f"(kind IN ({ids_of([OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED])}) "
    f"OR coalesce(reason = '{Reason.STORED_DIFFERS}', FALSE))"
)
#: By the job itself: a row that was unchanged is set as well.
IS_SENT_AND_SET = (
    f"(kind = {KIND_IDS[OutcomeKind.SUCCEEDED]} "
    f"OR coalesce(reason = '{Reason.STORED_DIFFERS}', FALSE))"
)
IS_LEFT_OVER = (
    f"(kind = {KIND_IDS[OutcomeKind.NOT_COMPLETED]} "
    f"OR coalesce(reason = '{Reason.RETRIES_EXHAUSTED}', FALSE))"
)


#: Of lines of `outcome LEFT JOIN ranked`; `:own` is the rank of rows that have none of their own.
RANK = "coalesce(rank, :own)"
VERSION = f"{RANK} & 0xffffffff"

#: Outcomes in their canonical form: what stands before and after the conversation of each.
CANONICAL_COLUMNS = (
    "seq", "outcome", "conversation_id", "reason", "http_status", "attempts", "updated_at",
    "warning",
)  # fmt: skip
_NAMES = " ".join(f"WHEN {number} THEN '{kind}'" for number, kind in enumerate(KINDS))
CANONICAL = f"""
    SELECT seq || ',' || CASE kind {_NAMES} END || ',', conversation,
        ',' || coalesce(reason, '') || ',' || coalesce(http_status, '') || ',' || attempts || ','
        || coalesce('"' || replace(updated_at, '"', '""') || '"', '') || ','
        || coalesce(warning, '') || char(10)
    FROM outcome ORDER BY seq
"""


def is_set(outcome: Outcome) -> bool:
    """Return the same as `IS_SET` of an outcome that is about to be recorded."""
    return (
        outcome.kind is OutcomeKind.SUCCEEDED
        or outcome.kind is OutcomeKind.UNCHANGED
        or outcome.reason is Reason.STORED_DIFFERS
    )


#: In Unix seconds, some three thousand years from now.
_LATEST = 1e11


class Lines(NamedTuple):
    """Outcomes as lines of the table, all of the same columns."""

    columns: tuple[str, ...]
    #: Those of the lines, one after the other.
    values: list[object]


@cache
def insert_outcomes(columns: tuple[str, ...], rows: int) -> str:
    """Return the statement that records so many outcomes, as lines of these columns.

    Its first two parameters are the time and the entry; then come the values of the lines.
    """
    # After the numbered parameters, those without a number go on with the third.
    first = ", ".join(f"?{3 + at}" for at in range(len(columns)))
    others = [f"({', '.join('?' * len(columns))}, ?1, ?2)"] * (rows - 1)
    values = ", ".join([f"({first}, ?1, ?2)", *others])
    return f"INSERT INTO outcome ({', '.join(columns)}, settled_at, entry) VALUES {values}"


#: What a line holds of a row that was stored as it was sent, of one that was not sent, and of any.
_STORED = ("seq", "kind", "conversation", "attempts", "http_status", "updated_at", "body")
_NOT_SENT = ("seq", "kind", "conversation", "attempts", "reason")
_ANY = (*_NOT_SENT, "http_status", "updated_at", "body", "detail", "warning")
_NOTHING = (None,) * 5
#: SQLite's binding looks for an adapter of every value that is not of a built-in type itself.
_TEXTS: Mapping[Reason, str] = {reason: reason.value for reason in Reason}


def stored_lines(stored: StoredRows) -> Lines:
    """Return the lines of rows that were stored as they were sent, in their order."""
    lines = zip(
        stored.seqs,
        repeat(KIND_IDS[OutcomeKind.SUCCEEDED]),
        _keys(stored.conversations),
        stored.attempts,
        stored.http_statuses,
        stored.updated_at,
        map(signed, stored.bodies),
        strict=False,
    )
    in_order = sorted(lines, key=itemgetter(0))
    return Lines(_STORED, [*chain.from_iterable(in_order)])


def outcome_lines(
    outcomes: Sequence[Outcome], bodies: Mapping[int, int | None]
) -> tuple[Lines, Lines]:
    """Return the lines of `outcomes`: most need few columns, and each column costs.

    `bodies` is what the service holds, by seq.
    """
    not_sent, others = Lines(_NOT_SENT, []), Lines(_ANY, [])
    keys = _keys([outcome.conversation_id for outcome in outcomes])
    for outcome, key in zip(outcomes, keys, strict=True):
        seq, kind, _, reason, detail, status, attempts, updated_at, warning, _ = outcome
        more = status, updated_at, signed(bodies.get(seq)), detail or None, warning
        if reason and key and more == _NOTHING:
            not_sent.values.extend((seq, KIND_IDS[kind], key, attempts, _TEXTS[reason]))
        else:
            others.values.extend((seq, KIND_IDS[kind], key, attempts, reason, *more))
    return not_sent, others


def _keys(conversations: Sequence[str | None]) -> Iterable[bytearray | None]:
    """Return the keys of the conversations; see `_TEXTS` for why not as `bytes`."""
    there = [each for each in conversations if each is not None]
    keys = reversed(split_keys(bytearray(keys_of(there))))
    if len(there) == len(conversations):
        return keys
    return (None if each is None else next(keys) for each in conversations)


def outcome_of(row: Sequence[object]) -> Outcome:
    """Return the outcome that a line of `COLUMNS` holds."""
    seq, kind, conversation, attempts, status, updated_at, reason, detail, warning, at = row
    assert isinstance(seq, int)  # noqa: S101 -- the columns' types are the schema's
    assert isinstance(kind, int)  # noqa: S101
    assert isinstance(attempts, int)  # noqa: S101
    return Outcome(
        seq,
        KINDS[kind],
        conversation_of(conversation) if isinstance(conversation, bytes) else None,
        Reason(str(reason)) if reason is not None else None,
        str(detail or ""),
        status if isinstance(status, int) else None,
        attempts,
        str(updated_at) if updated_at is not None else None,
        Warn(str(warning)) if warning is not None else None,
        time_of(at),
    )


def time_of(found: Any) -> float:  # noqa: ANN401 -- what a file holds
    """Return a time, in Unix seconds. Raises `ValueError` for one that no clock has shown."""
    seconds = float(found)
    if not 0 <= seconds < _LATEST:
        raise ValueError(f"the time {found}")
    return seconds


def run_of(row: Sequence[Any]) -> LastRun:
    """Return the run that a line of `RUN_COLUMNS` holds."""
    number, started_at, ended_at, end, message = row
    ended_at = None if ended_at is None else time_of(ended_at)
    return LastRun(number, time_of(started_at), ended_at, end and RunEnd(end), message)


def deferral_of(row: Sequence[Any]) -> Deferral:
    """Return the deferral that a line of its fields holds."""
    deferral = Deferral._make(row)
    return deferral._replace(
        since=time_of(deferral.since), due=time_of(deferral.due),
        looked_at=time_of(deferral.looked_at),
    )  # fmt: skip


def moment_line(moment: Moment) -> tuple[object, ...]:
    """Return a moment as a line of its fields."""
    return tuple({**moment._asdict(), "statuses": json.dumps(moment.statuses)}.values())


def moment_of(row: Sequence[Any]) -> Moment:
    """Return the moment that a line of its fields holds."""
    moment = Moment._make(row)
    statuses = json.loads(row[Moment._fields.index("statuses")])
    return moment._replace(
        at=time_of(moment.at), statuses={int(code): int(n) for code, n in statuses.items()}
    )
