"""Stock and flow of a day (D1-06, 存量·增量): opening + in - out = closing, for every category and place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from bihuan.cases.models import Case
from bihuan.cases.queries.facts import facts_from
from bihuan.cases.queries.figures import _zone
from bihuan.cases.queries.lines import within
from bihuan.cases.rules import life

CATEGORIES = ("suspected", "confirmed")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One category on one day. `converted` = left for another category, `released` = closed."""

    category: str
    opening: int
    new: int
    converted: int
    released: int

    @property
    def closing(self) -> int:
        return self.opening + self.new - self.converted - self.released


def ledger(territory: str, day: date) -> list[LedgerRow]:
    """The ledger of `day`, recomputed from the facts of every case found by its end."""
    tz = _zone(territory)
    start = datetime.combine(day, time.min, tzinfo=tz)
    end = start + timedelta(days=1)
    counts = {name: [0, 0, 0, 0] for name in CATEGORIES}
    for case in within(Case, territory).filter(found_at__lt=end).iterator(chunk_size=2000):
        _count(case, start, end, tz, counts)
    return [LedgerRow(name, *counts[name]) for name in CATEGORIES]


def _count(case: Case, start: datetime, end: datetime, tz, counts: dict[str, list[int]]) -> None:  # type: ignore[no-untyped-def]
    when = {event.kind: event.at for event in life(facts_from(case), tz)}
    closed = min(
        (when[k] for k in ("case.discarded", "case.died", "case.discharged") if k in when), default=None
    )
    suspected, confirmed = when.get("case.suspected"), when.get("case.confirmed")
    spans = []
    if suspected is not None:
        spans.append(("suspected", suspected, confirmed, closed))
    if confirmed is not None:
        spans.append(("confirmed", confirmed, None, closed))
    for name, came, turned, ended in spans:
        left = min((t for t in (turned, ended) if t is not None), default=None)
        if left is not None and left < start:
            continue
        row = counts[name]
        row[0] += came < start
        row[1] += start <= came < end
        if left is not None and left < end:
            row[2 if left == turned else 3] += 1
