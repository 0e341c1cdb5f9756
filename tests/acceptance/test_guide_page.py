"""The commands of the guide that are shown without an output run, given after a night.

Those with an output are compared with it in `test_documentation.py`.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.data import PRODUCT
from tests.support.sandbox_process import SandboxProcess

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: Some of its rows fail, whose attempts have run out.
NIGHT = (
    "clarityq-import run exports/ratings-2026-01-01.csv --api-key-file key --jobs-dir jobs "
    f"--product-id {PRODUCT} --carry-over --max-attempts 1 --canary 0"
)


def commands_of(section: str) -> list[str]:
    lines = "".join(BLOCK.findall(section)).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("clarityq-import ")]


@pytest.mark.slow
def test_the_commands_of_each_section_run_after_a_night(tmp_path: Path) -> None:
    folder, kept = tmp_path / "clarityq", tmp_path / "as-it-was"
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CLARITYQ_RETRY_FIRST": "1ms", "CLARITYQ_LATE_EFFECT": "0",
    }  # fmt: skip

    def given(command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            capture_output=True, text=True, check=False, env=environment, cwd=folder,
        )  # fmt: skip
        return done.returncode, done.stderr

    shutil.copytree(ROOT / "samples", folder / "samples")
    for name in ("archive", "exports"):
        (folder / name).mkdir()
    for name in ("ratings", "ratings-2026-01-01", "ratings-$(date +%F)"):
        assert given(f'cp samples/feedback.csv "exports/{name}.csv"') == (0, "")
    (folder / "key").touch(0o600)
    (folder / "key").write_text("the-key-of-the-guide", "utf-8")
    (folder / "erasure-requests.txt").write_text("bb939583-58d5-43ea-b941-ea8784475d08\n", "utf-8")
    with closing(SandboxProcess("5xx=9%")) as service:
        environment["CLARITYQ_BASE_URL"] = service.url
        assert given(NIGHT)[0] == 1
        assert given("cp jobs/ratings*/summary.json archive") == (0, "")
        shutil.copytree(folder, kept)
        environment |= {"CLARITYQ_JOBS_DIR": "jobs", "CLARITYQ_API_KEY_FILE": "key"}
        for section in re.split(
            "^##+ ", (ROOT / "docs/guide.md").read_text("utf-8"), flags=re.MULTILINE
        ):
            for command in commands_of(section):
                here = command.replace("/srv/clarityq", str(folder)).replace(":9464", ":0")
                code, said = given(here.replace(":10min", ":10ms"))
                assert (code in (0, 1), "Error" in said) == (True, False), (command, code, said)
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)
