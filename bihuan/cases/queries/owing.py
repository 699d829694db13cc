"""What subjects of a list owe: as a filter, as an order, and as figures beside each row."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery

from bihuan.cases.queries import people
from bihuan.cases.queries.pages import wrong_cursor
from bihuan.loops.models import Duty, Loop
from bihuan.registry import clock, scope

DUE = "due"
# Deadlines looked at in one go when a list is ordered by them: few pages need more than one.
STRIDE = 200
M = TypeVar("M", bound=Model)


class Asked(Protocol):
    """The part of a list's filter that speaks of duties."""

    @property
    def territory(self) -> str: ...

    @property
    def stage(self) -> str: ...

    @property
    def late(self) -> bool | None: ...

    @property
    def as_of(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Owed:
    """What the loop of a subject owes now: open duties, late ones, the stage and time of the next
    deadline.
    """

    open: int = 0
    late: int = 0
    stage: str = ""
    next_due: datetime | None = None


def natural_sort(late: bool | None) -> str:
    """What is late is read longest first; everything else in the list's own order."""
    return DUE if late else ""


def owing(
    rows: QuerySet[Any], kind: str, *, territory: str, stage: str, late: bool | None, as_of: datetime | None
) -> QuerySet[Any]:
    """Keep subjects that owe something in `stage`, or that have (not) something late.

    Few such subjects are listed first and the rows picked by number. With many, the rows are read in their
    order and each is asked, by a scalar subquery that the planner cannot turn into a join of everything.
    """
    if stage:
        rows = _owing(rows, kind, Duty.objects.filter(state=0, stage=stage), territory)
    if late is None:
        return rows
    overdue = Duty.objects.filter(state=0, due_at__lt=as_of or clock.now())
    if late:
        return _owing(rows, kind, overdue, territory)
    return rows.alias(overdue=_one(kind, overdue)).filter(overdue__isnull=True)


def _owing(rows: QuerySet[Any], kind: str, duties: QuerySet[Duty], territory: str) -> QuerySet[Any]:
    here = duties.filter(definition=kind)
    if territory:
        here = here.filter(territory_code__gte=territory, territory_code__lt=territory + scope.LAST)
    loops = list(here.order_by().values_list("loop_id", flat=True)[: people.FEW + 1])
    if len(loops) > people.FEW:
        return rows.alias(owing=_one(kind, duties)).filter(owing__isnull=False)
    refs = Loop.objects.filter(id__in=set(loops)).values_list("subject_ref", flat=True)
    return rows.filter(public_id__in=list(refs))


def _one(kind: str, duties: QuerySet[Duty]) -> Subquery:
    """The id of one such duty of a row's loop, or NULL."""
    loops = Loop.objects.filter(
        subject_kind=kind, subject_ref=OuterRef(OuterRef("public_id")), definition=kind
    )
    return Subquery(
        duties.filter(loop_id=Subquery(loops.order_by().values("id")[:1])).order_by().values("id")[:1]
    )


def owing_at_all(rows: QuerySet[M], kind: str, asked: Asked) -> QuerySet[M]:
    """The same filter for counting: as joins, which the planner orders as it likes."""
    open_ones = Duty.objects.filter(loop_id=OuterRef("id"), state=0)
    overdue = open_ones.filter(due_at__lt=asked.as_of or clock.now())
    loops = Loop.objects.filter(subject_kind=kind, subject_ref=OuterRef("public_id"), definition=kind)
    if asked.stage:
        rows = rows.filter(Exists(loops.filter(Exists(open_ones.filter(stage=asked.stage)))))
    if asked.late is True:
        rows = rows.filter(Exists(loops.filter(Exists(overdue))))
    if asked.late is False:
        rows = rows.exclude(Exists(loops.filter(Exists(overdue))))
    return rows


def by_deadline(rows: QuerySet[M], kind: str, asked: Asked, *, cursor: str, size: int) -> tuple[list[M], str]:
    """Rows that owe something, by their nearest deadline; and the cursor of the page after ("" = none).

    Reads open duties in the order of their deadlines and keeps the rows the filter leaves, so the first page
    costs the same however many are late.
    """
    duties = _asked(kind, asked)
    place = _open(cursor) if cursor else None
    found: list[tuple[M, datetime, int]] = []
    while len(found) <= size:
        stretch = list(_behind(duties, place)[:STRIDE])
        if not stretch:
            break
        found += _kept(rows, duties, stretch)
        place = stretch[-1][1:]
    kept = found[:size]
    following = _cursor(*kept[-1][1:]) if len(found) > size else ""
    return [row for row, _due, _id in kept], following


def _asked(kind: str, asked: Asked) -> QuerySet[Duty]:
    duties = Duty.objects.filter(state=0, definition=kind)
    if asked.stage:
        duties = duties.filter(stage=asked.stage)
    if asked.late:
        duties = duties.filter(due_at__lt=asked.as_of or clock.now())
    if not asked.territory:
        return duties
    lo = asked.territory
    return duties.filter(territory_code__gte=lo, territory_code__lt=lo + scope.LAST)


def _behind(duties: QuerySet[Duty], place: tuple[datetime, int] | None) -> Any:
    if place is not None:
        due_at, pk = place
        duties = duties.filter(Q(due_at__gt=due_at) | Q(due_at=due_at, id__gt=pk), due_at__gte=due_at)
    return duties.order_by("due_at", "id").values_list("loop_id", "due_at", "id")


def _kept(
    rows: QuerySet[M], duties: QuerySet[Duty], stretch: Sequence[tuple[int, datetime, int]]
) -> list[tuple[M, datetime, int]]:
    """Of a stretch of duties, those that are the first of their loop and whose subject the filter leaves."""
    loops = {loop for loop, _due, _id in stretch}
    of_these = duties.filter(loop_id__in=loops).order_by("loop_id", "due_at", "id")
    first = dict(of_these.distinct("loop_id").values_list("loop_id", "id"))
    refs = dict(Loop.objects.filter(id__in=loops).values_list("id", "subject_ref"))
    subjects = {row.public_id: row for row in rows.filter(public_id__in=list(refs.values()))}  # type: ignore[attr-defined]
    kept = []
    for loop, due_at, pk in stretch:
        row = subjects.get(refs.get(loop, ""))
        if row is not None and first[loop] == pk:
            kept.append((row, due_at, pk))
    return kept


def _cursor(due_at: datetime, pk: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([DUE, due_at.isoformat(), pk]).encode()).decode().rstrip("=")


def _open(cursor: str) -> tuple[datetime, int]:
    try:
        word, due_at, pk = json.loads(base64.urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode()))
        found = datetime.fromisoformat(due_at)
        if word != DUE or not isinstance(pk, int) or found.tzinfo is None:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise wrong_cursor() from None
    return found, pk


def owed_by(kind: str, refs: Sequence[str], as_of: datetime | None = None) -> dict[str, Owed]:
    """What the loops of these subjects owe now."""
    at = as_of or clock.now()
    loops = dict(
        Loop.objects.filter(subject_kind=kind, subject_ref__in=refs, definition=kind).values_list(
            "id", "subject_ref"
        )
    )
    found: dict[str, list[tuple[datetime, str]]] = {}
    duties = Duty.objects.filter(loop_id__in=list(loops), state=0).values_list("loop_id", "due_at", "stage")
    for loop_id, due_at, stage in duties:
        found.setdefault(loops[loop_id], []).append((due_at, stage))
    return {ref: _owed(sorted(dues), at) for ref, dues in found.items()}


def _owed(dues: list[tuple[datetime, str]], at: datetime) -> Owed:
    late = sum(due < at for due, _stage in dues)
    return Owed(open=len(dues), late=late, stage=dues[0][1], next_due=dues[0][0])
