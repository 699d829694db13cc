"""Why somebody is named a contact, in the reader's words: the criterion, and each time she met the case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.tracing.queries.recorded import recorded_words


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


def sentence(e: Mapping[str, Any], tz: tzinfo | None = None) -> str:
    """One encounter in words: when (local time of `tz`, None = of this installation), where, for how long,
    and from whom it is known; of an entry record also how that came about."""
    how, told = recorded_words(e.get("how")), _told(e, tz)
    return _("%(told)s (%(how)s)") % {"told": told, "how": how} if how else told


def _told(e: Mapping[str, Any], tz: tzinfo | None) -> str:
    place = str(e.get("place_name") or "") or _("an unnamed place")
    if e.get("seat"):
        seat = e["seat"]
        told = " ".join(str(seat[k]) for k in ("carriage", "room", "seat") if seat.get(k))
        row = seat.get("row")
        where = told or (_("row %(n)s") % {"n": row} if row else _("seat not known"))
        words = {"when": _clock(e.get("to"), tz)[:5], "vehicle": place, "seat": where}
        return _("%(when)s on %(vehicle)s: %(seat)s") % words
    words = {"from": _clock(e.get("from"), tz), "to": _clock(e.get("to"), tz, hour_only=True), "place": place}
    n = int(e.get("minutes") or 0)
    words["n"] = str(n)
    if e.get("named"):
        return _("%(from)s–%(to)s at %(place)s, named in an interview") % words
    if not e.get("to"):
        return _("%(from)s entered %(place)s; for how long is not known") % words
    if not n:  # the end of one stay is not known, or one began as the other ended
        return _("%(from)s–%(to)s at %(place)s; no minutes together are on record") % words
    if e.get("other"):
        met_contact = ngettext(
            "%(from)s–%(to)s at %(place)s, %(n)s minute together with a contact",
            "%(from)s–%(to)s at %(place)s, %(n)s minutes together with a contact",
            n,
        )
        return met_contact % words
    met = ngettext(
        "%(from)s–%(to)s at %(place)s, %(n)s minute together",
        "%(from)s–%(to)s at %(place)s, %(n)s minutes together",
        n,
    )
    return met % words


def _clock(text: Any, tz: tzinfo | None, *, hour_only: bool = False) -> str:
    if not text:
        return "?"
    at = timezone.localtime(datetime.fromisoformat(str(text)), tz)
    return at.strftime("%H:%M" if hour_only else "%m-%d %H:%M")
