"""The lock of a product (docs/reference.md, A1)."""

import os
import socket
import stat
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from importer.errors import JobHeldError, SettingsError
from importer.jobs import lock
from importer.jobs.lock import _lock, hold, is_held, lock_names


def test_who_only_looks_whether_it_is_held_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = _lock(tmp_path, "a")
    look.acquire(timeout=0)
    monkeypatch.setattr(time, "sleep", lambda _: look.release())
    with hold(tmp_path, "a"):
        assert is_held(tmp_path, "a")


def test_it_is_let_go_of_also_where_the_name_of_its_holder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    with pytest.raises(ZeroDivisionError), hold(tmp_path, "a"):  # noqa: PT012
        monkeypatch.setattr(Path, "unlink", refused)
        raise ZeroDivisionError
    assert not is_held(tmp_path, "a")


def test_who_finds_it_held_is_told_by_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_A_LOOK", 0.0)
    holder = tmp_path / ".a.holder"
    with hold(tmp_path, "a"):
        who = f"worked on by process {os.getpid()} on {socket.gethostname()}: wait"
        with pytest.raises(JobHeldError, match=who), hold(tmp_path, "a"):
            pass
        for path in (holder, tmp_path / ".a.lock"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        holder.unlink()
        with pytest.raises(JobHeldError, match="worked on by another process"), hold(tmp_path, "a"):
            pass
        with hold(tmp_path, "b"):
            assert lock_names(tmp_path) == {"a", "b"}
    with hold(tmp_path, "a"):
        assert holder.exists()
    assert not holder.exists()


def test_it_may_be_let_go_of_on_another_thread(tmp_path: Path) -> None:
    held = ExitStack()
    taking = threading.Thread(target=held.enter_context, args=[hold(tmp_path, "a")])
    taking.start()
    taking.join()
    assert is_held(tmp_path, "a")
    held.close()
    assert not is_held(tmp_path, "a")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    folder.write_text("a file")
    with pytest.raises(SettingsError, match=f"--jobs-dir {folder} cannot be written"):  # noqa: SIM117
        with hold(folder, "a"):
            pass
    assert not is_held(folder, "a")
