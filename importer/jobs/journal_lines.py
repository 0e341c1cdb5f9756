"""The lines of the journal's tables, made from values and turned back into them."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from importer.jobs.keys import conversation_of, key_of, keys_of, signed, split_keys
from importer.jobs.records import LastRun
from importer.model import Moment, Outcome, OutcomeKind, Reason, RunEnd, Warn

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
IS_LEFT_OVER = (
    f"(kind = {KIND_IDS[OutcomeKind.NOT_COMPLETED]} "
    f"OR coalesce(reason = '{Reason.RETRIES_EXHAUSTED}', FALSE))"
)


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


_PLAIN = (
    "seq", "kind", "conversation", "attempts", "http_status", "updated_at", "reason", "body"
)  # fmt: skip
_ODD = (*_PLAIN, "detail", "warning", "open")


def outcome_lines(
    outcomes: Sequence[Outcome], bodies: Mapping[int, int | None], opened: Container[int]
) -> tuple[Lines, Lines]:
    """Return the lines of `outcomes`: of the plain ones, and of those that need more columns.

    `bodies` is what the service holds, by seq; the rows in `opened` are open.
    """
    plain: list[Outcome] = []
    odd = Lines(_ODD, [])
    for outcome in outcomes:
        seq, kind, conversation, reason, detail, status, attempts, updated_at, warning, _ = outcome
        if conversation is None or detail or warning is not None or seq in opened:
            odd.values.extend((
                seq, KIND_IDS[kind], None if conversation is None else key_of(conversation),
                attempts, status, updated_at, reason, signed(bodies.get(seq)), detail or None,
                warning, seq in opened,
            ))  # fmt: skip
        else:
            plain.append(outcome)
    return Lines(_PLAIN, _plain_values(plain, bodies)), odd


def _plain_values(plain: Sequence[Outcome], bodies: Mapping[int, int | None]) -> list[object]:
    keys = split_keys(keys_of([outcome.conversation_id or "" for outcome in plain]))
    values: list[object] = []
    extend, body_of = values.extend, bodies.get
    for outcome, key in zip(plain, reversed(keys), strict=True):
        seq, kind, _, reason, _, status, attempts, updated_at, _, _ = outcome
        extend((
            seq, KIND_IDS[kind], key, attempts, status, updated_at, reason, signed(body_of(seq)),
        ))  # fmt: skip
    return values


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
        at if isinstance(at, float) else None,
    )


def run_of(row: Sequence[Any]) -> LastRun:
    """Return the run that a line of `RUN_COLUMNS` holds."""
    number, started_at, ended_at, end, message = row
    return LastRun(number, started_at, ended_at, end and RunEnd(end), message)


def moment_line(moment: Moment) -> tuple[object, ...]:
    """Return a moment as a line of its fields."""
    return tuple({**moment._asdict(), "statuses": json.dumps(moment.statuses)}.values())


def moment_of(row: Sequence[Any]) -> Moment:
    """Return the moment that a line of its fields holds."""
    statuses = json.loads(row[Moment._fields.index("statuses")])
    return Moment._make(row)._replace(statuses={int(code): n for code, n in statuses.items()})
