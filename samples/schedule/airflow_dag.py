"""Two ways to import from Airflow 3, the command and the function, each a DAG of its own: take one.

Jobs and ledger are in JOBS_DIR, which has to last and to be the same for every worker: the folder
that a task works in is removed when the task ends. The importer has to be installed where the tasks
run. The key is the password of a connection:

    airflow connections add clarityq --conn-type generic --conn-password KEY

Old jobs are removed by the command alone: with the function, run `jobs prune` elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Connection, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

PRODUCT = "00000000-0000-4000-8000-000000000001"
JOBS_DIR = "/var/lib/clarityq-jobs"
# They have done their work, and the next night goes on: 1, some rows were not imported; 5, some
# conversations are not completed yet; 6, --max-duration ended. Such a task shows as skipped.
DONE = [1, 5, 6]
NIGHTLY = {
    "schedule": "30 2 * * *",
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    # A retry resumes the job: after an outage, a refused key that was corrected, a lost worker.
    "default_args": {"retries": 2, "retry_delay": timedelta(minutes=10)},
}


@dag(**NIGHTLY)
def clarityq_import_by_command() -> None:
    """Import the night's ratings with the command."""
    BashOperator(
        task_id="clarityq_import",
        bash_command=(
            f"clarityq-import jobs prune --jobs-dir {JOBS_DIR} --keep-days 30 --keep-last 20 "
            "--comments-after 30; "
            "exec clarityq-import run /exports/ratings-{{ ds }}.csv "
            f"--product-id {PRODUCT} --jobs-dir {JOBS_DIR} --ratings thumbs --skip-unchanged "
            "--carry-over --max-duration 4h --wait-for-lock 10min --quiet"
        ),
        env={"CLARITYQ_API_KEY": "{{ conn.clarityq.password }}"},
        append_env=True,
        skip_on_exit_code=DONE,
    )


@dag(**NIGHTLY)
def clarityq_import_by_function() -> None:
    """Import the night's ratings with the function; its log is that of the task."""

    @task
    def clarityq_import(ds: str | None = None) -> dict[str, int]:
        """Return the outcomes."""
        from importer import ImportSettings, run_import_blocking

        summary = run_import_blocking(
            ImportSettings.of(
                inputs=f"/exports/ratings-{ds}.csv",
                product_id=PRODUCT,
                jobs_dir=JOBS_DIR,
                ratings="thumbs",
                skip_unchanged=True,
                carry_over=True,
                max_duration="4h",
                wait_for_lock="10min",
            ),
            api_key=Connection.get("clarityq").password,
        )
        if summary.exit_code in DONE:
            raise AirflowSkipException(summary.verdict)
        if summary.exit_code != 0:
            raise AirflowException(summary.verdict)
        return {str(kind): number for kind, number in summary.outcomes.items()}

    clarityq_import()


clarityq_import_by_command()
clarityq_import_by_function()
