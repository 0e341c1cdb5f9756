"""The tasks of development: `nox --list` shows them, `nox -s quick` runs one. CI runs the same.

Those that only look at the project run in the environment that nox is installed in. Those that are
about versions make environments of their own.
"""

import shutil
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "quick"]

#: Where the tools of that environment are, also when it is not activated.
TOOLS = Path(sys.executable).parent
#: What the unit tests need beside the package itself.
UNIT_TESTS = [
    "pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema", "pyte", "trustme",
]  # fmt: skip
#: What is run with other versions: the units, both ways of reading, and both paths to the service
#: over real sockets.
WITH_OTHER_VERSIONS = [
    "tests/unit",
    "tests/property/test_two_tiers.py",
    "tests/property/test_parquet_by_column.py",
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
    """Run units, readers and wire with the lowest versions that pyproject.toml allows."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(project["dependencies"]).replace(">=", "=="), "utf-8")
    session.install("-e", ".", *UNIT_TESTS, "-c", str(constraints))
    session.run("pytest", "-q", "-n", "2", *WITH_OTHER_VERSIONS)


@nox.session(venv_backend="venv", python="3.13")
def newest(session: nox.Session) -> None:
    """Run units, readers and wire on Python 3.13, with the versions of constraints.txt."""
    session.install("-e", ".", *UNIT_TESTS, "-c", "constraints.txt")
    session.run("pytest", "-q", "-n", "2", *WITH_OTHER_VERSIONS)


@nox.session(venv_backend="venv")
def constraints(session: nox.Session) -> None:
    """Write constraints.txt anew: the versions that an installation gets today."""
    session.install("-e", ".[dev]")
    frozen = session.run("python", "-m", "pip", "freeze", "--exclude-editable", silent=True)
    Path("constraints.txt").write_text(str(frozen), "utf-8")


@nox.session(venv_backend="venv")
def sbom(session: nox.Session) -> None:
    """Write packaging/sboms anew: what is installed with the package, of constraints.txt."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    installed = Path(session.create_tmp()) / "installed"
    shutil.rmtree(installed, ignore_errors=True)
    session.run("python", "-m", "venv", str(installed))
    pip = f"{installed}/bin/python", "-m", "pip"
    session.run(
        *pip, "install", "-q", "-c", "constraints.txt", *project["dependencies"], external=True
    )
    session.run(*pip, "uninstall", "-q", "-y", "setuptools", "pip", external=True)
    session.install("cyclonedx-bom")
    session.run(
        "cyclonedx-py", "environment", f"{installed}/bin/python", "--pyproject", "pyproject.toml",
        "--output-reproducible", "--output-file", "packaging/sboms/clarityq-importer.cdx.json",
    )  # fmt: skip


@nox.session(venv_backend="venv")
def build(session: nox.Session) -> None:
    """Build wheel and sdist into dist/, see that they can be reproduced, and try the wheel."""
    session.install("build", "twine", "check-wheel-contents")
    folder, tmp = Path("dist"), Path(session.create_tmp()).absolute()
    built = []
    for place in (folder, tmp / "again"):
        shutil.rmtree(place, ignore_errors=True)
        session.run(
            "python", "-m", "build", "--outdir", str(place),
            env={"SOURCE_DATE_EPOCH": _time_of_commit()}, silent=True,
        )  # fmt: skip
        built.append({p.name: sha256(p.read_bytes()).hexdigest() for p in place.iterdir()})
    if built[0] != built[1]:
        session.error(f"two builds of the same files differ: {built}")
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))
    (wheel,) = folder.glob("*.whl")
    session.run("check-wheel-contents", str(wheel))
    clean = tmp / "clean"
    shutil.rmtree(clean, ignore_errors=True)
    session.run("python", "-m", "venv", str(clean))
    session.run(
        f"{clean}/bin/python", "-m", "pip", "install", "-q", "-c", "constraints.txt", str(wheel),
        external=True,
    )  # fmt: skip
    sample = Path("samples/feedback.csv").absolute()
    with session.chdir(tmp):
        session.run(f"{clean}/bin/clarityq-import", "--version", external=True)
        session.run(
            f"{clean}/bin/clarityq-import", "run", str(sample), "--sandbox", "--restart",
            "--product-id", "00000000-0000-4000-8000-000000000001", external=True,
        )  # fmt: skip
    for name, digest in built[0].items():
        session.log(f"{digest}  {name}")


def _time_of_commit() -> str:
    """Return when the commit was made, in Unix seconds: the time of all files in the archives."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%ct"],  # noqa: S607
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.strip()
