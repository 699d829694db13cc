"""The day of a post: what it owes by when. Each part is a filter, so that its number leads to its duties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.loops import queries
from bihuan.loops.queries import DutyFilter

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the day's duties: late, within the hour, later today, after today."""

    key: str
    label: str
    tone: str
    n: int
    asked: DutyFilter


def slices(post_id: int, now: datetime) -> list[Slice]:
    """What a post owes, by when: late, within the hour, later today, after today; and what climbed to it."""
    end = end_of_day(now)
    hour = min(now + HOUR, max(end, now))
    parts = (
        ("late", _("Late"), "late", DutyFilter(post_id=post_id, due_to=now)),
        ("soon", _("Within the hour"), "soon", DutyFilter(post_id=post_id, due_from=now, due_to=hour)),
        ("today", _("Later today"), "", DutyFilter(post_id=post_id, due_from=hour, due_to=end)),
        ("ahead", _("After today"), "line", DutyFilter(post_id=post_id, due_from=end)),
        ("climbed", _("Climbed to you"), "late", DutyFilter(escalated_to=post_id)),
    )
    return [
        Slice(key, text, tone, queries.count_duties(asked).open, asked) for key, text, tone, asked in parts
    ]


def end_of_day(now: datetime) -> datetime:
    """The instant after the last deadline of the local day: midnight itself is still today's."""
    local = timezone.localtime(now)
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, tzinfo=local.tzinfo)
    return midnight + timedelta(seconds=1)
