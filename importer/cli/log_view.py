"""The log of the package on standard error, as text or as JSON lines."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from importer.workflows.log_observer import RUN_LOG

_log = logging.getLogger("importer")


@contextmanager
def logging_to_stderr(*, as_json: bool, quiet: bool) -> Iterator[None]:
    """Send the importer's log to standard error (docs/reference.md, L1 and L2).

    If it is `quiet`, only what a person should know.
    """
    handler = logging.StreamHandler(sys.stderr)
    if as_json:
        formatter: logging.Formatter = JsonFormatter(
            "%(levelname)s %(message)s", timestamp="time", rename_fields={"levelname": "level"}
        )
    else:
        formatter = logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(formatter)
    if not as_json:  # the summary says it
        handler.addFilter(lambda record: getattr(record, "event", "") != "ended")
    before = _log.level, _log.propagate
    _log.addHandler(handler)
    _log.setLevel(logging.WARNING if quiet else logging.INFO)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(before[0])
        _log.propagate = before[1]


@contextmanager
def run_not_logged() -> Iterator[None]:
    """Log nothing of a run while it is shown otherwise."""
    RUN_LOG.disabled = True
    try:
        yield
    finally:
        RUN_LOG.disabled = False


def log_failure(message: str, exit_code: int) -> None:
    """Log, as JSON, why a command has failed before it could say so itself."""
    with logging_to_stderr(as_json=True, quiet=True):
        _log.error("%s", message, extra={"event": "error", "exit_code": int(exit_code)})


def log_configuration(files: Iterable[Path]) -> None:
    """Name the configuration files that were read."""
    for file in files:
        _log.info("configuration: %s", file, extra={"event": "configuration", "file": str(file)})
