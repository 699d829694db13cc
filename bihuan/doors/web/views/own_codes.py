"""Codes that open somebody's own page: one, given on the page of a person; and a sheet of slips for those who
are looked after in a territory, to be cut and handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from bihuan.care.actions.own_page import (
    Given,
    NotGiven,
    give_code,
    give_sheet,
    give_sheet_again,
    require_give_many,
    take_code_back,
)
from bihuan.care.queries.own_page import last_sheets, looked_after
from bihuan.care.rules.own_page import grouped
from bihuan.doors.exchange.address import own_address
from bihuan.doors.web import drawing, places, seen
from bihuan.doors.web.access import access
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import territory
from bihuan.registry.masking import mask_name
from bihuan.registry.purposes import purpose

#: Slips of one sheet: what is printed and handed out in one round.
SHEET: Final = 100


@dataclass(frozen=True, slots=True)
class Slip:
    """What somebody is handed: her masked name, where she is looked after, her number in the registry, the
    code, and its picture. `address`: for whoever hands it out, and not on it."""

    name: str
    place: str
    address: str
    number: str
    code: str
    where: str
    picture: str
    until: datetime


@access("person.view", personal=True)
@never_cache
def own_code(request: HttpRequest, public_id: str) -> HttpResponse:
    """A post gives a code, or takes it back. The code is shown in this answer and never again."""
    if request.method != "POST":
        return redirect("web:person", public_id=public_id)
    actor = request.actor  # type: ignore[attr-defined]
    if request.POST.get("do") == "take_back":
        n = take_code_back(public_id, actor=actor)
        messages.success(request, _("The code opens nothing any more.") if n else _("There was no code."))
        return redirect("web:person", public_id=public_id)
    (slip,) = _slips(request, [give_code(public_id, actor=actor)])
    context = {"slip": slip, "back": reverse("web:person", args=[public_id])}
    return render(request, "web/own/code.html", context)


@access("person.view", personal=True)
@never_cache
def own_codes(request: HttpRequest) -> HttpResponse:
    """Who in a territory is looked after and has no code yet; posted, a sheet of slips for the next."""
    sight.require_whole("person.view")
    require_give_many()
    code, wrong = places.asked(request)
    if wrong:
        messages.warning(request, wrong)
        return redirect("web:own_codes")
    registry_access.require("person.view", territory_code=code)  # a place of others does not mean one's own
    slips: list[Slip] = []
    refused: list[NotGiven] = []
    if request.method == "POST":
        given, refused = _sheet(request, code)
        slips = _slips(request, given, (seen.IDENTITY, seen.LOCATION))
        if not slips:
            messages.info(request, _("Nobody here can be given a code now."))
    found = None if slips else looked_after(code)
    context = {
        "found": found,
        "n": min(SHEET, found.without_code) if found else 0,
        "sheets": [] if slips else last_sheets(),
        "slips": slips,
        "refused": refused,
        "crumbs": places.crumbs(request, code),
        "below": [] if slips else [(one.code, one.label) for one in territory.children(code)],
        "territory": code,
    }
    return render(request, "web/own/codes.html", context)


def _sheet(request: HttpRequest, code: str) -> tuple[list[Given], list[NotGiven]]:
    """The next sheet of a territory, or `again` one that was lost."""
    actor = request.actor  # type: ignore[attr-defined]
    again = request.POST.get("again")
    if again is None:
        return give_sheet(code, most=SHEET, actor=actor)
    try:
        return give_sheet_again(datetime.fromisoformat(again), actor=actor)
    except ValueError:
        return [], []


def _slips(
    request: HttpRequest, given: Sequence[Given], shown: Sequence[str] = (seen.IDENTITY,)
) -> list[Slip]:
    """The slips of codes just given; that the people were looked at for it is noted."""
    where, found = own_address(request), []
    for one in given:
        person: Any = one.access.person
        picture = drawing.scannable(f"{where}?open#{one.code}")
        name = mask_name(person.name) or person.public_id
        found.append(
            Slip(
                name,
                places.below(person.territory_code),
                person.address,
                person.public_id,
                grouped(one.code),
                where,
                picture,
                one.until,
            )
        )
    people = [one.access.person_id for one in given]
    seen.note(people, shown, purpose("page.own-code"))
    return found
