"""Forms made from verbs: what was typed reaches the room as it was typed."""

from __future__ import annotations

import pytest
from django.utils import translation

from bihuan.cases.verbs import AT, Field, Verb
from bihuan.doors.web.forms import VerbForm
from tests.rooms.care_room import local

VERB = Verb("case.test", "test", "case", (), (AT, Field("note", "text", "Note")), lambda *given: None)


def form(**data: str) -> VerbForm:
    return VerbForm(VERB, data or None, now=local("02-12 18:00"))


@pytest.mark.parametrize(
    ("data", "given"),
    [
        ({"at": "2020-02-10", "at_time": ""}, "2020-02-10"),
        ({"at": "2020-02-10", "at_time": "08:05"}, "2020-02-10T08:05"),
        ({"at": "2020-02-10T08:05"}, "2020-02-10T08:05"),
        ({"at": "", "at_time": "08:05"}, "08:05"),
    ],
)
def test_a_day_may_be_given_without_its_time(data: dict[str, str], given: str) -> None:
    assert form(**data).given() == {"at": given}


def test_nothing_typed_is_nothing_given() -> None:
    assert form(at="", at_time="", note="x").given() == {"note": "x"}


def test_day_and_time_stand_in_two_named_fields_with_what_was_typed() -> None:
    with translation.override("en"):
        shown = str(form(at="2020-02-10", at_time="08:05")["at"])
        now = str(form()["at"])
    assert 'name="at" value="2020-02-10"' in shown
    assert 'name="at_time" value="08:05"' in shown
    assert 'aria-label="Time"' in shown
    assert 'value="2020-02-12"' in now
    assert 'value="18:00"' in now
