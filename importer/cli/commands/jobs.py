"""`clarityq-import jobs`: the jobs in the jobs folder, how they ended, and how to end them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from importer.cli.commands.jobs_prune import prune
from importer.cli.commands.jobs_show import abandon, show
from importer.cli.config_file import CONFIG
from importer.cli.console import messages, output
from importer.cli.help import command_group, examples, json_flag
from importer.cli.jobs_view import as_json as listing_as_json
from importer.cli.jobs_view import table_of
from importer.cli.options import JOBS_DIR, jobs_folder
from importer.jobs.listing import list_jobs


@command_group(
    invoke_without_command=True,
    epilog=examples("jobs", "jobs show ratings-2026", "jobs prune --keep-days 30 --keep-last 5"),
)
@json_flag("List them as JSON.")
@JOBS_DIR
@CONFIG
@click.pass_context
def jobs(ctx: click.Context, jobs_dir: Path | None, *, as_json: bool) -> None:
    """List the jobs with their outcomes, the latest run last; or show, abandon or prune them."""
    ctx.obj = folder = jobs_folder(jobs_dir)
    if ctx.invoked_subcommand is not None:
        return
    listing = list_jobs(folder)
    if as_json:
        click.echo(json.dumps(listing_as_json(listing), indent=2))
        return
    if not (listing.jobs or listing.surveys or listing.unreadable):
        there = "" if folder.is_dir() else ": there is no such folder"
        click.echo(f"There are no jobs in {folder}{there}.")
        return
    output().print(table_of(listing))
    for name, problem in listing.unreadable.items():
        messages().print(f"{name} cannot be read: {problem}", soft_wrap=True)


for _command in (show, abandon, prune):
    jobs.add_command(_command)
