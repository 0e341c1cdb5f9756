"""Which jobs count for nothing when another one is taken back (docs/reference.md, U1, U2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from importer.jobs.records import WITHDRAWN, JobRecord


class TakenBack(NamedTuple):
    """What the journal of a job says of undos."""

    #: The number of the job that it takes back, if it is an undo of one that is known.
    undoes: int | None
    #: The number of the latest job when it was taken back itself; None if it was not.
    withdrawn: int | None

    @classmethod
    def of(cls, undone: str | None, facts: Mapping[str, str], numbers: Mapping[str, int]) -> Self:
        """Return what a journal with these facts says, of an undo of the job named `undone`.

        `numbers` are the known jobs by their names.
        """
        withdrawn = int(facts[WITHDRAWN]) if WITHDRAWN in facts else None
        return cls(numbers.get(undone or ""), withdrawn)


class Void(NamedTuple):
    """What counts for nothing when a certain job is taken back."""

    #: Later jobs, which keep nothing from being taken back, and earlier ones, whose feedback no
    #: conversation gets back.
    jobs: set[int]
    #: The undos of that job: what they have set is taken back already.
    own_undos: set[int]


def void_for(number: int, jobs: Sequence[JobRecord], told: Mapping[int, TakenBack]) -> Void:
    """Return what counts for nothing when the job of that number is taken back.

    Those are jobs that were taken back, and of later ones their undos as well, unless these were
    taken back themselves. An earlier undo stands for what was there before; the job that the one
    of that number takes back itself counts. `jobs` are all of the product by number; `told` of
    those that are there. Where a later one is gone, nobody knows what it took back.
    """
    found = taken_back(told)
    own_undos = {job for job, one in told.items() if one.undoes == number} - found
    if not all(job.is_here for job in jobs[number:]):
        return Void(set(), own_undos)
    undone = {job for job in found if job != number}
    later_undos = {job for job, one in told.items() if job > number and one.undoes in found}
    return Void((undone | later_undos) - {told[number].undoes}, own_undos)


def taken_back(told: Mapping[int, TakenBack]) -> set[int]:
    """Return the jobs that were taken back, and whose undo was not taken back itself."""
    undos = {one.undoes: undo for undo, one in sorted(told.items()) if one.undoes is not None}

    def is_taken_back(job: int) -> bool:
        return told[job].withdrawn is not None and not (job in undos and is_taken_back(undos[job]))

    return set(filter(is_taken_back, told))
