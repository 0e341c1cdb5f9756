"""The examination: from what the options say to the findings, in the order of `Subject`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import is_open_to_others
from importer.errors import SettingsError
from importer.settings.groups import Exports, JobRules, Pacing, Target
from importer.settings.places import SourceAddress
from importer.workflows.doctor import machine
from importer.workflows.doctor.finding import Finding, Subject, fails, fine, look
from importer.workflows.doctor.service import service


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined: the settings of an import, as far as they are known."""

    target: Target
    #: False if the product of `target` is made up.
    has_product: bool
    pacing: Pacing
    job: JobRules
    exports: Exports
    inputs: Sequence[Path]
    #: Those of inputs that are no local files.
    addresses: Sequence[SourceAddress]
    #: Several processes are to send.
    has_workers: bool
    #: The configuration files that were read, and the variables that set options.
    files: Sequence[Path]
    variables: Sequence[str]
    #: Returns the key. Raises `SettingsError`.
    find_key: Callable[[], ApiKey]
    #: The file of the key, if it has been named.
    key_file: Path | None


def examine(patient: Patient) -> Iterator[Finding]:
    """Yield what is found. Nothing is written anywhere, and no feedback is sent."""
    yield machine.versions()
    yield machine.extras(telemetry=patient.exports.telemetry, workers=patient.has_workers)
    yield _configuration(patient)
    if patient.inputs or patient.addresses:
        yield machine.inputs(patient.inputs, patient.addresses)
    yield from machine.jobs_folder(patient.job.jobs_dir, patient.inputs)
    yield machine.open_files(patient.pacing.concurrency)
    yield machine.memory()
    key: ApiKey | None = None
    about_key: list[Finding] = []
    try:
        key = patient.find_key()
    except SettingsError as error:
        about_key.append(fails(Subject.KEY, str(error)))
    for finding in service(patient.target, key, has_product=patient.has_product):
        yield finding
        if finding.subject is Subject.KEY:
            key = None
    if key is not None:
        about_key.append(fine(Subject.KEY, f"from {key.source}; it could not be tried"))
    yield from about_key
    if patient.key_file is not None and is_open_to_others(patient.key_file):
        yield look(
            Subject.KEY, "other users may read the file that --api-key-file names: chmod 600"
        )


def _configuration(patient: Patient) -> Finding:
    files = [str(file) for file in patient.files]
    parts = [f"read from {', '.join(files)}" if files else "no file"]
    if patient.variables:
        parts.append(f"variables: {', '.join(patient.variables)}")
    return fine(
        Subject.CONFIGURATION, "; ".join(parts), files=files, variables=list(patient.variables)
    )
