"""The posts a logged-in account may act in, as the account menu shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from bihuan.drill.actions import cast
from bihuan.registry import territory
from bihuan.registry.errors import BihuanError
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
    acting = getattr(request, "acting", None)
    if acting is None:
        return []
    return [
        PostChoice(
            public_id=held.post.public_id,
            title=name_of(held.post.title, held.post.title_en),
            organization=name_of(held.post.organization, held.post.organization_en),
            place=territory.name_path(held.post.territory_code),
            current=held.post.id == acting.post.id,
        )
        for held in acting.choices
    ]


def demo_accounts() -> list[DemoAccount]:
    """The accounts of the demo, shown on its log-in page only."""
    try:
        known = cast.accounts()
    except (BihuanError, IndexError):  # the drill's territory is not loaded
        return []
    return [DemoAccount(one.username, name_of(one.zh, one.en)) for one in known]
