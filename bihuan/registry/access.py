"""May this be done? Answered here and nowhere else.

A post's role is a set of cells (right, field class, relation); the scope acted in carries them. The answer
comes with the reason, in the reader's language, so that a door can say why not.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from bihuan.registry import scope as scopes
from bihuan.registry.errors import NoScope, NotAllowed
from bihuan.registry.models.organization import Grant, Role
from bihuan.registry.roles_rules import FIELD_CLASSES, RELATIONS, RIGHTS, Granted
from bihuan.registry.scope import Scope
from bihuan.registry.stamps import Stamped
from bihuan.registry.text import label

__all__ = ["FIELD_CLASSES", "RELATIONS", "RIGHTS", "Decision", "field_classes", "may", "reach", "require"]


#: What a broken glass lets through: looking, never changing.
_LOOKING = frozenset(right for right in RIGHTS if right.endswith(".view"))


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something may be done and why (not); true in a condition when allowed."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def may(
    scope: Scope | None,
    right: str,
    *,
    field_class: str | None = None,
    territory_code: str | None = None,
    post_id: int | None = None,
) -> Decision:
    """Decide whether `scope` (None: the one acted in) carries `right`.

    `field_class` asks for fields of that class; `territory_code` says where the subject belongs; `post_id`
    whose desk it lies on. Asked without a place and a desk, the answer is whether it may be done anywhere.
    The system may do everything. Raises ValueError for a right or a class that does not exist.
    """
    _check_words(right, field_class)
    if scope is None:
        if scopes.is_system():
            return Decision(True, _("the system itself"))
        scope = scopes.current()
    if scope is None:
        return Decision(False, _("nobody is acting: choose a post first"))
    if scope.glass and right not in _LOOKING:
        return Decision(False, _("a broken glass lets one look, not change"))
    cells = [g for g in scope.grants if g.right == right and field_class in (None, g.field_class)]
    if not cells:
        return Decision(False, _lacking(scope, right, field_class))
    if territory_code is None and post_id is None:
        return Decision(True, _granted(scope, right))
    if post_id is not None and post_id in scope.posts:
        return Decision(True, _("it lies on this post's own desk"))
    if any(g.relation == "below" for g in cells) and territory_code is not None:
        if scope.covers(territory_code):
            return Decision(True, _granted(scope, right))
        return Decision(False, _outside(scope, territory_code))
    return Decision(
        False, _("the role %(role)s may do this only for what lies on its own desk") % _role(scope)
    )


def require(
    right: str,
    *,
    scope: Scope | None = None,
    field_class: str | None = None,
    territory_code: str | None = None,
    post_id: int | None = None,
) -> None:
    """Raise NotAllowed (NoScope when nobody acts) unless `may`."""
    decision = may(scope, right, field_class=field_class, territory_code=territory_code, post_id=post_id)
    if decision.allowed:
        return
    error = NotAllowed if scope or scopes.current() else NoScope
    raise error(
        _("Not allowed (%(right)s): %(reason)s.") % {"right": right, "reason": decision.reason},
        hint=_("Act in another post that carries it, or ask the command post of the territory."),
        details={"right": right, "field_class": field_class, "territory_code": territory_code},
    )


def reach(scope: Scope | None, right: str, *, field_class: str | None = None) -> str | None:
    """Return how far a right goes: "below" (all of the scope), "assigned" (the post's own desk), or None.

    For lists: a queryset is already within the scope; "assigned" narrows it to the post's desk.
    """
    _check_words(right, field_class)
    if scope is None:
        if scopes.is_system():
            return "below"
        scope = scopes.current()
    if scope is None or (scope.glass and right not in _LOOKING):
        return None
    found = {g.relation for g in scope.grants if g.right == right and field_class in (None, g.field_class)}
    return next((relation for relation in RELATIONS if relation in found), None)


def field_classes(
    scope: Scope | None, right: str, *, territory_code: str | None = None, post_id: int | None = None
) -> frozenset[str]:
    """Return the field classes that may be seen (or changed) under a right, for a subject."""
    return frozenset(
        name
        for name in FIELD_CLASSES
        if may(scope, right, field_class=name, territory_code=territory_code, post_id=post_id)
    )


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as read: its label {zh, en}, whether it asks for a second factor, and its cells."""

    key: str
    label: dict[str, str]
    second_factor: bool
    grants: frozenset[Granted]


def _read_roles() -> dict[str, RoleView]:
    cells: dict[str, set[Granted]] = {}
    for role, right, field_class, relation in Grant.objects.values_list(
        "role_id", "right", "field_class", "relation"
    ):
        cells.setdefault(role, set()).add(Granted(right, field_class, relation))
    return {
        r.key: RoleView(r.key, r.label, r.second_factor, frozenset(cells.get(r.key, ())))
        for r in Role.objects.all()
    }


_roles: Stamped[dict[str, RoleView]] = Stamped("roles", _read_roles)


def roles() -> dict[str, RoleView]:
    """Return the roles in force by key."""
    return _roles.get()


def grants_of(role: str) -> frozenset[Granted]:
    """Return the cells of a role; none for an unknown one."""
    found = _roles.get().get(role)
    return found.grants if found else frozenset()


def _check_words(right: str, field_class: str | None) -> None:
    if right not in RIGHTS:
        raise ValueError(f"There is no right {right!r}. Rights: {', '.join(RIGHTS)}.")
    if field_class is not None and field_class not in FIELD_CLASSES:
        raise ValueError(f"There is no field class {field_class!r}. Classes: {', '.join(FIELD_CLASSES)}.")


def _role(scope: Scope) -> dict[str, str]:
    found = _roles.get().get(scope.role)
    return {"role": label(found.label) if found else scope.role}


def _granted(scope: Scope, right: str) -> str:
    return _("the role %(role)s carries %(right)s") % {**_role(scope), "right": right}


def _lacking(scope: Scope, right: str, field_class: str | None) -> str:
    if field_class and any(g.right == right for g in scope.grants):
        return _("the role %(role)s does not carry %(right)s for data of the class %(class)s") % {
            **_role(scope),
            "right": right,
            "class": field_class,
        }
    return _("the role %(role)s does not carry %(right)s") % {**_role(scope), "right": right}


def _outside(scope: Scope, territory_code: str) -> str:
    return _("%(code)s lies outside this post's territory %(lo)s") % {"code": territory_code, "lo": scope.lo}
