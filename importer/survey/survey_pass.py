"""The survey: one pass over all inputs that finds all that can be known before the first request.

Nothing is sent, and memory does not grow with the inputs but for a bit and a few bytes a row
(docs/reference.md, V1 to V7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from importer.common.row_set import RowSet
from importer.common.text import counted, is_blank, shown
from importer.errors import InputError, MissingColumnError
from importer.feedback.body import BodyCoder
from importer.feedback.newest import OLDEST, NewestBy
from importer.feedback.normalise import COMMENT_LIMIT, Normaliser
from importer.feedback.ratings import RatingTable
from importer.jobs.inputs import CurrentInputs
from importer.jobs.keys import key_of, rank_number
from importer.jobs.records import CarriedRow, InputFile
from importer.model import Feedback, OutcomeKind, Reason, Row
from importer.settings import ImportSettings, LongComments
from importer.sources.base import (
    BATCH_ROWS,
    DIGEST_BYTES,
    ColumnPart,
    Questions,
    RowPart,
    RowSource,
    new_digest,
    recorded_name,
)
from importer.sources.columns import column_options
from importer.sources.own_columns import find_job_column
from importer.survey.findings import Example, Findings, Repeated, Understanding
from importer.survey.job_cells import JobCells
from importer.survey.progress import SurveyProgress, Teller
from importer.survey.superseded import NEW, Asked, Candidate, Contest
from importer.survey.survey import Survey
from importer.survey.understanding import understood
from importer.survey.unplaced import Origins, Unplaced

#: The share of the work that is reading; the rest is to find the winners.
_READING = 0.95


def normaliser_of(settings: ImportSettings, newest: NewestBy | None) -> Normaliser:
    """Return what makes feedback of the rows of a job's inputs."""
    return Normaliser(
        settings.mapping.ratings,
        truncate_comments=settings.mapping.long_comments is LongComments.TRUNCATE,
        newest=newest,
    )


def survey_inputs(
    sources: Sequence[RowSource],
    settings: ImportSettings,
    scratch: Path,
    *,
    coder: BodyCoder | None = None,
    carried: Sequence[CarriedRow] = (),
    origins: Origins | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[SurveyProgress], None] = lambda _: None,
) -> Survey:
    """Read all inputs, and return what was found.

    `scratch` is a folder for a temporary file. With `coder` the bodies of winners are known.
    `carried` are rows of earlier jobs, numbered from 1; the rows of the inputs follow. `origins`
    knows the jobs that the cells `job` of left-over files name; without it all rows are new.
    `stopped` is asked many times a second, `progress` told a few times.

    Raises `InputError` if an input cannot be read or changes meanwhile, `JournalError` if a journal
    cannot be used, `ScratchError` if there is not enough room in `scratch`, and
    `SurveyStoppedError`.
    """
    inputs = [(source, understood(source, settings)) for source in sources]
    _check_ratings(inputs, settings)
    newest_by = settings.mapping.newest_by
    has_jobs = any(find_job_column(source.header) is not None for source in sources)
    unplaced = None
    if has_jobs and origins is not None and not settings.job.as_new:
        unplaced = Unplaced(origins, by_newest=newest_by is not None)
    is_ranked = unplaced is not None or bool(carried)
    jobs = JobCells(unplaced, settings)
    asked = Questions(
        settings.mapping.ratings,
        coder,
        None if newest_by is None else NewestBy(newest_by),
        jobs.rank_of if has_jobs or is_ranked else None,
    )
    has_ranks = asked.rank_of is not None
    contest = Contest(scratch, Asked(has_ranks, newest_by is not None, coder is not None))
    total = sum(_mark(source.path)[0] for source in sources)
    teller = Teller(stopped, progress)
    survey = _Pass(settings, asked, contest, jobs, total, len(carried), teller)
    try:
        survey.carry(carried)
        for source, understanding in inputs:
            survey.read(source, understanding)
        survey.conclude()
        _check_order(survey.found, settings)
    except BaseException:
        contest.close()
        raise
    return Survey(
        survey.inputs, survey.found, survey.superseded, survey.found.rows, len(carried), is_ranked,
        coder is not None, contest, [] if unplaced is None else unplaced.placed(),
    )  # fmt: skip


def current_inputs(sources: Sequence[RowSource]) -> CurrentInputs:
    """Return the inputs as they are now; to compare their content raises `InputError`."""
    by_name = {recorded_name(source): source for source in sources}

    def has_content(file: InputFile) -> bool:
        parts = by_name[file.path].parts(1, BATCH_ROWS)
        return _folded(b"".join(part.digest() for part in parts)) == file.digest

    return CurrentInputs(has_content, [recorded_name(source) for source in sources])


def _folded(blocks: bytes | bytearray) -> str:
    return new_digest(blocks).digest()[:DIGEST_BYTES].hex()


def _check_ratings(
    inputs: Sequence[tuple[RowSource, Understanding]], settings: ImportSettings
) -> None:
    """Raise `MissingColumnError` if a rating table is given, and nothing to look up in it."""
    is_given = settings.mapping.ratings != RatingTable()
    if is_given and not any("rating" in one.columns for _, one in inputs):
        source, first = inputs[0]
        names = ", ".join(map(shown, first.ignored[:30])) or "none"
        raise MissingColumnError(
            f"--ratings is given, and {source.name} has no column 'rating'; the columns that are "
            f"not used are {names}. If one of them holds it: "
            f"{column_options({'rating': 'NAME'}, settings.mapping.columns)}"
        )


def _check_order(found: Findings, settings: ImportSettings) -> None:
    """Raise `InputError` if which row of a conversation is the last is left to chance."""
    is_told = settings.reading.in_order or settings.mapping.newest_by is not None
    if not settings.reading.is_unordered or is_told or not found.repeated_conversations:
        return
    examples = ", ".join(
        f"{one.conversation_id} ({counted(one.rows, 'row')})" for one in found.repeated_examples[:3]
    )
    has = "has" if found.repeated_conversations == 1 else "have"
    raise InputError(
        f"{counted(found.repeated_conversations, 'conversation')} {has} several rows, and queries "
        f"and data frames have no order, so which one wins would be left to chance: {examples}. "
        "Name a column that tells with --newest-by, or let their order count (ORDER BY in a query) "
        "with --in-order"
    )


class _Pass:
    """A survey under way.

    The first `carried` numbers are those of carried-over rows; `total` is the size of all inputs.
    """

    def __init__(
        self,
        settings: ImportSettings,
        asked: Questions,
        contest: Contest,
        jobs: JobCells,
        total: int,
        carried: int,
        teller: Teller,
    ) -> None:
        self.inputs: list[InputFile] = []
        self.found = Findings()
        self.superseded = RowSet()
        self._settings = settings
        self._asked = asked
        self._normalise = normaliser_of(settings, asked.newest)
        self._contest = contest
        self._jobs, self._unplaced = jobs, jobs.unplaced
        self._total = max(1, total)
        self._teller = teller
        self._carried = carried
        self._seq = carried
        #: Bytes of the inputs that are done, and the share of all that is.
        self._done = 0
        self._share = 0.0

    def carry(self, rows: Iterable[CarriedRow]) -> None:
        """Take rows of earlier jobs."""
        coder = self._asked.coder
        for row in rows:
            body = 0 if coder is None else coder(row.rating, row.comment)
            self._contest.add(
                Candidate(
                    key_of(row.conversation_id), rank_number(row.rank), OLDEST, row.seq, body
                ),
                self._share,
            )

    def read(self, source: RowSource, understanding: Understanding) -> None:
        """Take the rows of an input."""
        size, modified = before = _mark(source.path)
        first_seq = self._seq + 1
        blocks = bytearray()
        self._jobs.begin(source)
        for part in source.parts(first_seq, BATCH_ROWS):
            self._share = (self._done + size * source.progress()) / self._total
            blocks += part.digest()
            if isinstance(part, RowPart):
                self._seq += len(part.rows)
                self._take_rows(part.rows, first_seq, source.name)
            else:
                self._seq += len(part)
                self._take_columns(part, first_seq, source.name)
            self._teller.tell(_READING * self._share, self._seq - self._carried)
        if _mark(source.path) != before:
            raise InputError(
                f"{source.name} was changed while it was being read: import it again when it is "
                "complete"
            )
        self._done += size
        understanding.rows = self._seq + 1 - first_seq
        self._jobs.tell(understanding, source)
        understanding.remarks += source.remarks()
        understanding.other_encoding = source.other_encoding
        understanding.other_letters = source.other_letters
        understanding.misread = source.misread
        self.found.inputs.append(understanding)
        self.inputs.append(
            InputFile(
                path=recorded_name(source),
                size=size,
                modified=modified,
                digest=_folded(blocks),
                rows=understanding.rows,
                first_seq=first_seq,
                blocks=bytes(blocks),
            )
        )

    def conclude(self) -> None:
        """Find the winners."""
        found = self.found
        for candidate in () if self._unplaced is None else self._unplaced.ranked():
            self._contest.add(candidate, self._share)
        found.rows = self._seq - self._carried
        found.sort_words()
        self.superseded, repetitions = self._contest.decide(
            self._seq,
            lambda share: self._teller.tell(_READING + (1 - _READING) * share, found.rows),
        )
        found.carried = self._carried
        found.carried_superseded = sum(
            seq in self.superseded for seq in range(1, self._carried + 1)
        )
        found.superseded = self.superseded.count - found.carried_superseded
        found.conversations = repetitions.conversations
        found.repeated_conversations = repetitions.repeated
        found.repeated_examples = [Repeated(*one) for one in repetitions.examples]
        found.older_than_rejected = repetitions.older
        found.newest_kind = None if self._asked.newest is None else self._asked.newest.kind

    def _take_columns(self, part: ColumnPart, first_seq: int, name: str) -> None:
        found, survey = self.found, part.survey(self._asked)
        found.long_comments += survey.long_comments
        found.rating_only += survey.without_comment
        found.note_meanings(survey.meanings)
        for word, times in survey.words.items():
            found.note_word(word, self._asked.ratings.meaning(word), times)
        self._contest.add_part(survey, self._share)
        for job, times in survey.jobs.items():
            self._jobs.count(job, times)
        if self._unplaced is not None and self._jobs.name_jobs:
            self._unplaced.note_part(survey)
        for place in survey.others:
            # Where a line starts is looked for only if it is shown.
            self._take(part.row(place), first_seq, name, partial(part.line, place))

    def _take_rows(self, rows: Sequence[Row], first_seq: int, name: str) -> None:
        found = self.found
        for row in rows:
            found.long_comments += len(row.comment) > COMMENT_LIMIT
            self._take(row, first_seq, name, None)

    def _take(
        self, row: Row, first_seq: int, name: str, line: Callable[[], int | None] | None
    ) -> None:
        result = self._normalise(row)
        if self._unplaced is not None and row.job:
            self._unplaced.note(row.job, row.seq, is_valid=isinstance(result, Feedback))
        if result.conversation_id is not None:
            self._note_word(row.rating)
        if isinstance(result, Feedback):
            self._take_feedback(result, row)
        elif result.kind is OutcomeKind.SKIPPED:
            self.found.skipped += 1
        else:
            if not self._take_rejected(result.conversation_id, row):
                self.found.rejected_uncompared += 1
            problem = self.found.note_problem(result.reason or Reason.MALFORMED)
            if problem.wants(name):
                at = row.line if line is None else line()
                number = row.seq + 1 - first_seq
                problem.add(Example(name, number, at, result.detail))

    def _take_rejected(self, conversation_id: str | None, row: Row) -> bool:
        """Take a row that is rejected; return whether it is known if it is newer than others."""
        _, _, newest, rank_of = self._asked
        rank = NEW if rank_of is None else rank_of(row.job)
        is_unread = newest is not None and row.problem is not None
        if conversation_id is None or rank is None or is_unread:
            return False
        try:
            value = OLDEST if newest is None else newest.read(row.newest)
        except ValueError:
            return False
        self._contest.reject(Candidate(key_of(conversation_id), rank, value, row.seq, 0))
        return True

    def _note_word(self, word: str) -> None:
        if (known := self.found.words.get(word)) is not None:
            known.rows += 1
        elif not is_blank(word):
            self.found.note_word(word, self._asked.ratings.meaning(word))

    def _take_feedback(self, feedback: Feedback, row: Row) -> None:
        found, (_, coder, newest, rank_of) = self.found, self._asked
        found.note_meaning(feedback.rating)
        found.rating_only += feedback.comment is None
        found.truncated += feedback.truncated
        self._jobs.count(row.job)
        rank = NEW if rank_of is None else rank_of(row.job)
        candidate = Candidate(
            key_of(feedback.conversation_id),
            NEW if rank is None else rank,
            OLDEST if newest is None else newest.read(row.newest),
            feedback.seq,
            0 if coder is None else coder.of(feedback),
        )
        if rank is not None or self._unplaced is None:
            self._contest.add(candidate, self._share)
            return
        for ranked in self._unplaced.add(row.job, candidate):
            self._contest.add(ranked, self._share)


def _mark(path: Path) -> tuple[int, int]:
    """Return size and time of modification (in nanoseconds)."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns
