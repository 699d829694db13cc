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
from tests.cast import Cast, Member


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


def browser(member: Member) -> Client:
    client = Client(headers={"accept-language": "zh-hans"})
    client.force_login(member.account, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


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


def test_before_it_is_named_the_page_says_how(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.BIHUAN_HOME = tmp_path
    assert "bihuan peers init" in browser(cast.administrator).get(reverse("web:peers")).content.decode()


def test_the_administrator_of_a_part_trusts_nobody_for_the_whole(cast: Cast, theirs: Any) -> None:
    part = replace(cast.administrator.scope, lo="420303")
    with scope.acting_as(part), pytest.raises(NotAllowed):
        peers.add_peer(theirs[0], actor=cast.administrator.actor)
