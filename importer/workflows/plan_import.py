"""What a run would do now, without doing it: `clarityq-import plan` and `run --dry-run`.

It is the run's own survey and comparison, under the same lock; no job is begun and nothing is sent
(docs/reference.md, V4).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from importer.common.text import counted
from importer.errors import ExitCode, JobHeldError
from importer.feedback.body import BodyCoder
from importer.jobs.carry_over import carried_given_up
from importer.jobs.ends import end_in_words
from importer.jobs.identity import job_name, product_key
from importer.jobs.journal_reader import JournalReader
from importer.jobs.ledger_lines import Lines
from importer.jobs.placing import PlacedRow
from importer.jobs.product import GivenBefore, Product, hold_product
from importer.jobs.records import CarriedRow, InputFile, JobRecord, JobState, Line, Unsure
from importer.model import OutcomeKind
from importer.settings import ImportSettings
from importer.sources.base import RowSource
from importer.sources.copies.partial_copy import CopyWatch
from importer.survey.findings import Findings
from importer.survey.plan import Plan
from importer.survey.progress import SurveyProgress
from importer.survey.survey_pass import current_inputs
from importer.workflows.begin_job import Watch, prospect
from importer.workflows.draft import propose_columns
from importer.workflows.open_inputs import copies_to_go_on_with, open_inputs

#: Seconds between two tries to get hold of a product that another run holds.
_LOCK_INTERVAL = 0.5
_Tell = Callable[[SurveyProgress], None]


@dataclass(frozen=True, slots=True)
class Resumed:
    """The job that a run would resume: it is surveyed already, and not compared anew."""

    job: str
    rows: int
    #: Those that the run would still work on.
    left: int
    #: Those beside them that it would not send, as the job that brought them was given up (A17).
    given_up: int

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of `plan`."""
        return ExitCode.OK


class LastSetBy(NamedTuple):
    """A job that came last to conversations to which other feedback would be sent."""

    job: str
    #: When it began, in UTC; None if that is not known.
    day: date | None
    conversations: int


@dataclass(frozen=True, slots=True, repr=False)
class Preview:
    """What a run would begin with. Nothing of it would be sent if there is a `limit`."""

    findings: Findings
    plan: Plan
    #: Why nothing would be sent, in words; None if it would.
    limit: str | None
    #: The unfinished job that would end.
    replaces: str | None
    #: What would become of unfinished jobs, in words.
    ends: Sequence[str]
    #: Whose feedback the rows that are sent would replace, or that of a row that it has tried to
    #: send: the latest first.
    last_set_by: Sequence[LastSetBy]

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code of `plan`."""
        if self.limit is not None:
            return ExitCode.DATA_LIMIT
        return ExitCode.ROWS_NOT_IMPORTED if self.findings.rejected else ExitCode.OK

    def __repr__(self) -> str:
        told = f"{self.plan.to_send:,} of {counted(self.findings.rows, 'row')} would be sent"
        return f"<Preview: {self.limit or told}>"


def plan_import(
    settings: ImportSettings,
    progress: _Tell = lambda _: None,
    told: Callable[[str], None] = lambda _: None,
    key_source: Sequence[str] = (),
) -> Preview | Resumed:
    """Return what a run with these settings would do.

    `key_source` are the options that say where a run has the key, for commands that are told.
    `told` is told of copies: what is no local file is copied for as long as this takes. Raises an
    `ImporterError` where the run would not begin: `InputError`, `UnfinishedJobError`,
    `JobHeldError` and others.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clarityq-plan-")))
        watch = CopyWatch(told=told)
        if not settings.job.jobs_dir.exists():
            sources = _opened(stack, settings, scratch, watch)
            return _preview(settings, sources, _NoJobs(settings), scratch, progress)
        # What is wrong with local files is said before the product is held.
        sources = [] if settings.reading.is_copied else _opened(stack, settings, scratch, watch)
        product, copies = _held(stack, settings, key_source), None
        if settings.reading.is_copied:
            copies = copies_to_go_on_with(product, settings)
            sources = _opened(stack, settings, copies or scratch, watch)
        if not settings.reading.is_copied or copies is not None:
            resumed = _resumed(product, sources)
            if resumed is not None:
                return resumed
        return _preview(settings, sources, product, settings.job.jobs_dir, progress)


def _opened(
    stack: ExitStack, settings: ImportSettings, copies: Path, watch: CopyWatch
) -> list[RowSource]:
    sources = open_inputs(settings, copies, watch)
    for source in sources:
        stack.callback(source.close)
    return sources


class _NoJobs:
    """A product of which there is no job yet, so that nothing is left behind where nothing was."""

    floor = 0
    next_number = 1
    jobs: Sequence[JobRecord] = ()

    def __init__(self, settings: ImportSettings) -> None:
        self.coder = BodyCoder(*product_key(settings))

    def lines(self, part: int) -> Lines:  # noqa: ARG002 -- as a product has it
        return Lines()

    def look_up(self, keys: Iterable[bytes]) -> dict[bytes, Line]:  # noqa: ARG002
        return {}

    def unsure(self) -> Iterator[Unsure]:
        return iter(())

    def number_of(self, name: str) -> int | None:  # noqa: ARG002
        return None

    def is_placed(self, name: str) -> bool:  # noqa: ARG002
        return False

    def give_way(self, name: str, rows: Sequence[PlacedRow]) -> set[PlacedRow]:  # noqa: ARG002
        return set()

    def check_sequence(self) -> JobRecord | None:
        return None

    def may_be_replaced(self, sizes: Sequence[int]) -> bool:  # noqa: ARG002
        return False

    def replaced_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:  # noqa: ARG002
        return None

    def taken_back_before(self, inputs: Sequence[InputFile]) -> GivenBefore | None:  # noqa: ARG002
        return None

    def ends(self, replaced: JobRecord | None) -> list[JobRecord]:  # noqa: ARG002
        return []

    def left_overs(self, now: float) -> Iterator[CarriedRow]:  # noqa: ARG002
        return iter(())

    def figures(self, most: int) -> list[str]:  # noqa: ARG002
        return []


def _held(stack: ExitStack, settings: ImportSettings, key_source: Sequence[str]) -> Product:
    """Hold the product, and wait for another run to let go of it as long as the user has said."""
    until = time.monotonic() + settings.job.wait_for_lock
    while True:
        try:
            return stack.enter_context(hold_product(settings, key_source))
        except JobHeldError:
            if time.monotonic() >= until:
                raise
        time.sleep(_LOCK_INTERVAL)


def _preview(
    settings: ImportSettings,
    sources: list[RowSource],
    earlier: Product | _NoJobs,
    scratch: Path,
    progress: _Tell,
) -> Preview:
    watch = Watch(progress=progress)
    with prospect(earlier, settings, sources, scratch, watch, in_full=True) as found:
        replaces = None if found.replaces is None else found.replaces.name
        name, inputs = job_name(settings), found.survey.inputs
        ends = [end_in_words(job, name, inputs) for job in found.ends]
        last = _last_set_by(found.plan, earlier.jobs)
        propose_columns(found.survey.findings, settings)
        return Preview(found.survey.findings, found.plan, found.limit, replaces, ends, last)


def _last_set_by(plan: Plan, jobs: Sequence[JobRecord]) -> list[LastSetBy]:
    last = []
    for number in sorted(plan.came_last, reverse=True):
        job = jobs[number - 1]
        day = datetime.fromtimestamp(job.began_at, UTC).date() if job.began_at else None
        name = job.name or f"job {number}, whose name is not known"
        last.append(LastSetBy(name, day, plan.came_last[number]))
    return last


def _resumed(product: Product, sources: list[RowSource]) -> Resumed | None:
    """Return the job that a run would resume; None if it would begin one."""
    job = product.goes_on_with(current_inputs(sources))
    if job is None or job.folder is None:
        return None
    with JournalReader(job.folder) as journal:
        totals, given_up = journal.totals(), product.given_up_rows()
        if job.state is JobState.UNFINISHED:
            gone, left = carried_given_up(journal, given_up).count, OutcomeKind.PENDING
        else:
            gone = sum(given_up.has(*row) for row in journal.left_overs(waiting=True))
            left = OutcomeKind.NOT_COMPLETED
    return Resumed(job.name, totals.rows, totals.outcomes[left] - gone, gone)
