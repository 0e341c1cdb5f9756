"""What a person does after a run: the same wherever it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from importer.common.text import counted, listed, shown
from importer.jobs.commands import FILE_KEPT, Again
from importer.jobs.ends import before_the_next
from importer.model import OutcomeKind, Reason, RunEnd
from importer.reporting.rows_to_do import Rest
from importer.reporting.steps import Step, StepKind, file_of_job
from importer.reporting.wording import TO_RESUME
from importer.survey.findings import Findings


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the steps about the rows of a job depend on, besides how many there are of which."""

    #: With which statuses the service refused rows, in words.
    refused_with: str = ""
    #: The column that tells which row is the newest, if one does.
    newest_by: str | None = None
    #: Some inputs hold rows that others have left over: of these that column was not looked at.
    has_left_overs: bool = False
    #: Another encoding may be right for an input.
    may_be_encoded: bool = False
    #: Files of the job that a person had edited before they were written anew.
    edited: Sequence[Path] = ()


def next_steps(
    end: RunEnd,
    rest: Rest,
    folder: Path,
    files: Sequence[Path],
    again: Again,
    given: Circumstances,
    *,
    carries_over: bool = False,
    has_sent: bool = False,
) -> list[Step]:
    """Return what a person does after a run, in this order; empty if there is nothing to do.

    `rest` are the rows about which that is, and `files` the left-over files of the job in `folder`.
    If the next import `carries_over` what is left, it need not be done by hand; of what is pending
    if the job `has_sent` something.
    """
    begins = partial(to_begin, about=folder.name, carries_over=carries_over, has_sent=has_sent)
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
            begins("Nothing was sent. Once the data is corrected, the same command", again.same()),
            *([Step("To see what it would change, with examples:", plan)] if plan else []),
            begins("If the data is right as it is, to send it this once", again.accepting()),
        ]
    if end is not RunEnd.FINISHED:
        command = again.same()
        if end is RunEnd.LIMIT:
            command = again.rest()
        elif end is RunEnd.REDIRECTED:
            command = again.elsewhere()
        purpose = TO_RESUME[end]
        if end is RunEnd.KEY_REFUSED and rest.reasons[OutcomeKind.FAILED, Reason.REFUSED]:
            purpose += ", or with the rows after those refused if it is the right one"
        if end is RunEnd.LIMIT and not again.takes_limit_back:
            purpose += ", take the limit out of the file or the environment, then"
        return [begins(purpose, command)]
    steps = [*_to_retry(rest, folder, again, given.refused_with, carries_over=carries_over)]
    for path in files:
        steps += _of_file(path, rest, again, given)
    gave_way = rest.reasons[OutcomeKind.SUPERSEDED, Reason.LATER_JOB]
    if gave_way and given.has_left_overs and given.newest_by is not None:
        steps.append(
            Step(
                f"{counted(gave_way, 'row')} gave way, as another row of the same conversation was "
                f"sent, or may have been: {_not_looked_at(given.newest_by)} copy the header and no "
                f"other row into {FILE_KEPT}, then",
                f"{again.of_file(Path(FILE_KEPT))} --as-new",
                StepKind.GAVE_WAY,
                folder.name,
            )
        )
    return steps


def to_read_again(findings: Findings, again: Again) -> Iterator[Step]:
    """Yield what is to be done about comments that were sent as they are read, which is wrong."""
    for one in findings.inputs:
        if one.misread:
            looks = "looks" if one.misread == 1 else "look"
            yield Step(
                f"{counted(one.misread, 'comment')} of {one.file} {looks} like UTF-8, and what was "
                f"sent is read as {one.encoding}. To correct that: save all of the file in one "
                "encoding, then",
                again.same(),
            )


def _not_looked_at(newest_by: str) -> str:
    """Return what is to be known of rows that give way where that column tells the newest."""
    return (
        f"which of them is the newest by {shown(newest_by)} was not looked at. To import one that "
        "is the newest all the same, also of later jobs:"
    )


def to_begin(
    purpose: str, command: str, about: str = "", *, carries_over: bool, has_sent: bool
) -> Step:
    """Return how a job is resumed, or begun anew, and until when if it `carries_over`.

    `about` is its name, if another job may make that needless.
    """
    before = before_the_next(has_sent=has_sent) if carries_over else ""
    return Step(f"{purpose}{before and ','}{before}:", command, StepKind.RESUME, about)


def by_the_next(tries: str, folder: Path) -> Step:
    """Return the step that needs nobody: what the next import does about the job in `folder`."""
    return Step(
        f"The next import with --carry-over {tries}", kind=StepKind.CARRY_OVER, about=folder.name
    )


def _to_retry(
    rest: Rest, folder: Path, again: Again, refused_with: str, *, carries_over: bool
) -> Iterator[Step]:
    """Yield what is to be done about rows that are left for no reason of their own.

    One command tries them all, however often it is given: that of the import would begin a new job
    once nothing is left to try.
    """
    waiting = (
        rest.outcomes[OutcomeKind.NOT_COMPLETED]
        - rest.reasons[OutcomeKind.NOT_COMPLETED, Reason.LATER_JOB_MISSING]
    )
    exhausted = rest.reasons[OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED]
    refused = rest.reasons[OutcomeKind.FAILED, Reason.REFUSED]
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


def _of_file(path: Path, rest: Rest, again: Again, given: Circumstances) -> Iterator[Step]:
    """Yield what is to be done about the rows of one left-over file."""
    kind, is_about = OutcomeKind(path.stem), (StepKind.LEFT_OVERS, file_of_job(path))
    below_floor = rest.reasons[kind, Reason.LATER_JOB_MISSING]
    final = rest.reasons[kind, Reason.CONVERSATION_ERROR]
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
    to_fix = rest.to_fix(kind)
    give_way = sum(number for (one, _), number in rest.overtaken.items() if one is kind)
    unknown = to_fix[Reason.UNKNOWN_RATING]
    bad = to_fix[Reason.BAD_BYTES] if given.may_be_encoded else 0
    if unknown or bad:
        seen = f"in which encoding the text of {counted(bad, 'row')} may be right"
        what = f"To give the ratings of {counted(unknown, 'row')} a meaning, this says how"
        if bad:
            what = f"{what}, and {seen}" if unknown else f"To see {seen}"
        # Of that file: the inputs would be imported anew, over what has come since.
        yield Step(f"{what}:", again.of_file(path, "plan"), *is_about)
    if give_way and given.newest_by is not None:
        gives = "gives way when it is" if give_way == 1 else "give way when they are"
        yield Step(
            f"{counted(give_way, 'row')} of {path} {gives} fixed, as another row of the same "
            f"conversation was sent or is to be: {_not_looked_at(given.newest_by)} fix no other "
            "row, then",
            f"{again.of_file(path)} --as-new",
            *is_about,
        )
    elif give_way:
        yield needless(give_way, path)
    edited = (each for each in given.edited if each.name.startswith(f"{path.stem}-edited"))
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
        if rest.reasons[kind, Reason.REFUSED]:  # `retry` tries them again as they are
            what += " with other content"
        yield Step(f"{what}: fix {path}, then", again.of_file(path), *is_about)


def needless(rows: int, path: Path) -> Step:
    """Return that so many rows of a left-over file give way also once they are fixed."""
    return Step(
        f"{counted(rows, 'row')} of {path} need not be fixed: another row of the same conversation "
        "was sent or is to be, and comes after.",
        "",
        StepKind.LEFT_OVERS,
        file_of_job(path),
    )


def _conversations(number: int) -> str:
    return "a conversation" if number == 1 else "conversations"
