"""What a survey takes of the inputs, row by row and by column."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from importer.errors import InputError, MissingColumnError
from importer.feedback.body import BodyCoder
from importer.feedback.newest import NewestKind
from importer.feedback.ratings import RatingTable
from importer.jobs.records import CarriedRow
from importer.model import Meaning, Rank, Reason
from importer.settings import ImportSettings, LongComments
from importer.survey.findings import Repeated, Word
from importer.survey.progress import SurveyProgress, SurveyStoppedError
from importer.survey.survey import Survey
from importer.survey.survey_pass import current_inputs, survey_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.origins import KnownJobs

Make = Callable[..., ImportSettings]
LEFT_OVER = ("job", "row", "reason", "http_status", "attempts", "detail")
CODER = BodyCoder(PRODUCT, "somewhere")


@pytest.fixture(params=["by row", "by column"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    least = 0 if request.param == "by column" else 1 << 60
    monkeypatch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", least)


def survey(settings: ImportSettings, folder: Path) -> Survey:
    return survey_inputs(open_inputs(settings), settings, folder)


def carried(seq: int, number: int, rank: Rank) -> CarriedRow:
    return CarriedRow(seq, conversation(number), rank, Meaning.NEGATIVE, None, ask_status=False)


@pytest.mark.usefixtures("_each_way")
def test_what_the_rows_hold_is_counted(tmp_path: Path, settings_for: Make) -> None:
    # The beginning of a file is read row by row in any case.
    plain = [[(conversation(number), "up", "") for number in range(n, n + 500)] for n in (100, 600)]
    first = write_csv(
        tmp_path / "a.csv",
        [
            *plain[0],
            (conversation(1), "down", "x" * 2000),
            (conversation(2), "up", "x" * 2001),
            (conversation(3), " ", "words only"),
            (conversation(4), "up", ""),
        ],
    )
    second = write_csv(
        tmp_path / "b.csv",
        [
            *plain[1],
            (conversation(5), "meh", "fine"),
            (conversation(6), "up", ""),
            ("bad", "up", ""),
            (conversation(7), "drop", ""),
        ],
    )
    second.write_bytes(second.read_bytes() + f"{conversation(8)}\n".encode())
    ratings = RatingTable.parse(["thumbs", "drop=SKIP"])
    settings = settings_for(first, second, ratings=ratings, long_comments=LongComments.TRUNCATE)
    with survey(settings, tmp_path) as found:
        told = found.findings
        assert found.inputs[0].first_seq == 1
        assert (found.inputs[1].first_seq, found.inputs[1].rows, found.last_seq) == (505, 505, 1009)
        assert found.inputs[1].size == second.stat().st_size
        assert len(found.inputs[1].blocks) == 2 * 16
    assert [each.rows for each in told.inputs] == [504, 505]
    assert (told.rows, told.valid, told.skipped, told.conversations) == (1009, 1005, 1, 1005)
    assert (told.positive, told.negative, told.comment_only) == (1003, 1, 1)
    assert (told.rating_only, told.long_comments, told.truncated) == (1002, 1, 1)
    assert [*told.words.items()] == [
        ("up", Word(1003, Meaning.POSITIVE)), ("down", Word(1, Meaning.NEGATIVE)),
        ("drop", Word(1, Meaning.SKIP)), ("meh", Word(1, None)),
    ]  # fmt: skip
    (unknown,) = told.problems[Reason.UNKNOWN_RATING].examples
    assert (unknown.file, unknown.row, unknown.line) == (str(second), 501, 502)
    (bad,) = told.problems[Reason.BAD_CONVERSATION_ID].examples
    assert (bad.file, bad.row, bad.line) == (str(second), 503, 504)
    assert told.problems[Reason.MALFORMED].rows == 1
    assert told.newest_kind is None
    assert (told.carried, told.carried_superseded, told.superseded) == (0, 0, 0)


def test_the_newest_rows_win_and_what_a_source_remarks_is_kept(
    tmp_path: Path, settings_for: Make
) -> None:
    path = tmp_path / "in.csv"
    lines = "".join(f"{conversation(1)},POSITIVE,{day}\n" for day in (2, 1))
    path.write_text(f"conversation_id,rating,day\n{lines},,\n", "utf-8")
    with survey(settings_for(path, newest_by="day"), tmp_path) as found:
        assert [*found.superseded] == [2]
        assert found.findings.newest_kind is NewestKind.NUMBER
        (one,) = found.findings.inputs
        assert one.rows == 2
        assert any("nothing but delimiters" in each for each in one.remarks)


def test_carried_over_rows_are_beaten_and_counted_apart(tmp_path: Path, settings_for: Make) -> None:
    numbers = [1, 4, 5, 5, 3]
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in numbers])
    settings = settings_for(path)
    rows = [carried(seq, seq, Rank(seq, 7)) for seq in (1, 2, 3)]
    told: list[SurveyProgress] = []
    with (
        patch("importer.survey.progress._INTERVAL", 0.0),
        survey_inputs(
            open_inputs(settings), settings, tmp_path, carried=rows, progress=told.append
        ) as found,
    ):
        assert [*found.superseded] == [1, 3, 6]
        assert (found.carried, found.rows, found.last_seq) == (3, 5, 8)
        counted = found.findings
        winners = {one.seq: one.body for _, part in found.winners() for one in part}
    assert (counted.carried, counted.carried_superseded, counted.superseded) == (3, 2, 1)
    assert (counted.rows, counted.valid, counted.conversations) == (5, 5, 5)
    assert counted.repeated_examples == [Repeated(conversation(n), 2) for n in (5, 3, 1)]
    assert winners == dict.fromkeys([2, 4, 5, 7, 8], 0)
    assert {each.rows for each in told} == {5}


@pytest.mark.parametrize("as_new", [False, True])
@pytest.mark.parametrize("carries", [False, True])
def test_left_over_rows_rank_as_the_job_that_brought_them_unless_they_are_to_be_new(
    tmp_path: Path, settings_for: Make, as_new: bool, carries: bool
) -> None:
    jobs = ["in-0000000a-3", "in-0000000a-4", "of their own", ""]
    left = write_csv(
        tmp_path / "left.csv",
        [(conversation(n), "POSITIVE", "", job, *[""] * 5) for n, job in enumerate(jobs)],
        ("conversation_id", "rating", "comment", *LEFT_OVER),
    )
    other = write_csv(tmp_path / "other.csv", [(conversation(9), "POSITIVE", "")])
    settings = settings_for(left, other, as_new=as_new)
    rows = [carried(1, 77, Rank(1, 7))] if carries else []
    first = len(rows) + 1
    with survey_inputs(
        open_inputs(settings), settings, tmp_path, coder=CODER, carried=rows,
        origins=KnownJobs({"in-0000000a-3": 3}.get),
    ) as found:  # fmt: skip
        below = {first + 1: Rank(0, 9), first + 2: Rank(0, 9)}
        ranks = {} if as_new else {first: Rank(3, 9)} | below
        assert {row.seq: row.rank for row in found.ranked(9)} == ranks
        assert found.is_ranked == (carries or not as_new)
        assert found.has_bodies


@pytest.mark.usefixtures("_each_way")
def test_where_left_over_rows_stood_is_known_of_all_that_were_read(
    tmp_path: Path, settings_for: Make
) -> None:
    places = range(2000, 5000)
    left = write_csv(
        tmp_path / "left.csv",
        [
            (
                conversation(n),
                "meh" if n % 7 == 0 else "POSITIVE",
                "",
                f"in-0000000a-3#{n}",
                *[""] * 5,
            )
            for n in places
        ],
        ("conversation_id", "rating", "comment", *LEFT_OVER),
    )
    settings = settings_for(left)
    with survey_inputs(
        open_inputs(settings), settings, tmp_path, origins=KnownJobs({"in-0000000a-3": 3}.get)
    ) as found:
        assert sorted(found.placed) == [(seq, 3, place) for seq, place in enumerate(places, 1)]


def test_a_rating_table_needs_a_column_to_look_up(tmp_path: Path, settings_for: Make) -> None:
    names = [f"column {number:02}" for number in range(31)]
    path = write_csv(tmp_path / "a.csv", [], ("conversation_id", "comment", *names))
    other = write_csv(tmp_path / "b.csv", [], ("conversation_id", "comment"))
    settings = settings_for(path, other, ratings=RatingTable.parse(["thumbs"]))
    with pytest.raises(
        MissingColumnError, match=r"'column 29'\. If one of them holds it"
    ) as caught:
        survey(settings, tmp_path)
    assert f"{path} has no column 'rating'" in str(caught.value)
    settings = settings_for(other, path, ratings=RatingTable.parse(["thumbs"]))
    with pytest.raises(MissingColumnError, match=r"not used are none\. If"):
        survey(settings, tmp_path)
    write_csv(path, [(conversation(1), "up")], ("conversation_id", "rating"))
    with survey(settings, tmp_path) as found:
        assert found.rows == 1


def test_rows_without_an_order_may_not_be_of_the_same_conversation(
    tmp_path: Path, settings_for: Make
) -> None:
    rows = [(conversation(n), "POSITIVE", n) for n in (1, 2, 3, 4, 1, 2, 3, 4, 4)]
    path = write_csv(tmp_path / "in.csv", rows, ("conversation_id", "rating", "day"))
    settings = settings_for(path)
    unordered = settings_for("postgresql://there/db", sql="SELECT 1")

    def found(settings_of_query: ImportSettings, files: ImportSettings = settings) -> int:
        with survey_inputs(open_inputs(files), settings_of_query, tmp_path) as survey:
            return survey.superseded.count

    named = ", ".join(f"{conversation(n)} ({m} rows)" for n, m in ((4, 3), (3, 2), (2, 2)))
    with pytest.raises(InputError, match=r"^4 conversations have several rows") as caught:
        found(unordered)
    assert f"left to chance: {named}. Name a column" in str(caught.value)
    assert found(unordered.replace(in_order=True)) == 5
    assert found(unordered.replace(newest_by="day")) == 5
    write_csv(path, rows[:5], ("conversation_id", "rating", "day"))
    with pytest.raises(InputError, match=r"^1 conversation has several rows.*\(2 rows\)\. Name"):
        found(unordered)
    write_csv(path, rows[:4], ("conversation_id", "rating", "day"))
    assert found(unordered) == 0


def test_an_input_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, settings_for: Make
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path)

    def write_on(_: SurveyProgress) -> None:
        with path.open("a") as file:
            file.write("\n")

    with (
        patch("importer.survey.progress._INTERVAL", 0.0),
        pytest.raises(InputError, match=r"in\.csv was changed while it was being read"),
    ):
        survey_inputs(open_inputs(settings), settings, tmp_path, progress=write_on)


def test_only_other_content_makes_an_input_another_one(tmp_path: Path, settings_for: Make) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(1100)]
    path = write_csv(tmp_path / "in.csv", rows)
    settings = settings_for(path)
    with survey(settings, tmp_path) as found:
        files = found.inputs
    assert len(files[0].blocks) == 3 * 16

    def changed() -> list[str]:
        return current_inputs(open_inputs(settings)).changed_from(tmp_path, files)

    write_csv(path, rows)
    assert changed() == []
    write_csv(path, [*rows[1:], rows[0]])
    assert changed() == [str(path)]


def test_progress_is_that_of_all_inputs_and_of_the_winners_looked_for(
    tmp_path: Path, settings_for: Make
) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(1500)]
    paths = [write_csv(tmp_path / f"{n}.csv", rows[: n * 500]) for n in (3, 1)]
    settings = settings_for(*paths)
    told: list[SurveyProgress] = []
    with (
        patch("importer.survey.progress._INTERVAL", 0.0),
        patch("importer.survey.superseded.FEW", 30),
        survey_inputs(open_inputs(settings), settings, tmp_path, progress=told.append),
    ):
        pass
    sizes = [path.stat().st_size for path in paths]
    assert [each.rows for each in told[:4]] == [500, 1000, 1500, 2000]
    shares = [each.share for each in told]
    assert shares == sorted(shares)
    read = 0.95 * sizes[0] / sum(sizes)
    assert 0 < shares[0] < shares[2] / 2
    assert 0.8 * read < shares[2] <= read <= shares[3] <= 0.95
    assert {each.rows for each in told[4:]} == {2000}
    assert shares[4] == pytest.approx(0.95 + 0.05 * 0, abs=0.001)
    assert shares[-1] == pytest.approx(1.0)


def test_an_input_that_has_gone_is_named(tmp_path: Path, settings_for: Make) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "POSITIVE", "")])
    settings = settings_for(path)
    sources = open_inputs(settings)
    path.unlink()
    with pytest.raises(InputError, match=r"in\.csv: No such file"):
        survey_inputs(sources, settings, tmp_path)


def test_a_survey_that_is_stopped_or_closed_leaves_nothing_open(
    tmp_path: Path, settings_for: Make
) -> None:
    def still_open() -> int:
        return len([*Path("/dev/fd").iterdir()]) - before

    rows = [(conversation(number), "POSITIVE", "") for number in range(600)]
    settings = settings_for(write_csv(tmp_path / "in.csv", rows))
    sources = open_inputs(settings)
    before = len([*Path("/dev/fd").iterdir()])
    with patch("importer.survey.superseded.FEW", 30), patch("importer.survey.spill.Spill.MOST", 30):
        with pytest.raises(SurveyStoppedError) as stopped:
            survey_inputs(sources, settings, tmp_path, stopped=iter([False, True]).__next__)
        assert (stopped.value.progress.rows, still_open()) == (600, 0)
        with survey_inputs(sources, settings, tmp_path) as found:
            assert still_open() > 0
        assert (found.rows, still_open()) == (600, 0)
