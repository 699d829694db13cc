"""Keys of other systems: who bears one, and within which scope."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.registry import clock, posts
from bihuan.registry.acting import Acting, scope_of
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotAllowed
from bihuan.registry.models.organization import ApiToken, Organization
from bihuan.registry.scope import Scope

#: What every token begins with, so that one found in a log or a script is known for what it is.
TOKEN_PREFIX = "bh_"


def find_token(secret: str, *, at: datetime | None = None) -> ApiToken | None:
    """Return the token of a secret; None if it is unknown, expired, revoked, or its post is closed."""
    if not secret.startswith(TOKEN_PREFIX):
        return None
    moment = at or clock.now()
    in_force = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=moment))
    token = ApiToken.objects.filter(in_force, hash=token_hash(secret)).first()
    return token if token and posts.get(token.post_id).is_active(moment) else None


def scope_for_token(token: ApiToken) -> Scope:
    """Return the scope of the post that a token acts in."""
    return scope_of(posts.get(token.post_id), None)


def acting_for_token(secret: str, *, at: datetime | None = None) -> Acting:
    """Return how the bearer of a token acts. Raises NotAllowed for one that is no good."""
    token = find_token(secret, at=at)
    if token is None:
        raise NotAllowed(_("This token is unknown, expired or revoked."), code="bad-token")
    post = posts.get(token.post_id)
    return Acting(Actor(None, post.id, token.name, "api"), post, scope_of(post, None))


def organization_of(post_id: int) -> str:
    """Return the public id of the organization that a post belongs to."""
    found: str = Organization.objects.values_list("public_id", flat=True).get(posts=post_id)
    return found


def token_hash(secret: str) -> str:
    """SHA-256: enough for a secret of 256 random bits, and quick for every request."""
    return hashlib.sha256(secret.encode()).hexdigest()
