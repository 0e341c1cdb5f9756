"""Left-over files close the circle: what failed can be imported as if it had not failed."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import random
import re
import shlex
import zipfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from click.testing import CliRunner

from importer.api import run_import
from importer.cli.app import cli
from importer.errors import ExitCode
from importer.model import OutcomeKind
from importer.sandbox.server import Sandbox
from importer.settings import ImportSettings
from tests.support.data import PRODUCT, conversation
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

    def settings(inputs: Path, url: str) -> ImportSettings:
        return settings_for(
            inputs,
            base_url=url,
            ratings=[preset, "3=CLEAR"],
            canary=0,
            **options,
        )

    async with serve(refuse) as url, Sandbox() as direct, Sandbox() as around:
        refused = await run_import(settings(path, url), api_key="any")
        expected = await run_import(settings(path, direct.url), api_key="any")
        sent = expected.outcomes[OutcomeKind.SUCCEEDED]
        assert refused.outcomes[OutcomeKind.FAILED] == sent > ROWS / 2
        again = await run_import(settings(refused.folder / "failed.csv", url), api_key="any")
        assert again.outcomes[OutcomeKind.FAILED] == again.rows == sent
        header = (again.folder / "failed.csv").read_bytes().decode("utf-8", "replace")
        assert header.count("import_reason") <= 1, "our columns do not pile up"
        last = await run_import(settings(again.folder / "failed.csv", around.url), api_key="any")
        assert last.outcomes[OutcomeKind.SUCCEEDED] == sent
    assert stored(around) == stored(direct)


ID, RATING, COMMENT = "Conv ID", "reason", "comment"
NAMES = ["--column", f"conversation_id={ID}", "--column", f"rating={RATING}"]
#: Of each preset a word that it knows and one that it does not, for columns of text and of numbers.
WORDS = {"stars": ("5", "3"), "thumbs": ("1", "2"), "3=CLEAR": ("3", "4")}


def text_of(cut_by: str, above: str = "") -> str:
    """Return a table of which rows 2 and 4 are rejected, in words that fit every preset."""
    lines = [
        [ID, RATING, COMMENT], [conversation(1), "good", "one"], [conversation(2), "odd", "té two"],
        [conversation(3), "good", ""], ["x" + conversation(4), "good", f'"four{cut_by}\n4"'],
    ]  # fmt: skip
    return above + "\n".join(cut_by.join(line) for line in lines) + "\n"


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.csv", content)
    return archive.getvalue()


def parquet(words: Mapping[str, str], kind: pa.DataType, *, nested: bool = False) -> bytes:
    table = {
        ID: pa.array([conversation(1), conversation(2), conversation(3), "x" + conversation(4)]),
        RATING: pa.array([words[word] for word in ("good", "odd", "good", "good")]).cast(kind),
        COMMENT: pa.array(["one", "té two", None, "four,\n4"]),
    }
    if nested:
        inner = pa.StructArray.from_arrays([table.pop(RATING), table[COMMENT]], [RATING, "c"])
        table["f"] = inner
    file = io.BytesIO()
    pq.write_table(pa.table(table), file)
    return file.getvalue()


def sources(words: Mapping[str, str]) -> dict[str, tuple[str, bytes, list[str], str]]:
    """Return name, content, further options and configuration of inputs of every kind."""

    def csv_of(cut_by: str = ",", above: str = "") -> str:
        text = text_of(cut_by, above)
        for word, own in words.items():
            text = text.replace(f"{cut_by}{word}{cut_by}", f"{cut_by}{own}{cut_by}")
        return text

    plain = csv_of().encode()
    wide = parquet(words, pa.float64() if words["good"].isdigit() else pa.string())
    inner = parquet(words, pa.string(), nested=True)
    dotted = ["--column", f"rating=f.{RATING}", "--column", "comment=f.c"]
    return {
        "csv": ("a.csv", plain, [], ""),
        "gzip": ("a.csv.gz", gzip.compress(plain), [], ""),
        "bzip2, without a name": ("a", bz2.compress(plain), ["--format", "csv"], ""),
        "zip": ("it's a.zip", zipped(plain), ["--format", "csv"], ""),
        "semicolons, cp1252": ("a.csv", csv_of(";").encode("cp1252"), ["--encoding", "cp1252"], ""),
        "a mark, and another encoding": (
            "a.csv", csv_of().encode("utf-8-sig"), ["--encoding", "cp1252"], "",
        ),
        "UTF-16": ("a.txt", csv_of("\t").encode("utf-16"), ["--encoding", "utf-16"], ""),
        "a line for Excel": ("a.csv", csv_of("|", "sep=|\n").encode(), [], ""),
        "a title": ("a.csv", csv_of(",", "Title\n\n").encode(), ["--skip-lines", "2"], ""),
        "a title, configured": (
            "a", csv_of("^", "Title\n").encode(), [],
            'skip_lines = 1\nformat = "csv"\ndelimiter = "^"',
        ),
        "parquet": ("a.parquet", wide, [], ""),
        "parquet, configured": ("a", wide, [], 'format = "parquet"\nencoding = "cp1252"'),
        "parquet, nested": ("a.parquet", inner, dotted, ""),
    }  # fmt: skip


def fix(path: Path, rating: str, good: str) -> None:
    """Mend the rows of a rejected.csv as a person would."""
    start = path.read_bytes()
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig" if b"\xc3\xa9" in start else "cp1252"
    with path.open(encoding=encoding, newline="") as file:
        head = file.readline()
        file.seek(0)
        cut_by = next(c for c in "^|;\t," if c in head)
        rows = list(csv.DictReader(file, delimiter=cut_by))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=cut_by)
        writer.writeheader()
        for row in rows:
            fixed = {ID: row[ID].removeprefix("x"), rating: good}
            writer.writerow({**row, **fixed})


@pytest.mark.parametrize("preset", [None, *WORDS])
@pytest.mark.parametrize("kind", sources({"good": "", "odd": ""}))
def test_what_is_rejected_can_be_fixed_and_imported_with_the_printed_command(
    kind: str, preset: str | None
) -> None:
    good, odd = ("POSITIVE", "meh") if preset is None else WORDS[preset]
    name, content, options, configured = sources({"good": good, "odd": odd})[kind]
    Path(name).write_bytes(content)
    Path("clarityq-import.toml").write_text(configured)
    if preset is not None:
        options = ["--ratings", preset, *options]
    names = NAMES[:2] if "nested" in kind else NAMES
    first = CliRunner().invoke(
        cli, ["run", name, "--product-id", PRODUCT, "--sandbox", *names, *options]
    )
    assert "succeeded         2" in first.output, first.output
    line = next(line for line in first.output.splitlines() if line.startswith("To import the 2 "))
    path, command = re.fullmatch(r".*: fix (.*), then clarityq-import (.*)", line).groups()  # type: ignore[union-attr]
    fix(Path(path), f"f.{RATING}" if "nested" in kind else RATING, good)
    second = CliRunner().invoke(cli, shlex.split(command), standalone_mode=False)
    assert second.return_value is ExitCode.OK, second.output
    assert "succeeded         2" in second.output
