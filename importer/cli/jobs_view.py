"""Jobs as they are shown: a line of the list, an object of `--json`, how one stands in words."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.table import Table

from importer.cli.console import outcome_counts
from importer.common.text import escaped
from importer.jobs.identity import told_apart
from importer.jobs.listing import ListedJob, Listing
from importer.jobs.records import JobState
from importer.jobs.surveys import UnreadJob
from importer.model import RunEnd, exit_code
from importer.reporting.wording import words
from importer.settings import SANDBOX

_SURVEY = "survey not finished"
#: How a job stands whose latest run ended so; after those not here it is aborted.
_STANDS = {
    RunEnd.FINISHED: "finished",
    RunEnd.TIME_BOX: "stopped: time box",
    RunEnd.LIMIT: "stopped: --limit",
    RunEnd.DATA_LIMIT: "not sent: data limit",
    RunEnd.KEY_REFUSED: "aborted: key or rows refused",
    **dict.fromkeys((RunEnd.SIGHUP, RunEnd.SIGINT, RunEnd.SIGTERM), "stopped"),
}


def table_of(listing: Listing) -> Table:
    """Return the jobs as a table, a line each, also those whose survey was not finished."""
    table = Table("job", "last run (UTC)", "state", "exit", "rows", "outcomes", box=None)
    table.columns[0].no_wrap, table.columns[0].overflow = True, "ignore"  # it is copied from here
    known = [one.product for one in listing.surveys if one.product is not None]
    products = told_apart([*(job.product for job in listing.jobs), *known])
    if has_several := any(products.values()):
        table.add_column("product", no_wrap=True)
    if any(job.label is not None for job in listing.jobs):
        table.add_column("label")
    for one in _by_time(listing):
        product = [products[one.product]] if has_several and one.product is not None else []
        if isinstance(one, UnreadJob):
            table.add_row(one.folder.name, time_of(one.began_at), _SURVEY, "", "", "", *product)
            continue
        label = [] if one.label is None else [escaped(one.label)]
        table.add_row(*_cells(one), *product, *label)
    return table


def _by_time(listing: Listing) -> list[ListedJob | UnreadJob]:
    """Return the jobs, also those without a journal, the latest run last."""
    both: list[ListedJob | UnreadJob] = [*listing.jobs, *listing.surveys]
    return sorted(
        both, key=lambda one: one.began_at if isinstance(one, UnreadJob) else one.latest_start
    )


def _cells(job: ListedJob) -> list[str]:
    run, totals = job.run, job.totals
    if run is None:
        began = time_of(job.began_at)
        return [job.folder.name, began, state_of(job), "", f"{totals.rows:,}", ""]
    code = "" if job.end is None else str(int(exit_code(job.end, totals.outcomes)))
    counts = outcome_counts(totals.outcomes)
    return [
        job.folder.name,
        time_of(run.started_at),
        state_of(job),
        code,
        f"{totals.rows:,}",
        counts,
    ]


def state_of(job: ListedJob) -> str:
    """Return how a job stands, in a word or two."""
    note = " (rehearsal)" if job.product.service == SANDBOX else ""
    taken_back = f", {_taken_back(job)}" if job.is_taken_back else ""
    return f"{_how_it_stands(job)}{taken_back}{note}"


def _taken_back(job: ListedJob) -> str:
    """Return how far a job is taken back."""
    if job.is_undo_unfinished:
        return "being taken back"
    if job.undone_until is None:
        return "taken back"
    return "taken back in part" if job.undone_until else "not taken back yet"


def _how_it_stands(job: ListedJob) -> str:
    if job.running:
        return "running"
    if job.record.state is JobState.REPLACED and not job.record.sent_anything:
        return "replaced, not sent"
    if job.record.state.is_closed:
        return words(job.record.state)
    if job.run is None:
        return "not started"
    if job.end is None:
        return "interrupted"
    return _STANDS.get(job.end, f"aborted: {words(job.end)}")


def as_json(listing: Listing) -> list[dict[str, object]]:
    """Return the jobs as the objects of `--json`."""
    objects = [
        _survey_as_json(one) if isinstance(one, UnreadJob) else _as_json(one)
        for one in _by_time(listing)
    ]
    objects += [
        {"job": name, "state": "unreadable", "problem": problem}
        for name, problem in listing.unreadable.items()
    ]
    return objects


def _survey_as_json(survey: UnreadJob) -> dict[str, object]:
    product = survey.product
    return {
        "job": survey.folder.name,
        "folder": str(survey.folder),
        "state": "survey_not_finished",
        "product_id": None if product is None else product.product_id,
        "base_url": None if product is None else product.service,
        "started_at": _iso(survey.began_at),
    }


def _as_json(job: ListedJob) -> dict[str, object]:
    run, totals = job.run, job.totals
    return {
        "job": job.folder.name,
        "label": job.label,
        "folder": str(job.folder),
        "state": "running" if job.running else job.record.state,
        "taken_back": job.is_taken_back,
        "number": job.record.number,
        "product_id": job.product.product_id,
        "base_url": job.product.service,
        "started_at": None if run is None else _iso(run.started_at),
        "ended_at": None if run is None or run.ended_at is None else _iso(run.ended_at),
        "end": job.end,
        "exit_code": None if job.end is None else int(exit_code(job.end, totals.outcomes)),
        "rows": totals.rows,
        "outcomes": dict(totals.outcomes),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def time_of(seconds: float) -> str:
    """Return a moment, in Unix seconds, as UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
