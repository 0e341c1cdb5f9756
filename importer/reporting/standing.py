"""How a run stands at one moment, for those outside of it who ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from importer.model import Moment, OutcomeKind, WorkerFigures


class Health(NamedTuple):
    """Whether a run makes progress, or waits for a reason that it names."""

    is_well: bool
    #: What it does or waits for, or what is wrong.
    words: str


class Figures(NamedTuple):
    """What is counted once a job is at work."""

    #: The job's folder, its name alone.
    job: str
    #: How much of the job is done, from 0 to 1.
    share: float
    #: Its rows, over all its runs.
    outcomes: Mapping[OutcomeKind, int]
    in_flight: int
    #: How many requests may be in flight.
    concurrency: int
    #: Rows that wait, by what for.
    waiting: Mapping[str, int]
    #: None if it is not known.
    seconds_left: float | None
    #: Responses of this run by HTTP status; 0 stands for none.
    statuses: Mapping[int, int]
    #: How many of them fell into each of `common.histogram.BUCKETS`.
    buckets: Sequence[int]
    #: For people, each with its label.
    lines: Sequence[tuple[str, str]]
    #: What went wrong: how often, and of what kind.
    problems: Sequence[tuple[int, str]]
    #: The processes that send; none if it is this one alone.
    workers: Sequence[WorkerFigures]
    #: How the run has gone so far.
    moments: Sequence[Moment]


class Standing(NamedTuple):
    """How a run stands. It holds no secret, and nothing of what rows hold."""

    product_id: str
    #: The address of the service, or `sandbox`.
    service: str
    #: The names of the inputs, without their folders.
    inputs: Sequence[str]
    #: When the run started, in Unix seconds.
    started_at: float
    #: The time of this, in Unix seconds.
    at: float
    health: Health
    #: None until the job is at work.
    figures: Figures | None
