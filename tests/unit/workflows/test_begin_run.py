"""Which rows of a job a run passes over."""

import shutil
from pathlib import Path
from unittest.mock import patch

from importer.common.row_set import RowSet
from importer.jobs.identity import product_key
from importer.jobs.product_jobs import ProductJobs
from importer.model import Rank, Reason, RunEnd
from importer.settings import Retry
from importer.workflows.begin_run import rows_not_sent
from tests.support.jobs import REFUSED, SUCCEEDED, Desk, answer, finish, mark


def test_what_is_found_of_rows_tried_again_joins_what_the_job_began_with(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.night([SUCCEEDED])
    missing = desk.night([SUCCEEDED])
    begun = {"ranked": [(1, Rank(1, 3))], "not_sent": {Reason.LATER_JOB_MISSING: RowSet([3])}}
    with desk.run("b", begun=begun) as job:
        mark(job, 1, 2)
        answer(job, {1: REFUSED})
        finish(job, RunEnd.SIGINT, sent=[2])
        folder = job.folder.name
    shutil.rmtree(desk.jobs_dir / missing)
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    settings = desk.settings("b", retry=Retry(folder=folder))
    with desk.hold("b", retry=Retry(folder=folder)) as product:
        again = product.resumable()
        found = rows_not_sent(again, product, settings, now=0.0)
        again.close()
    assert {reason: sorted(rows) for reason, rows in found.items()} == {
        Reason.LATER_JOB_MISSING: [1, 3]
    }


def test_what_was_given_up_is_not_asked_for_by_a_job_that_has_taken_nothing_over(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.night([SUCCEEDED])
    unasked = patch.object(ProductJobs, "given_up_rows", side_effect=AssertionError)
    with unasked, desk.hold() as product:
        assert product.resumable() is None, "nothing of it waits"
        job = desk.begin(product)
        assert rows_not_sent(job, product, desk.settings(), now=0.0) == {}
        job.close()
