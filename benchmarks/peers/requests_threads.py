"""requests with a thread pool and one session for each thread."""

from __future__ import annotations

import csv
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


def main(path: str, base: str, concurrency: int) -> None:
    """Send all rows of the file."""
    local = threading.local()

    def send(row: list[str]) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        url = f"{base}/api/v1/products/p/conversations/{row[0]}/feedback"
        answer = local.session.put(
            url, json={"rating": row[1]}, headers={"X-API-Key": "key"}, timeout=60
        )
        answer.raise_for_status()
        answer.json()

    with Path(path).open(newline="") as file, ThreadPoolExecutor(concurrency) as pool:
        rows = csv.reader(file)
        next(rows)
        for _ in pool.map(send, rows):
            pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
