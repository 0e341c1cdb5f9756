"""What the promises allow: ranks, doubt, and the states and exit codes that may come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    "sigint": 130,
    "sigterm": 143,
    "sighup": 129,
}


def exit_code(end: str, outcomes: Mapping[str, int]) -> int:
    """Return the code that a run ends with, from how it ended and what became of the rows."""
    if end != "finished":
        return 3 if end in ABORTS else ENDS[end]
    if outcomes.get("rejected") or outcomes.get("failed"):
        return 1
    return 5 if outcomes.get("not_completed") else 0


@dataclass(frozen=True)
class Brought:
    """One row as a job brought it, and what the job says has become of it."""

    rank: tuple[int, int]
    """The job that first brought the row, and the job that brought this version of it."""

    position: int
    """Its place in the job: of several rows of a conversation, the last valid one counts."""

    conversation: str
    feedback: Feedback
    outcome: str

    @property
    def place(self) -> tuple[int, int, int]:
        """What rows of one conversation are compared by."""
        return (*self.rank, self.position)


class Model:
    """Judges the service's state from what was brought and from what the service saw."""

    def __init__(self, brought: Iterable[Brought], log: Sequence[Request]) -> None:
        self._rows: dict[str, list[Brought]] = {}
        for row in sorted(brought, key=lambda row: row.place, reverse=True):
            self._rows.setdefault(row.conversation, []).append(row)
        self._puts: dict[tuple[str, Feedback], list[Request]] = {}
        for put in log:
            if put.method == "PUT":
                self._puts.setdefault((put.conversation, put.feedback), []).append(put)

    def may_have_taken_effect(self, row: Brought) -> bool:
        """Tell whether some request for the row was stored, or had no definite answer."""
        puts = self._puts.get((row.conversation, row.feedback), [])
        return any(put.answered == "200" or not put.definite for put in puts)

    def allowed(self, conversation: str) -> set[Feedback]:
        """Return what the conversation may hold when nothing can take effect any more.

        That is the highest-ranked row that is set, or a row in doubt that ranks above it.
        """
        states: set[Feedback] = set()
        for row in self._rows.get(conversation, []):
            if row.outcome in SET:
                return states | {row.feedback}
            if self.may_have_taken_effect(row):
                states.add(row.feedback)
        return states | {NOTHING}

    def complaints(self, state: Mapping[str, Feedback], *, all_ended: bool = True) -> list[str]:
        """Compare a quiescent service with the promises, and say in words what is wrong."""
        found = []
        for conversation, rows in sorted(self._rows.items()):
            holds, allowed = state.get(conversation, NOTHING), self.allowed(conversation)
            if holds not in allowed:
                found.append(
                    f"{conversation} holds {holds}, allowed is {sorted(map(str, allowed))}"
                )
            if all_ended and rows[0].outcome not in SETTLED:
                found.append(f"{conversation}: its last row is {rows[0].outcome}")
            found.extend(self._unfounded(row) for row in rows if self._unfounded(row))
        return found

    def _unfounded(self, row: Brought) -> str:
        """Say so if the service never gave the answer that an outcome claims."""
        answers = [p.answered for p in self._puts.get((row.conversation, row.feedback), [])]
        if row.outcome == "succeeded" and "200" not in answers:
            return f"{row} succeeded, but the answers were {answers}"
        if row.outcome == "failed" and not answers:
            return f"{row} failed, but was never sent"
        return ""
