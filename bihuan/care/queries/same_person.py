"""What a record came with: its cases and contacts, for whoever decides whether two records are one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bihuan.cases.models import Case
from bihuan.tracing.models import Contact


@dataclass(frozen=True, slots=True)
class Held:
    """A case or a contact of one record. `state`: how a case is classified, how a contact stands; `at` when
    it was recorded."""

    kind: Literal["case", "contact"]
    public_id: str
    state: str
    at: datetime


def held_of(person_ids: Iterable[int]) -> dict[int, list[Held]]:
    """The cases and contacts of single records within the scope, in the order they were recorded; those of
    records joined with them are not among them."""
    found: dict[int, list[Held]] = {person_id: [] for person_id in person_ids}
    for case in Case.objects.filter(person__in=found):
        told = Held("case", case.public_id, case.classification, case.recorded_at)
        found[case.person_id].append(told)
    for contact in Contact.objects.filter(person__in=found):
        told = Held("contact", contact.public_id, contact.status, contact.recorded_at)
        found[contact.person_id].append(told)
    return {person_id: sorted(rows, key=lambda one: one.at) for person_id, rows in found.items()}
