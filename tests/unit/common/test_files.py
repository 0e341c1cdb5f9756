"""Files that are whole or not there, and that only their owner may read."""

from pathlib import Path

import pytest

from importer.common.files import atomic_write, private_opener


def test_a_file_takes_the_place_of_the_old_one_when_it_is_complete() -> None:
    path = Path("figures.txt")
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in Path().iterdir()] == ["figures.txt"]


def write_half(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_a_file_that_could_not_be_written_leaves_the_old_one_and_does_no_harm_later() -> None:
    path = Path("figures.txt")
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    with atomic_write(path) as temporary:
        assert temporary.read_text() == ""
    assert path.read_text() == ""


def test_others_may_not_read_them() -> None:
    with atomic_write(Path("a")):
        pass
    with open("b", "w", opener=private_opener):
        pass
    assert {Path(name).stat().st_mode & 0o777 for name in "ab"} == {0o600}
