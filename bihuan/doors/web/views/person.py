"""One person: timeline, why restricted and until when, who owes what, who looked; and verbs about her."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from bihuan.care.actions.own_page import may_give
from bihuan.care.queries import PersonPage, appeals_waiting, find_order, person_page
from bihuan.care.queries.own_page import has_died, last_code_of
from bihuan.care.verbs import VERBS, perform
from bihuan.cases.queries import find_case, people
from bihuan.cases.verbs import Verb
from bihuan.doors.web import cards, seen, timeline, whys, words
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import VerbForm, add_errors, values_of
from bihuan.doors.web.namings import namings
from bihuan.doors.web.shapes import Why
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.doors.web.two_records import may_join
from bihuan.loops.queries import DutyFilter, find_duties, sight
from bihuan.loops.queries.progress import LoopProgress, progress_of
from bihuan.registry import access as registry_access
from bihuan.registry import clock, masking, scope, territory
from bihuan.registry.actions.people import may_correct
from bihuan.registry.errors import BihuanError, Invalid, NotFound
from bihuan.registry.identity import LOCAL
from bihuan.registry.purposes import purpose
from bihuan.registry.text import label
from bihuan.tracing.actions.held_visits import visits_held
from bihuan.tracing.queries import assistance, find_contact
from bihuan.tracing.queries.investigations import investigations_of_case

SHOWN_LOOKS: Final = 12
PRIMARY: Final = ("contact.check", "case.outcome", "contact.locate")
#: Verbs offered on the page itself, most used first; the rest belong to duties.
OFFERED: Final = {
    "contact": (
        "contact.check",
        "contact.test",
        "contact.expose",
        "contact.convert",
        "contact.lost",
        "contact.release",
    ),
    "case": ("case.test", "case.revise", "case.outcome", "case.exclude"),
}


@access("person.view", personal=True)
def person(request: HttpRequest, public_id: str) -> HttpResponse:
    """The page of one person, as far as the reader's role reaches."""
    found = person_page(public_id, looks=SHOWN_LOOKS)
    subject = _subject(found)
    shown = sight.classes_of(
        "person.view", territory_code=found.person.territory_code, person_id=found.person.pk, subject=subject
    )
    seen.note([found.person.pk], shown, purpose("page.person"))
    now = clock.now()
    rings = progress_of(loop.public_id for loop in found.loops)
    loop = main_loop(found, rings)
    duties = find_duties(DutyFilter(person_id=found.person.pk), limit=30).rows
    context = {
        "person": {
            "name": seen.name_on_page(found.person, shown),
            "about": " · ".join(
                part
                for part in (seen.about(found.person), territory.name_path(found.person.territory_code))
                if part
            ),
        },
        "stages": cards.arcs(loop),
        "strip": strip(loop),
        "chips": chips(found),
        "actions": _actions(found),
        "moments": timeline.moments_of(found.entries, shown),
        "whys": _whys(found),
        "namings": namings(found, shown),
        "owed": cards.cards(duties, now=now),
        "loops": [
            {
                "href": reverse("web:loop", args=[one.public_id]),
                "label": label(rings[one.public_id].label) if one.public_id in rings else one.definition,
                "stages": cards.arcs(rings.get(one.public_id)),
                "state": _loop_state(rings.get(one.public_id), one.outcome),
            }
            for one in found.loops
        ],
        "looks": [
            {"who": f"{look.who} · {look.post}", "purpose": look.purpose, "at": look.at}
            for look in found.looks
        ],
        "investigations": _investigations(found),
        "details": _details(found, shown),
        "correct_href": _correct_href(found, shown),
        "same_href": _same_href(found, shown),
        "assistance": _assistance(found),
        "ask_href": _ask_href(found),
        "visits": visits_held(found.person.pk) if seen.LOCATION in shown else None,
        "code_href": _code_href(public_id, shown),
        "own_href": _own_href(found),
        "own_code": last_code_of(found.person),
        "no_moments_title": _("Nothing recorded yet"),
        "no_moments_text": _(
            "Facts, duties and decisions about this person will stand here in the order they happened."
        ),
    }
    return render(request, "web/person/person.html", context)


def _code_href(public_id: str, shown: frozenset[str]) -> str:
    """Where a code for the gates is issued, for posts that may see who somebody is."""
    return reverse("web:entry_code", args=[public_id]) if seen.IDENTITY in shown else ""


def _correct_href(found: PersonPage, shown: frozenset[str]) -> str:
    """Where what was reported of her is set right, for posts that may."""
    if not may_correct(found.person, shown):
        return ""
    return reverse("web:person_correct", args=[found.person.public_id])


def _same_href(found: PersonPage, shown: frozenset[str]) -> str:
    """Where records are found to be hers, or somebody else's, for posts that may."""
    return reverse("web:same_person", args=[found.person.public_id]) if may_join(found.person, shown) else ""


def _own_href(found: PersonPage) -> str:
    """Where a code for her own page is given, by posts that may, to somebody alive."""
    gives = may_give(found.person) and not has_died(found.person)
    return reverse("web:own_code", args=[found.person.public_id]) if gives else ""


def _subject(found: PersonPage) -> tuple[str, str] | None:
    if found.cases:
        return "case", found.cases[-1].public_id
    return ("contact", found.contacts[-1].public_id) if found.contacts else None


def main_loop(found: PersonPage, rings: dict[str, LoopProgress]) -> LoopProgress | None:
    """The loop to draw: the newest open one, else the newest."""
    ordered = [rings[loop.public_id] for loop in reversed(found.loops) if loop.public_id in rings]
    return next((loop for loop in ordered if loop.is_open), ordered[0] if ordered else None)


def strip(loop: LoopProgress | None) -> list[dict[str, Any]]:
    """The stages in words: what is done, where it stands, what is late. Of a loop that ended early nothing is
    told as done that nobody did."""
    if loop is None:
        return []
    at = loop.at
    return [
        {"label": label(s.label), "done": s.fulfilled and not s.open, "late": s.late, "now": s is at}
        for s in loop.stages
    ]


def _investigations(found: PersonPage) -> list[dict[str, Any]]:
    """Investigations of this person's cases, and where one may be opened."""
    rows = []
    for case in found.cases:
        if not registry_access.may(None, "investigation.view", territory_code=case.territory_code):
            continue
        known = investigations_of_case([case.public_id])
        may_open = (
            registry_access.may(None, "investigation.write", territory_code=case.territory_code)
            and case.classification != "discarded"
            and all(row.status != "open" for row in known)
        )
        sees = _may_see_chains(case.territory_code)
        chain = f"{reverse('web:chains')}?root={case.public_id}" if sees else ""
        rows.append({"case": case.public_id, "known": known, "may_open": bool(may_open), "chain": chain})
    return rows


def _may_see_chains(code: str) -> bool:
    """Chains tell who fell ill when: for posts that see the health of a whole territory."""
    right = "case.view"
    whole = registry_access.reach(None, right) == "below"
    return whole and bool(registry_access.may(None, right, field_class=seen.HEALTH, territory_code=code))


def _loop_state(loop: LoopProgress | None, outcome: str) -> str:
    if loop is None:
        return ""
    if not loop.is_open:
        return _("closed: %(outcome)s") % {"outcome": case_word(outcome)} if outcome else _("closed")
    return _("now: %(stage)s") % {"stage": label(loop.at.label)} if loop.at else _("open")


def chips(found: PersonPage) -> list[dict[str, str]]:
    chips = []
    for case in found.cases:
        chips.append({"tone": "fact", "text": case_word(case.classification)})
        if case.outcome in ("recovered", "died"):
            chips.append(
                {"tone": "done" if case.outcome == "recovered" else "", "text": case_word(case.outcome)}
            )
    for contact in found.contacts:
        chips.append({"tone": "fact", "text": str(contact.get_status_display())})
    order = found.order
    if order is not None and order.order.ended_at is None:
        chips.append({"tone": "soon", "text": whys.standing_short(order)})
        if whys.is_held_on(order):
            chips.append({"tone": "late", "text": _("not brought home yet")})
    return chips


def _whys(found: PersonPage) -> list[Why]:
    """Why this person is restricted; nothing when no order stands or stood."""
    return (
        [whys.of_order(found.order)] if found.order is not None and found.order.order.ended_at is None else []
    )


@dataclass(frozen=True, slots=True)
class Offer:
    label: str
    href: str
    primary: bool


def _actions(found: PersonPage) -> list[Offer]:
    """The verbs the post may do about this person, at most three."""
    offers = []
    code = found.person.territory_code
    live = [
        ("contact", c.public_id, c.territory_code)
        for c in found.contacts
        if c.status in ("confirmed", "lost")
    ]
    live += [("case", c.public_id, c.territory_code) for c in found.cases if c.outcome not in ("died",)]
    for kind, public_id, where in reversed(live):
        for key in OFFERED[kind]:
            verb = VERBS[key]
            if _may(verb, where or code):
                href = reverse("web:act", args=[kind, public_id, key])
                offers.append(Offer(str(verb.label), href, key == "contact.check"))
    return offers[:3]


def _may(verb: Verb, code: str) -> bool:
    return any(registry_access.may(None, right, territory_code=code) for right in verb.rights)


def _details(found: PersonPage, shown: frozenset[str]) -> list[tuple[str, Any]]:
    one = found.person
    rows: list[tuple[str, Any]] = []
    if one.address:
        rows.append((_("Address"), seen.address_on_page(one.address, shown)))
    if seen.IDENTITY in shown:
        rows += _identity(one)
    for case in found.cases:
        rows.append((_("Case"), case.local_id or case.public_id))
    for contact in found.contacts:
        rows.append((_("Contact"), contact.local_id or contact.public_id))
        if contact.handed_over_at is not None:
            rows += _handed_over(contact.pk)
    return rows


def _identity(one: Any) -> list[tuple[str, Any]]:
    """What she is called by and told apart by; the number of a document as a mask."""
    acting = scope.current()
    view = masking.shown(one, on=clock.today(), post_id=acting.post_id if acting else None)
    rows: list[tuple[str, Any]] = []
    if "phone" in view.fields:
        rows.append((_("Phone"), format_html('<a href="tel:{}">{}</a>', view.phone, view.phone)))
    if view.id_number and view.id_kind != LOCAL:
        rows.append((_("Identity number"), view.id_number))
    if view.occupation:
        rows.append((_("Occupation"), view.occupation))
    return rows


def _handed_over(contact: int) -> list[tuple[str, str]]:
    """With whom the person is now, since when, and by what."""
    found = assistance.hand_over_of(contact)
    if found is None:
        return []
    by = _("request %(id)s") % {"id": found.request}
    if found.digest:
        by += " · " + _("signed message %(digest)s") % {"digest": found.digest[:16]}
    since = words.say_when(found.at, clock.now())
    return [(_("Handed over to"), f"{found.office} · {since} · {by}")]


def _assistance(found: PersonPage) -> list[dict[str, str]]:
    """Requests about this person that this territory sent or was sent."""
    if not registry_access.may(None, "assistance.view"):
        return []
    return [
        {
            "href": reverse("web:assistance_one", args=[row.public_id]),
            "text": f"{row.need_label} · {row.peer or row.other_place}",
            "state": row.outcome_label or row.status_label,
        }
        for row in assistance.requests_about([found.person.pk], now=clock.now())
    ]


def _ask_href(found: PersonPage) -> str:
    """Where to ask another territory about this person; with the contact, so that its exposure can go
    along."""
    if not registry_access.may(None, "assistance.write"):
        return ""
    subject = _subject(found)
    asked = f"{subject[0]}={subject[1]}" if subject else f"person={found.person.public_id}"
    return f"{reverse('web:assistance_new')}?{asked}"


@access(scope="post", personal=True)
def subject(request: HttpRequest, public_id: str) -> HttpResponse:
    """Any public id leads to its page: a case and a contact to their person."""
    prefix = public_id[:1].upper()
    if prefix == "P":
        return redirect("web:person", public_id=public_id)
    if prefix == "L":
        return redirect("web:loop", public_id=public_id)
    if prefix == "R":
        return redirect("web:assistance_one", public_id=public_id)
    if prefix == "D" and public_id[2:].isdigit():
        return redirect("web:duty", duty_id=int(public_id[2:]))
    person_id, territory_code, kind = _behind(prefix, public_id)
    sight.classes_of(
        f"{kind}.view", territory_code=territory_code, person_id=person_id, subject=(kind, public_id)
    )
    brief = people.briefs([person_id]).get(person_id)
    if brief is not None:
        return redirect("web:person", public_id=brief.public_id)
    loops = find_duties(DutyFilter(subject=(kind, public_id), status=""), limit=1).rows
    if not loops:
        raise NotFound(_("The person of %(id)s lives out of sight.") % {"id": public_id})
    return redirect("web:loop", public_id=loops[0].loop)


def _behind(prefix: str, public_id: str) -> tuple[int, str, str]:
    if prefix == "C":
        case = find_case(public_id).row
        return case.person_id, case.territory_code, "case"
    if prefix == "K":
        contact = find_contact(public_id).row
        return contact.person_id, contact.territory_code, "contact"
    if prefix == "O":
        order = find_order(public_id).order
        return order.person_id, order.territory_code, "order"
    raise NotFound(_("%(id)s is no number of ours.") % {"id": public_id})


@access(scope="post", personal=True)
def act(request: HttpRequest, kind: str, public_id: str, key: str) -> HttpResponse:
    """The form of one verb about one subject, and (POST) doing it. The action checks the right again."""
    verb = VERBS.get(key)
    if verb is None or verb.subject != kind:
        raise NotFound(_("There is nothing called %(key)s to be done here.") % {"key": key})
    if not any(registry_access.may(None, right).allowed for right in verb.rights):
        registry_access.require(verb.rights[0])
    _require_in_sight(kind, public_id)
    form = VerbForm(verb, request.POST or None, now=clock.now())
    error = ""
    if request.method == "POST":
        try:
            with transaction.atomic():
                result = perform(key, kind, public_id, values_of(form), request.actor)  # type: ignore[attr-defined]
        except Invalid as wrong:
            add_errors(form, wrong)
        except BihuanError as wrong:
            error = str(wrong)
        else:
            messages.success(request, result.message)
            return _onward(request, result.subject_id)
    context = {"verb": verb, "form": form, "subject": public_id, "action": request.path, "error": error}
    piece = request.headers.get("HX-Request")
    template = "web/person/act.html" if piece else "web/person/act_page.html"
    return render(request, template, context, status=422 if error or form.errors else 200)


def _require_in_sight(kind: str, public_id: str) -> None:
    """Raise NotFound for a subject outside the territory, before its form is shown."""
    if kind == "appeal":
        if not appeals_waiting().filter(public_id=public_id).exists():
            raise NotFound(_("There is no appeal %(id)s that waits here.") % {"id": public_id})
        return
    _FIND[kind](public_id)


_FIND: Final[dict[str, Callable[[str], object]]] = {
    "case": find_case,
    "contact": find_contact,
    "order": find_order,
    "assistance": lambda public_id: assistance.find_request(public_id, now=clock.now()),
}


def _onward(request: HttpRequest, public_id: str) -> HttpResponse:
    """Back to the page the form was opened on; without script, to the subject's own page."""
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    if public_id[:1] == "A":
        return redirect("web:home")
    return redirect("web:subject", public_id=public_id)
