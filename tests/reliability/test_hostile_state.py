"""Hostile state: whatever a job's files, the settings or an answer hold, there are words for it.

Inputs are the subject of `test_hostile`.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from importer.clarityq.responses import VerdictKind, judge_feedback, judge_status
from importer.cli.app import cli
from importer.errors import ImporterError
from importer.model import Feedback, Meaning
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.mutations import mutate

RUN = ["run", "in.csv", "--product-id", PRODUCT, "--sandbox", "--carry-over", "--skip-unchanged"]
COMMANDS = [
    RUN,
    [*RUN, "--replace"],
    ["plan", *RUN[1:]],
    ["retry", "JOB", "--sandbox"],
    ["jobs"],
    ["jobs", "show", "JOB"],
    ["jobs", "prune", "--older-than", "0s"],
    ["explain", conversation(3)],
    ["outcomes", "JOB", "out.csv"],
    ["undo", "JOB", "--sandbox"],
    ["forget", conversation(3), "--yes"],
]
CONFIG = f"""
product-id = "{PRODUCT}"
rate = 50
defer-for = "1h"
column = ["rating=rating"]
ratings = ["thumbs"]
"""
BATCH = f"""
product-id = "{PRODUCT}"
sandbox = true

[[import]]
input = ["in.csv"]
carry-over = true
"""
TABLE = '[words]\n"👍" = "POSITIVE"\nmeh = "SKIP"\n[numbers]\n"1..2" = "NEGATIVE"\n'
WHO = conversation(1)
ANSWER = {
    "conversation_id": WHO, "rating": "POSITIVE", "comment": "fine ü 🙏",
    "updated_at": "2026-01-01T00:00:00Z", "more": [1.5, None, {"a": True}],
}  # fmt: skip


def attempt(arguments: list[str]) -> None:
    """Run a command; what it raises has words, or is a message of the system's."""
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    error = result.exception
    if error is None or isinstance(error, (ImporterError, click.ClickException)):
        return
    assert isinstance(error, OSError), (arguments, repr(error))
    assert error.filename is not None, (arguments, repr(error))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which a job has succeeded, rejected and failed rows."""
    rows = [(conversation(n), "meh" if n % 9 == 0 else "POSITIVE", f"no {n}") for n in range(40)]
    write_csv(tmp_path / "in.csv", rows)
    (tmp_path / "clarityq-import.toml").write_text(CONFIG)
    (tmp_path / "ratings.toml").write_text(TABLE)
    (tmp_path / "batch.toml").write_text(BATCH)
    fails = ["--fault", "5xx=30%", "--max-attempts", "1", "--canary", "0"]
    CliRunner().invoke(cli, [*RUN, *fails], standalone_mode=False)
    assert [*tmp_path.glob("clarityq-jobs/*/journal.sqlite")]
    return tmp_path


class Hostility:
    """Damages one file of a folder after the other, and gives a command each time."""

    def __init__(self, dice: random.Random, folder: Path, figures: Counter[str]) -> None:
        self._dice = dice
        self._folder = folder
        self._figures = figures
        self._copy = folder.with_name(f"{folder.name}-copy")
        shutil.copytree(folder, self._copy)
        self._files = [
            path.relative_to(folder)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in (".sqlite", ".json", ".csv", ".toml")
        ]

    def _falsify(self, path: Path) -> None:
        """Let a cell hold what cannot be, as far as SQLite lets it."""
        with closing(sqlite3.connect(path)) as db:
            tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            (table,) = self._dice.choice(tables)
            column = self._dice.choice(db.execute(f"PRAGMA table_info({table})").fetchall())[1]
            odd = self._dice.choice(
                [None, "", "odd", "{", "[]", b"", b"\xff", -1, 0, 1 << 62, 1e999, "9" * 30]
            )
            with suppress(sqlite3.IntegrityError):
                db.execute(f"UPDATE {table} SET {column} = ?", [odd])  # noqa: S608
                db.commit()

    def strike(self) -> None:
        for path in self._folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self._copy, self._folder, dirs_exist_ok=True)
        # What a job and a product are known by, every second time.
        lasting = [path for path in self._files if path.suffix == ".sqlite"]
        name = self._dice.choice(self._dice.choice([self._files, lasting]))
        path = self._folder / name
        if name.suffix == ".sqlite" and self._dice.random() < 0.7:
            self._falsify(path)
        else:
            path.write_bytes(mutate(self._dice, path.read_bytes()))
        (job,) = self._folder.glob("clarityq-jobs/in-*-1")
        command = self._dice.choice(COMMANDS)
        if name.name == "ratings.toml":
            command = [*RUN, "--ratings", "ratings.toml"]
        elif name.name == "batch.toml":
            command = ["batch", "batch.toml"]
        attempt([str(job) if word == "JOB" else word for word in command])
        self._figures[f"mutated {name.name.partition('-')[0]}"] += 1


def judge(dice: random.Random, figures: Counter[str]) -> None:
    """Let a mutated answer be judged: it counts as stored only if it says so of this very row."""
    body = mutate(dice, json.dumps(ANSWER, ensure_ascii=dice.random() < 0.5).encode())
    feedback = Feedback(1, WHO, Meaning.POSITIVE, str(ANSWER["comment"]))
    verdict = judge_feedback(feedback, dice.choice([200, 200, 400, 404, 409, 429, 500]), body)
    judge_status(200, body)
    if verdict.kind is VerdictKind.APPLIED:
        said = body.decode("utf-8", "replace").lower().replace("-", "")
        assert WHO.replace("-", "") in said
        assert '"positive"' in said
    figures["mutated answers"] += 1


@pytest.mark.slow
def test_damaged_state_has_words(folder: Path, figures: Counter[str]) -> None:
    hostility = Hostility(random.Random(11), folder, figures)
    for _ in range(60):
        hostility.strike()


def test_mutated_answers_are_no_proof(figures: Counter[str]) -> None:
    dice = random.Random(11)
    for _ in range(3000):
        judge(dice, figures)


@pytest.mark.slow
@pytest.mark.long
def test_damaged_state_and_answers_for_long(
    folder: Path, budget: float, figures: Counter[str]
) -> None:
    dice = random.Random()
    hostility = Hostility(dice, folder, figures)
    until = time.monotonic() + budget / 5
    while time.monotonic() < until:
        hostility.strike()
        for _ in range(100):
            judge(dice, figures)
