"""A stored case as the rules see it."""

from __future__ import annotations

from bihuan.cases.models import Case
from bihuan.cases.rules import DATED, TIMED, CaseFacts, Moment


def facts_from(case: Case) -> CaseFacts:
    """What rules see of a stored case."""
    return CaseFacts(
        classification=case.classification,
        recorded_at=case.recorded_at,
        moments=moments_from(case),
        outcome=case.outcome,
        result=case.test_result,
    )


def moments_from(case: Case) -> dict[str, Moment]:
    found = {}
    for name in DATED:
        day = getattr(case, f"date_{name}")
        if day is not None:
            found[name] = Moment(day, getattr(case, f"{name}_at") if name in TIMED else None)
    return found
