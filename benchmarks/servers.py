"""The services that the benchmarks send to, on loopback, each in a process of its own."""

from __future__ import annotations

import json
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
def nginx(certificate: Path | None = None) -> Iterator[str]:
    """Run nginx with `nginx.conf`; yield its URL. Below `/limited` it grants 500 requests/s.

    Below `/strict` as many, and no two within 2 ms. With a `certificate` (and its key, in one PEM
    file) it speaks TLS.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed: on Debian, apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        text = Path(__file__).with_name("nginx.conf").read_text()
        if certificate is not None:
            tls = f"ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate};"
            text = text.replace("listen 127.0.0.1:PORT;", f"listen 127.0.0.1:PORT {tls}")
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(text.replace("PORT", str(port)).replace("FOLDER", folder))
        process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)
        try:
            _until_open(port)
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
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
