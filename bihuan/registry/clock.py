"""What time it is: the only source of `now`.

In production it is the machine's clock and nothing else. In a demo, a drill or a test it can be moved, for
every process of the installation (`set_to`, `advance`, `reset`: one row in the database, read at most
once a second) or for one process and a moment (`frozen`). A moved clock runs on at the usual pace.
Rules never come here: they are given `now`.
"""

from __future__ import annotations

import time as machine
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.models.clock import ClockSetting

MOVABLE_MODES = frozenset({"demo", "drill", "test"})
_CACHED_SECONDS = 1.0


class ClockFixed(Conflict):
    """This installation does real work; its clock is not to be moved."""

    code = "clock-fixed"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the clock shows and how far from the machine's it stands; `mode` of the installation."""

    now: datetime
    offset: timedelta
    mode: str
    movable: bool


@dataclass(frozen=True, slots=True)
class _Cached:
    offset: timedelta
    until: float


_cached: _Cached | None = None
_frozen: datetime | None = None


def now() -> datetime:
    """The present instant, aware, in UTC."""
    if _frozen is not None:
        return _frozen
    real = datetime.now(UTC)
    return real + _offset() if is_movable() else real


def today(tz: str | ZoneInfo | None = None) -> date:
    """The present calendar date in a time zone (default: the installation's)."""
    return local_day(now(), tz)


def local_day(at: datetime, tz: str | ZoneInfo | None = None) -> date:
    """The calendar date an aware instant falls on in a time zone."""
    return at.astimezone(zone(tz)).date()


def start_of_day(day: date, tz: str | ZoneInfo | None = None) -> datetime:
    """Local midnight at which `day` begins, as an aware instant in UTC."""
    return datetime.combine(day, time.min, tzinfo=zone(tz)).astimezone(UTC)


@lru_cache(maxsize=256)
def zone(tz: str | ZoneInfo | None = None) -> ZoneInfo:
    """The named time zone; None is the installation's. An unknown name is an `Invalid` error."""
    if isinstance(tz, ZoneInfo):
        return tz
    try:
        return ZoneInfo(tz or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:  # OSError: too long for a file
        raise Invalid(
            _("Time zone “%(name)s” is unknown.") % {"name": tz},
            code="unknown-time-zone",
            hint=_("Write a name of the IANA list, such as Asia/Shanghai."),
        ) from problem


def is_movable() -> bool:
    return settings.BIHUAN_MODE in MOVABLE_MODES


def read() -> Reading:
    """What the clock shows, for `bihuan clock show` and the page foot."""
    shown = now()
    offset = shown - datetime.now(UTC) if _frozen else (_offset() if is_movable() else timedelta())
    return Reading(now=shown, offset=offset, mode=settings.BIHUAN_MODE, movable=is_movable())


def set_to(at: datetime) -> datetime:
    """Let the clock show `at` (aware) now and run on from there, in every process within a second."""
    _require_movable()
    if at.tzinfo is None:
        raise Invalid(
            _("The clock needs a time zone: %(at)s has none.") % {"at": at.isoformat()},
            code="naive-instant",
            hint=_("Write an offset, as in 2020-02-05T08:00+08:00."),
        )
    shown = at.astimezone(UTC)
    ClockSetting.objects.update_or_create(id=1, defaults={"shown_at": shown, "set_at": datetime.now(UTC)})
    forget()
    return shown


def advance(by: timedelta) -> datetime:
    """Move the clock by `by` (also backwards) from what it shows now."""
    _require_movable()
    forget()
    try:
        at = now() + by
    except OverflowError as problem:
        raise Invalid(_("The clock cannot be moved that far."), code="out-of-time") from problem
    return set_to(at)


def reset() -> datetime:
    """Let the clock show the machine's time again."""
    _require_movable()
    ClockSetting.objects.all().delete()
    forget()
    return now()


@contextmanager
def frozen(at: datetime) -> Iterator[datetime]:
    """Let the clock stand at `at` (aware) in this process until the block ends. Nests."""
    global _frozen
    _require_movable()
    if at.tzinfo is None:
        raise ValueError("frozen() needs an aware instant")
    before, _frozen = _frozen, at.astimezone(UTC)
    try:
        yield _frozen
    finally:
        _frozen = before


def forget() -> None:
    """Read the setting anew at the next `now()`."""
    global _cached
    _cached = None


def _require_movable() -> None:
    if not is_movable():
        raise ClockFixed(
            _("The clock of an installation in mode “%(mode)s” cannot be moved.")
            % {"mode": settings.BIHUAN_MODE},
            hint=_("Move it in a demo or a drill, which have their own data (BIHUAN_MODE=drill)."),
        )


def _offset() -> timedelta:
    global _cached
    cached = _cached
    if cached is not None and machine.monotonic() < cached.until:
        return cached.offset
    if connection.needs_rollback:  # no question can be asked any more; the last answer is near enough
        return cached.offset if cached else timedelta()
    row = ClockSetting.objects.filter(id=1).values_list("shown_at", "set_at").first()
    offset = row[0] - row[1] if row else timedelta()
    _cached = _Cached(offset, machine.monotonic() + _CACHED_SECONDS)
    return offset
