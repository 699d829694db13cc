"""The shipped packs: what is in force where and when, and who says so."""

from __future__ import annotations

import datetime as dt
import timeit
from itertools import pairwise
from pathlib import Path

import pytest

from bihuan.policy.errors import UnknownPack, UnknownPolicyKey
from bihuan.policy.rules.library import Library, load_all

PACKS = Path(__file__).resolve().parents[2] / "packs"
TIANJIN, SHANGHAI, SHIYAN, GUATEMALA = "120101", "310101", "420302001003-01", "GT0101"


@pytest.fixture(scope="module")
def library() -> Library:
    return load_all([PACKS])


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("territory", "on", "packs"),
    [
        (TIANJIN, "2020-01-20", "generic-respiratory"),
        (TIANJIN, "2020-01-25", "cn-nhc-2020-01+generic-respiratory"),
        (TIANJIN, "2020-03-06", "cn-nhc-2020-01+generic-respiratory"),
        (TIANJIN, "2020-03-07", "cn-nhc-2020-03+generic-respiratory"),
        (TIANJIN, "2020-09-14", "cn-nhc-2020-03+generic-respiratory"),
        (TIANJIN, "2020-09-15", "cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory"),
        (TIANJIN, "2021-05-10", "cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory"),
        (TIANJIN, "2021-05-11", "cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory"),
        (
            TIANJIN,
            "2022-06-28",
            "cn-nhc-2022-06+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (
            TIANJIN,
            "2022-11-11",
            "cn-nhc-2022-11+cn-nhc-2022-06+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (
            TIANJIN,
            "2023-01-07",
            "cn-nhc-2022-12+cn-nhc-2022-11+cn-nhc-2022-06+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (TIANJIN, "2023-01-08", "generic-respiratory"),
        (
            SHANGHAI,
            "2022-05-10",
            "shanghai-2022-05+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (
            SHANGHAI,
            "2022-06-30",
            "cn-nhc-2022-06+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (SHIYAN, "2020-02-16", "cn-nhc-2020-01+generic-respiratory"),
        (SHIYAN, "2020-02-17", "hubei-2020-02+cn-nhc-2020-01+generic-respiratory"),
        (SHIYAN, "2020-03-07", "hubei-2020-02+cn-nhc-2020-03+generic-respiratory"),
        (SHIYAN, "2020-05-25", "hubei-2020-05+cn-nhc-2020-03+generic-respiratory"),
        (
            SHIYAN,
            "2021-06-01",
            "hubei-2020-05+cn-nhc-2021-05+cn-nhc-2020-09+cn-nhc-2020-03+generic-respiratory",
        ),
        (SHIYAN, "2023-01-08", "generic-respiratory"),
        (GUATEMALA, "2020-08-01", "generic-respiratory"),
        ("", "1999-12-31", "generic-respiratory"),
    ],
)
def test_it_says_what_is_in_force_where_and_when(library, territory, on, packs):
    found = library.in_force(territory, day(on))
    assert found.id.partition("@")[0] == packs
    again = library.by_id(found.id)
    assert (again.id, again.values, again.rules) == (found.id, found.values, found.rules)


def test_a_province_keeps_its_own_values_when_the_national_edition_changes(library):
    before, after = library.in_force(SHIYAN, day("2020-03-06")), library.in_force(SHIYAN, day("2020-03-07"))
    assert before.value("observation.follow_up_slots").value == ("09:00", "14:00", "20:00")
    assert after.value("observation.follow_up_slots").value == ("09:00", "14:00", "20:00")
    assert after.value("observation.follow_up_slots").pack == "hubei-2020-02"
    assert before.value("contact.window_before_sample_days").value == 0
    assert after.value("contact.window_before_sample_days").value == 2
    assert after.value("contact.window_before_sample_days").pack == "cn-nhc-2020-03"


@pytest.mark.parametrize(
    ("key", "territory", "on", "value", "pack"),
    [
        ("clocks.report_hours", TIANJIN, "2020-01-20", 24, "generic-respiratory"),
        ("clocks.report_hours", TIANJIN, "2020-02-05", 2, "cn-nhc-2020-01"),
        ("clocks.review_hours", TIANJIN, "2020-01-26", 24, "generic-respiratory"),
        ("clocks.review_hours", TIANJIN, "2020-01-28", 2, "cn-nhc-2020-01"),
        ("clocks.investigation_hours", SHIYAN, "2020-06-01", 24, "hubei-2020-05"),
        ("clocks.admission", SHIYAN, "2020-02-20", {"end_of_day": True}, "hubei-2020-02"),
        ("observation.days", SHIYAN, "2020-02-20", 14, "cn-nhc-2020-01"),
        ("observation.temperature_slots", SHIYAN, "2020-02-20", ("09:00", "21:00"), "hubei-2020-02"),
        ("contact.window_before_onset_days", TIANJIN, "2020-02-20", 0, "cn-nhc-2020-01"),
        ("contact.window_before_onset_days", TIANJIN, "2020-02-21", 2, "cn-nhc-2020-01"),
        ("discharge.after", TIANJIN, "2020-02-18", "self_monitoring", "cn-nhc-2020-01"),
        ("discharge.after", TIANJIN, "2020-03-03", "isolation", "cn-nhc-2020-01"),
        ("follow_up.days", TIANJIN, "2020-04-10", (14, 28), "cn-nhc-2020-03"),
        ("asymptomatic.isolation_days", TIANJIN, "2020-04-06", 14, "cn-nhc-2020-03"),
        ("temperature.fever_celsius", TIANJIN, "2020-02-05", 37.3, "cn-nhc-2020-01"),
        ("grid.unit_households", SHIYAN, "2020-02-20", 10, "hubei-2020-02"),
        ("errand.min_interval_days", SHIYAN, "2020-02-20", 3, "hubei-2020-02"),
        ("readiness.quarantine_places", SHIYAN, "2020-06-01", 200, "hubei-2020-05"),
        ("daily_clearing.cutoff", SHIYAN, "2020-02-20", "24:00", "hubei-2020-02"),
        ("incident.response_hours", SHIYAN, "2020-06-01", 24, "hubei-2020-05"),
    ],
)
def test_it_answers_with_the_value_and_the_layer_that_gave_it(library, key, territory, on, value, pack):
    found = library.in_force(territory, day(on)).value(key)
    assert (found.value, found.pack) == (value, pack)
    assert found.source["zh"]
    assert found.source["en"]


def test_it_keeps_the_layers_that_a_value_covers(library):
    found = library.in_force(SHIYAN, day("2020-02-20")).value("observation.follow_up_slots")
    assert [v.pack for v in found.chain] == ["cn-nhc-2020-01", "generic-respiratory"]
    assert found.clause == "D1-29"
    assert found.sentence("zh") == "居家观察期内每日随访的时点：09:00、14:00、20:00。"
    assert found.sentence("en") == (
        "Each day of observation at home a follow-up is due at: 09:00, 14:00 and 20:00."
    )


def test_the_clinical_diagnosis_of_hubei_ends_with_the_sixth_clinical_edition(library):
    during = library.in_force(SHIYAN, day("2020-02-19")).value("categories.case")
    after = library.in_force(SHIYAN, day("2020-02-20")).value("categories.case")
    assert "clinically_diagnosed" in during.value
    assert "clinically_diagnosed" not in after.value
    assert during.confidence == "unverified"


def test_an_instant_is_judged_by_the_local_day(library):
    evening = dt.datetime(2020, 3, 6, 16, 0, tzinfo=dt.UTC)  # 2020-03-07 00:00 in Shanghai
    assert library.in_force(TIANJIN, evening).id.startswith("cn-nhc-2020-03")
    assert library.in_force(TIANJIN, evening - dt.timedelta(microseconds=1)).id.startswith("cn-nhc-2020-01")


def test_an_instant_without_a_zone_is_refused(library):
    with pytest.raises(ValueError, match="time zone"):
        library.in_force(TIANJIN, dt.datetime(2020, 3, 6))


def test_an_unknown_key_names_the_nearest(library):
    with pytest.raises(UnknownPolicyKey) as caught:
        library.in_force(TIANJIN, day("2020-02-05")).value("clocks.reprot_hours")
    assert caught.value.nearest[0] == "clocks.report_hours"
    assert "clocks.report_hours" in str(caught.value)
    with pytest.raises(UnknownPack, match="hubei-2020-02"):
        library.pack("hubei-2020-2")


def test_a_key_may_be_asked_by_its_other_name(library):
    policy = library.in_force(TIANJIN, day("2020-02-05"))
    assert policy.value("clocks.appeal_hours") is policy.value("appeal.answer_hours")


def test_the_generic_pack_answers_every_key(library):
    policy = library.in_force(GUATEMALA, day("2020-08-01"))
    assert set(policy.values) == set(library.vocabulary.keys)
    assert {"case", "contact", "appeal"} <= set(policy.loops)


def test_every_value_reads_as_a_sentence_in_both_languages(library):
    for territory in (TIANJIN, SHIYAN, GUATEMALA):
        for policy in library.stretches(territory):
            for value in policy.values.values():
                for lang, stop in (("zh", "。"), ("en", ".")):
                    said = value.sentence(lang)
                    assert said.endswith(stop), said
                    assert "{" not in said
                    assert "none" not in said.lower().split(), said


def test_everything_said_to_be_verified_names_a_document(library):
    for pack in library.packs.values():
        for variants in (*pack.values.values(), *pack.rules.values()):
            for entry in variants:
                if entry.confidence == "verified":
                    assert "bihuan" not in entry.provenance.source_ids, (pack.id, entry.key)


def test_a_policy_value_cannot_be_changed(library):
    matrix = library.in_force(SHIYAN, day("2020-02-20")).value("placement.matrix").value
    with pytest.raises(TypeError):
        matrix["confirmed"] = ("home",)


def test_a_change_says_whether_running_loops_are_planned_again(library):
    assert library.in_force(SHIYAN, day("2020-02-17")).transition == "replan"
    assert library.in_force(SHIYAN, day("2020-03-07")).transition == "keep"
    assert library.in_force(TIANJIN, day("2020-01-20")).transition == "keep"


def test_stretches_follow_each_other_without_gap_or_overlap(library):
    for territory in (TIANJIN, SHIYAN, GUATEMALA, ""):
        stretches = library.stretches(territory)
        assert stretches[0].date_from is None
        assert stretches[-1].date_to is None
        for before, after in pairwise(stretches):
            assert after.date_from == before.date_to + dt.timedelta(days=1)


def test_a_look_up_costs_microseconds(library):
    on = day("2020-02-20")
    library.in_force(SHIYAN, on).value("observation.days")
    spent = min(
        timeit.repeat(lambda: library.in_force(SHIYAN, on).value("observation.days"), number=2000, repeat=5)
    )
    assert spent / 2000 < 20e-6  # 0.3 µs seen; room for a busy machine


def test_contacts_of_contacts_are_named_from_the_seventh_edition_on(library):
    told = [
        library.in_force(TIANJIN, day(on)).value("contact.secondary") for on in ("2020-09-14", "2020-09-15")
    ]
    assert [value.value for value in told] == [False, True]
    assert library.in_force(SHIYAN, day("2020-09-15")).value("contact.secondary").pack == "cn-nhc-2020-09"
    assert library.in_force(SHIYAN, day("2020-09-15")).value("cluster.min_cases").value == 5


@pytest.mark.parametrize(
    ("on", "first", "tests", "home", "home_tests"),
    [
        ("2020-09-15", 14, (1, 7, 14), 0, ()),
        ("2021-05-11", 14, (1, 4, 7, 14), 7, (2, 7)),
        ("2022-06-28", 7, (1, 2, 3, 5, 7), 3, (3,)),
        ("2022-11-11", 5, (1, 2, 3, 5), 3, (1, 3)),
        ("2022-12-07", 5, (5,), 0, ()),
    ],
)
def test_each_edition_has_its_days_and_test_days(library, on, first, tests, home, home_tests):
    policy = library.in_force(TIANJIN, day(on))
    keys = ("days", "tests_on", "home_days", "home_tests_on")
    assert [policy.value(f"observation.{key}").value for key in keys] == [first, tests, home, home_tests]


@pytest.mark.parametrize(
    ("on", "named", "days", "place", "tests", "negatives"),
    [
        ("2021-05-11", True, 7, "facility", (1, 4, 7), 2),
        ("2022-06-28", True, 7, "home", (1, 4, 7), 2),
        ("2022-11-11", False, 7, "home", (1, 4, 7), 2),
    ],
)
def test_contacts_of_contacts_have_days_of_their_own_while_they_are_named(
    library, on, named, days, place, tests, negatives
):
    policy = library.in_force(TIANJIN, day(on))
    assert policy.value("contact.secondary").value is named
    keys = ("days", "place", "tests_on", "source_negatives")
    assert [policy.value(f"secondary.{key}").value for key in keys] == [days, place, tests, negatives]


@pytest.mark.parametrize("anchor", ["onset", "sample"])
def test_shanghai_counted_contacts_from_four_days_before_until_it_followed_the_ninth_edition(library, anchor):
    def found(territory, on):
        return library.in_force(territory, day(on)).value(f"contact.window_before_{anchor}_days")

    days = ("2022-05-09", "2022-05-10", "2022-06-29", "2022-06-30")
    assert [found(SHANGHAI, on).value for on in days] == [2, 4, 4, 2]
    assert found(SHANGHAI, "2022-05-10").confidence == "verified"
    assert found(TIANJIN, "2022-05-10").value == 2


def test_the_last_negative_test_opens_the_window_from_the_ninth_edition_on(library):
    found = [
        library.in_force(TIANJIN, day(on)).value("contact.window_from_last_negative").value
        for on in ("2022-06-27", "2022-06-28", "2022-11-11")
    ]
    assert found == [False, True, True]
