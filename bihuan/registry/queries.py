"""Reads about people, always within the scope acted in.

Nothing here writes the access log: the door that shows the answer does (`audit.log_read`), as it alone knows
what was shown and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.registry import access, identity, names, people
from bihuan.registry.errors import NotFound
from bihuan.registry.models import DuplicateDecision, DuplicateVerdict, MergeRecord, Person
from bihuan.registry.models.people import IdentityKind, PersonSex

#: What a person's sex and her document may be, with labels in the reader's language.
SEX_LABELS: Final = PersonSex.choices
DOCUMENT_LABELS: Final = [(kind, label) for kind, label in IdentityKind.choices if kind != identity.LOCAL]

_SHORTEST = 2
_CIPHERS = {"id_cipher": "id_number", "phone_cipher": "phone"}
_NOT_TOLD = frozenset(["id_index", "phone_index", "root"])


def person_by_public_id(public_id: str) -> Person:
    """The record with this public id; `NotFound` also when the scope cannot see it."""
    person = Person.objects.select_related("household").filter(public_id=public_id).first()
    if person is None:
        raise unknown_person(public_id)
    return person


def unknown_person(public_id: str) -> NotFound:
    return NotFound(_("Person %(person)s is not here.") % {"person": public_id}, code="unknown-person")


def people_by_id(person_ids: Iterable[int]) -> dict[int, Person]:
    """Records by id, those the scope can see."""
    return Person.objects.in_bulk(set(person_ids))


def records_of(person_id: int) -> list[Person]:
    """All records that are joined as one person, the one that stands for them first."""
    same = Person.objects.filter(id=person_id).values("root_id")
    rows = Person.objects.filter(root_id__in=same).select_related("household")
    return sorted(rows, key=lambda row: (row.pk != row.root_id, row.pk))


def search_people(text: str, *, on: date, limit: int = 20) -> list[Person]:
    """People found by what was typed, at most `limit`: a public id, a name or its beginning, pinyin,
    initials, a word of a Latin name; a telephone or document number in full.

    Numbers are searched only for who may see identity data. `on` is the local date.
    """
    access.require("person.view")
    typed = text.strip()
    if len(typed) < _SHORTEST:
        return []
    rows = Person.objects.filter(shredded_at__isnull=True)
    if re.fullmatch(r"[Pp]-[0-9A-Za-z]{10}", typed):
        return list(rows.filter(public_id=typed.upper()))
    if sum(c.isdigit() for c in typed) >= 7:
        return list(_by_number(rows, typed, on)[:limit])
    return list(_by_name(rows, typed).order_by("name_pinyin", "id")[:limit])


def _by_number(rows: QuerySet[Person], typed: str, on: date) -> QuerySet[Person]:
    if not access.may(None, "person.view", field_class="identity"):
        return rows.none()
    judged = [identity.check_identity(typed, kind=kind, on=on) for kind in identity.ID_KINDS]
    found = Q(
        id_index__in=[people.id_index(i.kind, i.canonical) for i in judged if i.canonical], id_index__gt=""
    )
    phone = identity.normalize_phone(typed).canonical
    if phone:
        found |= Q(phone_index=people.phone_index(phone))
    return rows.filter(found)


def _by_name(rows: QuerySet[Person], typed: str) -> QuerySet[Person]:
    cleaned = names.clean(typed)
    if names.is_han(cleaned):
        return rows.filter(name__startswith=cleaned)
    key = names.query_key(cleaned)
    if not key:
        return rows.none()
    return rows.filter(
        Q(name_pinyin__startswith=key) | Q(name_initials__startswith=key) | Q(name_tokens__contains=[key])
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one correction. Numbers are never told, only that they changed (None)."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a record: when it was stored (UTC), by whom, why, and what differs from the last."""

    at: datetime
    record: str
    label: str
    who: str
    door: str
    reason: str
    changes: tuple[Change, ...]


def revisions(person_id: int) -> list[Revision]:
    """The history of a person (all joined records), oldest first. Shows identity data: log the reading."""
    event = Person.pgh_event_model  # type: ignore[attr-defined]
    rows = event.objects.filter(pgh_obj_id__in=[row.pk for row in records_of(person_id)]).order_by("pgh_id")
    before: dict[int, Any] = {}
    found = []
    for row in rows:
        context = row.pgh_context or {}
        found.append(
            Revision(
                at=row.pgh_created_at,
                record=row.public_id,
                label=row.pgh_label,
                who=context.get("name", ""),
                door=context.get("door", ""),
                reason=context.get("reason", ""),
                changes=tuple(_changes(before.get(row.pgh_obj_id), row)),
            )
        )
        before[row.pgh_obj_id] = row
    return found


def _changes(old: Any, new: Any) -> Iterable[Change]:
    if old is None:
        return
    event = type(new)
    for field in event._meta.concrete_fields:
        if field.name.startswith("pgh_") or field.name in _NOT_TOLD | {"id", "salt", "commitment"}:
            continue
        was, now = getattr(old, field.attname), getattr(new, field.attname)
        if field.name in _CIPHERS:
            if bytes(was or b"") != bytes(now or b""):
                yield Change(_CIPHERS[field.name], None, None)
        elif was != now:
            yield Change(field.name, was, now)


def merges_of(person_id: int) -> list[MergeRecord]:
    """The merges, taken back or not, that touch any record of a person, newest first."""
    records = [row.pk for row in records_of(person_id)]
    rows = MergeRecord.objects.filter(Q(kept_id__in=records) | Q(merged_id__in=records))
    return list(rows.select_related("kept", "merged").order_by("-id"))


def suspected_pairs(
    *, territory_code: str = "", verdict: str = DuplicateVerdict.OPEN, limit: int = 50
) -> Sequence[DuplicateDecision]:
    """Pairs that look like one person and wait for a decision, the likeliest first. Two that became one
    person by way of a third, and whoever's identity was destroyed, wait for none."""
    rows = DuplicateDecision.objects.below(territory_code).filter(verdict=verdict)
    if verdict == DuplicateVerdict.OPEN:
        known = {"low__shredded_at__isnull": True, "high__shredded_at__isnull": True}
        rows = rows.filter(**known).exclude(low__root=F("high__root"))
    likeliest = F("score").desc(nulls_last=True)
    return list(rows.select_related("low", "high").order_by(likeliest, "id")[:limit])


def told_apart(person_id: int, other_id: int | None = None) -> list[DuplicateDecision]:
    """Decisions that hold, newest first, by which a person and somebody else (of `other_id`: that person) are
    two: between any record of the one and any of the other."""
    hers = [row.pk for row in records_of(person_id)]
    either = Q(low_id__in=hers) | Q(high_id__in=hers)
    if other_id is not None:
        theirs = [row.pk for row in records_of(other_id)]
        either = Q(low_id__in=hers, high_id__in=theirs) | Q(low_id__in=theirs, high_id__in=hers)
    rows = DuplicateDecision.objects.filter(either, verdict=DuplicateVerdict.DIFFERENT)
    return list(rows.select_related("low", "high").order_by("-decided_at", "-id"))
