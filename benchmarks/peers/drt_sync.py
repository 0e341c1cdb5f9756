"""drt, which sends the rows of a table to a REST API as YAML tells it to, one after the other.

It has no address with a value of the row in it, so all requests go to one conversation.

Run as `python -m benchmarks.peers.drt_sync FILE BASE_URL CONCURRENCY`, with drt-core installed.
"""

from __future__ import annotations

import csv
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

_PROJECT = "name: peer\nprofile: peer\n"
_PROFILE = "peer:\n  type: sqlite\n  database: {0}/ratings.sqlite\n"
_SYNC = """
name: ratings
model: ref('ratings')
destination:
  type: rest_api
  url: "{0}/api/v1/products/p/conversations/00000000-0000-4000-8000-000000000001/feedback"
  method: PUT
  headers: {{"Content-Type": "application/json", "X-API-Key": "key"}}
  body_template: '{{"rating": "{{{{ row.rating }}}}"}}'
sync:
  mode: full
  batch_size: 1000
  rate_limit: {{"requests_per_second": 100000}}
  on_error: fail
"""


def main(path: str, base: str) -> None:
    """Send all rows of the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, text in {
            "drt_project.yml": _PROJECT,
            ".drt/profiles.yml": _PROFILE.format(folder),
            "syncs/ratings.yml": _SYNC.format(base),
        }.items():
            (folder / place).parent.mkdir(exist_ok=True)
            (folder / place).write_text(text)
        with closing(sqlite3.connect(folder / "ratings.sqlite")) as db, open(path) as file:  # noqa: PTH123
            db.execute("CREATE TABLE ratings (conversation_id, rating, comment)")
            rows = csv.reader(file)
            next(rows)
            db.executemany("INSERT INTO ratings VALUES (?, ?, ?)", rows)
            db.commit()
        env = {**os.environ, "HOME": name, "DO_NOT_TRACK": "1", "DRT_TELEMETRY": "0"}
        subprocess.run(
            [Path(sys.executable).with_name("drt"), "run"], cwd=folder, env=env, check=True
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
