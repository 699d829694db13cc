"""Investigations: opened with a purpose, told day by day, closed with the duty, forgotten with the person."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from django.utils import translation

from bihuan.care.verbs import perform
from bihuan.cases.actions import revise_case
from bihuan.cases.errors import CaseInvalid
from bihuan.registry import scope, shredder
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, NotAllowed, NotFound
from bihuan.tracing.actions.investigate import (
    EntryInput,
    HypothesisInput,
    add_entries,
    add_entry,
    add_hypothesis,
    change_entry,
    close_investigation,
    draft_track,
    judge_entries,
    judge_hypothesis,
    open_investigation,
    reopen_investigation,
    retract_entries,
    withdraw_investigation,
)
from bihuan.tracing.errors import InvestigationClosed, InvestigationInvalid, InvestigationOpen
from bihuan.tracing.models import CaseLink, Investigation, Pseudonym, SourceHypothesis, TrackEntry
from bihuan.tracing.queries.investigations import find_investigation, list_investigations
from tests.cast import Cast
from tests.rooms.care_room import assert_holds, do, due, duties, local, zhou
from tests.rooms.investigation_room import CASE, a_case, market, opened, visited

pytestmark = pytest.mark.usefixtures("own_home")

NOW = "02-12 18:00"
DAYS = (date(2020, 2, 10), date(2020, 2, 11), date(2020, 2, 12))


@pytest.fixture
def world(cast: Cast) -> Investigation:
    return opened(cast.officer, a_case(cast.officer))


def at_home(*days: date) -> list[EntryInput]:
    return [EntryInput(day, setting="home") for day in days]


def test_it_asks_about_the_days_of_the_policy_and_is_due_when_its_duty_is(
    cast: Cast, world: Investigation
) -> None:
    duty = duties(world.case.public_id)["investigation#1"]
    assert world.due_at == duty.due_at
    assert due(duty) == "02-13 09:00"
    assert (world.window_from, world.window_to) == (local("02-10 00:00"), local("02-12 15:00"))
    assert world.source_from == local("01-27 00:00")


def test_the_window_follows_the_case(cast: Cast, world: Investigation) -> None:
    changes = {"date_onset": date(2020, 2, 8)}
    do(cast.officer, NOW, revise_case, world.case.public_id, changes, reason="早两天发热")
    do(cast.officer, NOW, add_entry, world.public_id, at_home(DAYS[0])[0])
    with scope.system():
        assert Investigation.objects.get().window_from == local("02-08 00:00")


def test_a_case_has_one_open_investigation(cast: Cast, world: Investigation) -> None:
    with pytest.raises(InvestigationOpen) as said:
        do(cast.officer, NOW, open_investigation, world.case.public_id, purpose="再查")
    assert world.public_id in str(said.value)


def test_none_is_opened_without_purpose_or_of_a_stranger(cast: Cast) -> None:
    case = a_case(cast.officer)
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, open_investigation, case.public_id, purpose=" ")
    with pytest.raises(NotFound):
        do(cast.neighbor, NOW, open_investigation, case.public_id, purpose="查")
    for who in (cast.doctor, cast.command, cast.grid):
        with pytest.raises((NotAllowed, NotFound)):
            do(who, NOW, open_investigation, case.public_id, purpose="查")


def test_a_closing_names_the_days_nothing_is_told_of(cast: Cast, world: Investigation) -> None:
    do(cast.officer, NOW, add_entries, world.public_id, at_home(DAYS[0]))
    with pytest.raises(InvestigationInvalid) as said:
        do(cast.officer, NOW, close_investigation, world.public_id)
    assert said.value.details == {"days": ["2020-02-11", "2020-02-12"]}
    assert "2020-02-11, 2020-02-12" in str(said.value)
    assert duties(world.case.public_id)["investigation#1"].state == 0


def test_closed_in_time_it_ends_the_duty(cast: Cast, world: Investigation) -> None:
    do(cast.officer, NOW, add_entries, world.public_id, at_home(*DAYS))
    done = do(cast.officer, NOW, close_investigation, world.public_id, summary="家庭内感染")
    duty = duties(world.case.public_id)["investigation#1"]
    assert (duty.state, duty.ended_at) == (1, local(NOW))
    assert done.closed_at == local(NOW)
    with scope.system():
        assert list_investigations(now=local(NOW))[0].clock == "done"
    assert_holds()


def test_closed_late_it_is_late_and_says_so(cast: Cast, world: Investigation) -> None:
    do(cast.officer, NOW, add_entries, world.public_id, at_home(*DAYS))
    with scope.system():
        assert list_investigations(now=local("02-13 09:01"))[0].clock == "late"
    do(cast.officer, "02-13 11:00", close_investigation, world.public_id)
    with scope.system():
        assert list_investigations(now=local("02-14 09:00"))[0].clock == "done_late"


def test_the_first_of_many_are_those_due_soonest_then_the_newest_closed(
    cast: Cast, world: Investigation
) -> None:
    told = [(4, "open", 30), (1, "open", 9), (2, "open", None), (3, "closed", 1)]
    cases = [a_case(cast.officer, person=zhou(local_id=f"x{days}")) for days, *_ in told]
    with scope.system():
        for case, (days, status, hours) in zip(cases, told, strict=True):  # opened later than the first one
            Investigation.objects.create(
                public_id=f"I-TEST00000{days}", case=case, territory_code=world.territory_code,
                recorded_at=world.recorded_at, status=status, purpose="x",
                source_from=world.source_from, window_from=world.window_from,
                opened_at=world.opened_at + timedelta(days=days), opened_by_name="x",
                due_at=None if hours is None else world.opened_at + timedelta(hours=hours),
                **({"closed_at": local("02-20 09:00"), "closed_by_name": "x"} if status == "closed" else {}),
            )  # fmt: skip
        rows = list_investigations(now=local(NOW))
        order = [row.public_id for row in rows]
        assert [name[-1] for name in order if name != world.public_id] == ["1", "4", "2", "3"]
        dues = [row.due_at for row in rows if row.status == "open" and row.due_at]
        assert dues == sorted(dues)
        assert list_investigations(now=local(NOW), limit=1) == rows[:1]


def test_a_stated_reason_closes_it_without_a_track(cast: Cast, world: Investigation) -> None:
    do(cast.officer, NOW, close_investigation, world.public_id, no_track_reason="重症，不能问")
    with scope.system():
        assert Investigation.objects.get().no_track_reason == "重症，不能问"


def test_reopened_with_a_reason_it_is_worked_on_and_the_duty_stays_done(
    cast: Cast, world: Investigation
) -> None:
    do(cast.officer, NOW, close_investigation, world.public_id, no_track_reason="重症")
    with pytest.raises(InvestigationClosed):
        do(cast.officer, NOW, add_entries, world.public_id, at_home(DAYS[0]))
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, reopen_investigation, world.public_id, reason="")
    do(cast.officer, "02-13 18:00", reopen_investigation, world.public_id, reason="能问了")
    do(cast.officer, "02-13 18:00", add_entries, world.public_id, at_home(*DAYS))
    do(cast.officer, "02-13 19:00", close_investigation, world.public_id)
    duty = duties(world.case.public_id)["investigation#1"]
    assert (duty.state, duty.ended_at) == (1, local(NOW))


def test_one_opened_for_the_wrong_case_is_closed_and_its_duty_is_owed_as_before(
    cast: Cast, world: Investigation
) -> None:
    visited([(CASE, "market", "02-10 09:00", 60)])
    do(cast.officer, NOW, draft_track, world.public_id, purpose="查行踪")
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, withdraw_investigation, world.public_id, reason=" ")
    do(cast.officer, NOW, withdraw_investigation, world.public_id, reason="同名病例")
    with scope.system():
        found = find_investigation(world.public_id, now=local(NOW))
        assert (found.row.status, found.row.clock) == ("closed", "in_error")
        assert found.looks, "what was looked at stays noted"
    assert duties(world.case.public_id)["investigation#1"].state == 0
    with pytest.raises(InvestigationClosed):
        do(cast.officer, NOW, draft_track, world.public_id, purpose="再看")
    again = opened(cast.officer, world.case)
    do(cast.officer, NOW, add_entry, again.public_id, EntryInput(DAYS[0], place_text="单位"))
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, withdraw_investigation, again.public_id, reason="同名病例")
    assert_holds()


def test_wrong_entries_are_named_row_by_row_and_none_is_recorded(cast: Cast, world: Investigation) -> None:
    rows = [
        *at_home(DAYS[0]),
        EntryInput(DAYS[0]),
        EntryInput(DAYS[0], begin=time(22), end=time(1), place_text="酒吧"),
        EntryInput(date(2020, 2, 20), setting="home"),
        EntryInput(date(2020, 1, 2), setting="home"),
        EntryInput(DAYS[0], end=time(9), place_text="店", setting="moon"),
        EntryInput(DAYS[0], end_day=date(2020, 3, 10), setting="home"),
        EntryInput(DAYS[2], begin=time(17), end=time(19), place_text="店"),
    ]
    with pytest.raises(InvestigationInvalid) as said:
        do(cast.officer, NOW, add_entries, world.public_id, rows)
    found = {(e["row"], e["field"], e["rule"]) for e in said.value.errors}
    assert found == {
        (1, "place_text", "required"), (2, "end", "order"), (3, "day", "future"), (4, "day", "outside"),
        (5, "setting", "choice"), (5, "begin", "required"), (6, "end_day", "future"), (7, "end", "future"),
    }  # fmt: skip
    with scope.system():
        assert not TrackEntry.objects.exists()


def test_the_day_it_is_may_be_told_of_whole(cast: Cast, world: Investigation) -> None:
    made = do(
        cast.officer, NOW, add_entry, world.public_id, EntryInput(DAYS[1], end_day=DAYS[2], setting="home")
    )
    assert (made.from_at, made.to_at) == (local("02-11 00:00"), local("02-13 00:00"))


def test_local_times_are_kept_as_instants(cast: Cast, world: Investigation) -> None:
    night = EntryInput(DAYS[0], begin=time(22), end=time(1), end_day=DAYS[1], place_text="酒吧")
    made = do(cast.officer, NOW, add_entry, world.public_id, night)
    assert (made.from_at, made.to_at) == (local("02-10 22:00"), local("02-11 01:00"))
    part = do(
        cast.officer, NOW, add_entry, world.public_id, EntryInput(DAYS[0], part="evening", setting="home")
    )
    assert (part.from_at, part.to_at) == (local("02-10 18:00"), local("02-11 00:00"))


def test_a_draft_is_not_confirmed_and_tells_of_no_day(cast: Cast, world: Investigation) -> None:
    with cast.officer.acting():
        market(cast.officer)
    visited([(CASE, "market", "02-11 09:00", 60), (CASE, "gate-9", "02-11 12:00", None)])
    told = EntryInput(DAYS[1], begin=time(9, 10), end=time(9, 50), place_text="张湾市场")
    do(cast.officer, NOW, add_entry, world.public_id, told)
    draft = do(cast.officer, NOW, draft_track, world.public_id, purpose="查行踪")
    assert (draft.added, draft.supported, draft.known) == (1, 1, 0)
    with scope.system():
        entry = TrackEntry.objects.get(source="visit")
        assert (entry.certainty, entry.place_text, entry.to_at) == ("unconfirmed", "gate-9", None)
        assert TrackEntry.objects.get(source="interview").visit is not None
        assert find_investigation(world.public_id, now=local(NOW)).missing == (DAYS[0], DAYS[2])
    do(cast.officer, NOW, retract_entries, world.public_id, [entry.pk], reason="儿子代扫")
    again = do(cast.officer, NOW, draft_track, world.public_id, purpose="查行踪")
    assert (again.added, again.known) == (0, 2), "what was taken back is not drafted again"


def test_entries_are_judged_changed_and_taken_back_with_history(cast: Cast, world: Investigation) -> None:
    from django.apps import apps

    made = do(cast.officer, NOW, add_entry, world.public_id, EntryInput(DAYS[0], place_text="单位"))
    assert do(cast.officer, NOW, judge_entries, world.public_id, [made.pk], certainty="likely") == 1
    do(cast.officer, NOW, change_entry, world.public_id, made.pk, EntryInput(DAYS[0], place_text="工厂"))
    do(cast.officer, NOW, retract_entries, world.public_id, [made.pk], reason="记错了")
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, judge_entries, world.public_id, [made.pk], certainty="likely")
    with scope.system():
        history = apps.get_model("tracing.TrackEntryEvent").objects.filter(pgh_obj_id=made.pk)
        assert [row.place_text for row in history.order_by("pgh_id")] == ["单位", "单位", "工厂", "工厂"]
        assert find_investigation(world.public_id, now=local(NOW)).retracted[0].retracted_reason == "记错了"


def test_a_leading_case_becomes_a_link_of_the_chain(cast: Cast, world: Investigation) -> None:
    source = a_case(cast.officer, person=zhou(), date_onset=date(2020, 2, 5))
    given = HypothesisInput("case", case=source.public_id)
    one = do(cast.officer, NOW, add_hypothesis, world.public_id, given)
    with pytest.raises(InvestigationInvalid):
        do(cast.officer, NOW, judge_hypothesis, world.public_id, one.pk, standing="ruled_out")
    do(cast.officer, NOW, judge_hypothesis, world.public_id, one.pk, standing="leading", reasons="同桌")
    with pytest.raises(InvestigationInvalid):
        do(
            cast.officer, NOW, add_hypothesis, world.public_id,
            HypothesisInput("case", case=world.case.public_id),
        )  # fmt: skip
    do(cast.officer, NOW, close_investigation, world.public_id, no_track_reason="重症")
    with scope.system():
        link = CaseLink.objects.get()
        assert (link.from_case_id, link.to_case_id) == (source.pk, world.case_id)


def test_a_discarded_case_is_closed_without_telling_the_loop(cast: Cast, world: Investigation) -> None:
    changes = {"classification": "discarded"}
    do(cast.officer, NOW, revise_case, world.case.public_id, changes, reason="两次阴性")
    do(cast.officer, "02-12 19:00", close_investigation, world.public_id, no_track_reason="已排除")
    with scope.system():
        assert Investigation.objects.get().status == "closed"


def test_with_the_person_her_track_is_forgotten_live_and_in_history(cast: Cast, world: Investigation) -> None:
    told = EntryInput(DAYS[0], place_text="姐姐家", activity="午饭", companions="姐姐")
    do(cast.officer, NOW, add_entry, world.public_id, told)
    do(cast.officer, NOW, add_hypothesis, world.public_id, HypothesisInput("household", text="儿子返乡"))
    person = world.case.person_id
    with scope.system():
        held = shredder.what_is_held(person)
        assert "姐姐家" in str(held)
        assert any(world.public_id in str(hold) for hold in shredder.holds_on(person))
        with pytest.raises(Conflict):
            shredder.shred_person(person, reason="到期", actor=Actor.system("test"))
    do(cast.officer, NOW, close_investigation, world.public_id, no_track_reason="重症", summary="姐姐家")
    changes = {"classification": "discarded"}
    do(cast.officer, "02-13 18:00", revise_case, world.case.public_id, changes, reason="两次阴性")
    with scope.system():
        shredder.shred_person(person, reason="到期", actor=Actor.system("test"))
        assert shredder.remains(person)["investigations"] == 0
        entry = TrackEntry.objects.get()
        assert (entry.place_text, entry.companions, entry.activity) == ("", "", "")
        assert SourceHypothesis.objects.get().text == ""
        assert not Pseudonym.objects.filter(person_id=person).exists()


def test_the_duty_is_not_ended_without_a_track_or_the_reason_why_none_is_kept(cast: Cast) -> None:
    case = a_case(cast.officer).public_id
    for given in ({}, {"no_track": "because"}):
        with pytest.raises(CaseInvalid) as said:
            do(cast.officer, NOW, perform, "case.investigate", "case", case, given)
        assert said.value.errors[0]["field"] == "no_track"
    assert duties(case)["investigation#1"].state == 0
    given = {"no_track": "paper_form", "contacts_found": "3"}
    do(cast.officer, NOW, perform, "case.investigate", "case", case, given)
    done = duties(case)["investigation#1"]
    assert (done.state, done.evidence["no_track"]) == (1, "paper_form")
    assert_holds()


def test_a_track_kept_here_ends_the_duty_by_itself_once_somebody_bore_it_out(
    cast: Cast, world: Investigation
) -> None:
    case = world.case.public_id
    draft = replace(at_home(DAYS[0])[0], certainty="unconfirmed")
    entry = do(cast.officer, NOW, add_entry, world.public_id, draft)
    with pytest.raises(CaseInvalid):
        do(cast.officer, NOW, perform, "case.investigate", "case", case, {})
    do(cast.officer, NOW, judge_entries, world.public_id, [entry.pk], certainty="confirmed")
    do(cast.officer, NOW, perform, "case.investigate", "case", case, {"no_track": "paper_form"})
    evidence = duties(case)["investigation#1"].evidence
    assert evidence["investigation"] == world.public_id
    assert "no_track" not in evidence
    assert_holds()


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "没有行程轨迹"), ("en", "has no track here")])
def test_whoever_forgets_it_is_told_what_to_do_in_her_language(cast: Cast, language: str, words: str) -> None:
    case = a_case(cast.officer).public_id
    with translation.override(language), pytest.raises(CaseInvalid) as said:
        do(cast.officer, NOW, perform, "case.investigate", "case", case, {})
    assert words in said.value.message
    assert "paper_form" in said.value.hint
    assert {"zh-hans": "纸质个案调查表另存", "en": "A paper form"}[language] in said.value.hint
