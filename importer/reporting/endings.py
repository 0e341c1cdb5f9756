"""How a run ended, in words, and what a person does now: the same wherever it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from importer.common.text import counted, is_or_are, listed, sentence, shown, was_or_were
from importer.jobs.commands import Again, command_line, path_argument
from importer.model import NOT_IMPORTED, OutcomeKind, Reason, RunEnd
from importer.reporting.steps import Step, StepKind, file_of_job
from importer.reporting.wording import TO_RESUME

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
                "since: if the service works otherwise, that is what fails. To give up the job:"
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
    return f"{done:,} of {counted(rows, 'row')} {is_or_are(done)} done"


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


def next_steps(
    end: RunEnd,
    outcomes: Mapping[OutcomeKind, int],
    reasons: _RowsByReason,
    folder: Path,
    files: Sequence[Path],
    again: Again,
    overtaken: _RowsByReason = MappingProxyType({}),
    *,
    carries_over: bool = False,
    has_sent: bool = False,
    refused_with: str = "",
    newest_by: str | None = None,
    edited: Sequence[Path] = (),
) -> list[Step]:
    """Return what a person does after a run, in this order; empty if there is nothing to do.

    `files` are the left-over files of the job in `folder`, and `overtaken` counts the rows in them
    that give way to others. If the next import `carries_over` what is left, it need not be done by
    hand; of what is pending if the job `has_sent` something. `refused_with` is the status of a row
    that the service refused, in words. `newest_by` is the column that tells which row is the
    newest, if one does. `edited` are files of the job that a person had edited before they were
    written anew.
    """
    if end is RunEnd.DATA_LIMIT:
        plan = again.plan()
        return [
            *(
                Step(
                    f"The rows that would be rejected are in {path}.",
                    kind=StepKind.LEFT_OVERS,
                    about=file_of_job(path),
                )
                for path in files
            ),
            Step("Nothing was sent. Once the data is corrected, the same command:", again.same()),
            *([Step("To see what it would change, with examples:", plan)] if plan else []),
            Step("If the data is right as it is, to send it this once:", again.accepting()),
        ]
    if end is not RunEnd.FINISHED:
        command = again.same()
        if end is RunEnd.LIMIT:
            command = again.rest()
        elif end is RunEnd.REDIRECTED:
            command = again.elsewhere()
        purpose = TO_RESUME[end]
        if end is RunEnd.LIMIT and not again.has_limit:
            purpose += ", take the limit out of the configuration or the environment, then"
        before = before_the_next(has_sent=has_sent) if carries_over else ""
        purpose += f"{before and ','}{before}:"
        return [Step(purpose, command, StepKind.RESUME, folder.name)]
    kinds = {OutcomeKind(path.stem): path for path in files}
    waiting = outcomes[OutcomeKind.NOT_COMPLETED] - reasons.get(
        (OutcomeKind.NOT_COMPLETED, Reason.LATER_JOB_MISSING), 0
    )
    steps = [*_to_retry(reasons, waiting, folder, again, refused_with, carries_over=carries_over)]
    for kind, path in kinds.items():
        mine = [each for each in edited if each.name.startswith(f"{path.stem}-edited")]
        steps += _of_kind(kind, reasons, path, again, overtaken, newest_by, mine)
    return steps


def before_the_next(*, has_sent: bool) -> str:
    """Return until when the command of a job with `--carry-over` is to be given again.

    The next one takes its rows over; of one that has sent nothing they would count as newer than
    those of the next (docs/reference.md, A4).
    """
    takes = " with --carry-over begins, which takes over what is pending"
    return f" before the next import{takes if has_sent else ' begins'}"


def by_the_next(tries: str, folder: Path) -> Step:
    """Return the step that needs nobody: what the next import does about the job in `folder`."""
    return Step(
        f"The next import with --carry-over {tries}", kind=StepKind.CARRY_OVER, about=folder.name
    )


def _to_retry(
    reasons: _RowsByReason,
    waiting: int,
    folder: Path,
    again: Again,
    refused_with: str,
    *,
    carries_over: bool,
) -> Iterator[Step]:
    """Yield what is to be done about rows that are left for no reason of their own.

    One command tries them all, however often it is given: that of the import would begin a new job
    once nothing is left to try.
    """
    exhausted = reasons.get((OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED), 0)
    refused = reasons.get((OutcomeKind.FAILED, Reason.REFUSED), 0)
    only: list[str] = []
    if carries_over and exhausted:
        rows = counted(exhausted, "row")
        yield by_the_next(f"tries the {rows} again that failed.", folder)
    if carries_over and waiting:
        rows = counted(waiting, "row")
        yield by_the_next(f"tries the {rows} not completed again.", folder)
    if carries_over and (exhausted or waiting):
        exhausted, waiting, only = 0, 0, ["--reason", Reason.REFUSED]
    if waiting and not exhausted and not refused:
        rows = counted(waiting, "row")
        yield Step(
            f"To try the {rows} not completed again later:",
            again.retry(folder), StepKind.RETRY, folder.name,
        )  # fmt: skip
        return
    because = f" ({refused_with})" if refused_with else ""
    groups = [
        f"the {counted(rows, 'row')} {which}"
        for rows, which in (
            (exhausted, "whose attempts ran out"),
            (waiting, "not completed"),
            (refused, f"that the service refused{because}, when its cause is gone"),
        )
        if rows
    ]
    if groups:
        yield Step(
            f"To try again {listed(groups)}:",
            again.retry(folder, only), StepKind.RETRY, folder.name,
        )  # fmt: skip


def _of_kind(
    kind: OutcomeKind,
    reasons: _RowsByReason,
    path: Path,
    again: Again,
    overtaken: _RowsByReason,
    newest_by: str | None,
    edited: Sequence[Path],
) -> Iterator[Step]:
    """Yield what is to be done about the rows of one left-over file."""
    is_about = StepKind.LEFT_OVERS, file_of_job(path)
    below_floor = reasons.get((kind, Reason.LATER_JOB_MISSING), 0)
    final = reasons.get((kind, Reason.CONVERSATION_ERROR), 0)
    if below_floor:
        rows = counted(below_floor, "row")
        yield Step(
            f"To send all the same the {rows} of {_conversations(below_floor)} "
            "that a missing job may have set:",
            f"{again.of_file(path)} --as-new",
            *is_about,
        )
    if kind is OutcomeKind.NOT_COMPLETED:
        return
    if final:
        it = "it" if final == 1 else "them"
        yield Step(
            f"Nothing can be done for the {counted(final, 'row')} of {_conversations(final)} in "
            f"ERROR: such a conversation never takes feedback. The next import that holds {it} "
            f"tries {it} again, and ends with 1 again: leave {it} out of the export ({path} names "
            f"{it}).",
            "",
            *is_about,
        )
    to_fix = rows_to_fix(kind, reasons, overtaken)
    give_way = sum(number for (one, _), number in overtaken.items() if one is kind)
    if unknown := to_fix[Reason.UNKNOWN_RATING]:
        # Of that file: the inputs would be imported anew, over what has come since.
        yield Step(
            f"To give the ratings of {counted(unknown, 'row')} a meaning, this says how:",
            again.of_file(path, "plan"),
            *is_about,
        )
    if give_way and newest_by is not None:
        gives = "gives way when it is" if give_way == 1 else "give way when they are"
        yield Step(
            f"{counted(give_way, 'row')} of {path} {gives} fixed, as another row of the same "
            f"conversation was sent or is to be: which of them is the newest by {shown(newest_by)} "
            "was not looked at. To import one that is the newest all the same, also of later jobs: "
            "fix no other row, then",
            f"{again.of_file(path)} --as-new",
            *is_about,
        )
    elif give_way:
        yield Step(
            f"{counted(give_way, 'row')} of {path} need not be fixed: another row of the same "
            "conversation was sent or is to be, and comes after.",
            "",
            *is_about,
        )
    for aside in edited if to_fix else ():
        yield Step(
            f"{aside} holds the lines of {path.name} as they had been edited before. To import "
            "what is fixed there:",
            again.of_file(aside),
            StepKind.EDITED,
            path.parent.name,
        )
    if number := to_fix.total():
        what = f"To import the {counted(number, 'row')} {kind}"
        if reasons.get((kind, Reason.REFUSED)):  # `retry` tries them again as they are
            what += " with other content"
        yield Step(f"{what}: fix {path}, then", again.of_file(path), *is_about)


def rows_to_fix(
    kind: OutcomeKind, reasons: _RowsByReason, overtaken: _RowsByReason
) -> Counter[Reason]:
    """Return of how many rows of a kind, by reason, it is worth the while to fix them.

    Without those whose attempts ran out, that nothing helps, or that are `overtaken`.
    """
    found = Counter[Reason]()
    for (one, reason), number in reasons.items():
        if one is kind and reason not in (Reason.RETRIES_EXHAUSTED, Reason.CONVERSATION_ERROR):
            found[reason] = number - overtaken.get((one, reason), 0)
    return +found


def _conversations(number: int) -> str:
    return "a conversation" if number == 1 else "conversations"
