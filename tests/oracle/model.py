"""What the promises allow: ranks, doubt, and the states and exit codes that may come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from tests.oracle.answers import Feedback
from tests.oracle.requests import Request

NOTHING: Feedback = (None, None)
"""What a conversation holds that nobody has set."""

DONE = frozenset({"succeeded", "unchanged", "superseded", "skipped"})
SET = frozenset({"succeeded", "unchanged"})
SETTLED = SET | {"failed", "not_completed"}
ABORTS = {
    "key_refused", "untrusted", "redirected", "proxy_refused", "service_down", "max_failures",
    "canary", "input_failed",
}  # fmt: skip
ENDS = {
    "redirected": 3,
    "proxy_refused": 3,
    "time_box": 6,
    "limit": 6,
    "data_limit": 7,
    "sigint": 130,
    "sigterm": 143,
    "sighup": 129,
    "killed": 3,
}


def exit_code(end: str, outcomes: Mapping[str, int]) -> int:
    """Return the code that a run ends with, from how it ended and what became of the rows."""
    if end != "finished":
        return 3 if end in ABORTS else ENDS[end]
    if outcomes.get("rejected") or outcomes.get("failed"):
        return 1
    return 5 if outcomes.get("not_completed") else 0


Rank = tuple[int, int]
"""The job that first brought the row, and the job that brought this version of it."""


@dataclass
class Brought:
    """One row as a job brought it, and what the job says has become of it."""

    rank: Rank
    position: int
    """Its place in the job: of several rows of a conversation, the last valid one counts."""

    conversation: str
    feedback: Feedback
    outcome: str = "pending"
    reason: str = ""
    sent: list[Request] = field(default_factory=list)
    """The requests that carried it in this job."""

    sent_for: int | None = None
    """The number of the job whose row an undo has sent: that had been outranked."""

    given_up: bool = False
    """Whether its job was given up, so that nobody promises to settle it."""

    @property
    def place(self) -> tuple[int, int, int]:
        """What rows of one conversation are compared by."""
        return (*self.rank, self.position)

    @property
    def may_have_taken_effect(self) -> bool:
        """Tell whether some request for the row was stored, or had no definite answer."""
        return any(put.answered == "200" or not put.definite for put in self.sent)


class Model:
    """Judges the service's state from what was brought and from what the service saw."""

    def __init__(self, brought: Iterable[Brought]) -> None:
        self._rows: dict[str, list[Brought]] = {}
        for row in sorted(brought, key=lambda row: row.place, reverse=True):
            self._rows.setdefault(row.conversation, []).append(row)

    def allowed(self, conversation: str) -> set[Feedback]:
        """Return what the conversation may hold when nothing can take effect any more.

        That is the highest-ranked row that is set, or a row in doubt that ranks above it.
        """
        states: set[Feedback] = set()
        for row in self._rows.get(conversation, []):
            if row.outcome in SET:
                return states | {row.feedback}
            if row.may_have_taken_effect:
                states.add(row.feedback)
        return states | {NOTHING}

    def complaints(self, state: Mapping[str, Feedback], *, all_ended: bool = True) -> Iterator[str]:
        """Compare a quiescent service with the promises, and say in words what is wrong."""
        for conversation, rows in sorted(self._rows.items()):
            holds, allowed = state.get(conversation, NOTHING), self.allowed(conversation)
            if holds not in allowed:
                yield f"{conversation} holds {holds}, allowed is {sorted(map(str, allowed))}"
            if all_ended:
                yield from _unsettled(rows)
            yield from (claim for row in rows for claim in _unfounded(row))


def _unsettled(rows: list[Brought]) -> Iterator[str]:
    """Complain if the highest-ranked row that was not given up never came to its end.

    Unless it says what the one below has set: with `--skip-unchanged` it was not to be sent.
    """
    groups = [list(same) for _, same in groupby(rows, lambda row: row.place)]
    for brought, below in zip(groups, [*groups[1:], []], strict=True):
        # A row that was carried over is in two jobs, and one of them settles it.
        if any(row.outcome in SETTLED for row in brought):
            return
        is_same = any(row.outcome in SET and row.feedback == brought[0].feedback for row in below)
        if not any(row.given_up for row in brought) and not is_same:
            yield f"{brought[0].conversation}: its last row is {brought[0].outcome}"
            return


def _unfounded(row: Brought) -> Iterator[str]:
    """Complain if the service never gave the answer that an outcome claims."""
    answers = [put.answered for put in row.sent]
    if row.outcome == "succeeded" and "200" not in answers:
        yield f"{row.conversation}: {row.feedback} succeeded, but the answers were {answers}"
    # Each attempt may have met a service that was down.
    if row.outcome == "failed" and not answers and row.reason != "retries_exhausted":
        yield f"{row.conversation}: {row.feedback} failed, but was never sent"
