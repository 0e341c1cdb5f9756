"""Looks for what must not be there any more in the raw bytes of all files of a folder."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path


def traces(folder: Path, conversation_id: str, *texts: str) -> list[str]:
    """Return the files that hold the id, in any form, or one of the texts."""
    key = uuid.UUID(conversation_id).bytes
    needles = [key, key[::-1]]
    for text in (conversation_id, conversation_id.replace("-", ""), *texts):
        forms = {text, text.upper(), json.dumps(text)[1:-1], text.replace('"', '""')}
        needles += [form.encode(code) for form in forms for code in ("utf-8", "utf-16-le")]
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            if raw[:2] == b"\x1f\x8b":
                raw += gzip.decompress(raw)
            if any(needle in raw for needle in needles):
                found.append(str(path.relative_to(folder)))
    return found
