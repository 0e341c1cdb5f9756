"""Drafts how an input is to be imported: what its columns hold, its encoding, its rating words.

A draft is for a person to look through. What is not clear stays undecided; nothing is guessed
about the meaning of single words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from importer.common.text import folded_name, is_blank, trimmed
from importer.common.uuids import canonical_uuid
from importer.errors import InputError
from importer.feedback.null_markers import is_null_marker
from importer.feedback.ratings import preset_for
from importer.settings import FIELDS, ImportSettings
from importer.sources.preview import Preview, preview

#: What the columns of a field are called elsewhere, as parts of their names.
_NAMES: Mapping[str, Sequence[str]] = {
    "rating": ("rating", "star", "score", "thumb", "vote", "reaction", "sentiment", "liked"),
    "comment": ("comment", "text", "remark", "note", "verbatim", "message", "feedback", "reason"),
}
#: Share of the cells of a column that must be UUIDs, or known words.
_NEARLY_ALL = 0.9


@dataclass(slots=True)
class Draft:
    """What is proposed for an input, beyond what its settings say already."""

    header: Sequence[str]
    #: The columns in which there is an id, as far as a look at the first rows can tell.
    with_ids: Sequence[str]
    #: The source column of each field for which one is clear and its name is not the field's.
    columns: dict[str, str] = field(default_factory=dict)
    #: The columns that may be meant, of the fields for which none is clear. Those that were given
    #: a column that there is not are among them.
    candidates: dict[str, Sequence[str]] = field(default_factory=dict)
    #: None if it is as the settings say.
    encoding: str | None = None
    #: None if that is as the settings say.
    skip_lines: int | None = None
    #: The preset that knows most of the rating words; None if none does.
    preset: str | None = None
    #: Words that programs write for no value at all.
    nulls: list[str] = field(default_factory=list)

    def values(self, settings: ImportSettings) -> dict[str, object]:
        """Return the options that the draft adds to `settings`, by flat name."""
        values: dict[str, object] = {}
        if self.encoding is not None:
            values["encoding"] = self.encoding
        if self.skip_lines is not None:
            values["skip_lines"] = self.skip_lines
        if self.columns:
            values["column"] = {**settings.mapping.columns, **self.columns}
        if self.preset is not None:
            values["ratings"] = [self.preset]
        if self.nulls:
            values["null"] = [*settings.mapping.nulls, *self.nulls]
        return values


def draft_for(settings: ImportSettings) -> Draft:
    """Return what is proposed, from the beginning of the first input. Raises `InputError`."""
    first = settings.reading.inputs[0]
    if not isinstance(first, Path):
        raise InputError(f"{first}: a draft is made from a local file: save the beginning to one")
    mapping = settings.mapping
    found = preview(first, settings.reading, mapping.columns)
    names = [*map(folded_name, found.header)]
    found = found._replace(rows=[row for row in found.rows if [*map(folded_name, row)] != names])
    with_ids = [name for name in found.header if _share_of_ids(found, name) > 0]
    draft = Draft(found.header, with_ids, encoding=found.encoding, skip_lines=found.skip_lines)
    _draft_columns(draft, found, mapping.columns)
    name = draft.columns.get("rating", mapping.columns.get("rating", "rating"))
    # As the input is read: a total has no rating.
    rows = [row for row in found.rows if any(map(canonical_uuid, row))]
    words = dict.fromkeys(_cells(found._replace(rows=rows), name))
    draft_words(draft, [
        word for word in words
        if not is_blank(word) and word.strip() not in mapping.nulls
        and mapping.ratings.meaning(word) is None
    ])  # fmt: skip
    return draft


def draft_words(draft: Draft, unknown: Sequence[str]) -> None:
    """Propose a preset that knows most of the words, and the words that stand for no value."""
    draft.nulls = list(dict.fromkeys(trimmed(word) for word in unknown if is_null_marker(word)))
    draft.preset = preset_for(unknown)


def _draft_columns(draft: Draft, found: Preview, given: Mapping[str, str]) -> None:
    taken = {folded_name(name) for name in given.values()}
    names = [name for name in found.header if folded_name(name) not in taken]
    header = {*map(folded_name, found.header)}
    known: set[str] = set()
    for one in FIELDS:
        if folded_name(given.get(one, one)) in header:
            known.add(one)
            continue
        if one == "conversation_id":
            fitting = [name for name in names if _share_of_ids(found, name) >= _NEARLY_ALL]
            fitting = [n for n in fitting if "conv" in folded_name(n)] or fitting
        else:
            fitting = [n for n in names if any(part in folded_name(n) for part in _NAMES[one])]
        if len(fitting) == 1 and one not in given:
            draft.columns[one] = fitting[0]
            names.remove(fitting[0])
            known.add(one)
        elif fitting or one == "conversation_id" or one in given:
            draft.candidates[one] = fitting or names
    if names and not known & {"rating", "comment"}:
        draft.candidates = {"rating": names, "comment": names} | draft.candidates


def _share_of_ids(found: Preview, name: str) -> float:
    cells = [cell for cell in _cells(found, name) if not is_blank(cell)]
    ids = sum(canonical_uuid(cell) is not None for cell in cells)
    return ids / len(cells) if cells else 0.0


def _cells(found: Preview, name: str) -> list[str]:
    folded = [folded_name(one) for one in found.header]
    if folded_name(name) not in folded:
        return []
    place = folded.index(folded_name(name))
    return [row[place] for row in found.rows if place < len(row)]
