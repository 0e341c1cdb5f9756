"""Searches files for what was forgotten, byte by byte."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tests.oracle.model import SET, Brought
from tests.oracle.record import Begun

_STAYS = ("seq", "file", "row", "outcome", "reason")


@dataclass(frozen=True)
class Forgotten:
    """Conversations that were forgotten, and what was there then."""

    conversations: frozenset[str]
    jobs: int
    """How many jobs had begun: what later ones bring is recorded again."""

    folders: frozenset[str]


def held_in(path: Path, words: Mapping[str, Iterable[str]]) -> list[str]:
    """Search a file, or all files of a folder, for ids and other words, and say what is found."""
    found = []
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if not file.is_file():
            continue
        raw = file.read_bytes()
        texts = [raw.lower(), gzip.decompress(raw).lower() if raw[:2] == b"\x1f\x8b" else b""]
        for whose, given in words.items():
            for word in given:
                for form in _forms(word):
                    if any(form in text for text in texts):
                        found.append(f"{whose}: {word!r} is still in {path.name}: {file.name}")
                        break
    return found


def _forms(word: str) -> Iterator[bytes]:
    """Yield how a file may hold a word: an id also as its 16 bytes, either way round."""
    yield word.lower().encode()
    try:
        key = UUID(word)
    except ValueError:
        return
    yield key.hex.encode()
    yield key.bytes.lower()
    yield key.bytes[::-1].lower()


def comments_of(job: Begun) -> set[str]:
    """Return the comments of all rows that a job has read or taken over."""
    return {row.feedback[1] for row in [*job.rows, *job.carried] if row.feedback[1]}


def kept(job: Begun, conversations: frozenset[str]) -> dict[str, str]:
    """Return the rows of a job that are of these conversations, by their number in the job."""
    ids = {str(row.position): row.conversation for row in job.rows}
    found = {}
    for line in job.exported:
        own = line["file"] != "carried over"
        conversation = ids[line["row"]] if own else line["conversation_id"]
        if conversation in conversations:
            found[line["seq"]] = conversation
    return found


def kinds_of_outcomes(
    lines: Mapping[str, Mapping[str, str]], hidden: set[str]
) -> dict[str, tuple[str, ...]]:
    """Return what has to stay of what a job says of its rows, by their numbers."""
    return {
        seq: tuple(
            value for name, value in line.items()
            if name in _STAYS or (seq not in hidden and name != "detail")
        )
        for seq, line in lines.items()
    }  # fmt: skip


def sent_though_gone(jobs: list[Begun]) -> Iterator[str]:
    """Complain where a row was sent that was forgotten, or whose comment was dropped."""
    for job in jobs:
        for row in job.brought():
            gone = jobs[row.rank[1] - 1].forgotten.get(row.conversation)
            for put in row.sent:
                if gone is not None and put.number >= gone[0]:
                    yield f"U9: forgotten, and sent by job {job.number}: {put}"
            if row.outcome == "unchanged" and _by_what_is_forgotten(jobs, job, row):
                yield f"U9: {row.conversation} {row.rank} is unchanged by what was forgotten"
        for row in job.carried:
            holders = [
                other
                for other in jobs[: job.number - 1]
                if any(
                    (known.rank, known.conversation) == (row.rank, row.conversation)
                    for known in other.brought()
                )
            ]
            dropped = holders and all(other.dropped_by(job.began_at) for other in holders)
            if dropped and row.feedback[1] is not None and row.sent:
                yield f"U12: its comment was dropped, and job {job.number} sent it: {row.sent[0]}"


def _by_what_is_forgotten(jobs: list[Begun], job: Begun, row: Brought) -> bool:
    """Tell whether the highest row below that was set had been forgotten when the job began."""
    below = [
        (known.rank, other.forgotten.get(row.conversation, (0, job.number))[1])
        for other in jobs[: job.number - 1]
        for known in other.brought()
        if known.conversation == row.conversation and known.outcome in SET
    ]
    return bool(below) and max(below)[1] < job.number
