"""The lock of a product (docs/reference.md, A1)."""

import time
from pathlib import Path

import pytest

from importer.jobs.lock import _lock, hold, is_held


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
