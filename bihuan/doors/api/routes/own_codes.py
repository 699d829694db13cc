"""Codes that open people's own pages: who has none yet, giving them, and taking one back."""

from datetime import datetime
from typing import Annotated, Final

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from bihuan.care.actions.own_page import give_codes, require_give_many, take_code_back
from bihuan.care.queries.own_page import looked_after, without_code
from bihuan.care.rules.own_page import grouped
from bihuan.doors.api import persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import IDENTITY
from bihuan.doors.api.shapes import Done, place
from bihuan.doors.exchange.address import own_address
from bihuan.loops.queries.sight import require_whole

router = Router()
#: People in one call: a round of slips, as the page gives them.
MOST: Final = 200


class LookedAfterOut(Schema):
    """People to whom something is owed in a territory: with a code that opens, without one, those of whom no
    number is held by which they could open a page, and those registered out of sight, who are given one
    there. `next`: who can be given one, by territory."""

    with_code: int
    without_code: int
    unprovable: int
    elsewhere: int
    next: list[str]


class OwnCodesIn(Schema):
    """`renew`: also for who has a code that opens; that one ends."""

    persons: list[Annotated[str, Field(max_length=20)]] = Field(min_length=1, max_length=MOST)
    renew: bool = False


class OwnCodeOut(Schema):
    """A code, told this once. `scan`: what a picture for scanners holds; the code stands behind its `#`."""

    person: str
    code: str
    address: str
    scan: str
    until: datetime


class NotGivenOut(Schema):
    person: str
    code: str
    message: str
    hint: str


class OwnCodes(Schema):
    items: list[OwnCodeOut]
    refused: list[NotGivenOut]


@operation(router, "GET", "/own-codes", right="person.view", response=LookedAfterOut)
def list_without_own_code(
    call: Call, territory: str = "", limit: int = Query(MOST, ge=1, le=MOST)
) -> LookedAfterOut:
    """Who is looked after in a territory and has no code for her own page yet"""
    require_whole("person.view")
    require_give_many()
    code = place(call, territory, "person.view")
    found = looked_after(code)
    return LookedAfterOut(
        with_code=found.with_code,
        without_code=found.without_code,
        unprovable=found.unprovable,
        elsewhere=found.elsewhere,
        next=list(without_code(code, most=limit)),
    )


@operation(router, "POST", "/own-codes", right="person.view", response=OwnCodes, personal=True)
def give_own_codes(call: Call, body: OwnCodesIn) -> OwnCodes:
    """Give people the codes of their own pages; each is told in this answer and never again

    Who can be given none is named in `refused`, and holds up nobody else. Sent again, who was given a code
    before is refused (`has-code`): ask with `renew` if the answer was lost.
    """
    given, refused = give_codes(body.persons, actor=call.actor, renew=body.renew)
    address = own_address(call.request)
    persons.note(call, [one.access.person_id for one in given], [IDENTITY])
    return OwnCodes(
        items=[
            OwnCodeOut(
                person=one.person_id,
                code=grouped(one.code),
                address=address,
                scan=f"{address}?open#{one.code}",
                until=one.until,
            )
            for one in given
        ],
        refused=[
            NotGivenOut(person=one.person_id, code=one.why.code, message=one.why.message, hint=one.why.hint)
            for one in refused
        ],
    )


@operation(router, "POST", "/persons/{person}/own-code/take-back", right="person.view", response=Done)
def take_back_own_code(call: Call, person: str) -> Done:
    """The code of a person's own page opens nothing any more"""
    n = take_code_back(person, actor=call.actor)
    told = _("The code opens nothing any more.") if n else _("There was no code.")
    return Done(message=told, subject=person)
