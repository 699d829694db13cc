"""The code of somebody's own page, as posts that look after her may know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bihuan.care.models import Order, OwnAccess
from bihuan.care.rules.words import EndReason
from bihuan.cases.models import Case
from bihuan.cases.rules.words import Outcome
from bihuan.registry import clock
from bihuan.registry.models import Person


@dataclass(frozen=True, slots=True)
class CodeView:
    """A code that opens a page: who gave it, until when it does, how often it did. Times in UTC."""

    given_by: str
    given_at: datetime
    until_at: datetime
    opened: int
    opened_at: datetime | None


def has_died(person: Person) -> bool:
    """Whether she has died, by the outcome of a case of hers or the end of an order, within the scope."""
    cases = Case.objects.filter(person__root_id=person.root_id, outcome=Outcome.DIED.value)
    orders = Order.objects.filter(person__root_id=person.root_id, end_reason=EndReason.DIED.value)
    return cases.exists() or orders.exists()


def code_of(person: Person, *, now: datetime | None = None) -> CodeView | None:
    """The code that opens a person's own page now; None when there is none."""
    at = now or clock.now()
    rows = OwnAccess.objects.filter(person__root_id=person.root_id, ended_at__isnull=True, until_at__gt=at)
    found = rows.order_by("-id").first()
    if found is None:
        return None
    return CodeView(found.given_by, found.given_at, found.until_at, found.opened, found.opened_at)
