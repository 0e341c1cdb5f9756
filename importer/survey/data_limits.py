"""Whether a job is stopped before its first request because of its data.

The promises are V8, V9 and V12 of docs/reference.md. Sans-I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from importer.common.text import counted, is_or_are
from importer.settings.groups import AbortRules
from importer.settings.values import DataLimit
from importer.survey.changes import CHANGES
from importer.survey.findings import Findings
from importer.survey.history import Figures, how_unlike
from importer.survey.plan import Plan


def exceeded_limit(
    rules: AbortRules,
    findings: Findings,
    plan: Plan | None = None,
    before: Callable[[], Sequence[Figures]] = lambda: (),
) -> str | None:
    """Return why the job is not to be sent, in words; None if it may be.

    Without a `plan`, what the job would change is not known and not looked at. `before`
    returns the figures of the product's earlier jobs, the oldest first; it is called only if they
    are compared.
    """
    if rules.accept_change:
        return None
    rejected, most = findings.rejected, rules.max_rejected
    if most is not None and most.exceeded(rejected, findings.rows):
        return (
            f"{rejected:,} of {counted(findings.rows, 'row')} {is_or_are(rejected)} rejected, and "
            f"{_allowed(most)} may be"
        )
    most = rules.max_changes
    if plan is not None and most is not None and most.exceeded(plan.changed, plan.known):
        return (
            f"{plan.changed:,} of {counted(plan.known, 'conversation')} whose feedback is known "
            f"would lose some of it, and {_allowed(most)} may ({_by_change(plan)})"
        )
    if plan is None or rules.no_history_check or findings.has_left_overs:
        return None
    unlike = how_unlike(Figures.of(findings, plan), before())
    return unlike and f"the data is unlike that of the product's last jobs: {unlike}"


def _by_change(plan: Plan) -> str:
    return "; ".join(
        f"{CHANGES[change]}: {number:,}" for change, number in plan.changes.items() if number
    )


def _allowed(most: DataLimit) -> str:
    return f"at most {most}" if most.count or most.share else "none"
