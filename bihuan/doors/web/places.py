"""The territory an address speaks of: asked for, checked; its way up for the head of the page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from bihuan.registry import scope, territory
from bihuan.registry.errors import BihuanError


@dataclass(frozen=True, slots=True)
class Crumb:
    name: str
    href: str


def asked(request: HttpRequest, *, key: str = "territory", within_scope: bool = False) -> tuple[str, str]:
    """Return (code, error): the territory named by code or by name, else the one acted in.

    `within_scope`: one outside the scope counts as not named. Policy is public and may be asked of anywhere.
    """
    acting = scope.current()
    own = acting.lo if acting else ""
    text = request.GET.get(key, "").strip()
    if not text:
        return own, ""
    try:
        found = named(text)
    except BihuanError as wrong:
        return own, str(wrong)
    if within_scope and acting and not acting.covers(found.code):
        return own, ""
    return found.code, ""


def named(text: str) -> territory.Territory:
    """The territory that a person means by a code or a name. Raises UnknownTerritory, AmbiguousTerritory."""
    return territory.find(text) or (
        territory.resolve(text) if text[:1].isdigit() else territory.one_by_name(text)
    )


def crumbs(request: HttpRequest, code: str) -> list[Crumb]:
    """The way from the top down to `code`; only what lies in the scope leads anywhere, to the same page with
    all else that was asked of it but the place in a list."""
    kept = request.GET.copy()
    for key in ("territory", "after", "page", "export"):
        kept.pop(key, None)
    tail = f"&{kept.urlencode()}" if kept else ""
    acting = scope.current()
    found = territory.find(code)
    line = [*reversed(territory.tree().ancestors(code)), *([found] if found else [])]
    steps = []
    for place in line:
        if place.is_pseudo:
            continue
        open_here = acting is not None and acting.covers(place.code) and place.code != code
        href = f"{request.path}?territory={place.code}{tail}" if open_here else ""
        steps.append(Crumb(place.label, href))
    return steps


def below(code: str) -> str:
    """The names of a territory below the one acted in; its own name when it is that one."""
    acting = scope.current()
    names = territory.tree().name_path(code)
    above = len(territory.tree().name_path(acting.lo)) if acting and acting.lo else 0
    return " ".join(names[above:] or names[-1:])
