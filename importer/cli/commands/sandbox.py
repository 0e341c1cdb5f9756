"""`clarityq-import sandbox`: serve the mock server until it is stopped."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import anyio
import click

from importer.cli.config_file import CONFIG
from importer.cli.help import command, examples, option
from importer.cli.options import KeySource, PathName, Rehearsal, find_key, given, options_from
from importer.errors import SettingsError
from importer.settings.derive import build

if TYPE_CHECKING:
    from importer.sandbox.server import Sandbox


@command(
    epilog=examples("sandbox", "sandbox --port 9000 --fault not-completed=5%:10s --fault 429=1%")
)
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    default=8080,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@option(
    "--api-key-file",
    type=PathName(),
    metavar="PATH",
    default_text="any key",
    help="File that holds the only key to accept.",
)
@options_from(Rehearsal, only=("fault",))
@CONFIG
def sandbox(host: str, port: int, **options: Any) -> None:
    """Serve a mock server of the API, with faults on demand.

    It keeps what it is sent until it stops. GET /sandbox/feedback shows it, one JSON object a
    line; GET /sandbox/statistics counts the answers; GET /openapi.json describes the API.
    """
    values = given(options)
    source = build(KeySource, values)
    key = find_key(source).reveal() if source.file is not None else None
    from importer.sandbox.server import Sandbox  # noqa: PLC0415 -- heavy, and --help does without

    anyio.run(_serve, Sandbox(build(Rehearsal, values).fault, key=key, host=host, port=port))


async def _serve(server: Sandbox) -> None:
    try:
        async with server:
            click.echo(f"The sandbox listens on {server.url}; stop it with Ctrl-C.", err=True)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
    except OSError as error:
        raise SettingsError(f"the sandbox cannot listen: {error.strerror or error}") from None
