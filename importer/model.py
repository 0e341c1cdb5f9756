"""The values that travel through the importer. They are immutable and know nothing of I/O.

The hot ones are named tuples: a job makes several for each row, and a tuple is the cheapest
immutable value that Python has.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from importer.errors import ExitCode


class Word(StrEnum):
    """An enum whose members are dictionary keys for every row: it hashes as the text it is."""

    __hash__ = str.__hash__


class Meaning(Word):
    """What a word in the rating column stands for."""

    POSITIVE = "POSITIVE"
    NEGATIVE = "NEGATIVE"
    CLEAR = "CLEAR"
    SKIP = "SKIP"


class OutcomeKind(Word):
    """How a row ended. Every row that was read has exactly one."""

    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    FAILED = "failed"
    NOT_COMPLETED = "not_completed"
    PENDING = "pending"


class Reason(StrEnum):
    """Why a row was not simply imported; machine-readable, beside a `detail` for people."""

    MALFORMED = "malformed"
    BAD_BYTES = "bad_bytes"
    BAD_CONVERSATION_ID = "bad_conversation_id"
    UNKNOWN_RATING = "unknown_rating"
    COMMENT_TOO_LONG = "comment_too_long"
    NOTHING_TO_SEND = "nothing_to_send"
    RATING_SKIPPED = "rating_skipped"
    LATER_ROW = "later_row"
    LATER_JOB = "later_job"
    SAME_AS_STORED = "same_as_stored"
    REFUSED = "refused"
    RETRIES_EXHAUSTED = "retries_exhausted"
    DEFERRAL_DEADLINE = "deferral_deadline"
    CONVERSATION_ERROR = "conversation_error"


class Warn(StrEnum):
    """What a person should know of a row that was imported all the same."""

    ECHO_DIFFERS = "echo_differs"
    COMMENT_TRUNCATED = "comment_truncated"


class Row(NamedTuple):
    """One data row as the source read it; cells are text, and an empty cell is `""`.

    `seq` counts rows from 1 through all inputs of the job and is the row's identity. `line` is the
    physical line on which a CSV row starts, else None. `problem` is set, with its `detail`, when
    the source could not read the row; its cells are then empty.
    """

    seq: int
    conversation_id: str
    rating: str
    comment: str
    line: int | None = None
    problem: Reason | None = None
    detail: str = ""


class Feedback(NamedTuple):
    """One valid row, ready to be sent. `rating` is None when the key is left out of the request."""

    seq: int
    conversation_id: str
    rating: Meaning | None
    comment: str | None
    truncated: bool = False


class Outcome(NamedTuple):
    """How a row ended, as the journal keeps it.

    `attempts` counts the PUTs sent for the row. `updated_at` is the service's own text.
    `settled_at` (Unix seconds) is known once the journal has the outcome.
    """

    seq: int
    kind: OutcomeKind
    conversation_id: str | None = None
    reason: Reason | None = None
    detail: str = ""
    http_status: int | None = None
    attempts: int = 0
    updated_at: str | None = None
    warning: Warn | None = None
    settled_at: float | None = None


class Call(StrEnum):
    """The calls of the API that are made for a row."""

    PUT = "put"
    STATUS = "status"


class Attempt(NamedTuple):
    """A request that did not end with stored feedback.

    `at` is when its answer came, in Unix seconds; `http_status` is None if none came. `wait` is how
    long the row waits after it, in seconds, or None if it does not.
    """

    seq: int
    at: float
    call: Call
    http_status: int | None
    detail: str
    wait: float | None


class Deferral(NamedTuple):
    """Where a row stands that waits for its conversation to complete. Times are Unix seconds.

    `attempts` counts PUTs; `since` is when the row was first told to wait; `looks` counts how often
    it was told so, the last time at `looked_at`.
    """

    seq: int
    attempts: int
    since: float
    due: float
    looks: int
    looked_at: float


class Moment(NamedTuple):
    """How a run went in one interval (seconds), which ended at `at` (Unix seconds).

    `settled` counts rows; `in_flight`, `concurrency` and `deferred` are those of its end. Latencies
    (`p50`, `p95`) are in seconds, None without an answer. `statuses` counts answers by HTTP status,
    0 standing for none.
    """

    at: float
    interval: float
    settled: int
    in_flight: int
    concurrency: int
    deferred: int
    p50: float | None
    p95: float | None
    limited_by: str
    statuses: Mapping[int, int]


class RunEnd(StrEnum):
    """Why a run ended. Only after `FINISHED` is every row settled."""

    FINISHED = "finished"
    KEY_REFUSED = "key_refused"
    UNTRUSTED = "untrusted"
    SERVICE_DOWN = "service_down"
    MAX_FAILURES = "max_failures"
    CANARY = "canary"
    TIME_BOX = "time_box"
    INPUT_FAILED = "input_failed"
    SIGINT = "sigint"
    SIGTERM = "sigterm"


def exit_code(end: RunEnd, outcomes: Mapping[OutcomeKind, int]) -> ExitCode:
    """Return the exit code of a run that ended this way with these counts (docs/reference.md)."""
    match end:
        case RunEnd.SIGINT:
            return ExitCode.SIGINT
        case RunEnd.SIGTERM:
            return ExitCode.SIGTERM
        case RunEnd.TIME_BOX:
            return ExitCode.TIME_BOX
        case RunEnd.FINISHED:
            if outcomes[OutcomeKind.REJECTED] or outcomes[OutcomeKind.FAILED]:
                return ExitCode.ROWS_NOT_IMPORTED
            if outcomes[OutcomeKind.NOT_COMPLETED]:
                return ExitCode.NOT_COMPLETED
            return ExitCode.OK
        case _:
            return ExitCode.ABORTED
