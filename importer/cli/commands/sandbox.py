"""`clarityq-import sandbox`: serve the stand-in until it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from importer.cli.config_file import CONTEXT
from importer.cli.options import CONFIG, FAULT, PATH, find_key
from importer.errors import SettingsError
from importer.sandbox.faults import Faults

if TYPE_CHECKING:
    from importer.sandbox.server import Sandbox


@click.command(context_settings=CONTEXT)
@CONFIG
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port; 0 takes a free one.")
@click.option("--api-key-file", type=PATH, help="The only key to accept.  [default: any key]")
@FAULT
def sandbox(host: str, port: int, api_key_file: Path | None, fault: tuple[str, ...]) -> None:
    """Serve a stand-in for the service, with faults on demand.

    It keeps what it is sent until it stops. GET /sandbox/feedback shows it, one JSON object a
    line; GET /sandbox/statistics counts the answers; GET /openapi.json describes the API.
    """
    key = find_key(api_key_file).reveal() if api_key_file is not None else None
    from importer.sandbox.server import Sandbox  # noqa: PLC0415 -- heavy, and --help does without

    anyio.run(_serve, Sandbox(Faults.parse(fault), key=key, host=host, port=port))


async def _serve(server: Sandbox) -> None:
    try:
        async with server:
            click.echo(f"The sandbox listens on {server.url}; stop it with Ctrl-C.", err=True)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
    except OSError as error:
        raise SettingsError(f"the sandbox cannot listen: {error.strerror or error}") from None
