"""What a job is to do, checked once. Knows no command line, no environment and no key."""

# The groups are found by their annotations, so they are not put off.

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from importer.errors import SettingsError
from importer.settings.derive import (
    build,
    defaults_among,
    described,
    flat,
    options_of,
    record_of,
    values_of,
)
from importer.settings.groups import (
    AbortRules,
    Deferral,
    Exports,
    JobRules,
    LedgerUse,
    Pacing,
    Reading,
    Retries,
    RowMapping,
    Scale,
    Target,
    Timeouts,
)
from importer.settings.option import Group, OptionError
from importer.settings.values import Retry


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSettings:
    """One import, as groups of settings. Durations are in seconds. `of` is the easy way to one.

    `retry` says which completed rows of the job are tried again; None imports as usual.
    """

    target: Target
    reading: Reading
    mapping: RowMapping = field(default_factory=RowMapping)
    pacing: Pacing = field(default_factory=Pacing)
    retries: Retries = field(default_factory=Retries)
    deferral: Deferral = field(default_factory=Deferral)
    timeouts: Timeouts = field(default_factory=Timeouts)
    abort_rules: AbortRules = field(default_factory=AbortRules)
    ledger: LedgerUse = field(default_factory=LedgerUse)
    job: JobRules = field(default_factory=JobRules)
    scale: Scale = field(default_factory=Scale)
    exports: Exports = field(default_factory=Exports)
    retry: Retry | None = None

    @classmethod
    def of(cls, *, retry: Retry | None = None, **options: object) -> Self:
        """Return the settings that these options mean; `inputs` and `product_id` are required.

        An option is named as on the command line, with underscores (`retry_first`), or stands in a
        table of its group (`retries={"first": …}`). It takes what a person would write: `"3s"` or
        seconds, `"thumbs"`, `"5%"`, one path or several. docs/options.md lists all.

        Raises `SettingsError` for a name that is not known or a value that cannot be used, which it
        begins with.
        """
        try:
            return cls.read(options, retry)
        except OptionError as error:
            raise SettingsError(f"{error.option.name} {error.why}") from None

    @classmethod
    def read(cls, options: Mapping[str, object], retry: Retry | None = None) -> Self:
        """Return the same as `of`; messages name an option as the command line does."""
        if not isinstance(retry, Retry | None):
            raise SettingsError(
                f"the option 'retry' is a Retry; it is {retry!r}. The table of options is 'retries'"
            )
        values = _flat(options)
        groups: dict[str, Any] = {
            name: build(group, values) for name, group in SETTINGS_GROUPS.items()
        }
        return cls(**groups, retry=retry)

    def replace(self, **options: object) -> Self:
        """Return these settings with some of the options changed, given as to `of`."""
        return self.of(retry=self.retry, **{**values_of(self.groups()), **_flat(options)})

    def groups(self) -> list[Group]:
        """Return the groups, in the order in which they are declared."""
        return [getattr(self, name) for name in SETTINGS_GROUPS]

    def as_record(self) -> dict[str, object]:
        """Return the options as JSON can hold them, without secrets; `of` takes them again."""
        return record_of(self.groups())

    def identity(self) -> dict[str, object]:
        """Return, as JSON can hold it, what makes a job of these settings another one."""
        record = {**self.as_record(), "base_url": self.target.service}
        options = options_of(SETTINGS_GROUPS.values())
        return {name: record[name] for name, option in options.items() if option.identity}


#: The groups of an import, by the name of their field and of their table.
SETTINGS_GROUPS: Mapping[str, type[Group]] = {
    one.name: one.type
    for one in dataclasses.fields(ImportSettings)
    if isinstance(one.type, type) and issubclass(one.type, Group)
}


def _flat(options: Mapping[str, object]) -> dict[str, object]:
    try:
        return flat(options, SETTINGS_GROUPS.values())
    except ValueError as error:
        raise SettingsError(f"the option {error}") from None


def described_settings(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options of a record (see `as_record`), as flag and value, for people."""
    # The address of a rehearsal's mock server is nobody's choice.
    told = {k: v for k, v in record.items() if k != "base_url" or not record.get("sandbox")}
    return described(told, SETTINGS_GROUPS.values())


def settings_by_default(record: Mapping[str, Any]) -> list[str]:
    """Return the flags of the options of a record (see `as_record`) that are as by default."""
    return defaults_among(record, SETTINGS_GROUPS.values())
