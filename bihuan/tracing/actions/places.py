"""Places people visit: registered one by one or by the list, changed, closed. Right place.write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.cases.actions.common import authorize, authorize_all, moment_now, writing
from bihuan.registry import scope, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import UnknownTerritory
from bihuan.tracing.errors import PlaceInvalid, UnknownPlace
from bihuan.tracing.models import Place, PlaceAlert, place_id
from bihuan.tracing.queries.places import counted_until
from bihuan.tracing.rules.settings import SettingKind

#: Places in one call; longer lists come in parts.
MOST = 50_000
LONGEST = {"store_id": 120, "name": 200, "name_en": 200, "address": 300}
_BLOCK = 2_000
_CHANGEABLE = (
    "name", "name_en", "kind", "territory_code", "address", "latitude", "longitude", "capacity", "active",
)  # fmt: skip
_WRITTEN = (*_CHANGEABLE, "closed_at")


@dataclass(frozen=True, slots=True)
class PlaceInput:
    """A place as told. `store_id` is the id its gate writes into entry records ("" = the public id it gets);
    `kind` a word of SettingKind; `capacity` the most people at once (None = no limit); degrees in WGS 84.
    `told` names the facts that a place which is known already is brought to (None = all); others stay."""

    name: str
    territory_code: str
    kind: str = SettingKind.UNKNOWN.value
    store_id: str = ""
    name_en: str = ""
    address: str = ""
    latitude: float | None = None
    longitude: float | None = None
    capacity: int | None = None
    active: bool = True
    told: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PlacesRegistered:
    """`places`: (id, public id) in the order given. Each was made, changed, or known as it is."""

    places: list[tuple[int, str]]
    made: int
    changed: int
    known: int


def register_place(given: PlaceInput, *, actor: Actor, now: datetime | None = None) -> tuple[int, str]:
    """One place: its id and public id."""
    return register_places([given], actor=actor, now=now).places[0]


def register_places(
    given: Sequence[PlaceInput], *, actor: Actor, now: datetime | None = None
) -> PlacesRegistered:
    """Register places, all or none.

    One whose `store_id` is known already, or, told without one, whose name is known in its territory, is
    brought to what is told now; its history keeps what was. Raises PlaceInvalid naming the rows that cannot
    be, NotAllowed outside the post's territory.
    """
    at = moment_now(now)
    rows = [_cleaned(one) for one in given]
    held = _held(one.store_id for one in rows if one.store_id)
    problems = [p for n, one in enumerate(rows) for p in _problems(n, one)]
    problems += _meeting_each_other(rows) + _of_others(rows, held)
    if len(rows) > MOST:
        problems = [_problem(MOST, "places", "too-many", _("At most %(n)s places at once.") % {"n": MOST})]
    if problems:
        raise _invalid(problems)
    authorize_all("place.write", (one.territory_code for one in rows))
    named = _named(one for one in rows if not one.store_id)
    known = [held.get(one.store_id) or named.get(_name(one)) for one in rows]
    fresh = [_new(one, at) for one, old in zip(rows, known, strict=True) if old is None]
    with writing(actor):
        known = _locked(known)
        differing = [
            old for one, old in zip(rows, known, strict=True) if old is not None and _bring(old, one, at)
        ]
        Place.unscoped.bulk_create(fresh, batch_size=_BLOCK)
        Place.unscoped.bulk_update(differing, _WRITTEN, batch_size=_BLOCK)
        _end_alerts(differing)
    made = iter(fresh)
    places = [old or next(made) for old in known]
    return PlacesRegistered(
        [(place.pk, place.public_id) for place in places],
        made=len(fresh),
        changed=len(differing),
        known=len(rows) - len(fresh) - len(differing),
    )


def change_place(
    public_id: str, facts: Mapping[str, Any], *, actor: Actor, now: datetime | None = None
) -> None:
    """Change facts of a place (names of PlaceInput, but not `store_id`). Its history keeps what was."""
    at = moment_now(now)
    place = _in_scope(public_id)
    unknown = set(facts) - set(_CHANGEABLE)
    if unknown:
        raise _invalid(
            [
                _problem(0, name, "unknown", _("A place has no %(name)s that changes.") % {"name": name})
                for name in sorted(unknown)
            ]
        )
    with writing(actor):
        place = Place.objects.select_for_update().get(pk=place.pk)  # two who change it do not undo each other
        all_facts = {name: getattr(place, name) for name in _CHANGEABLE} | dict(facts)
        told = _cleaned(PlaceInput(**all_facts, store_id=place.store_id))
        problems = _problems(0, told)
        if problems:
            raise _invalid(problems)
        authorize_all("place.write", (place.territory_code, told.territory_code))
        if _bring(place, told, at):
            place.save(update_fields=_WRITTEN)
            _end_alerts([place])


def close_place(public_id: str, *, actor: Actor, now: datetime | None = None) -> None:
    """The place is no longer there: its gate takes no records of later; those it made stay, and what it made
    before and still keeps is taken."""
    change_place(public_id, {"active": False}, actor=actor, now=now)


def _end_alerts(places: Iterable[Place]) -> None:
    """Nobody is too many in a place that is closed."""
    since = {place.pk: place.closed_at for place in places if place.closed_at}
    standing = list(PlaceAlert.objects.filter(place__in=since, ended_at=None))
    for alert in standing:
        alert.ended_at = min(since[alert.place_id], counted_until(alert))
    PlaceAlert.objects.bulk_update(standing, ["ended_at"])


def _in_scope(public_id: str) -> Place:
    place: Place | None = Place.objects.filter(public_id=public_id).first()
    if place is None:
        raise UnknownPlace(public_id)
    authorize("place.write", place.territory_code)
    return place


def _held(store_ids: Iterable[str]) -> dict[str, Place]:
    """Places of these ids, wherever: an id is unique in the whole store. What lies elsewhere is refused."""
    with scope.system():
        return {place.store_id: place for place in Place.objects.filter(store_id__in=set(store_ids))}


def _named(given: Iterable[PlaceInput]) -> dict[tuple[str, str], Place]:
    """Places of the scope by territory and name, for those that were told without an id."""
    wanted = {_name(one) for one in given}
    rows = Place.objects.filter(
        territory_code__in={code for code, _name in wanted}, name__in={name for _code, name in wanted}
    ).order_by("-id")
    return {(place.territory_code, place.name): place for place in rows} if wanted else {}


def _locked(known: Sequence[Place | None]) -> list[Place | None]:
    """These places as they are now: two who change one do not undo each other."""
    ids = {place.pk for place in known if place is not None}
    now = {one.pk: one for one in Place.unscoped.select_for_update().filter(pk__in=ids).order_by("id")}
    return [None if place is None else now[place.pk] for place in known]


def _name(one: PlaceInput) -> tuple[str, str]:
    return ("", "") if one.store_id else (one.territory_code, one.name)


def _new(one: PlaceInput, at: datetime) -> Place:
    facts = asdict(one)
    del facts["told"]
    public_id = place_id()
    facts |= {"store_id": one.store_id or public_id, "closed_at": None if one.active else at}
    return Place(public_id=public_id, recorded_at=at, **facts)


def _bring(place: Place, one: PlaceInput, at: datetime) -> bool:
    """Set what differs; whether anything did. A place that closes is closed since `at`."""
    told = [name for name in _CHANGEABLE if one.told is None or name in one.told]
    differing = [name for name in told if getattr(place, name) != getattr(one, name)]
    for name in differing:
        setattr(place, name, getattr(one, name))
    if "active" in differing:
        place.closed_at = None if place.active else at
    return bool(differing)


def _cleaned(one: PlaceInput) -> PlaceInput:
    """Spaces put in order, and the territory's code as it holds today."""
    told = asdict(one)
    told |= {name: " ".join(str(told[name]).split()) for name in LONGEST}
    try:
        told["territory_code"] = territory.resolve(one.territory_code).code
    except UnknownTerritory:
        told["territory_code"] = one.territory_code.strip()
    return PlaceInput(**told)


def _problems(row: int, one: PlaceInput) -> list[dict[str, Any]]:
    found = []

    def wrong(field: str, rule: str, text: str, hint: str = "") -> None:
        found.append(_problem(row, field, rule, text, hint))

    if not one.name:
        wrong("name", "required", _("A place needs a name."))
    for name, most in LONGEST.items():
        if len(getattr(one, name)) > most:
            wrong(name, "too-long", _("At most %(n)s characters.") % {"n": most})
    if one.kind not in set(SettingKind):
        text = _("There is no kind of place “%(kind)s”.") % {"kind": one.kind}
        wrong("kind", "unknown", text, ", ".join(kind.value for kind in SettingKind))
    if territory.find(one.territory_code) is None:
        text = _("There is no territory %(code)s.") % {"code": one.territory_code or "–"}
        wrong("territory_code", "unknown", text, _("Give the code of its community, street or county."))
    if one.capacity is not None and not 1 <= one.capacity <= 1_000_000:
        wrong("capacity", "range", _("The limit is a number of people, 1 or more; empty for none."))
    for name, most in (("latitude", 90), ("longitude", 180)):
        degrees = getattr(one, name)
        if degrees is not None and not -most <= degrees <= most:
            wrong(name, "range", _("Degrees lie between −%(n)s and %(n)s.") % {"n": most})
    return found


def _meeting_each_other(rows: Sequence[PlaceInput]) -> list[dict[str, Any]]:
    """The same id twice, or the same name in a territory twice where neither bears an id."""
    first: dict[tuple[str, ...], int] = {}
    by_id, by_name = _("The same id stands in a row before."), _("The same place stands in a row before.")
    hint = _("If they are two, give each an id of its own.")
    return [
        _problem(n, "store_id", "twice", by_id if one.store_id else by_name, "" if one.store_id else hint)
        for n, one in enumerate(rows)
        if one.name and first.setdefault((one.store_id,) if one.store_id else _name(one), n) != n
    ]


def _of_others(rows: Sequence[PlaceInput], held: Mapping[str, Place]) -> list[dict[str, Any]]:
    """An id that a place of another territory bears; which place is not said."""
    bounds = scope.bounds() or ("", "")
    text, hint = _("This id belongs to a place elsewhere."), _("Give the gate another id.")
    return [
        _problem(n, "store_id", "taken", text, hint)
        for n, one in enumerate(rows)
        if (old := held.get(one.store_id)) and not bounds[0] <= old.territory_code < bounds[1]
    ]


def _problem(row: int, field: str, rule: str, message: str, hint: str = "") -> dict[str, Any]:
    return {"row": row, "field": field, "rule": rule, "message": message, "hint": hint}


def _invalid(problems: list[dict[str, Any]]) -> PlaceInvalid:
    n = len(problems)
    text = ngettext(
        "%(n)s thing is wrong; nothing was recorded.", "%(n)s things are wrong; nothing was recorded.", n
    )
    return PlaceInvalid(text % {"n": n}, errors=problems)
