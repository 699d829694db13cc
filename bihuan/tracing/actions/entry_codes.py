"""Entry codes: what a gate may scan instead of an identity number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bihuan.cases.actions.common import moment_now
from bihuan.policy.values import value
from bihuan.registry import clock
from bihuan.registry.models import Person
from bihuan.tracing import visits
from bihuan.tracing.actions.pseudonyms import keys_of
from bihuan.tracing.actions.record_visits import ready_store
from bihuan.tracing.rules import codes


@dataclass(frozen=True, slots=True)
class EntryCode:
    """26 letters and digits, and the last local day on which gates take them."""

    text: str
    until: date


def issue_code(person_id: int, *, now: datetime | None = None) -> EntryCode | None:
    """A code of today for a person of the scope acted in; None while she has no number in the visit store
    (no identity number or phone on record, or registered less than a minute ago).
    """
    at = moment_now(now)
    person: Person = Person.objects.get(pk=person_id)
    keys = sorted(key for found in keys_of([person_id]).values() for key in found)
    if not keys:
        return None
    _store, key = ready_store()
    day = clock.local_day(at)
    days = int(value("gate.code_days", person.territory_code, at).value)
    return EntryCode(codes.issue(visits.unsigned(keys[0]), key=key, on=day), day + timedelta(days=days))
