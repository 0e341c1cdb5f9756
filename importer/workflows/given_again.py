"""The command of a job whose rows have joined a later one, given after all.

Nothing of it is left to do, and a new job of it would put old feedback in the place of what has
come since (docs/reference.md, J4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from importer.common.text import few_listed
from importer.errors import SettingsError
from importer.jobs.key_source import note_on_key
from importer.jobs.keys import key_of
from importer.jobs.product import Replaced
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


def check_not_overtaken(
    replaced: Replaced,
    survey: Survey,
    plan: Plan,
    carried: Sequence[CarriedRow],
    product: Since,
) -> None:
    """Raise `SettingsError` if the rows of the job `replaced` are to go over later ones.

    `survey`, `plan` and `carried` are of the job that would begin, which has the same inputs; the
    plan was made in full.
    """
    later = _overtaken(replaced.number, survey, plan, carried, product)
    if not later:
        return
    jobs = [
        f"{rows:,} of {product.jobs[number - 1].name or f'job {number}'}"
        for number, rows in sorted(later.items(), reverse=True)
    ]
    again = replaced.again
    raise SettingsError(
        f"the job {replaced.name} was replaced by {replaced.by}, which has taken its rows over: "
        "nothing of it is left to do, and nothing was sent. A new job of the same rows would "
        f"overwrite newer ones: {few_listed(jobs, _MOST_NAMED)}. To see what that would change:\n"
        f"  {again.plan()}\nTo import them all the same, as the newest of their conversations:\n"
        f"  {again.same()}{note_on_key(again.same())}"
    )


def _overtaken(
    replaced: int, survey: Survey, plan: Plan, carried: Sequence[CarriedRow], product: Since
) -> Counter[int]:
    """Return how many rows of jobs after `replaced` would be overtaken, by the job's number."""
    found = Counter({number: n for number, n in plan.came_last.items() if number > replaced})
    # The plan knows what was sent, and not what was still to be sent.
    waiting = {
        key_of(row.conversation_id): row.rank
        for row in carried
        if row.rank.version > replaced and row.seq in survey.superseded
    }
    lines = product.look_up(waiting)
    tried = {(row.key, row.rank) for row in product.unsure()} if waiting else set()
    for key, rank in waiting.items():
        is_settled = key in lines and lines[key].rank >= rank
        found[rank.version] += not is_settled and (key, rank) not in tried
    return +found
