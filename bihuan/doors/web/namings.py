"""Why somebody is on a list of contacts, in words: the criterion, the reason, who said so, and the encounters
as far as the reader may know where people were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from django.urls import reverse

from bihuan.care.queries import PersonPage
from bihuan.doors.web import seen
from bihuan.registry import access, clock
from bihuan.registry.territory import tz_of
from bihuan.tracing.queries.named import NamedContact, namings_beside
from bihuan.tracing.queries.proposals import ProposalRow, why_of
from bihuan.tracing.queries.reasons import criterion_labels, sentence

VIEW = "investigation.view"


@dataclass(frozen=True, slots=True)
class Naming:
    """One reason a person is a contact. `href` leads to the proposal where one was decided and the reader may
    see it; `told` are encounters, empty out of the reader's sight and after the investigation; `at` UTC;
    `case` the source case, "" where it is not known. Who does not see health is told by whom and when only,
    with a `reason` of None."""

    contact: str
    by: str
    at: datetime
    criterion: str = ""
    clause: str = ""
    reason: str | None = None
    told: tuple[str, ...] = ()
    href: str = ""
    days: tuple[date, ...] = ()
    case: str = ""
    minutes: int = 0


def namings(page: PersonPage, classes: frozenset[str]) -> list[Naming]:
    """Why each contact record of a person stands: the decisions about it, and what else was recorded.

    `classes` are those the reader sees of this person: why needs health; encounters need the location class
    under `investigation.view` too, and an open investigation.
    """
    found = []
    for contact in page.contacts:
        decided = why_of(contact.public_id) if access.may(None, VIEW).allowed else []
        tz = clock.zone(tz_of(contact.territory_code))
        found += [_decided(row, contact, classes, tz) for row in decided]
        others = namings_beside(contact, decisions=not decided)
        found += [_recorded(one, contact, classes) for one in others]
    return found


def _decided(row: ProposalRow, contact: Any, classes: frozenset[str], tz: tzinfo) -> Naming:
    sees = seen.LOCATION in classes and seen.LOCATION in seen.classes(VIEW)
    met = [at.astimezone(tz).date() for at in (row.first_at, row.last_at) if at is not None]
    at = row.decided_at or contact.confirmed_at
    if seen.HEALTH not in classes:
        return Naming(contact.public_id, row.decided_by, at)
    return Naming(
        contact=contact.public_id,
        criterion=criterion_labels().get(row.criterion, row.criterion),
        clause=row.clause,
        reason=row.reason,
        by=row.decided_by,
        at=at,
        told=tuple(sentence(e, tz) for e in row.encounters) if sees and row.is_open else (),
        href=reverse("web:proposal", args=[row.public_id]),
        days=tuple(sorted(set(met))),
        case=row.of_case,
        minutes=row.minutes,
    )


def _recorded(one: NamedContact, contact: Any, classes: frozenset[str]) -> Naming:
    if seen.HEALTH not in classes:
        return Naming(contact.public_id, one.by, one.at)
    return Naming(
        contact=contact.public_id,
        criterion=criterion_labels().get(one.criterion, ""),
        reason=one.reason,
        by=one.by,
        at=one.at,
        days=tuple(sorted({day for day in (one.first, one.last) if day is not None})),
        case=one.case,
    )
