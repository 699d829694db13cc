"""Two real installations: two databases, two data folders, two servers that talk HTTP. One is down, a sender
is killed between sending and noting, and in the end each knows the same, once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from bihuan.config.serving import server_command
from tests.conftest import ROOT, _admin, _create, _drop, _schema_stamp

PATIENCE_SECONDS = 60.0
SET_UP = "import json, django; django.setup()\n"
AS_SYSTEM = "from bihuan.registry.scope import system\n_s = system(); _s.__enter__()\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """One installation: its own database and folder; a server that can be started and stopped."""

    home: Path
    database: str
    port: int
    server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        here = connection.settings_dict
        port = f":{here['PORT']}" if here["PORT"] else ""
        login = f"{quote(here['USER'])}:{quote(here['PASSWORD'])}@localhost{port}"
        host = quote(str(here["HOST"]), safe="")
        return {
            **os.environ,
            "DATABASE_URL": f"postgresql://{login}/{self.database}?host={host}",
            "BIHUAN_HOME": str(self.home),
            "BIHUAN_MODE": "test",
            "DJANGO_SETTINGS_MODULE": "bihuan.config.settings",
            "PYTHONPATH": str(ROOT),
        }

    def begin(self, code: str) -> subprocess.Popen[bytes]:
        """Run code in a process of this installation."""
        words = [sys.executable, "-c", SET_UP + AS_SYSTEM + code]
        return subprocess.Popen(words, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE)

    def run(self, code: str) -> Any:
        """Run code to its end; what it left in `told`."""
        done = self.begin(code + "\nprint(json.dumps(told, default=str))")
        out, _err = done.communicate(timeout=PATIENCE_SECONDS)
        assert done.returncode == 0, code
        return json.loads(out.splitlines()[-1])

    def cli(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "bihuan", *words, "--json"],
            env=self.environment, cwd=ROOT, capture_output=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def send(self, minutes: int) -> Any:
        """What the worker would do that many minutes from now."""
        return self.run(
            "from datetime import timedelta\nfrom bihuan.registry import clock\n"
            "from bihuan.tracing.actions.assistance import sweep_assistance\n"
            f"done = sweep_assistance(clock.now() + timedelta(minutes={minutes}))\n"
            "told = [done.delivered, done.failed]"
        )

    def state(self) -> Any:
        return self.run(
            "from bihuan.tracing.models import *\n"
            "row = AssistanceRequest.objects.get()\n"
            "n = AssistanceMessage.objects.count()\n"
            "told = [row.status, row.outcome, n, row.told is None, row.public_id]"
        )

    def start(self) -> None:
        environment = {**self.environment, "BIHUAN_DB_ROLE": "door"}
        words = server_command(host="127.0.0.1", port=self.port)
        self.server = subprocess.Popen(words, env=environment, cwd=ROOT, start_new_session=True)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).close()
                return
            time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(PATIENCE_SECONDS)
            self.server = None

    def kill(self) -> None:
        """Kill the server with all its processes, whatever it is at."""
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait(PATIENCE_SECONDS)
            self.server = None


class HoldingLine(threading.Thread):
    """A line in front of a server: it can keep the server's answer to itself while the caller waits, or have
    the server killed (`kills`) as soon as it has the request."""

    def __init__(self, to_port: int) -> None:
        super().__init__(daemon=True)
        self.to_port, self.holds = to_port, False
        self.kills: Callable[[], None] | None = None
        self.answered, self.over = threading.Event(), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _address = self.listener.accept()
                threading.Thread(target=self.carry, args=(caller,), daemon=True).start()

    def carry(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError), caller:
            asked = self.whole(caller)
            with socket.create_connection(("127.0.0.1", self.to_port), timeout=PATIENCE_SECONDS) as server:
                server.sendall(asked)
                if self.kills is not None:
                    self.kills()
                answer = self.whole(server)
            if self.holds:
                self.answered.set()
                caller.recv(1)  # until the caller is gone
                return
            caller.sendall(answer)

    @staticmethod
    def whole(peer: socket.socket) -> bytes:
        """A request or an answer with its body."""
        got = b""
        while b"\r\n\r\n" not in got and (more := peer.recv(65536)):
            got += more
        head, _gap, body = got.partition(b"\r\n\r\n")
        lengths = [
            line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        while lengths and len(body) < int(lengths[0]) and (more := peer.recv(65536)):
            body += more
        return head + b"\r\n\r\n" + body


@pytest.fixture
def installations(db: None, tmp_path: Path) -> Iterator[tuple[Installation, Installation, HoldingLine]]:
    base = connection.settings_dict["TEST"]["NAME"] or "test_bihuan"
    names = [f"{connection.settings_dict['NAME']}_{side}" for side in ("asking", "asked")]
    with _admin(connection.settings_dict) as admin:
        for name in names:
            _drop(admin, name)
            _create(admin, name, f"{base}_tpl_{_schema_stamp()}")
    asking, asked = (
        Installation(tmp_path / name, database, free_port())
        for name, database in zip(("asking", "asked"), names, strict=True)
    )
    line = HoldingLine(asked.port)
    line.start()
    try:
        yield asking, asked, line
    finally:
        line.listener.close()
        for one in (asking, asked):
            one.stop()
        with _admin(connection.settings_dict) as admin:
            for name in names:
                _drop(admin, name)


def pair(asking: Installation, asked: Installation, line: HoldingLine) -> None:
    """As people do it: each names itself, cards are exchanged, fingerprints compared."""
    for one, name, serves, port in (
        (asking, "十堰疾控", "4203", asking.port),
        (asked, "襄阳疾控", "4206", line.port),
    ):
        one.run("from tests.cast import staff; staff(); told = 1")
        url = f"http://127.0.0.1:{port}"
        one.cli("peers", "init", "--name", name, "--url", url, "--serves", serves)
    for here, there in ((asking, asked), (asked, asking)):
        shown = there.cli("peers", "show-key", "--out", str(there.home / "card.json"))
        card = str(there.home / "card.json")
        here.cli("peers", "add", card, "--fingerprint", shown["fingerprint"])


ASK = """
from bihuan.registry.actor import Actor
from bihuan.registry.actions.people import register_person
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import assistance as verbs
actor = Actor.system("test", door="test")
person = register_person(PersonInput(territory_code="420303", name="欧阳晓岚", phone="13871234567"), actor)
row = verbs.ask(verbs.AssistanceInput(to_territory="420602", need="locate", reason="密切接触者",
    person_id=person.pk, from_territory="420303"), actor=actor)
told = row.status
"""
ANSWER = """
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceRequest
actor = Actor.system("test", door="test")
row = AssistanceRequest.objects.get()
verbs.accept(verbs.AcceptInput(row.public_id, territory_code="420602001"), actor=actor)
verbs.answer(row.public_id, outcome="found", note="在家", actor=actor)
told = row.status
"""
END = """
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceRequest
told = verbs.end(AssistanceRequest.objects.get().public_id, actor=Actor.system("test", door="test")).status
"""


REMIND = """
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceRequest
told = verbs.remind(AssistanceRequest.objects.get().public_id, actor=Actor.system("test", door="test"))
"""


@pytest.mark.slow
def test_down_killed_and_up_again_each_message_takes_effect_once(installations) -> None:
    asking, asked, line = installations
    pair(asking, asked, line)
    assert asking.run(ASK) == "sent"
    assert asking.send(0) == [0, 1], "the other side is down"

    asked.start()
    line.holds = True
    sender = asking.begin(
        "from datetime import timedelta\nfrom bihuan.registry import clock\n"
        "from bihuan.tracing.actions.assistance import deliver\n"
        "deliver(now=clock.now() + timedelta(minutes=5))"
    )
    assert line.answered.wait(PATIENCE_SECONDS)
    sender.send_signal(signal.SIGKILL)
    sender.wait(PATIENCE_SECONDS)
    line.holds = False
    assert asked.state()[:3] == ["received", "", 1]
    assert asking.state()[:3] == ["sent", "", 1], "the killed one noted nothing"
    assert asking.send(10) == [1, 0]
    assert asking.state()[0] == "received"
    assert asked.state()[:3] == ["received", "", 1]

    asked.run(ANSWER)
    assert asked.send(20) == [0, 1], "now the asking side is down"
    asking.start()
    assert asked.send(60) == [2, 0]
    assert asking.state()[:3] == ["answered", "found", 3]

    asking.run(END)
    assert asking.send(70) == [1, 0]
    assert asked.send(70) == [1, 0]
    for one in (asking, asked):
        assert one.state()[:4] == ["deleted", "found", 5, True]


@contextlib.contextmanager
def backup_of(one: Installation) -> Iterator[Callable[[], None]]:
    """The database of an installation as it is now; calling what comes puts it back as it was."""
    kept = f"{one.database}_backup"

    def copy(source: str, target: str) -> None:
        with _admin(connection.settings_dict) as admin:
            _drop(admin, target)
            _create(admin, target, source)

    copy(one.database, kept)
    try:
        yield lambda: copy(kept, one.database)
    finally:
        with _admin(connection.settings_dict) as admin:
            _drop(admin, kept)


@pytest.mark.slow
def test_lost_in_a_restore_a_request_comes_back_though_nobody_says_anything(installations) -> None:
    asking, asked, line = installations
    pair(asking, asked, line)
    asking.start()
    asked.start()
    with backup_of(asked) as put_asked_back, backup_of(asking) as put_asking_back:
        assert asking.run(ASK) == "sent"
        assert asking.send(0) == [1, 0]
        asked.stop()
        put_asked_back()  # before it received
        asked.start()
        assert asking.send(59) == [0, 0], "it cannot know"
        assert asking.send(61) == [1, 0], "nothing is there, and the request goes again"
        assert asked.state()[:3] == ["received", "", 1]

        asking.stop()
        put_asking_back()  # before it asked
        asking.start()
        assert asked.send(61) == [1, 0], "the copy of a request to which nothing was said yet"
        assert asking.state()[:4] == ["received", "", 1, False]
        assert asked.cli("peers", "refused") == [], "nothing was knocked with in vain"

        asked.run(ANSWER)
        assert asked.send(62) == [2, 0]
        asking.run(END)
        assert asking.send(63) == [1, 0]
        assert asked.send(64) == [1, 0]
        for one in (asking, asked):
            assert one.state()[:2] == ["deleted", "found"]
            assert one.run(CHECK) == [True, 0]


CHECK = "from bihuan.loops.queries.check import check\nfound = check()\ntold = [found.holds, found.open]"


@pytest.mark.slow
def test_back_from_a_backup_before_the_request_either_side_ends_with_the_other(installations) -> None:
    asking, asked, line = installations
    pair(asking, asked, line)
    with backup_of(asked) as put_asked_back, backup_of(asking) as put_asking_back:
        assert asking.run(ASK) == "sent"
        asked.start()
        assert asking.send(0) == [1, 0]
        asked.stop()
        put_asked_back()  # before it received
        asked.start()
        assert asking.send(5) == [0, 0], "it cannot know"
        asking.run(REMIND)
        assert asking.send(5) == [1, 0]
        assert asked.state()[:3] == ["received", "", 1]

        asked.run(ANSWER)
        put_asking_back()  # before it asked
        asking.start()
        assert asked.send(10) == [0, 1], "the request is not there"
        assert asked.send(15) == [2, 0], "with a copy of it"
        assert asking.state()[:4] == ["answered", "found", 3, False]

        asked.stop()
        put_asked_back()
        asked.start()
        asking.run(END)
        assert asking.send(20) == [2, 0], "found lost when comparing, the request goes first, told no more"
        assert asked.send(25) == [1, 0]
        assert asking.state()[:4] == ["deleted", "found", 5, True]
        assert asked.state()[:2] + asked.state()[3:4] == ["deleted", "", True]
    for one in (asking, asked):
        assert one.run(CHECK) == [True, 0]
        one.stop()


@pytest.mark.slow
def test_at_the_door_a_stranger_learns_nothing_and_a_card_holds_public_keys_only(installations) -> None:
    asking, asked, line = installations
    pair(asking, asked, line)
    asked.start()
    address = f"http://127.0.0.1:{asked.port}/api/v1/exchange"
    with urllib.request.urlopen(f"{address}/card") as answer:
        card = json.loads(answer.read())
    assert set(card["key"]) == {"id", "sign", "seal"}
    assert asking.run(ASK) == "sent"
    assert asking.send(0) == [1, 0]
    stranger = {
        "protocol": "bihuan-exchange/1", "from": "N-0000000000", "to": card["installation"], "key": "0" * 16,
        "sealed_for": card["key"]["id"], "message": "0" * 32, "thread": "R-0000000000", "kind": "request",
        "sequence": 1, "created_at": "2020-02-14T04:00:00Z", "sealed": "AAAA", "signature": "AAAA",
    }  # fmt: skip
    for body, status, word in (
        (json.dumps(stranger).encode(), 403, "not-recognized"),
        (b"{}", 400, "malformed"),
        (b" " * 70_000, 413, "too-large"),
    ):
        request = urllib.request.Request(
            f"{address}/messages", data=body, headers={"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == status
        assert json.loads(refused.value.read())["type"] == word
    logged = asked.cli("peers", "refused")
    assert [(one["code"], one["claimed"]) for one in logged][-1] == ("not-recognized", "N-0000000000")
    asked.cli(
        "peers",
        "revoke",
        json.loads((asking.home / "card.json").read_text())["installation"],
        "--reason",
        "x",
    )
    asking.run(END)
    assert asking.send(60) == [0, 1]
    assert asking.cli("peers", "list")[0]["last_error"] == "revoked"


HAND_OVER = """
from datetime import date
from bihuan.registry.actor import Actor
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, confirm_contact
from bihuan.tracing.actions import assistance as verbs
actor = Actor.system("test", door="test")
person = PersonInput(territory_code="420303001", name="欧阳晓岚", phone="13871234567")
contact = confirm_contact(ContactInput(person=person, territory_code="420303001"), actor=actor)
row = verbs.ask(verbs.AssistanceInput(to_territory="420602", need="locate", reason="密切接触者",
    person_id=contact.person_id, contact_id=contact.public_id, from_territory="420303"), actor=actor)
told = row.status
"""
TAKE = """
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import AssistanceRequest
given = verbs.AcceptInput(AssistanceRequest.objects.get().public_id, territory_code="420602001", confirm=True)
told = verbs.accept(given, actor=Actor.system("test", door="test")).status
"""
HELD = """
from bihuan.loops.models import Duty, Loop
from bihuan.tracing.models import AssistanceMessage, Contact
loops = Loop.objects.filter(subject_kind="contact")
told = [sorted(Contact.objects.values_list("status", flat=True)),
    list(loops.values_list("outcome", flat=True)),
    sorted(Duty.objects.filter(loop__in=loops, state=0).values_list("kind", flat=True)),
    AssistanceMessage.objects.count()]
"""
AN_HOUR_AHEAD = """
from datetime import timedelta
from bihuan.registry import clock
clock.advance(timedelta(hours=1))
told = 1
"""


@pytest.mark.slow
def test_a_contact_is_handed_over_once_though_a_receiver_is_killed_and_a_clock_is_an_hour_off(
    installations,
) -> None:
    asking, asked, line = installations
    pair(asking, asked, line)
    asked.run(AN_HOUR_AHEAD)
    asked.start()
    assert asking.run(HAND_OVER) == "sent"
    line.kills = asked.kill
    assert asking.send(0) == [0, 1], "killed while it had the request"
    line.kills = None
    asked.start()
    assert asking.send(5) == [1, 0]
    assert asked.state()[:3] == ["received", "", 1]

    assert asked.run(TAKE) == "accepted"
    assert asked.send(0) == [0, 1], "the asking side is down"
    assert asking.run(HELD) == [["confirmed"], [""], ["locate"], 1], "she is owed here until it is told"
    asking.start()
    asking.kill()
    asking.start()
    assert asked.send(60) == [1, 0]
    assert asked.send(120) == [0, 0]
    assert asking.run(HELD) == [["handed_over"], ["handed_over"], [], 2]
    assert asked.run(HELD) == [["confirmed"], [""], ["locate"], 2]
    for one in (asking, asked):
        assert one.cli("loops", "check")["violations"] == []
