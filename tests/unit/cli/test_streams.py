"""What becomes of output that cannot be written."""

import errno
import os
from contextlib import suppress

import pytest

from importer.cli import streams


def test_output_that_is_lost_in_a_pipe_nobody_reads_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_PATIENCE", 0.0)
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"." * 4096)
        file = streams._PatientFile(writing, "w", closefd=False)
        assert file.write(b"lost") == len(b"lost"), "no command ends for that"
        assert file.failure is not None
        assert file.failure.errno == errno.EAGAIN
        os.read(reading, 1 << 20)
        file.write(b"heard")
        assert os.read(reading, 1 << 20) == b"heard"
    finally:
        os.close(reading)
        os.close(writing)
