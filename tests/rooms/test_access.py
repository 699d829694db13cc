"""Who may do what to whom, and why not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import translation

from bihuan.registry import access, acting, clock, glass, posts, scope, tokens
from bihuan.registry.access import may, reach, require
from bihuan.registry.actions import organizations, roles
from bihuan.registry.actions import tokens as token_actions
from bihuan.registry.actions.glass import break_glass, end_glass
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid, NoScope, NotAllowed, NotFound
from bihuan.registry.models import ApiToken, Assignment, Household, Organization
from bihuan.registry.roles_rules import RolesFileError, parse_roles
from tests.cast import CITY, COMMUNITY, COUNTY, GRID, NEXT_COUNTY, OTHER_CITY, STREET, Cast

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test", door="test")

# right, field class -> who may, for a person in the grid 420303003001-01 (on nobody's desk)
MATRIX = {
    ("case.view", "identity"): {"officer", "colleague", "city", "command"},
    ("case.view", "health"): {"officer", "colleague", "city", "command", "province"},
    ("case.view", "operational"): {"officer", "colleague", "city", "command", "province", "inspector"},
    ("case.write", "identity"): {"officer", "colleague", "city", "doctor", "hospital"},
    ("contact.view", "identity"): {"officer", "colleague", "city", "command", "street", "community"},
    ("contact.write", "health"): {"officer", "colleague", "city", "command", "street", "community", "doctor"},
    ("person.view", "identity"): {"officer", "colleague", "city", "command", "street", "community"},
    ("person.merge", "identity"): {"officer", "colleague", "city"},
    ("duty.waive", "operational"): {"officer", "colleague", "city", "command", "province"},
    ("order.decide", "operational"): {"command", "province"},
    ("export.run", "identity"): {"officer", "colleague", "city"},
    ("account.admin", "operational"): {"administrator"},
    ("audit.view", "operational"): {"province", "inspector", "administrator"},
}
EVERYBODY = (
    "officer", "colleague", "neighbor", "city", "other_city", "province", "command", "street", "community",
    "grid", "doctor", "hospital", "laboratory", "transfer", "inspector", "administrator",
)  # fmt: skip


@pytest.mark.parametrize(("right", "field_class"), MATRIX)
def test_exactly_these_may(cast: Cast, right: str, field_class: str) -> None:
    allowed = {
        name
        for name in EVERYBODY
        if may(getattr(cast, name).scope, right, field_class=field_class, territory_code=GRID)
    }
    assert allowed == MATRIX[right, field_class]


def test_nobody_may_do_anything_in_another_territory(cast: Cast) -> None:
    for name in set(EVERYBODY) - {"administrator", "other_city"}:
        scope_of_member = getattr(cast, name).scope
        for right in access.RIGHTS:
            decision = may(scope_of_member, right, territory_code=OTHER_CITY + "02")
            assert not decision or name == "province", (name, right)


def test_who_works_on_her_own_desk_may_look_at_what_lies_on_it(cast: Cast) -> None:
    grid = cast.grid.scope
    assert may(grid, "person.view", field_class="identity", territory_code=GRID, post_id=grid.post_id)
    assert not may(grid, "person.view", field_class="identity", territory_code=GRID)
    assert not may(grid, "person.view", territory_code=GRID, post_id=cast.officer.scope.post_id)
    assert reach(grid, "person.view") == "assigned"
    assert reach(cast.officer.scope, "person.view") == "below"
    assert reach(cast.administrator.scope, "person.view") is None


def test_posts_of_one_role_in_one_place_held_by_one_person_are_one_desk(cast: Cast) -> None:
    review = next(p for p in posts.of_territory(COUNTY) if p.function == "cdc_report_review")
    with scope.system():
        organizations.assign(account_id=cast.officer.account.pk, post_id=review.id, actor=SYSTEM)
    again = acting.acting_for_account(cast.officer.account)
    assert again is not None
    assert again.scope.posts == {cast.officer.scope.post_id, review.id}
    assert cast.colleague.scope.posts == {cast.colleague.scope.post_id}


def test_the_answer_says_why_not(cast: Cast) -> None:
    assert "县级疾控" in may(cast.officer.scope, "order.decide").reason
    assert NEXT_COUNTY in may(cast.officer.scope, "case.view", territory_code=NEXT_COUNTY).reason
    with pytest.raises(NotAllowed) as caught, cast.officer.acting():
        require("case.view", territory_code=NEXT_COUNTY)
    assert caught.value.status == 403
    assert caught.value.exit_code == 5
    assert caught.value.hint


def test_nobody_acting_is_told_to_choose_a_post(db: None) -> None:
    assert not may(None, "case.view")
    with pytest.raises(NoScope):
        require("case.view")


def test_the_system_may(db: None) -> None:
    with scope.system():
        require("case.write", field_class="identity", territory_code=COUNTY)


def test_a_right_that_does_not_exist_is_a_mistake_of_ours(cast: Cast) -> None:
    with pytest.raises(ValueError, match=r"case\.read"):
        may(cast.officer.scope, "case.read")
    with pytest.raises(ValueError, match="debt"):
        may(cast.officer.scope, "case.view", field_class="debt")


def test_field_classes_are_those_of_the_role(cast: Cast) -> None:
    shown = access.field_classes(cast.province.scope, "case.view", territory_code=GRID)
    assert shown == {"operational", "health", "location"}


# --- roles as data ---


def test_synchronizing_the_roles_again_changes_nothing(cast: Cast) -> None:
    with scope.system():
        report = roles.sync_roles(actor=SYSTEM)
    assert (report.granted, report.withdrawn) == (0, 0)
    assert report.roles == 14


def test_a_folder_of_ones_own_replaces_a_role(cast: Cast, tmp_path: Path, settings: object) -> None:
    (tmp_path / "roles.yaml").write_text(
        "roles:\n  grid_worker:\n    label: {zh: 网格员, en: Grid worker}\n"
        "    grants: [{rights: [duty.view], fields: [operational], relation: below}]\n"
    )
    folders = [*settings.BIHUAN_PACKS, tmp_path]  # type: ignore[attr-defined]
    with scope.system():
        report = roles.sync_roles(actor=SYSTEM, folders=folders)
    assert report.withdrawn > 0
    assert {g.right for g in access.grants_of("grid_worker")} == {"duty.view"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({}, "no `roles:`"),
        ({"roles": {"x": {"label": {"zh": "甲"}, "grants": []}}}, "in zh and in en"),
        ({"roles": {"x": {"label": {"zh": "甲", "en": "A"}, "grants": []}}}, "can do nothing"),
        (
            {
                "roles": {
                    "x": {
                        "label": {"zh": "甲", "en": "A"},
                        "grants": [{"rights": ["case.see"], "fields": "all", "relation": "below"}],
                    }
                }
            },
            "no right 'case.see'; nearest: case.view",
        ),
        (
            {
                "roles": {
                    "x": {
                        "label": {"zh": "甲", "en": "A"},
                        "grants": [{"rights": ["case.view"], "fields": ["secret"], "relation": "below"}],
                    }
                }
            },
            "field class 'secret'",
        ),
    ],
)
def test_a_roles_file_that_errs_is_told_where(text: dict, says: str) -> None:
    with pytest.raises(RolesFileError, match=r"roles\.yaml") as caught:
        parse_roles(text, file="roles.yaml")
    assert says in str(caught.value)


# --- posts, delegation ---


def test_without_a_post_one_does_not_act(cast: Cast) -> None:
    assert acting.acting_for_account(cast.stranger) is None


def test_a_post_that_is_not_held_is_not_acted_in(cast: Cast) -> None:
    found = acting.acting_for_account(cast.officer.account, post_id=cast.neighbor.post.id)
    assert found is not None
    assert found.post.id == cast.officer.post.id
    with pytest.raises(NotAllowed, match="officer"):
        acting.acting_for_post(cast.officer.account, cast.neighbor.post.id, door="web")


def test_a_post_is_lent_for_a_time_and_comes_back_by_itself(cast: Cast) -> None:
    now = clock.now()
    own = Assignment.objects.get(account=cast.officer.account)
    with cast.officer.acting():
        organizations.delegate(
            assignment_id=own.pk,
            to_account_id=cast.neighbor.account.pk,
            until=now + timedelta(hours=8),
            reason="night shift",
            actor=cast.officer.actor,
        )
    lent = acting.acting_for_post(
        cast.neighbor.account, cast.officer.post.id, door="web", at=now + timedelta(hours=1)
    )
    assert lent.delegated
    assert lent.scope.lo == COUNTY
    later = acting.acting_for_account(cast.neighbor.account, at=now + timedelta(hours=9))
    assert later is not None
    assert [h.post.id for h in later.choices] == [cast.neighbor.post.id]


def test_what_was_lent_ends_with_the_assignment_it_was_lent_from(cast: Cast) -> None:
    now = clock.now()
    own = Assignment.objects.get(account=cast.officer.account)
    with cast.officer.acting():
        lent = organizations.delegate(
            assignment_id=own.pk,
            to_account_id=cast.neighbor.account.pk,
            until=now + timedelta(hours=8),
            reason="night shift",
            actor=cast.officer.actor,
        )
    with pytest.raises(Conflict, match=r"lent|委托"), scope.system():
        organizations.delegate(
            assignment_id=lent.pk,
            to_account_id=cast.city.account.pk,
            until=now + timedelta(hours=8),
            reason="lend it on",
            actor=cast.neighbor.actor,
        )
    with scope.system():
        organizations.end_assignment(assignment_id=own.pk, actor=SYSTEM, at=now + timedelta(minutes=1))
    held = posts.held_by(cast.neighbor.account.pk, at=now + timedelta(minutes=2))
    assert [h.post.id for h in held] == [cast.neighbor.post.id]


def test_nobody_lends_the_post_of_another(cast: Cast) -> None:
    own = Assignment.objects.get(account=cast.officer.account)
    with pytest.raises(NotAllowed), cast.neighbor.acting():
        organizations.delegate(
            assignment_id=own.pk,
            to_account_id=cast.neighbor.account.pk,
            until=clock.now() + timedelta(hours=1),
            reason="help yourself",
            actor=cast.neighbor.actor,
        )


# --- break the glass ---


def _break(cast: Cast, **more: object) -> glass.GlassView:
    with cast.officer.acting():
        return break_glass(
            **{
                "territory_code": NEXT_COUNTY,
                "reason": "transfer of a patient across the county line",
                "actor": cast.officer.actor,
                **more,
            }
        )


def test_a_broken_glass_opens_another_territory_for_looking_and_ends_by_itself(cast: Cast) -> None:
    with scope.system():
        Household.objects.create(address="theirs", territory_code=NEXT_COUNTY + "001")
        Household.objects.create(address="ours", territory_code=STREET)
    opened = _break(cast, minutes=30)
    now = clock.now()
    seen = acting.acting_for_account(cast.officer.account, glass_id=opened.public_id, at=now)
    assert seen is not None
    with scope.acting_as(seen.scope):
        assert list(Household.objects.values_list("address", flat=True)) == ["theirs"]
        assert may(None, "case.view", field_class="identity", territory_code=NEXT_COUNTY)
        assert not may(None, "case.write", territory_code=NEXT_COUNTY)
        assert not may(None, "glass.break")
    later = acting.acting_for_account(
        cast.officer.account, glass_id=opened.public_id, at=now + timedelta(minutes=31)
    )
    assert later is not None
    assert later.opened is None
    assert later.scope.lo == COUNTY


def test_a_broken_glass_is_shown_to_the_territory(cast: Cast) -> None:
    opened = _break(cast)
    with cast.neighbor.acting():
        shown = glass.glass_breaks_in(NEXT_COUNTY)
    assert [(g.public_id, g.account, g.reason) for g in shown] == [
        (opened.public_id, "officer", "transfer of a patient across the county line")
    ]
    with cast.other_city.acting(), pytest.raises(NotAllowed):
        glass.glass_breaks_in(NEXT_COUNTY)


def test_a_broken_glass_is_of_no_use_to_another(cast: Cast) -> None:
    opened = _break(cast)
    for other in (cast.colleague, cast.city):
        found = acting.acting_for_account(other.account, glass_id=opened.public_id)
        assert found is not None
        assert found.opened is None


def test_a_broken_glass_can_be_closed_early(cast: Cast) -> None:
    opened = _break(cast)
    with cast.neighbor.acting(), pytest.raises(NotAllowed):
        end_glass(public_id=opened.public_id, actor=cast.neighbor.actor)
    with cast.officer.acting():
        end_glass(
            public_id=opened.public_id, actor=cast.officer.actor, now=opened.opened_at + timedelta(minutes=1)
        )
    found = acting.acting_for_account(cast.officer.account, glass_id=opened.public_id)
    assert found is not None
    assert found.opened is None


@pytest.mark.parametrize(
    "wrong",
    [{"reason": "why not"}, {"reason": " " * 40}, {"minutes": 0}, {"minutes": 100_000}],
    ids=["word", "blank", "no time", "months"],
)
def test_the_glass_stays_whole_without_a_reason_and_an_end(cast: Cast, wrong: dict) -> None:
    with pytest.raises(Invalid) as caught:
        _break(cast, **wrong)
    assert caught.value.errors


def test_the_glass_is_not_for_ones_own_territory_nor_for_everybody(cast: Cast) -> None:
    with pytest.raises(Invalid, match=r"已在|already"):
        _break(cast, territory_code=COMMUNITY)
    with pytest.raises(NotAllowed), cast.grid.acting():
        break_glass(territory_code=CITY, reason="curiosity, at some length", actor=cast.grid.actor)


# --- tokens ---


def test_a_token_is_shown_once_and_acts_in_its_post(cast: Cast) -> None:
    clinic = Organization.objects.get(kind="fever_clinic", territory_code=COUNTY)
    with scope.system():
        made = token_actions.create_token(organization=clinic.public_id, name="clinic system", actor=SYSTEM)
    kept = ApiToken.objects.get(pk=made.id)
    assert made.secret not in {kept.hash, kept.name}
    token = tokens.find_token(made.secret)
    assert token is not None
    found = tokens.scope_for_token(token)
    assert (found.lo, found.role, found.account_id) == (COUNTY, "api_partner", None)
    assert may(found, "case.write", territory_code=STREET)
    assert not may(found, "case.view", field_class="identity", territory_code=STREET)


def test_a_token_that_is_wrong_expired_or_revoked_is_nobody(cast: Cast) -> None:
    clinic = Organization.objects.get(kind="fever_clinic", territory_code=COUNTY)
    now = clock.now()
    with scope.system():
        made = token_actions.create_token(
            organization=clinic.public_id, name="short", actor=SYSTEM, expires_at=now + timedelta(days=1)
        )
    assert tokens.find_token(made.secret + "x") is None
    assert tokens.find_token("") is None
    assert tokens.find_token(made.secret, at=now + timedelta(days=2)) is None
    with scope.system():
        token_actions.revoke_token(token_id=made.id, actor=SYSTEM)
    assert tokens.find_token(made.secret) is None


def test_an_officer_makes_no_tokens(cast: Cast) -> None:
    clinic = Organization.objects.get(kind="fever_clinic", territory_code=COUNTY)
    with cast.officer.acting(), pytest.raises(NotAllowed):
        token_actions.create_token(organization=clinic.public_id, name="mine", actor=cast.officer.actor)
    with scope.system(), pytest.raises(NotFound):
        token_actions.create_token(organization="G-NONE", name="x", actor=SYSTEM)


@pytest.fixture(autouse=True)
def _in_chinese():
    """Reasons are read in the language of the house, whatever a test before asked for."""
    with translation.override("zh-hans"):
        yield
