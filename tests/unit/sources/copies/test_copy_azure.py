"""How an object of Azure is copied, from azurite, where that is installed."""

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
from tests.support.object_stores import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    KilledError,
    azure,
    azure_signature,
    gate,
    killed_beyond,
    put_blob,
)

pytest.importorskip("obstore")
pytestmark = pytest.mark.slow

CONTENT = b"conversation_id,rating\n" + b"".join(
    f"{conversation(n)},POSITIVE\n".encode() for n in range(200_000)
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with azure() as address:
        yield address


@pytest.fixture(autouse=True)
def credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "_FIRST_WAIT", 0.001)
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", endpoint)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY)


def copied(address: str, folder: Path, watch: CopyWatch | None = None) -> Path:
    settings = ImportSettings.of(inputs=[address], product_id=PRODUCT)
    folder.mkdir(exist_ok=True)
    return take_copy(SourceAddress(address), 1, folder, settings, watch or CopyWatch()).path


def test_an_object_is_copied_with_a_key_and_with_a_signature(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_blob(endpoint, "day/a%201.csv", CONTENT)
    for number, address in enumerate(
        [
            "az://exports/day/a%201.csv",
            "abfs://exports/day/a 1.csv",
            f"abfss://exports@{AZURE_ACCOUNT}.dfs.core.windows.net/day/a%201.csv",
        ]
    ):
        path = copied(address, tmp_path / str(number))
        assert path.name == "1-a-1.csv"
        assert path.read_bytes() == CONTENT
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", azure_signature("r"))
    assert copied("az://exports/day/a%201.csv", tmp_path / "signed").read_bytes() == CONTENT


@pytest.mark.parametrize("replaced", [False, True])
def test_an_interrupted_copy_goes_on_if_the_object_is_the_same(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, replaced: bool
) -> None:
    put_blob(endpoint, "a.csv", CONTENT)

    with pytest.raises(KilledError):
        copied("az://exports/a.csv", tmp_path, killed_beyond(5_000_000, tmp_path))
    begun = (tmp_path / ".1.part").stat().st_size
    content = CONTENT
    if replaced:
        content = CONTENT.replace(b"POS", b"NEG")
        put_blob(endpoint, "a.csv", content)
    with gate(endpoint.removesuffix(f"/{AZURE_ACCOUNT}")) as passed:
        passed.opened.set()
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{passed.url}/{AZURE_ACCOUNT}")
        assert copied("az://exports/a.csv", tmp_path).read_bytes() == content
    assert passed.asked[0].startswith("bytes=0-" if replaced else f"bytes={begun}-")


def test_an_object_that_is_replaced_meanwhile_is_copied_anew(endpoint: str, tmp_path: Path) -> None:
    put_blob(endpoint, "a.csv", CONTENT)
    other = CONTENT.replace(b"POS", b"NEG")
    is_replaced = False

    def check() -> None:
        nonlocal is_replaced
        if not is_replaced and (tmp_path / ".1.part").stat().st_size > 1_000_000:
            put_blob(endpoint, "a.csv", other)
            is_replaced = True

    copy = copied("az://exports/a.csv", tmp_path, CopyWatch(check=check))
    assert is_replaced
    assert copy.read_bytes() == other


def test_a_refusal_is_explained_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, words in [
        ("az://exports/none.csv", "there is no such object at http://127.0.0.1:"),
        ("az://nowhere/a.csv", "there is no container 'nowhere' at http://127.0.0.1:"),
    ]:
        with pytest.raises(InputError, match=words):
            copied(address, tmp_path)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    signature = azure_signature("r").replace("sp=r", "sp=rw")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", signature)
    with pytest.raises(InputError, match="refused by the store: the key is wrong") as raised:
        copied("az://exports/a.csv", tmp_path)
    assert signature[-20:] not in str(raised.value)
