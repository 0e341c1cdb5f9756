"""The rating table: what each word of the rating column means.

A guess would corrupt ratings silently, so only the API's own words are known until the user names
a preset or a table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from importer.common.files import working_folder
from importer.common.text import shown, trimmed
from importer.errors import SettingsError
from importer.feedback.null_markers import is_null_marker
from importer.feedback.spellings import STARS, spellings, stars
from importer.model import Meaning

_POSITIVE, _NEGATIVE = Meaning.POSITIVE, Meaning.NEGATIVE

#: The words of the API itself, and the word that clears a rating.
_BASE = {"POSITIVE": _POSITIVE, "NEGATIVE": _NEGATIVE, "CLEAR": Meaning.CLEAR}

_STARS = "stars"

PRESETS: Mapping[str, Mapping[str, Meaning]] = {
    "thumbs": {
        **dict.fromkeys(["👍", "up", "like", "true", "yes", "1", "+1"], _POSITIVE),
        **dict.fromkeys(["👎", "down", "dislike", "false", "no", "0", "-1"], _NEGATIVE),
    },
    # Three stars say neither: the user decides, or the row is rejected.
    _STARS: {"5": _POSITIVE, "4": _POSITIVE, "2": _NEGATIVE, "1": _NEGATIVE},
}

#: Skin tones and the emoji presentation selector: 👍🏽 means what 👍 means.
_DECORATION = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")


def _key(word: str) -> str:
    return _DECORATION.sub("", trimmed(word)).casefold()


def _is_five_stars(words: Iterable[str]) -> bool:
    """Return whether the numbers among the words are those of a scale from one to five."""
    numbers = {int(word) for word in words if word.isascii() and word.isdigit()}
    return numbers >= {1, 2, 4, 5} and max(numbers) == 5


class RatingTable:
    """Looks up the meaning of a source word; case and surrounding space do not matter.

    A number that the table knows is found in its other spellings, too (`feedback.spellings`).
    """

    def __init__(
        self, words: Mapping[str, Meaning] | None = None, *, in_stars: bool = False
    ) -> None:
        """Take the words; with `in_stars` their numbers are stars, also those beyond five."""
        merged = {**_BASE, **(words or {})}
        self._meanings = {_key(word): meaning for word, meaning in merged.items()}
        self._in_stars = in_stars or _is_five_stars(self._meanings)
        self._given: tuple[str, ...] = ()

    @property
    def words(self) -> Mapping[str, Meaning]:
        """The whole table, by folded word."""
        return MappingProxyType(self._meanings)

    def meaning(self, word: str) -> Meaning | None:
        """Return what `word` means, or None if the table does not know it."""
        key = _key(word)
        if (meaning := self._meanings.get(key)) is not None:
            return meaning
        others = spellings(key, in_stars=self._in_stars)
        return next((self._meanings[one] for one in others if one in self._meanings), None)

    def entry_for(self, word: str) -> str:
        """Return the entry with which the table would know the word and its other spellings."""
        return next(iter(spellings(_key(word), in_stars=self._in_stars)), trimmed(word))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RatingTable)
            and self._meanings == other._meanings
            and self._in_stars == other._in_stars
        )

    def __hash__(self) -> int:
        return hash(frozenset(self._meanings.items()))

    def __repr__(self) -> str:
        return f"RatingTable({dict(self._meanings)!r})"

    @classmethod
    def parse(cls, parts: Iterable[str]) -> RatingTable:
        """Build a table from `parts`: preset names, `WORD=MEANING`, or paths of TOML tables.

        A later part wins over an earlier one. Raises `SettingsError` with the part at fault.
        """
        parts = tuple(parts)
        words: dict[str, Meaning] = {}
        in_stars = False
        for part in parts:
            if part in PRESETS:
                in_stars |= part == _STARS
                words.update(PRESETS[part])
            elif "=" in part:
                word, _, meaning = part.rpartition("=")
                words[word] = _parse_meaning(word, meaning)
            else:
                words.update(_read_toml(Path(part)))
        table = cls(words, in_stars=in_stars)
        table._given = parts
        return table

    def written(self) -> dict[str, Meaning] | list[str]:
        """Return the table as JSON can hold it: its words, or its parts where these tell more."""
        words = dict(self._meanings)
        return words if RatingTable(words) == self else self.parts()

    @property
    def given(self) -> Sequence[str]:
        """The parts that it was made of, as they were given, or others that it can be made of."""
        return self._given or self.parts()

    def parts(self) -> list[str]:
        """Return parts that `parse` makes this table of again; a whole preset by its name."""
        presets = [
            name
            for name, words in PRESETS.items()
            if (self._in_stars if name == _STARS else words.items() <= self.words.items())
        ]
        named = RatingTable.parse(presets).words.items()
        rest = [one for one in self.words.items() if one not in named]
        return [*presets, *(f"{word}={meaning}" for word, meaning in rest)]


def preset_for(unknown: Sequence[str]) -> str | None:
    """Return the preset that fits more than half of the words, if there is one.

    A scale fits the words between its ends that it gives no meaning, too, such as three stars or
    half ones; and it fits none if there are words beyond them. Words that stand for no value at all
    do not count.
    """
    unknown = [word for word in unknown if not is_null_marker(word)]
    counts = {preset: len(known_by(preset, unknown)) for preset in PRESETS}
    best = max(counts, key=lambda preset: counts[preset])
    fitting = counts[best]
    if best == _STARS:
        found = [number for word in unknown if (number := stars(_key(word))) is not None]
        fitting = sum(number >= 0 for number in found) if all(n <= STARS for n in found) else 0
    return best if 2 * fitting > len(unknown) else None


def known_by(preset: str, words: Iterable[str]) -> list[str]:
    """Return those of the words that a preset knows."""
    table = RatingTable.parse([preset])
    return [word for word in words if table.meaning(word)]


def _parse_meaning(word: str, meaning: object) -> Meaning:
    try:
        return Meaning(str(meaning).strip().upper())
    except ValueError:
        raise SettingsError(
            f"rating {shown(word)} is mapped to {meaning!r}; it can be POSITIVE, NEGATIVE, CLEAR "
            "or SKIP"
        ) from None


def parse_words(table: Mapping[str, object]) -> dict[str, Meaning]:
    """Return `table` (word to the name of a meaning) checked. Raises `SettingsError`."""
    return {str(word): _parse_meaning(str(word), meaning) for word, meaning in table.items()}


def _read_toml(path: Path) -> dict[str, Meaning]:
    if path.suffix != ".toml":
        raise SettingsError(
            f"--ratings {str(path)!r} is not known: give {', '.join(PRESETS)}, WORD=MEANING, "
            "or the path of a .toml table"
        )
    try:
        return parse_words(tomllib.loads(path.read_text("utf-8-sig")))
    except FileNotFoundError as error:
        where = "" if path.is_absolute() else f", seen from {working_folder()}"
        raise SettingsError(f"rating table {path}: {error.strerror}{where}") from None
    except OSError as error:
        raise SettingsError(f"rating table {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"rating table {path} is not valid TOML: {error}") from None
