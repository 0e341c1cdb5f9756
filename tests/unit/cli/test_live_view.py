"""What a person sees on the terminal while a run lasts."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from importer.cli.live_view import LiveObserver, Picture
from importer.engine.progress import Progress
from importer.model import OutcomeKind
from importer.pacing import Limit
from importer.settings import ImportSettings
from importer.workflows.figures import Speed, start_line, time_left
from importer.workflows.log_observer import describe
from tests.support.data import PRODUCT
from tests.support.progress import HALF_WAY
from tests.support.terminal import Terminal

TIME = r"\d\d:\d\d(:\d\d)?( on \d+ \w+)?"
LABELS = ["rows", "outcomes", "requests", "limit", "latency", "waiting", "deferred", "problems"]


def shown(width: int, progress: Progress = HALF_WAY, speed: float = 480.0) -> list[str]:
    terminal = Terminal(width)
    terminal.console.print(Picture(progress, speed, speed))
    return terminal.rows


def test_the_picture_has_all_that_one_looks_for() -> None:
    head, *lines, _ = shown(100)
    assert re.fullmatch(r"[━╺╸]+ 50% done, 10 s left and 200 deferred rows, 10 s so far", head)
    figures = {line[:10].strip(): line[10:] for line in lines}
    assert figures["rows"] == "5,012 of 10,012 · 480/s now · 501/s on average"
    assert figures["outcomes"] == "5,000 succeeded · 12 rejected"
    assert figures["requests"] == "60 of 64 in flight"
    assert figures["limit"] == "the service's limit, about 498/s"
    assert figures["latency"] == "4 ms median · 10 ms p95"
    assert re.fullmatch(
        f"3 waiting to be sent again · the next is due at {TIME}", figures["waiting"]
    )
    assert re.fullmatch(f"200, next check at {TIME}", figures["deferred"])
    text = f"gives up at {TIME}; Ctrl-C is safe, the same command resumes"
    assert re.fullmatch(text, figures[""])
    assert figures["problems"] == r"12 × rating \x1b[31m'meh'", "the input steers no terminal"


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_labels_are_whole_in_a_terminal_of_any_width(width: int) -> None:
    rows = shown(width)
    labels = [row[:10].strip() for row in rows]
    assert [label for label in labels if label in LABELS] == LABELS
    assert rows[-1].endswith("…"), "what does not fit is cut"
    assert "50% done" in rows[0]
    assert "10 s left and 200 deferred rows" in " ".join(rows[:2])
    said = " ".join(row[10:].strip() for row in rows)
    for whole in ("480/s now", "501/s on average", "12 rejected", "about 498/s", "next is due at",
                  "Ctrl-C is safe, the same command resumes"):  # fmt: skip
        assert whole in said, "but neither a figure nor how one gets out"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "which starts over"),
        (("skip_unchanged",), "whose rows count as the newest"),
        (("skip_unchanged", "restart"), "which starts over"),
    ],
)
def test_the_first_line_says_that_a_job_is_a_new_one_of_its_command(
    given: Sequence[str], says: str
) -> None:
    options: dict[str, object] = dict.fromkeys(given, True)
    settings = ImportSettings.read({"inputs": ["a.csv"], "product_id": PRODUCT, **options})
    assert start_line(Path("jobs/a-1"), settings, 0).endswith("job jobs/a-1")
    assert start_line(Path("jobs/a-2"), settings, 0).endswith(
        f", a new one of this command, {says}"
    )


def test_a_run_that_only_waits_says_until_when() -> None:
    waits = replace(HALF_WAY, share=0.9999, only_deferred=True)
    assert "99% done, only deferred rows are left, 10 s so far" in shown(80, waits)[0]
    told = f"deferred: 200, next check at {TIME}, gives up at {TIME}"
    assert re.search(told, describe(waits, 1, 1))


def test_the_time_left_says_which_rows_are_not_in_it() -> None:
    assert describe(HALF_WAY, 480.0, 480.0).endswith(" · 10 s left and 200 deferred rows")
    one = replace(HALF_WAY, deferred=1)
    assert describe(one, 480.0, 480.0).endswith(" left and 1 deferred row")
    assert describe(replace(one, deferred=0), 480.0, 480.0).endswith(" left")


def test_a_service_that_does_not_respond_is_told_long_before_it_is_given_up() -> None:
    silent = replace(HALF_WAY, latencies=(None, None))
    assert "no response to 60 requests in flight" in describe(silent, 0.0, 0.0)


def test_the_time_left_is_that_of_the_rows_to_send_at_the_present_speed() -> None:
    resumed = replace(HALF_WAY, settled_now=12, deferred=0, next_check=None, gives_up=None)
    assert time_left(resumed, 50.0) == 100.0, "whatever earlier runs have done"
    assert time_left(HALF_WAY, 480.0) == 10.0
    assert time_left(replace(HALF_WAY, next_send=60.0), 480.0) == 60.0
    assert time_left(replace(resumed, next_send=60.0, retrying=9), 480.0) == 60.0
    assert time_left(replace(HALF_WAY, deferred=4_900), 480.0) is None, "most of it waits"
    assert time_left(replace(HALF_WAY, paused_for=27.0, held_by="paused"), 480.0) == 37.0
    assert time_left(replace(HALF_WAY, held_by="the service is unavailable"), 480.0) is None
    assert time_left(replace(HALF_WAY, limit=Limit.OUTAGE), 480.0) is None, "probes come through"


def test_the_speed_is_that_of_the_last_seconds_and_no_wait_lowers_it() -> None:
    speed, settled = Speed(), 0
    for second in range(60):
        settled += 100 if second < 30 else 20
        now = speed.update(replace(HALF_WAY, elapsed=float(second), settled_now=settled))
    assert now == pytest.approx(20)
    for second in range(60, 90):
        paused = replace(HALF_WAY, elapsed=float(second), settled_now=settled, held_by="paused")
        assert speed.update(paused) == pytest.approx(20)
    assert speed.now == 0, "but the one of now follows at once"
    for second in range(90, 120):
        waits = replace(
            HALF_WAY, elapsed=float(second), settled_now=settled, in_flight=0, retrying=100,
            outcomes={**HALF_WAY.outcomes, OutcomeKind.PENDING: 300},
        )  # fmt: skip
        assert speed.update(waits) == pytest.approx(20)


def test_a_slow_run_has_a_speed_too() -> None:
    speed = Speed()
    for second in range(300):
        now = speed.update(replace(HALF_WAY, elapsed=float(second), settled_now=second // 20))
    assert now == pytest.approx(1 / 20, rel=0.1)


@pytest.mark.parametrize("wraps_again", [False, True])
def test_nothing_of_the_view_stays_behind_when_the_terminal_is_resized(
    monkeypatch: pytest.MonkeyPatch, wraps_again: bool
) -> None:
    for name in ("TMUX", "STY", "XTERM_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color" if wraps_again else "linux")
    monkeypatch.setattr("importer.cli.live_view._INTERVAL", 0.0)
    terminal = Terminal(100, 50, wraps_again=wraps_again)
    terminal.console.print("$ clarityq-import run ratings.csv")
    with LiveObserver(terminal.console) as view:
        for number, width in enumerate((100, 63, 40, 120, 80, 41, 34)):
            terminal.resize(width)
            if number % 2:
                view.noticed(f"notice {number}")
            view.progressed(HALF_WAY)
            text = "\n".join(terminal.rows)
            assert text.startswith("$ clarityq-import run ratings.")
            assert text.count("% done") == text.count("problems") == 1
            assert text.count("notice") == (number + 1) // 2
    assert terminal.rows == [
        "$ clarityq-import run ratings.csv",
        "notice 1",
        "notice 3",
        "notice 5",
    ]
