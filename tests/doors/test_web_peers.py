"""Other installations on a page: paired by card and voice, suspended with a reason, listed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from bihuan.registry import scope
from bihuan.registry.errors import NotAllowed
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import peers
from bihuan.tracing.models import ExchangeRefusal, Peer
from bihuan.tracing.peers import keys
from tests.cast import Cast
from tests.doors.web_room import browser


def named(home: Path, name: str, serves: str) -> tuple[dict[str, Any], str]:
    """An installation of that home: its card and fingerprint."""
    with override_settings(BIHUAN_HOME=home), scope.system():
        verbs.name_installation(name=name, url=f"https://{serves}.example", serves=[serves])
        return keys.card_of(keys.own()), keys.fingerprint(keys.own().newest.public)


@pytest.fixture
def theirs(settings: Any, tmp_path: Path) -> tuple[dict[str, Any], str]:
    settings.BIHUAN_HOME = tmp_path / "here"
    named(tmp_path / "here", "十堰疾控", "4203")
    return named(tmp_path / "there", "襄阳疾控", "4206")


def added(cast: Cast, theirs: tuple[dict[str, Any], str], told: str | None = None) -> Any:
    data = {"card": json.dumps(theirs[0], ensure_ascii=False)}
    if told is not None:
        data["fingerprint"] = told
    return browser(cast.administrator).post(reverse("web:peer_add"), data, follow=True)


def test_a_card_is_read_first_and_its_fingerprint_is_not_told(cast: Cast, theirs: Any) -> None:
    answer = added(cast, theirs)
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "襄阳疾控" in body
    assert "https://4206.example" in body
    assert theirs[1] not in body
    assert not Peer.objects.exists()


def test_another_fingerprint_is_refused_without_telling_the_right_one(cast: Cast, theirs: Any) -> None:
    answer = added(cast, theirs, "0000 1111 2222 3333 4444 5555 6666 7777")
    assert answer.status_code == 422
    assert theirs[1] not in answer.content.decode()
    assert not Peer.objects.exists()


def test_with_the_fingerprint_told_by_voice_it_is_trusted_and_listed(cast: Cast, theirs: Any) -> None:
    body = added(cast, theirs, theirs[1].lower().replace(" ", "")).content.decode()
    peer = Peer.objects.get()
    assert (peer.name, peer.trusted_by) == ("襄阳疾控", cast.administrator.actor.name)
    assert theirs[1] in body
    assert "已信任" in body


@pytest.mark.parametrize("text", ["", "no card", "[" * 10_000, '{"protocol": 1}'])
def test_what_is_no_card_is_told_so(cast: Cast, theirs: Any, text: str) -> None:
    answer = browser(cast.administrator).post(reverse("web:peer_add"), {"card": text})
    assert answer.status_code == 422


def test_suspended_with_a_reason_it_is_shown_so_and_nothing_goes_there(cast: Cast, theirs: Any) -> None:
    added(cast, theirs, theirs[1])
    page = reverse("web:peer_suspend", args=[theirs[0]["installation"]])
    admin = browser(cast.administrator)
    assert admin.post(page, {"reason": ""}).status_code == 422
    body = admin.post(page, {"reason": "密钥可能外泄"}, follow=True).content.decode()
    assert Peer.objects.get().revoked_at is not None
    assert "密钥可能外泄" in body
    assert admin.get(reverse("web:peer_suspend", args=["N-0000000000"])).status_code == 404


def test_who_was_refused_at_the_door_is_listed(cast: Cast, theirs: Any) -> None:
    Client().post("/api/v1/exchange/messages", b"{}", content_type="application/json")
    assert ExchangeRefusal.objects.get().code == "malformed"
    body = browser(cast.administrator).get(reverse("web:peers")).content.decode()
    assert "malformed" in body


def test_nobody_else_opens_the_page(cast: Cast, theirs: Any) -> None:
    for member in (cast.officer, cast.inspector, cast.command):
        assert browser(member).get(reverse("web:peers")).status_code == 403


OWN = {"name": "十堰疾控", "url": "https://bihuan.shiyan.example/", "serves": "420302\n张湾区"}


def test_it_is_named_on_the_page_by_names_or_codes_of_territories(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.BIHUAN_HOME = tmp_path
    admin = browser(cast.administrator)
    assert reverse("web:peer_own") in admin.get(reverse("web:peers")).content.decode()
    body = admin.post(reverse("web:peer_own"), OWN, follow=True).content.decode()
    own = keys.own()
    assert (own.name, own.url) == ("十堰疾控", "https://bihuan.shiyan.example")
    assert own.serves == ("420302", "420303")
    assert keys.fingerprint(own.newest.public) in body


def test_changed_on_the_page_number_and_key_stay(cast: Cast, theirs: Any) -> None:
    before = keys.own()
    admin = browser(cast.administrator)
    assert "https://4203.example" in admin.get(reverse("web:peer_own")).content.decode()
    admin.post(reverse("web:peer_own"), {**OWN, "serves": "420302, 420302"})
    after = keys.own()
    assert (after.installation, after.newest.id) == (before.installation, before.newest.id)
    assert (after.name, after.serves, after.serial) == ("十堰疾控", ("420302",), before.serial + 1)


def test_who_decided_what_stands_on_the_page_of_this_installation(cast: Cast, theirs: Any) -> None:
    added(cast, theirs, theirs[1])
    admin = browser(cast.administrator)
    admin.post(reverse("web:peer_own"), OWN)
    admin.post(reverse("web:peer_key"), {"newest": keys.own().newest.id, "sure": "on"})
    admin.post(reverse("web:peer_suspend", args=[theirs[0]["installation"]]), {"reason": "密钥可能外泄"})
    body = admin.get(reverse("web:peer_own")).content.decode()
    for text in ("更换本系统密钥", "更改本系统名片", "停止信任", "密钥可能外泄", "本系统首次命名"):
        assert text in body
    assert cast.administrator.actor.name in body
    assert keys.fingerprint(keys.own().newest.public) in body


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"url": "http://bihuan.example"}, {"serves": "无此地"}, {"serves": "，"}, {"serves": ""}],
)
def test_a_wrong_name_address_or_territory_is_told_and_nothing_changes(
    cast: Cast, theirs: Any, wrong: dict[str, str]
) -> None:
    before = keys.path().read_text()
    answer = browser(cast.administrator).post(reverse("web:peer_own"), {**OWN, **wrong})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert keys.path().read_text() == before


def test_a_new_key_is_made_once_and_the_old_one_is_kept_while_somebody_must_be_told(
    cast: Cast, theirs: Any
) -> None:
    added(cast, theirs, theirs[1])
    admin, old = browser(cast.administrator), keys.own().newest.id
    page = admin.get(reverse("web:peer_key")).content.decode()
    assert "襄阳疾控" in page
    assert admin.post(reverse("web:peer_key"), {"newest": old}).status_code == 422
    assert keys.own().newest.id == old
    for _twice in range(2):
        body = admin.post(
            reverse("web:peer_key"), {"newest": old, "sure": "on"}, follow=True
        ).content.decode()
    assert keys.own().keys[0].id == old
    assert len(keys.own().keys) == 2
    assert keys.fingerprint(keys.own().newest.public) in body
    assert "在襄阳疾控确认新密钥之前" in body


def test_with_nobody_to_tell_the_old_key_goes_at_once(cast: Cast, theirs: Any) -> None:
    with scope.system():
        verbs.rotate_key()
        verbs.deliver()
    assert len(keys.own().keys) == 1


def test_the_administrator_of_a_part_names_nothing_beyond_it(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.BIHUAN_HOME = tmp_path
    part = replace(cast.administrator.scope, lo="420303")
    with scope.acting_as(part), pytest.raises(NotAllowed):
        verbs.name_installation(name="x", url="https://x.example", serves=["4203"])
    assert keys.load() is None


def test_who_may_not_administer_neither_names_nor_changes_the_key(cast: Cast, theirs: Any) -> None:
    before = keys.path().read_text()
    for name in ("web:peer_own", "web:peer_key"):
        for member in (cast.officer, cast.command):
            assert browser(member).get(reverse(name)).status_code == 403
            assert browser(member).post(reverse(name), {**OWN, "sure": "on"}).status_code == 403
    assert keys.path().read_text() == before


def test_the_administrator_of_a_part_trusts_nobody_for_the_whole(cast: Cast, theirs: Any) -> None:
    part = replace(cast.administrator.scope, lo="420303")
    with scope.acting_as(part), pytest.raises(NotAllowed):
        peers.add_peer(theirs[0], actor=cast.administrator.actor)
