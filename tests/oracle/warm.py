"""Starts commands without waiting for an interpreter: each is forked from one that is warm.

`python -m tests.oracle.warm` is that one. It has loaded the program and never runs it; a fork of it
does, with directory, environment, streams and session of its own. Kills, signals and exit codes are
those of the system. Only what happens while the program is loaded, and after its last word, cannot
be seen so.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

_WORD = struct.Struct("i")
_PROGRAM = "importer"
_NOT_LOADED = tuple(
    f"{_PROGRAM}.{name}" for name in ("__main__", "distributed", "reporting.exporters")
)
"""What is run itself, and what few commands load."""

_AT_WORK = ("anyio._backends._asyncio", "uvloop", "pandas")
"""Loaded once a command is at work."""

_ENVIRONMENT = {
    # As the command sets them before it loads the libraries that look at them.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENBLAS_NUM_THREADS": "1",
    # No thread of Arrow's other allocator, which is not used.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class Forked:
    """A command that was forked, with as much of `subprocess.Popen` as is needed."""

    stderr: IO[str] | None = None
    """What it prints goes to files, as that of a cron job may."""

    def __init__(self, orders: socket.socket, order: Mapping[str, object]) -> None:
        self._streams = (TemporaryFile(), TemporaryFile())  # noqa: SIM115  open until it has ended
        self._told, told = os.pipe()
        given = [*(stream.fileno() for stream in self._streams), told]
        socket.send_fds(orders, [json.dumps(order).encode()], given)
        os.close(told)
        self.pid = self._hear()
        self.returncode: int | None = None

    def _hear(self) -> int:
        word: int = _WORD.unpack(os.read(self._told, _WORD.size))[0]
        return word

    def poll(self) -> int | None:
        """Return the exit code, or minus the signal that ended it; None if it is at work."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return what `poll` returns then."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(_PROGRAM, timeout or 0.0)
            self.returncode = self._hear()
            os.close(self._told)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the command has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the command as a lost machine would."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; return what was printed."""
        self.wait(timeout)
        printed = []
        for stream in self._streams:
            with stream:
                stream.seek(0)
                printed.append(stream.read().decode())
        return printed[0], printed[1]


class Nursery:
    """The process that commands are forked from; it ends with the one that started it."""

    def __init__(self, root: Path) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=root,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Forked:
        """Start the command with these arguments; any thread may."""
        order = {"words": words, "folder": str(folder), "environment": environment}
        return Forked(self._orders, order)

    def close(self) -> None:
        """End it; commands that are at work go on."""
        self._orders.close()
        self._process.wait()


def _serve(orders: socket.socket) -> None:
    """Fork a command for each order; in the fork, be that command."""
    _load()
    # As `run` does itself: the collector passes over all that is loaded, also at the end.
    gc.freeze()
    # What a signal interrupted while it is being forked would lack what is to be done then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    at_work: dict[int, tuple[int, int]] = {}
    while True:
        ready: list[int] = select.select([orders.fileno(), *at_work], [], [])[0]
        for descriptor in ready:
            if descriptor in at_work:
                _tell_the_end(descriptor, *at_work.pop(descriptor))
                continue
            order, descriptors, _, _ = socket.recv_fds(orders, 1 << 20, 3)
            if not order:
                return
            *streams, told = descriptors
            child = os.fork()
            if not child:
                orders.close()
                _close_all([told, *at_work, *(to for _, to in at_work.values())])
                _be_command(streams, **json.loads(order))
                return
            _close_all(streams)
            with suppress(BrokenPipeError):  # nobody asks any more
                os.write(told, _WORD.pack(child))
            at_work[os.pidfd_open(child)] = (child, told)


def _load() -> None:
    package = import_module(_PROGRAM)
    for module in pkgutil.walk_packages(package.__path__, f"{_PROGRAM}."):
        if not module.name.startswith(_NOT_LOADED):
            import_module(module.name)
    for name in _AT_WORK:
        import_module(name)
    pages = import_module(f"{_PROGRAM}.reporting.pages")._environment()
    for name in pages.list_templates():
        pages.get_template(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"a fork would lack {threads - 1} threads"


def _tell_the_end(watched: int, child: int, told: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(BrokenPipeError):  # nobody asks any more
        os.write(told, _WORD.pack(code))
    _close_all([watched, told])


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _be_command(
    streams: Sequence[int], words: list[str], folder: str, environment: dict[str, str]
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.argv[1:] = words
    try:
        runpy.run_module(_PROGRAM, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        _leave(int(end.code or 0))


def _leave(code: int) -> None:
    """End as an interpreter does, but do not take apart what the fork shares with the others.

    That would touch, and copy, each page that holds an object: it takes longer than a command.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
