"""Notices: one digest per post and time, sent once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.registry import outbox, scope
from bihuan.registry.actor import Actor
from bihuan.registry.models import Delivery, Digest, Organization, Post, Role
from bihuan.registry.outbox import NewNotice, announce, deliver

NOW = datetime(2020, 2, 5, 1, 0, tzinfo=UTC)  # 09:00 in Shiyan
NOON = datetime(2020, 2, 5, 4, 0, tzinfo=UTC)


@dataclass
class Letterbox:
    """An adapter that keeps what it is given; `fails` times it refuses first."""

    channel: str = "letter"
    can_repeat: bool = False
    fails: int = 0
    got: list[str] = field(default_factory=list)

    def send(self, digest: outbox.DigestView) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the post office is closed")
        self.got.append(digest.key)


@pytest.fixture
def posts(db) -> list[int]:
    with scope.system():
        role, _made = Role.objects.get_or_create(
            key="test_role", defaults={"label": {"zh": "试", "en": "Test"}}
        )
        house = Organization.objects.create(name="街道办", kind="street_office", territory_code="420302001")
        return [
            Post.objects.create(
                organization=house,
                title=f"岗{i}",
                function="grid_worker",
                territory_code="420302001",
                role=role,
            ).pk
            for i in range(3)
        ]


def late(post: int, n: int) -> NewNotice:
    return NewNotice(post, "late", f"late/D-{n}", {"duty": f"D-{n}"})


def test_an_owner_gets_one_digest_not_a_message_per_duty(posts):
    assert announce([late(posts[0], n) for n in range(1000)], now=NOW) == 1000
    announce([late(posts[0], n) for n in range(1000, 1010)], now=NOW + timedelta(hours=1))
    digest = Digest.objects.get()
    assert (digest.n_notices, digest.counts, digest.send_at) == (1010, {"late": 1010}, NOON)


def test_telling_the_same_again_adds_nothing(posts):
    announce([late(posts[0], 1)], now=NOW)
    assert announce([late(posts[0], 1), late(posts[0], 1)], now=NOW + timedelta(days=1)) == 0
    assert [d.n_notices for d in Digest.objects.order_by("send_at")] == [1, 0]


def test_many_posts_cost_a_handful_of_statements(posts, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        announce([late(post, n) for post in posts for n in range(200)], now=NOW)


def test_what_comes_later_makes_a_digest_unread_again(posts):
    announce([late(posts[0], 1)], now=NOW)
    seen = outbox.digest_for(posts[0])
    assert seen is not None
    assert outbox.read(seen.id, post_id=posts[0])
    assert outbox.digests_for(posts[0], unread=True) == []
    announce([late(posts[0], 2)], now=NOW)
    assert [d.n_notices for d in outbox.digests_for(posts[0], unread=True)] == [2]


def test_a_digest_is_read_and_acknowledged_by_its_own_post_only(posts):
    announce([late(posts[0], 1)], now=NOW)
    digest = Digest.objects.get()
    actor = Actor.system("test")
    assert not outbox.read(digest.pk, post_id=posts[1])
    assert not outbox.acknowledge(digest.pk, post_id=posts[1], actor=actor)
    assert outbox.acknowledge(digest.pk, post_id=posts[0], actor=actor)
    assert not outbox.acknowledge(digest.pk, post_id=posts[0], actor=actor)


def test_a_digest_leaves_at_its_time_and_once(posts):
    announce([late(posts[0], 1), late(posts[1], 1)], now=NOW)
    box = Letterbox()
    assert deliver(box, now=NOW).sent == 0
    assert deliver(box, now=NOON).sent == 2
    assert deliver(box, now=NOON + timedelta(days=1)).sent == 0
    assert len(set(box.got)) == len(box.got) == 2


def test_every_channel_gets_it_by_itself(posts):
    announce([late(posts[0], 1)], now=NOW)
    mail, letter = Letterbox(channel="mail"), Letterbox()
    deliver(mail, now=NOON)
    deliver(letter, now=NOON)
    assert mail.got == letter.got


def test_a_refused_digest_is_tried_again_later_and_later_and_then_given_up(posts):
    announce([late(posts[0], 1)], now=NOW)
    box = Letterbox(fails=2)
    assert deliver(box, now=NOON).retried_later == 1
    assert deliver(box, now=NOON + timedelta(seconds=30)).retried_later == 0
    assert deliver(box, now=NOON + timedelta(minutes=1)).retried_later == 1
    assert deliver(box, now=NOON + timedelta(minutes=3)).sent == 1
    announce([late(posts[0], 2)], now=NOON)
    broken = Letterbox(channel="broken", fails=99)
    for day in range(1, 30):
        deliver(broken, now=NOON + timedelta(days=day))
    states = set(Delivery.objects.filter(channel="broken").values_list("state", "attempts"))
    assert states == {("failed", 8)}
    assert "post office" in Delivery.objects.filter(channel="broken")[0].error


@pytest.mark.parametrize(("can_repeat", "state"), [(True, "sent"), (False, "unsure")])
def test_after_a_crash_between_claim_and_answer_nothing_is_sent_twice_blindly(posts, can_repeat, state):
    announce([late(posts[0], 1)], now=NOW)
    box = Letterbox(can_repeat=can_repeat)
    outbox._line_up(box, NOON)
    assert outbox._claim(box.channel, NOON) is not None  # and here the process dies
    assert deliver(box, now=NOON + timedelta(minutes=1)).sent == 0
    deliver(box, now=NOON + timedelta(minutes=10))
    assert Delivery.objects.get().state == state


def test_waiting_doubles_from_a_minute_to_an_hour():
    waits = [outbox.retry_after(n).total_seconds() / 60 for n in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2020, 12, 31), timezones=st.just(UTC)))
def test_the_sending_time_is_the_next_one_to_come(now):
    at = outbox.sending_time(now, times=(time(18), time(8)), tz="Asia/Shanghai")
    assert timedelta() < at - now <= timedelta(hours=14)
    assert at.astimezone(outbox.clock.zone("Asia/Shanghai")).hour in (8, 18)
