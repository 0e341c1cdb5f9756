"""Plays many histories: `python -m tests.oracle.play --seeds 100:200 --kinds mixed lossy`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.oracle.drive import ROOT, Desk
from tests.oracle.kinds import KINDS
from tests.oracle.nights import Kind, invent
from tests.oracle.service import Service
from tests.oracle.story import story
from tests.oracle.taker import Taker
from tests.oracle.warm import Nursery


def play(folder: Path, kind: Kind, seed: int, nursery: Nursery | None = None) -> str:
    """Play one history; return the story of what is wrong, empty if nothing is."""
    service = Service()
    service.start()
    try:
        desk = Desk(folder, service)
        desk.nursery = nursery
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


def _play_and_tell(kind: Kind, seed: int, nursery: Nursery | None) -> bool:
    """Play one history and tell how it went; keep its folder only if something is wrong."""
    folder, began = Path(tempfile.mkdtemp(prefix=f"oracle-{seed}-")), time.monotonic()
    wrong = play(folder, kind, seed, nursery)
    verdict = "WRONG" if wrong else "fine"
    told = f"{kind.name} {seed}: {verdict} in {time.monotonic() - began:.0f} s\n{wrong}"
    sys.stdout.write(told.rstrip() + "\n")
    sys.stdout.flush()
    if not wrong:
        shutil.rmtree(folder)
    return not wrong


def main() -> int:
    """Play what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:3", help="from the first to before the last")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--warm", action="store_true", help="fork commands, which is quicker")
    parser.add_argument("--short", action="store_true", help="few nights, few rows")
    parser.add_argument("--together", type=int, default=1, help="so many at once: most wait")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    seeds = range(int(first), int(last or int(first) + 1))
    kinds = [KINDS[name].short() if given.short else KINDS[name] for name in given.kinds]
    nursery = Nursery(ROOT) if given.warm else None
    with ThreadPoolExecutor(given.together) as threads:
        played = [
            threads.submit(_play_and_tell, kind, seed, nursery) for seed in seeds for kind in kinds
        ]
    if nursery is not None:
        nursery.close()
    return 0 if all(one.result() for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())
