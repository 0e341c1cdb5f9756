"""What the coordinator and a worker tell each other, and its form on the wire.

The coordinator asks and the worker replies: one `Grant` down, one `Reply` up. Either may be lost,
doubled or late. So rows and entries are numbered and sent again until they are acknowledged, and a
grant that comes after a newer one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from importer.distributed.tally import Seen, Told
from importer.engine.progress import Progress
from importer.jobs.entry import Entry
from importer.model import Deferral, Feedback, RunEnd


class Handed(NamedTuple):
    """Rows that a worker is to send."""

    #: Of the batch, from 1.
    number: int
    rows: Sequence[Feedback]
    #: The conversations of these whose status is asked for before the PUT.
    to_ask: Sequence[str] = ()
    #: Where those stood that were deferred by another worker or in an earlier run.
    deferrals: Sequence[Deferral] = ()


class Assignment(msgspec.Struct):
    """What a worker begins with."""

    #: Options as `ImportSettings.of` takes them.
    settings: Mapping[str, object]
    #: The service has stored feedback of this job already.
    accepted: bool
    #: The last conversation for which it did so, if that is known.
    stored: str | None
    #: Seconds without a grant after which the worker ends itself.
    silence: float


class Grant(msgspec.Struct, array_like=True):
    """What the coordinator tells a worker."""

    #: From 1, the newest is the highest.
    number: int
    #: The number of the worker's latest entry that is in the journal.
    recorded: int
    #: Until when the worker may start requests, in seconds of its own clock.
    until: float
    #: Its share of the limits of the run; without a rate there is none.
    rate: float | None
    concurrency: int
    told: Told
    #: Those that it has not acknowledged.
    batches: Sequence[Handed] = ()
    #: No more rows will come.
    closed: bool = False
    #: The run is to stop, for this reason.
    end: RunEnd | None = None
    message: str = ""
    #: And at once.
    cancelled: bool = False
    #: The API key that it has asked for, by the number of its question.
    key: tuple[int, bytes] | None = None


class Finish(msgspec.Struct, array_like=True):
    """How the work of a worker ended."""

    #: What it has found that ends the run; None if there is nothing.
    end: RunEnd | None
    message: str
    #: The rows that are not done and may have taken effect (seq).
    in_doubt: Sequence[int]
    #: Why it could not work, in words; or empty.
    error: str = ""


class Reply(msgspec.Struct, array_like=True):
    """What a worker replies."""

    #: The number of the grant.
    number: int
    #: When it came, in seconds of the worker's clock.
    now: float
    #: The number of the latest batch that it has taken.
    taken: int
    #: The number of the latest entry, and the entry if it is not known to be recorded.
    entry_number: int
    entry: Entry | None
    #: How it stands; None at the beginning.
    progress: Progress | None
    #: What it has seen of the service's limit; None at the beginning.
    seen: Seen | None
    notices: Sequence[str] = ()
    #: Set when it has ended, and all its entries are recorded.
    finish: Finish | None = None
    #: How often it has asked for another API key, and the number of the latest answer.
    keys_asked: int = 0
    key_known: int = 0


_encode = msgspec.msgpack.Encoder().encode
_assignment = msgspec.msgpack.Decoder(Assignment).decode
_grant = msgspec.msgpack.Decoder(Grant).decode
_reply = msgspec.msgpack.Decoder(Reply).decode


def pack(message: Assignment | Grant | Reply) -> bytes:
    """Return the form of a message on the wire."""
    return _encode(message)


def read_assignment(data: bytes) -> Assignment:
    """Return what was packed. Raises `msgspec.ValidationError` for anything else."""
    return _assignment(data)


def read_grant(data: bytes) -> Grant:
    """Return what was packed. Raises `msgspec.ValidationError` for anything else."""
    return _grant(data)


def read_reply(data: bytes) -> Reply:
    """Return what was packed. Raises `msgspec.ValidationError` for anything else."""
    return _reply(data)
