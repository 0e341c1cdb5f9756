"""How what is no local file is copied: once, whole or not at all, and for its owner only."""

import os
import stat
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from importer.errors import InputError, ScratchError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies import http as copy_http
from importer.sources.copies import partial_copy, persistence
from importer.sources.copies import stdin as copy_stdin
from importer.sources.copies.carriers import open_copy, take_copy
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT, conversation
from tests.support.file_server import FileServer, serving

CONTENT = b"conversation_id,rating\n" + b"".join(
    f"{conversation(n)},POSITIVE\n".encode() for n in range(30_000)
)


class _KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "_FIRST_WAIT", 0.001)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(CONTENT)) as running:
        yield running


def settings_of(address: str, **options: Any) -> ImportSettings:
    return ImportSettings.of(inputs=[address], product_id=PRODUCT, **options)


def copied(address: str, folder: Path, watch: CopyWatch | None = None) -> Path:
    place = SourceAddress(address)
    return take_copy(place, 1, folder, settings_of(address), watch or CopyWatch()).path


def test_a_copy_is_the_owners_alone_and_is_taken_once(server: FileServer, tmp_path: Path) -> None:
    told: list[str] = []
    address = f"{server.url}/exports/day%201.csv?token=secret"
    path = copied(address, tmp_path, CopyWatch(told=told.append))
    assert path.read_bytes() == CONTENT
    assert path.name == "1-day-1.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert any("(1.38 MB)" in line for line in told)
    assert "secret" not in " ".join(told)
    assert copied(address, tmp_path) == path
    assert len(server.asked) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with open_source_of(path) as rows:
        assert rows == 30_000


@pytest.mark.parametrize(
    ("written", "is_closed", "holds"), [(b"x", False, True), (b"", True, False), (b"", False, None)]
)
def test_standard_input_that_is_silent_but_not_ended_may_hold_something_yet(
    monkeypatch: pytest.MonkeyPatch, written: bytes, is_closed: bool, holds: bool | None
) -> None:
    from_there, into = os.pipe()
    with os.fdopen(from_there) as stdin, os.fdopen(into, "wb", buffering=0) as writer:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(copy_stdin, "_UNTIL_SURE", 0.01)
        writer.write(written)
        if is_closed:
            writer.close()
        assert copy_stdin.holds_data() is holds


class open_source_of:  # noqa: N801 -- a context that counts
    def __init__(self, path: Path) -> None:
        self.source = open_copy(path, "there", settings_of("https://host/there.csv"))

    def __enter__(self) -> int:
        assert self.source.name == "there"
        return sum(len(batch) for batch in self.source.batches(1, 500))

    def __exit__(self, *_: object) -> None:
        self.source.close()


def test_a_cut_download_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [400_000, 400_000, 0]
    assert copied(f"{server.url}/a.csv", tmp_path).read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in server.asked] == [
        None, "bytes=400000-", "bytes=800000-", "bytes=800000-",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["no ranges", "replaced", "replaced just now", "grown"])
def test_what_cannot_be_gone_on_with_is_begun_again(
    server: FileServer, tmp_path: Path, how: str
) -> None:
    other = CONTENT.replace(b"POSITIVE", b"NEGATIVE")

    def replaced(server: FileServer) -> None:
        if server.asked and how != "no ranges":
            server.content = other + b"\n" * (how == "grown")
            server.etag = '"2"' if how == "replaced" else server.etag

    if how == "replaced just now":
        server.etag, server.modified = "", formatdate(usegmt=True)
    server.cuts, server.before, server.ranges = [400_000], replaced, how != "no ranges"
    assert copied(f"{server.url}/a.csv", tmp_path).read_bytes() == server.content


def test_a_file_that_has_long_been_the_same_is_gone_on_with(
    server: FileServer, tmp_path: Path
) -> None:
    server.etag, server.modified = "", formatdate(time.time() - 3600, usegmt=True)
    server.cuts = [400_000]
    assert copied(f"{server.url}/a.csv", tmp_path).read_bytes() == CONTENT
    assert server.asked[-1][1]["Range"] == "bytes=400000-"


def test_half_a_copy_is_never_read_and_is_gone_on_with(server: FileServer, tmp_path: Path) -> None:
    pieces = 0

    def killed() -> None:
        nonlocal pieces
        pieces += 1
        if pieces > 2:
            raise _KilledError

    address = f"{server.url}/a.csv?X-Amz-Signature=secret"
    with pytest.raises(_KilledError):
        copied(address, tmp_path, CopyWatch(check=killed))
    assert not list(tmp_path.glob("1-*"))
    left = {file.name: file for file in tmp_path.iterdir()}
    assert set(left) == {".1.part", ".1.json"}
    assert b"secret" not in left[".1.json"].read_bytes()
    assert {stat.S_IMODE(file.stat().st_mode) for file in left.values()} == {0o600}
    # The signature may be another by now.
    path = copied(f"{server.url}/a.csv?X-Amz-Signature=another", tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked[-1][1]["Range"].startswith("bytes=")


def test_a_busy_server_is_asked_again_and_a_refusal_is_explained(
    server: FileServer, tmp_path: Path
) -> None:
    server.first = [(503, {}), (429, {"Retry-After": "1"})]
    assert copied(f"{server.url}/a.csv", tmp_path / "").read_bytes() == CONTENT
    for status, words in [(403, "signed address holds for some time"), (404, "nothing at this")]:
        server.first = [(status, {})]
        with pytest.raises(InputError, match=words) as raised:
            copied(f"{server.url}/b.csv?sig=secret", tmp_path / f"{status}")
        assert "secret" not in str(raised.value)


def test_a_server_that_stays_away_keeps_what_was_copied(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [300_000]
    server.before = lambda server: server.first.append((503, {})) if server.asked else None
    with pytest.raises(InputError, match="goes on from there"):
        copied(f"{server.url}/a.csv", tmp_path)
    assert (tmp_path / ".1.part").stat().st_size == 300_000


def test_a_redirect_carries_nothing_of_the_address(server: FileServer, tmp_path: Path) -> None:
    with serving(FileServer(b"")) as first:
        first.first = [(302, {"Location": f"{server.url}/there.csv"})]
        assert copied(f"{first.url}/a.csv?token=secret", tmp_path).read_bytes() == CONTENT
    ((path, headers),) = server.asked
    assert path == "/there.csv"
    assert "secret" not in str(headers)
    request = urllib.request.Request("https://host/a.csv")
    for other in ("http://host/a.csv", "file:///etc/passwd"):
        assert copy_http._Redirects().redirect_request(
            request, None, 302, "", None, other  # type: ignore[arg-type]
        ) is None  # fmt: skip


def test_there_must_be_room_for_a_copy(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_copy, "_KEPT_FREE", 1 << 60)
    with pytest.raises(ScratchError, match=r"needs 1\.38 MB in .*are free"):
        copied(f"{server.url}/a.csv", tmp_path)


def test_an_address_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="addresses of this kind are not known"):
        copied("ftp://host/a.csv", tmp_path)
