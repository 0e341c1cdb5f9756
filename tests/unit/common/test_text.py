"""Texts for people."""

from importer.common.text import counted, did_you_mean, escaped, nearest, shown


def test_what_could_steer_a_terminal_is_escaped() -> None:
    assert escaped("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"
    assert escaped("two\nlines", keep="\n") == "two\nlines"


def test_a_quoted_text_is_short_and_can_be_printed() -> None:
    assert shown("x" * 50, 5) == "'xxxx…'"
    assert shown("\ud800").isascii()


def test_counts_have_their_noun() -> None:
    assert [counted(n, "row") for n in (0, 1, 12_000)] == ["0 rows", "1 row", "12,000 rows"]


def test_a_name_is_suggested_only_if_it_is_near() -> None:
    known = ["concurrency", "canary"]
    assert did_you_mean("concurency", known) == "; did you mean 'concurrency'?"
    assert did_you_mean("zebra", known) == ""
    assert (nearest("cnary", known), nearest("zebra", known)) == ("canary", None)
