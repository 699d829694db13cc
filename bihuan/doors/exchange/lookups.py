"""What an import asks the rooms: cases of a list, cases of a person, links that are there. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from bihuan.care.models import Order
from bihuan.cases.models import Case
from bihuan.registry.models.people import Person
from bihuan.tracing.models import CaseLink, Contact, Exposure

from .fields import LINELIST
from .models import ImportedRow


def people_by_id(ids: Iterable[int]) -> dict[int, str]:
    """Primary key to public id."""
    ids = list(ids)
    return dict(Person.objects.filter(id__in=ids).values_list("id", "public_id")) if ids else {}


def cases_of_people(public_ids: Iterable[str]) -> dict[tuple[str, str], str]:
    """(public id of the person, disease) to the newest case of any of the person's records."""
    public_ids = list(public_ids)
    if not public_ids:
        return {}
    rows = Case.objects.filter(person__root__public_id__in=public_ids).order_by("found_at")
    return {(p, d): c for p, d, c in rows.values_list("person__root__public_id", "disease", "public_id")}


def cases_of_list(list_id: str, keys: Iterable[str], *, space: str) -> dict[str, str]:
    """Identifier in a list to the case it became; the own office's list first."""
    rows = ImportedRow.objects.filter(list_id=list_id, kind=LINELIST, row_key__in=list(keys))
    found: dict[str, str] = {}
    for key, subject, at in rows.values_list("row_key", "subject_id", "space"):
        if key not in found or at == space:
            found[key] = subject
    return found


def likely_list(keys: Iterable[str]) -> str:
    """The list most of these case identifiers belong to; "" when none is known."""
    rows = ImportedRow.objects.filter(kind=LINELIST, row_key__in=list(keys)[:200]).values_list(
        "list_id", flat=True
    )
    names = list(rows)
    return max(set(names), key=names.count) if names else ""


_WORDS = ("classification", "severity", "outcome", "origin", "test_result", "facility", "disease")


def case(public_id: str) -> dict[str, Any] | None:
    """A case as a row can be held against it; None when it is not within reach."""
    dates = [f.name for f in Case._meta.concrete_fields if f.name.startswith("date_")]
    row = (
        Case.objects.filter(public_id=public_id)
        .values("person__sex", "person__age_years", "person__name", *_WORDS, *dates)
        .first()
    )
    if row is None:
        return None
    return row | {"sex": row["person__sex"], "age": row["person__age_years"], "name": row["person__name"]}


def links(pairs: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Which pairs of cases are linked already."""
    wanted = set(pairs)
    rows = CaseLink.objects.filter(to_case__public_id__in={b for _a, b in wanted})
    return wanted & set(rows.values_list("from_case__public_id", "to_case__public_id"))


def contact(public_id: str) -> dict[str, Any] | None:
    """A contact as a row can be held against it."""
    return (
        Contact.objects.filter(public_id=public_id)
        .values("public_id", "status", "released_at", "lost_at", "located_at", "exposure_kind", "setting")
        .first()
    )


def contacts_of_people(public_ids: Iterable[str]) -> dict[tuple[str, str], str]:
    """(public id of the person, public id of the source case) to the contact."""
    public_ids = list(public_ids)
    if not public_ids:
        return {}
    rows = Contact.objects.filter(person__root__public_id__in=public_ids, case__isnull=False)
    own = rows.values_list("person__root__public_id", "case__public_id", "public_id")
    more = Exposure.objects.filter(contact__person__root__public_id__in=public_ids, case__isnull=False)
    further = more.values_list("contact__person__root__public_id", "case__public_id", "contact__public_id")
    return {(p, c): k for p, c, k in (*own, *further)}


class Observed(NamedTuple):
    """Until when a contact was or is to be observed, and whether an order runs."""

    last_day: date
    is_running: bool


def orders_of(public_ids: Iterable[str]) -> dict[str, Observed]:
    """Those of these contacts who are or were under observation."""
    orders = Order.objects.filter(contact__public_id__in=list(public_ids))
    found: dict[str, Observed] = {}
    for contact, last, ended in orders.values_list("contact__public_id", "last_day", "ended_at"):
        before = found.get(contact, Observed(last, False))
        found[contact] = Observed(max(last, before.last_day), before.is_running or ended is None)
    return found
