"""What a page says of observation in two stages: which stage, which day, until when and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from bihuan.care import actions as care
from bihuan.registry import clock
from bihuan.tracing.models import Contact
from tests.cast import Cast
from tests.rooms.care_room import duties
from tests.rooms.test_editions import NINTH, on, placed, swab

pytestmark = [pytest.mark.django_db, pytest.mark.in_office_since(on(NINTH.exposed, 8))]


def page(cast: Cast, contact: Contact, when: datetime, language: str) -> str:
    client = Client()
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    with clock.frozen(when):
        client.force_login(cast.officer.account, backend=backend)
        client.cookies["django_language"] = language
        address = reverse("web:person", args=[contact.person.public_id])
        return client.get(address, follow=True).content.decode()


def act(cast: Cast, contact: Contact, when: datetime, verb: str, **form: Any) -> int:
    client = Client()
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    with clock.frozen(when):
        client.force_login(cast.community.account, backend=backend)
        address = reverse("web:act", args=["contact", contact.public_id, verb])
        assert client.get(address).status_code == 200
        return client.post(address, form).status_code


def test_the_page_says_stage_day_end_and_why_in_both_languages(cast: Cast):
    contact, _order = placed(cast, NINTH)
    said = page(cast, contact, on(NINTH.day(3), 12), "zh-hans")
    assert "集中医学观察 第 3 / 7 天（第 1 段，共 2 段）" in said
    assert "集中医学观察至 7月17日 24:00，其后居家健康监测至 7月20日 24:00" in said
    assert "防控方案（第九版）" in said
    said = page(cast, contact, on(NINTH.day(3), 12), "en")
    assert "Observation in a facility, day 3 of 7 (stage 1 of 2)" in said
    assert "then Health monitoring at home until the end of 20 Jul" in said


def test_who_was_not_brought_home_is_shown_so_and_coming_home_is_a_moment(cast: Cast):
    contact, _order = placed(cast, NINTH)
    for n in NINTH.tests:
        swab(cast, contact, on(NINTH.day(n), 8))
    care.sweep(on(NINTH.day(8), 9))
    assert "居家健康监测（尚未送回家中） 第 1 / 3 天（第 2 段，共 2 段）" in page(
        cast, contact, on(NINTH.day(8), 9), "zh-hans"
    )
    assert '<span class="chip late">尚未送回家中</span>' in page(
        cast, contact, on(NINTH.day(8), 9), "zh-hans"
    )
    assert act(cast, contact, on(NINTH.day(8), 10), "contact.move", at="2022-07-18 09:30") == 302
    said = page(cast, contact, on(NINTH.day(8), 11), "zh-hans")
    assert "居家健康监测 第 1 / 3 天（第 2 段，共 2 段）" in said
    assert "由隔离点返回家中" in said


def test_a_test_a_day_early_leaves_its_card_and_says_why(cast: Cast):
    contact, _order = placed(cast, NINTH)
    for n in (1, 2, 3):
        swab(cast, contact, on(NINTH.day(n), 8))
    duty = duties(contact.public_id)["test/5"]
    client = Client()
    with clock.frozen(on(NINTH.day(4), 9)):
        client.force_login(
            cast.laboratory.account, backend="allauth.account.auth_backends.AuthenticationBackend"
        )
        form = {"result": "negative", "full": "1"}
        answer = client.post(reverse("web:duty", args=[duty.id]), form, headers={"hx-request": "true"})
        said = client.get(reverse("web:settings"), headers={"accept-language": "zh-hans"}).content.decode()
    assert answer["HX-Refresh"] == "true", answer.content.decode()
    assert f"采样早于 {NINTH.day(5).isoformat()}" in said
    assert duties(contact.public_id)["test/5"].state == 0
