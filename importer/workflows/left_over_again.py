"""What a job had taken over, and does not send any more: it is told by those that left it over.

A job that is given up, or taken back, has taken rows of earlier jobs over, and their summaries say
so (docs/reference.md, A5, A17).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from importer.jobs.carry_over import left_over_again, left_over_of, still_sends, taken_over_by
from importer.jobs.product_jobs import ProductJobs
from importer.jobs.records import JobRecord
from importer.reporting.jobs_behind import jobs_behind
from importer.reporting.taken_up import taken_up
from importer.reporting.wording import waits_again_in_words
from importer.workflows.rewrite_summary import rewrite_summary


def waiting_again(
    product: ProductJobs, job: JobRecord, but: Collection[bytes] = frozenset()
) -> set[bytes]:
    """Return the rows, by key, that the job had taken over, and that are left over again.

    `job` is as it stands once it is given up, or what it has left over. Without those `but`: they
    are about to be sent. Raises `JournalError`.
    """
    if job.folder is None or not job.holds_carried:
        return set()
    later = product.jobs[job.number :]
    if any(one.holds_carried and still_sends(one, product.given_up) for one in later):
        return set()
    rows = {key: rank for key, rank in taken_over_by(job).items() if key not in but}
    given_up = product.given_up | {job.number}
    return left_over_again(rows, [job, *later], product.jobs, given_up, product.floor)


def tell_waiting_again(product: ProductJobs, job: JobRecord, rows: Collection[bytes]) -> str:
    """Let summary and report of the jobs that have left these rows over say so; return it in words.

    `rows` are those that wait again, since the job has ended. Raises `JournalError`.
    """
    numbers = {one.number for one in _left_over_by(product, job, rows)}
    for one in jobs_behind(product.jobs, (), numbers):
        assert one.folder is not None  # noqa: S101 -- it is behind
        rewrite_summary(one, taken=[*taken_up(one.folder)])
    return waits_again_in_words(job.name, len(rows))


def _left_over_by(
    product: ProductJobs, job: JobRecord, rows: Collection[bytes]
) -> Iterator[JobRecord]:
    """Yield the jobs that have left rows over which the job had taken over, the latest first."""
    rest = set(rows)
    for one in reversed(product.jobs[: job.number - 1]):
        if rest and one.folder is not None:
            found = rest.intersection(left_over_of(one))
            rest -= found
            if found:
                yield one
