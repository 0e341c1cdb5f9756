"""Drafts how an input is to be imported: what its columns hold, its encoding, its rating words.

A draft is for a person to look through. What is not clear stays undecided; nothing is guessed
about the meaning of single words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from importer.common.text import folded_name, is_blank, readable, trimmed
from importer.common.uuids import canonical_uuid
from importer.errors import InputError
from importer.feedback.null_markers import is_null_marker
from importer.feedback.ratings import preset_for
from importer.settings import FIELDS, ImportSettings
from importer.sources.preview import Preview, preview
from importer.survey.findings import Findings
from importer.workflows.likely_columns import (
    NEARLY_ALL,
    may_hold_comment,
    may_hold_rating,
    reads_like_rating,
    share_of,
)

#: Share of the cells of a column that must be UUIDs if lines such as totals count as well.
_MOST = 0.5
#: What the columns of a field are called elsewhere, as parts of their names.
_NAMES: Mapping[str, Sequence[str]] = {
    "rating": (
        "rating", "star", "score", "thumb", "vote", "reaction", "sentiment", "liked",
        "bewertung", "sterne", "évaluation", "étoile", "valoración", "estrella", "calificación",
    ),
    "comment": (
        "comment", "text", "remark", "note", "verbatim", "message", "feedback", "reason",
        "kommentar", "bemerkung", "anmerkung", "remarque", "comentario", "observación",
    ),
}  # fmt: skip


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
    #: None if it is as the settings say, empty if it is not known.
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
        if self.encoding:
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
    with_ids = {name: share for name in found.header if (share := _share_of_ids(found, name)) > 0}
    draft = Draft(found.header, [*with_ids], encoding=found.encoding, skip_lines=found.skip_lines)
    # A line without an id is a total or the like.
    found = found._replace(rows=[row for row in found.rows if any(map(canonical_uuid, row))])
    ids = [
        name
        for name, share in with_ids.items()
        if share >= _MOST and _share_of_ids(found, name) >= NEARLY_ALL
    ]
    _draft_columns(draft, found, ids, mapping.columns)
    name = draft.columns.get("rating", mapping.columns.get("rating", "rating"))
    draft_words(draft, [
        word for word in dict.fromkeys(_cells(found, name))
        if not is_blank(word) and word.strip() not in mapping.nulls
        and mapping.ratings.meaning(word) is None
    ])  # fmt: skip
    return draft


def propose_columns(found: Findings, settings: ImportSettings) -> None:
    """Note in what was found which columns may hold a field for which the inputs have none.

    Of inputs that are local files; a left-over file has what its inputs had.
    """
    missing = {"rating", "comment"}.difference(*(one.columns for one in found.inputs))
    if not (found.inputs and missing) or settings.reading.is_copied or found.has_left_overs:
        return
    first = found.inputs[0]
    ignored = set(first.ignored).intersection(*(one.ignored for one in found.inputs))
    with suppress(InputError):
        draft = draft_for(settings.replace(inputs=[Path(first.file)]))
        for one in sorted(missing):
            names = [draft.columns[one]] if one in draft.columns else draft.candidates.get(one, ())
            if names := [name for name in map(trimmed, names) if readable(name) in ignored]:
                first.likely[one] = names


def draft_words(draft: Draft, unknown: Sequence[str]) -> None:
    """Propose a preset that knows most of the words, and the words that stand for no value."""
    draft.nulls = list(dict.fromkeys(trimmed(word) for word in unknown if is_null_marker(word)))
    draft.preset = preset_for(unknown)


def _draft_columns(
    draft: Draft, found: Preview, ids: Sequence[str], given: Mapping[str, str]
) -> None:
    taken = {folded_name(name) for name in given.values()}
    header = {*map(folded_name, found.header)}
    cells_of = {
        name: _cells(found, name) for name in found.header if folded_name(name) not in taken
    }
    known: set[str] = set()
    for one in FIELDS:
        if folded_name(given.get(one, one)) in header:
            known.add(one)
            cells_of = {n: cells for n, cells in cells_of.items() if folded_name(n) != one}
            continue
        fitting = _fitting(one, cells_of, ids)
        if len(fitting) == 1 and one not in given:
            draft.columns[one] = fitting[0]
            del cells_of[fitting[0]]
            known.add(one)
        elif fitting or one == "conversation_id" or one in given:
            draft.candidates[one] = fitting or _likely(one, cells_of)
    if "rating" not in known | draft.candidates.keys() and (alike := _alike_ratings(cells_of)):
        draft.candidates["rating"] = alike
    if cells_of and not known & {"rating", "comment"}:
        draft.candidates = {
            one: _likely(one, cells_of) for one in ("rating", "comment")
        } | draft.candidates


def _fitting(
    field: str, cells_of: Mapping[str, Sequence[str]], ids: Sequence[str]
) -> Sequence[str]:
    """Return the columns that hold a field by their names, or those of `ids`."""
    if field == "conversation_id":
        ids = [name for name in ids if name in cells_of]
        return [name for name in ids if "conv" in folded_name(name)] or ids
    named = {
        name: cells
        for name, cells in cells_of.items()
        if any(part in folded_name(name) for part in _NAMES[field])
        and (field != "rating" or may_hold_rating(cells))
    }
    if field == "rating" and len(named) > 1 and (alike := _alike_ratings(named)):
        return alike
    return list(named)


def _likely(field: str, cells_of: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the columns that may hold a field by what stands in them; all if that tells none."""
    tests = {"rating": (reads_like_rating, may_hold_rating), "comment": (may_hold_comment,)}
    for test in tests.get(field, ()):
        if found := [name for name, cells in cells_of.items() if test(cells)]:
            return found
    return list(cells_of)


def _alike_ratings(cells_of: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return [name for name, cells in cells_of.items() if reads_like_rating(cells)]


def _share_of_ids(found: Preview, name: str) -> float:
    return share_of(_cells(found, name), lambda cell: canonical_uuid(cell) is not None)


def _cells(found: Preview, name: str) -> list[str]:
    folded = [folded_name(one) for one in found.header]
    if folded_name(name) not in folded:
        return []
    place = folded.index(folded_name(name))
    return [row[place] for row in found.rows if place < len(row)]
