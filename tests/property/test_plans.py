"""What wins in a job and what its plan says, against a model of a few lines.

Random rows, inputs, left-over files, carried-over rows, ranks, columns that tell the newest, and
other jobs; by row and by column, in memory and spilled.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from importer.feedback.body import BodyCoder
from importer.jobs.keys import key_of
from importer.jobs.records import CarriedRow, Line, Unsure
from importer.model import Meaning, Rank, Reason
from importer.settings import ImportSettings
from importer.survey.ledger_diff import plan_job
from importer.survey.survey_pass import survey_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.origins import KnownJobs
from tests.support.product import FakeProduct

Make = Callable[..., ImportSettings]
CODER = BodyCoder(PRODUCT, "somewhere")
NUMBER, FLOOR, NOW = 9, 2, 1000.0
#: The number of a job that is not in the jobs folder.
UNKNOWN = "9"
OWN = ("job", "row", "reason", "http_status", "attempts", "detail")
WORDS = {"POSITIVE": Meaning.POSITIVE, "NEGATIVE": Meaning.NEGATIVE, "CLEAR": Meaning.CLEAR}
DAYS = ["", "2026-01-01", "2026-01-01T12:00:00.5", "2025-12-31 23:00"]
COMMENTS = ["", "", "fine", "so so"]


class Known(NamedTuple):
    """A row as the model sees it; `newest` compares as text, which suits `DAYS`."""

    seq: int
    rank: Rank
    newest: str
    body: int


class Job:
    """A random job: its files, what is carried over, and what other jobs have done."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self.people = [conversation(n) for n in range(dice.choice([20, 300]))]
        self.rows: dict[str, list[Known]] = {}
        self.carried = [
            self._carried(dice, seq, who)
            for seq, who in enumerate(dice.sample(self.people, dice.choice([0, 0, 8])), 1)
        ]
        self.seq = len(self.carried)
        self.newest_by = dice.choice([None, "day"])
        self.files = [self._file(dice, folder / f"{n}.csv") for n in range(dice.randint(1, 3))]
        bodies = [None, *(CODER(m, None) for m in WORDS.values()), CODER(None, "fine")]
        self.lines = [
            Line(key_of(who), Rank(n, n), dice.choice(bodies), dice.choice([100.0, 900.0]), n)
            for who in self.people
            if (n := dice.randint(-3, NUMBER - 1)) > 0
        ]
        of_carried = {key_of(row.conversation_id): row.rank for row in self.carried}
        self.lines = [
            line._replace(rank=of_carried[line.key])
            if line.key in of_carried and dice.random() < 0.3
            else line
            for line in self.lines
        ]
        self.unsure = [
            Unsure(key_of(dice.choice(self.people)), Rank(n, n), n, n, dice.random() < 0.7, True,
                   n == NUMBER - 1)
            for n in (dice.randint(1, NUMBER - 1) for _ in range(6))
        ]  # fmt: skip

    def _carried(self, dice: random.Random, seq: int, who: str) -> CarriedRow:
        rank = Rank(dice.randint(1, 5), dice.randint(5, NUMBER - 1))
        row = CarriedRow(seq, who, rank, Meaning.NEGATIVE, "carried", ask_status=False)
        self._note(who, Known(seq, rank, "", CODER(row.rating, row.comment)))
        return row

    def _note(self, who: str, row: Known) -> None:
        self.rows.setdefault(who, []).append(row)

    def _file(self, dice: random.Random, path: Path) -> Path:
        is_left_over = dice.random() < 0.4
        rows = []
        for _ in range(dice.choice([5, 60, 700])):
            self.seq += 1
            who, word = dice.choice(self.people), dice.choice([*WORDS, "meh", ""])
            day, comment, job = (
                dice.choice(DAYS),
                dice.choice(COMMENTS),
                dice.choice(["", "1", "3", "5", "7", UNKNOWN]),
            )
            name = f"in-0000000a-{job}" if job else ""
            rows.append(
                (who, word, comment, day, *((name, "", "", "", "", "") if is_left_over else ()))
            )
            if word == "meh" or not (word or comment):
                continue
            rank = Rank(NUMBER, NUMBER)
            if is_left_over and job:
                rank = Rank(0 if job == UNKNOWN else int(job), NUMBER)
            newest = day.replace(" ", "T") if self.newest_by else ""
            body = CODER(WORDS.get(word), comment or None)
            self._note(who, Known(self.seq, rank, newest, body))
        header = ("conversation_id", "rating", "comment", "day", *(OWN if is_left_over else ()))
        return write_csv(path, rows, header)


def model(job: Job, *, skip: bool) -> dict[int, Reason | None]:
    """Return for each valid row why it is not sent, None if it is."""
    fates: dict[int, Reason | None] = {}
    lines = {line.key: line for line in job.lines}
    for who, rows in job.rows.items():
        winner = max(rows, key=lambda row: (row.rank, row.newest, row.seq))
        fates |= {row.seq: Reason.LATER_ROW for row in rows}
        line = lines.get(key_of(who))
        doubts = [u.rank for u in job.unsure if u.key == key_of(who) and u.in_doubt]
        if line is not None and line.rank > winner.rank:
            fate: Reason | None = Reason.LATER_JOB
        elif winner.rank < (FLOOR, FLOOR):
            fate = Reason.LATER_JOB_MISSING
        elif line is not None and line.body is not None and line.rank == winner.rank:
            fate = Reason.SET_BY_JOB
        elif (
            skip and line is not None and line.body == winner.body and line.at > 500
            and line.rank > (FLOOR, FLOOR) and not [d for d in doubts if d >= line.rank]
        ):  # fmt: skip
            fate = Reason.SAME_AS_STORED
        else:
            fate = None
        fates[winner.seq] = fate
    return fates


def figures_of(job: Job, fates: dict[int, Reason | None]) -> tuple[int, ...]:
    """Return how many conversations are new, known, would lose something, only gain, or stay."""
    stored = {line.key: line.body for line in job.lines}
    doubted = {row.key for row in job.unsure}
    new = changed = added = same = 0
    for who, rows in job.rows.items():
        key = key_of(who)
        for row in rows:
            if fates[row.seq] is None:
                new += key not in stored and key not in doubted
                if (before := stored.get(key)) is not None:
                    lost_rating = before >> 62 in (1, 2) and before >> 62 != row.body >> 62
                    comments = before % (1 << 62), row.body % (1 << 62)
                    loses = lost_rating or (comments[0] != 0 and comments[0] != comments[1])
                    changed += loses
                    added += not loses and before != row.body
                    same += before == row.body
    known = sum(stored.get(key_of(who)) is not None for who in job.rows)
    return new, known, changed, added, same


def came_last_of(job: Job, fates: dict[int, Reason | None]) -> Counter[int]:
    """Return how many conversations get other feedback, by the job that came last to them."""
    lines = {line.key: line for line in job.lines}
    found = Counter[int]()
    for who, rows in job.rows.items():
        key = key_of(who)
        others = [row.rank for row in job.unsure if row.key == key]
        others += [line.rank for line in job.lines if line.key == key]
        for row in rows:
            is_same = key in lines and lines[key].body == row.body
            if fates[row.seq] is None and not is_same and others and max(others) != row.rank:
                found[max(others).version] += 1
    return found


@pytest.mark.parametrize("few", [30, 1_000_000], ids=["spilled", "in memory"])
@pytest.mark.parametrize("by_column", [True, False], ids=["by column", "by row"])
def test_plans_are_those_of_the_model(
    tmp_path: Path, settings_for: Make, few: int, by_column: bool, figures: Counter[str]
) -> None:
    for seed in range(25):
        dice = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        job = Job(dice, folder)
        skip = dice.random() < 0.7
        settings = settings_for(
            *job.files, newest_by=job.newest_by, skip_unchanged=skip, refresh_after=500.0
        )
        product = FakeProduct(job.lines, job.unsure, FLOOR, NUMBER)
        sources = open_inputs(settings)
        with (
            patch("importer.survey.superseded.FEW", few),
            patch("importer.survey.ledger_diff.FEW", few),
            patch("importer.survey.spill.Spill.MOST", few),
            patch("importer.sources.csv.file.BY_COLUMN_FROM", 0 if by_column else 1 << 60),
            survey_inputs(
                sources, settings, tmp_path, coder=CODER, carried=job.carried,
                origins=KnownJobs(lambda name: None if name.endswith(UNKNOWN) else int(name[-1])),
            ) as survey,
        ):  # fmt: skip
            plan = plan_job(survey, product, settings, NOW, in_full=True)
            ranked = {row.seq: row.rank for row in survey.ranked(NUMBER)}
        fates = model(job, skip=skip)
        for reason, rows in plan.not_sent.items():
            assert set(rows) == {seq for seq, fate in fates.items() if fate is reason}, (
                seed,
                reason,
            )
            assert rows.count == len(set(rows))
            figures[f"rows that are {reason}"] += rows.count
        assert plan.to_send == sum(fate is None for fate in fates.values())
        told = (plan.new, plan.known, plan.changed, plan.added, plan.same)
        assert told == figures_of(job, fates)
        assert plan.came_last == came_last_of(job, fates)
        assert survey.findings.conversations == len(job.rows)
        assert survey.findings.rows + len(job.carried) == survey.last_seq == job.seq
        winners = {
            row.seq: row.rank
            for rows in job.rows.values()
            for row in rows
            if fates[row.seq] is not Reason.LATER_ROW and row.seq > len(job.carried)
        }
        expected = {seq: rank for seq, rank in winners.items() if rank != (NUMBER, NUMBER)}
        assert ranked == expected, seed
