"""Start-up: a short run loads only what it uses."""

import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from importer.sandbox.server import Sandbox
from tests.support.data import PRODUCT, conversation, write_csv

#: Runs the command, then prints what is loaded.
COMMAND = """
import sys
from importer.cli.app import main
try:
    main()
finally:
    print("loaded:", *sys.modules)
"""
HEAVY = [
    "numpy", "obstore", "opentelemetry", "pandas", "prometheus_client", "pyarrow",
    "python_calamine", "rich.live", "sqlalchemy",
]  # fmt: skip
SERVER = ["aiohttp.web", "importer.sandbox.server"]


def loaded_by_a_run(folder: Path, *options: str) -> set[str]:
    path = write_csv(folder / "one.csv", [(conversation(1), "POSITIVE", "")])
    arguments = ["run", str(path), "--product-id", PRODUCT, *options]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("loaded:")[2].split())


def test_a_rehearsal_with_a_csv_file_loads_no_heavy_library(tmp_path: Path) -> None:
    assert loaded_by_a_run(tmp_path, "--sandbox").isdisjoint(HEAVY)


def test_a_check_of_a_small_file_loads_neither_numpy_nor_pyarrow(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "one.csv", [(conversation(1), "POSITIVE", "")] * 100)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "check", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert loaded.isdisjoint(["numpy", "pandas", "pyarrow"])


def test_a_check_of_a_large_file_does_not_load_pandas(tmp_path: Path) -> None:
    rows = [(conversation(number), "POSITIVE", "") for number in range(30_000)]
    path = write_csv(tmp_path / "many.csv", rows)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "check", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "pyarrow" in loaded
    assert "pandas" not in loaded


@pytest.mark.anyio
async def test_an_import_does_not_load_the_server_of_the_sandbox(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARITYQ_API_KEY", "key")
    loaded = await anyio.to_thread.run_sync(loaded_by_a_run, tmp_path, "--base-url", sandbox.url)
    assert "importer.clarityq.client" in loaded
    assert loaded.isdisjoint([*HEAVY, *SERVER])
