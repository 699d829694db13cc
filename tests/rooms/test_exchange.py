"""Two installations: messages lost, doubled, late and forged; both sides end up knowing the same, once."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.loops.models import Loop
from bihuan.registry import scope
from bihuan.registry.actions.people import register_person
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.actions.assistance import thread
from bihuan.tracing.errors import AssistanceClosed, AssistanceInvalid
from bihuan.tracing.models import (
    AssistanceDelivery,
    AssistanceMessage,
    AssistanceNote,
    AssistanceRequest,
    ExchangeRefusal,
    Peer,
)
from bihuan.tracing.peers import envelope, keys
from bihuan.tracing.peers.envelope import Envelope
from tests.cast import NEXT_COUNTY
from tests.rooms.care_room import local
from tests.rooms.exchange_room import SYSTEM, House, Line

NOON = local("02-14 12:00")
ASKED = "420602"


def someone() -> Person:
    return register_person(
        PersonInput(territory_code=NEXT_COUNTY, name="欧阳晓岚", phone="13871234567", sex="F"), SYSTEM
    )


def ask(house: House, to: str = ASKED, need: str = "locate", at: datetime = NOON) -> AssistanceRequest:
    with house.acting():
        given = verbs.AssistanceInput(
            to_territory=to,
            need=need,
            reason="密切接触者",
            person_id=someone().pk,
            from_territory=NEXT_COUNTY,
        )
        return verbs.ask(given, actor=SYSTEM, now=at)


def carry(house: House, line: Line, at: datetime = NOON) -> verbs.Delivered:
    with house.acting():
        return verbs.deliver(now=at, post=line.post)


def there(row: AssistanceRequest) -> AssistanceRequest:
    return AssistanceRequest.unscoped.get(thread=row.thread, side="asked")


def fresh(row: AssistanceRequest) -> AssistanceRequest:
    return AssistanceRequest.unscoped.get(pk=row.pk)


def test_a_request_to_a_territory_that_another_serves_waits_for_the_worker(houses, noon) -> None:
    asking, _asked, _line = houses
    row = ask(asking)
    assert row.status == "sent"
    assert row.peer is not None
    assert not AssistanceRequest.unscoped.filter(side="asked").exists()


def test_it_arrives_with_a_receipt_and_the_loop_opens_there(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking)
    assert carry(asking, line) == verbs.Delivered(delivered=1)
    assert fresh(row).status == "received"
    assert AssistanceDelivery.unscoped.get().receipt["kept"] == "new"
    arrived = there(row)
    assert arrived.territory_code == ASKED
    with scope.system():
        assert Loop.objects.filter(subject_ref=arrived.public_id, state=0).exists()


def test_answered_ended_and_deleted_on_both_sides(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id, territory_code="420602001"), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", note="已找到，在家", actor=SYSTEM)
    carry(asked, line)
    assert (fresh(row).status, fresh(row).outcome) == ("answered", "found")
    assert AssistanceNote.unscoped.filter(request=row).exists()
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asking, line)
    carry(asked, line)
    for one in (fresh(row), there(row)):
        assert (one.status, one.told) == ("deleted", None)
    assert not AssistanceNote.unscoped.exists()
    with scope.system():
        assert not Loop.objects.filter(subject_kind="assistance", state=0).exists()
    assert Person.unscoped.get(pk=there(row).person_id).shredded_at is not None


def test_while_the_other_side_is_down_it_is_tried_again_with_growing_pauses(houses, noon) -> None:
    asking, _asked, line = houses
    row, line.down = ask(asking), True
    at, tries = NOON, []
    for _minute in range(60):
        if carry(asking, line, at).failed:
            tries.append(int((at - NOON).total_seconds() // 60))
        at += timedelta(minutes=1)
    assert tries == [0, 1, 3, 7, 15, 31]
    line.down = False
    assert carry(asking, line, at + timedelta(hours=1)).delivered == 1
    assert fresh(row).status == "received"


def test_a_lost_answer_doubles_nothing(houses, noon) -> None:
    asking, _asked, line = houses
    row, line.loses_answer = ask(asking), True
    assert carry(asking, line).failed == 1
    assert fresh(row).status == "sent"
    assert there(row).status == "received"
    line.loses_answer = False
    assert carry(asking, line, NOON + timedelta(minutes=2)).delivered == 1
    assert fresh(row).status == "received"
    assert AssistanceRequest.unscoped.filter(side="asked").count() == 1
    assert AssistanceMessage.unscoped.filter(request=there(row)).count() == 1
    assert AssistanceDelivery.unscoped.get().receipt["kept"] == "known"


def test_killed_between_sending_and_noting_it_sends_again_and_doubles_nothing(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking)

    class Killed(BaseException):
        pass

    def post_and_die(url, given):
        line.post(url, given)
        raise Killed

    with asking.acting(), pytest.raises(Killed), transaction.atomic():
        verbs.deliver(now=NOON, post=post_and_die)
    # what was noted here is gone with the process; what arrived there was another database's
    line.again(0)
    assert there(row).status == "received"
    assert carry(asking, line).delivered == 1
    assert AssistanceMessage.unscoped.filter(request=there(row)).count() == 1


def test_a_replayed_message_gets_its_receipt_and_changes_nothing(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    before = list(AssistanceMessage.unscoped.values_list("id", "message"))
    assert asked.receive(line.carried[0])["kept"] == "known"
    assert list(AssistanceMessage.unscoped.values_list("id", "message")) == before
    assert there(row).status == "received"


def test_an_altered_message_is_refused_and_leaves_one_line_in_the_log(houses, noon) -> None:
    asking, asked, line = houses
    ask(asking)
    carry(asking, line)
    data = json.loads(line.carried[0])
    data["thread"], data["message"] = "R-ZZZZZZZZZZ", "f" * 32
    with asked.acting(), pytest.raises(verbs.Refused) as refused:
        verbs.receive(json.dumps(data).encode())
    assert refused.value.code == "not-recognized"
    logged = ExchangeRefusal.objects.get()
    assert (logged.code, logged.claimed) == ("not-recognized", asking.number)
    assert AssistanceRequest.unscoped.filter(side="asked").count() == 1


def test_a_stranger_is_refused_with_the_same_word_as_a_wrong_key(houses, noon, tmp_path: Path) -> None:
    asking, asked, line = houses
    ask(asking)
    carry(asking, line)
    data = {**json.loads(line.carried[0]), "from": "N-0000000000"}
    with asked.acting(), pytest.raises(verbs.Refused) as refused:
        verbs.receive(json.dumps(data).encode())
    assert (refused.value.code, refused.value.status) == ("not-recognized", 403)


def test_a_revoked_peer_is_refused_and_nothing_is_sent_to_it(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    with asked.acting():
        verbs.revoke_peer(asking.number, reason="钥匙遗失", actor=SYSTEM)
        carried: list[bytes] = []

        def keep(url, given):
            carried.append(given.as_bytes())
            raise AssertionError

    with asking.acting():
        Peer.objects.filter(installation=asked.number).update(revoked_at=None)
        with pytest.raises(AssertionError):
            verbs.deliver(now=NOON, post=keep)
    with asked.acting():
        Peer.objects.filter(installation=asking.number).update(revoked_at=NOON)
        with pytest.raises(verbs.Refused) as refused:
            verbs.receive(carried[0])
    assert refused.value.code == "revoked"
    with asking.acting():
        Peer.objects.filter(installation=asked.number).update(revoked_at=NOON)
        assert verbs.deliver(now=NOON, post=line.post) == verbs.Delivered()
    assert fresh(row).status == "sent"


def test_a_place_not_served_goes_back_by_itself_and_obliges_nobody(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    with asked.acting():
        verbs.name_installation(name="x", url="https://asked.example", serves=["4299"])
    carry(asking, line)
    carry(asked, line)
    assert (fresh(row).status, fresh(row).returned) == ("returned", "not_served")
    gone = there(row)
    assert (gone.told, gone.is_served) == (None, False)
    with scope.system():
        assert not Loop.objects.filter(subject_ref=gone.public_id).exists()
    with asking.acting():
        verbs.end(row.public_id, actor=SYSTEM)
    carry(asking, line)
    carry(asked, line)
    assert fresh(row).status == "deleted"


def test_more_than_the_need_justifies_is_not_kept(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking, need="inform")
    with asking.acting():
        held = AssistanceRequest.objects.get(pk=row.pk)
        told = thread.told_of(held)
        told["fields"]["id_number"] = "420303198103040022"
        held.told, held.shared = thread.lock_away(held, told), [*held.shared, "id_number"]
        held.save()
    assert carry(asking, line).failed == 1
    assert AssistanceDelivery.unscoped.get().error == "excess-fields"
    assert not AssistanceRequest.unscoped.filter(side="asked").exists()


def test_a_new_key_is_told_under_the_old_one_and_the_old_one_goes(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asking.acting():
        old = keys.own().newest.id
        new = verbs.rotate_key().newest.id
    line.loses_answer = True
    carry(asking, line)
    line.loses_answer = False
    carry(asking, line, NOON + timedelta(minutes=5))
    with asking.acting():
        assert [pair.id for pair in keys.own().keys] == [new] != [old]
    assert Peer.objects.get(installation=asking.number).key["id"] == new
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
    carry(asked, line, NOON + timedelta(minutes=9))
    assert fresh(row).status == "accepted"


def test_an_older_card_never_comes_back(houses, noon) -> None:
    asking, asked, line = houses
    with asking.acting():
        verbs.rotate_key()
    carry(asking, line)
    first = line.carried[-1]
    with asking.acting():
        newest = verbs.rotate_key().newest.id
    carry(asking, line)
    with pytest.raises(verbs.Refused):
        asked.receive(first)
    assert Peer.objects.get(installation=asking.number).key["id"] == newest


def test_a_new_key_on_a_card_older_than_the_known_one_is_not_confirmed_and_the_old_one_stays(
    houses, noon
) -> None:
    asking, asked, line = houses
    row = ask(asking)
    Peer.objects.filter(installation=asking.number).update(serial=9)  # its card of before the backup
    with asking.acting():
        old = keys.own().newest.id
        verbs.rotate_key()
    assert carry(asking, line) == verbs.Delivered(delivered=1), "under the key that is known there"
    assert there(row).status == "received"
    with asking.acting():
        assert keys.own().keys[0].id == old
        assert Peer.objects.get(installation=asked.number).knows_key == old


def test_a_message_overheard_and_sent_again_and_again_fills_no_table(houses, noon, monkeypatch) -> None:
    asking, asked, line = houses
    monkeypatch.setattr(sys.modules["bihuan.tracing.actions.assistance.receive"], "REFUSED_AN_HOUR", 3)
    ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.rotate_key()
        keys.forget_before(keys.own().newest.id)
    for _n in range(5):
        with asked.acting(), pytest.raises(verbs.Refused):
            verbs.receive(line.carried[0])
    assert list(ExchangeRefusal.objects.values_list("code", flat=True)) == ["unknown-key"] * 3


def test_a_clock_that_is_a_year_wrong_over_there_does_no_harm(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking, at=NOON - timedelta(days=365))
    carry(asking, line)
    arrived = there(row)
    assert arrived.received_at == NOON
    assert arrived.reply_due_at == NOON + timedelta(hours=2)


def test_what_the_register_cannot_hold_hinders_nobody_from_acting(houses, noon) -> None:
    asking, asked, line = houses
    with asking.acting():
        person = someone()
        Person.unscoped.filter(pk=person.pk).update(sex="F", name="周小明")
        given = verbs.AssistanceInput(
            to_territory=ASKED, need="place_under_observation", reason="x", person_id=person.pk,
            from_territory=NEXT_COUNTY, exposure_last=date(2020, 2, 12),
        )  # fmt: skip
        row = verbs.ask(given, actor=SYSTEM, now=NOON)
        told = thread.told_of(row)
        told["fields"] |= {"phone": "no number", "sex": "?", "age_years": "²", "exposure_last": "soon"}
        row.told, row.shared = thread.lock_away(row, told), sorted(told["fields"])
        row.save()
    carry(asking, line)
    with asked.acting():
        done = verbs.accept(verbs.AcceptInput(there(row).public_id, confirm=True), actor=SYSTEM, now=NOON)
    assert done.made_contact is not None
    assert done.made_contact.exposure_last is None
    assert (done.person.name, done.person.phone_index, done.person.sex) == ("周小明", "", "U")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(["accept", "return", "found", "not_found", "end"])),
        st.tuples(st.just("carry"), st.sampled_from(["both", "asking", "asked"])),
        st.tuples(st.just("lose"), st.booleans()),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 50)),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_however_messages_are_lost_doubled_and_late_both_sides_agree_in_the_end(
    houses, noon, steps: list[tuple[str, object]]
) -> None:
    asking, asked, line = houses
    at = NOON
    with transaction.atomic():
        row = ask(asking)
        for what, how in steps:
            at += timedelta(minutes=3)
            _step(what, how, row, (asking, asked, line), at)
        line.down, line.loses_answer = False, False
        for _round in range(4):
            at += timedelta(hours=2)
            carry(asking, line, at)
            carry(asked, line, at)
        here, over = fresh(row), there(row)
        assert (here.status, here.outcome, here.returned) == (over.status, over.outcome, over.returned)
        said = [set(m.messages(manager="unscoped").values_list("message", flat=True)) for m in (here, over)]
        assert said[0] == said[1]
        n_messages = AssistanceMessage.unscoped.filter(request__thread=row.thread).count()
        assert n_messages == 2 * len(said[0]), "each message stands once on each side"
        assert not AssistanceDelivery.unscoped.filter(
            request__thread=row.thread, delivered_at__isnull=True
        ).exists()
        if here.status == "deleted":
            assert here.told is None
            assert over.told is None
        transaction.set_rollback(True)
    line.carried.clear()


def _step(
    what: str, how: object, row: AssistanceRequest, world: tuple[House, House, Line], at: datetime
) -> None:
    asking, asked, line = world
    if what == "carry":
        for name, house in (("asking", asking), ("asked", asked)):
            if how in ("both", name):
                carry(house, line, at)
    elif what == "lose":
        line.loses_answer = bool(how)
    elif what == "down":
        line.down = bool(how)
    elif what == "again" and line.carried:
        line.again(int(str(how)))
    elif what == "say":
        _say(str(how), row, asking, asked, at)


def _say(how: str, row: AssistanceRequest, asking: House, asked: House, at: datetime) -> None:
    arrived = AssistanceRequest.unscoped.filter(thread=row.thread, side="asked").first()
    try:
        if how == "end":
            with asking.acting():
                verbs.end(row.public_id, actor=SYSTEM, now=at)
        elif arrived is not None:
            with asked.acting():
                if how == "accept":
                    verbs.accept(verbs.AcceptInput(arrived.public_id), actor=SYSTEM, now=at)
                elif how == "return":
                    verbs.give_back(
                        arrived.public_id, reason="wrong_place", note="不在本地", actor=SYSTEM, now=at
                    )
                else:
                    verbs.answer(arrived.public_id, outcome=how, note="说明", actor=SYSTEM, now=at)
    except AssistanceClosed:
        pass


def test_a_peer_asks_only_for_territories_that_people_agreed_it_serves(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking)
    Peer.objects.filter(installation=asking.number).update(serves=["420303001"])
    assert carry(asking, line).failed == 1
    assert AssistanceDelivery.unscoped.get().error == "not-theirs"
    assert not AssistanceRequest.unscoped.filter(side="asked").exists()
    assert fresh(row).status == "sent"


def test_a_new_key_widens_nothing_that_people_agreed(houses, noon) -> None:
    asking, _asked, line = houses
    with asking.acting():
        verbs.name_installation(name="x", url="https://elsewhere.example", serves=["42"])
        new = verbs.rotate_key().newest.id
    carry(asking, line)
    peer = Peer.objects.get(installation=asking.number)
    assert (peer.key["id"], peer.serves, peer.url) == (new, ["4203"], "https://asking.example")


def test_what_a_peer_serves_that_is_no_longer_trusted_is_asked_of_nobody_else(houses, noon) -> None:
    asking, asked, _line = houses
    Peer.objects.filter(installation=asked.number).update(revoked_at=NOON)
    with pytest.raises(AssistanceInvalid) as refused:
        ask(asking)
    assert refused.value.errors[0]["rule"] == "revoked"


def test_a_sender_back_from_an_older_backup_is_heard_though_it_counts_anew(houses, noon) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="found", actor=SYSTEM)
    carry(asked, line)
    _restore(there(row), to_messages=1)
    with asked.acting():
        verbs.accept(verbs.AcceptInput(there(row).public_id), actor=SYSTEM)
        verbs.answer(there(row).public_id, outcome="not_found", actor=SYSTEM)
    assert carry(asked, line).failed == 0
    assert (fresh(row).status, fresh(row).outcome) == ("answered", "not_found")


def test_a_receiver_back_from_an_older_backup_has_it_again_by_a_reminder(houses, noon) -> None:
    asking, _asked, line = houses
    row = ask(asking)
    carry(asking, line)
    _restore(there(row), to_messages=0)
    with asking.acting():
        assert verbs.remind(row.public_id, actor=SYSTEM)
    carry(asking, line)
    assert there(row).status == "received"
    with asking.acting():
        verbs.remind(row.public_id, actor=SYSTEM)
    carry(asking, line)
    assert AssistanceMessage.unscoped.filter(request=there(row)).count() == 1


def _restore(row: AssistanceRequest, *, to_messages: int) -> None:
    """The asked side as an older backup knows it: the first so many messages, and nothing after them."""
    with scope.system(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        kept = AssistanceMessage.objects.filter(request=row).order_by("id").values_list("id", flat=True)
        gone = list(kept)[to_messages:]
        AssistanceDelivery.objects.filter(message__in=gone)._raw_delete("default")
        AssistanceMessage.objects.filter(id__in=gone)._raw_delete("default")
        if to_messages == 0:
            AssistanceRequest.objects.filter(id=row.pk)._raw_delete("default")
        else:
            AssistanceRequest.objects.filter(id=row.pk).update(
                status="received", outcome="", answered_at=None
            )
        cursor.execute("SET LOCAL session_replication_role = origin")  # the test goes on in this transaction


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"data": {"outcome": ["found"], "final": True}}, "malformed"),
        ({"note": "\ud800"}, "malformed"),
        ({"note": "a\x00b"}, "malformed"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_breaks_nothing(houses, noon, change, code) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    content = {"data": {"outcome": "found", "final": True}, "note": "", **change}
    with pytest.raises(verbs.Refused) as refused:
        asking.receive(_answer_of(asked, row, content).as_bytes())
    assert refused.value.code == code


@pytest.mark.parametrize("at", ["2020-13-41T25:61:61Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_moment_that_is_none_or_cannot_be_shown_is_refused(houses, noon, at: str) -> None:
    asking, asked, line = houses
    row = ask(asking)
    carry(asking, line)
    content = {"data": {"outcome": "found", "final": True}, "note": ""}
    with pytest.raises(verbs.Refused) as refused:
        asking.receive(_answer_of(asked, row, content, at=at).as_bytes())
    assert refused.value.code == "malformed"


def _answer_of(
    house: House, row: AssistanceRequest, content: dict[str, object], at: str = "2020-02-14T04:00:00Z"
) -> Envelope:
    """An answer as a peer signs it that keeps to no rule of content."""
    with house.acting():
        own, peer = keys.own(), Peer.objects.get(revoked_at=None)
        bare = Envelope(
            sender=own.installation, receiver=peer.installation, key=own.newest.id,
            sealed_for=peer.key["id"], message="ab" * 16, thread=row.thread, kind="answer", sequence=1,
            created_at=at,
        )  # fmt: skip
        sealed = envelope.seal(content, reader=keys.raw(peer.key["seal"]), outside=bare.open_part())
        made = replace(bare, sealed=sealed)
        return replace(made, signature=envelope.sign(own.newest.signing, "envelope", made.signed_part()))


def test_strangers_fill_no_table(houses, noon, monkeypatch) -> None:
    asking, _asked, _line = houses
    monkeypatch.setattr(sys.modules["bihuan.tracing.actions.assistance.receive"], "REFUSED_AN_HOUR", 3)
    for _n in range(5):
        with asking.acting(), pytest.raises(verbs.Refused):
            verbs.receive(b"{}")
    assert ExchangeRefusal.objects.count() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"serves": []},
        {"serves": [""]},
        {"serves": ["4206 "]},
        {"name": "襄阳\x1b[2K疾控"},
        {"serial": 2**31},
        {"installation": "N-1"},
    ],
)
def test_a_card_that_shows_people_something_else_than_it_says_is_none(houses, noon, change) -> None:
    asking, _asked, _line = houses
    with asking.acting():
        own = keys.own()
        said = {name: text for name, text in keys.card_of(own).items() if name != "signature"} | change
        assert not keys.is_card({**said, "signature": envelope.sign(own.newest.signing, "card", said)})
