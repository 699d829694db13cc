"""A small cast for tests of every room: who may see what of whom.

    cast.officer        CDC officer of 张湾区 (420303), the county that things happen in
    cast.colleague      another officer in the same post
    cast.neighbor       officer of the next county, 茅箭区 (420302), same city
    cast.city           CDC officer of the city above, 十堰市 (4203)
    cast.other_city     officer of another city, 襄阳市 (4206)
    cast.province       provincial command, 湖北省 (42)
    cast.command        command post of the county
    cast.street, cast.community, cast.grid    below: 420303003, 420303003001, 420303003001-01
    cast.doctor, cast.hospital, cast.laboratory, cast.transfer    of the county
    cast.inspector      of the city
    cast.administrator  accounts and tokens, no personal data
    cast.stranger       an account without any post

Each is a Member: `.account`, `.post`, `.scope`, `.actor`, `.territory_code`, and `with member.acting(): ...`
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

COUNTY = "420303"
NEXT_COUNTY = "420302"
CITY = "4203"
OTHER_CITY = "4206"
PROVINCE = "42"
STREET = "420303003"
COMMUNITY = "420303003001"
GRID = "420303003001-01"
PASSWORD = "closed-loop-2020"
_PREFIXES = ("420303003", "420302001", "420602001")
_UNITS = {
    "42", "4201", "4203", "4206", "4290", "429004", "4210", "421088", "421023", "420303", "420302", "420602",
}  # fmt: skip


@dataclass(frozen=True)
class Member:
    account: Any
    post: Any
    scope: Any
    actor: Any

    @property
    def territory_code(self) -> str:
        return self.post.territory_code

    @contextmanager
    def acting(self) -> Iterator[Any]:
        from bihuan.registry.scope import acting_as

        with acting_as(self.scope) as scope:
            yield scope


@dataclass(frozen=True)
class Cast:
    officer: Member
    colleague: Member
    neighbor: Member
    city: Member
    other_city: Member
    province: Member
    command: Member
    street: Member
    community: Member
    grid: Member
    doctor: Member
    hospital: Member
    laboratory: Member
    transfer: Member
    inspector: Member
    administrator: Member
    stranger: Any


@lru_cache(maxsize=1)
def _small_tree() -> list[Any]:
    from bihuan.registry.actions.territory import builtin_units

    return [u for u in builtin_units() if u.code in _UNITS or u.code.startswith(_PREFIXES)]


def load_small_tree() -> None:
    """Load the part of the shipped tree that the cast lives in."""
    from bihuan.registry.actions import territory

    territory.store_units(_small_tree())


def staff() -> None:
    """Load the small tree and the roles, and create the standard posts of two counties and another city."""
    from bihuan.registry.actions import organizations, roles
    from bihuan.registry.actor import Actor

    system = Actor.system("cast", door="test")
    load_small_tree()
    roles.sync_roles(actor=system)
    organizations.establish_county(COUNTY, actor=system, grids=1)
    organizations.establish_county(NEXT_COUNTY, actor=system)
    organizations.establish_city(OTHER_CITY, actor=system)


def member(username: str, function: str, territory_code: str) -> Member:
    """Make an account and put it in the post of a function at a territory."""
    from bihuan.registry import acting, posts
    from bihuan.registry.actions import organizations
    from bihuan.registry.actor import Actor

    post = next(p for p in posts.of_territory(territory_code) if p.function == function)
    account = organizations.create_account(
        username=username,
        password=None,
        display_name=username,
        post_ids=(post.id,),
        actor=Actor.system("cast", door="test"),
    )
    found = acting.acting_for_account(account)
    assert found is not None
    return Member(account=account, post=found.post, scope=found.scope, actor=found.actor)


def make_cast() -> Cast:
    """The cast in the running transaction; made by the verbs once a process (see `tests.recorded`)."""
    from bihuan.registry.scope import system
    from tests.recorded import recorded

    with system():
        return recorded("cast", _make_cast)


def _make_cast() -> Cast:
    from bihuan.registry.models import Account
    from bihuan.registry.scope import system

    with system():
        staff()
        return Cast(
            officer=member("officer", "cdc_investigation", COUNTY),
            colleague=member("colleague", "cdc_investigation", COUNTY),
            neighbor=member("neighbor", "cdc_investigation", NEXT_COUNTY),
            city=member("city", "cdc_investigation", CITY),
            other_city=member("other_city", "cdc_investigation", OTHER_CITY),
            province=member("province", "command", PROVINCE),
            command=member("command", "command", COUNTY),
            street=member("street", "street_quarantine", STREET),
            community=member("community", "community_follow_up", COMMUNITY),
            grid=member("grid", "grid_worker", GRID),
            doctor=member("doctor", "clinic_report", COUNTY),
            hospital=member("hospital", "hospital_admission", COUNTY),
            laboratory=member("laboratory", "sampling", COUNTY),
            transfer=member("transfer", "transfer_team", COUNTY),
            inspector=member("inspector", "inspector", CITY),
            administrator=member("administrator", "administration", ""),
            stranger=Account.objects.create_user("stranger", None),
        )


@pytest.fixture
def cast(db: None, request: pytest.FixtureRequest) -> Cast:
    """The cast, in the transaction of the test; in office since the moment a mark `in_office_since` names."""
    from bihuan.registry import clock

    since = request.node.get_closest_marker("in_office_since")
    if since is None:
        return make_cast()
    with clock.frozen(since.args[0]):
        return make_cast()


@pytest.fixture
def own_home(settings: Any, tmp_path: Path) -> Path:
    """A data folder of the test's own: store of visits, keys, uploads."""
    settings.BIHUAN_HOME = tmp_path
    return tmp_path
