"""What gates registered of many numbers nobody knows: asked at once, entered once, noted with everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bihuan.registry import audit, clock, scope
from bihuan.registry.errors import BihuanError, Conflict, Invalid, NotAllowed, NotFound
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput
from bihuan.registry.secrets import keyring
from bihuan.tracing import visits
from bihuan.tracing.actions.investigate import close_investigation
from bihuan.tracing.actions.proposals import find_contacts
from bihuan.tracing.actions.proposals_ask import Asked, ask_gates
from bihuan.tracing.actions.proposals_decide import confirm_proposals, dismiss_proposals
from bihuan.tracing.actions.pseudonyms import catch_up
from bihuan.tracing.models import ContactProposal, Investigation, Place, Stranger, VisitLook
from bihuan.tracing.queries.gates import stranger_place
from bihuan.tracing.queries.proposals import ProposalFilter, list_proposals
from tests.cast import COMMUNITY, GRID, NEXT_COUNTY, Cast
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import CASE, ZHOU, a_case, checked, market, opened, registered, visited

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_home")]
WHEN = "02-12 18:00"
STRANGERS = [checked(f"4203021995050{n + 1}001") for n in range(4)]
PHONES = [f"1387123456{n}" for n in range(4)]


def visit(who: str, place: str = "market") -> tuple[str, str, str, int]:
    return (who, place, "02-10 09:10", 30)


@pytest.fixture
def scene(cast: Cast) -> Investigation:
    """A case who met 周小明 and four numbers of nobody."""
    do(cast.officer, "02-09 09:00", lambda actor: market(cast.officer))
    visited([(CASE, "market", "02-10 09:00", 60), *map(visit, (ZHOU, *STRANGERS))])
    registered("周小明", ZHOU)
    one = opened(cast.officer, a_case(cast.officer))
    do(cast.officer, WHEN, find_contacts, one.public_id, purpose="找出密接")
    return one


def at_a_gate(
    who: str, *, when: str = "02-10 09:10", code: str = COMMUNITY, event: int = 0, **told: str
) -> None:
    with scope.system():
        place, _new = Place.objects.get_or_create(
            store_id=f"gate-{code}",
            defaults={
                "name": "门",
                "kind": "community_gate",
                "territory_code": code,
                "recorded_at": local(when),
            },
        )
        n = event or Stranger.objects.count() + 1
        Stranger.objects.create(
            place=place, territory_code=code, event=n, key=visits.number_of(who, with_key=visits.key()),
            at=local(when), told=keyring().encrypt(json.dumps(told), place=stranger_place(place.pk, n)),
        )  # fmt: skip


def proposals() -> dict[int, ContactProposal]:
    with scope.system():
        return {p.number: p for p in ContactProposal.objects.select_related("person") if p.number}


def of(*who: str) -> list[str]:
    numbered = proposals()
    return [numbered[visits.number_of(one, with_key=visits.key())].public_id for one in who]


def name_of(who: str) -> str:
    person = proposals()[visits.number_of(who, with_key=visits.key())].person
    return person.name if person else ""


def asked(cast: Cast, *ids: str, purpose: str = "核实身份", when: str = WHEN, **more: Any) -> Asked:
    return do(more.get("by", cast.officer), when, ask_gates, list(ids), purpose=purpose)


def test_one_call_names_those_whom_gates_registered_and_tells_of_the_others_where_to_ask(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远", phone=PHONES[0], origin="襄阳")
    at_a_gate(STRANGERS[1], name="冯梅", phone="not a phone", origin="柏林镇")
    at_a_gate(STRANGERS[2], phone=PHONES[2], origin="襄阳")
    done = asked(cast, *of(*STRANGERS))
    assert (done.named, done.known, done.elsewhere) == (2, 0, 0)
    assert done.unnamed == tuple(of(STRANGERS[2]))
    assert done.unregistered == tuple(of(STRANGERS[3]))
    assert done.places == (("张湾市场", 1),)
    assert [name_of(one) for one in STRANGERS] == ["吴远", "冯梅", "", ""]
    with cast.officer.acting(), clock.frozen(local(WHEN)):
        listed = list_proposals(scene.public_id, ProposalFilter())
    assert {r.person.name: r.at_gate for r in listed.rows if r.person} == {
        "周小明": False, "吴远": True, "冯梅": True,
    }  # fmt: skip
    made = do(cast.officer, WHEN, confirm_proposals, of(*STRANGERS[:2]), criterion="other", reason="电话核实")
    assert made.made == 2


def test_the_same_again_adds_nobody_and_whoever_is_decided_is_passed_over(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远", phone=PHONES[0])
    at_a_gate(STRANGERS[1], name="冯梅", phone=PHONES[1])
    do(cast.officer, WHEN, dismiss_proposals, of(STRANGERS[1]), reason="隔着玻璃")
    assert asked(cast, *of(*STRANGERS[:2]), *of(ZHOU)).named == 1
    with scope.system():
        people, looks = Person.objects.count(), VisitLook.objects.count()
    assert asked(cast, *of(*STRANGERS[:2]), *of(ZHOU)).total == 0
    with scope.system():
        assert (Person.objects.count(), VisitLook.objects.count()) == (people, looks)
    assert name_of(STRANGERS[1]) == ""


def test_the_newest_registration_counts_and_none_outside_of_the_hours_of_the_investigation(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="先", when="02-09 09:00")
    at_a_gate(STRANGERS[0], name="后", when="02-10 09:00")
    at_a_gate(STRANGERS[1], name="早", when="01-02 09:00")
    assert asked(cast, *of(*STRANGERS[:2])).named == 1
    assert (name_of(STRANGERS[0]), name_of(STRANGERS[1])) == ("后", "")


def test_what_a_gate_of_another_county_registered_stays_there(cast: Cast, scene: Investigation) -> None:
    at_a_gate(STRANGERS[0], name="吴远", code=f"{NEXT_COUNTY}001001")
    done = asked(cast, *of(STRANGERS[0]))
    assert (done.named, len(done.unregistered)) == (0, 1)
    with scope.system():
        assert not Person.objects.filter(name="吴远").exists()


def test_whom_another_county_registered_since_is_told_by_county_and_not_opened(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远", phone=PHONES[0])
    registered("孙晓梅", STRANGERS[0], territory_code=f"{NEXT_COUNTY}001")
    registered("武强", STRANGERS[1])
    catch_up(everybody=True)
    done = asked(cast, *of(*STRANGERS[:2]))
    assert (done.named, done.known, done.elsewhere) == (0, 1, 1)
    assert (name_of(STRANGERS[0]), name_of(STRANGERS[1])) == ("", "武强")
    numbered = proposals()[visits.number_of(STRANGERS[0], with_key=visits.key())]
    assert numbered.county == NEXT_COUNTY
    with scope.system():
        assert VisitLook.objects.filter(kind="stranger").get().rows == 0


def test_a_number_that_another_investigation_entered_is_the_same_person(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远")
    asked(cast, *of(STRANGERS[0]))
    with scope.system():
        first = ContactProposal.objects.get(public_id=of(STRANGERS[0])[0])
        case = a_case(cast.officer, person=PersonInput(territory_code=GRID, name="李二"))
    other = opened(cast.officer, case)
    with scope.system():
        again = ContactProposal.objects.create(
            investigation=other, territory_code=other.territory_code, number=first.number,
            recorded_at=local(WHEN), encounters=[],
        )  # fmt: skip
    assert asked(cast, again.public_id).known == 1
    with scope.system():
        again.refresh_from_db()
        assert Person.objects.filter(name="吴远").count() == 1
    assert again.person_id == first.person_id


def test_the_look_stands_with_the_case_and_with_everybody_who_got_a_name(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远")
    asked(cast, *of(*STRANGERS[:2]))
    with scope.system():
        look = VisitLook.objects.get(kind="stranger")
        wu = Person.objects.get(name="吴远")
        of_case, of_wu = (audit.who_looked(pk) for pk in (scene.case.person_id, wu.pk))
    assert (look.rows, look.purpose, set(look.persons)) == (1, "核实身份", {scene.case.person_id, wu.pk})
    assert any("核实身份" in one.purpose for one in of_case)
    assert [scene.public_id in one.purpose and "核实" not in one.purpose for one in of_wu] == [True]


def test_nobody_asks_without_a_purpose_a_right_an_open_investigation_or_somebody_chosen(
    cast: Cast, scene: Investigation
) -> None:
    at_a_gate(STRANGERS[0], name="吴远")
    chosen = of(STRANGERS[0])
    refused: list[tuple[dict[str, Any], type[BihuanError]]] = [
        ({"purpose": " "}, Invalid), ({"by": cast.command}, NotAllowed), ({"by": cast.neighbor}, NotFound),
    ]  # fmt: skip
    for how, error in refused:
        with pytest.raises(error):
            asked(cast, *chosen, **how)
    with pytest.raises(Invalid):
        asked(cast)
    with pytest.raises(NotFound):
        asked(cast, *chosen, "P-0000000000")
    do(cast.officer, WHEN, close_investigation, scene.public_id, summary="s", no_track_reason="拒绝配合")
    with pytest.raises(Conflict):
        asked(cast, *chosen)
    assert name_of(STRANGERS[0]) == ""
    with scope.system():
        assert not VisitLook.objects.filter(kind="stranger").exists()


def test_many_are_asked_with_as_many_statements_as_few(cast: Cast, scene: Investigation) -> None:
    with scope.system():
        fresh = [
            ContactProposal(
                investigation=scene, territory_code=scene.territory_code, recorded_at=local(WHEN),
                encounters=[],
                number=visits.number_of(f"138{n:08d}", with_key=visits.key()),
            ) for n in range(500)
        ]  # fmt: skip
        ContactProposal.objects.bulk_create(fresh)
    for n in range(500):
        at_a_gate(f"138{n:08d}", name=f"张{chr(0x4E00 + n)}", phone=f"138{n:08d}", event=n + 1)
    ids = [p.public_id for p in fresh]
    counted = []
    for part in (ids[:5], ids[5:]):
        with CaptureQueriesContext(connection) as queries:
            assert asked(cast, *part).named == len(part)
        counted.append(len(queries))
    assert counted[1] <= counted[0] + 2, counted
