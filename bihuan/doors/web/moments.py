"""The moment a page speaks of: now, or the one in its address (`as_of`), in the reader's local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.epi import years
from bihuan.registry import clock

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` is the moment asked for or now; `given` is None unless one was asked for; aware, local."""

    at: datetime
    given: datetime | None

    @property
    def looking_back(self) -> bool:
        return self.given is not None


def asked(request: HttpRequest) -> Moment:
    """Read `as_of` (2020-02-17, or 2020-02-17T20:40). A day alone is its end. What cannot be read is now."""
    now = timezone.localtime(clock.now())
    text = request.GET.get("as_of", "").strip()
    if not text:
        return Moment(now, None)
    try:
        if len(text) <= len("2020-02-17"):
            day = date.fromisoformat(text)
            end = datetime.combine(day + DAY, time.min) - timedelta(minutes=1)
            found = timezone.make_aware(end)
        else:
            found = datetime.fromisoformat(text.replace(" ", "T"))
            found = timezone.make_aware(found) if timezone.is_naive(found) else timezone.localtime(found)
    except (ValueError, OverflowError):
        return Moment(now, None)
    return Moment(found, found) if found.year in years.MEANT else Moment(now, None)


def choices(moment: Moment) -> list[tuple[str, str]]:
    """Ready answers: a day earlier, the end of the day before, a day later."""
    at = moment.at
    steps = (
        (_("A day earlier"), at - DAY),
        (_("A week earlier"), at - 7 * DAY),
        (_("A day later"), at + DAY),
    )
    return [(text, step.strftime("%Y-%m-%dT%H:%M")) for text, step in steps]
