"""How far loops have come, stage by stage: what a ring is drawn from. For many loops in two statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from bihuan.loops import bindings
from bihuan.loops.queries.reading import OPEN_THEN, fence, moment


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage of one loop. `open` counts what is owed now and what a running daily repeat will still owe;
    `due_soon` and `late` are part of it. All are 0 for a stage that has not begun. `fulfilled`: duties
    done in it, also of a closed loop, where `done` counts every stage as come through."""

    stage: str
    label: Mapping[str, str]
    done: int
    open: int
    due_soon: int
    late: int
    fulfilled: int = 0


@dataclass(frozen=True, slots=True)
class LoopProgress:
    """The stages of one loop in ring order; of a closed loop every stage counts as come through."""

    loop: str
    definition: str
    label: Mapping[str, str]
    is_open: bool
    stages: tuple[StageProgress, ...]

    @property
    def at(self) -> StageProgress | None:
        """The stage the loop stands in: the first that owes something."""
        return next((stage for stage in self.stages if stage.open), None)


_LOOPS = """
    SELECT id, public_id, ruling_id, state = 0 OR closed_at > %(at)s
    FROM loops_loop WHERE public_id = ANY(%(ids)s) AND territory_code >= %(lo)s AND territory_code < %(hi)s
"""
_DUTIES = """
    SELECT loop_id, stage,
        count(*) FILTER (WHERE state = 1 AND ended_at <= %(at)s),
        count(*) FILTER (WHERE {open}),
        count(*) FILTER (WHERE {open} AND warn_at <= %(at)s AND due_at >= %(at)s),
        count(*) FILTER (WHERE {open} AND due_at < %(at)s)
    FROM loops_duty WHERE loop_id = ANY(%(loops)s) AND reason <> 'late_fact' GROUP BY 1, 2
"""
_COMING = """
    SELECT loop_id, stage, sum((last_day - next_day + 1) * cardinality(slots))
    FROM loops_schedule WHERE loop_id = ANY(%(loops)s) AND until_at IS NULL AND next_day <= last_day
    GROUP BY 1, 2
"""


def progress_of(loops: Iterable[str], *, as_of: datetime | None = None) -> dict[str, LoopProgress]:
    """The progress of loops by public id, within the scope; those out of sight are missing."""
    when = moment(as_of)
    lo, hi = fence()
    params: dict[str, Any] = {"ids": list(set(loops)), "lo": lo, "hi": hi, "at": when.at}
    with connection.cursor() as cursor:
        cursor.execute(_LOOPS, params)
        found = cursor.fetchall()
        params["loops"] = [row[0] for row in found]
        cursor.execute(_DUTIES.format(open=OPEN_THEN), params)
        counts = {(loop, stage): tuple(n) for loop, stage, *n in cursor.fetchall()}
        cursor.execute(_COMING, params)
        coming = {(loop, stage): int(n) for loop, stage, n in cursor.fetchall()}
    bound = bindings.load({row[2] for row in found})
    progress = {}
    for loop_id, name, binding, is_open in found:
        definition = bound[binding]
        stages = []
        for stage, label in definition.stages:
            done, owed, soon, late = counts.get((loop_id, stage), (0, 0, 0, 0))
            fulfilled = done
            if not is_open:
                done, owed, soon, late = max(done, 1), 0, 0, 0
            ahead = coming.get((loop_id, stage), 0) if is_open else 0
            stages.append(StageProgress(stage, label, done, owed + ahead, soon, late, fulfilled))
        progress[name] = LoopProgress(name, definition.name, definition.label, is_open, tuple(stages))
    return progress
