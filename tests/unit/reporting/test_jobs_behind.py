"""Of which other jobs summary and report are written once more (docs/reference.md, J12, J17)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from importer.jobs.inputs import UNDO_NAME
from importer.model import RunEnd
from importer.reporting import jobs_behind as module
from importer.reporting.left_overs import SUMMARY_NAME
from importer.reporting.steps import Step, StepKind
from tests.support.jobs import SUCCEEDED, WAITING, Desk, finish

OTHER = Step("another step")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def behind(desk: Desk, inputs: Sequence[Path], *origins: int) -> list[int]:
    with desk.jobs() as product:
        found = module.jobs_behind(product.jobs, [str(path) for path in inputs], origins)
        return [job.number for job in found]


def steps(monkeypatch: pytest.MonkeyPatch, told: dict[str, StepKind]) -> Mock:
    """Let summaries of jobs, by name, have steps of such a kind; return what is asked for them."""
    kept = {name: {OTHER.topic, (kind, name)} for name, kind in told.items()}
    asked = Mock(side_effect=lambda folder: kept.get(folder.name, set()))
    monkeypatch.setattr(module, "kept_topics", asked)
    return asked


def test_those_are_behind_whose_rows_or_files_another_has_taken_up_unless_they_are_large(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.night([SUCCEEDED])
    desk.night([WAITING, WAITING, WAITING])
    third, fourth = desk.night([SUCCEEDED, SUCCEEDED]), desk.night([SUCCEEDED])
    desk.take_back(3, {1: SUCCEEDED}, after_all={1: 2})
    desk.prune(1)
    rejected = desk.jobs_dir / fourth / "rejected.csv"
    undo = desk.jobs_dir / third / UNDO_NAME
    assert behind(desk, [], 1, 2) == [2]
    assert behind(desk, [desk.folder / "a.csv", rejected]) == [4]
    assert behind(desk, [undo]) == [2, 3]
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    assert behind(desk, [rejected], 2, 3) == [3, 4]


def test_a_job_that_had_sent_nothing_is_begun_anew_by_its_own_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, before = desk.night([SUCCEEDED]), desk.night([SUCCEEDED])
    never = []
    for name in ("a", "b"):
        with desk.run(name, restart=True) as job:
            finish(job, RunEnd.DATA_LIMIT)
            (job.folder / SUMMARY_NAME).touch()
            never.append(job.folder)
    sent = desk.night([SUCCEEDED])
    desk.prune(1)
    folders = [*never, *(desk.jobs_dir / name for name in (gone, before, sent))]
    step = {one.name: StepKind.BEGIN for one in folders}
    with desk.jobs() as product:
        others = dict.fromkeys(step, StepKind.LEFT_OVERS)
        for told, found in ((step, [3]), (others, [])):
            asked = steps(monkeypatch, told)
            anew = module.jobs_begun_anew(product.jobs, desk.jobs_dir / sent, [])
            assert [job.number for job in anew] == found
            assert asked.call_args_list == [call(one) for one in never], "of no other they are read"
        steps(monkeypatch, step)
        assert not [*module.jobs_begun_anew(product.jobs[:3], never[0], [])]


def test_the_job_before_it_of_the_same_inputs_is_told_that_they_were_read_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = desk.night([SUCCEEDED]), desk.night([SUCCEEDED])
    desk.night([SUCCEEDED], "b")
    fourth = desk.night([SUCCEEDED])
    steps(monkeypatch, dict.fromkeys((first, second), StepKind.READ_ANEW))
    monkeypatch.setattr(module, "taken_up", lambda _: [])
    with desk.jobs() as product:
        found = module.read_anew(product.jobs, fourth)
        assert found is not None
        job, (told,) = found
        assert (job.name, told.text) == (second, f"{fourth} has read its inputs anew.")
        assert module.read_anew(product.jobs, first) is None, "there is none before it"
        steps(monkeypatch, {second: StepKind.BEGIN})
        assert module.read_anew(product.jobs, fourth) is None
    desk.prune(2)
    with desk.jobs() as product:
        assert module.read_anew(product.jobs, fourth) is None


def test_summaries_are_looked_through_once_for_all_that_were_begun(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (desk.night([SUCCEEDED]) for _ in range(3))
    desk.prune(1)
    asked = Mock(return_value={(StepKind.BEGIN, name) for name in (second, third)})
    monkeypatch.setattr(module, "kept_topics", asked)
    with desk.jobs() as product:
        found = [*module.telling_of_unread(product.jobs, [first, third])]
    assert [(job.name, name) for job, name in found] == [(second, third)]
    assert asked.call_count == 2
