"""All namings of a contact: its own record's, and every further exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from django.db.models import Q

from bihuan.tracing.models import Contact, Exposure, NamingEnd
from bihuan.tracing.rules.namings import Naming, own_last

_JOINED: Final = "joined:"
_PARTED: Final = "parted:"
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


def carried(merge: int | None, of: str, naming: int) -> str:
    """The source key of a naming that was contact `of`'s (public id) and counts for another contact since two
    records were joined (`merge`), or parted (None)."""
    return f"{_JOINED}{merge}:{of}:{naming}" if merge is not None else f"{_PARTED}{of}:{naming}"


def lender_of(source_key: str | None) -> str:
    """Whose naming it was (public id of the contact), by its source key."""
    return (source_key or "").rsplit(":", 2)[1]


def joined_by(merge: int) -> str:
    """What the source keys of all namings begin with that a join of records carried over."""
    return f"{_JOINED}{merge}:"


def places_of(namings: Iterable[tuple[str, int]]) -> dict[int, set[int]]:
    """Where namings (public id of a contact, key) stand now: by contact, the keys there. Followed through
    every join and parting of records since; those that ended otherwise stand nowhere."""
    seen: set[tuple[str, int]] = set()
    found: dict[int, set[int]] = {}
    new = set(namings)
    while new:
        seen |= new
        rows = {one.pk: one for one in Contact.objects.filter(public_id__in={of for of, _key in new})}
        for pk, told in namings_of(rows.values()).items():
            keys = {n.key for n in told if n.stands and (rows[pk].public_id, n.key) in new}
            found.setdefault(pk, set()).update(keys)
        new = _carried_on(new) - seen
    return {pk: keys for pk, keys in found.items() if keys}


def _carried_on(namings: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    ends = Q()
    for of, key in namings:
        ends |= Q(source_key__endswith=f":{of}:{key}")
    begins = Q(source_key__startswith=_JOINED) | Q(source_key__startswith=_PARTED)
    further = Exposure.objects.filter(begins & ends).values_list("contact__public_id", "id")
    own = Contact.objects.filter(begins & ends).values_list("public_id", flat=True)
    return {*further, *((public_id, 0) for public_id in own)}


def sources_of(contacts: Sequence[Contact]) -> Mapping[int, list[int]]:
    """The source cases of each contact by its namings that stand, its own first."""
    return {
        pk: list(dict.fromkeys(n.case for n in namings if n.stands and n.case is not None))
        for pk, namings in namings_of(contacts).items()
    }
