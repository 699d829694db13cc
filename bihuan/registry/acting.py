"""In which post an account acts, and what scope follows from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.registry import access, clock, glass, posts
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotAllowed
from bihuan.registry.models.account import Account
from bihuan.registry.posts import Held, PostView
from bihuan.registry.scope import Scope


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts in which post, within which scope. `choices` are the posts she may switch to; `opened` is the
    break-the-glass record in force, if she looks at another territory through it."""

    actor: Actor
    post: PostView
    scope: Scope
    choices: tuple[Held, ...] = ()
    delegated: bool = False
    opened: glass.GlassView | None = None


def scope_of(post: PostView, account_id: int | None) -> Scope:
    """Return the scope of a post: its territory, with the cells of its role."""
    return Scope(
        lo=post.territory_code,
        post_id=post.id,
        account_id=account_id,
        role=post.role,
        grants=access.grants_of(post.role),
        organization_id=post.organization_id,
    )


def acting_for_account(
    account: Account,
    *,
    post_id: int | None = None,
    glass_id: str | None = None,
    door: str = "web",
    at: datetime | None = None,
) -> Acting | None:
    """Return how an account acts: in the post wanted if it holds it now, else in its first; None without any.

    `glass_id` names a break-the-glass record; while in force and of this account and post, the scope is
    that of the territory it opened.
    """
    moment = at or clock.now()
    choices = posts.held_by(account.pk, at=moment)
    if not choices:
        return None
    held = next((h for h in choices if h.post.id == post_id), choices[0])
    desk = frozenset(h.post.id for h in choices if _same_desk(h.post, held.post))
    scope = replace(scope_of(held.post, account.pk), desk=desk)
    opened = glass.in_force(glass_id, account_id=account.pk, post_id=held.post.id, at=moment)
    if opened:
        scope = glass.through(scope, opened)
    return Acting(
        actor=Actor(account.pk, held.post.id, str(account), door),
        post=held.post,
        scope=scope,
        choices=tuple(choices),
        delegated=held.delegated,
        opened=opened,
    )


def _same_desk(one: PostView, other: PostView) -> bool:
    return one.role == other.role and one.territory_code == other.territory_code


def acting_for_post(account: Account, post_id: int, *, door: str, at: datetime | None = None) -> Acting:
    """Return how an account acts in exactly this post. Raises NotAllowed if it does not hold it now."""
    acting = acting_for_account(account, post_id=post_id, door=door, at=at)
    if acting is None or acting.post.id != post_id:
        raise NotAllowed(
            _("%(name)s does not hold the post %(post)s.")
            % {"name": account, "post": posts.get(post_id).label},
            hint=_("An administrator assigns posts; who holds one can lend it."),
        )
    return acting
