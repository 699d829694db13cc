"""When a pack comes into force: open loops are brought under it, where it says `transition: replan`.

Derived from time like everything else: whatever came into force since a loop's rules began, and asks for it,
is applied at its own midnight, whenever that is noticed. A loop remembers by the event in its log (its key
names the policy), the house by a row of `Transition`. Loops are taken in turns, each its own transaction, so
a pass that is killed is carried on by the next one, and two at once do nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from bihuan.loops import bindings, store
from bihuan.loops.actions.record import NewEvent, record
from bihuan.loops.models import Transition
from bihuan.loops.rules.words import REPLANNED
from bihuan.policy import packs
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor

LOOPS_A_TURN = 2_000


@dataclass(frozen=True, slots=True)
class Applied:
    """A policy that was applied to `loops` open loops: the pack that begins, where, from which local day."""

    policy: str
    pack: str
    territory: str
    day: str
    loops: int


@dataclass(slots=True)
class ReplanResult:
    """What a pass did: loops brought under new rules (`recorded`, one a loop and policy), duties opened and
    ended by it, and for which policies."""

    recorded: int = 0
    duties_opened: int = 0
    duties_ended: int = 0
    applied: list[Applied] = field(default_factory=list)


_Group = tuple[str, int, str]
"""Loops alike for this purpose: definition, binding that rules, territory."""


def replan(*, now: datetime, actor: Actor, territory: str = "", by: datetime | None = None) -> ReplanResult:
    """Bring open loops at and below a territory under what came into force by an instant (default: `now`) and
    says `replan`.

    One event a loop and policy, at the midnight the policy took force (or the opening of the loop, if that is
    later); under `keep` loops go on as they were opened. Opens its own transactions; safe at any time.
    """
    result = ReplanResult()
    with scope.system():
        due = _find_due(by or now, territory)
        counts: dict[str, int] = {}
        for rows in _turns(due):
            _take_turn(rows, due, counts=counts, result=result, actor=actor, now=now)
        policies = {policy.id: policy for listed in due.values() for policy in listed}
        if not territory and by is None:
            Transition.objects.filter(finished_at__isnull=True).update(finished_at=now)
    result.applied = [_applied(policies[n], counts[n]) for n in sorted(counts, key=_by_day(policies))]
    return result


def _find_due(by: datetime, territory: str) -> dict[_Group, list[Any]]:
    """The policies each group of open loops is still to be brought under, oldest first."""
    groups = store.fetch(
        "SELECT DISTINCT definition, ruling_id, territory_code FROM loops_loop"
        " WHERE state = 0 AND territory_code >= %s AND territory_code < %s || '~'",
        [territory, territory],
    )
    ruling = bindings.load({group[1] for group in groups})
    found = {}
    for name, binding, place in groups:
        held = ruling[binding].policy_id
        since = packs.first_day(held)
        listed = [p for p in packs.replans(place, since, by) if p.id != held and name in p.loops]
        if listed:
            found[(name, binding, place)] = listed
    return found


def _turns(due: Mapping[_Group, Any]) -> Iterator[list[tuple[Any, ...]]]:
    """The loops of these groups by id, a turn at a time."""
    if not due:
        return
    names, rulings, places = (list(column) for column in zip(*due, strict=True))
    last = 0
    while True:
        rows = store.fetch(
            "SELECT l.id, s.kind, s.ref, l.definition, l.ruling_id, l.territory_code, l.opened_at"
            " FROM loops_loop l JOIN loops_subject s ON s.id = l.subject_id"
            " JOIN unnest(%s::text[], %s::bigint[], %s::text[]) AS due"
            " (definition, ruling_id, territory_code)"
            " ON due.definition = l.definition AND due.ruling_id = l.ruling_id"
            ' AND due.territory_code COLLATE "C" = l.territory_code'
            " WHERE l.state = 0 AND l.id > %s ORDER BY l.id LIMIT %s",
            [names, rulings, places, last, LOOPS_A_TURN],
        )
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _take_turn(
    rows: Sequence[tuple[Any, ...]], due: Mapping[_Group, list[Any]], *, counts: dict[str, int],
    result: ReplanResult, actor: Actor, now: datetime,
) -> None:  # fmt: skip
    with transaction.atomic():
        events, of = [], []
        for _id, kind, ref, name, ruling, place, opened_at in rows:
            for policy in due[(name, ruling, place)]:
                events.append(_event((kind, ref), name, policy, opened_at=opened_at, now=now))
                of.append(policy)
        said = record(events, actor=actor, now=now)
        done = [policy for policy, number in zip(of, said.event_ids, strict=True) if number is not None]
        _note(done, now)
    result.recorded += said.recorded
    result.duties_opened += said.duties_opened
    result.duties_ended += said.duties_ended
    for policy in done:
        counts[policy.id] = counts.get(policy.id, 0) + 1


def _event(
    subject: tuple[str, str], name: str, policy: Any, *, opened_at: datetime, now: datetime
) -> NewEvent:
    bound = bindings.of(policy, name)
    assert bound is not None
    bindings.id_of(bound)
    begins = clock.start_of_day(policy.date_from, policy.tz) if policy.date_from else now
    kind, ref = subject
    named = hashlib.sha256(policy.id.encode()).hexdigest()[:16]
    return NewEvent(
        kind, ref, REPLANNED, max(begins, opened_at), "", data={"policy": bound.digest},
        idempotency_key=f"replan/{name}/{ref}/{named}",
    )  # fmt: skip


def _note(policies: Sequence[Any], now: datetime) -> None:
    """Add to the house's memory, in the transaction of the events."""
    for policy in {p.id: p for p in policies}.values():
        if policy.date_from is None:
            continue
        pack, territory = _beginning(policy)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO loops_transition AS t (policy_id, pack, territory, day, begun_at, n_loops)"
                " VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (policy_id) DO UPDATE SET n_loops = t.n_loops + excluded.n_loops",
                [policy.id, pack, territory, policy.date_from, now, sum(p.id == policy.id for p in policies)],
            )


def _beginning(policy: Any) -> tuple[str, str]:
    """The pack that begins with a policy, and its territory."""
    pack = policy.beginning
    return (pack.id, pack.territory) if pack else (policy.id[:120], "")


def _applied(policy: Any, loops: int) -> Applied:
    pack, territory = _beginning(policy) if policy.date_from else (policy.id, "")
    return Applied(policy.id, pack, territory, str(policy.date_from or ""), loops)


def _by_day(policies: Mapping[str, Any]) -> Any:
    return lambda policy_id: (str(policies[policy_id].date_from or ""), policy_id)
