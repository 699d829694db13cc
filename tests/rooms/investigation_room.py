"""Words for tests of investigations: a visit store with a few people in it, a case found in the county."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from bihuan.cases.models import Case
from bihuan.epi.visits import Batch, VisitStore
from bihuan.registry import scope
from bihuan.registry.actions import people
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.tracing import visits
from bihuan.tracing.actions.investigate import open_investigation
from bihuan.tracing.actions.places import PlaceInput, register_places
from bihuan.tracing.actions.pseudonyms import catch_up
from bihuan.tracing.models import Investigation
from tests.cast import COMMUNITY, GRID, Member
from tests.rooms.care_room import do, li, local, make_case

_EPOCH = datetime(1970, 1, 1)
_UNKNOWN_END = -1


def checked(number: str) -> str:
    """An identity number with its check digit (GB 11643)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return number[:17] + "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11]


#: Of nobody.
CASE, ZHOU, NEXT, UNKNOWN = (
    checked(n) for n in ("42030319790101002", "42030319810304002", "42030219900101001", "42030219950505001")
)


def visited(rows: Iterable[tuple[str, str, str, int | None]], how: Sequence[int] | None = None) -> VisitStore:
    """Entry records: (identity, place id, local "02-10 09:00" of 2020, minutes or None = only the entry);
    `how` each was recorded (a code of the store)."""
    told = list(rows)
    store = VisitStore.create(visits.folder())
    start = [
        int((local(when).replace(tzinfo=None) - _EPOCH) / timedelta(minutes=1)) for _i, _p, when, _m in told
    ]
    key = visits.key(make=True)
    batch = Batch(
        np.arange(1, len(told) + 1, dtype=np.uint64),
        np.array([visits.unsigned(visits.number_of(i, with_key=key)) for i, *_ in told], np.uint64),
        np.array([p for _i, p, *_ in told], object),
        np.array(start, np.int64),
        np.array([s + m if m is not None else _UNKNOWN_END for s, (*_, m) in zip(start, told, strict=True)]),
        how=None if how is None else np.array(how, np.uint8),
    )
    store.append(batch)
    return store


def registered(name: str, number: str, territory_code: str = GRID) -> Person:
    with scope.system():
        given = PersonInput(territory_code=territory_code, name=name, id_number=number)
        return people.register_people([given], Actor.system("test"))[0]


def market(who: Member, store_id: str = "market", kind: str = "market") -> str:
    """A registered place; its public id."""
    given = PlaceInput("张湾市场", COMMUNITY, kind=kind, store_id=store_id)
    return register_places([given], actor=who.actor).places[0][1]


def a_case(who: Member, **facts: Any) -> Case:
    """Confirmed on 12 February, onset on the 10th, isolated on the 12th at 15:00."""
    facts = {
        "person": li(id_number=CASE), "classification": "confirmed", "date_onset": date(2020, 2, 10),
        "date_confirmation": local("02-12 09:00"), "date_isolation": local("02-12 15:00"),
    } | facts  # fmt: skip
    made = make_case(who, "02-12 16:00", **facts)
    catch_up(everybody=True)
    return made


def opened(who: Member, case: Case, when: str = "02-12 17:00") -> Investigation:
    return do(who, when, open_investigation, case.public_id, purpose="查明行踪和密接")
