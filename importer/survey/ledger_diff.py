"""Compares the rows that win in a job with what its product's other jobs have done.

Both are read part by part and in the order of their keys: no row costs a look-up of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from importer.common.row_set import RowSet
from importer.jobs.keys import conversation_of
from importer.jobs.ledger_lines import Lines
from importer.jobs.records import Line, Unsure
from importer.model import Reason
from importer.settings import ImportSettings
from importer.survey.changes import changes
from importer.survey.plan import Plan
from importer.survey.progress import Teller
from importer.survey.standing import Rules, why_not_sent
from importer.survey.superseded import FEW, NEW, Winner
from importer.survey.survey import Survey, rank_of

_REASONS = (
    Reason.LATER_ROW, Reason.SAME_AS_STORED, Reason.LATER_JOB, Reason.SET_BY_JOB,
    Reason.LATER_JOB_MISSING,
)  # fmt: skip


class Others(Protocol):
    """What the comparison asks of a product (`jobs.product.Product`). It raises `JournalError`."""

    @property
    def floor(self) -> int:
        """The number of the latest job that is missing; 0 without one."""
        ...

    @property
    def next_number(self) -> int:
        """The number of the job that is compared."""
        ...

    def lines(self, part: int) -> Lines:
        """Return the conversations whose keys begin with the byte `part`, by key."""
        ...

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:
        """Return the lines of those of the conversations that have one."""
        ...

    def unsure(self) -> Iterator[Unsure]:
        """Yield the rows of all jobs that are open or in doubt."""
        ...


def needs_bodies(settings: ImportSettings) -> bool:
    """Return whether a run has to know what each row would send: the survey is given the coder."""
    return settings.ledger.skip_unchanged or settings.abort_rules.max_changes is not None


def plan_job(
    survey: Survey,
    product: Others,
    settings: ImportSettings,
    now: float,
    *,
    stopped: Callable[[], bool] = lambda: False,
    in_full: bool = False,
) -> Plan:
    """Return which rows of the job are sent, and what that changes.

    `now` is in Unix seconds; `stopped` is asked many times a second. A job whose rows are all new
    and that needs no figures is not compared with others, unless `in_full` is set.

    Raises `JournalError` if the ledger or a journal cannot be used, and `SurveyStoppedError`.
    """
    plan = Plan({reason: RowSet() for reason in _REASONS})
    plan.not_sent[Reason.LATER_ROW] = survey.superseded
    if not (in_full or needs_bodies(settings) or survey.is_ranked):
        plan.to_send = survey.findings.conversations
        return plan
    comparison = _Comparison(plan, survey, product, Rules.of(settings, product.floor, now))
    teller = Teller(stopped, lambda _: None)
    for part, winners in survey.winners():
        teller.tell(part / 256, survey.rows)
        comparison.take(part, winners)
    return plan


class _Comparison:
    """Enters the rows of a job into its plan."""

    def __init__(self, plan: Plan, survey: Survey, product: Others, rules: Rules) -> None:
        self._plan = plan
        self._product = product
        self._rules = rules
        self._number = product.next_number
        self._carried = survey.carried
        self._has_bodies = survey.has_bodies
        self._looks_up = survey.findings.conversations <= FEW
        self._unsure: dict[bytes, list[Unsure]] = {}
        for row in product.unsure():
            # The job that this one replaces ends when this one begins.
            self._unsure.setdefault(row.key, []).append(row._replace(unfinished=False))

    def take(self, part: int, winners: Iterable[Winner]) -> None:
        """Enter the rows of a part; they come by key."""
        if self._looks_up:
            few = list(winners)
            found = self._product.look_up(row.key for row in few)
            for row in few:
                self._enter(row, found.get(row.key))
        else:
            self._take_many(part, winners)

    def _take_many(self, part: int, winners: Iterable[Winner]) -> None:
        """Enter the rows of a part, most of them by column."""
        from importer.survey.many_rows import ManyWinners  # noqa: PLC0415 -- loads numpy
        from importer.survey.standing_by_column import set_apart  # noqa: PLC0415 -- as well

        assert isinstance(winners, ManyWinners)  # noqa: S101 -- few rows are looked up
        lines = self._product.lines(part)
        found = set_apart(winners, lines, self._unsure, self._rules, bodies=self._has_bodies)
        plan = self._plan
        plan.new += found.new
        plan.to_send += found.new
        plan.known += len(found.unchanged)
        for seq in found.unchanged:
            plan.not_sent[Reason.SAME_AS_STORED].add(seq)
        for row, place in zip(found.others, found.places, strict=True):
            self._enter(row, None if place < 0 else lines.line(place))

    def _enter(self, row: Winner, known: Line | None) -> None:
        """Enter a row, given what the ledger knows of its conversation."""
        plan = self._plan
        if known is None and row.rank != NEW:  # its conversation may be a forgotten one
            known = self._product.look_up([row.key]).get(row.key)
        rank = rank_of(row.rank, self._number)
        body = row.body if self._has_bodies else None
        unsure = self._unsure.get(row.key, ())
        reason = why_not_sent(rank, body, known, unsure, self._rules)
        stored = None if known is None else known.body
        plan.known += stored is not None
        if reason is not None:
            plan.not_sent[reason].add(row.seq)
            return
        plan.to_send += 1
        plan.left_overs += row.seq <= self._carried
        is_new = known is None and not unsure
        plan.new += is_new
        plan.stored_unknown += stored is None and not is_new
        if stored is None or stored != body:
            ranks = [each.rank for each in unsure] + ([] if known is None else [known.rank])
            if (last := max(ranks, default=rank)) != rank:  # it is its own where it is tried again
                plan.came_last[last.version] += 1
                plan.came_last_to_own[last.version] += row.seq > self._carried
        if stored is None or body is None:
            return
        if found := changes(stored, body):
            plan.note_changes(found, conversation_of(row.key))
        elif stored != body:
            plan.added += 1
        else:
            plan.same += 1
