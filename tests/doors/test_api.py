"""The API does the same verbs and lists as the pages, in the scope of the token's post."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client

from bihuan.cases.models import Case
from bihuan.doors.api import answers
from bihuan.doors.api.models import Answer, Pace
from bihuan.registry import clock, scope
from bihuan.registry.models import AccessLog
from bihuan.registry.rls import DOOR_ROLE
from bihuan.tracing.models import Contact
from tests.cast import GRID, NEXT_COUNTY, Cast
from tests.doors.api_room import ROOT, Api, api_of, partner_token
from tests.rooms.care_room import assert_holds, duties, li, local, make_case, make_contact

pytestmark = pytest.mark.django_db
NOON = "02-14 12:00"


@pytest.fixture
def at_noon():
    with clock.frozen(local(NOON)):
        yield


@pytest.fixture
def as_door(cast: Cast, settings):
    """The connection is the restricted role, as in the servers."""
    settings.DATABASE_ROLE = "door"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {DOOR_ROLE}")


@pytest.fixture
def officer(cast: Cast, at_noon: None, as_door: None) -> Api:
    return api_of(cast.officer)


CASE = {
    "person": {"name": "陈一诺", "sex": "F", "age_years": 40},
    "territory_code": GRID,
    "classification": "confirmed",
    "date_onset": "2020-02-10",
    "date_confirmation": "2020-02-14T09:30:00+08:00",
}


def problem(answer, status: int, slug: str = "") -> dict:
    assert answer.status_code == status, answer.content.decode()
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert not slug or body["type"] == slug
    return body


# --- who calls ----------------------------------------------------------------------------------------


def test_without_a_token_nothing_is_answered(cast):
    answer = Client().get(f"{ROOT}/duties")
    problem(answer, 401, "unknown-token")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_wrong_an_expired_and_a_revoked_token_are_unknown(cast):
    from bihuan.registry.actions.tokens import revoke_token
    from bihuan.registry.models import ApiToken

    problem(Api("bh_wrong").get("/duties"), 401)
    problem(Api("wrong").get("/duties"), 401)
    mine = api_of(cast.officer)
    assert mine.get("/duties").status_code == 200
    with scope.system():
        revoke_token(token_id=ApiToken.objects.latest("id").pk, actor=cast.administrator.actor)
    problem(mine.get("/duties"), 401)


def test_a_browser_session_alone_opens_nothing(cast):
    client = Client()
    client.force_login(cast.officer.account, backend="allauth.account.auth_backends.AuthenticationBackend")
    problem(client.get(f"{ROOT}/duties"), 401)


def test_what_the_role_does_not_carry_is_refused_with_the_right(cast, at_noon):
    body = problem(api_of(cast.grid).get("/board"), 403, "not-allowed")
    assert "board.view" in body["title"]


def test_errors_speak_the_language_of_the_reader(cast):
    client = Client()
    zh = client.get(f"{ROOT}/duties", headers={"accept-language": "zh-hans"}).json()
    en = client.get(f"{ROOT}/duties", headers={"accept-language": "en"}).json()
    assert "令牌" in zh["title"]
    assert "token" in en["title"]


# --- cases and contacts -------------------------------------------------------------------------------


def test_a_token_that_calls_too_often_is_told_how_long_to_wait(cast, settings):
    settings.BIHUAN_API_PER_MINUTE, settings.BIHUAN_API_BURST = 2, 3
    api, other = api_of(cast.officer), api_of(cast.neighbor)
    assert [api.get("/duties").status_code for _n in range(4)] == [200, 200, 200, 429]
    refused = problem(api.get("/duties"), 429, "too-many-requests")
    assert "3 at once" in refused["title"]
    wait = int(api.get("/duties").headers["Retry-After"])
    assert 1 <= wait <= 30
    assert other.get("/duties").status_code == 200


def test_a_token_may_call_again_when_it_has_waited_and_refused_calls_do_not_count(cast, settings):
    settings.BIHUAN_API_PER_MINUTE, settings.BIHUAN_API_BURST = 600, 1
    api = api_of(cast.officer)
    assert api.get("/duties").status_code == 200
    Pace.objects.update(used_until=F("used_until") + timedelta(seconds=5))
    before = Pace.objects.get().used_until
    assert api.get("/duties").headers["Retry-After"] == "6"
    assert Pace.objects.get().used_until == before
    Pace.objects.update(used_until=F("used_until") - timedelta(seconds=6))
    assert api.get("/duties").status_code == 200


def test_what_is_refused_for_its_pace_changes_nothing(cast, settings, at_noon):
    settings.BIHUAN_API_PER_MINUTE, settings.BIHUAN_API_BURST = 1, 1
    api = api_of(cast.officer)
    api.get("/duties")
    problem(api.post("/cases", {"territory_code": GRID, "person": {"name": "新人"}}), 429)
    with scope.system():
        assert Case.objects.count() == 0


def test_every_operation_tells_of_the_pace_in_its_description(officer):
    told = officer.client.get("/api/v1/openapi.json").json()
    for methods in told["paths"].values():
        for operation in methods.values():
            assert operation["responses"]["429"]["headers"]["Retry-After"]["schema"]["type"] == "integer"


def test_a_case_is_reported_and_its_loop_opens(officer):
    answer = officer.post("/cases", CASE)
    assert answer.status_code == 201, answer.content.decode()
    case = answer.json()["id"]
    assert duties(case, state=0)
    whole = officer.get(f"/cases/{case}").json()
    assert whole["case"]["classification"] == "confirmed"
    assert whole["dates"]["onset"] == "2020-02-10"
    assert whole["case"]["person"]["name"] == "陈*诺"
    assert_holds()


def test_many_cases_are_reported_all_or_none_and_errors_name_their_row(officer):
    wrong = {**CASE, "classification": "maybe"}
    body = problem(officer.post("/cases/batch", {"cases": [CASE, wrong]}), 422, "case-invalid")
    assert [(e["row"], e["field"]) for e in body["errors"]] == [(1, "classification")]
    assert officer.get("/cases").json()["items"] == []
    made = officer.post("/cases/batch", {"cases": [CASE, {**CASE, "person": {"name": "王二"}}]})
    assert made.status_code == 201
    assert len(made.json()["ids"]) == 2
    assert officer.get("/cases").json()["total"] == 2


def test_a_case_with_the_same_source_key_is_taken_once(officer):
    first = officer.post("/cases", {**CASE, "source_key": "HIS-1"}).json()
    again = officer.post("/cases", {**CASE, "source_key": "HIS-1"}).json()
    assert (first["known"], again["known"]) == (False, True)
    assert first["id"] == again["id"]


def test_a_case_outside_the_territory_is_refused(officer):
    problem(officer.post("/cases", {**CASE, "territory_code": NEXT_COUNTY}), 403)


def test_a_case_in_a_territory_that_is_not_there_names_the_field(officer):
    body = problem(officer.post("/cases", {**CASE, "territory_code": "990011"}), 422)
    assert body["errors"][0]["field"] == "territory_code"


def test_contacts_are_named_and_paged_through(officer, cast):
    people = [{"name": name, "sex": "U"} for name in ("赵一", "钱二", "孙三", "李四", "周五")]
    body = {
        "contacts": [
            {"person": p, "territory_code": GRID, "exposure_last": "2020-02-12", "criterion": "dining: 家宴"}
            for p in people
        ]
    }
    made = officer.post("/contacts/batch", body)
    assert made.status_code == 201, made.content.decode()
    seen, cursor = [], ""
    while True:
        page = officer.get("/contacts", {"limit": 2, "cursor": cursor}).json()
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert sorted(seen) == sorted(made.json()["ids"])
    one = officer.get(f"/contacts/{seen[0]}").json()
    assert one["contact"]["exposure_last"] == "2020-02-12"
    assert one["contact"]["whys"] == [{"case": None, "criterion": "dining: 家宴", "setting": ""}]


def test_a_cursor_of_another_list_is_refused(officer):
    officer.post("/cases/batch", {"cases": [CASE, {**CASE, "person": {"name": "王二"}}]})
    cursor = officer.get("/cases", {"limit": 1}).json()["next"]
    assert cursor
    body = problem(officer.get("/contacts", {"cursor": cursor}), 422)
    assert body["errors"][0]["field"] == "cursor"
    for text in ("x", "!!!", "W10", "é"):
        problem(officer.get("/duties", {"cursor": text}), 422)
        problem(officer.get("/loops", {"cursor": text}), 422)


# --- duties and verbs ---------------------------------------------------------------------------------


def test_a_duty_is_done_by_the_verb_of_its_definition(officer, cast):
    contact = make_contact(cast.officer, NOON)
    owed = officer.get("/duties", {"subject_kind": "contact", "subject_id": contact.public_id}).json()[
        "items"
    ]
    locate = next(one for one in owed if one["kind"] == "locate")
    assert locate["verb"] == "contact.locate"
    assert locate["person"]["name"] == "周*明"
    assert locate["clause"]
    answer = officer.post(f"/duties/{locate['id']}/complete", {"fields": {"at": "2020-02-14T12:00:00+08:00"}})
    assert answer.status_code == 200, answer.content.decode()
    assert officer.get(f"/duties/{locate['id']}").json()["status"] == "done"
    back = officer.post(f"/duties/{locate['id']}/undo", {"reason": "wrong person"})
    assert back.status_code == 200, back.content.decode()
    assert officer.get(f"/duties/{locate['id']}").json()["status"] != "done"
    assert_holds()


def test_a_duty_is_waived_with_a_reason_and_handed_over(officer, cast):
    contact = make_contact(cast.officer, NOON)
    one = officer.get("/duties", {"subject_kind": "contact", "subject_id": contact.public_id}).json()[
        "items"
    ][0]
    problem(officer.post(f"/duties/{one['id']}/waive", {"reason": ""}), 422)
    over = officer.post(
        f"/duties/{one['id']}/hand-over", {"to": cast.street.post.public_id, "reason": "moved there"}
    )
    assert over.status_code == 200, over.content.decode()
    assert officer.get(f"/duties/{one['id']}").json()["owner"]["id"] == cast.street.post.public_id
    away = {"to": cast.other_city.post.public_id, "reason": "far away"}
    refused = problem(officer.post(f"/duties/{one['id']}/hand-over", away), 422)
    assert refused["errors"][0]["field"] == "to"
    back = officer.post(f"/duties/{one['id']}/take-back", {"reason": "not so"})
    assert back.status_code == 200, back.content.decode()
    assert officer.get(f"/duties/{one['id']}").json()["owner"] == one["owner"]
    problem(officer.post(f"/duties/{one['id']}/take-back", {"reason": "again"}), 409)
    assert officer.post(f"/duties/{one['id']}/waive", {"reason": "died"}).status_code == 200
    problem(officer.post(f"/duties/{one['id']}/waive", {"reason": "again"}), 409)
    assert_holds()


def test_many_duties_are_done_at_once_or_none(officer, cast):
    contacts = [make_contact(cast.officer, NOON, person=li()) for _n in range(2)]
    owed = officer.get("/duties", {"kind": "locate"}).json()["items"]
    ids = [one["id"] for one in owed]
    assert len(ids) == 2
    problem(officer.post("/duties/complete", {"duties": [*ids, "D-999999999"]}), 404)
    assert {officer.get(f"/duties/{i}").json()["status"] for i in ids} <= {"open", "due_soon"}
    done = officer.post("/duties/complete", {"duties": ids, "fields": {}})
    assert done.json()["n"] == 2, done.content.decode()
    with scope.system():
        assert all(Contact.objects.get(pk=c.pk).located_at for c in contacts)


def test_verbs_tell_their_fields_and_are_done_to_one_and_to_many(officer, cast):
    told = {verb["key"]: verb for verb in officer.get("/verbs").json()["items"]}
    assert told["contact.temperature"]["fields"][0]["unit"] == "°C"
    assert told["contact.place"]["adverse"]
    contact = make_contact(cast.officer, NOON).public_id
    body = problem(officer.post(f"/contacts/{contact}/verbs/contact.lost", {"fields": {}}), 422)
    assert body["errors"][0]["field"] == "reason"
    done = officer.post(f"/contacts/{contact}/verbs/contact.locate", {"fields": {"at": "2020-02-14"}})
    assert done.status_code == 200, done.content.decode()
    problem(officer.post(f"/cases/{contact}/verbs/contact.locate", {}), 409)
    problem(
        officer.post("/contacts/verbs/contact.place", {"subjects": [contact], "fields": {"kind": "home"}}),
        409,
    )
    problem(officer.post("/contacts/verbs/contact.dance", {"subjects": [contact]}), 404)


def test_an_order_shows_its_decision_record(officer, cast):
    contact = make_contact(cast.officer, NOON).public_id
    command = api_of(cast.command)
    placed = command.post(
        f"/contacts/{contact}/verbs/contact.place",
        {"fields": {"kind": "home", "at": "2020-02-14T12:00:00+08:00"}},
    )
    assert placed.status_code == 200, placed.content.decode()
    order = officer.get(f"/orders/{placed.json()['data']['order']}").json()
    assert order["clause"]
    assert order["approver"]
    assert order["days"] == 14
    filed = officer.post(
        f"/orders/{order['id']}/verbs/order.appeal",
        {"fields": {"text": "I was abroad.", "filed_by": "herself"}},
    )
    assert filed.status_code == 200, filed.content.decode()
    assert [a["id"] for a in command.get("/appeals").json()["items"]] == [filed.json()["subject"]]


# --- people -------------------------------------------------------------------------------------------


def test_a_person_is_shown_by_the_role_of_the_post_and_the_look_is_logged(cast, at_noon):
    case = make_case(cast.officer, NOON)
    officer, partner = api_of(cast.officer), Api(partner_token(cast.officer))
    person = officer.get(f"/cases/{case.public_id}").json()["case"]["person"]["id"]
    full = officer.get(f"/persons/{person}", X_Purpose="流调 call back".encode().decode("latin-1")).json()
    masked = partner.get(f"/persons/{person}").json()
    assert full["name"] == "李芳"
    assert masked["name"] == "李*"
    assert "name" not in masked["shown"]
    looks = officer.get(f"/persons/{person}/looks").json()["items"]
    assert {look["purpose"] for look in looks} >= {"流调 call back", "api"}
    with scope.system():
        assert set(AccessLog.objects.values_list("door", flat=True)) == {"api"}


def test_what_is_held_about_a_person_is_told(officer, cast):
    contact = make_contact(cast.officer, NOON)
    person = officer.get(f"/contacts/{contact.public_id}").json()["contact"]["person"]["id"]
    held = officer.get(f"/persons/{person}/held").json()
    assert held["contacts"] == [contact.public_id]
    assert held["duties"]
    assert any(entry["what"] == "contact.confirmed" for entry in held["entries"])


def test_names_are_searched_only_by_posts_that_may_see_names(officer, cast):
    make_case(cast.officer, NOON)
    assert [p["name"] for p in officer.get("/persons", {"q": "李芳"}).json()["items"]] == ["李*"]
    partner = Api(partner_token(cast.officer))
    problem(partner.get("/persons", {"q": "李芳"}), 403)
    problem(partner.get("/cases", {"q": "李"}), 403)


def test_health_data_are_null_for_a_role_without_them_and_no_filter_tells_them(cast, at_noon):
    make_case(cast.officer, NOON)
    inspector = api_of(cast.inspector)
    [row] = inspector.get("/cases").json()["items"]
    assert row["classification"] is None
    assert row["date_onset"] is None
    assert row["owed"]["open"] > 0
    problem(inspector.get("/cases", {"classification": "confirmed"}), 403)
    problem(inspector.get("/cases", {"sort": "date_onset"}), 403)


# --- board, figures, policy, territories --------------------------------------------------------------


def test_the_board_counts_what_the_list_of_duties_holds(officer, cast):
    make_contact(cast.officer, NOON)
    make_case(cast.officer, NOON)
    board = officer.get("/board").json()
    assert board["conservation"]["holds"]
    assert board["total"]["open"] == len(officer.get("/duties", {"limit": 500}).json()["items"])
    assert "420303003" in {child["code"] for child in board["children"]}
    earlier = officer.get("/board", {"as_of": "2020-02-13"}).json()
    assert earlier["total"]["open"] == 0
    problem(officer.get("/board", {"territory": NEXT_COUNTY}), 403)
    problem(officer.get("/board", {"territory": "9999"}), 404, "unknown-territory")


def test_the_loop_holds_and_says_so(officer, cast):
    contact = make_contact(cast.officer, NOON)
    found = officer.get("/loops/check").json()
    assert found["holds"]
    assert found["created"] == found["open"] + found["done"] + found["waived"] + found["superseded"]
    [loop] = officer.get("/loops", {"subject_kind": "contact", "subject_id": contact.public_id}).json()[
        "items"
    ]
    whole = officer.get(f"/loops/{loop['id']}").json()
    assert [stage["stage"] for stage in whole["stages"]]
    assert whole["events"][0]["kind"] == "contact.confirmed"


def test_figures_are_recomputed_from_the_records(officer, cast):
    make_case(
        cast.officer, NOON, date_onset=local("02-10 00:00").date(), date_report=local("02-14 00:00").date()
    )
    gaps = {gap["key"]: gap for gap in officer.get("/figures/gaps").json()["items"]}
    assert gaps["admit"]["missing"] == 1
    assert len(officer.get("/figures/gaps/admit").json()["items"]) == 1
    assert officer.get("/figures/clearance").json()["due"] >= 0
    intervals = {row["key"]: row for row in officer.get("/figures/intervals").json()["items"]}
    assert any(row["all"]["median"] == 4 for row in intervals.values())
    assert officer.get("/figures/rates").json()["items"][0]["of"] == 1
    assert officer.get("/figures/curve").json()["counts"] == [1]
    assert officer.get("/figures/ledger", {"day": "2020-02-14"}).json()["items"]
    problem(officer.get("/figures/curve", {"first": "1950-01-01", "last": "2020-01-01"}), 422)


def test_a_rule_is_told_with_its_layer_and_clause(officer):
    rule = officer.get("/policy/rules/clocks.report_hours", {"on": "2020-02-17"}).json()
    assert rule["value"] == 2
    assert rule["source"]
    assert len(officer.get("/policy/rules").json()["items"]) > 20
    packs = [p["id"] for p in officer.get("/policy/packs").json()["items"]]
    assert "hubei-2020-02" in packs
    assert officer.get("/policy/packs/hubei-2020-02").json()["items"]
    assert officer.get("/policy/diff", {"a": "hubei-2020-02", "b": "hubei-2020-05"}).json()["items"]
    assert officer.get("/policy/in-force", {"on": "2020-02-17"}).json()["items"][0]["id"] == "hubei-2020-02"
    body = problem(officer.get("/policy/rules/clocks.reprot_hours"), 404)
    assert "clocks.report_hours" in json.dumps(body)


def test_territories_are_found_by_code_and_name(officer):
    assert officer.get("/territories/420303").json()["name"] == "张湾区"
    assert officer.get("/territories/420303/children").json()["items"]
    assert officer.get("/territories", {"q": "张湾"}).json()["items"][0]["code"] == "420303"
    assert officer.get("/territories/421023").json()["code"] == "421088"


# --- idempotency --------------------------------------------------------------------------------------


def test_a_request_sent_again_gets_its_first_answer_and_changes_nothing(officer):
    first = officer.post("/cases", CASE, Idempotency_Key="a-1")
    again = officer.post("/cases", CASE, Idempotency_Key="a-1")
    assert again.json() == first.json()
    assert again.status_code == 201
    assert again["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first
    assert officer.get("/cases").json()["total"] == 1


def test_a_key_used_for_another_request_is_a_conflict(officer):
    officer.post("/cases", CASE, Idempotency_Key="a-1")
    problem(
        officer.post("/cases", {**CASE, "local_id": "2"}, Idempotency_Key="a-1"),
        409,
        "idempotency-key-reused",
    )
    problem(officer.post("/contacts", {}, Idempotency_Key="a-1"), 422)
    problem(officer.post("/cases", CASE, Idempotency_Key="not a key"), 422)
    problem(officer.post("/cases", CASE, Idempotency_Key="x" * 121), 422)


def test_a_key_belongs_to_its_token(officer, cast):
    officer.post("/cases", CASE, Idempotency_Key="a-1")
    other = api_of(cast.colleague).post("/cases", CASE, Idempotency_Key="a-1")
    assert "Idempotent-Replay" not in other


def test_what_failed_may_be_sent_again_mended_with_the_same_key(officer):
    problem(officer.post("/cases", {**CASE, "classification": "maybe"}, Idempotency_Key="a-1"), 422)
    assert officer.post("/cases", CASE, Idempotency_Key="a-1").status_code == 201


def test_answers_are_forgotten_after_two_days(officer):
    officer.post("/cases", CASE, Idempotency_Key="a-1")
    with scope.system():
        assert answers.forget() == 0
    with clock.frozen(local(NOON) + answers.KEPT + timedelta(seconds=1)):
        fresh = officer.post("/cases", CASE, Idempotency_Key="a-1")
        assert "Idempotent-Replay" not in fresh
        assert answers.forget() == 0
    with clock.frozen(local(NOON) + 3 * answers.KEPT):
        assert answers.forget() == 1


def test_answers_that_are_kept_hold_no_names(officer):
    officer.post("/cases", CASE, Idempotency_Key="a-1")
    assert "陈" not in json.dumps(Answer.objects.get().body, ensure_ascii=False)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_with_one_key_only_one_works(request):
    """The other connection holds the key as a request that is being worked on does."""
    import psycopg

    from bihuan.registry.models import ApiToken
    from tests.cast import make_cast

    cast = make_cast()
    mine = api_of(cast.officer)
    settings = connection.settings_dict
    number = answers.lock_number(ApiToken.objects.latest("id").pk, "a-1")
    with (
        psycopg.connect(
            host=settings["HOST"], port=settings["PORT"], user=settings["USER"],
            password=settings["PASSWORD"], dbname=settings["NAME"],
        ) as other,
        clock.frozen(local(NOON)),
    ):  # fmt: skip
        other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [answers._LOCKS, number])
        problem(mine.post("/cases", CASE, Idempotency_Key="a-1"), 409, "request-in-progress")
        other.rollback()
        assert mine.post("/cases", CASE, Idempotency_Key="a-1").status_code == 201


# --- what cannot be read ------------------------------------------------------------------------------


def test_addresses_that_are_none_are_problems_too(officer):
    problem(officer.get("/nothing/here"), 404)
    problem(Client().get("/api/"), 404)
    problem(Client().get("/api/v2/duties"), 404)
    problem(officer.get("/cases/C-0000000000"), 404)
    problem(officer.get("/duties/D-x"), 404)
    problem(officer.get("/duties/D-99999999999999999999"), 404)
    problem(officer.get("/cases/%00"), 404)


def test_a_method_that_is_not_taken_names_those_that_are(officer):
    answer = officer.client.delete(f"{ROOT}/duties", headers=officer._headers({}))
    problem(answer, 405)
    assert answer["Allow"] == "GET"


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"[]", b"null", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1e999}', b"1" * 5000],
)
def test_a_body_that_is_no_json_object_is_refused(officer, body):
    answer = officer.post("/cases", body)
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_cannot_be_stored_is_refused(officer, text):
    problem(officer.post("/cases", {**CASE, "facility": text}), 422)
    problem(officer.post("/cases", {**CASE, "person": {"name": text}}), 422)
    problem(officer.post("/duties/complete", {"duties": ["D-1"], "fields": {text: 1}}), 422)


def test_text_that_is_too_long_is_refused(officer):
    for name in ("facility", "local_id", "disease", "source_text", "source_key", "territory_code"):
        body = problem(officer.post("/cases", {**CASE, name: "长" * 5000}), 422)
        assert name in body["errors"][0]["field"]


def test_text_that_cannot_be_stored_is_refused_in_a_question(officer):
    problem(officer.client.get(f"{ROOT}/cases?q=a%00b", headers=officer._headers({})), 422)


def test_a_body_of_another_type_is_refused(officer):
    answer = officer.client.post(
        f"{ROOT}/cases", "a=b", content_type="application/x-www-form-urlencoded", headers=officer._headers({})
    )
    problem(answer, 415)
    problem(officer.send("/cases", {"a": "b"}), 415)


def test_a_body_that_is_too_large_is_refused(officer, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2**20
    problem(officer.post("/cases", {**CASE, "source_text": "x" * 2**20}), 413)


def test_years_that_no_calendar_has_are_refused(officer):
    for text in ("0001-01-01", "9999-12-31T23:59:59-12:00", "5", "yesterday", "2020-02-30"):
        problem(officer.get("/board", {"as_of": text}), 422)
        problem(officer.post("/cases", {**CASE, "date_onset": text}), 422)


def test_a_fault_of_ours_is_told_as_a_problem_and_leaves_nothing(officer, monkeypatch):
    from bihuan.cases import actions

    def break_down(*args, **kwargs):
        report(*args, **kwargs)
        raise RuntimeError("inside")

    report = actions.report_cases
    monkeypatch.setattr(actions, "report_cases", break_down)
    body = problem(officer.post("/cases", CASE), 500, "fault")
    assert "inside" not in json.dumps(body)
    monkeypatch.undo()
    assert officer.get("/cases").json()["total"] == 0


def test_the_description_names_every_operation_and_its_rights(client):
    described = client.get(f"{ROOT}/openapi.json").json()
    from bihuan.doors.api.operation import DECLARED

    told = {op["operationId"]: op for methods in described["paths"].values() for op in methods.values()}
    assert set(told) == set(DECLARED)
    for name, declared in DECLARED.items():
        assert told[name]["x-rights"] == list(declared.rights)
        assert "application/problem+json" in told[name]["responses"]["404"]["content"]
    assert described["components"]["securitySchemes"]


def test_there_is_no_page_that_loads_scripts_from_elsewhere(client):
    assert client.get(f"{ROOT}/docs").status_code == 404
