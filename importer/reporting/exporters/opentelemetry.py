"""OpenTelemetry: a trace and metrics for each run. Needs the extra `otel`.

Where to, the SDK takes from its own variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

from __future__ import annotations

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from importer.errors import ExitCode
from importer.reporting.summary import Summary

_NANOSECONDS = 1_000_000_000


def export(summary: Summary) -> None:
    """Send the trace and the metrics of the latest run to where the environment says."""
    resource = Resource.create({"service.name": "clarityq-import"})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    record(summary, traces, meters)
    traces.shutdown()
    meters.shutdown()


def record(summary: Summary, traces: trace.TracerProvider, meters: metrics.MeterProvider) -> None:
    """Record the run as one span, and its figures as metrics."""
    attributes = {"clarityq.product_id": summary.product_id, "clarityq.job": summary.folder.name}
    span = traces.get_tracer("importer").start_span(
        "import", start_time=int(summary.started_at * _NANOSECONDS), attributes=attributes
    )
    span.set_attribute("clarityq.exit_code", int(summary.exit_code))
    span.set_attribute("clarityq.rows", summary.rows)
    if summary.exit_code not in (ExitCode.OK, ExitCode.NOT_COMPLETED):
        span.set_status(trace.Status(trace.StatusCode.ERROR, summary.message))
    span.end(int(summary.ended_at * _NANOSECONDS))
    meter = meters.get_meter("importer")
    rows = meter.create_counter("clarityq.import.rows", "{row}", "Rows by outcome")
    for kind, number in summary.outcomes.items():
        rows.add(number, {**attributes, "outcome": str(kind)})
    meter.create_counter("clarityq.import.puts", "{request}", "PUTs").add(summary.puts, attributes)
    duration = meter.create_histogram("clarityq.import.duration", "s", "How long the run took")
    duration.record(max(0.0, summary.ended_at - summary.started_at), attributes)
