"""What makes a job the same one, and a product: all that decides what is sent where."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from importer.settings import SANDBOX, ImportSettings


def job_name(settings: ImportSettings) -> str:
    """Return the name of the job that these settings mean, without the folder's number.

    It is that of the first input, and a hash of everything that decides what is sent where.
    """
    identity = json.dumps(settings.identity(), ensure_ascii=True, sort_keys=True)
    stem = re.sub(r"[^\w.-]+", "-", settings.reading.inputs[0].name.split(".")[0])[:40]
    return f"{stem.strip('-.') or 'import'}-{_short_hash(identity)}"


class ProductKey(NamedTuple):
    """What jobs have in common that know each other."""

    product_id: str
    #: The address of the service, or `sandbox`.
    service: str

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> Self:
        """Return the product of the job with these facts (`JournalFile.facts`)."""
        return cls(facts["product_id"], facts["base_url"])

    @property
    def name(self) -> str:
        """The name of the product's lock and, with an ending, of its ledger."""
        return f"ledger-{self.product_id}-{_short_hash(self.service)}"

    def ledger(self, jobs_dir: Path) -> Path:
        """Return where the ledger is, or would be."""
        return jobs_dir / f"{self.name}.sqlite"


def product_key(settings: ImportSettings) -> ProductKey:
    """Return the product that these settings mean."""
    return ProductKey(settings.target.product_id, settings.target.service)


def told_apart(products: Iterable[ProductKey]) -> dict[ProductKey, str]:
    """Return what tells each of these products from the others; empty texts where there is one.

    A rehearsal is no other product: that it is one stands elsewhere.
    """
    known = {*products}
    has_ids = len({one.product_id for one in known}) > 1
    has_services = len({one.service for one in known} - {SANDBOX}) > 1
    told = {}
    for one in known:
        service = f" at {one.service}" if has_services and one.service != SANDBOX else ""
        told[one] = f"{one.product_id}{service}" if has_ids or has_services else ""
    return told


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
