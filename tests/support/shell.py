"""The command as one types it in a shell."""

import os
import shlex
import subprocess
import sys

from tests.support.data import PRODUCT

COMMAND = f"{shlex.quote(sys.executable)} -m importer"
REHEARSAL = f"--product-id {PRODUCT} --sandbox"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `importer` stands for the command."""
    return subprocess.run(
        ["/bin/bash", "-c", line.replace("importer ", f"{COMMAND} ", 1)],
        capture_output=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
