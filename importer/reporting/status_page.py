"""The page that shows how a run stands, while it lasts."""

from __future__ import annotations

from importer.model import Moment
from importer.reporting.charts import FEWEST_MOMENTS, Chart, over_time, requests_over_time
from importer.reporting.pages import page_of
from importer.reporting.standing import Standing
from importer.reporting.wording import MEANINGS
from importer.settings import SANDBOX


def status_page(standing: Standing, *, seconds: int) -> str:
    """Return the page; a browser asks for it again after so many seconds."""
    figures = standing.figures
    moments = [] if figures is None else list(figures.moments)
    return page_of(
        "status.html.j2",
        {
            "standing": standing,
            "is_rehearsal": standing.service == SANDBOX,
            "figures": figures,
            "meanings": MEANINGS,
            "charts": _charts(moments) if len(moments) >= FEWEST_MOMENTS else [],
            "seconds": seconds,
        },
    )


def _charts(moments: list[Moment]) -> list[Chart]:
    return [
        over_time("Rows per second", "Rows that were completed, over time.", "rows/s", moments,
                  {"rows/s": lambda m: m.settled / m.interval}),
        requests_over_time(moments),
    ]  # fmt: skip
