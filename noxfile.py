"""The tasks of development: `nox --list` shows them, `nox -s quick` runs one. CI runs the same.

Those that only look at the project run in the environment that nox is installed in. Those that are
about versions make environments of their own.
"""

import sys
import tomllib
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "quick"]

#: Where the tools of that environment are, also when it is not activated.
TOOLS = Path(sys.executable).parent
#: What the unit tests need beside the package itself.
UNIT_TESTS = ["pytest", "pytest-timeout", "hypothesis", "jsonschema", "trustme"]
#: What is run with other versions: the units, and both paths to the service over real sockets.
WITH_OTHER_VERSIONS = [
    "tests/unit",
    "tests/integration/wire",
    "tests/integration/test_client.py",
]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and import rules."""
    session.run(f"{TOOLS}/ruff", "check", ".")
    session.run(f"{TOOLS}/ruff", "format", "--check", ".")
    session.run(f"{TOOLS}/mypy")
    session.run(f"{TOOLS}/lint-imports")


@nox.session
def quick(session: nox.Session) -> None:
    """Run the tests that are not slow."""
    session.run(f"{TOOLS}/pytest", "-q", "-n", "2", "-m", "not slow", *session.posargs)


@nox.session
def whole(session: nox.Session) -> None:
    """Run all tests."""
    session.run(f"{TOOLS}/pytest", "-q", "-n", "2", *session.posargs)


@nox.session(venv_backend="venv")
def lowest(session: nox.Session) -> None:
    """Run the units and the wire with the lowest versions that pyproject.toml allows."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(project["dependencies"]).replace(">=", "=="), "utf-8")
    session.install("-e", ".", *UNIT_TESTS, "-c", str(constraints))
    session.run("pytest", "-q", *WITH_OTHER_VERSIONS)


@nox.session(venv_backend="venv", python="3.13")
def newest(session: nox.Session) -> None:
    """Run the units and the wire on Python 3.13, with the versions of constraints.txt."""
    session.install("-e", ".", *UNIT_TESTS, "-c", "constraints.txt")
    session.run("pytest", "-q", *WITH_OTHER_VERSIONS)


@nox.session(venv_backend="venv")
def constraints(session: nox.Session) -> None:
    """Write constraints.txt anew: the versions that an installation gets today."""
    session.install("-e", ".[dev]")
    frozen = session.run("python", "-m", "pip", "freeze", "--exclude-editable", silent=True)
    Path("constraints.txt").write_text(str(frozen), "utf-8")
