"""What a gate records: who passed goes into the visit store as a keyed number, what was done is counted.

Nobody is looked up for the gate, nobody is refused by it, and a temperature changes nothing by itself:
whoever has a fever is told the way to a fever clinic. Going out is never refused; a medical exit asks for
nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.epi.visits import Batch, VisitStore, secret
from bihuan.policy.packs import in_force
from bihuan.policy.rules.library import ResolvedPolicy
from bihuan.registry import clock, identity
from bihuan.registry.actor import Actor
from bihuan.registry.outbox import NewNotice, announce
from bihuan.registry.posts import resolve_owner
from bihuan.registry.secrets import Keyring, keyring
from bihuan.tracing import visits
from bihuan.tracing.actions.gate_takers import Taker, check_taker, name_of, taker_of
from bihuan.tracing.actions.record_visits import PATIENCE, RIGHT, ready_store, spool, told
from bihuan.tracing.errors import TakenByOther, UnknownPlace
from bihuan.tracing.models import GateCheck, GateHandOver, Place, PlaceAlert, Stranger
from bihuan.tracing.notices import OVER_LIMIT
from bihuan.tracing.queries.gates import stranger_place
from bihuan.tracing.queries.places import closed_since, counted_until, head_counts
from bihuan.tracing.rules import codes, gates

MOST: Final = 500  # records in one call: a device sends again what is left
#: A device's clock may differ so much before its times are corrected, and noted.
SKEW: Final = timedelta(minutes=1)
LATE: Final = timedelta(minutes=1)
MOST_SKEW: Final = 2**31 - 1
"""Seconds that are noted at most: what the column holds, 68 years."""
_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")
_OTHER = re.compile(r"[A-Z0-9]{5,20}")


@dataclass(frozen=True, slots=True)
class StrangerInput:
    """What a stranger tells, no more: name, phone, where from, what for."""

    name: str = ""
    phone: str = ""
    origin: str = ""
    purpose: str = ""

    @property
    def is_told(self) -> bool:
        """Enough to reach somebody: a name or phone, and where from."""
        return bool((self.name or self.phone) and self.origin)


@dataclass(frozen=True, slots=True, repr=False)
class GateRecord:
    """Somebody passed. `event` is the device's own id of it; `at` by the device's clock; `who` an identity
    number, phone or entry code as scanned or typed ("" for a medical exit, or nobody asked).

    `repr` is left out on purpose: it would hold the identity.
    """

    event: str
    at: datetime
    who: str = ""
    direction: str = GateCheck.IN
    temperature: float | None = None
    mask: bool | None = None
    stranger: StrangerInput | None = None
    medical: bool = False

    def __repr__(self) -> str:
        return f"GateRecord({self.event})"


@dataclass(frozen=True, slots=True, repr=False)
class RegisterEntry:
    """A stranger in the register of a gate whose system sends its visits as a table: `event` and `place` (its
    id in the store) as there, `who` an identity number or phone. Without `repr`, as `GateRecord`."""

    event: str
    place: str
    at: datetime
    who: str
    told: StrangerInput

    def __repr__(self) -> str:
        return f"RegisterEntry({self.event})"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What became of a record: "recorded" (also if it had come before) or "rejected" with the reason.
    `missing` of the required musts; `febrile`: show the way to a fever clinic; `closed`: rejected because the
    place was closed by then, so it may be sent again if it is opened."""

    event: str
    status: str
    message: str = ""
    missing: tuple[str, ...] = ()
    febrile: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class GateRules:
    """What the policy asks of a gate now: musts, the temperature that counts as fever (°C), hours a device
    keeps what it could not send, days an entry code is good, share of the capacity (%)."""

    required: tuple[str, ...]
    fever: float
    unsent_hours: float
    code_days: int
    head_count_percent: float


def rules_at(territory_code: str, on: datetime) -> GateRules:
    """The rules of a gate in a territory on a day."""
    policy: ResolvedPolicy = in_force(territory_code, on)

    def told_by(key: str) -> Any:
        return policy.value(key).value

    return GateRules(
        required=tuple(told_by("gate.required_checks")),
        fever=float(told_by("temperature.fever_celsius")),
        unsent_hours=float(told_by("gate.unsent_hours")),
        code_days=int(told_by("gate.code_days")),
        head_count_percent=float(told_by("gate.head_count_percent")),
    )


def record_gate(
    place_id: str,
    records: Sequence[GateRecord],
    *,
    sent_at: datetime,
    actor: Actor,
    taken_by: Taker | None = None,
    handed_over: bool = False,
    now: datetime | None = None,
) -> list[GateAnswer]:
    """Record who passed a gate; durable when this returns, and each event once however often it is sent.

    `sent_at` is what the device's clock says now: times are corrected by how far it is off, which is noted.
    `taken_by` took the records (None: the actor); where that is somebody else they are recorded only if
    `handed_over` says so, and both are named. Of a place that was closed meanwhile, what was recorded before
    is taken, what was recorded later rejected. Raises UnknownPlace (also for a gate of another territory),
    NotAllowed, TakenByOther, Invalid.
    """
    at = moment_now(now)
    place: Place | None = Place.objects.filter(public_id=place_id).first()
    if place is None:
        raise UnknownPlace(place_id)
    authorize(RIGHT, place.territory_code)
    taker = taken_by or taker_of(actor)
    if taker != taker_of(actor):
        if not handed_over:
            raise TakenByOther
        check_taker(taker, place.territory_code)
    skew = at - sent_at if abs(at - sent_at) > SKEW else timedelta()
    rules = rules_at(place.territory_code, at)
    store, key = ready_store()
    judged = [_judge(one, place, rules, key=key, skew=skew, now=at) for one in records[:MOST]]
    kept = [j for j in judged if j.answer.status == "recorded"]
    _keep_visits([j for j in kept if j.number], place, store)
    _count(kept, place, at=at, skew=skew, actor=actor, taker=taker)
    _watch_limit(place, rules, at)
    return [j.answer for j in judged]


def record_registers(entries: Sequence[RegisterEntry], *, actor: Actor, now: datetime | None = None) -> int:
    """Keep what strangers told gates that send their visits as tables (`record_table`), enciphered as
    `record_gate` does; each event once. How many there were of registered places with a number that can be
    read; the others are left out. Raises NotAllowed."""
    at = moment_now(now)
    with writing(actor):
        told_at = {entry.place for entry in entries}
        places = {place.store_id: place for place in Place.objects.filter(store_id__in=told_at)}
        for territory_code in sorted({place.territory_code for place in places.values()}):
            authorize(RIGHT, territory_code)
        key, ring, kept = ready_store()[1], keyring(), []
        rules = {code: rules_at(code, at) for code in {p.territory_code for p in places.values()}}
        for entry in entries:
            place = places.get(entry.place)
            if place is None or entry.at > at:
                continue
            days = clock.local_day(entry.at), clock.local_day(at)
            number, _wrong = _number_of(
                entry.who, rules[place.territory_code], key=key, on=days[0], today=days[1]
            )
            if number:
                event = _event_number(entry.event, key)
                kept.append(_stranger(place, event, number, entry.at, entry.told, ring))
        Stranger.objects.bulk_create(kept, ignore_conflicts=True)
        return len(kept)


def _stranger(
    place: Place, event: int, number: int, at: datetime, told: StrangerInput, ring: Keyring
) -> Stranger:
    bound = stranger_place(place.pk, visits.signed(event))
    return Stranger(
        place=place,
        territory_code=place.territory_code,
        event=visits.signed(event),
        key=visits.signed(number),
        at=at,
        told=ring.encrypt(_as_text(told), place=bound),
    )


@dataclass(slots=True, repr=False)
class _Judged:
    record: GateRecord
    answer: GateAnswer
    number: int = 0  # unsigned
    event: int = 0
    at: datetime = datetime.min
    how: int = 0


def _judge(
    one: GateRecord, place: Place, rules: GateRules, *, key: bytes, skew: timedelta, now: datetime
) -> _Judged:
    at = min(one.at + skew, now)
    event = _event_number(one.event, key)
    if now - at > timedelta(hours=rules.unsent_hours):
        text = _("recorded too long ago: %(hours)g hours are allowed") % {"hours": rules.unsent_hours}
        return _Judged(one, GateAnswer(one.event, "rejected", text))
    if place.closed_at is not None and at >= place.closed_at:
        text = closed_since(place.closed_at, place.territory_code)
        return _Judged(one, GateAnswer(one.event, "rejected", text, closed=True))
    if one.medical:
        return _Judged(one, GateAnswer(one.event, "recorded"), event=event, at=at)
    who = one.who or (one.stranger.phone if one.stranger else "")
    number, problem = _number_of(who, rules, key=key, on=clock.local_day(at), today=clock.local_day(now))
    if problem:
        return _Judged(one, GateAnswer(one.event, "rejected", problem))
    entry = gates.Entry(
        told=bool(number),
        temperature=one.temperature,
        mask=one.mask,
        stranger=one.stranger is not None,
        registered=one.stranger is not None and one.stranger.is_told and bool(number),
    )
    lacking = gates.missing(entry, rules.required) if one.direction == GateCheck.IN else ()
    febrile = one.temperature is not None and one.temperature >= rules.fever
    answer = GateAnswer(one.event, "recorded", missing=lacking, febrile=febrile)
    return _Judged(one, answer, number, event, at, gates.how(entry))


def _number_of(who: str, rules: GateRules, *, key: bytes, on: date, today: date) -> tuple[int, str]:
    """The keyed number of what was scanned or typed on a day, or what is wrong with it; 0 for nobody."""
    text = "".join(who.split()).replace("-", "").upper()
    if not text:
        return 0, ""
    found = codes.read(text, key=key)
    if found is not None:
        number, issued = found
        if issued > today or on > issued + timedelta(days=rules.code_days):
            return 0, _("this entry code is over; ask for a new one, or type the identity number")
        return number, ""
    mobile = _MOBILE.fullmatch(text)
    if mobile:
        return visits.unsigned(visits.number_of(mobile[1], with_key=key)), ""
    if re.fullmatch(r"\d{15}|\d{17}[\dX]", text):
        judged = identity.check_identity(text, on=on)
        if judged.canonical is None:
            return 0, _("this identity number has a wrong digit; type it again")
        return visits.unsigned(visits.number_of(judged.canonical, with_key=key)), ""
    if _OTHER.fullmatch(text):
        return visits.unsigned(visits.number_of(text, with_key=key)), ""
    return 0, _("neither an identity number, a phone nor an entry code; type it again")


def _event_number(event: str, key: bytes) -> int:
    digest = hashlib.blake2b(event.encode(), digest_size=8, key=secret.event_key(key)).digest()
    return int.from_bytes(digest, "little") or 1


def _keep_visits(kept: Sequence[_Judged], place: Place, store: VisitStore) -> None:
    if not kept:
        return
    start = np.array([visits.minute_of(store, j.at) for j in kept], np.int64)
    degrees = [np.nan if j.record.temperature is None else j.record.temperature for j in kept]
    batch = Batch(
        event=np.array([j.event for j in kept], np.uint64),
        person_key=np.array([j.number for j in kept], np.uint64),
        place=np.zeros(len(kept), np.int32),
        start=start,
        end=start,
        temperature=np.array(degrees, np.float64),
        how=np.array([j.how for j in kept], np.uint8),
        place_names=np.array([place.store_id], dtype=object),
    )
    with told():
        waiting = spool()
        waiting.settle(waiting.put(batch), seconds=PATIENCE)


def _count(
    kept: Sequence[_Judged], place: Place, *, at: datetime, skew: timedelta, actor: Actor, taker: Taker
) -> None:
    same = {"place": place, "territory_code": place.territory_code}
    checks = [
        GateCheck(
            **same,
            event=visits.signed(j.event),
            at=j.at,
            recorded_at=at,
            direction=j.record.direction,
            missing=list(j.answer.missing),
            febrile=j.answer.febrile,
            stranger=j.record.stranger is not None,
            medical=j.record.medical,
            skew=max(-MOST_SKEW, min(MOST_SKEW, int(skew.total_seconds()))),
            late=at - j.at > LATE,
            account_id=taker.account_id,
            post_id=taker.post_id,
        )
        for j in kept
    ]
    ring = keyring()
    strangers = [
        _stranger(place, j.event, j.number, j.at, j.record.stranger, ring)
        for j in kept
        if j.record.stranger is not None and j.number
    ]
    with writing(actor):
        if taker != taker_of(actor):
            _hand_over(checks, place, at=at, actor=actor, taker=taker)
        GateCheck.objects.bulk_create(checks, ignore_conflicts=True)
        Stranger.objects.bulk_create(strangers, ignore_conflicts=True)


def _hand_over(
    checks: Sequence[GateCheck], place: Place, *, at: datetime, actor: Actor, taker: Taker
) -> None:
    """Name both, for the records that had not come before; the same ones handed over twice are so once."""
    Place.objects.select_for_update().get(pk=place.pk)
    known = set(
        GateCheck.objects.filter(place=place, event__in=[c.event for c in checks]).values_list(
            "event", flat=True
        )
    )
    fresh = [check for check in checks if check.event not in known]
    if not fresh:
        return
    sender = taker_of(actor)
    row = GateHandOver.objects.create(
        place=place, territory_code=place.territory_code, at=at,
        taken_account_id=taker.account_id, taken_post_id=taker.post_id, taken_by=name_of(taker),
        sent_account_id=sender.account_id, sent_post_id=sender.post_id,
        sent_by=name_of(sender) or actor.name, records=len({check.event for check in fresh}),
        first_at=min(check.at for check in fresh), last_at=max(check.at for check in fresh),
    )  # fmt: skip
    for check in fresh:
        check.hand_over = row


def _as_text(told_by: StrangerInput) -> str:
    facts = {
        "name": told_by.name,
        "phone": told_by.phone,
        "origin": told_by.origin,
        "purpose": told_by.purpose,
    }
    return json.dumps({name: text[:120] for name, text in facts.items() if text}, ensure_ascii=False)


def _watch_limit(place: Place, rules: GateRules, at: datetime) -> None:
    """Begin or end the alert of a place by how many are inside (D0-15). Counts only."""
    limit = gates.head_count_limit(place.capacity, rules.head_count_percent)
    if limit is None or not place.active:
        return
    day = clock.start_of_day(clock.local_day(at))
    inside = head_counts([place.pk], since=day).get(place.pk, 0)
    standing = PlaceAlert.objects.filter(place=place, ended_at=None).first()
    if standing is not None and standing.began_at < day:  # at midnight a gate counts anew
        standing.ended_at = counted_until(standing)
        standing.save(update_fields=["ended_at"])
        standing = None
    if standing is not None and inside <= limit:
        standing.ended_at = at
        standing.save(update_fields=["ended_at"])
    elif standing is not None and inside > standing.most:
        standing.most = inside
        standing.save(update_fields=["most"])
    elif standing is None and inside > limit:
        PlaceAlert.objects.bulk_create(
            [
                PlaceAlert(
                    place=place, territory_code=place.territory_code, began_at=at, limit=limit, most=inside
                )
            ],
            ignore_conflicts=True,
        )
        owner = resolve_owner(("community_follow_up", "street_quarantine"), place.territory_code)
        facts = {"place": place.public_id, "inside": inside, "limit": limit}
        key = f"over-limit/{place.public_id}/{at:%Y%m%d%H%M}"
        announce([NewNotice(owner.post_id, OVER_LIMIT, key, facts)], now=at)
