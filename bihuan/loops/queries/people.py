"""Which loops follow a person."""

from __future__ import annotations

from collections.abc import Sequence

from bihuan.loops import store
from bihuan.loops.queries.reading import fence


def open_loops_of(person_ids: Sequence[int]) -> list[str]:
    """Public ids of the open loops of these records of a person, within the scope."""
    lo, hi = fence()
    rows = store.fetch(
        "SELECT public_id FROM loops_loop WHERE state = 0 AND person_id = ANY(%s)"
        " AND territory_code >= %s AND territory_code < %s ORDER BY id",
        [list(person_ids), lo, hi],
    )
    return [row[0] for row in rows]
