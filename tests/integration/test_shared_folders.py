"""A jobs folder on a file system that several machines may share."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from importer.api import run_import
from importer.common import file_system
from importer.errors import ExitCode, SettingsError
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation, write_csv

Make = Callable[..., ImportSettings]
NFS = 0x6969


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(40)])


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder is on NFS."""
    monkeypatch.setattr(sys, "platform", "linux")
    told = NFS.to_bytes(8, sys.byteorder) + bytes(112)
    monkeypatch.setattr(file_system, "statfs", lambda _: told)


def journalling(jobs_dir: Path) -> dict[str, str]:
    """Return the journal mode of each database in a jobs folder, as its header tells."""
    modes = {}
    for path in jobs_dir.rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as db:
            modes[path.name.split("-")[0]] = db.execute("PRAGMA journal_mode").fetchone()[0]
    return modes


@pytest.mark.anyio
@pytest.mark.usefixtures("nfs")
async def test_jobs_on_nfs_have_no_write_ahead_log(
    sandbox: Sandbox, settings_for: Make, clean: Path, tmp_path: Path
) -> None:
    settings = settings_for(clean, base_url=sandbox.url, skip_unchanged=True)
    first = await run_import(settings, api_key="any")
    second = await run_import(settings, api_key="any")
    assert first.outcomes[OutcomeKind.SUCCEEDED] == 40
    assert second.outcomes[OutcomeKind.UNCHANGED] == 40
    modes = journalling(tmp_path / "jobs")
    assert modes.keys() == {"journal.sqlite", "ledger"}
    assert "wal" not in modes.values()
    assert not list((tmp_path / "jobs").rglob("*-shm"))


@pytest.mark.anyio
@pytest.mark.usefixtures("nfs")
async def test_nfs_without_locks_is_refused_before_anything_is_sent(
    sandbox: Sandbox, settings_for: Make, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", no_locks)
    settings = settings_for(clean, base_url=sandbox.url)
    with pytest.raises(SettingsError, match=r"network file system \(NFS\).*knows no locks.*local"):
        await run_import(settings, api_key="any")
    assert sandbox.feedback == {}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system in user space, which says that it is FUSE."""
    behind, mounted = tmp_path / "behind", tmp_path / "mounted"
    behind.mkdir()
    mounted.mkdir()
    subprocess.run(["bindfs", behind, mounted], check=True)  # noqa: S607
    yield mounted
    subprocess.run(["umount", mounted], check=True)  # noqa: S607


def outcomes(jobs_dir: Path) -> int:
    """Return how many rows have an outcome so far."""
    for path in jobs_dir.glob("in-*/journal.sqlite"):
        with closing(sqlite3.connect(path)) as db:
            return int(db.execute("SELECT count(*) FROM outcome").fetchone()[0])
    return 0


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("bindfs") is None or os.geteuid() != 0 or not Path("/dev/fuse").exists(),
    reason="needs bindfs and the right to mount",
)
def test_a_run_on_a_mounted_file_system_survives_a_kill(mounted: Path, tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "in.csv", [(conversation(n), "CLEAR", "") for n in range(400)])
    command = [
        sys.executable, "-m", "importer", "run", str(rows), "--product-id", PRODUCT, "--sandbox",
        "--jobs-dir", str(mounted / "jobs"), "--rate", "100", "--skip-unchanged", "--canary", "0",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        while outcomes(mounted / "jobs") == 0:
            time.sleep(0.1)
        run.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.OK, done.stderr
    (folder,) = (mounted / "jobs").glob("in-*")
    with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM run").fetchone() == (2,)
    assert "wal" not in journalling(mounted / "jobs").values()
