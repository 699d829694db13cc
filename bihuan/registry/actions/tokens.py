"""Keys of other systems."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.registry import clock, posts, stamps
from bihuan.registry.access import require
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid, NotFound
from bihuan.registry.models.organization import ApiToken, Organization, Post
from bihuan.registry.tokens import TOKEN_PREFIX, token_hash

_BYTES = 32
_PARTNER_ROLE = "api_partner"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. `secret` is shown this once; only its hash is kept."""

    id: int
    name: str
    organization: str
    post: str
    territory_code: str
    expires_at: datetime | None
    secret: str


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as listed, without its secret."""

    id: int
    name: str
    organization: str
    post: str
    territory_code: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@transaction.atomic
def create_token(
    *,
    organization: str,
    name: str,
    actor: Actor,
    post: str | None = None,
    expires_at: datetime | None = None,
) -> NewToken:
    """Make a token that acts in a post of an organization (both by public id).

    Without a post it acts in the organization's post for partner systems, which is made if there is none.
    """
    owner = Organization.objects.filter(public_id=organization).first()
    if owner is None:
        raise NotFound(_("There is no organization %(id)s.") % {"id": organization})
    require("token.create", territory_code=owner.territory_code)
    if not name.strip():
        raise Invalid(_("A token needs a name, so that one knows later whose it is."))
    now = clock.now()
    if expires_at and expires_at <= now:
        raise Invalid(_("This token would already have expired."))
    desk = posts.by_public_id(post) if post else posts.get(_partner_post(owner))
    if desk.organization_id != owner.pk:
        raise Invalid(_("The post %(post)s belongs to another organization.") % {"post": desk.label})
    secret = TOKEN_PREFIX + secrets.token_urlsafe(_BYTES)
    token = ApiToken.objects.create(
        organization=owner,
        post_id=desk.id,
        name=name.strip(),
        hash=token_hash(secret),
        created_at=now,
        expires_at=expires_at,
    )
    return NewToken(token.pk, token.name, owner.name, desk.label, desk.territory_code, expires_at, secret)


def revoke_token(*, token_id: int, actor: Actor) -> None:
    """End a token at once. Ending it again changes nothing."""
    token = ApiToken.objects.select_related("organization").filter(pk=token_id).first()
    if token is None:
        raise NotFound(_("There is no token %(id)s.") % {"id": token_id})
    require("token.create", territory_code=token.organization.territory_code)
    ApiToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=clock.now())


def list_tokens() -> list[TokenView]:
    """Return all tokens, newest first."""
    require("token.create")
    return [
        TokenView(
            t.pk,
            t.name,
            t.organization.name,
            posts.get(t.post_id).label,
            t.post.territory_code,
            t.created_at,
            t.expires_at,
            t.revoked_at,
        )
        for t in ApiToken.objects.select_related("organization", "post").order_by("-id")
    ]


def _partner_post(owner: Organization) -> int:
    post, created = Post.objects.get_or_create(
        organization=owner,
        function="exchange",
        territory_code=owner.territory_code,
        title="数据接口",
        defaults={"title_en": "Data exchange", "role_id": _PARTNER_ROLE},
    )
    if created:
        stamps.look_again()
    return post.pk
