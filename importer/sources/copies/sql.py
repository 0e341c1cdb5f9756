"""Copies the rows that a query gives, as Parquet. Needs the extra `sql`, and the database's driver.

The rows are taken as they come, a few thousand at a time, and nothing is changed in the database.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.partial_copy import ROWS_ENDING, CopyOrigin, PartialCopy
from importer.sources.copies.rows_file import RowsFile

_ROWS = 5000
#: Seconds between two looks at whether to stop.
_PATIENCE = 0.2
#: Seconds that a database may take to break off a query.
_LAST_WORD = 5.0
#: The driver of a kind of database, if the address names none; and how it is installed.
_DRIVERS = {
    "postgresql": ("psycopg", "psycopg", "psycopg[binary]"),
    "mysql": ("pymysql", "pymysql", "pymysql"),
    "mariadb": ("pymysql", "pymysql", "pymysql"),
    "duckdb": ("duckdb_engine", "duckdb_engine", "duckdb-engine"),
}
_LONGEST_MESSAGE = 300
#: A query that needs more is told how to get it; a simple one and ORDER BY need less.
_DUCKDB_MEMORY = "100MB"
#: What Python and some drivers put before the system's own words.
_NUMBER = re.compile(r"\[Errno -?\d+\] ")
_NO_QUERY = (
    "{} is a database: say what is read from it, as in --sql "
    "'SELECT conversation_id, rating, comment FROM feedback'"
)


def copy(address: SourceAddress, part: PartialCopy, settings: ImportSettings) -> str:
    """Copy what the query of the settings gives; see `carriers`."""
    sql = settings.reading.sql
    if sql is None:
        raise InputError(_NO_QUERY.format(address.label))
    url = _url(address)
    part.begin(CopyOrigin(part.name))
    query = _Query(address, url, sql, part)
    worker = threading.Thread(target=query.run, name="query", daemon=True)
    worker.start()
    try:
        is_over = False
        while not is_over:
            worker.join(_PATIENCE)
            is_over = not worker.is_alive()
            part.watch.check()  # also of a query that was over at once
            part.grew(part.path.stat().st_size)
    except BaseException:
        until = time.monotonic() + _LAST_WORD
        while worker.is_alive() and time.monotonic() < until:
            query.stop()  # again, since it may only now have begun
            worker.join(_PATIENCE)
        raise
    if query.error is not None:
        raise query.error
    part.rows = query.rows
    return f"query{ROWS_ENDING}"


def _url(address: SourceAddress) -> URL:
    try:
        url = sqlalchemy.make_url(address.full)
    except (ArgumentError, ValueError):
        raise InputError(f"{address.label} is not the address of a database") from None
    kind = url.drivername
    if kind in _DRIVERS:
        driver, module, package = _DRIVERS[kind]
        if find_spec(module) is None:
            raise InputError(
                f"{address.label}: to read it, install the driver: pip install '{package}'"
            )
        if kind != "duckdb":
            url = url.set(drivername=f"{kind}+{driver}")
    if url.get_backend_name() == "sqlite" and url.database:
        # It would be made; and its own address of that kind would not be written to either.
        # Not every version of SQLAlchemy reads a path as an address has it.
        path = quote(unquote(urlsplit(address.full).path[1:]))
        url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    return url


@dataclass
class _Query:
    """A query on a thread of its own, so that a database that is silent can be given up."""

    address: SourceAddress
    url: URL
    sql: str
    part: PartialCopy
    rows: int = 0
    error: InputError | None = None
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)
    _cancel: Callable[[], Any] | None = field(default=None, repr=False)

    def run(self) -> None:
        """Copy all rows; what goes wrong is `error`."""
        try:
            engine = sqlalchemy.create_engine(self.url, poolclass=NullPool, **_options(self.url))
            with engine.connect() as connection:
                self._copy(connection)
        except (NoSuchModuleError, ImportError):
            self.error = InputError(f"{self.address.label}: {self._missing()}")
        except InputError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 -- drivers raise what they like
            self.error = InputError(f"{self.address.label}: {self._words(error)}")

    def stop(self) -> None:
        """Break off the query."""
        self._stopped.set()
        if self._cancel is not None:
            with suppress(Exception):
                self._cancel()

    def _copy(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self._cancel = getattr(driver, "cancel", None) or getattr(driver, "interrupt", None)
        if self._stopped.is_set():
            return
        options: dict[str, Any] = {"stream_results": True, "yield_per": _ROWS}
        # A percent sign in the query is a percent sign.
        options["no_parameters"] = True
        if self.url.get_backend_name() == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        with connection.execution_options(**options).exec_driver_sql(self.sql) as result:
            if not result.returns_rows:
                raise InputError(f"{self.address.label}: the query of --sql gives no rows")
            with RowsFile(self.part.path, self.address.label, list(result.keys())) as file:
                for rows in result.partitions(_ROWS):
                    if self._stopped.is_set():
                        return
                    file.write(rows)
                    self.rows = file.rows
        connection.rollback()

    def _missing(self) -> str:
        kind, names_driver, _ = self.address.scheme.partition("+")
        if not names_driver:
            return (
                f"databases of the kind {kind!r} need a package of their own for SQLAlchemy, which "
                "is not installed"
            )
        usual = _DRIVERS.get(kind)
        hint = f": leave it out ({kind}://) and pip install {usual[2]!r}" if usual else ""
        return f"the driver that the address names is not installed{hint}"

    def _words(self, error: Exception) -> str:
        """Return what a database says, without secrets, in a line."""
        original = getattr(error, "orig", None) or error
        parts = getattr(original, "args", ())
        text = str(parts[-1] if parts and isinstance(parts[-1], str) else original)
        if text.startswith("Out of Memory Error") and self.url.get_backend_name() == "duckdb":
            return (
                f"the query needs more memory than the {_DUCKDB_MEMORY} that it has unless the "
                "address says otherwise, as in duckdb:///there.duckdb?memory_limit=1GB"
            )
        line = _NUMBER.sub("", " ".join(self.address.hides(text).split()))[:_LONGEST_MESSAGE]
        return line or type(original).__name__


def _options(url: URL) -> dict[str, Any]:
    """Return what an engine is made with; what the address says of DuckDB goes before it."""
    if url.get_backend_name() != "duckdb":
        return {}
    # It runs in this process, and would keep what it has read in memory.
    config = {"memory_limit": _DUCKDB_MEMORY, "threads": 1, "temp_directory": tempfile.gettempdir()}
    return {"connect_args": {"read_only": True, "config": config}}
