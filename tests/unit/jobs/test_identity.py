"""The identity of a job: the same command finds it again, and nothing else does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.feedback.ratings import RatingTable
from importer.jobs.identity import job_name, product_key
from importer.settings import ImportSettings, InputFormat, LongComments

Make = Callable[..., ImportSettings]


@pytest.mark.parametrize(
    "changes",
    [
        {"product_id": "00000000-0000-4000-8000-000000000002"},
        {"base_url": "https://example.com"},
        {"sandbox": True},
        {"format": InputFormat.CSV},
        {"delimiter": ";"},
        {"encoding": "cp1252"},
        {"column": {"rating": "stars"}},
        {"ratings": RatingTable.parse(["thumbs"])},
        {"long_comments": LongComments.TRUNCATE},
    ],
)
def test_what_decides_what_is_sent_where_makes_another_job(
    settings_for: Make, changes: dict[str, Any]
) -> None:
    path = Path("feedback.csv")
    assert job_name(settings_for(path, **changes)) != job_name(settings_for(path))


@pytest.mark.parametrize(
    "changes", [{"concurrency": 2}, {"rate": 5.0}, {"restart": True}, {"skip_unchanged": True}]
)
def test_how_fast_and_how_carefully_it_is_sent_does_not(
    settings_for: Make, changes: dict[str, Any]
) -> None:
    path = Path("feedback.csv")
    assert job_name(settings_for(path, **changes)) == job_name(settings_for(path))


def test_the_order_of_the_inputs_counts_and_the_way_to_write_their_path_does_not(
    settings_for: Make,
) -> None:
    one, two = Path("one.csv"), Path("two.csv")
    assert job_name(settings_for(one, two)) != job_name(settings_for(two, one))
    assert job_name(settings_for(one)) == job_name(settings_for(one.absolute()))


def test_the_order_in_which_columns_and_ratings_are_named_does_not_count(
    settings_for: Make,
) -> None:
    columns, words = {"rating": "Stars", "comment": "Text"}, ["up=POSITIVE", "down=NEGATIVE"]
    names = {
        job_name(
            settings_for(
                Path("feedback.csv"),
                column=dict([*columns.items()][::order]),
                ratings=RatingTable.parse(words[::order]),
            )
        )
        for order in (1, -1)
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("ratings 2026.csv.gz", "ratings-2026"),
        ("../../etc/passwd", "passwd"),
        ("…/.hidden", "import"),
        ("x" * 200 + ".csv", "x" * 40),
    ],
)
def test_the_name_begins_with_that_of_the_first_input_made_safe_for_a_folder(
    settings_for: Make, file: str, stem: str
) -> None:
    assert job_name(settings_for(Path(file))).rpartition("-")[0] == stem


def test_all_jobs_of_a_product_at_one_address_share_a_ledger(settings_for: Make) -> None:
    one = product_key(settings_for(Path("one.csv")))
    assert product_key(settings_for(Path("two.csv"))) == one
    other = product_key(settings_for(Path("one.csv"), base_url="https://example.com"))
    assert other.ledger(Path()) != one.ledger(Path())
