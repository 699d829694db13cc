"""Who plays: the standard posts of a city, and one account a role to log in with."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.drill.queries import owed_by_post
from bihuan.drill.setting import CITY, COUNTY, NEXT_CITY, NEXT_COUNTIES, PROVINCE, START, TOWN
from bihuan.registry import clock, posts
from bihuan.registry.actions import organizations, staffing
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, NotFound
from bihuan.registry.models import Account

PASSWORD = "bihuan-2020"
"""Of every account of the drill. Accounts exist in demo and drill data only, on this machine."""

ACTOR = Actor.system("drill", door="drill")


@dataclass(frozen=True)
class DemoAccount:
    """One way in: log in as `username` and act in the post of `function` at `territory_code`.

    `busiest`: of such posts at or below the territory, the one that owes most.
    """

    username: str
    function: str
    territory_code: str
    zh: str
    en: str
    busiest: bool = False


def accounts() -> tuple[DemoAccount, ...]:
    """One account a role, the county officer first: the demo's reader starts there."""
    return (
        DemoAccount("cdc", "cdc_investigation", COUNTY, "县级疾控 · 流调", "County CDC officer"),
        DemoAccount(
            "review", "cdc_report_review", COUNTY, "县级疾控 · 报告审核", "County CDC report reviewer"
        ),
        DemoAccount("command", "command", COUNTY, "县级指挥部", "County command post"),
        DemoAccount("city", "command", CITY, "市级指挥部", "City command post"),
        DemoAccount("province", "command", PROVINCE, "省级指挥部", "Provincial command post"),
        DemoAccount("street", "street_quarantine", TOWN, "乡镇（街道）隔离管控", "Street quarantine officer"),
        DemoAccount(
            "community", "community_follow_up", COUNTY, "社区随访", "Community health worker", busiest=True
        ),
        DemoAccount("grid", "grid_worker", TOWN, "网格员（手机）", "Grid worker (phone)", busiest=True),
        DemoAccount("clinic", "clinic_report", COUNTY, "发热门诊医生", "Fever-clinic doctor"),
        DemoAccount("hospital", "hospital_admission", COUNTY, "定点医院收治", "Hospital admission officer"),
        DemoAccount("transfer", "transfer_team", COUNTY, "转运队", "Transfer team"),
        DemoAccount("lab", "sampling", COUNTY, "采样检测", "Laboratory"),
        DemoAccount("inspector", "inspector", CITY, "督查组", "Inspection team"),
        DemoAccount(
            "nextcity", "command", NEXT_CITY, "邻市指挥部（看不到本市）", "Next city (sees nothing here)"
        ),
        DemoAccount("admin", "administration", "", "系统管理员", "Administrator"),
    )


@transaction.atomic
def staff() -> None:
    """Establish the organizations and posts the drill needs; again changes nothing."""
    staffing.ensure_administration(actor=ACTOR)
    staffing.establish_county(COUNTY, actor=ACTOR, grids=2)
    for county in NEXT_COUNTIES:
        staffing.establish_county(county, actor=ACTOR, communities=True)
    staffing.establish_city(NEXT_CITY, actor=ACTOR)


def hire(password: str = PASSWORD) -> list[DemoAccount]:
    """Create the accounts and put each in its post; one that exists stays as it is."""
    hired, secret = [], make_password(password)  # hashed once: hashing is slow on purpose
    for wanted in accounts():
        post = _post(wanted)
        with contextlib.suppress(Conflict), clock.frozen(START):  # in post since the drill began
            organizations.create_account(
                username=wanted.username,
                password=None,
                actor=ACTOR,
                display_name=wanted.zh,
                post_ids=(post.id,),
                check_password=False,
            )
            Account.objects.filter(username=wanted.username).update(password=secret)
        hired.append(wanted)
    return hired


def _post(wanted: DemoAccount) -> posts.PostView:
    here = posts.of_territory(wanted.territory_code, below=wanted.busiest)
    fitting = [post for post in here if post.function == wanted.function]
    if not fitting:
        raise NotFound(_("The drill has not been staffed here."), hint=_("bihuan drill play does so."))
    owed = owed_by_post([post.id for post in fitting]) if wanted.busiest else {}
    return max(fitting, key=lambda post: owed.get(post.id, 0))
