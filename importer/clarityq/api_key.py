"""The API key, wrapped so that it cannot be printed by accident."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import AnyStr

from importer.errors import ImporterError, SettingsError

_QUOTES = "\"'`"
#: What a line of a file for the environment begins with, which is no part of the key.
_NAMES = ("CLARITYQ_API_KEY", "API_KEY", "X-API-KEY")
#: Characters of the shortest key that is blotted out within words, too: one below it, such as a
#: mock server takes, would take single letters out of what is said.
_SHORTEST_WITHIN = 6


def blotted(text: str, keys: Iterable[str]) -> str:
    """Return `text` with `[API key]` in the place of each of the `keys`."""
    for key in keys:
        if key not in text:  # as in the answer to nearly every request
            continue
        found = re.escape(key)
        if len(key) < _SHORTEST_WITHIN:
            found = rf"(?<!\w){found}(?!\w)"
        text = re.sub(found, "[API key]", text)
    return text


class ApiKey:
    """Holds a key. Its text is given only by `reveal`, never by `str`, `repr`, or a traceback.

    `source` says where it is from, in words, and `read_again` returns the text of the key as that
    holds it now. Raises `SettingsError` for a text that cannot be a header value, without showing
    it.
    """

    __slots__ = ("_known", "_read_again", "_text", "source", "told")

    def __init__(
        self, text: str, source: str = "", read_again: Callable[[], str] | None = None
    ) -> None:
        text = text.strip()
        what = f"the API key from {source}" if source else "the API key"
        if not text:
            raise SettingsError(f"{what} is empty")
        if text.partition("=")[0].upper() in _NAMES:
            raise SettingsError(
                f"{what} begins with the name of a variable: what follows the = is the key"
            )
        if text[0] in _QUOTES and text[-1] == text[0]:
            raise SettingsError(
                f"{what} stands in quotes, which would be sent with it: take them away"
            )
        if not text.isascii() or not text.isprintable() or " " in text:
            raise SettingsError(
                f"{what} holds a space, a line break or a character that is not ASCII: "
                "check that nothing but the key was copied"
            )
        self._text = text
        #: Shared with the keys that it was renewed from or to: none of them may be shown.
        self._known = [text]
        self._read_again = read_again
        self.source = source
        #: Is told in words what came of it when the key was read again.
        self.told: Callable[[str], None] = lambda _: None

    def reveal(self) -> str:
        """Return the key itself."""
        return self._text

    def all_known(self) -> list[str]:
        """Return the key and all that it was renewed from or to."""
        return list(self._known)

    def renewed(self) -> ApiKey | None:
        """Return the key that its source holds now, or None if that is no other one.

        For a key that was rotated while a run lasts. It may take as long as the source does, up to
        30 s. Each of them redacts the other one as well.
        """
        if self._read_again is None:
            return None
        refused = "the service refuses the API key that it has accepted before"
        try:
            new = ApiKey(self._read_again(), self.source, self._read_again)
        except ImporterError as error:  # the run ends with the refusal
            self.told(f"{refused}, and it could not be read again: {self.redact(str(error))}")
            return None
        if new.reveal() == self.reveal():
            self.told(f"{refused}, and {self.source} still holds the same one")
            return None
        self._known.append(new._text)
        new._known, new.told = self._known, self.told
        self.told(f"{refused}: {self.source} holds another one now, which is used from here on")
        return new

    def redact(self, text: AnyStr) -> AnyStr:
        """Return foreign `text` with every occurrence of a key that is known here blotted out."""
        if isinstance(text, bytes):
            return blotted(text.decode("latin-1"), self._known).encode("latin-1")
        return blotted(text, self._known)

    def __reduce__(self) -> str:
        """Raise: a key that is pickled may end anywhere."""
        raise TypeError("an API key cannot be pickled")

    def __repr__(self) -> str:
        return "ApiKey(…)"
