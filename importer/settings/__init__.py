"""What a job is to do, checked once."""

from importer.settings.import_settings import (
    FIELDS,
    PRODUCTION_URL,
    FailureLimit,
    ImportSettings,
    InputFormat,
    LongComments,
    Retry,
    check_url,
    recorded_settings,
)

__all__ = [
    "FIELDS",
    "PRODUCTION_URL",
    "FailureLimit",
    "ImportSettings",
    "InputFormat",
    "LongComments",
    "Retry",
    "check_url",
    "recorded_settings",
]
