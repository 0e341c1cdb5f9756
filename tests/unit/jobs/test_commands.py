"""The commands that are printed for a person to type next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from importer.jobs.commands import replacing_command, resume_command
from importer.settings import ImportSettings
from tests.support.data import PRODUCT


def settings(**changes: Any) -> ImportSettings:
    return ImportSettings.of(inputs=[Path("in.csv")], product_id=PRODUCT, **changes)


def options(command: str) -> list[str]:
    """Return the options in a command, without their values."""
    return sorted(word for word in shlex.split(command) if word.startswith("--"))


def test_resuming_never_repeats_what_was_meant_for_one_time() -> None:
    begun = settings(restart=True, replace=True, accept_change=True, as_new=True, concurrency=8)
    told = options(resume_command(begun.as_record()))
    assert told == ["--as-new", "--concurrency", "--product-id"]


def test_replacing_keeps_all_that_was_typed() -> None:
    typed = settings(accept_change=True, as_new=True, replace=True)
    told = options(replacing_command(typed))
    assert told == ["--accept-change", "--as-new", "--product-id", "--replace"]
