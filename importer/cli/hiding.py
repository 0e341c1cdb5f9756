"""What may be the API key is not shown, also where it stands in another variable than its own."""

from __future__ import annotations

import os
import re

from importer.clarityq.api_key import blotted
from importer.clarityq.key_sources import VARIABLE
from importer.common.uuids import canonical_uuid
from importer.settings.option import PREFIX

#: What a message says in the place of it.
NOT_SHOWN = "(not shown, in case it is the key)"
#: Of a value that an option has accepted: names of files and columns hardly ever look like this.
_LOOKS_LIKE_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+=-]{16,}", re.ASCII)


def without_keys(text: str) -> str:
    """Return a message without the values of our variables that may be the key."""
    for name, value in os.environ.items():
        if name == VARIABLE:
            text = blotted(text, [value.strip()]) if value.strip() else text
        elif name.startswith(PREFIX) and _may_be_key(value):
            text = text.replace(value, NOT_SHOWN)
    return text


def _may_be_key(value: str) -> bool:
    return _LOOKS_LIKE_KEY.fullmatch(value) is not None and canonical_uuid(value) is None
