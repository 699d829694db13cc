"""The window of an investigation follows its case: an onset that is revised, an isolation that is told
later."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from bihuan.cases.actions.common import zone_of
from bihuan.cases.models import Case, Test
from bihuan.cases.rules import TestResult
from bihuan.loops.queries import DutyFilter, find_duties
from bihuan.loops.queries.duties import DutyRow
from bihuan.policy.values import value
from bihuan.registry import scope
from bihuan.tracing.models import Investigation
from bihuan.tracing.rules.asked_window import (
    Anchors,
    AskedWindow,
    WindowPolicy,
    asked_window,
    day_bounds,
    first_of,
)

DUTY = "investigation"


def window_of(case: Case, *, now: datetime) -> AskedWindow:
    """What an investigation of this case asks about, under the policy in force where and when it was
    found."""
    tz = zone_of(case.territory_code)
    return asked_window(_anchors(case, tz), _policy(case.territory_code, case.found_at), tz=tz)


def duty_of(case: Case) -> DutyRow | None:
    """The newest investigation duty of the case, in any state; None where no loop owes one."""
    asked = DutyFilter(subject=("case", case.public_id), kinds=(DUTY,), status="")
    with scope.system():  # whose desk it lies on decides who may do it, not who may know when it is due
        rows = find_duties(asked, limit=20).rows
    return max(rows, key=lambda row: (row.opened_at, row.id), default=None)


def renew(investigation: Investigation, *, now: datetime) -> None:
    """Bring the window and the deadline of an open investigation to what the case says now."""
    if investigation.status != Investigation.OPEN:
        return
    asked, duty = window_of(investigation.case, now=now), duty_of(investigation.case)
    fresh = {
        "source_from": asked.source_from,
        "window_from": asked.window_from,
        "window_to": asked.window_to,
        "due_at": duty.due_at if duty is not None else investigation.due_at,
    }
    changed = [name for name, new in fresh.items() if getattr(investigation, name) != new]
    if changed:
        for name in changed:
            setattr(investigation, name, fresh[name])
        investigation.save(update_fields=changed)


def _policy(territory_code: str, on: datetime) -> WindowPolicy:
    def of(key: str) -> int:
        return int(value(key, territory_code, on).value)

    return WindowPolicy(
        before_onset_days=of("contact.window_before_onset_days"),
        before_sample_days=of("contact.window_before_sample_days"),
        from_last_negative=bool(value("contact.window_from_last_negative", territory_code, on).value),
        incubation_days=of("incubation.days"),
    )


def _anchors(case: Case, tz: ZoneInfo) -> Anchors:
    tests = list(
        Test.objects.filter(person_id=case.person_id, sampled_at__isnull=False).order_by("sampled_at", "id")
    )
    positive = next((t.sampled_at for t in tests if t.result == TestResult.POSITIVE), None)
    first = first_of([positive.astimezone(tz).date() if positive else None, _positive_sample(case)])
    found = case.found_at.astimezone(tz).date()
    until = positive or (day_bounds(first, tz=tz)[1] if first else day_bounds(found, tz=tz)[0])
    negatives = [
        t.sampled_at
        for t in tests
        if t.result == TestResult.NEGATIVE and t.sampled_at and t.sampled_at < until
    ]
    return Anchors(
        found=found,
        onset=case.date_onset,
        first_positive_sample=first,
        last_negative=max(negatives, default=None),
        isolated=_isolated(case, tz),
    )


def _positive_sample(case: Case) -> date | None:
    """The sampling the case's own record tells of, where its result was positive or is what made the case."""
    day: date | None = case.date_sample
    return day if case.test_result in ("", TestResult.POSITIVE.value) else None


def _isolated(case: Case, tz: ZoneInfo) -> datetime | None:
    """When the case was isolated, or admitted if nobody told the isolation: the earlier; a day ends at
    24:00."""
    told = [
        at if at is not None else day_bounds(day, tz=tz)[1]
        for at, day in (
            (case.isolation_at, case.date_isolation),
            (case.admission_at, case.date_admission),
        )
        if at is not None or day is not None
    ]
    return min(told, default=None)
