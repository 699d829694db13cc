"""One case: its facts, revisions and tests; and cases by the numbers their sources gave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bihuan.cases.errors import UnknownCase
from bihuan.cases.models import Case, CaseRevision, Test
from bihuan.cases.queries.lines import CaseRow, rows_of


@dataclass(frozen=True, slots=True)
class RevisionView:
    """What was said before, what is said now, when it became true, when it was known, who and why."""

    field: str
    old: str
    new: str
    at: datetime
    recorded_at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with all that belongs to it. `case` is the record itself, for its dates."""

    row: CaseRow
    case: Case
    revisions: tuple[RevisionView, ...]
    tests: tuple[Test, ...]


def find_case(public_id: str) -> CaseView:
    """Raises UnknownCase when there is none in the scope."""
    case = Case.objects.filter(public_id=public_id).first()
    if case is None:
        raise UnknownCase(public_id)
    revisions = CaseRevision.objects.filter(case=case).order_by("recorded_at", "id")
    tests = Test.objects.filter(subject_kind="case", subject_id=public_id).order_by("id")
    views = tuple(
        RevisionView(r.field, r.old, r.new, r.at, r.recorded_at, r.by_name, r.reason) for r in revisions
    )
    return CaseView(rows_of([case], None)[0], case, views, tuple(tests))


def find_by_local_id(local_ids: Iterable[str], *, source_prefix: str = "") -> dict[str, str]:
    """Public ids of cases by the number of their source. `source_prefix` keeps lists apart (keys of import).

    A number that several cases carry is left out: it names none of them.
    """
    rows = Case.objects.filter(local_id__in=set(local_ids))
    if source_prefix:
        rows = rows.filter(source_key__startswith=source_prefix)
    found: dict[str, str] = {}
    twice = set()
    for local_id, public_id in rows.values_list("local_id", "public_id"):
        if local_id in found:
            twice.add(local_id)
        found[local_id] = public_id
    return {local_id: public_id for local_id, public_id in found.items() if local_id not in twice}
