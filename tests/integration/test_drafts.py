"""`check --write-config` and `init` write options that an import can be run with."""

import gzip
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from importer.cli.app import cli
from importer.errors import ImporterError
from tests.support.data import PRODUCT, conversation, write_csv

CONFIG = Path("clarityq-import.toml")


def command(*arguments: object, answers: str = "") -> tuple[int, str]:
    """Run the command in the working directory; return its exit code and what it printed."""
    result = CliRunner().invoke(cli, list(map(str, arguments)), answers, standalone_mode=False)
    if isinstance(result.exception, ImporterError):
        return result.exception.exit_code, f"{result.output}{result.exception}"
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


def legacy(path: Path, *ratings: str, encoding: str = "cp1252") -> Path:
    """Write stars under other names, with a letter that is not ASCII."""
    rows = [f"{n};{conversation(n)};{rating};Größe" for n, rating in enumerate(ratings)]
    path.write_text("\n".join(["Nr;Conv UUID;Stars;Free text", *rows, ""]), encoding)
    return path


def drafted() -> dict[str, Any]:
    return tomllib.loads(CONFIG.read_text("utf-8"))


COLUMNS = {"conversation_id": "Conv UUID", "rating": "Stars", "comment": "Free text"}


def test_a_draft_is_what_the_input_needs_and_is_read_by_itself() -> None:
    path = legacy(Path("legacy.csv"), *"5421", "N/A", r"\N")
    code, printed = command("check", path, "--write-config", CONFIG, "--long-comments", "truncate")
    assert code == 0
    assert "Ready: every row can be sent" in printed
    assert "decide on 1 thing in it" in printed
    assert drafted() == {
        "encoding": "cp1252", "column": COLUMNS, "ratings": ["stars"], "null": ["N/A", r"\N"],
        "long_comments": "truncate",
    }  # fmt: skip
    text = CONFIG.read_text("utf-8")
    assert "# product_id" in text
    assert r"'\N'" in printed, "as it stands in the input"
    assert r"'\N'" in text
    assert command("check", path)[0] == 0
    assert command("run", path, "--sandbox", "--product-id", PRODUCT)[0] == 0


def test_an_encoding_is_drafted_only_where_all_of_the_file_can_be_read_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = legacy(Path("dos.csv"), *"5421")
    path.write_text(path.read_text("cp1252").replace("Größe", "Grüße"), "cp850")
    _, printed = command("check", path, "--write-config", CONFIG)
    assert "To be decided: the encoding: it is neither UTF-8 nor cp1252" in printed
    assert "decide on 2 things in it" in printed
    assert "--encoding cp1252" not in printed
    assert "encoding" not in drafted()
    text = CONFIG.read_text("utf-8")
    CONFIG.write_text(text.replace('# encoding = "?"', 'encoding = "cp850"'), "utf-8")
    assert command("check", path)[0] == 0

    CONFIG.unlink()
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    code, printed = command("init", path, answers="\n".join([PRODUCT, "cp850", *[""] * 9]))
    assert (code, drafted()["encoding"]) == (0, "cp850")
    assert "to be decided" not in printed

    CONFIG.unlink()
    path.write_bytes(path.read_bytes() + f"9;{conversation(9)};5;Größe\n".encode())
    assert "encoding" not in command("check", path, "--write-config", CONFIG)[1].split("\n\n")[0]
    assert "encoding" not in drafted()


def test_words_without_a_meaning_are_left_to_a_person() -> None:
    path = legacy(Path("legacy.csv"), *"54213", 'so "so"\\')
    code, _ = command("check", path, "--write-config", CONFIG)
    assert code == 1
    assert drafted()["ratings"] == ["stars"]
    text = CONFIG.read_text("utf-8")
    assert '# "3=?",  # 1 row' in text
    text = text.replace('    # "', '    "').replace("    # '", "    '").replace("=?", "=SKIP")
    CONFIG.write_text(text, "utf-8")
    assert drafted()["ratings"] == ["stars", "3=SKIP", 'so "so"\\=SKIP']
    assert command("check", path)[0] == 0


def test_a_configuration_that_is_drafted_with_a_table_of_ratings_names_it() -> None:
    path = legacy(Path("legacy.csv"), *"54213")
    code, printed = command(
        "check", path, "--write-config", CONFIG, "--write-ratings", "ratings.toml"
    )
    assert code == 1
    assert "ratings.toml is written; decide on 1 word in it, and" in printed
    assert "names it" in printed
    assert drafted()["ratings"] == ["stars", "ratings.toml"]
    assert "3=?" not in CONFIG.read_text("utf-8"), "one place to decide on it is enough"
    table = Path("ratings.toml")
    table.write_text(table.read_text("utf-8").replace('# "3" = "?"', '"3" = "SKIP"'), "utf-8")
    assert command("check", legacy(Path("next.csv"), "3", "5/5", "4 stars"))[0] == 0


def test_a_configuration_of_another_name_is_drafted_so_that_it_works_from_any_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = legacy(Path("legacy.csv"), *"5421", "toll")
    Path("words.toml").write_text('toll = "POSITIVE"\n', "utf-8")
    drafts = ["--write-config", "mine.toml", "--write-ratings", "ratings.toml"]
    assert command("check", path, "--ratings", "words.toml", *drafts)[0] == 0
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert command("check", f"../{path}", "--config", "../mine.toml")[0] == 0
    _, printed = command("check", f"../{path}", "--ratings", "words.toml")
    assert f"No such file or directory, seen from {Path.cwd()}" in printed


def test_a_draft_changes_no_file_that_exists() -> None:
    path = legacy(Path("legacy.csv"), "5")
    Path("mine.toml").write_text('encoding = "cp1252"\n', "utf-8")
    code, printed = command("check", path, "--write-config", "mine.toml")
    assert (code, Path("mine.toml").read_text("utf-8")) == (2, 'encoding = "cp1252"\n')
    assert "already exists" in printed
    assert "rows read" not in printed, "it is said before anything is read"


@pytest.mark.parametrize("flag", ["--write-config", "--write-ratings"])
def test_what_cannot_be_written_is_said_before_anything_is_read(flag: str) -> None:
    path = legacy(Path("legacy.csv"), "5")
    Path("mine.toml").touch()
    Path("dangling.toml").symlink_to("nothing")
    for name, why in [
        ("mine.toml", "already exists"), ("dangling.toml", "already exists"),
        ("no/mine.toml", "there is no folder no"),
    ]:  # fmt: skip
        code, printed = command("check", path, flag, name)
        assert code == 2
        assert why in printed
        assert "Drafted" not in printed
        assert "no column" not in printed
    code, printed = command("check", path, "--write-config", "a.toml", "--write-ratings", "a.toml")
    assert code == 2
    assert "a.toml cannot be written twice" in printed
    assert not Path("a.toml").exists()


def test_columns_that_are_not_clear_are_named_and_nothing_is_guessed() -> None:
    path = Path("two.csv")
    path.write_text(f"a,b,score\n{conversation(1)},{conversation(2)},5\n", "utf-8")
    code, printed = command("check", path, "--write-config", CONFIG)
    assert code == 1
    assert "To be decided: which column holds conversation_id: 'a', 'b'" in printed
    assert "Error" not in printed
    assert "first decide there which column holds conversation_id" in printed
    assert drafted() == {"column": {"rating": "score"}, "ratings": ["stars"]}
    assert '# conversation_id = "?"  # perhaps one of: "a", "b"' in CONFIG.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "undecided"),
    [
        ([], ["rating", "comment"]),
        (["--column", "rating=Nope"], ["rating"]),
        (["--ratings", "stars", "--column", "conversation_id=who"], ["rating"]),
    ],
)
def test_a_draft_is_written_also_if_the_input_cannot_be_checked_yet(
    arguments: list[str], undecided: list[str]
) -> None:
    path = Path("in.csv")
    path.write_text(f"who,grade,how\n{conversation(1)},5,fine\n", "utf-8")
    code, printed = command("check", path, "--write-config", CONFIG, *arguments)
    assert code == 1
    assert "clarityq-import.toml is written" in printed
    assert drafted()["column"] == {"conversation_id": "who"}
    for field in undecided:
        likely = {"rating": "grade", "comment": "how"}[field]
        assert f'# {field} = "?"  # perhaps one of: "{likely}"\n' in CONFIG.read_text("utf-8")


def test_what_no_answer_mends_is_an_error_beside_a_draft() -> None:
    path = legacy(Path("legacy.csv"), "5")
    Path("other.csv").write_text(f"who,grade\n{conversation(1)},5\n", "utf-8")
    code, printed = command("check", path, "other.csv", "--write-config", CONFIG)
    assert code == 2
    assert "clarityq-import.toml is written" in printed
    assert "other.csv: there is no column 'Conv UUID'" in printed


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("conversation_id;rating;comment", {}),
        ("Conv UUID;Stars;Free text", {"column": COLUMNS}),
        ("Who;Stars;comment", {"column": {"conversation_id": "Who", "rating": "Stars"}}),
    ],
)
def test_a_header_below_other_lines_is_drafted_with_its_columns(
    header: str, columns: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("titled.csv")
    rows = [f'{conversation(n)};{stars};"so\nfine"' for n, stars in enumerate("54321" * 2)]
    above = ["Export of feedback", "", "by us; 2026"]
    path.write_text("\n".join([*above, header, *rows, header, "Total;42;", ""]), "utf-8")
    code, printed = command("check", path, "--write-config", CONFIG)
    assert code == 1, "of 3 stars and the total"
    assert "Drafted: the header is in line 4, so skip_lines is 3" in printed
    assert drafted() == {"skip_lines": 3, "ratings": ["stars"]} | columns
    assert "8 can be sent, 3 would be rejected" in command("check", path)[1]
    CONFIG.unlink()
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    code, printed = command("init", path, answers="\n".join([PRODUCT, *[""] * 7]))
    assert (code, drafted()["skip_lines"]) == (0, 3)
    assert "The header seems to be in line 4" in printed


def test_no_row_is_drafted_or_taken_as_the_header_of_a_file_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    path = Path("in.tsv")
    rows = [f"{conversation(n)}\tPOSITIVE\tfine" for n in range(3)]
    path.write_text("\n".join([*rows, ""]), "utf-8")
    named = ["--column", f"conversation_id={conversation(0)}", "--column", "rating=POSITIVE"]
    sent = ["--product-id", PRODUCT, "--sandbox"]
    for words in (["check"], ["check", *named], ["check", "--write-config", CONFIG], ["init"],
                  ["plan", *sent], ["run", *named, *sent]):  # fmt: skip
        code, printed = command(words[0], path, *words[1:])
        assert (code, CONFIG.exists()) == (2, False), words
        assert "in.tsv has no header line: line 1 is a row" in printed
        assert "needs the header of the first part" in printed
    path.write_text("\n".join(["conversation_id\trating\tcomment", *rows, ""]), "utf-8")
    assert "3 rows read: 3 can be sent" in command("check", path)[1]


@pytest.mark.parametrize(
    ("words", "preset", "left"),
    [
        (["5", "4.0", "5/5", "1/5", "4½"], "stars", ["4½"]),
        (["up", "down", "thumbs_up"], "thumbs", ["thumbs_up"]),
        (["up", "down", "thumbs_up", "NULL", "-"], "thumbs", ["thumbs_up"]),
    ],
)
def test_advice_and_draft_are_of_one_mind_on_ratings(
    words: list[str], preset: str, left: list[str]
) -> None:
    path = Path("in.csv")
    header = "conversation_id,rating,comment"
    rows = [f"{conversation(n)},{word},fine" for n, word in enumerate(words)]
    path.write_text("\n".join([header, *rows, header, "Total,99,", "end,10,", ""]), "utf-8")
    assert f" --ratings {preset}" in command("check", path, "--null", "odd")[1]
    command("check", path, "--write-config", CONFIG, "--null", "NULL")
    assert drafted()["ratings"] == [preset]
    assert drafted()["null"] == (["NULL", "-"] if "-" in words else ["NULL"])
    undecided = [line for line in CONFIG.read_text("utf-8").splitlines() if "=?" in line]
    assert undecided == [f'    # "{word}=?",  # 1 row' for word in left]


def test_what_one_entry_decides_is_asked_once() -> None:
    words = ["5", "4.0", "5/5", "1", "3", " 3 ", "3.0", "3 stars", "★★★"]
    rows = [f"{conversation(n)},{word},fine" for n, word in enumerate(words)]
    Path("in.csv").write_text("\n".join(["conversation_id,rating,comment", *rows, ""]), "utf-8")
    command("check", "in.csv", "--write-config", CONFIG)
    undecided = [line for line in CONFIG.read_text("utf-8").splitlines() if "=?" in line]
    assert undecided == ['    # "3=?",  # 5 rows']


@pytest.mark.parametrize("kind", ["parquet", "utf-16", "gzip"])
def test_inputs_of_every_kind_are_drafted_for(kind: str) -> None:
    if kind == "parquet":
        path = Path("in.parquet")
        table = {"conv": [conversation(1)], "liked": [True], "n": [7]}
        pq.write_table(pa.table(table), path)
        expected: dict[str, Any] = {
            "column": {"conversation_id": "conv", "rating": "liked"}, "ratings": ["thumbs"],
        }  # fmt: skip
    else:
        path = legacy(Path("in.csv"), *"5421", encoding="utf-16" if kind == "utf-16" else "utf-8")
        expected = {"column": COLUMNS, "ratings": ["stars"]}
        if kind == "utf-16":
            expected["encoding"] = "utf-16"
        else:
            content = path.read_bytes()
            path = Path("in.csv.gz")
            path.write_bytes(gzip.compress(content))
    assert command("check", path, "--write-config", CONFIG)[0] == 0
    assert drafted() == expected


def test_init_asks_until_the_answers_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    path = legacy(Path("50% legacy.csv"), *"54213", "3/5", "odd", "N/A", "n/a")
    answers = ["no uuid", PRODUCT, "", "Nr", "", "no column", "stars", "none", "", "", "skip",
               "perhaps", "later", "25:00", "2:05"]  # fmt: skip
    code, printed = command("init", path, answers="\n".join(answers) + "\n")
    assert code == 0
    assert drafted() == {
        "product_id": PRODUCT, "encoding": "cp1252", "ratings": ["stars", "3=SKIP"],
        "null": ["N/A", "n/a"],
        "column": {"conversation_id": "Conv UUID", "rating": "Stars"},
    }  # fmt: skip
    assert '# "odd=?",  # 1 row' in CONFIG.read_text("utf-8")
    assert "none of its first values is a UUID" in printed
    assert "'3/5' means" not in printed, "it is 3"
    assert "decide on 1 line in it" in printed
    assert "\n5 2 * * * cd " in printed
    assert r"'50\% legacy.csv' --api-key-file key" in printed
    assert command("init", path)[0] == 2, "it exists now"


@pytest.mark.parametrize("answer", ["skip", "later"])
def test_init_asks_once_for_what_one_entry_decides(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    words = ["3.0", "3.0", "3", "up", "up"]
    rows = [f"{conversation(n)},{word},fine" for n, word in enumerate(words)]
    Path("in.csv").write_text("\n".join(["conversation_id,rating,comment", *rows, ""]), "utf-8")
    answers = [PRODUCT, "", "", "", "none", answer, "positive", "none"]
    code, printed = command("init", "in.csv", answers="\n".join(answers) + "\n")
    assert (code, printed.count(" means POSITIVE, ")) == (0, 2), printed
    assert drafted()["ratings"] == [*["3=SKIP"][: answer == "skip"], "up=POSITIVE"]


GERMAN = "Gespräch;Datum;Nr;Beurteilung;Hinweis;erledigt"


def german(path: Path, header: str = GERMAN) -> Path:
    """Write stars, and columns of dates, numbers and flags, which are no ratings."""
    rows = [
        f"{conversation(n)};2026-01-{n + 10};{n + 1};{stars};gut gemacht {n};{n % 2}"
        for n, stars in enumerate(["5", "4.0", "5/5", "5", "1"])
    ]
    path.write_text("\n".join([header, *rows, "Summe;;;42;;", header, ""]), "utf-8")
    return path


def test_ratings_and_comments_are_proposed_by_what_stands_in_a_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = german(Path("german.csv"))
    assert command("check", path, "--write-config", CONFIG)[0] == 1
    assert drafted()["column"] == {"conversation_id": "Gespräch"}, "what is likely is not clear"
    text = CONFIG.read_text("utf-8")
    assert '# rating = "?"  # perhaps one of: "Beurteilung"\n' in text
    assert '# comment = "?"  # perhaps one of: "Hinweis"\n' in text
    CONFIG.unlink()
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    code, printed = command("init", path, answers="\n".join([PRODUCT, *[""] * 5, ""]))
    assert code == 0, printed
    assert drafted()["column"] == {
        "conversation_id": "Gespräch", "rating": "Beurteilung", "comment": "Hinweis",
    }  # fmt: skip
    assert drafted()["ratings"] == ["stars"]
    assert "5 can be sent, 1 would be rejected" in command("check", path)[1]


@pytest.mark.parametrize("name", ["Score date", "Rating no"])
def test_dates_and_numbers_of_rows_are_no_ratings_whatever_their_name(name: str) -> None:
    for old in ("Datum", "Nr"):
        path = german(Path("german.csv"), GERMAN.replace(old, name).replace("Beurteilung", "Stars"))
        command("check", path, "--write-config", CONFIG)
        assert drafted()["column"]["rating"] == "Stars"
        CONFIG.unlink()


def test_init_asks_again_while_neither_rating_nor_comment_has_a_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    path = german(Path("german.csv"))
    answers = [PRODUCT, "", "none", "none", "none", "Hinweis", "", ""]
    code, printed = command("init", path, answers="\n".join(answers))
    assert code == 0, printed
    assert "one of both is needed" in printed
    assert drafted()["column"] == {"conversation_id": "Gespräch", "comment": "Hinweis"}


def test_no_answer_to_init_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importer.cli.commands.init._is_terminal", lambda: True)
    twice = german(Path("twice.csv"), GERMAN.replace("Datum", "rating").replace("Nr", "rating"))
    code, printed = command("init", twice)
    assert code == 2
    assert "column 'rating' is there 2 times" in printed
    assert "Product" not in printed, "it is said before the first question"
    twice = german(Path("twice.csv"), GERMAN.replace("Datum", "Beurteilung"))
    answers = [PRODUCT, "", "Beurteilung", "none", "", "", ""]
    assert "there are 2 such columns" in command("init", twice, answers="\n".join(answers))[1]
    CONFIG.unlink()
    other = Path("other.csv")
    other.write_text("a,b\n1,2\n", "utf-8")
    good = german(Path("german.csv"))
    code, printed = command("init", good, other, answers="\n".join([PRODUCT, *[""] * 5]))
    assert code == 2
    assert "clarityq-import.toml is written" in printed
    assert "other.csv: there is no column" in printed
    assert drafted()["column"]["rating"] == "Beurteilung"
    code, printed = command("init", good, "--write-config", "no/such/folder.toml")
    assert code == 2
    assert "Product" not in printed


def test_init_needs_a_terminal() -> None:
    code, printed = command("init", legacy(Path("legacy.csv"), "5"))
    assert code == 2
    assert "check --write-config" in printed
    assert not CONFIG.exists()


def test_a_word_is_not_taken_for_one_with_other_digits(tmp_path: Path) -> None:
    rows = [(conversation(1), "01. Mai", ""), (conversation(2), "positiv", "")]
    path = write_csv(tmp_path / "in.csv", rows)
    told = command("check", path, "--ratings", "05. Mai=POSITIVE")[1]
    assert "did you mean 'POSITIVE'" in told
    assert told.count("did you mean") == 1


def test_a_missing_column_is_asked_for_with_those_that_the_configuration_names() -> None:
    CONFIG.write_text('[column]\nrating = "Vote"\n', "utf-8")
    path = write_csv(
        Path("in.csv"), [(conversation(1), "POSITIVE", "")], header=("Dialog", "Vote", "comment")
    )
    code, printed = command("check", path)
    options = ["--column", "rating=Vote", "--column", "conversation_id=NAME"]
    assert (code, " ".join(options) in printed) == (2, True)
    given = [one.replace("NAME", "Dialog") for one in options]
    assert "1 can be sent" in command("check", path, *given)[1]


def test_what_is_proposed_holds_what_the_configuration_says_as_it_takes_its_place() -> None:
    CONFIG.write_text(
        'null = ["n/a"]\nratings = ["toll=POSITIVE"]\n[column]\nrating = "Vote"\n', "utf-8"
    )
    header = ("conversation_id", "Vote", "comment")
    cells = [("5", "N/A"), ("1", "fine"), ("n/a", "fine"), ("toll", "-"), ("4", "NULL")]
    path = write_csv(
        Path("in.csv"), [(conversation(n), *row) for n, row in enumerate(cells)], header=header
    )
    _, told = command("check", path)
    nulls = "--null n/a --null N/A --null - --null NULL"
    assert f"To leave them out: {nulls}\n" in told
    ratings = "--ratings stars --ratings toll=POSITIVE"
    assert f"give {ratings}\n" in told
    given = [*nulls.split(), *ratings.split()]
    assert command("check", path, *given)[0] == 0

    rows = [("no id", "toll", "fine"), (conversation(1), "N/A", "fine")]
    assert "UUIDs" not in command("check", write_csv(Path("ids.csv"), rows, header=header))[1]
    rows = [*[rows[0]] * 2, rows[1]]
    _, told = command("check", write_csv(Path("ids.csv"), rows, header=header))
    assert "UUIDs: --column rating=Vote --column conversation_id=NAME\n" in told
    assert "give --null n/a --null N/A\n" in told
    twice = write_csv(Path("twice.csv"), [(*rows[-1], "")], header=(*header, "comment"))
    assert "--column rating=Vote --column comment=NAME" in command("check", twice)[1]
    CONFIG.write_text('[column]\ncomment = "Text"\n', "utf-8")
    likely = write_csv(
        Path("likely.csv"),
        [(conversation(1), "up", "a")],
        header=("conversation_id", "Vote", "Text"),
    )
    assert "--column comment=Text --column rating=Vote\n" in command("check", likely)[1]
