"""How an object of a bucket is copied, from a server that speaks as S3 does."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies import persistence
from importer.sources.copies.carriers import take_copy
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT, conversation
from tests.support.object_stores import KilledError, gate, killed_beyond, put, s3

pytest.importorskip("obstore")
pytestmark = pytest.mark.slow

CONTENT = b"conversation_id,rating\n" + b"".join(
    f"{conversation(n)},POSITIVE\n".encode() for n in range(200_000)
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3() as address:
        yield address


@pytest.fixture(autouse=True)
def credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(persistence, "_FIRST_WAIT", 0.001)
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "aws").write_text(
        "[default]\naws_access_key_id = any\naws_secret_access_key = s3cret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws"))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


def copied(key: str, folder: Path, watch: CopyWatch | None = None, *, scheme: str = "s3") -> Path:
    address = SourceAddress(f"{scheme}://exports/{key}")
    settings = ImportSettings.of(inputs=[str(address)], product_id=PRODUCT)
    return take_copy(address, 1, folder, settings, watch or CopyWatch()).path


def test_an_object_is_copied_with_the_credentials_of_a_profile(
    endpoint: str, tmp_path: Path
) -> None:
    put(endpoint, "day/a%201.csv", CONTENT)
    told: list[str] = []
    path = copied("day/a%201.csv", tmp_path, CopyWatch(told=told.append))
    assert path.name == "1-a-1.csv"
    assert path.read_bytes() == CONTENT
    assert "(9.2 MB)" in told[0]


def test_a_store_that_speaks_as_googles_does_is_copied_from(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(endpoint, "g.csv", CONTENT, is_public=True)
    monkeypatch.setenv("GOOGLE_BASE_URL", endpoint)
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    assert copied("g.csv", tmp_path, scheme="gs").read_bytes() == CONTENT


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interrupted_copy_goes_on_if_the_object_is_the_same(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, replaced: bool
) -> None:
    put(endpoint, "a.csv", CONTENT)

    with pytest.raises(KilledError):
        copied("a.csv", tmp_path, killed_beyond(5_000_000, tmp_path))
    begun = (tmp_path / ".1.part").stat().st_size
    assert 5_000_000 < begun < len(CONTENT)
    content = CONTENT.replace(b"POS", b"NEG") if replaced else CONTENT
    put(endpoint, "a.csv", content)
    with gate(endpoint) as passed:
        passed.opened.set()
        monkeypatch.setenv("AWS_ENDPOINT_URL", passed.url)
        assert copied("a.csv", tmp_path).read_bytes() == content
    assert passed.asked[0].startswith("bytes=0-" if replaced else f"bytes={begun}-")


def test_an_object_that_is_replaced_meanwhile_is_copied_anew(endpoint: str, tmp_path: Path) -> None:
    put(endpoint, "a.csv", CONTENT)
    other = CONTENT.replace(b"POS", b"NEG")
    pieces = 0

    def check() -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 2:
            put(endpoint, "a.csv", other)

    assert copied("a.csv", tmp_path, CopyWatch(check=check)).read_bytes() == other


@pytest.mark.parametrize(
    ("key", "message"), [("none.csv", "there is no such object"), ("day/", "names no object")]
)
def test_what_is_no_object_is_explained(tmp_path: Path, key: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        copied(key, tmp_path)
    assert "s3cret" not in str(raised.value)


def test_a_server_that_is_not_there_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(InputError, match=r"cannot be copied: (?!.*goes on from there)"):
        copied("a.csv", tmp_path)
