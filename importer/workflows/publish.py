"""Tells other systems how a run ended: a metrics file, telemetry, a webhook."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import to_thread

from importer.engine.progress import Observer
from importer.errors import SettingsError
from importer.reporting.exporters.webhook import notify
from importer.reporting.summary import Summary
from importer.settings import ImportSettings


async def publish(
    settings: ImportSettings, summary: Summary, observers: Sequence[Observer]
) -> None:
    """Tell those that `settings` name, by `summary`.

    What goes wrong here is told to the observers, and does not change how the run ended.
    """
    problems = []
    if settings.exports.metrics_file is not None:
        from importer.reporting.exporters.prometheus import (  # noqa: PLC0415 -- seldom needed
            write_metrics,
        )

        try:
            write_metrics(settings.exports.metrics_file, summary)
        except SettingsError as error:
            problems.append(str(error))
    if settings.exports.telemetry:
        problems.append(await to_thread.run_sync(_export, summary))
    if settings.exports.notify_url is not None:
        problems.append(await notify(settings.exports.notify_url, summary.as_json()))
    for observer in observers:
        for problem in filter(None, problems):
            observer.noticed(problem)


def _export(summary: Summary) -> str:
    """Export the telemetry; return what went wrong, or nothing."""
    try:
        from importer.reporting.exporters.opentelemetry import export  # noqa: PLC0415 -- an extra
    except ImportError:
        return "--telemetry needs the extra: pip install 'clarityq-importer[otel]'"
    export(summary)
    return ""
