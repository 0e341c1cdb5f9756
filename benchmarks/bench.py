"""What a scenario is given: where inputs and jobs are kept, and how the importer is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Usage, middle, python, run

PRODUCT = "00000000-0000-4000-8000-000000000001"

Table = list[tuple[str, ...]]


@dataclass(slots=True)
class Bench:
    """Where inputs and jobs are kept, and how often each command is run."""

    folder: Path
    runs: int
    large: bool
    jobs: int = field(default=0)

    def importer(self, path: Path, url: str, *options: object, ok: int = 0) -> Usage:
        """Run an import as a new job."""
        return run(self.command(path, url, *options), {"CLARITYQ_API_KEY": "key"}, ok=ok)

    def command(self, path: Path, url: str, *options: object) -> list[str]:
        """Return the command of an import as a new job."""
        self.jobs += 1
        return [
            *python("importer", "run", path, "--product-id", PRODUCT, "--base-url", url,
                    "--jobs-dir", self.job_folder, *options)
        ]  # fmt: skip

    @property
    def job_folder(self) -> Path:
        """Return the folder of the latest job."""
        return self.folder / f"jobs-{self.jobs}"

    def summary(self) -> dict[str, Any]:
        """Return the summary of the latest job."""
        (found,) = self.job_folder.glob("*/summary.json")
        return dict(json.loads(found.read_text()))

    def repeat(self, *measures: Callable[[], Usage]) -> list[Usage]:
        """Run each in turn, several times; return the medians."""
        found: list[list[Usage]] = [[] for _ in measures]
        for _ in range(self.runs):
            for usages, measure in zip(found, measures, strict=True):
                usages.append(measure())
        return [middle(usages) for usages in found]
