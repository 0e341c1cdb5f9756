"""Who watches a run on many processes sees how many send, how fast each is, and which are lost."""

import logging
from dataclasses import replace

import pytest

from importer.cli.live_view import Picture
from importer.reporting.exporters.run_metrics import run_metrics
from importer.reporting.wording import workers_in_words
from importer.workflows.log_observer import LogObserver
from tests.support.data import PRODUCT
from tests.support.progress import HALF_WAY
from tests.support.status import STANDING, WORKERS
from tests.support.terminal import Terminal

PROGRESS = replace(HALF_WAY, workers=WORKERS)
SHOWN = "2 at work, 790 to 820 rows/s each, 1 lost"


def test_the_live_view_has_a_line_for_them() -> None:
    def shown(picture: Picture) -> list[str]:
        terminal = Terminal(100)
        terminal.console.print(picture)
        return [row.rstrip() for row in terminal.rows]

    assert f"workers   {SHOWN}" in shown(Picture(PROGRESS, 1.0, 1.0))
    assert not [row for row in shown(Picture(HALF_WAY, 1.0, 1.0)) if row.startswith("workers")]


def test_the_log_counts_them(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.workflows.log_observer._LINE_INTERVAL", 0.0)
    monkeypatch.setattr("importer.workflows.log_observer._SHARE_OF_ELAPSED", 0.0)
    observer = LogObserver()
    with caplog.at_level(logging.INFO, logger="importer.run"):
        observer.progressed(PROGRESS)
        observer.progressed(PROGRESS)
    (line,) = caplog.records
    assert f"workers: {SHOWN}" in line.getMessage()
    assert (vars(line)["workers"], vars(line)["workers_lost"]) == (2, 1)


def test_monitors_are_told_of_each() -> None:
    metrics = run_metrics(STANDING).decode()
    product = f'product_id="{PRODUCT}"'
    assert f'clarityq_import_workers{{{product},state="at_work"}} 2.0' in metrics
    assert f'clarityq_import_workers{{{product},state="lost"}} 1.0' in metrics
    speed = "clarityq_import_worker_rows_per_second"
    assert f'{speed}{{{product},worker="tls://10.0.0.2:1"}} 790.0' in metrics
    assert "10.0.0.3" not in metrics


def test_the_report_says_who_has_sent() -> None:
    assert workers_in_words(WORKERS) == "3 workers sent, 1,100 to 4,000 rows each; 1 of them lost"
    assert workers_in_words(WORKERS[:1]) == "1 worker sent, 4,000 rows"
    assert not workers_in_words([])
