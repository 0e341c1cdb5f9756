"""What other systems are told of a run: that it has begun, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from importer.common.text import counted, sentence
from importer.errors import ExitCode
from importer.model import OutcomeKind
from importer.reporting.summary import Summary
from importer.settings import SANDBOX


class Event(StrEnum):
    """The stage of a run that is told."""

    STARTED = "started"
    #: It ended with an exit code that counts as success.
    FINISHED = "finished"
    #: It ended with any other, or could not even start.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Start:
    """A run that begins. What is not known, because an option is wrong, is empty."""

    product_id: str
    #: The address of the service, or `sandbox`.
    base_url: str
    #: The names of the inputs, without their folders.
    inputs: Sequence[str]
    #: In Unix seconds.
    started_at: float

    @property
    def sentence(self) -> str:
        """What has happened, for people."""
        return f"{self.prefix}An import of {self.title} has started."

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing of it reaches the service."""
        return self.base_url == SANDBOX

    @property
    def prefix(self) -> str:
        """What each sentence begins with: that it is a rehearsal, or nothing."""
        return "REHEARSAL: " if self.is_rehearsal else ""

    @property
    def title(self) -> str:
        """What is imported, for people."""
        return ", ".join(self.inputs) or "feedback"

    def as_json(self) -> dict[str, Any]:
        """Return what `--notify-url` is sent."""
        return {
            "event": Event.STARTED,
            "rehearsal": self.is_rehearsal,
            "product_id": self.product_id,
            "base_url": self.base_url,
            "inputs": list(self.inputs),
            "started_at": _iso(self.started_at),
        }


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, also one that could not start."""

    start: Start
    exit_code: ExitCode
    #: Why it ended early or could not start, in words; empty if it did not.
    message: str
    #: In Unix seconds.
    ended_at: float
    #: Whether the exit code counts as success.
    is_success: bool
    #: None if the run did not get that far.
    summary: Summary | None = None

    @property
    def event(self) -> Event:
        """The stage that is told."""
        return Event.FINISHED if self.is_success else Event.FAILED

    @property
    def duration(self) -> float:
        """How long the run took, in seconds."""
        started = self.summary.started_at if self.summary is not None else self.start.started_at
        return max(0.0, self.ended_at - started)

    @property
    def sentence(self) -> str:
        """What has happened, for people."""
        what = f"{self.start.prefix}The import of {self.start.title}"
        text = f"{what} ended with exit code {int(self.exit_code)}"
        if self.summary is not None:
            counts = ", ".join(
                f"{self.summary.outcomes[kind]:,} {kind}"
                for kind in OutcomeKind
                if self.summary.outcomes[kind]
            )
            text += f" after {counted(self.summary.rows, 'row')}{f' ({counts})' if counts else ''}"
        return f"{text}: {sentence(self.message)}" if self.message else f"{text}."

    def as_json(self) -> dict[str, Any]:
        """Return what `--notify-url` is sent: the summary, or what is known without one."""
        if self.summary is not None:
            return {"event": self.event, **self.summary.as_json()}
        return {
            **self.start.as_json(),
            "event": self.event,
            "exit_code": self.exit_code,
            "message": self.message,
            "ended_at": _iso(self.ended_at),
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
