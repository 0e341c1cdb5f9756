"""A fortnight of nightly imports that nobody watches, against a model of what they must come to.

The nights follow each other at once: what a night is, the service decides (which conversations are
completed, whether it is down), and the waits of the importer are cut short by its own options.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from importer.errors import ExitCode
from importer.sandbox.faults import FaultPicker, Faults, RequestFault
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.watched import Body, WatchedSandbox

pytestmark = pytest.mark.slow

NIGHTS = 14
OUTAGE, REBOOT, OVERLAP, CORRECTION = 5, 8, 10, 12
_FIRST, _NEW, _CHANGED = 3000, 300, 0.03
_INCOMPLETE = 0.02
OPTIONS = (
    "--skip-unchanged", "--carry-over", "--quiet", "--concurrency", "8", "--rate", "600",
    "--defer-first", "50ms", "--defer-for", "100ms", "--late-effect", "0", "--outage-for", "200ms",
)  # fmt: skip


class Product(FaultPicker):
    """What the product's users do night by night: the truth that the dumps are taken from."""

    def __init__(self) -> None:
        super().__init__(Faults())
        self.night = 0
        self.ratings: dict[int, str] = {}
        self._dice = random.Random(6)
        self._completed_in: dict[str, int] = {}

    def pass_day(self) -> list[int]:
        """Let conversations and ratings come and change; return those that did."""
        self.night += 1
        old = list(self.ratings)
        changed = self._dice.sample(old, int(_CHANGED * len(old)))
        new = range(len(old), len(old) + (_NEW if old else _FIRST))
        for number in new:
            late = self._dice.randint(1, 3) if self._dice.random() < _INCOMPLETE else 0
            self._completed_in[conversation(number)] = self.night + late
        for number in changed:
            self.ratings[number] = {"up": "down", "down": "up"}[self.ratings[number]]
        for number in new:
            self.ratings[number] = self._dice.choice(["up", "down"])
        return [*changed, *new]

    def completed(self, who: str) -> bool:
        return self.night >= self._completed_in.get(who, 0)

    def for_request(self) -> RequestFault:
        return RequestFault.SERVER_ERROR if self.night == OUTAGE else RequestFault.NONE

    def conversation_status(self, conversation: str, now: float) -> str:  # noqa: ARG002
        return "COMPLETED" if self.completed(conversation) else "IN_PROGRESS"


class Model:
    """What the service must hold, and the fewest PUTs that bring it there.

    A PUT is also how one learns that a conversation is not completed; asking again needs none.
    """

    def __init__(self, product: Product) -> None:
        self.stored: dict[str, Body] = {}
        self.fewest = 0
        self._product = product
        self._left_over: dict[str, Body] = {}

    def import_rows(self, rows: dict[int, str]) -> None:
        """Import one file, and before it what is left over."""
        known = self._left_over
        wanted = dict(known)
        for number, word in rows.items():
            wanted[conversation(number)] = ({"up": "POSITIVE", "down": "NEGATIVE"}[word], None)
        self._left_over = {}
        for who, body in wanted.items():
            if not self._product.completed(who):
                self._left_over[who] = body
                self.fewest += who not in known
            elif self.stored.get(who) != body:
                self.stored[who] = body
                self.fewest += 1


@contextmanager
def serving(product: Product) -> Iterator[WatchedSandbox]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(WatchedSandbox(Faults(), product)) as service,
    ):
        yield service


class Cron:
    """Starts the command as a scheduler does, and reads nothing but its exit code."""

    def __init__(self, url: str) -> None:
        self._command = [sys.executable, "-m", "importer", "run", "--product-id", PRODUCT,
                         "--base-url", url, "--ratings", "thumbs", *OPTIONS]  # fmt: skip

    def start(self, path: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env={**os.environ, "CLARITYQ_API_KEY": "key"},
        )  # fmt: skip

    def run(self, path: Path) -> ExitCode:
        process = self.start(path)
        output, _ = process.communicate()
        assert "Traceback" not in output, output
        return ExitCode(process.returncode)


def dump(path: Path, rows: dict[int, str]) -> Path:
    return write_csv(path, [(conversation(number), word, "") for number, word in rows.items()])


@pytest.mark.timeout(240)
def test_after_a_fortnight_the_service_holds_what_it_should_for_hardly_a_put_too_many(
    tmp_path: Path,
) -> None:
    product = Product()
    model = Model(product)
    early: dict[int, str] = {}
    with serving(product) as service:
        cron = Cron(service.url)
        for night in range(1, NIGHTS + 1):
            changed = product.pass_day()
            # A full dump, or now and then only what has changed.
            numbers = changed if night % 3 == 0 else list(product.ratings)
            rows = {number: product.ratings[number] for number in numbers}
            path = dump(tmp_path / f"ratings-{night:02}.csv", rows)
            if night == OUTAGE:
                assert cron.run(path) is ExitCode.ABORTED
                continue
            if night == REBOOT:
                due = len(service.puts) + 200
                process = cron.start(path)

                def reboot(puts: int, due: int = due, victim: int = process.pid) -> None:
                    if puts == due:
                        os.kill(victim, signal.SIGKILL)

                service.on_put = reboot
                process.communicate()
                assert process.returncode == -signal.SIGKILL
                service.on_put = lambda _: None
            if night == OVERLAP:
                first = cron.start(path)
                while not list(tmp_path.glob("clarityq-jobs/ratings-10-*/journal.sqlite")):
                    assert first.poll() is None
                first.send_signal(signal.SIGSTOP)  # it takes long tonight
                overlapping = cron.run(dump(tmp_path / "overlapping.csv", rows))
                first.send_signal(signal.SIGCONT)
                first.communicate()
                assert overlapping is ExitCode.JOB_HELD
            code = cron.run(path)
            assert code in (ExitCode.OK, ExitCode.NOT_COMPLETED)
            model.import_rows(rows)
            if night == 6:
                early = dict(list(rows.items())[:500])
            if night == CORRECTION:
                corrected = {n: {"up": "down", "down": "up"}[word] for n, word in early.items()}
                cron.run(dump(tmp_path / "ratings-06-corrected.csv", corrected))
                model.import_rows(corrected)

        assert service.stored() == model.stored
        assert service.most_at_once == 1
        assert len(service.puts) <= 1.02 * model.fewest, (len(service.puts), model.fewest)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_night_is_cut_off_or_given_up_the_last_dump_holds(
    seed: int, tmp_path: Path
) -> None:
    """The ledger never takes for stored what a killed run may have overwritten."""
    dice = random.Random(seed)
    with serving(Product()) as service:
        cron = Cron(service.url)
        rows: dict[int, str] = {}
        for night in range(6):
            # Back and forth between two words: a stale entry would be taken for unchanged.
            rows = {number: dice.choice(["up", "down"]) for number in range(200)}
            path = dump(tmp_path / f"dump-{night}.csv", rows)
            process = cron.start(path)
            due = len(service.puts) + dice.randint(1, 80)

            def cut_off(puts: int, due: int = due, victim: int = process.pid) -> None:
                if puts == due:
                    os.kill(victim, signal.SIGKILL)

            service.on_put = cut_off
            process.communicate()
            service.on_put = lambda _: None
            if dice.random() < 0.3:
                assert cron.run(path) is ExitCode.OK
        assert cron.run(dump(tmp_path / "last.csv", rows)) is ExitCode.OK
        words = {"up": "POSITIVE", "down": "NEGATIVE"}
        assert service.stored() == {conversation(n): (words[w], None) for n, w in rows.items()}
