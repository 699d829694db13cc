"""The clock of an appeal: unanswered in time, it ends in the person's favor. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def answer_due(filed_at: datetime, hours: float) -> datetime:
    """By when the appeal must be answered (`hours` = policy appeal.answer_hours)."""
    return filed_at + timedelta(hours=hours)


def is_lapsed(due_at: datetime, decided_at: datetime | None, now: datetime) -> bool:
    """No answer by the deadline. An answer at the deadline itself counts."""
    return decided_at is None and now > due_at
