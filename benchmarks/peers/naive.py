"""aiohttp as most people would write it: a task for each row, a semaphore, `json=`, `.json()`."""

from __future__ import annotations

import asyncio
import csv
import sys

import aiohttp


async def main(path: str, base: str, concurrency: int) -> None:
    """Send all rows of the file."""
    semaphore = asyncio.Semaphore(concurrency)

    async def send(row: dict[str, str]) -> None:
        url = f"{base}/api/v1/products/p/conversations/{row['conversation_id']}/feedback"
        async with semaphore, session.put(url, json={"rating": row["rating"]}) as response:
            response.raise_for_status()
            await response.json()

    async with aiohttp.ClientSession(headers={"X-API-Key": "key"}) as session:
        with open(path, newline="") as file:  # noqa: ASYNC230, PTH123 -- as such a script would
            await asyncio.gather(*(send(row) for row in csv.DictReader(file)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
