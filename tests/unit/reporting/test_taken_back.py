"""What is said of what undos have taken back and cleared (docs/reference.md, U1 to U3, J17)."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from importer.jobs.inputs import UNDO_NAME
from importer.jobs.records import CLEARS_OF, InputFile, NewJob
from importer.model import OutcomeKind, Rank, Reason
from importer.reporting.steps import StepKind
from importer.reporting.taken_back import (
    DoneUndo,
    brought_back_by,
    cleared_of_in_words,
    steps_to_bring_back,
    taken_back_in_words,
)
from importer.survey.findings import Findings, Understanding
from tests.support.jobs import SUCCEEDED, UNCHANGED, WAITING, Desk, answer, finish, mark


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def said(
    desk: Desk, number: int, undos: dict[int, int], *, later: Sequence[int] = (), resume: str = ""
) -> list[tuple[str, list[str]]]:
    """Return what is said of a job that these undos (with rows) take back, with the commands.

    The last one resumes.
    """
    with desk.jobs() as product:
        folders = {job.number: desk.jobs_dir / job.name for job in product.jobs}
    done = [
        DoneUndo(undo, folders[undo], rows, resume if undo == max(undos) else "")
        for undo, rows in undos.items()
    ]
    told = taken_back_in_words(folders[number], number, [folders[one] for one in later], done)
    names = {folders[undo].name: f"undo {undo}" for undo in undos}
    found = []
    for text, steps in told:
        (name,) = [one for one in names if one in text]
        found.append((text.replace(name, names[name]), [step.command for step in steps]))
    return found


def test_it_is_said_of_how_many_of_its_conversations_each_undo_has_taken_back(desk: Desk) -> None:
    desk.night([SUCCEEDED, SUCCEEDED, SUCCEEDED, UNCHANGED, WAITING])
    desk.take_back(1, {1: SUCCEEDED})
    desk.take_back(1, {2: SUCCEEDED, 3: SUCCEEDED})
    one = "It was taken back by undo 2 since: 1 of 3 conversations"
    assert said(desk, 1, {2: 1}) == [(f"{one}; the others stay as they are.", [])]
    assert said(desk, 1, {3: 2, 2: 1}) == [
        (f"{one}.", []), ("It was taken back by undo 3 since: 2 of 3 conversations.", []),
    ]  # fmt: skip
    unfinished = "It is being taken back by undo 3, which is not finished"
    for rows, so_far in ((0, ""), (1, ": 1 of 3 conversations so far")):
        assert said(desk, 1, {2: 1, 3: rows}, resume="undo it") == [
            (f"{one}.", []), (f"{unfinished}{so_far}.", ["undo it"]),
        ]  # fmt: skip


def test_what_it_may_have_set_counts_once_whichever_job_has_tried_it(desk: Desk) -> None:
    with desk.run(rows=5) as job:
        mark(job, 1, 2, 4)
        answer(job, {1: SUCCEEDED, 5: WAITING})
    ranked = [(2, Rank(1, 1)), (3, Rank(1, 1)), (5, Rank(1, 1))]
    with desk.run("b", rows=6, replace=True, begun={"ranked": ranked}) as job:
        mark(job, 3, 4, 6)
        answer(job, {2: SUCCEEDED, 5: SUCCEEDED})
    # 1, 2 and 5 were set, and 3 and 4 may have been; by the second job also its own 4 and 6.
    with desk.jobs() as product:
        product.abandon(product.jobs[1], 1.0)
    desk.take_back(1, {1: SUCCEEDED})
    for later, number in (((), 3), ((2,), 5)):  # the undo is job 3
        ((text, _),) = said(desk, 1, {3: 1}, later=later)
        assert f": 1 of {number} conversations; the others" in text


def test_rows_of_other_jobs_that_an_undo_has_sent_do_not_count(desk: Desk) -> None:
    desk.night([WAITING] * 5)
    desk.night([SUCCEEDED, WAITING, SUCCEEDED, UNCHANGED, WAITING])
    desk.take_back(2, dict.fromkeys((1, 2, 4), SUCCEEDED), after_all={1: 1, 2: 1, 4: 1})
    desk.take_back(2, {3: SUCCEEDED, 5: SUCCEEDED}, after_all={5: 1})
    assert [text for text, _ in said(desk, 2, {3: 3, 4: 2})] == [
        "It was taken back by undo 3 since: 1 of 2 conversations.",
        "It was taken back by undo 4 since: 1 of 2 conversations.",
    ]


@pytest.mark.parametrize(
    ("by", "done", "told"),
    [
        (
            {"a-1": 1},
            {"a-1": 1},
            "In 1 conversation feedback was cleared that {}: a-1 (1 conversation)",
        ),
        (
            {"a-1": 2, "b-1": 1, "c-1": 1000},
            {"a-1": 2, "b-1": 0, "c-1": 10},
            (
                "In 12 of 1,003 conversations feedback was cleared that {}: a-1 (2 conversations), "
                "b-1 (0 of 1 conversation), c-1 (10 of 1,000 conversations)"
            ),
        ),
        (
            dict.fromkeys("abcde", 1),
            dict.fromkeys("abcde", 1),
            (
                "In 5 conversations feedback was cleared that {}: 2 older jobs, "
                "c (1 conversation), d (1 conversation), e (1 conversation)"
            ),
        ),
        (
            dict.fromkeys("abcd", 1),
            dict.fromkeys("abcd", 1),
            (
                "In 4 conversations feedback was cleared that {}: 1 older job, "
                "b (1 conversation), c (1 conversation), d (1 conversation)"
            ),
        ),
    ],
)
def test_what_is_cleared_is_told_by_the_latest_jobs_that_had_set_it(
    by: dict[str, int], done: dict[str, int], told: str
) -> None:
    what = "earlier jobs had set, or tried to, and that is not kept"
    assert cleared_of_in_words(by, "was cleared", done) == told.format(what)


def file(path: Path | str, digest: str = "") -> InputFile:
    found = Path(path)
    status = found.stat() if found.exists() else None
    size, modified = (status.st_size, status.st_mtime_ns) if status else (1, 1)
    return InputFile(str(path), size, modified, digest, 3, 1)


LEFT_OVERS = json.dumps(
    Findings([Understanding("a.csv", "csv", ",", "utf-8", {"job": "job"}, [])]).as_json()
)


def begin(
    desk: Desk, inputs: Sequence[InputFile], name: str = "a",
    ends: Sequence[tuple[OutcomeKind, Reason | None]] = (SUCCEEDED, WAITING, SUCCEEDED),
    **details: Any,
) -> str:  # fmt: skip
    """Let a job of these inputs end; return its name."""
    with desk.hold(name, restart=True) as product:
        job = product.begin(NewJob(inputs, 3, **details))
        job.begin_run(0.0, desk.settings(name).as_record())
        mark(job, 1)
        answer(job, dict(enumerate(ends, 1)))
        job.journal.note_key_source(["--api-key-file", "/k"])
        finish(job)
        job.close()
        return str(job.folder.name)


def test_a_job_with_the_same_inputs_brings_back_what_was_cleared_of_an_earlier_one(
    desk: Desk,
) -> None:
    first = begin(desk, [file("a.csv", "of a")])
    second = begin(desk, [file("b.csv", "of b")])
    (desk.jobs_dir / "damaged-00000000-1").mkdir()
    facts = {CLEARS_OF: json.dumps({"damaged-00000000-1": 1, first: 1, second: 1})}
    folder = desk.jobs_dir / "undo-00000000-1"
    assert [*brought_back_by(folder, facts, [file("x.csv", "of a")])] == [first]
    assert [*brought_back_by(folder, facts, [file("x.csv", "of a"), file("y", "of b")])] == []
    of_unknown = begin(desk, [file("a.csv", "of a"), file("y.csv")])
    facts_of_it = {CLEARS_OF: json.dumps({of_unknown: 1})}
    assert [*brought_back_by(folder, facts, [file("x.csv")])] == []
    both = [file("a.csv", "of a"), file("y.csv")]
    assert [*brought_back_by(folder, facts_of_it, both)] == [], "of one it is not known"
    assert [*brought_back_by(folder, {}, [file("x.csv", "of a")])] == []


def test_it_is_told_how_to_import_again_what_was_cleared_or_why_that_is_not_known(
    desk: Desk,
) -> None:
    desk.settings("c")
    path = desk.folder / "a.csv"
    path.write_text("x")
    names = [
        begin(desk, [file(path)], ends=[SUCCEEDED] * 3),
        begin(desk, [file(path)]),
        begin(desk, [file(desk.jobs_dir / "z" / UNDO_NAME)], "b"),
        begin(desk, [file("<input>"), file("<frame>")], "c"),
        begin(desk, [file(desk.folder / "gone.csv")], "d"),
    ]
    steps = steps_to_bring_back(desk.jobs_dir, dict.fromkeys(names, 2))
    assert [step.command for step in steps] == ["", "", ""], "of the latest three"
    for step, name, why in zip(
        steps, names[2:],
        ("it is an undo", "what <input> and <frame> holds by now is not known", "gone.csv: No "),
        strict=True,
    ):  # fmt: skip
        begun = f"To bring back what {name} had set in 2 conversations, no command is known: "
        assert step.purpose.startswith(begun)
        assert why in step.purpose
    (step,) = steps_to_bring_back(desk.jobs_dir, {names[0]: 1})
    assert step.purpose == (
        f"To bring back what {names[0]} had set in 1 conversation, once the undo has cleared it: "
        "this imports all of that job again, also over what later jobs have set (plan in the place "
        "of run shows it first):"
    )
    words = shlex.split(step.command)
    assert words[:3] == ["clarityq-import", "run", str(path)]
    assert words[-1] == "--restart", "the latest job of that name would be resumed"
    assert "--as-new" not in words
    os.utime(path, ns=(1, 1))
    (step,) = steps_to_bring_back(desk.jobs_dir, {names[0]: 1})
    assert step.purpose.endswith(f"no command is known: {path} changed since the job began.")
    names[0] = begin(desk, [file(path)], "0", survey=LEFT_OVERS, ends=[SUCCEEDED] * 3)
    (step,) = steps_to_bring_back(desk.jobs_dir, {names[0]: 1})
    assert step.command.endswith(" --api-key-file /k --as-new"), "they would give way to the undo"
    assert shlex.split(step.command)[2] == str(path)
    assert step.topic == (StepKind.BRING_BACK, names[0])
    (lost,) = steps_to_bring_back(desk.jobs_dir, {"lost-00000000-1": 1})
    assert "no command is known: " in lost.purpose
