"""Break the glass: looking at another territory in an emergency, for a reason, for a while, seen by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bihuan.registry import posts
from bihuan.registry.access import require
from bihuan.registry.models.account import Account
from bihuan.registry.models.audit import BreakGlass
from bihuan.registry.scope import Scope, system


@dataclass(frozen=True, slots=True)
class GlassView:
    """A break as read. `ended_at` is set when it was ended early; else it ended by itself at `until_at`."""

    public_id: str
    territory_code: str
    account_id: int
    account: str
    post_id: int
    post: str
    reason: str
    opened_at: datetime
    until_at: datetime
    ended_at: datetime | None


def in_force(public_id: str | None, *, account_id: int, post_id: int, at: datetime) -> GlassView | None:
    """Return the break if this account opened it in this post and it has not ended."""
    if not public_id:
        return None
    with system():  # the record lies in the territory that was opened, beyond the actor's own
        row = BreakGlass.objects.filter(
            public_id=public_id,
            account_id=account_id,
            post_id=post_id,
            ended_at__isnull=True,
            opened_at__lte=at,
            until_at__gt=at,
        ).first()
        return _view(row) if row else None


def through(scope: Scope, opened: GlassView) -> Scope:
    """Return the scope of the opened territory: the same role, but for looking only (`access.may`)."""
    return replace(scope, lo=opened.territory_code, glass=opened.public_id)


def glass_breaks_in(territory_code: str, *, limit: int = 200) -> list[GlassView]:
    """Return who broke the glass to a territory, to one below or to one above that contains it, newest first.

    For the page of that territory: it may always know.
    """
    require("board.view", territory_code=territory_code)
    above = [territory_code[:n] for n in range(len(territory_code))]
    with system():  # a break of the whole city lies above the county that it laid open
        rows = BreakGlass.objects.below(territory_code) | BreakGlass.objects.filter(territory_code__in=above)
        return [_view(row) for row in rows.order_by("-opened_at")[:limit]]


def _view(row: BreakGlass) -> GlassView:
    account = Account.objects.filter(pk=row.account_id).first()
    return GlassView(
        public_id=row.public_id,
        territory_code=row.territory_code,
        account_id=row.account_id,
        account=str(account or row.account_id),
        post_id=row.post_id,
        post=posts.get(row.post_id).label,
        reason=row.reason,
        opened_at=row.opened_at,
        until_at=row.until_at,
        ended_at=row.ended_at,
    )
