"""Settings are checked once, and a mistake is explained by the option's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.errors import SettingsError
from importer.model import OutcomeKind
from importer.settings import FailureLimit, ImportSettings, check_url


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"product_id": "7"}, "--product-id '7' is not a UUID"),
        ({"concurrency": 0}, "--concurrency must be from 1 to 10,000; it is 0"),
        ({"rate": 0.0}, "--rate must be"),
        ({"rate": float("nan")}, "--rate must be"),
        ({"defer_first": 0.0}, "--defer-first must be"),
        ({"delimiter": ",,"}, "--delimiter must be one character"),
        ({"encoding": "utf-9"}, "--encoding 'utf-9' is not known"),
        ({"encoding": "base64"}, "--encoding 'base64' is not known"),
        ({"columns": {"stars": "x"}}, "the fields are conversation_id, rating, comment"),
        ({"ca_file": Path("none.pem")}, "--ca-file none.pem cannot be used"),
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
def test_addresses_that_keep_the_key_safe(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    ["http://api.example", "http://127.0.0.1.example", "ftp://x", "api.example", "https://",
     "https://user:word@api.example", "https://api.example/?q=1", "http://0.0.0.0", "https://x:y"],
)  # fmt: skip
def test_addresses_that_do_not(url: str) -> None:
    with pytest.raises(SettingsError, match="--base-url"):
        check_url(url)


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
