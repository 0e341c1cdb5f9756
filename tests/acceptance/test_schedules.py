"""The samples for schedulers hold: each is read by its own tool or a parser of its format."""

import re
import shlex
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
import pytest
import yaml
from cronsim import CronSim

from importer import check_inputs
from importer.cli.commands.batch import read_batch
from importer.cli.commands.jobs_prune import prune
from importer.cli.commands.run import run
from importer.cli.options import Request

SAMPLES = Path(__file__).parents[2] / "samples/schedule"


def options_of(command: str) -> list[str]:
    """Return the arguments that a shell would give to `clarityq-import run`."""
    text = re.sub(r"\\%|%%", "%", command[command.index("clarityq-import run") :])
    text = re.sub(r"\$\(.*?\)|\{\{.*?\}\}", "2026-01-01", text)
    return shlex.split(text.strip().rstrip("'"))[2:]


def parses(arguments: list[str], command: click.Command = run) -> None:
    """Fail unless these are arguments of `run`, or of another command."""
    command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_the_crontab_starts_a_command_that_there_is_every_night() -> None:
    *variables, line, weekly = [
        line
        for line in (SAMPLES / "crontab").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert all(re.match("[A-Z]+=", variable) for variable in variables)
    *schedule, command = line.split(maxsplit=5)
    nights = list(islice(CronSim(" ".join(schedule), datetime(2026, 1, 1, tzinfo=UTC)), 2))
    assert (nights[1] - nights[0]).days == 1
    weeks = list(islice(CronSim(" ".join(weekly.split()[:5]), nights[0]), 2))
    assert (weeks[1] - weeks[0]).days == 7
    assert not re.search(r"(?<!\\)%", command), "a % ends the command in a crontab"
    parses(options_of(command))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in ("clarityq-import.service", "clarityq-import.timer"):
        shutil.copy(SAMPLES / name, tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.glob("clarityq-import.*"))],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "clarityq" in line]
    assert complaints == []
    unit = (SAMPLES / "clarityq-import.service").read_text("utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    parses(options_of(start))


def test_the_kubernetes_job_runs_without_rights_and_one_at_a_time() -> None:
    job = yaml.safe_load((SAMPLES / "cronjob.yaml").read_text("utf-8"))
    assert (job["kind"], job["spec"]["concurrencyPolicy"]) == ("CronJob", "Forbid")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["command"] == ["/bin/sh", "-c"]
    options = options_of(*container["args"])
    parses(options)
    (port,) = container["ports"]
    assert f"0.0.0.0:{port['containerPort']}" in options
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    # A policy for failed pods is only for those that are not started anew in their place.
    assert job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]
    assert pod["restartPolicy"] == "Never"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_airflow_dag_is_python_and_its_command_exists() -> None:
    source = (SAMPLES / "airflow_dag.py").read_text("utf-8")
    compile(source, "airflow_dag.py", "exec")
    (command,) = re.findall(r'"exec (clarityq-import run .*?)"\n\s+f"(.*?)"\n\s+"(.*?)"', source)
    parses(options_of("".join(command)))


@pytest.mark.parametrize(
    "name", ["crontab", "clarityq-import.service", "cronjob.yaml", "airflow_dag.py"]
)
def test_old_jobs_are_removed(name: str) -> None:
    text = re.sub(r'" f?"', "", " ".join((SAMPLES / name).read_text("utf-8").split()))
    (options,) = re.findall(r"clarityq-import jobs prune (--[^;>']*)", text)
    parses(shlex.split(options), prune)


@pytest.mark.parametrize("name", ["crontab", "clarityq-import.service"])
def test_the_alerts_of_the_samples_fit_the_import(name: str) -> None:
    (given,) = re.findall(r"--metrics-file \S+ --success-codes \S+", (SAMPLES / name).read_text())
    assert given in (SAMPLES.parent / "monitoring/alerts.yaml").read_text("utf-8")


def test_the_image_is_small_in_rights_and_copies_what_there_is() -> None:
    lines = (SAMPLES / "Dockerfile").read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line
              for word in line.split()[1:-1]]  # fmt: skip
    assert all((SAMPLES.parents[1] / name).exists() for name in copied)
    assert lines.index("USER 10001") < lines.index('ENTRYPOINT ["clarityq-import"]')


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["hadolint", str(SAMPLES / "Dockerfile")],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_batch_lists_options_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES.parents[1])
    assert tomllib.loads((SAMPLES / "batch.toml").read_text("utf-8"))
    names = []
    for entry in read_batch(SAMPLES / "batch.toml"):
        names.append(entry.name)
        assert Request.of(entry.options).settings.ledger.carry_over
    assert names == ["support", "legacy"]


def test_the_batch_imports_all_that_an_export_as_the_sample_holds() -> None:
    (legacy,) = (one for one in read_batch(SAMPLES / "batch.toml") if one.name == "legacy")
    options = {name: legacy.options[name] for name in ("encoding", "ratings", "column")}
    found = check_inputs(str(SAMPLES.parent / "legacy_stars.csv"), **options)
    (understood,) = found.inputs
    assert {*understood.columns} == {"conversation_id", "rating", "comment"}
