"""A file is copied from a web server as it is in the world: nginx, with TLS."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from importer.errors import InputError
from importer.settings import ImportSettings
from importer.settings.places import SourceAddress
from importer.sources.copies.carriers import take_copy
from importer.sources.copies.partial_copy import CopyWatch
from tests.support.data import PRODUCT, conversation
from tests.support.object_stores import S3_ENVIRONMENT

pytestmark = pytest.mark.slow

CONTENT = b"conversation_id,rating\n" + b"".join(
    f"{conversation(n)},POSITIVE\n".encode() for n in range(100_000)
)
CONF = """
daemon off; pid {root}/pid; error_log stderr; {user}
events {{}}
http {{
    log_format ranges '$status $request_uri $http_range';
    access_log {root}/access.log ranges;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {root}/chain.pem; ssl_certificate_key {root}/key.pem;
        root {root}/files;
        location /moved {{ return 302 https://localhost:{port}/a.csv; }}
        location /plain {{ return 302 http://localhost:{port}/a.csv; }}
        location /bucket/ {{ alias {root}/files/; }}
        location /none {{ max_ranges 0; alias {root}/files/a.csv; }}
    }}
}}
"""


class Nginx(NamedTuple):
    url: str
    root: Path

    def log(self) -> list[str]:
        return (self.root / "access.log").read_text().splitlines()

    def copied(self, path: str, folder: Path, watch: CopyWatch | None = None, **more: Any) -> Path:
        place = SourceAddress(self.url + path)
        options: dict[str, Any] = {"ca_file": self.root / "ca.pem", **more}
        settings = ImportSettings.of(inputs=[place], product_id=PRODUCT, **options)
        return take_copy(place, 1, folder, settings, watch or CopyWatch()).path


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    root = tmp_path_factory.mktemp("nginx")
    (root / "files").mkdir()
    (root / "files/a.csv").write_bytes(CONTENT)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(root / "ca.pem")
    certificate = authority.issue_cert("localhost")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(root / "chain.pem", append=True)
    certificate.private_key_pem.write_to_path(root / "key.pem")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    (root / "nginx.conf").write_text(CONF.format(root=root, port=port, user=user))
    words = ["nginx", "-p", str(root), "-c", str(root / "nginx.conf")]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "nginx does not start"
            time.sleep(0.05)
        yield Nginx(f"https://localhost:{port}", root)
    finally:
        process.terminate()
        process.wait()


class _KilledError(Exception):
    pass


def test_an_interrupted_copy_is_continued_by_a_range(nginx: Nginx, tmp_path: Path) -> None:
    pieces = 0

    def check() -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 3:
            raise _KilledError

    with pytest.raises(_KilledError):
        nginx.copied("/a.csv", tmp_path, CopyWatch(check=check))
    size = (tmp_path / ".1.part").stat().st_size
    assert 0 < size < len(CONTENT)
    assert nginx.copied("/a.csv", tmp_path).read_bytes() == CONTENT
    assert nginx.log()[-1] == f"206 /a.csv bytes={size}-"
    pieces = 0
    (tmp_path / "none").mkdir()
    with pytest.raises(_KilledError):
        nginx.copied("/none", tmp_path / "none", CopyWatch(check=check))
    assert nginx.copied("/none", tmp_path / "none").read_bytes() == CONTENT
    assert nginx.log()[-1].startswith("200 /none")


def test_redirects_are_followed_but_not_out_of_encryption(nginx: Nginx, tmp_path: Path) -> None:
    assert nginx.copied("/moved?token=secret", tmp_path).read_bytes() == CONTENT
    assert nginx.log()[-1] == "200 /a.csv -"
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"redirects .* to where it is not followed"):
        nginx.copied("/plain", tmp_path / "other")


def test_a_certificate_that_is_not_trusted_is_explained(nginx: Nginx, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"certificate is not trusted .*--ca-file"):
        nginx.copied("/a.csv", tmp_path, ca_file=None)


def test_a_store_is_trusted_by_the_authorities_that_the_environment_names(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore")
    for name, value in (S3_ENVIRONMENT | {"AWS_ENDPOINT_URL": nginx.url}).items():
        monkeypatch.setenv(name, value)
    place = SourceAddress("s3://bucket/a.csv")
    settings = ImportSettings.of(inputs=[place], product_id=PRODUCT)
    with pytest.raises(InputError, match=r"not trusted \(UnknownIssuer\): SSL_CERT_FILE names"):
        take_copy(place, 1, tmp_path, settings, CopyWatch())
    monkeypatch.setenv("SSL_CERT_FILE", str(nginx.root / "ca.pem"))
    assert take_copy(place, 1, tmp_path, settings, CopyWatch()).path.read_bytes() == CONTENT
