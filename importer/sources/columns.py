"""How the columns of an input are found by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from importer.common.text import folded_name, nearest, shell_word, shown, trimmed
from importer.errors import InputError, MissingColumnError
from importer.settings import FIELDS
from importer.sources.own_columns import find_job_column

#: The cells of a row: its fields, then what decides which row of a conversation wins.
CELLS = (*FIELDS, "newest", "job")


def find_columns(
    input_name: str, header: Sequence[str], names: Mapping[str, str], newest_by: str | None = None
) -> dict[str, int]:
    """Return the position of the column of each of `CELLS`, but for those without a column.

    `input_name` is what messages call the input. `names` maps fields to source columns where they
    differ; `newest_by` names the column of the cell `newest`. Case and surrounding space do not
    matter. The cell `job` may be in any file: the importer's own have it. Errors name the columns
    found. Raises `MissingColumnError` if `conversation_id` or a column that was asked for is
    missing, or if neither `rating` nor `comment` is there; `InputError` if one of them appears
    twice.
    """
    folded = [folded_name(name) for name in header]
    occurrences = Counter(folded)
    found: dict[str, int] = {}
    wanted_columns = {field: names.get(field, field) for field in FIELDS}
    if newest_by is not None:
        wanted_columns["newest"] = newest_by
    for field, wanted in wanted_columns.items():
        times = occurrences[folded_name(wanted)]
        if times > 1:
            raise _doubled(input_name, header, {field: wanted}, names, times)
        if times == 1:
            found[field] = folded.index(folded_name(wanted))
        elif field in names or field in ("conversation_id", "newest"):
            meant = nearest(folded_name(wanted), folded)
            meant = _within_struct(field, folded) or meant
            hint = trimmed(header[folded.index(meant)]) if meant is not None else "NAME"
            raise MissingColumnError(
                f"{input_name}: there is no column {shown(wanted)}; {_list(header)}. "
                f"If another one holds it: {column_options({field: hint}, names)}"
            )
    if not found.keys() & {"rating", "comment"}:
        meant_by = {field: _within_struct(field, folded) for field in FIELDS[1:]}
        likely = {field: name for field, name in meant_by.items() if name is not None}
        options = column_options(likely or dict.fromkeys(FIELDS[1:], "NAME"), names)
        raise MissingColumnError(
            f"{input_name}: there is no column 'rating' and no column 'comment'; {_list(header)}. "
            f"If others hold them: {options}"
        )
    if (job := find_job_column(header)) is not None:
        found["job"] = job
    return found


def check_own_names(input_name: str, header: Sequence[str]) -> None:
    """Raise `InputError` if a column that has the name of a field appears twice."""
    occurrences = Counter(map(folded_name, header))
    for field in FIELDS:
        if (times := occurrences[field]) > 1:
            raise _doubled(input_name, header, {field: field}, {}, times)


def _doubled(
    input_name: str, header: Sequence[str], one: Mapping[str, str], names: Mapping[str, str],
    times: int,
) -> InputError:  # fmt: skip
    ((cell, name),) = one.items()
    return InputError(
        f"{input_name}: column {shown(name)} is there {times} times; {_list(header)}. Give each a "
        f"name of its own there, or name another one: {column_options({cell: 'NAME'}, names)}"
    )


def column_options(columns: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return the options that say which columns hold these cells.

    With them all `names` that were given otherwise: an argument takes the place of those of a
    configuration as a whole (docs/reference.md, C2), and a cell without a column is erased.
    """
    others = {} if "newest" in columns else names
    return " ".join(_option(cell, name) for cell, name in {**others, **columns}.items())


def _option(cell: str, column: str) -> str:
    """Return the option that says which column holds one of `CELLS`."""
    if cell == "newest":
        return f"--newest-by {shell_word(column)}"
    return f"--column {shell_word(f'{cell}={column}')}"


def _within_struct(field: str, folded: Sequence[str]) -> str | None:
    """Return the column of that name within a struct, if there is one."""
    return next((name for name in folded if name.endswith(f".{field}")), None)


def _list(header: Sequence[str]) -> str:
    most = 30
    names = ", ".join(shown(trimmed(name), 60) for name in header[:most])
    more = f" and {len(header) - most} more" if len(header) > most else ""
    return f"the columns are {names}{more}"
