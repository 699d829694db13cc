"""Which exposure decides. Whole local days; pure."""

from __future__ import annotations

from datetime import date


def later_exposure(known: date | None, new: date | None) -> date | None:
    """The last exposure after a new one is heard of. Observation restarts only if this moved (trap 5)."""
    days = [day for day in (known, new) if day is not None]
    return max(days) if days else None
