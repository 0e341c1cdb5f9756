"""A recognisable key goes through every command and every failure, and turns up nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal

from importer.clarityq.api_key import ApiKey
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.server import serve

pytestmark = pytest.mark.slow

KEY = "canary-9b1d-key-that-must-not-leak"
#: A part of the key is a leak, too.
PARTS = [KEY[start : start + 10].encode() for start in range(len(KEY) - 9)]

#: Runs an import with all logging on, and another that ends in a traceback.
WITH_ALL_LOGGING_ON = """
import asyncio, logging, sys
logging.basicConfig(level=logging.DEBUG)
from importer import ImportSettings, run_import
settings = ImportSettings.of(inputs=[sys.argv[1]], product_id=sys.argv[2], base_url=sys.argv[3])
summary = asyncio.run(run_import(settings), debug=True)
print(settings, summary, summary.as_json(), summary.outcomes_frame().to_string())
class Observer:
    def started(self, *details):
        raise RuntimeError(details)
asyncio.run(run_import(settings, observers=[Observer()]), debug=True)
"""


@pytest.fixture
def url() -> Iterator[str]:
    """Run a service that answers as the path says, and quotes the key wherever it can."""
    padding = count(1, 7)  # so that some quotation is cut in the middle of the key

    async def answer(request: web.Request) -> web.Response:
        status, form = request.path.split("/")[1:3]
        said = f"{'x' * (next(padding) % 500)} {dict(request.headers)}"
        headers = {"Location": f"http://127.0.0.1:9/{KEY}", "Retry-After": KEY, "X-Echo": KEY}
        if form == "json":
            detail = [{"loc": ["body", said], "msg": said}] if status == "422" else said
            return web.json_response({"detail": detail}, status=int(status), headers=headers)
        return web.Response(text=said, reason=KEY, status=int(status), headers=headers)

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(answer)) as running,
    ):
        yield running


def leaks(text: bytes) -> bool:
    return any(part in text for part in PARTS)


def run_all(commands: list[list[str]], **environment: str) -> list[bytes]:
    """Run the commands side by side, each with the key in its environment; return the outputs."""
    processes = [
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "CLARITYQ_API_KEY": KEY, **environment},
        )
        for command in commands
    ]  # fmt: skip
    return [process.communicate()[0] for process in processes]


def check_nothing_leaks(folder: Path, outputs: list[bytes]) -> None:
    for output in outputs:
        assert output
        assert not leaks(output), output.decode()
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert not leaks(path.read_bytes()), path


def test_a_service_that_quotes_the_key_does_not_spread_it(url: str, tmp_path: Path) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(20)]
    path = str(write_csv(tmp_path / "in.csv", rows))
    quick = ["--max-attempts", "2", "--retry-first", "10ms", "--defer-first", "10ms",
             "--defer-for", "50ms", "--concurrency", "4", "--outage-for", "1s"]  # fmt: skip
    outputs = run_all(
        [
            ["-m", "importer", "run", path, "--product-id", PRODUCT, "--jobs-dir", f"jobs{status}",
             "--base-url", f"{url}/{status}/{form}", "--log-format", log, *quick]
            for status, form, log in [
                (200, "html", "text"), (201, "json", "json"), (302, "html", "text"),
                (400, "json", "text"), (401, "json", "json"), (403, "html", "text"),
                (409, "json", "text"), (422, "json", "text"), (503, "html", "json"),
            ]
        ]
    )  # fmt: skip
    check_nothing_leaks(tmp_path, outputs)


def test_no_mistake_with_the_key_shows_it(tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")]))
    config = tmp_path.parent / f"{tmp_path.name}.toml"  # it holds the key, so it is not searched
    config.write_text(f'api_key = "{KEY}"')
    run = ["-m", "importer", "run", path, "--product-id", PRODUCT]
    unreachable = [*run, "--base-url", "http://127.0.0.1:9", "--outage-for", "0",
                   "--retry-max", "10ms", "--max-attempts", "2"]  # fmt: skip
    outputs = run_all(
        [
            unreachable,
            [*run, f"--api-key={KEY}"],
            [*run, "--api-key", KEY],
            [*run, "--api-key-file", KEY],
            [*run, "--api-key-command", KEY],
            [*run, "--api-key-command", f"sh -c 'echo {KEY}; echo {KEY} >&2; exit 1'"],
            [*run, "--api-key-file", str(config)],
            [*run, "--config", str(config)],
            ["-m", "importer", "check", path],
            ["-m", "importer", "jobs"],
            ["-m", "importer", "sandbox", "--port", "99999"],
        ]
    )
    outputs += run_all([unreachable], CLARITYQ_API_KEY=f"{KEY}\nsecond line")
    outputs += run_all([unreachable], CLARITYQ_KEY=KEY)
    config.unlink()
    check_nothing_leaks(tmp_path, outputs)


def test_logs_and_tracebacks_do_not_hold_the_key(url: str, tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")]))
    outputs = run_all(
        [
            ["-X", "dev", "-c", WITH_ALL_LOGGING_ON, path, PRODUCT, f"{url}/{answer}"]
            for answer in ("401/json", "400/html")
        ]
    )
    assert all(b"Traceback" in output and b"DEBUG" in output for output in outputs)
    check_nothing_leaks(tmp_path, outputs)


def test_a_key_shows_itself_to_nobody_who_prints_it() -> None:
    key = ApiKey(KEY)
    assert KEY not in f"{key} {key!r} {[key]}"
    assert key.reveal() == KEY
