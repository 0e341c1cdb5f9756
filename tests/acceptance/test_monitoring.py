"""The alerts and the dashboard are about metrics that there are, and Prometheus takes them."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from importer.errors import ExitCode
from importer.model import OutcomeKind, RunEnd
from importer.pacing import Limit
from importer.reporting.exporters.prometheus import write_metrics
from importer.reporting.exporters.run_metrics import run_metrics
from importer.reporting.notices import Ending, Start
from importer.reporting.summary import Summary
from tests.support.data import PRODUCT
from tests.support.status import STANDING, served

SAMPLES = Path(__file__).parents[2] / "samples/monitoring"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="Prometheus is not installed"
)


def promtool(*arguments: object, folder: Path = SAMPLES) -> None:
    """Fail, with what it says, unless Prometheus's tool is content."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)],  # noqa: S607
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAMPLES / "dashboard.json").read_text("utf-8"))
    return content


def shown() -> Iterator[str]:
    """Yield the queries of the dashboard, its variable filled in."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$product", ".*")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((SAMPLES / "alerts.yaml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@needs_promtool
def test_the_alerts_come_when_they_should() -> None:
    promtool("check", "rules", "alerts.yaml")
    promtool("test", "rules", "alerts_test.yaml")


@needs_promtool
def test_prometheus_can_read_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(shown())]
    content = {"groups": [{"name": "dashboard", "rules": rules}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(content), "utf-8")
    promtool("check", "rules", "rules.yaml", folder=tmp_path)


def test_all_that_is_asked_for_is_written(tmp_path: Path) -> None:
    summary = Summary(
        folder=tmp_path, end=RunEnd.FINISHED, message="", rows=0,
        outcomes=dict.fromkeys(OutcomeKind, 0), reasons={}, warnings={}, puts=0, runs=1,
        started_at=1.0, ended_at=2.0, carried_over=0, conversations=0, product_id=PRODUCT,
        base_url="", inputs=[],
        files=[], limited_by=Limit.NOTHING,
    )  # fmt: skip
    start = Start(PRODUCT, "", [], 1.0)
    path = tmp_path / "import.prom"
    write_metrics(path, Ending(start, ExitCode.OK, "", 2.0, True, summary))
    text = path.read_text("utf-8")
    written = set(re.findall(r"^(clarityq_import\w+)", text, re.MULTILINE))
    # All begin alike, so the reference names most of them by what follows.
    promised = (Path(__file__).parents[2] / "docs/reference.md").read_text("utf-8")
    both = text + run_metrics(STANDING).decode()
    names = re.findall(r"^# TYPE clarityq_import(\w+)", both, re.MULTILINE)
    assert [name for name in names if f"{name}`" not in promised] == []
    queries = [*shown(), *(rule["expr"] for rule in alerts())]
    asked = {name for query in queries for name in re.findall(r"clarityq_import\w+", query)}
    assert asked - written == set()
    words = {
        word
        for query in queries
        for words in re.findall(r'outcome=~?"(.*?)"', query)
        for word in words.split("|")
    }
    assert words <= set(OutcomeKind)


def test_prometheus_has_nothing_to_say_against_what_a_run_serves() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("Prometheus is not installed")
    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607
        input=run_metrics(STANDING), capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_prometheus_scrapes_a_run_while_it_lasts(tmp_path: Path) -> None:
    with served(STANDING) as address, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        scrape = {"job_name": "imports", "static_configs": [{"targets": [address]}]}
        content = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(content), "utf-8")
        process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",  # noqa: S607
             f"--web.listen-address=127.0.0.1:{port}"],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            query = f"http://127.0.0.1:{port}/api/v1/query?query=clarityq_import_rows>0"
            rows: dict[str, str] = {}
            while not rows:  # the test's time-out ends it
                assert process.poll() is None
                time.sleep(0.2)
                with suppress(OSError), urllib.request.urlopen(query) as answer:
                    rows = {
                        found["metric"]["outcome"]: found["value"][1]
                        for found in json.load(answer)["data"]["result"]
                    }
        finally:
            process.terminate()
            process.wait()
    assert rows == {"succeeded": "5000", "rejected": "12", "pending": "5000"}


def test_the_dashboard_is_whole() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, f"{panel['title']} is above another panel"
        assert max(x for x, _ in cells) < 24
        taken |= cells
    mappings = panels[0]["fieldConfig"]["defaults"]["mappings"]
    codes = {int(code) for mapping in mappings for code in mapping["options"]}
    assert {int(code) for code in ExitCode} <= codes
