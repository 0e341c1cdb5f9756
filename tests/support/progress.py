"""A run at one moment."""

from importer.common.histogram import empty_buckets
from importer.engine.progress import Progress
from importer.engine.statistics import Problem
from importer.model import OutcomeKind
from importer.pacing import Limit

HALF_WAY = Progress(
    rows=10_012,
    share=0.5,
    outcomes={
        **dict.fromkeys(OutcomeKind, 0), OutcomeKind.SUCCEEDED: 5_000, OutcomeKind.REJECTED: 12,
        OutcomeKind.PENDING: 5_000,
    },
    settled_now=5_012,
    in_flight=60,
    retrying=3,
    deferred=200,
    held=0,
    next_send=7.0,
    only_deferred=False,
    next_check=7.0,
    gives_up=3000.0,
    paused_for=0.0,
    held_by="",
    limit=Limit.SERVICE_LIMIT,
    service_rate=498.2,
    concurrency=64,
    elapsed=10.0,
    latencies=(0.0041, 0.0098),
    problems={
        "503": Problem(3, "503: no, and that at such a length that it fits on no line " * 3),
        "rejected": Problem(12, "rating \x1b[31m'meh'"),
    },
    statuses={200: 5_000, 503: 3},
    buckets=empty_buckets(),
)  # fmt: skip
