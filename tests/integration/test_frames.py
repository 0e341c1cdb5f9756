"""Data frames as inputs of a program."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from importer import ImportSettings, run_import
from importer.errors import InputError
from importer.sandbox.server import Sandbox
from tests.support.data import PRODUCT, conversation

pytestmark = pytest.mark.anyio

IDS = [conversation(n) for n in range(300)]
COLUMNS: dict[str, list[Any]] = {
    "conversation_id": IDS,
    "rating": [n % 5 + 1 for n in range(300)],
    "comment": [None if n % 7 == 0 else f"fine {n}" for n in range(300)],
}


def frame_of(kind: str) -> object:
    match kind:
        case "arrow":
            return pa.table(COLUMNS)
        case "reader":
            return pa.table(COLUMNS).to_reader(max_chunksize=7)
        case "pandas":
            return pytest.importorskip("pandas").DataFrame(COLUMNS)
        case "polars":
            return pytest.importorskip("polars").DataFrame(COLUMNS)
        case _:
            duckdb = pytest.importorskip("duckdb")
            table = pa.table(COLUMNS)
            return duckdb.from_arrow(table)


@pytest.mark.parametrize("kind", ["arrow", "reader", "pandas", "polars", "duckdb"])
async def test_a_frame_is_imported_as_a_file_with_its_rows_would_be(
    kind: str, settings_for: Callable[..., ImportSettings]
) -> None:
    async with Sandbox() as sandbox:
        settings = settings_for(
            frame_of(kind),
            base_url=sandbox.url,
            ratings=["stars", "3=SKIP"],
        )
        summary = await run_import(settings, api_key="any")
        state = {key: (one.rating, one.comment) for key, one in sandbox.feedback.items()}
    assert summary.exit_code == 0
    assert len(state) == 240
    assert state[IDS[1]] == ("NEGATIVE", "fine 1")
    assert state[IDS[14]] == ("POSITIVE", None)
    assert summary.folder.name.startswith("data-frame-")
    assert not (summary.folder / "copies").exists()


async def test_a_frame_may_not_leave_to_chance_which_row_wins(
    settings_for: Callable[..., ImportSettings],
) -> None:
    twice = pa.table({"conversation_id": IDS[:1] * 2, "rating": ["POSITIVE", "NEGATIVE"]})
    async with Sandbox() as sandbox:
        settings = settings_for(twice, base_url=sandbox.url)
        with pytest.raises(InputError, match="left to chance"):
            await run_import(settings, api_key="any")
        summary = await run_import(settings.replace(in_order=True), api_key="any")
        assert sandbox.feedback[IDS[0]].rating == "NEGATIVE"
    assert summary.exit_code == 0


async def test_a_frame_in_whose_place_an_older_one_was_gone_on_with_is_told_to_be_imported_still(
    settings_for: Callable[..., ImportSettings],
) -> None:
    def night(numbers: range) -> ImportSettings:
        rows = {"conversation_id": [IDS[n] for n in numbers], "rating": ["CLEAR"] * len(numbers)}
        return settings_for(pa.table(rows), base_url=sandbox.url, late_effect=0.0)

    async with Sandbox() as sandbox:
        first = await run_import(night(range(10)).replace(limit=3), api_key="any")
        resumed = await run_import(night(range(10, 15)), api_key="any")
        assert resumed.folder == first.folder
        assert {*sandbox.feedback} == {*IDS[:10]}
        (step,) = resumed.next_steps
        assert str(step).startswith("The data frame was not read: this run went on with the copy")
        assert "the same call" in str(step)
        assert not step.command
        assert "nothing is left to do" not in resumed.verdict
        kept = resumed.folder / "summary.json"
        assert str(step) in kept.read_text()
        again = await run_import(night(range(10, 15)), api_key="any")
        assert {*sandbox.feedback} == {*IDS[:15]}
    assert not again.next_steps
    assert "was not read" not in kept.read_text()


async def test_a_frame_is_there_only_within_its_program(
    settings_for: Callable[..., ImportSettings],
) -> None:
    record: dict[str, Any] = settings_for(pa.table(COLUMNS)).as_record()
    assert record["inputs"] == ["dataframe://data-frame"]
    with pytest.raises(InputError, match="only within the program"):
        await run_import(ImportSettings.of(**record), api_key="any")
    two = [pa.table(COLUMNS), pa.table(COLUMNS)]
    with pytest.raises(InputError, match="one data frame"):
        await run_import(ImportSettings.of(inputs=two, product_id=PRODUCT), api_key="any")
