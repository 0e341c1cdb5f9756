"""How a run stands, as Prometheus asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from importer.model import WorkerFigures
from importer.reporting.exporters.prometheus import PREFIX, latencies, rows
from importer.reporting.standing import Figures, Standing


def run_metrics(standing: Standing) -> bytes:
    """Return the metrics in Prometheus's text format (docs/reference.md lists them)."""
    registry = CollectorRegistry()
    registry.register(_Metrics(standing))
    return generate_latest(registry)


class _Metrics(Collector):
    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; see `Collector`."""
        standing = self._standing
        yield self._gauge("up", "1 while the run makes progress or waits for a reason",
                          standing.health.is_well)  # fmt: skip
        yield self._gauge("start_timestamp_seconds", "When the run started", standing.started_at)
        if standing.figures is not None:
            yield from self._of_job(standing.figures)

    def _of_job(self, figures: Figures) -> Iterator[Metric]:
        product = self._standing.product_id
        yield rows(product, figures.outcomes)
        yield self._gauge("in_flight", "Requests in flight", figures.in_flight)
        yield self._gauge("concurrency", "How many requests may be in flight", figures.concurrency)
        if figures.seconds_left is not None:
            yield self._gauge(
                "left_seconds", "Time until all rows are done, at the present speed",
                figures.seconds_left,
            )  # fmt: skip
        waiting = GaugeMetricFamily(
            f"{PREFIX}_waiting_rows", "Rows that wait, by what for", labels=["product_id", "for"]
        )
        for what, number in figures.waiting.items():
            waiting.add_metric([product, what], number)
        yield waiting
        responses = CounterMetricFamily(
            f"{PREFIX}_responses", "Responses of this run by HTTP status; none: no response came",
            labels=["product_id", "status"],
        )  # fmt: skip
        for status, number in sorted(figures.statuses.items()):
            responses.add_metric([product, str(status) if status else "none"], number)
        yield responses
        yield latencies(product, figures.buckets)
        if figures.workers:
            yield from self._of_workers(figures.workers)

    def _of_workers(self, workers: Sequence[WorkerFigures]) -> Iterator[Metric]:
        product = self._standing.product_id
        lost = sum(worker.is_lost for worker in workers)
        counts = GaugeMetricFamily(
            f"{PREFIX}_workers", "Processes that send, by state", labels=["product_id", "state"]
        )
        counts.add_metric([product, "at_work"], len(workers) - lost)
        counts.add_metric([product, "lost"], lost)
        yield counts
        speeds = GaugeMetricFamily(
            f"{PREFIX}_worker_rows_per_second", "Rows that each of them completes per second",
            labels=["product_id", "worker"],
        )  # fmt: skip
        for worker in workers:
            if not worker.is_lost:
                speeds.add_metric([product, worker.name], worker.speed)
        yield speeds

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["product_id"])
        gauge.add_metric([self._standing.product_id], float(value))
        return gauge
