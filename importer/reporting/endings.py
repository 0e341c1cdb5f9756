"""How a run ended, in words, and what that asks for: the same wherever it is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from importer.common.text import counted, is_or_are, sentence, was_or_were
from importer.jobs.commands import command_line, path_argument
from importer.model import NOT_IMPORTED, OutcomeKind, Reason, RunEnd
from importer.reporting.steps import Step

#: What a verdict begins with where nothing was real.
REHEARSAL = "REHEARSAL: nothing was sent to ClarityQ. "

_RowsByReason = Mapping[tuple[OutcomeKind, Reason], int]


def verdict(
    end: RunEnd,
    outcomes: Mapping[OutcomeKind, int],
    reasons: _RowsByReason,
    message: str,
    *,
    has_steps: bool = False,
    has_since: bool = False,
) -> str:
    """Return how a run ended, in a sentence or two; `message` is why it ended early.

    Where it `has_steps`, something is to be done, if only about rows of another job; where it
    `has_since`, it is told after this what has become of the job since.
    """
    match end:
        case RunEnd.FINISHED:
            return _finished(outcomes, reasons, "" if has_steps else " and nothing is left to do")
        case RunEnd.TIME_BOX | RunEnd.LIMIT:
            return f"Stopped: {message}. {_so_far(outcomes)}."
        case RunEnd.DATA_LIMIT:
            return f"Not sent: {message}."
        case RunEnd.SIGHUP | RunEnd.SIGINT | RunEnd.SIGTERM:
            return f"Stopped: {_so_far(outcomes)}."
        case RunEnd.KILLED:
            return f"Cut off: {_done_so_far(outcomes)}."
        case _:
            is_kept = end is not RunEnd.INPUT_FAILED and outcomes[OutcomeKind.PENDING]
            kept = ", and nothing is lost: the others wait until the job is resumed"
            told = f"{_done_so_far(outcomes)}{kept if is_kept and not has_since else ''}"
            return f"Aborted: {sentence(message)} {told}."


def look_first(
    end: RunEnd, outcomes: Mapping[OutcomeKind, int], reasons: _RowsByReason
) -> list[Step]:
    """Return what to look at first where the service has not known one conversation.

    Then it may be another one than was meant, or the product. A conversation that is not completed
    is known (docs/reference.md, T12).
    """
    if _is_any_known(outcomes):
        return []
    if end is RunEnd.SERVICE_DOWN:
        return [Step("Nothing was stored so far: see first that --base-url is right.")]
    if _is_refused(end, reasons):
        return [
            Step(
                "No row was stored: see first that --product-id is the product of these "
                "conversations, and that --base-url is right."
            )
        ]
    return []


def or_give_up(
    end: RunEnd,
    outcomes: Mapping[OutcomeKind, int],
    reasons: _RowsByReason,
    not_begun: int,
    folder: Path,
) -> list[Step]:
    """Return how a job is given up, and where that is right, if it may be that it is never done.

    Of its pending rows `not_begun` have had no request.
    """
    pending, why = outcomes[OutcomeKind.PENDING], ""
    is_known = _is_any_known(outcomes)
    if end is RunEnd.SERVICE_DOWN:
        if is_known and not not_begun:
            why = (
                f"All others are done, and {counted(pending, 'row')} got nothing but failures "
                "since. If the service works otherwise, it fails for "
                f"{_just_these(pending)}, and resuming does not help. To give up the job:"
            )
    elif end is RunEnd.KEY_REFUSED and is_known:
        if not not_begun:
            why = (
                "All others are done. If the key is right, the service refuses "
                f"{_just_these(pending)}, and resuming does not help. To give up the job:"
            )
    elif not is_known and (end is RunEnd.KEY_REFUSED or _is_refused(end, reasons)):
        why = (
            "If the product is not the one that was meant: this job is in the way of others of it "
            "until it is given up:"
        )
    elif end is RunEnd.CANARY:
        why = (
            "If the cause does not go away: this job is in the way of others of its product until "
            "it is given up:"
        )
    command = command_line(["jobs", "abandon", path_argument(folder)])
    return [Step(why, command)] if why and pending else []


def _just_these(rows: int) -> str:
    return f"just {'this' if rows == 1 else 'these'} {counted(rows, 'row')}"


def _is_refused(end: RunEnd, reasons: _RowsByReason) -> bool:
    """Return whether the service has refused rows, and not the key."""
    return end is RunEnd.CANARY or bool(reasons.get((OutcomeKind.FAILED, Reason.REFUSED)))


def _is_any_known(outcomes: Mapping[OutcomeKind, int]) -> bool:
    """Return whether the service has known a conversation of the job."""
    known = (OutcomeKind.SUCCEEDED, OutcomeKind.UNCHANGED, OutcomeKind.NOT_COMPLETED)
    return any(outcomes[kind] for kind in known)


def _so_far(outcomes: Mapping[OutcomeKind, int]) -> str:
    return f"{_done_so_far(outcomes)}, and every response so far is recorded"


def _done_so_far(outcomes: Mapping[OutcomeKind, int]) -> str:
    rows = sum(outcomes.values())
    done = rows - outcomes[OutcomeKind.PENDING]
    told = f"{done:,} of {counted(rows, 'row')} {is_or_are(done)} done"
    missing = sum(outcomes[kind] for kind in NOT_IMPORTED)
    if done < rows or not missing:
        return told
    # It was stopped while it tried some of them again.
    return f"{told}, but {missing:,} {was_or_were(missing)} not imported"


def _finished(outcomes: Mapping[OutcomeKind, int], reasons: _RowsByReason, and_all: str) -> str:
    rows = sum(outcomes.values())
    missing = sum(outcomes[kind] for kind in NOT_IMPORTED)
    if not rows:
        return f"Done: there are no rows{and_all and ','}{and_all}."
    if outcomes[OutcomeKind.SKIPPED] == rows:
        return "Done: every row is skipped, as the rating table says; none was sent."
    if not missing:
        return f"Done: every row is accounted for{and_all}."
    if missing == outcomes[OutcomeKind.NOT_COMPLETED]:
        return "Done, but for conversations that are not completed."
    if missing == reasons.get((OutcomeKind.FAILED, Reason.CONVERSATION_ERROR)):
        return "Done, but for conversations in ERROR, which never take feedback."
    if missing == rows:
        return "Done, but no row was imported."
    return f"Done, but {missing:,} of {counted(rows, 'row')} {was_or_were(missing)} not imported."
