"""Same-day clearance (当日清零, D0-07): who must be dealt with before local midnight, and what each
waits for.

Every person confirmed today must be admitted today, every suspected case must have a test done today. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Waits(StrEnum):
    SAMPLE = "sample"
    RESULT = "result"
    TRANSFER = "transfer"
    ADMISSION = "admission"


@dataclass(frozen=True, slots=True)
class ClearanceFacts:
    """Instants of one case, None = has not happened. `closed_at` = discarded, died or discharged."""

    suspected_at: datetime | None = None
    confirmed_at: datetime | None = None
    sampled_at: datetime | None = None
    tested_at: datetime | None = None
    transferred_at: datetime | None = None
    admitted_at: datetime | None = None
    closed_at: datetime | None = None


def _by(instant: datetime | None, as_of: datetime) -> bool:
    return instant is not None and instant <= as_of


def due_today(facts: ClearanceFacts, day_start: datetime, as_of: datetime) -> bool:
    """Is this case one that today must clear: became suspected or confirmed today, at or before `as_of`?"""
    confirmed = facts.confirmed_at is not None and day_start <= facts.confirmed_at <= as_of
    suspected = facts.suspected_at is not None and day_start <= facts.suspected_at <= as_of
    return confirmed or suspected


def waits_for(facts: ClearanceFacts, as_of: datetime) -> Waits | None:
    """What the case waits for at `as_of`; None = cleared."""
    if _by(facts.closed_at, as_of):
        return None
    if _by(facts.confirmed_at, as_of):
        if _by(facts.admitted_at, as_of):
            return None
        return Waits.ADMISSION if _by(facts.transferred_at, as_of) else Waits.TRANSFER
    if _by(facts.tested_at, as_of):
        return None
    return Waits.RESULT if _by(facts.sampled_at, as_of) else Waits.SAMPLE
