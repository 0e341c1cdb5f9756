"""The figures of a run as a Prometheus text file, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from importer.common.histogram import BUCKETS
from importer.errors import ExitCode, SettingsError
from importer.model import OutcomeKind
from importer.reporting.summary import Summary

_PREFIX = "clarityq_import"
_SUCCESS = f"{_PREFIX}_last_success_timestamp_seconds"
#: Upper bounds of the latency histogram, in seconds.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def write_metrics(path: Path, summary: Summary) -> None:
    """Write the metrics of the latest run, whole or not at all (docs/reference.md lists them).

    The time of the last success stays when a run has none. Raises `SettingsError`.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(summary, _last_success(path, summary)))
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise SettingsError(f"--metrics-file {path}: {error.strerror}") from None


class _Figures(Collector):
    def __init__(self, summary: Summary, last_success: float | None) -> None:
        self._summary = summary
        self._last_success = last_success

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; see `Collector`."""
        summary = self._summary
        labels = ["product_id"]
        rows = GaugeMetricFamily(
            f"{_PREFIX}_rows", "Rows of the latest job by outcome", labels=[*labels, "outcome"]
        )
        for kind in OutcomeKind:
            rows.add_metric([summary.product_id, kind], summary.outcomes[kind])
        yield rows
        figures: dict[str, tuple[str, float | None]] = {
            f"{_PREFIX}_puts": ("PUTs sent for rows that have an outcome", summary.puts),
            f"{_PREFIX}_exit_code": ("Exit code of the latest run", summary.exit_code),
            f"{_PREFIX}_duration_seconds": (
                "How long the latest run took",
                max(0.0, summary.ended_at - summary.started_at),
            ),
            f"{_PREFIX}_end_timestamp_seconds": ("When the latest run ended", summary.ended_at),
            _SUCCESS: ("When a run last ended with exit code 0", self._last_success),
        }
        for name, (text, value) in figures.items():
            if value is not None:
                gauge = GaugeMetricFamily(name, text, labels=labels)
                gauge.add_metric([summary.product_id], value)
                yield gauge
        yield self._latencies(labels)

    def _latencies(self, labels: list[str]) -> HistogramMetricFamily:
        counts = self._summary.latencies
        below = list(accumulate(counts))
        buckets = [
            (str(bound), sum(n for edge, n in zip(BUCKETS, counts, strict=False) if edge <= bound))
            for bound in _BOUNDS
        ]
        buckets.append(("+Inf", below[-1] if below else 0))
        total = sum(edge * n for edge, n in zip((*BUCKETS, BUCKETS[-1]), counts, strict=False))
        histogram = HistogramMetricFamily(
            f"{_PREFIX}_latency_seconds", "How long responses took in the latest run", labels=labels
        )
        histogram.add_metric([self._summary.product_id], buckets, sum_value=total)
        return histogram


def _last_success(path: Path, summary: Summary) -> float | None:
    if summary.exit_code is ExitCode.OK:
        return summary.ended_at
    try:
        families = list(text_string_to_metric_families(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
    return next((f.samples[0].value for f in families if f.name == _SUCCESS and f.samples), None)
