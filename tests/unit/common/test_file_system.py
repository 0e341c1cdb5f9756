import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from importer.common import file_system as module
from importer.common.file_system import FileSystem, JournalMode, file_system, journal_mode
from importer.errors import SettingsError

NFS, SMB2, FUSE, EXT = 0x6969, 0xFE534D42, 0x65735546, 0xEF53


def pretend(monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    told = kind.to_bytes(8, sys.byteorder) + bytes(112)
    monkeypatch.setattr(module, "statfs", lambda _: told)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is there on Linux")
def test_the_system_tells_the_kind_of_a_folder_also_of_one_that_is_to_be() -> None:
    assert file_system(Path("/dev/shm/not/yet/there")) == FileSystem("tmpfs", is_shared=False)
    assert journal_mode(Path("/dev/shm")) is JournalMode.WAL


@pytest.mark.parametrize("kind", [NFS, SMB2, FUSE])
def test_what_other_machines_may_share_is_journalled_without_shared_memory(
    kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, kind)
    assert journal_mode(tmp_path) is JournalMode.TRUNCATE
    assert list(tmp_path.iterdir()) == []


def test_a_shared_folder_without_locks_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    pretend(monkeypatch, NFS)
    monkeypatch.setattr("fcntl.lockf", no_locks)
    with pytest.raises(SettingsError, match=r"network file system \(NFS\).*knows no locks.*local"):
        journal_mode(tmp_path)
    pretend(monkeypatch, EXT)
    assert journal_mode(tmp_path) is JournalMode.WAL


def test_macos_says_itself_whether_a_file_system_is_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for flags, shared in ((0x1000, False), (0, True)):
        told = bytes(64) + flags.to_bytes(4, sys.byteorder) + bytes(4) + b"smbfs".ljust(16, b"\0")
        monkeypatch.setattr(module, "statfs", lambda _, told=told: told)
        assert file_system(tmp_path) == FileSystem("smbfs", shared)


def test_where_the_system_says_nothing_a_local_disk_is_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "statfs", lambda _: None)
    assert file_system(tmp_path) is None
    assert journal_mode(tmp_path) is JournalMode.WAL


@pytest.mark.skipif(
    shutil.which("bindfs") is None or os.geteuid() != 0 or not Path("/dev/fuse").exists(),
    reason="needs bindfs and the right to mount",
)
def test_a_mounted_file_system_in_user_space_is_found_out(tmp_path: Path) -> None:
    behind, mounted = tmp_path / "behind", tmp_path / "mounted"
    behind.mkdir()
    mounted.mkdir()
    subprocess.run(["bindfs", behind, mounted], check=True)  # noqa: S607
    try:
        assert file_system(mounted / "jobs") == FileSystem("FUSE", is_shared=True)
        assert journal_mode(mounted) is JournalMode.TRUNCATE
        with closing(sqlite3.connect(mounted / "x.sqlite")) as db:
            (mode,) = db.execute(f"PRAGMA journal_mode = {journal_mode(mounted)}").fetchone()
            assert mode == "truncate"
            db.execute("CREATE TABLE t (a)")
    finally:
        subprocess.run(["umount", mounted], check=True)  # noqa: S607
