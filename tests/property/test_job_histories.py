"""Any history of jobs of a product leaves what docs/design/across-jobs.md says, and nothing else.

Kills, power losses that drop what was not synced (of each file any suffix, independently), retries,
carried-over rows, jobs that are given up, pruned or removed by hand, and lost ledgers.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from importer.errors import InputChangedError, SettingsError, UnfinishedJobError
from importer.jobs import sqlite_file
from importer.jobs.entry import Entry
from importer.jobs.identity import product_key
from importer.jobs.job import Job
from importer.jobs.journal_file import FILE_NAME
from importer.jobs.keys import conversation_of, key_of
from importer.jobs.product import Product, hold_product
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import InputFile, JobState, NewJob, RankedRow
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Rank, Reason, RunEnd
from importer.settings import ImportSettings, Retry
from tests.support.data import PRODUCT, conversation
from tests.support.histories import (
    Ended,
    ModelJob,
    ModelJournal,
    ModelLedger,
    ModelRow,
    claims,
    doubts,
    notice,
    overtaken,
    stored_before,
    take_in,
)

_ENDS: list[tuple[OutcomeKind, Reason | None]] = [
    (OutcomeKind.SUCCEEDED, None),
    (OutcomeKind.FAILED, Reason.REFUSED),
    (OutcomeKind.FAILED, Reason.RETRIES_EXHAUSTED),
    (OutcomeKind.FAILED, Reason.STORED_DIFFERS),
    (OutcomeKind.NOT_COMPLETED, Reason.DEFERRAL_DEADLINE),
]
_CONVERSATIONS = [conversation(number) for number in range(4)]
_FILES = ("", "-wal")

Saved = list[bytes | None]


def save(path: Path) -> Saved:
    """Return the files of a database as a power cut would leave them after its last commit."""
    files = [path.with_name(path.name + suffix) for suffix in _FILES]
    return [file.read_bytes() if file.exists() else None for file in files]


def restore(path: Path, saved: Saved) -> None:
    """Put the files of a database back; nothing has it open."""
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    for suffix, content in zip(_FILES, saved, strict=True):
        file = path.with_name(path.name + suffix)
        if content is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(content)


class Syncs:
    """Knows which databases were synced."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.patches = pytest.MonkeyPatch()
        creating, synced = sqlite_file.creating, sqlite_file.synced

        @contextmanager
        def noted(db: sqlite_file.Connection) -> Iterator[None]:
            with synced(db):
                yield
            self.paths.add(Path(db.execute("PRAGMA database_list").fetchone()[2]))

        @contextmanager
        def noted_as_new(path: Path, schema: str) -> Iterator[sqlite_file.Connection]:
            with creating(path, schema) as db:
                yield db
            self.paths.add(path)

        self.patches.setattr(sqlite_file, "synced", noted)
        self.patches.setattr(sqlite_file, "creating", noted_as_new)


class Versions:
    """A database and what it should say, as often as it has changed since it was synced last."""

    def __init__(self, path: Path, model: Any, syncs: Syncs) -> None:
        self.path = path
        self.model = model
        self.syncs = syncs
        self.kept: list[tuple[Saved, Any]] = []
        self.changed(synced=True)

    def changed(self, *, synced: bool) -> None:
        """Note that it has changed; it has to be `synced`, unless nothing was left to sync."""
        if self.path in self.syncs.paths:
            self.syncs.paths.remove(self.path)
            self.kept = []
        elif synced:
            assert all(model == self.model for _, model in self.kept), "it was not synced"
        self.kept.append((save(self.path), deepcopy(self.model)))

    def lose(self, data: st.DataObject) -> Any:
        """Drop some of the last changes; return the model of what is left."""
        saved, self.model = data.draw(st.sampled_from(self.kept), label=self.path.parent.name)
        restore(self.path, saved)
        self.kept = [(saved, deepcopy(self.model))]
        return self.model


class HistoriesOfJobs(RuleBasedStateMachine):
    """Plays users, runs, and the machine they run on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.syncs = Syncs()
        self.jobs_dir = self.folder / "jobs"
        self.inputs = {name: self.folder / f"{name}.csv" for name in "ab"}
        for path in self.inputs.values():
            path.write_text("x")
        self.jobs: list[ModelJob] = []
        self.journals: dict[int, Versions] = {}
        self.folders: dict[int, Path] = {}
        #: Of the input of each job, when it began.
        self.sizes: dict[int, int] = {}
        self.ledger: Versions | None = None
        #: All runs but those after the latest that lasted are quiet.
        self.lasted = 0
        #: The number of the latest run that anybody can know of.
        self.runs = 0
        self.held: ExitStack | None = None
        self.product: Product | None = None
        self.job: Job | None = None
        self.now = 0.0
        #: The input of the latest command.
        self.command = ""

    def teardown(self) -> None:
        self._leave()
        self.syncs.patches.undo()
        shutil.rmtree(self.folder)

    # What every run finds.

    def settings(self, name: str, **options: Any) -> ImportSettings:
        return ImportSettings.of(
            inputs=[self.inputs[name]], product_id=PRODUCT, jobs_dir=self.jobs_dir, **options
        )

    def hold(self, settings: ImportSettings) -> Product:
        self.held = ExitStack()
        product = self.held.enter_context(hold_product(settings))
        self.notice()
        self.check_jobs(product)
        self.product = product
        return product

    def notice(self) -> None:
        """Somebody holds the product: the ledger is there, and notes which jobs are."""
        if self.ledger is None:
            path = product_key(self.settings("a")).ledger(self.jobs_dir)
            self.ledger = Versions(path, ModelLedger(), self.syncs)
            # Nothing that is left knows of the runs of jobs that are gone.
            self.runs = max((job.journal.last_run for job in self.jobs if job.here), default=0)
            self.lasted = min(self.lasted, self.runs)
        notice(self.jobs, self.ledger.model)
        self.ledger.changed(synced=False)

    def check_jobs(self, product: Product) -> None:
        assert self.ledger is not None
        ledger: ModelLedger = self.ledger.model
        assert product.floor == ledger.floor
        assert [job.number for job in product.jobs] == sorted(ledger.known)
        for job in self.jobs:
            record = product.jobs[job.number - 1]
            assert record.is_here == job.here
            if job.here:
                assert (record.state is JobState.UNFINISHED) == self.is_unfinished(job)
            else:
                is_known = job.number in ledger.complete
                assert record.state is (JobState.PRUNED if is_known else JobState.MISSING)
        assert product.next_run > self.runs

    def is_unfinished(self, job: ModelJob) -> bool:
        assert self.ledger is not None
        ended = job.journal.finished or job.closed or job.journal.given_up
        return job.here and not ended and job.number >= self.ledger.model.floor

    def in_the_way(self) -> list[ModelJob]:
        return [
            job for job in self.jobs
            if self.is_unfinished(job) and (job.journal.has_sent or job.journal.carried)
        ]  # fmt: skip

    def check_ledger(self, product: Product) -> None:
        """R8, R9: the ledger says what the journals say."""
        assert self.ledger is not None
        product.catch_up()
        take_in(self.jobs, self.ledger.model)
        for versions in self.journals.values():
            versions.changed(synced=True)
        self.ledger.changed(synced=False)
        expected = claims(self.jobs, self.ledger.model)
        found = {
            conversation_of(line.key): (line.rank, line.run, line.body)
            for part in range(256)
            for line in product.lines(part).each()
        }
        for conversation_id, (rank, ended, _) in expected.items():
            # What an unchanged row found stored is known as long as what stored it is.
            is_forgotten = ended.kind is OutcomeKind.UNCHANGED and found[conversation_id][2] is None
            body = ended.body if ended.is_set and not is_forgotten else None
            assert found.pop(conversation_id) == (rank, ended.run, body)
        assert not found
        looked_up = product.look_up(map(key_of, _CONVERSATIONS))
        assert {conversation_of(key) for key in looked_up} == set(expected)
        assert product.conversations() == len(expected)
        left_over = {
            conversation_id: (rank, row.comment)
            for conversation_id, (rank, ended, row) in expected.items()
            if ended.is_left_over and rank.first >= self.ledger.model.floor
        }
        model, given_up = self.ledger.model, self.ledger.model.given_up
        left_over = {c: each for c, each in left_over.items() if each[0].version not in given_up}
        rows = [
            row
            for job in (self.in_the_way() if product._settings.ledger.carry_over else ())
            for row in job.journal.taken_over
        ]
        for row in (row for job in self.jobs for row in job.lost(model.floor)):
            best = expected.get(row.conversation)
            if row.rank.first >= model.floor and (best is None or best[0] < row.rank):
                rows.append(row)
        for row in (row for row in rows if row.rank.version not in given_up):
            other = left_over.get(row.conversation)
            if other is None or row.rank > other[0]:
                left_over[row.conversation] = row.rank, row.comment
        taken = {row.conversation_id: (row.rank, row.comment) for row in product.left_overs(0.0)}
        assert taken == left_over

    def check_doubts(self, product: Product) -> None:
        """R4 to R7: what is open or in doubt is known, as long as the journal or the ledger is."""
        assert self.ledger is not None
        found = {
            (conversation_of(row.key), row.rank, row.job, row.run, row.in_doubt)
            for row in product.unsure()
        }
        assert found == doubts(self.jobs, self.ledger.model)

    # Runs.

    @precondition(lambda self: self.held is None)
    @rule(
        data=st.data(),
        name=st.sampled_from("ab"),
        option=st.sampled_from(["", "", "", "carry_over", "carry_over", "replace", "restart"]),
        looks=st.booleans(),
        dies=st.sampled_from([False, False, False, True]),
    )
    def start(
        self, data: st.DataObject, name: str, option: str, *, looks: bool, dies: bool = False
    ) -> None:
        """The command is given: it resumes a job, begins one, or says what is in the way."""
        self.command = name
        settings_ = self.settings(name, **({option: True} if option else {}))
        product = self.hold(settings_)
        unfinished = self.in_the_way()
        assert len(unfinished) <= 1
        lets_go = option == "replace" or (
            option == "carry_over" and all(job.journal.keeps_bodies for job in unfinished)
        )
        try:
            job = product.resumable()
        except InputChangedError:
            self.end_refused(bool(unfinished) and not lets_go)
            return
        except UnfinishedJobError:  # A4: nobody asks for more than the rows that were left over
            is_done = option == "carry_over" and self.has_left_over(name)
            self.end_refused(bool(unfinished) and (not lets_go or is_done))
            return
        except SettingsError:  # A15: they may be overtaken
            self.end_refused(self.has_left_over(name))
            return
        if job is not None:
            self.resume(job)
            if unfinished:
                assert [one.number for one in unfinished] == [job.number]
                assert unfinished[0].journal.has_sent
        else:
            try:
                record = product.check_sequence()
            except UnfinishedJobError:
                self.end_refused(bool(unfinished) and not lets_go)
                return
            assert [one.number for one in unfinished] == ([] if record is None else [record.number])
            if looks or option == "carry_over":
                self.check_doubts(product)
                self.check_ledger(product)
            self.begin(product, option, data)
            if dies:
                self._leave()
                return
        self.begin_run(settings_)

    @precondition(lambda self: self.held is None and self.command)
    @rule(data=st.data())
    def start_again(self, data: st.DataObject) -> None:
        self.start(data, self.command, "", looks=False)

    @precondition(lambda self: self.held is None)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """R9 and J7: exactly that job, unless one is unfinished or a later one is missing."""
        if not self.jobs:
            return
        model = data.draw(st.sampled_from(self.jobs[-2:]))
        folder = self.folders[model.number].name
        # Without the ledger, the name of a folder that is gone may be used again.
        model = next(job for job in reversed(self.jobs) if self.folders[job.number].name == folder)
        settings_ = self.settings(folder[0], retry=Retry(folder=folder))
        product = self.hold(settings_)
        assert self.ledger is not None
        others = [job for job in self.in_the_way() if job is not model]
        again = [
            row for row in model.journal.rows.values()
            if row.ended is not None
            and row.ended.kind in (OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)
            and row.rank.version not in self.ledger.model.given_up
        ]  # fmt: skip
        try:
            job = product.resumable()
        except (SettingsError, UnfinishedJobError, InputChangedError):
            is_open = (self.is_unfinished(model) and model.journal.has_sent) or (
                model.here and model.journal.finished
            )
            below = model.number < self.ledger.model.floor
            is_same = self.inputs[folder[0]].stat().st_size == self.sizes[model.number]
            self.end_refused(bool(others) or not is_open or below or not again or not is_same)
            return
        assert job is not None
        assert not others
        assert job.number == model.number
        self.resume(job)
        self.begin_run(settings_)

    def has_left_over(self, name: str) -> bool:
        """Return whether the latest job of this command has ended with rows to try again (J4)."""
        assert self.ledger is not None
        same = [job for job in self.jobs if job.here and self.folders[job.number].name[0] == name]
        return bool(same) and any(
            row.ended is not None
            and row.ended.kind is OutcomeKind.NOT_COMPLETED
            and row.rank.version not in self.ledger.model.given_up
            for row in same[-1].journal.rows.values()
        )

    def end_refused(self, rightly: bool) -> None:
        assert rightly
        self._leave()

    def resume(self, job: Job) -> None:
        model = self.jobs[job.number - 1]
        again = set(job.journal.again())
        for seq, row in model.journal.rows.items():
            row.again = seq in again
        self.job = job
        versions = self.journals[job.number]
        versions.changed(synced=False)
        assert self.ledger is not None
        take_in(self.jobs, self.ledger.model)
        self.ledger.changed(synced=False)
        for other in self.journals.values():
            other.changed(synced=True)

    def begin(self, product: Product, option: str, data: st.DataObject) -> None:
        number = product.next_number
        carried = list(product.left_overs(0.0)) if option == "carry_over" else []
        rows = {
            row.seq: ModelRow(row.conversation_id, row.rank, row.comment or "") for row in carried
        }
        chosen = data.draw(st.sets(st.sampled_from(_CONVERSATIONS), min_size=1))
        ranked = []
        for seq, conversation_id in enumerate(sorted(chosen), len(carried) + 1):
            first = data.draw(st.integers(1, number), label="first")
            rank = Rank(first, number)
            if first != number:
                ranked.append((seq, rank))
            rows[seq] = ModelRow(conversation_id, rank, f"{number}-{seq}")
        name = product._name[0]
        path = self.inputs[name]
        stat = path.stat()
        file = InputFile(
            str(path), stat.st_size, stat.st_mtime_ns, "", len(chosen), len(carried) + 1
        )
        kept = [
            Feedback(seq, row.conversation, Meaning.POSITIVE, row.comment)
            for seq, row in rows.items()
            if seq > len(carried)
        ]
        record = product.check_sequence()
        self.job = product.begin(
            NewJob(
                [file], len(rows), ranked=[RankedRow(*one) for one in ranked],
                carried=carried, replaces=record,
                kept=kept if option == "carry_over" else None,
            )
        )  # fmt: skip
        for job in self.jobs:
            if self.is_unfinished(job):
                job.closed = True
                takes_over = option == "carry_over" and job.journal.keeps_bodies
                in_the_way = record is not None and record.number == job.number
                job.replaced = takes_over and in_the_way
        journal = ModelJournal(rows, keeps_bodies=option == "carry_over", carried=len(carried))
        self.jobs.append(ModelJob(number, journal))
        assert self.ledger is not None
        self.ledger.model.known.add(number)
        self.ledger.changed(synced=True)
        self.folders[number] = self.job.folder
        self.sizes[number] = stat.st_size
        self.journals[number] = Versions(
            self.job.folder / FILE_NAME, self.jobs[-1].journal, self.syncs
        )

    def begin_run(self, settings_: ImportSettings) -> None:
        assert self.job is not None
        assert self.ledger is not None
        run = self.job.begin_run(self.tick(), settings_.as_record())
        assert run > self.runs
        self.runs = run
        self.model.interrupted()
        self.model.last_run = run
        self.ledger.model.complete.discard(self.job.number)
        self.ledger.changed(synced=True)
        self.changed(synced=True)
        held = self.job.held()
        found = doubts(self.jobs, self.ledger.model)
        others = {(one[0], one[1]) for one in found if one[2] != self.job.number}
        loud = {
            (one[0], one[1]) for one in found
            if one[2] != self.job.number and one[3] >= self.lasted
        }  # fmt: skip
        assert loud <= {(key, rank) for key, ranks in held.items() for rank in ranks} <= others
        journal = self.job.journal
        assert set(journal.settled()) | set(self.model.pending) == set(self.model.rows)
        assert not set(journal.settled()) & set(self.model.pending)

    @property
    def model(self) -> ModelJournal:
        assert self.job is not None
        return self.jobs[self.job.number - 1].journal

    def changed(self, *, synced: bool) -> None:
        assert self.job is not None
        self.journals[self.job.number].changed(synced=synced)

    @precondition(lambda self: self.job is not None)
    @rule(data=st.data())
    def mark(self, data: st.DataObject) -> None:
        assert self.job is not None
        if pending := self.model.pending:
            seqs = sorted(data.draw(st.sets(st.sampled_from(pending), min_size=1)))
            self.job.journal.mark([(seq, self.model.rows[seq].conversation) for seq in seqs])
            for seq in seqs:
                self.model.rows[seq].marked = True
            self.changed(synced=True)

    @precondition(lambda self: self.job is not None)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Some marked rows get their outcomes, in one entry."""
        assert self.job is not None
        assert self.ledger is not None
        marked = [seq for seq, row in self.model.rows.items() if row.marked]
        if not marked:
            return
        entry = Entry(at=self.tick())
        for seq in sorted(data.draw(st.sets(st.sampled_from(marked), min_size=1))):
            row = self.model.rows[seq]
            reason_not_to = overtaken(row, self.job.number, self.ledger.model)
            stored = stored_before(row, self.ledger.model)
            ends = [(OutcomeKind.SUPERSEDED, reason_not_to)] if reason_not_to else _ENDS
            if stored is not None:
                ends = [*ends, (OutcomeKind.UNCHANGED, Reason.SAME_AS_STORED)]
            kind, reason = data.draw(st.sampled_from(ends))
            is_open = data.draw(st.booleans())
            ended = Ended(kind, reason, None, self.model.last_run)
            if kind is OutcomeKind.UNCHANGED:
                ended = ended._replace(body=stored)
            elif ended.is_set and data.draw(st.booleans()):
                ended = ended._replace(body=data.draw(st.integers(0, 2**64 - 1)))
                entry.bodies[seq] = ended.body
            outcome = Outcome(seq, kind, row.conversation, reason, attempts=1)
            if kind is OutcomeKind.SUCCEEDED and ended.body is not None:
                entry.stored.add(outcome, row.conversation, ended.body)
            else:
                entry.outcomes.append(outcome)
            if is_open:
                entry.opened.append((seq, row.conversation))
            if ended.is_left_over:
                feedback = Feedback(seq, row.conversation, Meaning.POSITIVE, row.comment)
                entry.left_over.append(feedback)
            row.end(ended, is_open=is_open)
        self.job.journal.write(entry)
        self.changed(synced=False)

    @precondition(lambda self: self.job is not None)
    @rule()
    def last(self) -> None:
        assert self.job is not None
        assert self.ledger is not None
        self.job.lasted()
        self.lasted = max(self.lasted, self.model.last_run)
        self.changed(synced=False)
        self.ledger.changed(synced=False)

    @precondition(lambda self: self.job is not None)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """The run ends cleanly: it knows which rows it has sent."""
        assert self.job is not None
        marked = [seq for seq, row in self.model.rows.items() if row.marked]
        sent = data.draw(st.sets(st.sampled_from(marked))) if marked else set()
        if any(self.model.rows[seq].ended is None for seq in self.model.pending):
            end = RunEnd.SIGINT
        else:
            end = RunEnd.SIGINT if sent else RunEnd.FINISHED
        rows = [(seq, self.model.rows[seq].conversation) for seq in sorted(sent)]
        self.job.journal.end_run(self.tick(), end, "", rows)
        self.model.ended_cleanly(sent)
        self.model.finished = self.model.finished or end is RunEnd.FINISHED
        self.changed(synced=True)
        self._leave()

    @precondition(lambda self: self.job is not None)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Each row gets an outcome, and the job has ended."""
        assert self.job is not None
        if pending := self.model.pending:
            self.job.journal.mark([(seq, self.model.rows[seq].conversation) for seq in pending])
            for seq in pending:
                self.model.rows[seq].marked = True
            self.changed(synced=True)
        while any(row.marked for row in self.model.rows.values()):
            self.answer(data)
        self.end(data)

    @precondition(lambda self: self.job is not None)
    @rule()
    def kill(self) -> None:
        self.model.interrupted()
        self._leave()

    @precondition(lambda self: self.job is not None)
    @rule(data=st.data())
    def lose_power(self, data: st.DataObject) -> None:
        """Each file keeps some of its changes, at least the synced ones."""
        assert self.ledger is not None
        self._leave()
        for job in self.jobs:
            if job.here:
                job.journal = self.journals[job.number].lose(data)
                job.journal.interrupted()
        self.ledger.lose(data)

    # Between runs.

    @precondition(lambda self: self.held is None and self.jobs)
    @rule(name=st.sampled_from("ab"))
    def change_input(self, name: str) -> None:
        self.inputs[name].write_text("x" * (self.inputs[name].stat().st_size + 1))

    @precondition(lambda self: self.held is None and self.jobs)
    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        """R10."""
        job = data.draw(st.sampled_from(self.jobs))
        with hold_jobs(self.jobs_dir, product_key(self.settings("a"))) as product:
            self.notice()
            assert self.ledger is not None
            ledger: ModelLedger = self.ledger.model
            record = product.jobs[job.number - 1]
            closed = job.closed or job.journal.given_up or job.number < ledger.floor
            at_rest = job.here and (job.journal.finished or closed)
            assert product.may_be_pruned(record) == (at_rest and job.number < len(product.jobs))
            prunes = product.may_be_pruned(record)
            if prunes:
                ledger.taken[job.number] = deepcopy(job.journal)
                ledger.complete.add(job.number)
                product.prune(record)
                self._gone(job)
        self.ledger.changed(synced=prunes)

    @precondition(lambda self: self.held is None and self.jobs)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        """R11."""
        job = data.draw(st.sampled_from(self.jobs))
        with hold_jobs(self.jobs_dir, product_key(self.settings("a"))) as product:
            self.notice()
            try:
                product.abandon(product.jobs[job.number - 1], self.tick())
            except SettingsError:
                assert not self.is_unfinished(job)
            else:
                assert self.ledger is not None
                if self.is_unfinished(job):
                    job.journal.given_up = True
                else:
                    job.journal.rest_given_up = True
                    self.ledger.model.given_up.add(job.number)
                self.journals[job.number].changed(synced=True)
        assert self.ledger is not None
        self.ledger.changed(synced=False)

    @precondition(lambda self: self.held is None and self.jobs)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Somebody removes a folder by hand; not the highest one, which could not be missed."""
        here = [job for job in self.jobs if job.here and job is not self.jobs[-1]]
        if here:
            job = data.draw(st.sampled_from(here))
            shutil.rmtree(self.folders[job.number])
            self._gone(job)

    @precondition(lambda self: self.held is None and self.ledger is not None)
    @rule(damaged=st.booleans())
    def lose_ledger(self, damaged: bool) -> None:
        assert self.ledger is not None
        if damaged:
            self.ledger.path.write_bytes(b"no database" * 1000)
        else:
            self.ledger.path.unlink()
        self.ledger = None

    @precondition(lambda self: self.held is None and self.jobs)
    @rule()
    def look(self) -> None:
        """What a run would find is what there is, by doubts and by lines."""
        product = self.hold(self.settings("a", carry_over=True, replace=True))
        self.check_doubts(product)
        self.check_ledger(product)
        self.check_doubts(product)
        self._leave()

    @precondition(lambda self: self.job is not None)
    @invariant()
    def nothing_marked_is_unknown(self) -> None:
        assert self.job is not None
        found = {(one.seq, one.run, bool(one.in_doubt)) for one in self.job.journal.doubts()}
        assert found == self.model.all_doubts()

    def tick(self) -> float:
        self.now += 1
        return self.now

    def _gone(self, job: ModelJob) -> None:
        job.here = False
        del self.journals[job.number]

    def _leave(self) -> None:
        if self.job is not None:
            self.job.close()
        if self.held is not None:
            self.held.close()
        self.held = self.product = self.job = None


def play(histories: int, steps: int) -> None:
    run_state_machine_as_test(
        HistoriesOfJobs,
        settings=settings(
            max_examples=histories, stateful_step_count=steps, deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )  # fmt: skip


def test_histories_of_jobs_leave_what_the_rules_say() -> None:
    play(15, 30)


@pytest.mark.long
@pytest.mark.slow
def test_very_many_histories_do(budget: float) -> None:
    until = time.monotonic() + budget
    while time.monotonic() < until:
        play(50, 50)
