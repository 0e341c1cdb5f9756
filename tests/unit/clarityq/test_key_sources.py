"""The key is found where it is kept, and what goes wrong is told without showing it."""

import os
import sys
import traceback
from pathlib import Path

import pytest

from importer.clarityq import key_sources
from importer.clarityq.api_key import ApiKey
from importer.clarityq.key_sources import (
    is_open_to_others,
    key_from_command,
    key_from_file,
    key_of_the_surroundings,
)
from importer.errors import SettingsError

KEY = "canary-9b1d-key"


def test_a_file_may_hold_a_byte_order_mark_and_a_line_end(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    assert key_from_file(path).reveal() == KEY


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f'"{KEY}"\n', "in quotes"),
        (f"'{KEY}'", "in quotes"),
        (f"CLARITYQ_API_KEY={KEY}\n", "an assignment"),
        (f"export API_TOKEN='{KEY}'", "an assignment"),
        (" \n", "is empty"),
        (f"{KEY}\n{KEY}", "a line break"),
        (f"{KEY}\xff", "not text"),
    ],
)
def test_a_file_that_holds_more_than_the_key_is_refused_and_not_shown(
    content: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "key-file"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError, match=said) as raised:
        key_from_file(path)
    assert "--api-key-file" in str(raised.value), "where it is from"
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_a_base64_key_is_no_assignment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("c2VjcmV0=KEY==", "utf-8")
    assert key_from_file(path).reveal() == "c2VjcmV0=KEY=="


def test_a_file_that_others_may_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text(KEY, "utf-8")
    path.chmod(0o600)
    assert not is_open_to_others(path)
    path.chmod(0o640)
    assert is_open_to_others(path)
    path.chmod(0o440)
    assert not is_open_to_others(path), "so a secret store hands it out"
    path.chmod(0o444)
    assert is_open_to_others(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    path.chmod(0o640)
    assert not is_open_to_others(path), "only by its group can it be read at all"
    assert not is_open_to_others(Path("/run/secrets/clarityq-api-key"))


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


def test_what_a_command_prints_is_the_key_and_no_shell_reads_it() -> None:
    assert key_from_command(python(f"print(' {KEY} ')")).reveal() == KEY
    assert key_from_command("echo $HOME;ls").reveal() == "$HOME;ls"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python(f"import sys; print('{KEY}'); print('no: {KEY}', file=sys.stderr); sys.exit(3)"),
         r"exit code 3: no: \[its output\]"),
        (python("raise SystemExit(1)"), "says nothing"),
        (python("pass"), "printed nothing"),
        ("no-such-command-here", "No such file"),
        ("echo 'open", "No closing quotation"),
        (" ", "is empty"),
    ],
)  # fmt: skip
def test_a_command_that_fails_tells_why_and_never_its_output(command: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        key_from_command(command)
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_sources, "_LONGEST", 0.2)
    with pytest.raises(SettingsError, match="took longer than"):
        key_from_command("sh -c 'sleep 100; echo x'")


def test_secrets_of_systemd_and_of_containers_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers, credentials = tmp_path / "secrets", tmp_path / "credentials"
    monkeypatch.setattr(key_sources, "CONTAINER_SECRETS", containers)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    def found() -> str:
        key = key_of_the_surroundings()
        return "" if key is None else key.reveal()

    assert found() == ""
    containers.mkdir()
    (containers / "clarityq_api_key").write_text("of-the-container\n", "utf-8")
    assert found() == "of-the-container"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (credentials / "clarityq-api-key").write_text("of-systemd", "utf-8")
    assert found() == "of-systemd"
    monkeypatch.setenv("CLARITYQ_API_KEY", "of-the-environment")
    assert found() == "of-the-environment"


def test_a_key_is_read_again_from_where_it_came(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old-key", "utf-8")
    key = key_from_file(path)
    assert key.renewed() is None, "the same key is no new one"
    path.write_text("new-key", "utf-8")
    new = key.renewed()
    assert new is not None
    assert new.reveal() == "new-key"
    assert new.redact("old-key new-key") == key.redact("new-key old-key") == "[API key] [API key]"
    assert new.redact(b"old-key") == b"[API key]"
    path.unlink()
    assert new.renewed() is None
    assert ApiKey("given").renewed() is None
