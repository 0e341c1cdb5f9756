"""What makes a job the same one: all that decides what is sent where, and the inputs' content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from importer.errors import InputError
from importer.jobs.records import InputFile
from importer.settings import ImportSettings

_BLOCK = 4 * 1024 * 1024


def job_name(settings: ImportSettings) -> str:
    """Return the name of the job that these settings mean, without the folder's number.

    It is that of the first input, and a hash of everything that decides what is sent where.
    """
    identity = json.dumps(settings.identity(), ensure_ascii=True, sort_keys=True)
    stem = re.sub(r"[^\w.-]+", "-", settings.reading.inputs[0].name.split(".")[0])[:40]
    return f"{stem.strip('-.') or 'import'}-{_short_hash(identity)}"


def ledger_path(settings: ImportSettings) -> Path:
    """Return where the ledger of the product is, or would be."""
    target = settings.target
    name = f"ledger-{target.product_id}-{_short_hash(target.service)}.sqlite"
    return settings.job.jobs_dir / name


def fingerprint(
    paths: Sequence[Path], stopped: Callable[[], bool] = lambda: False
) -> list[InputFile]:
    """Return each file with its size and a digest of its content. Raises `InputError`.

    Gives up early, with a useless result, when `stopped` says so.
    """
    found = []
    for path in paths:
        digest = hashlib.blake2b(digest_size=16)
        size = 0
        try:
            with path.open("rb") as file:
                while (block := file.read(_BLOCK)) and not stopped():
                    digest.update(block)
                    size += len(block)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        found.append(InputFile(str(path.absolute()), size, digest.hexdigest()))
    return found


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
