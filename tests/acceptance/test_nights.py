"""The commands of the scheduler samples, given night after night as their scheduler gives them.

A night is what the export and the service make of it: quiet, messy, cut off. The commands are those
of the samples, word by word; only their folders are others, and `date` names the night.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from importer.errors import ExitCode
from importer.sandbox.faults import FaultPicker, Faults
from tests.support.data import conversation, write_csv
from tests.support.watched import WatchedSandbox

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples/schedule"
SCRIPTS = Path(sys.executable).parent
#: What an operator may set as well, so that a night is over in a second.
SHORT = {
    "CLARITYQ_DEFER_FIRST": "50ms", "CLARITYQ_DEFER_FOR": "200ms", "CLARITYQ_LATE_EFFECT": "0",
    "CLARITYQ_RATE": "300",
}  # fmt: skip
KEY = "the-key-of-the-night"


@dataclass
class Scheduler:
    """How a scheduler gives its command: the words, the surroundings, and what it calls done."""

    command: list[str]
    folder: Path
    exports: Path
    environment: dict[str, str]
    #: The exit codes that are no failed night.
    done: Sequence[int]
    #: Whether the working folder is removed after each night.
    is_homeless: bool = False
    night: int = 0
    service: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        environment = {**self.environment, **self.extra, "NIGHT": self.date}
        command = [word.replace("{{ ds }}", self.date) for word in self.command]
        return subprocess.Popen(
            command, cwd=work, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def date(self) -> str:
        return f"2026-03-{self.night:02}"

    def export(self, rows: Sequence[Sequence[object]]) -> None:
        """Write the file of tonight."""
        write_csv(self.exports / f"ratings-{self.date}.csv", rows)

    def run(self, during: Callable[[subprocess.Popen[str]], None] = lambda _: None) -> ExitCode:
        process = self.start()
        during(process)
        told, _ = process.communicate(timeout=60)
        assert "Traceback" not in told, told
        assert KEY not in told
        assert ExitCode(process.returncode) is not ExitCode.USAGE, told
        if self.is_homeless:
            shutil.rmtree(self.folder / "work")
        return ExitCode(process.returncode)


class Night(FaultPicker):
    """Which conversations are not completed tonight."""

    def __init__(self) -> None:
        super().__init__(Faults())
        self.unready: set[str] = set()

    def conversation_status(self, conversation: str, now: float) -> str:  # noqa: ARG002
        return "IN_PROGRESS" if conversation in self.unready else "COMPLETED"


@contextmanager
def serving(night: Night) -> Iterator[WatchedSandbox]:
    service = WatchedSandbox(picker=night)
    service._key = KEY
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(service):
        yield service


def tools(folder: Path) -> Path:
    """Return a folder with the command, and a `date` that tells the night."""
    path = folder / "bin"
    path.mkdir()
    (path / "clarityq-import").symlink_to(SCRIPTS / "clarityq-import")
    (path / "date").write_text('#!/bin/sh\n[ "$1" = +%F ] && echo "$NIGHT"\n')
    (path / "date").chmod(0o755)
    return path


def here(text: str, folder: Path) -> str:
    """Return a text of a server with the folders of the test."""
    (folder / "metrics").mkdir()
    there = {
        "/opt/clarityq/bin": str(tools(folder)), "/srv/clarityq": str(folder),
        "/var/lib/node_exporter/textfile": f"{folder}/metrics",
    }  # fmt: skip
    for old, new in there.items():
        assert old in text
        text = text.replace(old, new)
    return text


def cron(folder: Path, service: str) -> Scheduler:
    """As cron does it: /bin/sh, hardly any environment, the variables of the crontab."""
    text = (SAMPLES / "crontab").read_text("utf-8")
    lines = [line for line in here(text, folder).splitlines() if not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match("[A-Z]+=", line))
    (nightly, _) = (line for line in lines if line[:1].isdigit())
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    settings = {**SHORT, "CLARITYQ_BASE_URL": service}
    (folder / "import.env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    command = nightly.split(maxsplit=5)[5].replace(r"\%", "%")
    environment = {**variables, "HOME": str(folder), "LOGNAME": "clarityq", "SHELL": "/bin/sh"}
    return Scheduler(["/bin/sh", "-c", command], folder, folder / "exports", environment, [0])


def systemd(folder: Path, service: str) -> Scheduler:
    unit = (SAMPLES / "clarityq-import.service").read_text("utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    (success,) = re.findall(r"^SuccessExitStatus=(.*)$", unit, re.MULTILINE)
    (credential,) = re.findall(r"^LoadCredential=(.*?):", unit, re.MULTILINE)
    command = shlex.split(here(start, folder).replace("%%", "%"))
    (folder / "work").mkdir()
    (folder / "work" / "exports").symlink_to(folder / "exports")  # the unit's working folder
    (folder / "credentials").mkdir()
    (folder / "credentials" / credential).write_text(KEY)
    environment = {
        **SHORT,
        "PATH": f"{folder}/bin:/usr/bin:/bin",
        "CREDENTIALS_DIRECTORY": str(folder / "credentials"),
        "CLARITYQ_BASE_URL": service,
    }
    done = [0, *map(int, success.split())]
    return Scheduler(command, folder, folder / "exports", environment, done)


def kubernetes(folder: Path, service: str) -> Scheduler:
    job = yaml.safe_load((SAMPLES / "cronjob.yaml").read_text("utf-8"))["spec"]["jobTemplate"]
    rules = job["spec"]["podFailurePolicy"]["rules"]
    (pod,) = job["spec"]["template"]["spec"]["containers"]
    secret = folder / "secret"
    secret.mkdir()
    (secret / "api-key").write_text(KEY)
    (secret / "api-key").chmod(0o600)
    text = " ".join(pod["args"]).replace("/run/secrets/clarityq", str(secret))
    text = text.replace("/exports", f"{folder}/exports").replace("/jobs", f"{folder}/jobs")
    text = text.replace("0.0.0.0:9464", "127.0.0.1:0")
    (folder / "jobs").mkdir()
    environment = {
        **SHORT,
        **{one["name"]: one["value"] for one in pod["env"]},
        "PATH": f"{tools(folder)}:/usr/bin:/bin",
        "CLARITYQ_BASE_URL": service,
    }
    # A night that is not tried again: it is done, or failed for good.
    done = [0, *rules[0]["onExitCodes"]["values"]]
    return Scheduler([*pod["command"], text], folder, folder / "exports", environment, done,
                     is_homeless=True)  # fmt: skip


def dags(folder: Path, *more: tuple[str, str]) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Return what the DAGs are made of: the arguments of the operator, and the task's function.

    The folders are replaced, and `more`. Airflow itself is replaced by what the file asks of it.
    """
    found: dict[str, Any] = {}

    def dag(**_: object) -> Callable[[Any], Any]:
        return lambda function: function

    def task(function: Any) -> Any:
        found["function"] = function
        return lambda: None

    def operator(**options: object) -> None:
        found.update(options)

    def connection(name: str) -> SimpleNamespace:
        assert name == "clarityq"
        return SimpleNamespace(password=os.environ["CLARITYQ_API_KEY"])

    contents: dict[str, dict[str, Any]] = {
        "airflow": {}, "airflow.providers": {}, "airflow.providers.standard": {},
        "airflow.providers.standard.operators": {},
        "airflow.providers.standard.operators.bash": {"BashOperator": operator},
        "airflow.sdk": {"dag": dag, "task": task, "Connection": SimpleNamespace(get=connection)},
        "airflow.sdk.exceptions": {
            "AirflowException": RuntimeError,
            "AirflowSkipException": type("AirflowSkipException", (Exception,), {}),
        },
    }  # fmt: skip
    modules = {}
    for name, content in contents.items():
        modules[name] = ModuleType(name)
        modules[name].__dict__.update(content)
    source = (SAMPLES / "airflow_dag.py").read_text("utf-8")
    replaced = [("/exports", f"{folder}/exports"), ("/var/lib/clarityq-jobs", f"{folder}/jobs")]
    for old, new in [*replaced, *more]:
        assert old in source
        source = source.replace(old, new)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        scope: dict[str, Any] = {"__name__": "airflow_dag"}
        exec(compile(source, "airflow_dag.py", "exec"), scope)  # noqa: S102 -- our own
    return found, found.pop("function")


def airflow(folder: Path, service: str) -> Scheduler:
    operator, _ = dags(folder)
    assert operator["append_env"], "else there is no PATH"
    environment = {
        **SHORT,
        "PATH": f"{tools(folder)}:/usr/bin:/bin",
        "CLARITYQ_BASE_URL": service,
        "CLARITYQ_API_KEY": KEY,
    }
    done = [0, *operator["skip_on_exit_code"]]
    # The operator works in a temporary folder.
    command = ["/bin/bash", "-c", operator["bash_command"]]
    return Scheduler(command, folder, folder / "exports", environment, done, is_homeless=True)


def ratings(numbers: range, word: str = "up") -> list[tuple[str, str, str]]:
    return [(conversation(number), word, "") for number in numbers]


@pytest.mark.parametrize(
    ("scheduler", "more_nights"), [(cron, 0), (systemd, 7), (kubernetes, 0), (airflow, 0)]
)
def test_whatever_a_night_brings_the_next_ones_make_up_for_it(
    scheduler: Callable[[Path, str], Scheduler], more_nights: int, tmp_path: Path
) -> None:
    (tmp_path / "exports").mkdir()
    night = Night()
    with serving(night) as service:
        plan = scheduler(tmp_path, service.url)
        expected: dict[str, str] = {}

        def tonight(
            rows: list[tuple[str, str, str]],
            code: ExitCode,
            during: Callable[[subprocess.Popen[str]], None] = lambda _: None,
        ) -> None:
            plan.night += 1
            plan.export(rows)
            assert plan.run(during) is code, plan.night
            assert code in plan.done or plan.done == [0] or code > ExitCode.DEFECT
            meaning = {"up": "POSITIVE", "down": "NEGATIVE"}
            expected.update({who: meaning[word] for who, word, _ in rows if word in meaning})

        tonight(ratings(range(50)), ExitCode.OK)
        # Nothing has happened: a header, and no rows.
        tonight([], ExitCode.OK)
        # A row that cannot be sent.
        tonight([*ratings(range(10), "down"), ("no id", "none", "")], ExitCode.ROWS_NOT_IMPORTED)
        # Conversations that are not completed; the next night brings them.
        night.unready = {conversation(number) for number in range(60, 65)}
        tonight(ratings(range(55, 70)), ExitCode.NOT_COMPLETED)
        night.unready = set()

        def shut_down(process: subprocess.Popen[str]) -> None:
            due = len(service.puts) + 30

            def end(puts: int) -> None:
                if puts == due:
                    process.terminate()

            service.on_put = end

        # The machine is shut down, and the export is made anew under the same name.
        tonight(ratings(range(100, 700)), ExitCode.SIGTERM, shut_down)
        service.on_put = lambda _: None
        cut_off = len(service.feedback)
        assert cut_off < 600
        plan.export(ratings(range(100, 110), "down"))
        assert plan.run() is ExitCode.OK
        expected.update({who: "NEGATIVE" for who, *_ in ratings(range(100, 110))})
        # A quiet night, in which there is nothing left to do.
        before = len(service.puts)
        tonight(ratings(range(50, 55)), ExitCode.OK)
        assert len(service.puts) - before == 5
        for more in range(more_nights):
            tonight(ratings(range(10 * more, 10 * more + 20), "down"), ExitCode.OK)

        stored = {who: rating for who, (rating, _) in service.stored().items()}
        assert stored == expected
        jobs = {path.parent.name for path in tmp_path.rglob("journal.sqlite")}
        assert len(jobs) == 7 + more_nights, "all nights are in one jobs folder"


def test_airflows_task_returns_outcomes_is_skipped_or_fails_to_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exports").mkdir()
    monkeypatch.setenv("CLARITYQ_API_KEY", KEY)
    with serving(Night()) as service:
        more = ("product_id=PRODUCT,", f"product_id=PRODUCT, base_url={service.url!r},")
        _, task = dags(tmp_path, more)

        def tonight(date: str, *rows: tuple[str, str, str]) -> dict[str, int]:
            write_csv(tmp_path / f"exports/ratings-{date}.csv", rows)
            outcomes: dict[str, int] = task(date)
            return outcomes

        assert tonight("2026-03-01", *ratings(range(5)))["succeeded"] == 5
        with pytest.raises(Exception, match="1 of 2 rows was not imported") as skipped:
            tonight("2026-03-02", *ratings(range(1), "down"), ("no id", "up", ""))
        assert skipped.typename == "AirflowSkipException"
        monkeypatch.setenv("CLARITYQ_API_KEY", "an-old-key")
        with pytest.raises(RuntimeError, match="Aborted: the service refused the API key"):
            tonight("2026-03-03", *ratings(range(9)))
        monkeypatch.setenv("CLARITYQ_API_KEY", KEY)
        outcomes = task("2026-03-03")
        assert (outcomes["succeeded"], outcomes["unchanged"]) == (5, 4)
