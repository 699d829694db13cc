"""The access log as its readers see it: who looked at whom in a territory, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bihuan.registry import posts
from bihuan.registry.access import require
from bihuan.registry.models import AccessLog, Account, Person
from bihuan.registry.purposes import said


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One reading of one person's data. `person` is her public id, "" when she lives out of sight."""

    id: int
    at: datetime
    who: str
    post: str
    person: str
    name: str
    territory_code: str
    fields: tuple[str, ...]
    purpose: str
    door: str
    glass: str


def find_reads(territory_code: str = "", *, before: int | None = None, limit: int = 50) -> list[ReadRow]:
    """Return readings at and below a territory, within the scope; `before` is the id of the last row seen.

    Needs the right audit.view.
    """
    require("audit.view")
    rows = AccessLog.objects.below(territory_code).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows[:limit])
    accounts = Account.objects.in_bulk({row.account_id for row in found if row.account_id})
    people = Person.objects.in_bulk({row.person_id for row in found})
    directory = posts.directory()
    return [
        ReadRow(
            id=row.id,
            at=row.at,
            who=str(accounts.get(row.account_id or 0) or row.actor_name),
            post=directory.by_id[row.post_id].label if row.post_id in directory.by_id else "",
            person=people[row.person_id].public_id if row.person_id in people else "",
            name=people[row.person_id].name if row.person_id in people else "",
            territory_code=row.territory_code,
            fields=tuple(row.fields),
            purpose=said(row.purpose),
            door=row.door,
            glass=row.glass,
        )
        for row in found
    ]
