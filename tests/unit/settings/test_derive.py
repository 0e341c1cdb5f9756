"""What is made of an option: all of it from the line that declares it."""

import dataclasses
import json
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner

from importer.cli.help import command
from importer.cli.options import RUN_GROUPS, options_from
from importer.errors import SettingsError
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import (
    arguments,
    build,
    described,
    flat,
    json_schema,
    options_of,
    record_of,
)
from importer.settings.groups import Duration
from importer.settings.option import REQUIRED, Group, Option, option
from tests.support.data import PRODUCT

OPTIONS = options_of(RUN_GROUPS)
_MAX_CHANGES = "is not known; max_changes belongs in [abort_rules] or above all tables"


class Tea(Group, table="tea"):
    """How tea is made."""

    steep: Duration = option(
        180.0, "How long it steeps.", between=(1, 600.0), flag="--steep-for", identity=True
    )
    recipe: str | None = option(None, "Known to nobody.", unset="the usual one", secret=True)
    hot: bool = option(True, "Whether it is hot.")


def test_an_option_has_a_flag_a_key_a_variable_and_a_place_in_a_table() -> None:
    steep = options_of([Tea])["steep_for"]
    assert (steep.flag, steep.variable, steep.default_text) == (
        "--steep-for", "CLARITYQ_STEEP_FOR", "3min"
    )  # fmt: skip
    assert flat({"steep-for": 1, "tea": {"hot": False}}, [Tea]) == {"steep_for": 1, "hot": False}
    assert flat({"tea": {"steep": "2min"}}, [Tea]) == flat({"tea": {"steep_for": "2min"}}, [Tea])
    assert build(Tea, {"steep_for": "2min", "other": 1}) == Tea(steep=120.0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("soon", "--steep-for 'soon' is not a duration"),
        ("11min", "--steep-for must be from 1 to 10min; it is '11min'"),
        (True, "--steep-for True is not a duration"),
        (None, "--steep-for None is not a duration"),
        (10**400, "is too long"),
    ],
)
def test_a_value_that_cannot_be_used_is_explained_by_the_flag(value: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Tea(steep=value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stee_for": 1}, "'stee_for' is not known; did you mean 'steep_for'"),
        ({"tee": {}}, "'tee' is not known; did you mean 'tea'"),
        ({"tea": {"step": 1}}, "'tea.step' is not known; did you mean 'steep'"),
        ({"tea": 1}, "'tea' is a table of options, such as"),
        ({"hot": True, "tea": {"hot": True}}, "'tea.hot' is set twice"),
    ],
)
def test_a_name_that_is_not_known_is_refused(table: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flat(table, [Tea])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"abort": {}}, "'abort' is not known; did you mean 'abort_rules'?"),
        ({"abort": {"max-rate": 1, "max_changes": 1}}, f"'abort.max_changes' {_MAX_CHANGES}"),
        ({"job": {"max_changes": 1}}, f"'job.max_changes' {_MAX_CHANGES}"),
        (
            {"job": {"first": 1}},
            "'job.first' is not known; first belongs in [retries] or in [deferral]",
        ),
        ({"job": {"port": 1}}, "'job.port' is not known; port belongs above all tables"),
        ({"job": {"restrat": 1}}, "'job.restrat' is not known; did you mean 'restart'?"),
        ({"colum": {"rating": "Stars"}}, "'colum' is not known; did you mean 'column'?"),
    ],
)
def test_of_a_name_that_another_table_has_it_is_said_where_it_belongs(
    table: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match="not known") as caught:
        flat(table, RUN_GROUPS, ["port"])
    assert str(caught.value) == message


def test_a_command_takes_it_and_its_help_tells_all() -> None:
    @command()
    @options_from(Tea)
    def brew(**options: Any) -> None:
        click.echo(json.dumps(options))

    text = " ".join(CliRunner().invoke(brew, ["--help"]).output.split())
    assert "Tea: --steep-for DURATION How long it steeps. " in text
    assert "[env var: CLARITYQ_STEEP_FOR; default: 3min]" in text
    assert "[env var: CLARITYQ_RECIPE; default: the usual one]" in text
    done = CliRunner().invoke(brew, ["--steep-for", "2min", "--hot"])
    assert json.loads(done.output) == {"steep_for": 120.0, "recipe": None, "hot": True}
    done = CliRunner().invoke(brew, ["--steep-for", "1h"])
    assert "Invalid value for '--steep-for': must be from 1 to 10min; it is '1h'" in done.output


def test_a_secret_is_neither_recorded_nor_shown() -> None:
    tea = Tea(recipe="moon-water")
    record = record_of([tea])
    assert record == {"steep_for": 180.0, "hot": True}
    for told in (repr(tea), described({**record, "hot": False}, [Tea]),
                 arguments({"recipe": "moon-water"}, [Tea])):  # fmt: skip
        assert "moon-water" not in str(told)
    assert arguments({"recipe": "moon-water"}, [Tea]) == ["--recipe", "$CLARITYQ_RECIPE"]
    with pytest.raises(SettingsError, match=r"--recipe must be a text; it is \(not shown\)"):
        Tea(recipe=["moon-water"])  # type: ignore[arg-type]


def test_the_schema_says_what_a_file_may_hold() -> None:
    schema = json_schema(RUN_GROUPS)
    validate = jsonschema.Draft202012Validator(schema).is_valid
    jsonschema.Draft202012Validator.check_schema(schema)
    good: list[dict[str, object]] = [
        {"rate": 5, "retry_first": "1s", "ratings": ["stars", "3=SKIP"], "column": {"rating": "x"}},
        {"retries": {"first": 1, "retry_max": "2s"}, "mapping": {"ratings": {"5": "POSITIVE"}}},
        {"max_failures": "5%", "display": {"quiet": True}, "format": "csv"},
    ]
    bad: list[dict[str, object]] = [
        {"rate": "fast"}, {"rte": 1}, {"retries": {"frist": 1}}, {"format": "xml"},
        {"concurrency": 0}, {"inputs": "x.csv"}, {"quiet": "very"},
    ]  # fmt: skip
    assert [table for table in good if not validate(table)] == []
    assert [table for table in bad if validate(table)] == []


def test_the_identity_of_a_job_is_what_decides_what_is_sent_where() -> None:
    def settings(**changes: Any) -> ImportSettings:
        return ImportSettings.of(inputs="in.csv", product_id=PRODUCT, **changes)

    usual = settings().identity()
    assert set(usual) == {
        "inputs", "product_id", "base_url", "sandbox", "format", "delimiter", "encoding", "column",
        "ratings", "long_comments", "newest_by", "null", "skip_lines", "trust_quotes",
        "sheet", "sql", "in_order",
    }  # fmt: skip
    for change in ({"ratings": "stars"}, {"encoding": "cp1252"}, {"column": "rating=Stars"}):
        assert settings(**change).identity() != usual
    assert settings(rate=3, jobs_dir="there", notify_url="https://h.example").identity() == usual
    rehearsal = settings(sandbox=True, base_url="http://127.0.0.1:1")
    assert rehearsal.identity() == rehearsal.replace(base_url="http://127.0.0.1:2").identity()


def test_a_record_is_json_and_gives_the_same_settings_again() -> None:
    settings = ImportSettings.of(
        inputs=["/a.csv", "/b.parquet"], product_id=PRODUCT, ratings=["stars", "3=SKIP"],
        column="rating=Stars", max_failures="5%", format="csv", delimiter="tab", rate=50,
        metrics_file="/m.prom", refresh_after="30d", long_comments="truncate", canary=0,
        notify_url="https://hooks.example/moon-water",
    )  # fmt: skip
    record = json.loads(json.dumps(settings.as_record()))
    assert "moon-water" not in str(record)
    assert ImportSettings.of(**record) == settings.replace(notify_url=None)
    shown = dict(described(record, SETTINGS_GROUPS.values()))
    assert (shown["--refresh-after"], shown["--canary"], shown["--max-failures"]) == (
        "30d", "0", "5%"
    )  # fmt: skip
    assert "--restart" not in shown
    assert described({"ca_file": "gone.pem"}, RUN_GROUPS) == [("--ca-file", "gone.pem")]


def test_arguments_say_the_same_as_values() -> None:
    values = {"rate": 50.0, "sandbox": True, "restart": False, "ratings": ["stars", "3=SKIP"],
              "column": {"rating": "Stars"}, "defer_first": 1.0, "inputs": ["in.csv"]}  # fmt: skip
    assert arguments(values, RUN_GROUPS) == [
        "--sandbox", "--column", "rating=Stars", "--ratings", "stars", "--ratings", "3=SKIP",
        "--rate", "50", "--defer-first", "1s",
    ]  # fmt: skip


@pytest.mark.parametrize("declared", OPTIONS.values(), ids=list(OPTIONS))
def test_every_option_is_declared_well(declared: Option) -> None:
    assert declared.help[0].isupper()
    assert declared.help.endswith(".")
    assert not declared.flag or declared.flag == "--" + declared.name.replace("_", "-")
    assert "(" not in declared.default_text
    if declared.default is not REQUIRED:
        default = declared.read(declared.default)
        assert declared.read(default) == default
    if declared.secret:
        assert not declared.identity


def test_no_two_options_have_a_name_in_common() -> None:
    names = [one.name for group in RUN_GROUPS for one in group.options]
    assert len(names) == len(set(names)) == len(OPTIONS)
    assert not set(names) & {group.table for group in RUN_GROUPS}


def test_the_groups_of_an_import_are_its_fields_and_tables() -> None:
    assert list(SETTINGS_GROUPS) == [group.table for group in SETTINGS_GROUPS.values()]
    assert [*SETTINGS_GROUPS, "retry"] == [f.name for f in dataclasses.fields(ImportSettings)]
