"""The decision record that every control needs (D4-27a, architecture section 7): complete, or no control.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Proposer, evidence, rule, clause, approver, start, end, review date. Nothing may be empty."""

    proposer: str
    evidence: str
    rule: str
    clause: str
    approver: str
    start_at: datetime | None
    end_at: datetime | None
    review_on: date | None


@dataclass(frozen=True, slots=True)
class Missing:
    field: str
    rule: str
    message: str


def check_record(record: DecisionRecord) -> list[Missing]:
    """What is missing or cannot be; an empty list means the record is complete."""
    problems = []
    for name in ("proposer", "evidence", "rule", "clause", "approver", "start_at", "end_at", "review_on"):
        value = getattr(record, name)
        if value is None or (isinstance(value, str) and not value.strip()):
            problems.append(Missing(name, "required", "No control without this part of the decision record."))
    if record.start_at and record.end_at and record.end_at <= record.start_at:
        problems.append(Missing("end_at", "order", "A control ends after it starts."))
    if record.review_on and record.end_at and record.review_on > record.end_at.date():
        problems.append(Missing("review_on", "order", "A control is reviewed before it ends."))
    return problems
