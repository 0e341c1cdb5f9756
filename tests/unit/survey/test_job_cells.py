"""What is told of the rows of a left-over file, by what their cells `job` name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from importer.api import run_import
from importer.jobs.folders import OVERTAKEN_JOB
from importer.jobs.inputs import UNDO_NAME
from importer.settings import ImportSettings
from importer.survey.findings import Understanding
from importer.survey.survey_pass import survey_inputs
from importer.workflows.open_inputs import open_inputs
from tests.support.data import conversation, write_csv
from tests.support.jobs import WAITING, Desk
from tests.support.origins import KnownJobs

Make = Callable[..., ImportSettings]
HEADER = ("conversation_id", "rating", "comment")
OWN = ("job", "row", "reason", "http_status", "attempts", "detail")
OURS, THEIRS = "in-0000000a-3", "in-0000000b-1"
GIVE_WAY = "rows left over from earlier jobs: they give way to"


def left_over(path: Path, *cells: str, own: tuple[str, ...] = OWN) -> Path:
    rows = [
        ",".join([conversation(number), "POSITIVE", "", cell, *[""] * (len(own) - 1)])
        for number, cell in enumerate(cells, 1)
    ]
    path.write_text("\n".join([",".join([*HEADER, *own]), *rows, ""]))
    return path


def told(settings: ImportSettings, folder: Path, *, is_check: bool = False) -> list[Understanding]:
    origins = None if is_check else KnownJobs({OURS: 3}.get)
    with survey_inputs(open_inputs(settings), settings, folder, origins=origins) as found:
        return found.findings.inputs


def remarks(settings: ImportSettings, folder: Path, *, is_check: bool = False) -> list[str]:
    (one,) = told(settings, folder, is_check=is_check)
    assert (one.columns["job"], "job" in one.ignored) == ("job", False)
    return one.remarks


@pytest.fixture(params=["by row", "by column"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    least = 0 if request.param == "by column" else 1 << 60
    monkeypatch.setattr("importer.sources.csv.file.BY_COLUMN_FROM", least)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("own", [OWN, ("job",)])
def test_rows_that_name_no_job_and_rows_that_name_a_strange_one_are_told_apart(
    tmp_path: Path, settings_for: Make, own: tuple[str, ...]
) -> None:
    cells = [*(f"{OURS}#{n}" for n in range(400)), "", " ", f"{THEIRS}#1", OVERTAKEN_JOB]
    settings = settings_for(left_over(tmp_path / "in.csv", *cells, own=own))
    kept, new, strange = remarks(settings, tmp_path)
    assert kept == (
        "401 rows left over from earlier jobs give way to newer rows of other jobs (--as-new sends "
        "them all the same)"
    )
    assert new == (
        "2 rows name no job in 'job': they count as new, and win over what was sent before (to "
        "keep their places: put back the cell 'job' of each line)"
    )
    assert strange == (
        f"1 row comes from no job of this product, but from '{THEIRS}' (which this jobs "
        "folder does not hold): it gives way to every other row of its conversation; fix this line "
        "in the export, or in the left-over file of its import into this product (--as-new "
        "sends it all the same)"
    )


def test_it_is_not_said_that_rows_give_way_to_newer_ones_where_none_does(
    tmp_path: Path, settings_for: Make
) -> None:
    (kept, _) = remarks(settings_for(left_over(tmp_path / "in.csv", OURS, "")), tmp_path)
    assert kept == (
        "1 row left over from earlier jobs gives way to newer rows of other jobs (--as-new sends "
        "it all the same)"
    )
    of_two = left_over(tmp_path / "in.csv", *[f"{THEIRS}#1"] * 2, "#NAME?")
    (only,) = remarks(settings_for(of_two), tmp_path)
    assert only == (
        f"3 rows come from no job of this product, but from '{THEIRS}' (which this jobs "
        "folder does not hold) and an unknown one: they give way to every other row of their "
        "conversations; fix these lines in the export, or in the left-over file of its import into "
        "this product (--as-new sends them all the same)"
    )
    (only,) = remarks(settings_for(left_over(tmp_path / "in.csv", "")), tmp_path)
    assert only.startswith("1 row names no job in 'job': it counts as new, and wins over")
    (only,) = remarks(settings_for(of_two, as_new=True), tmp_path)
    assert only == "rows left over from earlier jobs: they are sent as new ones (--as-new)"
    (only,) = remarks(settings_for(left_over(tmp_path / "in.csv", OURS)), tmp_path)
    assert only == f"{GIVE_WAY} newer rows of other jobs (--as-new sends them all the same)"
    by_column = settings_for(left_over(tmp_path / "in.csv", OURS), newest_by="row")
    (only,) = remarks(by_column, tmp_path)
    assert only.startswith(f"{GIVE_WAY} other rows of those jobs, and to rows of later ones (")


def test_a_column_that_is_called_job_and_names_none_is_of_no_interest(
    tmp_path: Path, settings_for: Make
) -> None:
    path = left_over(tmp_path / "in.csv", "", "engineer", own=("job",))
    (one,) = told(settings_for(path), tmp_path)
    assert (one.remarks, one.ignored) == ([], ["job"])


@pytest.mark.usefixtures("_each_way")
def test_what_names_no_job_in_a_column_that_may_be_of_anything_is_not_told(
    tmp_path: Path, settings_for: Make
) -> None:
    path = left_over(tmp_path / "in.csv", OURS, "engineer", own=("job",))
    (kept, new) = remarks(settings_for(path), tmp_path)
    assert kept.startswith("1 row left over from earlier jobs gives way")
    assert new.startswith("1 row names no job in 'job': it counts as new")


@pytest.mark.usefixtures("_each_way")
def test_each_input_is_told_of_by_its_own_cells(tmp_path: Path, settings_for: Make) -> None:
    first = left_over(tmp_path / "in.csv", OURS, "", f"{THEIRS}#1")
    (tmp_path / "more").mkdir()
    others = [
        left_over(tmp_path / "more" / "plain.csv", "engineer", own=("job",)),
        left_over(tmp_path / "more" / "all.csv", OURS),
        write_csv(tmp_path / "more" / "new.csv", [(conversation(1), "UP", "")]),
    ]
    told_of = [one.remarks for one in told(settings_for(first, *others), tmp_path)]
    assert len(told_of[0]) == 3
    assert [one[:1] for one in told_of[1:]] == [
        [],
        [f"{GIVE_WAY} newer rows of other jobs (--as-new sends them all the same)"],
        [],
    ]


def test_it_comes_before_other_remarks_and_of_the_rows_of_an_undo_nothing_is_told(
    tmp_path: Path, settings_for: Make
) -> None:
    path = left_over(tmp_path / "in.csv", OURS)
    path.write_text(path.read_text().replace(",comment", "").replace("POSITIVE,", "POSITIVE"))
    first, second = remarks(settings_for(path), tmp_path)
    assert first.startswith(GIVE_WAY)
    assert second.startswith("no column 'comment'")
    folder = tmp_path / "jobs" / OURS
    folder.mkdir(parents=True)
    undo = folder / UNDO_NAME
    fields = {"conversation_id": conversation(1), "rating": "CLEAR", "comment": "", "job": OURS}
    undo.write_text(json.dumps(fields))
    (one,) = told(settings_for(undo), tmp_path)
    assert one.remarks == []


@pytest.mark.anyio
async def test_a_job_of_a_rehearsal_or_of_another_product_is_told_as_such(
    tmp_path: Path, settings_for: Make
) -> None:
    path = write_csv(tmp_path / "in.csv", [(conversation(1), "meh", "")])
    first = await run_import(settings_for(path, sandbox=True))
    (rejected,) = first.files
    rejected.write_text(rejected.read_text().replace("meh", "CLEAR"))
    name = first.folder.name
    settings = settings_for(rejected, base_url="http://localhost:9")
    named = f"but from '{name}' (a rehearsal): it gives way to every other row"
    for is_check, whose in ((False, "job of this product"), (True, "import into ClarityQ")):
        (told_of_it,) = remarks(settings, tmp_path, is_check=is_check)
        assert told_of_it.startswith(f"1 row comes from no {whose}, {named}")
    elsewhere = settings_for(rejected, base_url="http://localhost:9", jobs_dir=tmp_path / "other")
    assert f"'{name}' (a rehearsal)" in remarks(elsewhere, tmp_path)[0]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.usefixtures("_each_way")
def test_where_a_row_stood_is_known_also_if_the_rest_of_it_cannot_be_read(
    tmp_path: Path, settings_for: Make, ending: str
) -> None:
    path = left_over(tmp_path / "in.csv", *(f"{OURS}#{n}" for n in range(10, 250)))
    header, *lines = path.read_bytes().replace(b",\n", b",why\n").splitlines()
    lines[1] = lines[1].replace(b",,", b",Gr\xfc\xdfe,", 1)
    odd = [1]
    if ending == "csv":
        lines[2] = lines[2].replace(b",,", b",a, b,", 1)
        lines[3] = lines[3].replace(b",,", b',"open,', 1)
        lines[4] = lines[4].replace(b",,", f",{OURS}#9,a,".encode(), 1)  # which of the two?
        lines[5] = lines[5].replace(b"#", b"\xfc#")
        odd, unknown = [1, 2, 3], {4, 5}
        path.write_bytes(b"\n".join([header, *lines, b""]))
    else:
        cells = [line.split(b",") for line in lines]
        table = {
            name.decode(): column for name, *column in zip(header.split(b","), *cells, strict=True)
        }
        unknown, path = set[int](), tmp_path / "in.parquet"
        pq.write_table(pa.table(table), path)
    settings = settings_for(path)
    with survey_inputs(
        open_inputs(settings), settings, tmp_path, origins=KnownJobs({OURS: 3}.get)
    ) as found:
        assert found.findings.rejected == len(odd) + len(unknown)
        stood = {one.seq - 1: one for one in found.placed}
    assert {*range(len(lines))} - {*stood} == unknown
    assert [stood[place][1:] for place in odd] == [(3, 10 + place) for place in odd]


def test_it_is_told_where_a_job_is_that_is_not_of_the_product(
    tmp_path: Path, settings_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    name = desk.night([WAITING])
    path = left_over(desk.jobs_dir / name / "not_completed.csv", f"{name}#1")
    elsewhere = settings_for(path, jobs_dir=tmp_path / "other")
    for settings, where in (
        (settings_for(path), "of another product"),
        (elsewhere, f"in {desk.jobs_dir}"),
    ):
        (told_of_it,) = remarks(settings, tmp_path)
        assert f"from no job of this product, but from '{name}' ({where}): " in told_of_it
        (told_of_it,) = remarks(settings, tmp_path, is_check=True)
        assert told_of_it.startswith(GIVE_WAY), "it may be of the product"

    def refused(_: Path) -> list[Path]:
        raise PermissionError

    monkeypatch.setattr("importer.survey.job_cells.job_folders", refused)
    (told_of_it,) = remarks(elsewhere, tmp_path)
    assert "(which this jobs folder does not hold): " in told_of_it
