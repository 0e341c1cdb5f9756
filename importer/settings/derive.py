"""What is made of the declared options: flat names, tables, records, the schema of a file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from importer.common.text import did_you_mean
from importer.settings.kinds import FLAG
from importer.settings.option import REQUIRED, Group, Option

_Group = TypeVar("_Group", bound=Group)
Groups = Collection[type[Group]]


def options_of(groups: Groups) -> dict[str, Option]:
    """Return the options of the groups, by flat name."""
    return {option.name: option for group in groups for option in group.options}


def flat(
    table: Mapping[str, object], groups: Groups, others: Collection[str] = ()
) -> dict[str, object]:
    """Return the values of a `table`, by flat name; `others` are flat names that it may hold, too.

    An option may stand there by its flat name (`retry_first`), or in a table of its group, where
    its field's name will do (`[retries] first`). Hyphens count as underscores. Raises `ValueError`
    for a name that is not known or that is there twice.
    """
    tables = {group.table: group for group in groups}
    names = {*options_of(groups), *others}
    values: dict[str, object] = {}

    def put(name: str, value: object, key: str) -> None:
        if name in values:
            raise ValueError(f"{key!r} is set twice")
        values[name] = value

    for key, value in table.items():
        name = str(key).replace("-", "_")
        if name in names:
            put(name, value, key)
        elif name not in tables:
            raise ValueError(_not_known(str(key), value, groups, others))
        elif not isinstance(value, Mapping):
            raise ValueError(f"{key!r} is a table of options, such as {_example(tables[name])}")
        else:
            for inner, item in value.items():
                put(_in_table(tables[name], str(inner), groups, others), item, f"{key}.{inner}")
    return values


def _not_known(key: str, value: object, groups: Groups, others: Collection[str]) -> str:
    """Return that a name above all tables is not known, and what it may have been meant to be."""
    name, tables, options = (
        key.replace("-", "_"),
        {group.table for group in groups},
        options_of(groups),
    )
    if not isinstance(value, Mapping):
        return f"{key!r} is not known{did_you_mean(name, {*options, *others, *tables})}"
    for inner in map(str, value):
        if where := _where_it_belongs(inner, groups, others):
            return f"'{key}.{inner}' is not known{where}"
    as_table = {option.name for option in options.values() if option.kind.many}
    return f"{key!r} is not known{did_you_mean(name, {*tables, *as_table})}"


def _where_it_belongs(key: str, groups: Groups, others: Collection[str]) -> str:
    """Return the end of a message on a name in a table that has no such option; empty if none has.

    By its flat name an option may also stand above all tables, and one of the `others` only there.
    """
    name = key.replace("-", "_")
    by_name = [group.table for group in groups if name in options_of([group])]
    by_field = [group.table for group in groups for one in group.options if name == one.field]
    places = [f"in [{table}]" for table in by_name or by_field]
    if by_name or name in others:
        places.append("above all tables")
    return f"; {name} belongs {' or '.join(places)}" if places else ""


def _in_table(group: type[Group], key: str, groups: Groups, others: Collection[str]) -> str:
    name = key.replace("-", "_")
    names = {option.field: option.name for option in group.options}
    names |= {option.name: option.name for option in group.options}
    if name not in names:
        meant = _where_it_belongs(key, groups, others) or did_you_mean(
            name, {option.field for option in group.options}
        )
        raise ValueError(f"'{group.table}.{key}' is not known{meant}")
    return names[name]


def _example(group: type[Group]) -> str:
    return f"[{group.table}] {group.options[0].field} = …"


def build(group: type[_Group], values: Mapping[str, object]) -> _Group:
    """Return the group with those of the `values` (by flat name) that are its own.

    Raises `SettingsError`.
    """
    return group(**{
        option.field: values[option.name] for option in group.options if option.name in values
    })  # fmt: skip


def values_of(groups: Iterable[Group]) -> dict[str, object]:
    """Return what was read, by flat name; secrets are among it."""
    return {
        option.name: getattr(group, option.field) for group in groups for option in group.options
    }


def record_of(groups: Iterable[Group]) -> dict[str, object]:
    """Return the values as JSON and TOML can hold them, by flat name, without secrets."""
    return {
        option.name: option.write(getattr(group, option.field))
        for group in groups
        for option in group.options
        if not option.secret
    }


def described(record: Mapping[str, object], groups: Groups) -> list[tuple[str, str]]:
    """Return the options that a record holds, by their labels, with their values in words."""
    return [
        (option.label, _in_words(option, value))
        for name, option in options_of(groups).items()
        if (value := record.get(name)) is not None and value is not False and value != {}
    ]


def defaults_among(record: Mapping[str, object], groups: Groups) -> list[str]:
    """Return the labels of the options that a record holds as they are by default."""
    return [
        option.label
        for name, option in options_of(groups).items()
        if (value := record.get(name)) is not None
        and option.default not in (None, REQUIRED)
        and _in_words(option, value) == _in_words(option, option.default)
    ]


def _in_words(option: Option, recorded: object) -> str:
    try:
        return option.kind.show(option.read(recorded))
    except ValueError:  # such as a file that is no longer there
        return str(recorded)


def arguments(values: Mapping[str, object], groups: Groups) -> list[str]:
    """Return the command-line arguments that say the same as `values` (by flat name).

    In the place of a secret stands the variable that sets it, which a shell puts in.
    """
    words: list[str] = []
    for name, option in options_of(groups).items():
        if name not in values or not option.flag:
            continue
        value = values[name]
        if option.secret:
            words += [option.flag, f"${option.variable}"]
        elif option.kind is FLAG:
            words += [option.flag] if option.read(value) else []
        elif option.kind.many:
            for word in option.kind.words(value):
                words += [option.flag, word]
        else:
            words += [option.flag, option.kind.show(option.read(value))]
    return words


def json_schema(groups: Groups, others: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return the JSON Schema of a TOML file with these options; `others` are properties, too."""
    properties: dict[str, object] = {}
    for group in groups:
        table: dict[str, object] = {}
        for option in group.options:
            if option.flag:
                properties[option.name] = _property(option)
                table |= dict.fromkeys((option.field, option.name), _property(option))
        properties[group.table] = {"description": group.__doc__, **_object(table)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clarityq-import.toml",
        **_object({**properties, **(others or {})}),
    }


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _property(option: Option) -> dict[str, object]:
    found: dict[str, object] = {"description": option.help, **option.kind.schema}
    if option.between is not None:
        found["minimum"], found["maximum"] = option.between
    if option.default not in (None, (), REQUIRED):
        found["default"] = option.write(option.default)
    return found
