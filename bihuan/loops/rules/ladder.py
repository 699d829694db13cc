"""Escalation, derived from time alone: which rungs a duty has climbed by a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .bound import LadderStep


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung a duty reached: its number from 1, to whom, and the moment (deadline + offset)."""

    step: int
    to: str
    at: datetime


def find_rungs(
    ladder: Sequence[LadderStep], *, due_at: datetime, ended_at: datetime | None, now: datetime
) -> list[Rung]:
    """The rungs reached by `now`. A duty ended at or before a rung's moment never reached it."""
    rungs = [Rung(n, step.to, due_at + step.after) for n, step in enumerate(ladder, start=1)]
    return [r for r in rungs if r.at <= now and (ended_at is None or r.at < ended_at)]
