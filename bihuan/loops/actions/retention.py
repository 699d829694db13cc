"""The end of knowing, by itself: data of people whose last loop ended long enough ago are destroyed.

How long is a policy value (`retention.identity_days`) of the person's territory. It counts from the end of
the last loop, or from when the last record about her came in, whichever is later. While a loop is open, an
appeal unanswered or anything else stands (`registry.shredder.register_hold`), nothing is destroyed. Facts
stay under the public id, and an entry says what was done, by which rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _

from bihuan.loops import store
from bihuan.loops.queries.people import open_loops_of
from bihuan.policy.values import value
from bihuan.registry import clock, scope, shredder
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict
from bihuan.registry.shredder import Hold

KEY: Final = "retention.identity_days"


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody whose data are to go: since when nothing happened, and until when they were to be kept."""

    person_id: int
    public_id: str
    territory_code: str
    last_at: datetime
    keep_until: datetime
    pack: str
    days: int
    vouched: bool


@dataclass(slots=True)
class ShredRun:
    """What a run did, or (`dry_run`) would do. `held`: due, but something stands: {public id: why}.
    `unvouched`: due by an unverified default only, and left for a person to decide."""

    dry_run: bool
    due: int = 0
    shredded: int = 0
    unvouched: int = 0
    held: dict[str, list[str]] = field(default_factory=dict)
    people: list[Due] = field(default_factory=list)


def shred_due(
    now: datetime | None = None,
    *,
    actor: Actor,
    territory: str = "",
    dry_run: bool = False,
    limit: int | None = None,
    vouched: bool = False,
) -> ShredRun:
    """Destroy the personal data of everybody at and below a territory whose retention is over.

    Each person in a transaction of her own: killed or run twice at once, it does nothing twice. `limit`: at
    most so many people. `vouched`: only where the days come from a pack that names its source; people under
    an unverified default are counted and left, for what cannot be undone is not done on a guess. Runs as the
    owner of the tables. `dry_run` only tells.
    """
    moment = now or clock.now()
    run = ShredRun(dry_run)
    with scope.system():
        run.people = find_due(moment, territory=territory)[:limit]
    run.due = len(run.people)
    for person in run.people:
        if vouched and not person.vouched:
            run.unvouched += 1
            continue
        with scope.system():
            _take(person, run, actor)
    return run


def _take(person: Due, run: ShredRun, actor: Actor) -> None:
    standing = shredder.holds_on(person.person_id)
    if standing:
        run.held[person.public_id] = [hold.ref for hold in standing]
        return
    if run.dry_run:
        return
    reason = f"{KEY}={person.days} ({person.pack}), {person.last_at:%Y-%m-%d}"
    try:
        shredder.shred_person(person.person_id, reason=reason, actor=actor)
    except Conflict as since:  # another run was first, or a loop has opened meanwhile
        if since.code == "held":
            run.held[person.public_id] = list(since.details["holds"])
        return
    run.shredded += 1


_PLACES = """
SELECT DISTINCT territory_code FROM registry_person
WHERE id = root_id AND shredded_at IS NULL AND territory_code >= %s AND territory_code < %s || '~'
"""
_DUE = """
WITH kept AS (SELECT * FROM unnest(%s::text[], %s::interval[]) AS k (code, days)),
records AS (
    SELECT root_id, max(created_at) AS last_at FROM registry_person
    WHERE shredded_at IS NULL GROUP BY root_id
),
lives AS (
    SELECT r.root_id, bool_or(l.state = 0) AS is_open, max(l.closed_at) AS closed_at
    FROM loops_loop l JOIN registry_person r ON r.id = l.person_id GROUP BY r.root_id
)
SELECT p.id, p.public_id, p.territory_code, greatest(records.last_at, lives.closed_at)
FROM registry_person p
JOIN kept ON kept.code COLLATE "C" = p.territory_code
JOIN records ON records.root_id = p.id
LEFT JOIN lives ON lives.root_id = p.id
WHERE p.id = p.root_id AND p.shredded_at IS NULL AND lives.is_open IS NOT TRUE
    AND greatest(records.last_at, lives.closed_at) + kept.days <= %s
ORDER BY 4, 1
"""


def find_due(now: datetime, *, territory: str = "") -> list[Due]:
    """Whose retention is over, the longest waiting first; people with an open loop are not among them."""
    places = [row[0] for row in store.fetch(_PLACES, [territory, territory])]
    rules = {place: value(KEY, place, now) for place in places}
    lengths = [timedelta(days=rules[place].value) for place in places]
    found = []
    for number, public_id, place, last_at in store.fetch(_DUE, [places, lengths, now]):
        rule = rules[place]
        until = last_at + timedelta(days=rule.value)
        vouched = rule.confidence != "unverified"
        found.append(Due(number, public_id, place, last_at, until, rule.pack, rule.value, vouched))
    return found


def open_loops(records: shredder.Records) -> list[Hold]:
    """Open loops that follow these records of a person, as reasons to keep her data."""
    return [Hold(_("open loop"), public_id) for public_id in open_loops_of(records)]


__all__ = ["KEY", "Due", "ShredRun", "find_due", "open_loops", "shred_due"]
