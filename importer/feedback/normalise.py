"""From a row to the feedback that is sent, or to the outcome of a row that is not.

Sans-I/O. The rules are the table "From a row to a request" of docs/reference.md; the limits are
those of the API's feedback call.
"""

from __future__ import annotations

from importer.common.text import is_blank, shown
from importer.common.uuids import canonical_uuid
from importer.feedback.lines import what_line_it_is
from importer.feedback.newest import NewestBy
from importer.feedback.ratings import RatingTable
from importer.model import Feedback, Meaning, Outcome, OutcomeKind, Reason, Row

#: The longest comment that the API takes, in code points.
COMMENT_LIMIT = 2000


class Normaliser:
    """Turns rows into feedback by a rating table and a rule for comments over the limit.

    With `newest`, a row whose value cannot be compared with the others is rejected.
    """

    def __init__(
        self,
        ratings: RatingTable,
        *,
        truncate_comments: bool = False,
        newest: NewestBy | None = None,
    ) -> None:
        #: What rating words mean.
        self.ratings = ratings
        #: How the newest row of a conversation is told; None if the last one wins.
        self.newest = newest
        self._truncate = truncate_comments

    def __call__(self, row: Row) -> Feedback | Outcome:
        """Return what `row` becomes: feedback, or its outcome `rejected` or `skipped`."""
        if self.newest is not None:
            self.newest.learn(row.newest)
        if row.problem is not None:
            return _reject(row, row.conversation_id or None, row.problem, row.detail)
        conversation = canonical_uuid(row.conversation_id)
        if conversation is None:
            return _reject(
                row,
                None,
                Reason.BAD_CONVERSATION_ID,
                f"conversation_id {shown(row.conversation_id)} is not a UUID"
                + what_line_it_is(
                    row.conversation_id, self.ratings.meaning(row.rating), row.comment
                )
                if not is_blank(row.conversation_id)
                else "conversation_id is empty",
            )

        rating: Meaning | None = None
        if not is_blank(row.rating):
            rating = self.ratings.meaning(row.rating)
            if rating is None:
                return _reject(
                    row,
                    conversation,
                    Reason.UNKNOWN_RATING,
                    f"rating {shown(row.rating)} is not in the rating table",
                )
            if rating is Meaning.SKIP:
                return Outcome(
                    row.seq, OutcomeKind.SKIPPED, conversation, Reason.RATING_SKIPPED,
                    f"rating {shown(row.rating)} is mapped to SKIP",
                )  # fmt: skip

        text, truncated = row.comment, False
        if len(text) > COMMENT_LIMIT and not is_blank(text):
            if not self._truncate:
                return _reject(
                    row,
                    conversation,
                    Reason.COMMENT_TOO_LONG,
                    f"comment has {len(text):,} characters; the API takes {COMMENT_LIMIT:,}",
                )
            text, truncated = text[:COMMENT_LIMIT], True
        comment = None if not truncated and is_blank(text) else text

        if rating is None and comment is None:
            return _reject(
                row, conversation, Reason.NOTHING_TO_SEND, "rating and comment are both empty"
            )
        if self.newest is not None:
            try:
                self.newest.read(row.newest)
            except ValueError as error:
                return _reject(row, conversation, Reason.BAD_NEWEST_BY, str(error))
        return Feedback(row.seq, conversation, rating, comment, truncated)


def _reject(row: Row, conversation: str | None, reason: Reason, detail: str) -> Outcome:
    return Outcome(row.seq, OutcomeKind.REJECTED, conversation, reason, detail)
