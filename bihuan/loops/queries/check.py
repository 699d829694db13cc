"""The proof: what `bihuan loops check` prints. Reads everything, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from bihuan.loops.queries.reading import fence
from bihuan.registry import territory as territories


@dataclass(frozen=True, slots=True)
class Violation:
    """Where the promise is broken: `rule` is a slug, `ids` the offenders (L-… loops, D-… duties)."""

    rule: str
    message: str
    ids: list[str]


@dataclass(slots=True)
class CheckResult:
    """Counts of duties and loops, and every violation. `created` is counted apart from what became of
    them."""

    created: int = 0
    open: int = 0
    done: int = 0
    waived: int = 0
    superseded: int = 0
    loops_open: int = 0
    loops_closed: int = 0
    violations: list[Violation] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.violations

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_DUTIES = "territory_code >= %(lo)s AND territory_code < %(hi)s"
_LOOPS = "l.territory_code >= %(lo)s AND l.territory_code < %(hi)s"

_RULES: tuple[tuple[str, Any, str], ...] = (
    (
        "open-loop-owes-nothing",
        lambda: _("An open loop owes nothing."),
        f"SELECT l.public_id FROM loops_loop l WHERE l.state = 0 AND {_LOOPS}"
        " AND NOT EXISTS (SELECT FROM loops_duty d WHERE d.loop_id = l.id AND d.state = 0)",
    ),
    (
        "closed-loop-owes",
        lambda: _("A closed loop still owes something."),
        f"SELECT l.public_id FROM loops_loop l WHERE l.state = 1 AND {_LOOPS}"
        " AND EXISTS (SELECT FROM loops_duty d WHERE d.loop_id = l.id AND d.state = 0)",
    ),
    (
        "owner-missing",
        lambda: _("An open duty is owed by a post that does not exist."),
        f"SELECT 'D-' || d.id FROM loops_duty d WHERE d.state = 0 AND d.{_DUTIES.replace('AND t', 'AND d.t')}"
        " AND NOT EXISTS (SELECT FROM registry_post p WHERE p.id = d.owner_post_id)",
    ),
    (
        "loop-missing",
        lambda: _("A duty belongs to no loop."),
        f"SELECT 'D-' || d.id FROM loops_duty d WHERE d.{_DUTIES.replace('AND t', 'AND d.t')}"
        " AND NOT EXISTS (SELECT FROM loops_loop l WHERE l.id = d.loop_id)",
    ),
    (
        "end-without-end",
        lambda: _("A duty is open and has an end, or has ended without one."),
        f"SELECT 'D-' || id FROM loops_duty WHERE (state = 0) <> (ended_at IS NULL) AND {_DUTIES}",
    ),
    (
        "duty-twice",
        lambda: _("A duty stands twice."),
        "SELECT 'D-' || max(id) FROM loops_duty WHERE reason <> 'late_fact'"
        f" AND {_DUTIES} GROUP BY loop_id, key HAVING count(*) > 1",
    ),
)

# A day is that of the territory: deadlines lie before local midnight, and a bucket ends where it begins.
_DAY = "date_trunc('day', (bucket - interval '1 second') AT TIME ZONE coalesce(zone.tz, %(tz)s))"
_ZONES = (
    "LEFT JOIN unnest(%(codes)s::text[], %(zones)s::text[]) AS zone (code, tz)"
    ' ON zone.code COLLATE "C" = territory_code'
)
_TALLIED = f"""
    SELECT territory_code, definition, kind, {_DAY} AS day, state, n FROM loops_tally {_ZONES} WHERE {_DUTIES}
    UNION ALL
    SELECT territory_code, definition, kind, {_DAY}, state, n FROM loops_tallydelta {_ZONES} WHERE {_DUTIES}
"""
_CREATED = f"""
SELECT coalesce(sum(n), 0) FROM (
    SELECT n FROM loops_tally WHERE state = -1 AND {_DUTIES}
    UNION ALL SELECT n FROM loops_tallydelta WHERE state = -1 AND {_DUTIES}) AS t
"""
_CODES = f"""
SELECT territory_code FROM loops_tally WHERE {_DUTIES}
UNION SELECT territory_code FROM loops_tallydelta WHERE {_DUTIES}
"""
_CONSERVATION = f"""
SELECT territory_code || ' ' || definition || '.' || kind || ' ' || to_char(day, 'YYYY-MM-DD')
FROM ({_TALLIED}) AS t GROUP BY territory_code, definition, kind, day
HAVING sum(n) FILTER (WHERE state = -1) IS DISTINCT FROM sum(n) FILTER (WHERE state >= 0)
"""
_COUNTED = f"""
WITH raw AS (
    SELECT left(territory_code, 9) AS territory_code, definition, kind, state,
        to_timestamp(ceil(date_part('epoch', due_at) / 900) * 900) AS bucket, count(*) AS n
    FROM loops_duty WHERE {_DUTIES} GROUP BY 1, 2, 3, 4, 5
), both_sides AS (
    SELECT territory_code, definition, kind, {_DAY} AS day, state, n, 0 AS m FROM raw {_ZONES}
    UNION ALL SELECT territory_code, definition, kind, day, state, 0, n FROM ({_TALLIED}) AS t WHERE state
    >= 0
)
SELECT territory_code || ' ' || definition || '.' || kind || ' ' || to_char(day, 'YYYY-MM-DD')
FROM both_sides GROUP BY territory_code, definition, kind, day, state HAVING sum(n) <> sum(m)
"""
COUNTY_CODE, STREET_CODE = 6, 9


def check(territory: str = "", *, limit: int = 100) -> CheckResult:
    """Prove the promise of the loop at and below a territory, within the scope: every open loop owes
    something to a post that exists, a closed one nothing, and created = open + done + waived + superseded by
    territory, kind and day. At most `limit` offenders a rule are named."""
    lo, hi = fence(territory)
    params: dict[str, Any] = {"lo": lo, "hi": hi, "limit": limit}
    with transaction.atomic(), _planned_for_many(lo):
        return _checked(lo, params)


@contextmanager
def _planned_for_many(lo: str) -> Iterator[None]:
    """A county or more is joined as a whole, whatever PostgreSQL believes of tables that an import has just
    filled and nobody has analyzed: looking up row by row there takes minutes instead of seconds."""
    wide = len(lo) <= COUNTY_CODE
    with connection.cursor() as cursor:
        if wide:
            cursor.execute("SET LOCAL enable_nestloop = off")
        yield
        if wide:
            cursor.execute("SET LOCAL enable_nestloop = on")


def _checked(lo: str, params: dict[str, Any]) -> CheckResult:
    result = CheckResult()
    _count(result, params)
    for slug, message, sql in _RULES:
        _look(result, slug, message(), sql, params)
    if len(lo) <= STREET_CODE:  # tallies are kept by street
        params |= _find_zones(params)
        _look(
            result,
            "not-conserved",
            _("Created is not open + done + waived + superseded."),
            _CONSERVATION,
            params,
        )
        _look(result, "tally-differs", _("The tally differs from the duties."), _COUNTED, params)
    return result


def _count(result: CheckResult, params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT state, count(*) FROM loops_duty WHERE {_DUTIES} GROUP BY 1", params)
        counts = dict(cursor.fetchall())
        result.open, result.done, result.waived, result.superseded = (counts.get(n, 0) for n in range(4))
        cursor.execute(f"SELECT state, count(*) FROM loops_loop l WHERE {_LOOPS} GROUP BY 1", params)
        loops = dict(cursor.fetchall())
        result.loops_open, result.loops_closed = loops.get(0, 0), loops.get(1, 0)
        if len(params["lo"]) > STREET_CODE:
            result.created = sum(counts.values())
            return
        cursor.execute(_CREATED, params)
        result.created = int(cursor.fetchone()[0])


def _find_zones(params: dict[str, Any]) -> dict[str, Any]:
    """The time zones of the territories that tallies are kept for, where they are not the installation's."""
    with connection.cursor() as cursor:
        cursor.execute(_CODES, params)
        zones = {row[0]: territories.tz_of(row[0]) for row in cursor.fetchall()}
    other = {code: tz for code, tz in zones.items() if tz != settings.TIME_ZONE}
    return {"codes": list(other), "zones": list(other.values()), "tz": settings.TIME_ZONE}


def _look(result: CheckResult, slug: str, message: str, sql: str, params: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT %(limit)s", params)
        ids = [str(row[0]) for row in cursor.fetchall()]
    if ids:
        result.violations.append(Violation(slug, message, ids))
