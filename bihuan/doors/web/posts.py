"""The posts a logged-in account may act in, and the way to change between them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest


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
    return []


def demo_accounts() -> list[DemoAccount]:
    return []
