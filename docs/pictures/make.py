"""Makes the pictures of the README from a real run: `python docs/pictures/make.py`.

Needs Chromium (Debian: `chromium`) and the `dev` extra.
"""

from __future__ import annotations

import io
import random
import shutil
import tempfile
import uuid
from contextlib import chdir
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console

from importer import ImportSettings, run_import_blocking
from importer.cli.live_view import Picture
from importer.engine.progress import Progress
from importer.reporting.left_overs import REPORT_NAME
from importer.sandbox.faults import Faults
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import Speed, start_line

_HERE = Path(__file__).resolve().parent
_ROWS = 40_000
_BAD_DAY = ["not-completed=2%:4s", "5xx=0.5%", "429=0.5%", "in-error=0.05%", "latency=5ms"]


class _Keeper:
    """An observer that keeps the picture of the middle of the run."""

    def __init__(self) -> None:
        self.console = Console(
            record=True, width=84, file=io.StringIO(), force_terminal=True, highlight=False
        )
        self._speed = Speed()
        self._kept = False

    def surveying(self, progress: SurveyProgress) -> None: ...

    def started(self, folder: Path, settings: ImportSettings, already_settled: int) -> None:
        self.console.print(f"{start_line(Path(folder.name), settings, already_settled)}.")

    def progressed(self, progress: Progress) -> None:
        speed = self._speed.update(progress)
        if not self._kept and progress.share > 0.6:
            self._kept = True
            self.console.print(Picture(progress, speed, self._speed.now))

    def noticed(self, message: str) -> None: ...


def _write_ratings(path: Path) -> None:
    dice = random.Random(4)
    with path.open("w") as file:
        file.write("conversation_id,rating,comment\n")
        for number in range(_ROWS):
            word = dice.choice(["POSITIVE", "POSITIVE", "NEGATIVE"])
            word = "meh" if number % 997 == 0 else word
            comment = "" if number % 5 else "It helped."
            file.write(f"{uuid.UUID(int=dice.getrandbits(128), version=4)},{word},{comment}\n")


def main() -> None:
    """Run the import, and draw it and its report."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        _write_ratings(Path("ratings.csv"))
        settings = ImportSettings.of(
            inputs=["ratings.csv"],
            product_id="00000000-0000-4000-8000-000000000001",
            sandbox=True,
            defer_first=1.0,
        )
        keeper = _Keeper()
        summary = run_import_blocking(settings, faults=Faults.parse(_BAD_DAY), observers=[keeper])
        keeper.console.save_svg(str(_HERE / "run.svg"), title="clarityq-import run")
        report = shutil.copy(summary.folder / REPORT_NAME, folder)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            for theme, width in (("light", 900), ("dark", 900), ("light", 390)):
                page = browser.new_page(
                    viewport={"width": width, "height": 1100},
                    color_scheme=theme,  # type: ignore[arg-type]
                )
                page.goto(Path(report).as_uri())
                page.screenshot(path=_HERE / f"report-{theme}-{width}.png")
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
