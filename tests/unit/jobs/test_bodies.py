"""What a job keeps of what it sends (docs/reference.md, U6)."""

import gzip
import os
from pathlib import Path

import pytest

from importer.errors import JournalError
from importer.jobs.bodies import FILE_NAME, Body, keep_bodies, read_bodies, write_bodies
from importer.model import Feedback, Meaning
from tests.support.data import conversation

ROWS = [
    Feedback(1, conversation(1), Meaning.POSITIVE, "a\nline “more”"),
    Feedback(2, conversation(2), None, "\x00"),
    Feedback(3, conversation(3), Meaning.CLEAR, None),
]
BODIES = [Body(row.conversation_id, row.rating, row.comment) for row in ROWS]


def test_what_was_kept_comes_back_and_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(read_bodies(tmp_path)) == []
    synced: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", synced.append)
        write_bodies(tmp_path, ROWS)
    assert len(synced) == 2, "the file and its folder"
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    found = list(read_bodies(tmp_path))
    assert found == BODIES
    assert [type(body.rating) for body in found] == [Meaning, type(None), Meaning]
    assert path.read_bytes()[4:8] == bytes(4), "without a time, the same bodies are the same file"


def test_what_cannot_be_written_or_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with pytest.raises(JournalError, match=r"gone/bodies.* cannot be written: No such file.* disk"):
        keep_bodies(tmp_path / "gone", BODIES)
    keep_bodies(tmp_path, BODIES)
    whole = path.read_bytes()
    for damaged in (whole[:-9], b"no gzip", gzip.compress(b"[1]\n"), gzip.compress(b"{\n")):
        path.write_bytes(damaged)
        with pytest.raises(JournalError, match=f"^{path} cannot be read: .* move it away"):
            list(read_bodies(tmp_path))
