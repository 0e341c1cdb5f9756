"""The command of a job of which nothing is left to do, given after all (docs/reference.md, J4).

Its rows have joined a later job, and a new one would put old feedback in the place of what has come
since; or it was taken back, and a new one would bring that back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from importer.common.text import few_listed
from importer.errors import SettingsError
from importer.jobs.key_source import note_on_key
from importer.jobs.keys import key_of
from importer.jobs.product import GivenBefore
from importer.jobs.records import CarriedRow, JobRecord, Line, Unsure
from importer.survey.plan import Plan
from importer.survey.survey import Survey

#: So many later jobs are named.
_MOST_NAMED = 3


class Since(Protocol):
    """What is asked of the jobs of a product. It raises `JournalError`."""

    @property
    def jobs(self) -> Sequence[JobRecord]:
        """All of them, by number."""
        ...

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        """Return the lines of those of the conversations that have one."""
        ...

    def unsure(self) -> Iterable[Unsure]:
        """Return the rows of all jobs that are open or in doubt."""
        ...


def check_not_given_again(
    before: GivenBefore,
    survey: Survey,
    planned: Callable[[], Plan],
    carried: Sequence[CarriedRow],
    product: Since,
) -> None:
    """Raise `SettingsError` if the job `before` is not to be begun anew by its command alone.

    It was taken back, or its rows would go over later ones. `survey`, `carried` and what is
    `planned`, in full, are of the job that would begin, which has the same inputs.
    """
    again = before.again
    if before.is_taken_back:
        by = f" by {before.by}" if before.by else ""
        was, goes_on, then = f"was taken back{by}", "", "was"
        if before.goes_on:
            was, then = f"is being taken back{by}, which is not finished", "is"
            goes_on = f"To go on with that:\n  {before.goes_on}\n"
        told = (
            f"the job {before.name} {was}, and its inputs hold the same as then: nothing was "
            f"sent. {goes_on}A new job of the same rows would set again what {then} taken back"
        )
    else:
        later = _overtaken(before.number, survey, planned(), carried, product)
        if not later:
            return
        jobs = [
            f"{rows:,} of {product.jobs[number - 1].name or f'job {number}'}"
            for number, rows in sorted(later.items(), reverse=True)
        ]
        told = (
            f"the job {before.name} was replaced by {before.by}, which has taken its rows over: "
            "nothing of it is left to do, and nothing was sent. A new job of the same rows would "
            f"overwrite newer ones: {few_listed(jobs, _MOST_NAMED)}"
        )
    raise SettingsError(
        f"{told}. To see what that would change:\n"
        f"  {again.plan()}\nTo import them all the same, as the newest of their conversations:\n"
        f"  {again.same()}{note_on_key(again.same(), before.goes_on)}"
    )


def _overtaken(
    replaced: int, survey: Survey, plan: Plan, carried: Sequence[CarriedRow], product: Since
) -> Counter[int]:
    """Return how many rows of jobs after `replaced` would be overtaken, by the job's number."""
    last = plan.came_last_to_own.items()
    found = Counter({number: n for number, n in last if number > replaced})
    # The plan knows what was sent, and not what was still to be sent.
    sent_later = {row.conversation_id for row in carried if row.seq not in survey.superseded}
    waiting = {
        key_of(row.conversation_id): row.rank
        for row in carried
        if row.rank.version > replaced and row.seq in survey.superseded
        and row.conversation_id not in sent_later
    }  # fmt: skip
    lines = product.look_up(waiting)
    tried = {(row.key, row.rank) for row in product.unsure()} if waiting else set()
    for key, rank in waiting.items():
        is_settled = key in lines and lines[key].rank >= rank
        found[rank.version] += not is_settled and (key, rank) not in tried
    return +found
