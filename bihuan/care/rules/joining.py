"""Two records turn out to be one person who is a contact under both: which contact goes on. Pure.

Nothing that is owed may be lost by it, and no observation shortened: whatever is still to be decided about a
contact keeps it, and so does an order that asks for more than the one that would go on (D4-17d).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A live contact of the person. `pending`: symptoms, a positive test or an appeal wait for a decision.
    `asked`: another territory asked about it, or was asked. `order_kind` "" and `order_ends` None: no order
    runs."""

    key: int
    confirmed_at: datetime
    order_kind: str = ""
    order_ends: datetime | None = None
    pending: bool = False
    asked: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """By key: which goes on (None: there is none to choose), which end in it, which stay beside it."""

    goes_on: int | None = None
    ends: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()


def settle(held: Sequence[Held]) -> Settled:
    """Which contact goes on: what is pending first, then the longest order, who is not lost, and who was
    named first. Of fewer than two there is nothing to settle."""
    if len(held) < 2:
        return Settled()
    asked = tuple(one.key for one in held if one.asked)
    ours = sorted((one for one in held if not one.asked), key=_first)
    if not ours:
        return Settled(apart=asked)
    goes_on = ours[0]
    ends = tuple(one.key for one in ours[1:] if _may_end(one, goes_on))
    beside = tuple(one.key for one in ours[1:] if not _may_end(one, goes_on))
    if not ends:
        return Settled(apart=tuple(one.key for one in held))
    return Settled(goes_on.key, ends, (*beside, *asked))


def _first(one: Held) -> tuple[bool, float, bool, datetime, int]:
    ends = one.order_ends.timestamp() if one.order_ends is not None else 0.0
    return (not one.pending, -ends, one.lost, one.confirmed_at, one.key)


def _may_end(one: Held, goes_on: Held) -> bool:
    if one.pending:
        return False
    if one.order_ends is None:
        return True
    return (
        goes_on.order_ends is not None
        and one.order_kind == goes_on.order_kind
        and one.order_ends <= goes_on.order_ends
    )
