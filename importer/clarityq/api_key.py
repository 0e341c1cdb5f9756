"""The API key, wrapped so that it cannot be printed by accident."""

from __future__ import annotations

from typing import AnyStr

from importer.errors import SettingsError

_QUOTES = "\"'`"


class ApiKey:
    """Holds a key. Its text is given only by `reveal`, never by `str`, `repr`, or a traceback.

    Raises `SettingsError` for a text that cannot be a header value, without showing it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text:
            raise SettingsError("the API key is empty")
        if text[0] in _QUOTES and text[-1] == text[0]:
            raise SettingsError(
                "the API key stands in quotes, which would be sent with it: take them away"
            )
        if not text.isascii() or not text.isprintable() or " " in text:
            raise SettingsError(
                "the API key holds a space, a line break or a character that is not ASCII: "
                "check that nothing but the key was copied"
            )
        self._text = text

    def reveal(self) -> str:
        """Return the key itself."""
        return self._text

    def redact(self, text: AnyStr) -> AnyStr:
        """Return `text` with every occurrence of the key blotted out."""
        if isinstance(text, bytes):
            return text.replace(self._text.encode(), b"[API key]")
        return text.replace(self._text, "[API key]")

    def __repr__(self) -> str:
        return "ApiKey(…)"
