"""How the columns of an input are found by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from importer.common.text import composed, nearest, shell_word, trimmed
from importer.errors import InputError
from importer.settings import FIELDS


def find_columns(path: Path, header: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    """Return the position of each field's column; fields without a column are left out.

    `names` maps fields to source columns where they differ. Case and surrounding space do not
    matter. Raises `InputError`, naming the columns found, if `conversation_id` or a column that
    was asked for is missing, if one of them appears twice, or if neither `rating` nor `comment`
    is there.
    """
    folded = [folded_name(name) for name in header]
    occurrences = Counter(folded)
    found: dict[str, int] = {}
    for field in FIELDS:
        wanted = names.get(field, field)
        times = occurrences[folded_name(wanted)]
        if times > 1:
            raise InputError(f"{path}: column {wanted!r} is there {times} times; {_list(header)}")
        if times == 1:
            found[field] = folded.index(folded_name(wanted))
        elif field in names or field == "conversation_id":
            meant = nearest(folded_name(wanted), folded)
            meant = _within_struct(field, folded) or meant
            hint = trimmed(header[folded.index(meant)]) if meant is not None else "NAME"
            raise InputError(
                f"{path}: there is no column {wanted!r}; {_list(header)}. "
                f"If another one holds it: --column {shell_word(f'{field}={hint}')}"
            )
    if len(found) == 1:
        names_within = (_within_struct(field, folded) or "NAME" for field in FIELDS[1:])
        options = " ".join(
            f"--column {shell_word(f'{field}={name}')}"
            for field, name in zip(FIELDS[1:], names_within, strict=True)
        )
        raise InputError(
            f"{path}: there is no column 'rating' and no column 'comment'; {_list(header)}. "
            f"If others hold them: {options}"
        )
    return found


def _within_struct(field: str, folded: Sequence[str]) -> str | None:
    """Return the column of that name within a struct, if there is one."""
    return next((name for name in folded if name.endswith(f".{field}")), None)


def folded_name(name: str) -> str:
    """Return a column's name without what does not matter: case, and what nobody sees around it."""
    return composed(trimmed(name)).casefold()


def _list(header: Sequence[str]) -> str:
    most = 30
    names = ", ".join(repr(trimmed(name)[:60]) for name in header[:most])
    more = f" and {len(header) - most} more" if len(header) > most else ""
    return f"the columns are {names}{more}"
