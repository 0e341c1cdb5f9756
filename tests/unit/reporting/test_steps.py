"""What is still to be done of what was, once others have taken something of it up."""

from __future__ import annotations

from pathlib import Path

from importer.reporting.steps import Step, StepKind, TakenUp, are_untold, file_of_job, still_to_do

MINE, OTHERS = "night-2", "night-1"
FILE = file_of_job(Path("jobs") / OTHERS / "rejected.csv")


def test_what_became_of_another_job_makes_no_step_about_this_one_needless() -> None:
    mine = [
        Step("The next import with --carry-over tries the 2 rows again.", "", kind, MINE)
        for kind in (StepKind.CARRY_OVER, StepKind.RETRY)
    ]
    # Its command names the file, and it is not about that.
    mine.append(Step("To resume:", f"clarityq-import run jobs/{FILE}", StepKind.RESUME, MINE))
    fix = Step("To import the 2 rows rejected:", "run", StepKind.LEFT_OVERS, FILE)
    kinds = (StepKind.CARRY_OVER, StepKind.RETRY)
    taken = TakenUp("", {(StepKind.LEFT_OVERS, FILE), *((kind, OTHERS) for kind in kinds)})
    assert still_to_do([*mine, fix], [taken]) == mine


def test_what_is_to_be_done_instead_may_be_needless_for_another_reason() -> None:
    old, new, also_new = (
        Step(text, "", kind, MINE)
        for text, kind in (
            ("old", StepKind.CLEAR),
            ("new", StepKind.CLEAR),
            ("also new", StepKind.GO_ON_WITH_UNDO),
        )
    )
    needless = TakenUp("", {also_new.topic})
    instead = TakenUp("", {old.topic}, [new, also_new])
    assert still_to_do([old], [needless, instead]) == [new]


def test_what_is_told_anew_takes_the_place_of_what_was_told() -> None:
    old, new = (Step(text, "", StepKind.BRING_BACK, OTHERS) for text in ("old", "new"))
    assert still_to_do([old], [TakenUp("", (), [new]), TakenUp("", (), [new])]) == [new]


def test_what_several_say_is_to_be_done_instead_comes_in_their_order() -> None:
    first, second, third, other = (
        Step(text, "", kind, MINE)
        for text, kind in (
            ("first", StepKind.CLEAR),
            ("second", StepKind.RETRY),
            ("third", StepKind.GO_ON_WITH_UNDO),
            ("other", StepKind.EDITED),
        )
    )
    taken = [TakenUp("", (), [first, second]), TakenUp("", (), [third])]
    assert still_to_do([other], taken) == [first, second, third, other]


def test_a_step_is_read_as_it_was_written_also_by_an_older_version() -> None:
    step = Step("To resume:", "clarityq-import run a.csv", StepKind.RESUME, MINE)
    kept = step.as_json()
    assert Step.of_json(kept) == step
    del kept["kind"], kept["about"]
    older = Step.of_json(kept)
    assert (str(older), older.command) == (str(step), step.command)
    assert are_untold([step, older])
    assert not are_untold([step])
