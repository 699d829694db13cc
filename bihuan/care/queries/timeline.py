"""One person, one timeline: facts, duties, decisions, and who looked, from every room below."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.care.models import Appeal, DailyCheck, FollowUp, Order
from bihuan.care.queries.orders import OrderView, running_order
from bihuan.cases.models import Case, CaseRevision, Step, Test
from bihuan.cases.queries.facts import moments_from
from bihuan.loops.models import Duty, Loop
from bihuan.loops.queries.duties import duty_labels
from bihuan.registry import audit, clock
from bihuan.registry.audit import Look
from bihuan.registry.errors import NotFound
from bihuan.registry.models import Person
from bihuan.registry.territory import tz_of
from bihuan.tracing.models import Contact, Exposure, NamingEnd
from bihuan.tracing.rules.namings import own_last

# Kinds of entries, for the page's filter and colors.
FACT, DECISION, DUTY, CHECK, TEST = "fact", "decision", "duty", "check", "test"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at` when it was true, `recorded_at` when known (None = not kept), `what` a stable
    word such as
    case.date_onset, contact.confirmed, order.started; `data` what the page puts into its sentence."""

    at: datetime
    precision: str
    kind: str
    what: str
    subject_kind: str
    subject_id: str
    recorded_at: datetime | None = None
    by: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def is_late_entry(self) -> bool:
        """Known on a later day than it happened."""
        return self.recorded_at is not None and (self.recorded_at - self.at).days >= 1


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Everything the person page shows. `duties` are the open ones, soonest first."""

    person: Person
    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]
    contacts: tuple[Contact, ...]
    order: OrderView | None
    loops: tuple[Loop, ...]
    duties: tuple[Duty, ...]
    looks: tuple[Look, ...]


def person_page(public_id: str, *, as_of: datetime | None = None, looks: int = 50) -> PersonPage:
    """The page of a person, all records joined with hers included. Raises NotFound outside the scope.

    With `as_of`, only what was true by then. The door that shows it logs the reading.
    """
    person = Person.objects.filter(public_id=public_id).first()
    if person is None:
        raise NotFound(_("There is no person %(id)s here.") % {"id": public_id}, code="unknown-person")
    at = as_of or clock.now()
    ids = list(Person.objects.filter(root_id=person.root_id).values_list("id", flat=True))
    cases = tuple(Case.objects.filter(person__in=ids, found_at__lte=at).order_by("found_at"))
    contacts = tuple(Contact.objects.filter(person__in=ids, confirmed_at__lte=at).order_by("confirmed_at"))
    entries = [e for e in _entries(cases, contacts, ids) if e.at <= at]
    live = [c for c in contacts if c.released_at is None or c.released_at > at] or list(contacts)
    loops = _loops(cases, contacts)
    duties = Duty.objects.filter(loop_id__in=[loop.id for loop in loops], state=0).order_by("due_at")
    return PersonPage(
        person=person,
        entries=tuple(sorted(entries, key=lambda e: (e.at, e.recorded_at or e.at, e.what))),
        cases=cases,
        contacts=contacts,
        order=running_order(live[-1].public_id, as_of=at) if live else None,
        loops=tuple(loops),
        duties=tuple(duties),
        looks=tuple(audit.who_looked(person.id, limit=looks)),
    )


def _loops(cases: Iterable[Case], contacts: Iterable[Contact]) -> list[Loop]:
    subjects = Q(subject_kind="case", subject_ref__in=[case.public_id for case in cases])
    subjects |= Q(subject_kind="contact", subject_ref__in=[contact.public_id for contact in contacts])
    return list(Loop.objects.filter(subjects).order_by("opened_at", "id"))


def _entries(cases: tuple[Case, ...], contacts: tuple[Contact, ...], ids: list[int]) -> list[Entry]:
    found: list[Entry] = []
    for case in cases:
        found += _case(case)
    for contact in contacts:
        found += _contact(contact)
    names = {case.id: case.public_id for case in cases}
    found += _steps(names)
    found += _tests([*names.values(), *(contact.public_id for contact in contacts)])
    found += _care(contacts, names)
    found += _ended_duties(_loops(cases, contacts))
    return found


def _case(case: Case) -> list[Entry]:
    tz = clock.zone(tz_of(case.territory_code))
    found = [
        Entry(m.instant(tz), m.precision, FACT, f"case.date_{name}", "case", case.public_id, case.recorded_at)
        for name, m in moments_from(case).items()
    ]
    data = {"classification": case.classification, "local_id": case.local_id}
    found.append(
        Entry(
            case.found_at,
            case.found_precision,
            FACT,
            "case.found",
            "case",
            case.public_id,
            case.recorded_at,
            data=data,
        )
    )
    for r in CaseRevision.objects.filter(case=case):
        change = {"field": r.field, "old": r.old, "new": r.new, "reason": r.reason}
        found.append(
            Entry(
                r.at,
                r.at_precision,
                DECISION,
                "case.revised",
                "case",
                case.public_id,
                r.recorded_at,
                r.by_name,
                change,
            )
        )
    return found


def _contact(contact: Contact) -> list[Entry]:
    tz = clock.zone(tz_of(contact.territory_code))
    named = ("contact", contact.public_id, contact.recorded_at)
    found = []
    data = {"kind": contact.exposure_kind, "setting": contact.setting, "criterion": contact.criterion}
    own = own_last(contact.own_last, first=contact.exposure_first, deciding=contact.exposure_last)
    if own is not None:
        found.append(
            Entry(
                clock.start_of_day(own, tz),
                "day",
                FACT,
                "contact.exposed",
                *named,
                data=data,
            )
        )
    found.append(
        Entry(
            contact.confirmed_at,
            contact.confirmed_precision,
            DECISION,
            "contact.confirmed",
            *named,
            data=data,
        )
    )
    if contact.located_at is not None:
        found.append(Entry(contact.located_at, contact.located_precision, FACT, "contact.located", *named))
    if contact.released_at is not None:
        reason = {"reason": contact.release_reason}
        found.append(Entry(contact.released_at, "minute", DECISION, "contact.released", *named, data=reason))
    if contact.handed_over_at is not None:
        found.append(Entry(contact.handed_over_at, "minute", DECISION, "contact.handed_over", *named))
    for e in Exposure.objects.filter(contact=contact):
        more = {"kind": e.kind, "setting": e.setting, "criterion": e.criterion}
        at, precision = (
            (clock.start_of_day(e.last, tz), "day") if e.last is not None else (e.recorded_at, "minute")
        )
        found.append(
            Entry(
                at, precision, FACT, "contact.exposed_again", "contact", contact.public_id, e.recorded_at,
                e.by_name, more,
            )
        )  # fmt: skip
    for end in NamingEnd.objects.filter(contact=contact):
        last = end.last_day.isoformat() if end.last_day else ""
        why = {"why": end.why, "reason": end.reason, "last_day": last}
        found.append(
            Entry(
                end.recorded_at, "minute", DECISION, "contact.exposure_ended", "contact", contact.public_id,
                end.recorded_at, end.by_name, why,
            )
        )  # fmt: skip
    return found


def _steps(names: dict[int, str]) -> list[Entry]:
    return [
        Entry(
            s.at,
            s.at_precision,
            FACT,
            s.kind,
            "case",
            names[s.case_id],
            s.recorded_at,
            s.by_name,
            dict(s.data),
        )
        for s in Step.objects.filter(case__in=list(names))
    ]


def _tests(subjects: list[str]) -> list[Entry]:
    found = []
    for t in Test.objects.filter(subject_id__in=subjects):
        named = (
            t.subject_kind,
            t.subject_id,
            t.recorded_at,
            t.by_name,
            {"result": t.result, "test": t.public_id},
        )
        if t.sampled_at is not None:
            found.append(Entry(t.sampled_at, t.sampled_precision, TEST, "test.sampled", *named))
        if t.result_at is not None:
            found.append(Entry(t.result_at, t.result_precision, TEST, "test.result", *named))
    return found


def _care(contacts: tuple[Contact, ...], cases: dict[int, str]) -> list[Entry]:
    names = {contact.id: contact.public_id for contact in contacts}
    found = []
    for c in DailyCheck.objects.filter(contact__in=list(names)):
        data = {
            "value": None if c.value is None else float(c.value),
            "symptoms": list(c.symptoms),
            "note": c.note,
        }
        named = ("contact", names[c.contact_id], c.recorded_at, c.by_name, data)
        found.append(Entry(c.at, c.at_precision, CHECK, f"check.{c.kind}", *named))
    for f in FollowUp.objects.filter(case__in=list(cases)):
        data = {"week": f.week, "result": f.result, "symptoms": list(f.symptoms), "note": f.note}
        named = ("case", cases[f.case_id], f.recorded_at, f.by_name, data)
        found.append(Entry(f.at, f.at_precision, CHECK, "case.follow_up", *named))
    for order in Order.objects.filter(contact__in=list(names)):
        found += _order(order, names[order.contact_id])
    return found


def _order(order: Order, contact: str) -> list[Entry]:
    data = {
        "order": order.public_id,
        "kind": order.kind,
        "last_day": order.last_day.isoformat(),
        "home_from": order.home_from.isoformat() if order.home_from else "",
        "home_kind": order.home_kind,
        "clause": order.clause,
        "pack": order.pack,
        "approver": order.approver,
    }
    named = ("contact", contact, order.recorded_at, order.proposer, data)
    found = [Entry(order.start_at, order.start_precision, DECISION, "order.started", *named)]
    if order.moved_at is not None:
        home = ("contact", contact, None, order.moved_by, data)
        found.append(Entry(order.moved_at, "minute", FACT, "order.came_home", *home))
    if order.ended_at is not None:
        ended = {**data, "reason": order.end_reason}
        found.append(
            Entry(
                order.ended_at,
                "minute",
                DECISION,
                "order.ended",
                "contact",
                contact,
                None,
                order.ended_by,
                ended,
            )
        )
    for a in Appeal.objects.filter(order=order):
        found.append(
            Entry(
                a.filed_at,
                "minute",
                DECISION,
                "appeal.filed",
                "appeal",
                a.public_id,
                a.recorded_at,
                a.filed_by,
            )
        )
        if a.decided_at is not None:
            said = {"decision": a.decision, "reason": a.decision_reason}
            found.append(
                Entry(
                    a.decided_at,
                    "minute",
                    DECISION,
                    "appeal.decided",
                    "appeal",
                    a.public_id,
                    None,
                    a.decided_by,
                    said,
                )
            )
    return found


_ENDED = {1: "duty.done", 2: "duty.waived"}


def _ended_duties(loops: list[Loop]) -> list[Entry]:
    """Duties that were done late or waived: those done in time already show as the fact that ended them."""
    refs = {loop.id: (loop.subject_kind, loop.subject_ref) for loop in loops}
    ended = Duty.objects.filter(loop_id__in=list(refs), state__in=list(_ENDED), ended_at__isnull=False)
    shown = [duty for duty in ended if duty.state != 1 or (duty.ended_at and duty.ended_at > duty.due_at)]
    labels = duty_labels((duty.binding_id, duty.kind) for duty in shown)
    found = []
    for duty in shown:
        assert duty.ended_at is not None
        data = {
            "duty": duty.id,
            "kind": duty.kind,
            "label": dict(labels[duty.binding_id, duty.kind]),
            "due_at": duty.due_at.isoformat(),
            "reason": duty.reason,
        }
        precision = "day" if duty.ended_day_only else "minute"
        found.append(
            Entry(
                duty.ended_at,
                precision,
                DUTY,
                _ENDED[duty.state],
                *refs[duty.loop_id],
                duty.ended_recorded_at,
                data=data,
            )
        )
    return found
