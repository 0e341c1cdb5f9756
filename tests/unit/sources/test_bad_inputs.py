"""Files that cannot be imported: each one gets its message, and no other exception."""

import bz2
import gzip
import io
import lzma
import os
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.errors import InputError, SettingsError
from importer.model import Reason, Row
from importer.settings import ImportSettings
from importer.sources.base import Part, RowPart
from importer.sources.csv import file as csv_file
from importer.sources.location import open_binary
from importer.sources.registry import open_source
from tests.support.data import conversation
from tests.support.parts import all_rows

TEXT = b"conversation_id,rating\n" + f"{conversation(1)},POSITIVE\n".encode() * 2000


def zipped(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


#: Beside the one file it holds what a system puts there.
ARCHIVE = zipped({"a/b.csv": TEXT, "__MACOSX/a/._b.csv": b"x", "a/.DS_Store": b"x"})


def parquet_bytes(tmp_path: Path, rows: int = 1000) -> bytes:
    path = tmp_path / "made.parquet"
    ids = [conversation(number) for number in range(rows)]
    pq.write_table(pa.table({"conversation_id": pa.array(ids, pa.string()), "rating": ids}), path)
    return path.read_bytes()


def read_all(path: Path, settings_for: Callable[..., ImportSettings]) -> None:
    source = open_source(path, settings_for(path))
    for _ in source.batches(1, 100):
        pass


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", b"", "is empty"),
        ("in.csv", b"\n\r\n\n", "nothing but blank lines"),
        ("in.csv", TEXT.decode().encode("utf-16"), "--encoding utf-16"),
        ("in.csv", TEXT.decode().encode("utf-16-le"), "--encoding utf-16-le"),
        ("in.csv", TEXT.decode().encode("utf-16-be"), "--encoding utf-16-be"),
        ("in.csv", b"a\0" + TEXT, "NUL bytes"),
        ("in.csv", b"PK\x03\x04 and so on", "zip archive that is damaged"),
        ("in.csv", zipped({"xl/workbook.xml": b""}), "--format excel"),
        ("in.xlsx", zipped({"xl/workbook.xml": b""}), "no workbook, or it is damaged"),
        (
            "in.zip",
            zipped({"a.csv": TEXT, "b.csv": TEXT}),
            r"archive of 2 files \(a.csv, b.csv\): .*unzip .*in.zip",
        ),
        ("in.zip", zipped({"a/": b""}), "archive without a file"),
        ("in.zip", zipped({"a.parquet": b"PAR1"}), "holds 'a.parquet', .*: extract it .unzip "),
        ("in.zip", zipped({"a.csv.gz": gzip.compress(TEXT)}), "holds 'a.csv.gz', .*extract it"),
        ("in.jsonl", b'{"conversation_id": 1}\n', "no column 'rating'"),
        ("in.csv", b'[{"conversation_id": 1}]\n', "it is JSON: .*--format json"),
        (
            "in.csv",
            b'\xef\xbb\xbf[\r\n  {"conversation_id": 1}\r\n]',
            "it is JSON: .*--format json",
        ),
        ("in.csv", b"\n<!DOCTYPE HTML><html>Log in</html>", "a page of HTML, perhaps a log-in"),
        ("in.parquet", TEXT, "it is text: give --format csv"),
        ("in.parquet", zipped({"xl/workbook.xml": b""}), "--format excel or csv"),
        ("in.parquet", gzip.compress(TEXT), "it is compressed: give --format csv"),
        ("in.parquet", b'{"conversation_id": 1}', "it is JSON: give --format json"),
        ("in.xls", b"<html xmlns:x='urn:schemas-microsoft-com'><table>", "it is a page of HTML,"),
        ("in.txt", b"<?xml version='1.0'?><r/>", "it is XML"),
        ("in.csv", b"%PDF-1.7\n", "it is a PDF"),
        ("in.csv.7z", b"7z\xbc\xaf\x27\x1c\0\4", "decompress it"),
        ("in.csv.lzma", b"\x5d\0\0\x80\0", "decompress it"),
        ("in.tar", b"in.csv" + bytes(251) + b"ustar" + bytes(50), "a tar archive: extract it"),
        (
            "in.json",
            b'{"data": [{"conversation_id": 1}]}',
            "in its member .data.: take them out",
        ),
        ("in.jsonl", b'{\n  "conversation_id": 1\n}\n', "objects of several lines each: .*jq -c"),
        ("in.jsonl", '{"conversation_id": 1}'.encode("utf-16"), "is UTF-16: .*iconv -f utf-16 "),
        ("in.json", '[{"id": 1}]'.encode("utf-16-be"), "is UTF-16BE: .*iconv -f utf-16be "),
        ("in.csv", b"ORC\n\x0b\0", "an ORC file"),
        ("in.csv", b"ORCID,rating\n", "the columns are 'ORCID', 'rating'"),
        ("in.csv", b"BZh,rating\n", "the columns are 'BZh', 'rating'"),
        ("in.csv", "Gespräch,rating\n".encode("cp1252"), "--encoding cp1252$"),
        ("in.csv", bytes(range(1, 256)), "no column 'conversation_id'"),
        ("in.csv.bz2", bz2.compress(TEXT)[:-20], "cut off"),
        ("in.csv.xz", lzma.compress(TEXT)[:-20], "cut off"),
        ("in.csv.gz", gzip.compress(TEXT)[:-20], "cut off"),
        ("in.parquet", TEXT, "is not a Parquet file"),
        ("in.parquet", b"PAR1", "is not a Parquet file"),
        ("in", b"anything", "--format csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    name: str,
    content: bytes,
    message: str,
) -> None:
    if name.endswith((".xls", ".xlsx")):
        pytest.importorskip("python_calamine")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_all(path, settings_for)
    assert str(path) in str(raised.value)


def test_parquet_that_is_cut_off_or_misnamed_or_empty(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    whole = parquet_bytes(tmp_path)
    for name, content, message in [
        ("cut.parquet", whole[:-100], "cut off"),
        ("misnamed.csv", whole, "--format parquet"),
        ("holed.parquet", whole[:200] + bytes(2000) + whole[2200:], "damaged"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_all(path, settings_for)


def test_things_that_are_no_files(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    (tmp_path / "ratings.csv").write_bytes(TEXT)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / unicodedata.normalize("NFD", "menü.csv")).write_bytes(TEXT)
    spark = tmp_path / "it's spark"
    spark.mkdir()
    for name in (
        "_SUCCESS",
        ".part.crc",
        "part-0.snappy.parquet",
        "part-1.snappy.parquet",
        "a.csv",
    ):
        (spark / name).touch()
    (tmp_path / "none").mkdir()
    for name, message in [
        ("", r"is a directory: name the files in it, such as .*/\*\.csv"),
        ("it's spark", r"""such as '.*it'"'"'s spark'/\*\.parquet$"""),
        ("none", "holds no files that can be read"),
        ("dangling.csv", "a link to .*gone.csv, which does not exist"),
        ("menü.csv", "looks the same .*menu\u0308.csv"),
        ("rating.csv", r"No such file.*did you mean .*ratings\.csv"),
        ("no/such/folder.csv", "No such file"),
        ("pipe.csv", r"not a regular file.*run - --format csv < .*pipe.csv$"),
        ("loop.csv", "symbolic links"),
    ]:
        with pytest.raises(InputError, match=message):
            read_all(tmp_path / name, settings_for)


@pytest.mark.parametrize(
    "compressed",
    [
        gzip.compress(TEXT),
        bz2.compress(TEXT),
        lzma.compress(TEXT),
        ARCHIVE,
        TEXT,
    ],
    ids=["gzip", "bzip2", "xz", "zip", "plain"],
)
@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "in.zip"])
def test_how_a_file_is_compressed_is_told_by_its_first_bytes(
    tmp_path: Path, settings_for: Callable[..., ImportSettings], compressed: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(compressed)
    source = open_source(path, settings_for(path, format="csv"))
    assert sum(map(len, source.batches(1, 100))) == 2000
    assert source.progress() == 1


def test_the_name_in_an_archive_tells_the_format(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    path = tmp_path / "export.zip"
    path.write_bytes(zipped({"a/Feedback.CSV": TEXT}))
    assert sum(map(len, open_source(path, settings_for(path)).batches(1, 100))) == 2000
    path.write_bytes(zipped({"data": TEXT}))
    with pytest.raises(InputError, match="add --format csv"):
        open_source(path, settings_for(path))


def test_parquet_is_known_without_its_name(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    path = tmp_path / "export"
    path.write_bytes(parquet_bytes(tmp_path))
    assert sum(map(len, open_source(path, settings_for(path)).batches(1, 500))) == 1000


def test_utf8_that_is_read_in_another_encoding_is_told(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    path = tmp_path / "in.csv"
    for text, encoding, is_told in [
        ("Grüße", "utf-8", True), ("Grüße", "cp1252", False), ("ok", "utf-8", False)
    ]:  # fmt: skip
        path.write_bytes(f"conversation_id,comment\n{conversation(1)},{text}\n".encode(encoding))
        source = open_source(path, settings_for(path, encoding="cp1252"))
        assert len(list(source.batches(1, 100))) == 1
        assert any("valid UTF-8" in remark for remark in source.remarks()) is is_told
    rows = f"conversation_id,comment\n{conversation(1)},Grüße\n".encode()
    path.write_bytes(rows + f"{conversation(2)},Größe\n".encode("cp1252"))
    source = open_source(path, settings_for(path, encoding="cp1252"))
    assert len(list(source.batches(1, 100))) == 1
    told, how = source.remarks()
    assert told == (
        "1 comment looks like UTF-8 that is read as cp1252 here: 'GrÃ¼ÃŸe'. Such a comment is sent "
        "as it is read"
    )
    assert how == (
        "some lines are UTF-8 and others are not, so no encoding is right for all: a program that "
        "writes UTF-8 may have edited some. Save all of it in one, and give the same command with "
        "that: --encoding utf-8, or cp1252"
    )
    path.write_bytes(f"conversation_id,comment\n{conversation(1)},GrÃ¼ÃŸe\n".encode())
    source = open_source(path, settings_for(path, encoding="utf-8"))
    assert len(list(source.batches(1, 100))) == 1
    (told,) = source.remarks()
    assert told.startswith("1 comment looks as if another program had read it in a wrong encoding")


def test_a_left_over_file_that_a_spreadsheet_has_saved_as_utf8_is_read_as_that(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    """The command that is printed for it has the encoding of the input."""
    path = tmp_path / "rejected.csv"
    own = "job,row,reason,http_status,attempts,detail"
    path.write_text(f"conversation_id,rating,comment,{own}\n{conversation(1)},,Größe\n", "utf-8")
    source = open_source(path, settings_for(path, encoding="cp1252"))
    (rows,) = source.batches(1, 10)
    assert rows[0].comment == "Größe"


def test_columns_that_are_missing_in_a_wrong_encoding_are_explained_by_it(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("Gespräch,rating\n", "utf-8")
    settings = settings_for(path, encoding="cp1252", column={"conversation_id": "Gespräch"})
    with pytest.raises(InputError, match=r"is valid UTF-8.* is --encoding cp1252 right"):
        open_source(path, settings)


@pytest.mark.parametrize(
    ("codec", "given", "message"),
    [
        ("utf-16-le", "utf-16", "no byte order mark: give --encoding utf-16-le"),
        ("utf-16-be", "utf_16", "no byte order mark: give --encoding utf-16-be"),
        ("utf-32-le", "utf-32", "give --encoding utf-32-le or utf-32-be"),
        ("utf-8", "utf-16", "is not utf-16: leave out --encoding"),
        ("utf-8", "utf-16-be", "is not utf-16-be: leave out --encoding"),
        ("utf-16", "cp1252", "is not cp1252, it is UTF-16: give --encoding utf-16"),
        ("utf-32", "utf-8", "it is UTF-32: give --encoding utf-32"),
        ("utf-32", "utf-16-le", "is not utf-16-le: its mark says --encoding utf-32"),
        ("utf-16", "utf-16-be", "is not utf-16-be: its mark says --encoding utf-16"),
        ("utf-16-be", "utf-16-le", "is not utf-16-le, it seems to be --encoding utf-16-be"),
    ],
)
def test_a_wrong_encoding_is_told_with_the_right_one(
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    codec: str,
    given: str,
    message: str,
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(TEXT.decode().encode(codec))
    with pytest.raises(InputError, match=message):
        open_source(path, settings_for(path, encoding=given))


LETTERS = "Grüße größer".encode()


@pytest.mark.parametrize("rows", [3, 30_000])
@pytest.mark.parametrize(
    ("comments", "encoding", "other"),
    [
        ([b"caf\xe9", b"fine"], "utf-8", "cp1252"),
        ([b"caf\x82", b"fine \x81"], "utf-8", ""),
        ([LETTERS, b"caf\xe9"], "utf-8", None),
        ([b"caf\xe9", LETTERS], "utf-8", None),
        ([LETTERS[:-1] + b"\xc3", LETTERS], "utf-8", None),
        (["“so”".encode(), b"fine"], "cp1252", "utf-8"),
        (["“so”".encode(), b"caf\xe9"], "cp1252", None),
        ([b"caf\x81", b"fine"], "cp1252", ""),
        (["schön".encode("cp850"), "Männer".encode("cp850")], "utf-8", "cp850"),
        (["für".encode("cp850"), b"fine"], "cp1252", "cp850"),
        (["für".encode("cp1252"), b"a\x84b"], "utf-8", "cp1252"),
    ],
)
def test_no_encoding_is_proposed_for_a_whole_file_of_which_some_lines_are_utf8(
    tmp_path: Path,
    settings_for: Callable[..., ImportSettings],
    comments: Sequence[bytes],
    encoding: str,
    other: str | None,
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is found while the rows are read: the file is opened for that once."""
    path = tmp_path / "in.csv"
    lines = [conversation(n).encode() + b"," + comments[n % 2] for n in range(rows)]
    path.write_bytes(b"\n".join([b"conversation_id,comment", *lines, b""]))
    source = open_source(path, settings_for(path, encoding=encoding))
    opened = Mock(side_effect=open_binary)
    monkeypatch.setattr(csv_file, "open_binary", opened)
    bad = [row for part in source.parts(1, 500) for row in rows_in(part) if row.problem]
    source.remarks()
    assert {row.problem for row in bad} == {Reason.BAD_BYTES}
    assert source.other_encoding == other
    opened.assert_called_once()
    assert {row.detail.partition(" is not valid ")[2] for row in bad} == {encoding}


def rows_in(part: Part) -> Sequence[Row]:
    return part.rows if isinstance(part, RowPart) else [*map(part.row, range(len(part)))]


OWN = "job,row,reason,http_status,attempts,detail"


def test_the_encoding_of_a_left_over_file_that_was_saved_anew_is_proposed(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    header = f"conversation_id,comment,{OWN}\n"
    saved = f"{header}{conversation(1)},café,a-1,1,,,,so…\n".encode("cp1252")
    damaged = f"{header}{conversation(2)},fine,a-1,1,,,,so…\n".encode()
    for content, other in ((saved, "cp1252"), (damaged + saved, None)):
        path = tmp_path / "rejected.csv"
        path.write_bytes(content)
        source = open_source(path, settings_for(path))
        bad = [row for batch in source.batches(1, 10) for row in batch if row.problem]
        assert (len(bad), bad[0].problem) == (1, Reason.BAD_BYTES) if other else bad
        assert source.other_encoding == other
        assert "column 'comment'" in bad[0].detail


@pytest.mark.parametrize("rows", [4, 20_000])
def test_bytes_that_the_importer_wrote_itself_reject_no_row(
    tmp_path: Path, settings_for: Callable[..., ImportSettings], rows: int
) -> None:
    path = tmp_path / "rejected.csv"
    own = ["a-00000000-1#1", "1", "bad_bytes", "", "0", "so and so"]
    lines = [[conversation(n), "fine", *own] for n in range(rows)]
    lines[0][3:] = ["…"] * 5
    lines[1][2] = "…"
    lines[2][1] = lines[2][7] = "“so”"
    text = "\n".join(map(",".join, [["conversation_id", "comment", *OWN.split(",")], *lines, ""]))
    path.write_bytes(text.encode("cp1252"))
    found = all_rows(open_source(path, settings_for(path)).parts(1, 500))
    assert len(found) == rows
    bad = {row.seq: row.detail.partition(" is not")[0] for row in found if row.problem is not None}
    assert bad == {2: "byte 0x85 in column 'job'", 3: "byte 0x93 in column 'comment'"}
    assert {(row.comment, row.job) for row in found if not row.problem} == {("fine", own[0])}


def test_an_encoding_is_proposed_only_where_it_would_change_something(
    tmp_path: Path, settings_for: Callable[..., ImportSettings]
) -> None:
    path = tmp_path / "in.csv"
    text = f"\ufeffconversation_id,comment\n{conversation(1)},".encode()
    path.write_bytes(text + b"\x81\n")
    source = open_source(path, settings_for(path, encoding="cp1252"))
    ((row,),) = source.batches(1, 100)
    assert row.problem is Reason.BAD_BYTES
    assert source.other_encoding is None


@pytest.mark.parametrize("codec", ["idna", "punycode", "rot13", "hex", "undefined"])
def test_a_codec_that_is_no_encoding_of_texts_is_refused(
    settings_for: Callable[..., ImportSettings], codec: str
) -> None:
    with pytest.raises(SettingsError, match="is not known to Python"):
        settings_for(Path("in.csv"), encoding=codec)
