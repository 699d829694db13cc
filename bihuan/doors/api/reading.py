"""What comes in, read strictly: JSON without NaN, NUL or broken characters; moments that a calendar has."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.parser import Parser
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from bihuan.doors.api import problems
from bihuan.epi import years
from bihuan.registry import clock
from bihuan.registry.errors import Invalid

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
_ISO_DAY: Final = len("2020-02-17")


class StrictParser(Parser):
    """JSON only, and nothing in it that PostgreSQL cannot keep."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != JSON:
            raise problems.unsupported()
        body = json.loads(request.body, parse_constant=_refuse)
        check(body)
        return body


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def check(value: Any) -> None:
    """Raise Invalid if a text within holds a character that cannot be stored, or a number is infinite."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and not storable(one):
            raise _unfit(_("The text holds a character that cannot be stored."))
        elif isinstance(one, float) and not math.isfinite(one):
            raise _unfit(_("A number is too large."))


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep a text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _unfit(message: str) -> Invalid:
    return Invalid(message, errors=[{"field": "body", "rule": "text", "message": message}])


def _sane_date(day: date) -> date:
    if day.year not in years.MEANT:
        raise ValueError(f"the year must lie between {years.FIRST} and {years.LAST}")
    return day


def _sane_moment(at: datetime) -> datetime:
    _sane_date(at.date())
    return at if at.tzinfo else at.replace(tzinfo=clock.zone())


def _iso(value: Any) -> Any:
    """Only texts: a bare number is no date, whatever a program may make of it."""
    if not isinstance(value, str):
        raise ValueError("write a date as 2020-02-17, a moment as 2020-02-17T20:40:00+08:00")
    return value


def _end_of_day(value: Any) -> Any:
    """A day alone means its end, as on the pages."""
    text = _iso(value)
    if len(text) > _ISO_DAY:
        return text
    try:
        day = _sane_date(date.fromisoformat(text))
    except ValueError as error:
        raise ValueError("write a day as 2020-02-17") from error
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=clock.zone()) - timedelta(minutes=1)


def _day_or_moment(value: Any) -> Any:
    """A date, or an instant when the time is known."""
    if isinstance(value, (date, datetime)) or value is None:
        return value
    text = _iso(value)
    if len(text) <= _ISO_DAY:
        return _sane_date(date.fromisoformat(text))
    return _sane_moment(datetime.fromisoformat(text))


Day = Annotated[date, BeforeValidator(_iso), AfterValidator(_sane_date)]
"""A calendar date."""

Moment = Annotated[datetime, BeforeValidator(_iso), AfterValidator(_sane_moment)]
"""An instant; without a time zone it is local time of the house."""

AsOf = Annotated[
    datetime,
    BeforeValidator(_end_of_day),
    AfterValidator(_sane_moment),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "As of when.",
        }
    ),
]
"""An instant; a day alone is its end, local time of the house."""

DayOrMoment = Annotated[
    date | datetime,
    BeforeValidator(_day_or_moment),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]
"""A date, or an instant where the time of day is known."""


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
