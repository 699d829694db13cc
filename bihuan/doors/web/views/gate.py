"""The screen of a gate: who passes is recorded in seconds, without a network too. It shows nobody's past."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST

from bihuan.doors.web import drawing, seen, vite
from bihuan.doors.web import places as territories
from bihuan.doors.web.access import access
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, scope
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import person_by_public_id
from bihuan.registry.text import name_of
from bihuan.tracing.actions import gate_takers as takers
from bihuan.tracing.actions import gates as actions
from bihuan.tracing.actions.entry_codes import issue_code
from bihuan.tracing.actions.gate_takers import Taker
from bihuan.tracing.actions.gates import GateAnswer, GateRecord, StrangerInput
from bihuan.tracing.errors import TakenByOther
from bihuan.tracing.queries import places as queries
from bihuan.tracing.queries.places import PlaceFilter, PlaceRow

SHOWN: Final = 100
DIRECTIONS: Final = ("in", "out")
#: What texts made by others raise when read, also nested without end.
UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
#: So many people's records at most wait on one device.
TAKERS: Final = 50
#: Temperatures of the living, °C; anything else was mistyped.
DEGREES: Final = (30.0, 44.0)
#: What a device's clock may say: one that lost its time begins with 1970, and is corrected.
YEARS: Final = range(1969, 2201)


@access("visits.record")
def gate_choice(request: HttpRequest) -> HttpResponse:
    """The gates of the post's territory; straight to the gate where there is one."""
    text = request.GET.get("q", "")
    page = queries.list_places(PlaceFilter(text=text), size=SHOWN)
    closed = () if text else _closed_lately()
    if len(page.rows) == 1 and not text and not closed:
        return redirect("web:gate", public_id=page.rows[0].public_id)
    context = {
        "gates": [_choice(row) for row in page.rows],
        "closed": [_choice(row) for row in closed],
        "q": text,
        "more": page.next,
        "may_add": registry_access.may(None, "place.write").allowed,
    }
    return render(request, "web/gate/choice.html", context)


def _choice(row: PlaceRow) -> dict[str, Any]:
    return {
        "name": name_of(row.name, row.name_en),
        "href": reverse("web:gate", args=[row.public_id]),
        "where": territories.below(row.territory_code),
        "address": row.address,
        "is_over": row.is_over,
        "closed_at": row.closed_at,
    }


def _closed_lately() -> tuple[PlaceRow, ...]:
    """Places closed so lately that devices may still keep what they recorded there."""
    now, acting = clock.now(), scope.current()
    hours = actions.rules_at(acting.lo if acting else "", now).unsent_hours
    return queries.closed_lately(now - timedelta(hours=hours), size=SHOWN)


@access("visits.record")
@ensure_csrf_cookie
def gate(request: HttpRequest, public_id: str) -> HttpResponse:
    """One gate. The page is kept by the device, so it holds nothing but the gate's own facts. Of a closed
    place it takes nothing new, and sends what the device still keeps."""
    found = queries.gate_now(public_id)
    registry_access.require("visits.record", territory_code=found.place.territory_code)
    rules = actions.rules_at(found.place.territory_code, clock.now())
    about = {
        "place": found.place.public_id,
        "send": reverse("web:gate_records", args=[public_id]),
        "worker": reverse("web:gate_worker"),
        "scope": reverse("web:gate_choice"),
        "fever": rules.fever,
        "required": list(rules.required),
        "unsentHours": rules.unsent_hours,
        "degrees": list(DEGREES),
        "seal": base64.b64encode(takers.public_seal()).decode(),
        "logIn": reverse("account_login"),
        "logOut": reverse("account_logout"),
        "closed": _closed(found.place),
        "texts": _texts(),
        **_who(request),
    }
    return render(
        request,
        "web/gate/gate.html",
        {
            "place": found.place,
            "name": name_of(found.place.name, found.place.name_en),
            "about": about,
            "required": rules.required,
            "fever": rules.fever,
            "inside": found.inside,
            "limit": found.limit,
            "is_over": found.is_over,
        },
    )


@require_POST
@access("visits.record")
def gate_records(request: HttpRequest, public_id: str) -> HttpResponse:
    """What a gate recorded, now or while it had no network; answers for each record, and who is logged in.

    Nothing sent asks only for that, and for the names of those whose tokens are on the device (`ask`).
    """
    try:
        sent = _read(request.body, public_id)
        answers = [GateAnswer(event, "rejected", _unread()) for event in sent.unread]
        if sent.records or not sent.unread:
            answers += actions.record_gate(
                public_id,
                sent.records,
                sent_at=sent.at,
                actor=request.actor,  # type: ignore[attr-defined]
                taken_by=sent.taker if sent.records else None,
                handed_over=sent.handed_over,
            )
        names = {token: takers.name_of(takers.read_token(token)) for token in sent.asked}
    except BihuanError as error:
        who = _who(request) if isinstance(error, TakenByOther) else {}
        return JsonResponse({"error": error.code, "message": str(error), **who}, status=error.status)
    found = queries.gate_now(public_id)
    told = [
        {
            "event": a.event, "status": a.status, "message": a.message, "missing": list(a.missing),
            "febrile": a.febrile, "closed": a.closed,
        }
        for a in answers
    ]  # fmt: skip
    counts = {"inside": found.inside, "limit": found.limit, "over": found.is_over}
    facts = {**counts, "closed": _closed(found.place), **_who(request)}
    return JsonResponse({"answers": told, "names": names, **facts})


def _closed(place: PlaceRow) -> str:
    """Since when a place is closed, for its gate's page; "" while it is open."""
    return queries.closed_since(place.closed_at, place.territory_code) if place.closed_at else ""


def _who(request: HttpRequest) -> dict[str, Any]:
    """Who is logged in, as a device may keep it, and a number that is higher in a later answer."""
    token = takers.token_of(takers.taker_of(request.actor))  # type: ignore[attr-defined]
    return {"taker": token, "issued": time.time_ns() // 1_000_000}


@access("person.view", personal=True)
def entry_code(request: HttpRequest, public_id: str) -> HttpResponse:
    """A code that gates scan instead of an identity number: it holds a keyed number, and the day."""
    person = person_by_public_id(public_id)
    shown = sight.classes_of("person.view", territory_code=person.territory_code, person_id=person.pk)
    if seen.IDENTITY not in shown:
        registry_access.require("person.view", field_class=seen.IDENTITY)
    seen.note([person.pk], (seen.IDENTITY,), purpose("page.entry-code"))
    code = issue_code(person.pk)
    context = {
        "name": seen.name_on_page(person, shown),
        "back": reverse("web:person", args=[public_id]),
        "code": codes_words(code.text) if code else "",
        "until": code.until if code else None,
        "picture": drawing.scannable(code.text) if code else "",
    }
    return render(request, "web/gate/code.html", context)


def codes_words(text: str) -> str:
    """A code in groups, to be typed if need be."""
    return " ".join(text[i : i + 5] for i in range(0, len(text), 5))


@access(scope="anyone")
def gate_worker(request: HttpRequest) -> HttpResponse:
    """The script that lets a gate's page open without a network: within /gate/ only."""
    script, _styles = vite.built("gate-worker")
    answer = HttpResponse(_script(script), content_type="text/javascript; charset=utf-8")
    answer["Service-Worker-Allowed"] = reverse("web:gate_choice")
    answer["Cache-Control"] = "no-cache"
    return answer


@lru_cache(maxsize=2)
def _script(path: str) -> str:
    return (vite.DIST.parent.parent / path).read_text("utf-8")


@dataclass(frozen=True, slots=True, repr=False)
class _Sent:
    """What a device sent. `unread`: events of closed records that do not open here."""

    at: datetime
    taker: Taker
    handed_over: bool
    records: list[GateRecord]
    unread: list[str]
    asked: list[str]


def _read(body: bytes, public_id: str) -> _Sent:
    """The records sent. Raises Invalid, which repeats nothing of them."""
    try:
        told = json.loads(body)
        token, given, asked = _text(told["taker"], 200), list(told["records"]), list(told.get("ask", ()))
        if len(given) > actions.MOST or len(asked) > TAKERS:
            raise Invalid(_("At most %(n)s records at once.") % {"n": actions.MOST}, code="gate-records")
        records = [_opened(one, public_id, token) if "sealed" in one else _record(one) for one in given]
        at, handed_over = _moment(told["sent_at"]), told.get("hand_over") is True
        asked = [_text(one, 200) for one in asked]
    except UNREADABLE:
        raise Invalid(_("The records cannot be read; nothing was recorded."), code="gate-records") from None
    unread = [_text(one["event"], 64) for one, read in zip(given, records, strict=True) if read is None]
    kept = [record for record in records if record is not None]
    return _Sent(at, takers.read_token(token), handed_over, kept, unread, asked)


def _opened(one: dict[str, Any], public_id: str, token: str) -> GateRecord | None:
    """A record that the device closed; None if it is another's, or altered. It must not hold up the rest."""
    event = _text(one["event"], 64)
    try:
        sealed = base64.b64decode(one["sealed"], validate=True)
        text = takers.open_record(sealed, place=public_id, event=event, taker=token)
        return _record({**json.loads(text), "event": event})
    except UNREADABLE:
        return None


def _unread() -> str:
    return _("it cannot be opened; record it again")


def _record(one: dict[str, Any]) -> GateRecord:
    degrees = one.get("temperature")
    if degrees is not None and not DEGREES[0] <= float(degrees) <= DEGREES[1]:
        raise ValueError("temperature")
    direction = str(one.get("direction", "in"))
    if direction not in DIRECTIONS:
        raise ValueError("direction")
    told = one.get("stranger")
    return GateRecord(
        event=_text(one["event"], 64),
        at=_moment(one["at"]),
        who=_text(one.get("who", ""), 64),
        direction=direction,
        temperature=None if degrees is None else float(degrees),
        mask=None if one.get("mask") is None else bool(one["mask"]),
        stranger=None if told is None else StrangerInput(
            **{name: _text(told.get(name, ""), 120) for name in ("name", "phone", "origin", "purpose")}
        ),
        medical=bool(one.get("medical", False)),
    )  # fmt: skip


def _text(value: Any, most: int) -> str:
    text = str(value).encode(errors="replace").decode().replace("\x00", "").strip()  # halves of a character
    if len(text) > most:
        raise ValueError("text")
    return text


def _moment(value: Any) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None or at.year not in YEARS:
        raise ValueError("moment")
    return at


def _texts() -> dict[str, str]:
    """What the script says, in the reader's language."""
    return {
        "recorded": _("Recorded"),
        "kept": _("Recorded on this device; sent when there is a network"),
        "online": _("Connected"),
        "offline": _("No network"),
        "login": _("Log in again to send"),
        "kept.name": _("In the name of %(name)s"),
        "kept.nobody": _("Taken without a log-in: it waits until you have logged in."),
        "somebody": _("somebody else"),
        "ofOther": _("%(n)s taken by %(name)s wait, the oldest since %(since)s."),
        "ofNobody": _("%(n)s taken without a log-in wait, the oldest since %(since)s."),
        "ofGate": _("%(n)s of another gate wait."),
        "handOver": _("Send them: taken by her, sent by me"),
        "mine": _("I took them: send them"),
        "toGate": _("Open that gate"),
        "waitsForHer": _(
            "They go by themselves when she logs in on this device. Nobody can read them here; after "
            "%(hours)s hours they are erased."
        ),
        "handedOver": _("%(n)s sent and handed over; both names are kept."),
        "logInNow": _("Log in"),
        "itIsMe": _("It is still %(name)s"),
        "refused": _("The server refuses: another post?"),
        "waiting": _("%(n)s to send"),
        "nothing": _("all sent"),
        "incomplete": _("Incomplete:"),
        "scan": _("code or number"),
        "temperature": _("temperature"),
        "mask": _("mask"),
        "register": _("registration of the stranger"),
        "rejected": _("Not taken: %(why)s"),
        "recordedAt": _("%(n)s, recorded %(times)s"),
        "sendAgain": _("Send again"),
        "seen": _("Seen: remove"),
        "expired": _("%(n)s records were not sent in time and were erased."),
        "badNumber": _("This identity number has a wrong digit. Look again."),
        "badDegrees": _("Is this temperature right? It lies between 30 and 44 °C."),
        "medical": _("Medical exit: go. Noted without a name."),
        "noStore": _("This browser cannot keep records; they are sent at once or not at all."),
        "scanNow": _("Scan"),
        "stopScan": _("Stop"),
        "holdCode": _("Hold the code before the camera."),
        "codeRead": _("The code was read."),
        "strangeCode": _("This is no entry code. Show another, or type."),
        "noCode": _("No code was seen. Hold it nearer and flat, or type it."),
        "camera": _("The camera cannot be used; type the code."),
        "camera.denied": _(
            "This page may not use the camera. Allow it in the settings of the browser, or type the code."
        ),
        "camera.none": _("No camera was found; type the code."),
        "camera.busy": _("Something else uses the camera. Close that, or type the code."),
        "camera.insecure": _("The camera opens over https only; type the code."),
        "camera.reader": _("What reads codes is not on this device yet; connect once, or type the code."),
        "inside": _("%(n)s inside"),
        "insideOf": _("%(n)s inside, %(limit)s allowed"),
    }
