"""The cells `job` of an input: how they rank its rows, and what is told of that.

Rows of left-over files say in them which job has brought them first (docs/reference.md, A18).
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from importer.common.text import counted, few_listed, is_blank, readable, shown, trimmed
from importer.errors import JournalError
from importer.jobs.folders import NamedRow, job_folders
from importer.jobs.inputs import undone_job
from importer.jobs.journal_head import read_head
from importer.settings import SANDBOX, ImportSettings
from importer.sources.base import RowSource
from importer.sources.own_columns import find_job_column, find_own_columns
from importer.survey.findings import Understanding
from importer.survey.superseded import NEW
from importer.survey.survey import left_over_rank
from importer.survey.unplaced import Unplaced

#: So many jobs are named from which rows come.
_MOST_NAMED = 3
#: And so much of each.
_NAME = 80
_REHEARSAL = "a rehearsal"


class JobCells:
    """Ranks rows by their cells `job`, and counts what these name.

    `unplaced` is what ranks rows of left-over files; None if all rows are new, or the jobs of the
    product are not known.
    """

    def __init__(self, unplaced: Unplaced | None, settings: ImportSettings) -> None:
        self.unplaced = unplaced
        #: Whether cells of the input name jobs.
        self.name_jobs = False
        self._settings = settings
        self._column: int | None = None
        self._is_left_over = False
        self._other = NEW
        self._nameless = self._known = 0
        #: Rows that name jobs which are not of the product, by these; without a name by nothing.
        self._strange = Counter[str]()
        #: What the jobs are that were looked for.
        self._kinds: dict[str, str] = {}
        self._folders: dict[Path, dict[str, Path]] = {}
        self._beside = Path()

    def begin(self, source: RowSource) -> None:
        """Take note that the next cells are of this input."""
        self._column = find_job_column(source.header)
        # The column may be of anything in other files: there such a row is new.
        self._is_left_over = find_own_columns(source.header) is not None
        self._other = left_over_rank(None) if self._is_left_over else NEW
        self.name_jobs = False
        self._nameless = self._known = 0
        self._strange.clear()
        self._beside = source.path.absolute().parent.parent

    def rank_of(self, job: str) -> int | None:
        """Return the rank of a row with this cell; see `Unplaced`."""
        if is_blank(job):
            return NEW
        self.name_jobs = self.name_jobs or NamedRow.parse(job) is not None
        return NEW if self.unplaced is None else self.unplaced.rank_of(job, other=self._other)

    def count(self, job: str, rows: int = 1) -> None:
        """Count rows with this cell that can be sent."""
        if self._column is None:
            return
        named = None if is_blank(job) else NamedRow.parse(job)
        if named is not None:
            if self._is_of_product(named.job):
                self._known += rows
            else:
                self._strange[named.job] += rows
        elif self._is_left_over and not is_blank(job):
            self._strange[""] += rows
        else:
            self._nameless += rows

    def tell(self, one: Understanding, source: RowSource) -> None:
        """Note what becomes of rows that are left over, if the input that was read holds such.

        Which it is only the rows tell where others of the importer's own columns were taken out.
        """
        is_undo = undone_job([source.name]) is not None  # which nobody has to be told
        if self._column is None or is_undo or not (self._is_left_over or self.name_jobs):
            return
        name = readable(trimmed(source.header[self._column]))
        if "job" not in one.columns:
            one.columns["job"] = name
            one.ignored.remove(name)
        one.remarks[:0] = self._remarks(name)

    def _remarks(self, column: str) -> list[str]:
        if self._settings.job.as_new:
            return ["rows left over from earlier jobs: they are sent as new ones (--as-new)"]
        found = []
        strange = self._strange.total()
        # By a column it is not known which of them are newer.
        others, unseen = "newer rows of other jobs", ""
        if self._settings.mapping.newest_by is not None:
            others = "other rows of those jobs, and to rows of later ones"
            unseen = "which is newer is not looked at; "
        if not (self._nameless or strange):
            found.append(
                f"rows left over from earlier jobs: they give way to {others} "
                f"({unseen}--as-new sends them all the same)"
            )
        elif self._known:
            gives, it = ("gives", "it") if self._known == 1 else ("give", "them")
            found.append(
                f"{counted(self._known, 'row')} left over from earlier jobs {gives} way to "
                f"{others} ({unseen}--as-new sends {it} all the same)"
            )
        if self._nameless:
            found.append(_count_as_new(self._nameless, column))
        if strange:
            found.append(self._give_way_to_all(strange))
        return found

    def _give_way_to_all(self, rows: int) -> str:
        names = [
            f"{shown(name, _NAME)} ({self._kinds[name]})" if name else "an unknown one"
            for name, _ in self._strange.most_common()
        ]
        # `check` knows of no product.
        whose = "job of this product" if self.unplaced is not None else "import into ClarityQ"
        which = f"from no {whose}, but from {few_listed(names, _MOST_NAMED)}"
        if rows == 1:
            return (
                f"1 row comes {which}: it gives way to every other row of its conversation; "
                f"{_fix('this line', 'it')}"
            )
        return (
            f"{counted(rows, 'row')} come {which}: they give way to every other row of their "
            f"conversations; {_fix('these lines', 'them')}"
        )

    def _is_of_product(self, name: str) -> bool:
        """Return whether a job is of the product; without one, whether it is no rehearsal."""
        if self.unplaced is not None and self.unplaced.knows(name):
            return True
        if name not in self._kinds:
            self._kinds[name] = self._what_is(name)
        return self.unplaced is None and self._kinds[name] != _REHEARSAL

    def _what_is(self, name: str) -> str:
        """Return what the job with this name is that is not of the product."""
        here = self._settings.job.jobs_dir
        for jobs_dir in (here, self._beside):
            folder = self._folders_in(jobs_dir).get(name)
            if folder is not None:
                with suppress(JournalError):
                    is_rehearsal = read_head(folder).service == SANDBOX
                    elsewhere = "of another product" if jobs_dir == here else f"in {jobs_dir}"
                    return _REHEARSAL if is_rehearsal else elsewhere
        return "which this jobs folder does not hold"

    def _folders_in(self, jobs_dir: Path) -> dict[str, Path]:
        """Return the folders of the jobs in a jobs folder, by name."""
        if jobs_dir not in self._folders:
            self._folders[jobs_dir] = {}
            with suppress(OSError):
                self._folders[jobs_dir] = {one.name: one for one in job_folders(jobs_dir)}
        return self._folders[jobs_dir]


def _fix(lines: str, them: str) -> str:
    return (
        f"fix {lines} in the export, or in the left-over file of its import into this product "
        f"(--as-new sends {them} all the same)"
    )


def _count_as_new(rows: int, column: str) -> str:
    """Return that so many rows of a left-over file have lost where they stood, or never had it."""
    column = shown(column)
    if rows == 1:
        return (
            f"1 row names no job in {column}: it counts as new, and wins over what was sent before "
            f"(to keep its place: put back the cell {column} of its line)"
        )
    return (
        f"{counted(rows, 'row')} name no job in {column}: they count as new, and win over what was "
        f"sent before (to keep their places: put back the cell {column} of each line)"
    )
