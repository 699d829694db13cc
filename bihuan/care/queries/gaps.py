"""The four gap lists (应隔·应收·应检·应治, D0-04): who should be minus who is, with reason and age.

Each is a set difference recomputed from facts alone (cases, tests, contacts, orders); loops and
duties are not
asked, so the lists prove the loops and the loops prove the lists.

    isolate  every standing case, and every close contact, that is not isolated or under observation
    admit    every confirmed case that is not admitted
    test     every suspected case without a result, and every contact whose test day has come without one
    treat    every admitted case, each needing a clinician's record: here, severe ones not in hospital care
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from bihuan.care.models import Order
from bihuan.care.queries.obliged import obliged_until
from bihuan.care.queries.secondary import secondary_among
from bihuan.cases.models import Case, Test
from bihuan.cases.queries.facts import facts_from
from bihuan.cases.queries.figures import CONFIRMED, SUSPECTED
from bihuan.cases.queries.lines import within
from bihuan.cases.rules import Classification, Outcome, Severity, TestResult, life
from bihuan.registry import clock
from bihuan.registry.territory import tz_of
from bihuan.tracing.models import Contact
from bihuan.tracing.rules import Status

GAPS = ("isolate", "admit", "test", "treat")
SEVERE = (Severity.SEVERE.value, Severity.CRITICAL.value)


@dataclass(frozen=True, slots=True)
class GapRow:
    """One person missing from where she should be. `since` is when it became owed; `reason` a stable word."""

    subject_kind: str
    subject_id: str
    person_id: int
    territory_code: str
    reason: str
    since: datetime

    def age(self, as_of: datetime) -> timedelta:
        return as_of - self.since


@dataclass(frozen=True, slots=True)
class Gap:
    """One list: how many should be, how many are, and who is missing, oldest first."""

    key: str
    as_of: datetime
    should: int
    rows: tuple[GapRow, ...]

    @property
    def missing(self) -> int:
        return len(self.rows)

    @property
    def done(self) -> int:
        return self.should - self.missing

    @property
    def oldest(self) -> timedelta | None:
        return self.rows[0].age(self.as_of) if self.rows else None


def gap_list(key: str, territory: str = "", *, as_of: datetime | None = None) -> Gap:
    """One of GAPS as of an instant (default now), from the facts true by then."""
    if key not in GAPS:
        raise ValueError(f"{key!r} is not a gap list; there are {', '.join(GAPS)}")
    return _MAKERS[key](territory, as_of or clock.now())


def all_gaps(territory: str = "", *, as_of: datetime | None = None) -> dict[str, Gap]:
    """All four lists."""
    at = as_of or clock.now()
    return {key: _MAKERS[key](territory, at) for key in GAPS}


@dataclass(frozen=True, slots=True)
class _Known:
    """A case and when each thing about it became true."""

    case: Case
    when: dict[str, datetime]

    def by(self, kind: str, at: datetime) -> bool:
        return kind in self.when and self.when[kind] <= at

    def since(self, *kinds: str) -> datetime:
        return min(self.when[kind] for kind in kinds if kind in self.when)


def _standing(territory: str, at: datetime, *, extra: Q | None = None) -> Iterable[_Known]:
    """Cases that had been found and not closed by `at`. `extra` thins them out in the database."""
    rows: QuerySet[Case] = within(Case, territory).filter(found_at__lte=at)
    if extra is not None:
        rows = rows.filter(extra)
    for case in rows.iterator(chunk_size=2000):
        tz = clock.zone(tz_of(case.territory_code))
        when = {event.kind: event.at for event in life(facts_from(case), tz)}
        if not any(
            kind in when and when[kind] <= at for kind in ("case.discarded", "case.died", "case.discharged")
        ):
            yield _Known(case, when)


def _case_row(known: _Known, reason: str, since: datetime) -> GapRow:
    case = known.case
    return GapRow("case", case.public_id, case.person_id, case.territory_code, reason, since)


def _gap(key: str, at: datetime, should: int, rows: list[GapRow]) -> Gap:
    return Gap(key, at, should, tuple(sorted(rows, key=lambda row: (row.since, row.subject_id))))


def _isolate(territory: str, at: datetime) -> Gap:
    rows: list[GapRow] = []
    should = 0
    for known in _standing(territory, at):
        should += 1
        if not known.by("case.isolated", at) and not known.by("case.admitted", at):
            rows.append(
                _case_row(known, "case_not_isolated", known.since("case.suspected", "case.confirmed"))
            )
    live = list(_live_contacts(territory, at))
    second = secondary_among(live)
    contacts = [contact for contact in live if _is_obliged(contact, at, secondary=contact.pk in second)]
    should += len(contacts)
    observed = within(Order, territory).filter(start_at__lte=at, end_at__gt=at)
    observed = observed.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=at))
    served = within(Order, territory).filter(end_at__lte=at)
    watched = {*observed.values_list("contact_id", flat=True), *served.values_list("contact_id", flat=True)}
    rows += [
        _contact_row(contact, "contact_not_observed", contact.confirmed_at)
        for contact in contacts
        if contact.id not in watched
    ]
    return _gap("isolate", at, should, rows)


def _live_contacts(territory: str, at: datetime) -> QuerySet[Contact]:
    """Close contacts as of `at`: named by then, and neither released, handed over nor turned into a case
    by then.

    Somebody who cannot be found should still be observed, and stays on the list.
    """
    rows: QuerySet[Contact] = within(Contact, territory).filter(confirmed_at__lte=at)
    open_now = Q(status__in=[Status.CONFIRMED.value, Status.CANDIDATE.value, Status.LOST.value])
    released_later = Q(released_at__gt=at)
    became_later = Q(status=Status.BECAME_CASE.value, became_case__found_at__gt=at)
    handed_later = Q(handed_over_at__gt=at)
    return rows.filter(open_now | released_later | became_later | handed_later)


def _is_obliged(contact: Contact, at: datetime, *, secondary: bool) -> bool:
    """Is the day of `at` one on which the exposure still asks for observation?"""
    tz = clock.zone(tz_of(contact.territory_code))
    named = contact.confirmed_at.astimezone(tz).date()
    until = obliged_until(contact.exposure_last, named, contact.territory_code, secondary=secondary)
    return at.astimezone(tz).date() <= until


def _contact_row(contact: Contact, reason: str, since: datetime) -> GapRow:
    return GapRow("contact", contact.public_id, contact.person_id, contact.territory_code, reason, since)


def _admit(territory: str, at: datetime) -> Gap:
    rows = []
    should = 0
    for known in _standing(territory, at, extra=Q(classification__in=CONFIRMED)):
        if not known.by("case.confirmed", at):
            continue
        should += 1
        if not known.by("case.admitted", at):
            rows.append(_case_row(known, "confirmed_not_admitted", known.when["case.confirmed"]))
    return _gap("admit", at, should, rows)


def _test(territory: str, at: datetime) -> Gap:
    rows = []
    should = 0
    for known in _standing(territory, at):
        if not known.by("case.suspected", at) or known.by("case.confirmed", at):
            continue
        should += 1
        if not known.by("case.tested", at):
            sampled = known.case.date_sample is not None
            rows.append(
                _case_row(
                    known,
                    "waits_for_result" if sampled else "suspected_not_tested",
                    known.when["case.suspected"],
                )
            )
    for contact, owed, done in _test_days(territory, at):
        should += len(owed)
        for day in sorted(set(owed) - done):
            since = clock.start_of_day(day, tz_of(contact.territory_code))
            rows.append(_contact_row(contact, f"test_due_{day.isoformat()}", since))
    return _gap("test", at, should, rows)


def _test_days(territory: str, at: datetime) -> Iterable[tuple[Contact, list[Any], set[Any]]]:
    """Contacts under observation, their test days up to `at`, and those answered by a result."""
    orders = within(Order, territory).filter(start_at__lte=at).exclude(tests_on=[])
    orders = orders.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=at)).select_related("contact")
    running = list(orders)
    subjects = [order.contact.public_id for order in running]
    answers: dict[str, list[Any]] = {}
    tests = Test.objects.filter(subject_kind="contact", subject_id__in=subjects, result_at__lte=at)
    for subject, sampled, result_at in tests.exclude(result=TestResult.PENDING.value).values_list(
        "subject_id", "sampled_at", "result_at"
    ):
        answers.setdefault(subject, []).append(sampled or result_at)
    for order in running:
        tz = clock.zone(tz_of(order.territory_code))
        today = at.astimezone(tz).date()
        owed = [day for day in order.tests_on if day <= today]
        taken = sorted(instant.astimezone(tz).date() for instant in answers.get(order.contact.public_id, ()))
        spans = zip(order.tests_on, [*order.tests_on[1:], None], strict=True)
        done = {
            start
            for start, following in spans
            if any(start <= day and (following is None or day < following) for day in taken)
        }
        yield order.contact, owed, done


def _treat(territory: str, at: datetime) -> Gap:
    """Everybody confirmed should be in treatment: admitted, with a clinical state on record while in care."""
    rows = []
    should = 0
    for known in _standing(territory, at, extra=Q(classification__in=CONFIRMED)):
        if not known.by("case.confirmed", at):
            continue
        should += 1
        if not known.by("case.admitted", at):
            severe = known.case.severity in SEVERE
            rows.append(
                _case_row(
                    known,
                    "severe_without_care" if severe else "waits_for_treatment",
                    known.when["case.confirmed"],
                )
            )
        elif known.case.severity == Severity.UNKNOWN:
            rows.append(_case_row(known, "clinical_state_unknown", known.when["case.admitted"]))
    return _gap("treat", at, should, rows)


_MAKERS: dict[str, Callable[[str, datetime], Gap]] = {
    "isolate": _isolate,
    "admit": _admit,
    "test": _test,
    "treat": _treat,
}
DISCARDED = Classification.DISCARDED
ENDED = (Outcome.DIED, Outcome.RECOVERED)
SUSPECTED_WORDS = SUSPECTED
