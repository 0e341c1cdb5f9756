"""What the `summary.json` of a job says of what is to be done, and of what became of it since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from importer.common.files import working_folder
from importer.jobs.commands import of_moved_folder
from importer.reporting.left_overs import SUMMARY_NAME
from importer.reporting.steps import Step, Topic


class KeptSteps(NamedTuple):
    """What was to be done after the latest run of a job."""

    steps: Sequence[Step] = ()
    #: The folder in which the commands are to be given; empty if that is this one.
    given_in: str = ""


def kept_since(folder: Path) -> str:
    """Return what had become of the job in `folder` since; empty without its `summary.json`."""
    return str(_kept(folder).get("since", ""))


def kept_steps(folder: Path) -> KeptSteps:
    """Return what was to be done after the latest run; nothing without its `summary.json`."""
    kept = _kept(folder)
    given_in, jobs_dir = str(kept.get("working_folder", "")), folder.parent.absolute()
    steps = []
    try:
        for step in map(Step.of_json, kept["next_steps"]):
            told = of_moved_folder(step.purpose, step.command, Path(given_in), jobs_dir)
            steps.append(Step(*told, *step.topic))
    except (OSError, ValueError, LookupError, TypeError):
        return KeptSteps()
    return KeptSteps(steps, "" if given_in == working_folder() else given_in)


def kept_topics(folder: Path) -> set[Topic]:
    """Return what those steps are about: in far less time, as no command is made fit to be given.

    So the summaries of all jobs can be looked through.
    """
    try:
        return {Step.of_json(step).topic for step in _kept(folder)["next_steps"]}
    except (ValueError, LookupError, TypeError):
        return set()


def _kept(folder: Path) -> dict[str, Any]:
    """Return what the file holds; nothing if it is not there, or none that was written so."""
    try:
        found = json.loads((folder / SUMMARY_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
