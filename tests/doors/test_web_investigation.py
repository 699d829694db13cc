"""The pages of an investigation: opened, drafted, judged, closed, and its report as a file."""

from __future__ import annotations

from datetime import date, time
from io import BytesIO
from typing import Any

import pytest
from django.urls import reverse
from pypdf import PdfReader

from bihuan.registry import clock, scope
from bihuan.tracing.actions.investigate import EntryInput, add_entry
from bihuan.tracing.models import Investigation, SourceHypothesis, TrackEntry
from tests.cast import COUNTY, Cast, Member
from tests.doors.web_room import logged_in
from tests.rooms.care_room import do, duties, local
from tests.rooms.investigation_room import CASE, UNKNOWN, a_case, market, opened, visited

pytestmark = [pytest.mark.in_office_since(local("02-01 08:00")), pytest.mark.usefixtures("own_home")]

NOW = "02-12 18:00"


@pytest.fixture
def world(cast: Cast) -> Investigation:
    with cast.officer.acting():
        market(cast.officer)
    visited([(CASE, "market", "02-10 09:00", 60), (UNKNOWN, "market", "02-10 09:30", 30)])
    return opened(cast.officer, a_case(cast.officer))


def get(member: Member, name: str, *args: Any, **query: Any) -> Any:
    with clock.frozen(local(NOW)):
        return logged_in(member).get(reverse(f"web:{name}", args=args), query)


def post(member: Member, name: str, *args: Any, **data: Any) -> Any:
    with clock.frozen(local(NOW)):
        return logged_in(member).post(reverse(f"web:{name}", args=args), data, follow=True)


def test_it_is_opened_from_the_case(cast: Cast) -> None:
    case = a_case(cast.officer)
    page = get(cast.officer, "person", case.person.public_id)
    assert reverse("web:investigation_new", args=[case.public_id]) in page.content.decode()
    page = post(cast.officer, "investigation_new", case.public_id, purpose="查明密接", legal_basis="")
    with scope.system():
        made = Investigation.objects.get(case=case)
    assert page.redirect_chain[-1][0] == reverse("web:investigation", args=[made.public_id])
    assert "查明密接" in page.content.decode()
    again = post(cast.officer, "investigation_new", case.public_id, purpose="再来")
    assert again.redirect_chain[-1][0] == reverse("web:investigation", args=[made.public_id])
    assert "正在进行" in again.content.decode() or made.public_id in again.content.decode()


def test_a_case_without_a_day_of_onset_says_from_when_it_asks(cast: Cast) -> None:
    one = opened(cast.officer, a_case(cast.officer, date_onset=None))
    assert "无发病日期" in get(cast.officer, "investigation_new", one.case.public_id).content.decode()
    assert "发病日期不详" in get(cast.officer, "investigation", one.public_id).content.decode()


def test_the_list_shows_the_clock(cast: Cast, world: Investigation) -> None:
    body = get(cast.officer, "investigations").content.decode()
    assert reverse("web:investigation", args=[world.public_id]) in body
    assert "李芳" not in body, "lists name nobody in full"
    with clock.frozen(local("02-14 18:00")):
        late = logged_in(cast.officer).get(reverse("web:investigations"), {"status": "late"}).content.decode()
    assert world.public_id in late


def test_drafted_entries_are_judged_and_the_days_missing_named(cast: Cast, world: Investigation) -> None:
    drafted = post(cast.officer, "investigation_do", world.public_id, "draft", purpose="查行踪")
    body = drafted.content.decode()
    assert "张湾市场" in body and "未确认" in body  # noqa: PT018
    with scope.system():
        entry = TrackEntry.objects.get()
    assert entry.certainty == "unconfirmed"
    post(cast.officer, "investigation_do", world.public_id, "judge", entry=entry.pk, certainty="confirmed")
    refused = post(
        cast.officer, "investigation_do", world.public_id, "close", summary="", at="2020-02-12T17:30"
    )
    assert refused.status_code == 422
    assert "2020-02-11, 2020-02-12" in refused.content.decode()
    closed = post(
        cast.officer, "investigation_do", world.public_id, "close", summary="市场感染", at="2020-02-12T17:30",
        no_track_reason="病重不能问",
    )  # fmt: skip
    assert closed.status_code == 200
    with scope.system():
        assert Investigation.objects.get().status == "closed"
        assert duties(world.case.public_id)["investigation#1"].state == 1


def test_a_carriers_record_is_drafted_as_one_and_bears_out_nothing(cast: Cast) -> None:
    with cast.officer.acting():
        market(cast.officer, "G1234", kind="coach")
    visited([(CASE, "G1234", "02-10 09:00", 60)], how=[8])
    world = opened(cast.officer, a_case(cast.officer))
    body = post(cast.officer, "investigation_do", world.public_id, "draft", purpose="查行踪").content.decode()
    assert "乘运记录 · 乘运方登记，未证实" in body


def test_an_entry_is_told_by_hand_and_changed(cast: Cast, world: Investigation) -> None:
    told = {
        "day": "2020-02-11", "begin": "08:00", "end": "09:30", "place_text": "单位", "setting": "workplace",
        "source": "interview", "certainty": "likely", "companions": "同事王某",
    }  # fmt: skip
    body = post(cast.officer, "investigation_do", world.public_id, "entry", **told).content.decode()
    assert "08:00–09:30" in body
    with scope.system():
        entry = TrackEntry.objects.get()
        assert entry.from_at == local("02-11 08:00")
    changed = post(
        cast.officer, "investigation_entry", world.public_id, entry.pk, **(told | {"place_text": "工厂"})
    )
    assert "工厂" in changed.content.decode()
    wrong = post(cast.officer, "investigation_do", world.public_id, "entry", **(told | {"end": "07:00"}))
    assert wrong.status_code == 422
    assert "跨过午夜" in wrong.content.decode()


def form_of(member: Member, one: Investigation, entry: TrackEntry) -> dict[str, Any]:
    """The form of an entry as it is shown, to be sent as it is."""
    page = get(member, "investigation_entry", one.public_id, entry.pk)
    told = {field.html_name: field.value() for field in page.context["form"]}
    told = {name: value for name, value in told.items() if value not in (None, "")}
    return {name: f"{v:%H:%M}" if hasattr(v, "hour") else v for name, v in told.items()} | {
        "read": page.context["read"]
    }


@pytest.mark.parametrize(
    "told",
    [
        {"day": date(2020, 2, 10), "end_day": date(2020, 2, 12), "setting": "home"},
        {"day": date(2020, 2, 11), "part": "evening", "place_text": "父母家"},
        {"day": date(2020, 2, 10), "begin": time(22), "end": time(1), "end_day": date(2020, 2, 11),
         "place_text": "网吧"},
        {"day": date(2020, 2, 10), "begin": time(22), "place_text": "网吧"},
    ],
)  # fmt: skip
def test_an_entry_saved_as_it_is_shown_stays_as_it_was(
    cast: Cast, world: Investigation, told: dict[str, Any]
) -> None:
    made = do(cast.officer, NOW, add_entry, world.public_id, EntryInput(**told))
    before = (made.from_at, made.to_at, made.precision)
    page = post(
        cast.officer, "investigation_entry", world.public_id, made.pk, **form_of(cast.officer, world, made)
    )
    assert page.redirect_chain
    with scope.system():
        made.refresh_from_db()
    assert (made.from_at, made.to_at, made.precision) == before


def test_two_who_change_one_entry_do_not_write_over_each_other_unseen(
    cast: Cast, world: Investigation
) -> None:
    made = do(cast.officer, NOW, add_entry, world.public_id, EntryInput(date(2020, 2, 10), place_text="单位"))
    mine, hers = form_of(cast.officer, world, made), form_of(cast.officer, world, made)
    post(cast.officer, "investigation_entry", world.public_id, made.pk, **(hers | {"place_text": "工厂"}))
    address = ("investigation_entry", world.public_id, made.pk)
    refused = post(cast.officer, *address, **(mine | {"companions": "同事王某"}))
    body = refused.content.decode()
    assert refused.status_code == 422
    assert "已有他人修改" in body and "工厂" in body and "同事王某" in body  # noqa: PT018
    mine["read"] = refused.context["read"]
    post(cast.officer, *address, **(mine | {"companions": "同事王某"}))
    with scope.system():
        made.refresh_from_db()
    assert (made.place_text, made.companions) == ("单位", "同事王某")


def test_one_opened_for_the_wrong_case_is_undone_on_its_page(cast: Cast, world: Investigation) -> None:
    post(cast.officer, "investigation_do", world.public_id, "draft", purpose="查行踪")
    body = get(cast.officer, "investigation", world.public_id).content.decode()
    assert "按误开撤销" in body
    done = post(cast.officer, "investigation_do", world.public_id, "withdraw", reason="同名病例")
    body = done.content.decode()
    assert "误开流调" in body and "同名病例" in body  # noqa: PT018
    person = get(cast.officer, "person", world.case.person.public_id).content.decode()
    assert reverse("web:investigation_new", args=[world.case.public_id]) in person


def test_an_entry_sent_twice_stands_once(cast: Cast, world: Investigation) -> None:
    told = {
        "day": "2020-02-11", "begin": "08:00", "end": "09:30", "place_text": "单位", "setting": "workplace",
        "source": "interview", "certainty": "likely",
    }  # fmt: skip
    for _again in range(2):
        post(cast.officer, "investigation_do", world.public_id, "entry", **told)
    post(cast.officer, "investigation_do", world.public_id, "entry", **(told | {"companions": "张某"}))
    with scope.system():
        assert TrackEntry.objects.count() == 2, "what says something else is another entry"
    source = {"kind": "place", "standing": "possible", "text": "张湾市场", "reasons": "两例同日"}
    for _again in range(2):
        post(cast.officer, "investigation_do", world.public_id, "hypothesis", **source)
    with scope.system():
        assert SourceHypothesis.objects.count() == 1


def test_the_report_tells_the_track_in_both_languages_and_that_it_left(
    cast: Cast, world: Investigation
) -> None:
    from bihuan.registry import audit

    told = EntryInput(local("02-10 00:00").date(), place_text="姐姐家", companions="王某某")
    do(cast.officer, NOW, add_entry, world.public_id, told)
    answer = post(cast.officer, "investigation_report", world.public_id)
    assert answer["Content-Type"] == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
    for word in ("李芳", "姐姐家", "王某某", "个案流行病学调查报告", world.public_id):
        assert word in text
    with scope.system():
        looks = audit.who_looked(world.case.person_id)
    assert any("文件" in look.purpose for look in looks)
    client = logged_in(cast.officer)
    client.cookies["django_language"] = "en"
    with clock.frozen(local(NOW)):
        english = client.post(reverse("web:investigation_report", args=[world.public_id]))
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(english.content)).pages)
    assert "Case investigation report" in text and "姐姐家" in text  # noqa: PT018


def test_a_command_post_exports_the_report_without_names(cast: Cast, world: Investigation) -> None:
    told = EntryInput(local("02-10 00:00").date(), place_text="姐姐家", companions="王某某")
    do(cast.officer, NOW, add_entry, world.public_id, told)
    answer = post(cast.command, "investigation_report", world.public_id)
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
    assert "姐姐家" in text
    assert "李芳" not in text
    assert "王某某" not in text


@pytest.mark.parametrize("who", ["neighbor", "grid", "doctor", "inspector", "administrator"])
def test_nobody_else_finds_it(cast: Cast, world: Investigation, who: str) -> None:
    member = getattr(cast, who)
    for name in ("investigation",):
        assert get(member, name, world.public_id).status_code in (403, 404)
    assert post(member, "investigation_report", world.public_id).status_code in (403, 404)
    assert post(member, "investigation_do", world.public_id, "draft", purpose="x").status_code in (403, 404)


def test_a_command_post_reads_and_does_not_write(cast: Cast, world: Investigation) -> None:
    page = get(cast.command, "investigation", world.public_id)
    assert page.status_code == 200
    assert 'form="judge"' not in page.content.decode()
    assert cast.command.territory_code.startswith(COUNTY)
    assert post(cast.command, "investigation_do", world.public_id, "draft", purpose="x").status_code == 403
