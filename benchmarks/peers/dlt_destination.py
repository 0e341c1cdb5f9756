"""dlt with a destination of one's own, as its documentation shows: a PUT for each item.

Run as `python -m benchmarks.peers.dlt_destination FILE BASE_URL CONCURRENCY`, with dlt installed.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import dlt
import requests


def main(path: str, base: str, concurrency: int) -> None:
    """Send all rows of the file."""
    prefix = f"{base}/api/v1/products/p/conversations/"
    session = requests.Session()
    session.headers["X-API-Key"] = "key"

    def send(items: list[dict[str, Any]], _: object) -> None:
        for item in items:
            response = session.put(
                f"{prefix}{item['conversation_id']}/feedback", json={"rating": item["rating"]}
            )
            response.raise_for_status()

    def ratings() -> Iterator[dict[str, str]]:
        with open(path, newline="") as file:  # noqa: PTH123 -- as such a script would
            yield from csv.DictReader(file)

    with tempfile.TemporaryDirectory() as folder:
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["LOAD__WORKERS"] = str(concurrency)
        # Of one file, one worker sends: so that all of them have something to do.
        os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = "500"
        destination = dlt.destination(send, batch_size=100)
        dlt.pipeline("peer", pipelines_dir=folder, destination=destination).run(
            dlt.resource(ratings, name="ratings")
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
