"""`python -m benchmarks`: measure, print the tables, and keep them if asked."""

from __future__ import annotations

import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path

import click

from benchmarks.bench import Bench, Table
from benchmarks.scenarios import SCENARIOS

RESULTS = Path(__file__).with_name("RESULTS.md")
_PACKAGES = ("aiohttp", "uvloop", "anyio", "pyarrow", "httpx", "requests")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SCENARIOS)))
@click.option("--runs", default=3, show_default=True, help="Runs of each command.")
@click.option("--large", is_flag=True, help="Ten million rows where one million would do.")
@click.option("--write", is_flag=True, help="Keep the tables in RESULTS.md.")
def main(names: tuple[str, ...], runs: int, large: bool, write: bool) -> None:
    """Run the named scenarios, or all."""
    with tempfile.TemporaryDirectory(prefix="clarityq-bench-") as folder:
        bench = Bench(Path(folder), runs, large)
        for name in names or SCENARIOS:
            scenario = SCENARIOS[name]
            text = f"## {name}\n\n{getdoc(scenario)}\n\n{_markdown(scenario(bench))}"
            click.echo(f"\n{text}")
            if write:
                _keep(name, text)


def _markdown(table: Table) -> str:
    header, *rows = table
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _keep(name: str, text: str) -> None:
    """Replace the scenario's section of the results, or add it."""
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    measured = (
        f"\nMeasured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()}, "
        f"{versions}.\n"
    )
    head, *sections = RESULTS.read_text().split("\n## ")
    kept = {section.partition("\n")[0]: section for section in sections}
    kept[name] = (text + measured).removeprefix("## ")
    ordered = [kept[known].strip() for known in SCENARIOS if known in kept]
    RESULTS.write_text("\n\n## ".join([head.strip(), *ordered]) + "\n")


if __name__ == "__main__":
    main()
