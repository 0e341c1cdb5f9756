"""Where option values come from, and what becomes of names that are not known."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from importer.cli.app import cli
from importer.cli.config_file import with_origins
from importer.cli.options import RUN_GROUPS
from importer.errors import InputError, SettingsError
from tests.support.data import PRODUCT, conversation, write_csv


@pytest.fixture(autouse=True)
def _input() -> None:
    write_csv(Path("in.csv"), [(conversation(1), "5", "")])


def check(*arguments: str, environment: dict[str, str] | None = None) -> str:
    done = CliRunner().invoke(cli, ["check", "in.csv", *arguments], env=environment)
    if isinstance(done.exception, (InputError, SettingsError)):
        raise done.exception
    return done.output


def configure(*lines: str, name: str = "clarityq-import.toml", mark: str = "") -> None:
    Path(name).write_text(mark + "\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "lines",
    [
        ['ratings = ["stars"]'],
        ['ratings = "stars"'],
        ['ratings = ["5=POSITIVE"]'],
        ["[ratings]", '5 = "POSITIVE"'],
    ],
)
def test_the_file_in_the_working_directory_is_read(lines: Sequence[str]) -> None:
    configure(*lines)
    assert "1 can be sent" in check()


def test_arguments_win_over_the_environment_and_that_over_the_file() -> None:
    configure("rate = 1.0", 'ratings = ["stars"]')
    environment = {"CLARITYQ_RATE": "2"}
    assert "At 1 requests/s" in check()
    assert "At 2 requests/s" in check(environment=environment)
    assert "At 3 requests/s" in check("--rate", "3", environment=environment)


def test_what_a_file_or_a_variable_sets_can_be_taken_back(tmp_path: Path) -> None:
    configure("rate = 1.0", 'ratings = ["stars"]', name="other.toml")
    configure("rate = 1.0", "[mapping]", 'ratings = ["stars"]')
    for first in ([], ["--config", "other.toml"]):
        told = check(*first, "--unset", "ratings", "--unset", "rate")
        assert "1 can be sent" not in told
        assert "At 1 requests/s" not in told
    assert "At 1 requests/s" not in check("--unset", "rate", environment={"CLARITYQ_RATE": "1"})
    assert "At 3 requests/s" in check("--unset", "rate", "--rate", "3")
    with pytest.raises(SettingsError, match="'rates' is not known; did you mean 'rate'"):
        check("--unset", "rates")
    with pytest.raises(
        SettingsError, match="name another file with --config, or unset CLARITYQ_CONFIG"
    ):
        check("--unset", "config")
    listed = CliRunner().invoke(cli, ["jobs", "--unset", "jobs-dir"], env={
        "CLARITYQ_JOBS_DIR": str(tmp_path / "elsewhere")
    })  # fmt: skip
    assert "clarityq-jobs" in listed.output


@pytest.mark.parametrize("line", ['rate = "abc"', "[pacing]\nrate = {a = 1}", "[pacing]\nrate = 0"])
def test_a_value_that_cannot_be_used_is_taken_back_as_any_other(line: str) -> None:
    broken = {"CLARITYQ_RATE": "abc"}
    for first, last in (([], ["--unset", "rate"]), (["--unset", "rate"], [])):
        assert "1 row read" in check(*first, *last, environment=broken)
    configure(line, name="other.toml")
    named = ["--config", "other.toml"]
    for words in ([*named, "--unset", "rate"], ["--unset", "rate", *named]):
        assert "1 row read" in check(*words)
    with pytest.raises(SettingsError, match="rate"):
        check(*named)


def test_a_file_can_be_named_and_serves_all_commands() -> None:
    configure(
        "rate = 7.0", 'defer-first = "5s"', "concurrency = 3", 'ratings = "stars"',
        name="other.toml",
    )  # fmt: skip
    assert "At 7 requests/s" in check("--config", "other.toml")


def test_a_byte_order_mark_in_a_file_does_not_matter() -> None:
    configure("rate = 7.0", mark="\ufeff")
    configure('5 = "POSITIVE"', name="ratings.toml", mark="\ufeff")
    told = check("--ratings", "ratings.toml")
    assert "At 7 requests/s" in told
    assert "1 can be sent" in told


def test_an_error_names_what_has_set_the_options_that_it_names() -> None:
    configure('encoding = "utf-16"', 'ratings = ["stars"]')
    told = (
        r"is not utf-16: leave out --encoding, or give the right one\n\(--encoding is set in {}\)$"
    )
    with pytest.raises(InputError, match=told.format("clarityq-import.toml")):
        check()
    with pytest.raises(InputError, match=told.format("CLARITYQ_ENCODING")):
        check(environment={"CLARITYQ_ENCODING": "utf-16"})
    with pytest.raises(InputError, match=r"or give the right one$"):
        check("--encoding", "utf-16")
    Path("in.csv").write_text("conversation_id,comment\n", "utf-8")
    with pytest.raises(InputError, match=r"\n\(--ratings is set in clarityq-import.toml\)$"):
        check("--encoding", "utf-8")


def test_options_of_commands_and_proposals_are_none_that_an_error_names() -> None:
    origins = {"rate": "a.toml", "column": "a.toml", "limit": "a.toml"}
    for text in (
        "resume it first:\n  clarityq-import run in.csv --rate 3\nor give it up",
        "there is no column 'stars'. If another one holds it: --column rating=NAME --limit 3",
        "resume it: clarityq-import run in.csv --rate 3",
    ):
        assert with_origins(text, origins) == text
    told = with_origins("--limit is none: clarityq-import run in.csv --rate 3", origins)
    assert told == (
        "--limit is none: clarityq-import run in.csv --rate 3\n(--limit is set in a.toml)"
    )


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    environment = {"CLARITYQ_RATINGS": "stars,3=SKIP", "CLARITYQ_COLUMN": "comment=comment"}
    assert "1 can be sent" in check(environment=environment)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["concurency = 3"], "'concurency' is not known; did you mean 'concurrency'"),
        (["api_key = 'x'"], "the API key does not belong in this file"),
        (["[rate]", "x = 1"], "'rate' takes a value, not a table"),
        (["rate = "], "is not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused(lines: Sequence[str], message: str) -> None:
    configure(*lines)
    with pytest.raises(SettingsError, match=message):
        check()


def test_a_variable_that_is_not_known_is_refused() -> None:
    with pytest.raises(SettingsError, match="did you mean 'CLARITYQ_RATINGS'"):
        check(environment={"CLARITYQ_RATING": "stars"})


def test_an_address_is_taken_for_a_link_of_kubernetes_only_where_one_may_be() -> None:
    with pytest.raises(SettingsError, match=r"CLARITYQ_RATE .* is not a number"):
        check(environment={"CLARITYQ_RATE": "tcp://10.0.0.1:80"})
    assert "can be sent" in check(environment={"CLARITYQ_PORT": "tcp://10.0.0.1:80"})


def test_a_value_of_the_wrong_type_is_refused() -> None:
    configure('rate = "fast"')
    with pytest.raises(SettingsError, match=r"clarityq-import.toml: rate 'fast' is not a number"):
        check()
    configure()
    with pytest.raises(SettingsError, match="CLARITYQ_RATE 'fast' is not a number"):
        check(environment={"CLARITYQ_RATE": "fast"})
    assert "Invalid value for '--rate': 'fast' is not a number" in check("--rate", "fast")


@pytest.mark.parametrize(
    "line",
    ['base_url = "https://elsewhere.example"', "trust-env = true", 'api_key_file = "key"',
     'api_key_command = "echo key"', '[target]\nbase-url = "https://elsewhere.example"',
     '[key]\nfile = "key"'],
)  # fmt: skip
def test_a_file_that_was_merely_found_does_not_say_where_the_key_goes(line: str) -> None:
    configure(line)
    with pytest.raises(SettingsError, match=r"merely found .* --config clarityq-import.toml"):
        check()
    assert "1 can be sent" in check("--config", "clarityq-import.toml", "--ratings", "stars")


def test_the_files_that_were_read_are_named() -> None:
    assert "configuration:" not in check()
    configure('ratings = "stars"')
    assert "configuration: clarityq-import.toml" in check()
    configure('ratings = "stars"', name="other.toml")
    assert "configuration: other.toml" in check("--config", "other.toml")


def test_options_may_stand_in_tables_of_their_groups() -> None:
    configure(
        "[pacing]", "rate = 4", "[retries]", 'first = "1s"', "[mapping.ratings]", "5 = 'NEGATIVE'"
    )
    assert "1 can be sent" in check()
    assert "At 4 requests/s" in check()
    configure("rate = 5", "[pacing]", "rate = 4")
    with pytest.raises(SettingsError, match=r"'pacing.rate' is set twice"):
        check()
    configure("[retries]", 'frist = "1s"')
    with pytest.raises(SettingsError, match=r"'retries.frist' is not known; did you mean 'first'"):
        check()


@pytest.mark.parametrize("name", ["yes", "as_json"])
def test_what_confirms_or_shapes_the_output_is_an_argument_only(name: str) -> None:
    with pytest.raises(SettingsError, match=f"CLARITYQ_{name.upper()} is not known"):
        check(environment={f"CLARITYQ_{name.upper()}": "1"})
    configure(f"{name} = true")
    with pytest.raises(SettingsError, match=f"'{name}' is not known"):
        check()


def test_every_option_has_a_name_of_its_own() -> None:
    """One file serves all commands, so a name must mean the same in each."""
    kinds: dict[str, set[str]] = {}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name:
                kinds.setdefault(parameter.name, set()).add(f"{parameter.type!r:.20}")
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}
    assert not kinds.keys() & {group.table for group in RUN_GROUPS}


@pytest.mark.parametrize(
    "variable", ["PRODUCT_ID", "BASE_URL", "RATINGS", "CA_FILE", "COLUMN", "CONFIG", "APIKEY"]
)
def test_a_key_that_was_put_into_another_variable_is_not_shown(variable: str) -> None:
    arguments = ["run", "in.csv", "--sandbox", "--product-id", PRODUCT][
        : 3 if "ID" in variable else 5
    ]
    done = CliRunner().invoke(cli, arguments, env={f"CLARITYQ_{variable}": "moon-water-12"})
    assert isinstance(done.exception, SettingsError)
    assert "moon" not in str(done.exception)
