"""All jobs of a jobs folder, for a person: read without holding anything, also while they run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from importer.errors import JournalError
from importer.jobs.census import Census, take_census
from importer.jobs.folders import job_folders
from importer.jobs.identity import ProductKey
from importer.jobs.inputs import undone_job
from importer.jobs.journal_head import Head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.ledger import known_jobs
from importer.jobs.lock import is_held
from importer.jobs.own_commands import has_undo_to_begin
from importer.jobs.product_jobs import read_heads
from importer.jobs.records import (
    BEGUN_AT,
    GivenUp,
    JobRecord,
    JobState,
    LastRun,
    Totals,
)
from importer.jobs.surveys import UnreadJob, surveys_in
from importer.jobs.undo_rows import given_up_rows
from importer.jobs.undo_void import TakenBack, taken_back
from importer.model import OutcomeKind, RunEnd

#: In seconds.
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job whose journal can be read."""

    record: JobRecord
    product: ProductKey
    folder: Path
    totals: Totals
    #: Its latest run; None if it has never run. Where that was killed it has no end, but for a job
    #: that was replaced or given up.
    run: LastRun | None
    #: Who imports it, or why; None if nobody has said.
    label: str | None
    #: A run is at work on it right now.
    running: bool
    #: It is the last job of its product.
    is_last: bool
    #: When it began, in Unix seconds.
    began_at: float
    #: The folders of its inputs, while it is unfinished.
    reads_from: Sequence[Path] = ()
    #: The folder of the job that it takes back, while it has rows left over: that tells whose they
    #: are.
    left_over_of: Sequence[Path] = ()
    #: It was taken back, or is being, and that was not taken back itself.
    is_taken_back: bool = False
    #: That has not come to its end.
    is_undo_unfinished: bool = False
    #: That was given up, with so many rows done.
    undone_until: int | None = None

    @property
    def end(self) -> RunEnd | None:
        """How its latest run ended; None without one, or if it is at work or was killed.

        One that was killed while it tried rows again leaves the job as ended as it was.
        """
        end = None if self.run is None else self.run.end
        is_ended = self.record.state is JobState.ENDED and not self.running
        return RunEnd.FINISHED if end is None and is_ended else end

    @property
    def latest_start(self) -> float:
        """When its latest run started or, if it has never run, it began, in Unix seconds."""
        return self.began_at if self.run is None else self.run.started_at

    @property
    def last_seen(self) -> float:
        """When its latest run ended or, if that is not known, started, in Unix seconds."""
        if self.run is None:
            return self.began_at
        return self.run.started_at if self.run.ended_at is None else self.run.ended_at

    @property
    def may_be_pruned(self) -> bool:
        """Whether its folder may be removed (docs/reference.md, A16)."""
        return self.record.state.is_at_rest and not self.is_last and not self.running


@dataclass(frozen=True, slots=True)
class Listing:
    """What a jobs folder holds."""

    #: The oldest run first.
    jobs: Sequence[ListedJob] = ()
    #: The jobs whose survey was not finished.
    surveys: Sequence[UnreadJob] = ()
    #: Of each folder that cannot be used its name, and why.
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Undos:
    """What the jobs of a product tell of undos, taken in their order."""

    #: The jobs by their names.
    numbers: Mapping[str, int]
    told: dict[int, TakenBack] = field(default_factory=dict)
    #: Jobs whose undo has yet to begin.
    to_begin: set[int] = field(default_factory=set)
    #: Those whose undo is not finished.
    undone_now: set[int] = field(default_factory=set)
    #: Those whose latest undo was given up: how many rows it has done, with those before it.
    until: dict[int, int] = field(default_factory=dict)

    def take(
        self, job: JobRecord, undone: str | None, facts: Mapping[str, str], totals: Totals
    ) -> None:
        """Take what the journal of a job says, which is the undo of the one named `undone`."""
        self.told[job.number] = told = TakenBack.of(undone, facts, self.numbers)
        undoes = told.undoes
        if has_undo_to_begin(facts):
            self.to_begin.add(job.number)
        if undoes is None:
            return
        self.to_begin.discard(undoes)
        before = self.until.pop(undoes, 0)
        if job.state is JobState.UNFINISHED:
            self.undone_now.add(undoes)
        elif job.state.is_closed:
            self.until[undoes] = before + totals.rows - totals.outcomes[OutcomeKind.PENDING]

    def tell(self, jobs: Iterable[ListedJob]) -> Iterator[ListedJob]:
        """Yield the jobs with what undos have done to them."""
        gone = taken_back(self.told)
        for job in jobs:
            number = job.record.number
            yield replace(
                job,
                is_taken_back=number in gone,
                is_undo_unfinished=number in self.to_begin | self.undone_now,
                undone_until=self.until.get(number),
            )


def list_jobs(jobs_dir: Path, product: ProductKey | None = None) -> Listing:
    """Return what the jobs folder holds; with a `product`, only the jobs of that."""
    heads, _ = read_heads(jobs_dir)
    readable = {head.folder for head in heads}
    products: dict[ProductKey, dict[int, Head]] = defaultdict(dict)
    jobs: list[ListedJob] = []
    unreadable: dict[str, str] = {}
    for head in heads:
        numbered = products[head.product]
        if (other := numbered.setdefault(head.number, head)) is not head:
            unreadable[head.folder.name] = f"it is a copy of {other.folder.name}, or in its place"
    for key, numbered in products.items():
        if product not in (None, key):
            continue  # all rows would be counted
        group = list(numbered.values())
        known, floor = known_jobs(key.ledger(jobs_dir))
        records = take_census(group, known, floor).jobs
        held = is_held(jobs_dir, key.name)
        newest = max(group, key=lambda head: head.last_run).folder
        undos = _Undos({record.name: record.number for record in records})
        of_product: list[ListedJob] = []
        for record in records:
            if record.folder is None:
                continue
            try:
                with JournalReader(record.folder) as journal:
                    run, totals = journal.last_run(), journal.totals()
                    is_at_work = held and run is not None and run.end is None
                    running = is_at_work and record.folder == newest
                    if record.state.is_closed and not running:
                        run = journal.closed_run()
                    label = journal.label()
                    facts = journal.facts()
                    begun = facts.get(BEGUN_AT)
                    began_at = journal.path.stat().st_mtime if begun is None else float(begun)
                    is_unfinished = record.state is JobState.UNFINISHED
                    folders = [Path(file.path).parent for file in journal.inputs()]
                    undone = undone_job(file.path for file in journal.inputs())
                    has_rest = undone is not None and next(journal.left_overs(), None) is not None
            except JournalError as error:
                unreadable[record.name] = str(error)
                continue
            is_last = record.number == len(records)
            undos.take(record, undone, facts, totals)
            of_product.append(
                ListedJob(
                    record,
                    key,
                    record.folder,
                    totals,
                    run,
                    label,
                    running,
                    is_last,
                    began_at,
                    folders if is_unfinished else (),
                    folders if has_rest else (),
                )
            )
        jobs += undos.tell(of_product)
    for folder in job_folders(jobs_dir):
        if folder not in readable:
            unreadable[folder.name] = _why(folder)
    jobs.sort(key=lambda job: (job.latest_start, job.folder))
    return Listing(jobs, surveys_in(jobs_dir), unreadable)


def jobs_of(
    jobs_dir: Path, key: ProductKey, heads: Iterable[Head] | None = None
) -> tuple[Census, set[int]]:
    """Return the jobs of a product, and of which of them nothing is tried again that is left over.

    As a person may ask: without holding anything. `heads` are those in the folder, if they are
    known.
    """
    heads = read_heads(jobs_dir)[0] if heads is None else heads
    heads = [head for head in heads if head.product == key]
    numbered = {head.number: head for head in reversed(heads)}
    given_up = {number for number, head in numbered.items() if head.left_overs_given_up}
    return take_census([*numbered.values()], *known_jobs(key.ledger(jobs_dir))), given_up


def given_up_in(jobs_dir: Path, key: ProductKey) -> GivenUp:
    """Return which of the rows that jobs of a product have left over are not tried again (A17).

    As a person may ask. Raises `JournalError`.
    """
    census, given_up = jobs_of(jobs_dir, key)
    return given_up_rows(census.jobs, given_up)


def _why(folder: Path) -> str:
    try:
        JournalReader(folder).close()
    except JournalError as error:
        return str(error)
    return "it is incomplete"


def surveys_to_prune(surveys: Iterable[Path], oldest: float) -> list[Path]:
    """Return the folders of unfinished surveys that `jobs prune` removes.

    Those stay in which something was written at `oldest` (Unix seconds) or later, and in the last
    day: a run may be at work there.
    """
    before = min(oldest, time.time() - _DAY)
    return [folder for folder in surveys if _written(folder) < before]


def _written(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def to_drop_comments(jobs: Sequence[ListedJob], oldest: float) -> list[ListedJob]:
    """Return the jobs at rest that were at work last before `oldest`, in Unix seconds."""
    needed = {folder.name for job in jobs for folder in job.reads_from}
    return [
        job
        for job in jobs
        if job.record.state.is_at_rest
        and not job.running
        and job.last_seen < oldest
        and job.folder.name not in needed
    ]


def to_prune(
    jobs: Sequence[ListedJob], *, oldest: float | None, keep_last: int | None
) -> list[ListedJob]:
    """Return the jobs that `jobs prune` removes, the oldest first.

    Those stay that were at work at `oldest` (Unix seconds) or later, and of each product the
    `keep_last` that ended last; so do all that may not be pruned, and those whose undo is not
    finished, or has rows left over.
    """
    needed = {folder.name for job in jobs for folder in (*job.reads_from, *job.left_over_of)}
    ended = sorted(
        (job for job in jobs if job.record.state.is_at_rest), key=lambda job: job.last_seen
    )
    kept: dict[ProductKey, list[ListedJob]] = defaultdict(list)
    for job in reversed(ended):
        if len(kept[job.product]) < (keep_last or 0):
            kept[job.product].append(job)
    return [
        job
        for job in ended
        if job.may_be_pruned
        and job not in kept[job.product]
        and job.folder.name not in needed
        and (oldest is None or job.last_seen < oldest)
    ]


def names_of_gone(jobs_dir: Path) -> list[str]:
    """Return the names of jobs whose folders are gone (they were pruned, say), as ledgers tell."""
    here = {head.id for head in read_heads(jobs_dir)[0]}
    known = (job for path in jobs_dir.glob("ledger-*.sqlite") for job in known_jobs(path)[0])
    return [
        job.folder
        for job in known
        if job.folder and job.id not in here and not (jobs_dir / job.folder).exists()
    ]
