"""What `check` and `plan` show while they survey, and their result as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from importer.cli.console import messages
from importer.errors import ExitCode
from importer.survey.progress import SurveyProgress
from importer.workflows.figures import survey_line

_SCHEMA = 1


@contextmanager
def watched_survey() -> Iterator[Callable[[SurveyProgress], None]]:
    """Show on a terminal how far a survey has come; yield what is to be told of it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with messages().status("") as status:
        yield lambda progress: status.update(survey_line(progress))


def print_json(
    code: ExitCode,
    limit: str | None = None,
    *,
    findings: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
    resumes: dict[str, Any] | None = None,
    replaces: str | None = None,
) -> None:
    """Print one object on standard output (docs/check.schema.json)."""
    found = {
        "schema": _SCHEMA, "exit_code": int(code), "limit": limit, "findings": findings,
        "plan": plan, "resumes": resumes, "replaces": replaces,
    }  # fmt: skip
    click.echo(json.dumps(found))
