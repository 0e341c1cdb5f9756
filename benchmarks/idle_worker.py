"""A worker that makes no request: what is left is what the command does for it."""

from __future__ import annotations

import threading

from importer.common.row_set import RowSet
from importer.distributed.wire import Finish
from importer.distributed.worker import Worker
from importer.engine.resume import ResumeState
from importer.jobs.entry import Entry
from importer.jobs.records import Totals
from importer.model import Feedback, Outcome, OutcomeKind

_STORED_AT = "2026-01-02T03:04:05.678901Z"


class IdleWorker(Worker):
    """It answers at once that all its rows are stored."""

    def begin(self, assignment: bytes, key: bytes | None) -> None:  # noqa: ARG002 -- no request
        """See `Worker`."""
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        resumed, entry = ResumeState(Totals(0, {}, {}, {}, 0), RowSet(), {}), Entry()
        for batch in self._link.batches(resumed, set()):
            for row in batch:
                assert isinstance(row, Feedback)
                outcome = Outcome(
                    row.seq, OutcomeKind.SUCCEEDED, row.conversation_id, http_status=200,
                    attempts=1, updated_at=_STORED_AT,
                )  # fmt: skip
                entry.stored.add(outcome, row.conversation_id, row.seq)
            if not batch:  # that is all for the moment
                self._link.write(entry)
                entry = Entry()
        self._link.finished(Finish(None, "", ()))
