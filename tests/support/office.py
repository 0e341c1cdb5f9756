"""A run whose job, journal and service are the test's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import anyio

from importer.clarityq.responses import Verdict, VerdictKind
from importer.clarityq.rotating_client import RotatingClient
from importer.common.row_set import RowSet
from importer.engine.clock import Clock
from importer.engine.control import Control
from importer.engine.progress import Observer, Progress
from importer.engine.reader import Batch
from importer.engine.resume import ResumeState
from importer.engine.run import Run
from importer.feedback.body import BodyCoder
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.model import Feedback, Meaning, OutcomeKind
from importer.pacing import Finder
from importer.settings import ImportSettings
from tests.support.data import conversation

STORED = Verdict(VerdictKind.APPLIED, http_status=200)
COMPLETED = Verdict(VerdictKind.COMPLETED, http_status=200)


def rows(*seqs: int) -> list[Feedback]:
    """Return rows with these numbers, which are those of their conversations."""
    return [Feedback(seq, conversation(seq), Meaning.POSITIVE, None) for seq in seqs]


class Office(Observer):
    """A run with its job, its journal and its service.

    A PUT is answered once `gate` says so of the row's number, with the next of its `verdicts`; by
    default at once, and all is stored. The batches have an end once `is_all` says so. `speed` is
    that of the run's clock.
    """

    number = 7
    body_of = BodyCoder("p", "u")

    def __init__(
        self,
        settings: ImportSettings,
        *batches: Batch,
        not_completed: Sequence[str] = (),
        succeeded: int = 0,
        is_marked: bool = False,
        finder: Finder | None = None,
        speed: float = 1.0,
    ) -> None:
        self.events: list[tuple[str, int]] = []
        self.entries: list[Entry] = []
        self.seen: list[Progress] = []
        self.said: list[str] = []
        self.at_once = self.most = 0
        self.verdicts: dict[int, list[Verdict]] = {}
        self.gate: Callable[[int], bool] = lambda _: True
        self.is_all: Callable[[], bool] = lambda: True
        number = sum(map(len, batches)) + succeeded
        outcomes = dict.fromkeys(OutcomeKind, 0)
        outcomes |= {OutcomeKind.PENDING: number - succeeded, OutcomeKind.SUCCEEDED: succeeded}
        totals = Totals(number, outcomes, {}, {}, 0)
        self.control = Control()
        self.clock = Clock(lambda: speed * time.monotonic())
        self.began = self.clock.monotonic()
        self.run = Run(
            settings, self, ResumeState(totals, RowSet(), {}, not_completed), self._read(batches),
            cast("RotatingClient", self), self.control, [self], self.clock, finder,
            is_marked=is_marked,
        )  # fmt: skip

    def _read(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        yield from batches
        while not self.is_all():
            time.sleep(0.002)  # on the thread that reads

    @property
    def journal(self) -> Office:
        return self

    def lasted(self) -> None:
        self.events.append(("lasted", 0))

    def mark(self, marked: Sequence[tuple[int, str]]) -> None:
        self.events += [("mark", seq) for seq, _ in marked]

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)

    def progressed(self, progress: Progress) -> None:
        self.seen.append(progress)

    def noticed(self, message: str) -> None:
        self.said.append(message)

    async def put(self, feedback: Feedback) -> Verdict:
        seq = feedback.seq
        self.events.append(("put", seq))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            while not self.gate(seq):  # noqa: ASYNC110 -- it is of many kinds
                await anyio.sleep(0.002)
        finally:
            self.at_once -= 1
        told = self.verdicts.get(seq)
        return told.pop(0) if told else STORED

    async def status(self, conversation_id: str, *, shows_key: bool = False) -> Verdict:
        del shows_key
        self.events.append(("status", int(conversation_id[-12:], 16)))
        return COMPLETED

    async def work(self) -> None:
        with anyio.fail_after(60):
            await self.run.work()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when it holds."""
        with anyio.fail_after(60):
            while not condition():  # noqa: ASYNC110 -- as above
                await anyio.sleep(0.002)

    def puts(self) -> list[int]:
        return [seq for what, seq in self.events if what == "put"]

    def ended(self) -> dict[int, OutcomeKind]:
        found = {one.seq: one.kind for entry in self.entries for one in entry.outcomes}
        stored = {seq: OutcomeKind.SUCCEEDED for entry in self.entries for seq in entry.stored.seqs}
        return found | stored
