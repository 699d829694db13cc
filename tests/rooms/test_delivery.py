"""Digests that leave the house: posted and signed, put into a folder, mailed; by default not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from bihuan.config.settings import mail_from
from bihuan.doors.cli.main import run
from bihuan.loops.actions.notices import ESCALATED, TODAY
from bihuan.registry import clock, delivery, outbox, scope
from bihuan.registry.delivery import Folder, Mail, Webhook
from bihuan.registry.delivery.webhook import ID, SIGNATURE, is_signed
from bihuan.registry.models import Account, Assignment, Delivery
from bihuan.registry.outbox import NewNotice, announce, deliver
from bihuan.registry.tasks import deliver as deliver_all
from tests.cast import Cast

NOW = datetime(2020, 2, 5, 1, 0, tzinfo=UTC)
NOON = datetime(2020, 2, 5, 4, 0, tzinfo=UTC)
SECRET = "a secret of both"


class Receiver(HTTPServer):
    """Another house's system: answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_told: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def told(cast: Cast) -> Iterator[Cast]:
    """The county's officers are told at nine what they owe; digests leave at noon."""
    with scope.system(), clock.frozen(NOW):
        notices = [
            NewNotice(
                cast.officer.post.id, TODAY, "today/2020-02-05", {"open": 12, "due_today": 9, "late": 3}
            ),
            NewNotice(cast.officer.post.id, ESCALATED, "escalated/D-1/1", {"n": 2, "first": "D-1"}),
        ]
        announce(notices, now=NOW)
        yield cast


def test_nothing_leaves_the_house_by_default(told: Cast, capsys: pytest.CaptureFixture[str]):
    assert delivery.adapters() == []
    with clock.frozen(NOON):
        deliver_all(timestamp=0)
        assert run(["registry", "deliver", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert (Delivery.objects.count(), mail.outbox) == (0, [])


def test_a_digest_is_posted_signed_with_an_id_and_nobodys_data(told: Cast, receiver: Receiver, settings: Any):
    settings.BIHUAN_WEBHOOK_URL, settings.BIHUAN_WEBHOOK_SECRET = receiver.url, SECRET
    with clock.frozen(NOON):
        deliver_all(timestamp=0)
    [(headers, body)] = receiver.got
    now = datetime.now(UTC).timestamp()
    assert is_signed(SECRET, body, headers[SIGNATURE], now=now)
    assert not is_signed("another secret", body, headers[SIGNATURE], now=now)
    assert not is_signed(SECRET, body + b" ", headers[SIGNATURE], now=now)
    assert not is_signed(SECRET, body, headers[SIGNATURE], now=now + 301)
    assert not is_signed(SECRET, body, "t=now,v1=0", now=now)
    said = json.loads(body)
    assert said["id"] == headers[ID]
    assert said.keys() == {"id", "post", "territory_code", "send_at", "counts", "notices"}
    assert said["counts"] == {TODAY: 1, ESCALATED: 1}
    assert {frozenset(notice["payload"]) for notice in said["notices"]} == {
        frozenset({"open", "due_today", "late"}), frozenset({"n", "first"}),
    }  # fmt: skip


def test_a_receiver_that_fails_gets_it_again_later_under_the_same_id(told: Cast, receiver: Receiver):
    receiver.answers = [500, 302, 200]
    hook = Webhook(receiver.url, SECRET)
    assert deliver(hook, now=NOON).retried_later == 1
    assert deliver(hook, now=NOON + timedelta(seconds=30)).retried_later == 0
    assert deliver(hook, now=NOON + timedelta(minutes=1)).retried_later == 1  # a redirect is not followed
    assert deliver(hook, now=NOON + timedelta(minutes=3)).sent == 1
    assert len(receiver.got) == 3
    assert len({headers[ID] for headers, _body in receiver.got}) == 1
    assert len({body for _headers, body in receiver.got}) == 1


def test_a_worker_that_dies_while_posting_posts_again_so_that_nothing_is_lost(told: Cast, receiver: Receiver):
    hook = Webhook(receiver.url, SECRET)
    outbox._line_up(hook, NOON)
    assert outbox._claim(hook.channel, NOON) is not None  # and here it dies
    assert deliver(hook, now=NOON + timedelta(minutes=10)).sent == 1
    assert len(receiver.got) == 1


def test_a_receiver_that_is_not_there_is_a_failure_not_a_fault(told: Cast, receiver: Receiver):
    receiver.server_close()
    assert deliver(Webhook(receiver.url, SECRET), now=NOON).retried_later == 1


@pytest.mark.parametrize("url", ["http://example.org/in", "ftp://example.org/in", "example.org"])
def test_a_webhook_is_encrypted_or_on_this_machine(url: str):
    with pytest.raises(ValueError, match="https"):
        Webhook(url, SECRET)


def test_a_webhook_without_a_secret_is_refused():
    with pytest.raises(ValueError, match="BIHUAN_WEBHOOK_SECRET"):
        Webhook("https://example.org/in", "")


def test_a_folder_gets_one_file_a_digest_however_often_it_is_written(
    told: Cast, tmp_path: Any, settings: Any
):
    settings.BIHUAN_WEBHOOK_URL = f"file://{tmp_path}/out"
    [folder] = delivery.adapters()
    assert isinstance(folder, Folder)
    assert deliver(folder, now=NOON).sent == 1
    digest = outbox.digest_for(told.officer.post.id)
    assert digest is not None
    folder.send(digest)
    [file] = (tmp_path / "out").iterdir()
    assert json.loads(file.read_text(encoding="utf-8"))["id"] == digest.key == file.stem


def test_who_holds_the_post_is_mailed_in_her_language_hidden_from_the_others(told: Cast, settings: Any):
    settings.BIHUAN_MAIL_URL = "smtp://localhost"
    Account.objects.filter(id=told.officer.account.id).update(email="officer@example.org", language="en")
    Assignment.objects.update(from_at=NOW)
    Account.objects.filter(id=told.colleague.account.id).update(email="colleague@example.org")
    with clock.frozen(NOON):
        [way] = delivery.adapters()
        assert isinstance(way, Mail)
        assert deliver(way, now=NOON).sent == 1
    english, chinese = sorted(mail.outbox, key=lambda message: message.bcc)[::-1]
    assert (english.to, english.bcc, chinese.bcc) == ([], ["officer@example.org"], ["colleague@example.org"])
    assert english.subject == "Bihuan: 2 notices"
    assert "Owed today: 12, of them late: 3." in english.body
    assert "2 late duties have climbed to you." in english.body
    assert "今日应办12项，其中逾期3项。" in chinese.body


def test_a_post_in_which_nobody_has_an_address_is_given_up_at_once(told: Cast):
    with clock.frozen(NOON):
        assert deliver(Mail("x@example.org"), now=NOON).given_up == 1
        assert deliver(Mail("x@example.org"), now=NOON + timedelta(hours=2)).given_up == 0


def test_a_way_out_that_is_switched_on_late_sends_nothing_of_long_ago(told: Cast, receiver: Receiver):
    assert deliver(Webhook(receiver.url, SECRET), now=NOON + timedelta(days=3)).sent == 0
    assert receiver.got == []


def test_the_mail_setting_is_read_as_an_address():
    given = mail_from("smtps://us%40er:pa%3Ass@mail.example.org")
    assert (given["EMAIL_HOST_USER"], given["EMAIL_HOST_PASSWORD"]) == ("us@er", "pa:ss")
    assert (given["EMAIL_PORT"], given["EMAIL_USE_SSL"], given["EMAIL_USE_TLS"]) == (465, True, False)
    with pytest.raises(ImproperlyConfigured):
        mail_from("https://mail.example.org")
