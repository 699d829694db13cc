"""Which post owes, which commands, who sits in it. All posts are read once and kept while none changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.registry import clock, territory, text
from bihuan.registry.errors import UnknownPost
from bihuan.registry.models.organization import Assignment, Post
from bihuan.registry.models.territory import Level
from bihuan.registry.stamps import Stamped

COMMAND = "command"
ADMINISTRATION = "administration"
#: Who leads a post of a function, nearest first, before the command post.
_LED_BY = {"grid_worker": ("community_follow_up",)}
#: Words for the level of a command post.
_LEVELS = {
    "province": int(Level.PROVINCE),
    "city": int(Level.CITY),
    "county": int(Level.COUNTY),
    "street": int(Level.STREET),
}


@dataclass(frozen=True)
class PostView:
    """A post as read. `territory_code` is its scope; instants are aware, None = unbounded."""

    id: int
    public_id: str
    title: str
    title_en: str
    function: str
    territory_code: str
    role: str
    organization_id: int
    organization: str
    organization_en: str
    organization_kind: str
    active_from: datetime | None
    active_to: datetime | None
    duty_hours: dict[str, Any]

    @property
    def label(self) -> str:
        """Organization and title in the reader's language."""
        title = text.name_of(self.title, self.title_en)
        organization = text.name_of(self.organization, self.organization_en)
        return title if title.startswith(organization) else f"{organization} {title}"

    def is_active(self, at: datetime) -> bool:
        return (self.active_from is None or self.active_from <= at) and (
            self.active_to is None or at < self.active_to
        )


@dataclass(frozen=True, slots=True)
class OwnerResolution:
    """The post that owes; `fallback` when it is not one that was asked for but the command post."""

    post_id: int
    fallback: bool


@dataclass(frozen=True)
class Directory:
    """All posts in memory. Take it once for many questions."""

    by_id: dict[int, PostView] = field(default_factory=dict)
    by_place: dict[tuple[str, str], list[PostView]] = field(default_factory=dict)

    @cached_property
    def functions(self) -> frozenset[str]:
        return frozenset(function for function, _code in self.by_place)

    def resolve_owner(
        self,
        functions: Sequence[str],
        territory_code: str,
        *,
        at: datetime,
        organization_id: int | None = None,
    ) -> OwnerResolution:
        """See `posts.resolve_owner`."""
        for function in functions:
            found = self.nearest(function, territory_code, at=at, organization_id=organization_id)
            if found:
                return OwnerResolution(found.id, fallback=False)
        found = self.nearest(COMMAND, territory_code, at=at) or self.administrator()
        return OwnerResolution(found.id, fallback=True)

    def nearest(
        self,
        function: str,
        territory_code: str,
        *,
        at: datetime,
        organization_id: int | None = None,
        above: bool = False,
    ) -> PostView | None:
        """Return the active post of a function at the territory or the nearest above it (`above`: strictly).

        Where several share a territory, the one of `organization_id`, else the oldest.
        """
        if function not in self.functions:
            return None
        for length in range(len(territory_code) - above, -1, -1):
            here = [p for p in self.by_place.get((function, territory_code[:length]), ()) if p.is_active(at)]
            if here:
                return next((p for p in here if p.organization_id == organization_id), here[0])
        return None

    def administrator(self) -> PostView:
        found = self.by_place.get((ADMINISTRATION, ""))
        if not found:
            raise UnknownPost(
                _("There is no post of the system administrator."),
                hint=_("Set the registry up first: bihuan territory load-builtin."),
            )
        return found[0]

    def superior_of(self, post_id: int, *, at: datetime) -> int | None:
        """See `posts.superior_of`."""
        post = self.get(post_id)
        for function in (*_LED_BY.get(post.function, ()), COMMAND):
            above = post.function == function
            found = self.nearest(function, post.territory_code, at=at, above=above)
            if found and found.id != post.id:
                return found.id
        return None

    def command_at(self, level: str | int, territory_code: str, *, at: datetime) -> OwnerResolution:
        """See `posts.command_at`."""
        wanted = _LEVELS[level] if isinstance(level, str) else level
        tree = territory.tree()
        code = territory_code
        while (found := self.nearest(COMMAND, code, at=at)) is not None:
            place = tree.find(found.territory_code)
            if place is None or tree.board_level(place.code) <= wanted:
                return OwnerResolution(found.id, fallback=False)
            code = found.territory_code[:-1]
        return OwnerResolution(self.administrator().id, fallback=True)

    def get(self, post_id: int) -> PostView:
        try:
            return self.by_id[post_id]
        except KeyError:
            raise UnknownPost(_("There is no post %(id)s.") % {"id": post_id}) from None


def _read_posts() -> Directory:
    directory = Directory()
    rows = Post.objects.order_by("id").values_list(
        "id", "public_id", "title", "title_en", "function", "territory_code", "role_id", "organization_id",
        "organization__name", "organization__name_en", "organization__kind", "active_from", "active_to",
        "duty_hours",
    )  # fmt: skip
    for row in rows.iterator(chunk_size=10000):
        post = PostView(*row)
        directory.by_id[post.id] = post
        directory.by_place.setdefault((post.function, post.territory_code), []).append(post)
    return directory


_directory: Stamped[Directory] = Stamped("posts", _read_posts)


def directory() -> Directory:
    """Return all posts as they are now. For many questions in a row take it once."""
    return _directory.get()


def get(post_id: int) -> PostView:
    """Return one post. Raises UnknownPost."""
    return directory().get(post_id)


def by_public_id(public_id: str) -> PostView:
    """Return one post by its public id. Raises UnknownPost."""
    found = Post.objects.filter(public_id=public_id).values_list("id", flat=True).first()
    if found is None:
        raise UnknownPost(_("There is no post %(id)s.") % {"id": public_id})
    return get(found)


def resolve_owner(
    functions: Sequence[str],
    territory_code: str,
    *,
    at: datetime | None = None,
    organization_id: int | None = None,
) -> OwnerResolution:
    """Return the post that owes something in a territory at an instant (None = now).

    For each function in order: the active post with it at the territory or the nearest above, preferring one
    of `organization_id`. If none has any: the nearest command post, marked `fallback`; if there is none, the
    system administrator's post, marked too. Raises UnknownPost only if even that does not exist.
    """
    return directory().resolve_owner(
        functions, territory_code, at=at or clock.now(), organization_id=organization_id
    )


def superior_of(post_id: int, *, at: datetime | None = None) -> int | None:
    """Return the post above: who leads its function near by (a grid worker's community), else the command
    post at or above its territory; for a command post the next one above. None at the top."""
    return directory().superior_of(post_id, at=at or clock.now())


def command_at(level: str | int, territory_code: str, *, at: datetime | None = None) -> OwnerResolution:
    """Return the command post of a level (street, county, city, province, or 1 to 4) for a territory.

    Where that level has none, the next above; a directly administered county is its own city. At the very end
    the system administrator's post, marked `fallback`.
    """
    return directory().command_at(level, territory_code, at=at or clock.now())


def of_territory(territory_code: str, *, below: bool = False, at: datetime | None = None) -> list[PostView]:
    """Return the active posts of a territory (with `below`, also of all territories below)."""
    moment = at or clock.now()
    hi = territory_code + "~"
    return [
        p
        for p in directory().by_id.values()
        if (territory_code <= p.territory_code < hi if below else p.territory_code == territory_code)
        and p.is_active(moment)
    ]


def on_duty(post: PostView, at: datetime) -> bool:
    """Return whether an instant lies in a post's duty hours, by its territory's clock. No hours = always.

    Hours that end before they begin run over midnight and belong to the day on which they began.
    """
    hours = post.duty_hours
    if not hours:
        return True
    local = at.astimezone(ZoneInfo(territory.tz_of(post.territory_code)))
    begin, end = time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])
    days = frozenset(hours.get("days") or range(1, 8))
    now, weekday = local.time(), local.isoweekday()
    if begin < end:
        return weekday in days and begin <= now < end
    yesterday = 7 if weekday == 1 else weekday - 1
    return (weekday in days and now >= begin) or (yesterday in days and now < end)


@dataclass(frozen=True, slots=True)
class Held:
    """An account in a post. `delegated` when the post was lent; `until` None = open end."""

    assignment_id: int
    account_id: int
    post: PostView
    delegated: bool
    until: datetime | None


def held_by(account_id: int, *, at: datetime | None = None) -> list[Held]:
    """Return the posts an account may act in now: own ones first, then lent ones; active posts only."""
    return _held(Q(account_id=account_id), at or clock.now())


def holders(post_id: int, *, at: datetime | None = None) -> list[Held]:
    """Return who holds a post now."""
    return _held(Q(post_id=post_id), at or clock.now())


def _held(which: Q, at: datetime) -> list[Held]:
    rows = Assignment.objects.filter(which, _in_force(at), account__is_active=True).filter(
        Q(delegated_from__isnull=True) | _in_force(at, "delegated_from__")
    )
    posts = directory()
    found = [
        Held(
            assignment_id=row.id,
            account_id=row.account_id,
            post=posts.get(row.post_id),
            delegated=row.delegated_from_id is not None,
            until=row.to_at,
        )
        for row in rows.order_by("delegated_from_id", "id")
    ]
    found = [h for h in found if h.post.is_active(at)]
    return sorted(found, key=lambda h: (h.delegated, h.assignment_id))


def _in_force(at: datetime, prefix: str = "") -> Q:
    return Q(**{f"{prefix}from_at__lte": at}) & (
        Q(**{f"{prefix}to_at__isnull": True}) | Q(**{f"{prefix}to_at__gt": at})
    )
