"""What all jobs of a product have in common, whichever job a command means."""

from typing import Any

from importer.jobs.identity import product_key
from importer.jobs.keys import key_of
from importer.jobs.product_jobs import hold_jobs
from importer.jobs.records import FIGURES
from importer.model import Rank
from importer.settings import Retry
from importer.workflows.forget import forget
from tests.support.data import conversation
from tests.support.jobs import EXHAUSTED, REFUSED, SUCCEEDED, Desk, answer, finish, mark


def jobs_of(desk: Desk) -> Any:
    return hold_jobs(desk.jobs_dir, product_key(desk.settings()))


def test_the_figures_of_the_latest_jobs_that_ended_are_known_the_oldest_first(desk: Desk) -> None:
    for figures in ("1", "2", None, "4"):
        desk.night([SUCCEEDED], begun={"facts": {FIGURES: figures} if figures else {}})
    with desk.run(begun={"facts": {FIGURES: "of one that did not end"}}) as job:
        mark(job, 1)
    with jobs_of(desk) as product:
        assert product.figures(2) == ["2", "4"]
        assert product.figures(9) == ["1", "2", "4"]
        product.prune(product.jobs[0])
        assert product.figures(9) == ["2", "4"]


def test_what_was_forgotten_is_known_again_by_who_asks_for_it(desk: Desk) -> None:
    name = desk.night([SUCCEEDED, SUCCEEDED, EXHAUSTED])
    desk.night([REFUSED])
    keys = [key_of(conversation(number)) for number in (1, 2, 3, 4)]
    for _ in range(2):
        with jobs_of(desk) as product:
            assert not product.has_forgotten
            before = product.look_up(keys)
    forget(desk.jobs_dir, [conversation(2)])
    expected = {**before, keys[1]: before[keys[1]]._replace(body=None)}
    product_key(desk.settings()).ledger(desk.jobs_dir).unlink()
    with jobs_of(desk) as product:
        assert product.has_forgotten
        assert product.look_up(keys) == expected
        product.prune(product.jobs[0])
    assert not (desk.jobs_dir / name).exists()
    with jobs_of(desk) as product:
        assert product.has_forgotten, "of a job that is gone, too"
        assert product.look_up(keys) == expected
    desk.night([REFUSED, REFUSED])
    with jobs_of(desk) as product:
        assert product.look_up(keys)[keys[1]].rank == Rank(3, 3), "a new row is known again"


def test_what_is_in_doubt_is_read_from_a_journal_that_has_more_than_was_taken_in(
    desk: Desk,
) -> None:
    keys = {key_of(conversation(number)): number for number in (1, 2, 3)}

    def unsure(*, after_run: int = 0) -> list[tuple[object, ...]]:
        with jobs_of(desk) as product:
            return sorted(
                (keys[row.key], row.run, row.in_doubt, row.unfinished)
                for row in product.unsure(after_run=after_run)
            )

    with desk.run() as job:
        mark(job, 1, 2)
        answer(job, {2: SUCCEEDED})
    with jobs_of(desk) as product:
        product.catch_up()
    with desk.run() as job:
        mark(job, 3)
    assert unsure() == [(1, 1, True, True), (3, 2, True, True)]
    assert unsure(after_run=1) == [(3, 2, True, True)]
    with desk.run() as job:
        answer(job, {1: SUCCEEDED})
    assert unsure() == [(1, 1, False, True), (3, 2, True, True)], "what is set may be open still"
    with desk.run("b", replace=True):
        pass
    assert unsure() == [(1, 1, False, False), (3, 2, True, False)]


def test_a_job_that_is_pruned_is_taken_in_from_where_it_was_left(desk: Desk) -> None:
    def night_of_two_entries(name: str, *rows: int) -> str:
        with desk.run(name, restart=True) as job:
            for row in rows:
                answer(job, {row: SUCCEEDED})
            finish(job)
            return job.folder.name

    night_of_two_entries("a", 1, 2)
    name = desk.night([EXHAUSTED])
    night_of_two_entries("b", 2, 3)
    with jobs_of(desk) as product:
        product.catch_up()
    with desk.run(retry=Retry(folder=name)) as job:
        answer(job, {1: SUCCEEDED})
        finish(job)
    with jobs_of(desk) as product:
        product.prune(product.jobs[1])
    with jobs_of(desk) as product:
        (line,) = product.look_up([key_of(conversation(1))]).values()
        assert (line.rank, line.body) == (Rank(2, 2), 1)
