"""What was known of all jobs when an undo began, and which of them counted for nothing then."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.record import Begun, Fate


@dataclass(frozen=True)
class Known:
    """How a job stood when an undo began."""

    job: Begun
    fate: Fate
    here: bool
    own: dict[int, tuple[str, str]]
    """Outcome and reason of its own rows, by position."""

    carried: dict[str, tuple[str, str]]
    """The same of rows that it took over, by conversation."""

    forgotten: frozenset[str]
    withdrawn_by: int
    """The number of the latest job when it was taken back; -1 if it was not."""

    @classmethod
    def of(cls, job: Begun) -> Known:
        """Note how it stands; its outcomes were just exported."""
        own, carried = {}, {}
        for line in job.exported:
            what = (line["outcome"], line["reason"])
            if line["file"] == "carried over":
                carried[line["conversation_id"]] = what
            else:
                own[int(line["row"])] = what
        gone = frozenset(job.forgotten)
        return cls(job, job.fate, job.here, own, carried, gone, job.withdrawn_by)


@dataclass
class Taken:
    """One undo: what was known before, what it showed, and the job that did it."""

    target: Begun
    known: list[Known]
    at: int
    """How many requests had come."""

    clears: bool
    table: dict[str, int] = field(default_factory=dict)
    undo: Begun | None = None

    def void(self) -> set[int]:
        """U1: the later jobs of which no row counts: taken back, or the undo of one that was."""
        if not self._all_later_here():
            return set()
        found = self.taken_back()
        later = [known.job for known in self.known if known.here]
        return {
            job.number for job in later
            if job.number > self.target.number
            and (job.number in found or (job.undoes and job.undoes.number in found))
        }  # fmt: skip

    def no_more(self) -> set[int]:
        """U2: the earlier jobs that were taken back."""
        if not self._all_later_here():
            return set()
        back = self.taken_back()
        if self.target.undoes is not None:
            back.discard(self.target.undoes.number)
        return {number for number in back if number < self.target.number}

    def taken_back(self) -> set[int]:
        """Return the jobs that were taken back, while their undos were not."""
        latest: dict[int, Known] = {}
        for known in self.known:
            if known.here and known.job.undoes is not None:
                latest[known.job.undoes.number] = known

        def is_back(known: Known) -> bool:
            undo = latest.get(known.job.number)
            return known.withdrawn_by >= 0 and not (undo is not None and is_back(undo))

        return {known.job.number for known in self.known if known.here and is_back(known)}

    def _all_later_here(self) -> bool:
        return all(known.here for known in self.known if known.job.number > self.target.number)
