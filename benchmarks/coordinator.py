"""The command itself, with the CPU that it takes to read, hand out and record.

`python -m benchmarks.coordinator FIGURE [--idle] run …` is `clarityq-import run …`; with `--idle`
its workers make no request, and answer at once that all rows are stored. The seconds of CPU are
written to the file FIGURE.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.idle_worker import IdleWorker
from importer.__main__ import main as import_main
from importer.distributed import dask_crew
from importer.distributed.coordinator import Coordinator


def main(figure: Path) -> None:
    """Run the command of the arguments that are left, and write the figure."""
    work, used = Coordinator.work, []

    async def measured(self: Coordinator) -> None:
        before = time.process_time()
        await work(self)
        used.append(time.process_time() - before)

    # From outside, so that what is measured is what ships.
    Coordinator.work = measured  # type: ignore[method-assign]
    try:
        import_main()
    finally:
        figure.write_text(str(sum(used)))


if __name__ == "__main__":
    _, path, *words = sys.argv
    if words[0] == "--idle":
        vars(dask_crew)["Worker"] = IdleWorker
        del words[0]
    sys.argv[1:] = words
    main(Path(path))
