"""Why somebody is on a list of contacts, in words: the criterion, the reason, who said so, and the encounters
as far as the reader may know where people were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse

from bihuan.care.queries import PersonPage
from bihuan.doors.web import seen
from bihuan.registry import access
from bihuan.tracing.queries.proposals import why_of
from bihuan.tracing.queries.reasons import criterion_labels, sentence

VIEW = "investigation.view"


@dataclass(frozen=True, slots=True)
class Naming:
    """One reason a person is a contact. `href` leads to the proposal where one was decided and the reader may
    see it; `told` are encounters, empty out of the reader's sight and after the investigation; `at` UTC."""

    contact: str
    criterion: str
    clause: str
    reason: str
    by: str
    at: datetime
    told: tuple[str, ...] = ()
    href: str = ""
    days: tuple[date, ...] = ()


def namings(page: PersonPage, classes: frozenset[str]) -> list[Naming]:
    """Why each contact record of a person stands: the decisions about it, else what was recorded with it.

    `classes` are those the reader sees of this person; encounters need the location class under
    `investigation.view` too, and an open investigation.
    """
    labels, found = criterion_labels(), []
    for contact in page.contacts:
        decided = why_of(contact.public_id) if access.may(None, VIEW).allowed else []
        sees = seen.LOCATION in classes and seen.LOCATION in seen.classes(VIEW)
        days = tuple(sorted({d for d in (contact.exposure_first, contact.exposure_last) if d is not None}))
        for row in decided:
            told = tuple(sentence(e) for e in row.encounters) if sees and row.is_open else ()
            found.append(
                Naming(
                    contact.public_id, labels.get(row.criterion, row.criterion), row.clause, row.reason,
                    row.decided_by, row.decided_at or contact.confirmed_at, told,
                    reverse("web:proposal", args=[row.public_id]), days,
                )
            )  # fmt: skip
        if not decided:
            kind, _sign, reason = contact.criterion.partition(": ")
            known = kind in labels
            criterion, said = (labels[kind], reason) if known else ("", contact.criterion)
            found.append(Naming(contact.public_id, criterion, "", said, "", contact.confirmed_at, days=days))
    return found
