"""What the edition in force asks of a contact, and until when an exposure obliges, order or not."""

from __future__ import annotations

from datetime import date

from bihuan.care.rules import Course, observation
from bihuan.policy.packs import ResolvedPolicy, in_force
from bihuan.registry import clock
from bihuan.registry.territory import tz_of

SECONDARY_RULE = "secondary.days"


def course_of(policy: ResolvedPolicy, *, secondary: bool = False) -> Course:
    """The course of a close contact, or of a contact of a contact where the edition gives those their own."""
    days = int(policy.value("secondary.days").value) if secondary else 0
    if days:
        return Course(
            days=days,
            tests_on=tuple(policy.value("secondary.tests_on").value),
            rule=SECONDARY_RULE,
            source_negatives=int(policy.value("secondary.source_negatives").value),
        )
    home_days = int(policy.value("observation.home_days").value)
    return Course(
        days=int(policy.value("observation.days").value),
        tests_on=tuple(policy.value("observation.tests_on").value),
        home_days=home_days,
        home_tests_on=tuple(policy.value("observation.home_tests_on").value) if home_days else (),
        home_kind=str(policy.value("observation.home_kind").value) if home_days else "",
    )


def obliged_until(
    last_exposure: date | None, named: date, territory_code: str, *, secondary: bool = False
) -> date:
    """The last day an order would have under the policy in force on the day the contact was `named`.

    Counts from the last exposure, or from the day before being named where the exposure date is unknown.
    """
    policy = in_force(territory_code, named)
    course = course_of(policy, secondary=secondary)
    exposed = last_exposure if policy.value("observation.count_from").value == "last_exposure" else None
    plan = observation(
        last_exposure=exposed,
        started=named,
        days=course.days,
        home_days=course.home_days,
        tz=clock.zone(tz_of(territory_code)),
    )
    return plan.last
