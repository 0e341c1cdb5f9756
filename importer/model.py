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


#: Of rows that were not imported: somebody may have to do something about them.
NOT_IMPORTED = (OutcomeKind.REJECTED, OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)


class Reason(StrEnum):
    """Why a row was not simply imported; machine-readable, beside a `detail` for people."""

    MALFORMED = "malformed"
    BAD_BYTES = "bad_bytes"
    BAD_CONVERSATION_ID = "bad_conversation_id"
    UNKNOWN_RATING = "unknown_rating"
    COMMENT_TOO_LONG = "comment_too_long"
    NOTHING_TO_SEND = "nothing_to_send"
    BAD_NEWEST_BY = "bad_newest_by"
    RATING_SKIPPED = "rating_skipped"
    LATER_ROW = "later_row"
    LATER_JOB = "later_job"
    SET_BY_JOB = "set_by_job"
    JOB_GIVEN_UP = "job_given_up"
    SAME_AS_STORED = "same_as_stored"
    REFUSED = "refused"
    RETRIES_EXHAUSTED = "retries_exhausted"
    DEFERRAL_DEADLINE = "deferral_deadline"
    CONVERSATION_ERROR = "conversation_error"
    STORED_DIFFERS = "stored_differs"
    LATER_JOB_MISSING = "later_job_missing"
    LATER_JOB_IN_DOUBT = "later_job_in_doubt"


class Warn(StrEnum):
    """What a person should know of a row that was imported all the same."""

    ECHO_DIFFERS = "echo_differs"
    COMMENT_TRUNCATED = "comment_truncated"


class Rank(NamedTuple):
    """Which of two rows of a conversation is the newer one; ranks compare field by field.

    Both are numbers of jobs of the product. Rank and conversation determine what is sent.
    """

    #: The job that first brought the row.
    first: int
    #: The job that brought this version of it.
    version: int


class Row(NamedTuple):
    """One data row as the source read it; cells are text, and an empty cell is `""`."""

    #: Its number, from 1 through all inputs of the job: the row's identity.
    seq: int
    conversation_id: str
    rating: str
    comment: str
    #: The physical line on which a CSV row starts; None for other formats.
    line: int | None = None
    #: Why the source could not read the row; its cells are then empty, but for an id that is sure.
    problem: Reason | None = None
    #: The same in words.
    detail: str = ""
    #: The cell of the column that `--newest-by` names.
    newest: str = ""
    #: The cell of the importer's own column `job`, in a left-over file.
    job: str = ""


class Feedback(NamedTuple):
    """One valid row, ready to be sent."""

    seq: int
    #: A UUID in its canonical form.
    conversation_id: str
    #: None leaves the key out of the request.
    rating: Meaning | None
    #: None leaves the key out of the request.
    comment: str | None
    #: The comment was cut to the API's limit.
    truncated: bool = False


class Outcome(NamedTuple):
    """How a row ended, as the journal keeps it."""

    seq: int
    kind: OutcomeKind
    #: None if the row does not hold one that can be read.
    conversation_id: str | None = None
    reason: Reason | None = None
    #: The reason in words.
    detail: str = ""
    #: Of the last response, if there was one.
    http_status: int | None = None
    #: PUTs sent for the row.
    attempts: int = 0
    #: When the service stored the feedback, in its own words.
    updated_at: str | None = None
    warning: Warn | None = None
    #: When the journal took the outcome, in Unix seconds; None before.
    settled_at: float | None = None


class Call(StrEnum):
    """The calls of the API that are made for a row."""

    PUT = "put"
    STATUS = "status"


class Attempt(NamedTuple):
    """A request that did not end with stored feedback."""

    seq: int
    #: When its response came, in Unix seconds.
    at: float
    call: Call
    #: None if no response came.
    http_status: int | None
    #: What went wrong, in words.
    detail: str
    #: How long the row waits after it, in seconds; None if it does not.
    wait: float | None


class Deferral(NamedTuple):
    """Where a row stands that waits for its conversation to complete. Times are Unix seconds."""

    seq: int
    #: PUTs sent for the row.
    attempts: int
    #: When the row was first told to wait.
    since: float
    #: When the status is checked next.
    due: float
    #: How often the row was told to wait.
    looks: int
    #: When it was told so the last time.
    looked_at: float


class Moment(NamedTuple):
    """How a run went in one interval."""

    #: When it ended, in Unix seconds.
    at: float
    #: How long it lasted, in seconds.
    interval: float
    #: Rows that were done in it.
    settled: int
    #: Requests in flight at its end.
    in_flight: int
    #: How many might have been in flight.
    concurrency: int
    #: Rows that were deferred at its end.
    deferred: int
    #: Median latency, in seconds; None without a response.
    p50: float | None
    #: The 95th percentile.
    p95: float | None
    #: What kept the run from being faster.
    limited_by: str
    #: Responses by HTTP status; 0 stands for none.
    statuses: Mapping[int, int]


class WorkerFigures(NamedTuple):
    """How one of several processes that send for a run stands."""

    #: Its address.
    name: str
    #: Rows that it does in a second.
    speed: float
    #: Rows that it has and that are not done, and rows that it has done.
    rows: int
    done: int
    #: Nobody knows what has become of it.
    is_lost: bool


class RunEnd(StrEnum):
    """Why a run ended. Only after `FINISHED` does every row have an outcome."""

    FINISHED = "finished"
    KEY_REFUSED = "key_refused"
    UNTRUSTED = "untrusted"
    REDIRECTED = "redirected"
    PROXY_REFUSED = "proxy_refused"
    SERVICE_DOWN = "service_down"
    #: All worker processes are gone, and no other has come.
    NO_WORKERS = "no_workers"
    MAX_FAILURES = "max_failures"
    CANARY = "canary"
    TIME_BOX = "time_box"
    INPUT_FAILED = "input_failed"
    #: The conversations of `--limit` are done.
    LIMIT = "limit"
    DATA_LIMIT = "data_limit"
    SIGHUP = "sighup"
    SIGINT = "sigint"
    SIGTERM = "sigterm"
    #: It has not ended by itself. No journal says so: it is found out when another ends its job.
    KILLED = "killed"


def exit_code(end: RunEnd, outcomes: Mapping[OutcomeKind, int]) -> ExitCode:
    """Return the exit code of a run that ended this way with these counts (docs/reference.md)."""
    match end:
        case RunEnd.DATA_LIMIT:
            return ExitCode.DATA_LIMIT
        case RunEnd.SIGHUP:
            return ExitCode.SIGHUP
        case RunEnd.SIGINT:
            return ExitCode.SIGINT
        case RunEnd.SIGTERM:
            return ExitCode.SIGTERM
        case RunEnd.TIME_BOX | RunEnd.LIMIT:
            return ExitCode.TIME_BOX
        case RunEnd.FINISHED:
            if outcomes[OutcomeKind.REJECTED] or outcomes[OutcomeKind.FAILED]:
                return ExitCode.ROWS_NOT_IMPORTED
            if outcomes[OutcomeKind.NOT_COMPLETED]:
                return ExitCode.NOT_COMPLETED
            return ExitCode.OK
        case _:
            return ExitCode.ABORTED
