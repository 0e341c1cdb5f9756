"""Settings are checked once, and a mistake is explained by the option's name."""

import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.errors import SettingsError
from importer.model import OutcomeKind
from importer.settings import FailureLimit, ImportSettings, InputFormat, Retry
from tests.support.data import PRODUCT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"product_id": "7"}, "product_id '7' is not a UUID"),
        ({"concurrency": 0}, "concurrency must be from 1 to 10,000; it is 0"),
        ({"rate": 0.0}, "rate must be"),
        ({"rate": float("nan")}, "rate must be"),
        ({"defer_first": 0.0}, "defer_first must be"),
        ({"delimiter": ",,"}, "delimiter must be one character"),
        ({"encoding": "utf-9"}, "encoding 'utf-9' is not known"),
        ({"encoding": "base64"}, "encoding 'base64' is not known"),
        ({"column": {"stars": "x"}}, "the fields are conversation_id, rating, comment"),
        ({"ca_file": Path("none.pem")}, "ca_file none.pem cannot be used"),
    ],
)
def test_a_value_out_of_range_is_named(
    settings_for: Callable[..., ImportSettings], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        settings_for(Path("in.csv"), **change)


def test_an_import_needs_an_input(settings_for: Callable[..., ImportSettings]) -> None:
    with pytest.raises(SettingsError, match="no input"):
        settings_for()


@pytest.mark.parametrize(
    "url",
    ["https://api.example/", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1/prefix/"],
)
def test_addresses_that_keep_the_key_safe(
    settings_for: Callable[..., ImportSettings], url: str
) -> None:
    assert settings_for(Path("in.csv"), base_url=url).target.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http://api.example", "http://127.0.0.1.example", "ftp://x", "api.example", "https://",
     "https://user:word@api.example", "https://api.example/?q=1", "http://0.0.0.0", "https://x:y"],
)  # fmt: skip
def test_addresses_that_do_not(settings_for: Callable[..., ImportSettings], url: str) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        settings_for(Path("in.csv"), base_url=url)


def test_a_failure_limit_is_a_count_or_a_share() -> None:
    def counts(failed: int, succeeded: int) -> dict[OutcomeKind, int]:
        counted = dict.fromkeys(OutcomeKind, 0)
        counted[OutcomeKind.FAILED] = failed
        counted[OutcomeKind.SUCCEEDED] = succeeded
        return counted

    assert FailureLimit.parse("3").reached(counts(3, 1000))
    assert not FailureLimit.parse("3").reached(counts(2, 0))
    assert FailureLimit.parse("5%").reached(counts(10, 190))
    assert not FailureLimit.parse("5%").reached(counts(9, 191))
    assert not FailureLimit.parse("5%").reached(counts(50, 0)), "too early to tell"
    for text in ("0", "-1", "0%", "101%", "many"):
        with pytest.raises(ValueError, match="not a limit"):
            FailureLimit.parse(text)


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("retry_first", "3s", lambda settings: settings.retries.first == 3),
        ("retry_first", 3, lambda settings: settings.retries.first == 3),
        ("retries", {"first": "3s"}, lambda settings: settings.retries.first == 3),
        ("ratings", "thumbs", lambda settings: settings.mapping.ratings.meaning("up")),
        ("ratings", ["stars", "3=SKIP"], lambda settings: settings.mapping.ratings.meaning("3")),
        ("ratings", {"meh": "SKIP"}, lambda settings: settings.mapping.ratings.meaning("meh")),
        ("column", {"rating": "Stars"}, lambda settings: settings.mapping.columns["rating"]),
        ("column", "rating=Stars", lambda settings: settings.mapping.columns["rating"]),
        ("inputs", "a.csv", lambda settings: settings.reading.inputs == (Path("a.csv"),)),
        ("inputs", Path("a.csv"), lambda settings: settings.reading.inputs == (Path("a.csv"),)),
        ("inputs", ["a.csv", Path("b")], lambda settings: len(settings.reading.inputs) == 2),
        ("max_failures", "5%", lambda settings: settings.abort_rules.max_failures.share == 0.05),
        ("max_failures", 5, lambda settings: settings.abort_rules.max_failures.count == 5),
        ("format", "csv", lambda settings: settings.reading.format is InputFormat.CSV),
        ("delimiter", "tab", lambda settings: settings.reading.delimiter == "\t"),
        ("product_id", uuid.UUID(PRODUCT), lambda settings: settings.target.product_id == PRODUCT),
        ("rate", "50", lambda settings: settings.pacing.rate == 50),
        ("restart", "yes", lambda settings: settings.job.restart is True),
    ],
)
def test_options_are_given_as_a_person_would_write_them(
    name: str, written: Any, meant: Callable[[ImportSettings], object]
) -> None:
    options = {"inputs": "in.csv", "product_id": PRODUCT, name: written}
    assert meant(ImportSettings.of(**options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"concurency": 3}, "the option 'concurency' is not known; did you mean 'concurrency'"),
        ({"retries": {"frist": 3}}, "'retries.frist' is not known; did you mean 'first'"),
        ({"retries": 3}, "'retries' is a table of options"),
        ({"inputs": 3}, "inputs must be a path; it is 3"),
        ({"inputs": ""}, "inputs must be a path; it is ''"),
        ({"inputs": "a\0b"}, "inputs must be a path"),
        ({"rate": "fast"}, "rate 'fast' is not a number"),
        ({"concurrency": 1.5}, "concurrency 1.5 is not a whole number"),
        ({"restart": "perhaps"}, "restart must be true or false"),
        (
            {"format": "cvs"},
            "format must be one of csv, parquet, json, excel; .*did you mean 'csv'",
        ),
        ({"column": {"ratng": "x"}}, "column ratng=… is not known.*did you mean 'rating'"),
        ({"column": "rating"}, "is not FIELD=NAME"),
        ({"ratings": "smileys"}, "--ratings 'smileys' is not known"),
        ({"ratings": 5}, "ratings must be a text"),
        ({"max_failures": "many"}, "max_failures 'many' is not a limit"),
        ({"encoding": 5}, "encoding must be a text"),
        ({"base_url": 5}, "base_url must be a text"),
        ({"base_url": "https://a..b"}, "base_url 'https://a..b' is not an address"),
        ({"base_url": "https://a b"}, "is not an address"),
        *(
            ({"status_listen": address}, "status_listen must be HOST:PORT")
            for address in (
                "9464",
                ":9464",
                "here:",
                "here:70000",
                "::1:9464",
                "a b:1",
                "[a]:1",
                80,
            )
        ),
        ({"base_url": "https://a\nb"}, "is not an address"),
        ({"base_url": "https://xn--a"}, "is not an address"),
        ({"base_url": f"https://{'a' * 64}.de"}, "is not an address"),
        ({"base_url": f"https://{'a.' * 130}de"}, "is not an address"),
    ],
)
def test_anything_else_is_refused_in_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ImportSettings.of(**{"inputs": "in.csv", "product_id": PRODUCT, **change})


@pytest.mark.parametrize("name", ["inputs", "product_id"])
def test_what_is_required_is_named(name: str) -> None:
    options: dict[str, Any] = {"inputs": "in.csv", "product_id": PRODUCT}
    del options[name]
    with pytest.raises(SettingsError, match=f"{name} is missing: "):
        ImportSettings.of(**options)


@pytest.mark.parametrize(
    "address",
    ["http://hooks.example/T0/moon-water", "https://hooks.example/#moon-water", "moon-water",
     "https://user:moon-water@hooks.example", "https://hooks.example:moon-water/"],
)  # fmt: skip
def test_an_address_for_notifications_is_not_shown_when_it_is_wrong(address: str) -> None:
    with pytest.raises(SettingsError, match="notify_url") as raised:
        ImportSettings.of(inputs="in.csv", product_id=PRODUCT, notify_url=address)
    assert "moon-water" not in "".join(traceback.format_exception(raised.value))


def test_some_options_are_replaced_and_the_others_stay() -> None:
    settings = ImportSettings.of(
        inputs="in.csv", product_id=PRODUCT, rate=3, notify_url="https://h.example", retry=Retry()
    )
    changed = settings.replace(rate=4, retries={"first": 1})
    assert (changed.pacing.rate, changed.retries.first) == (4, 1)
    assert (changed.exports, changed.retry) == (settings.exports, settings.retry)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ratings": {1: "NEGATIV"}}, "'1'"),
        ({"retries": {1: 2}}, "'retries.1' is not known"),
        ({"retry": {"first": "3s"}}, "'retries'"),
        ({"notify_url": ""}, "is empty"),
        ({"max_duration": 0}, "max_duration|max-duration"),
    ],
)
def test_odd_values_from_python_are_explained(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ImportSettings.of(inputs="a.csv", product_id=PRODUCT, **options)
