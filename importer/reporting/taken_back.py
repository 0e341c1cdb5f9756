"""How much of what a job had set its undos have taken back, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import own_rank, rank_number


class DoneUndo(NamedTuple):
    """An undo that has taken something back."""

    #: Its number among the jobs of the product.
    number: int
    folder: Path
    #: How many of its rows are done.
    rows: int


def taken_back_in_words(
    folder: Path, number: int, later: Sequence[Path], undos: Sequence[DoneUndo]
) -> Iterator[str]:
    """Yield of each of the `undos` how much it has taken back of what a job had set.

    The job has that `number` and is in `folder`; the `later` ones may have set rows of it that they
    had taken over. Only what the job has set counts, or may have set: not what it found unchanged,
    nor rows of other jobs that an undo has sent. Raises `JournalError`.
    """
    undos = sorted(undos)
    had_set = _had_set([folder, *later], number)
    of_others = _others(folder, later, undos, number)
    done = [undo.rows - others for undo, others in zip(undos, of_others, strict=True)]
    had_set = max(had_set, sum(done))
    for undo, rows in zip(undos, done, strict=True):
        is_last = undo is undos[-1]
        others = "; the others stay as they are" if is_last and sum(done) < had_set else ""
        many = f"{rows:,} of {counted(had_set, 'conversation')}"
        yield f"It was taken back by {undo.folder.name} since: {many}{others}."


def _had_set(folders: Sequence[Path], number: int) -> int:
    """Return of how many conversations these jobs have set rows that the one of `number` brought.

    Or may have set: of some no answer is recorded.
    """
    found, in_doubt = 0, set[bytes]()
    for folder in folders:
        with JournalReader(folder) as journal:
            found += journal.sent_and_set(brought_by=number)
            doubts = [one for one in journal.doubts() if one.in_doubt]
            ranks = journal.ranked() if doubts else {}
            own = own_rank(int(journal.facts()["number"]))
            for doubt in doubts:
                rank = rank_number(ranks[doubt.seq]) if doubt.seq in ranks else own
                if rank & 0xFFFFFFFF == number:
                    in_doubt.add(doubt.key)
    return found + len(in_doubt - _set_among(folders, in_doubt, number))


def _others(
    folder: Path, later: Sequence[Path], undos: Sequence[DoneUndo], number: int
) -> Iterator[int]:
    """Yield how many rows each of the undos has sent where its job had set nothing."""
    with JournalReader(folder) as journal:
        after_all = journal.after_all()
    last = 0
    for undo in undos:
        keys = {key for since, key, _ in after_all if last <= since < undo.number}
        keys -= _set_among([folder, *later], keys, number)
        with JournalReader(undo.folder) as journal:
            yield len(journal.set_among(keys)) if keys else 0
        last = undo.number


def _set_among(folders: Sequence[Path], keys: set[bytes], number: int) -> set[bytes]:
    found = set[bytes]()
    for folder in folders if keys else ():
        with JournalReader(folder) as journal:
            found |= journal.set_among(keys, brought_by=number, sent=True)
    return found
