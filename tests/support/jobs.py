"""Jobs of one product, made without reading or sending anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.inputs import UNDO_NAME
from importer.jobs.job import Job
from importer.jobs.keys import key_of
from importer.jobs.product import Product, hold_product
from importer.jobs.product_jobs import ProductJobs, hold_jobs
from importer.jobs.records import InputFile, NewJob, RankedRow
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Rank, Reason, RunEnd
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation

SUCCEEDED = (OutcomeKind.SUCCEEDED, None)
EXHAUSTED = (OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED)
REFUSED = (OutcomeKind.FAILED, Reason.REFUSED)
WAITING = (OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE)
DIFFERS = (OutcomeKind.FAILED, Reason.STORED_DIFFERS)
UNCHANGED = (OutcomeKind.UNCHANGED, Reason.SAME_AS_STORED)

#: How a job begins with `--carry-over`, as if none of its own rows were to be sent.
KEEPING: dict[str, Any] = {"begun": {"kept": []}, "carry_over": True}


class Desk:
    """A folder with inputs and jobs. The row of number n is of conversation n."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs_dir = folder / "jobs"

    def settings(self, name: str = "a", **options: Any) -> ImportSettings:
        """Return the settings of an import of `name.csv`."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            path.write_text("x")
        defaults = {"product_id": PRODUCT, "jobs_dir": self.jobs_dir}
        return ImportSettings.of(inputs=[path], **{**defaults, **options})

    def hold(self, name: str = "a", **options: Any) -> Any:
        """Hold the product for such an import."""
        return hold_product(self.settings(name, **options))

    def jobs(self) -> AbstractContextManager[ProductJobs]:
        """Hold the jobs of the product."""
        return hold_jobs(self.jobs_dir, product_key(self.settings()))

    def prune(self, number: int) -> None:
        """Let the folder of the job of that number go."""
        with self.jobs() as product:
            product.prune(product.jobs[number - 1])

    def new(self, name: str = "a", rows: int = 3, **details: Any) -> NewJob:
        """Return what a job begins with."""
        path = self.folder / f"{name}.csv"
        found = path.stat()
        file = InputFile(str(path), found.st_size, found.st_mtime_ns, "", rows, 1)
        details["ranked"] = [RankedRow(*one) for one in details.get("ranked", ())]
        return NewJob([file], rows, **details)

    @contextmanager
    def run(
        self, name: str = "a", *, rows: int = 3, begun: dict[str, Any] | None = None,
        at: float = 0.0, **options: Any,
    ) -> Iterator[Job]:  # fmt: skip
        """Let a run work on the job: resumed, or begun. Without `finish` it ends as if killed."""
        with self.hold(name, **options) as product:
            job = product.resumable() or self.begin(product, name, rows, **(begun or {}))
            with closing(job):
                job.begin_run(at, self.settings(name, **options).as_record())
                yield job

    def begin(self, product: Product, name: str = "a", rows: int = 3, **details: Any) -> Job:
        """Begin a job in the place of the one that may be in the way."""
        replaces = product.check_sequence()
        return product.begin(self.new(name, rows, replaces=replaces, **details))

    def night(
        self,
        ends: Sequence[tuple[OutcomeKind, Reason | None]],
        name: str = "a",
        *,
        opened: Sequence[int] = (),
        begun: dict[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Let a whole job end with these outcomes, and return the name of its folder."""
        with self.run(name, rows=len(ends), begun=begun, restart=True, **options) as job:
            mark(job, *range(1, len(ends) + 1))
            answer(job, dict(enumerate(ends, 1)), opened=opened)
            finish(job)
            return job.folder.name

    def take_back(
        self,
        number: int,
        ends: Mapping[int, tuple[OutcomeKind, Reason | None]],
        *,
        after_all: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Take back the job of that number, and let the undo end with these outcomes.

        It sends rows of earlier jobs `after_all`: by their numbers, who has brought them.
        """
        with self.jobs() as product:
            job = product.jobs[number - 1]
            rows = [(key_of(conversation(row)), by) for row, by in after_all.items()]
            product.note_withdrawn(job, rows)
            undo = len(product.jobs) + 1
        file = InputFile(str(self.jobs_dir / job.name / UNDO_NAME), 1, 1, "", 9, 1)
        ranked = [RankedRow(row, Rank(number, undo)) for row in ends]
        with (
            self.hold() as product,
            closing(product.begin(NewJob([file], 9, ranked=ranked))) as job,
        ):
            job.begin_run(0.0, {})
            answer(job, dict(ends))
            finish(job)


def mark(job: Job, *seqs: int) -> None:
    """Mark rows as those that may be sent now."""
    job.journal.mark([(seq, conversation(seq)) for seq in seqs])


def answer(
    job: Job,
    ends: dict[int, tuple[OutcomeKind, Reason | None]],
    *,
    opened: Sequence[int] = (),
    at: float = 1.0,
) -> None:
    """Record outcomes, in one entry; the body of a row is its number."""
    entry = Entry(at=at)
    for seq, (kind, reason) in ends.items():
        outcome = Outcome(seq, kind, conversation(seq), reason, attempts=1)
        if (kind, reason) == SUCCEEDED:
            entry.stored.add(outcome, conversation(seq), seq)
            continue
        entry.outcomes.append(outcome)
        entry.bodies[seq] = seq if (kind, reason) in (DIFFERS, UNCHANGED) else None
        if (kind, reason) in (EXHAUSTED, WAITING):
            entry.left_over.append(
                Feedback(seq, conversation(seq), Meaning.POSITIVE, f"{job.number}-{seq}")
            )
    entry.opened += [(seq, conversation(seq)) for seq in opened]
    job.journal.write(entry)


def finish(job: Job, end: RunEnd = RunEnd.FINISHED, *, sent: Sequence[int] = ()) -> None:
    """End the run cleanly; `sent` are the rows that were sent and have no outcome."""
    job.journal.end_run(2.0, end, "", [(seq, conversation(seq)) for seq in sent])
