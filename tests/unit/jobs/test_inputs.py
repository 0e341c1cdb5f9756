"""Whether the inputs of a job are still the same (docs/reference.md, J5), and that they stay."""

import os
from pathlib import Path

import pytest

from importer.errors import InputError, SettingsError
from importer.jobs.copies import copies_folder, remove_copies
from importer.jobs.inputs import CurrentInputs, check_is_no_input, files_of_inputs
from importer.jobs.records import InputFile


@pytest.fixture
def files(tmp_path: Path) -> list[InputFile]:
    found = []
    for name in ("a.csv", "b.csv"):
        path = tmp_path / name
        path.write_text("rows")
        at = path.stat()
        found.append(InputFile(str(path), at.st_size, at.st_mtime_ns, "", 1, 1))
    return found


def test_size_decides_then_the_time_then_the_content(
    tmp_path: Path, files: list[InputFile]
) -> None:
    as_they_are, same_content = CurrentInputs(), CurrentInputs(lambda _: True)
    assert as_they_are.changed_from(tmp_path, files) == []
    os.utime(files[1].path, ns=(1, 1))
    assert as_they_are.changed_from(tmp_path, files) == [files[1].path]
    assert same_content.changed_from(tmp_path, files) == []
    Path(files[0].path).write_text("more rows")
    assert same_content.changed_from(tmp_path, files) == [files[0].path]
    Path(files[0].path).unlink()
    with pytest.raises(InputError, match=r"a\.csv: No such file"):
        same_content.changed_from(tmp_path, files)


def test_of_the_input_of_an_undo_that_is_gone_it_is_said_how_to_take_back_the_rest(
    tmp_path: Path,
) -> None:
    gone = InputFile(str(tmp_path / "night-1" / "undo.jsonl"), 4, 0, "", 1, 1)
    told = rf"No such file.* comments were dropped.*:\n  clarityq-import undo {tmp_path}/night-1$"
    with pytest.raises(InputError, match=told):
        CurrentInputs().changed_from(tmp_path / "undo-1", [gone])


def test_inputs_that_have_come_or_gone_or_stand_in_another_order_are_named(
    tmp_path: Path, files: list[InputFile]
) -> None:
    def changed(*names: str) -> list[str]:
        return CurrentInputs(names=names).changed_from(tmp_path, files)

    first, second = (file.path for file in files)
    assert changed(first, second) == []
    assert changed(first, second, "z.csv", "c.csv") == ["c.csv", "z.csv"]
    assert changed(second) == [first]
    assert changed(second, first) == [first, second], "their rows have other numbers then"


def test_what_is_no_local_file_is_compared_by_its_copy(
    tmp_path: Path, files: list[InputFile]
) -> None:
    copies = tmp_path / "job" / "copies"
    copies.mkdir(parents=True)
    copy = copies / "2-stdin.csv"
    copy.write_text("rows")
    copied = InputFile("-", 4, copy.stat().st_mtime_ns, "", 1, 2)
    inputs = [files[0], copied, copied]
    assert files_of_inputs(tmp_path / "job", inputs) == [
        Path(files[0].path), copy, copies / "3-gone"
    ]  # fmt: skip
    assert CurrentInputs().changed_from(tmp_path / "job", inputs[:2]) == []


def test_copies_are_removed_as_far_as_there_are_any(tmp_path: Path) -> None:
    copies = copies_folder(tmp_path)
    copies.mkdir()
    (copies / "1-stdin.csv").write_text("x")
    for _ in range(2):
        remove_copies(tmp_path)
        assert not copies.exists()


def test_what_is_written_takes_the_place_of_no_input_and_becomes_none(tmp_path: Path) -> None:
    folder, file = tmp_path / "exports", tmp_path / "in.csv"
    folder.mkdir()
    file.touch()
    (tmp_path / "link.csv").symlink_to(file)
    for path in (file, tmp_path / "link.csv", folder / "new" / "out.csv"):
        with pytest.raises(SettingsError, match="it is an input, or would be one"):
            check_is_no_input(path, [tmp_path / "other.csv", folder, tmp_path / "link.csv"])
    check_is_no_input(tmp_path / "out.csv", [folder, file])
    check_is_no_input(file / "out.csv", [file])
