"""The lines of the journal's tables, made from values and turned back into them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from importer.common.uuids import uuid_bytes, uuid_text
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
RUN_COLUMNS = ("number", "started_at", "ended_at", "ended", "message", "quiet_at")


def outcome_line(outcome: Outcome, at: float) -> tuple[object, ...]:
    """Return an outcome that is recorded `at` (Unix seconds) as a line of `COLUMNS`."""
    conversation = outcome.conversation_id
    return (
        outcome.seq,
        KIND_IDS[outcome.kind],
        None if conversation is None else uuid_bytes(conversation),
        outcome.attempts,
        outcome.http_status,
        outcome.updated_at,
        outcome.reason,
        outcome.detail or None,
        outcome.warning,
        at,
    )


def outcome_of(row: Sequence[object]) -> Outcome:
    """Return the outcome that a line of `COLUMNS` holds."""
    seq, kind, conversation, attempts, status, updated_at, reason, detail, warning, at = row
    assert isinstance(seq, int)  # noqa: S101 -- the columns' types are the schema's
    assert isinstance(kind, int)  # noqa: S101
    assert isinstance(attempts, int)  # noqa: S101
    return Outcome(
        seq,
        KINDS[kind],
        uuid_text(conversation) if isinstance(conversation, bytes) else None,
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
    number, started_at, ended_at, end, message, quiet_at = row
    return LastRun(number, started_at, ended_at, end and RunEnd(end), message, quiet_at)


def moment_line(moment: Moment) -> tuple[object, ...]:
    """Return a moment as a line of its fields."""
    return tuple({**moment._asdict(), "statuses": json.dumps(moment.statuses)}.values())


def moment_of(row: Sequence[Any]) -> Moment:
    """Return the moment that a line of its fields holds."""
    statuses = json.loads(row[Moment._fields.index("statuses")])
    return Moment._make(row)._replace(statuses={int(code): n for code, n in statuses.items()})
