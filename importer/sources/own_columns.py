"""The columns that the importer adds to left-over files, and how it knows them again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from importer.common.text import folded_name

#: In this order; `file` is there only if a job has several inputs.
OWN_COLUMNS = ("file", "job", "row", "reason", "http_status", "attempts", "detail")
_PREFIX = "import_"
#: How a row is named in the column `job`: by the folder of a job, and its number there.
_PLACE = re.compile(r"[^.].*-[0-9a-f]{8}-\d+[@#]\d+")


class OwnColumns(NamedTuple):
    """Where the importer's own columns stand in a header; they are its last ones."""

    start: int
    #: The place of the column with the name of the job that first brought the row.
    job: int
    #: The place of the column with its number in that job's input.
    row: int


def own_names(taken: Collection[str], *, with_file: bool) -> list[str]:
    """Return names for our columns that differ from all `taken` ones."""
    used = {folded_name(name) for name in taken}
    return [_free(name, used) for name in OWN_COLUMNS[0 if with_file else 1 :]]


def find_own_columns(header: Sequence[str]) -> OwnColumns | None:
    """Return where our columns are in the header of a left-over file; None for other files."""
    for wanted in (OWN_COLUMNS, OWN_COLUMNS[1:]):
        last = header[-len(wanted) :]
        if len(last) == len(wanted) and all(map(_is_ours, last, wanted)):
            start = len(header) - len(wanted)
            return OwnColumns(start, *(start + wanted.index(name) for name in ("job", "row")))
    return None


def find_job_column(header: Sequence[str]) -> int | None:
    """Return the place of the column that may name jobs, also where others of ours are gone."""
    places = [place for place, name in enumerate(header) if _is_ours(name, "job")]
    return places[-1] if places else None


def place_in(line: str, delimiter: str) -> str:
    """Return what the cell `job` of a line of a left-over file says that could not be split.

    Empty if it is not sure: if not just one cell says where a row stood.
    """
    cells = {cell.strip('"') for cell in re.split(rf"[{re.escape(delimiter)}\r\n]", line)}
    found = [cell for cell in cells if _PLACE.fullmatch(cell)]
    return found[0] if len(found) == 1 else ""


def places_among(names: Iterable[str], known: Sequence[str]) -> list[int | None]:
    """Return the place of each of the `names` among the `known` ones, each of which is taken once.

    All are folded; None stands for a name that is not there.
    """
    places: list[int | None] = []
    for name in names:
        free = (i for i, one in enumerate(known) if one == name and i not in places)
        places.append(next(free, None))
    return places


def _free(name: str, used: Collection[str]) -> str:
    if name not in used:
        return name
    number, found = 1, _PREFIX + name
    while found in used:
        number += 1
        found = f"{_PREFIX}{name}_{number}"
    return found


def _is_ours(name: str, wanted: str) -> bool:
    return re.fullmatch(rf"{wanted}|{_PREFIX}{wanted}(_\d+)?", folded_name(name)) is not None
