"""The values of options that a TOML file holds, or variables, as click takes them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from importer.cli.hiding import NOT_SHOWN
from importer.cli.options import RUN_GROUPS, SQL_URL
from importer.common.text import did_you_mean, shell_word
from importer.errors import SettingsError
from importer.settings.derive import flat, options_of
from importer.settings.kinds import words_of
from importer.settings.option import PREFIX

_DECLARED = options_of(RUN_GROUPS)

#: Variables that Kubernetes puts into every Pod for a Service whose name begins as ours do.
_SERVICE_LINK = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

#: Characters of the shortest text that may be a key.
_SHORTEST_KEY = 8

#: Variables that are not options.
_OTHER_VARIABLES = {"CLARITYQ_API_KEY", "CLARITYQ_CONFIG", "CLARITYQ_IMPORT_COMPLETE", SQL_URL}


def read_toml(path: Path, given_by: str = "") -> dict[str, Any]:
    """Return what the file holds. Raises `SettingsError`, with the option that named it, if any."""
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{given_by}{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def from_table(
    path: Path, table: Mapping[str, Any], known: Mapping[str, click.Option], own: set[str],
    unset: Collection[str], *, found: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the values of a file as click takes them, but for those of options that are `unset`.

    `known` are all options, and `own` those of the command, whose values are looked at; `found` if
    nobody has named the file. Raises `SettingsError` for a name that is not known or a value that
    cannot be used.
    """
    if "api_key" in table or "api-key" in table:
        raise SettingsError(
            f"{path}: the API key does not belong in this file: set CLARITYQ_API_KEY or "
            "api_key_file"
        )
    try:
        values = flat(table, RUN_GROUPS, known)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"{path}: {name!r} is not known{did_you_mean(name, known)}")
        if name in unset:
            continue
        if found and name in _DECLARED and _DECLARED[name].guarded:
            raise SettingsError(
                f"{path} was merely found in the working directory, so {name!r} is not taken from "
                f"it. If you trust the file: --config {shell_word(str(path))}. Or set "
                f"{_DECLARED[name].variable}, or give {_DECLARED[name].flag}"
            )
        if isinstance(value, dict) and not known[name].multiple:
            raise SettingsError(f"{path}: {name!r} takes a value, not a table")
        if name in own:
            _check(f"{path}: {name}", name, value)
    return {
        name: _as_click_takes_it(known[name], value)
        for name, value in values.items()
        if name not in unset
    }


def from_environment(
    known: Mapping[str, click.Option], own: set[str], unset: Collection[str]
) -> dict[str, Any]:
    """Return the values of variables as click takes them, but for those of options `unset`.

    `known` are all options, and `own` those of the command, whose values are looked at. Raises
    `SettingsError` for a variable that is not known or a value that cannot be used.
    """
    variables = {PREFIX + name.upper(): name for name in known}
    values: dict[str, Any] = {}
    for variable, text in os.environ.items():
        if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES:
            continue
        if _is_service_link(variable, text):
            continue
        if variable not in variables:
            meant = did_you_mean(variable, {*variables, *_OTHER_VARIABLES})
            raise SettingsError(
                f"the environment variable {variable} is not known{meant} (unset it or correct it)"
            )
        name = variables[variable]
        if text and name not in unset:
            values[name] = text.split(",") if known[name].multiple else text
            if name in own:
                _check_variable(variable, name, values[name])
    return values


def _is_service_link(variable: str, text: str) -> bool:
    if variable.endswith("_PORT") and _SERVICE_ADDRESS.match(text):
        return True
    return _SERVICE_LINK.fullmatch(variable) is not None


def readable(
    table: Mapping[str, Any], known: Mapping[str, click.Option], *, found: bool
) -> dict[str, Any]:
    """Return the options of a run that a file and the environment name, whatever else they hold."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        parts = [{key: {inner: value[inner]}} for inner in value] if isinstance(value, dict) else []
        for part in parts or [{key: value}]:
            with suppress(ValueError):
                values |= flat(part, RUN_GROUPS)
    if found:
        values = {name: value for name, value in values.items() if not _DECLARED[name].guarded}
    values |= {
        name: os.environ[option.variable]
        for name, option in _DECLARED.items()
        if os.environ.get(option.variable)
    }
    return {
        name: _as_click_takes_it(known[name], value)
        for name, value in values.items()
        if name in known
    }


def _check_variable(variable: str, name: str, value: object) -> None:
    """Raise `SettingsError` as `_check` does, without the value if that may be a key."""
    try:
        _check(variable, name, value)
    except SettingsError as error:
        text = str(error)
        for word in words_of(value):
            if len(word) >= _SHORTEST_KEY:
                text = text.replace(repr(word), NOT_SHOWN).replace(word, NOT_SHOWN)
        raise SettingsError(text) from None


def _check(label: str, name: str, value: object) -> None:
    """Raise `SettingsError`, which begins with the label, if an option cannot have the value."""
    try:
        if name in _DECLARED:
            _DECLARED[name].read(value)
    except ValueError as error:
        raise SettingsError(f"{label} {error}") from None


def _as_click_takes_it(option: click.Option, value: object) -> object:
    if option.multiple:
        return words_of(value)
    return value if isinstance(value, bool) else str(value)
