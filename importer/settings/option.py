"""What an option is, and groups of them.

A group is declared as a class with a line for each option::

    class Retries(Group, table="retries"):
        first: Duration = option(0.5, "First wait …", between=(0.001, WEEK), flag="--retry-first")

All else is derived from that line: how its value is read and checked, its flag, keys and variable,
and what `derive` makes of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, ClassVar, Final, Self, dataclass_transform, get_args

from importer.errors import SettingsError
from importer.settings.kinds import BY_TYPE, FLAG, Kind, Value, choice

#: The default of an option that has to be given.
REQUIRED: Final = object()
#: How the variables of options begin.
PREFIX = "CLARITYQ_"


def option(
    default: object,
    help: str,  # noqa: A002 -- as click calls it
    *,
    between: tuple[float, float] | None = None,
    flag: str | None = None,
    unset: str = "",
    secret: bool = False,
    identity: bool = False,
    guarded: bool = False,
) -> Value:
    """Declare an option of a `Group`, with its default (or `REQUIRED`) and a sentence of help.

    between: the least and the greatest value.
    flag: its name on the command line, if that is not `--` and the field's name; `""` for none.
    unset: what happens without it, in words, if the default does not tell.
    secret: its value is kept out of the journal, the report, printed commands and messages.
    identity: jobs that differ in it are different jobs.
    guarded: a configuration file that was merely found may not set it.
    """
    details = {
        "help": help, "between": between, "flag": flag, "unset": unset, "secret": secret,
        "identity": identity, "guarded": guarded,
    }  # fmt: skip
    return dataclasses.field(default=default, repr=not secret, metadata=details)


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option, as it was declared (see `option`); `table` and `field` say where it stands."""

    table: str
    field: str
    flag: str
    kind: Kind
    #: Whether its value may be None.
    optional: bool
    default: Value
    help: str
    between: tuple[float, float] | None
    unset: str
    secret: bool
    identity: bool
    guarded: bool

    @classmethod
    def of(cls, table: str, field: dataclasses.Field[Any]) -> Self:
        """Return the option that is declared by a field of the group that has this table."""
        details = dict(field.metadata)
        flag = details.pop("flag")
        if flag is None:
            flag = "--" + field.name.replace("_", "-")
        kind, optional = _kind_of(field.type)
        return cls(
            table=table, field=field.name, flag=flag, kind=kind, optional=optional,
            default=field.default, **details,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The flat name: its key in TOML, and its keyword for `ImportSettings.of`."""
        return self.flag.removeprefix("--").replace("-", "_") or self.field

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.flag or self.name

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    @property
    def default_text(self) -> str:
        """The default in words, as one would type it; empty if there is nothing to say."""
        if self.unset or self.default in (None, (), REQUIRED) or self.kind is FLAG:
            return self.unset
        return self.kind.show(self.default)

    @property
    def bounds(self) -> str:
        """The least and the greatest value in words; empty if there are none."""
        return " to ".join(
            f"{bound:,}" if isinstance(bound, int) else self.kind.show(bound)
            for bound in self.between or ()
        )

    def read(self, value: object) -> Value:
        """Return what `value` means, which is what a person wrote, or an earlier result.

        Raises `ValueError`, in words that follow the option's name.
        """
        if value is REQUIRED:
            raise ValueError(f"is missing: {self.help}")
        if value is None and self.optional:
            return None
        try:
            return self._within_bounds(self.kind.read(value), value)
        except ValueError as error:
            text = str(error)
            raise ValueError(
                text.replace(repr(value), "(not shown)") if self.secret else text
            ) from None

    def _within_bounds(self, found: Value, written: object) -> Value:
        if self.between and not self.between[0] <= found <= self.between[1]:
            raise ValueError(f"must be from {self.bounds}; it is {written!r}")
        return found

    def write(self, value: Value) -> object:
        """Return a value that was read as JSON and TOML can hold it."""
        return None if value is None else self.kind.write(value)


class OptionError(SettingsError):
    """The value of one option cannot be used; `why` are words that follow the option's name."""

    def __init__(self, option: Option, why: str) -> None:
        super().__init__(f"{option.label} {why}")
        self.option = option
        self.why = why


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Group:
    """Options that belong together; frozen. Takes for each what a person would write.

    `table` is its name in TOML files and its title in the help. Raises `OptionError` for a value
    that cannot be used.
    """

    table: ClassVar[str]
    options: ClassVar[tuple[Option, ...]]

    def __init_subclass__(cls, *, table: str) -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        cls.table = table
        declared: Mapping[str, dataclasses.Field[Any]] = cls.__dict__["__dataclass_fields__"]
        cls.options = tuple(
            Option.of(table, field) for field in declared.values() if field.metadata
        )

    def __post_init__(self) -> None:
        for one in self.options:
            try:
                value = one.read(getattr(self, one.field))
            except ValueError as error:
                raise OptionError(one, str(error)) from None
            object.__setattr__(self, one.field, value)


def _kind_of(annotation: Value) -> tuple[Kind, bool]:
    """Return the kind that an annotation means, and whether it may be None."""
    parts = get_args(annotation)
    optional = NoneType in parts
    part = next(part for part in parts if part is not NoneType) if optional else annotation
    for detail in getattr(part, "__metadata__", ()):
        if isinstance(detail, Kind):
            return detail, optional
    return (choice(part) if issubclass(part, StrEnum) else BY_TYPE[part]), optional
