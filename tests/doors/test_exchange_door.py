"""Where other installations knock, and the commands that pair them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client, override_settings

from bihuan.doors.api.exchange import Gate
from bihuan.doors.api.pace import TooFast
from bihuan.doors.cli.main import run
from bihuan.registry import clock, scope
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceRequest, ExchangeRefusal, Peer
from tests.cast import OTHER_CITY, Cast
from tests.rooms.exchange_room import Line, pair
from tests.rooms.test_exchange import NOON, ask


def test_an_address_that_knocks_too_often_has_to_wait(settings) -> None:
    settings.BIHUAN_API_PER_MINUTE, settings.BIHUAN_API_BURST = 60, 3
    gate = Gate()
    for _n in range(3):
        gate.pass_or_raise("192.0.2.1")
    with pytest.raises(TooFast) as refused:
        gate.pass_or_raise("192.0.2.1")
    assert refused.value.details["retry_after"] >= 1
    gate.pass_or_raise("192.0.2.2")


def test_a_message_gets_its_receipt_over_http_without_any_login(cast: Cast, tmp_path: Path) -> None:
    asking, asked = pair(tmp_path, asking="4203", asked=OTHER_CITY)
    line = Line(asking, asked)
    with clock.frozen(NOON):
        ask(asking)
        with asking.acting():
            line.houses = {}
            with pytest.raises(KeyError):
                verbs.deliver(now=NOON, post=line.post)
    sent = line.carried[0]
    scope_before = scope.current()
    with override_settings(BIHUAN_HOME=asked.home):
        Peer.objects.filter(installation=asked.number).update(revoked_at=NOON)
        answer = Client().post("/api/v1/exchange/messages", sent, content_type="application/json")
        again = Client().post("/api/v1/exchange/messages", sent, content_type="application/json")
        altered = json.loads(sent) | {"sequence": 7}
        refused = Client().post(
            "/api/v1/exchange/messages", json.dumps(altered), content_type="application/json"
        )
    assert scope.current() is scope_before
    assert (answer.status_code, answer.json()["kept"], again.json()["kept"]) == (200, "new", "known")
    assert (refused.status_code, refused.json()["type"]) == (403, "not-recognized")
    assert AssistanceRequest.unscoped.filter(side="asked").count() == 1
    assert ExchangeRefusal.objects.get().code == "not-recognized"


def test_without_a_name_there_is_no_card_and_with_one_it_holds_public_keys_only(
    db: None, settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BIHUAN_HOME = tmp_path / "here"
    assert Client().get("/api/v1/exchange/card").status_code == 404
    assert run(["peers", "show-key"]) == 2
    words = [
        "peers",
        "init",
        "--name",
        "十堰疾控",
        "--url",
        "https://a.example",
        "--serves",
        "4203",
        "--json",
    ]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    card = Client().get("/api/v1/exchange/card").json()
    assert card == told["card"]
    assert set(card["key"]) == {"id", "sign", "seal"}
    kept = json.loads((tmp_path / "here" / "secrets" / "exchange.key").read_text())
    assert not any(key["sign"] in json.dumps(card) or key["seal"] in json.dumps(card) for key in kept["keys"])


def test_a_card_is_trusted_only_by_the_fingerprint_people_told(
    db: None, settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {}
    for name, serves in (("here", "4203"), ("there", "4206")):
        settings.BIHUAN_HOME = tmp_path / name
        url = f"https://{name}.example"
        assert run(["peers", "init", "--name", name, "--url", url, "--serves", serves]) == 0
        capsys.readouterr()
        assert run(["peers", "show-key", "--out", str(tmp_path / f"{name}.json"), "--json"]) == 0
        told[name] = json.loads(capsys.readouterr().out)
    settings.BIHUAN_HOME = tmp_path / "here"
    card = str(tmp_path / "there.json")
    assert run(["peers", "add", card, "--fingerprint", told["here"]["fingerprint"]]) == 2
    assert not Peer.objects.exists()
    assert run(["peers", "add", card, "--fingerprint", told["there"]["fingerprint"].lower()]) == 0
    capsys.readouterr()
    assert run(["peers", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["there"]
    number = told["there"]["card"]["installation"]
    assert run(["peers", "revoke", number, "--reason", "钥匙遗失"]) == 0
    assert Peer.objects.get().revoked_at is not None
    altered = json.loads(Path(card).read_text()) | {"url": "https://evil.example"}
    Path(card).write_text(json.dumps(altered))
    assert run(["peers", "add", card, "--fingerprint", told["there"]["fingerprint"]]) == 2
