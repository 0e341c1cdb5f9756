"""What was found of one thing that an import depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any


class Level(IntEnum):
    """How bad it is; the worst one is the command's exit code."""

    FINE = 0
    #: A run may work all the same.
    LOOK = 1
    #: A run would fail.
    FAILS = 2


class Subject(StrEnum):
    """What is looked at, in this order."""

    VERSIONS = "versions"
    EXTRAS = "extras"
    CONFIGURATION = "configuration"
    INPUTS = "inputs"
    JOBS_FOLDER = "jobs folder"
    SPACE = "space"
    OPEN_FILES = "open files"
    MEMORY = "memory"
    PROXY = "proxy"
    SERVICE = "service"
    CERTIFICATE = "certificate"
    CLOCK = "clock"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. Neither text nor facts hold a secret."""

    subject: Subject
    level: Level
    #: One sentence for people: what is, and what to do if it is not fine.
    text: str
    #: The same for programs.
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as `doctor --json` shows it."""
        return {
            "subject": self.subject,
            "level": self.level.name.lower(),
            "text": self.text,
            **self.facts,
        }


def fine(subject: Subject, text: str, **facts: object) -> Finding:
    """Return that there is nothing to do."""
    return Finding(subject, Level.FINE, text, facts)


def look(subject: Subject, text: str, **facts: object) -> Finding:
    """Return that a person should look at it."""
    return Finding(subject, Level.LOOK, text, facts)


def fails(subject: Subject, text: str, **facts: object) -> Finding:
    """Return that a run would fail."""
    return Finding(subject, Level.FAILS, text, facts)
