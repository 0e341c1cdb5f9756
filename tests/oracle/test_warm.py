"""A command that is forked is the command: it says the same, and ends and dies the same way."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.oracle.answers import silence
from tests.oracle.drive import Desk, conversation, rows
from tests.oracle.warm import Nursery


@pytest.mark.parametrize(
    "words", [["--version"], ["run", "absent.csv"], ["jobs", "--json"], ["check", "a.csv"]]
)
def test_a_forked_command_ends_as_one_with_an_interpreter_of_its_own(
    desk: Desk, nursery: Nursery, words: list[str]
) -> None:
    desk.write("a.csv", [*rows([1]), (conversation(2), "dunno", "")])
    desk.extra["CLARITYQ_PRODUCT_ID"] = "no product"
    alone = desk.do(*words)
    desk.nursery = nursery
    assert desk.do(*words) == alone


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_forked_command_is_stopped_and_killed_by_the_system(
    desk: Desk, nursery: Nursery, number: signal.Signals, code: int
) -> None:
    desk.nursery = nursery
    desk.write("a.csv", rows([1]))
    desk.service.script(conversation(1), silence())
    running = desk.start_run("a.csv", read_timeout="30s")
    desk.service.wait_until(lambda service: service.count == 1)
    running.send(number)
    assert running.wait().code == code
    assert not Path(f"/proc/{running.process.pid}").exists()
