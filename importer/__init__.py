"""Imports feedback from files, buckets and databases into ClarityQ.

The public names, for programs and notebooks::

    from importer import ImportSettings, run_import

    summary = await run_import(ImportSettings.of(inputs="feedback.csv", product_id="…"))

docs/python.md shows more. They are loaded when they are first used, so that the command line starts
quickly.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importer.api import check_inputs, plan, run_import, run_import_blocking
    from importer.engine.control import Control
    from importer.engine.progress import Observer, Progress
    from importer.errors import ExitCode, ImporterError
    from importer.feedback.ratings import RatingTable
    from importer.model import Meaning, OutcomeKind, Reason, RunEnd, Warn
    from importer.reporting.outcomes_table import outcomes_frame
    from importer.reporting.summary import Summary
    from importer.sandbox.faults import Faults
    from importer.sandbox.server import Sandbox
    from importer.settings import (
        DataLimit,
        FailureLimit,
        ImportSettings,
        InputFormat,
        LongComments,
        Retry,
    )
    from importer.survey.findings import Findings
    from importer.survey.progress import SurveyProgress
    from importer.workflows.plan_import import Preview, Resumed

_HOMES = {
    "importer.api": ("check_inputs", "plan", "run_import", "run_import_blocking"),
    "importer.engine.control": ("Control",),
    "importer.engine.progress": ("Observer", "Progress"),
    "importer.errors": ("ExitCode", "ImporterError"),
    "importer.model": ("Meaning", "OutcomeKind", "Reason", "RunEnd", "Warn"),
    "importer.feedback.ratings": ("RatingTable",),
    "importer.reporting.outcomes_table": ("outcomes_frame",),
    "importer.reporting.summary": ("Summary",),
    "importer.sandbox.faults": ("Faults",),
    "importer.sandbox.server": ("Sandbox",),
    "importer.survey.findings": ("Findings",),
    "importer.survey.progress": ("SurveyProgress",),
    "importer.workflows.plan_import": ("Preview", "Resumed"),
    "importer.settings": (
        "DataLimit",
        "FailureLimit",
        "ImportSettings",
        "InputFormat",
        "LongComments",
        "Retry",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Control",
    "DataLimit",
    "ExitCode",
    "FailureLimit",
    "Faults",
    "Findings",
    "ImportSettings",
    "ImporterError",
    "InputFormat",
    "LongComments",
    "Meaning",
    "Observer",
    "OutcomeKind",
    "Preview",
    "Progress",
    "RatingTable",
    "Reason",
    "Resumed",
    "Retry",
    "RunEnd",
    "Sandbox",
    "Summary",
    "SurveyProgress",
    "Warn",
    "check_inputs",
    "outcomes_frame",
    "plan",
    "run_import",
    "run_import_blocking",
]


# As libraries do: a program that wants the log gives "importer" or the root a handler.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'importer' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
