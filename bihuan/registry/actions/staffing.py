"""The standard set of organizations and posts of a territory, made in bulk and as often as one likes.

A real operator starts from it (`bihuan territory staff CODE`) and renames, adds and removes; the demo and the
tests use it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.registry import stamps, territory
from bihuan.registry.access import require
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.registry.models.organization import Organization, Post
from bihuan.registry.models.territory import Level
from bihuan.registry.models.territory import Territory as TerritoryModel
from bihuan.registry.territory import Territory

#: Two characters of the code of a grid: at most 99 in one community.
MOST_GRIDS = 99
#: Kind of a province-level city.
MUNICIPALITY = "municipality"
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class StandardPost:
    function: str
    role: str
    title: str
    title_en: str


@dataclass(frozen=True, slots=True)
class StandardOrganization:
    kind: str
    name: str  # {name} is the territory
    name_en: str
    posts: tuple[StandardPost, ...]


@dataclass(frozen=True, slots=True)
class Establishment:
    """What exists after establishing, and how much of it is new."""

    organizations: int
    posts: int
    new_organizations: int
    new_posts: int


_COMMAND_NAMES = ("{name}疫情防控指挥部", "{name} Epidemic Command")


def _command(role: str) -> StandardOrganization:
    post = StandardPost("command", role, "指挥长", "Commander")
    return StandardOrganization("command", *_COMMAND_NAMES, (post,))


def _cdc(role: str) -> StandardOrganization:
    return StandardOrganization(
        "cdc",
        "{name}疾病预防控制中心",
        "{name} CDC",
        (
            StandardPost("cdc_report_review", role, "报告审核", "Report review"),
            StandardPost("cdc_investigation", role, "流行病学调查", "Case investigation"),
        ),
    )


_INSPECTION = StandardOrganization(
    "inspection",
    "{name}督查组",
    "{name} Inspection",
    (StandardPost("inspector", "inspector", "督查", "Inspector"),),
)

_CARE = (
    StandardOrganization(
        "hospital",
        "{name}定点医院",
        "{name} Designated Hospital",
        (
            StandardPost("hospital_admission", "hospital_officer", "收治", "Admission"),
            StandardPost("hospital_follow_up", "hospital_officer", "出院随访", "Follow-up after discharge"),
        ),
    ),
    StandardOrganization(
        "fever_clinic",
        "{name}发热门诊",
        "{name} Fever Clinic",
        (StandardPost("clinic_report", "clinic_doctor", "病例报告", "Case reporting"),),
    ),
    StandardOrganization(
        "laboratory",
        "{name}核酸检测实验室",
        "{name} Laboratory",
        (StandardPost("sampling", "laboratory", "采样检测", "Sampling and testing"),),
    ),
    StandardOrganization(
        "transfer_team",
        "{name}转运队",
        "{name} Transfer Team",
        (StandardPost("transfer_team", "transfer_team", "转运", "Transfer"),),
    ),
)

_STREET = (
    StandardOrganization(
        "street_office",
        "{name}疫情防控指挥部",
        "{name} Epidemic Command",
        (
            StandardPost("command", "command_county", "指挥长", "Commander"),
            StandardPost("street_quarantine", "community_worker", "隔离管控", "Quarantine"),
        ),
    ),
)

_COMMUNITY = (
    StandardOrganization(
        "community_committee",
        "{name}",
        "{name}",
        (StandardPost("community_follow_up", "community_worker", "健康随访", "Health follow-up"),),
    ),
)

_GRID_POST = StandardPost("grid_worker", "grid_worker", "网格员", "Grid worker")


def ensure_administration(*, actor: Actor) -> Post:
    """Return the system administrator's post, made if it is not there. It is the owner of last resort."""
    require("account.admin")
    organization, _new = Organization.objects.get_or_create(
        kind="administration",
        territory_code="",
        name="系统管理",
        defaults={"name_en": "System administration"},
    )
    post, created = Post.objects.get_or_create(
        organization=organization,
        function="administration",
        territory_code="",
        title="系统管理员",
        defaults={"title_en": "Administrator", "role_id": "administrator"},
    )
    if created:
        stamps.look_again()
    return post


def establish(
    code: str, *, actor: Actor, communities: bool = True, grids: int = 0, above: bool = True
) -> Establishment:
    """Establish the standard set for a territory by its level; see the functions below."""
    place = _place(code)
    level = territory.tree().board_level(place.code)
    if place.level == Level.COUNTY or level == Level.COUNTY:
        return establish_county(code, actor=actor, communities=communities, grids=grids, above=above)
    if level == Level.PROVINCE:
        return establish_province(code, actor=actor)
    if level == Level.CITY:
        return establish_city(code, actor=actor, above=above)
    if level == Level.STREET:
        return establish_street(code, actor=actor, communities=communities, grids=grids)
    raise Invalid(
        _("%(name)s is a community or below; staff the street above it.") % {"name": place.name},
        hint=_("bihuan territory staff %(code)s") % {"code": place.parent_code},
    )


def establish_province(code: str, *, actor: Actor) -> Establishment:
    """Command post and inspection team of a province.

    A municipality (直辖市) is also run as a city: it has its own disease control, hospital, fever clinic,
    laboratory and transfer team.
    """
    place = _place(code)
    wanted: tuple[StandardOrganization, ...] = (_command("command_province"), _INSPECTION)
    if place.kind == MUNICIPALITY:
        wanted += (_cdc("cdc_city"), *_CARE)
    return _store([(place, wanted)], actor=actor)


def establish_city(code: str, *, actor: Actor, above: bool = True) -> Establishment:
    """Command post, disease control and inspection of a city; with `above`, also what its province needs."""
    wanted = [(_place(code), (_command("command_city"), _cdc("cdc_city"), _INSPECTION))]
    return _store([*(_above(code) if above else ()), *wanted], actor=actor)


def establish_county(
    code: str, *, actor: Actor, communities: bool = True, grids: int = 0, above: bool = True
) -> Establishment:
    """Everything a county needs to close loops: command, disease control, hospital, fever clinic, laboratory,
    transfer team; every street; with `communities` every community; with `grids` so many grids in each.

    With `above`, also the command posts over it, which late duties climb to. A county that is led as a city
    (directly administered) gets the command of a city.
    """
    county = _place(code)
    city_rank = territory.tree().board_level(county.code) == Level.CITY
    command = _command("command_city" if city_rank else "command_county")
    cdc = _cdc("cdc_city" if city_rank else "cdc_officer")
    wanted = [*(_above(code) if above else ()), (county, (command, cdc, *_CARE))]
    for street in territory.children(county.code):
        wanted.extend(_street(street, communities=communities))
    return _store(wanted, actor=actor, grids=grids if communities else 0)


def establish_street(code: str, *, actor: Actor, communities: bool = True, grids: int = 0) -> Establishment:
    """The street's command and quarantine posts, and those of its communities."""
    return _store(_street(_place(code), communities=communities), actor=actor, grids=grids)


_Wanted = tuple[Territory, tuple[StandardOrganization, ...]]


def _place(code: str) -> Territory:
    return territory.resolve(code)


def _above(code: str) -> list[_Wanted]:
    wanted: list[_Wanted] = []
    for place in territory.tree().ancestors(_place(code).code):
        if place.level == Level.CITY and not place.is_pseudo:
            wanted.append((place, (_command("command_city"), _cdc("cdc_city"), _INSPECTION)))
        elif place.level == Level.PROVINCE:
            wanted.append((place, (_command("command_province"), _INSPECTION)))
    return wanted


def _street(street: Territory, *, communities: bool) -> list[_Wanted]:
    wanted: list[_Wanted] = [(street, _STREET)]
    if communities:
        wanted.extend((community, _COMMUNITY) for community in territory.children(street.code))
    return wanted


@transaction.atomic
def _store(wanted: Iterable[_Wanted], *, actor: Actor, grids: int = 0) -> Establishment:
    require("account.admin")
    if not 0 <= grids <= MOST_GRIDS:
        raise Invalid(_("A community has at most %(most)d grids.") % {"most": MOST_GRIDS})
    ensure_administration(actor=actor)
    pairs = [(place, standard) for place, standards in wanted for standard in standards]
    ids, new_organizations = _organizations(pairs)
    rows = [
        _post(ids[place.code, standard.kind, standard.name.format(name=place.name)], place.code, post)
        for place, standard in pairs
        for post in standard.posts
    ]
    rows += _grid_posts([place for place, _s in pairs if place.level == Level.COMMUNITY], ids, grids)
    had = set(
        Post.objects.filter(organization_id__in=set(ids.values())).values_list(
            "organization_id", "function", "territory_code", "title"
        )
    )
    new = [p for p in rows if (p.organization_id, p.function, p.territory_code, p.title) not in had]
    if new:  # an empty insertion would still say that the posts have changed
        Post.objects.bulk_create(new, ignore_conflicts=True, batch_size=_BATCH)
    stamps.look_again()
    return Establishment(len(ids), len(had) + len(new), new_organizations, len(new))


_Key = tuple[str, str, str]


def _organizations(pairs: list[tuple[Territory, StandardOrganization]]) -> tuple[dict[_Key, int], int]:
    """Make those organizations that are missing; return all of the territories by (code, kind, name)."""
    have = _organization_ids(place.code for place, _standard in pairs)
    missing = [
        Organization(
            name=standard.name.format(name=place.name),
            name_en=standard.name_en.format(name=place.name_en),
            kind=standard.kind,
            territory_code=place.code,
        )
        for place, standard in pairs
        if (place.code, standard.kind, standard.name.format(name=place.name)) not in have
    ]
    if not missing:
        return have, 0
    Organization.objects.bulk_create(missing, ignore_conflicts=True, batch_size=_BATCH)
    return _organization_ids(place.code for place, _standard in pairs), len(missing)


def _organization_ids(codes: Iterable[str]) -> dict[_Key, int]:
    rows = Organization.objects.filter(territory_code__in=set(codes))
    return {(o.territory_code, o.kind, o.name): o.pk for o in rows}


def _post(organization_id: int, code: str, post: StandardPost, suffix: str = "") -> Post:
    return Post(
        organization_id=organization_id,
        title=post.title + suffix,
        title_en=f"{post.title_en}{' ' if suffix else ''}{suffix}",
        function=post.function,
        territory_code=code,
        role_id=post.role,
    )


def _grid_posts(communities: list[Territory], ids: dict[_Key, int], grids: int) -> list[Post]:
    """Make the territories of the grids and their posts."""
    units, rows = [], []
    for community in communities:
        organization_id = ids[community.code, "community_committee", community.name]
        for number in range(1, grids + 1):
            code = f"{community.code}-{number:02d}"
            units.append(
                TerritoryModel(
                    code=code,
                    name=f"第{number}网格",
                    name_en=f"Grid {number}",
                    level=Level.GRID,
                    kind="grid",
                    parent_code=community.code,
                    tz=community.tz,
                )
            )
            rows.append(_post(organization_id, code, _GRID_POST, f"{number:02d}"))
    tree = territory.tree()
    units = [unit for unit in units if tree.find(unit.code) is None]
    if units:
        TerritoryModel.objects.bulk_create(units, ignore_conflicts=True, batch_size=_BATCH)
    return rows
