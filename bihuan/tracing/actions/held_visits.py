"""What the visit store holds about one person, as she may be told: how many days, and until when. Which
places it were is not read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from bihuan.epi.errors import EpiError
from bihuan.registry import clock
from bihuan.tracing import visits
from bihuan.tracing.actions.forget_visits import due
from bihuan.tracing.actions.pseudonyms import keys_of


@dataclass(frozen=True, slots=True)
class HeldVisits:
    """`days` with visits between `first` and `last`; the last goes on `until`, unless an investigation or a
    cluster needs it longer (`is_held`). `is_kept`: that day has passed, and one of them needs it still."""

    days: int
    first: date
    last: date
    until: date
    is_held: bool
    is_kept: bool = False


def visits_held(person_id: int, *, now: datetime | None = None) -> HeldVisits | None:
    """What is held about a person of the scope acted in; None when nothing is, or nobody can tell."""
    try:
        store = visits.open_store()
        keys = keys_of([person_id]).values() if store is not None else ()
        wanted = np.array([visits.unsigned(key) for found in keys for key in found], np.uint64)
        if store is None or not wanted.size:
            return None
        numbers = store.people.find(wanted)
        numbers = np.unique(numbers[numbers >= 0]).astype(np.int64)
        if not numbers.size:
            return None
        days = set()
        for segment in store.segments():
            for part in store.index_of(segment).columns:
                people = part["people"]
                at = np.minimum(np.searchsorted(people, numbers), people.size - 1)
                if (people[at] == numbers).any():
                    days.add(segment.day)
    except (EpiError, OSError):
        return None
    if not days:
        return None
    rule = due(now)
    first, last = (date(1970, 1, 1) + timedelta(days=day) for day in (min(days), max(days)))
    is_held = any(day <= last for _id, day in rule.holding)
    until = last + timedelta(days=rule.days + 1)
    is_kept = is_held and until <= clock.local_day(now or clock.now())
    return HeldVisits(len(days), first, last, until, is_held, is_kept)
