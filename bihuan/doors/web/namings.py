"""Why somebody is on a list of contacts, in words: the criterion, the reason, who said so, and the encounters
as far as the reader may know where people were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.care.queries import PersonPage
from bihuan.doors.web import seen
from bihuan.registry import access
from bihuan.tracing.queries.proposals import why_of
from bihuan.tracing.queries.recorded import recorded_words

VIEW = "investigation.view"


def criterion_labels() -> Mapping[str, str]:
    """Words for the kinds of `contact.kinds`."""
    return {
        "household": _("Same household or room"),
        "care": _("Care or treatment"),
        "aerosol": _("Aerosol procedures in the same space"),
        "workplace": _("Same office or workshop"),
        "class": _("Same class"),
        "canteen": _("Same canteen"),
        "lift": _("Same lift"),
        "dining": _("Meal or entertainment in a closed space"),
        "hospital_visit": _("Hospital visit"),
        "transport": _("Near on a vehicle"),
        "environment": _("Contaminated environment"),
        "physical": _("Direct physical contact"),
        "face_to_face": _("Face to face, nearby"),
        "other": _("Judged by the investigator"),
        "secondary": _("Contact of a contact"),
    }


def spoken(criterion: str) -> str:
    """A criterion as a contact record keeps it ("kind: reason", or free text of a list), in words."""
    kind, sign, reason = criterion.partition(": ")
    return f"{criterion_labels().get(kind, kind)}{sign}{reason}"


def sentence(e: Mapping[str, Any]) -> str:
    """One encounter in words: when, where, for how long, and from whom it is known; of an entry record also
    how that came about."""
    how = recorded_words(e.get("how"))
    return _("%(told)s (%(how)s)") % {"told": _told(e), "how": how} if how else _told(e)


def _told(e: Mapping[str, Any]) -> str:
    place = str(e.get("place_name") or "") or _("an unnamed place")
    if e.get("seat"):
        seat = e["seat"]
        told = " ".join(str(seat[k]) for k in ("carriage", "room", "seat") if seat.get(k))
        row = seat.get("row")
        where = told or (_("row %(n)s") % {"n": row} if row else _("seat not known"))
        words = {"when": _clock(e.get("to"))[:5], "vehicle": place, "seat": where}
        return _("%(when)s on %(vehicle)s: %(seat)s") % words
    words = {"from": _clock(e.get("from")), "to": _clock(e.get("to"), hour_only=True), "place": place}
    words["n"] = str(e.get("minutes") or 0)
    if e.get("named"):
        return _("%(from)s–%(to)s at %(place)s, named in an interview") % words
    if not e.get("to"):
        return _("%(from)s entered %(place)s; for how long is not known") % words
    if words["n"] == "0":  # the end of one stay is not known, or one began as the other ended
        return _("%(from)s–%(to)s at %(place)s; no minutes together are on record") % words
    if e.get("other"):
        return _("%(from)s–%(to)s at %(place)s, %(n)s minutes together with a contact") % words
    return _("%(from)s–%(to)s at %(place)s, %(n)s minutes together") % words


def _clock(text: Any, *, hour_only: bool = False) -> str:
    if not text:
        return "?"
    at = timezone.localtime(datetime.fromisoformat(str(text)))
    return at.strftime("%H:%M" if hour_only else "%m-%d %H:%M")


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
