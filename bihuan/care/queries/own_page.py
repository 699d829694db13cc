"""The code of somebody's own page, as posts that look after her may know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from bihuan.care.models import Order, OwnAccess
from bihuan.care.rules.words import EndReason
from bihuan.cases.models import Case
from bihuan.cases.rules.words import Outcome
from bihuan.loops.models import Loop
from bihuan.registry import clock, scope
from bihuan.registry.identity import LOCAL
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
    return Person.objects.filter(_died(person.root_id), pk=person.pk).exists()


def code_of(person: Person, *, now: datetime | None = None) -> CodeView | None:
    """The code that opens a person's own page now; None when there is none."""
    at = now or clock.now()
    rows = OwnAccess.objects.filter(person__root_id=person.root_id, ended_at__isnull=True, until_at__gt=at)
    found = rows.order_by("-id").first()
    if found is None:
        return None
    return CodeView(found.given_by, found.given_at, found.until_at, found.opened, found.opened_at)


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """The people of a territory to whom something is owed: how many have a code that opens (`with_code`), of
    how many no number is held by which they could open a page (`unprovable`), how many could be given one
    (`without_code`), and the first of those by territory (`next`, public ids)."""

    with_code: int
    unprovable: int
    without_code: int
    next: tuple[str, ...]


def looked_after(territory_code: str, *, most: int, now: datetime | None = None) -> LookedAfter:
    """Who in a territory, within the scope, has an open loop, and of them who can be given a code."""
    at = now or clock.now()
    loops = Loop.objects.filter(closed_at__isnull=True, person_id__isnull=False)
    below = loops.filter(territory_code__gte=territory_code, territory_code__lt=territory_code + scope.LAST)
    people = Person.objects.filter(id__in=below.values("person_id"), shredded_at__isnull=True)
    mine = Person.objects.filter(root_id=OuterRef("root_id"))
    document = Q(id_cipher__isnull=False) & ~Q(id_kind=LOCAL)
    alive = people.exclude(_died(OuterRef("root_id"))).annotate(
        coded=Exists(
            OwnAccess.objects.filter(
                person__root_id=OuterRef("root_id"), ended_at__isnull=True, until_at__gt=at
            )
        ),
        provable=Exists(mine.filter(document | Q(phone_cipher__isnull=False))),
    )
    free = alive.filter(coded=False, provable=True)
    one_each = free.order_by("root_id", "id").distinct("root_id").values("id")
    first = Person.objects.filter(id__in=one_each).order_by("territory_code", "public_id")[:most]
    return LookedAfter(
        with_code=_roots(alive.filter(coded=True)),
        unprovable=_roots(alive.filter(coded=False, provable=False)),
        without_code=_roots(free),
        next=tuple(first.values_list("public_id", flat=True)),
    )


def _roots(rows: Any) -> int:
    """How many people, of whatever many records."""
    return int(rows.values("root_id").distinct().count())


def _died(root: Any) -> Any:
    cases = Case.objects.filter(person__root_id=root, outcome=Outcome.DIED.value)
    orders = Order.objects.filter(person__root_id=root, end_reason=EndReason.DIED.value)
    return Exists(cases) | Exists(orders)
