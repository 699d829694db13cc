"""What this room and those below it hold about a person, and how it is destroyed (`registry/shredder.py`).

Destroyed are free text, places and the numbers other houses gave; dates, findings, codes and decisions stay
under the public ids. Keys of imported rows stay too: without them the next import of the same file would
bring the person back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pgtrigger
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.care.models import Appeal, DailyCheck, FollowUp, Order, OwnAccess
from bihuan.care.rules.own_page import OwnEnd
from bihuan.cases.models import Case, CaseRevision, Step
from bihuan.registry import clock, shredder
from bihuan.registry.shredder import Held, Hold, Records, empty_history, history_remains
from bihuan.tracing.models import Contact, Exposure, NamingEnd

KEY = "retention.identity_days"
_TELLING = ("local_id", "source_text")
"""Fields of a case that tell who it is; their revisions do, too."""

Emptied = dict[str, list[int]]


def _ids(rows: Any) -> list[int]:
    return sorted(rows.values_list("id", flat=True))


def _count(rows: Iterable[Any]) -> int:
    return sum(found.count() for found in rows)


# --- cases -------------------------------------------------------------------------------------------


def _shred_cases(records: Records) -> Emptied:
    cases = _ids(Case.unscoped.filter(person_id__in=records))
    if not cases:
        return {}
    Case.unscoped.filter(id__in=cases).update(local_id="", source_text="")
    revisions = _ids(CaseRevision.unscoped.filter(case_id__in=cases, field__in=_TELLING))
    with pgtrigger.ignore("cases.CaseRevision:revisions_stay", "cases.Step:steps_stay"):
        CaseRevision.unscoped.filter(id__in=revisions).update(old="", new="")
        for step in Step.unscoped.filter(case_id__in=cases).exclude(data={}):
            step.data = _without_text(step.data)
            step.save(update_fields=["data"])
    return empty_history(Case, cases) | empty_history(CaseRevision, revisions)


def _without_text(data: dict[str, Any]) -> dict[str, Any]:
    """Numbers and yes or no stay; words go."""
    return {key: value for key, value in data.items() if not isinstance(value, str)}


def _cases_remain(records: Records) -> int:
    cases = _ids(Case.unscoped.filter(person_id__in=records))
    revisions = CaseRevision.unscoped.filter(case_id__in=cases, field__in=_TELLING)
    live = Case.unscoped.filter(id__in=cases).exclude(local_id="", source_text="")
    steps = [s for s in Step.unscoped.filter(case_id__in=cases) if s.data != _without_text(s.data)]
    told = revisions.exclude(old="", new="")
    history = history_remains(Case, cases) + history_remains(CaseRevision, _ids(revisions))
    return _count([live, told]) + len(steps) + history


def _hold_cases(records: Records) -> Held:
    facts = tuple(
        {
            "record": row.public_id,
            "number": row.local_id,
            "classification": row.classification,
            "onset": row.date_onset,
            "outcome": row.outcome,
            "facility": row.facility,
            "told": row.source_text,
            "since": row.recorded_at,
        }
        for row in Case.unscoped.filter(person_id__in=records).order_by("id")
    )
    return Held(kind=_("Cases"), facts=facts, retention_key=KEY)


# --- contacts ----------------------------------------------------------------------------------------


def _shred_contacts(records: Records) -> Emptied:
    contacts = _ids(Contact.unscoped.filter(person_id__in=records))
    if not contacts:
        return {}
    Contact.unscoped.filter(id__in=contacts).update(local_id="", setting="")
    with pgtrigger.ignore("tracing.Exposure:exposures_stay", "tracing.NamingEnd:endings_stay"):
        Exposure.unscoped.filter(contact_id__in=contacts).update(setting="")
        NamingEnd.unscoped.filter(contact_id__in=contacts).update(reason="")
    return empty_history(Contact, contacts)


def _contacts_remain(records: Records) -> int:
    contacts = _ids(Contact.unscoped.filter(person_id__in=records))
    live = Contact.unscoped.filter(id__in=contacts).exclude(local_id="", setting="")
    exposures = Exposure.unscoped.filter(contact_id__in=contacts).exclude(setting="")
    endings = NamingEnd.unscoped.filter(contact_id__in=contacts).exclude(reason="")
    return _count([live, exposures, endings]) + history_remains(Contact, contacts)


def _hold_contacts(records: Records) -> Held:
    facts = tuple(
        {
            "record": row.public_id,
            "number": row.local_id,
            "status": row.status,
            "exposure": row.exposure_kind,
            "setting": row.setting,
            "last_exposure": row.exposure_last,
            "since": row.recorded_at,
        }
        for row in Contact.unscoped.filter(person_id__in=records).order_by("id")
    )
    return Held(kind=_("Contacts"), facts=facts, retention_key=KEY)


# --- care --------------------------------------------------------------------------------------------


def _cared(records: Records) -> dict[str, Any]:
    return {
        "orders": Order.unscoped.filter(person_id__in=records),
        "checks": DailyCheck.unscoped.filter(contact__person_id__in=records),
        "follow_ups": FollowUp.unscoped.filter(case__person_id__in=records),
        "appeals": Appeal.unscoped.filter(person_id__in=records),
    }


def _codes(records: Records) -> Any:
    """Codes that open her own page still."""
    return OwnAccess.unscoped.filter(person_id__in=records, ended_at__isnull=True)


def _shred_care(records: Records) -> Emptied:
    rows = _cared(records)
    rows["orders"].update(place="", end_text="")
    rows["checks"].update(note="")
    rows["follow_ups"].update(note="")
    rows["appeals"].update(text="", filed_by="")
    _codes(records).update(ended_at=clock.now(), end_reason=OwnEnd.TAKEN_BACK.value)
    return {}


def _care_remains(records: Records) -> int:
    rows = _cared(records)
    return _count([
        rows["orders"].exclude(place="", end_text=""),
        rows["checks"].exclude(note=""),
        rows["follow_ups"].exclude(note=""),
        rows["appeals"].exclude(text="", filed_by=""),
        _codes(records),
    ])  # fmt: skip


def _hold_care(records: Records) -> Held:
    rows = _cared(records)
    orders = [
        {"record": row.public_id, "kind": row.kind, "place": row.place, "from": row.start_at,
         "to": row.end_at, "clause": row.clause, "since": row.recorded_at}
        for row in rows["orders"].order_by("id")
    ]  # fmt: skip
    checks = [
        {"record": row.contact_id, "kind": row.kind, "at": row.at, "value": row.value, "note": row.note}
        for row in rows["checks"].order_by("id")
    ]
    follow_ups = [
        {"record": row.case_id, "kind": "recheck", "at": row.at, "result": row.result, "note": row.note}
        for row in rows["follow_ups"].order_by("id")
    ]
    appeals = [
        {"record": row.public_id, "text": row.text, "filed_by": row.filed_by, "since": row.recorded_at}
        for row in rows["appeals"].order_by("id")
    ]
    facts = (*orders, *checks, *follow_ups, *appeals)
    return Held(kind=_("Orders, checks and appeals"), facts=facts, retention_key=KEY)


def _hold_codes(records: Records) -> Held:
    facts = tuple(
        {"record": row.public_id, "given": row.given_at, "until": row.ended_at or row.until_at,
         "end": row.end_reason, "opened": row.opened, "last_opened": row.opened_at, "wrong": row.wrong}
        for row in OwnAccess.unscoped.filter(person_id__in=records).order_by("id")
    )  # fmt: skip
    return Held(kind=_("Codes of the person's own page"), facts=facts, retention_key=KEY)


# --- what stands in the way ----------------------------------------------------------------------------


def _waiting_appeals(records: Records) -> list[Hold]:
    rows = Appeal.unscoped.filter(Q(person_id__in=records) | Q(order__person_id__in=records))
    waiting = rows.filter(decided_at__isnull=True).order_by("id")
    return [Hold(_("appeal not answered"), row.public_id) for row in waiting]


def _running_orders(records: Records) -> list[Hold]:
    rows = Order.unscoped.filter(person_id__in=records, ended_at__isnull=True).order_by("id")
    return [Hold(_("order in force"), row.public_id) for row in rows]


def register() -> None:
    """Name what is held, what destroys it and what forbids it (called once, when the application starts)."""
    if "cases" in {one.name for one in shredder.shredders()}:
        return
    shredder.register_shredder("cases", gettext_lazy("Cases"), KEY, _shred_cases, _cases_remain)
    shredder.register_shredder("contacts", gettext_lazy("Contacts"), KEY, _shred_contacts, _contacts_remain)
    shredder.register_shredder(
        "care", gettext_lazy("Orders, checks and appeals"), KEY, _shred_care, _care_remains
    )
    shredder.register_holder("cases", _hold_cases)
    shredder.register_holder("contacts", _hold_contacts)
    shredder.register_holder("care", _hold_care)
    shredder.register_holder("own-page", _hold_codes)
    shredder.register_hold("appeals", _waiting_appeals)
    shredder.register_hold("orders", _running_orders)
