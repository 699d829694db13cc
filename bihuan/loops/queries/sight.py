"""What of a subject may be seen by the post acted in: by its territory, or because it lies on its desk."""

from __future__ import annotations

from django.utils.translation import gettext as _

from bihuan.loops.queries.duties import DutyFilter, find_duties
from bihuan.registry import access, scope
from bihuan.registry.errors import NotAllowed, NotFound


def require_whole(right: str) -> None:
    """Raise NotAllowed unless a right goes for all of the scope: lists are not for posts of a single desk."""
    access.require(right)
    if access.reach(None, right) != "below":
        raise NotAllowed(
            _("Your post sees single people that it owes something, not lists of a territory."),
            hint=_("Open them from your duties."),
        )


def classes_of(
    right: str, *, territory_code: str, person_id: int | None = None, subject: tuple[str, str] | None = None
) -> frozenset[str]:
    """The field classes of one subject (kind, public id) that may be seen. Raises NotFound if none may.

    A post that sees only its own desk sees whom one of its duties is or was about.
    """
    acting = scope.current()
    found = access.field_classes(None, right, territory_code=territory_code)
    if not found and acting is not None and acting.post_id is not None:
        desk = access.field_classes(None, right, territory_code=territory_code, post_id=acting.post_id)
        if desk and is_on_desk(acting.post_id, person_id=person_id, subject=subject):
            found = desk
    if not found:
        raise NotFound(
            _("There is nobody of that number in your territory or on your desk."),
            hint=_("Open people from your duties or your lists."),
        )
    return found


def is_on_desk(post_id: int, *, person_id: int | None = None, subject: tuple[str, str] | None = None) -> bool:
    """Whether a post owes or owed something about a subject or a person."""
    asked = []
    if subject is not None:
        asked.append(DutyFilter(post_id=post_id, subject=subject, status=""))
    if person_id is not None:
        asked.append(DutyFilter(post_id=post_id, person_id=person_id, status=""))
    return any(find_duties(one, limit=1).rows for one in asked)
