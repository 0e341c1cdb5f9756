"""What one body that is sent changes of the one that is stored. Sans-I/O."""

from __future__ import annotations

from enum import StrEnum

from importer.feedback.body import comment_of, rating_of
from importer.model import Meaning


class Change(StrEnum):
    """What a row takes away from feedback that is stored."""

    RATING_FLIPPED = "rating_flipped"
    RATING_ERASED = "rating_erased"
    COMMENT_CHANGED = "comment_changed"


#: The same in words.
CHANGES = {
    Change.RATING_FLIPPED: "a rating flipped",
    Change.RATING_ERASED: "a rating erased",
    Change.COMMENT_CHANGED: "a comment replaced or erased",
}
_SHOWN = (Meaning.POSITIVE, Meaning.NEGATIVE)


def changes(stored: int, sent: int) -> list[Change]:
    """Return what the body `sent` takes away from the one that is `stored` (`BodyCoder`).

    A rating or a comment where there was none takes nothing away.
    """
    found = []
    before, after = rating_of(stored), rating_of(sent)
    if before in _SHOWN and before is not after:
        found.append(Change.RATING_FLIPPED if after in _SHOWN else Change.RATING_ERASED)
    if comment_of(stored) not in (0, comment_of(sent)):
        found.append(Change.COMMENT_CHANGED)
    return found
