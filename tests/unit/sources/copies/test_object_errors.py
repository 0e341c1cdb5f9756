"""What an object store refuses is said in the importer's own words, and without secrets."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies import persistence
from importer.sources.copies.carriers import take_copy
from importer.sources.copies.object_errors import explained
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT

pytest.importorskip("obstore")

SECRETS = ("secret-key-1", "secret-word-2", "secret-token-3")


class _Refuses(BaseHTTPRequestHandler):
    """Answers with the status and the code that the bucket's name holds, as S3 does."""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        code = self.path.split("/")[1].partition("-")[2]
        more = "<Message>Its words</Message><AWSAccessKeyId>secret-key-1</AWSAccessKeyId>"
        self._answer(f"<Error><Code>{code}</Code>{more}</Error>".encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(int(self.path.split("/")[1].partition("-")[0]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    monkeypatch.setattr(persistence, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(persistence, "_MOST_TRIES", 2)
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://me:secret-word-2@{store}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "secret-key-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-word-2")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret-token-3")


def refusal(address: str, folder: Path) -> str:
    """Return the words on a copy that cannot be taken; they hold no secret."""
    settings = ImportSettings.of(inputs=[address], product_id=PRODUCT)
    with pytest.raises(InputError) as raised:
        take_copy(SourceAddress(address), 1, folder, settings, CopyWatch())
    words = str(raised.value)
    assert words.startswith(address)
    assert "\n" not in words
    assert not [secret for secret in SECRETS if secret in words]
    return words


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("404-NoSuchBucket", "there is no bucket '404-NoSuchBucket' at http://{}: look"),
        ("404-NoSuchKey", "there is no such object at http://{}: look at its spelling"),
        ("403-InvalidAccessKeyId", "refused by http://{}: the key id is not known there (403"),
        ("403-SignatureDoesNotMatch", "the secret key does not belong to the key id (403 Sig"),
        ("403-AccessDenied", "these credentials may not read it (403 AccessDenied). Credentials"),
        ("400-ExpiredToken", "the credentials have run out (400 ExpiredToken)"),
        ("301-PermanentRedirect", "another region than the one that was asked: set AWS_REGION"),
        ("503-SlowDown", "cannot be copied: http://{} answers 503 SlowDown"),
    ],
)
def test_what_a_store_answers_is_explained(
    tmp_path: Path, store: str, bucket: str, words: str
) -> None:
    assert words.format(store) in refusal(f"s3://{bucket}/a.csv", tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1: no connection (Connection"),
        ("AWS_ENDPOINT_URL", "https://{}", "https://{}: no connection"),
        ("AWS_ENDPOINT_URL", "{}", "AWS_ENDPOINT_URL is no address of a store"),
        ("AWS_ENDPOINT_URL", "http://10.0.0.1", "http://10.0.0.1 is not encrypted: use https://"),
        ("AWS_SECRET_ACCESS_KEY", None, "cannot be used (Missing SecretAccessKey): set AWS_ACC"),
    ],
)
def test_what_keeps_from_asking_is_explained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    name: str,
    value: str | None,
    words: str,
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value.format(store))
    assert words.format(store) in refusal("s3://exports/a.csv", tmp_path)


def test_credentials_that_are_not_there_are_told_with_how_to_give_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "night")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    assert "there is no profile 'night' in ~/.aws" in refusal("s3://exports/a.csv", tmp_path)
    assert "set AZURE_STORAGE_ACCOUNT_NAME" in refusal("az://exports/a.csv", tmp_path)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "secret-key-1 is not base 64")
    assert "the credentials cannot be used" in refusal("az://exports/a.csv", tmp_path)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    (tmp_path / "account.json").write_text('"secret-word-2"')
    assert "let GOOGLE_APPLICATION_CREDENTIALS" in refusal("gs://exports/a.csv", tmp_path)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_machine_without_a_role_is_told_how_to_give_credentials(scheme: str) -> None:
    address = SourceAddress(f"{scheme}://exports/a.csv")
    asked = "Generic error: Error performing PUT http://169.254.169.254/latest/api/token in 1ms"
    found = explained(address, ValueError(f"{asked} - HTTP error: error sending request"))
    assert isinstance(found, InputError)
    assert "no credentials were found, and this machine has no role" in str(found)
