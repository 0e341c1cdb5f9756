"""What a job is to do, checked once. Knows no command line, no environment and no key."""

from __future__ import annotations

import codecs
import dataclasses
import ipaddress
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from yarl import URL

from importer.common.uuids import canonical_uuid
from importer.errors import SettingsError
from importer.feedback.ratings import RatingTable
from importer.model import Meaning, OutcomeKind, Reason

PRODUCTION_URL = "https://api.clarityq.ai"

#: The fields that a row consists of, in the order in which they are looked for.
FIELDS = ("conversation_id", "rating", "comment")


class InputFormat(StrEnum):
    """The kinds of file that can be read."""

    CSV = "csv"
    PARQUET = "parquet"


class LongComments(StrEnum):
    """What becomes of a comment over the API's limit."""

    REJECT = "reject"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """When failed rows end the run: `count` of them, or a `share` of the rows sent so far."""

    count: int | None = None
    share: float | None = None

    #: A share says nothing before this many rows have been answered.
    MIN_ROWS = 100

    @classmethod
    def parse(cls, text: str) -> FailureLimit:
        """Read `100` or `5%`. Raises `ValueError`."""
        plain = text.strip()
        try:
            if plain.endswith("%"):
                share = float(plain[:-1]) / 100
                if 0 < share <= 1:
                    return cls(share=share)
            elif int(plain) > 0:
                return cls(count=int(plain))
        except ValueError:
            pass
        raise ValueError(f"{text!r} is not a limit: write a count such as 100, or 5%")

    def __str__(self) -> str:
        return f"{self.count}" if self.share is None else f"{100 * self.share:.10g}%"

    def reached(self, outcomes: Mapping[OutcomeKind, int]) -> bool:
        """Return whether the run is to end, given the counts of this run so far."""
        failed = outcomes[OutcomeKind.FAILED]
        if self.count is not None:
            return failed >= self.count
        sent = failed + outcomes[OutcomeKind.SUCCEEDED] + outcomes[OutcomeKind.NOT_COMPLETED]
        return sent >= self.MIN_ROWS and failed >= (self.share or 0) * sent


class Retry(NamedTuple):
    """Which settled rows of a job are tried again: those of `kinds`, for `reasons` if given."""

    kinds: Collection[OutcomeKind] = (OutcomeKind.FAILED, OutcomeKind.NOT_COMPLETED)
    reasons: Collection[Reason] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """One import. Durations are in seconds. Raises `SettingsError` if a value cannot be used.

    `inputs` (paths, or texts that name them) are read in their order and are one job. `columns`
    maps a field (`conversation_id`, `rating`, `comment`) to the name of its column, where it
    differs. `canary` is how many rows go ahead of a new job's others (docs/reference.md); None
    leaves it to the size of the job. `sandbox` marks a rehearsal against a stand-in whose address
    changes from run to run.
    """

    inputs: Sequence[Path]
    product_id: str
    base_url: str = PRODUCTION_URL
    sandbox: bool = False

    format: InputFormat | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    columns: Mapping[str, str] = field(default_factory=dict)
    ratings: RatingTable = field(default_factory=RatingTable)
    long_comments: LongComments = LongComments.REJECT

    concurrency: int = 64
    rate: float | None = None
    defer_first: float = 5.0
    defer_max: float = 300.0
    defer_for: float = 3600.0
    max_failures: FailureLimit | None = None
    canary: int | None = None

    max_attempts: int = 8
    retry_first: float = 0.5
    retry_max: float = 60.0
    retry_after_max: float = 300.0
    outage_for: float = 600.0

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    total_timeout: float = 60.0
    late_effect: float = 30.0
    grace: float = 30.0

    skip_unchanged: bool = False
    refresh_after: float | None = None
    carry_over: bool = False
    max_duration: float | None = None
    wait_for_lock: float = 0.0

    metrics_file: Path | None = None
    notify_url: str | None = None
    telemetry: bool = False

    jobs_dir: Path = Path("clarityq-jobs")
    restart: bool = False
    retry: Retry | None = None
    ca_file: Path | None = None
    trust_env: bool = False

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "inputs", tuple(Path(path) for path in self.inputs))
        set_field(self, "columns", MappingProxyType(dict(self.columns)))
        set_field(self, "jobs_dir", Path(self.jobs_dir))
        set_field(self, "product_id", _product(self.product_id))
        set_field(self, "base_url", check_url(self.base_url))
        if self.notify_url is not None:
            set_field(self, "notify_url", check_url(self.notify_url, "--notify-url"))
        if not self.inputs:
            raise SettingsError("no input was given: name at least one CSV or Parquet file")
        _check_text_options(self)
        _within("concurrency", self.concurrency, 1, 10_000)
        if self.canary is not None:
            _within("canary", self.canary, 0, 100_000)
        _within("max_attempts", self.max_attempts, 1, 1000)
        if self.rate is not None:
            _within("rate", self.rate, 0.001, 1_000_000)
        day = 86_400.0
        for name in ("defer_first", "defer_max", "connect_timeout", "read_timeout",
                     "total_timeout", "retry_first", "retry_max"):  # fmt: skip
            _within(name, getattr(self, name), 0.001, 7 * day)
        for name in ("defer_for", "retry_after_max", "outage_for", "late_effect", "grace",
                     "wait_for_lock"):  # fmt: skip
            _within(name, getattr(self, name), 0, 30 * day)
        for name in ("max_duration", "refresh_after"):
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), 0, 3650 * day)
        if self.ca_file is not None:
            _check_ca_file(self.ca_file)

    def as_record(self) -> dict[str, object]:
        """Return the settings as JSON can hold them, for the record; there is no secret in them."""
        record = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        limit = self.max_failures
        del record["retry"]
        return {
            **record,
            "inputs": [str(path.absolute()) for path in self.inputs],
            "columns": dict(self.columns),
            "ratings": dict(self.ratings.words),
            "max_failures": str(limit) if limit is not None else None,
            "jobs_dir": str(self.jobs_dir),
            "metrics_file": str(self.metrics_file) if self.metrics_file is not None else None,
            "ca_file": str(self.ca_file) if self.ca_file is not None else None,
        }


def recorded_settings(record: Mapping[str, Any], **changes: object) -> ImportSettings:
    """Return the settings of a `record` (see `as_record`), with some of them changed."""
    limit = record["max_failures"]
    values = {
        **record,
        "format": InputFormat(record["format"]) if record["format"] else None,
        "ratings": RatingTable({word: Meaning(name) for word, name in record["ratings"].items()}),
        "long_comments": LongComments(record["long_comments"]),
        "max_failures": None if limit is None else FailureLimit.parse(limit),
        "ca_file": Path(record["ca_file"]) if record["ca_file"] else None,
        "metrics_file": Path(record["metrics_file"]) if record["metrics_file"] else None,
        **changes,
    }
    return ImportSettings(**values)


def check_url(text: str, option: str = "--base-url") -> str:
    """Return a base URL without a trailing slash; `option` gave it. Raises `SettingsError`.

    `http://` would send the key in clear text, so it is allowed to this machine only.
    """
    try:
        url = URL(text)
    except ValueError as error:
        raise SettingsError(f"{option} {text!r} is not a URL: {error}") from None
    if url.scheme not in ("https", "http") or not url.host:
        raise SettingsError(f"{option} {text!r} is not a URL such as {PRODUCTION_URL}")
    if url.user or url.password or url.query_string or url.fragment:
        raise SettingsError(f"{option} must not hold a user name, password, query or fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise SettingsError(
            f"{option} {text!r} would send the API key unencrypted: use https:// "
            "(http:// is for loopback addresses only)"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _product(text: str) -> str:
    product = canonical_uuid(str(text).strip())
    if product is None:
        raise SettingsError(f"--product-id {text!r} is not a UUID: copy it from the dashboard")
    return product


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        option = "--" + name.replace("_", "-")
        raise SettingsError(f"{option} must be from {least:,g} to {most:,g}; it is {value!r}")


def _check_text_options(settings: ImportSettings) -> None:
    if settings.delimiter is not None and (
        len(settings.delimiter) != 1 or settings.delimiter in '"\r\n'
    ):
        raise SettingsError(f"--delimiter must be one character; it is {settings.delimiter!r}")
    try:
        codecs.lookup(settings.encoding)
        "".encode(settings.encoding)
    except (LookupError, ValueError):
        raise SettingsError(f"--encoding {settings.encoding!r} is not known to Python") from None
    for name in settings.columns:
        if name not in FIELDS:
            raise SettingsError(
                f"--column {name}=… is not known: the fields are {', '.join(FIELDS)}"
            )


def _check_ca_file(path: Path) -> None:
    try:
        ssl.create_default_context().load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one of these
        raise SettingsError(f"--ca-file {path} cannot be used: {error.strerror}") from None
