"""Weeks of dates, against lubridate's isoweek/isoyear and epiweek/epiyear: exact."""

from __future__ import annotations

from collections.abc import Iterator

from bihuan.epi.calendar import WeekSystem, epiweeks
from bihuan.epi.oracles.cases import Case, Difference, case, compare

SYSTEMS: tuple[WeekSystem, ...] = ("iso", "mmwr")


@case("epiweeks")
def answer(one: Case) -> Iterator[Difference]:
    """Every `iso_*` and `mmwr_*` column of the expected file; a column of another system is a difference."""
    dates = one.text()["date"]
    expected = one.numbers("expected")
    ours = {}
    for system in SYSTEMS:
        ours[f"{system}_year"], ours[f"{system}_week"] = epiweeks(dates, system=system)
    asked = [name for name in expected if name.endswith(("_year", "_week"))]
    if not asked:
        yield Difference("expected", "columns such as iso_week, mmwr_week", ", ".join(expected))
    for name in asked:
        if name not in ours:
            yield Difference(name, "a week system known here", ", ".join(SYSTEMS))
            continue
        yield from compare(name, expected[name], ours[name], labels=dates)
