"""Where a run has the API key, as the options that say it: kept with its job, and in commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from importer.common.files import working_folder
from importer.jobs.records import KEY_GIVEN_IN, KEY_SOURCE

#: What is said beside commands that do not say where the key is.
KEY_AS_BEFORE = "(and, where the key is not in the environment, --api-key-file as before)"

#: A command in a text: it ends with its line, or where another begins.
_COMMAND = re.compile(r"clarityq-import (\S.*?)(?=clarityq-import |$)", re.MULTILINE)
_SENDING = ("run", "retry", "undo", "batch")
#: The options that say where the key is, or may.
_TELL_KEY = {"--api-key-file", "--api-key-command", "--config", "--sandbox"}


def key_facts(words: Sequence[str]) -> dict[str, str]:
    """Return how it stands in a journal from where a run has the key, as arguments."""
    return {KEY_SOURCE: json.dumps(list(words)), KEY_GIVEN_IN: working_folder()}


def key_words(facts: Mapping[str, str]) -> list[str]:
    """Return the same as arguments that can be given in the working folder of now."""
    words: list[str] = json.loads(facts.get(KEY_SOURCE, "[]"))
    given_in = facts.get(KEY_GIVEN_IN, "")
    if given_in != working_folder():
        if "--api-key-file" in words:
            words[-1] = str(given_in / Path(words[-1]))
        elif "--api-key-command" in words and given_in:
            words[-1] = _from_folder(Path(given_in), words[-1])
    return words


def _from_folder(folder: Path, command: str) -> str:
    """Return a command, which is run without a shell, as one that goes to the folder first.

    That is needless for one that names nothing which is there.
    """
    words, is_needless = list[str](), True
    with suppress(OSError, ValueError):  # it cannot be split, or a word can be no file's name
        words = shlex.split(command)
        relative = [word for word in words if word and not Path(word).is_absolute()]
        is_needless = not any((folder / word).exists() for word in relative)
    if is_needless:
        return command
    there = f"cd {shlex.quote(str(folder))} && exec {shlex.join(words)}"
    is_plain = not {'"', "\\"} & {*there}
    quoted = f'"{there}"' if is_plain else shlex.quote(there)
    return f"sh -c {quoted}"


def note_on_key(*texts: str) -> str:
    """Return what is said beside texts with commands, on a line of its own; empty if nothing is."""
    return f"\n{KEY_AS_BEFORE}" if any(map(lacks_key, texts)) else ""


def lacks_key(text: str) -> bool:
    """Return whether a text holds a command that sends, and does not say where the key is."""
    return any(words[0] in _SENDING and _TELL_KEY.isdisjoint(words) for words in _commands_in(text))


def _commands_in(text: str) -> Iterator[Sequence[str]]:
    for found in _COMMAND.finditer(text):
        try:
            yield shlex.split(found[1])
        except ValueError:  # what follows it on its line is no part of it
            yield found[1].split()
