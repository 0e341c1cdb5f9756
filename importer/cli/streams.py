"""Standard streams that never end a command: what cannot be shown is replaced, or is lost.

How a command ends is told by its exit code. A full disk, a closed pipe, another locale, or
descriptors that were closed from the start concern only what is shown of it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_INPUT, _OUTPUT, _ERROR = range(3)
#: Seconds to wait for a terminal or a pipe that takes nothing for now.
_PATIENCE = 5.0


class _PatientFile(io.FileIO):
    """A descriptor to which writing never fails; `failure` is why something was lost.

    It is tried again, without patience, only where nobody took what was written for a while.
    """

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self.failure is not None and not isinstance(self.failure, BlockingIOError):
            return size
        try:
            written = super().write(data)
            if written is None and self.failure is None:  # it does not block, and is full
                select.select([], [self], [], _PATIENCE)
                written = super().write(data)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, "nobody takes what is written")
        except OSError as error:
            self.failure = error
            return size
        return written


class Streams(NamedTuple):
    """The standard streams of this process, once they are patient."""

    output: _PatientFile

    @classmethod
    def take_over(cls) -> Streams:
        """Make the standard streams patient; those that are closed lead nowhere from now on."""
        for number in (_INPUT, _OUTPUT, _ERROR):
            try:
                os.fstat(number)
            except OSError:
                # The lowest free number is given out, and those below are open by now.
                os.open(os.devnull, os.O_RDWR)
        if sys.stdin is None:
            sys.stdin = io.TextIOWrapper(io.FileIO(_INPUT, closefd=False))
        output, errors = (_PatientFile(n, "w", closefd=False) for n in (_OUTPUT, _ERROR))
        sys.stdout = _text(output, sys.stdout, line_buffering=output.isatty())
        sys.stderr = _text(errors, sys.stderr, line_buffering=True)
        return cls(output)

    def finish(self) -> None:
        """Write what is left in the streams, and tell on standard error if results were lost."""
        sys.stdout.flush()
        failure = self.output.failure
        if failure is not None and failure.errno != errno.EPIPE:
            sys.stderr.write(f"standard output could not be written: {failure.strerror}\n")
        sys.stderr.flush()


def _text(file: _PatientFile, stream: object, *, line_buffering: bool) -> io.TextIOWrapper:
    """Return `file` for text, in the encoding of the `stream` that it takes the place of."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(file), encoding, "backslashreplace", line_buffering=line_buffering
    )
