"""The key is kept from everybody but the service."""

import pytest

from importer.clarityq.api_key import ApiKey
from importer.errors import SettingsError


def test_the_key_is_not_shown_by_accident() -> None:
    key = ApiKey(" canary\n")
    assert key.reveal() == "canary"
    assert "canary" not in f"{key} {key!r} {[key]}"
    assert key.redact("it is canary!") == "it is [API key]!"


def test_a_key_of_few_letters_is_redacted_where_it_stands_alone() -> None:
    key = ApiKey("e")
    assert key.redact("the key e, and e=e") == "the key [API key], and [API key]=[API key]"
    assert key.redact(b"never e") == b"never [API key]"


@pytest.mark.parametrize(
    "text",
    ["", " ", "two words", "two\nlines", "schlüssel", "nul\x00", "'quoted'", '"q"',
     "CLARITYQ_API_KEY=abc"],
)  # fmt: skip
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ApiKey(text)
    assert not text.strip() or text not in str(raised.value)
