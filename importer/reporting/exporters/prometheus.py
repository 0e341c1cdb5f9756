"""The figures of a run as a Prometheus text file, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from importer.common.histogram import BUCKETS
from importer.errors import SettingsError
from importer.model import OutcomeKind
from importer.reporting.notices import Ending

#: How the names of the metrics begin.
PREFIX = "clarityq_import"
_SUCCESS = f"{PREFIX}_last_success_timestamp_seconds"
#: Upper bounds of the latency histogram, in seconds.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def write_metrics(path: Path, ending: Ending) -> None:
    """Write the metrics of the latest run, whole or not at all (docs/reference.md lists them).

    A run that could not start has no rows and no latencies. The time of the product's last success
    stays when a run has none, or was a rehearsal. Raises `SettingsError`.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(ending, _last_success(path, ending)))
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise SettingsError(f"--metrics-file {path}: {error.strerror}") from None


class _Figures(Collector):
    def __init__(self, ending: Ending, last_success: float | None) -> None:
        self._ending = ending
        self._last_success = last_success

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; see `Collector`."""
        ending, summary = self._ending, self._ending.summary
        labels = ["product_id"]
        if summary is not None:
            yield rows(summary.product_id, summary.outcomes)
        if summary is not None and summary.label is not None:
            family = GaugeMetricFamily(
                f"{PREFIX}_label", "What the latest job is labelled; always 1",
                labels=[*labels, "label"],
            )  # fmt: skip
            family.add_metric([summary.product_id, summary.label], 1)
            yield family
        figures: dict[str, tuple[str, float | None]] = {
            f"{PREFIX}_puts": (
                "PUTs sent for rows that have an outcome",
                None if summary is None else summary.puts,
            ),
            f"{PREFIX}_exit_code": ("Exit code of the latest run", ending.exit_code),
            f"{PREFIX}_duration_seconds": ("How long the latest run took", ending.duration),
            f"{PREFIX}_end_timestamp_seconds": ("When the latest run ended", ending.ended_at),
            _SUCCESS: (
                "When a run last ended with an exit code of --success-codes", self._last_success
            ),
        }  # fmt: skip
        for name, (text, value) in figures.items():
            if value is not None:
                gauge = GaugeMetricFamily(name, text, labels=labels)
                gauge.add_metric([ending.start.product_id], value)
                yield gauge
        if summary is not None:
            yield latencies(summary.product_id, summary.latencies)


def rows(product_id: str, outcomes: Mapping[OutcomeKind, int]) -> GaugeMetricFamily:
    """Return the metric of the rows by outcome."""
    family = GaugeMetricFamily(
        f"{PREFIX}_rows", "Rows of the latest job by outcome", labels=["product_id", "outcome"]
    )
    for kind in OutcomeKind:
        family.add_metric([product_id, kind], outcomes[kind])
    return family


def latencies(product_id: str, counts: Sequence[int]) -> HistogramMetricFamily:
    """Return the metric of the latencies, of which so many fell into each of `BUCKETS`."""
    below = list(accumulate(counts))
    buckets = [
        (str(bound), sum(n for edge, n in zip(BUCKETS, counts, strict=False) if edge <= bound))
        for bound in _BOUNDS
    ]
    buckets.append(("+Inf", below[-1] if below else 0))
    total = sum(edge * n for edge, n in zip((*BUCKETS, BUCKETS[-1]), counts, strict=False))
    histogram = HistogramMetricFamily(
        f"{PREFIX}_latency_seconds", "How long responses took in the latest run",
        labels=["product_id"],
    )  # fmt: skip
    histogram.add_metric([product_id], buckets, sum_value=total)
    return histogram


def _last_success(path: Path, ending: Ending) -> float | None:
    if ending.is_success and not ending.start.is_rehearsal:
        return ending.ended_at
    try:
        families = list(text_string_to_metric_families(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
    samples = (
        sample for family in families if family.name == _SUCCESS for sample in family.samples
    )
    product_id = ending.start.product_id
    return next((s.value for s in samples if s.labels.get("product_id") == product_id), None)
