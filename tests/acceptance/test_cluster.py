"""A cluster is started as docs/scale.md says, and imports; the sample for Kubernetes holds."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.test_schedules import options_of, parses
from tests.support.data import PRODUCT, conversation, write_csv
from tests.support.processes import arguments, children
from tests.support.sandbox_process import SandboxProcess

SAMPLES = Path(__file__).parents[2] / "samples/cluster"
KEY = "key-of-the-cluster-test"
ROWS = 500


@dataclass
class Cluster:
    """What `start.sh` has started."""

    process: subprocess.Popen[bytes]
    folder: Path
    address: str

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def command(self, *line: object) -> subprocess.Popen[str]:
        """Start a command as the documentation says, in a shell that knows the certificate."""
        words = [sys.executable, "-m", "importer", *map(str, line)]
        return subprocess.Popen(
            ["/bin/sh", "-c", '. "$0"; exec "$@"', str(self.folder / "tls.env"), *words],
            env={**_environment(), "CLARITYQ_API_KEY": KEY}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def workers(self) -> set[int]:
        """Return the processes that send; each has one above it that watches it."""
        watchers = {pid for pid in children(self.process.pid) if "worker" in arguments(pid)}
        found = {pid for watcher in watchers for pid in children(watcher)}
        return {pid for pid in found if "spawn_main" in arguments(pid)}


def _environment() -> dict[str, str]:
    bin_folder = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "cluster"
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(SAMPLES / "start.sh"), str(folder), str(port)],
            env=_environment(), stdout=log, stderr=log,
        )  # fmt: skip
    running = Cluster(process, folder, f"tls://127.0.0.1:{port}")
    try:
        while running.log.count("Registered to:") < 2:
            assert process.poll() is None, running.log
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()  # in the background of a shell, Ctrl-C would be ignored
        process.wait(60)


@pytest.mark.slow
def test_the_sample_cluster_imports_and_outlives_one_of_its_workers(
    cluster: Cluster, tmp_path: Path
) -> None:
    sandbox = SandboxProcess()
    path = write_csv(tmp_path / "in.csv", [(conversation(n), "POSITIVE", "") for n in range(ROWS)])
    try:
        command = cluster.command(
            "run", path, "--product-id", PRODUCT, "--base-url", sandbox.url,
            "--cluster", cluster.address, "--rate", 200, "--late-effect", "1s",
        )  # fmt: skip
        while len(sandbox.stored()) < 100:
            assert command.poll() is None, command.communicate()
        os.kill(min(cluster.workers()), signal.SIGKILL)
        _, told = command.communicate(timeout=100)

        assert command.returncode == 0, told
        assert "is lost" in told
        assert len(sandbox.stored()) == ROWS
    finally:
        sandbox.close()
    said = [cluster.log, told, *(p.read_text("utf-8") for p in cluster.folder.glob("tls.*"))]
    assert not [text for text in said if KEY in text]
    left = [child for child in cluster.folder.rglob("*") if child.is_file()]
    assert not [child for child in left if KEY.encode() in child.read_bytes()]


def _documents() -> dict[tuple[str, str], dict[str, Any]]:
    text = (SAMPLES / "kubernetes.yaml").read_text("utf-8")
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(text)}


def test_the_kubernetes_sample_fits_together() -> None:
    documents = _documents()
    service = documents["Service", "clarityq-scheduler"]["spec"]
    scheduler = documents["Deployment", "clarityq-scheduler"]["spec"]["template"]
    job = documents["Job", "clarityq-import"]["spec"]["template"]
    assert service["selector"] == scheduler["metadata"]["labels"]
    address = f"tls://clarityq-scheduler:{service['ports'][0]['port']}"
    (worker,) = documents["Deployment", "clarityq-worker"]["spec"]["template"]["spec"]["containers"]
    (command,) = job["spec"]["containers"]
    options = options_of(*command["args"])
    parses(options)
    assert address in worker["command"]
    assert options[options.index("--cluster") + 1] == address


def test_in_the_kubernetes_sample_the_api_key_is_given_to_the_job_alone() -> None:
    for (kind, name), document in _documents().items():
        if kind not in ("Deployment", "Job"):
            continue
        pod = document["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["envFrom"] == [{"configMapRef": {"name": "clarityq-cluster"}}]
        secrets = {v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v}
        assert ("clarityq" in secrets) == (name == "clarityq-import")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_all_parts_of_the_kubernetes_sample_know_the_certificate() -> None:
    known = _documents()["ConfigMap", "clarityq-cluster"]["data"]
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    assert known["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
    for part in ("SCHEDULER", "WORKER", "CLIENT"):
        for what in ("CERT", "KEY"):
            assert known[f"{tls}{part}__{what}"].startswith("/run/secrets/cluster/")
