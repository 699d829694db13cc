"""The page of a loop, and what proved a step in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import translation

from bihuan.doors.web import evidence
from bihuan.registry import clock
from tests import cast as people
from tests.doors.web_room import logged_in

NOW = datetime(2020, 2, 17, 12, 40, tzinfo=UTC)


@pytest.fixture
def observed(db):
    """A contact observed at home since five days ago: every slot of the first days done, one of the third
    day's missed."""
    from bihuan.care.actions import OrderInput, record_placed
    from bihuan.care.verbs import perform
    from bihuan.cases.actions import CaseInput, report_case
    from bihuan.loops import queries
    from bihuan.loops.actions import sweep
    from bihuan.loops.queries import DutyFilter
    from bihuan.registry import scope
    from bihuan.registry.people import PersonInput
    from bihuan.tracing.actions import ContactInput, confirm_contact

    with clock.frozen(NOW):
        cast = people.make_cast()
        actor = cast.officer.actor
        began = NOW - timedelta(days=5)
        with scope.system():
            ill = PersonInput(territory_code=people.COMMUNITY, name="张小伟")
            near = PersonInput(territory_code=people.COMMUNITY, name="周小明")
            case = report_case(CaseInput(person=ill, territory_code=people.COMMUNITY), actor=actor, now=began)
            contact = confirm_contact(
                ContactInput(
                    person=near,
                    case=case.public_id,
                    territory_code=people.COMMUNITY,
                    exposure_kind="household",
                ),
                actor=actor,
                now=began,
            )
            record_placed(
                OrderInput(contact=contact.public_id, kind="home", started=began, approver="指挥部"),
                actor=actor,
                now=began,
            )
            sweep(NOW)
            subject = ("contact", contact.public_id)
            rows = queries.find_duties(DutyFilter(subject=subject, kinds=["temperature"]), limit=100).rows
            for row in rows:
                if row.due_at < NOW and "@2020-02-15/1" not in row.key:
                    given = {"value": 36.4, "duty": row.key, "at": row.due_at}
                    perform("contact.temperature", *subject, given, actor)
            [loop] = {row.loop for row in rows}
        yield cast, loop, contact


def days_of(page: str) -> dict[str, tuple[bool, str]]:
    """The folded days of a page: what each says, and whether it stands open."""
    found = re.findall(r'<details class="day"( open)?>\s*<summary>(.*?)</summary>', page, re.S)
    said = [(bool(is_open), re.sub(r"<[^>]+>|\s+", " ", summary)) for is_open, summary in found]
    return {text.split()[0]: (is_open, " ".join(text.split())) for is_open, text in said}


def test_days_that_are_done_fold_into_one_line_and_late_or_new_ones_stand_open(observed):
    cast, loop, _contact = observed
    page = logged_in(cast.officer).get(reverse("web:loop", args=[loop])).content.decode()
    days = days_of(page)
    assert list(days) == ["今天", "昨天", "2月15日", "2月14日", "2月13日", "2月12日"]
    assert days["今天"][0]
    assert days["2月15日"][0]
    assert "超时" in days["2月15日"][1]


def test_a_folded_day_shows_its_readings_and_its_count(observed):
    from bihuan.registry import scope

    cast, loop, contact = observed
    with clock.frozen(NOW), scope.system():
        finish(contact.public_id, cast.officer.actor)
    page = logged_in(cast.officer).get(reverse("web:loop", args=[loop])).content.decode()
    is_open, said = days_of(page)["2月14日"]
    assert not is_open
    assert "36.4" in said
    assert "✓" in said


def finish(contact: str, actor) -> None:
    """Everything due before now is done."""
    from bihuan.care.verbs import perform
    from bihuan.loops import queries
    from bihuan.loops.queries import DutyFilter

    subject = ("contact", contact)
    for row in queries.find_duties(DutyFilter(subject=subject), limit=200).rows:
        if row.due_at < NOW and row.verb in ("contact.temperature", "contact.follow_up"):
            given = {"duty": row.key, "at": row.due_at}
            if row.verb == "contact.temperature":
                given["value"] = 36.4
            perform(row.verb, *subject, given, actor)


def test_evidence_of_an_order_says_the_kind_of_exposure_in_words(observed):
    cast, _loop, contact = observed
    client = logged_in(cast.officer)
    page = client.get(reverse("web:contact", args=[contact.public_id]), follow=True).content.decode()
    assert "household" not in page
    assert "同住" in page
    client.post(reverse("set_language"), {"language": "en"})
    english = client.get(reverse("web:contact", args=[contact.public_id]), follow=True).content.decode()
    assert "Same household" in english


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verb", "given", "zh", "en"),
    [
        ("contact.test", {"result": "negative"}, "阴性", "Negative"),
        ("contact.release", {"reason": "completed"}, "观察期满", "The days are over"),
        ("contact.temperature", {"value": 36.6, "symptoms": ["fever"]}, "36.6 °C · 发热", "36.6 °C · Fever"),
        ("", {"kind": "household", "organization_id": 7}, "同住", "Same household"),
        ("case.outcome", {"outcome": "recovered", "at": "2020-02-17T10:00:00+08:00"}, "治愈", "Recovered"),
    ],
)
def test_codes_of_fields_are_said_by_their_labels_in_the_readers_language(verb, given, zh, en):
    with translation.override("zh-hans"):
        assert evidence.said(given, verb=verb) == zh
    with translation.override("en"):
        assert evidence.said(given, verb=verb) == en


@pytest.mark.django_db
def test_what_has_no_word_stays_as_it_stands():
    assert evidence.said({"note": "household", "order": "O-123"}) == "household · O-123"


@pytest.mark.django_db
def test_a_correction_names_its_field_and_its_words():
    with translation.override("en"):
        assert evidence.field_word("date_onset") == "Onset"
        assert evidence.word("severity", "severe") == "Severe"
        with clock.frozen(NOW):
            assert evidence.word("date_onset", "2020-02-10") == "10 Feb"
