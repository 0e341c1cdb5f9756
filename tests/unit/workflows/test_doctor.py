"""What the doctor says of the machine."""

import errno
import os
import resource
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from importer.common import file_system
from importer.settings.places import SourceAddress, read_place
from importer.workflows.doctor import Level, Subject, machine

NFS = 0x6969
TOP = "sys/fs/cgroup"


def test_open_files_are_compared_with_the_requests_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    infinite = resource.RLIM_INFINITY
    for soft, hard, level in (
        (256, 4096, Level.FINE), (256, 256, Level.FAILS),
        (infinite, infinite, Level.FINE),
    ):  # fmt: skip
        monkeypatch.setattr(resource, "getrlimit", lambda _, told=(soft, hard): told)
        assert machine.open_files(500).level is level


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/", {f"{TOP}/memory.max": "134217728\n"}, 134217728),
        (
            "0::/a/b",
            {f"{TOP}/a/b/memory.max": "max", "sys/fs/cgroup/a/memory.max": "99"},
            99,
        ),
        ("5:cpu:/x\n4:memory:/job", {f"{TOP}/memory/job/memory.limit_in_bytes": "77"}, 77),
        ("4:memory:/", {f"{TOP}/memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("0::/", {}, None),
        (None, {}, None),
    ],
)
def test_the_memory_of_a_control_group_is_found(
    cgroup: str | None, files: dict[str, str], limit: int | None, tmp_path: Path
) -> None:
    if cgroup is not None:
        files = {**files, "proc/self/cgroup": cgroup}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "ascii")
    assert machine.memory_limit(tmp_path) == limit


def test_little_memory_is_to_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_limit", lambda: 64 * 1024**2)
    found = machine.memory()
    assert (found.level, found.facts["limited_by_control_group"]) == (Level.LOOK, True)
    assert "64.0 MiB" in found.text


def findings(folder: Path, *inputs: Path) -> dict[Subject, Level]:
    return {found.subject: found.level for found in machine.jobs_folder(folder, inputs)}


def test_a_jobs_folder_is_looked_at_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "yet"
    good = {Subject.JOBS_FOLDER: Level.FINE, Subject.SPACE: Level.FINE}
    assert findings(folder) == good
    (tmp_path / "file").touch()
    assert findings(tmp_path / "file") == {Subject.JOBS_FOLDER: Level.FAILS}
    huge = tmp_path / "huge.csv"
    os.truncate(os.open(huge, os.O_CREAT | os.O_WRONLY), 1 << 43)
    assert findings(folder, huge) == {**good, Subject.SPACE: Level.LOOK}
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert findings(folder) == {**good, Subject.JOBS_FOLDER: Level.FAILS}
    assert not folder.parent.exists()


def test_a_jobs_folder_on_nfs_is_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    told = NFS.to_bytes(8, sys.byteorder) + bytes(112)
    monkeypatch.setattr(file_system, "statfs", lambda _: told)

    def lock(*_: object) -> None:
        raise OSError(errno.EPERM, "the doctor writes nothing, and locks nothing")

    monkeypatch.setattr("fcntl.lockf", lock)
    assert findings(tmp_path)[Subject.JOBS_FOLDER] is Level.LOOK


def test_inputs_are_asked_for_and_not_read(tmp_path: Path) -> None:
    found = machine.inputs([tmp_path / "missing.csv", tmp_path])
    assert found.level is Level.FAILS
    assert "missing.csv is missing" in found.text
    assert "is not a file" in found.text


def test_an_extra_that_is_asked_for_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_has_extra", lambda _: False)
    assert machine.extras(telemetry=False, workers=False).level is Level.FINE
    assert machine.extras(telemetry=True, workers=False).level is Level.LOOK
    assert machine.extras(telemetry=False, workers=True).level is Level.FAILS
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    address = read_place("s3://bucket/a.csv")
    assert isinstance(address, SourceAddress)
    with patch("importer.sources.registry.import_module", side_effect=ImportError):
        found = machine.inputs([tmp_path / "a.xlsx"], [address])
    assert found.level is Level.FAILS
    assert "clarityq-importer[excel]" in found.text
    assert "clarityq-importer[cloud]" in found.text
