"""One contact with its exposures; links of a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from bihuan.cases.models import Case, Test
from bihuan.tracing.errors import UnknownContact
from bihuan.tracing.models import CaseLink, Contact, Exposure, NamingEnd
from bihuan.tracing.queries.assistance import HandOver, hand_over_of
from bihuan.tracing.queries.lines import ContactRow, rows_of


@dataclass(frozen=True, slots=True)
class ExposureView:
    """A further naming: another case ("" if not known, or out of sight), or another day. `ended`: why it no
    longer counts, "" while it does."""

    first: date | None
    last: date | None
    kind: str
    setting: str
    recorded_at: datetime
    by: str
    case: str = ""
    criterion: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact with all that belongs to it; `handed_over`: with whom the person is, if another territory has
    taken her over."""

    row: ContactRow
    contact: Contact
    handed_over: HandOver | None
    exposures: tuple[ExposureView, ...]
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class LinkView:
    """One end of a link as seen from a case: the other case ("" if out of sight), and which way it went."""

    case: str
    infected_it: bool
    kind: str
    source: str


def find_contact(public_id: str) -> ContactView:
    """Raises UnknownContact when there is none in the scope."""
    contact = Contact.objects.filter(public_id=public_id).first()
    if contact is None:
        raise UnknownContact(public_id)
    rows = list(Exposure.objects.filter(contact=contact).order_by("last", "id"))
    cases = dict(Case.objects.filter(id__in=[e.case_id for e in rows]).values_list("id", "public_id"))
    ended = dict(NamingEnd.objects.filter(contact=contact).values_list("exposure_id", "why"))
    exposures = tuple(
        ExposureView(
            e.first, e.last, e.kind, e.setting, e.recorded_at, e.by_name,
            cases.get(e.case_id or 0, ""), e.criterion, ended.get(e.pk, ""),
        )
        for e in rows
    )  # fmt: skip
    tests = Test.objects.filter(subject_kind="contact", subject_id=public_id).order_by("id")
    handed_over = hand_over_of(contact.pk) if contact.handed_over_at is not None else None
    return ContactView(rows_of([contact], None)[0], contact, handed_over, exposures, tuple(tests))


def links_of(case_public_id: str) -> list[LinkView]:
    """Who is said to have infected this case, and whom it infected."""
    case = Case.objects.filter(public_id=case_public_id).first()
    if case is None:
        return []
    incoming = list(CaseLink.objects.filter(to_case=case))
    outgoing = list(CaseLink.objects.filter(from_case=case))
    ends = {link.from_case_id for link in incoming} | {link.to_case_id for link in outgoing}
    seen = dict(Case.objects.filter(id__in=ends).values_list("id", "public_id"))
    return [
        *(LinkView(seen.get(link.from_case_id, ""), True, link.kind, link.source) for link in incoming),
        *(LinkView(seen.get(link.to_case_id, ""), False, link.kind, link.source) for link in outgoing),
    ]
