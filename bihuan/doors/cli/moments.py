"""Moments as they are typed after an option: a day, or a day and a time, local where no zone is named."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from bihuan.doors.cli.given import is_meant
from bihuan.registry import clock
from bihuan.registry.errors import Invalid

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def moment_of(text: str, *, tz: str = "", day_is_its_end: bool = False) -> datetime | None:
    """The moment a text names, None for an empty one; see `the_moment`."""
    return the_moment(text, tz=tz, day_is_its_end=day_is_its_end) if text.strip() else None


def the_moment(text: str, *, tz: str = "", day_is_its_end: bool = False) -> datetime:
    """The aware instant a text names. `tz`: of a text without a zone, default the installation's. A day
    alone is its beginning, or its last minute. Raises Invalid."""
    written = text.strip()
    try:
        at: datetime | None = datetime.fromisoformat(written)
    except ValueError:
        at = None
    if at is None or not is_meant(at):
        raise Invalid(
            _("“%(text)s” is no date or time.") % {"text": text},
            code="bad-moment",
            hint=_("Write 2020-02-05, 2020-02-05T08:00 or 2020-02-05T08:00+08:00."),
        )
    if day_is_its_end and len(written) <= len("2020-02-05"):
        at += DAY - MINUTE
    return at if at.tzinfo else at.replace(tzinfo=clock.zone(tz or None))
