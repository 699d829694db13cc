"""Where a request stands is a function of the set of its messages; what may be shared follows from the
need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bihuan.tracing.rules.assistance import (
    FIELD_CLASS,
    FURTHER,
    OF_PERSON,
    OUTCOMES,
    SPEAKER,
    USUAL,
    Message,
    Need,
    Outcome,
    ReturnReason,
    Said,
    Side,
    Status,
    allowed_fields,
    excess_fields,
    is_final,
    is_taken_over,
    may_say,
    next_sequence,
    stand,
)

RANK = list(Status)


def _data(said: Said, n: int) -> dict[str, object]:
    if said is Said.ANSWER:
        return {"outcome": list(Outcome)[n % len(Outcome)].value, "final": n % 2 == 0}
    if said is Said.RETURN:
        return {"reason": list(ReturnReason)[n % len(ReturnReason)].value}
    return {}


@st.composite
def threads(draw: st.DrawFn) -> list[Message]:
    """What two sides could say, each numbering its own, as far as its own view of the thread lets it."""
    said: list[Message] = [Message(Said.REQUEST, 1)]
    seen: dict[Side, list[Message]] = {Side.ASKING: [*said], Side.ASKED: [*said]}
    for n in range(draw(st.integers(0, 12))):
        side = draw(st.sampled_from(list(Side)))
        standing = stand(seen[side], is_received=True)
        open_to = [s for s in Said if may_say(s, status=standing.status, side=side)]
        if open_to:
            what = draw(st.sampled_from(open_to))
            message = Message(what, next_sequence(seen[side], side), _data(what, n))
            said.append(message)
            seen[side].append(message)
        if draw(st.booleans()):  # what was said so far arrives everywhere
            seen = {one: list(said) for one in Side}
    return said


@given(threads(), st.data())
def test_the_order_of_delivery_and_repetition_change_nothing(
    said: list[Message], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(said + data.draw(st.lists(st.sampled_from(said)))))
    assert stand(shuffled, is_received=True) == stand(said, is_received=True)


@given(threads())
def test_more_messages_never_lead_back(said: list[Message]) -> None:
    steps = [stand(said[:n], is_received=True).status for n in range(1, len(said) + 1)]
    assert [RANK.index(s) for s in steps] == sorted(RANK.index(s) for s in steps)


@given(threads())
def test_each_side_says_only_what_is_its_own_to_say(said: list[Message]) -> None:
    assert all(m.side is SPEAKER[m.said] for m in said)
    assert len({(m.side, m.sequence) for m in said}) == len(said)


@given(threads())
def test_the_newest_answer_counts_whatever_came_first(said: list[Message]) -> None:
    answers = [m for m in said if m.said is Said.ANSWER]
    expected = max(answers, key=lambda m: m.sequence).data["outcome"] if answers else ""
    assert stand(reversed(said), is_received=True).outcome == expected


@pytest.mark.parametrize("status", list(Status))
def test_after_the_deletion_is_confirmed_nobody_says_anything(status: Status) -> None:
    if status is Status.DELETED:
        assert not any(may_say(said, status=status, side=side) for said in Said for side in Side)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ([], Status.RETURNED),
        ([Message(Said.ACCEPT, 1, {"confirmed": True})], Status.RETURNED),
        ([Message(Said.ANSWER, 1, {"outcome": "found", "final": False})], Status.RETURNED),
        ([Message(Said.ANSWER, 1, {"outcome": "found", "final": True})], Status.DELETED),
        ([Message(Said.RETURN, 1, {"reason": "other"})], Status.DELETED),
        ([Message(Said.END, 2)], Status.DELETED),
    ],
)
def test_who_deletes_without_an_answer_has_sent_it_back(before: list[Message], status: Status) -> None:
    said = [Message(Said.REQUEST, 1), *before, Message(Said.DELETED, 9)]
    assert stand(said, is_received=True).status is status
    assert is_taken_over(said) is False


def test_a_request_without_a_receipt_is_sent_and_not_received() -> None:
    assert stand([Message(Said.REQUEST, 1)], is_received=False).status is Status.SENT
    assert stand([], is_received=False).status is Status.DRAFT


@pytest.mark.parametrize("need", list(Need))
def test_every_need_shares_only_known_fields_and_says_which_are_usual(need: Need) -> None:
    allowed = allowed_fields(need)
    assert set(allowed) == {*USUAL[need], *FURTHER[need]} <= set(FIELD_CLASS)
    assert "id_number" not in USUAL[need], "a number is added by hand, never by habit"
    assert excess_fields(need, FIELD_CLASS) == [name for name in FIELD_CLASS if name not in allowed]


@pytest.mark.parametrize("need", list(Need))
def test_who_holds_a_number_only_shares_nothing_that_tells_who_it_is(need: Need) -> None:
    assert not OF_PERSON & set(allowed_fields(need, is_keyed=True))


@pytest.mark.parametrize("need", list(Need))
def test_every_need_has_an_answer_that_ends_it(need: Need) -> None:
    assert any(is_final(need, outcome) for outcome in OUTCOMES[need])
    assert not is_final(Need.PLACE, Outcome.FOUND), "found is not yet under observation"
