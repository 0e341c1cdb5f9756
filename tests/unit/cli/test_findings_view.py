"""What `check` says of the inputs can be read, and acted upon."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from importer.cli.app import cli
from importer.errors import InputError
from tests.support.data import conversation, write_csv

H = "conversation_id,rating,comment"


def check(*arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(cli, ["check", *arguments], env=environment, standalone_mode=False)
    assert done.exception is None or isinstance(done.exception, InputError), done.exception
    return f"{done.output}{done.exception or ''}"


def test_with_several_files_each_example_says_which_one_it_is_of() -> None:
    write_csv(Path("a.csv"), [(conversation(1), "POSITIVE", "")])
    write_csv(Path("b.csv"), [(conversation(2), "odd", "")])
    assert "b.csv row 1 (line 2): rating 'odd'" in check("a.csv", "b.csv")
    assert "b.csv row 1" not in check("b.csv")


def test_conversations_whose_newest_row_is_rejected_are_counted() -> None:
    rows = [(conversation(who), word, "") for who, word in ((1, "CLEAR"), (1, "odd"), (2, "odd"))]
    write_csv(Path("a.csv"), [*rows, (conversation(2), "CLEAR", "")])
    assert "In 1 conversation an older row wins, as a newer one would be rejected" in check("a.csv")
    fix, after = "it is to be fixed before the import", "or imported after it"
    assert f"{fix}, {after}." in " ".join(check("a.csv").split())
    by_column = " ".join(check("a.csv", "--newest-by", "comment").split())
    assert after not in by_column
    assert f"{fix}: what is fixed afterwards gives way to the other rows" in by_column
    write_csv(Path("a.csv"), rows[::-1])
    assert "an older row wins" not in check("a.csv")


@pytest.mark.parametrize("by_column", [True, False])
def test_conversations_of_rows_that_cannot_be_read_count_where_their_ids_are_sure(
    monkeypatch: pytest.MonkeyPatch, by_column: bool
) -> None:
    limit = 0 if by_column else 1 << 60
    monkeypatch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", limit)
    odd = [
        b"%s,T,NEGATIVE,\xfc,a",
        b"%s,T,NEGATIVE,one,two,three",
        b'%s,T,NEGATIVE,"open,a',
        b'"%s","T","NEGATIVE","open,a',
        b"%s\xfc,T,NEGATIVE,,a",
    ]
    ids = [conversation(number).encode() for number in range(len(odd))]
    rows = [b"%s,T,POSITIVE,,a" % one for one in ids] * 20
    rows += [line % one for line, one in zip(odd, ids, strict=True)]
    header = b"conversation_id,ticket,rating,comment,agent"
    Path("a.csv").write_bytes(b"\n".join([header, *rows]))
    assert "In at least 4 conversations an older row wins" in check("a.csv")
    Path("a.csv").write_bytes(b"\n".join([header, *rows[:-1]]))
    assert "In 4 conversations an older row wins" in check("a.csv")
    # Another cell may have been moved into its place, or it into that of another.
    moved = b"ticket,%s,NEGATIVE,one,two,three" % ids[0]
    Path("a.csv").write_bytes(
        b"\n".join(
            [b"ticket,conversation_id,rating,comment,agent", b"T,%s,CLEAR,," % ids[0], moved]
        )
    )
    assert "an older row wins" not in check("a.csv")


def test_lines_of_a_left_over_file_that_stand_whole_in_a_cell_are_not_called_without_feedback() -> (
    None
):
    own = "job,row,reason,http_status,attempts,detail"
    line = f'"T1,{conversation(1)},NEGATIVE,one, two",,,,in-0123abcd-1@1,1,malformed,,0,'
    Path("rejected.csv").write_text(f"ticket,{H},{own}\n{line}\n", "utf-8")
    said = " ".join(check("rejected.csv").split())
    assert "stands whole in its first cell" in said
    assert "correct it within that cell, or write its values into their columns" in said
    assert "remove" not in said


def test_what_to_fix_fits_the_format() -> None:
    good = json.dumps({"conversation_id": conversation(1), "rating": "POSITIVE"})
    Path("a.jsonl").write_text(f"{good}\n{good[:-3]}\n", "utf-8")
    assert "each is to be one JSON object" in check("a.jsonl")
    assert "fields or quotes" not in check("a.jsonl")
    Path("b.csv").write_text(f"{H}\n{conversation(1)}\n", "utf-8")
    both = check("a.jsonl", "b.csv")
    assert "malformed: a.jsonl: fix these lines: each is to be one JSON object" in both
    assert "whole and in UTF-8; b.csv: fix these lines: fields" in both


def test_the_rows_of_a_query_are_called_so() -> None:
    pytest.importorskip("sqlalchemy")
    with closing(sqlite3.connect("a.db")) as db:
        db.execute("CREATE TABLE f (conversation_id, rating)")
        db.execute("INSERT INTO f VALUES (?, 'POSITIVE')", [conversation(1)])
        db.commit()
    told = check("--sql", "SELECT * FROM f", CLARITYQ_SQL_URL="sqlite:///a.db")
    assert ": query; conversation_id in 'conversation_id'" in told
    assert "parquet" not in told


def test_names_of_columns_in_another_encoding_can_be_read_and_pasted() -> None:
    lines = f"Gespr\u00e4chs-ID,rating,Gr\u00fc\u00dfe\n{conversation(1)},POSITIVE,ja\n"
    Path("a.csv").write_bytes(lines.encode("cp1252"))
    told = check("a.csv")
    assert "the columns are 'Gespr\u00e4chs-ID', 'rating', 'Gr\u00fc\u00dfe'" in told
    assert "--column conversation_id=NAME" in told
    assert told.endswith("give its encoding, such as --encoding cp1252")
    Path("b.csv").write_bytes(f"Stand: M\u00e4rz\n{H}\n{conversation(1)},CLEAR,\n".encode("cp1252"))
    both = "such as --encoding cp1252. The header seems to be in line 2: --skip-lines 1"
    assert check("b.csv").endswith(both)
    named = check("a.csv", "--column", "conversation_id=Gespr\u00e4chs-ID")
    assert "its header cannot be read. The header is not valid utf-8" in named
    lines = f"conversation_id,Gr\u00fc\u00dfe,rating\n{conversation(1)},ja,POSITIVE\n"
    Path("a.csv").write_bytes(lines.encode("cp1252"))
    assert "ignored: 'Gr\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}e'" in check("a.csv")


def test_a_table_of_ratings_is_named_and_not_spelt_out_where_another_one_is_drafted() -> None:
    write_csv(Path("a.csv"), [(conversation(1), "5", ""), (conversation(2), "odd", "")])
    words = "".join(f'"word {n}" = "POSITIVE"\n' for n in range(50))
    Path("words.toml").write_text(words, "utf-8")
    given = ["--ratings", "stars", "--ratings", "words.toml"]
    told = check("a.csv", *given)
    draft = f"check a.csv {' '.join(given)} --write-ratings ratings.toml\n"
    assert f"all words: clarityq-import {draft}" in told
    told = check(*draft.split()[1:])
    options = f"{' '.join(given)} --ratings ratings.toml"
    assert told.endswith(f"give it as {options}\n")
    assert f"run as {options}.\n" in Path("ratings.toml").read_text("utf-8")


def test_an_encoding_is_proposed_only_where_no_other_line_is_spoilt_by_it() -> None:
    utf8 = [f"{conversation(n)},POSITIVE,Gr\u00fc\u00dfe".encode() for n in range(9)]
    cp1252 = [f"{conversation(n)},POSITIVE,Gr\u00fc\u00dfe".encode("cp1252") for n in range(9)]
    for name, lines in [("utf8", utf8), ("cp1252", cp1252), ("both", [*cp1252, *utf8])]:
        Path(f"{name}.csv").write_bytes(b"\n".join([H.encode(), *lines, b""]))
    named = "- bad bytes: name the file's encoding, such as --encoding cp1252"
    assert f"{named}, if its letters are right then (\u00df \u00fc), or fix" in check("cp1252.csv")
    told = check("both.csv")
    assert "- bad bytes: fix these lines: no other encoding is right for the whole file\n" in told
    assert "--encoding cp1252" not in told
    name = "name the file's encoding, such as --encoding cp1252"
    if_right = "if its letters are right then (\u00df \u00fc), or fix these lines"
    alone = f"cp1252.csv: {name} in an import of its own, {if_right}"
    assert f"- bad bytes: {alone}\n" in check("cp1252.csv", "utf8.csv")
    told = check("cp1252.csv", "both.csv")
    assert f"- bad bytes: {alone}; both.csv: fix these lines: no other encoding is" in told
    assert "both.csv row 1 (line 2)" in told, "of each file an example, however many the first has"
    Path("more.csv").write_bytes(Path("cp1252.csv").read_bytes())
    told = check("cp1252.csv", "more.csv")
    assert f"- bad bytes: cp1252.csv and more.csv: {name}, {if_right}\n" in told
    Path("both.csv").write_bytes(b"conversation_id,rating,Gr\xfc\xdfe\n" + b"\n".join(utf8))
    assert "for the whole file: fix it" in check("both.csv", "--column", "comment=Gr\u00fc\u00dfe")


def test_ratings_that_a_spreadsheet_has_made_dates_of_are_not_asked_for() -> None:
    dates = ["05-May", "05. Mai", "4-avr.", "May-05", "05.05.2026", "2026-05-05 00:00:00"]
    words = ["may be", "5 sterne", "3", "05-Marvellous-1", "mayor"]
    for number, word in enumerate([*dates, *words]):
        Path("a.csv").write_text(f"{H}\n{conversation(number)},{word},fine\n", "utf-8")
        told = check("a.csv")
        assert (f"see what '{word}' stood for: a spreadsheet" in told) is (word in dates)
        assert (f"give '{word}' a meaning" in told) is (word in words)


def test_columns_that_may_hold_a_field_for_which_there_is_none_are_proposed() -> None:
    sample = str(Path(__file__).parents[3] / "samples" / "feedback.parquet")
    liked = "if 'liked' holds the rating: --column rating=liked"
    told = check(sample)
    assert f"  {liked}\n" in told
    assert f"- nothing to send: {liked}; else fill in" in told
    (understood,) = json.loads(check(sample, "--json"))["findings"]["inputs"]
    assert understood["likely"] == {"rating": ["liked"]}
    assert "holds" not in check(sample, "--column", "rating=liked")

    lines = [f"{conversation(n)},up,down,fine" for n in range(9)]
    Path("a.csv").write_text("\n".join(["conversation_id,thumb,vote,note", *lines]), "utf-8")
    told = check("a.csv", "--column", "comment=note")
    assert (
        "if 'thumb' or 'vote' holds the rating: --column comment=note --column rating=NAME" in told
    )
    Path("b.csv").write_text("\n".join(["conversation_id,x,vote,note", *lines]), "utf-8")
    told = check("a.csv", "b.csv", "--column", "comment=note")
    assert told.count("if 'vote' holds the rating: --column comment=note --column rating=vote") == 1
    assert "thumb' or" not in told, "the other file has no such column"


def test_a_left_over_file_has_no_feedback_in_the_columns_of_the_importer() -> None:
    columns = "conversation_id,rating,job,row,reason,http_status,attempts,detail"
    line = f"{conversation(1)},POSITIVE,a-0123abcd-1#1,1,refused,400,1,It is bad."
    Path("failed.csv").write_text(f"{columns}\n{line}\n", "utf-8")
    told = check("failed.csv")
    assert "every row erases the comment" in told
    assert "holds" not in told


def test_how_long_an_import_takes_is_not_said_of_one_that_sends_nothing() -> None:
    write_csv(Path("a.csv"), [(conversation(1), "odd", "")])
    assert "the import takes about" not in check("a.csv", "--rate", "5")
    write_csv(Path("a.csv"), [(conversation(1), "CLEAR", "")])
    assert "At 5 requests/s the import takes about 200 ms." in check("a.csv", "--rate", "5")
