"""`check --write-ratings`: a rating table drafted from the words that a file holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from importer.common.text import counted
from importer.errors import SettingsError
from importer.model import Meaning

_HEAD = """\
# What each word of the rating column means: POSITIVE, NEGATIVE, CLEAR (take the rating back) or
# SKIP (do not send the row). Give it to check and run as {options}.
"""


def write_draft(
    path: Path, words: Mapping[str, int], meanings: Mapping[str, Meaning | None], options: str
) -> int:
    """Write the table of `words` (with their rows) to `path`; return how many are to be decided.

    `options` are those with which it is read, those of other tables included. A word without a
    meaning stands there as a comment, to be filled in: nothing is guessed. Raises `SettingsError`
    if the file exists already or cannot be written.
    """
    lines = [_HEAD.format(options=options)]
    undecided = 0
    seen: set[str] = set()
    for word, rows in sorted(words.items(), key=lambda item: (-item[1], item[0])):
        key = word.strip()
        if key.casefold() in seen:
            continue
        seen.add(key.casefold())
        meaning = meanings.get(word)
        if meaning is None:
            undecided += 1
            lines.append(f'# {toml_text(key)} = "?"  # {counted(rows, "row")}, to be decided')
        else:
            lines.append(f'{toml_text(key)} = "{meaning}"  # {counted(rows, "row")}')
    write_new(path, "\n".join(lines) + "\n", "--write-ratings")
    return undecided


def write_new(path: Path, text: str, flag: str) -> None:
    """Write a draft to a new file, which `flag` has named. Raises `SettingsError`."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SettingsError(f"{path} already exists: remove it or name another file") from None
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None


def toml_text(word: str) -> str:
    """Return `word` as a TOML string, as it stands in the input where that can be."""
    if "\\" in word and "'" not in word and word.isprintable():
        return f"'{word}'"
    # Written as in JSON but for one character.
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")
