"""All that can be known of an input without the API: what `clarityq-import check` finds out.

It is the survey that a run begins with. Nothing is sent and no job is begun.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from importer.settings import ImportSettings
from importer.sources.copies.partial_copy import CopyWatch
from importer.survey.findings import Findings
from importer.survey.progress import SurveyProgress
from importer.survey.survey_pass import survey_inputs
from importer.workflows.draft import propose_columns
from importer.workflows.open_inputs import open_inputs


def check_inputs(
    settings: ImportSettings,
    progress: Callable[[SurveyProgress], None] = lambda _: None,
    told: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Read all inputs of `settings` and return what was found; `progress` is told of it.

    `told` is told of copies: what is no local file is copied for as long as this takes. Raises
    `InputError`, and `ScratchError` if the system's temporary folder is too small.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clarityq-check-")))
        sources = open_inputs(settings, scratch, CopyWatch(told=told))
        for source in sources:
            stack.callback(source.close)
        found = stack.enter_context(
            survey_inputs(sources, settings, scratch, progress=progress)
        ).findings
    propose_columns(found, settings)
    return found
