"""The synthetic outbreak: the same every time, and never impossible."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.drill.actions.visits import Register
from bihuan.drill.rules import SETTINGS, Scenario, play_out, residents
from bihuan.drill.setting import COUNTY
from bihuan.drill.visits import MEETS, Visit, Walks, is_stranger, phone_of, spots
from bihuan.epi.visits.roles import code_of

PLACES = [("420303101001", "甲社区"), ("420302001001", "乙社区")]
SCENARIO = Scenario(
    seed=1,
    start=datetime(2020, 1, 15, tzinfo=UTC),
    now=datetime(2020, 2, 17, 12, 40, tzinfo=UTC),
    control_from=datetime(2020, 1, 26, tzinfo=UTC),
)


def test_the_same_scenario_gives_the_same_outbreak():
    assert play_out(SCENARIO, PLACES, [0.7, 0.3]) == play_out(SCENARIO, PLACES, [0.7, 0.3])


def test_another_seed_gives_another_outbreak():
    assert play_out(SCENARIO, PLACES, [1, 1]) != play_out(replace(SCENARIO, seed=2), PLACES, [1, 1])


def test_an_outbreak_without_homes_is_refused():
    with pytest.raises(ValueError, match="at least one community"):
        play_out(SCENARIO, [], [])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_nobody_infects_after_isolation_and_nothing_happens_before_its_cause(seed):
    outbreak = play_out(replace(SCENARIO, seed=seed), PLACES, [0.7, 0.3])
    by_key = {case.person.key: case for case in outbreak.cases}
    for case in outbreak.cases:
        assert case.infected_at < case.onset_at
        assert case.diagnosed_at <= case.reported_at <= case.reviewed_at
        assert case.reported_at <= case.investigated_at
        assert case.diagnosed_at <= case.admitted_at < case.outcome_at
        if case.infector is not None:
            infector = by_key[case.infector]
            assert infector.infected_at < case.infected_at < infector.isolated_at


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_contacts_are_named_found_and_placed_in_this_order_and_belong_to_a_case(seed):
    outbreak = play_out(replace(SCENARIO, seed=seed), PLACES, [0.7, 0.3])
    cases = {case.person.key for case in outbreak.cases}
    for contact in outbreak.contacts:
        assert contact.case_key in cases
        assert contact.confirmed_at <= contact.located_at <= contact.placed_at
        assert contact.became_case == (contact.person.key in cases)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_every_infection_has_its_setting_and_a_contact_who_fell_ill_the_same(seed):
    outbreak = play_out(replace(SCENARIO, seed=seed), PLACES, [0.7, 0.3])
    cases = {case.person.key: case for case in outbreak.cases}
    for case in outbreak.cases:
        assert case.setting in ([""] if case.infector is None else [name for name, _share in SETTINGS])
    for contact in outbreak.contacts:
        if contact.became_case:
            assert contact.setting == cases[contact.person.key].setting


def walked(seed: int) -> Walks:
    outbreak = play_out(replace(SCENARIO, seed=seed), PLACES, [0.7, 0.3])
    return Walks(outbreak, spots(PLACES, [("420303101", "甲镇"), ("420302001", "乙镇")]), [], seed=seed)


def test_gates_recorded_both_where_one_infected_the_other_away_from_home():
    met = 0
    for seed in range(6):
        walks = walked(seed)
        stays = list(walks.all(0))
        cases = {case.person.key: case for case in walks.outbreak.cases}
        for case in cases.values():
            if case.setting not in MEETS or case.infected_at - timedelta(days=2) < walks.begin:
                continue
            near = [one for one in stays if abs(one.start - case.infected_at) < timedelta(days=2)]
            mine = {one.place for one in near if one.person == phone_of(case.person.key)}
            theirs = {one.place for one in near if one.person == phone_of(cases[case.infector].person.key)}
            assert mine & theirs
            met += 1
    assert met > 3


@pytest.mark.parametrize("seed", range(4))
def test_nobody_of_the_stories_is_in_two_places_at_once(seed):
    by_person = defaultdict(list)
    for one in walked(seed).all(0):
        if one.minutes is not None:
            by_person[one.person].append((one.start, one.start + timedelta(minutes=one.minutes), one.place))
    for stays in by_person.values():
        for (_start, end, place), (start, _end, other) in pairwise(sorted(stays)):
            assert end <= start or place == other


def test_every_record_says_how_it_was_noted_in_a_word_the_store_knows():
    stays = list(walked(1).all(500))
    assert {code_of(one.how) for one in stays} <= {1, 2, 4, 5, 8}
    gates = [spot.store_id for spot in spots([("420303101001-01", "丙社区")], []) if "gate" in spot.kind]
    assert [Visit(1, "", gate, SCENARIO.now, None).how for gate in gates] == ["paper"]


def test_gates_of_the_county_write_down_most_of_those_no_register_knows_when_they_first_come():
    found = spots(
        [(code.replace("420302", COUNTY), name) for code, name in PLACES], [(COUNTY + "101", "甲镇")]
    )
    outbreak = play_out(SCENARIO, PLACES, [0.7, 0.3])
    homes = residents(random.Random(1), PLACES, [0.7, 0.3], n=40)
    stays = list(Walks(outbreak, found, homes, seed=1).all(6_000))
    register = Register(found, ["甲镇"])
    for part in (stays[:3_000], stays[3_000:]):
        register.see(part)
    entries = list(register.entries())
    strangers = {one.person: one.start for one in sorted(stays, key=lambda one: one.start, reverse=True)}
    strangers = {phone: at for phone, at in strangers.items() if is_stranger(phone)}
    assert 0.7 < len(entries) / len(strangers) < 0.9
    assert all(entry.at == strangers[entry.who] for entry in entries)
    assert entries == list(register.entries()), "the same every time"


def test_no_two_people_share_a_name():
    outbreak = play_out(SCENARIO, PLACES, [0.7, 0.3])
    people = {
        p.key: p.name for p in (*[c.person for c in outbreak.cases], *[c.person for c in outbreak.contacts])
    }
    assert len(set(people.values())) == len(people)
