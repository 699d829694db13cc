"""The visit store as an operator sees it: how much, how old, what waits, what was deleted. Counts only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from bihuan.epi.errors import EpiError
from bihuan.epi.visits.spool import Spool, set_aside
from bihuan.registry import access, clock, posts
from bihuan.registry.errors import NotAllowed
from bihuan.tracing import visits
from bihuan.tracing.models import VisitDeletion
from bihuan.tracing.queries.places import GateDay, PlaceRow, gate_days, names_by_id

_SHOWN = 30
RIGHT = "audit.view"


@dataclass(frozen=True, slots=True)
class DayRow:
    day: date
    stays: int
    parts: int
    size: int


@dataclass(frozen=True, slots=True)
class GateRow:
    """A gate of the scope with what it did today."""

    place: PlaceRow
    day: GateDay


@dataclass(frozen=True, slots=True)
class StoreView:
    """`problem`: why the store cannot be read ("" = it can). Sizes in bytes. `changed_at` (UTC): when visits
    were last written or deleted. `aside`: damaged files. `log`: lines of retention.log, the newest first."""

    is_there: bool
    problem: str = ""
    stays: int = 0
    people: int = 0
    places: int = 0
    size: int = 0
    index_size: int = 0
    days: tuple[DayRow, ...] = ()
    forgotten_before: date | None = None
    changed_at: datetime | None = None
    waiting: int = 0
    waiting_size: int = 0
    aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeletionRow:
    at: datetime
    before: date
    days: int
    stays: int
    size: int
    people: int
    checks: int
    strangers: int
    reason: str
    source: str
    by_name: str


def is_whole() -> bool:
    """Whether the post acted in may see logs of all that the installation serves: of the territories of all
    its posts. The store is one folder and knows no territories, so its figures are of all of them."""
    now = clock.now()
    codes = sorted(
        {
            post.territory_code
            for post in posts.directory().by_id.values()
            if post.territory_code and (post.active_to is None or post.active_to > now)
        }
    )
    return all(access.may(None, RIGHT, territory_code=code).allowed for code in {*codes[:1], *codes[-1:]})


def require_whole() -> None:
    """Raise NotAllowed unless figures of the whole store may be seen."""
    access.require(RIGHT)
    if not is_whole():
        raise NotAllowed(
            _("Figures of the whole store are shown to posts that cover all of the installation."),
            hint=_("Those of a place stand on its page."),
        )


def view_store(language: str = "en") -> StoreView:
    """The store of this installation, whole, to whoever `is_whole`."""
    folder = visits.folder()
    if not (folder / "store.json").exists():
        return StoreView(False)
    spool = Spool(folder)
    aside = [str(path.relative_to(folder)) for path in set_aside(folder)]
    try:
        store = visits.open_store()
        assert store is not None
        found, segments = store.stats(), store.segments()
        forgotten = store.forgotten
    except (EpiError, OSError) as error:
        text = error.text(language) if isinstance(error, EpiError) else str(error)
        return StoreView(True, text, waiting=len(spool.names()), aside=tuple(aside))
    days: dict[int, list[Any]] = {}
    for segment in segments:
        days.setdefault(segment.day, []).append(segment)
    changed = datetime.fromtimestamp((folder / "manifest.json").stat().st_mtime, UTC)
    return StoreView(
        True,
        stays=found.stays,
        people=found.people,
        places=found.places,
        size=found.truth_bytes,
        index_size=found.index_bytes,
        days=tuple(
            DayRow(
                _date(day), sum(s.stays for s in parts), len(parts),
                sum(size for s in parts for size, _crc in s.files.values()),
            )
            for day, parts in sorted(days.items(), reverse=True)
        ),
        forgotten_before=_date(forgotten) if forgotten else None,
        changed_at=changed,
        waiting=len(spool.names()),
        waiting_size=spool.waiting(),
        aside=(*found.set_aside, *aside),
    )  # fmt: skip


def deletions(limit: int = _SHOWN) -> list[DeletionRow]:
    """The newest deletions, as they stand under the audit chain."""
    return [
        DeletionRow(
            d.at, d.before, d.days, d.stays, d.size, d.people, d.checks, d.strangers, d.reason, d.source,
            d.by_name,
        )
        for d in VisitDeletion.objects.order_by("-at", "-id")[:limit]
    ]  # fmt: skip


def retention_log(limit: int = _SHOWN) -> list[dict[str, Any]]:
    """The newest lines of the store's own log of deletions; unreadable ones are left out."""
    path, found = visits.folder() / "retention.log", []
    if path.exists():
        for line in path.read_text("utf-8").splitlines()[-limit:]:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found[::-1]


def gates_today(now: datetime | None = None) -> list[GateRow]:
    """Gates of the scope that recorded anything today, the least complete first."""
    at = now or clock.now()
    days = gate_days(None, since=clock.start_of_day(clock.local_day(at)), until=at + timedelta(minutes=1))
    places = names_by_id(days)
    rows = [GateRow(places[pk], day) for pk, day in days.items() if pk in places]
    return sorted(rows, key=lambda row: (100 if row.day.percent is None else row.day.percent, row.place.name))


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
