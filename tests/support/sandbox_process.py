"""The sandbox in a process of its own, which lives on when a run is killed."""

import json
import subprocess
import sys
import urllib.request


class SandboxProcess:
    """A sandbox with these faults, as `--fault` takes them; `url` is its address."""

    def __init__(self, *faults: str) -> None:
        options = [word for fault in faults for word in ("--fault", fault)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "importer", "sandbox", "--port", "0", *options],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        self.url = self._process.stderr.readline().split()[4].rstrip(";")

    def stored(self) -> dict[str, str]:
        """Return the comments by conversation."""
        with urllib.request.urlopen(f"{self.url}/sandbox/feedback") as answer:  # noqa: S310
            lines = [json.loads(line) for line in answer.read().splitlines()]
        return {line["conversation_id"]: line["comment"] for line in lines}

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()
