"""Whether every row that was read is accounted for at the end of a run."""

from __future__ import annotations

from importer.common.text import counted
from importer.engine.run import Run
from importer.errors import AccountingError
from importer.jobs.records import Totals
from importer.model import OutcomeKind


def check_accounts(totals: Totals, settled_before: int, run: Run) -> None:
    """Raise `AccountingError` unless every row that was read is accounted for.

    The journal's count, the run's own and the queue's are taken independently of each other.
    """
    pending = totals.outcomes[OutcomeKind.PENDING]
    finished = run.control.end is None and not run.has_reached_limit
    if (
        run.admitted != run.recorded + run.outstanding
        or totals.settled != settled_before + run.recorded
        or pending < run.outstanding
        or (finished and pending)
    ):
        raise AccountingError(
            f"the outcomes do not add up: {counted(totals.rows, 'row')}, {totals.settled} done, "
            f"{settled_before} of them before this run, {run.admitted} admitted, {run.recorded} "
            f"recorded, {run.outstanding} outstanding. This is a defect of the importer; please "
            "report it. The journal is kept"
        )
