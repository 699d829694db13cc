from __future__ import annotations

import copy
from typing import Any

import pytest

from bihuan.loops.rules.bound import CannotBind, as_dict, bind, from_dict
from bihuan.loops.rules.definition import InvalidDefinition, check, find_limbo, parse

from .loop_examples import CASE, CONTACT, Policy, bound, hot


def changed(**parts: Any) -> dict[str, Any]:
    raw = copy.deepcopy(CONTACT)
    for path, value in parts.items():
        *way, last = path.split("__")
        place = raw
        for word in way:
            place = place[word]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return raw


def messages(raw: Any) -> list[str]:
    return [str(p) for p in check("contact", raw, where="packs/x.yaml: loops.contact")]


def test_the_examples_are_without_a_problem():
    assert check("contact", CONTACT) == []
    assert check("case", CASE) == []


def test_a_misspelt_word_is_named_with_the_nearest_and_all_allowed():
    [message] = messages(changed(duties__place__owned_by=["x"]))
    assert message.startswith(
        "packs/x.yaml: loops.contact.duties.place.owned_by: is not a word of the language. Did you mean"
        " owed_by?"
    )
    assert "done_on" in message


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("group", "both", "'both' is not a group of loops. Allowed: admission, data."),
        ("duties__locate__stage", "find",
        "'find' is not a stage of this loop. Allowed: locate, place, observe, release."),
        ("duties__locate__due", None,
        "loops.contact.duties.locate.due: is missing; every duty has a deadline."),
        ("duties__locate__due", {"within": 2, "end_of_day": True},
        "needs exactly one of within and end_of_day."),
        ("duties__locate__owed_by", None, "duties.locate.owed_by: is missing."),
        ("duties__locate__done_on", "located", "'located' is not an event kind; write room.word"),
        ("duties__place__preempts", ["locat"], "'locat' is not a duty of this loop."),
        ("duties__place__opens_on", ["done:locat"], "'done:locat' names no duty of this loop."),
        ("duties__temperature__repeats__for_days", None,
        "has no last day; nothing is asked of a person without an end."),
        ("duties__temperature__repeats__daily", ["9 am"],
        'must be a policy key or a list of local times such as "09:00"'),
        ("duties__temperature__repeats__from", None, "repeats.from: is missing"),
        ("closes", [{"after_all": "x", "outcome": "o"}],
        "closes[0].after_all: 'x' is not a duty of this loop."),
        ("label", {"zh": "x"}, "label: must have both a Chinese and an English text."),
        ("escalate", None, "escalate: is missing."),
        ("duties__locate__opens_on", ["contact.seen"],
        "none opens with the loop; let one open on loop.opened."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(path: str, value: Any, said: str):
    assert any(said in m for m in messages(changed(**{path: value}))), messages(changed(**{path: value}))


@pytest.mark.parametrize(
    "raw", [None, 7, [], "x", {"duties": 3}, {"duties": {"a": 3}}, {"stages": "x"}, {"closes": {}}]
)
def test_any_rubbish_gives_problems_and_never_a_crash(raw: Any):
    assert check("x", raw)


def test_yaml_reading_on_as_true_is_understood():
    raw = changed(closes=[{True: "contact.released", "outcome": "released"}])
    assert parse("contact", raw).closes[0].on == ("contact.released",)


def test_all_problems_come_at_once():
    with pytest.raises(InvalidDefinition) as caught:
        parse("contact", changed(group="x", escalate=None, duties__locate__stage="y"))
    assert len(caught.value.problems) >= 3


def test_limbo_is_found_by_walking_the_orders():
    assert find_limbo(parse("contact", CONTACT)) == []
    raw = changed(duties__release=None)
    raw["stages"] = [s for s in raw["stages"] if s["stage"] != "release"]
    assert "duties.test: may leave the loop open with nothing owed" in "".join(
        map(str, find_limbo(parse("c", raw)))
    )


def test_binding_takes_numbers_from_policy_and_says_which():
    duty = bound(CONTACT).duties["locate"]
    assert duty.within is not None
    assert duty.within.total_seconds() == 2 * 3600
    assert (duty.rule, duty.pack, duty.clause) == ("clocks.locate_hours", "example", "E-1")
    assert bound(CONTACT).duties["temperature"].repeat.slots == (9 * 60, 20 * 60)  # type: ignore[union-attr]


def test_binding_names_the_key_the_policy_does_not_hold():
    policy = Policy()
    del policy.values["clocks.locate_hours"]
    with pytest.raises(CannotBind, match=r"duties.locate.due.within: asks policy for 'clocks.locate_hours'"):
        bind(parse("contact", CONTACT), policy, lambda text: hot)


def test_binding_refuses_a_ladder_it_cannot_climb():
    with pytest.raises(CannotBind, match=r"superior\|county_command"):
        bound(CONTACT, escalation__default=[{"to": "the_king", "after_hours": 1}])


def test_a_bound_definition_is_stored_and_read_back_equal():
    first = bound(CONTACT)
    again = from_dict(as_dict(first), lambda text: hot)
    assert again.duties == first.duties
    assert again.digest == first.digest
    assert bound(CONTACT, observation__days=14).digest != first.digest
