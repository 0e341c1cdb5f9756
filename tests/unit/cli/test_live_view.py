"""What a person sees on the terminal while a run lasts."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from importer.cli.live_view import LiveObserver, picture
from importer.engine.progress import Progress
from importer.engine.statistics import Problem
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.workflows.log_observer import describe

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
    deferred=1_200,
    held=0,
    next_due=7.0,
    only_deferred=False,
    held_by="",
    limit=Limit.SERVICE_LIMIT,
    service_rate=498.2,
    concurrency=64,
    elapsed=10.0,
    latencies=(0.0041, 0.0098),
    problems={"503": Problem(3, "503: no"), "rejected": Problem(12, "rating \x1b[31m'meh'")},
)  # fmt: skip


def shown(width: int, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, **options)  # type: ignore[arg-type]
    console.print(picture(HALF_WAY, 480.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_has_all_that_one_looks_for() -> None:
    text = shown(120, no_color=True)
    for part in ("50% done", "10 s so far, 10 s left", "480 now · 501 on average",
                 "5,000 succeeded · 12 rejected",
                 "60 of 64 in flight · the service's limit, about 498/s",
                 "4 ms median · 10 ms p95", "1,200 deferred · 3 waiting for a retry",
                 "the next is due at", "12 × rating", "3 × 503: no"):  # fmt: skip
        assert part in text
    assert "\x1b[31m" not in text, "the input steers no terminal"


def test_a_service_that_does_not_respond_is_told_long_before_it_is_given_up() -> None:
    silent = replace(HALF_WAY, latencies=(None, None))
    assert "no response to 60 requests in flight" in describe(silent, 0.0)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_cuts_lines_and_wraps_none(width: int) -> None:
    lines = shown(width, no_color=True, color_system=None).splitlines()
    assert len(lines) == len(shown(200, no_color=True).splitlines())
    assert all(len(line) <= width for line in lines)


def test_nothing_of_the_picture_stays_behind() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with LiveObserver(console) as observer:
        observer.progressed(HALF_WAY)
        observer.noticed("the service asks for a pause of 2 s")
    assert isinstance(console.file, io.StringIO)
    assert "the service asks for a pause" in console.file.getvalue()
    assert console.file.getvalue().rstrip().endswith("\x1b[2K"), "the lines are wiped"
