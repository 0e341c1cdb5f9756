"""What other jobs of a product have done about one: what they have read of it, and taken back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from importer.jobs.ends import is_begun_anew
from importer.jobs.folders import base_name
from importer.jobs.inputs import UNDO_NAME, undone_job
from importer.jobs.journal_head import Head
from importer.jobs.journal_reader import JournalReader
from importer.jobs.own_commands import how_to_resume
from importer.jobs.read_again import Beside, ReadAgain
from importer.jobs.records import InputFile, JobRecord, JobState
from importer.reporting.imported_since import imported_in_words, inputs_with
from importer.reporting.left_overs import KIND_OF_FILE, LEFT_OVER_NAMES
from importer.reporting.steps import StepKind, TakenUp, file_of_job
from importer.reporting.taken_back import DoneUndo, brought_back_by


@dataclass(slots=True)
class DoneByOthers:
    """What other jobs of the product have done about a job."""

    again: ReadAgain
    #: What the journal of that says of it.
    facts: Mapping[str, str]
    #: Those that have taken over rows of it, or of earlier ones: their folders, by number.
    takers: dict[int, Path] = field(default_factory=dict)
    #: What they have imported of its files, with their numbers.
    imported: list[tuple[int, TakenUp]] = field(default_factory=list)
    #: What they have imported again of what the job, an undo, has cleared.
    brought_back: list[TakenUp] = field(default_factory=list)
    #: All rows that they have imported of its files are known again.
    is_counted: bool = True
    undos: list[DoneUndo] = field(default_factory=list)
    #: Those that have begun since.
    later: list[Head] = field(default_factory=list)
    #: Those of them that are of the same command, or have the same inputs.
    anew: list[Beside] = field(default_factory=list)
    #: Another has given it up.
    is_given_up: bool = False
    #: An undo of it has done something.
    is_undone: bool = False

    def take(self, head: Head, inputs: Sequence[InputFile], other: Beside) -> None:
        """Take what another job has done about the one of `head`."""
        folder, there = head.folder, other.head.folder
        if other.head.number > head.number:
            self.later.append(other.head)
            if is_begun_anew(folder.name, inputs, base_name(there.name), other.inputs):
                self.anew.append(other)
            for cleared in brought_back_by(folder, self.facts, other.inputs):
                told = f"{there.name} has imported again what {cleared} had brought."
                self.brought_back.append(TakenUp(told, {(StepKind.BRING_BACK, cleared)}))
            if other.first_carried is not None and other.first_carried <= head.number:
                self.takers[other.head.number] = there
        self.is_given_up |= other.head.ends.get(head.id) is JobState.GIVEN_UP
        its_own = [file for file in other.inputs if is_left_over_of(folder, file.path)]
        if its_own or there in self.again.by:
            with JournalReader(there) as journal:
                self._take_read(head, its_own, other, journal)

    def _take_read(
        self, head: Head, its_own: Sequence[InputFile], other: Beside, journal: JournalReader
    ) -> None:
        """Take what another job has read: files in the job's folder, or rows of such ones."""
        folder, there, number = head.folder, other.head.folder, other.head.number
        for file in its_own:
            rows = file.first_seq, file.first_seq + file.rows - 1
            if Path(file.path).name == UNDO_NAME:
                self.undos.append(DoneUndo(number, there, journal.without_trouble(*rows)))
            elif there in self.again.by or (
                other.head.sent_anything and journal.without_trouble(*rows, gave_way=False)
            ):
                self._take_file(number, file, folder, there)
        is_undo = undone_job(file.path for file in other.inputs) is not None
        if not its_own and not is_undo:
            again = self.again.by[there]
            told = imported_in_words(folder, inputs_with(journal, again.rows), there.name, again)
            self.imported.append((number, TakenUp(told)))

    def _take_file(self, number: int, file: InputFile, folder: Path, other: Path) -> None:
        """Take that another job has read a file of the job in `folder` where it stands."""
        name, again = Path(file.path).name, self.again.by.get(other)
        with JournalReader(folder) as own:
            left_over = own.totals().outcomes[KIND_OF_FILE[name]]
        self.is_counted &= again is not None
        told = imported_in_words(folder, [name], other.name, again)
        is_all = file.rows >= left_over
        obsolete = {(StepKind.LEFT_OVERS, file_of_job(folder / name))} if is_all else ()
        self.imported.append((number, TakenUp(told, obsolete)))

    def take_states(self, jobs: Sequence[JobRecord], gone: Collection[int]) -> list[TakenUp]:
        """Take which of the undos are unfinished, or were given up; return those that are `gone`.

        They were taken back themselves, which still counts.
        """
        states = {job.number: job.state for job in jobs}
        void = [undo for undo in self.undos if undo.number in gone and undo.rows]
        self.undos = [
            undo
            if states[undo.number] is JobState.ENDED
            else undo._replace(
                resume=how_to_resume(undo.folder), is_given_up=states[undo.number].is_closed
            )
            for undo in self.undos
            if undo.number not in gone
        ]
        self.is_undone |= bool(self.undos or void)
        return [
            TakenUp(
                f"It was taken back by {undo.folder.name}, which was taken back itself.",
                {(StepKind.GO_ON_WITH_UNDO, undo.folder.name)},
            )
            for undo in void
        ]


def is_left_over_of(folder: Path, path: str) -> bool:
    """Return whether a file is one that the job in `folder` has left over, or its undo's input."""
    file = Path(path)
    return file.parent == folder.absolute() and file.name in (*LEFT_OVER_NAMES, UNDO_NAME)
