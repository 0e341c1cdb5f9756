"""The commands that a person types next, built from settings and from the record of a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import arguments

#: Options that say how a job begins, not what it is.
_BEGINNING = ("restart", "replace", "accept_change", "as_new")


def resume_command(record: Mapping[str, object]) -> str:
    """Return the command that resumes the job whose latest run had these settings."""
    kept = {name: value for name, value in record.items() if name not in _BEGINNING}
    return _command(kept)


def replacing_command(settings: ImportSettings) -> str:
    """Return the command of these settings with `--replace`."""
    return _command({**settings.as_record(), "replace": True})


def _command(record: Mapping[str, object]) -> str:
    inputs = record["inputs"]
    assert isinstance(inputs, Sequence)  # noqa: S101 -- a record holds a list of paths
    plain = ImportSettings.of(inputs=inputs, product_id=record["product_id"]).as_record()
    told = {
        name: value
        for name, value in record.items()
        if name == "product_id" or value != plain.get(name)
    }
    words = ["clarityq-import", "run", *map(str, inputs)]
    return shlex.join([*words, *arguments(told, SETTINGS_GROUPS.values())])
