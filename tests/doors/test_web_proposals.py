"""Contacts of a case on the page: listed with why, decided with a criterion, and what is refused."""

from __future__ import annotations

import csv
import re
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from pypdf import PdfReader

from bihuan.care.queries import person_page
from bihuan.doors.web.namings import Naming, namings
from bihuan.doors.web.proposal_forms import NameForm
from bihuan.registry import audit, clock, scope, territory
from bihuan.registry.secrets import keyring
from bihuan.tracing import visits
from bihuan.tracing.actions.investigate import close_investigation
from bihuan.tracing.models import Contact, ContactProposal, Investigation, Place, Stranger, VisitLook
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.queries.gates import stranger_place
from bihuan.tracing.queries.investigations import find_investigation
from tests.cast import COMMUNITY, GRID, NEXT_COUNTY, Cast, Member
from tests.doors.web_room import browser
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import (
    CASE,
    NEXT,
    UNKNOWN,
    ZHOU,
    a_case,
    market,
    opened,
    registered,
    visited,
)

pytestmark = [pytest.mark.in_office_since(local("02-01 08:00")), pytest.mark.usefixtures("own_home")]

NOW = "02-12 18:00"
MISTYPED = ZHOU[:-1] + ("1" if ZHOU[-1] != "1" else "2")  # its check digit is wrong
VISITS = [
    (CASE, "market", "02-10 09:00", 60), (ZHOU, "market", "02-10 09:10", 40),
    (NEXT, "market", "02-10 09:30", 20), (UNKNOWN, "market", "02-10 09:50", 10),
]  # fmt: skip


@pytest.fixture
def world(cast: Cast) -> Investigation:
    """An open investigation whose case met 周小明, somebody of the next county, and a number of nobody."""
    with cast.officer.acting():
        market(cast.officer)
    visited(VISITS)
    registered("周小明", ZHOU)
    registered("孙晓梅", NEXT, territory_code=f"{NEXT_COUNTY}001")
    return opened(cast.officer, a_case(cast.officer))


@pytest.fixture
def found(cast: Cast, world: Investigation) -> dict[str, str]:
    """Public id of each proposal: zhou, next (lives elsewhere), nobody."""
    post(cast.officer, "proposals_do", world.public_id, "find", purpose="找出密接")
    with scope.system():
        rows = list(ContactProposal.objects.all())
    return {("zhou" if p.person_id else "next" if p.county else "nobody"): p.public_id for p in rows}


def get(member: Member, name: str, *args: Any, when: str = NOW, **query: Any) -> Any:
    with clock.frozen(local(when)):
        return browser(member).get(reverse(f"web:{name}", args=args), query)


def post(member: Member, page: str, *args: Any, **data: Any) -> Any:
    with clock.frozen(local(NOW)):
        return browser(member).post(reverse(f"web:{page}", args=args), data, follow=True)


def decide(member: Member, one: Investigation, what: str, *ids: str, **told: Any) -> Any:
    return post(member, "proposals_do", one.public_id, what, proposal=list(ids), **told)


def read(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def close(cast: Cast, one: Investigation) -> None:
    do(cast.officer, NOW, close_investigation, one.public_id, summary="s", no_track_reason="拒绝配合")


def test_an_empty_list_says_what_brings_names(cast: Cast, world: Investigation) -> None:
    body = read(get(cast.officer, "proposals", world.public_id))
    assert "还没有人被列出" in body or "尚无" in body
    assert reverse("web:proposals_do", args=[world.public_id, "find"]) in body


def test_each_part_lists_its_own_and_says_why(cast: Cast, world: Investigation, found: Any) -> None:
    body = read(get(cast.officer, "proposals", world.public_id))
    assert "周*明" in body
    assert "周小明" not in body, "lists name nobody in full"
    assert "02-10 09:10–09:50" in body and "张湾市场" in body and "40" in body  # noqa: PT018
    for part, mine, others in (
        ("unknown", "nobody", ("zhou", "next")),
        ("elsewhere", "next", ("zhou", "nobody")),
    ):
        page = read(get(cast.officer, "proposals", world.public_id, part=part))
        assert found[mine] in page
        assert not any(found[other] in page for other in others)
    elsewhere = read(get(cast.officer, "proposals", world.public_id, part="elsewhere"))
    assert "茅箭区" in elsewhere
    assert "孙" not in elsewhere, "only the county is told of somebody who lives elsewhere"


def test_records_kept_for_an_open_investigation_are_not_said_to_have_gone(
    cast: Cast, world: Investigation, found: Any
) -> None:
    with scope.system():
        person = ContactProposal.objects.get(public_id=found["zhou"]).person.public_id
    assert "删除" in read(get(cast.officer, "person", person))
    later = read(get(cast.officer, "person", person, when="03-20 12:00"))
    assert "仍需要而继续保存" in later
    assert "于 2月25日 删除" not in later


def test_a_name_whose_days_of_observation_are_over_says_so(
    cast: Cast, world: Investigation, found: Any
) -> None:
    words = "观察期已于 2020-02-24 届满"
    assert words not in read(get(cast.officer, "proposals", world.public_id))
    assert words in read(get(cast.officer, "proposals", world.public_id, when="03-01 12:00"))


def test_a_long_list_says_that_it_goes_on_and_the_file_holds_everybody(
    cast: Cast, world: Investigation, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page() -> Any:
        return get(cast.officer, "proposals", world.public_id, part="unknown")

    def names() -> list[str]:
        file = get(cast.officer, "proposals", world.public_id, part="unknown", export="csv")
        return [row["待判定编号"] for row in table(file)]

    with scope.system():
        ContactProposal.objects.update(person=None, county="")
    whole = names()
    assert sorted(whole) == sorted(found.values())
    assert "按得分由高到低显示前" not in read(page())
    monkeypatch.setattr(reads, "MOST", 1)
    assert "按得分由高到低显示前 1 人" in read(page())
    assert names() == whole


def test_filters_narrow_the_list(cast: Cast, world: Investigation, found: Any) -> None:
    def lists(**query: Any) -> bool:
        return found["zhou"] in read(get(cast.officer, "proposals", world.public_id, **query))

    assert lists(minutes=40, place="market", setting="market")
    assert not lists(minutes=41)
    assert not lists(place="bath")
    assert not lists(setting="dining")
    assert not lists(score="1")
    assert lists(minutes="many", part="nonsense"), "what cannot be read narrows nothing"


def test_confirming_without_a_criterion_says_what_to_do(cast: Cast, world: Investigation, found: Any) -> None:
    wrong = (
        ({"reason": "同桌"}, "请选择据以判定密接的标准"),
        ({"criterion": "other", "reason": " "}, "理由随决定留存"),
        ({"criterion": "nonsense", "reason": "x"}, "nonsense"),
    )
    for told, says in wrong:
        answer = decide(cast.officer, world, "confirm", found["zhou"], **told)
        assert answer.status_code == 422, told
        assert says in read(answer)
    assert decide(cast.officer, world, "confirm", criterion="other", reason="x").status_code == 422
    with scope.system():
        assert not Contact.objects.exists()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_where_somebody_named_lives_is_filled_in_so_that_it_is_found_again(
    cast: Cast, world: Investigation, language: str
) -> None:
    with translation.override(language), cast.officer.acting():
        told = NameForm(investigation=world)["territory"].value()
        assert (territory.find(told) or territory.one_by_name(told)).code == GRID
    named = {"name": "张三", "territory": told, "setting": "home", "day": "2020-02-11"}
    post(cast.officer, "proposals_do", world.public_id, "name", **named)
    with scope.system():
        assert ContactProposal.objects.get(person__name="张三").person.territory_code == GRID


def test_a_wrong_number_of_somebody_named_is_said_where_it_was_typed(
    cast: Cast, world: Investigation
) -> None:
    named = {
        "name": "张三",
        "territory": GRID,
        "setting": "home",
        "day": "2020-02-11",
        "id_number": MISTYPED,
    }
    answer = post(cast.officer, "proposals_do", world.public_id, "name", **named)
    form = answer.context["name_form"]
    assert answer.status_code == 422
    assert list(form.errors) == ["id_number"]


def test_wrong_lines_of_a_passenger_list_are_named_with_what_is_wrong(
    cast: Cast, world: Investigation
) -> None:
    text = f"name,id_number,carriage,row\n王五,{ZHOU},5,12\n赵六,{MISTYPED},5,13\n"
    told = {"kind": "train", "vehicle": "G1234", "day": "2020-02-11", "carriage": "5", "row": "12"}
    file = SimpleUploadedFile("list.csv", text.encode())
    answer = post(cast.officer, "proposals_do", world.public_id, "manifest", file=file, **told)
    (said,) = answer.context["manifest_form"].non_field_errors()
    assert answer.status_code == 422
    assert said.startswith("第 3 行：")
    assert "赵六" not in said


def test_a_list_without_names_says_what_it_needs_once(cast: Cast, world: Investigation) -> None:
    told = {"kind": "train", "vehicle": "G1234", "day": "2020-02-11"}
    file = SimpleUploadedFile("list.csv", b"foo,bar\n1,2\n")
    answer = post(cast.officer, "proposals_do", world.public_id, "manifest", file=file, **told)
    assert read(answer).count("列：姓名、身份证号") == 1


def test_whoever_closes_is_told_how_many_names_are_not_decided_about(
    cast: Cast, world: Investigation, found: Any
) -> None:
    assert "还有 3 人未判定" in read(get(cast.officer, "investigation", world.public_id))
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌")
    assert "还有 2 人未判定" in read(get(cast.officer, "investigation", world.public_id))
    decide(cast.officer, world, "dismiss", found["next"], found["nobody"], reason="隔街")
    assert "未判定" not in read(get(cast.officer, "investigation", world.public_id))


def test_confirmed_in_another_tab_meanwhile_is_said(cast: Cast, world: Investigation, found: Any) -> None:
    told = {"criterion": "other", "reason": "同桌"}
    assert "此前已判定" not in read(decide(cast.officer, world, "confirm", found["zhou"], **told))
    again = read(decide(cast.officer, world, "confirm", found["zhou"], **told))
    assert "1 人此前已判定" in again
    assert "已判定密接 0 人" not in again


def test_the_page_of_a_contact_says_why_as_far_as_the_reader_sees(
    cast: Cast, world: Investigation, found: Any
) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    with scope.system():
        contact = Contact.objects.select_related("person").get()
    where = "02-10 09:10–09:50"
    page = read(get(cast.officer, "person", contact.person.public_id))
    for text in ("为何是密切接触者", "流调人员判定", "同桌交谈", cast.officer.actor.name, where):
        assert text in page, text
    assert reverse("web:proposal", args=[found["zhou"]]) in page
    street = read(get(cast.community, "person", contact.person.public_id))
    assert "同桌交谈" in street
    assert where not in street, "those who follow up need not know where"
    assert reverse("web:proposal", args=[found["zhou"]]) not in street
    close(cast, world)
    page = read(get(cast.officer, "person", contact.person.public_id))
    assert "同桌交谈" in page
    assert where not in page, "no whereabouts once the investigation is over"


def test_a_contact_told_otherwise_says_what_was_recorded(cast: Cast, world: Investigation) -> None:
    from bihuan.tracing.actions import ContactInput, confirm_contact

    person = registered("冯梅", "").public_id
    given = ContactInput(
        person=person, case=world.case.public_id, territory_code=COMMUNITY, criterion="共同居住"
    )
    do(cast.officer, NOW, confirm_contact, given)
    page = read(get(cast.officer, "person", person))
    assert "为何是密切接触者" in page
    assert "共同居住" in page
    assert world.case.public_id in page


def test_a_contact_told_of_a_list_and_then_decided_on_says_both(
    cast: Cast, world: Investigation, found: Any
) -> None:
    from bihuan.tracing.actions import ContactInput, confirm_contact

    with scope.system():
        zhou = ContactProposal.objects.get(public_id=found["zhou"]).person.public_id
    listed = ContactInput(person=zhou, territory_code=COMMUNITY, criterion="household: 名单所列同住")
    do(cast.officer, NOW, confirm_contact, listed)
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    page = read(get(cast.officer, "person", zhou))
    for text in ("名单所列同住", "同桌交谈", world.case.public_id):
        assert text in page, text
    rows = table(get(cast.officer, "contacts", export="csv"))
    assert [row["判定依据"] for row in rows] == ["同住或同室: 名单所列同住; 流调人员判定: 同桌交谈"]
    assert world.case.public_id in rows[0]["来源病例"]


def table(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


def printed(answer: Any) -> str:
    pages = PdfReader(BytesIO(answer.content)).pages
    return "".join(page.extract_text() for page in pages).replace("\n", "")


def test_every_name_that_leaves_as_a_file_says_why(cast: Cast, world: Investigation, found: Any) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    [row] = table(get(cast.officer, "contacts", export="csv"))
    assert row["来源病例"] == world.case.public_id
    assert (row["判定依据"], row["接触地点"]) == ("流调人员判定: 同桌交谈", "张湾市场")
    assert row["判定人"]

    [row] = table(get(cast.officer, "proposals", world.public_id, part="confirmed", export="csv"))
    told = [row[name] for name in ("人员", "来源病例", "判定标准", "理由", "分钟")]
    assert told == ["周*明", world.case.public_id, "流调人员判定", "同桌交谈", "40"]
    assert "02-10 09:10–09:50 在 张湾市场" in row["时间地点"]
    assert row["判定人"] == cast.officer.actor.name
    with scope.system():
        person = Contact.objects.get().person_id
        assert any("密接名单文件" in look.purpose for look in audit.who_looked(person))
    assert get(cast.community, "proposals", world.public_id, export="csv").status_code == 403

    text = printed(post(cast.officer, "investigation_report", world.public_id))
    for word in (
        "周小明",
        "流调人员判定",
        "同桌交谈",
        "02-10 09:10–09:50",
        "同处 40 分钟",
        cast.officer.actor.name,
    ):
        assert word in text, word
    close(cast, world)
    text = printed(post(cast.officer, "investigation_report", world.public_id))
    assert "同桌交谈" in text
    assert "09:10" not in text, "no hours once the investigation is over"
    [row] = table(get(cast.officer, "proposals", world.public_id, part="confirmed", export="csv"))
    assert (row["理由"], row["时间地点"]) == ("同桌交谈", "")


def test_who_does_not_see_health_cannot_ask_for_the_contacts_of_a_case(
    cast: Cast, world: Investigation, found: Any
) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    with scope.system():
        contact = Contact.objects.get().public_id
    one, other = world.case.public_id, "C-0000000000"
    assert contact in read(get(cast.officer, "contacts", case=one))
    assert contact not in read(get(cast.officer, "contacts", case=other))
    for case in (one, other):
        body = read(get(cast.inspector, "contacts", case=case))
        assert contact in body, "the filter is none of hers, and narrows nothing"
        assert "同桌交谈" not in body


def test_who_does_not_see_health_is_told_by_whom_somebody_was_named_and_not_why(
    cast: Cast, world: Investigation, found: Any
) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    with scope.system():
        person = Contact.objects.get().person.public_id
    page = read(get(cast.officer, "person", person))
    with cast.officer.acting():
        held = person_page(person)
        [whole] = namings(held, frozenset({"operational", "health", "location"}))
        [less] = namings(held, frozenset({"operational", "location"}))
    assert (whole.reason, whole.case, less.by, less.at) == (
        "同桌交谈",
        world.case.public_id,
        whole.by,
        whole.at,
    )
    assert less == Naming(whole.contact, whole.by, whole.at)
    words = render_to_string("web/person/namings.html", {"namings": [less]})
    assert "仅对可见健康信息的岗位显示" in words
    for text in ("同桌交谈", "流调人员判定", "2020-02-10"):
        assert text in page
        assert text not in words, text


def test_what_was_chosen_and_written_stays_when_it_cannot_be_done(
    cast: Cast, world: Investigation, found: Any
) -> None:
    decide(cast.officer, world, "dismiss", found["nobody"], reason="未停留")
    answer = decide(
        cast.officer,
        world,
        "confirm",
        found["zhou"],
        found["nobody"],
        criterion="other",
        reason="同桌交谈一小时",
    )
    assert answer.status_code == 409
    body = read(answer)
    assert "已排除" in body and "同桌交谈一小时" in body  # noqa: PT018
    assert re.search(rf'value="{found["zhou"]}"[^>]* checked', body)
    assert re.search(r'<option value="other" selected', body)
    again = get(cast.officer, "proposals_do", world.public_id, "confirm")
    assert again.status_code == 302, "the address opened again leads to the list"


def test_dismissed_ones_move_and_can_be_decided_again(cast: Cast, world: Investigation, found: Any) -> None:
    assert decide(cast.officer, world, "dismiss", found["zhou"], reason="").status_code == 422
    decide(cast.officer, world, "dismiss", found["zhou"], reason="隔窗")
    assert found["zhou"] not in read(get(cast.officer, "proposals", world.public_id))
    page = read(get(cast.officer, "proposals", world.public_id, part="dismissed"))
    assert found["zhou"] in page
    assert "隔窗" in page
    decide(cast.officer, world, "reconsider", found["zhou"], reason="同桌")
    assert found["zhou"] in read(get(cast.officer, "proposals", world.public_id))


def test_for_somebody_elsewhere_a_request_is_made(cast: Cast, world: Investigation, found: Any) -> None:
    decide(cast.officer, world, "send", found["next"], need="place_under_observation", reason="密接")
    with scope.system():
        request = ContactProposal.objects.get(public_id=found["next"]).request
    page = read(get(cast.officer, "proposals", world.public_id, part="sent"))
    assert reverse("web:assistance_one", args=[request]) in page
    assert get(cast.officer, "assistance_one", request).status_code == 200


def test_a_naming_in_error_is_taken_back(cast: Cast, world: Investigation, found: Any) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌")
    answer = post(cast.officer, "proposal", found["zhou"], do="take_back", reason="认错人")
    assert answer.redirect_chain[-1][0] == reverse("web:proposals", args=[world.public_id])
    with scope.system():
        contact = Contact.objects.select_related("person").get()
        told = find_investigation(world.public_id)
    assert contact.release_reason == "named_in_error"
    assert told.contacts == 0, "taken back, she is not counted"
    assert "认错人" in read(get(cast.officer, "proposal", found["zhou"]))
    page = read(get(cast.officer, "person", contact.person.public_id))
    assert reverse("web:proposal", args=[found["zhou"]]) not in page
    assert '<span class="is-done">✓</span>' not in page.split('class="strip"')[1].split("</ol>")[0]


def test_a_closed_investigation_shows_decisions_and_no_whereabouts(
    cast: Cast, world: Investigation, found: Any
) -> None:
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌交谈")
    close(cast, world)
    page = read(get(cast.officer, "proposals", world.public_id, part="confirmed"))
    assert "同桌交谈" in page
    assert "已结束：只显示决定，不显示行踪" in page
    assert "09:10" not in page
    assert "09:10" not in read(get(cast.officer, "proposal", found["zhou"]))
    assert "张湾市场" not in page, "a filter would tell it too"
    by_place = read(get(cast.officer, "proposals", world.public_id, part="confirmed", place="nowhere"))
    assert "周*明" in by_place, "nor does one that is asked for by hand"
    assert decide(cast.officer, world, "dismiss", found["nobody"], reason="x").status_code == 409


@pytest.mark.parametrize("who", ["neighbor", "other_city", "community", "grid", "doctor", "inspector"])
def test_nobody_else_finds_them(cast: Cast, world: Investigation, found: Any, who: str) -> None:
    member = getattr(cast, who)
    refused = (404,) if who in ("neighbor", "other_city") else (403, 404)
    assert get(member, "proposals", world.public_id).status_code in refused
    assert get(member, "proposal", found["zhou"]).status_code in refused
    assert (
        decide(member, world, "confirm", found["zhou"], criterion="other", reason="x").status_code in refused
    )
    with scope.system():
        assert not Contact.objects.exists()


def test_who_read_the_list_stands_with_those_on_it(cast: Cast, world: Investigation, found: Any) -> None:
    get(cast.colleague, "proposals", world.public_id)
    with scope.system():
        zhou = ContactProposal.objects.get(public_id=found["zhou"]).person_id
        looks = [look for look in audit.who_looked(zhou) if world.public_id in look.purpose]
    assert {look.who for look in looks} >= {cast.colleague.actor.name, cast.officer.actor.name}


# --- what gates registered ----------------------------------------------------------------------------


def at_a_gate(cast: Cast, **told: str) -> None:
    """A gate of the county registered the number of nobody."""
    with scope.system():
        place, number = Place.objects.get(), visits.number_of(UNKNOWN, with_key=visits.key())
        text = "{" + ", ".join(f'"{k}": "{v}"' for k, v in told.items()) + "}"
        Stranger.objects.create(
            place=place, territory_code=place.territory_code, event=7, key=number, at=local("02-10 09:50"),
            told=keyring().encrypt(text, place=stranger_place(place.pk, 7)),
        )  # fmt: skip


def test_what_a_gate_registered_fills_the_form_and_the_look_is_noted(
    cast: Cast, world: Investigation, found: Any
) -> None:
    at_a_gate(cast, name="吴远", phone="13871234567", origin="襄阳", purpose="送货")
    page = read(get(cast.officer, "proposal", found["nobody"]))
    assert "查看入口登记的信息" in page
    assert "吴远" not in page
    answer = post(cast.officer, "proposal", found["nobody"], do="registered", purpose="核实身份")
    page = read(answer)
    assert 'value="吴远"' in page and 'value="13871234567"' in page and "襄阳" in page  # noqa: PT018
    assert "送货" not in page, "no more than is needed"
    with scope.system():
        look = VisitLook.objects.get(kind="stranger")
        assert (look.rows, look.purpose, look.by_name) == (1, "核实身份", cast.officer.actor.name)
        looks = audit.who_looked(world.case.person_id)
    assert any("核实身份" in look.purpose for look in looks)
    post(cast.officer, "proposal", found["nobody"], name="吴远", phone="13871234567", territory=COMMUNITY)
    with scope.system():
        assert ContactProposal.objects.get(public_id=found["nobody"]).person.name == "吴远"


def test_no_gate_registered_the_number(cast: Cast, world: Investigation, found: Any) -> None:
    page = read(post(cast.officer, "proposal", found["nobody"], do="registered", purpose="核实身份"))
    assert "入口未登记过此编号" in page
    with scope.system():
        assert VisitLook.objects.get(kind="stranger").rows == 0


def test_gates_are_not_asked_without_purpose_right_or_open_investigation(
    cast: Cast, world: Investigation, found: Any
) -> None:
    at_a_gate(cast, name="吴远", phone="13871234567")

    def asked(member: Member, which: str = "nobody", purpose: str = "核实身份") -> Any:
        answer = post(member, "proposal", found[which], do="registered", purpose=purpose)
        assert "吴远" not in read(answer)
        return answer.status_code

    assert asked(cast.officer, purpose=" ") == 422
    assert asked(cast.officer, "zhou") == 409
    assert asked(cast.officer, "next") == 409
    assert asked(cast.command) == 403
    assert asked(cast.neighbor) == 404
    close(cast, world)
    assert "查看入口登记的信息" not in read(get(cast.officer, "proposal", found["nobody"]))
    assert asked(cast.officer) == 409
    with scope.system():
        assert not VisitLook.objects.filter(kind="stranger").exists()


def test_many_are_asked_about_at_once_and_whose_name_came_up_can_be_decided_about(
    cast: Cast, world: Investigation, found: Any
) -> None:
    at_a_gate(cast, name="吴远", phone="13871234567", origin="襄阳")
    page = read(get(cast.officer, "proposals", world.public_id, part="unknown"))
    assert reverse("web:proposals_do", args=[world.public_id, "ask"]) in page
    assert 'data-wait="正在查询入口登记"' in page
    answer = decide(cast.officer, world, "ask", found["nobody"], purpose="核实身份", kept="part=unknown")
    assert answer.redirect_chain[-1][0].endswith("?part=open")
    page = read(answer)
    assert "查到 1 人在入口自报的姓名，未经核实，请先电话核实再判定。" in page
    assert "姓名为入口自报" in page
    assert found["nobody"] in page
    assert "吴远" not in page, "lists name nobody in full"
    one = read(get(cast.officer, "proposal", found["nobody"]))
    assert "请先电话核实再判定" in one
    assert "吴远" in one
    assert "13871234567" in one, "nobody is called without a number"
    with scope.system():
        wu = ContactProposal.objects.get(public_id=found["nobody"]).person_id
        assert {"name", "phone"} in [set(look.fields) for look in audit.who_looked(wu)]
    again = read(decide(cast.officer, world, "ask", found["nobody"], purpose="核实身份"))
    assert "所选人员的身份均已知晓" in again
    with scope.system():
        assert VisitLook.objects.filter(kind="stranger").count() == 1
    decide(
        cast.officer, world, "confirm", found["nobody"], found["zhou"], criterion="other", reason="电话核实"
    )
    with scope.system():
        assert Contact.objects.filter(person__name="吴远").exists()


def test_whom_no_gate_registered_stays_listed_and_the_place_to_ask_is_named(
    cast: Cast, world: Investigation, found: Any
) -> None:
    answer = decide(cast.officer, world, "ask", found["nobody"], purpose="核实身份", kept="part=unknown")
    page = read(answer)
    assert answer.redirect_chain[-1][0].endswith("?part=unknown")
    assert "请向场所索取登记簿，再录入身份。张湾市场 (1)" in page
    assert found["nobody"] in page


def test_what_was_chosen_stays_where_the_purpose_is_missing_and_who_may_not_look_is_not_offered_it(
    cast: Cast, world: Investigation, found: Any
) -> None:
    at_a_gate(cast, name="吴远")
    answer = decide(cast.officer, world, "ask", found["nobody"], purpose=" ", kept="part=unknown")
    assert answer.status_code == 422
    assert re.search(rf'value="{found["nobody"]}"[^>]* checked', read(answer))
    assert decide(cast.officer, world, "ask", purpose="核实身份").status_code == 422
    assert decide(cast.command, world, "ask", found["nobody"], purpose="x").status_code == 403
    assert decide(cast.neighbor, world, "ask", found["nobody"], purpose="x").status_code == 404
    close(cast, world)
    page = read(get(cast.officer, "proposals", world.public_id, part="unknown"))
    assert reverse("web:proposals_do", args=[world.public_id, "ask"]) not in page
    assert decide(cast.officer, world, "ask", found["nobody"], purpose="x").status_code == 409
    with scope.system():
        assert not VisitLook.objects.filter(kind="stranger").exists()


def test_all_names_a_list_can_hold_can_be_chosen_at_once(cast: Cast, world: Investigation) -> None:
    many = [f"T-{n:010d}" for n in range(2_000)]
    assert decide(cast.officer, world, "ask", *many, purpose="x").status_code == 404
    assert decide(cast.officer, world, "confirm", *many, criterion="other", reason="x").status_code == 404


# --- indicators ---------------------------------------------------------------------------------------


def test_indicators_of_an_empty_territory_claim_nothing(cast: Cast) -> None:
    page = read(get(cast.officer, "contact_indicators"))
    values = re.findall(r'<td class="num lead strong [\w-]*">([^<]*)</td>', page)
    assert len(values) == page.count("0 / 0") > 5
    assert set(values) == {"–"}, "nothing divided by nothing is no share"


def test_indicators_count_what_happened(cast: Cast, world: Investigation, found: Any) -> None:
    before = read(get(cast.officer, "contact_indicators", when="02-12 17:30"))
    decide(cast.officer, world, "confirm", found["zhou"], criterion="other", reason="同桌")
    page = read(get(cast.officer, "contact_indicators", when="02-12 19:00"))
    assert "0 / 1" in page
    assert page != before
    assert get(cast.grid, "contact_indicators").status_code in (403, 404)


def test_where_no_minutes_together_are_known_none_are_claimed() -> None:
    from django.utils import translation

    from bihuan.tracing.queries.reasons import sentence

    stay = {"from": "2020-02-17T03:00:00+00:00", "to": "2020-02-17T03:05:00+00:00", "place_name": "便利店"}
    with translation.override("en"):
        assert sentence({**stay, "minutes": 0}).endswith("; no minutes together are on record")
        assert sentence({**stay, "minutes": 3}).endswith("3 minutes together")
        assert sentence({**stay, "minutes": 1}).endswith("1 minute together")
