"""Destroying what tells who somebody is, when the reason to keep it is over.

Every kind of personal data has a shredder with a name and the policy key of its retention. `shred_person`
runs all of them for one person: names, numbers, addresses and whatever other rooms registered are emptied, in
the live rows and in their history; the facts stay under the person's public id, and an entry says that it was
done, why and by whom. `remains` proves it: it counts what is left, for every shredder. The audit chain stays
provable (`registry/chain.py`).

Also here: what is held about a person, for the person herself (`what_is_held`). Rooms register what they
hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry import audit, clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.chain import commitment, personal_columns
from bihuan.registry.errors import Conflict, Invalid, NotFound
from bihuan.registry.models import Household, Person, ShredRecord
from bihuan.registry.models.people import PERSONAL_FIELDS
from bihuan.registry.whole import hold_whole

Records = Sequence[int]

_EMPTY = "''"


@dataclass(frozen=True, slots=True)
class Shredder:
    """Destroys one kind of personal data.

    `shred(record_ids)` empties it for the given records (ids of `Person`) and returns, by table, the ids it
    emptied; `remains(record_ids)` counts what is still there. `retention_key` is the policy key that says
    how many days after the last open loop the data are kept. Both run as the system, in one transaction.
    """

    name: str
    kind: Any
    retention_key: str
    shred: Callable[[Records], dict[str, list[int]]]
    remains: Callable[[Records], int]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a person's data must be kept for now: what stands, and its public id."""

    reason: str
    ref: str


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of data that is held about a person: `facts` to show, until when, by which rule."""

    kind: str
    facts: tuple[dict[str, Any], ...]
    keep_until: datetime | None = None
    retention_key: str = ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that is held about a person, who looked, and whether her identity was destroyed."""

    public_id: str
    held: tuple[Held, ...]
    looks: tuple[audit.Look, ...]
    shredded_at: datetime | None


_shredders: dict[str, Shredder] = {}
_holders: dict[str, Callable[[Records], Held]] = {}
_holds: dict[str, Callable[[Records], Sequence[Hold]]] = {}


def register_shredder(
    name: str,
    kind: Any,
    retention_key: str,
    shred: Callable[[Records], dict[str, list[int]]],
    remains: Callable[[Records], int],
) -> None:
    """Name a shredder (called from a room's `AppConfig.ready`). A name is taken once."""
    if name in _shredders:
        raise ValueError(f"There is a shredder {name!r} already.")
    _shredders[name] = Shredder(name, kind, retention_key, shred, remains)


def register_holder(name: str, holder: Callable[[Records], Held]) -> None:
    """Name what a room holds about people (called from its `AppConfig.ready`)."""
    _holders[name] = holder


def register_hold(name: str, find: Callable[[Records], Sequence[Hold]]) -> None:
    """Name something that forbids shredding while it stands (called from a room's `AppConfig.ready`)."""
    _holds[name] = find


def holds_on(person_id: int) -> list[Hold]:
    """What stands in the way of destroying a person's data: open loops, unanswered appeals and the like."""
    with scope.system():
        return _find_holds(_records_of(person_id))


def _find_holds(records: Records) -> list[Hold]:
    return [hold for find in _holds.values() for hold in find(records)]


def shredders() -> tuple[Shredder, ...]:
    return tuple(_shredders.values())


def shred_person(person_id: int, *, reason: str, actor: Actor) -> ShredRecord:
    """Destroy the identity of a person, in all records that are joined as her. It cannot be undone.

    Raises Conflict while something stands that needs it (`holds_on`), or when it was done before. Runs as the
    owner of the tables (worker or command line): the door's role has no right to.
    """
    if not reason.strip():
        raise Invalid(_("Destroying data needs a reason."), code="no-reason")
    with transaction.atomic(), scope.system(), audit.attributed(actor, reason=reason):
        hold_whole([person_id])
        person = Person.objects.select_for_update().filter(id=person_id).first()
        if person is None:
            raise NotFound(_("Person %(person)s is not here.") % {"person": person_id}, code="unknown-person")
        if person.shredded_at:
            raise Conflict(
                _("The identity of %(person)s was destroyed before.") % {"person": person.public_id},
                code="shredded",
            )
        records = list(
            Person.objects.select_for_update().filter(root_id=person.root_id).values_list("id", flat=True)
        )
        standing = _find_holds(records)
        if standing:
            raise Conflict(
                _("The data of %(person)s are still needed: %(why)s.")
                % {"person": person.public_id, "why": ", ".join(f"{h.reason} {h.ref}" for h in standing[:5])},
                code="held",
                details={"holds": [hold.ref for hold in standing]},
            )
        emptied: dict[str, list[int]] = {}
        for shredder in _shredders.values():
            for table, ids in shredder.shred(records).items():
                emptied[table] = sorted({*emptied.get(table, []), *ids})
        return ShredRecord.objects.create(
            person=person,
            territory_code=person.territory_code,
            at=clock.now(),
            reason=reason.strip(),
            account_id=actor.account_id,
            post_id=actor.post_id,
            actor_name=actor.name[:120],
            rows=emptied,
        )


def remains(person_id: int) -> dict[str, int]:
    """The proof: for every shredder, how much personal data of this person is left (shredded: all 0)."""
    with scope.system():
        records = _records_of(person_id)
        return {shredder.name: shredder.remains(records) for shredder in _shredders.values()}


def what_is_held(person_id: int) -> Holdings:
    """All that is held about a person, for her right to know. Whoever shows it calls `audit.log_read`."""
    person = Person.objects.filter(id=person_id).first()
    if person is None:
        raise NotFound(_("Person %(person)s is not here.") % {"person": person_id}, code="unknown-person")
    return Holdings(
        public_id=person.public_id,
        held=held_about(person_id),
        looks=tuple(audit.who_looked(person_id)),
        shredded_at=person.shredded_at,
    )


def held_about(person_id: int) -> tuple[Held, ...]:
    """What is held about a person within the scope, by kind, without who looked."""
    records = _records_of(person_id)
    return tuple(holder(records) for holder in _holders.values())


def _records_of(person_id: int) -> list[int]:
    same = Person.objects.filter(id=person_id).values("root_id")
    return list(Person.objects.filter(root_id__in=same).values_list("id", flat=True))


# --- history ---------------------------------------------------------------------------------------


def empty_history(model: Any, objects: Sequence[int]) -> dict[str, list[int]]:
    """Empty the personal fields of these objects in a model's history, leaving what the audit chain needs.

    `model` is tracked with `personal` fields (`models/history.py`). Returns {history table: object ids}.
    """
    event = model.pgh_event_model
    table = event._meta.db_table
    columns = personal_columns(event)
    optional = {f.column for f in event._meta.concrete_fields if f.null}
    blanks = ", ".join(f'"{c}" = {"NULL" if c in optional else _EMPTY}' for c in columns)
    sealed = commitment(columns)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('bihuan.shredding', 'on', true)")
        cursor.execute(
            f'UPDATE "{table}" t SET commitment = {sealed}, salt = NULL, {blanks}'
            " WHERE t.pgh_obj_id = ANY(%s) AND t.salt IS NOT NULL",
            [list(objects)],
        )
        cursor.execute("SELECT set_config('bihuan.shredding', 'off', true)")
    return {table: sorted(objects)}


def history_remains(model: Any, objects: Sequence[int]) -> int:
    """How many rows of history of these objects still hold personal fields (or the salt to guess them by)."""
    event = model.pgh_event_model
    filled = " OR ".join(f"coalesce(\"{column}\"::text, '') <> ''" for column in personal_columns(event))
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT count(*) FROM "{event._meta.db_table}"'
            f" WHERE pgh_obj_id = ANY(%s) AND (salt IS NOT NULL OR {filled})",
            [list(objects)],
        )
        return int(cursor.fetchone()[0])


# --- the registry's own ----------------------------------------------------------------------------

_EMPTY_PERSON: dict[str, Any] = {
    **dict.fromkeys(PERSONAL_FIELDS, ""),
    "date_birth": None,
    "id_cipher": None,
    "phone_cipher": None,
    "name_pinyin": "",
    "name_initials": "",
    "name_key": "",
    "name_tokens": [],
}


def _shred_identity(records: Records) -> dict[str, list[int]]:
    """The year of birth stays, as epidemiology needs an age; the day goes."""
    Person.objects.filter(id__in=records).update(**_EMPTY_PERSON, shredded_at=clock.now())
    emptied = empty_history(Person, records)
    empty = _households_of_shredded_only(records)
    Household.objects.filter(id__in=empty).update(address="")
    return emptied | (empty_history(Household, empty) if empty else {})


def _households_of_shredded_only(records: Records) -> list[int]:
    """Households of these people in which nobody is left whose identity is kept."""
    theirs = Person.objects.filter(id__in=records, household__isnull=False).values("household_id")
    lived_in = Person.objects.filter(household_id__in=theirs, shredded_at__isnull=True).values("household_id")
    rows = Household.objects.filter(id__in=theirs).exclude(id__in=lived_in)
    return sorted(rows.values_list("id", flat=True))


def _identity_remains(records: Records) -> int:
    with connection.cursor() as cursor:
        filled = " OR ".join(f"coalesce(\"{name}\"::text, '') NOT IN ('', '{{}}')" for name in _EMPTY_PERSON)
        cursor.execute(
            f"SELECT count(*) FROM registry_person WHERE id = ANY(%s) AND ({filled})", [list(records)]
        )
        live = int(cursor.fetchone()[0])
    empty = _households_of_shredded_only(records)
    homes = Household.objects.filter(id__in=empty).exclude(address="").count()
    return live + homes + history_remains(Person, records) + history_remains(Household, empty)


def _hold_identity(records: Records) -> Held:
    rows = Person.objects.filter(id__in=records).order_by("id")
    facts = tuple(
        {
            "record": row.public_id,
            "name": row.name,
            "sex": row.sex,
            "date_birth": row.date_birth,
            "age_years": row.age_years,
            "document": row.id_kind,
            "phone": bool(row.phone_cipher),
            "address": row.address,
            "occupation": row.occupation,
            "source": row.source,
            "since": row.created_at,
        }
        for row in rows
    )
    return Held(kind=_("Identity and address"), facts=facts, retention_key="retention.identity_days")


def register_own() -> None:
    """Register what this room holds and shreds (called once, when the application starts)."""
    if "identity" not in _shredders:
        register_shredder(
            "identity",
            gettext_lazy("Identity and address"),
            "retention.identity_days",
            _shred_identity,
            _identity_remains,
        )
        register_holder("identity", _hold_identity)
