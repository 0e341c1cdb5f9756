"""The oracle knows the reference only: it must not learn from the code that it judges."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_no_module_of_the_oracle_imports_the_program(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "only whole names, so that this check sees them"
            imported.add(node.module or "")
    tops = {name.split(".")[0] for name in imported}
    assert "importer" not in tops
    assert all(name.startswith("tests.oracle") for name in imported if name.startswith("tests"))
