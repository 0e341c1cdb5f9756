"""Database servers of one's own, on a port of loopback, where they are installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Who may do all in them.
USER = "importer"
PASSWORD = "pass-w0rd-of-the-test"


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    port = _free_port()

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


@contextmanager
def mariadb() -> Iterator[str]:
    """Run a MariaDB server until the block is left; yield its address, with the password."""
    server, installer = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or installer is None or not shutil.which("my_print_defaults"):
        pytest.skip("MariaDB is not installed")
    port, root = _free_port(), ["--user=root"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="maria-"))
    data = f"--datadir={folder}/data"
    start = folder / "start.sql"
    start.write_text(
        f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1';\n"
    )
    install = [installer, "--no-defaults", data, *root, "--skip-test-db"]
    process = None
    try:
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process = subprocess.Popen(
            [server, "--no-defaults", data, *root, f"--port={port}", f"--init-file={start}",
             "--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--pid-file={folder}/pid",
             "--skip-name-resolve"],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "MariaDB does not start"
            time.sleep(0.05)
        yield f"mariadb://{USER}:{PASSWORD}@127.0.0.1:{port}/mysql"
    finally:
        if process is not None:
            process.terminate()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
