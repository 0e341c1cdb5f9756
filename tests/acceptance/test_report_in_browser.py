"""The report in a real browser: it shows itself, and asks for nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from importer.api import run_import_blocking
from importer.reporting.left_overs import REPORT_NAME
from importer.sandbox.faults import Faults
from importer.settings import ImportSettings
from tests.support.data import conversation, write_csv
from tests.support.reports import lengthened
from tests.support.status import STANDING, served

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 1000), ("light", 360)])
def test_the_report_shows_itself_without_errors_and_without_the_network(
    browser: Browser,
    settings_for: Callable[..., ImportSettings],
    tmp_path: Path,
    theme: str,
    width: int,
) -> None:
    rows = [(conversation(n), "<b>meh</b>" if n == 3 else "POSITIVE", "") for n in range(300)]
    faults = Faults(not_completed=0.2, completes_after=0.1, server_error=0.1, latency=0.002)
    settings = settings_for(write_csv(tmp_path / "in.csv", rows), sandbox=True)
    summary = run_import_blocking(settings, faults=faults)
    lengthened(summary)

    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
    )
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    report = (summary.folder / REPORT_NAME).as_uri()
    page.goto(report)

    assert said == []
    assert asked == [report]
    assert "1 of 300 rows was not imported" in page.inner_text(".verdict")
    assert page.locator(".bar i").count() == 2
    assert page.locator("figure svg").count() >= 5
    assert page.locator("td b").count() == 0, "what the input says is text"
    # Neither the page nor a chart is wider than the screen; tables scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (theme == "dark")
    whole = "[...document.querySelectorAll('.steps code span')].every("
    whole += "word => word.textContent.length > 20 || word.offsetHeight < 30)"
    assert page.evaluate(whole), "a command is broken between its words, not at a hyphen"
    page.emulate_media(media="print")
    styles = "[...document.querySelectorAll('{}')].every(part => getComputedStyle(part).{} == '{}')"
    alone = page.evaluate(styles.format("h2", "breakAfter", "avoid"))
    assert alone, "no heading is alone at the foot of a sheet of paper"
    flows = page.evaluate(styles.format("section", "breakInside", "auto"))
    assert flows, "a long section leaves no sheet nearly empty"
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1000), ("dark", 390)])
def test_the_page_of_a_run_that_lasts_shows_itself_and_asks_for_nothing_else(
    browser: Browser, theme: str, width: int
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
    )
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    with served(STANDING) as address:
        page.goto(f"http://{address}/")
        assert (said, asked) == ([], [f"http://{address}/"])
        assert page.inner_text(".verdict") == "Working"
        assert page.locator(".bar i").count() == 3
        assert page.locator("figure svg").count() == 2
        assert page.locator("code b").count() == 0, "what the input is called is text"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        with page.expect_request(f"http://{address}/", timeout=20_000):
            pass  # it shows itself anew
    page.close()
