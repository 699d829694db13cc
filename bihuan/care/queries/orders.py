"""An order and why it stands: rule, clause, evidence, until when, how it may end earlier, how to appeal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet

from bihuan.care.errors import UnknownOrder
from bihuan.care.models import Appeal, Order
from bihuan.care.rules import EARLY_REASONS, OrderKind, exposure_day, stage_day
from bihuan.cases.queries.lines import within
from bihuan.registry import clock
from bihuan.registry.models import Person
from bihuan.registry.territory import tz_of

# The ways an order may end before its last day, as words a page translates (labels in
# care.models.END_LABELS).
ENDS_EARLIER = tuple(sorted(reason.value for reason in EARLY_REASONS))


@dataclass(frozen=True, slots=True)
class OrderView:
    """What "why" shows. `day` of `days` counts from the first day under the order, `exposure_day` from the
    last exposure. `stage_day` of `stage_days` counts within `stage` (1 or 2 of `stages`), which ends with
    `stage_last`. `at_home`: ordered at home, or home from the site.
    """

    order: Order
    contact: str
    day: int
    days: int
    exposure_day: int
    stage: int
    stages: int
    stage_day: int
    stage_days: int
    stage_last: date
    at_home: bool
    ends_earlier: tuple[str, ...]
    appeals: tuple[Appeal, ...]

    @property
    def appeal_waiting(self) -> Appeal | None:
        return next((appeal for appeal in self.appeals if appeal.decided_at is None), None)


def find_order(public_id: str, *, as_of: datetime | None = None) -> OrderView:
    """Raises UnknownOrder when there is none in the scope."""
    order = Order.objects.filter(public_id=public_id).first()
    if order is None:
        raise UnknownOrder(public_id)
    return _view(order, as_of or clock.now())


def running_order(contact_id: str, *, as_of: datetime | None = None) -> OrderView | None:
    """The order a contact is under, or the last one; None when there never was one."""
    order = Order.objects.filter(contact__public_id=contact_id).order_by("-id").first()
    return _view(order, as_of or clock.now()) if order is not None else None


def orders_about(person: Person, *, as_of: datetime | None = None) -> list[OrderView]:
    """Every order about a person within the scope, of all records joined with hers, the newest first: who is
    two contacts may be under two."""
    at = as_of or clock.now()
    rows = Order.objects.filter(person__root_id=person.root_id).select_related("contact")
    return [_view(order, at) for order in rows.order_by("-start_at", "-id")]


def appeals_waiting(territory: str = "") -> QuerySet[Appeal]:
    """Appeals that wait for an answer, the most urgent first."""
    rows: QuerySet[Appeal] = within(Appeal, territory).filter(decided_at__isnull=True)
    return rows.order_by("due_at")


def _stage(order: Order, on: date) -> tuple[int, date, date]:
    """The stage a day lies in, its first and its last day."""
    if order.home_from is None:
        return 1, order.first_day, order.last_day
    if on < order.home_from:
        return 1, order.first_day, order.home_from - timedelta(days=1)
    return 2, order.home_from, order.last_day


def _view(order: Order, at: datetime) -> OrderView:
    today: date = clock.local_day(at, tz_of(order.territory_code))
    upto = min(today, order.last_day)
    stage, first, last = _stage(order, upto)
    return OrderView(
        order=order,
        contact=order.contact.public_id,
        day=max(stage_day(upto, order.first_day), 0),
        days=stage_day(order.last_day, order.first_day),
        exposure_day=exposure_day(today, order.day_zero),
        stage=stage,
        stages=1 if order.home_from is None else 2,
        stage_day=max(stage_day(upto, first), 0),
        stage_days=stage_day(last, first),
        stage_last=last,
        at_home=order.kind == OrderKind.HOME or (order.moved_at is not None and order.moved_at <= at),
        ends_earlier=ENDS_EARLIER,
        appeals=tuple(Appeal.objects.filter(order=order).order_by("-id")),
    )
