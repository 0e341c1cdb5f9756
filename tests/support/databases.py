"""A PostgreSQL server of one's own, on a socket and a port of loopback, where it is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Its superuser; as root a server does not start, so another user of the machine runs it.
USER = "importer"
PASSWORD = "pass-w0rd-of-the-test"


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return found[-1].parent


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server until the block is left; yield its address, with the password."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    user = None
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("there is no user to run PostgreSQL as")
        shutil.chown(folder, user)
        shutil.chown(secret, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*words: str) -> None:
        subprocess.run(words, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    try:
        run(str(binaries / "initdb"), "-D", data, "-U", USER, "--pwfile", str(secret),
            "-A", "scram-sha-256", "--no-sync")  # fmt: skip
        run(str(binaries / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log",
            "-o", f"{options} -c fsync=off", "start")  # fmt: skip
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
