"""The authorization matrix: every address of the web, every operation, every export and search, by everybody.

Officer, colleague, the same level elsewhere, superior, stranger x classes of fields, on real facts.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from bihuan.doors.api.operation import DECLARED
from bihuan.doors.api.service import api
from bihuan.loops.models import Duty
from bihuan.registry import access, clock, rls, scope
from bihuan.registry.roles_rules import RIGHTS
from tests.cast import COUNTY, Cast
from tests.doors.api_room import Api, partner_token
from tests.doors.authorization_room import (
    LATER,
    MARKERS,
    Answer,
    Facts,
    Reader,
    Visit,
    addresses,
    api_visits,
    cast_and_facts,
    state_of,
    web_visits,
)
from tests.rooms.care_room import local

pytestmark = pytest.mark.django_db

#: Addresses that anybody may open, and that tell nothing of anybody.
PUBLIC = frozenset(
    {"healthz", "readyz", "metrics", "set_language", "web:theme", "web:alive", "web:patterns"}
    | {"api:openapi-json", "api:api-root", "api:nowhere", "api:nowhere-at-all"}
    | {"api:exchange-messages", "api:exchange-card", "web:gate_worker"}
    | {"web:own", "web:own_appeal", "web:own_leave"}  # opened with a code: tests/doors/test_web_own_page.py
)
#: Logging in and out, and one's own second factor and password.
OWN_ACCOUNT = frozenset(
    {f"account_{name}" for name in (
        "login", "logout", "inactive", "signup", "reauthenticate", "email", "email_verification_sent",
        "change_password", "set_password", "reset_password", "confirm_login_code", "confirm_email",
        "reset_password_from_key_done", "reset_password_from_key", "reset_password_done",
    )}
    | {f"mfa_{name}" for name in (
        "index", "authenticate", "reauthenticate", "activate_totp", "deactivate_totp", "view_recovery_codes",
        "generate_recovery_codes", "download_recovery_codes",
    )}
)  # fmt: skip


@pytest.fixture
def played(db: None) -> tuple[Cast, Facts]:
    return cast_and_facts()


@pytest.fixture
def cast(played: tuple[Cast, Facts]) -> Cast:
    return played[0]


@pytest.fixture
def facts(played: tuple[Cast, Facts]) -> Facts:
    return played[1]


@pytest.fixture
def later():
    with clock.frozen(local(LATER)):
        yield


@pytest.fixture
def as_door(facts: Facts, settings):
    """From here on the connection is the restricted role, as in the servers."""
    settings.DATABASE_ROLE = "door"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {rls.DOOR_ROLE}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")


@pytest.fixture
def manager_off(facts: Facts, monkeypatch):
    """Every filter by scope is forgotten: managers, and the statements of rooms, read all there is."""
    monkeypatch.setattr(scope, "bounds", lambda: ("", scope.LAST))


# --- everything is declared ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", [a for a in addresses() if not a.name.startswith("api:")], ids=lambda a: a.route
)
def test_every_address_declares_its_scope_or_is_known_to_be_public(address):
    if address.name in PUBLIC | OWN_ACCOUNT:
        return
    declared = getattr(address.view, "declared_access", None)
    assert declared is not None, f"{address.route} declares no scope; see bihuan/doors/web/access.py"
    assert declared.right in RIGHTS or declared.scope in ("account", "post"), address.route


def test_every_operation_of_the_api_declares_a_right():
    for bound in api._get_bound_routers():
        for path, view in bound.path_operations.items():
            for operation in view.operations:
                declared = DECLARED.get(operation.operation_id or "")
                assert declared is not None, f"{operation.methods} {path} was not made by `operation`"
                assert declared.path == path
                assert declared.rights
                assert set(declared.rights) <= set(RIGHTS)
    names = {a.name.removeprefix("api:") for a in addresses() if a.name.startswith("api:")}
    assert names - {name.removeprefix("api:") for name in PUBLIC} <= set(DECLARED)


def test_every_address_and_operation_is_walked_over(facts):
    walked = {f"web:{visit.name}" for visit in web_visits(facts)}
    assert {a.name for a in addresses() if a.name.startswith("web:")} == walked
    assert {visit.name for visit in api_visits(facts)} == set(DECLARED)


# --- who sees what ------------------------------------------------------------------------------------


def visits_of(facts: Facts, wanted: Callable[[Visit], bool] = lambda visit: True) -> list[Visit]:
    return [visit for visit in (*web_visits(facts), *api_visits(facts)) if wanted(visit)]


def is_reading(visit: Visit) -> bool:
    return visit.method == "GET"


def is_shown(answer: Answer) -> bool:
    """The page itself, or the way from a case or contact to its person; a form that is only sent says so, or
    leads to its page."""
    to = answer.response.get("Location", "")
    ways = ("/people/", "/loops/", "/duties/", "/investigations/")
    return answer.status in (200, 405) or to.startswith(ways)


def walk(reader: Reader, visits: list[Visit]) -> list[Answer]:
    answers = [reader.go(visit) for visit in visits]
    faults = [f"{a.visit}: {a.status}" for a in answers if a.status >= 500]
    assert not faults, faults
    return answers


@pytest.mark.parametrize("name", ["officer", "colleague", "city"])
def test_the_officer_a_colleague_and_the_superior_find_everything(cast, facts, later, name):
    """Also the proof that what strangers are denied is there to be found."""
    answers = walk(
        Reader.of(name, getattr(cast, name)), visits_of(facts, lambda v: is_reading(v) and v.direct)
    )
    denied = [f"{a.visit}: {a.status} {a.response.get('Location', '')}" for a in answers if not is_shown(a)]
    assert not denied
    said = "".join(a.text for a in answers)
    for texts in MARKERS.values():
        assert any(text in said for text in texts)


@pytest.mark.parametrize("name", ["neighbor", "other_city"])
@pytest.mark.parametrize("fences", ["first", "both", "second"])
def test_who_stands_beside_finds_nothing_by_any_address_list_export_or_search(
    cast, facts, later, name, fences, request
):
    """By the scoped manager alone; by both fences, as in the servers; by row-level security alone."""
    reader = Reader.of(name, getattr(cast, name))
    for fixture in {"first": [], "both": ["as_door"], "second": ["as_door", "manager_off"]}[fences]:
        request.getfixturevalue(fixture)
    answers = walk(reader, visits_of(facts, is_reading))
    leaks = {str(a.visit): found for a in answers if (found := a.leaks(facts.secrets))}
    assert not leaks
    ends = [reader.follow(a) for a in answers if a.visit.direct]
    found = [f"{a.visit}: {a.status}" for a in ends if a.status not in (403, 404, 405)]
    assert not found, "a direct address of another territory's facts must not be found"


def test_without_either_fence_the_walk_does_find_what_leaks(cast, facts, later, manager_off):
    """The walk can fail: with the manager off and nobody's role restricted, the lists give people away."""
    answers = walk(Reader.of("neighbor", cast.neighbor), visits_of(facts, is_reading))
    leaking = {a.visit.name for a in answers if a.leaks(facts.secrets)}
    assert {"people", "duty", "get_duty", "list_cases", "list_contacts", "list_duties"} <= leaking


@pytest.mark.parametrize("name", ["neighbor", "other_city"])
def test_who_stands_beside_changes_nothing_by_any_form_or_operation(cast, facts, later, name):
    reader = Reader.of(name, getattr(cast, name))
    before = state_of(COUNTY)
    answers = walk(reader, visits_of(facts, lambda visit: not is_reading(visit)))
    assert {a.visit.name for a in answers if a.visit.direct and a.status < 300} == set()
    leaks = {str(a.visit): found for a in answers if (found := a.leaks(facts.secrets))}
    assert not leaks
    after = state_of(COUNTY)
    assert {table for table in before if before[table] != after[table]} == set()


@pytest.mark.parametrize("who", ["nobody", "without a post"])
def test_who_is_not_logged_in_or_holds_no_post_gets_nothing(cast, facts, later, who):
    reader = Reader("nobody") if who == "nobody" else Reader.of(who, cast.stranger)
    before = state_of(COUNTY)
    answers = walk(reader, visits_of(facts))
    assert not {str(a.visit): found for a in answers if (found := a.leaks(facts.secrets))}
    let_in = {a.visit.name for a in answers if a.visit.url.startswith("/api/") and a.status != 401}
    assert let_in == set()
    open_pages = {a.visit.name for a in answers if not a.visit.url.startswith("/api/") and a.status == 200}
    assert open_pages <= {"patterns", "no_post", "settings", "gate_worker", "alive", "own"}
    assert state_of(COUNTY) == before


# --- classes of fields --------------------------------------------------------------------------------


def classes_granted(grants) -> set[str]:
    """Classes that any right to look at something opens."""
    return {cell.field_class for cell in grants if cell.right.endswith(".view")}


@pytest.mark.parametrize("name", ["inspector", "province", "administrator", "partner"])
def test_what_a_role_may_not_see_of_a_person_stands_nowhere(cast, facts, later, name):
    if name == "partner":
        reader = Reader("partner", api=Api(partner_token(cast.officer)))
        granted = classes_granted(access.grants_of("api_partner"))
    else:
        reader = Reader.of(name, getattr(cast, name))
        granted = classes_granted(getattr(cast, name).scope.grants)
    denied = set(MARKERS) - granted
    assert denied, "this reader was chosen because something is denied"
    answers = walk(reader, visits_of(facts, is_reading))
    for denied_class in denied:
        markers = frozenset(MARKERS[denied_class])
        leaks = {str(a.visit): found for a in answers if (found := a.leaks(markers))}
        assert not leaks, denied_class


@pytest.mark.parametrize("name", ["doctor", "hospital", "laboratory", "transfer", "grid"])
def test_a_post_of_a_single_desk_finds_only_whom_it_owes_something(cast, facts, later, name):
    who = getattr(cast, name)
    with scope.system():
        owed = set(Duty.objects.filter(owner_post_id=who.post.id).values_list("loop__subject_ref", flat=True))
    secrets = facts.secrets_of(other for other in (facts.case, facts.contact) if other not in owed)
    if facts.contact in owed:
        secrets -= {facts.case}  # a contact's page names the case she met
    answers = walk(Reader.of(name, who), visits_of(facts, is_reading))
    leaks = {str(a.visit): found for a in answers if (found := a.leaks(secrets))}
    assert not leaks
    if not owed:
        assert not [str(a.visit) for a in answers if a.visit.direct and a.status == 200]


def test_the_public_addresses_tell_nothing_of_anybody(cast, facts, later):
    walk(Reader.of("officer", cast.officer), visits_of(facts, lambda v: is_reading(v) and v.direct))
    for path in (
        "/healthz",
        "/readyz",
        "/metrics",
        "/patterns/",
        "/api/v1/openapi.json",
        "/accounts/login/",
        "/api/",
    ):
        text = Client().get(path).content.decode()
        assert not [secret for secret in facts.secrets if secret in text], path
