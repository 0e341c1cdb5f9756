"""aiohttp tuned: uvloop, long-lived workers, bodies as bytes, answers read and not parsed.

A fourth argument names a file of certificate authorities.
"""

from __future__ import annotations

import asyncio
import csv
import ssl
import sys
from collections.abc import Iterator

import aiohttp
import uvloop


async def main(path: str, base: str, concurrency: int, *ca_file: str) -> None:
    """Send all rows of the file."""
    prefix = f"{base}/api/v1/products/p/conversations/"

    async def work(rows: Iterator[list[str]]) -> None:
        for conversation, rating, _ in rows:
            body = b'{"rating":"' + rating.encode() + b'"}'
            async with session.put(f"{prefix}{conversation}/feedback", data=body) as response:
                await response.read()
                if response.status != 200:
                    raise RuntimeError(response.status)

    tls = ssl.create_default_context(cafile=ca_file[0]) if ca_file else True
    headers = {"X-API-Key": "key", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, ssl=tls),
        headers=headers,
        skip_auto_headers=["User-Agent", "Accept", "Accept-Encoding"],
    ) as session:
        with open(path, newline="") as file:  # noqa: ASYNC230, PTH123 -- as such a script would
            rows = csv.reader(file)
            next(rows)
            await asyncio.gather(*(work(rows) for _ in range(concurrency)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
