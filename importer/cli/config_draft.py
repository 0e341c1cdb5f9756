"""`clarityq-import.toml`, drafted from an input: for `check --write-config` and `init`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from importer.cli.config_file import DEFAULT_FILE
from importer.cli.ratings_draft import toml_text, write_new
from importer.common.text import counted, shell_word, shown
from importer.feedback.ratings import PRESETS, RatingTable
from importer.settings import ImportSettings
from importer.settings.places import Place
from importer.survey.findings import Word
from importer.workflows.draft import Draft, draft_for

#: Returns the fields of which it is left open which column holds them.
Finish = Callable[[Mapping[str, Word]], Sequence[str]]

_HEAD = """\
# Options for clarityq-import, drafted from {inputs}.
# Look through them; what is to be decided stands as a comment. A clarityq-import.toml is read from
# the working directory by itself, a file of another name with --config.
"""
#: Why the encoding of a file is left to a person.
NO_LIKELY_ENCODING = "it is neither UTF-8 nor cp1252, perhaps cp850 (DOS) or mac_roman"
_UNKNOWN_WORDS = (
    "    # To be decided: POSITIVE, NEGATIVE, CLEAR (no rating), or SKIP, which leaves out the",
    "    # comments of these rows as well.",
)


def draft_config(
    path: Path,
    settings: ImportSettings,
    values: Mapping[str, object],
    console: Console,
    table: Path | None = None,
) -> tuple[ImportSettings, Finish]:
    """Draft what the inputs need, and say so.

    `values` are the options that were given, as a file would hold them. If the rating words get a
    `table` of their own, it is named in their place; it is to be there by then. Returns the
    settings with the draft in them, and what writes it to `path` when it is known which rating
    words, if any, the inputs hold.
    """
    draft = draft_for(settings)
    drafted = draft.values(settings)
    if draft.preset is not None:
        drafted["ratings"] = [*_list(values.get("ratings")), draft.preset]
    values = {**values, **drafted}
    if "ratings" in values:
        values["ratings"] = [_seen_from(path, str(part)) for part in _list(values["ratings"])]
    _print(draft, console)
    if isinstance(columns := values.get("column"), Mapping):
        clear = {one: name for one, name in columns.items() if one not in draft.candidates}
        values["column"] = clear or None
    values = {name: value for name, value in values.items() if value is not None}

    def finish(words: Mapping[str, Word]) -> Sequence[str]:
        if table is None or not words:
            return _finish(path, settings, values, draft, words, console)
        part = _seen_from(path, str(table))
        named = {**values, "ratings": [*_list(values.get("ratings")), part]}
        return _finish(path, settings, named, draft, {}, console)

    return settings.replace(**drafted), finish


def _seen_from(path: Path, part: str) -> str:
    """Return a part of a rating table as it is to stand in the configuration at `path`.

    A path in it is relative to the working directory, and one that is named may be used from any.
    """
    is_word = part in PRESETS or "=" in part
    return part if is_word or path == DEFAULT_FILE else str(Path(part).absolute())


def _finish(
    path: Path,
    settings: ImportSettings,
    values: Mapping[str, object],
    draft: Draft,
    words: Mapping[str, Word],
    console: Console,
) -> Sequence[str]:
    undecided = write_config(path, settings.reading.inputs, values, draft, words)
    todo = f"; decide on {counted(undecided, 'thing')} in it" if undecided else ""
    how = "it is read from here by itself"
    if path != DEFAULT_FILE:
        how = f"give it as --config {shell_word(str(path))}"
    console.print(f"{path} is written{todo}, and {how}")
    return list(draft.candidates)


def _print(draft: Draft, console: Console) -> None:
    for field, name in draft.columns.items():
        console.print(f"Drafted: {field} is in column {shown(name)}.")
    for field, names in draft.candidates.items():
        console.print(f"To be decided: which column holds {field}: {', '.join(map(shown, names))}")
    if draft.encoding:
        console.print(f"Drafted: the encoding is {draft.encoding}, since it is not UTF-8.")
    elif draft.encoding is not None:
        console.print(f"To be decided: the encoding: {NO_LIKELY_ENCODING}.")
    if draft.preset is not None:
        console.print(f"Drafted: the ratings are {draft.preset}.")
    if draft.nulls:
        console.print(f"Drafted: {', '.join(map(shown, draft.nulls))} in a cell means that it is "
                      "empty.")  # fmt: skip
    console.print()


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def write_config(
    path: Path,
    inputs: Sequence[Place],
    values: Mapping[str, object],
    draft: Draft,
    words: Mapping[str, Word],
) -> int:
    """Write the options `values` (by flat name) to `path`; return how many things are undecided.

    `words` are those of the rating column. Raises `SettingsError` if the file
    exists already or cannot be written.
    """
    known = RatingTable.parse(map(str, _list(values.get("ratings"))))
    unknown: Counter[str] = Counter()
    for word, one in words.items():
        if one.meaning is None and word not in draft.nulls:
            unknown[known.entry_for(word)] += one.rows
    undecided = len(unknown) + len(draft.candidates) + (draft.encoding == "")
    lines = [_HEAD.format(inputs=", ".join(map(str, inputs)))]
    if "product_id" not in values:
        undecided += 1
        lines.append('# product_id = "…"  # UUID of the product: copy it from the dashboard')
    if draft.encoding == "":
        lines.append(f'# encoding = "?"  # {NO_LIKELY_ENCODING}')
    lines += [
        f"{name} = {_value(value)}"
        for name, value in values.items()
        if name != "ratings" and not isinstance(value, Mapping)
    ]
    if unknown or "ratings" in values:
        lines += ["ratings = [", *(f"    {_value(part)}," for part in _list(values.get("ratings")))]
        lines += _UNKNOWN_WORDS if unknown else []
        for word, rows in unknown.items():
            lines.append(f"    # {toml_text(f'{word}=?')},  # {counted(rows, 'row')}")
        lines.append("]")
    for name, table in values.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{name}]", *(f"{_key(key)} = {_value(table[key])}" for key in table)]
    if draft.candidates and "column" not in values:
        lines += ["", "# [column]"]
    for field, names in draft.candidates.items():
        lines.append(f'# {field} = "?"  # perhaps one of: {", ".join(map(toml_text, names))}')
    write_new(path, "\n".join(lines) + "\n", "--write-config")
    return undecided


def _key(name: object) -> str:
    text = str(name)
    return text if text.replace("_", "").isalnum() and text.isascii() else toml_text(text)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return toml_text(str(value))
