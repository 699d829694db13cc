"""Checks of a case's dates. They report and change nothing.

An `error` cannot be true (a date in the future, before any living person's birth) and stops the record; a
`warning` is possible but odd (confirmed before onset) and is shown to whoever typed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from bihuan.cases.rules.words import DATED

# No living patient was born earlier; a date before this is a typing error.
EARLIEST = date(1900, 1, 1)

# (earlier, later): the pairs whose order is expected.
EXPECTED_ORDER = (
    ("onset", "visit"),
    ("onset", "diagnosis"),
    ("onset", "confirmation"),
    ("visit", "diagnosis"),
    ("sample", "result"),
    ("diagnosis", "report"),
    ("diagnosis", "confirmation"),
    ("admission", "outcome"),
    ("onset", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Issue:
    """`level` is error or warning; `message` an English message id with %(…)s places from `params`."""

    level: str
    field: str
    rule: str
    message: str
    params: Mapping[str, Any]

    def __str__(self) -> str:
        return self.message % dict(self.params)


def check_dates(days: Mapping[str, date | None], today: date, born: date | None = None) -> list[Issue]:
    """Look at the dates of a case (`days` maps names of `words.DATED`); `today` is the local date now."""
    known = [(name, day) for name in DATED if (day := days.get(name)) is not None]
    found = [_impossible(name, day, today, born) for name, day in known]
    return [*(issue for issue in found if issue is not None), *_odd_order(days)]


def _impossible(name: str, day: date, today: date, born: date | None) -> Issue | None:
    field = f"date_{name}"
    if day > today:
        params = {"date": day.isoformat(), "today": today.isoformat()}
        return Issue("error", field, "future", "%(date)s lies after today (%(today)s).", params)
    if day < EARLIEST:
        return Issue("error", field, "too_early", "%(date)s is too long ago.", {"date": day.isoformat()})
    if born is not None and day < born:
        params = {"date": day.isoformat(), "born": born.isoformat()}
        text = "%(date)s lies before the date of birth (%(born)s)."
        return Issue("error", field, "before_birth", text, params)
    return None


def _odd_order(days: Mapping[str, date | None]) -> list[Issue]:
    issues = []
    for earlier, later in EXPECTED_ORDER:
        first, second = days.get(earlier), days.get(later)
        if first is not None and second is not None and second < first:
            params = {
                "earlier": earlier,
                "later": later,
                "first": first.isoformat(),
                "second": second.isoformat(),
            }
            text = "%(later)s (%(second)s) lies before %(earlier)s (%(first)s)."
            issues.append(Issue("warning", f"date_{later}", "order", text, params))
    return issues
