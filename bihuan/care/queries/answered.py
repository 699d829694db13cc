"""Which test day a specimen stands for, so that whoever records one that stands for none is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bihuan.care.models import Order
from bihuan.care.rules import test_day
from bihuan.cases.actions.common import zone_of
from bihuan.cases.models import Test
from bihuan.cases.rules import TestResult
from bihuan.tracing.models import Contact

_CONCLUSIVE = (TestResult.NEGATIVE.value, TestResult.POSITIVE.value)


@dataclass(frozen=True, slots=True)
class StillOwed:
    """The test of `day` stays owed: this one was taken before it, or (`is_unclear`) is not conclusive."""

    day: date
    is_unclear: bool = False


def still_owed(contact: Contact, test: Test) -> StillOwed | None:
    """What a test with a result did not answer; None where it answers a day, or nothing is observed."""
    order = Order.objects.filter(contact=contact, ended_at__isnull=True).order_by("-id").first()
    taken_at = test.sampled_at or test.result_at
    if order is None or taken_at is None or test.result == TestResult.PENDING:
        return None
    tz = zone_of(contact.territory_code)
    taken = taken_at.astimezone(tz).date()
    day = test_day(taken, order.tests_on)
    if test.result not in _CONCLUSIVE:
        return StillOwed(day, is_unclear=True) if day is not None else None
    if day is not None:
        others = Test.objects.filter(
            subject_kind="contact", subject_id=contact.public_id, result__in=_CONCLUSIVE, id__lt=test.id
        ).values_list("sampled_at", "result_at")
        known = [(sampled or result).astimezone(tz).date() for sampled, result in others if sampled or result]
        if not any(test_day(other, order.tests_on) == day for other in known):
            return None
    following = min((d for d in order.tests_on if d > taken), default=None)
    return StillOwed(following) if following is not None else None
