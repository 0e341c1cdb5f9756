"""The options of an import, by group. An option is one line here, and the line that uses it."""

# Annotations are read when the classes are made, so they are not put off.

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from importer.errors import ExitCode, SettingsError
from importer.feedback.ratings import RatingTable
from importer.settings.kinds import (
    ADDRESS,
    CA_FILE,
    CODES,
    COLUMNS,
    DELIMITER,
    DURATION,
    ENCODING,
    HOOK,
    INPUTS,
    JOBS_DIR,
    LABEL,
    LISTEN,
    NAME,
    PRODUCT,
    SQL,
    TEXTS,
)
from importer.settings.option import REQUIRED, Group, option
from importer.settings.places import FrameAddress, Place, SourceAddress
from importer.settings.values import (
    PRODUCTION_URL,
    SANDBOX,
    DataLimit,
    FailureLimit,
    InputFormat,
    LongComments,
    NotifyFormat,
)

#: Seconds.
Duration = Annotated[float, DURATION]
Address = Annotated[str, ADDRESS]

_DAY = 86_400.0
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
_DECADE = 3650 * _DAY


class Target(Group, table="target"):
    """Where the feedback goes."""

    product_id: Annotated[str, PRODUCT] = option(
        REQUIRED, "UUID of the product that is rated.", identity=True
    )
    base_url: Address = option(
        PRODUCTION_URL, "Address of the service.", identity=True, guarded=True
    )
    sandbox: bool = option(
        False, "Rehearse against the sandbox, a mock server inside this run.", identity=True
    )
    ca_file: Annotated[Path, CA_FILE] | None = option(
        None, "Certificates of an additional CA, in PEM."
    )
    trust_env: bool = option(False, "Use the proxies that the environment names.", guarded=True)

    @property
    def service(self) -> str:
        """The address that requests go to; `sandbox` for one that each run has anew."""
        return SANDBOX if self.sandbox else self.base_url


class Reading(Group, table="reading"):
    """What is read, and how."""

    inputs: Annotated[Sequence[Place], INPUTS] = option(
        REQUIRED, "Files and addresses, read in this order as one job.", flag="", identity=True
    )
    format: InputFormat | None = option(
        None, "Format of the inputs.", unset="by their names", identity=True
    )
    delimiter: Annotated[str, DELIMITER] | None = option(
        None, "Delimiter of CSV files; 'tab' is one too.", unset="detected", identity=True
    )
    encoding: Annotated[str, ENCODING] = option("utf-8", "Encoding of CSV files.", identity=True)
    skip_lines: int = option(
        0, "Lines above the header of CSV files and workbooks that are no part of the table.",
        between=(0, 1_000_000), identity=True,
    )  # fmt: skip
    trust_quotes: bool = option(
        False, "Text in quotes may hold lines that read like rows.", identity=True
    )
    sheet: str | None = option(
        None, "Sheet of a workbook.", unset="the only one that holds something", identity=True
    )

    sql: Annotated[str, SQL] | None = option(
        None, "Query whose rows are read from a database (needs the extra sql), or a .sql file.",
        unset="files are read", identity=True,
    )  # fmt: skip
    in_order: bool = option(
        False, "The last row of a conversation wins in the order that the query gives them.",
        identity=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sql is not None and not (len(self.inputs) == 1 and self.is_copied):
            raise SettingsError(
                "--sql reads from one database: set its address as CLARITYQ_SQL_URL, or give it in "
                "place of files, such as postgresql://reader@host/database"
            )

    @property
    def is_unordered(self) -> bool:
        """Whether the rows come in an order that means nothing, unless it is said that it does."""
        frames = any(isinstance(place, FrameAddress) for place in self.inputs)
        return frames or self.sql is not None

    @property
    def is_copied(self) -> bool:
        """Whether an input is no local file, so that a copy of it is taken."""
        return any(isinstance(place, SourceAddress) for place in self.inputs)


class RowMapping(Group, table="mapping"):
    """From a row to feedback."""

    columns: Annotated[Mapping[str, str], COLUMNS] = option(
        (), "Source column of conversation_id, rating or comment. Repeatable.",
        flag="--column", identity=True,
    )  # fmt: skip
    ratings: RatingTable = option(
        (), "What rating words mean: thumbs, stars, WORD=MEANING, or a TOML table. Repeatable; "
        "later ones win.", identity=True,
    )  # fmt: skip
    newest_by: str | None = option(
        None, "Column by which the newest row of a conversation wins, not the last.",
        unset="the last one wins", identity=True,
    )  # fmt: skip
    nulls: Annotated[Sequence[str], TEXTS] = option(
        (), "A rating or comment that is just this text is empty, such as NULL. Repeatable.",
        flag="--null", identity=True,
    )  # fmt: skip
    long_comments: LongComments = option(
        LongComments.REJECT, "What becomes of comments over 2,000 characters.", identity=True
    )


class Pacing(Group, table="pacing"):
    """How much the service is asked to bear. Below these limits the importer finds the pace."""

    concurrency: int = option(64, "Maximum requests in flight.", between=(1, 10_000))
    rate: float | None = option(
        None, "Maximum requests per second.", between=(0.001, 1_000_000), unset="no cap"
    )
    rate_group: Annotated[str, NAME] | None = option(
        None, "Share --rate with all runs of this name in the jobs folder.", unset="not shared"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate_group is not None and self.rate is None:
            raise SettingsError("--rate-group shares --rate among runs: give --rate as well")


class Retries(Group, table="retries"):
    """Transient failures: how often and when a row is tried again."""

    max_attempts: int = option(
        8, "Attempts in a row for one row before it fails.", between=(1, 1000)
    )
    first: Duration = option(
        0.5, "Maximum first wait after a transient failure; then doubled.",
        between=(0.001, _WEEK), flag="--retry-first",
    )  # fmt: skip
    max: Duration = option(
        60.0, "Maximum wait between two attempts.", between=(0.001, _WEEK), flag="--retry-max"
    )
    after_max: Duration = option(
        300.0, "Maximum Retry-After that is honoured.", between=(0.0, _MONTH),
        flag="--retry-after-max",
    )  # fmt: skip


class Deferral(Group, table="deferral"):
    """Conversations that are not completed: when they are tried again."""

    first: Duration = option(
        5.0, "First wait for a conversation that is not completed.",
        between=(0.001, _WEEK), flag="--defer-first",
    )  # fmt: skip
    max: Duration = option(
        300.0, "Maximum wait between two status checks.", between=(0.001, _WEEK),
        flag="--defer-max",
    )  # fmt: skip
    deadline: Duration = option(
        3600.0, "How long to wait for such a conversation in all.", between=(0.0, _MONTH),
        flag="--defer-for",
    )  # fmt: skip


class Timeouts(Group, table="timeouts"):
    """How long a request may take."""

    connect: Duration = option(
        10.0, "Maximum time to connect.", between=(0.001, _WEEK), flag="--connect-timeout"
    )
    read: Duration = option(
        30.0, "Maximum silence while a response is awaited.", between=(0.001, _WEEK),
        flag="--read-timeout",
    )  # fmt: skip
    total: Duration = option(
        60.0, "Maximum time for one attempt in all.", between=(0.001, _WEEK),
        flag="--total-timeout",
    )  # fmt: skip
    late_effect: Duration = option(
        30.0, "How long a request without an answer may still take effect.", between=(0.0, _MONTH)
    )
    grace: Duration = option(
        30.0, "How long requests in flight may take when the run is stopped.",
        between=(0.0, _MONTH),
    )  # fmt: skip


class AbortRules(Group, table="abort_rules"):
    """When the run ends early, so that no more rows are spent."""

    max_failures: FailureLimit | None = option(
        None, "End the run when so many rows have failed.", unset="never"
    )
    max_rejected: DataLimit | None = option(
        None, "Send nothing if more rows than that are rejected.", unset="no limit"
    )
    max_changes: DataLimit | None = option(
        None, "Send nothing if more known conversations than that would change.",
        unset="no limit",
    )  # fmt: skip
    no_history_check: bool = option(
        False, "Do not compare the data with that of the product's last jobs."
    )
    accept_change: bool = option(False, "Let the job through these limits, once.")
    canary: int | None = option(
        None, "Rows that go ahead of a new job; if all fail for the same reason, no more are sent.",
        between=(0, 100_000), unset="20 of more than 1,000; 0: none",
    )  # fmt: skip
    outage_for: Duration = option(
        600.0, "How long the service may be unavailable before the run is aborted.",
        between=(0.0, _MONTH),
    )  # fmt: skip


class LedgerUse(Group, table="ledger"):
    """What is kept of the product from job to job."""

    skip_unchanged: bool = option(False, "Send only what differs from what was last stored.")
    refresh_after: Duration | None = option(
        None, "Send unchanged rows again that were stored so long ago.", between=(0.0, _DECADE),
        unset="never",
    )  # fmt: skip
    keep_bodies: bool = option(
        False, "Keep what is sent, compressed, so that `undo` of a later job can bring it back."
    )
    carry_over: bool = option(False, "Also send what earlier jobs have left over or not finished.")
    carry_over_for: Duration | None = option(
        None, "Carry over no longer what jobs have left over that began so long ago.",
        between=(0.0, _DECADE), unset="for ever",
    )  # fmt: skip


class JobRules(Group, table="job"):
    """Where jobs are kept, and how a run treats its job."""

    jobs_dir: Annotated[Path, JOBS_DIR] = option(Path("clarityq-jobs"), "Folder of the jobs.")
    label: Annotated[str, LABEL] | None = option(
        None, "Who imports this, or why: shown wherever the job is.", unset="none"
    )
    restart: bool = option(
        False, "Start over, send all rows, and give up the unfinished job of this command."
    )
    replace: bool = option(
        False, "Give up the unfinished job of the product for good, and begin this one."
    )
    as_new: bool = option(
        False, "Send the rows of left-over files as new ones, whatever was sent since."
    )
    limit: int | None = option(
        None, "Send at most so many conversations, and leave the others pending.",
        between=(1, 1_000_000_000), unset="all",
    )  # fmt: skip
    max_duration: Duration | None = option(
        None, "Stop cleanly after so long; run again to resume.", between=(0.001, _DECADE),
        unset="never",
    )  # fmt: skip
    keep_copies: bool = option(
        False, "Keep the copies of inputs that are no local files, also when no row is left over."
    )
    wait_for_lock: Duration = option(
        0.0, "How long to wait for another run of the product to end.",
        between=(0.0, _MONTH),
    )  # fmt: skip


class Scale(Group, table="scale"):
    """Many processes, for services that grant more than one of them can send."""

    workers: int | None = option(
        None, "Send from so many processes of this machine, or of the cluster (needs the extra "
        "distributed).", between=(1, 1000), unset="one process, or all of the cluster",
    )  # fmt: skip
    cluster: str | None = option(
        None, "Send from the workers of this Dask cluster: the address of its scheduler, or its "
        "scheduler file.", unset="none", guarded=True,
    )  # fmt: skip

    @property
    def is_wanted(self) -> bool:
        """Whether other processes are to send."""
        return self.workers is not None or self.cluster is not None


class Exports(Group, table="exports"):
    """Other systems that are told of the run: of every end, also if it cannot start."""

    metrics_file: Path | None = option(
        None, "Write the run's figures there as a Prometheus text file."
    )
    notify_url: Annotated[str, HOOK] | None = option(
        None, "POST there that the run has started, finished or failed.", secret=True
    )
    notify_format: NotifyFormat = option(NotifyFormat.JSON, "Form of these notifications.")
    ping_url: Annotated[str, HOOK] | None = option(
        None, "Address of a cron monitor: POST to URL/start, and to URL/EXIT-CODE at the end.",
        secret=True,
    )  # fmt: skip
    success_codes: Annotated[Collection[ExitCode], CODES] = option(
        frozenset({ExitCode.OK}), "Exit codes that count as success for these systems."
    )
    status_listen: Annotated[str, LISTEN] | None = option(
        None, "Serve there, while the run lasts, how it stands: /, /metrics and /healthz."
    )
    telemetry: bool = option(
        False, "Export a trace and metrics with OpenTelemetry (needs the extra otel)."
    )
