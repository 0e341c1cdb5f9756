"""What a run's clocks read."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from importer.engine import clock


def test_a_wait_for_a_cpu_counts_as_cpu_and_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduling = tmp_path / "schedstat"
    monkeypatch.setattr(clock, "_SCHEDULING", scheduling)
    assert clock.cpu_wanted() <= time.process_time()
    for text in ("", "1", "1 x 3"):
        scheduling.write_text(text)
        assert clock.cpu_wanted() <= time.process_time()
    scheduling.write_text("5000000000 3000000000 7\n")
    used = time.process_time()
    assert 3 <= clock.cpu_wanted() - used < 4


@pytest.mark.skipif(not clock._SCHEDULING.exists(), reason="Linux alone tells of it")
def test_it_is_the_thread_that_asks_whose_wait_counts() -> None:
    own = int(clock._SCHEDULING.read_bytes().split()[0])
    with ThreadPoolExecutor(1) as pool:
        of_a_new_one = int(pool.submit(clock._SCHEDULING.read_bytes).result().split()[0])
    assert of_a_new_one < own
