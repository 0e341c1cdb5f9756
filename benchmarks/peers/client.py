"""The importer's own client without the rest of a run: what of a row's cost is the wire.

Run as `python -m benchmarks.peers.client FILE BASE_URL CONCURRENCY [CA_FILE]`.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.bench import PRODUCT
from importer.clarityq.api_key import ApiKey
from importer.clarityq.client import FeedbackClient
from importer.clarityq.responses import VerdictKind
from importer.model import Feedback, Meaning
from importer.settings import ImportSettings


async def main(path: str, base: str, concurrency: int, *ca_file: str) -> None:
    """Send all rows of the file."""
    settings = ImportSettings.of(
        inputs=[Path(path)], product_id=PRODUCT, base_url=base, concurrency=concurrency,
        ca_file=Path(ca_file[0]) if ca_file else None,
    )  # fmt: skip

    async def work(rows: Iterator[tuple[int, list[str]]]) -> None:
        for number, (conversation, rating, _) in rows:
            verdict = await client.put(Feedback(number, conversation, Meaning(rating), None))
            if verdict.kind is not VerdictKind.APPLIED:
                raise RuntimeError(verdict)

    with open(path, newline="") as file:  # noqa: ASYNC230, PTH123 -- as the other peers do
        reader = csv.reader(file)
        next(reader)
        rows = enumerate(reader)
        async with FeedbackClient(settings, ApiKey("key")) as client:
            await asyncio.gather(*(work(rows) for _ in range(concurrency)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
