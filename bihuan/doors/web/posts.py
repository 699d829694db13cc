"""The posts a logged-in account may act in, as the account menu shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from bihuan.registry import posts as registry_posts
from bihuan.registry import scope, territory
from bihuan.registry.text import name_of


@dataclass(frozen=True, slots=True)
class PostChoice:
    """One post of the account that is logged in."""

    public_id: str
    title: str
    organization: str
    place: str
    current: bool


@dataclass(frozen=True, slots=True)
class DemoAccount:
    username: str
    role: str


def choices(request: HttpRequest) -> list[PostChoice]:
    """Every post held now, own ones first."""
    if not request.user.is_authenticated:
        return []
    acting = scope.current()
    return [
        PostChoice(
            public_id=held.post.public_id,
            title=name_of(held.post.title, held.post.title_en),
            organization=name_of(held.post.organization, held.post.organization_en),
            place=territory.name_path(held.post.territory_code),
            current=acting is not None and acting.post_id == held.post.id,
        )
        for held in registry_posts.held_by(request.user.pk)
    ]


def demo_accounts() -> list[DemoAccount]:
    return []
