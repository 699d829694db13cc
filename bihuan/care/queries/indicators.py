"""Indicators of contact tracing (protocols.md 13): each a share or a ratio with what it is made of.

Recomputed from the records as of a moment, over the days before it: a case stands as it was classified then,
and what came later does not count. A case whose clock has not run out yet is not counted as missed. They
describe how the work goes in a territory; nobody is ranked by them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import CharField, DateTimeField, Exists, F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from bihuan.care.models import DailyCheck, Order
from bihuan.care.rules import EndReason, ReleaseReason
from bihuan.cases.models import Case, CaseRevision, Step, Test
from bihuan.cases.queries.lines import within
from bihuan.cases.rules import Classification, Origin
from bihuan.registry import clock
from bihuan.registry import territory as tree
from bihuan.tracing.models import CaseLink, Contact, Exposure

#: Days looked back over, unless asked otherwise: our own rule, two incubation periods of seven days.
DAYS: Final = 14
TRACED_WITHIN: Final = timedelta(hours=72)
INTERVIEWED_WITHIN: Final = timedelta(hours=24)
PLACED_WITHIN: Final = timedelta(hours=24)
TESTED_WITHIN: Final = timedelta(hours=24)
#: The number is recalled, its document is not at hand (protocols.md 13, confidence R).
WHO_2020: Final = "WHO 2020-05-12 annex"
PLAYBOOK: Final = "Resolve to Save Lives playbook"
USDR: Final = "US Digital Response playbook"
_CASES: Final = (Classification.CONFIRMED.value, Classification.CLINICALLY_DIAGNOSED.value,
                 Classification.ASYMPTOMATIC.value)  # fmt: skip
_COMPLETED: Final = (EndReason.RELEASED.value, EndReason.END_REACHED.value)
_BROKEN: Final = (EndReason.LOST.value,)
_IMPORTED: Final = (Origin.IMPORTED.value,)


@dataclass(frozen=True, slots=True)
class Indicator:
    """`numerator` of `denominator`; `value` None where there is nothing to divide by. `target` is a share (or
    None), better when `at_least` the target, else at most. `is_ratio`: numerator per denominator, no share.
    `source` says who set target or meaning; `confidence` V verified, R recalled."""

    key: str
    numerator: int
    denominator: int
    target: float | None
    at_least: bool
    source: str
    confidence: str
    is_ratio: bool = False

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without target or without anybody."""
        if self.target is None or self.value is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Indicators:
    """All of a territory, as of a moment, over the `days` before it."""

    territory: str
    as_of: datetime
    days: int
    rows: tuple[Indicator, ...]


def tracing_indicators(territory: str = "", *, as_of: datetime | None = None, days: int = DAYS) -> Indicators:
    """The indicators of contact tracing at or below a territory, within the scope acted in."""
    at = as_of or clock.now()
    asked = _Asked(territory, at, at - timedelta(days=days))
    kinds: tuple[Callable[[_Asked], Indicator], ...] = (
        _traced, _placed, _followed, _tested, _completing, _among_contacts, _in_quarantine, _unlinked,
        _without_contacts, _interviewed, _needed,
    )  # fmt: skip
    return Indicators(territory, at, days, tuple(make(asked) for make in kinds))


@dataclass(frozen=True, slots=True)
class _Asked:
    territory: str
    at: datetime
    since: datetime

    def cases(self) -> QuerySet[Any]:
        """Cases found in these days that stood as cases, with `confirmed`, the instant clocks count from."""
        rows: QuerySet[Any] = within(Case, self.territory)
        rows = rows.filter(found_at__gt=self.since, found_at__lte=self.at)
        rows = rows.annotate(stood=self.stood("classification", "pk")).filter(stood__in=_CASES)
        return rows.annotate(confirmed=Coalesce("confirmation_at", "found_at"))

    def contacts(self) -> QuerySet[Contact]:
        """Contacts named by then; whoever was one under two records that were joined by then is one."""
        rows: QuerySet[Contact] = within(Contact, self.territory)
        rows = rows.filter(confirmed_at__lte=self.at)
        return rows.exclude(release_reason=ReleaseReason.JOINED.value, released_at__lte=self.at)

    def stood(self, field: str, case: str) -> Coalesce:
        """What a field of the case at `case` said at that moment: before the first change that came later."""
        later = CaseRevision.objects.filter(case=OuterRef(case), field=field, at__gt=self.at)
        before = Subquery(later.order_by("at", "id").values("old")[:1], output_field=CharField())
        path = field if case == "pk" else f"{case}__{field}"
        return Coalesce(before, F(path), output_field=CharField())

    def recorded(self, case: str) -> Q:
        """What was recorded by then; of a case that was itself recorded later (a list of the past), all."""
        return Q(recorded_at__lte=self.at) | Q(**{f"{case}__recorded_at__gt": self.at})


def _first_order() -> Subquery:
    started = Order.objects.filter(contact=OuterRef("pk")).order_by().values("contact")
    return Subquery(started.annotate(first=Min("start_at")).values("first"), output_field=DateTimeField())


def _traced(asked: _Asked) -> Indicator:
    """Contacts under observation within 72 hours of the confirmation of their source case."""
    rows: QuerySet[Any] = asked.contacts().filter(
        case__found_at__gt=asked.since, case__found_at__lte=asked.at
    )
    rows = rows.annotate(stood=asked.stood("classification", "case")).filter(stood__in=_CASES)
    rows = rows.annotate(confirmed=Coalesce("case__confirmation_at", "case__found_at"), placed=_first_order())
    done = rows.filter(placed__lte=F("confirmed") + TRACED_WITHIN).filter(placed__lte=asked.at)
    due = rows.filter(Q(confirmed__lte=asked.at - TRACED_WITHIN) | Q(pk__in=done.values("pk")))
    return Indicator("traced_72h", done.count(), due.count(), 0.8, True, WHO_2020, "R")


def _placed(asked: _Asked) -> Indicator:
    """Contacts under observation within 24 hours of being confirmed as contacts."""
    rows: QuerySet[Any] = (
        asked.contacts().filter(confirmed_at__gt=asked.since).annotate(placed=_first_order())
    )
    done = rows.filter(placed__lte=F("confirmed_at") + PLACED_WITHIN).filter(placed__lte=asked.at)
    due = rows.filter(Q(confirmed_at__lte=asked.at - PLACED_WITHIN) | Q(pk__in=done.values("pk")))
    return Indicator("placed_24h", done.count(), due.count(), None, True, PLAYBOOK, "V")


def _tested(asked: _Asked) -> Indicator:
    """Contacts who fell ill: a specimen taken within 24 hours of their first signs, or a result or a
    confirmation by then, which tells as much. What is known by its day stands at its midnight, and counts on
    the day of the signs."""
    rows: QuerySet[Any] = asked.contacts()
    rows = rows.filter(symptomatic_at__gt=asked.since, symptomatic_at__lte=asked.at)
    ill, day = OuterRef("symptomatic_at"), timedelta(days=1)
    taken = Test.objects.filter(person=OuterRef("person")).annotate(taken=Coalesce("sampled_at", "result_at"))
    taken = taken.filter(taken__lte=asked.at).filter(taken__lte=ill + TESTED_WITHIN)
    by_day = Q(sampled_precision="day", sampled_at__gt=ill - day)
    by_result = Q(sampled_at=None, result_precision="day", result_at__gt=ill - day)
    rows = rows.annotate(
        proven=Coalesce("became_case__sample_at", "became_case__result_at", "became_case__confirmation_at")
    )
    as_case = Q(proven__gte=F("symptomatic_at"), proven__lte=F("symptomatic_at") + TESTED_WITHIN)
    tested = Q(Exists(taken.filter(Q(taken__gte=ill) | by_day | by_result)))
    done = rows.filter(tested | as_case & Q(proven__lte=asked.at))
    due = rows.filter(Q(symptomatic_at__lte=asked.at - TESTED_WITHIN) | Q(pk__in=done.values("pk")))
    return Indicator("symptomatic_24h", done.count(), due.count(), 0.9, True, USDR, "V")


def _followed(asked: _Asked) -> Indicator:
    """Of those under observation on the local day of `as_of`: checked that day."""
    zone = clock.zone(tree.tz_of(asked.territory) if asked.territory else "Asia/Shanghai")
    today = asked.at.astimezone(zone).date()
    midnight = clock.start_of_day(today, str(zone))
    rows: QuerySet[Order] = within(Order, asked.territory)
    rows = rows.filter(first_day__lte=today, last_day__gte=today, start_at__lte=asked.at)
    rows = rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=asked.at))
    checks = DailyCheck.objects.filter(contact=OuterRef("contact"), at__gte=midnight, at__lte=asked.at)
    due = rows.values("contact").distinct()
    done = rows.filter(Exists(checks)).values("contact").distinct()
    return Indicator("followed_today", done.count(), due.count(), 0.8, True, WHO_2020, "R")


def _completing(asked: _Asked) -> Indicator:
    """Of observations that came to their end in these days, or broke off: completed."""
    rows: QuerySet[Order] = within(Order, asked.territory)
    rows = rows.filter(ended_at__gt=asked.since, ended_at__lte=asked.at)
    done = rows.filter(end_reason__in=_COMPLETED).count()
    return Indicator(
        "completing", done, done + rows.filter(end_reason__in=_BROKEN).count(), None, True, PLAYBOOK, "V"
    )


def _known(asked: _Asked) -> QuerySet[Any]:
    named = Contact.objects.filter(became_case=OuterRef("pk"), confirmed_at__lte=asked.at)
    return asked.cases().filter(Exists(named))


def _among_contacts(asked: _Asked) -> Indicator:
    """Cases that arose among known contacts."""
    n = asked.cases().count()
    return Indicator("among_contacts", _known(asked).count(), n, 0.8, True, WHO_2020, "R")


def _in_quarantine(asked: _Asked) -> Indicator:
    """Cases that arose among known contacts who were under observation by then."""
    held = Order.objects.filter(contact__became_case=OuterRef("pk"), start_at__lte=OuterRef("found_at"))
    n = asked.cases().count()
    return Indicator(
        "in_quarantine", asked.cases().filter(Exists(held)).count(), n, None, True, PLAYBOOK, "V"
    )


def _unlinked(asked: _Asked) -> Indicator:
    """Cases not imported that nobody has linked to another case or found among contacts."""
    rows = asked.cases().annotate(then=asked.stood("origin", "pk")).exclude(then__in=_IMPORTED)
    links = CaseLink.objects.filter(asked.recorded("to_case"), to_case=OuterRef("pk"))
    linked = Q(Exists(links))
    contact = Q(Exists(Contact.objects.filter(became_case=OuterRef("pk"), case__isnull=False)))
    return Indicator(
        "unlinked", rows.exclude(linked | contact).count(), rows.count(), None, False, PLAYBOOK, "V"
    )


def _without_contacts(asked: _Asked) -> Indicator:
    """Cases, confirmed for a day or longer, of whom no contact is known."""
    rows = asked.cases().filter(confirmed__lte=asked.at - INTERVIEWED_WITHIN)
    named = Q(Exists(Contact.objects.filter(case=OuterRef("pk"), confirmed_at__lte=asked.at)))
    further = Q(Exists(Exposure.objects.filter(asked.recorded("case"), case=OuterRef("pk"))))
    return Indicator(
        "without_contacts", rows.exclude(named | further).count(), rows.count(), 0.1, False, USDR, "V"
    )


def _interviewed(asked: _Asked) -> Indicator:
    """Cases investigated within 24 hours of being found."""
    steps = Step.objects.filter(case=OuterRef("pk"), kind="case.investigated")
    done_at = steps.order_by("at").values("at")[:1]
    rows = asked.cases().annotate(asked_at=Subquery(done_at, output_field=DateTimeField()))
    done = rows.filter(asked_at__lte=F("found_at") + INTERVIEWED_WITHIN).filter(asked_at__lte=asked.at)
    due = rows.filter(Q(found_at__lte=asked.at - INTERVIEWED_WITHIN) | Q(pk__in=done.values("pk")))
    return Indicator("interviewed_24h", done.count(), due.count(), 1.0, True, USDR, "V")


def _needed(asked: _Asked) -> Indicator:
    """Cases interviewed for each case found among contacts."""
    steps = Step.objects.filter(case=OuterRef("pk"), kind="case.investigated", at__lte=asked.at)
    told = asked.cases().filter(Exists(steps))
    found = _known(asked).count()
    return Indicator("interviews_per_case", told.count(), found, None, False, PLAYBOOK, "V", is_ratio=True)
