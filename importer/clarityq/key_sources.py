"""Where the API key is kept: a file, a command, the environment, a service manager's secrets.

Nothing here shows a key, nor a file's name that was given, since it may be the key itself.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

from importer.clarityq.api_key import ApiKey
from importer.common.text import escaped
from importer.errors import SettingsError

VARIABLE = "CLARITYQ_API_KEY"
#: Where containers find their secrets (Docker, Podman, Kubernetes).
CONTAINER_SECRETS = Path("/run/secrets")
#: What the key may be called in a folder of secrets.
SECRET_NAMES = ("clarityq-api-key", "clarityq_api_key", VARIABLE)

#: Seconds that a command may take.
_LONGEST = 30.0
#: So much of what a command says of its failure is shown, in characters.
_SAID = 500
#: More than any key has, in bytes.
_ROOM = 64 * 1024
_ASSIGNMENT = re.compile(r"(export\s+)?[A-Z][A-Z0-9_]*(KEY|TOKEN)\s*=\s*\S", re.ASCII)


def key_from_file(path: Path) -> ApiKey:
    """Return the key that `--api-key-file` names. Raises `SettingsError`."""
    return _key("--api-key-file", lambda: _read(path, "the file that --api-key-file names"))


def key_from_command(command: str) -> ApiKey:
    """Return the key that `--api-key-command` prints. Raises `SettingsError`."""
    return _key("--api-key-command", lambda: _output(command))


def key_of_the_surroundings() -> ApiKey | None:
    """Return the key that the environment or the service manager holds; None if neither does.

    Raises `SettingsError` if there is one that cannot be read.
    """
    if text := os.environ.get(VARIABLE):
        return ApiKey(text, VARIABLE)
    if (path := next(secret_files(), None)) is None:
        return None
    return _key(f"the secret {path}", lambda: _read(path, f"the secret {path}"))


def secret_files() -> Iterator[Path]:
    """Yield the files that a service manager (systemd, a container's) keeps the key in."""
    folders = [CONTAINER_SECRETS]
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        folders.insert(0, Path(credentials))
    for folder in folders:
        for name in SECRET_NAMES:
            if (folder / name).is_file():
                yield folder / name


def is_open_to_others(path: Path) -> bool:
    """Return whether a file can be read by users that need not; False if there is none.

    Its group may read one that belongs to somebody else, or that nobody may write: so secret stores
    hand out theirs (Kubernetes with `fsGroup`: `root`, 0440).
    """
    if path.absolute().is_relative_to(CONTAINER_SECRETS):
        return False  # it is open to all, and all is one container
    try:
        found = path.stat()
    except OSError:
        return False
    is_own = found.st_uid == os.geteuid() and bool(found.st_mode & stat.S_IWUSR)
    needless = stat.S_IROTH | (stat.S_IRGRP if is_own else 0)
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & needless)


def _key(source: str, read: Callable[[], str]) -> ApiKey:
    return ApiKey(read(), source, read)


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_ROOM).decode("utf-8-sig").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        hidden = "(its name is not shown, in case it is the key itself)"
        shown = "" if str(path) in what else f" {hidden}"
        raise SettingsError(f"{what} cannot be read: {why}{shown}") from None
    if not text:
        raise SettingsError(f"{what} is empty: write the key into it, and nothing else")
    if _ASSIGNMENT.match(text):
        raise SettingsError(f"{what} holds an assignment (NAME=key): it is to hold the key alone")
    return text


def _output(command: str) -> str:
    """Run the command, without a shell, and return what it prints. Raises `SettingsError`."""
    what = "--api-key-command"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"{what} cannot be split into words: {error}") from None
    if not words:
        raise SettingsError(f"{what} is empty: name a command that prints the key")
    # A word that names no program may be the key itself.
    program = what if which(words[0]) is None else f"{what} ({words[0]} …)"
    try:
        # With a session of its own, so that all of it can be ended.
        process = subprocess.Popen(  # noqa: S603 -- the user's own command, and no shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        raise SettingsError(f"{program} cannot be run: {why}") from None
    try:
        output, complaint = process.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        _end(process)
        raise SettingsError(
            f"{program} took longer than {_LONGEST:g} s: run it by hand to see what it waits for"
        ) from None
    except BaseException:
        _end(process)
        raise
    text = output.decode("utf-8", "replace").strip()
    if process.returncode != 0:
        said = complaint.decode("utf-8", "replace").strip()
        for word in text.split():  # what it has printed may be the key
            said = said.replace(word, "[its output]")
        said = escaped(said[-_SAID:]) or "it says nothing on standard error"
        raise SettingsError(f"{program} ended with exit code {process.returncode}: {said}")
    if not text:
        raise SettingsError(f"{program} printed nothing: it is to print the key")
    return text


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started, and wait for nothing but itself."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
