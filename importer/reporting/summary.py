"""The figures of a job after a run, from the journal alone; `summary.json`."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from importer.common.files import atomic_write
from importer.common.files import working_folder as current_folder
from importer.common.histogram import percentile
from importer.common.text import counted, escaped
from importer.errors import ExitCode, JournalError
from importer.jobs.inputs import undone_job
from importer.jobs.journal_file import JournalFile
from importer.jobs.not_restored import not_restored
from importer.jobs.records import LETS_WAIT, TOO_OLD, Totals
from importer.model import OutcomeKind, Reason, RunEnd, Warn, WorkerFigures, exit_code
from importer.pacing import Limit
from importer.reporting.digests import Digests
from importer.reporting.endings import REHEARSAL, verdict
from importer.reporting.left_overs import REPORT_NAME, SUMMARY_NAME, WRITE_AGAIN
from importer.reporting.outcomes_table import outcomes_frame
from importer.reporting.steps import Step
from importer.reporting.taken_back import cleared_by_now
from importer.reporting.wording import (
    MEANINGS,
    gave_way_in_words,
    limit_in_words,
    stays_in_words,
    waits_again_in_words,
    words,
    workers_in_words,
)
from importer.settings import SANDBOX
from importer.survey.findings import Findings

if TYPE_CHECKING:
    import pandas as pd

_SCHEMA = 1


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """How a job stands after its latest run."""

    #: The job's folder.
    folder: Path
    #: How the latest run ended.
    end: RunEnd
    #: Why it ended early, in words; empty if it did not.
    message: str
    #: Rows read so far.
    rows: int
    #: Of these, rows that were carried over from earlier jobs.
    carried_over: int
    #: How many conversations the rows that can be sent are of.
    conversations: int
    #: Rows by outcome. All eight kinds are there, and they add up to `rows`.
    outcomes: Mapping[OutcomeKind, int]
    #: Rows by outcome and reason.
    reasons: Mapping[tuple[OutcomeKind, Reason], int]
    #: Rows that were imported with a warning.
    warnings: Mapping[Warn, int]
    #: PUTs sent for the rows that have an outcome.
    puts: int
    #: Runs of the job so far.
    runs: int
    #: When the latest run started, in Unix seconds.
    started_at: float
    #: When it ended, in Unix seconds.
    ended_at: float
    product_id: str
    #: The address of the service, or `sandbox`.
    base_url: str
    #: The inputs, in order, the left-overs of earlier jobs included.
    inputs: Sequence[str]
    #: The files of the rows that were not imported.
    files: Sequence[Path]
    #: What kept the latest run from being faster.
    limited_by: Limit
    #: The service's limit as the latest run found it, in requests per second.
    service_rate: float | None = None
    #: The processes that have sent in the latest run; none if the command alone did.
    workers: Sequence[WorkerFigures] = ()
    #: How many responses of the latest run fell into each of `common.histogram.BUCKETS`.
    latencies: Sequence[int] = ()
    #: Of the rows that are pending, those that no request was made for.
    not_begun: int = 0
    #: Who imports this, or why (`--label`); None if nobody has said.
    label: str | None = None
    #: Rows that earlier jobs have left over and that were not carried over, as they are too old.
    not_carried_over: int = 0
    #: Of what was read, and of what became of it; None if nobody has asked.
    digests: Digests | None = None
    #: What a person should know of how the inputs were read, in words; it may quote a comment.
    remarks: Sequence[str] = ()
    #: What a person does now, in this order; empty if there is nothing to do.
    next_steps: Sequence[Step] = ()
    #: What an undo leaves to others, in words; empty if that is nothing.
    leaves: str = ""
    #: What has become of the job since that run, in words; empty if nothing has.
    since: str = ""
    #: The folder from which the commands of the steps are to be given.
    working_folder: str = ""

    @property
    def is_rehearsal(self) -> bool:
        """Return whether all of it was sent to a mock server inside the run."""
        return self.base_url == SANDBOX

    @property
    def verdict(self) -> str:
        """Return how the latest run ended, in words; a rehearsal says so."""
        return f"{REHEARSAL if self.is_rehearsal else ''}{self.how_it_ended}"

    @property
    def how_it_ended(self) -> str:
        """Return the same without the word of a rehearsal."""
        return " ".join(filter(None, [self.headline, *self.below]))

    @property
    def headline(self) -> str:
        """Return of that what stands at the top of the report."""
        text = verdict(
            self.end, self.outcomes, self.reasons, self.message,
            has_steps=bool(self.next_steps or self.leaves), has_since=bool(self.since),
        )  # fmt: skip
        since = "" if self.below else self.since
        return " ".join(filter(None, [text, self.leaves, since]))

    @property
    def below(self) -> list[str]:
        """Return what stands below it: what has become of the job since, if that takes long."""
        return [self.since] if ". " in self.since else []

    @property
    def exit_code(self) -> ExitCode:
        """Return the exit code that the command ends with."""
        return exit_code(self.end, self.outcomes)

    @property
    def what_limited(self) -> str:
        """Return what kept the latest run from being faster, in words; or nothing."""
        found = limit_in_words(self.limited_by, self.service_rate, percentile(self.latencies, 0.5))
        is_rate = self.limited_by is Limit.SERVICE_LIMIT and self.service_rate is not None
        return f"{found} at the end" if is_rate else found

    @property
    def who_sent(self) -> str:
        """Return how many processes have sent in the latest run, in words; or nothing."""
        return workers_in_words(self.workers)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.outcomes[kind]:,} {kind}" for kind in self._occurring())
        told = f"{counted(self.rows, 'row')}{f' ({counts})' if counts else ''}"
        return f"<Summary of {self.folder}: exit code {int(self.exit_code)}, {told}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the verdict, the outcomes, the next steps, the report."""
        rows = "".join(
            f"<tr><th>{words(kind)}</th><td>{self.outcomes[kind]:,}</td>"
            f'<td style="text-align: left">{MEANINGS[kind]}</td></tr>'
            for kind in self._occurring()
        )
        steps = "".join(
            f"<li>{_html(step.purpose)} <code>{_html(step.command)}</code></li>"
            for step in self.next_steps
        )
        report = self.folder / REPORT_NAME
        return (
            f"<p><strong>{_html(self.verdict)}</strong></p>"
            f"<table><tr><th>total</th><td>{self.rows:,}</td><td></td></tr>{rows}</table>"
            f"{f'<ul>{steps}</ul>' if steps else ''}"
            f"<p>{_html(str(report))}</p>"
        )

    def _occurring(self) -> list[OutcomeKind]:
        return [kind for kind in OutcomeKind if self.outcomes[kind]]

    def as_json(self) -> dict[str, Any]:
        """Return what `summary.json` holds; its keys are documented in docs/reference.md."""
        return {
            "schema": _SCHEMA,
            "job": self.folder.name,
            "label": self.label,
            "end": self.end,
            "exit_code": self.exit_code,
            "message": self.message,
            "verdict": self.verdict,
            "next_steps": [step.as_json() for step in self.next_steps],
            "working_folder": self.working_folder,
            "since": self.since,
            "rehearsal": self.is_rehearsal,
            "rows": self.rows,
            "carried_over": self.carried_over,
            "not_carried_over": self.not_carried_over,
            "conversations": self.conversations,
            "not_begun": self.not_begun,
            "outcomes": {kind: self.outcomes[kind] for kind in OutcomeKind},
            "reasons": [
                {"outcome": kind, "reason": reason, "rows": number}
                for (kind, reason), number in sorted(self.reasons.items())
            ],
            "warnings": {warning: self.warnings.get(warning, 0) for warning in Warn},
            "puts": self.puts,
            "runs": self.runs,
            "started_at": _iso(self.started_at),
            "ended_at": _iso(self.ended_at),
            "product_id": self.product_id,
            "base_url": self.base_url,
            "inputs": list(self.inputs),
            "digests": None if self.digests is None else self.digests.as_json(),
            "files": [path.name for path in self.files],
            "limited_by": self.limited_by,
            "service_rate": self.service_rate and round(self.service_rate, 2),
            "workers": [
                {"name": each.name, "rows": each.done, "lost": each.is_lost}
                for each in self.workers
            ],
        }

    def write(self) -> None:
        """Write `summary.json` into the job's folder. Raises `JournalError`."""
        path = self.folder / SUMMARY_NAME
        try:
            with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
                json.dump(self.as_json(), file, indent=2)
                file.write("\n")
        except OSError as error:
            raise JournalError(
                f"{path} cannot be written: {error.strerror}. {WRITE_AGAIN}"
            ) from None

    def outcomes_frame(self) -> pd.DataFrame:
        """Return one line for each row that has an outcome; see `outcomes_frame`."""
        return outcomes_frame(self.folder)


class Measured(NamedTuple):
    """What the latest run has found out of its speed; see the same fields of `Summary`."""

    limited_by: Limit
    service_rate: float | None = None
    latencies: Sequence[int] = ()
    workers: Sequence[WorkerFigures] = ()


def summarise(
    journal: JournalFile,
    totals: Totals,
    end: RunEnd,
    message: str,
    files: Sequence[Path],
    now: float,
    next_steps: Sequence[Step],
    measured: Measured,
    *,
    not_begun: int = 0,
    since: str = "",
    working_folder: str = "",
    digests: Digests | None = None,
) -> Summary:
    """Return the job's summary for a run that ends `now` (Unix seconds).

    `totals` are the journal's, and `not_begun` the pending rows without any response; `since` says
    what has become of the job after that run. Commands are given from `working_folder`, by default
    this process's. `digests`, if they are known, save the reading of all outcomes.
    """
    folder, facts, run = journal.folder, journal.facts(), journal.last_run()
    findings = Findings.of_json(journal.survey())
    return Summary(
        folder=folder,
        end=end,
        message=message,
        rows=totals.rows,
        carried_over=journal.carried_count(),
        conversations=findings.conversations,
        outcomes=totals.outcomes,
        reasons=totals.reasons,
        warnings=totals.warnings,
        puts=totals.puts,
        runs=journal.run_count(),
        started_at=run.started_at if run else now,
        ended_at=now,
        product_id=facts["product_id"],
        base_url=facts["base_url"],
        inputs=[file.path for file in journal.inputs()],
        files=files,
        **measured._asdict(),
        # What is tried again keeps its outcome until it has a new one.
        not_begun=min(not_begun, totals.outcomes[OutcomeKind.PENDING]),
        label=journal.label(),
        not_carried_over=int(facts.get(TOO_OLD, 0)),
        digests=digests or Digests.of(journal),
        remarks=_remarks(findings, totals, journal),
        next_steps=next_steps,
        leaves=_leaves(folder, facts, [file.path for file in journal.inputs()], totals),
        since=since,
        working_folder=working_folder or current_folder(),
    )


def _remarks(findings: Findings, totals: Totals, journal: JournalFile) -> list[str]:
    remarks = [f"{one.file}: {remark}" for one in findings.inputs for remark in one.remarks]
    gave_way = totals.reasons.get((OutcomeKind.SUPERSEDED, Reason.LATER_JOB), 0)
    if gave_way and findings.has_left_overs and journal.newest_by() is None:  # else a step says it
        remarks.append(gave_way_in_words(gave_way))
    return remarks


def _leaves(folder: Path, facts: Mapping[str, str], inputs: Sequence[str], totals: Totals) -> str:
    undone = undone_job(inputs)
    if undone is None:  # of a job that is taken back its undo tells it
        return ""
    found = []
    if stays := not_restored(folder, of_undo=True).left:
        found.append(f"{stays_in_words(undone, stays)}.")
    if again := int(facts.get(LETS_WAIT, 0)):
        found.append(f"{waits_again_in_words(undone, again)}.")
    has_ended = not totals.outcomes[OutcomeKind.PENDING]
    if cleared := cleared_by_now(folder, facts, has_ended=has_ended):
        found.append(f"{cleared}.")
    return " ".join(found)


def _html(text: str) -> str:
    return html.escape(escaped(text))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
