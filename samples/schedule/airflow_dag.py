"""Two ways to import from Airflow: the command, and the function."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.decorators import dag, task
from airflow.exceptions import AirflowFailException
from airflow.operators.bash import BashOperator

PRODUCT = "00000000-0000-4000-8000-000000000001"


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
)
def clarityq_import() -> None:
    """Import last night's ratings; a retry resumes the job."""
    BashOperator(
        task_id="by_command",
        # 1 and 5 are no reason to retry: they show as skipped.
        bash_command=(
            "clarityq-import run /exports/ratings-{{ ds }}.csv "
            f"--product-id {PRODUCT} --ratings thumbs --skip-unchanged --carry-over --quiet"
        ),
        env={"CLARITYQ_API_KEY": "{{ conn.clarityq.password }}"},
        append_env=True,
        skip_on_exit_code=[1, 5],
    )

    @task
    def by_function(ds: str | None = None) -> dict[str, int]:
        """Return the outcomes."""
        from importer import ImportSettings, run_import_blocking

        summary = run_import_blocking(
            ImportSettings.of(
                inputs=f"/exports/ratings-{ds}.parquet",
                product_id=PRODUCT,
                ratings="thumbs",
                skip_unchanged=True,
                carry_over=True,
            )
        )
        if summary.exit_code not in (0, 1, 5):
            raise AirflowFailException(summary.message)
        return {str(kind): number for kind, number in summary.outcomes.items()}

    by_function()


clarityq_import()
