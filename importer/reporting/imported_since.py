"""What others have imported of the rows that a job has left over, in words, and what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from importer.common.text import counted, is_or_are, listed, was_or_were
from importer.jobs.journal_reader import JournalReader
from importer.jobs.overtaken import Awaited
from importer.jobs.read_again import Again, ReadAgain
from importer.model import NOT_IMPORTED, Reason


def inputs_with(journal: JournalReader, rows: Collection[int]) -> list[str]:
    """Return the names of the inputs of a job that hold one of these rows of it."""
    return [
        Path(file.path).name
        for file in journal.inputs()
        if any(file.first_seq <= seq < file.first_seq + file.rows for seq in rows)
    ]


def imported_in_words(folder: Path, names: Sequence[str], by: str, again: Again | None) -> str:
    """Return that files of these names were imported by a job, and how many rows it has imported.

    They are rows that the job in `folder` has left over, without those that gave way; None if those
    of the files do not say any more where they stood, or were to be new ones.
    """
    text = f"{listed(names)} {was_or_were(len(names))} imported by {by} since"
    if again is None:
        return f"{text}, as new rows."
    with JournalReader(folder) as own:
        outcomes = own.totals().outcomes
    rows = counted(sum(outcomes[kind] for kind in NOT_IMPORTED), "left-over row")
    back = ", and was taken back" if again.is_withdrawn else ""
    return f"{text}: {again.imported:,} of {rows}{back}."


def still_in_words(folder: Path, again: ReadAgain) -> str:
    """Return how many rows that a job has left over are still to be dealt with, as a sentence."""
    with JournalReader(folder) as own:
        here, there, give_way = _still_to_deal_with(own, again)
    others = "gives way to another row of its conversation"
    if give_way > 1:
        others = "give way to other rows of their conversations"
    if not here + there:
        why = f": {give_way:,} {others}" if give_way else ""
        return f"None of them is left to be dealt with{why}."
    text = f"{here + there:,} of them {is_or_are(here + there)} still to be dealt with"
    if there:
        which = f", {there:,} of these" if here else ""
        text += f"{which} where {'it was' if there == 1 else 'they were'} left over again"
    return f"{text}; {give_way:,} {others}." if give_way else f"{text}."


def _still_to_deal_with(journal: JournalReader, again: ReadAgain) -> tuple[int, int, int]:
    """Return how many rows of the job are to be dealt with here, and how many where others are.

    Without those to which nothing helps, or that give way to others; of these, how many nobody has
    read. The others have left them over `again`.
    """
    found = Counter[bool]()
    forgotten, give_way = {*journal.forgotten_rows()}, {*again.give_way}
    gone = {*again.done, *forgotten}
    for kind in NOT_IMPORTED:
        if journal.newest_by() is None:
            overtaken = journal.overtaken(kind, Awaited.ALL)
            give_way |= overtaken - {*again.done}
            gone |= overtaken
        for row in journal.outcomes(kind):
            if row.seq not in gone and row.reason is not Reason.CONVERSATION_ERROR:
                found[row.seq in again.rows] += 1
    return found[False], found[True], len(give_way - forgotten)
