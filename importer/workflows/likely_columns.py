"""Tells by what stands in a column which field it may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from importer.common.text import is_blank, trimmed
from importer.common.uuids import canonical_uuid
from importer.feedback.null_markers import is_null_marker
from importer.feedback.ratings import RatingTable, preset_for

#: Share of the cells of a column that must be of a kind.
NEARLY_ALL = 0.9
#: The highest number of the usual scales.
_SCALE = 10
#: Numbers that count up by chance if they are fewer.
_LEAST_COUNTED = 3
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_DATE = re.compile(
    r"((19|20)\d\d(?P<a>[-/.]?)(0\d|1[0-2])(?P=a)[0-3]\d|\d{1,2}(?P<b>[-/.])\d{1,2}(?P=b)\d{2,4})"
    r"([T ,].*)?",
    re.ASCII,
)
#: A day and a month, as a spreadsheet shows what it takes for a date of this year: `05-May`.
_DAY = re.compile(
    r"(?P<day>[0-3]?\d[-./]? ?)?(jan|feb|fév|mar|mär|apr|avr|abr|ma[iy]|jui?n|jui?l|aug|ago|aoû|sep"
    r"|okt|oct|nov|de[cz]|déc|dic|ene)[^\W\d]{0,7}\.?(?(day)|[- ][0-3]?\d)",
    re.IGNORECASE,
)
#: Words of a rating that any other column of yes or no holds as well.
_FLAGS = {"true", "false", "yes", "no", "0", "1"}
_API_WORDS = RatingTable()


def may_hold_rating(cells: Sequence[str]) -> bool:
    """Return whether a column may hold ratings: no ids, no dates, no numbers of orders."""
    cells = _filled(cells)
    return not (_are_ids(cells) or _are_dates(cells) or _all_differ(cells))


def reads_like_date(word: str) -> bool:
    """Return whether a word is a date, as a spreadsheet writes what it has taken for one."""
    word = trimmed(word)
    return _DATE.fullmatch(word) is not None or _DAY.fullmatch(word) is not None


def reads_like_rating(cells: Sequence[str]) -> bool:
    """Return whether a column holds ratings, as far as its words tell."""
    cells = _filled(cells)
    if _count_up(cells) or not may_hold_rating(cells):
        return False
    words = [word for word in dict.fromkeys(cells) if word.casefold() not in _FLAGS]
    of_the_api = sum(_API_WORDS.meaning(word) is not None for word in words)
    return 2 * of_the_api > len(words) or preset_for(words) is not None


def may_hold_comment(cells: Sequence[str]) -> bool:
    """Return whether a column may hold comments: texts, and not words of another kind."""
    cells = _filled(cells)
    return not (
        _are_ids(cells)
        or _are_dates(cells)
        or _are_numbers(cells)
        or share_of(cells, lambda cell: cell.casefold() in _FLAGS) >= NEARLY_ALL
        or reads_like_rating(cells)
    )


def share_of(cells: Sequence[str], is_of_kind: Callable[[str], bool]) -> float:
    """Return the share of the cells, without blank ones, that are of a kind; 0 if there is none."""
    cells = _filled(cells)
    return sum(map(is_of_kind, cells)) / len(cells) if cells else 0.0


def _are_ids(cells: Sequence[str]) -> bool:
    return share_of(cells, lambda cell: canonical_uuid(cell) is not None) >= NEARLY_ALL


def _are_dates(cells: Sequence[str]) -> bool:
    return share_of(cells, lambda cell: _DATE.fullmatch(cell) is not None) >= NEARLY_ALL


def _are_numbers(cells: Sequence[str]) -> bool:
    return share_of(cells, lambda cell: _NUMBER.fullmatch(cell) is not None) >= NEARLY_ALL


def _all_differ(cells: Sequence[str]) -> bool:
    """Return whether the cells are numbers, each another one, and beyond any usual scale."""
    if len({*cells}) < max(2, len(cells)) or not _are_numbers(cells):
        return False
    return any(int(cell) > _SCALE for cell in cells if _WHOLE.fullmatch(cell))


def _count_up(cells: Sequence[str]) -> bool:
    """Return whether the cells number the rows."""
    if len(cells) < _LEAST_COUNTED or not all(map(_WHOLE.fullmatch, cells)):
        return False
    return all(int(later) == int(one) + 1 for one, later in pairwise(cells))


def _filled(cells: Sequence[str]) -> list[str]:
    return [trimmed(cell) for cell in cells if not is_blank(cell) and not is_null_marker(cell)]
