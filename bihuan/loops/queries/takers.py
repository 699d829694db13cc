"""Which posts may take a duty over: those whose territory holds it, and those their holders act for."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.registry import access, clock, posts
from bihuan.registry.posts import PostView
from bihuan.registry.scope import LAST

DOING = "duty.do"


def why_not(post: PostView, territory_code: str, *, at: datetime | None = None) -> str:
    """Why a post may not take over a duty of a territory, as a clause of a sentence; "" when it may.

    It must be active, its role must do duties, and the territory must lie at or below its own, or at or below
    that of a post which one of its holders has been lent.
    """
    moment = at or clock.now()
    if not post.is_active(moment):
        return _("it is not active")
    if not any(cell.right == DOING for cell in access.grants_of(post.role)):
        return _("its role does no duties")
    if _covers(post, territory_code) or _is_lent(post, territory_code, moment):
        return ""
    return _("%(code)s lies outside of its territory %(lo)s, and nobody has lent it a post there") % {
        "code": territory_code,
        "lo": post.territory_code,
    }


def takers(territory_code: str, *, but: int | None = None, at: datetime | None = None) -> list[PostView]:
    """The active posts that may take over a duty of a territory by their own territory, the nearest first;
    `but`: leave this one out (who owes it now)."""
    moment = at or clock.now()
    found = [
        post
        for post in posts.directory().by_id.values()
        if post.id != but and _covers(post, territory_code) and not why_not(post, territory_code, at=moment)
    ]
    return sorted(found, key=lambda post: (-len(post.territory_code), post.id))


def _covers(post: PostView, territory_code: str) -> bool:
    return post.territory_code <= territory_code < post.territory_code + LAST


def _is_lent(post: PostView, territory_code: str, at: datetime) -> bool:
    held = (
        lent
        for holder in posts.holders(post.id, at=at)
        for lent in posts.held_by(holder.account_id, at=at)
        if lent.delegated
    )
    return any(_covers(lent.post, territory_code) for lent in held)
