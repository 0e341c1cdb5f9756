"""The services that the benchmarks send to, on loopback, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, python


@contextmanager
def nginx(pem: Path | None = None, *, files: Path | None = None) -> Iterator[str]:
    """Run nginx with `nginx.conf`; yield its URL. Below `/limited` it grants 500 requests/s.

    Below `/strict` as many, and no two within 2 ms; below `/files` are the ones of a folder. With a
    certificate (and its key, in one PEM file) it speaks TLS.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed: on Debian, apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        text = Path(__file__).with_name("nginx.conf").read_text()
        if pem is not None:
            tls = f"ssl; ssl_certificate {pem}; ssl_certificate_key {pem};"
            text = text.replace("listen 127.0.0.1:PORT;", f"listen 127.0.0.1:PORT {tls}")
        configuration = Path(folder) / "nginx.conf"
        text = text.replace("FILES", str(files or folder))
        configuration.write_text(text.replace("PORT", str(port)).replace("FOLDER", folder))
        words = [program, "-c", str(configuration)]
        if files is not None and os.geteuid() == 0:  # whose files else nobody may read
            words += ["-g", "user root;"]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            _until_open(port)
            yield f"{'https' if pem else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


@contextmanager
def sink(**options: float | tuple[float, ...]) -> Iterator[str]:
    """Run `sink.py` with these options; yield its URL."""
    words: list[object] = []
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        words += value if isinstance(value, tuple) else [value]
    process = subprocess.Popen(
        python("benchmarks.sink", *words), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 with its key, and the authority that it is from."""
    import trustme  # noqa: PLC0415 -- of the extra `bench`

    server, authority = folder / "server.pem", folder / "authority.pem"
    made = trustme.CA()
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    made.cert_pem.write_to_path(authority)
    return server, authority


def statistics(url: str) -> dict[str, Any]:
    """Return what a sink has counted since it began, or since `reset`."""
    with urllib.request.urlopen(f"{url}/statistics") as answer:
        return dict(json.load(answer))


def reset(url: str) -> None:
    """Let a sink forget what it has seen."""
    urllib.request.urlopen(f"{url}/reset").close()


def _until_open(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise RuntimeError("nginx does not start")
