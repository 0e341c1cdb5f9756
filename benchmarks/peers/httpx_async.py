"""httpx's AsyncClient with long-lived workers."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator

import httpx


async def main(path: str, base: str, concurrency: int) -> None:
    """Send all rows of the file."""
    prefix = f"{base}/api/v1/products/p/conversations/"

    async def work(rows: Iterator[list[str]]) -> None:
        for conversation, rating, _ in rows:
            answer = await client.put(f"{prefix}{conversation}/feedback", json={"rating": rating})
            answer.raise_for_status().json()

    async with httpx.AsyncClient(
        headers={"X-API-Key": "key"}, limits=httpx.Limits(max_connections=concurrency)
    ) as client:
        with open(path, newline="") as file:  # noqa: ASYNC230, PTH123 -- as such a script would
            rows = csv.reader(file)
            next(rows)
            await asyncio.gather(*(work(rows) for _ in range(concurrency)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
