"""What other jobs of a product mean for a row: rules R3.1 to R3.5 (docs/reference.md, A6, A11).

One pure function, for the rows of a whole job and for single ones that are tried again. The sixth
rule (a row waits as long as another job's request may take effect) is about runs, not about jobs:
the engine decides it when the row's turn comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from importer.jobs.records import Line, Unsure
from importer.model import Rank, Reason
from importer.settings import ImportSettings


class Rules(NamedTuple):
    """What the rules depend on beside the row."""

    #: The rank of the latest job that is missing, or 0: nothing at or below it is sure.
    floor: Rank
    #: What is stored already is not sent again.
    skip_unchanged: bool
    #: Unless it was stored before this, in Unix seconds; None if its age does not matter.
    stored_after: float | None
    #: Nor if it was stored after this: the clock has changed since. In Unix seconds.
    now: float

    @classmethod
    def of(cls, settings: ImportSettings, floor: int, now: float) -> Self:
        """Return the rules that the settings mean.

        `floor` is the number of the latest missing job, `now` is in Unix seconds.
        """
        ledger = settings.ledger
        return cls(
            Rank(floor, floor),
            ledger.skip_unchanged and not settings.job.restart,
            None if ledger.refresh_after is None else now - ledger.refresh_after,
            now,
        )


def why_not_sent(
    rank: Rank,
    body: int | None,
    known: Line | None,
    unsure: Sequence[Unsure],
    rules: Rules,
    *,
    is_own: bool = False,
) -> Reason | None:
    """Return why a row of this rank and body (`BodyCoder`) is not sent, None if it is.

    `known` is the ledger's line on its conversation, and `is_own` whether this job itself has
    written it; `unsure` are the conversation's rows that are open or in doubt, of all jobs. Without
    a `body` no row is unchanged.

    Raises `AssertionError` if a row of a higher rank is in doubt in a job that is unfinished: at
    most the last job of a product is (A2).
    """
    if known is not None and known.rank > rank:
        return Reason.LATER_JOB
    if rank < rules.floor:
        return Reason.LATER_JOB_MISSING
    for row in unsure:
        if row.in_doubt and row.unfinished and row.rank > rank:
            raise AssertionError(
                f"a row of the unfinished job {row.job} ranks above one of job {rank.version} that "
                "is to be sent: two jobs of a product are unfinished, which must not be"
            )
    if known is None or known.body is None:
        return None
    if known.rank == rank and not is_own:
        return Reason.SET_BY_JOB
    is_unchanged = (
        rules.skip_unchanged
        and known.body == body
        and known.rank > rules.floor
        and _is_recent(known.at, rules)
        and not any(row.in_doubt and row.rank > known.rank for row in unsure)
    )
    return Reason.SAME_AS_STORED if is_unchanged else None


def _is_recent(at: float, rules: Rules) -> bool:
    """Return whether what was stored then need not be refreshed; the future counts as long ago."""
    return rules.stored_after is None or rules.stored_after < at <= rules.now
