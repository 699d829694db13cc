"""Breaking the glass, and closing it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.registry import clock, glass, territory
from bihuan.registry import scope as scopes
from bihuan.registry.access import require
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.errors import Invalid, NotAllowed, NotFound
from bihuan.registry.models.audit import BreakGlass

#: Our own rule (no clause gives one): long enough for one consultation, short enough to be forgotten safely.
DEFAULT_MINUTES = 60
MOST_MINUTES = 24 * 60
#: Our own rule: a reason that another person can check needs more than a word.
SHORTEST_REASON = 10


@transaction.atomic
def break_glass(
    *,
    territory_code: str,
    reason: str,
    actor: Actor,
    now: datetime | None = None,
    minutes: int = DEFAULT_MINUTES,
) -> glass.GlassView:
    """Let the post acted in look at another territory for `minutes`. Returns the record of it.

    It gives the same role there, for looking only; every look is logged under it; the territory sees who, why
    and until when. It ends by itself. Needs the right glass.break, and a reason of some length.
    """
    scope = scopes.current()
    require("glass.break")
    if scope is None or actor.account_id is None or actor.post_id is None or scope.glass:
        raise NotAllowed(_("Only a person in her own post can break the glass, and one glass at a time."))
    if actor.account_id != scope.account_id or actor.post_id != scope.post_id:
        raise NotAllowed(_("The glass is broken by who acts, not for somebody else."))
    text = reason.strip()
    errors = _errors(text, minutes)
    if errors:
        raise Invalid(_("The glass stays whole."), errors=errors, hint=errors[0]["message"])
    place = territory.resolve(territory_code)
    if scope.covers(place.code):
        raise Invalid(
            _("%(name)s already lies within this post's territory.") % {"name": place.label},
            errors=[{"field": "territory_code", "rule": "outside", "message": place.code, "hint": ""}],
        )
    moment = now or clock.now()
    with scopes.system(), attributed(actor):  # the record belongs to the territory that is opened
        row = BreakGlass.objects.create(
            account_id=actor.account_id,
            post_id=actor.post_id,
            territory_code=place.code,
            reason=text,
            opened_at=moment,
            until_at=moment + timedelta(minutes=minutes),
        )
    found = glass.in_force(row.public_id, account_id=actor.account_id, post_id=actor.post_id, at=moment)
    assert found is not None
    return found


@transaction.atomic
def end_glass(*, public_id: str, actor: Actor, now: datetime | None = None) -> None:
    """End a break before its time. Who broke it may, and whoever may read the audit of that territory."""
    moment = now or clock.now()
    with scopes.system():
        row = BreakGlass.objects.filter(public_id=public_id).first()
    if row is None:
        raise NotFound(_("There is no break-the-glass record %(id)s.") % {"id": public_id})
    if row.account_id != actor.account_id:
        require("audit.view", territory_code=row.territory_code)
    with scopes.system(), attributed(actor):
        BreakGlass.objects.filter(
            pk=row.pk, ended_at__isnull=True, until_at__gt=moment, opened_at__lte=moment
        ).update(ended_at=moment)


def _errors(reason: str, minutes: int) -> list[dict[str, str]]:
    errors = []
    if len(reason) < SHORTEST_REASON:
        message = _("Say why, in at least %(n)d characters.") % {"n": SHORTEST_REASON}
        errors.append({"field": "reason", "rule": "length", "message": message, "hint": ""})
    if not 1 <= minutes <= MOST_MINUTES:
        message = _("It may stay open from 1 to %(n)d minutes.") % {"n": MOST_MINUTES}
        errors.append({"field": "minutes", "rule": "range", "message": message, "hint": ""})
    return errors
