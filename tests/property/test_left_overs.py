"""Left-over files close the circle: what failed can be imported as if it had not failed."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import json
import random
import re
import shlex
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto
from itertools import count, cycle, product
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from importer.api import run_import
from importer.cli.app import cli
from importer.errors import ExitCode
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.server import serve

Make = Callable[..., ImportSettings]
Write = Callable[[Path, list[tuple[str, Any, str]]], Mapping[str, object]]

COMMENTS = [
    "", "fine", "16 bytes of text", "two\nlines", "a\r\nb", "lone\rreturn", 'say "so", twice',
    "\ttab", " space ", f"it said\n{conversation(9)},POSITIVE,no", "NULL", "=1+1", "é", "00123",
    "1.0", "x;y|z",
]  # fmt: skip
RATINGS: Mapping[str, list[Any]] = {
    "stars": ["5", "1.0", "4,0", "2/5", "★★★★☆", "4 stars", ""],
    "thumbs": ["up", "👎🏽", "1.0", "0", "+1", "true", ""],
}
ROWS = 40


def csv_file(path: Path, rows: list[tuple[str, Any, str]], delimiter: str, encoding: str) -> None:
    def cell(text: str) -> str:
        quoted = text.replace('"', '""')
        return f'"{quoted}"' if set(text) & set('"\r\n' + delimiter) else text

    lines = [["id", "rating", "reason", "job"], *([who, r, c, "x"] for who, r, c in rows)]
    text = "".join(delimiter.join(map(cell, line)) + "\n" for line in lines)
    path.write_bytes(text.encode(encoding))


def as_csv(cut_by: str, codec: str, **options: object) -> Write:
    def write(path: Path, rows: list[tuple[str, Any, str]]) -> Mapping[str, object]:
        csv_file(path.with_suffix(".csv"), rows, cut_by, codec)
        names = ["conversation_id=id", "comment=reason"]
        return {"column": names, "trust_quotes": True, **options}

    return write


def as_parquet(rating: Callable[[str], Any], kind: pa.DataType, *, nested: bool = False) -> Write:
    def write(path: Path, rows: list[tuple[str, Any, str]]) -> Mapping[str, object]:
        ids = pa.array([bytes.fromhex(who.replace("-", "")) for who, _, _ in rows], pa.binary(16))
        ratings = pa.array([rating(text) for _, text, _ in rows], kind)
        comments = pa.array([text.encode() for _, _, text in rows], pa.binary())
        columns = {"conversation_id": ids, "rating": ratings, "reason": comments}
        names = ["comment=reason"]
        if nested:
            columns["f"] = pa.StructArray.from_arrays([ratings, comments], ["rating", "reason"])
            del columns["rating"], columns["reason"]
            names = ["rating=f.rating", "comment=f.reason"]
        pq.write_table(pa.table(columns), path.with_suffix(".parquet"))
        return {"column": names, "encoding": "cp1252", "delimiter": ";"}

    return write


def as_json(path: Path, rows: list[tuple[str, Any, str]]) -> Mapping[str, object]:
    names = ("conversation_id", "rating", "reason")
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    path.with_suffix(".json").write_text(json.dumps(objects), "utf-8")
    return {"column": ["comment=reason"]}


def number(text: str) -> float | None:
    return float(sum(map(ord, text)) % 5 + 1) if text else None


def decimal(text: str) -> Decimal | None:
    found = number(text)
    return None if found is None else Decimal(found)


def truth(text: str) -> bool | None:
    return None if not text else len(text) % 2 == 0


FORMATS: Mapping[str, tuple[Write, list[str]]] = {
    "csv": (as_csv(",", "utf-8"), ["stars", "thumbs"]),
    "semicolons, UTF-16": (as_csv(";", "utf-16", encoding="utf-16"), ["stars", "thumbs"]),
    "tabs, nulls": (as_csv("\t", "utf-8", null=["NULL"]), ["stars", "thumbs"]),
    "parquet, text": (as_parquet(str, pa.string()), ["stars", "thumbs"]),
    "parquet, float": (as_parquet(number, pa.float64()), ["stars"]),
    "parquet, decimal": (as_parquet(decimal, pa.decimal128(10, 3)), ["stars"]),
    "parquet, nested": (as_parquet(number, pa.float32(), nested=True), ["stars"]),
    "parquet, bool": (as_parquet(truth, pa.bool_()), ["thumbs"]),
    "json": (as_json, ["stars", "thumbs"]),
}


async def refuse(_: web.Request) -> web.Response:
    return web.Response(status=404)


def stored(sandbox: Sandbox) -> dict[str, tuple[str | None, str | None]]:
    return {c: (f.rating, f.comment) for c, f in sandbox.feedback.items()}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name, (_, some) in FORMATS.items() for preset in some]
)
async def test_what_failed_can_be_imported_as_it_is(
    name: str, preset: str, settings_for: Make, tmp_path: Path
) -> None:
    dice = random.Random(name + preset)
    rows = [
        (conversation(n), dice.choice(RATINGS[preset]), dice.choice(COMMENTS)) for n in range(ROWS)
    ]
    options = FORMATS[name][0](tmp_path / "in", rows)
    path = next(tmp_path.glob("in.*"))  # noqa: ASYNC240 -- a test of its own

    def of(inputs: Path, url: str) -> ImportSettings:
        return settings_for(
            inputs,
            base_url=url,
            ratings=[preset, "3=CLEAR"],
            canary=0,
            **options,
        )

    async with serve(refuse) as url, Sandbox() as direct, Sandbox() as around:
        refused = await run_import(of(path, url), api_key="any")
        expected = await run_import(of(path, direct.url), api_key="any")
        sent = expected.outcomes[OutcomeKind.SUCCEEDED]
        assert refused.outcomes[OutcomeKind.FAILED] == sent > ROWS / 2
        again = await run_import(of(refused.folder / "failed.csv", url), api_key="any")
        assert again.outcomes[OutcomeKind.FAILED] == again.rows == sent
        header = (again.folder / "failed.csv").read_bytes().decode("utf-8", "replace")
        assert header.count("import_reason") <= 1, "our columns do not pile up"
        last = await run_import(of(again.folder / "failed.csv", around.url), api_key="any")
        assert last.outcomes[OutcomeKind.SUCCEEDED] == sent
    assert stored(around) == stored(direct)


@pytest.mark.anyio
async def test_columns_that_are_spelt_otherwise_in_another_file_are_the_same_ones(
    sandbox: Sandbox, settings_for: Make, tmp_path: Path
) -> None:
    headers = [["conversation_id", "rating", "x"], [" Conversation_ID", "\ufeffRating", "X", "x"]]
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, header in zip(paths, headers, strict=True):
        rows = [(conversation(len(header)), "odd", *"123"[: len(header) - 2])]
        write_csv(path, rows, header)
    first = await run_import(settings_for(*paths, base_url=sandbox.url), api_key="any")
    left = first.folder / "rejected.csv"
    assert left.read_text("utf-8").startswith("conversation_id,rating,x,x,file,")
    again = settings_for(left, base_url=sandbox.url, ratings=["odd=POSITIVE"])
    assert (await run_import(again, api_key="any")).outcomes[OutcomeKind.SUCCEEDED] == 2


ID, RATING, COMMENT = "Conv ID", "reason", "comment"
NAMES = ["--column", f"conversation_id={ID}", "--column", f"rating={RATING}"]
QUERY = ["--sql", "SELECT * FROM f ORDER BY rowid", "--in-order"]
TABLE = 'great = "POSITIVE"\npoor = "NEGATIVE"\n'


class Words(NamedTuple):
    """What ratings mean under a preset: known words with what is stored, and one not known."""

    ratings: str | None
    known: Mapping[str, str | None]
    unknown: str


PRESETS = {
    "none": Words(None, {"POSITIVE": "POSITIVE", "clear": None}, "meh"),
    "stars": Words("stars", {"5": "POSITIVE", "1": "NEGATIVE"}, "3"),
    "thumbs": Words("thumbs", {"1": "POSITIVE", "0": "NEGATIVE"}, "2"),
    "word": Words("3=CLEAR", {"3": None}, "4"),
    "table": Words("table.toml", {"great": "POSITIVE", "poor": "NEGATIVE"}, "meh"),
}
Rows = list[tuple[str, str, str]]


class Place(NamedTuple):
    """Where rows are: a name with its content, further options, and a configuration."""

    name: str
    content: bytes
    options: Sequence[str] = ()
    configured: str = ""


def text_of(rows: Rows, cut_by: str = ",", above: str = "") -> str:
    file = io.StringIO(above, newline="")
    file.seek(0, io.SEEK_END)
    writer = csv.writer(file, delimiter=cut_by, lineterminator="\n")
    writer.writerows([(ID, RATING, COMMENT), *rows])
    return file.getvalue()


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", content)
    return archive.getvalue()


def plain(rows: Rows) -> bytes:
    return text_of(rows).encode()


def values(rows: Rows) -> list[dict[str, Any]]:
    """Return the rows as other formats hold them: numbers as numbers, nothing as null."""
    is_number = all(rating.isdigit() for _, rating, _ in rows if rating)
    return [
        {
            ID: who,
            RATING: float(rating) if is_number and rating else rating or None,
            COMMENT: text or None,
        }
        for who, rating, text in rows
    ]


def parquet(rows: Rows, *, nested: bool = False) -> bytes:
    table = pa.Table.from_pylist(values(rows))
    if nested:
        inner = pa.StructArray.from_arrays(
            [table[RATING].combine_chunks(), table[COMMENT].combine_chunks()], [RATING, COMMENT]
        )
        table = pa.table({ID: table[ID], "f": inner})
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def workbook(rows: Rows) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    book.active.append([ID, RATING, COMMENT])
    for row in values(rows):
        book.active.append(list(row.values()))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def database(rows: Rows) -> bytes:
    pytest.importorskip("sqlalchemy")
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute(f'CREATE TABLE f ("{ID}", {RATING}, {COMMENT})')
        db.executemany("INSERT INTO f VALUES (?, ?, ?)", [[*row.values()] for row in values(rows)])
        db.commit()
        return db.serialize()


def lines(rows: Rows) -> bytes:
    return "\n".join(map(json.dumps, values(rows))).encode()


EVERY_FORMAT: Mapping[str, Callable[[Rows], Place]] = {
    "csv": lambda rows: Place("a.csv", plain(rows)),
    "parquet": lambda rows: Place("a.parquet", parquet(rows)),
    "JSON lines": lambda rows: Place("a.jsonl", lines(rows)),
    "workbook": lambda rows: Place("a.xlsx", workbook(rows)),
    "query": lambda rows: Place("a.db", database(rows), QUERY),
}
#: Each format with what else is to be known of it.
VARIANTS: Mapping[str, Callable[[Rows], Place]] = {
    "gzip": lambda rows: Place("a.csv.gz", gzip.compress(plain(rows))),
    "bzip2, without a name": lambda rows: Place(
        "a", bz2.compress(plain(rows)), ["--format", "csv"]
    ),
    "zip": lambda rows: Place("it's a.zip", zipped(plain(rows)), ["--format", "csv"]),
    "semicolons, cp1252": lambda rows: Place(
        "a.csv", text_of(rows, ";").encode("cp1252"), ["--encoding", "cp1252"]
    ),
    "a mark, and another encoding": lambda rows: Place(
        "a.csv", text_of(rows).encode("utf-8-sig"), ["--encoding", "cp1252"]
    ),
    "UTF-16": lambda rows: Place(
        "a.txt", text_of(rows, "\t").encode("utf-16"), ["--encoding", "utf-16"]
    ),
    "a line for Excel": lambda rows: Place("a.csv", text_of(rows, "|", "sep=|\n").encode()),
    "a title": lambda rows: Place(
        "a.csv", text_of(rows, ",", "Title\n\n").encode(), ["--skip-lines", "2"]
    ),
    "a title, configured": lambda rows: Place(
        "a", text_of(rows, "^", "Title\n").encode(), [],
        'skip_lines = 1\nformat = "csv"\ndelimiter = "^"',
    ),
    "parquet, configured": lambda rows: Place(
        "a", parquet(rows), [], 'format = "parquet"\nencoding = "cp1252"'
    ),
    "parquet, nested": lambda rows: Place(
        "a.parquet", parquet(rows, nested=True),
        ["--column", f"rating=f.{RATING}", "--column", f"comment=f.{COMMENT}"],
    ),
    "JSON array, configured": lambda rows: Place(
        "a", json.dumps(values(rows)).encode(), [], 'format = "json"'
    ),
}  # fmt: skip


class Fate(Enum):
    """What becomes of a row at first."""

    STORED = auto()
    REFUSED = auto()
    BAD_ID = auto()
    UNKNOWN_RATING = auto()
    TOO_LONG = auto()
    NOTHING = auto()


class Service:
    """Stores feedback, but refuses that of some conversations."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.stored: dict[str, tuple[str | None, str | None]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        who = request.path.split("/")[-2]
        if who in self.refused:
            return web.Response(status=404)
        body = await request.json()
        self.stored[who] = body.get("rating"), body.get("comment")
        whole = {"rating": None, "comment": None, **body}
        return web.json_response({"conversation_id": who, "updated_at": "now", **whole})


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Service, str]]:
    running = Service()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(running.answer)) as url,
    ):
        yield running, url


def spoilt(number: int, fate: Fate, good: str, text: str, words: Words) -> tuple[str, str, str]:
    """Return the cells of a row that ends so."""
    who = conversation(number)
    match fate:
        case Fate.BAD_ID:
            return "x" + who, good, text
        case Fate.UNKNOWN_RATING:
            return who, words.unknown, text
        case Fate.TOO_LONG:
            return who, good, "é" * 2001
        case Fate.NOTHING:
            return who, "", ""
    return who, good, text


def fix(path: Path, good: Mapping[str, tuple[str, str]], prefix: str) -> None:
    """Fix the rows of a left-over file as a person would, to ratings and comments by id."""
    start = path.read_bytes()
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    is_utf8 = start.startswith(codecs.BOM_UTF8) or b"\xc3\xa9" in start
    encoding = "utf-16" if wide else "utf-8-sig" if is_utf8 else "cp1252"
    with path.open(encoding=encoding, newline="") as file:
        head = file.readline()
        file.seek(0)
        cut_by = next(c for c in "^|;\t," if c in head)
        rows = list(csv.DictReader(file, delimiter=cut_by))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=cut_by)
        writer.writeheader()
        for row in rows:
            who = row[ID].removeprefix("x")
            rating, comment = good[who]
            fixed = {ID: who, f"{prefix}{RATING}": rating, f"{prefix}{COMMENT}": comment}
            writer.writerow({**row, **fixed})


FATES = st.permutations(list(Fate))
TEXTS = st.sampled_from(
    ["", "fine", "té", 'say "so", twice', "two\nlines", "x;y|z^", "NULL", "007"]
)
COUNT = count()


@pytest.mark.parametrize(
    ("kind", "preset"),
    [*product(EVERY_FORMAT, PRESETS), *zip(VARIANTS, cycle(PRESETS), strict=False)],
)
def test_what_is_left_over_can_be_fixed_and_imported_with_the_printed_command(
    kind: str, preset: str, service: tuple[Service, str]
) -> None:
    server, url = service
    words = PRESETS[preset]

    def run(*arguments: str, given: bytes | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(
            cli, list(arguments), given, standalone_mode=False,
            env={"CLARITYQ_API_KEY": "any", "CLARITYQ_SQL_URL": "sqlite:///a.db"},
        )  # fmt: skip
        assert done.exception is None, done.output
        return done.return_value, done.output

    # To make a failing example simpler would take longer than to read it.
    @settings(max_examples=1, deadline=None, database=None, phases=[Phase.generate])
    @given(
        FATES, st.lists(st.tuples(st.sampled_from([*words.known]), TEXTS), min_size=6, max_size=6)
    )
    def close(fates: list[Fate], drawn: list[tuple[str, str]]) -> None:
        folder = Path(f"circle-{next(COUNT)}").absolute()
        folder.mkdir()
        with contextlib.chdir(folder):
            Path("table.toml").write_text(TABLE)
            rows = [spoilt(n, fate, *drawn[n], words) for n, fate in enumerate(fates)]
            place = {**EVERY_FORMAT, **VARIANTS}[kind](rows)
            if place.name != "-":
                Path(place.name).write_bytes(place.content)
            Path("clarityq-import.toml").write_text(place.configured)
            server.stored = {}
            server.refused = {conversation(fates.index(Fate.REFUSED))}
            options = [*NAMES, *place.options, "--product-id", PRODUCT, "--base-url", url]
            if "nested" in kind:
                options = [*NAMES[:2], *options[len(NAMES) :]]
            if words.ratings is not None:
                options += ["--ratings", words.ratings]
            inputs = [] if kind == "query" else [place.name]
            given = place.content if place.name == "-" else None
            code, told = run("run", *inputs, *options, given=given)
            assert code == ExitCode.ROWS_NOT_IMPORTED, told
            server.refused = set()
            good = {conversation(n): cells for n, cells in enumerate(drawn)}
            steps = re.findall(
                r"To import the . rows? [\w ]+: fix (.*), then clarityq-import (.*)", told
            )
            assert len(steps) == 2, told
            for path, command in steps:
                fix(Path(path), good, "f." if "nested" in kind else "")
                code, told = run(*shlex.split(command))
                assert code == ExitCode.OK, told
        assert server.stored == {
            who: (words.known[rating], text or None) for who, (rating, text) in good.items()
        }

    close()
