"""What a job is to do: options that are declared once, and checked once."""

from importer.settings.import_settings import (
    SETTINGS_GROUPS,
    ImportSettings,
    described_settings,
    settings_by_default,
)
from importer.settings.values import (
    FIELDS,
    NO_PRODUCT,
    PRODUCTION_URL,
    SANDBOX,
    DataLimit,
    FailureLimit,
    InputFormat,
    LongComments,
    NotifyFormat,
    Retry,
)

__all__ = [
    "FIELDS",
    "NO_PRODUCT",
    "PRODUCTION_URL",
    "SANDBOX",
    "SETTINGS_GROUPS",
    "DataLimit",
    "FailureLimit",
    "ImportSettings",
    "InputFormat",
    "LongComments",
    "NotifyFormat",
    "Retry",
    "described_settings",
    "settings_by_default",
]
