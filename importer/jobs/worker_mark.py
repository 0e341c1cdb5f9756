"""A mark in the jobs folder while other processes send for a run.

If the run is killed, its workers do not know at once. Each of them may start requests until its
lease has ended, so the next run of the product waits for that long before its own time begins.
"""

from __future__ import annotations

import os
from contextlib import suppress

from importer.common.files import private_opener, sync_folder
from importer.errors import SettingsError
from importer.jobs.identity import product_key
from importer.settings import ImportSettings

#: Seconds for which a worker may start requests after its coordinator has heard from it.
LEASE = 5.0


class WorkerMark:
    """The mark of one product, which the caller holds."""

    def __init__(self, settings: ImportSettings) -> None:
        self._folder = settings.job.jobs_dir
        self._path = self._folder / f".{product_key(settings).name}.workers"

    def is_set(self) -> bool:
        """Return whether workers of an earlier run may still start requests."""
        return self._path.exists()

    def set(self) -> None:
        """Note, durably, that there are workers now. Raises `SettingsError`."""
        try:
            with open(self._path, "w", encoding="utf-8", opener=private_opener) as file:
                os.fsync(file.fileno())
            sync_folder(self._folder)
        except OSError as error:
            raise SettingsError(
                f"--jobs-dir {self._folder} cannot be written: {error.strerror}"
            ) from None

    def clear(self) -> None:
        """There is none any more."""
        with suppress(OSError):  # then the next run waits in vain
            self._path.unlink(missing_ok=True)
