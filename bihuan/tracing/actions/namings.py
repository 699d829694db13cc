"""All namings of a contact: its own record's, and every further exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bihuan.tracing.models import Contact, Exposure, NamingEnd
from bihuan.tracing.rules.namings import Naming, own_last

#: What a further exposure changes of a contact record.
DECIDING = ["exposure_last", "own_last"]


def put_aside(contact: Contact, deciding: date | None) -> None:
    """Set what decides, unsaved; what the record itself told is kept beside it."""
    own = own_last(contact.own_last, first=contact.exposure_first, deciding=contact.exposure_last)
    contact.own_last, contact.exposure_last = own, deciding


def namings_of(contacts: Iterable[Contact]) -> dict[int, list[Naming]]:
    """The namings of each contact, its own first, then further ones as they came; in two statements.

    One that ended does not stand; whether its case still does is the caller's to ask.
    """
    rows = {contact.pk: contact for contact in contacts}
    ended = NamingEnd.objects.filter(contact__in=rows).values_list("contact_id", "exposure_id")
    gone = {(contact, exposure or 0) for contact, exposure in ended}
    found = {pk: [_own(contact, stands=(pk, 0) not in gone)] for pk, contact in rows.items()}
    further = Exposure.objects.filter(contact__in=rows).order_by("id")
    for contact_id, pk, case_id, last in further.values_list("contact_id", "id", "case_id", "last"):
        found[contact_id].append(Naming(pk, case_id, last, (contact_id, pk) not in gone))
    return found


def _own(contact: Contact, *, stands: bool) -> Naming:
    last = own_last(contact.own_last, first=contact.exposure_first, deciding=contact.exposure_last)
    return Naming(0, contact.case_id, last, stands)


def sources_of(contacts: Sequence[Contact]) -> Mapping[int, list[int]]:
    """The source cases of each contact by its namings that stand, its own first."""
    return {
        pk: list(dict.fromkeys(n.case for n in namings if n.stands and n.case is not None))
        for pk, namings in namings_of(contacts).items()
    }
