"""Whatever an option is given, the settings are right or the mistake is told in words."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.cli.app import cli
from importer.cli.options import RUN_GROUPS
from importer.errors import SettingsError
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import options_of
from tests.support.data import PRODUCT

NAMES = sorted(options_of(SETTINGS_GROUPS.values()))
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["5%", "1s", "thumbs", "a=b", "tab", "csv", "true", "0", "1e999", "\0", "https://[", "٣"]
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


@given(st.sampled_from(NAMES), VALUES | st.binary(max_size=3) | st.just(10**400))
def test_settings_are_right_or_refused(name: str, value: object) -> None:
    options: dict[str, Any] = {"inputs": "in.csv", "product_id": PRODUCT, name: value}
    try:
        found = ImportSettings.of(**options)
    except SettingsError:
        return
    record = json.loads(json.dumps(found.as_record()))
    assert ImportSettings.of(**record).as_record() == record


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from(sorted(options_of(RUN_GROUPS))), value=VALUES)
def test_a_configuration_file_is_right_or_refused(name: str, value: object, tmp_path: Path) -> None:
    file = tmp_path / "any.toml"
    file.write_text(f"{name} = {_toml(value)}\n", "utf-8", errors="replace")
    done = CliRunner().invoke(cli, ["run", "none.csv", "--sandbox", "--config", str(file)])
    assert done.exception is None or isinstance(done.exception, (SettingsError, SystemExit)), (
        done.exception
    )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    text = json.dumps("" if value is None else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
