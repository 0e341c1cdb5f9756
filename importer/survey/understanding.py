"""How an input was understood: what `check` begins with."""

from __future__ import annotations

from importer.common.text import is_blank, readable, trimmed
from importer.jobs.folders import NamedRow
from importer.jobs.inputs import undone_job
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import RowSource
from importer.sources.columns import find_columns
from importer.sources.copies.partial_copy import ROWS_ENDING
from importer.sources.own_columns import find_job_column, find_own_columns
from importer.survey.findings import Understanding
from importer.survey.superseded import NEW
from importer.survey.survey import left_over_rank
from importer.survey.unplaced import Unplaced


def understood(source: RowSource, settings: ImportSettings) -> Understanding:
    """Return how `source` is read."""
    mapping = settings.mapping
    places = find_columns(source.name, source.header, mapping.columns, mapping.newest_by)
    is_left_over = find_own_columns(source.header) is not None
    if not is_left_over:
        places.pop("job", None)  # it may be of anything
    is_text = source.format is InputFormat.CSV
    used = set(places.values())
    one = Understanding(
        source.name,
        _kind(source, settings),
        source.delimiter if is_text else None,
        source.encoding.removesuffix("-sig") if is_text else None,
        {field: readable(trimmed(source.header[place])) for field, place in places.items()},
        [readable(trimmed(name)) for place, name in enumerate(source.header) if place not in used],
    )
    if is_left_over:
        _tell_left_overs(one, settings)
    if "rating" not in places:
        one.remarks.append("no column 'rating': every row erases the rating of its conversation")
    if "comment" not in places:
        one.remarks.append("no column 'comment': every row erases the comment of its conversation")
    return one


def note_left_overs(one: Understanding, source: RowSource, settings: ImportSettings) -> None:
    """Note that cells of the column `job` name jobs, which only the rows tell.

    So it is where the others of the importer's own columns were taken out of a left-over file.
    """
    place = find_job_column(source.header)
    is_undo = undone_job([source.name]) is not None  # which nobody has to be told
    if place is not None and "job" not in one.columns and not is_undo:
        name = readable(trimmed(source.header[place]))
        one.columns["job"] = name
        one.ignored.remove(name)
        _tell_left_overs(one, settings)


def _tell_left_overs(one: Understanding, settings: ImportSettings) -> None:
    one.remarks.append(
        "rows left over from earlier jobs: they are sent as new ones (--as-new)"
        if settings.job.as_new
        else "rows left over from earlier jobs: they give way to newer rows of other jobs "
        "(--as-new sends them all the same)"
    )


def _kind(source: RowSource, settings: ImportSettings) -> str:
    """Return what the rows are from, for people."""
    is_copy = source.name != str(source.path)
    if not (is_copy and source.path.name.endswith(ROWS_ENDING)):
        return str(source.format)
    return "query" if settings.reading.sql is not None else "data frame"


class JobCells:
    """Ranks rows by their cells `job`, and finds out whether these name jobs."""

    def __init__(self, unplaced: Unplaced | None) -> None:
        #: What ranks rows of left-over files; None if all rows are new.
        self.unplaced = unplaced
        self.name_jobs = False
        self._other = NEW

    def begin(self, source: RowSource) -> None:
        """Take note that the next cells are of this input."""
        self.name_jobs = False
        # The column may be of anything in other files: there such a row is new.
        is_left_over = find_own_columns(source.header) is not None
        self._other = left_over_rank(None) if is_left_over else NEW

    def rank_of(self, job: str) -> int | None:
        """Return the rank of a row with this cell; see `Unplaced`."""
        if is_blank(job):
            return NEW
        self.name_jobs = self.name_jobs or NamedRow.parse(job) is not None
        return NEW if self.unplaced is None else self.unplaced.rank_of(job, other=self._other)
