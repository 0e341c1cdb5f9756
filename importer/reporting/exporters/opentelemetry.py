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

from importer.reporting.notices import Ending

_NANOSECONDS = 1_000_000_000


def export(ending: Ending) -> None:
    """Send the trace and the metrics of the latest run to where the environment says."""
    resource = Resource.create({"service.name": "clarityq-import"})
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    meters = MeterProvider([reader], resource, shutdown_on_exit=False)
    record(ending, traces, meters)
    traces.shutdown()
    meters.shutdown()


def record(ending: Ending, traces: trace.TracerProvider, meters: metrics.MeterProvider) -> None:
    """Record the run as one span, and its figures as metrics."""
    summary = ending.summary
    attributes = {"clarityq.product_id": ending.start.product_id}
    if summary is not None:
        attributes["clarityq.job"] = summary.folder.name
    started = ending.ended_at - ending.duration
    span = traces.get_tracer("importer").start_span(
        "import", start_time=int(started * _NANOSECONDS), attributes=attributes
    )
    span.set_attribute("clarityq.exit_code", int(ending.exit_code))
    if summary is not None:
        span.set_attribute("clarityq.rows", summary.rows)
        if summary.label is not None:
            span.set_attribute("clarityq.label", summary.label)
    if not ending.is_success:
        span.set_status(trace.Status(trace.StatusCode.ERROR, ending.message))
    span.end(int(ending.ended_at * _NANOSECONDS))
    meter = meters.get_meter("importer")
    if summary is not None:
        rows = meter.create_counter("clarityq.import.rows", "{row}", "Rows by outcome")
        for kind, number in summary.outcomes.items():
            rows.add(number, {**attributes, "outcome": str(kind)})
        puts = meter.create_counter("clarityq.import.puts", "{request}", "PUTs")
        puts.add(summary.puts, attributes)
    duration = meter.create_histogram("clarityq.import.duration", "s", "How long the run took")
    duration.record(ending.duration, attributes)
