"""Forgetting over invented histories, killed between any two writes and done again.

Afterwards no byte of the conversation is there, and all other accounts and ranks are as they were.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from importer.common import files
from importer.jobs import bodies, sqlite_file
from importer.jobs.journal_reader import JournalReader
from importer.jobs.keys import key_of
from importer.workflows import forget as whole
from importer.workflows import forget_files
from importer.workflows.forget import forget
from tests.property.test_undo import World
from tests.support.data import conversation
from tests.support.jobs import Desk
from tests.support.traces import traces

HISTORIES = 60


class KilledError(BaseException):
    """The process is gone."""


class Kills:
    """Kills after so many writes: before a transaction or a file lasts, or when it has."""

    def __init__(self, patch: pytest.MonkeyPatch, after: int) -> None:
        self._left = after
        for name in ("transaction", "synced"):
            self._wrap(patch, sqlite_file, name)
        for module in (bodies, forget_files, whole):
            self._wrap(patch, module, "atomic_write", of=files)

    def _wrap(self, patch: pytest.MonkeyPatch, module: Any, name: str, of: Any = None) -> None:
        real: Callable[..., Any] = getattr(of or module, name)

        @contextmanager
        def watched(*arguments: Any, **options: Any) -> Iterator[Any]:
            with real(*arguments, **options) as found:
                yield found
                self._left -= 1
                if self._left == 0:
                    if of is files:  # which nobody removes then
                        shutil.copy(found, found.with_name(".half.new"))
                    raise KilledError
            self._left -= 1
            if self._left == 0:  # when it has lasted
                raise KilledError

        patch.setattr(module, name, watched)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_no_byte_stays_and_accounts_and_ranks_do(tmp_path: Path, part: int) -> None:
    killed = 0
    for seed in range(part, HISTORIES, 4):
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = World(Desk(folder), chance)
        for _ in range(chance.randint(1, 4)):
            world.night()
            if chance.random() < 0.15:
                world.prune()
        jobs = world.desk.jobs_dir
        give_up_unfinished(world)
        number = chance.randint(1, 5)
        who = conversation(number)
        texts = {body.comment for job in world.past for n, (body, _) in job.rows.items()
                 if n == number and body.comment is not None}  # fmt: skip
        texts -= {body.comment for job in world.past for n, (body, _) in job.rows.items()
                  if n != number}  # fmt: skip
        before = accounts(world)
        with pytest.MonkeyPatch.context() as patch:
            Kills(patch, chance.randint(1, 20))
            try:
                forget(jobs, [who])
            except KilledError:
                killed += 1
        assert forget(jobs, [who]).is_complete
        assert traces(jobs, who, *filter(None, texts)) == [], f"seed {seed}"
        assert accounts(world) == before, f"seed {seed}"
    assert killed > 3  # or nothing was tried


def give_up_unfinished(world: World) -> None:
    with world.desk.hold("a") as product:
        for job in product.jobs:
            if job.is_in_the_way:
                product.abandon(job, 3.0)


def accounts(world: World) -> list[object]:
    """Return the totals of all jobs, and the rank of each conversation."""
    found: list[object] = []
    for job in world.past:
        if job.here:
            with JournalReader(world.desk.jobs_dir / job.name) as journal:
                found.append(journal.totals())
    keys = [key_of(conversation(number)) for number in range(1, 6)]
    with world.desk.hold("a") as product:
        lines = product.look_up(keys)
        return [*found, [(lines[key].rank, lines[key].run) for key in keys if key in lines]]
