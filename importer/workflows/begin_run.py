"""How a run of a job begins: what it reads, and which of these rows it does not send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from importer.common.row_set import RowSet
from importer.engine.reader import Input
from importer.engine.resume import ResumeState
from importer.feedback.normalise import Normaliser
from importer.feedback.ratings import RatingTable
from importer.jobs.carry_over import carried_given_up
from importer.jobs.commands import Again
from importer.jobs.job import Job
from importer.jobs.product import Product
from importer.jobs.records import Unsure
from importer.model import Rank, Reason
from importer.settings import ImportSettings
from importer.sources.base import RowSource
from importer.survey.findings import Findings
from importer.survey.standing import Rules, why_not_sent
from importer.workflows.open_inputs import carried_source, surveyed


class Begun(NamedTuple):
    """What a run goes on from."""

    resumed: ResumeState
    inputs: list[Input]
    not_sent: dict[Reason, RowSet]
    #: The ranks of other jobs' rows whose requests may still take effect, by conversation.
    held: dict[str, set[Rank]]
    #: The rows that an earlier job brought first, by seq.
    ranks: dict[int, Rank]


def begin_run(
    job: Job,
    product: Product,
    settings: ImportSettings,
    again: Again,
    sources: Sequence[RowSource],
    now: float,
) -> Begun:
    """Note that a run begins `now` (Unix seconds), and read what it goes on from.

    `again` are the commands that it names. Of a large job that takes long. Raises `JournalError`.
    """
    job.begin_run(now, settings.as_record())
    job.journal.note_key_source(again.key_source)
    job.journal.note_taken_back(again.taken_back)
    return Begun(
        ResumeState.load(job.journal),
        _inputs_of(job, product, settings, sources),
        rows_not_sent(job, product, settings, now),
        job.held(),
        job.journal.ranked(),
    )


def _inputs_of(
    job: Job, product: Product, settings: ImportSettings, sources: Sequence[RowSource]
) -> list[Input]:
    """Return what a run of the job reads: the rows that it has carried over, then its inputs."""
    files = job.journal.inputs()
    inputs = surveyed(sources, settings, files, Findings.of_json(job.journal.survey()))
    if not files or files[0].first_seq == 1:
        return inputs
    carried = carried_source(job.folder, product)
    return [Input(carried, Normaliser(RatingTable())), *inputs]


def rows_not_sent(
    job: Job, product: Product, settings: ImportSettings, now: float
) -> dict[Reason, RowSet]:
    """Return the rows that are not sent, by why.

    It was decided when the job began, but for the rows that are tried again: those other jobs may
    have overtaken since; and for those that it had taken over and that were given up since. `now`
    is in Unix seconds. Raises `JournalError`.
    """
    found = job.journal.not_sent()
    if job.journal.carried_count():  # to know what was given up means to open all journals
        given_up = carried_given_up(job.journal, product.given_up_rows())
        if given_up.count:
            found[Reason.JOB_GIVEN_UP] = given_up
    rows = job.journal.tried_again()
    if not rows:
        return found
    lines = product.look_up(key for _, key in rows)
    unsure: dict[bytes, list[Unsure]] = {key: [] for _, key in rows}
    for each in product.unsure():
        if each.key in unsure:
            unsure[each.key].append(each)
    rules = Rules.of(settings, product.floor, now)
    ranks, own = job.journal.ranked(), job.journal.run_numbers()
    for seq, key in rows:
        line = lines.get(key)
        reason = why_not_sent(
            ranks.get(seq, Rank(job.number, job.number)),
            None,
            line,
            unsure[key],
            rules,
            is_own=line is not None and line.run in own,
        )
        if reason is not None:
            found.setdefault(reason, RowSet()).add(seq)
    return found
