"""`clarityq-import forget`: take conversations out of the jobs folder."""

from __future__ import annotations

from pathlib import Path

import click

from importer.cli.config_file import CONFIG
from importer.cli.console import output
from importer.cli.help import command, examples, option
from importer.cli.options import JOBS_DIR, PathName, jobs_folder
from importer.common.text import counted, few_listed, shown
from importer.common.uuids import canonical_uuid
from importer.errors import ExitCode, SettingsError

_STILL_THERE = (
    "Run the same command again: a run may have begun there meanwhile. What stays is to be removed "
    "by hand, but no journal and no ledger, unless it is a copy: other jobs need them."
)
#: So many conversations are named of which nothing was found.
_MOST_NAMED = 20


@command(
    epilog=examples(
        "forget 31ed7854-51a8-42bb-ad24-2f6d382c9e20", "forget --from erasure-requests.txt"
    )
)
@click.argument("conversations", nargs=-1, metavar="[CONVERSATION]...")
@option(
    "--from",
    "listed",
    type=PathName(),
    metavar="FILE",
    allow_from_autoenv=False,
    help="A file with an id on each line.",
)
@JOBS_DIR
@CONFIG
def forget(jobs_dir: Path | None, conversations: tuple[str, ...], listed: Path | None) -> ExitCode:
    """Take the ids, comments and outcomes of CONVERSATIONs out of all files of the jobs folder.

    This cannot be undone. A certificate says what was found where. The inputs, backups and the
    service are not touched.
    """
    texts = [*conversations, *([] if listed is None else _lines(listed))]
    ids = {text: canonical_uuid(text) for text in texts}
    wrong = [text for text, found in ids.items() if found is None]
    if wrong:
        raise SettingsError(f"{shown(wrong[0])} is no id of a conversation: nothing was forgotten")
    if not ids:
        raise click.UsageError("name a CONVERSATION, or a file of them with --from")
    folder = jobs_folder(jobs_dir)
    if not folder.is_dir():
        raise SettingsError(f"there is no jobs folder {folder}")
    from importer.workflows.forget import NOT_TOUCHED, forget  # noqa: PLC0415 -- heavy

    done = forget(folder, [found for found in ids.values() if found is not None])
    console = output()
    for each in done["jobs_and_ledgers"]:
        found = "; ".join(f"{where}, {lines:,}" for where, lines in each["found"].items())
        console.print(f"{each.get('job') or each['ledger']}: taken out: {found}", soft_wrap=True)
    for name in done["removed"]:
        console.print(f"removed {name}", soft_wrap=True)
    for name in done["left"]:
        console.print(f"STILL THERE: {name}", soft_wrap=True)
    if done["left"]:
        console.print(_STILL_THERE, soft_wrap=True)
    number = counted(done["found"], "conversation")
    if done["found"] and done.is_complete:
        console.print(f"Of {number} nothing is left in {folder} but counts.", soft_wrap=True)
    if done.not_found:
        number = counted(len(done.not_found), "conversation")
        which = few_listed(done.not_found, _MOST_NAMED)
        console.print(f"Nothing of {number} was found in {folder}: {which}.", soft_wrap=True)
    console.print(f"Not touched: {'; '.join(NOT_TOUCHED)}.", soft_wrap=True)
    console.print(f"Certificate: {done.path}", soft_wrap=True)
    return ExitCode.OK if done.is_complete else ExitCode.ROWS_NOT_IMPORTED


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeError:
        raise SettingsError(f"{path} is no text in UTF-8 with an id on each line") from None
    return [line.strip() for line in lines if line.strip()]
