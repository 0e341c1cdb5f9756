"""What is shown and recorded of an address."""

from pathlib import Path
from typing import Any

import pytest

from importer.settings import ImportSettings
from importer.settings.places import SourceAddress, has_password, read_place
from tests.support.data import PRODUCT


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-", "-"),
        ("https://host/a.csv", "https://host/a.csv"),
        ("HTTPS://host:8443/a%20b.csv", "https://host:8443/a%20b.csv"),
        ("postgresql://reader:secret@db/feedback", "postgresql://reader@db/feedback"),
        ("sqlite:///there.db", "sqlite:///there.db"),
        ("s3://bucket/key.csv", "s3://bucket/key.csv"),
    ],
)
def test_what_is_shown_means_the_same_and_holds_no_secret(written: str, shown: str) -> None:
    place = read_place(written)
    assert str(place) == shown
    assert "secret" not in repr(place)
    assert str(read_place(shown)) == shown
    assert has_password(place) == ("secret" in written)


def test_a_query_is_told_apart_but_not_shown_and_a_signature_is_neither() -> None:
    day = "https://host/a.csv?day=1&X-Amz-Signature=secret&X-Amz-Date=1&token=secret"
    same = day.replace("secret", "another").replace("Date=1", "Date=2")
    other = day.replace("day=1", "day=2")
    texts = [str(read_place(one)) for one in (day, same, other)]
    assert texts[0] == texts[1] != texts[2]
    assert "secret" not in texts[0]
    assert "day" not in texts[0].partition("#")[2]
    again = read_place(texts[0])
    assert str(again) == texts[0]
    assert isinstance(again, SourceAddress)
    assert again.lacks_query
    assert again.name == "a.csv"
    assert SourceAddress(day).hides(f"cannot open {day} (secret)") == f"cannot open {texts[0]} (…)"


@pytest.mark.parametrize(
    "address", ["s3://bucket/day#1.csv", "sqlite:///day#1.db", "postgresql://me:secret#7@db/there"]
)
def test_an_address_that_a_hash_sign_would_cut_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must have %23 in the place of #") as raised:
        read_place(address)
    assert "secret" not in str(raised.value)
    assert str(read_place(address.replace("#", "%23"))).count("secret") == 0
    assert str(read_place("https://host/a.csv#part")) == "https://host/a.csv"


def test_paths_stay_paths() -> None:
    for text in ("a.csv", "./-", "C:/a.csv", "a:b//c.csv"):
        assert read_place(text) == Path(text)


def test_the_record_of_settings_holds_no_secret_and_is_read_again() -> None:
    settings = ImportSettings.of(
        inputs=["-", "https://u:secret@host/a.csv?k=secret", "b.csv"], product_id=PRODUCT
    )
    record: dict[str, Any] = settings.as_record()
    assert "secret" not in str(record)
    assert "secret" not in repr(settings)
    assert ImportSettings.of(**record).identity() == settings.identity()
