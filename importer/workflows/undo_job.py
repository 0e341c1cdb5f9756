"""Takes a job back: its undo is an import of what its conversations held before.

A row of it ranks as a corrected row of that job does (docs/reference.md, A18): above the row that
it takes back, and below what later jobs have brought. So nothing newer is lost, whatever comes
between two runs of it, and an older job cannot come after it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from importer.common.files import atomic_write, clear_unfinished
from importer.errors import SettingsError
from importer.jobs.carry_over import still_to_send
from importer.jobs.ends import own_pending
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_head import read_head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.own_commands import how_to_resume
from importer.jobs.product import Product, hold_product
from importer.jobs.records import (
    CLEARED_OF,
    CLEARS_UNKNOWN,
    NOT_TAKEN_BACK,
    UNDO_SENDS,
    WAIT_AGAIN,
    JobRecord,
    JobState,
)
from importer.jobs.undo import Group, Undo, Undone, undoing
from importer.reporting.jobs_behind import jobs_behind
from importer.reporting.taken_up import taken_up
from importer.settings import ImportSettings
from importer.workflows.left_behind import close_summary, leave_files
from importer.workflows.left_over_again import tell_waiting_again, waiting_again
from importer.workflows.rewrite_summary import rewrite_summary


class InTheWay(NamedTuple):
    """An unfinished job of the product, other than the one that is taken back."""

    name: str
    #: The command that resumes it.
    resume: str
    #: Rows of the job that is taken back that it was still to send: they are given up.
    taken_over: int
    #: They are so already.
    is_given_up: bool
    #: Rows of its own that it has not done.
    own: int
    #: It does not have to end first: it is given up, or the undo has nothing to send.
    may_stay: bool = False

    @classmethod
    def of(
        cls, product: Product, job: JobRecord, key_source: Sequence[str] = ()
    ) -> InTheWay | None:
        """Return the one that is in the way of the undo of `job`. Raises `JournalError`.

        `key_source` are the options that say where the key is, if its own run has not said that.
        """
        other = product.unfinished_other_than(job)
        if other is None or other.folder is None:
            return None
        with JournalReader(other.folder) as journal:
            own = own_pending(journal)
        taken_over = len(still_to_send(job, product.jobs, product.given_up))
        given_up = job.number in product.given_up
        resume = how_to_resume(other.folder, key_source)
        return cls(other.name, resume, taken_over, given_up, own)


class UndoTable(NamedTuple):
    """What taking a job back means, in conversations."""

    restored: Group
    #: They get the row of an earlier job that this one had taken the place of.
    waiting: Group
    #: Of these it is not known what they held before, but that an earlier job has set them, or has
    #: tried to.
    set_before: Group
    #: Of these nothing is known.
    unknown: Group
    #: The jobs that came last to those that were set before, oldest first, and to how many.
    set_before_by: Mapping[str, int]
    clears_unknown: bool
    #: A later job has set them, or has tried to.
    later: Group
    #: An earlier undo of the job has taken them back.
    back: Group
    #: The jobs that came last to some of the later ones, the latest first.
    later_jobs: list[str]
    #: Of the later ones, those that no undo brings back: the folders of later jobs are gone.
    stay: Group
    #: The undos that came last to some of these, the latest first.
    later_undos: list[str]
    #: The later jobs whose folders are gone.
    gone: list[str]
    #: Of those that are restored or cleared, how many the job may not have set.
    in_doubt: int
    #: Rows of the job that were never stored and wait to be tried again.
    left_over: int
    #: Rows of the job that were not sent, or refused: `unchanged`, say.
    not_sent: int
    #: The job counts for something, and was not taken back yet.
    counts: bool
    #: Rows that the job has stored for earlier ones (carried over): they stay.
    carried: int
    #: The undos of the job that there have been.
    earlier: list[str]
    #: The job is not finished: what is pending of it is given up.
    gives_up: bool
    #: Rows of earlier jobs that it had taken over, and that are left over again then.
    waits_again: int = 0
    #: The unfinished job that is in the way of the undo, if that has something to send.
    in_the_way: InTheWay | None = None
    #: What a person should know of the files that it leaves behind then.
    remarks: Sequence[str] = ()

    @property
    def kept(self) -> int:
        """Return how many conversations keep what the job has stored, as nothing else is known."""
        return 0 if self.clears_unknown else self._all_unknown

    @property
    def may_begin(self) -> bool:
        """Return whether no other job is in the way of the undo."""
        return self.in_the_way is None or self.in_the_way.may_stay

    @property
    def to_send(self) -> int:
        """Return how many conversations are set again."""
        return self.restored.number + self.waiting.number + self._all_unknown - self.kept

    @property
    def _all_unknown(self) -> int:
        return self.set_before.number + self.unknown.number


def plan_undo(
    settings: ImportSettings,
    folder: Path,
    key_source: Sequence[str] = (),
    *,
    clear_unknown: bool,
    write: bool,
) -> UndoTable | str:
    """Find out what it takes to take the job in `folder` back.

    With `write` its undo's input is written, and what the job has pending or left over is given up.

    `settings` are those of the undo, and `key_source` the options that say where the key is.
    Returns the name of the undo that was begun and has rows left, if there is one: its input stays
    as it is. Raises `SettingsError` if the job cannot be taken back, `UnfinishedJobError` if
    another job is in the way of an undo that was begun, and `JobHeldError`.
    """
    with hold_product(settings, key_source) as product:
        if (begun := product.goes_on_with()) is not None:
            return begun.name
        job = _job_of(product, folder)
        is_unfinished = job.state is JobState.UNFINISHED
        other = InTheWay.of(product, job, key_source)
        left = None
        if write and is_unfinished:
            given_up = replace(job, state=JobState.GIVEN_UP)
            left = leave_files(product, given_up, for_good=True, is_wrong=True)
            product.abandon(job, time.time())
            job = product.jobs[job.number - 1]
        with undoing(product, job) as undo:
            table = _table(undo, clear_unknown=clear_unknown, is_unfinished=is_unfinished)
            after_all = [*undo.after_all()]
            waiting = waiting_again(product, job, {key for key, _ in after_all})
            may_stay = not table.to_send or settings.job.replace
            table = table._replace(
                waits_again=len(waiting), in_the_way=other and other._replace(may_stay=may_stay)
            )
            if not write:
                return table
            if not table.may_begin:
                # What the job in the way has taken over is given up: it is to be resumed first.
                if other is not None and other.taken_over:
                    _give_up(product, job)
                    product.note_undo_waits(job, clears=clear_unknown)
                    rewrite_summary(job, taken=[*taken_up(folder)])
                return table
            if table.to_send:
                _write(folder / UNDO_NAME, undo.rows(clear_unknown=clear_unknown))
            # First: killed in between, no later job takes over what is wrong.
            is_news = _give_up(product, job)
            leaves: dict[str, int | str] = {
                NOT_TAKEN_BACK: table.kept,
                WAIT_AGAIN: table.waits_again,
                CLEARED_OF: json.dumps(table.set_before_by if clear_unknown else {}),
                UNDO_SENDS: table.to_send,
                CLEARS_UNKNOWN: int(clear_unknown),
            }
            unknown = undo.unknown_before(clear_unknown=clear_unknown)
            product.note_withdrawn(job, after_all, leaves, unknown)
        remarks: list[str] = []
        if is_unfinished:
            remarks = close_summary(job, left, [*taken_up(folder)])
        elif (
            is_news
            or not table.to_send
            or any(jobs_behind([job], [str(folder.absolute() / UNDO_NAME)], ()))
        ):
            rewrite_summary(job, taken=[*taken_up(folder)])
        _tell_undone(product, job)
        if waiting:
            tell_waiting_again(product, job, waiting)
        return table._replace(remarks=remarks)


def _give_up(product: Product, job: JobRecord) -> bool:
    """Give up what the job has left over; return whether there was something."""
    assert job.folder is not None  # noqa: S101 -- it is taken back
    if job.number in product.given_up:
        return False
    product.give_up_left_overs(job, time.time())
    with JournalReader(job.folder) as journal:
        return any(version == job.number for version, _ in journal.left_overs())


def _tell_undone(product: Product, job: JobRecord) -> None:
    """Let the job that this one has taken back, if it is an undo, say whether this counts still.

    So does the one that that has taken back, and on.
    """
    assert job.folder is not None  # noqa: S101 -- as above
    with JournalReader(job.folder) as journal:
        inputs = [file.path for file in journal.inputs()]
    for one in jobs_behind(product.jobs, inputs, ()) if undone_job(inputs) else ():
        assert one.folder is not None  # noqa: S101 -- it is behind
        rewrite_summary(one, taken=[*taken_up(one.folder)])
        _tell_undone(product, one)


def _job_of(product: Product, folder: Path) -> JobRecord:
    number = read_head(folder).number
    job = next((one for one in product.jobs if one.number == number), None)
    if job is None or job.folder is None or job.folder.name != folder.name:
        raise SettingsError(f"the job {folder} is not in the jobs folder {product.jobs_dir}")
    if job.number < product.floor:
        raise SettingsError(
            f"the job {job.name} cannot be taken back: the later job {product.floor} of this "
            "product is missing, and may have set the same conversations"
        )
    return job


def _table(undo: Undo, *, clear_unknown: bool, is_unfinished: bool) -> UndoTable:
    taken_back = undo.taken_back()
    told = [
        f"{name}, which {taken_back[name]} has taken back" if name in taken_back else name
        for name in undo.earlier()
    ]
    return UndoTable(
        undo.restored(), undo.waiting(), undo.set_before(), undo.unknown(), undo.set_before_by(),
        clear_unknown, undo.later(), undo.back(), undo.later_jobs(), undo.stay(),
        undo.later_undos(), undo.gone(), undo.in_doubt(), undo.left_over, undo.not_sent,
        undo.not_sent + undo.later().number > 0 and not undo.is_withdrawn,
        undo.carried, told, is_unfinished,
    )  # fmt: skip


def _write(path: Path, rows: Iterable[Undone]) -> None:
    clear_unfinished(path.parent)
    try:
        with (
            atomic_write(path, durable=True) as temporary,
            temporary.open("w", encoding="ascii") as file,
        ):
            for (conversation_id, rating, comment), job in rows:
                line = {
                    "conversation_id": conversation_id,
                    "rating": rating,
                    "comment": comment,
                    "job": job,
                }
                file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
