"""Object stores of one's own on loopback, and a server that stands before one and waits."""

import base64
import hmac
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from importer.sources.copies.partial_copy import CopyWatch

#: Credentials that moto takes as it takes any.
S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "s3cret-key-of-the-test",
    "AWS_REGION": "us-east-1",
}


@contextmanager
def s3() -> Iterator[str]:
    """Run moto's server, with a bucket `exports`, until the block is left; yield its address."""
    pytest.importorskip("moto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:  # until it listens
            if "Running on" in line:
                break
        endpoint = f"http://127.0.0.1:{port}"
        put(endpoint, "", b"")
        yield endpoint
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def put(endpoint: str, key: str, content: bytes, *, is_public: bool = False) -> None:
    """Put an object into the bucket `exports`; without a key, make the bucket."""
    request = urllib.request.Request(  # noqa: S310 -- our own loopback
        f"{endpoint}/exports/{key}", content, method="PUT",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=any/1/us-east-1/s3/aws4_request",
                 "Content-Type": "text/csv",
                 "x-amz-acl": "public-read" if is_public else "private"},
    )  # fmt: skip
    urllib.request.urlopen(request).close()  # noqa: S310


@dataclass
class Gate:
    """What is asked of a server passes here; from the second GET on, when it is open."""

    url: str = ""
    opened: threading.Event = field(default_factory=threading.Event)
    #: The ranges that were asked for, and empty texts.
    asked: list[str] = field(default_factory=list)


@contextmanager
def gate(endpoint: str) -> Iterator[Gate]:
    """Stand before a server until the block is left."""
    found = Gate()
    there = endpoint.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._pass_on()

        def do_GET(self) -> None:
            found.asked.append(self.headers.get("Range", ""))
            if len(found.asked) > 1:
                found.opened.wait()
            with suppress(OSError):  # who asked may be dead by now
                self._pass_on()

        def _pass_on(self) -> None:
            connection = HTTPConnection(there)
            connection.request(self.command, self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("server", "date", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.opened.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


#: The account of every azurite, and its key: both are public.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@contextmanager
def azure() -> Iterator[str]:
    """Run azurite, with a container `exports`, until the block is left; yield its address.

    `npm install --global azurite` installs it.
    """
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [program, "--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry",
         "--skipApiVersionCheck", "--silent"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "azurite does not start"
            time.sleep(0.05)
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        put_blob(endpoint, "", b"")
        yield endpoint
    finally:
        process.terminate()
        process.wait()


def put_blob(endpoint: str, key: str, content: bytes) -> None:
    """Put an object into the container `exports`; without a key, make the container."""
    address = f"{endpoint}/exports/{key}" if key else f"{endpoint}/exports"
    query = f"{'' if key else 'restype=container&'}{azure_signature('rwc')}"
    request = urllib.request.Request(  # noqa: S310 -- our own loopback
        f"{address}?{query}", content, method="PUT",
        headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "text/csv"},
    )  # fmt: skip
    urllib.request.urlopen(request).close()  # noqa: S310


def azure_signature(permissions: str) -> str:
    """Return what may follow the address of an object, to do so much with it (SAS)."""
    version, until = "2020-12-06", "2100-01-01T00:00:00Z"
    signed = (AZURE_ACCOUNT, permissions, "b", "sco", "", until, "", "", version, "", "")
    digest = hmac.digest(base64.b64decode(AZURE_KEY), "\n".join(signed).encode(), "sha256")
    return urlencode(
        {"sv": version, "ss": "b", "srt": "sco", "sp": permissions, "se": until,
         "sig": base64.b64encode(digest)}
    )  # fmt: skip


class KilledError(Exception):
    """What a copy is broken off with."""


def killed_beyond(size: int, folder: Path) -> CopyWatch:
    """Break the copy into `folder` off when it has more than `size` bytes."""

    def check() -> None:
        if (folder / ".1.part").stat().st_size > size:
            raise KilledError

    return CopyWatch(check=check)
