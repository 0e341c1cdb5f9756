"""The text keeps to standard words (CONTRIBUTING.md, "Style")."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ["importer", "docs", "README.md", "samples"]
#: Turns of phrase that readers have stumbled over, and module names of the past.
AVOIDED = re.compile(
    r"\b(mend|goes on where|in good order|stand-in|live picture|once more stops|failed alike|"
    r"could not be told|unborn|hindered|on end\b|crew of|"
    r"settling\b|recorder\b|inspection\b|measurements\b)",
    re.IGNORECASE,
)
_TEXT = {".py", ".md", ".j2", ".sql", ".json", ".toml", ".yaml", ".service", ".timer", ".svg", ""}


def test_the_text_keeps_to_standard_words() -> None:
    found = []
    for place in PLACES:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not file.is_file() or file.suffix not in _TEXT:
                continue
            for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
                found += [
                    f"{file.relative_to(ROOT)}:{number}: {match[0]}"
                    for match in AVOIDED.finditer(line)
                ]
    assert found == []
