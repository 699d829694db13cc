"""What data were shown for is read by everybody in her own language; what somebody wrote stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from bihuan.registry import audit, clock, purposes, scope
from bihuan.registry.models import AccessLog
from bihuan.registry.purposes import neutral, purpose, said
from bihuan.tracing.actions.investigate import open_investigation
from bihuan.tracing.actions.looks import look_met
from bihuan.tracing.models import Investigation, VisitLook
from tests.cast import Cast, Member
from tests.rooms.care_room import do, local
from tests.rooms.investigation_room import CASE, NEXT, a_case, market, registered, visited

pytestmark = [pytest.mark.django_db, pytest.mark.in_office_since(local("02-01 08:00"))]
WHEN = "02-12 18:00"
PROPOSED = {
    "en": "Find where the case was infected, where it was, and whom it met",
    "zh-hans": "查明感染来源、行踪和密切接触者",
}


@pytest.fixture
def world(cast: Cast, settings: Any, tmp_path: Path) -> Investigation:
    """An investigation whose purpose the officer took over in English; one look for it."""
    settings.BIHUAN_HOME = tmp_path
    with cast.officer.acting():
        market(cast.officer)
    visited([(CASE, "market", "02-10 09:00", 40), (NEXT, "market", "02-10 09:10", 40)])
    registered("周小明", NEXT)
    case = a_case(cast.officer)
    with translation.override("en"):
        made = do(cast.officer, "02-12 17:00", open_investigation, case.public_id, purpose=PROPOSED["en"])
        do(cast.officer, WHEN, look_met, made.public_id, purpose=PROPOSED["en"])
    return made


def page(who: Member, url: str, language: str) -> str:
    client = Client(headers={"accept-language": language})
    client.cookies["django_language"] = language
    with clock.frozen(local("02-12 19:00")):
        client.force_login(who.account, backend="allauth.account.auth_backends.AuthenticationBackend")
        answer = client.get(url)
    assert answer.status_code == 200, answer
    return answer.content.decode()


@pytest.mark.parametrize("language", PROPOSED)
def test_a_look_is_read_in_the_language_of_who_was_looked_at(
    cast: Cast, world: Investigation, language: str
) -> None:
    with scope.system():
        kept = AccessLog.unscoped.filter(person=world.case.person_id).order_by("-id")[0].purpose
    assert kept == f"§look.met.for|{world.public_id}|§investigation.find-out"
    with scope.system(), translation.override(language):
        look = audit.who_looked(world.case.person_id)[0]
        assert PROPOSED[language] in look.purpose
        assert world.public_id in look.purpose
        assert "§" not in look.purpose
    for url in (f"/investigations/{world.public_id}/", f"/people/{world.case.person.public_id}/"):
        text = page(cast.officer, url, language)
        assert PROPOSED[language] in text
        assert "§" not in text


def test_what_somebody_wrote_stays_as_it_is_and_is_no_code(cast: Cast, world: Investigation) -> None:
    for given, wanted in (("找 A|B 班的人", "找 A|B 班的人"), ("§page.person", "page.person")):
        do(cast.officer, WHEN, look_met, world.public_id, purpose=given)
        with scope.system(), translation.override("en"):
            assert VisitLook.unscoped.order_by("-id")[0].purpose == wanted
            assert audit.who_looked(world.case.person_id)[0].purpose.endswith(f"was ({wanted})")


def test_records_from_before_codes_read_as_they_were_written() -> None:
    for old in (
        "流调 I-1：病例所到之处有谁 (查明)",
        "the person's page",
        "§ 4 of the law",
        "§look.met",
        "§no.such|x",
    ):
        assert said(old) == old


def test_the_person_herself_is_told_what_the_house_says_and_not_what_somebody_wrote() -> None:
    with translation.override("en"):
        for wrote in ("find 李芳's table", purpose("investigation.find-out")):
            of = purpose("look.met.for", "I-0000000000", wrote)
            assert purposes.told(of) == "investigation: who was where a case was"
        assert purposes.told(purpose("page.person")) == "the person's page"
        for wrote in ("find 李芳's table", "§no.such|x", ""):
            assert purposes.told(wrote) == ""
        assert purposes.told("§page.duty|定位") == "", "what does not read is no code for her eyes"


def test_no_purpose_tells_the_person_herself_the_number_of_a_record() -> None:
    for code, (n, _words) in purposes._words.items():
        parts = [f"I-000000000{i}" for i in range(n)]
        if code in ("page.duty", "export.chains"):  # their parts are words of the house
            parts = ["day"] * n
        told = purposes.told(purpose(code, *parts))
        assert told, code
        assert "I-" not in told, code


def test_a_purpose_fits_its_column_however_long_somebody_writes() -> None:
    kept = purpose("look.met.for", "I-0000000000", "长" * 200)
    assert len(kept) == 200
    with translation.override("en"):
        assert said(kept).startswith("Investigation I-0000000000: ")


def test_a_purpose_that_was_proposed_is_known_in_every_language() -> None:
    for text in PROPOSED.values():
        assert neutral(f" {text} ") == "§investigation.find-out"
    assert neutral("别的") == "别的"


def test_every_code_reads_in_both_languages_without_the_other() -> None:
    for code, (n, _words) in purposes._words.items():
        kept = purpose(code, *("X-1" for _ in range(n)))
        with translation.override("en"):
            english = said(kept)
        with translation.override("zh-hans"):
            chinese = said(kept)
        assert english.isascii(), code
        assert english != chinese, code
