"""The code of somebody's own page, as posts that look after her may know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Case as CaseOf
from django.db.models import Count, Exists, OuterRef, Q, When
from django.utils.translation import gettext as _

from bihuan.care.models import OWN_END_LABELS, Order, OwnAccess
from bihuan.care.rules.words import EndReason
from bihuan.cases.models import Case
from bihuan.cases.rules.words import Outcome
from bihuan.loops.models import Loop
from bihuan.registry import clock, scope
from bihuan.registry.identity import LOCAL
from bihuan.registry.models import Person


@dataclass(frozen=True, slots=True)
class CodeView:
    """The code of somebody's page: who gave it, until when it opens, how often it did, and how many `wrong`
    answers came since. `end`: why it opens nothing any more, since `until_at`; "" while it opens. In UTC."""

    given_by: str
    given_at: datetime
    until_at: datetime
    opened: int
    opened_at: datetime | None
    wrong: int
    end: str


#: Records of one person, more or less; of who has more a sheet holds fewer people.
_RECORDS_EACH: Final = 2
#: Sheets that can be made anew: somebody notices within a few.
_SHEETS: Final = 5
_NOWHERE: Final = ("", "")
#: Of whom a number is held by which she can show that a page is hers: not the serial of a list.
PROVABLE: Final = (Q(id_cipher__isnull=False) & ~Q(id_kind=LOCAL)) | Q(phone_cipher__isnull=False)


def has_died(person: Person) -> bool:
    """Whether she has died, by the outcome of a case of hers or the end of an order, within the scope."""
    return bool(died_among([person.root_id]))


def died_among(roots: Iterable[int]) -> frozenset[int]:
    """Who of these (roots) has died, by the outcome of a case or the end of an order, within the scope."""
    cases, orders = _deaths()
    mine = {"person__root_id__in": list(roots)}
    of_cases = cases.filter(**mine).values_list("person__root_id", flat=True)
    return frozenset(of_cases) | frozenset(orders.filter(**mine).values_list("person__root_id", flat=True))


def code_of(person: Person, *, now: datetime | None = None) -> CodeView | None:
    """The code that opens a person's own page now, given by whomever; None when there is none."""
    found = last_code_of(person, now=now)
    return found if found is not None and not found.end else None


def last_code_of(person: Person, *, now: datetime | None = None) -> CodeView | None:
    """The code that opens a person's own page, or else the newest that did."""
    at, (lo, hi) = now or clock.now(), scope.bounds() or _NOWHERE
    opens = Q(ended_at__isnull=True, until_at__gt=at)
    with scope.system():  # she has one code, wherever she lived or a record joined with hers lies
        rows = OwnAccess.objects.filter(person__root_id=person.root_id)
        found = rows.alias(opens=CaseOf(When(opens, then=1), default=0)).order_by("-opens", "-id").first()
    if found is None:
        return None
    by = found.given_by if lo <= found.territory_code < hi else _("an office of another territory")
    end = dict(OWN_END_LABELS).get(found.end_reason, "")
    if not end and found.until_at <= at:
        end = _("Its days are over")
    until = min(found.ended_at or found.until_at, found.until_at)
    return CodeView(by, found.given_at, until, found.opened, found.opened_at, found.wrong, str(end))


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """The people to whom something is owed in a territory: how many have a code that opens (`with_code`), of
    how many no number is held by which they could open a page (`unprovable`), how many could be given one
    (`without_code`), and how many are registered out of sight and given one there (`elsewhere`)."""

    with_code: int
    unprovable: int
    without_code: int
    elsewhere: int


def looked_after(territory_code: str, *, now: datetime | None = None) -> LookedAfter:
    """Who has an open loop in a territory, within the scope, and of them who can be given a code."""
    at, bounds = now or clock.now(), scope.bounds() or _NOWHERE
    with scope.system():  # a code, a number, a death count wherever they were recorded
        here = _within(bounds, root_id=OuterRef("root_id"), shredded_at__isnull=True)
        people = _alive(Person.objects.filter(id__in=_owed(territory_code, bounds), shredded_at__isnull=True))
        flags = people.annotate(here=Exists(here), coded=Exists(_coded(at)), provable=Exists(_provable()))
        rows = flags.values("here", "coded", "provable").annotate(n=Count("root_id", distinct=True))
        found = {(row["here"], row["coded"], row["provable"]): row["n"] for row in rows}
    return LookedAfter(
        with_code=found.get((True, True, True), 0) + found.get((True, True, False), 0),
        unprovable=found.get((True, False, False), 0),
        without_code=found.get((True, False, True), 0),
        elsewhere=sum(n for (is_here, *_flags), n in found.items() if not is_here),
    )


def without_code(territory_code: str, *, most: int, now: datetime | None = None) -> tuple[str, ...]:
    """Public ids of the first `most` by territory who are looked after there, could be given a code, and have
    none; each once."""
    at, bounds = now or clock.now(), scope.bounds() or _NOWHERE
    with scope.system():  # as above
        roots = Person.objects.filter(id__in=_owed(territory_code, bounds)).values("root_id")
        people = _alive(_within(bounds, root_id__in=roots, shredded_at__isnull=True))
        free = people.filter(~Exists(_coded(at)), Exists(_provable())).order_by(
            "territory_code", "address", "id"
        )
        first: dict[int, str] = {}
        for root, public_id in free.values_list("root_id", "public_id")[: most * _RECORDS_EACH]:
            first.setdefault(root, public_id)
    return tuple(first.values())[:most]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Codes that a post gave together, and of them who has not opened her page (public ids)."""

    given_at: datetime
    unopened: tuple[str, ...]


def last_sheets(*, now: datetime | None = None) -> list[Sheet]:
    """The newest sheets of the post acted in of which more than one code opens still and was never used."""
    acting = scope.current()
    if acting is None or acting.post_id is None:
        return []
    codes = OwnAccess.objects.filter(given_by_post_id=acting.post_id, ended_at__isnull=True, opened=0)
    fresh = codes.filter(until_at__gt=now or clock.now(), person__shredded_at__isnull=True)
    sheets = fresh.values("given_at").annotate(n=Count("id")).filter(n__gt=1).order_by("-given_at")
    newest = list(sheets.values_list("given_at", flat=True)[:_SHEETS])
    people: dict[datetime, list[str]] = {at: [] for at in newest}
    rows = fresh.filter(given_at__in=newest)
    rows = rows.order_by("person__territory_code", "person__address", "person_id")
    for at, public_id in rows.values_list("given_at", "person__public_id"):
        people[at].append(public_id)
    return [Sheet(at, tuple(ids)) for at, ids in people.items()]


def _owed(territory_code: str, bounds: tuple[str, str]) -> Any:
    """Ids of the people whom open loops in a territory are about."""
    lo, hi = bounds
    below = Loop.objects.filter(
        territory_code__gte=territory_code, territory_code__lt=territory_code + scope.LAST
    )
    seen = below.filter(territory_code__gte=lo, territory_code__lt=hi)
    return seen.filter(closed_at__isnull=True, person_id__isnull=False).values("person_id")


def _within(bounds: tuple[str, str], **more: Any) -> Any:
    lo, hi = bounds
    return Person.objects.filter(territory_code__gte=lo, territory_code__lt=hi, **more)


def _coded(at: datetime) -> Any:
    """Codes that open the page of a person of the outer query."""
    mine = OwnAccess.objects.filter(person__root_id=OuterRef("root_id"))
    return mine.filter(ended_at__isnull=True, until_at__gt=at)


def _provable() -> Any:
    return Person.objects.filter(PROVABLE, root_id=OuterRef("root_id"))


def _alive(people: Any) -> Any:
    cases, orders = (rows.filter(person__root_id=OuterRef("root_id")) for rows in _deaths())
    return people.filter(~Exists(cases), ~Exists(orders))


def _deaths() -> tuple[Any, Any]:
    """Cases and orders by which somebody died. An outcome can be corrected; how an order ended cannot, so one
    that began since says that she lives."""
    orders = Order.objects.filter(end_reason=EndReason.DIED.value)
    since = Order.objects.filter(
        person__root_id=OuterRef("person__root_id"), start_at__gte=OuterRef("ended_at")
    ).exclude(end_reason=EndReason.DIED.value)
    return Case.objects.filter(outcome=Outcome.DIED.value), orders.filter(~Exists(since))
