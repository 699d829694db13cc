"""Rechecks after discharge (weeks 2 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.care.actions.checks import SYMPTOMS
from bihuan.care.errors import ReadingInvalid
from bihuan.care.models import FollowUp
from bihuan.cases.actions.change import locked
from bihuan.cases.actions.common import Day, authorize, moment_now, stamp, writing, zone_of
from bihuan.cases.rules import moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor


def record_follow_up(
    case_id: str,
    *,
    actor: Actor,
    at: Day = None,
    week: int | None = None,
    result: str = "",
    symptoms: Sequence[str] = (),
    note: str = "",
    duty: str = "",
    now: datetime | None = None,
) -> FollowUp:
    """A recheck of a discharged person. A positive `result` is a fact of its own, not a new case."""
    known_at = moment_now(now)
    strange = [symptom for symptom in symptoms if symptom not in SYMPTOMS]
    if strange:
        message = _("%(value)s is not allowed here.") % {"value": ", ".join(strange)}
        error = {"field": "symptoms", "rule": "choice", "message": message, "hint": ""}
        raise ReadingInvalid(message, errors=[error])
    with writing(actor):
        case = locked(case_id)
        authorize(("case.write", "duty.do"), case.territory_code, subject=("case", case_id))
        tz = zone_of(case.territory_code)
        when = moment(at if at is not None else known_at, tz)
        assert when is not None
        done = FollowUp.objects.create(
            case=case,
            territory_code=case.territory_code,
            week=week,
            at=when.instant(tz),
            at_precision=when.precision,
            result=result,
            symptoms=list(symptoms),
            note=note[:300],
            recorded_at=known_at,
            **stamp(actor),
        )
        data = {"duty": duty} if duty else {}
        if result:
            data["recheck"] = result
        event = NewEvent(
            subject_kind="case",
            subject_id=case.public_id,
            kind="case.follow_up",
            at=when.instant(tz),
            at_precision=when.precision,
            data=data,
            territory_code=case.territory_code,
            person_id=case.person_id,
        )
        tell_loops([event], actor=actor, now=known_at)
        return done
