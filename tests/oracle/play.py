"""Plays many histories: `python -m tests.oracle.play --seeds 100:200 --kinds mixed lossy`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.oracle.drive import Desk
from tests.oracle.kinds import KINDS
from tests.oracle.nights import Kind, invent
from tests.oracle.service import Service
from tests.oracle.story import story
from tests.oracle.taker import Taker


def play(folder: Path, kind: Kind, seed: int) -> str:
    """Play one history; return the story of what is wrong, empty if nothing is."""
    service = Service()
    service.start()
    try:
        desk = Desk(folder, service)
        player = Taker(desk, invent(kind, seed))
        try:
            complaints = player.play()
            desk.audit()
        except Exception as error:  # noqa: BLE001  whatever it was, the story belongs to it
            complaints = [*player.complaints, f"{type(error).__name__}: {error}"]
        if not complaints:
            return ""
        return f"kind {kind.name}, seed {seed}\n{story(player, complaints, folder)}"
    finally:
        service.close()


def _tell(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n")
    sys.stdout.flush()


def main() -> int:
    """Play what the arguments name; keep the folders of those that fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:3", help="from the first to before the last")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    failed = 0
    for seed in range(int(first), int(last or int(first) + 1)):
        for name in given.kinds:
            folder, began = Path(tempfile.mkdtemp(prefix=f"oracle-{seed}-")), time.monotonic()
            wrong = play(folder, KINDS[name], seed)
            verdict = "WRONG" if wrong else "fine"
            _tell(f"{name} {seed}: {verdict} in {time.monotonic() - began:.0f} s\n{wrong}")
            if wrong:
                failed += 1
            else:
                shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
