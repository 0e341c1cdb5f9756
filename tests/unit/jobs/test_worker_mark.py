from collections.abc import Callable
from pathlib import Path

import pytest

from importer.errors import SettingsError
from importer.jobs.worker_mark import WorkerMark
from importer.settings import ImportSettings

Make = Callable[..., ImportSettings]


@pytest.fixture
def settings(settings_for: Make, tmp_path: Path) -> ImportSettings:
    found = settings_for(tmp_path / "in.csv")
    found.job.jobs_dir.mkdir()
    return found


def test_a_mark_stays_until_it_is_cleared(settings: ImportSettings) -> None:
    assert not WorkerMark(settings).is_set()
    WorkerMark(settings).set()
    WorkerMark(settings).set()
    assert WorkerMark(settings).is_set()

    WorkerMark(settings).clear()
    WorkerMark(settings).clear()
    assert not WorkerMark(settings).is_set()


def test_each_product_has_a_mark_of_its_own(settings: ImportSettings, settings_for: Make) -> None:
    other = settings_for(Path("in.csv"), product_id="7d0f0000-0000-4000-8000-00000000000f")
    WorkerMark(settings).set()
    assert not WorkerMark(other).is_set()


def test_only_its_owner_may_read_it(settings: ImportSettings) -> None:
    WorkerMark(settings).set()
    (path,) = settings.job.jobs_dir.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_said_before_workers_begin(
    settings: ImportSettings,
) -> None:
    settings.job.jobs_dir.rmdir()
    with pytest.raises(SettingsError, match="--jobs-dir"):
        WorkerMark(settings).set()
