"""`clarityq-import doctor`: look at all that an import depends on, and change nothing."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from importer.cli.config_file import CONFIG, files_read
from importer.cli.console import output, plain
from importer.cli.help import command, examples, json_flag
from importer.cli.options import (
    RUN_GROUPS,
    InputName,
    KeySource,
    find_key,
    given,
    options_from,
)
from importer.settings import NO_PRODUCT
from importer.settings.derive import build
from importer.settings.groups import Exports, JobRules, Pacing, Target
from importer.settings.option import PREFIX
from importer.settings.places import Place, SourceAddress

if TYPE_CHECKING:
    from importer.workflows.doctor import Finding, Level


#: The options that the help names; with the others a command of `run` can be given as it is.
_LOOKED_AT = (
    *(one.name for group in (Target, KeySource) for one in group.options if one.name != "sandbox"),
    "concurrency", "jobs_dir", "telemetry",
)  # fmt: skip


@command(epilog=examples("doctor --product-id 7d0f…", "doctor ratings.csv --json"))
@click.argument("inputs", nargs=-1, type=InputName(), metavar="[INPUT]...")
@json_flag("Print the findings as one JSON object.")
@options_from(Target, without=("sandbox",), required=False)
@options_from(KeySource)
@options_from(Pacing, only=("concurrency",))
@options_from(JobRules, only=("jobs_dir",))
@options_from(Exports, only=("telemetry",))
@options_from(*RUN_GROUPS, without=_LOOKED_AT, required=False, hidden=True)
@CONFIG
@click.pass_context
def doctor(
    ctx: click.Context, /, inputs: tuple[Place, ...], as_json: bool, **options: Any
) -> Level:
    """Look at all that an import depends on: key, service, folders, limits, versions.

    Nothing is written and no feedback is sent; with a key, the status of a random conversation is
    asked for. The output holds no secret: paste it into a bug report. Exit code 0: all is fine.
    1: something to look at. 2: a run would fail.
    """
    from importer.sources.folder import files_of  # noqa: PLC0415 -- --help does without
    from importer.workflows.doctor import Patient, examine  # noqa: PLC0415

    values = given(options)
    is_rehearsal = values.pop("sandbox", False)
    key = build(KeySource, values)
    patient = Patient(
        target=build(Target, {"product_id": NO_PRODUCT, **values}),
        has_product="product_id" in values,
        pacing=build(Pacing, values),
        job=build(JobRules, values),
        exports=build(Exports, values),
        inputs=[
            file for place in inputs if isinstance(place, Path) for file in files_of(place, None)
        ],
        addresses=[place for place in inputs if isinstance(place, SourceAddress)],
        has_workers=bool(values.get("workers") or values.get("cluster")),
        files=files_read(ctx),
        variables=sorted(name for name in os.environ if name.startswith(PREFIX)),
        find_key=partial(find_key, key),
        key_file=key.file,
    )
    findings = list(examine(patient))
    worst = max(finding.level for finding in findings)
    if as_json:
        content = {
            "verdict": worst.name.lower(), "findings": [found.as_json() for found in findings]
        }  # fmt: skip
        click.echo(json.dumps(content, indent=2))
    else:
        _print(findings, worst)
        if is_rehearsal:
            click.echo("That is the real import: with --sandbox it needs no service and no key.")
    return worst


def _print(findings: list[Finding], worst: Level) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for found in findings:
        mark = "" if not found.level else found.level.name
        table.add_row(mark, plain(found.subject), plain(found.text))
    console = output()
    console.print(table)
    verdicts = ("All is fine.", "A run may work: see LOOK.", "A run would fail: see FAILS.")
    console.print(f"\n{verdicts[worst]}")
