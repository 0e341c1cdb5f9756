"""All that can be known of an input without the API: what `clarityq-import check` finds out.

It is the survey that a run begins with. Nothing is sent and no job is begun.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from importer.settings import ImportSettings
from importer.survey.findings import Findings
from importer.survey.progress import SurveyProgress
from importer.survey.survey_pass import survey_inputs
from importer.workflows.open_inputs import open_inputs


def check_inputs(
    settings: ImportSettings, progress: Callable[[SurveyProgress], None] = lambda _: None
) -> Findings:
    """Read all inputs of `settings` and return what was found; `progress` is told of it.

    Raises `InputError`, and `ScratchError` if the system's temporary folder is too small.
    """
    with ExitStack() as stack:
        sources = open_inputs(settings)
        for source in sources:
            stack.callback(source.close)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clarityq-check-")))
        return stack.enter_context(
            survey_inputs(sources, settings, scratch, progress=progress)
        ).findings
