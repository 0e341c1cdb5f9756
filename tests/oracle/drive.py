"""Runs the command as a person or a cron job does, and reads what it leaves behind."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle.model import exit_code
from tests.oracle.service import HANG, KEY, Service
from tests.oracle.warm import Forked, Nursery

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = "7d0f0000-0000-4000-8000-000000000000"
OUTCOMES = (
    "succeeded",
    "unchanged",
    "superseded",
    "skipped",
    "rejected",
    "failed",
    "not_completed",
    "pending",
)
# Short enough for many runs; the order of them is that of the defaults.
PACE = {
    "late-effect": "1s",
    "retry-first": "20ms",
    "retry-max": "100ms",
    "defer-first": "50ms",
    "defer-max": "100ms",
    "defer-for": "400ms",
    "read-timeout": "500ms",
    "grace": "1s",
}

Row = tuple[str, str, str]
"""Conversation, rating word and comment, as they stand in a file."""

_STEP = re.compile(r"(?:^|[\s:`])(clarityq-import (?:run|retry|undo|batch|jobs|explain)\b.*)$")


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names of their columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def conversation(number: int) -> str:
    """Return the id of the conversation with this number."""
    return f"{number:08d}-0000-4000-8000-000000000000"


def rows(numbers: Iterable[int], word: str = "first", rating: str = "POSITIVE") -> list[Row]:
    """Return one row for each conversation, with a comment that tells them apart."""
    return [(conversation(n), rating, f"{word} {n}") for n in numbers]


@dataclass(frozen=True)
class Job:
    """The folder of one job."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` says."""
        loaded: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return loaded

    @property
    def outcomes(self) -> dict[str, int]:
        """The outcomes that are not zero."""
        counts: dict[str, int] = self.summary["outcomes"]
        return {outcome: count for outcome, count in counts.items() if count}

    @property
    def reasons(self) -> dict[tuple[str, str], int]:
        """The rows by outcome and reason."""
        return {(r["outcome"], r["reason"]): r["rows"] for r in self.summary["reasons"]}

    def left(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a left-over file, none if there is no such file."""
        path = self.folder / f"{name}.csv"
        return rows_of(path) if path.exists() else []


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that was printed."""
        return self.out + self.err

    @property
    def steps(self) -> list[list[str]]:
        """The commands that were printed as next steps, split as a shell does."""
        found = [_STEP.search(line.rstrip()) for line in self.text.splitlines()]
        return [_words(match[1]) for match in found if match]


def _words(command: str) -> list[str]:
    """Take a command apart as a shell does; a sentence or quotes may end behind it."""
    try:
        return shlex.split(command)
    except ValueError:
        return shlex.split(command.rstrip("`'."))


class Running:
    """A command that is at work."""

    def __init__(self, process: subprocess.Popen[str] | Forked) -> None:
        self.process = process

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> Ended:
        """Wait for the end; a command that hangs is killed and is an error."""
        try:
            out, err = self.process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return Ended(self.process.wait(), out, err)

    def kill(self) -> Ended:
        """Kill the command as a lost machine would."""
        self.process.kill()
        return self.wait()


class Desk:
    """A working directory in which somebody imports files into one service."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder = folder
        self.service = service
        self.extra: dict[str, str] = {}
        self.prefix: list[str] = []
        """A command that runs the command, such as one that shifts its clock."""
        self.nursery: Nursery | None = None
        """What commands are forked from, where many of them are started."""
        self.printed: list[str] = []
        self.jobs_folder = folder / "clarityq-jobs"
        """The default jobs folder, unless a story moves it."""

    def write(self, name: str, lines: Iterable[Row]) -> Path:
        """Write an input with the usual three columns."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["conversation_id", "rating", "comment"])
            writer.writerows(lines)
        return path

    def jobs(self) -> list[Job]:
        """Return all jobs, in the order of their folders' times."""
        found = [p.parent for p in self.jobs_folder.glob("*/journal.sqlite")]
        return [Job(p) for p in sorted(found, key=lambda p: p.stat().st_ctime_ns)]

    def job(self, name: str, number: int = 1) -> Job:
        """Return the job of an input, by the number in its folder's name."""
        # How odd characters of a name appear in the folder's is not promised.
        like = re.sub(r"[^A-Za-z0-9]+", "*", Path(name).stem)
        found = list(self.jobs_folder.glob(f"{like}-*-{number}"))
        assert len(found) == 1, f"{len(found)} folders for {name}, number {number}"
        return Job(found[0])

    def outcomes(self, job: Job) -> list[dict[str, str]]:
        """Return what `outcomes` says of each settled row."""
        path = self.folder / "outcomes.csv"
        ended = self.do("outcomes", str(job.folder), "-o", str(path))
        assert ended.code == 0, ended.text
        return rows_of(path)

    def start(self, *arguments: str) -> Running:
        """Start any command, given without its name."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "CLARITYQ_API_KEY": KEY,
            "COLUMNS": "400",
            **self.extra,
        }
        if self.nursery is not None:
            return Running(self.nursery.start(arguments, self.folder, environment))
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "importer", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Running(process)

    def do(self, *arguments: str) -> Ended:
        """Do any command, given without its name."""
        ended = self.start(*arguments).wait()
        self.printed.append(ended.text)
        return ended

    def follow(self, step: list[str]) -> Ended:
        """Do a printed next step to the letter."""
        assert step[0] == "clarityq-import"
        return self.do(*step[1:])

    def audit(self) -> None:
        """Check what holds after every story: the accounts add up, and the key is nowhere."""
        for path in self.folder.rglob("summary.json"):
            summary = Job(path.parent).summary
            assert set(summary["outcomes"]) == set(OUTCOMES), path
            assert sum(summary["outcomes"].values()) == summary["rows"], path
            assert exit_code(summary["end"], summary["outcomes"]) == summary["exit_code"], path
        assert not [text for text in self.printed if KEY in text]
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert not [path for path in files if KEY.encode() in path.read_bytes()]

    def insist(self, *arguments: str) -> Ended:
        """Do a command; where another unfinished job is in the way, resume that one first."""
        ended = self.do(*arguments)
        resume = [step for step in ended.steps if "--replace" not in step]
        if ended.code == 2 and resume:
            self.follow(resume[0])
            ended = self.do(*arguments)
        return ended

    def pace(self, **pace: str) -> list[str]:
        """Return the options that make waits short, unless others are given."""
        return _flags(pace)

    def run_line(self, *inputs: str, options: Iterable[str] = (), **pace: str) -> list[str]:
        """Return the arguments of `run`, with short waits unless others are given."""
        return [
            "run",
            *inputs,
            *("--product-id", PRODUCT, "--base-url", self.service.url),
            *_flags(pace),
            *options,
        ]

    def run(self, *inputs: str, options: Iterable[str] = (), **pace: str) -> Ended:
        """Import inputs and wait for the end."""
        return self.do(*self.run_line(*inputs, options=options, **pace))

    def start_run(self, *inputs: str, options: Iterable[str] = (), **pace: str) -> Running:
        """Begin to import inputs."""
        return self.start(*self.run_line(*inputs, options=options, **pace))

    def retry(self, job: Job | str, options: Iterable[str] = (), **pace: str) -> Ended:
        """Retry a job's left-overs, at the address that the job was run with."""
        name = str(job.folder) if isinstance(job, Job) else job
        return self.do("retry", name, *_flags(pace), *options)


def _flags(pace: Mapping[str, str]) -> list[str]:
    merged = PACE | {name.replace("_", "-"): value for name, value in pace.items()}
    return [part for name, value in merged.items() for part in (f"--{name}", value)]
