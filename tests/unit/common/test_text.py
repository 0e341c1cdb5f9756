"""Texts for people."""

import subprocess

import pytest

from importer.common.text import (
    counted,
    did_you_mean,
    escaped,
    few_listed,
    is_blank,
    nearest,
    sentence,
    shell_word,
    shown,
    trimmed,
)


def test_of_many_words_a_few_are_listed_and_the_others_counted() -> None:
    found = [few_listed("abcde"[:number], 3) for number in (1, 3, 4, 5)]
    assert found == ["a", "a, b and c", "a, b, c and 1 other", "a, b, c and 2 others"]


def test_what_could_steer_a_terminal_is_escaped() -> None:
    assert escaped("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"
    assert escaped("two\nlines", keep="\n") == "two\nlines"


def test_a_quoted_text_is_short_and_can_be_printed() -> None:
    assert shown("x" * 50, 5) == "'xxxx…'"
    assert shown(r"\N") == r"'\N'", "as it stands in a file"
    assert shown("it's\n\x1b") == '"it\'s\\n\\x1b"'
    assert shown("\ud800x\udce4") == "'\N{REPLACEMENT CHARACTER}x\N{REPLACEMENT CHARACTER}'"


def test_counts_have_their_noun() -> None:
    assert [counted(n, "row") for n in (0, 1, 12_000)] == ["0 rows", "1 row", "12,000 rows"]


@pytest.mark.parametrize(
    "text", ["It is gone", "It is gone.", "is it this?", "Leave it out: --null -"]
)
def test_a_sentence_ends_with_one_mark(text: str) -> None:
    assert sentence(text) == {"It is gone": "It is gone."}.get(text, text)


def test_a_name_is_suggested_only_if_it_is_near() -> None:
    known = ["concurrency", "canary"]
    assert did_you_mean("concurency", known) == "; did you mean 'concurrency'?"
    assert did_you_mean("zebra", known) == ""
    assert (nearest("cnary", known), nearest("zebra", known)) == ("canary", None)


def test_what_nobody_sees_is_blank_and_is_taken_from_both_ends() -> None:
    assert trimmed("\ufeff\u00a0 a\u200bb \u200b\n") == "a\u200bb"
    assert is_blank("") and is_blank("\u2003\u200b\ufeff\x1f")  # noqa: PT018 -- one question
    assert not is_blank("\u200bx") and not is_blank("\0")  # noqa: PT018 -- as above


def test_a_word_can_be_pasted_whatever_it_holds() -> None:
    words = ["a", "it's", "rating='x'", "$HOME `ls`", "a\u200bb", "caf\udce9.csv", "\n'\\\x1b"]
    for word in words:
        echoed = subprocess.run(
            ["/bin/bash", "-c", f"printf %s {shell_word(word)}"], capture_output=True, check=True
        )
        assert echoed.stdout.decode(errors="surrogateescape") == word
    assert shell_word("a\udc63") == "$'a\\xed\\xb1\\xa3'", "no byte of any name"
