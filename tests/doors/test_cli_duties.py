"""`bihuan duties complete`: a duty is done as on its page, by the same rules."""

from __future__ import annotations

from typing import Any

import pytest

from bihuan.cases.models import Step
from bihuan.doors.cli.main import run
from bihuan.loops import actions
from bihuan.loops.errors import NotPlain
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from tests.cast import Cast
from tests.rooms.care_room import duties, li, local, zhou
from tests.rooms.investigation_room import a_case

pytestmark = pytest.mark.django_db
NOW = "02-12 18:00"


def said(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 0) -> str:
    capsys.readouterr()
    with clock.frozen(local(NOW)):
        answer = run([str(word) for word in words])
    out = capsys.readouterr()
    assert answer == code, out.err
    return out.out + out.err


def steps(case_id: str) -> list[dict[str, Any]]:
    with scope.system():
        rows = Step.unscoped.filter(case__public_id=case_id, kind="case.investigated")
        return list(rows.values_list("data", flat=True))


def test_the_investigation_does_not_end_by_plain_evidence(cast: Cast, capsys) -> None:
    case = a_case(cast.officer)
    duty = duties(case.public_id)["investigation#1"]
    text = said(capsys, "duties", "complete", f"D-{duty.id}", code=2)
    assert "paper_form" in text
    said(capsys, "duties", "complete", f"D-{duty.id}", "-e", "investigation=I-0000000000", code=2)
    said(capsys, "duties", "complete", f"D-{duty.id}", "-e", "no_track=because", code=2)
    assert duties(case.public_id)["investigation#1"].state == 0

    said(capsys, "duties", "complete", f"D-{duty.id}", "-e", "no_track=paper_form")
    assert duties(case.public_id)["investigation#1"].state == 1
    assert [step["no_track"] for step in steps(case.public_id)] == ["paper_form"]


def test_not_among_others_either(cast: Cast, capsys) -> None:
    first, second = (a_case(cast.officer, person=person) for person in (zhou(), li()))
    ids = [duties(case.public_id)["investigation#1"].id for case in (first, second)]
    said(capsys, "duties", "complete", *ids, code=2)
    assert {duties(case.public_id)["investigation#1"].state for case in (first, second)} == {0}


def test_no_way_of_the_engine_ends_it_plainly_whatever_is_said(cast: Cast) -> None:
    case = a_case(cast.officer)
    duty = duties(case.public_id)["investigation#1"]
    told = {"at": local(NOW).isoformat(), "investigation": "I-0000000000", "no_track": "paper_form"}
    with clock.frozen(local(NOW)), scope.system():
        for complete, ids in ((actions.complete_duty, duty.id), (actions.complete_bulk, [duty.id])):
            with pytest.raises(NotPlain, match=f"D-{duty.id}"):
                complete(ids, told, local(NOW), Actor.system("test"))
    assert steps(case.public_id) == []
