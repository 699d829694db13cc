"""Somebody's own page: given by a post, opened by her, and closed to everybody else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.urls import reverse

from bihuan.care import actions as care
from bihuan.care.models import Appeal, Order, OwnAccess
from bihuan.cases.actions import record_transfer
from bihuan.cases.models import Case
from bihuan.config.settings import public_url
from bihuan.doors.web import drawing
from bihuan.registry import audit, clock, rls, scope
from bihuan.registry.actions.people import merge_people, register_person, update_person
from bihuan.registry.actor import Actor
from bihuan.registry.models import Person
from bihuan.tracing.models import AssistanceRequest, Contact
from tests.cast import Cast, Member
from tests.doors.api_room import Api, token_for
from tests.doors.web_room import browser
from tests.rooms.care_room import do, local, make_case, make_contact, zhou

PHONE = "13871234567"
NOW = local("02-14 12:00")
pytestmark = pytest.mark.in_office_since(local("02-01 08:00"))


@pytest.fixture
def hers(cast: Cast) -> Person:
    """周小明, a contact of 李芳 under an order."""
    case = make_case(cast.officer, "02-12 10:00")
    contact = make_contact(
        cast.officer, "02-13 10:00", person=zhou(phone=PHONE), case=case.public_id,
        criterion="dining: 与李芳同桌", exposure_last=local("02-10 12:00").date(), setting="李芳家宴",
    )  # fmt: skip
    do(cast.command, "02-13 11:00", care.record_placed, care.OrderInput(contact=contact.public_id))
    with scope.system():
        return Person.objects.get(pk=contact.person_id)


def code_of(member: Member, person: Person) -> str:
    with clock.frozen(NOW):
        answer = browser(member).post(reverse("web:own_code", args=[person.public_id]))
    assert answer.status_code == 200, answer.status_code
    return re.search(r'class="code">([0-9A-Z-]+)<', answer.content.decode())[1]


def somebody() -> Client:
    return Client(headers={"accept-language": "zh-hans"})


def opened(code: str, answer: str = "4567") -> Client:
    client = somebody()
    with clock.frozen(NOW):
        client.post(reverse("web:own"), {"code": code, "answer": answer})
    return client


def read(client: Client, *, when: Any = NOW) -> str:
    with clock.frozen(when):
        return client.get(reverse("web:own")).content.decode()


def test_she_sees_what_stands_about_her_until_when_and_who_looked(cast: Cast, hers: Person) -> None:
    with clock.frozen(NOW):
        browser(cast.community).get(reverse("web:person", args=[hers.public_id]))
    client = opened(code_of(cast.officer, hers))
    page = read(client)
    for text in (
        "周*明",
        "为什么，到什么时候",
        "聚餐",
        "2020-02-10",
        "责任单位",
        "对此申诉",
        "查看记录",
        "测体温",
        "网格员01",
        "留存的信息",
    ):
        assert text in page, text
    with scope.system():
        looks = audit.who_looked(hers.pk)
    assert looks
    with scope.system():
        audit.log_read([hers.pk], ["identity"], "查找李芳的密接")
    assert "查找李芳" not in read(client)
    for look in looks:
        assert look.post in page
        assert look.who not in page, "the office, not who sat there"


def test_of_a_look_the_office_is_told_and_an_emergency_and_neither_name_nor_free_words(
    cast: Cast, hers: Person
) -> None:
    code = code_of(cast.officer, hers)
    glass = replace(cast.neighbor.scope, lo=cast.officer.scope.lo, glass="B-0000000000")
    looks: list[tuple[str, Any]] = [
        ("web", glass),
        ("api", cast.city.scope),
        ("cli", None),
        ("exchange", None),
    ]
    for door, acting in looks:
        way = audit.through(door, name="命令行" if door == "cli" else "张三")
        with clock.frozen(NOW), way, scope.acting_as(acting) if acting else scope.system():
            audit.log_read([hers.pk], ["identity"], f"{door}：李芳的同事")
    page = read(opened(code))
    for text in (cast.neighbor.post.label, "应急查看", cast.city.post.label, "命令行", "某单位"):
        assert text in page, text
    for text in ("张三", "李芳", "neighbor", "city"):
        assert text not in page, text


def test_who_was_handed_over_sees_who_looks_after_her_now(cast: Cast, hers: Person) -> None:
    with scope.system():
        contact = Contact.objects.get()
        Contact.objects.filter(pk=contact.pk).update(handed_over_at=NOW)
        AssistanceRequest.objects.create(
            side="asking", thread="R-0000000000", other_territory="420602", other_office="樊城区疾控中心",
            person=hers, contact=contact, need="locate", clause="D1-29", territory_code="420303",
            handed_over_at=NOW, created_at=NOW, by_name="officer",
        )  # fmt: skip
    page = read(opened(code_of(cast.officer, hers)))
    assert "由樊城区疾控中心负责您的后续事宜" in page
    assert "R-0000000000" not in page


def test_of_the_case_she_met_and_of_what_officials_wrote_nothing_is_told(cast: Cast, hers: Person) -> None:
    page = read(opened(code_of(cast.officer, hers)))
    with scope.system():
        contact = Contact.objects.get()
        case = contact.case.public_id
    for text in ("李芳", "同桌", "家宴", case, PHONE, "汉江路"):
        assert text not in page, text
    assert not re.search(r'href="/(?!static|mine)', page), "no way leads to pages of posts"


def test_the_code_stands_on_one_page_once_and_in_no_address(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    with clock.frozen(NOW):
        page = browser(cast.officer).get(reverse("web:person", args=[hers.public_id])).content.decode()
    assert code not in page
    assert "尚未打开" in page
    opened(code)
    with clock.frozen(NOW):
        page = browser(cast.officer).get(reverse("web:person", args=[hers.public_id])).content.decode()
    assert "已打开 1 次" in page


@pytest.mark.parametrize("answer", ["", "0000", "45677", "４５６８", "周" * 10])
def test_who_does_not_know_the_end_of_her_numbers_gets_in_nowhere(
    cast: Cast, hers: Person, answer: str
) -> None:
    client = opened(code_of(cast.officer, hers), answer)
    assert "周*明" not in read(client)
    with scope.system():
        assert OwnAccess.objects.get().opened == 0


def test_wrong_answers_are_counted_although_the_page_refuses(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    for _n in range(5):
        opened(code, "0000")
    assert "周*明" not in read(opened(code))
    with scope.system():
        assert OwnAccess.objects.get().end_reason == "guessed"


def test_what_is_no_code_or_no_four_characters_is_no_wrong_answer(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    client = somebody()
    for given, said in (
        ({"code": code, "answer": PHONE}, "请只填写末"),
        ({"code": "7K3M", "answer": "4567"}, "查询码共"),
    ):
        answer = client.post(reverse("web:own"), given)
        assert answer.status_code == 422
        assert said in answer.content.decode()
    with scope.system():
        assert OwnAccess.objects.get().wrong == 0


def test_who_scans_a_code_on_the_same_phone_never_sees_the_page_of_who_was_there_before(
    cast: Cast, hers: Person
) -> None:
    code = code_of(cast.officer, hers)
    client = opened(code)
    with clock.frozen(NOW):
        page = client.get(reverse("web:own"), {"open": ""}).content.decode()
    assert "打开我的页面" in page
    assert "周*明" not in page + read(client)
    client = opened(code)
    assert "周*明" in read(client)
    client.post(reverse("web:own"), {"code": "0000-0000-0000", "answer": "0000"})
    assert "周*明" not in read(client)


def test_a_session_that_somebody_knew_before_does_not_open_the_page(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    client, other = somebody(), somebody()
    session = client.session
    session["planted"] = True
    session.save()
    other.cookies["sessionid"] = client.cookies["sessionid"] = session.session_key
    with clock.frozen(NOW):
        client.post(reverse("web:own"), {"code": code, "answer": "4567"})
    assert "周*明" in read(client)
    assert "周*明" not in read(other)


def test_the_picture_of_the_code_leads_to_the_way_in(
    cast: Cast, hers: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(drawing, "scannable", lambda text: drawn.append(text) or "")
    code = code_of(cast.officer, hers)
    assert drawn == [f"http://testserver/mine/?open#{code.replace('-', '')}"]


def test_the_code_names_the_address_by_which_the_public_comes(
    cast: Cast, hers: Person, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BIHUAN_PUBLIC_URL = "https://bihuan.example.org"
    drawn: list[str] = []
    monkeypatch.setattr(drawing, "scannable", lambda text: drawn.append(text) or "")
    code = code_of(cast.officer, hers)
    assert drawn == [f"https://bihuan.example.org/mine/?open#{code.replace('-', '')}"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", ""),
        ("https://bihuan.example.org/", "https://bihuan.example.org"),
        (" https://Bihuan.example.org:8443", "https://bihuan.example.org:8443"),
        ("HTTPS://bihuan.example.org:443/", "https://bihuan.example.org"),
        ("https://203.0.113.7", "https://203.0.113.7"),
        ("https://xn--fsqu00a.xn--fiqs8s", "https://xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_an_address_for_the_public_is_a_scheme_and_a_host(given: str, read: str) -> None:
    assert public_url(given, plain_http=False) == read


@pytest.mark.parametrize(
    "given",
    ["bihuan.example.org", "http://bihuan.example.org", "https://", "https://a/b", "https://a?b", "https://u@a",
     "https://a:x", "https://a#b", "https://[a", "ftp://a", "https://*", "https://*.a", "https://.a", "https://a.",
     "https://a\nb", "https://例子.中国", "https://a:0", "//a"],
)  # fmt: skip
def test_what_is_no_address_for_the_public_is_refused_when_the_server_starts(given: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        public_url(given, plain_http=False)


def test_an_order_is_told_by_the_offices_that_decided(cast: Cast, hers: Person) -> None:
    page = read(opened(code_of(cast.officer, hers)))
    with scope.system():
        order = Order.objects.get()
    assert order.approver == order.proposer == "command"
    assert "command" not in page
    assert page.count(cast.command.post.label) >= 3, "approved, proposed, and in what happened"
    with scope.system():
        Order.objects.update(approver="县指挥部", approver_post_id=None)
    assert "县指挥部 批准" in read(opened(code_of(cast.officer, hers)))


def test_every_order_she_is_under_is_told_and_can_be_appealed_against(cast: Cast, hers: Person) -> None:
    """Two records joined: the newer contact under no order does not hide that of the older."""
    newer = make_contact(cast.officer, "02-13 15:00", person=zhou(phone=PHONE))
    with scope.system():
        Person.objects.filter(pk=newer.person_id).update(root_id=hers.root_id, merged_into=hers)
    page = read(opened(code_of(cast.officer, hers)))
    assert page.count("对此申诉") == 1
    assert "没有对您的医学观察措施" not in page
    assert "居家医学观察 第" in page
    do(cast.command, "02-13 16:00", care.record_placed, care.OrderInput(contact=newer.public_id))
    client = opened(code_of(cast.officer, hers))
    first, second = re.findall(r'action="(/mine/appeal/[^"]+)"', read(client))
    with clock.frozen(NOW):
        answer = client.post(second, {"text": " "}).content.decode()
        client.post(second, {"text": "我没有坐那趟车"})
    assert answer.count('<details class="folds" open>') == 1
    assert answer.index(f'action="{first}"') < answer.index('<details class="folds" open>')
    with scope.system():
        assert Appeal.objects.get().order.person_id == hers.pk


def test_what_she_wrote_against_an_order_replaced_meanwhile_is_kept(cast: Cast, hers: Person) -> None:
    client = opened(code_of(cast.officer, hers))
    old = re.search(r'action="(/mine/appeal/[^"]+)"', read(client))[1]
    with scope.system():
        contact = Contact.objects.get().public_id
    do(cast.command, "02-14 11:00", care.extend_observation, contact, evidence="又一次接触")
    with clock.frozen(NOW):
        answer = client.post(old, {"text": "我没有坐那趟车"})
        page = answer.content.decode()
    assert answer.status_code == 409
    assert "我没有坐那趟车" in page
    new = re.search(r'action="(/mine/appeal/[^"]+)"', page)[1]
    assert new != old
    with clock.frozen(NOW):
        client.post(new, {"text": "我没有坐那趟车"})
    with scope.system():
        assert Appeal.objects.count() == 1


def test_who_answers_an_appeal_is_told_that_she_reads_it_and_she_does(cast: Cast, hers: Person) -> None:
    client = opened(code_of(cast.officer, hers))
    path = re.search(r'action="(/mine/appeal/[^"]+)"', read(client))[1]
    with clock.frozen(NOW):
        client.post(path, {"text": "我没有坐那趟车"})
        with scope.system():
            appeal = Appeal.objects.get().public_id
        form = browser(cast.command).get(reverse("web:act", args=["appeal", appeal, "appeal.decide"]))
    assert "本人会在其页面上看到" in form.content.decode()
    other = Actor(None, None, "王五", "test")
    with scope.system():
        care.decide_appeal(
            appeal, decision="upheld", reason="车次记录有误", actor=other, now=local("02-14 12:10")
        )
    page = read(client, when=local("02-14 12:11"))
    assert "您目前登记为病例" not in page
    for text in ("对您申诉的答复", "车次记录有误", "没有对您的医学观察措施"):
        assert text in page, text
    assert "王五" not in page


def test_she_sees_how_often_her_page_was_opened(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    assert "已打开本页面 1 次" in read(opened(code))
    assert "已打开本页面 2 次" in read(opened(code))


def test_a_case_sees_what_happened_to_her_and_nothing_of_whom_she_met(cast: Cast, hers: Person) -> None:
    with scope.system():
        case = Case.objects.get()
        person = Person.objects.get(pk=case.person_id)
        update_person(person.pk, {"phone": "13900001111"}, cast.officer.actor)
    do(
        cast.officer,
        "02-13 09:00",
        record_transfer,
        case.public_id,
        to="李四开车送往太和医院",
        vehicle="鄂C12345",
    )
    client = opened(code_of(cast.officer, person), "1111")
    page = read(client)
    for text in ("李*", "已送医院", "您目前登记为病例", "没有对您的医学观察措施", "后续安排"):
        assert text in page, text
    for text in ("周小明", "周*明", "李四", "鄂C", "您为何被判定"):
        assert text not in page, text


def test_an_appeal_from_her_page_starts_the_clock(cast: Cast, hers: Person) -> None:
    client = opened(code_of(cast.officer, hers))
    path = re.search(r'action="(/mine/appeal/[^"]+)"', read(client))[1]
    with clock.frozen(NOW):
        assert client.post(path, {"text": " "}).status_code == 422
        client.post(path, {"text": "我没有坐那趟车"})
        again = client.post(path, {"text": "再说一次"})
    assert again.status_code == 409
    assert "正在等待答复" in again.content.decode()
    page = read(client)
    assert "前无答复，措施即终止" in page
    with scope.system():
        made = Appeal.objects.get()
    assert (made.text, made.filed_by, made.person_id) == ("我没有坐那趟车", "周小明", hers.pk)


def test_the_page_closes_by_hand_by_itself_and_when_the_code_is_taken_back(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    client = opened(code)
    assert "周*明" in read(client, when=NOW + timedelta(minutes=29))
    assert "周*明" not in read(client, when=NOW + timedelta(minutes=60))
    client = opened(code)
    client.post(reverse("web:own_leave"))
    assert "周*明" not in read(client)
    client = opened(code)
    with clock.frozen(NOW):
        browser(cast.officer).post(reverse("web:own_code", args=[hers.public_id]), {"do": "take_back"})
        closed = client.get(reverse("web:own"), follow=True).content.decode()
    assert "本页面已关闭" in closed
    assert "周*明" not in closed
    assert "周*明" not in read(opened(code))


def test_opening_her_page_opens_nothing_else(cast: Cast, hers: Person) -> None:
    client = opened(code_of(cast.officer, hers))
    with clock.frozen(NOW):
        assert client.post("/mine/appeal/O-0000000000/", {"text": "x"}).status_code == 404
    for path in ("/", "/duties/", f"/people/{hers.public_id}/", "/investigations/", "/api/v1/persons"):
        answer = client.get(path)
        assert answer.status_code in (302, 401, 403), path
        assert b"\xe5\x91\xa8" not in answer.content


def test_the_servers_role_that_sees_single_territories_only_opens_the_page_too(
    cast: Cast, hers: Person, settings: Any
) -> None:
    settings.DATABASE_ROLE = "door"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {rls.DOOR_ROLE}")
    client = opened(code_of(cast.officer, hers))
    path = re.search(r'action="(/mine/appeal/[^"]+)"', read(client))[1]
    with clock.frozen(NOW):
        client.post(path, {"text": "我没有坐那趟车"})
    assert "前无答复，措施即终止" in read(client)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM care_ownaccess")
        assert cursor.fetchone() == (0,), "nobody acts, so nothing is seen"
        cursor.execute("SET LOCAL ROLE NONE")


def test_somebody_logged_in_for_a_post_opens_no_own_page(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    client = browser(cast.grid)
    with clock.frozen(NOW):
        answer = client.post(reverse("web:own"), {"code": code, "answer": "4567"}, follow=True)
    assert "退出登录" in answer.content.decode()
    with scope.system():
        assert OwnAccess.objects.get().opened == 0


def test_the_persons_page_tells_why_a_code_opens_nothing_any_more(cast: Cast, hers: Person) -> None:
    code = code_of(cast.officer, hers)
    path = reverse("web:person", args=[hers.public_id])
    client = browser(cast.officer)
    opened(code, "0000")
    with clock.frozen(NOW + timedelta(minutes=5)):
        assert "其后答错 1 次" in client.get(path).content.decode()
    for _n in range(4):
        opened(code, "0000")
    with clock.frozen(NOW + timedelta(minutes=5)):
        page = client.get(path).content.decode()
    assert "起已失效：多次答错" in page
    assert "收回" not in page


def test_a_sheet_gives_codes_that_open_and_the_next_sheet_none_twice(cast: Cast, hers: Person) -> None:
    client = browser(cast.officer)
    with clock.frozen(NOW):
        way = client.get(reverse("web:contacts")).content.decode()
        assert reverse("web:own_codes") in way
        before = client.get(reverse("web:own_codes")).content.decode()
        sheet = client.post(reverse("web:own_codes"))
        again = client.post(reverse("web:own_codes")).content.decode()
    assert "向 1 人发放" in before
    text = sheet.content.decode()
    (code,) = re.findall(r'class="code">([0-9A-Z-]+)<', text)
    assert "周*明" in text
    assert "周小明" not in text
    assert PHONE not in text
    assert "no-store" in sheet["Cache-Control"]
    assert "周*明" in read(opened(code))
    assert 'class="code"' not in again
    assert "目前无人可发放" in again


def test_a_sheet_is_for_posts_that_see_all_of_it_of_a_whole_territory(cast: Cast, hers: Person) -> None:
    for who in (cast.inspector, cast.hospital, cast.laboratory, cast.transfer, cast.administrator):
        client = browser(who)
        with clock.frozen(NOW):
            assert client.get(reverse("web:own_codes")).status_code == 403
            assert client.post(reverse("web:own_codes")).status_code == 403
            assert reverse("web:own_codes") not in client.get(reverse("web:contacts")).content.decode()
    with clock.frozen(NOW):
        there = (
            browser(cast.neighbor).post(reverse("web:own_codes"), {"territory": "420303"}).content.decode()
        )
    assert 'class="code"' not in there
    with scope.system():
        assert OwnAccess.objects.count() == 0


def test_a_sheet_has_a_list_by_address_for_who_hands_it_out_and_can_be_made_anew(
    cast: Cast, hers: Person
) -> None:
    make_contact(cast.officer, "02-13 10:00", person=replace(zhou(phone="13900001111"), address="汉江路3号"))
    client = browser(cast.officer)
    with clock.frozen(NOW):
        sheet = client.post(reverse("web:own_codes")).content.decode()
        way = client.get(reverse("web:own_codes")).content.decode()
        (again,) = re.findall(r'name="again" value="([^"]+)"', way)
        for odd in ("", "x", "2020-13-45", "2020-02-14T12:00:00", "\x00"):
            assert (
                'class="code"' not in client.post(reverse("web:own_codes"), {"again": odd}).content.decode()
            )
        anew = client.post(reverse("web:own_codes"), {"again": again}).content.decode()
    slips, _head, listed = sheet.partition("发放名单")
    assert "汉江路" not in slips, "a slip that is lost tells no door"
    assert listed.index("汉江路12号") < listed.index("汉江路3号")
    assert "重新生成这一批" in way
    codes = [re.findall(r'class="code">([0-9A-Z-]+)<', page) for page in (sheet, anew)]
    assert [len(one) for one in codes] == [2, 2]
    assert not set(codes[0]) & set(codes[1])


def test_the_servers_role_makes_a_sheet_and_counts_what_lies_beyond_its_territory(
    cast: Cast, hers: Person, settings: Any
) -> None:
    with scope.system(), clock.frozen(NOW):
        lives = replace(zhou(phone=PHONE), territory_code="420302001001")
        there = register_person(lives, cast.city.actor)
        merge_people(keep=hers.pk, merge=there.pk, reason="同一人", actor=cast.city.actor)
    settings.DATABASE_ROLE = "door"
    with connection.cursor() as cursor, clock.frozen(NOW):
        cursor.execute(f"SET LOCAL ROLE {rls.DOOR_ROLE}")
        sheet = browser(cast.officer).post(reverse("web:own_codes")).content.decode()
        assert len(re.findall(r'class="code">([0-9A-Z-]+)<', sheet)) == 1
        next_county = Api(token_for(cast.neighbor))
        answer = next_county.post("/own-codes", {"persons": [there.public_id]}).json()
        assert [one["code"] for one in answer["refused"]] == ["has-code"]
        renewed = next_county.post("/own-codes", {"persons": [there.public_id], "renew": True}).json()
        assert len(renewed["items"]) == 1
        left = browser(cast.officer).get(reverse("web:own_codes")).content.decode()
        cursor.execute("SET LOCAL ROLE NONE")
    assert "发放名单" not in left
    with scope.system():
        assert OwnAccess.objects.filter(ended_at__isnull=True).get().person_id == there.pk


def test_a_sheet_asked_for_a_place_that_is_none_or_not_hers_gives_nobody_a_code(
    cast: Cast, hers: Person
) -> None:
    with clock.frozen(NOW):
        for where in ("没有这个地方", "420302", "42"):
            path = f"{reverse('web:own_codes')}?territory={where}"
            answer = browser(cast.officer).post(path, follow=True).content.decode()
            assert 'class="code"' not in answer
    with scope.system():
        assert not OwnAccess.objects.exists()


def test_who_may_give_no_codes_reads_from_the_api_nobody_without_one(cast: Cast, hers: Person) -> None:
    with clock.frozen(NOW):
        for who in (cast.inspector, cast.hospital, cast.laboratory, cast.transfer):
            assert Api(token_for(who)).get("/own-codes").status_code == 403
            answer = Api(token_for(who)).post("/own-codes", {"persons": [hers.public_id]}).json()
            assert not answer.get("items")
    with scope.system():
        assert not OwnAccess.objects.exists()


def test_everybody_of_a_sheet_is_told_that_she_was_looked_at_for_it(cast: Cast, hers: Person) -> None:
    with clock.frozen(NOW):
        browser(cast.officer).post(reverse("web:own_codes"))
    with cast.officer.acting():
        (look,) = [one for one in audit.who_looked(hers.pk) if "查询码" in one.told or "本人页面" in one.told]
    assert look.fields == ("identity", "location")


def test_codes_are_given_counted_and_taken_back_through_the_api(
    cast: Cast, hers: Person, settings: Any
) -> None:
    settings.BIHUAN_PUBLIC_URL = "https://bihuan.example.org"
    api = Api(token_for(cast.officer))
    with clock.frozen(NOW):
        counted = api.get("/own-codes").json()
        asked = {"persons": [hers.public_id, "P-0000000000"]}
        answer = api.post("/own-codes", asked, **{"Idempotency-Key": "k1"})
        again = api.post("/own-codes", asked, **{"Idempotency-Key": "k1"}).json()
    with scope.system():
        case_person = Case.objects.get().person.public_id
    assert counted == {
        "with_code": 0,
        "without_code": 1,
        "unprovable": 1,
        "elsewhere": 0,
        "next": [hers.public_id],
    }
    assert case_person not in counted["next"], "no number of hers is held"
    assert answer.status_code == 200, answer.content
    (given,), (refused,) = answer.json()["items"], answer.json()["refused"]
    assert given["scan"] == f"https://bihuan.example.org/mine/?open#{given['code'].replace('-', '')}"
    assert (given["person"], refused["person"], refused["code"]) == (
        hers.public_id, "P-0000000000", "unknown-person",
    )  # fmt: skip
    assert [one["code"] for one in again["refused"]] == ["has-code", "unknown-person"], (
        "no answer with codes is kept"
    )
    assert "周*明" in read(opened(given["code"]))
    with scope.system():
        assert any("查询码" in look.purpose or look.door == "api" for look in audit.who_looked(hers.pk))
    with clock.frozen(NOW):
        assert api.post(f"/persons/{hers.public_id}/own-code/take-back").status_code == 200
    assert "周*明" not in read(opened(given["code"]))


def test_no_answer_of_the_page_is_kept_by_the_browser(cast: Cast, hers: Person) -> None:
    client = opened(code_of(cast.officer, hers))
    with clock.frozen(NOW):
        answer = client.get(reverse("web:own"))
    assert "no-store" in answer["Cache-Control"]


def test_posts_that_do_not_see_all_of_it_are_offered_no_code(cast: Cast, hers: Person) -> None:
    with clock.frozen(NOW):
        for who in (cast.inspector, cast.neighbor, cast.transfer):
            answer = browser(who).post(reverse("web:own_code", args=[hers.public_id]))
            assert answer.status_code in (403, 404)
    with scope.system():
        assert not OwnAccess.objects.exists()
