"""Duties as cards: about whom, what, until when, why, and the shortest way to do it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.care.verbs import VERBS, Field, Result, Verb
from bihuan.cases.queries import people
from bihuan.cases.queries.people import PersonBrief
from bihuan.cases.verbs import AT, NOTE
from bihuan.doors.web import seen
from bihuan.doors.web.drawing import RingStage
from bihuan.doors.web.forms import quick_form
from bihuan.doors.web.shapes import DutyCard, Place
from bihuan.loops.queries import DutyRow
from bihuan.loops.queries.progress import LoopProgress, progress_of
from bihuan.registry import access, territory
from bihuan.registry.actor import Actor
from bihuan.registry.text import label

HOUR: Final = timedelta(hours=1)
#: temperature@2020-02-15/1: kind, local day, number of the slot; test/7: kind and day of the stage.
_SLOT: Final = re.compile(r"@(\d{4})-(\d\d)-(\d\d)/(\d+)$")
_DAY: Final = re.compile(r"/(\d+)$")
_BUILDING: Final = re.compile(r"-(B|U)0*(\d+)$")
#: An address up to its building, and the rest: 柏林社区16栋 | 3单元203室; 8 Station Rd Building 3 | Room 5.
_ADDRESS: Final = re.compile(r"^(.*?\d+\s*(?:号楼|栋|幢|座|[Bb]uilding \d+))[\s,，-]*(.*)$")


def arcs(progress: LoopProgress | None) -> list[RingStage]:
    """The ring of a loop."""
    if progress is None:
        return []
    return [
        RingStage(label(s.label), done=s.done, open=s.open, soon=s.due_soon, late=s.late)
        for s in progress.stages
    ]


def state_of(row: DutyRow, now: datetime) -> str:
    if row.status == "late":
        return "late"
    return "soon" if row.status == "due_soon" or row.due_at <= now + HOUR else "later"


def verb_of(row: DutyRow) -> Verb | None:
    """The verb that ends a duty: the pack's, or plain completion for a duty that names none."""
    return VERBS.get(row.verb)


def plain_verb(row: DutyRow) -> Verb:
    """For a duty without a verb of its own: a moment, a note, and the evidence it asks for."""
    asked = tuple(
        Field(key, "text", key, required=True) for key in row.evidence_asked if key not in ("at", "note")
    )
    return Verb(row.verb, label(row.label), row.subject_kind, ("duty.do",), (*asked, AT, NOTE), _never)


def _never(subject_id: str, given: Mapping[str, Any], actor: Actor, now: datetime | None) -> Result:
    raise AssertionError("a plain verb is completed by the loop engine")


def may_do(row: DutyRow) -> bool:
    """Whether the post acted in may do this duty."""
    verb = verb_of(row) or plain_verb(row)
    return any(
        access.may(None, right, territory_code=row.territory_code, post_id=row.owner_post_id)
        for right in verb.rights
    )


def note_of(row: DutyRow) -> str:
    """Which of several it is: 当日第 1 次, 第 7 天."""
    slot = _SLOT.search(row.key)
    if slot:
        return _("No. %(n)s of the day") % {"n": slot[4]}
    day = _DAY.search(row.key)
    return _("day %(n)s") % {"n": day[1]} if day else ""


def day_of(row: DutyRow) -> date | None:
    """The local day a repeated duty belongs to; None for one that is owed once."""
    slot = _SLOT.search(row.key)
    return date(int(slot[1]), int(slot[2]), int(slot[3])) if slot else None


def place_name(code: str) -> str:
    """Where to go: the building or grid where one is known, else the smallest territory that has a name."""
    found = territory.find(code)
    if found:
        return found.label
    building = _BUILDING.search(code)
    above = territory.tree().ancestors(code)
    name = above[0].label if above else code
    if not building:
        return name
    words = _("%(place)s, building %(n)s") if building[1] == "B" else _("%(place)s, unit %(n)s")
    return words % {"place": name, "n": building[2]}


def _where(address: str) -> tuple[str, str]:
    """The building and the rest of an address; ("", address) when no building is named."""
    found = _ADDRESS.match(address.strip())
    return (found[1], found[2]) if found else ("", address.strip())


def basis_of(row: DutyRow) -> str:
    """依据 hubei-2020-02 D4-17d: the pack and clause behind a deadline."""
    return " ".join(part for part in (row.pack, row.clause) if part)


def card_of(
    row: DutyRow,
    *,
    now: datetime,
    person: PersonBrief | None,
    progress: LoopProgress | None,
    shown: frozenset[str],
) -> DutyCard:
    """One duty with the way to do it, for a reader who may see the classes `shown`."""
    verb = verb_of(row) or plain_verb(row)
    offered = may_do(row)
    tap = bool(offered and verb.one_tap and not verb.adverse)
    building, room = _where(person.address if person is not None and seen.LOCATION in shown else "")
    return DutyCard(
        id=row.id,
        name=seen.name_in_list(person) if row.person_id else row.subject_ref,
        href=_page_of(row, person),
        what=label(row.label),
        due_at=row.due_at,
        state=state_of(row, now),
        why_href=reverse("web:duty_why", args=[row.id]),
        late_by=now - row.due_at if row.due_at < now else None,
        place=building or place_name(row.territory_code),
        room=room,
        note=note_of(row),
        because=_("Basis %(basis)s") % {"basis": basis_of(row)} if basis_of(row) else "",
        stages=arcs(progress),
        verb=str((verb.tap_label or _("Done")) if tap else verb.label),
        action=reverse("web:duty", args=[row.id]) if offered else "",
        quick=quick_form(verb, now=now, card=row.id) if offered and not verb.adverse else None,
        one_tap=tap,
        missed_href=_missed(row),
        owner=row.owner,
    )


def _page_of(row: DutyRow, person: PersonBrief | None) -> str:
    """Where all is read that a duty is about: the request, the person, else the loop."""
    if row.subject_kind == "assistance":
        return reverse("web:assistance_one", args=[row.subject_ref])
    if person is not None:
        return reverse("web:person", args=[person.public_id])
    return reverse("web:loop", args=[row.loop])


def _missed(row: DutyRow) -> str:
    """Where to say that a contact was not met; "" where the post may not say so."""
    rights = VERBS["contact.lost"].rights
    if row.subject_kind != "contact" or row.stage not in ("locate", "observe"):
        return ""
    if not any(access.may(None, right, territory_code=row.territory_code) for right in rights):
        return ""
    return reverse("web:act", args=["contact", row.subject_ref, "contact.lost"])


def cards(rows: Sequence[DutyRow], *, now: datetime) -> list[DutyCard]:
    """Cards of a page of duties; people and rings are read once for all."""
    known = people.briefs(row.person_id for row in rows if row.person_id)
    rings = progress_of({row.loop for row in rows})
    classes = _classes(rows)
    return [
        card_of(
            row,
            now=now,
            person=known.get(row.person_id or 0),
            progress=rings.get(row.loop),
            shown=classes[row.territory_code, row.owner_post_id],
        )
        for row in rows
    ]


def _classes(rows: Iterable[DutyRow]) -> Mapping[tuple[str, int], frozenset[str]]:
    places = {(row.territory_code, row.owner_post_id) for row in rows}
    return {
        (code, post): access.field_classes(None, "duty.view", territory_code=code, post_id=post)
        for code, post in places
    }


def by_place(found: Sequence[DutyCard]) -> list[Place]:
    """Cards by place; the place with the most urgent duty first, and so within it."""
    places: dict[str, list[DutyCard]] = {}
    for card in sorted(found, key=lambda card: card.due_at):
        places.setdefault(card.place, []).append(card)
    return [Place(name, listed) for name, listed in places.items()]
