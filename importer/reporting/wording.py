"""The words for what has a name in the program: each table of them stands here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus

from importer.common.durations import format_duration
from importer.common.text import counted, few_listed, is_or_are, was_or_were
from importer.model import Call, OutcomeKind, Reason, RunEnd, Warn, WorkerFigures
from importer.pacing import Limit
from importer.sources.columns import column_options
from importer.survey.findings import Findings, Understanding

#: What each outcome means, for somebody who has not read the reference.
MEANINGS = {
    OutcomeKind.SUCCEEDED: "stored by the service",
    OutcomeKind.UNCHANGED: "not sent: the service has it already",
    OutcomeKind.SUPERSEDED: "another row took its place, or the job that brought it was given up",
    OutcomeKind.SKIPPED: "left out, as was asked for its rating",
    OutcomeKind.REJECTED: "the row itself is wrong; it was not sent",
    OutcomeKind.FAILED: "refused (also: its conversation is in ERROR), or every attempt failed",
    OutcomeKind.NOT_COMPLETED: "its conversation was not completed yet, so it takes no feedback",
    OutcomeKind.PENDING: "not done yet",
}

#: Why a row ended as it did, in words.
WHY = {
    Reason.MALFORMED: "its line could not be read",
    Reason.BAD_BYTES: "some of its text is in another encoding than the file",
    Reason.BAD_CONVERSATION_ID: "its conversation_id is no valid id (a UUID)",
    Reason.UNKNOWN_RATING: "what its rating means is not known",
    Reason.COMMENT_TOO_LONG: "its comment is too long",
    Reason.NOTHING_TO_SEND: "it holds neither rating nor comment",
    Reason.BAD_NEWEST_BY: "its value of the --newest-by column cannot be compared",
    Reason.RATING_SKIPPED: "its rating is one to be left out (SKIP)",
    Reason.LATER_ROW: "another row of this conversation in this job took its place",
    Reason.LATER_JOB: "another row of this conversation was sent, or may have been",
    Reason.SET_BY_JOB: "another job has set this very row",
    Reason.JOB_GIVEN_UP: "the job that brought it was taken back or given up",
    Reason.LATER_JOB_MISSING: "a later job is missing, and may have set this conversation "
    "(--restart sends it anew)",
    Reason.LATER_JOB_IN_DOUBT: "a later job may have set this conversation, and has not ended",
    Reason.SAME_AS_STORED: "the same feedback was the last that was stored",
    Reason.REFUSED: "the service refused it for good",
    Reason.RETRIES_EXHAUSTED: "every attempt failed, and no more were allowed",
    Reason.DEFERRAL_DEADLINE: "its conversation was not completed in the time that was allowed",
    Reason.STORED_DIFFERS: "the service stored something else than was sent",
    Reason.CONVERSATION_ERROR: "its conversation ended in ERROR and takes no feedback",
}

#: What a run that did not finish asks for: each of these goes before the command that resumes.
TO_RESUME = {
    RunEnd.KEY_REFUSED: "To resume once the refused key is replaced by the right one",
    RunEnd.UNTRUSTED: "To resume when the certificate is trusted",
    RunEnd.REDIRECTED: "With the right address",
    RunEnd.PROXY_REFUSED: "To resume when the proxy lets it through",
    RunEnd.SERVICE_DOWN: "To resume when the service is available again",
    RunEnd.NO_WORKERS: "To resume when there are workers again",
    RunEnd.MAX_FAILURES: "To resume when the cause is gone",
    RunEnd.CANARY: "To send them when the cause is gone",
    RunEnd.INPUT_FAILED: "To resume when the input can be read as it was",
    RunEnd.TIME_BOX: "To resume",
    RunEnd.LIMIT: "To send the rest",
    RunEnd.SIGHUP: "To resume",
    RunEnd.SIGINT: "To resume",
    RunEnd.SIGTERM: "To resume",
    RunEnd.KILLED: "To resume",
}

#: What to do about rows that would be rejected; the ratings have a step of their own.
_HOW_TO_FIX = {
    Reason.MALFORMED: "fix these lines: fields or quotes are missing, or there are too many",
    Reason.BAD_BYTES: "fix these lines: no other encoding is right for the whole file",
    Reason.BAD_CONVERSATION_ID: "fix these ids, or remove lines without feedback",
    Reason.COMMENT_TOO_LONG: "shorten these comments, or let them be cut: --long-comments truncate",
    Reason.NOTHING_TO_SEND: "fill in a rating or a comment, or leave these rows rejected",
    Reason.BAD_NEWEST_BY: "write these values as numbers, or as times such as "
    "2026-01-31T18:30:00Z; an empty one is older than all",
}

#: The same where the format of the file matters.
_HOW_TO_FIX_BY_FORMAT = {
    "json": {
        Reason.MALFORMED: "fix these lines: each is to be one JSON object, whole and in UTF-8",
        Reason.BAD_BYTES: "fix these texts: JSON is UTF-8, and holds whole characters",
    },
    "excel": {
        Reason.MALFORMED: "fix these rows of the sheet: give the cells on their right a header, or "
        "clear them"
    },
    "parquet": {Reason.BAD_BYTES: "fix these cells: text in Parquet is UTF-8"},
}


#: The same of left-over files: which hold lines that are no total or second header.
_HOW_TO_FIX_LEFT_OVER = (
    "fix these ids; a line that could not be split stands whole in its first cell, and has no id "
    "of its own: {within}write its values into their columns, and leave the importer's own cells"
)

#: So many inputs are named for one step.
_MOST_FILES = 3


def how_to_fix(
    reason: Reason, inputs: Collection[Understanding], found: Findings, names: Mapping[str, str]
) -> str:
    """Return what to do about rows that would be rejected in these inputs of all that was `found`.

    `names` are the columns that were given for the fields. What is not the same in all inputs
    names those that it is meant for, and so does what is about the encoding of a file.
    """
    # The option is for all inputs of a command.
    is_for_all = (
        len(inputs) == len(found.inputs) and len({one.other_encoding for one in inputs}) == 1
    )
    files_of: dict[str, list[str]] = {}
    for one in inputs:
        files_of.setdefault(_step(reason, one, is_for_all=is_for_all), []).append(one.file)
    has_names = len(found.inputs) > 1 and (len(files_of) > 1 or reason is Reason.BAD_BYTES)
    steps = "; ".join(
        f"{few_listed(files, _MOST_FILES)}: {step}" if has_names else step
        for step, files in files_of.items()
    )
    is_most = 2 * found.problems[reason].rows > found.rows
    if reason is Reason.BAD_CONVERSATION_ID and is_most and not found.has_left_overs:
        columns = column_options({"conversation_id": "NAME"}, names)
        steps += f", or name the column that holds the UUIDs: {columns}"
    return steps


def _step(reason: Reason, one: Understanding, *, is_for_all: bool) -> str:
    if reason is Reason.BAD_BYTES and one.other_encoding is not None:
        other = one.other_encoding
        such = f", such as --encoding {other}" if other else " (--encoding)"
        seen = f", if its letters are right then ({one.other_letters})" if one.other_letters else ""
        alone = "" if is_for_all else " in an import of its own"
        return f"name the file's encoding{such}{alone}{seen}, or fix these lines"
    if reason is Reason.BAD_CONVERSATION_ID and "job" in one.columns:
        within = "correct it within that cell, or " if one.delimiter is not None else ""
        return _HOW_TO_FIX_LEFT_OVER.format(within=within)
    return _HOW_TO_FIX_BY_FORMAT.get(one.format, {}).get(reason, _HOW_TO_FIX[reason])


#: What a person should know of rows that were imported all the same.
WARNINGS = {
    Warn.ECHO_DIFFERS: "stored otherwise than sent, by the service's own response",
    Warn.COMMENT_TRUNCATED: "sent with the comment cut to 2,000 characters",
}

#: Names that say less than what they stand for: the row of the other job may be an older one, where
#: it is not known which job has brought this one.
_IN_WORDS = {str(Reason.LATER_JOB): "gave way to another job"}

_CUT_OFF = "cut off: killed, or the disk was full"

#: How a run ended, in words, for who knows no signals.
ENDS = {
    RunEnd.FINISHED: "finished",
    RunEnd.KEY_REFUSED: "the service refused the API key, or row after row with it",
    RunEnd.UNTRUSTED: "the service's certificate is not trusted",
    RunEnd.REDIRECTED: "the service redirects every request",
    RunEnd.PROXY_REFUSED: "the proxy asks for credentials",
    RunEnd.SERVICE_DOWN: "the service was unavailable for too long",
    RunEnd.NO_WORKERS: "no worker process was left",
    RunEnd.MAX_FAILURES: "more rows failed than --max-failures allows",
    RunEnd.CANARY: "the first rows failed, so no more were sent",
    RunEnd.TIME_BOX: "its time box ended",
    RunEnd.INPUT_FAILED: "an input could not be read to its end",
    RunEnd.LIMIT: "the conversations of --limit are done",
    RunEnd.DATA_LIMIT: "the data is over a limit, so nothing was sent",
    RunEnd.SIGHUP: "stopped: its terminal was closed (SIGHUP)",
    RunEnd.SIGINT: "stopped by hand (Ctrl-C)",
    RunEnd.SIGTERM: "stopped by the system (SIGTERM)",
    RunEnd.KILLED: _CUT_OFF,
    None: _CUT_OFF,
}

#: What keeps a run from being faster, in words; see `limit_in_words`.
_LIMITS = {
    Limit.CONCURRENCY: "--concurrency: latency is {latency}, raise it",
    Limit.RATE: "your --rate",
    Limit.SERVICE_LIMIT: "the service's limit, about {rate}/s",
    Limit.CAUTION: "cautious after 429s",
    Limit.SERVICE: "the service, which answers more slowly the more is asked at once",
    Limit.PAUSE: "a pause, as the service asks for them (Retry-After)",
    Limit.LATE_EFFECT: "earlier requests, which may still take effect (--late-effect)",
    Limit.OUTAGE: "an outage: the service was not available",
    Limit.CPU: "this machine's CPU",
    Limit.NOTHING: "",
}

#: HTTP statuses that mean something of their own in this API.
_STATUSES = {200: "accepted", 409: "conversation not completed"}

#: The calls of the API.
CALLS = {Call.PUT: "PUT", Call.STATUS: "status?"}


def limit_in_words(limit: Limit, rate: float | None, latency: float | None) -> str:
    """Return what keeps a run from being faster; nothing if nothing does.

    `rate` is the service's limit in requests per second, `latency` the median in seconds.
    """
    if limit is Limit.SERVICE_LIMIT and rate is None:
        return "the service's limit"
    if limit is Limit.CONCURRENCY and latency is None:
        return "--concurrency: raise it"
    return _LIMITS[limit].format(rate=f"{rate or 0:,.3g}", latency=format_duration(latency or 0.0))


def status_in_words(code: int) -> str:
    """Return an HTTP status with what it means here; 0 stands for no response."""
    if not code:
        return "no answer"
    try:
        meaning = _STATUSES.get(code) or HTTPStatus(code).phrase.lower()
    except ValueError:
        return str(code)
    return f"{code} ({meaning})"


def workers_in_words(workers: Sequence[WorkerFigures]) -> str:
    """Return how many processes have sent, what each has done, and how many were lost."""
    if not workers:
        return ""
    done = [each.done for each in workers]
    lost = sum(each.is_lost for each in workers)
    each = f"{min(done):,} to {max(done):,} rows each" if len(done) > 1 else counted(done[0], "row")
    text = f"{counted(len(workers), 'worker')} sent, {each}"
    return f"{text}; {lost:,} of them lost" if lost else text


def words(name: str) -> str:
    """Return the name of a kind, a reason or an end as it reads in a sentence."""
    return _IN_WORDS.get(name) or str(name).replace("_", " ")


def too_old_in_words(rows: int) -> str:
    """Return that so many rows were not carried over for their age."""
    return (
        f"{counted(rows, 'row')} left over from earlier jobs {is_or_are(rows)} too old "
        f"(--carry-over-for), and {was_or_were(rows)} not carried over"
    )


def in_doubt_in_words(rows: int, ended: int, of: str = "") -> Iterator[str]:
    """Yield that so many rows `of` a job are in doubt: a killed run leaves all that were next.

    Of these `ended` have an outcome since; a request before that may have been stored all the same.
    """
    for number, when in ((rows - ended, ""), (ended, " before the outcome that is recorded")):
        if number:
            told = f"{'' if number == 1 else 'up to '}{counted(number, 'row')}{of}"
            yield f"{told} may have been sent and stored{when}: no answer to that is recorded"


def given_up_in_words(rows: int) -> str:
    """Return that so many rows of a job are pending and given up, as a sentence without its end."""
    them = "it" if rows == 1 else "them"
    return (
        f"{counted(rows, 'row')} that it had taken over {is_or_are(rows)} pending, and "
        f"{is_or_are(rows)} not sent: the job that brought {them} was taken back or given up"
    )


def gave_way_in_words(rows: int) -> str:
    """Return that so many rows of left-over files were not sent, and how they are."""
    them = "the" if rows == 1 else "their"
    it = "it" if rows == 1 else "them"
    return (
        f"{counted(rows, 'row')} gave way: another row of {them} conversation was sent, or may "
        f"have been (--as-new sends {it} all the same)"
    )


def waits_again_in_words(job: str, rows: int) -> str:
    """Return that so many rows are left over again, as a sentence without its end."""
    them = "it" if rows == 1 else "them"
    return (
        f"{counted(rows, 'row')} of earlier jobs that {job} had taken over "
        f"{is_or_are(rows)} left over again: the next import with --carry-over tries {them}"
    )


def stays_in_words(job: str, conversations: int) -> str:
    """Return that the feedback of a job that was taken back stays in so many, as such a one."""
    return (
        f"What {job} has stored stays in {counted(conversations, 'conversation')}, as it is not "
        "known what was there before"
    )


def unread_in_words(job: str, rows: int) -> str:
    """Return that so many rejected rows of a job that another command has ended were not read."""
    return (
        f"{counted(rows, 'row')} of {job} {is_or_are(rows)} rejected, and {is_or_are(rows)} in no "
        f"file: the job ended before it came to {'it' if rows == 1 else 'them'}, and its input "
        "could not be read then (check tells which, once it is as it was)"
    )
