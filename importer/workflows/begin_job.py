"""How a job begins: its inputs are surveyed and compared with the earlier jobs of the product.

Nothing is sent here, and all of it is the same for a run and for a plan of one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from importer.common.row_set import RowSet
from importer.engine.reader import NOT_SENT, Input, read_rows
from importer.feedback.body import BodyCoder
from importer.jobs.bodies import write_bodies
from importer.jobs.inputs import undone_job
from importer.jobs.job import Job
from importer.jobs.journal_reader import JournalReader
from importer.jobs.product import GivenBefore, Product
from importer.jobs.records import (
    CHANGES,
    CLEARED_OF,
    CLEARS_OF,
    FIGURES,
    LEAVES_STORED,
    LETS_WAIT,
    NOT_TAKEN_BACK,
    TOO_OLD,
    WAIT_AGAIN,
    CarriedRow,
    InputFile,
    JobRecord,
    JobState,
    NewJob,
)
from importer.model import Feedback, OutcomeKind, Reason
from importer.settings import ImportSettings
from importer.sources.base import RowSource
from importer.survey.data_limits import exceeded_limit
from importer.survey.findings import Findings
from importer.survey.history import MOST_JOBS, Figures
from importer.survey.ledger_diff import Others, needs_bodies, plan_job
from importer.survey.plan import Plan
from importer.survey.progress import SurveyProgress, until_stopped
from importer.survey.survey import Survey
from importer.survey.survey_pass import survey_inputs
from importer.survey.unplaced import Origins
from importer.workflows.given_again import Since, check_not_given_again
from importer.workflows.left_behind import close_summary, leave_files, tell_undone
from importer.workflows.left_over_again import tell_waiting_again, waiting_again
from importer.workflows.open_inputs import surveyed


class Earlier(Others, Origins, Since, Protocol):
    """What is asked of the earlier jobs of a product."""

    @property
    def coder(self) -> BodyCoder:
        """Makes the numbers of the bodies that are sent."""
        ...

    def check_sequence(self) -> JobRecord | None:
        """Return the unfinished job that the new one replaces."""
        ...

    def may_be_replaced(self, sizes: Sequence[int]) -> bool:
        """Return whether inputs of these sizes may be those of a job that was replaced."""
        ...

    def replaced_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:
        """Return the latest job that had these inputs if its rows have joined a later one."""
        ...

    def taken_back_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:
        """Return the latest job of this command that had these inputs if it was taken back."""
        ...

    def ends(self, replaced: JobRecord | None) -> list[JobRecord]:
        """Return the unfinished jobs as they are once the new one begins."""
        ...

    def left_overs(self, now: float) -> Iterator[CarriedRow]:
        """Yield the rows that the new job takes over, which begins `now` (Unix seconds)."""
        ...

    def figures(self, most: int) -> list[str]:
        """Return what is kept to compare later jobs with, of the latest that ended."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What is asked, and told, while the inputs are surveyed."""

    stopped: Callable[[], bool] = lambda: False
    progress: Callable[[SurveyProgress], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Prospect:
    """A job that could begin."""

    survey: Survey
    plan: Plan
    carried: Sequence[CarriedRow]
    replaces: JobRecord | None
    #: The unfinished jobs as they are once this one begins.
    ends: Sequence[JobRecord]
    #: Why nothing is to be sent, in words; None if it may be.
    limit: str | None


@contextmanager
def prospect(
    earlier: Earlier,
    settings: ImportSettings,
    sources: Sequence[RowSource],
    scratch: Path,
    watch: Watch,
    *,
    in_full: bool = False,
) -> Iterator[Prospect]:
    """Survey the inputs, and compare them with the `earlier` jobs of the product.

    `in_full`, all figures of the plan are found, also those that a run can do without. Raises
    `InputError`, `JournalError`, `ScratchError`, `SurveyStoppedError` and `UnfinishedJobError`, and
    `SettingsError` if older rows were to go over newer ones, or come back once taken back.
    """
    replaces = earlier.check_sequence()
    may_be_replaced = earlier.may_be_replaced(_sizes_of(sources))
    carried = [*earlier.left_overs(time.time())] if settings.ledger.carry_over else []
    with survey_inputs(
        sources, settings, scratch,
        coder=earlier.coder if in_full or may_be_replaced or needs_bodies(settings) else None,
        carried=carried, origins=earlier,
        stopped=watch.stopped, progress=watch.progress,
    ) as survey:  # fmt: skip
        compared = partial(plan_job, survey, earlier, settings, time.time(), stopped=watch.stopped)
        before = earlier.taken_back_before(survey.inputs)
        if before is None and may_be_replaced:
            before = earlier.replaced_before(survey.inputs)
        if before is not None:
            check_not_given_again(before, survey, partial(compared, in_full=True), carried, earlier)
        plan = compared(in_full=in_full)
        limit = exceeded_limit(
            settings.abort_rules, survey.findings, plan, partial(_figures_before, earlier)
        )
        yield Prospect(survey, plan, carried, replaces, earlier.ends(replaces), limit)


def begin_job(
    product: Product, settings: ImportSettings, sources: Sequence[RowSource], watch: Watch
) -> tuple[Job, str | None]:
    """Begin a job; return it, and why nothing of it is to be sent, None if it may be.

    Raises what `prospect` raises, and `SettingsError` if its folder cannot be made.
    """
    product.check_sequence()  # a job that may not begin leaves nothing behind
    product.claim_folder(_only_here(settings, sources))
    with prospect(product, settings, sources, settings.job.jobs_dir, watch) as found:
        survey, plan, not_sent = found.survey, found.plan, found.plan.not_sent
        if found.limit is not None:  # no row of another job may give way to one that may be wrong
            not_sent = {
                why: rows
                for why, rows in not_sent.items()
                if NOT_SENT[why] is OutcomeKind.SUPERSEDED
            }
        kept = None
        if settings.ledger.carry_over:
            inputs = surveyed(sources, settings, survey.inputs, survey.findings)
            kept = _to_be_sent(inputs, not_sent, watch)
        if settings.ledger.keep_bodies:
            inputs = surveyed(sources, settings, survey.inputs, survey.findings)
            write_bodies(product.claim_folder(), _to_be_sent(inputs, not_sent, watch))
        new = NewJob(
            inputs=survey.inputs,
            rows=survey.last_seq,
            facts=_facts(product, survey, plan),
            survey=json.dumps(survey.findings.as_json()),
            not_sent=not_sent,
            ranked=survey.ranked(product.next_number),
            placed=survey.placed,
            carried=found.carried,
            kept=kept,
            replaces=found.replaces,
        )
        ends = [ended for ended in found.ends if ended.folder is not None]
        # Before they end, so that a kill in between cannot leave them without.
        left = [leave_files(product, ended, stopped=watch.stopped) for ended in ends]
        job = product.begin(new)
        tell_undone(product, job.folder)
        for ended, behind in zip(ends, left, strict=True):
            product.remarks += close_summary(ended, behind)
            assert ended.folder is not None  # noqa: S101 -- see above
            tell_undone(product, ended.folder)
            if ended.state is JobState.GIVEN_UP and (waiting := waiting_again(product, ended)):
                product.remarks.append(tell_waiting_again(product, ended, waiting))
        return job, found.limit


def _sizes_of(sources: Sequence[RowSource]) -> list[int]:
    with suppress(OSError):  # the survey says so
        return [source.path.stat().st_size for source in sources]
    return []


def _only_here(settings: ImportSettings, sources: Sequence[RowSource]) -> list[Path]:
    """Return the files of the inputs, if neither copies nor the job that is undone keep them."""
    is_kept = settings.reading.is_copied or undone_job(map(str, settings.reading.inputs))
    return [] if is_kept else [source.path for source in sources]


def _figures_before(earlier: Earlier) -> list[Figures]:
    return [Figures.unpack(text) for text in earlier.figures(MOST_JOBS)]


def _facts(product: Product, survey: Survey, plan: Plan) -> dict[str, str]:
    facts = _compared_later(survey.findings, plan) | _changes(plan) | _too_old(product)
    undone = undone_job(file.path for file in survey.inputs)
    folder = next((job.folder for job in product.jobs if job.name == undone), None)
    if folder is not None:  # what the undo leaves is known of the job that it takes back
        with JournalReader(folder) as journal:
            known = journal.facts()
        names = {
            NOT_TAKEN_BACK: LEAVES_STORED, WAIT_AGAIN: LETS_WAIT, CLEARED_OF: CLEARS_OF,
        }  # fmt: skip
        facts |= {its: known[name] for name, its in names.items() if name in known}
    return facts


def _compared_later(findings: Findings, plan: Plan) -> dict[str, str]:
    """Return what later jobs are compared with."""
    return {} if findings.has_left_overs else {FIGURES: Figures.of(findings, plan).pack()}


def _changes(plan: Plan) -> dict[str, str]:
    """Return what the job takes away from what is stored, as far as that was asked for."""
    return {CHANGES: json.dumps(plan.changes)} if plan.changed else {}


def _too_old(product: Product) -> dict[str, str]:
    return {TOO_OLD: str(product.too_old)} if product.too_old else {}


def _to_be_sent(
    inputs: Sequence[Input], not_sent: Mapping[Reason, RowSet], watch: Watch
) -> Iterator[Feedback]:
    """Yield the rows of the inputs that are to be sent. Raises `SurveyStoppedError`."""
    for batch in until_stopped(read_rows(inputs, RowSet(), not_sent), watch.stopped):
        yield from (item for item in batch if isinstance(item, Feedback))
