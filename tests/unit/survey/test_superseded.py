"""Which row of a conversation wins, against a model of ten lines: in memory and spilled."""

import random
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.feedback.newest import Newest
from importer.model import Reason
from importer.settings import ImportSettings
from importer.survey import superseded
from importer.survey.progress import SurveyProgress, SurveyStoppedError
from importer.survey.spill import Spill
from importer.survey.superseded import NEW, Asked, Candidate, Contest, Winner
from importer.survey.survey import Survey
from importer.survey.survey_pass import survey_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import conversation

Make = Callable[..., ImportSettings]
Rows = list[tuple[str, str, str]]


def write(path: Path, rows: Rows) -> Path:
    lines = ["conversation_id,rating,day", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def surveyed(settings: ImportSettings, scratch: Path, **more: Callable[..., object]) -> Survey:
    sources = open_inputs(settings)
    with survey_inputs(sources, settings, scratch, **more) as survey:  # type: ignore[arg-type]
        return survey


def expected(rows: Rows, *, newest: bool) -> set[int]:
    """Return the superseded rows, by number from 1."""
    best: dict[str, tuple[str, int]] = {}
    valid = [(seq, row) for seq, row in enumerate(rows, 1) if row[1] != "meh"]
    for seq, (who, _, day) in valid:
        best[who] = max(best.get(who, ("", 0)), (day if newest else "", seq))
    return {seq for seq, (who, _, _) in valid if best[who][1] != seq}


def older(rows: Rows, *, newest: bool) -> int:
    """Return the number of conversations whose winner is older than a row that is rejected."""
    best: dict[tuple[str, bool], tuple[str, int]] = {}
    for seq, (who, word, day) in enumerate(rows, 1):
        at = (who, word == "meh")
        best[at] = max(best.get(at, ("", 0)), (day if newest else "", seq))
    valid = {who: place for (who, is_rejected), place in best.items() if not is_rejected}
    return sum(best.get((who, True), ("", 0)) > place for who, place in valid.items())


@pytest.mark.parametrize("few", [50, 1_000_000], ids=["spilled", "in memory"])
@pytest.mark.parametrize("by_column", [True, False])
@pytest.mark.parametrize("newest", [True, False])
def test_the_last_or_newest_valid_row_of_each_conversation_wins(
    tmp_path: Path,
    settings_for: Make,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    by_column: bool,
    newest: bool,
) -> None:
    monkeypatch.setattr(superseded, "FEW", few)
    monkeypatch.setattr(Spill, "MOST", few)
    limit = 0 if by_column else 1 << 60
    monkeypatch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", limit)
    dice = random.Random(few)
    # Both halves of an id tell conversations apart.
    people = [str(uuid.UUID(int=(1 + n % 20) << 64 | (1 + n // 20))) for n in range(400)]
    rows = [
        (
            dice.choice(people),
            dice.choice(["POSITIVE", "NEGATIVE", "meh"]),
            dice.choice(["", "2026-01-01", "2026-01-02", "2025-12-31"]),
        )
        for _ in range(1500)
    ]
    files = [write(tmp_path / "a.csv", rows[:700]), write(tmp_path / "b.csv", rows[700:])]
    settings = settings_for(*files, newest_by="day" if newest else None)
    found = surveyed(settings, tmp_path)
    assert set(found.superseded) == expected(rows, newest=newest)
    assert found.findings.superseded == len(set(found.superseded))
    assert found.findings.older_than_rejected == older(rows, newest=newest) > 0
    assert [file.first_seq for file in found.inputs] == [1, 701]
    counts = Counter(who for who, word, _ in rows if word != "meh")
    assert found.findings.conversations == len(counts)
    assert found.findings.repeated_conversations == sum(number > 1 for number in counts.values())
    shown = {one.conversation_id: one.rows for one in found.findings.repeated_examples}
    assert shown == {who: counts[who] for who in shown}, "counted as they are"
    assert [*shown.values()] == sorted(counts.values(), reverse=True)[:5], "those with the most"


def test_a_value_that_cannot_be_compared_rejects_its_row_and_an_empty_one_is_the_oldest(
    tmp_path: Path, settings_for: Make
) -> None:
    one = conversation(1)
    rows = [(one, "POSITIVE", "2026-01-01"), (one, "NEGATIVE", ""), (one, "POSITIVE", "soon")]
    path = write(tmp_path / "in.csv", rows)
    found = surveyed(settings_for(path, newest_by="day"), tmp_path)
    assert set(found.superseded) == {2}
    assert found.findings.problems[Reason.BAD_NEWEST_BY].rows == 1


def test_the_same_content_has_the_same_digest_and_a_changed_block_another(
    tmp_path: Path, settings_for: Make
) -> None:
    rows = [(conversation(n), "POSITIVE", "") for n in range(1200)]
    path = write(tmp_path / "in.csv", rows)
    settings = settings_for(path)
    before, again = (surveyed(settings, tmp_path).inputs[0] for _ in range(2))
    assert before.digest == again.digest
    rows[-1] = (conversation(7), "NEGATIVE", "")
    write(path, rows)
    after = surveyed(settings, tmp_path).inputs[0]
    assert before.digest != after.digest
    assert before.blocks[:16] == after.blocks[:16], "the first rows are the same"


def test_a_survey_that_is_told_to_stop_says_how_far_it_has_come(
    tmp_path: Path, settings_for: Make
) -> None:
    path = write(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(1200)])
    told: list[SurveyProgress] = []
    with pytest.raises(SurveyStoppedError, match="rows of the survey"):
        surveyed(settings_for(path), tmp_path, stopped=lambda: True, progress=told.append)
    assert not list(tmp_path.glob("tmp*")), "its file has no name"


@pytest.mark.parametrize("few", [0, 100], ids=["spilled", "in memory"])
def test_only_conversations_with_several_rows_are_shown(
    tmp_path: Path, settings_for: Make, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(superseded, "FEW", few)
    path = write(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in (1, 2, 2, 3)])
    found = surveyed(settings_for(path), tmp_path).findings
    shown = [(one.conversation_id, one.rows) for one in found.repeated_examples]
    assert (found.repeated_conversations, shown) == (1, [(conversation(2), 2)])


@pytest.mark.parametrize("few", [0, 1_000_000], ids=["spilled", "in memory"])
@pytest.mark.parametrize("asked", [Asked(), Asked(ranks=True, newest=True, bodies=True)])
def test_winners_come_by_key_with_all_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, asked: Asked
) -> None:
    monkeypatch.setattr(superseded, "FEW", few)
    dice = random.Random(few)
    # Keys of the same first byte come in the same part.
    halves = [dice.choice([b"\x03", b"\x07"]) + dice.randbytes(7) for _ in range(9)]
    rows = [
        Candidate(
            dice.choice(halves) + dice.choice(halves),
            dice.choice([3, 2**40, NEW]) if asked.ranks else NEW,
            Newest(dice.randint(-1, 1), dice.randint(0, 1)) if asked.newest else Newest(0, 0),
            seq,
            dice.choice([0, 7, 2**64 - 1]) if asked.bodies else 0,
        )
        for seq in range(1, 201)
    ]
    best: dict[bytes, Candidate] = {}
    for row in rows:
        best[row.key] = max(best.get(row.key, row), row)
    contest = Contest(tmp_path, asked)
    for at, row in enumerate(rows, 1):
        contest.add(row, at / len(rows))
    told: list[float] = []
    losers, found = contest.decide(200, told.append)
    parts = [(part, list(winners)) for part, winners in contest.winners()]
    contest.close()
    assert set(losers) == {row.seq for row in rows} - {row.seq for row in best.values()}
    assert (losers.count, found.conversations) == (200 - len(best), len(best))
    winners = sorted(row for _, part in parts for row in part)
    assert winners == [Winner(w.key, w.seq, w.rank, w.body) for _, w in sorted(best.items())]
    assert few or all(part == sorted(part) for _, part in parts)
    assert all(row.key[0] == number for number, part in parts for row in part)
    assert told == ([] if few else [number / 256 for number in range(1, 257)])


def test_keys_with_the_same_first_half_come_in_order_wherever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(superseded, "FEW", 0)
    keys = [bytes([7, first] + [0] * 13 + [last]) for first, last in ((1, 1), (2, 9), (2, 4))]
    contest = Contest(tmp_path, Asked())
    for seq, key in enumerate(keys, 1):
        contest.add(Candidate(key, NEW, Newest(0, 0), seq, 0), seq / 3)
    _, found = contest.decide(3, lambda _: None)
    assert (found.conversations, found.repeated, found.examples) == (3, 0, [])
    assert [row.seq for _, part in contest.winners() for row in part] == [1, 3, 2]
    contest.close()
