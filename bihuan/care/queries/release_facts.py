"""What the release rule sees of contacts and their orders: read for many at once, in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property

from bihuan.care.models import DailyCheck, Order
from bihuan.care.queries.obliged import SECONDARY_RULE
from bihuan.care.queries.secondary import results_between
from bihuan.care.rules import ReleaseFacts, midnight_after, test_day
from bihuan.cases.models import Test
from bihuan.cases.rules import Moment, TestResult
from bihuan.policy.packs import in_force
from bihuan.registry import clock
from bihuan.registry.models import Person
from bihuan.registry.territory import tz_of
from bihuan.tracing.models import Contact

_WEIGHT = {
    "": 0,
    TestResult.INCONCLUSIVE.value: 1,
    TestResult.NEGATIVE.value: 2,
    TestResult.POSITIVE.value: 3,
}


class ReleaseReader:
    """Reads once what releases of these contacts need; `facts` then asks no database."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        ids = [c.id for c in contacts]
        self.symptoms: dict[int, list[datetime]] = defaultdict(list)
        checks = DailyCheck.objects.filter(contact__in=ids).exclude(symptoms=[])
        for contact_id, at in checks.values_list("contact_id", "at"):
            self.symptoms[contact_id].append(at)
        self.tests: dict[str, list[Test]] = defaultdict(list)
        tests = Test.objects.filter(subject_kind="contact", subject_id__in=[c.public_id for c in contacts])
        for test in tests.exclude(result=TestResult.PENDING.value).order_by("id"):
            self.tests[test.subject_id].append(test)
        self.contacts = ids
        self._read_orders({c.person_id for c in contacts})

    def _read_orders(self, people: set[int]) -> None:
        """Running orders of everybody who is one person with any of these. Three reads by key, for joined
        they would be planned on the statistics of tables that an import has only just filled."""
        roots = dict(Person.objects.filter(id__in=people).values_list("id", "root_id"))
        alike = dict(Person.objects.filter(root_id__in=set(roots.values())).values_list("id", "root_id"))
        self.root_of = alike | roots
        self.running: dict[int, list[tuple[int, datetime, date]]] = defaultdict(list)
        orders = Order.objects.filter(person__in=list(self.root_of), ended_at__isnull=True)
        for person_id, order_id, end_at, last in orders.values_list("person_id", "id", "end_at", "last_day"):
            self.running[self.root_of[person_id]].append((order_id, end_at, last))

    @cached_property
    def between(self) -> dict[int, list[list[str]]]:
        """Results of the close contacts between; asked only for the order of a contact of a contact."""
        return results_between(self.contacts)

    def facts(self, contact: Contact, order: Order, when: Moment) -> ReleaseFacts:
        """What the rule sees as of `when`. Tests are required only where the pack's release rule asks."""
        return self._facts(contact, order, when, order.last_day, order.end_at)

    def stage_facts(self, contact: Contact, order: Order, when: Moment) -> ReleaseFacts:
        """The same of the first of two stages: its end, and the tests up to it."""
        assert order.home_from is not None
        last = order.home_from - timedelta(days=1)
        ends_at = midnight_after(last, clock.zone(tz_of(contact.territory_code)))
        return self._facts(contact, order, when, last, ends_at)

    def _facts(
        self, contact: Contact, order: Order, when: Moment, last: date, ends_at: datetime
    ) -> ReleaseFacts:
        tz = clock.zone(tz_of(contact.territory_code))
        now = when.instant(tz)
        if when.at is None:  # a date stands for its end: whatever that day brought has happened
            now = min(Moment(when.day).instant(tz).replace(hour=23, minute=59), ends_at)
        policy = in_force(contact.territory_code, order.first_day)
        needs_tests = policy.value("observation.release_rule").value == "no_symptoms_and_negative"
        second = order.rule == SECONDARY_RULE
        negatives = int(policy.value("secondary.source_negatives").value) if second else 0
        return ReleaseFacts(
            now=now,
            today=when.day,
            last=last,
            ends_at=ends_at,
            tests=self._results(contact, order, now, last) if needs_tests else {},
            symptoms_open=self._symptoms_open(contact, now),
            other_last=self._other_last(contact, order, now),
            source_negatives=negatives,
            between=tuple(tuple(one) for one in self.between.get(contact.id, [])) if negatives else (),
        )

    def _results(self, contact: Contact, order: Order, now: datetime, last: date) -> Mapping[date, str]:
        """The result that answers each test day: of a specimen from then to before the next one (`test_day`;
        duties of tests end by the same rule). A positive anywhere outweighs a negative of the same span; an
        inconclusive one does not answer.
        """
        tz = clock.zone(tz_of(contact.territory_code))
        found: dict[date, str] = {}
        for test in self.tests[contact.public_id]:
            taken = test.sampled_at or test.result_at
            if taken is None or test.recorded_at > now:
                continue
            day = test_day(taken.astimezone(tz).date(), order.tests_on)
            if day is not None and found.get(day) != TestResult.POSITIVE:
                found[day] = max(found.get(day, ""), test.result, key=_WEIGHT.__getitem__)
        return {day: found.get(day, "") for day in order.tests_on if day <= last}

    def _symptoms_open(self, contact: Contact, now: datetime) -> bool:
        """Whether symptoms were told that no test taken or answered since has explained."""
        told = [at for at in self.symptoms[contact.id] if at <= now]
        if contact.symptomatic_at is not None:
            told.append(contact.symptomatic_at)
        if not told or max(told) > now:
            return False
        last = max(told)
        answers = self.tests[contact.public_id]
        times = (t for one in answers for t in (one.sampled_at, one.result_at) if t is not None)
        return not any(t >= last for t in times)

    def _other_last(self, contact: Contact, order: Order, now: datetime) -> date | None:
        """The last day of another live order of the same person: the longest obligation wins."""
        running = self.running[self.root_of[contact.person_id]]
        return max((last for n, end_at, last in running if n != order.id and end_at > now), default=None)
